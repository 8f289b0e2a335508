/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proofs by the short way: what denial.c and denial_nsec3.c write for the name that ends the chain,
 * in the same order, octet for octet.
 *
 * A proof is one record and its signatures. Rdata of NSEC, NSEC3 and RRSIG is never compressed, so
 * all there is to compress is the owner, and that is nearly always one label below the apex, which
 * ends the question. Then one label is written and a pointer, unless the whole name ends another
 * one of this message: each of these is looked at, and where one does, the search decides.
 * What the search does not know, the names in what was copied, is made known to it then.
 *
 * Given up, for the long way: RRsets of several records (chains that are being replaced), names
 * below enclosers that have no NSEC3 of their own, proofs for names that a CNAME led to and that do
 * not exist, chains with too many iterations.
 */
#include "answer/quick_impl.h"

/* The name of `size` octets, one label below the apex, ends one that stands in the message. */
static ALWAYS_INLINE bool stands(const struct quick *q, const uint8_t *name, size_t size)
{
    const struct response *r = &q->response;
    for (unsigned i = 0; i < r->name_count; i++) {
        const struct response_name *known = &r->names[i];
        if (known->size >= size && octets_equal(known->wire + known->size - size, name, size)) {
            return true;
        }
    }
    return (!q->knows_question && ends_question(r, name, size)) || is_in_ready(q, name, size);
}

/* The owner's name; returns where it stands, 0: nowhere that can be pointed at. */
static ALWAYS_INLINE uint16_t put_owner(struct quick *q, const struct owner *owner)
{
    struct response *r = &q->response;
    const uint8_t *name = owner_name(owner);
    const struct owner *apex = q->apex;
    uint16_t apex_place = question_place(q, apex);
    if (owner == apex && apex_place != 0) {
        put_u16(r->data + r->size, (uint16_t)(0xc000 | apex_place));
        r->size += POINTER_SIZE;
        return apex_place;
    }
    size_t label = 1u + name[0];
    if (LIKELY(owner->name_size == label + apex->name_size && apex_place != 0) &&
        LIKELY(!stands(q, name, owner->name_size))) {
        uint16_t place = (uint16_t)r->size;
        response_know_name(r, name, owner->name_size, label, place);
        octets_copy(r->data + place, name, label);
        put_u16(r->data + place + label, (uint16_t)(0xc000 | apex_place));
        r->size += label + POINTER_SIZE;
        return place;
    }
    ready_know(q);
    response_put_name(r, name, owner->name_size);
    return r->last_name;
}

/* A record and its signatures; `place`: of its owner, 0: where that stands is not known. */
static ALWAYS_INLINE bool put_proof_at(struct quick *q, const struct proof *proof, uint16_t place)
{
    struct response *r = &q->response;
    const struct rrset *rrset = &proof->rrset;
    size_t most = proof->owner->name_size + TTL_TYPE_CLASS_SIZE + rrset->records.size;
    if (UNLIKELY(rrset->count != 1 || most > r->limit - r->size || r->size > NAMES_END)) {
        return false;
    }
    if (place != 0) {
        put_u16(r->data + r->size, (uint16_t)(0xc000 | place));
        r->size += POINTER_SIZE;
    } else {
        place = put_owner(q, proof->owner);
    }
    uint64_t fixed = fixed_octets(rrset->type, rrset->ttl);
    uint8_t *p = r->data + r->size;
    memcpy(p, &fixed, sizeof(fixed));
    octets_copy(p + sizeof(fixed), rrset->records.data, rrset->records.size);
    r->size += sizeof(fixed) + rrset->records.size;
    count_records(q, SECTION_AUTHORITY, 1);
    if (UNLIKELY(proof->signatures.count == 0)) {
        return true;
    }
    return place != 0 &&
           put_plain(q, SECTION_AUTHORITY, place, &proof->signatures,
                     rrset->ttl < proof->signatures.ttl ? rrset->ttl : proof->signatures.ttl);
}

static bool put_proof(struct quick *q, const struct proof *proof)
{
    return put_proof_at(q, proof, 0);
}

/* A proof that others of the batch share, behind that of `before`. */
static bool put_shared(struct quick *q, const struct proof *proof, struct ready *ready,
                       const struct owner *before)
{
    size_t begin = q->response.size;
    if (LIKELY(ready_put(ready, q, before))) {
        return true;
    }
    if (!put_proof(q, proof)) {
        return false;
    }
    if (ready->size == 0 && !ready->is_refused && q->memo->uses > 1) {
        ready_keep(ready, q, begin, true);
    }
    return true;
}

