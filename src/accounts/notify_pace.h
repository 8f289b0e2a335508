/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many NOTIFY messages are on the way to one address at a time, over all zones. A target that
 * has a message to send takes a slot; where none is free it waits in line. A peer that answers gets
 * more slots, one that does not gets few: a dead peer of a hundred thousand zones costs a handful
 * of packets a second, and no burst of connections. All in the sync thread.
 */
#ifndef ACCOUNTS_NOTIFY_PACE_H
#define ACCOUNTS_NOTIFY_PACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

struct notify_peer;

/* In each target. */
struct notify_slot {
    struct notify_peer *peer;
    struct notify_slot *next, *previous; /* while it waits in line */
    void *owner;
    bool is_held;
    bool is_queued;
};

struct notify_pace;
/* wake: the slot is held now, its owner's turn has come; called from the functions below. */
struct notify_pace *notify_pace_new(void (*wake)(void *owner));
/* Every slot was detached before. NULL is fine. */
void notify_pace_free(struct notify_pace *pace);

void notify_slot_attach(struct notify_pace *pace, struct notify_slot *slot,
                        const struct address *peer, void *owner);
/* Gives up what it holds and its place in line. O(1). */
void notify_slot_detach(struct notify_pace *pace, struct notify_slot *slot);
/* True: held, also if it was before. False: in line. */
bool notify_slot_take(struct notify_slot *slot);
void notify_slot_release(struct notify_pace *pace, struct notify_slot *slot);
/* The peer replied to a message, whatever it said; or a message had no reply in its time. */
void notify_slot_answered(struct notify_pace *pace, struct notify_slot *slot);
void notify_slot_lost(struct notify_slot *slot);

#endif
