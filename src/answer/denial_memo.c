/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the proofs of one batch share. Which kind of proof a zone has is told by its apex (denial.c),
 * and the half of a proof that is about the encloser and its wildcard is the same for all names that
 * do not exist below it: two searches, and with NSEC3 two hashes, that are made once.
 *
 * The short way keeps these records here also as they were written (ready.c).
 *
 * A memo lives no longer than its batch, within one read section; so the version it knows is not
 * freed, and no other can come to stand at the same address.
 */
#include "answer/answer_impl.h"

static bool choose_nsec3(struct denial_memo *memo, const struct rrset *params)
{
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(params, &offset, &rdata)) {
        struct nsec3_params read = nsec3_params_read(rdata);
        if (read.algorithm != NSEC3_ALGORITHM_SHA1 || read.flags != 0) {
            continue;
        }
        if (read.iterations <= NSEC3_MAX_ITERATIONS) {
            memo->nsec3 = read;
            return true;
        }
        memo->too_many_iterations = true;
    }
    return false;
}

void denial_memo_begin(struct denial_memo *memo, const struct zone_version *version)
{
    memo->version = version;
    memo->uses = 0;
    memo->denial = DENIAL_UNKNOWN;
    memo->encloser = NULL;
    memo->ready_soa.size = 0;
    memo->ready_soa.is_refused = false;
    (void)proof_take(&memo->soa, zone_version_apex(version), TYPE_SOA);
}

void denial_memo_find_denial(struct denial_memo *memo)
{
    const struct owner *apex = zone_version_apex(memo->version);
    struct rrset params;
    memo->too_many_iterations = false;
    if (!zone_version_has_denial(memo->version)) {
        memo->denial = DENIAL_NONE;
    } else if (!owner_find_rrset(apex, TYPE_NSEC3PARAM, &params)) {
        memo->denial = DENIAL_NSEC;
    } else if (choose_nsec3(memo, &params)) {
        memo->denial = DENIAL_NSEC3;
        memo->too_many_iterations = false;
    } else {
        memo->denial = (apex->flags & OWNER_NSEC) != 0 ? DENIAL_NSEC : DENIAL_NONE;
    }
}

bool proof_take(struct proof *out, const struct owner *owner, uint16_t type)
{
    if (owner == NULL || !owner_find_signed(owner, type, &out->rrset, &out->signatures)) {
        out->owner = NULL;
        return false;
    }
    out->owner = owner;
    return true;
}

/* NSEC3 of the encloser and of its wildcard; where the encloser has none of its own, nothing is
 * kept. */
static bool find_with_nsec3(struct denial_memo *memo, const struct owner *encloser,
                            const struct name *wildcard)
{
    struct nsec3_found found;
    nsec3_find(memo->version, &memo->nsec3, owner_name(encloser), &found);
    if (!found.matches) {
        return false;
    }
    memo->match = found.proof;
    if (wildcard->size != 0) {
        nsec3_find(memo->version, &memo->nsec3, wildcard->wire, &found);
        memo->wildcard = found.proof;
    }
    return true;
}

static NOINLINE bool find(struct denial_memo *memo, const struct owner *encloser)
{
    struct name wildcard;
    wildcard_of(owner_name(encloser), &wildcard);
    memo->encloser = NULL;
    memo->wildcard.owner = NULL;
    memo->ready_match.size = memo->ready_wildcard.size = 0;
    memo->ready_match.is_refused = memo->ready_wildcard.is_refused = false;
    if (memo->denial == DENIAL_NSEC3) {
        if (!find_with_nsec3(memo, encloser, &wildcard)) {
            return false;
        }
    } else if (wildcard.size != 0) {
        struct slice name = slice_of(wildcard.wire, wildcard.size);
        (void)proof_take(&memo->wildcard, zone_version_nsec_before(memo->version, name), TYPE_NSEC);
    }
    memo->encloser = encloser;
    return true;
}

bool denial_memo_encloser(struct denial_memo *memo, const struct owner *encloser)
{
    return LIKELY(memo->encloser == encloser) || find(memo, encloser);
}
