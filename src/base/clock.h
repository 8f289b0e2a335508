/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time as a value. Machines take `struct instant now` as an argument and never ask the system, so a
 * test runs a month in a second. Timers live on the monotonic clock; the wall clock serves logs,
 * TSIG, and what is written to disk.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>

#include "base/attr.h"

/* Monotonic, nanoseconds since an arbitrary start. INSTANT_NEVER is later than any other. */
struct instant {
    int64_t ns;
};

#define INSTANT_NEVER ((struct instant){INT64_MAX})

static inline bool instant_before(struct instant a, struct instant b)
{
    return a.ns < b.ns;
}

static inline struct instant instant_min(struct instant a, struct instant b)
{
    return a.ns < b.ns ? a : b;
}

/* Saturates at INSTANT_NEVER. `ms` may be negative. */
static inline struct instant instant_add_ms(struct instant t, int64_t ms)
{
    int64_t ns;
    if (t.ns == INT64_MAX || __builtin_mul_overflow(ms, 1000000, &ns) ||
        __builtin_add_overflow(t.ns, ns, &ns)) {
        return INSTANT_NEVER;
    }
    return (struct instant){ns};
}

/* Milliseconds from `from` to `to`, rounded up, 0 where `to` is past; INT64_MAX for never. */
static inline int64_t instant_ms_until(struct instant from, struct instant to)
{
    if (to.ns == INT64_MAX) {
        return INT64_MAX;
    }
    return to.ns <= from.ns ? 0 : (to.ns - from.ns + 999999) / 1000000;
}

/* CLOCK_MONOTONIC; no system call on Linux. */
struct instant clock_now(void);
/* CLOCK_REALTIME in whole seconds since 1970. */
int64_t clock_wall_s(void);

#endif
