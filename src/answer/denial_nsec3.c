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
 * Work is bounded by labels x iterations: at most 127 x 151 hashes, about 4 ms, for a name made for
 * it in a zone whose owner chose 150 iterations; a few microseconds for a zone without them.
 */
#include "answer/answer_impl.h"

static void write_found(struct answering *a, const struct proof *found)
{
    if (found->owner != NULL) {
        write_proof(a, found->owner, &found->rrset);
    }
}

static void find(const struct answering *a, const uint8_t *name, struct nsec3_found *out)
{
    nsec3_find(a->version, &a->memo->nsec3, name, out);
}

static void write_for(struct answering *a, const uint8_t *name)
{
    struct nsec3_found found;
    find(a, name, &found);
    write_found(a, &found.proof);
}

/* Proves the closest provable encloser at or above the name without `skip` labels; returns it, or
 * NULL where the chain is broken. */
static const uint8_t *prove_encloser(struct answering *a, const uint8_t *name, unsigned skip)
{
    unsigned depth = name_label_count(name) - name_label_count(owner_name(a->apex));
    for (; skip <= depth; skip++) {
        const uint8_t *candidate = name_skip_labels(name, skip);
        struct nsec3_found found;
        find(a, candidate, &found);
        if (found.matches) {
            write_found(a, &found.proof);
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
    unsigned before = labels_before(name, encloser);
    if (denial_memo_encloser(a->memo, encloser)) {
        write_found(a, &a->memo->match);
        write_for(a, name_skip_labels(name, before - 1));
        write_found(a, &a->memo->wildcard);
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
    struct nsec3_found found;
    find(a, name, &found);
    if (found.matches) {
        write_found(a, &found.proof);
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
