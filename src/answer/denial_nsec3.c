/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proofs with hashed names (RFC 5155 7.2).
 *
 *   closest encloser proof   the NSEC3 that matches the encloser, and the one that covers the next
 *                            closer name (the encloser with one more label of the name asked for)
 *   name error               that, and the NSEC3 that covers *.encloser
 *   no such type             the NSEC3 that matches the name; where there is none (opt-out: DS of
 * an unsigned delegation, or an empty non-terminal above only such), the closest encloser proof
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
 * Work is bounded by labels x iterations: at most 127 x 151 hashes, about 4 ms, for a name made for
 * it in a zone whose owner chose 150 iterations; a few microseconds for a zone without them.
 */
#include "answer/answer_impl.h"

enum { OTHER_CHAIN_STEPS = 64 };

struct hashed {
    const struct owner *owner; /* NULL: none */
    struct rrset rrset;
    bool matches; /* else covers */
};

/* The records of `owner` that are of our chain, or false. */
static bool of_our_chain(const struct answering *a, const struct owner *owner, struct rrset *out)
{
    size_t offset = 0;
    struct slice rdata;
    if (!owner_find_rrset(owner, TYPE_NSEC3, out)) {
        return false;
    }
    while (rrset_next_rdata(out, &offset, &rdata)) {
        struct nsec3_params params = nsec3_params_read(rdata);
        if (nsec3_params_equal(&params, &a->nsec3)) {
            return true;
        }
    }
    return false;
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

/* 32: not one. */
static unsigned base32hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'v' ? (unsigned)c - 'a' + 10 : 32;
}

/* The digits of base32hex (RFC 4648 7), without padding, from the owner's first label. */
static bool hash_of_owner(const struct owner *owner, uint8_t out[NSEC3_HASH_SIZE])
{
    const uint8_t *label = owner_name(owner);
    unsigned bits = 0;
    unsigned held = 0;
    unsigned size = 0;
    if (*label != NSEC3_HASH_SIZE * 8 / 5) {
        return false;
    }
    for (unsigned i = 1; i <= *label; i++) {
        unsigned digit = base32hex_digit(label[i]);
        if (digit == 32) {
            return false;
        }
        held = (held << 5 | digit) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[size++] = (uint8_t)(held >> bits);
        }
    }
    return true;
}

static struct hashed find(const struct answering *a, const uint8_t *name)
{
    struct hashed found = {.owner = NULL};
    uint8_t hash[NSEC3_HASH_SIZE];
    nsec3_hash(&a->nsec3, name, hash);
    for (unsigned step = 0; step < OTHER_CHAIN_STEPS; step++) {
        bool exact;
        const struct owner *owner =
            zone_version_nsec3_before(a->version, slice_of(hash, sizeof(hash)), &exact);
        if (owner == NULL) {
            break;
        }
        if (of_our_chain(a, owner, &found.rrset)) {
            found.owner = owner;
            found.matches = exact && step == 0;
            break;
        }
        if (!hash_of_owner(owner, hash)) {
            break;
        }
        decrement(hash);
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

void nsec3_deny_name(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    struct name wildcard;
    const uint8_t *proven = prove_encloser(a, name, labels_before(name, encloser));
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
