/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A version: one zone at one serial, immutable, shared by counted references.
 *
 * Two indexes lead to the same owners (docs/formats.md tells the layout): a hash index for
 * answering, and an ordered one for everything that goes through the zone in canonical order. Both
 * are persistent: delta_apply() copies only the paths to what changed and shares the rest. What a
 * step retired is freed when no version before that step is alive.
 *
 * Readers need no lock; hold a reference, or stay inside a read section (zone_set.h).
 */
#ifndef ZONE_VERSION_H
#define ZONE_VERSION_H

#include "base/error.h"
#include "wire/name_hashes.h"
#include "wire/record.h"
#include "zone/owner.h"

struct zone_version;

/* Counted, any thread. unref accepts NULL; the last one frees, O(what only this version held). */
struct zone_version *zone_version_ref(struct zone_version *version);
void zone_version_unref(struct zone_version *version);

const uint8_t *zone_version_name(const struct zone_version *version); /* the apex, borrowed */
uint16_t zone_version_class(const struct zone_version *version);
struct serial zone_version_serial(const struct zone_version *version);
struct soa zone_version_soa(const struct zone_version *version); /* borrowed from the version */
const struct owner *zone_version_apex(const struct zone_version *version);
uint64_t zone_version_record_count(const struct zone_version *version);
uint64_t zone_version_owner_count(const struct zone_version *version); /* empty non-terminals too */
/* Bytes that the version reaches, shared ones counted in full. */
uint64_t zone_version_bytes(const struct zone_version *version);
bool zone_version_is_signed(const struct zone_version *version); /* DNSKEY at the apex */
bool zone_version_has_nsec3(const struct zone_version *version);
/* NSEC or NSEC3 records, or a promise of NSEC3: negative answers have something to prove. */
bool zone_version_has_denial(const struct zone_version *version);

/* The owner of exactly this name, or NULL. Also owners below cuts (glue) and NSEC3-only owners. */
const struct owner *zone_version_find(const struct zone_version *version, const uint8_t *name);
/* The same for a name at or below that of `ancestor`, an owner of the version; `name` is exactly its
 * octets. Only the labels below it are hashed. */
const struct owner *zone_version_find_below(const struct zone_version *version,
                                            const struct owner *ancestor, struct slice name);
/* The same for the names in `names`, which are one label below `ancestor` each (RRSET_NAMES_BELOW),
 * memory fetched ahead: owners[] gets as many. */
enum { ZONE_NEAR_MAX = 13 };
void zone_version_find_near(const struct zone_version *version, const struct owner *ancestor,
                            const struct rrset *names, const struct owner *owners[ZONE_NEAR_MAX]);

/*
 * What a question meets, in one pass from the apex towards the name. `name` is in the zone.
 * cut      the highest delegation at or above the name (below the apex); everything below is not
 *          ours. NULL: none.
 * dname    the DNAME owner strictly above the name, when there is no cut above it. NULL: none.
 * match    the owner itself, where it exists and no cut or DNAME stands strictly above it
 *          (a name that is itself a cut is both match and cut).
 * encloser the closest encloser: deepest existing ancestor or the name itself (RFC 4592 3.3.1).
 * wildcard the owner *.encloser, only looked for where match is NULL and no cut and no DNAME.
 * NSEC3-only owners count as absent.
 */
struct zone_lookup {
    const struct owner *match;
    const struct owner *encloser;
    const struct owner *cut;
    const struct owner *dname;
    const struct owner *wildcard;
};

/* Any thread. O(labels) hash probes. */
void zone_version_lookup(const struct zone_version *version, const uint8_t *name,
                         struct zone_lookup *out);

/* `count` lookups at once, memory fetched ahead, but for the versions themselves: about 50 ns each in
 * a zone of a million names. */
struct zone_lookup_item {
    const struct zone_version *version; /* NULL: skipped */
    struct name_hashes *hashes;         /* under zone_hash_key(); more are filled in */
    struct zone_lookup result;
};
void zone_version_lookup_batch(struct zone_lookup_item *items, size_t count);

/*
 * Owners in canonical order (RFC 4034 6.1), empty non-terminals included. The cursor is the
 * caller's and borrows the version. O(1) amortized a step.
 */
struct zone_cursor_step {
    const void *node;
    unsigned at;
};
struct zone_cursor {
    const struct zone_version *version;
    const struct owner *owner; /* where it stands; NULL: past the end */
    struct zone_cursor_step path[2][12];
    uint8_t depth[2];
    uint8_t side;
};
void zone_cursor_first(struct zone_cursor *cursor, const struct zone_version *version);
/* At the first owner that is `name` or after it. O(log n). */
void zone_cursor_seek(struct zone_cursor *cursor, const struct zone_version *version,
                      const uint8_t *name);
void zone_cursor_next(struct zone_cursor *cursor);

/* The last owner with an NSEC RRset that is `name` (exactly its octets, in the zone) or before it;
 * wraps to the last of the zone. NULL: the zone has no NSEC. */
const struct owner *zone_version_nsec_before(const struct zone_version *version, struct slice name);
/* The last NSEC3-only owner whose hash label (`hash`, 20 octets or whatever the chain uses, raw) is
 * equal or before; wraps to the last of the zone. NULL: no NSEC3. */
enum nsec3_place { NSEC3_EQUAL, NSEC3_BEFORE, NSEC3_WRAPPED };
const struct owner *zone_version_nsec3_before(const struct zone_version *version, struct slice hash,
                                              enum nsec3_place *out_place);

/* `count` of these two searches at once, memory fetched ahead, also that of what is found. */
struct zone_predecessor_item {
    const struct zone_version *version;
    struct slice name; /* or the hash */
    bool is_hash;      /* NSEC3 */
    enum nsec3_place place;
    const struct owner *owner;
};
void zone_version_predecessors(struct zone_predecessor_item *items, size_t count);

#endif
