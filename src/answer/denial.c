/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Saying no, and proving it. The SOA goes into every negative answer with the TTL of RFC 2308 5;
 * the proofs only where DO is set and the zone has them.
 *
 * With NSEC (RFC 4035 3.1.3) one lookup in canonical order finds each record:
 *   name error        the NSEC that covers the name, and the one that covers *.encloser
 *   no such type      the NSEC at the name; of an empty non-terminal the one before it, whose next
 *                     name is below (nothing stands between them, so the same lookup finds it)
 *   wildcard no data  the NSEC that covers the name, and the one at the wildcard
 *   wildcard answer   the NSEC that covers the name
 * A record that serves twice is written once. denial_nsec3.c has the same four with hashes.
 *
 * A zone with a usable NSEC3PARAM has a whole NSEC3 chain (RFC 5155 7.3), so that decides; one that
 * is leaving NSEC3 keeps the parameter until its NSEC chain is whole. Chains with more than
 * NSEC3_MAX_ITERATIONS are not used: validators treat them as unsigned anyway (RFC 9276 3.2), and
 * the hashing would be a gift to attackers. The answer then has no proof, and says so (EDE 27).
 */
#include "answer/answer_impl.h"

void denial_choose(struct answering *a)
{
    if (a->denial != DENIAL_UNKNOWN) {
        return;
    }
    if (!a->dnssec) {
        a->denial = DENIAL_NONE;
        return;
    }
    denial_memo_version(a->memo, a->version);
    a->denial = denial_memo_denial(a->memo);
    if (a->memo->too_many_iterations) {
        answering_explain(a, EDE_NSEC3_ITERATIONS, "NSEC3 iterations above 150: no proof given");
    }
}

void write_negative_soa(struct answering *a)
{
    struct rrset soa;
    size_t offset = 0;
    struct slice rdata;
    if (!owner_find_rrset(a->apex, TYPE_SOA, &soa) || !rrset_next_rdata(&soa, &offset, &rdata)) {
        return;
    }
    uint32_t minimum = get_u32(rdata.data + rdata.size - 4);
    write_rrset(a, SECTION_AUTHORITY,
                response_question_owner(&a->response, owner_name(a->apex), a->apex->name_size),
                a->apex, &soa, soa.ttl < minimum ? soa.ttl : minimum);
}

void wildcard_of(const uint8_t *encloser, struct name *out)
{
    size_t size = name_size(encloser);
    out->size = 0;
    if (size + 2 <= NAME_MAX_SIZE) {
        out->wire[0] = 1;
        out->wire[1] = '*';
        memcpy(out->wire + 2, encloser, size);
        out->size = (uint8_t)(size + 2);
    }
}

void write_proof(struct answering *a, const struct owner *owner, const struct rrset *rrset)
{
    for (unsigned i = 0; i < a->proof_count; i++) {
        if (a->proofs[i] == owner) {
            return;
        }
    }
    if (a->proof_count < PROOFS_MAX) {
        a->proofs[a->proof_count++] = owner;
        write_rrset(a, SECTION_AUTHORITY, (struct response_owner){owner_name(owner), 0}, owner,
                    rrset, rrset->ttl);
    }
}

static void write_nsec_for(struct answering *a, const uint8_t *name)
{
    struct proof nsec;
    if (proof_take(&nsec, zone_version_nsec_before(a->version, slice_of(name, name_size(name))),
                   TYPE_NSEC)) {
        write_proof(a, nsec.owner, &nsec.rrset);
    }
}

static void write_nsec_for_wildcard(struct answering *a, const struct owner *encloser)
{
    const struct proof *nsec = &a->memo->wildcard;
    if (denial_memo_encloser(a->memo, encloser) && nsec->owner != NULL) {
        write_proof(a, nsec->owner, &nsec->rrset);
    }
}

static bool with_nsec(struct answering *a)
{
    denial_choose(a);
    return a->denial == DENIAL_NSEC;
}

void deny_name(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    if (with_nsec(a)) {
        write_nsec_for(a, name);
        write_nsec_for_wildcard(a, encloser);
    } else if (a->denial == DENIAL_NSEC3) {
        nsec3_deny_name(a, name, encloser);
    }
}

void deny_type(struct answering *a, const uint8_t *name)
{
    if (with_nsec(a)) {
        write_nsec_for(a, name);
    } else if (a->denial == DENIAL_NSEC3) {
        nsec3_deny_type(a, name);
    }
}

void deny_wildcard_type(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    if (with_nsec(a)) {
        write_nsec_for(a, name);
        write_nsec_for_wildcard(a, encloser);
    } else if (a->denial == DENIAL_NSEC3) {
        nsec3_deny_wildcard_type(a, name, encloser);
    }
}

void deny_closer_match(struct answering *a, const uint8_t *name, const struct owner *encloser)
{
    if (with_nsec(a)) {
        write_nsec_for(a, name);
    } else if (a->denial == DENIAL_NSEC3) {
        nsec3_deny_closer_match(a, name, encloser);
    }
}
