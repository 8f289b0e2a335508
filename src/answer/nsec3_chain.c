/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding the NSEC3 record of a name: the one that matches its hash, or else covers it.
 *
 * The version keeps owners that are nothing but NSEC3 in hash order (zone_version_nsec3_before), so
 * in a zone with one chain that is one search, and the record found has to be looked at only to
 * tell whether it reaches past the hash: its next hashed owner is greater.
 *
 * Where a zone has several chains their records stand mixed in hash order, and the record before a
 * hash may be of another chain: then the search goes on from just before that record, a bounded
 * number of times. At equal sizes every second record is of the right chain.
 *
 * An owner that has NSEC3 and other data as well, as in the example of RFC 5155, does not stand
 * among the NSEC3 owners of the version. The record before it tells: it does not reach as far as
 * the hash, and its next hashed owner is the name of the missing one.
 */
#include "answer/answer_impl.h"

#include "base/encode.h"

enum { OTHER_CHAIN_STEPS = 64, MIXED_OWNER_STEPS = 16 };

/* A record of our chain. */
struct link {
    struct proof proof;
    struct slice next; /* hashed owner */
};

/* Takes `owner` where it has a record of our chain. */
static bool take(const struct nsec3_params *params, const struct owner *owner, struct link *out)
{
    size_t offset = 0;
    struct proof proof;
    struct slice rdata;
    if (owner == NULL || !proof_take(&proof, owner, TYPE_NSEC3)) {
        return false;
    }
    while (rrset_next_rdata(&proof.rrset, &offset, &rdata)) {
        struct nsec3_params own = nsec3_params_read(rdata);
        if (nsec3_params_equal(&own, params)) {
            *out = (struct link){.proof = proof, .next = nsec3_next(rdata)};
            return true;
        }
    }
    return false;
}

static bool hash_of_owner(const struct owner *owner, uint8_t out[NSEC3_HASH_SIZE])
{
    const uint8_t *label = owner_name(owner);
    size_t size = 0;
    return base32hex_decode((const char *)label + 1, *label, out, NSEC3_HASH_SIZE, &size) &&
           size == NSEC3_HASH_SIZE;
}

/* One less, as a number; wraps. */
static void decrement(uint8_t hash[NSEC3_HASH_SIZE])
{
    for (unsigned i = NSEC3_HASH_SIZE; i-- != 0;) {
        if (hash[i]-- != 0) {
            return;
        }
    }
}

/* Whether `hash` lies strictly between the owner's hash and the next, round the end included. */
static bool covers(const struct link *found, const uint8_t hash[NSEC3_HASH_SIZE])
{
    uint8_t own[NSEC3_HASH_SIZE];
    struct slice next = found->next;
    if (next.size != NSEC3_HASH_SIZE || !hash_of_owner(found->proof.owner, own)) {
        return true; /* nothing to go on by: the order of names decides */
    }
    bool after = memcmp(own, hash, NSEC3_HASH_SIZE) < 0;
    bool before = memcmp(hash, next.data, NSEC3_HASH_SIZE) < 0;
    return memcmp(own, next.data, NSEC3_HASH_SIZE) < 0 ? after && before : after || before;
}

/* Along the chain from `found`, which neither matches nor covers `hash`: the record at its next
 * hashed owner. False: there is none of our chain. */
static bool step_forward(const struct zone_version *version, const struct nsec3_params *params,
                         struct link *found)
{
    uint8_t name[NAME_MAX_SIZE];
    const struct owner *apex = zone_version_apex(version);
    size_t label = base32hex_text_size(found->next.size);
    if (label > LABEL_MAX_SIZE || 1 + label + apex->name_size > NAME_MAX_SIZE) {
        return false;
    }
    name[0] = (uint8_t)base32hex_encode(found->next, (char *)name + 1);
    memcpy(name + 1 + label, owner_name(apex), apex->name_size);
    return take(params, zone_version_find(version, name), found);
}

/* The last of our chain at or before `hash`; false: none was found. */
static bool find_before(const struct zone_version *version, const struct nsec3_params *params,
                        const uint8_t hash[NSEC3_HASH_SIZE], struct link *out)
{
    uint8_t near[NSEC3_HASH_SIZE];
    memcpy(near, hash, sizeof(near));
    for (unsigned step = 0; step < OTHER_CHAIN_STEPS; step++) {
        enum nsec3_place place;
        const struct owner *owner =
            zone_version_nsec3_before(version, slice_of(near, sizeof(near)), &place);
        if (owner == NULL) {
            return false;
        }
        if (take(params, owner, out)) {
            return true;
        }
        if (!hash_of_owner(owner, near)) {
            return false;
        }
        decrement(near);
    }
    return false;
}

static COLD void find_at_length(const struct zone_version *version,
                                const struct nsec3_params *params,
                                const uint8_t hash[NSEC3_HASH_SIZE], struct nsec3_found *out)
{
    struct link found;
    if (!find_before(version, params, hash, &found)) {
        return;
    }
    for (unsigned step = 0; step < MIXED_OWNER_STEPS && !out->matches && !covers(&found, hash);
         step++) {
        struct slice next = found.next;
        if (!step_forward(version, params, &found)) {
            break;
        }
        out->matches = slice_equal(next, slice_of(hash, NSEC3_HASH_SIZE));
    }
    out->proof = found.proof;
}

HOT void nsec3_find_at(const struct zone_version *version, const struct nsec3_params *params,
                       const uint8_t hash[NSEC3_HASH_SIZE], const struct owner *owner,
                       enum nsec3_place place, struct nsec3_found *out)
{
    struct link found;
    out->proof.owner = NULL;
    out->matches = false;
    if (LIKELY(take(params, owner, &found))) {
        out->matches = place == NSEC3_EQUAL;
        if (LIKELY(out->matches || (place == NSEC3_BEFORE && found.next.size == NSEC3_HASH_SIZE &&
                                    memcmp(hash, found.next.data, NSEC3_HASH_SIZE) < 0))) {
            out->proof = found.proof;
            return;
        }
    }
    find_at_length(version, params, hash, out);
}

void nsec3_find(const struct zone_version *version, const struct nsec3_params *params,
                const uint8_t *name, struct nsec3_found *out)
{
    uint8_t hash[NSEC3_HASH_SIZE];
    enum nsec3_place place;
    nsec3_hash(params, name, hash);
    const struct owner *owner =
        zone_version_nsec3_before(version, slice_of(hash, sizeof(hash)), &place);
    nsec3_find_at(version, params, hash, owner, place, out);
}
