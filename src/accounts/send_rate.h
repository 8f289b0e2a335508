/* SPDX-License-Identifier: BSD-3-Clause */
/* So many a second and no more: a bucket of turns that fills by the clock. A value; one thread. */
#ifndef ACCOUNTS_SEND_RATE_H
#define ACCOUNTS_SEND_RATE_H

#include <stdint.h>

#include "base/clock.h"

struct send_rate {
    struct instant full_at; /* when all turns are back; all zero: they are */
};

/*
 * Takes a turn where one is left. per_second is at least 1 and may differ between calls; a tenth of
 * it, at least one turn, may go at once.
 * out_next  where false: when the next turn comes.
 */
bool send_rate_take(struct send_rate *rate, uint32_t per_second, struct instant now,
                    struct instant *out_next);

#endif
