/* SPDX-License-Identifier: BSD-3-Clause */
/* The only place that asks the system for the time. */
#include "base/clock.h"

#include <time.h>

struct instant clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct instant){(int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec};
}

int64_t clock_wall_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec;
}
