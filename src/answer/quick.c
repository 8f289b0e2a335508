/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way for what is asked nearly always: an RRset of the name, one CNAME and what it leads
 * to, a referral, a plain "no". It writes the very octets that zone_answer() writes for the same
 * question (the model tests compare the two), and knows nothing else: no truncation, no chains, no
 * DNAME, no ANY, no options. Where it meets one of those, or is not sure that
 * everything fits, it gives up, and the long way begins from the start. So it needs no way back,
 * and room is checked once an RRset, for the size without compression.
 *
 * Names of an RRset are nearly always one label before the same rest, the owner or another. Owners
 * note that for NS and SOA (RRSET_NAMES_…), so such names are written as one label and a pointer
 * without being compared; nothing longer can stand in the message, as names in an RRset differ and
 * the question is looked at as well. Names of other RRsets are compared with the rest that stood
 * behind the first label of the one before (docs/decisions/answer-path.md has the figures).
 */
#include "answer/quick_impl.h"

#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/owner_rrsets.h"

/* It gets to know the names of the records from `in` to `end`, which is the n-th, too. */
static void know_names(struct quick *q, const uint8_t *in, const uint8_t *end, unsigned n,
                       const uint16_t *places)
{
    know_question(q);
    for (const uint8_t *at = in; at != end; at += 2 + get_u16(at)) {
        n--;
    }
    for (; in != end; in += 2 + get_u16(in)) {
        size_t size = get_u16(in);
        size_t literal = n == 0 && q->starts_whole ? size - 1 : 1u + in[2];
        response_know_name(&q->response, in + 2, size, literal, places[n++]);
    }
}

/*
 * Records of names alike (RRSET_NAMES_ALIKE), where nothing but the question stands in the message.
 * True: written. False: nothing was; they may have more in common with the question.
 */
static ALWAYS_INLINE bool put_alike(struct quick *q, enum section section, uint16_t owner,
                                    const struct rrset *rrset, uint32_t ttl,
                                    uint16_t places[NAMES_MAX])
{
    struct response *r = &q->response;
    uint64_t fixed = fixed_octets(rrset->type, ttl);
    uint16_t pointer = pointer_to(owner);
    const uint8_t *in = rrset->records.data;
    const uint8_t *end = in + rrset->records.size;
    uint8_t *p = r->data + r->size;
    size_t size = get_u16(in);
    size_t label = 1u + in[2];
    size_t rest_size = size - label;
    uint16_t rest = pointer;
    uint32_t taken = NO_LABEL;
    if ((rrset->names & RRSET_NAMES_BELOW) == 0) {
        if (response_name_ending(in + 2, size) ==
            response_name_ending(r->data + MESSAGE_HEADER_SIZE, r->qname_size)) {
            return false;
        }
        p = put_fixed(p, pointer, fixed);
        put_u16(p, (uint16_t)size);
        p += 2;
        octets_copy(p, in + 2, size);
        rest = pointer_to((uint16_t)(p - r->data + (ptrdiff_t)label));
        *places++ = (uint16_t)(p - r->data);
        p += size;
        in += 2 + size;
        q->starts_whole = true;
        q->searches = 1;
    } else {
        taken = label_above(r->data, owner);
    }
    for (; in != end; in += 2 + label + rest_size) {
        label = 1u + in[2];
        if (UNLIKELY(may_begin(in + 2, taken))) {
            return false;
        }
        p = put_fixed(p, pointer, fixed);
        put_u16(p, (uint16_t)(label + POINTER_SIZE));
        *places++ = (uint16_t)(p + 2 - r->data);
        p = put_label(p + 2, in + 2, label, rest_size, rest);
    }
    r->size = (size_t)(p - r->data);
    count_records(q, section, rrset->count);
    return true;
}

/*
 * Records of other names, or not known to be alike; there is room for them.
 *
 * A name is written as its first label and a pointer to the rest, where the rest is the one that is
 * expected. Can more than its rest stand in the message? As the end of the question; that is looked
 * at. As the end of a longer name before it, of which this would be the rest; so the rest has
 * changed twice since, and after that it is not relied on. A first name that ends elsewhere than
 * the question is written whole. Names written so are made known to the search only when that is
 * needed.
 */
