/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where log events go and how they look: BIND's channels and categories. Callers format nothing
 * and wait for no disk: a line is queued and one thread writes it.
 */
#ifndef LOGGING_LOGGING_H
#define LOGGING_LOGGING_H

#include "base/error.h"
#include "base/log.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_KEYVALUE, LOG_FORMAT_JSON };
enum log_sink { LOG_SINK_STDERR, LOG_SINK_FILE, LOG_SINK_SYSLOG, LOG_SINK_NULL };

struct log_channel {
    enum log_sink sink;
    enum log_format format;
    enum log_level level; /* events below it are left out */
    bool print_time;
    bool print_severity;
    bool print_category;
    const char *path;        /* LOG_SINK_FILE */
    uint32_t versions;       /* old files kept: path.0 is the youngest; 0: none */
    uint64_t max_size_bytes; /* 0: no limit; reached: roll over, or stop where versions is 0 */
    int facility;            /* LOG_SINK_SYSLOG: LOG_DAEMON and so on */
};

struct logging_options {
    const struct log_channel *channels;
    unsigned channel_count;
    uint32_t category_channels[LOG_CATEGORIES]; /* bit i: the category goes to channel i */
};

struct logging;

/* Copies the options; opens files; starts the writing thread. ERR_IO names the file. */
MUST_CHECK enum result logging_start(const struct logging_options *options, struct logging **out,
                                     struct error *err);
/* Writes what is queued, then ends the thread. NULL is fine. */
void logging_stop(struct logging *logging);
/* New channels from now on; what could not be opened leaves the old ones in place. */
MUST_CHECK enum result logging_configure(struct logging *logging,
                                         const struct logging_options *options, struct error *err);
/* Opens the files anew (after log rotation by others). */
void logging_reopen(struct logging *logging);

/* Any thread; queues, never waits for the disk. A NULL logging writes nothing. */
void logging_emit(struct logging *logging, const struct log_event *event);
/* Is half of the queue free? Who has many lines and can wait asks first, and leaves the other half
 * to everybody else. */
bool logging_has_room(struct logging *logging);
/* For what outsiders can trigger: at most 10 lines a second of this event name; the next line let
 * through tells how many were left out. */
void logging_emit_limited(struct logging *logging, const struct log_event *event);

/* LOG_EVENT(logging, LOG_INFO, LOG_GENERAL, "zone_loaded", phrase, LOG_KEY(…), LOG_NUM(…)) */
#define LOG_EVENT(logging, level_, category_, name_, phrase_, ...)                                 \
    logging_emit((logging), LOG_VALUE(level_, category_, name_, phrase_, __VA_ARGS__))
#define LOG_EVENT_LIMITED(logging, level_, category_, name_, phrase_, ...)                         \
    logging_emit_limited((logging), LOG_VALUE(level_, category_, name_, phrase_, __VA_ARGS__))
#define LOG_VALUE(level_, category_, name_, phrase_, ...)                                          \
    &(struct log_event)                                                                            \
    {                                                                                              \
        .level = (level_), .category = (category_), .name = (name_), .phrase = (phrase_),          \
        .keys = (const struct log_key[]){__VA_ARGS__},                                             \
        .key_count = sizeof((const struct log_key[]){__VA_ARGS__}) / sizeof(struct log_key),       \
    }

#endif
