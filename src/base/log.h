/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log events: a level, a category, an event name, BIND's phrase where BIND has one, and keys.
 *
 * Only `server` and `cmd` log; the sink (where lines go and how they look) is theirs too. This is
 * the value that travels to it. docs/events.md lists every event with its keys.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

/* BIND's categories; an operator's `category` statements select by these. */
enum log_category {
    LOG_GENERAL,
    LOG_CONFIG,
    LOG_NETWORK,
    LOG_SECURITY,
    LOG_NOTIFY,
    LOG_XFER_IN,
    LOG_XFER_OUT,
    LOG_UPDATE,
    LOG_UPDATE_SECURITY,
    LOG_QUERIES,
    LOG_ZONELOAD,
    LOG_DNSSEC,
    LOG_RATE_LIMIT,
    LOG_CATEGORIES
};

struct log_key {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

struct log_event {
    enum log_level level;
    enum log_category category;
    const char *name;   /* "transfer_applied" */
    const char *phrase; /* the sentence for people, in BIND's words where it has them */
    const struct log_key *keys;
    unsigned key_count;
    bool phrase_says_all; /* the text form leaves the keys out: programs read the phrase */
};

#define LOG_KEY(key, value) ((struct log_key){.name = (key), .text = (value)})
#define LOG_NUM(key, value) ((struct log_key){.name = (key), .number = (int64_t)(value)})

const char *log_level_name(enum log_level level);          /* "info" … */
const char *log_category_name(enum log_category category); /* "xfer-in" … */

#endif
