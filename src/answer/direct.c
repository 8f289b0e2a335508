/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The direct way for the four answers that are given most: the addresses of a name or that it has
 * none, also behind one CNAME that leads to a name right below the apex; that there is no such name,
 * without a proof; and the delegation whose name servers are alike (RRSET_NAMES_ALIKE). Where all
 * that is certain, an answer is one run of stores behind a copy of the question, with nothing to keep
 * about names that were written: so everything lives in registers. Whatever else is met, the way ends
 * with false, and quick.c begins from the start. The model tests compare the octets.
 */
#include "answer/quick_impl.h"

#include "wire/rrtype.h"

/* Where an answer is being written. */
struct page {
    const struct answer_options *options;
    const struct zone_version *version;
    struct answer_query *asked;
    const uint8_t *end; /* of the room there is, without what OPT needs */
    bool proves_no;     /* a "no" has to be proven */
};

/* The question's header and question; where the answer goes on. */
static ALWAYS_INLINE uint8_t *begin(const struct page *page)
{
    size_t size = page->asked->query.question_end;
    octets_copy(page->asked->out, page->asked->message.data, size);
    return page->asked->out + size;
}

static ALWAYS_INLINE uint64_t in_section(enum section section, unsigned count)
{
    return (uint64_t)count << (48 - 16 * section);
}

/* OPT, and the header's flags and counts; `counts` are those of the three last sections. */
static ALWAYS_INLINE bool finish(const struct page *page, uint8_t *p, uint16_t flags,
                                 uint64_t counts)
{
    struct answer_query *asked = page->asked;
    const struct query *query = &asked->query;
    counts += in_section(SECTION_QUESTION, 1);
    if (query->edns.present) {
        p = put_bare_opt(p, edns_udp_size(page->options), query->edns.dnssec_ok);
        counts += in_section(SECTION_ADDITIONAL, 1);
    }
    put_u16(asked->out + 2, (query->flags & (FLAG_RD | FLAG_CD)) | FLAG_QR | flags);
    counts = htobe64(counts);
    memcpy(asked->out + 4, &counts, sizeof(counts));
    asked->rcode = flags & 15;
    asked->response_size = (size_t)(p - asked->out);
    return true;
}

/* Where `ancestor` of the question's name, not the root, stands. */
static ALWAYS_INLINE uint16_t place_of(const struct page *page, const struct owner *ancestor)
{
    return (uint16_t)(MESSAGE_HEADER_SIZE + page->asked->query.qname_size - ancestor->name_size);
}

/* Whether the RRset is there; `signatures` are those to go with it, or their count is 0. */
static ALWAYS_INLINE bool find(const struct page *page, const struct owner *owner, uint16_t type,
                               struct rrset *out, struct rrset *signatures)
{
    if (page->asked->query.edns.dnssec_ok) {
        return owner_find_signed(owner, type, out, signatures);
    }
    signatures->count = 0;
    return owner_find(owner, type, out);
}

/* NULL: they do not fit for certain. */
static ALWAYS_INLINE uint8_t *put_rrset(const struct page *page, uint8_t *p, uint16_t owner,
                                        const struct rrset *rrset)
{
    const uint8_t *in = rrset->records.data;
    const uint8_t *in_end = in + rrset->records.size;
    if (UNLIKELY(rrset_most(rrset) > (size_t)(page->end - p))) {
        return NULL;
    }
    uint64_t fixed = fixed_octets(rrset->type, rrset->ttl);
    do {
        size_t size = 2 + (size_t)get_u16(in);
        p = put_fixed(p, owner, fixed);
        octets_copy(p, in, size);
        p += size;
        in += size;
    } while (in != in_end);
    return p;
}

/* The signatures of the RRset that was just written, if there are any. */
static ALWAYS_INLINE uint8_t *put_signed(const struct page *page, uint8_t *p, uint16_t owner,
                                         const struct rrset *rrset, struct rrset *signatures)
{
    if (p == NULL || LIKELY(signatures->count == 0)) {
        return p;
    }
    if (signatures->ttl > rrset->ttl) {
        signatures->ttl = rrset->ttl;
    }
    return put_rrset(page, p, owner, signatures);
}

