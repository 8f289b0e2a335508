/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proofs with hashed names (RFC 5155 7.2).
 *
 *   closest encloser proof   the NSEC3 that matches the encloser, and the one that covers the next
 *                            closer name (the encloser with one more label of the name asked for)
 *   name error               that, and the NSEC3 that covers *.encloser
 *   no such type             the NSEC3 that matches the name; where there is none (opt-out: DS of an
 *                            unsigned delegation, or an empty non-terminal above only such), the
 *                            closest encloser proof
 *   wildcard no data         closest encloser proof, and the NSEC3 that matches the wildcard
 *   wildcard answer          the NSEC3 that covers the next closer name
 *
 * With opt-out the closest encloser of the tree may have no NSEC3 of its own; the proof is then for
 * the closest *provable* one, found by going up until a hash matches. The apex always has one.
 *
 * Where a zone has several chains their records stand mixed in hash order, and the record before a
 * hash may be of another chain: then the search goes on from just before that record, a bounded
 * number of times. At equal sizes every second record is of the right chain.
 *
 * An owner that has NSEC3 and other data as well, as in the example of RFC 5155, does not stand
 * among the NSEC3 owners of the version. The record before it tells: it does not reach as far as
 * the hash, and its next hashed owner is the name of the missing one.
 *
 * Work is bounded by labels x iterations: at most 127 x 151 hashes, about 4 ms, for a name made for
 * it in a zone whose owner chose 150 iterations; a few microseconds for a zone without them.
 */
#include "answer/answer_impl.h"

#include "base/encode.h"

enum { OTHER_CHAIN_STEPS = 64, MIXED_OWNER_STEPS = 16 };

struct hashed {
    const struct owner *owner; /* NULL: none */
    struct rrset rrset;
    struct slice rdata; /* of our chain */
    bool matches;       /* else covers */
};

