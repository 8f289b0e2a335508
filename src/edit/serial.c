/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serials (RFC 1982, RFC 2136 3.6). A method only proposes; what it proposes is taken where it is
 * ahead of the present serial, else the present one plus one. So a clock that jumps back or a zone
 * that was ahead of its date never sends a serial back. 0 is skipped: some software takes it for
 * "none".
 */
#include "edit/serial.h"

#include <time.h>

enum { LONGEST_STEP = 0x7fffffff };

static struct serial increment(struct serial current)
{
    uint32_t next = current.value + 1;
    return (struct serial){next == 0 ? 1 : next};
}

static uint32_t date_serial(int64_t now_s)
{
    struct tm date;
    time_t seconds = (time_t)now_s;
    if (gmtime_r(&seconds, &date) == NULL || date.tm_year < 0 || date.tm_year + 1900 > 4293) {
        return 0;
    }
    return (uint32_t)(date.tm_year + 1900) * 1000000u + (uint32_t)(date.tm_mon + 1) * 10000u +
           (uint32_t)date.tm_mday * 100u;
}

struct serial serial_next(struct serial current, enum serial_method method, int64_t now_s)
{
    struct serial proposed = {0};
    switch (method) {
    case SERIAL_INCREMENT:
        break;
    case SERIAL_UNIXTIME:
        proposed.value = now_s > 0 ? (uint32_t)now_s : 0;
        break;
    case SERIAL_DATE:
        proposed.value = date_serial(now_s);
        break;
    }
    return proposed.value != 0 && serial_before(current, proposed) ? proposed : increment(current);
}

unsigned serial_path(struct serial from, struct serial to, struct serial out[SERIAL_MAX_STEPS])
{
    unsigned count = 0;
    while (!serial_equal(from, to)) {
        if (!serial_before(from, to)) {
            struct serial far = {from.value + LONGEST_STEP};
            /* At the distance of 2^31 exactly nothing is defined: the step ends one short of it. */
            from = far;
        } else {
            from = to;
        }
        out[count++] = from;
    }
    return count;
}
