/* SPDX-License-Identifier: BSD-3-Clause */
/* One log line from an event, in the form its channel has. */
#ifndef LOGGING_LOG_LINE_H
#define LOGGING_LOG_LINE_H

#include "base/text.h"
#include "logging/logging.h"

/* The time of the line before, as text, for the next of the same second. Starts zeroed. */
struct log_stamps {
    struct log_stamp {
        int64_t second;
        char text[40];
    } of[2]; /* local time; UTC in ISO form */
};

/* Adds the line, without its end, to `out`. `stamps` belongs to the caller; one thread at a time. */
void log_line_format(const struct log_event *event, const struct log_channel *channel,
                     int64_t wall_ms, struct log_stamps *stamps, struct text *out);

#endif