static NOINLINE bool put_different(struct quick *q, enum section section, uint16_t owner,
                                   const struct rrset *rrset, uint32_t ttl,
                                   uint16_t places[NAMES_MAX])
{
    struct response *r = &q->response;
    uint64_t fixed = fixed_octets(rrset->type, ttl);
    uint16_t pointer = pointer_to(owner);
    const uint8_t *in = rrset->records.data;
    const uint8_t *end = in + rrset->records.size;
    const uint8_t *unknown = in; /* this record's name, and those behind it, the search knows not */
    const uint8_t *rest = q->rest;
    size_t rest_size = q->rest_size;
    uint16_t rest_pointer = pointer_to(q->rest_place);
    size_t qname_size = r->qname_size;
    const uint8_t *question_end = r->data + MESSAGE_HEADER_SIZE + qname_size;
    uint8_t *p = r->data + r->size;
    unsigned n = 0;
    for (; in != end; n++) {
        size_t size = get_u16(in);
        const uint8_t *name = in + 2;
        size_t label = 1u + name[0];
        uint8_t *length = put_fixed(p, pointer, fixed);
        p = length + 2;
        if (LIKELY(size == label + rest_size) && rest_size != 0 &&
            LIKELY(octets_equal_likely(name + label, rest, rest_size)) &&
            !(qname_size >= size && octets_equal(question_end - size, name, size))) {
            if (LIKELY(size >= 16 && label <= 16)) {
                memcpy(p, name, 16); /* there is room for all of the name */
            } else {
                octets_copy(p, name, label);
            }
            memcpy(p + label, &rest_pointer, sizeof(rest_pointer));
            places[n] = (uint16_t)(p - r->data);
            put_u16(length, (uint16_t)(label + POINTER_SIZE));
            p += label + POINTER_SIZE;
            in += 2 + size;
            continue;
        }
        if (n == 0 && !q->knows_question && size != 1 &&
            response_name_ending(name, size) !=
                response_name_ending(question_end - qname_size, qname_size)) {
            octets_copy(p, name, size);
            places[n] = (uint16_t)(p - r->data);
            put_u16(length, (uint16_t)size);
            rest = name + label;
            rest_size = size - label > 1 ? size - label : 0;
            rest_pointer = pointer_to((uint16_t)(p - r->data + (ptrdiff_t)label));
            q->starts_whole = true;
            q->searches++;
            p += size;
            in += 2 + size;
            continue;
        }
        know_names(q, unknown, in, n, places);
        r->size = (size_t)(p - r->data);
        size_t literal = response_put_name(r, name, size);
        rest_size = 0;
        if (q->searches++ == 0 && size > label + 1) {
            if (literal > label) {
                rest_pointer = pointer_to((uint16_t)(p - r->data + (ptrdiff_t)label));
                rest_size = size - label;
            } else if (literal == label) {
                memcpy(&rest_pointer, p + label, sizeof(rest_pointer));
                rest_size = size - label;
            }
            rest = name + label;
        }
        p = r->data + r->size;
        put_u16(length, (uint16_t)(p - length - 2));
        places[n] = r->last_name;
        in += 2 + size;
        unknown = in;
    }
    r->size = (size_t)(p - r->data);
    count_records(q, section, rrset->count);
    return true;
}

/* Records that are nothing but a name; `places` gets where each stands. */
static ALWAYS_INLINE bool put_names(struct quick *q, enum section section, uint16_t owner,
                                    const struct rrset *rrset, uint32_t ttl,
                                    uint16_t places[NAMES_MAX])
{
    struct response *r = &q->response;
    if (UNLIKELY(!has_room(q, rrset) || rrset->count > NAMES_MAX || r->size > NAMES_END)) {
        return false;
    }
    if (LIKELY(rrset->names != 0) && q->searches == 0 && !q->knows_question &&
        LIKELY(put_alike(q, section, owner, rrset, ttl, places))) {
        return true;
    }
    return put_different(q, section, owner, rrset, ttl, places);
}

/* No names that are compressed. */
static ALWAYS_INLINE bool is_plain(const struct rrtype *type)
{
    return type->fields[0] != FIELD_NAME_COMPRESS && type->fields[1] != FIELD_NAME_COMPRESS;
}

