/* SPDX-License-Identifier: BSD-3-Clause */
/* The system's log. A file of its own, because <syslog.h> has macros named as our levels are. */
#ifndef LOGGING_SYSLOG_SINK_H
#define LOGGING_SYSLOG_SINK_H

/* level  enum log_level; facility  as <syslog.h> numbers them. Any thread. */
void syslog_sink_write(int facility, int level, const char *line, int size);

#endif
