/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zones and the table that leads from a question to one of them.
 *
 * A struct zone is a name with an atomic pointer to its current version; publishing a version is
 * one store. A zone_set is an immutable, persistent table of zones; adding or removing one makes a
 * new set in O(log n) that shares the rest. Readers are RCU readers (base/rcu.h): between
 * rcu_read_begin/end, or between two quiescent states of a registered thread, what they loaded stays.
 */
#ifndef ZONE_ZONE_SET_H
#define ZONE_ZONE_SET_H

#include <stdatomic.h>

#include "base/error.h"
#include "wire/name_hashes.h"
#include "zone/fingerprint.h"
#include "zone/version.h"

enum zone_state {
    ZONE_EMPTY, /* nothing loaded or transferred yet: SERVFAIL */
    ZONE_SERVING,
    ZONE_EXPIRED, /* a secondary without contact for too long: SERVFAIL */
};

/* Of versions with so few records the fingerprint is computed when somebody asks, and not kept:
 * most of many small zones never change, and are asked about once an hour. */
enum { ZONE_FINGERPRINT_ON_ASKING = 64 };

/* The digest of all records of the version with this serial. Never changes. */
struct zone_fingerprint {
    struct serial serial;
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
};

struct zone {
    _Atomic(struct zone_version *) current; /* NULL while ZONE_EMPTY; owns one reference */
    _Atomic(uint8_t) state;                 /* enum zone_state */
    uint16_t class;
    uint8_t flags; /* ZONE_… below, set before it is published */
    uint8_t name_size;
    uint64_t hash;                  /* name_hash of the name under the process key */
    void *context;                  /* the server's own, borrowed */
    _Atomic(void *) query_counts;   /* likewise; NULL: its questions are not counted apart */
    _Atomic(uint64_t) expires_at_s; /* wall clock; 0: does not expire (EDNS EXPIRE) */
    _Atomic(struct zone_fingerprint *) fingerprint; /* RCU; NULL: not known (yet) */
    _Atomic(uint32_t) references;
    uint8_t name[]; /* wire form, as configured */
};

enum { ZONE_SECONDARY = 1 };

struct zone *zone_new(const uint8_t *name, uint16_t class, uint8_t flags);
struct zone *zone_ref(struct zone *zone);
void zone_unref(struct zone *zone);
/* Makes `version` (takes one reference) the current one and the zone ZONE_SERVING; NULL:
 * ZONE_EMPTY. Its fingerprint is not known then. The old one's reference is dropped after all
 * readers have moved on. One thread at a time per zone; never blocks. */
void zone_publish(struct zone *zone, struct zone_version *version);
/* Shows what is known of a version; `fingerprint` is copied, NULL: nothing. Readers see it while
 * the current version has its serial. Any thread; never blocks. */
void zone_publish_fingerprint(struct zone *zone, const struct zone_fingerprint *fingerprint);
/* That of a version with `serial`, or NULL. Inside a read section, for as long as that lasts. */
const struct zone_fingerprint *zone_find_fingerprint(const struct zone *zone, struct serial serial);
/* That of `version`, which is or was current, known or computed: some microseconds, no lock, no
 * memory. Inside a read section. False: neither known nor of few records. */
bool zone_fingerprint_of(const struct zone *zone, const struct zone_version *version,
                         struct zone_fingerprint *out);
/* The same of the current version, for anybody. False also where there is none. */
bool zone_get_fingerprint(struct zone *zone, struct zone_fingerprint *out);
/* For what lasts longer than a read section: the current version with a reference, or NULL. */
struct zone_version *zone_acquire(struct zone *zone);

/* Where readers share a set: publish the new one, then rcu_defer() the unref of the old. Unref frees
 * at once. */
struct zone_set;
struct zone_set *zone_set_new(void); /* empty */
struct zone_set *zone_set_ref(struct zone_set *set);
void zone_set_unref(struct zone_set *set);
/* A new set with `zone` (shared: a reference of its own), or without. O(log n). ERR via NULL: exists/absent. */
struct zone_set *zone_set_with(const struct zone_set *set, struct zone *zone);
struct zone_set *zone_set_without(const struct zone_set *set, const uint8_t *name, uint16_t class);
/* In place while nobody else sees the set: how the first set of many zones is filled. False: exists. */
bool zone_set_insert(struct zone_set *set, struct zone *zone);
size_t zone_set_count(const struct zone_set *set);
/* The zone of exactly this name. */
struct zone *zone_set_get(const struct zone_set *set, const uint8_t *name, uint16_t class);
/* The deepest zone that `name` is in, or NULL. O(labels). */
struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name, uint16_t class);
/* As zone_set_find for `count` names, memory fetched ahead where there are many zones. */
struct zone_find_item {
    struct name_hashes *hashes; /* under zone_hash_key(); more are filled in */
    uint8_t labels;             /* of the name that count: the last ones */
    struct zone *result;
};
void zone_set_find_batch(const struct zone_set *set, uint16_t class, struct zone_find_item *items,
                         size_t count);
/* Each zone, in no order. `visit` returns false to stop. */
void zone_set_each(const struct zone_set *set, bool (*visit)(void *context, struct zone *zone),
                   void *context);

/* The key of all name hashes of this process, drawn at first use. */
uint64_t zone_hash_key(void);

#endif
