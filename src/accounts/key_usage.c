/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash table that only grows: entries are put into empty places by compare-and-swap and stay
 * until the server ends, so a reader needs nothing but an acquire load, and an answer thread that
 * notes a signed query never waits. It has as many places as there is room, looked for from the
 * hash on; keys are configured and peers hold them, so nobody can fill it who has no key.
 */
#include "accounts/key_usage.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum { PROBES = 32 };

struct entry {
    struct key_use use; /* but for last_s and count */
    _Atomic int64_t last_s;
    _Atomic uint64_t count;
};

struct key_usage {
    unsigned place_count;
    _Atomic uint64_t overflow;
    _Atomic(struct entry *) places[];
};

const char *key_purpose_word(enum key_purpose purpose)
{
    static const char *const words[KEY_PURPOSES] = {
        "query", "transfer-out", "notify-in", "update", "refresh", "transfer-in", "notify-out"};
    return words[purpose];
}

struct key_usage *key_usage_new(unsigned count)
{
    struct key_usage *usage =
        memory_new_zeroed(1, sizeof(*usage) + count * sizeof(usage->places[0]));
    usage->place_count = count;
    return usage;
}

void key_usage_free(struct key_usage *usage)
{
    for (unsigned i = 0; usage != NULL && i < usage->place_count; i++) {
        memory_free(atomic_load(&usage->places[i]));
    }
    memory_free(usage);
}

static uint64_t hash_of(const struct key_use *use)
{
    uint64_t hash = hash_bytes(3 + (uint64_t)use->purpose, use->key.wire, use->key.size);
    char text[ADDRESS_TEXT_SIZE];
    address_format(&use->peer, false, text);
    return hash_bytes(hash, text, strlen(text));
}

static bool is_same(const struct key_use *a, const struct key_use *b)
{
    return a->purpose == b->purpose && address_same_host(&a->peer, &b->peer) &&
           name_equal(a->key.wire, b->key.wire);
}

static void count_use(struct entry *entry, int64_t now_s)
{
    atomic_store_explicit(&entry->last_s, now_s, memory_order_relaxed);
    atomic_fetch_add_explicit(&entry->count, 1, memory_order_relaxed);
}

/* NULL: the place is taken by another one, which is in *seen. */
static struct entry *put(_Atomic(struct entry *) *place, const struct key_use *use,
                         struct entry **seen)
{
    struct entry *fresh = memory_new_zeroed(1, sizeof(*fresh));
    fresh->use = *use;
    *seen = NULL;
    if (atomic_compare_exchange_strong_explicit(place, seen, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return fresh;
    }
    memory_free(fresh);
    return NULL;
}

void key_usage_note(struct key_usage *usage, const uint8_t *name, const struct address *peer,
                    enum key_purpose purpose, int64_t now_s)
{
    if (usage == NULL || name == NULL) {
        return;
    }
    struct key_use use = {.peer = *peer, .purpose = purpose, .first_s = now_s};
    use.peer.port = 0;
    name_copy(&use.key, name);
    name_lower(use.key.wire);
    uint64_t hash = hash_of(&use);
    for (unsigned i = 0; i < PROBES && i < usage->place_count; i++) {
        _Atomic(struct entry *) *place = &usage->places[(hash + i) % usage->place_count];
        struct entry *entry = atomic_load_explicit(place, memory_order_acquire);
        struct entry *made = entry == NULL ? put(place, &use, &entry) : NULL;
        if (made != NULL || is_same(&entry->use, &use)) {
            count_use(made != NULL ? made : entry, now_s);
            return;
        }
    }
    atomic_fetch_add_explicit(&usage->overflow, 1, memory_order_relaxed);
}

void key_usage_each(struct key_usage *usage,
                    void (*visit)(void *context, const struct key_use *use), void *context)
{
    for (unsigned i = 0; i < usage->place_count; i++) {
        struct entry *entry = atomic_load_explicit(&usage->places[i], memory_order_acquire);
        if (entry != NULL) {
            struct key_use use = entry->use;
            use.last_s = atomic_load_explicit(&entry->last_s, memory_order_relaxed);
            use.count = atomic_load_explicit(&entry->count, memory_order_relaxed);
            visit(context, &use);
        }
    }
}

uint64_t key_usage_overflow(const struct key_usage *usage)
{
    return atomic_load_explicit(&usage->overflow, memory_order_relaxed);
}