/* Takes `owner` where it has a record of our chain. */
static bool take(const struct answering *a, const struct owner *owner, struct hashed *out)
{
    size_t offset = 0;
    struct rrset rrset;
    struct slice rdata;
    if (owner == NULL || !owner_find_rrset(owner, TYPE_NSEC3, &rrset)) {
        return false;
    }
    while (rrset_next_rdata(&rrset, &offset, &rdata)) {
        struct nsec3_params params = nsec3_params_read(rdata);
        if (nsec3_params_equal(&params, &a->nsec3)) {
            *out = (struct hashed){.owner = owner, .rrset = rrset, .rdata = rdata};
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
static bool covers(const struct hashed *found, const uint8_t hash[NSEC3_HASH_SIZE])
{
    uint8_t own[NSEC3_HASH_SIZE];
    struct slice next = nsec3_next(found->rdata);
    if (next.size != NSEC3_HASH_SIZE || !hash_of_owner(found->owner, own)) {
        return true; /* nothing to go on by: the order of names decides */
    }
    bool after = memcmp(own, hash, NSEC3_HASH_SIZE) < 0;
    bool before = memcmp(hash, next.data, NSEC3_HASH_SIZE) < 0;
    return memcmp(own, next.data, NSEC3_HASH_SIZE) < 0 ? after && before : after || before;
}

/* Along the chain from `found`, which neither matches nor covers `hash`: the record at its next
 * hashed owner. False: there is none of our chain. */
static bool step_forward(const struct answering *a, struct hashed *found,
                         const uint8_t hash[NSEC3_HASH_SIZE])
{
    uint8_t name[NAME_MAX_SIZE];
    struct slice next = nsec3_next(found->rdata);
    const uint8_t *apex = owner_name(a->apex);
    size_t label = base32hex_text_size(next.size);
    if (label > LABEL_MAX_SIZE || 1 + label + a->apex->name_size > NAME_MAX_SIZE) {
        return false;
    }
    name[0] = (uint8_t)base32hex_encode(next, (char *)name + 1);
    memcpy(name + 1 + label, apex, a->apex->name_size);
    if (!take(a, zone_version_find(a->version, name), found)) {
        return false;
    }
    found->matches = slice_equal(next, slice_of(hash, NSEC3_HASH_SIZE));
    return true;
}

static struct hashed find(const struct answering *a, const uint8_t *name)
{
    struct hashed found = {.owner = NULL};
    uint8_t hash[NSEC3_HASH_SIZE];
    uint8_t near[NSEC3_HASH_SIZE];
    nsec3_hash(&a->nsec3, name, hash);
    memcpy(near, hash, sizeof(near));
    for (unsigned step = 0; step < OTHER_CHAIN_STEPS; step++) {
        bool exact;
        const struct owner *owner =
            zone_version_nsec3_before(a->version, slice_of(near, sizeof(near)), &exact);
        if (owner == NULL) {
            break;
        }
        if (take(a, owner, &found)) {
            found.matches = exact && step == 0;
            break;
        }
        if (!hash_of_owner(owner, near)) {
            break;
        }
        decrement(near);
    }
    for (unsigned step = 0; step < MIXED_OWNER_STEPS && found.owner != NULL && !found.matches &&
                            !covers(&found, hash) && step_forward(a, &found, hash);
         step++) {
    }
    return found;
}

static void write_found(struct answering *a, const struct hashed *found)
{
    if (found->owner != NULL) {
        write_proof(a, found->owner, &found->rrset);
    }
}

static void write_for(struct answering *a, const uint8_t *name)
{
    struct hashed found = find(a, name);
    write_found(a, &found);
}

/* Proves the closest provable encloser at or above the name without `skip` labels; returns it, or
 * NULL where the chain is broken. */
static const uint8_t *prove_encloser(struct answering *a, const uint8_t *name, unsigned skip)
{
    unsigned depth = name_label_count(name) - name_label_count(owner_name(a->apex));
    for (; skip <= depth; skip++) {
        const uint8_t *candidate = name_skip_labels(name, skip);
        struct hashed found = find(a, candidate);
        if (found.owner != NULL && found.matches) {
            write_found(a, &found);
            write_for(a, name_skip_labels(name, skip - 1));
            return candidate;
        }
    }
    return NULL;
}

/* Labels of `name` in front of `encloser`; at least one. */
static unsigned labels_before(const uint8_t *name, const struct owner *encloser)
{
    unsigned labels = name_label_count(name) - name_label_count(owner_name(encloser));
    REQUIRE(labels != 0);
    return labels;
}

/* Keeps what the encloser and its wildcard have; where the encloser has no NSEC3 of its own, nothing
 * is kept. */
static bool remember(struct answering *a, const struct owner *encloser)
{
    struct denial_memo *memo = a->memo;
    struct name wildcard;
    struct hashed match = find(a, owner_name(encloser));
    struct hashed wild = {.owner = NULL};
    memo->encloser = NULL;
    if (match.owner == NULL || !match.matches) {
        return false;
    }
    wildcard_of(owner_name(encloser), &wildcard);
    if (wildcard.size != 0) {
        wild = find(a, wildcard.wire);
    }
    *memo = (struct denial_memo){
        .version = a->version,
        .encloser = encloser,
        .nsec3_match = match.owner,
        .wildcard = wild.owner,
        .nsec3_match_rrset = match.rrset,
        .wildcard_rrset = wild.rrset,
    };
    return true;
}

void nsec3_deny_name(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    const struct denial_memo *memo = a->memo;
    struct name wildcard;
    unsigned before = labels_before(name, encloser);
    if ((memo->encloser == encloser && memo->version == a->version) || remember(a, encloser)) {
        write_proof(a, memo->nsec3_match, &memo->nsec3_match_rrset);
        write_for(a, name_skip_labels(name, before - 1));
        if (memo->wildcard != NULL) {
            write_proof(a, memo->wildcard, &memo->wildcard_rrset);
        }
        return;
    }
    const uint8_t *proven = prove_encloser(a, name, before);
    if (proven != NULL) {
        wildcard_of(proven, &wildcard);
        if (wildcard.size != 0) {
            write_for(a, wildcard.wire);
        }
    }
}

void nsec3_deny_type(struct answering *a, const uint8_t *name)
{
    struct hashed found = find(a, name);
    if (found.owner != NULL && found.matches) {
        write_found(a, &found);
    } else {
        prove_encloser(a, name, 1);
    }
}

void nsec3_deny_wildcard_type(struct answering *a, const uint8_t *name,
                              const struct owner *encloser)
{
    struct name wildcard;
    prove_encloser(a, name, labels_before(name, encloser));
    wildcard_of(owner_name(encloser), &wildcard);
    if (wildcard.size != 0) {
        write_for(a, wildcard.wire);
    }
}

void nsec3_deny_closer_match(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    write_for(a, name_skip_labels(name, labels_before(name, encloser) - 1));
}
