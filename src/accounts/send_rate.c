/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bucket is kept as one moment: when it will be full again. Each turn moves it by the time one
 * turn takes to come back; a turn is left while the moment is less than the burst ahead. No tick,
 * nothing to lose by rounding, and no state that a change of the rate makes wrong.
 */
#include "accounts/send_rate.h"

enum { NS_PER_SECOND = 1000000000, BURST_NS = NS_PER_SECOND / 10 };

bool send_rate_take(struct send_rate *rate, uint32_t per_second, struct instant now,
                    struct instant *out_next)
{
    int64_t turn_ns = NS_PER_SECOND / (int64_t)per_second;
    int64_t burst_ns = turn_ns > BURST_NS ? turn_ns : BURST_NS;
    struct instant full_at = instant_before(rate->full_at, now) ? now : rate->full_at;
    int64_t ahead_ns = full_at.ns - now.ns + turn_ns;
    if (ahead_ns > burst_ns) {
        *out_next = (struct instant){now.ns + ahead_ns - burst_ns};
        return false;
    }
    rate->full_at = (struct instant){full_at.ns + turn_ns};
    return true;
}
