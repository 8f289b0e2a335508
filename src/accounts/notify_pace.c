/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots by peer. The number of slots doubles with replies up to SLOTS_MAX, and halves with each
 * message that is lost, down to SLOTS_MIN; so one reply after a silence opens the way again.
 *
 * Invariants: held <= slots, except just after slots fell; nobody is in line while a slot is free.
 */
#include "accounts/notify_pace.h"

#include "base/hash.h"
#include "base/memory.h"

enum { SLOTS_FIRST = 64, SLOTS_MIN = 4, SLOTS_MAX = 256, BUCKETS = 256 };

struct notify_peer {
    struct notify_peer *next; /* in its bucket */
    struct address address;
    unsigned slots, held;
    size_t users;                     /* slots attached; the last one frees the peer */
    struct notify_slot *first, *last; /* in line */
};

struct notify_pace {
    void (*wake)(void *owner);
    struct notify_peer *peers[BUCKETS];
};

struct notify_pace *notify_pace_new(void (*wake)(void *owner))
{
    struct notify_pace *pace = memory_new_zeroed(1, sizeof(*pace));
    pace->wake = wake;
    return pace;
}

void notify_pace_free(struct notify_pace *pace)
{
    for (unsigned i = 0; pace != NULL && i < BUCKETS; i++) {
        REQUIRE(pace->peers[i] == NULL);
    }
    memory_free(pace);
}

static struct notify_peer **bucket_of(struct notify_pace *pace, const struct address *address)
{
    uint64_t hash = hash_bytes(13, address->bytes, sizeof(address->bytes));
    return &pace->peers[hash % BUCKETS];
}

void notify_slot_attach(struct notify_pace *pace, struct notify_slot *slot,
                        const struct address *address, void *owner)
{
    struct notify_peer **bucket = bucket_of(pace, address);
    struct notify_peer *peer = *bucket;
    while (peer != NULL && !address_equal(&peer->address, address)) {
        peer = peer->next;
    }
    if (peer == NULL) {
        peer = memory_new_zeroed(1, sizeof(*peer));
        peer->address = *address;
        peer->slots = SLOTS_FIRST;
        peer->next = *bucket;
        *bucket = peer;
    }
    peer->users++;
    *slot = (struct notify_slot){.peer = peer, .owner = owner};
}

static void leave_line(struct notify_slot *slot)
{
    struct notify_peer *peer = slot->peer;
    *(slot->previous != NULL ? &slot->previous->next : &peer->first) = slot->next;
    *(slot->next != NULL ? &slot->next->previous : &peer->last) = slot->previous;
    slot->next = slot->previous = NULL;
    slot->is_queued = false;
}

static void hold(struct notify_slot *slot)
{
    slot->is_held = true;
    slot->peer->held++;
}

static void serve_line(struct notify_pace *pace, struct notify_peer *peer)
{
    while (peer->first != NULL && peer->held < peer->slots) {
        struct notify_slot *slot = peer->first;
        leave_line(slot);
        hold(slot);
        pace->wake(slot->owner);
    }
}

void notify_slot_detach(struct notify_pace *pace, struct notify_slot *slot)
{
    struct notify_peer *peer = slot->peer;
    if (slot->is_queued) {
        leave_line(slot);
    }
    notify_slot_release(pace, slot);
    slot->peer = NULL;
    if (--peer->users == 0) {
        struct notify_peer **at = bucket_of(pace, &peer->address);
        while (*at != peer) {
            at = &(*at)->next;
        }
        *at = peer->next;
        memory_free(peer);
    }
}

bool notify_slot_take(struct notify_slot *slot)
{
    struct notify_peer *peer = slot->peer;
    if (slot->is_held || slot->is_queued) {
        return slot->is_held;
    }
    if (peer->held < peer->slots) {
        hold(slot);
        return true;
    }
    slot->is_queued = true;
    slot->previous = peer->last;
    *(peer->last != NULL ? &peer->last->next : &peer->first) = slot;
    peer->last = slot;
    return false;
}

void notify_slot_release(struct notify_pace *pace, struct notify_slot *slot)
{
    if (slot->is_held) {
        slot->is_held = false;
        slot->peer->held--;
        serve_line(pace, slot->peer);
    }
}

void notify_slot_answered(struct notify_pace *pace, struct notify_slot *slot)
{
    struct notify_peer *peer = slot->peer;
    if (peer->slots < SLOTS_MAX) {
        peer->slots = peer->slots * 2 > SLOTS_MAX ? SLOTS_MAX : peer->slots * 2;
        serve_line(pace, peer);
    }
}

void notify_slot_lost(struct notify_slot *slot)
{
    struct notify_peer *peer = slot->peer;
    peer->slots = peer->slots / 2 < SLOTS_MIN ? SLOTS_MIN : peer->slots / 2;
}