/* The type asked for, of `owner`, under the name at `as`. */
static ALWAYS_INLINE bool put_answer(struct quick *q, uint16_t as, const struct owner *owner,
                                     struct rrset *rrset, const struct rrset *signatures)
{
    const struct rrtype *type = rrtype_get(rrset->type);
    uint16_t places[NAMES_MAX];
    if ((type->flags & RRTYPE_ADDITIONAL) != 0 && q->options->extras != ANSWER_MINIMAL) {
        return false;
    }
    if (LIKELY(is_plain(type))) {
        return put_plain(q, SECTION_ANSWER, as, rrset, rrset->ttl) &&
               put_signatures(q, SECTION_ANSWER, as, rrset->ttl, signatures);
    }
    if ((owner->flags & OWNER_WILDCARD) != 0) {
        rrset->names = 0; /* it is not under its own name */
    }
    return type->fields[1] == FIELD_END &&
           put_names(q, SECTION_ANSWER, as, rrset, rrset->ttl, places) &&
           put_signatures(q, SECTION_ANSWER, as, rrset->ttl, signatures);
}

static ALWAYS_INLINE bool is_equal(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    return a_size == b_size && octets_equal(a, b, a_size);
}

/* The name, which stands nowhere but perhaps in the question, where it is one label below the owner
 * at `place`; else false. */
static ALWAYS_INLINE bool put_below(struct quick *q, const struct owner *owner, uint16_t place,
                                    const uint8_t *name, size_t size)
{
    struct response *r = &q->response;
    size_t label = 1u + name[0];
    const uint8_t *question_end = r->data + MESSAGE_HEADER_SIZE + r->qname_size;
    if (size != label + owner->name_size ||
        !octets_equal_likely(name + label, owner_name(owner), owner->name_size) ||
        (r->qname_size >= size && octets_equal(question_end - size, name, size))) {
        return false;
    }
    octets_copy(r->data + r->size, name, label);
    put_u16(r->data + r->size + label, 0xc000 | place);
    r->size += label + POINTER_SIZE;
    return true;
}

/* The two names of an SOA record of the apex, whose name stands at `owner`, for which there is
 * room, where they are not known to be one label below it. */
static NOINLINE void put_soa_names(struct quick *q, const struct owner *apex, uint16_t owner,
                                   const uint8_t *mname, size_t both_size, bool is_proof_next)
{
    struct response *r = &q->response;
    size_t mname_place = r->size;
    size_t mname_size = name_size(mname);
    const uint8_t *rname = mname + mname_size;
    size_t rname_size = both_size - mname_size;
    if (q->knows_question || is_equal(mname, mname_size, rname, rname_size) ||
        !put_below(q, apex, owner, mname, mname_size)) {
        know_question(q);
        response_put_name(r, mname, mname_size);
        response_put_name(r, rname, rname_size);
        return;
    }
    size_t rname_place = r->size;
    bool is_below = put_below(q, apex, owner, rname, rname_size);
    if (!is_below || is_proof_next) {
        know_question(q);
        response_know_name(r, mname, mname_size, 1u + mname[0], mname_place);
    }
    if (!is_below) {
        response_put_name(r, rname, rname_size);
    } else if (is_proof_next) {
        response_know_name(r, rname, rname_size, 1u + rname[0], rname_place);
    }
}

/* The SOA of a negative answer, with its names known to the search where `is_proof_next`. */
static bool put_soa(struct quick *q, const struct owner *apex, const struct proof *proof,
                    bool is_proof_next)
{
    struct response *r = &q->response;
    const struct rrset *soa = &proof->rrset;
    if (soa->count != 1 || !has_room(q, soa)) {
        return false;
    }
    const uint8_t *mname = soa->records.data + 2;
    const uint8_t *numbers = soa->records.data + soa->records.size - SOA_NUMBERS_SIZE;
    const uint8_t *rname = mname + 1 + mname[0] + apex->name_size; /* if they are one label below */
    uint32_t minimum = get_u32(numbers + SOA_NUMBERS_SIZE - 4);
    uint32_t ttl = minimum < soa->ttl ? minimum : soa->ttl;
    uint16_t owner = question_place(q, apex);
    uint16_t pointer = pointer_to(owner);
    uint32_t taken = label_above(r->data, owner);
    uint8_t *length = put_fixed(r->data + r->size, pointer, fixed_octets(TYPE_SOA, ttl));
    uint8_t *p = length + 2;
    if (LIKELY((soa->names & RRSET_NAMES_BELOW) != 0 && !q->knows_question) &&
        LIKELY(!may_begin(mname, taken) && !may_begin(rname, taken))) {
        uint8_t *rname_at = put_label(p, mname, 1u + mname[0], apex->name_size, pointer);
        if (is_proof_next) {
            know_question(q);
            response_know_name(r, mname, (size_t)(rname - mname), 1u + mname[0],
                               (size_t)(p - r->data));
            response_know_name(r, rname, (size_t)(numbers - rname), 1u + rname[0],
                               (size_t)(rname_at - r->data));
        }
        p = put_label(rname_at, rname, 1u + rname[0], apex->name_size, pointer);
    } else {
        r->size = (size_t)(p - r->data);
        put_soa_names(q, apex, owner, mname, (size_t)(numbers - mname), is_proof_next);
        p = r->data + r->size;
    }
    memcpy(p, numbers, SOA_NUMBERS_SIZE);
    p += SOA_NUMBERS_SIZE;
    put_u16(length, (uint16_t)(p - length - 2));
    r->size = (size_t)(p - r->data);
    count_records(q, SECTION_AUTHORITY, 1);
    return !q->dnssec || put_signatures(q, SECTION_AUTHORITY, owner, ttl, &proof->signatures);
}