/* That of the wildcard: nothing where there is none, or it is among those before. */
static bool put_wildcard(struct quick *q, const struct proof *before)
{
    struct denial_memo *memo = q->memo;
    const struct owner *owner = memo->wildcard.owner;
    return owner == NULL || owner == before->owner ||
           put_shared(q, &memo->wildcard, &memo->ready_wildcard, before->owner);
}

static ALWAYS_INLINE const struct foreseen *find_foreseen(const struct quick *q,
                                                          const uint8_t *name)
{
    const struct foreseen *foreseen = q->memo->foreseen;
    return foreseen != NULL && foreseen->name == name && foreseen->version == q->version ? foreseen
                                                                                         : NULL;
}

static ALWAYS_INLINE const struct owner *nsec_before(const struct quick *q,
                                                     const struct denied_name *name)
{
    const struct foreseen *foreseen = find_foreseen(q, name->wire);
    return LIKELY(foreseen != NULL)
               ? foreseen->owner
               : zone_version_nsec_before(q->version, slice_of(name->wire, name->size));
}

static bool put_nsec(struct quick *q, enum denied what, const struct denied_name *name)
{
    struct proof proof;
    if (what == DENIED_TYPE && (name->owner->flags & OWNER_NSEC) != 0) {
        return proof_take(&proof, name->owner, TYPE_NSEC) && put_proof_at(q, &proof, name->place);
    }
    if (!proof_take(&proof, nsec_before(q, name), TYPE_NSEC) || !put_proof(q, &proof)) {
        return false;
    }
    if (what == DENIED_TYPE || what == DENIED_CLOSER_MATCH) {
        return true;
    }
    return denial_memo_encloser(q->memo, name->owner) && put_wildcard(q, &proof);
}

static ALWAYS_INLINE void find_nsec3(const struct quick *q, const uint8_t *name,
                                     struct nsec3_found *out)
{
    const struct foreseen *foreseen = find_foreseen(q, name);
    if (LIKELY(foreseen != NULL)) {
        nsec3_find_at(q->version, &q->memo->nsec3, foreseen->hash, foreseen->owner, foreseen->place,
                      out);
    } else {
        nsec3_find(q->version, &q->memo->nsec3, name, out);
    }
}

/* What covers the name, unless it was written as what matches the encloser. */
static bool put_cover(struct quick *q, const struct proof *cover)
{
    return cover->owner == NULL || cover->owner == q->memo->match.owner || put_proof(q, cover);
}

/* The owner has no NSEC3 of its own (opt-out); `cover` covers it. */
static bool put_opted_out(struct quick *q, const struct denied_name *name,
                          const struct proof *cover)
{
    const struct owner *apex = q->apex;
    struct denial_memo *memo = q->memo;
    return name->size == 1u + name->wire[0] + apex->name_size && denial_memo_encloser(memo, apex) &&
           !stands(q, owner_name(memo->match.owner), memo->match.owner->name_size) &&
           put_shared(q, &memo->match, &memo->ready_match, NULL) && put_cover(q, cover);
}

static bool put_nsec3(struct quick *q, enum denied what, const struct denied_name *name)
{
    struct denial_memo *memo = q->memo;
    struct nsec3_found found;
    if (what == DENIED_TYPE) {
        find_nsec3(q, name->wire, &found);
        return found.matches ? put_proof(q, &found.proof) : put_opted_out(q, name, &found.proof);
    }
    find_nsec3(q, next_closer(name->wire, name->size, name->owner->name_size), &found);
    if (what == DENIED_CLOSER_MATCH) {
        return found.proof.owner != NULL && put_proof(q, &found.proof);
    }
    return denial_memo_encloser(memo, name->owner) &&
           put_shared(q, &memo->match, &memo->ready_match, NULL) && put_cover(q, &found.proof) &&
           (memo->wildcard.owner == memo->match.owner || put_wildcard(q, &found.proof));
}

bool quick_denial(struct quick *q, enum denied what, const struct denied_name *name)
{
    switch (denial_memo_denial(q->memo)) {
    case DENIAL_NSEC:
        return put_nsec(q, what, name);
    case DENIAL_NSEC3:
        return put_nsec3(q, what, name);
    case DENIAL_UNKNOWN:
    case DENIAL_NONE:
        break;
    }
    return false;
}