/* What was written before a "no": nothing, or a CNAME. */
struct before {
    uint8_t *p;          /* where it ends; NULL: not even the question was written */
    struct slice target; /* of the CNAME */
    uint16_t pointer;    /* to where that stands */
};

/* A name one label below the apex, which may be the CNAME's target. */
static ALWAYS_INLINE uint8_t *put_soa_name(uint8_t *p, const uint8_t *name, size_t apex_size,
                                           uint16_t apex, const struct before *before)
{
    size_t label = 1u + name[0];
    if (before->target.size == label + apex_size &&
        octets_equal(name, before->target.data, label)) {
        memcpy(p, &before->pointer, sizeof(before->pointer));
        return p + POINTER_SIZE;
    }
    return put_label(p, name, label, apex_size, apex);
}

/* SOA with names below its owner. */
static ALWAYS_INLINE bool answer_no(const struct page *page, uint16_t rcode,
                                    const struct before *before)
{
    const struct owner *apex = zone_version_apex(page->version);
    struct rrset soa;
    struct rrset signatures;
    if (page->proves_no || apex->name_size == 1 || !find(page, apex, TYPE_SOA, &soa, &signatures) ||
        signatures.count != 0 || (soa.names & RRSET_NAMES_BELOW) == 0) {
        return false;
    }
    uint8_t *p = before->p == NULL ? begin(page) : before->p;
    uint16_t place = place_of(page, apex);
    uint32_t taken = label_above(page->asked->out, place);
    size_t apex_size = apex->name_size;
    const uint8_t *mname = soa.records.data + 2;
    const uint8_t *rname = mname + 1 + mname[0] + apex_size;
    const uint8_t *numbers = rname + 1 + rname[0] + apex_size;
    if (UNLIKELY(rrset_most(&soa) > (size_t)(page->end - p)) || may_begin(mname, taken) ||
        may_begin(rname, taken)) {
        return false;
    }
    uint32_t minimum = get_u32(numbers + SOA_NUMBERS_SIZE - 4);
    uint16_t pointer = pointer_to(place);
    p = put_fixed(p, pointer, fixed_octets(TYPE_SOA, minimum < soa.ttl ? minimum : soa.ttl));
    uint8_t *length = p;
    p = put_soa_name(p + 2, mname, apex_size, pointer, before);
    p = put_soa_name(p, rname, apex_size, pointer, before);
    memcpy(p, numbers, SOA_NUMBERS_SIZE);
    p += SOA_NUMBERS_SIZE;
    put_u16(length, (uint16_t)(p - length - 2));
    return finish(page, p, FLAG_AA | rcode,
                  in_section(SECTION_AUTHORITY, 1) +
                      in_section(SECTION_ANSWER, before->p == NULL ? 0 : 1));
}

static NOINLINE bool answer_plain_no(const struct page *page, uint16_t rcode)
{
    const struct before before = {0};
    return answer_no(page, rcode, &before);
}

static NOINLINE bool answer_no_for_target(const struct page *page, const struct before *before)
{
    return answer_no(page, RCODE_NOERROR, before);
}

static ALWAYS_INLINE bool answer_addresses(const struct page *page, const struct owner *owner)
{
    struct rrset rrset;
    struct rrset signatures;
    uint16_t name = pointer_to(MESSAGE_HEADER_SIZE);
    if (UNLIKELY(!find(page, owner, page->asked->query.qtype, &rrset, &signatures))) {
        return answer_plain_no(page, RCODE_NOERROR);
    }
    uint8_t *p = put_rrset(page, begin(page), name, &rrset);
    p = put_signed(page, p, name, &rrset, &signatures);
    return p != NULL &&
           finish(page, p, FLAG_AA,
                  in_section(SECTION_ANSWER, (unsigned)rrset.count + signatures.count));
}