/* "No", and where there is a proof that: of `what` about `name`. The SOA is kept once the same zone
 * says it a second time in this batch. */
static bool put_negative(struct quick *q, const struct owner *apex, enum denied what,
                         const struct denied_name *name)
{
    struct denial_memo *memo = q->memo;
    struct response *r = &q->response;
    size_t begin = r->size;
    bool is_first = r->counts[SECTION_ANSWER] == 0;
    bool is_last = is_unsigned(q);
    denial_memo_version(memo, q->version);
    memo->uses++;
    if (apex->name_size == 1) {
        return false;
    }
    if (!is_first || !ready_put(&memo->ready_soa, q, NULL)) {
        bool keeps = is_first && memo->uses > 1 && !memo->ready_soa.is_refused &&
                     (memo->ready_soa.size == 0 || (q->dnssec && !memo->ready_soa.is_signed));
        if (memo->soa.owner == NULL || !put_soa(q, apex, &memo->soa, !is_last || keeps)) {
            return false;
        }
        if (keeps) {
            ready_keep(&memo->ready_soa, q, begin, q->dnssec || memo->soa.signatures.count == 0);
        }
    }
    return is_last || quick_denial(q, what, name);
}

/* A CNAME, and the type asked for of its target, where that is in the zone. */
static bool put_alias(struct quick *q, const struct owner *apex, uint16_t as,
                      const struct owner *owner)
{
    struct rrset cname;
    struct rrset rrset;
    struct rrset signatures;
    struct slice target;
    uint16_t place[NAMES_MAX];
    size_t offset = 0;
    if (as == MESSAGE_HEADER_SIZE && apex->name_size > 1) { /* the target is likely to end there */
        q->rest = owner_name(apex);
        q->rest_size = apex->name_size;
        q->rest_place = question_place(q, apex);
    }
    if (!find_signed(q, owner, TYPE_CNAME, &cname, &signatures) || cname.count != 1 ||
        !put_names(q, SECTION_ANSWER, as, &cname, cname.ttl, place) ||
        !put_signatures(q, SECTION_ANSWER, as, cname.ttl, &signatures) ||
        !rrset_next_rdata(&cname, &offset, &target)) {
        return false;
    }
    if (!name_is_below(target, owner_name(apex), apex->name_size)) {
        return true;
    }
    q->searches = 2; /* the target may come up again */
    q->rest_size = 0;
    struct zone_lookup lookup;
    zone_version_lookup(q->version, target.data, &lookup);
    if (lookup.match == NULL || lookup.cut != NULL || lookup.dname != NULL ||
        (lookup.match->flags & OWNER_CNAME) != 0 || place[0] == 0) {
        return false;
    }
    bool is_found = find_signed(q, lookup.match, q->query->qtype, &rrset, &signatures);
    if (!q->knows_question && !(is_found && is_plain(rrtype_get(rrset.type)))) {
        know_names(q, cname.records.data, cname.records.data + cname.records.size, 1, place);
    }
    if (is_found) {
        return put_answer(q, place[0], lookup.match, &rrset, &signatures);
    }
    struct denied_name denied = {target.data, target.size, place[0], lookup.match};
    return put_negative(q, apex, DENIED_TYPE, &denied);
}

static bool put_addresses(struct quick *q, uint16_t as, const struct owner *owner)
{
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t type = rrset_u16(p);
        struct rrset rrset;
        struct rrset signatures;
        if (type == TYPE_A || type == TYPE_AAAA) {
            if (UNLIKELY(q->dnssec)) {
                (void)owner_find_signed(owner, type, &rrset, &signatures);
            } else {
                rrset_read(p, &rrset);
                signatures.count = 0;
            }
            if (!put_plain(q, SECTION_ADDITIONAL, as, &rrset, rrset.ttl) ||
                !put_signatures(q, SECTION_ADDITIONAL, as, rrset.ttl, &signatures)) {
                return false;
            }
        }
        if (type >= TYPE_AAAA) {
            return true;
        }
    }
    return true;
}

