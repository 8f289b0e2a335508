/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signed UPDATE and NOTIFY messages that were seen already. Within the fudge of its time a copy of a
 * signed message verifies as well as the message; here it is told from it by its MAC, answered, and
 * not acted upon again (RFC 8945 10.1). Any thread.
 */
#ifndef ACCOUNTS_REPLAY_H
#define ACCOUNTS_REPLAY_H

#include <stdbool.h>

#include "base/slice.h"

struct replay;

/* Room for `count` messages; beyond, the one that is valid for the shortest time makes room. */
struct replay *replay_new(unsigned count);
void replay_free(struct replay *replay); /* NULL is fine */

enum replay_verdict {
    REPLAY_NEW,     /* not seen; it is known from now on, as pending */
    REPLAY_PENDING, /* seen, and not answered yet */
    REPLAY_DONE,    /* seen, and answered with *out_rcode */
};

/*
 * mac      of the request, which was verified; borrowed.
 * valid_s  until when a copy of it would verify: its time and its fudge.
 */
enum replay_verdict replay_begin(struct replay *replay, struct slice mac, int64_t valid_s,
                                 int64_t now_s, unsigned *out_rcode);
/* It was answered. `acted` false: nothing was changed by it, so a copy may be tried again. */
void replay_end(struct replay *replay, struct slice mac, unsigned rcode, bool acted);

#endif