/* `owner` has a CNAME. */
static NOINLINE bool answer_alias(const struct page *page, const struct owner *owner)
{
    const struct owner *apex = zone_version_apex(page->version);
    struct rrset cname;
    struct rrset cname_signatures;
    if (apex->name_size == 1 || !find(page, owner, TYPE_CNAME, &cname, &cname_signatures) ||
        cname.count != 1) {
        return false;
    }
    uint8_t *p = begin(page);
    struct slice target = slice_of(cname.records.data + 2, cname.records.size - 2);
    size_t label = 1u + target.data[0];
    uint16_t apex_place = place_of(page, apex);
    if (target.size != label + apex->name_size ||
        !octets_equal_likely(target.data + label, owner_name(apex), apex->name_size) ||
        may_begin(target.data, label_above(page->asked->out, apex_place)) ||
        UNLIKELY(rrset_most(&cname) > (size_t)(page->end - p))) {
        return false;
    }
    const struct owner *canonical = zone_version_find_below(page->version, apex, target);
    struct rrset rrset;
    struct rrset signatures;
    if (canonical == NULL ||
        (canonical->flags & (OWNER_CUT | OWNER_CNAME | OWNER_DNAME | OWNER_NSEC3_ONLY)) != 0) {
        return false;
    }
    bool is_found = find(page, canonical, page->asked->query.qtype, &rrset, &signatures);
    if (!is_found && cname_signatures.count != 0) {
        return false;
    }
    uint16_t name = pointer_to(MESSAGE_HEADER_SIZE);
    p = put_fixed(p, name, fixed_octets(TYPE_CNAME, cname.ttl));
    put_u16(p, (uint16_t)(label + POINTER_SIZE));
    uint16_t place = (uint16_t)(p + 2 - page->asked->out);
    p = put_label(p + 2, target.data, label, apex->name_size, pointer_to(apex_place));
    if (!is_found) {
        const struct before before = {p, target, pointer_to(place)};
        return answer_no_for_target(page, &before);
    }
    p = put_signed(page, p, name, &cname, &cname_signatures);
    p = p == NULL ? NULL : put_rrset(page, p, pointer_to(place), &rrset);
    p = put_signed(page, p, pointer_to(place), &rrset, &signatures);
    unsigned count = 1u + cname_signatures.count + rrset.count + signatures.count;
    return p != NULL && finish(page, p, FLAG_AA, in_section(SECTION_ANSWER, count));
}

/* Addresses of `owner`, whose name stands where `name` points; NULL: not by this way. */
static ALWAYS_INLINE uint8_t *put_glue(const struct page *page, uint8_t *p, uint16_t name,
                                       const struct owner *owner, uint64_t *counts)
{
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *at = owner_first_rrset(owner); at < end && p != NULL; at = rrset_skip(at)) {
        uint16_t type = rrset_u16(at);
        if (LIKELY(type == TYPE_A || type == TYPE_AAAA)) {
            struct rrset rrset;
            rrset_read(at, &rrset);
            p = put_rrset(page, p, name, &rrset);
            *counts += in_section(SECTION_ADDITIONAL, rrset.count);
        } else if (type == TYPE_RRSIG && page->asked->query.edns.dnssec_ok) {
            return NULL;
        }
    }
    return p;
}

/* Addresses of the name servers, which are one label below the cut, as they were written: from
 * `written` on, one every record. */
static NOINLINE bool answer_near_delegation(const struct page *page, const struct owner *cut,
                                            const struct rrset *ns, uint8_t *p)
{
    const struct owner *owners[ZONE_NEAR_MAX];
    uint64_t counts = in_section(SECTION_AUTHORITY, ns->count);
    size_t place = page->asked->query.question_end + RECORD_HEAD_SIZE;
    zone_version_find_near(page->version, cut, ns, owners);
    for (unsigned n = 0; n < ns->count; n++) {
        if (LIKELY(owners[n] != NULL)) {
            p = put_glue(page, p, pointer_to((uint16_t)place), owners[n], &counts);
            if (p == NULL) {
                return false;
            }
        }
        place += 1u + page->asked->out[place] + POINTER_SIZE + RECORD_HEAD_SIZE;
    }
    return finish(page, p, 0, counts);
}