/* Addresses of the name servers below the cut, then of others in the zone (referral.c). */
static ALWAYS_INLINE bool put_glue(struct quick *q, const struct owner *apex,
                                   const struct owner *cut, const struct rrset *ns,
                                   const uint16_t *places)
{
    uint16_t ending =
        apex->name_size == 1 ? 0 : response_name_ending(owner_name(apex), apex->name_size);
    bool inside = true; /* the turn of those below the cut */
    bool siblings;
    do {
        const uint8_t *in = ns->records.data;
        const uint8_t *end = in + ns->records.size;
        siblings = false;
        for (unsigned n = 0; in != end; n++) {
            struct slice target = slice_of(in + 2, get_u16(in));
            in += 2 + target.size;
            if ((ending != 0 && target.size > 1 &&
                 response_name_ending(target.data, target.size) != ending) ||
                !name_is_below(target, owner_name(apex), apex->name_size)) {
                continue; /* as most are */
            }
            bool is_inside = name_is_below(target, owner_name(cut), cut->name_size);
            siblings |= !is_inside;
            if (is_inside != inside) {
                continue;
            }
            const struct owner *owner =
                zone_version_find_below(q->version, inside ? cut : apex, target);
            if (owner != NULL && (places[n] == 0 || !put_addresses(q, places[n], owner))) {
                return false;
            }
        }
        inside = !inside;
    } while (siblings && !inside);
    return true;
}

/* The same where each name server is one label below the cut. */
static ALWAYS_INLINE bool put_near_glue(struct quick *q, const struct owner *cut,
                                        const struct rrset *ns, const uint16_t *places)
{
    const uint8_t *in = ns->records.data;
    const uint8_t *end = in + ns->records.size;
    for (unsigned n = 0; in != end; n++) {
        struct slice target = slice_of(in + 2, get_u16(in));
        const struct owner *owner = zone_version_find_below(q->version, cut, target);
        in += 2 + target.size;
        if (owner != NULL && !put_addresses(q, places[n], owner)) {
            return false;
        }
    }
    return true;
}

/* With DO, behind the name servers: DS, or the proof that there is none. */
static ALWAYS_INLINE bool put_security(struct quick *q, const struct owner *cut, uint16_t as,
                                       const struct rrset *ns, const uint16_t *places)
{
    struct rrset ds;
    struct rrset signatures;
    if (owner_find_signed(cut, TYPE_DS, &ds, &signatures) && signatures.count != 0) {
        return put_plain(q, SECTION_AUTHORITY, as, &ds, ds.ttl) &&
               put_signatures(q, SECTION_AUTHORITY, as, ds.ttl, &signatures);
    }
    if (is_unsigned(q)) {
        return true;
    }
    know_names(q, ns->records.data, ns->records.data + ns->records.size, ns->count, places);
    struct denied_name denied = {owner_name(cut), cut->name_size, as, cut};
    return quick_denial(q, DENIED_TYPE, &denied);
}

static bool put_referral(struct quick *q, const struct owner *apex, const struct owner *cut)
{
    uint16_t as = question_place(q, cut);
    uint16_t places[NAMES_MAX];
    struct rrset ns;
    struct rrset signatures;
    if (!find_signed(q, cut, TYPE_NS, &ns, &signatures)) {
        return false;
    }
    q->rest = owner_name(cut);
    q->rest_size = cut->name_size;
    q->rest_place = as;
    if (!put_names(q, SECTION_AUTHORITY, as, &ns, ns.ttl, places) ||
        !put_signatures(q, SECTION_AUTHORITY, as, ns.ttl, &signatures) ||
        (q->dnssec && !put_security(q, cut, as, &ns, places))) {
        return false;
    }
    if (q->searches == 0) { /* all of them are directly below the cut */
        return put_near_glue(q, cut, &ns, places);
    }
    if (q->starts_whole && q->searches == 1 && apex->name_size != 1) {
        return true; /* all of them end as the first, which does not end as the zone's names do */
    }
    return put_glue(q, apex, cut, &ns, places);
}

static ALWAYS_INLINE bool is_special(uint16_t qtype)
{
    return qtype == TYPE_ANY || qtype == TYPE_RRSIG || qtype == TYPE_NSEC || qtype == TYPE_CNAME;
}

