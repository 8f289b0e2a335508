/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash table with chains, under a lock of its own: taken when a connection or a transfer begins
 * or ends, never on the way of a question. It doubles as networks come and keeps its size after.
 * The hash is keyed, so that nobody can choose addresses that share a chain.
 */
#include "accounts/prefix_count.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/memory.h"

enum { FIRST_BUCKETS = 64 };

struct entry {
    struct entry *next;
    struct prefix network;
    uint32_t count;
};

struct prefix_count {
    pthread_mutex_t lock;
    uint64_t key;
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entry_count;
};

struct prefix_count *prefix_count_new(void)
{
    struct prefix_count *counts = memory_new_zeroed(1, sizeof(*counts));
    pthread_mutex_init(&counts->lock, NULL);
    counts->key = random_u64();
    counts->bucket_count = FIRST_BUCKETS;
    counts->buckets = memory_new_zeroed(FIRST_BUCKETS, sizeof(struct entry *));
    return counts;
}

void prefix_count_free(struct prefix_count *counts)
{
    if (counts == NULL) {
        return;
    }
    for (size_t i = 0; i < counts->bucket_count; i++) {
        while (counts->buckets[i] != NULL) {
            struct entry *entry = counts->buckets[i];
            counts->buckets[i] = entry->next;
            memory_free(entry);
        }
    }
    memory_free(counts->buckets);
    pthread_mutex_destroy(&counts->lock);
    memory_free(counts);
}

struct prefix prefix_of(const struct address *address, unsigned bits4, unsigned bits6)
{
    unsigned bits = address->family == 4 ? bits4 : bits6;
    struct prefix network = {.address = {.family = address->family}, .bits = (uint8_t)bits};
    memcpy(network.address.bytes, address->bytes, bits / 8);
    if (bits % 8 != 0) {
        network.address.bytes[bits / 8] =
            (uint8_t)(address->bytes[bits / 8] & (0xff00u >> (bits % 8)));
    }
    return network;
}

/* Where the network's entry hangs, or would. */
static struct entry **place_of(struct prefix_count *counts, const struct prefix *network)
{
    uint64_t hash = hash_bytes(counts->key + network->bits, network->address.bytes,
                               sizeof(network->address.bytes));
    struct entry **at = &counts->buckets[hash & (counts->bucket_count - 1)];
    while (*at != NULL && !prefix_equal(&(*at)->network, network)) {
        at = &(*at)->next;
    }
    return at;
}

static void grow(struct prefix_count *counts)
{
    struct entry **old = counts->buckets;
    size_t old_count = counts->bucket_count;
    counts->bucket_count *= 2;
    counts->buckets = memory_new_zeroed(counts->bucket_count, sizeof(struct entry *));
    for (size_t i = 0; i < old_count; i++) {
        for (struct entry *entry = old[i]; entry != NULL;) {
            struct entry *next = entry->next;
            entry->next = NULL;
            *place_of(counts, &entry->network) = entry;
            entry = next;
        }
    }
    memory_free(old);
}

bool prefix_count_take(struct prefix_count *counts, const struct prefix *network, uint32_t limit)
{
    pthread_mutex_lock(&counts->lock);
    struct entry **at = place_of(counts, network);
    bool taken = limit != 0 && (*at == NULL || (*at)->count < limit);
    if (taken && *at == NULL) {
        struct entry *entry = memory_new(sizeof(*entry));
        *entry = (struct entry){.network = *network, .count = 1};
        *at = entry;
        if (++counts->entry_count > counts->bucket_count) {
            grow(counts);
        }
    } else if (taken) {
        (*at)->count++;
    }
    pthread_mutex_unlock(&counts->lock);
    return taken;
}

void prefix_count_release(struct prefix_count *counts, const struct prefix *network)
{
    pthread_mutex_lock(&counts->lock);
    struct entry **at = place_of(counts, network);
    struct entry *entry = *at;
    REQUIRE(entry != NULL && entry->count > 0);
    if (--entry->count == 0) {
        *at = entry->next;
        memory_free(entry);
        counts->entry_count--;
    }
    pthread_mutex_unlock(&counts->lock);
}

uint32_t prefix_count_most(struct prefix_count *counts, struct prefix *out_network)
{
    uint32_t most = 0;
    pthread_mutex_lock(&counts->lock);
    for (size_t i = 0; i < counts->bucket_count; i++) {
        for (const struct entry *entry = counts->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->count > most) {
                most = entry->count;
                *out_network = entry->network;
            }
        }
    }
    pthread_mutex_unlock(&counts->lock);
    return most;
}