static ALWAYS_INLINE bool answer_delegation(const struct page *page, const struct owner *cut)
{
    const struct query *query = &page->asked->query;
    struct rrset ns;
    struct rrset signatures;
    if (!find(page, cut, TYPE_NS, &ns, &signatures) || signatures.count != 0 || ns.names == 0 ||
        ns.count > ZONE_NEAR_MAX) {
        return false;
    }
    uint8_t *p = begin(page);
    if (UNLIKELY(rrset_most(&ns) > (size_t)(page->end - p))) {
        return false;
    }
    uint16_t place = place_of(page, cut);
    uint16_t owner = pointer_to(place);
    uint64_t fixed = fixed_octets(TYPE_NS, ns.ttl);
    const uint8_t *in = ns.records.data;
    const uint8_t *end = in + ns.records.size;
    size_t label = 1u + in[2];
    size_t rest_size = get_u16(in) - label;
    if ((ns.names & RRSET_NAMES_BELOW) != 0) {
        uint32_t taken = label_above(page->asked->out, place);
        for (; in != end; in += 2 + label + rest_size) {
            label = 1u + in[2];
            if (UNLIKELY(may_begin(in + 2, taken))) {
                return false;
            }
            p = put_fixed(p, owner, fixed);
            put_u16(p, (uint16_t)(label + POINTER_SIZE));
            p = put_label(p + 2, in + 2, label, rest_size, owner);
        }
        return answer_near_delegation(page, cut, &ns, p);
    }
    /* Elsewhere than the question's name, and so than the zone: no glue either. */
    if (zone_version_apex(page->version)->name_size == 1 ||
        response_name_ending(in + 2, label + rest_size) ==
            response_name_ending(query->qname, query->qname_size)) {
        return false;
    }
    p = put_fixed(p, owner, fixed);
    octets_copy(p, in, 2 + label + rest_size);
    uint16_t rest = pointer_to((uint16_t)(p + 2 + label - page->asked->out));
    p += 2 + label + rest_size;
    for (in += 2 + label + rest_size; in != end; in += 2 + label + rest_size) {
        label = 1u + in[2];
        p = put_fixed(p, owner, fixed);
        put_u16(p, (uint16_t)(label + POINTER_SIZE));
        p = put_label(p + 2, in + 2, label, rest_size, rest);
    }
    return finish(page, p, 0, in_section(SECTION_AUTHORITY, ns.count));
}

HOT bool direct_answer(const struct answer_options *options, const struct zone_version *version,
                       const struct zone_lookup *lookup, struct answer_query *asked, size_t limit)
{
    const struct query *query = &asked->query;
    if (query->wants != 0 || asked->zone->class != CLASS_IN || query->qname_size == 1 ||
        options->extras == ANSWER_FULL || options->long_way) {
        return false;
    }
    bool proves_no = query->edns.dnssec_ok && zone_version_has_denial(version);
    if (proves_no && (lookup->match == NULL || lookup->cut != NULL)) {
        return false;
    }
    struct page page = {
        .options = options,
        .version = version,
        .asked = asked,
        .end = asked->out + limit - (query->edns.present ? OPT_BARE_SIZE : 0),
        .proves_no = proves_no,
    };
    if (lookup->cut != NULL) {
        return (lookup->cut != lookup->match || query->qtype != TYPE_DS) &&
               answer_delegation(&page, lookup->cut);
    }
    const struct owner *owner = lookup->match;
    if (owner == NULL) {
        return lookup->dname == NULL && lookup->wildcard == NULL &&
               answer_plain_no(&page, RCODE_NXDOMAIN);
    }
    if (UNLIKELY(query->qtype != TYPE_A && query->qtype != TYPE_AAAA)) {
        return false;
    }
    return UNLIKELY((owner->flags & OWNER_CNAME) != 0) ? answer_alias(&page, owner)
                                                       : answer_addresses(&page, owner);
}