/* What the wildcard has of the type asked for; with proofs, that it was right to look there. */
static bool put_synthesized(struct quick *q, const struct owner *apex,
                            const struct zone_lookup *lookup)
{
    const struct owner *owner = lookup->wildcard;
    struct denied_name name = {q->query->qname, q->query->qname_size, MESSAGE_HEADER_SIZE,
                               lookup->encloser};
    struct rrset rrset;
    struct rrset signatures;
    if ((owner->flags & OWNER_CNAME) != 0) {
        return is_unsigned(q) && put_alias(q, apex, MESSAGE_HEADER_SIZE, owner);
    }
    if (!find_signed(q, owner, q->query->qtype, &rrset, &signatures)) {
        return put_negative(q, apex, DENIED_WILDCARD_TYPE, &name);
    }
    if (is_unsigned(q)) {
        return put_answer(q, MESSAGE_HEADER_SIZE, owner, &rrset, &signatures);
    }
    const struct rrtype *type = rrtype_get(rrset.type);
    if (!is_plain(type) || (type->flags & RRTYPE_ADDITIONAL) != 0 || rrset.type == TYPE_DNAME) {
        return false; /* the proof's name may end in one of its names */
    }
    know_question(q);
    return put_answer(q, MESSAGE_HEADER_SIZE, owner, &rrset, &signatures) &&
           quick_denial(q, DENIED_CLOSER_MATCH, &name);
}

/* Everything but OPT. */
static ALWAYS_INLINE bool put_sections(struct quick *q, const struct owner *apex,
                                       const struct zone_lookup *lookup, uint16_t *flags)
{
    uint16_t qtype = q->query->qtype;
    struct denied_name name = {q->query->qname, q->query->qname_size, MESSAGE_HEADER_SIZE,
                               lookup->encloser};
    if (lookup->cut != NULL && (lookup->cut != lookup->match || qtype != TYPE_DS)) {
        return put_referral(q, apex, lookup->cut);
    }
    *flags |= FLAG_AA;
    const struct owner *owner = lookup->match;
    if (owner == NULL && lookup->dname != NULL) {
        return false;
    }
    if (owner == NULL && lookup->wildcard == NULL) {
        *flags |= RCODE_NXDOMAIN;
        return put_negative(q, apex, DENIED_NAME, &name);
    }
    if (UNLIKELY(is_special(qtype))) {
        return false;
    }
    if (owner == NULL) {
        return put_synthesized(q, apex, lookup);
    }
    if ((owner->flags & OWNER_CNAME) != 0) {
        return put_alias(q, apex, MESSAGE_HEADER_SIZE, owner);
    }
    struct rrset rrset;
    struct rrset signatures;
    return find_signed(q, owner, qtype, &rrset, &signatures)
               ? put_answer(q, MESSAGE_HEADER_SIZE, owner, &rrset, &signatures)
               : put_negative(q, apex, DENIED_TYPE, &name);
}

HOT bool quick_answer(const struct answer_options *options, const struct zone_version *version,
                      const struct zone_lookup *lookup, struct denial_memo *memo,
                      struct answer_query *asked, size_t limit)
{
    const struct query *query = &asked->query;
    const struct owner *apex = zone_version_apex(version);
    size_t opt_size = query->edns.present ? OPT_BARE_SIZE : 0;
    uint16_t flags = (query->flags & (FLAG_RD | FLAG_CD)) | FLAG_QR;
    if (query->wants != 0 || asked->zone->class != CLASS_IN || query->qname_size == 1 ||
        options->extras == ANSWER_FULL || options->long_way) {
        return false;
    }
    struct quick q;
    q.version = version;
    q.apex = apex;
    q.options = options;
    q.query = query;
    q.memo = memo;
    q.dnssec = query->edns.dnssec_ok;
    q.knows_question = false;
    q.starts_whole = false;
    q.searches = 0;
    q.ready_count = 0;
    q.ready_known = 0;
    q.rest_size = 0;
    q.rest_place = 0;
    response_begin(&q.response, asked->out, limit - opt_size, query);
    if (!put_sections(&q, apex, lookup, &flags)) {
        return false;
    }
    if (opt_size != 0) {
        put_bare_opt(q.response.data + q.response.size, edns_udp_size(options), q.dnssec);
        q.response.size += OPT_BARE_SIZE;
        q.response.counts[SECTION_ADDITIONAL]++;
    }
    asked->rcode = flags & 15;
    asked->response_size = response_finish(&q.response, query->id, flags);
    return true;
}
