/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 1034 4.3.2 with RFC 6672 3.2 (DNAME), RFC 4592 (wildcards), RFC 2308 (negative TTL), RFC 6604
 * (rcode of chains), RFC 4035 3.1 and RFC 5155 7.2 (proofs), each step looking through all records
 * of the zone again.
 *
 * Ours, where the RFCs leave it open: a chain is followed through CHAIN_NAMES names at most and
 * ends where a name returns; additional addresses are those at exactly the target's name, glue
 * included, and never a wildcard's own; ANY and RRSIG mean everything there is.
 */
#include "model_answer.h"

#include "wire/rdata.h"

enum { CHAIN_NAMES = 16 };

struct answering {
    const struct model_zone *zone;
    uint16_t qtype;
    bool dnssec_ok;
    struct model_response *out;
};

/* All records of `type` at `owner`, under the name `as`, with their signatures if wanted. */
static void put(const struct answering *a, struct model_set *section, const uint8_t *owner,
                uint16_t type, const uint8_t *as)
{
    for (size_t i = 0; i < a->zone->set.count; i++) {
        struct model_record record = a->zone->set.records[i];
        if (name_equal(record.owner.wire, owner) &&
            (record.type == type || (a->dnssec_ok && model_covers(&record) == type))) {
            name_copy(&record.owner, as);
            model_set_add(section, &record);
        }
    }
}

static void put_everything(const struct answering *a, const uint8_t *owner, const uint8_t *as)
{
    for (size_t i = 0; i < a->zone->set.count; i++) {
        struct model_record record = a->zone->set.records[i];
        if (name_equal(record.owner.wire, owner) &&
            (a->qtype == TYPE_ANY || record.type == TYPE_RRSIG)) {
            name_copy(&record.owner, as);
            model_set_add(&a->out->answer, &record);
        }
    }
}

static void put_addresses(const struct answering *a, const uint8_t *name)
{
    if (name_is_subdomain(name, a->zone->apex.wire)) {
        put(a, &a->out->additional, name, TYPE_A, name);
        put(a, &a->out->additional, name, TYPE_AAAA, name);
    }
}

static void put_soa(const struct answering *a)
{
    const struct model_record *soa = model_get(a->zone, a->zone->apex.wire, TYPE_SOA);
    uint32_t minimum = get_u32(soa->rdata + soa->rdata_size - 4);
    struct model_response only = {.rcode = 0};
    put(a, &only.authority, a->zone->apex.wire, TYPE_SOA, a->zone->apex.wire);
    for (size_t i = 0; i < only.authority.count; i++) {
        if (only.authority.records[i].ttl > minimum) {
            only.authority.records[i].ttl = minimum;
        }
        model_set_add(&a->out->authority, &only.authority.records[i]);
    }
    model_response_deinit(&only);
}

static const uint8_t *parent(const uint8_t *name)
{
    return name_skip_labels(name, 1);
}

static bool is_apex(const struct answering *a, const uint8_t *name)
{
    return name_equal(name, a->zone->apex.wire);
}

/* The deepest name at or above `name` that exists. */
static const uint8_t *closest_encloser(const struct answering *a, const uint8_t *name)
{
    while (!model_exists(a->zone, name)) {
        name = parent(name);
    }
    return name;
}

/* The name one label longer than `encloser` on the way to `name`. */
static const uint8_t *next_closer(const uint8_t *name, const uint8_t *encloser)
{
    while (!name_equal(parent(name), encloser)) {
        name = parent(name);
    }
    return name;
}

static void wildcard_below(const uint8_t *encloser, struct name *out)
{
    size_t size = name_size(encloser);
    out->wire[0] = 1;
    out->wire[1] = '*';
    memcpy(out->wire + 2, encloser, size);
    out->size = (uint8_t)(size + 2);
}

/* The NSEC record that matches or covers `name`. */
static void put_nsec(const struct answering *a, const uint8_t *name)
{
    const struct model_record *before = NULL;
    const struct model_record *last = NULL;
    for (size_t i = 0; i < a->zone->set.count; i++) {
        const struct model_record *record = &a->zone->set.records[i];
        if (record->type != TYPE_NSEC) {
            continue;
        }
        if (name_compare(record->owner.wire, name) <= 0 &&
            (before == NULL || name_compare(record->owner.wire, before->owner.wire) > 0)) {
            before = record;
        }
        if (last == NULL || name_compare(record->owner.wire, last->owner.wire) > 0) {
            last = record;
        }
    }
    if (before == NULL) {
        before = last;
    }
    if (before != NULL) {
        put(a, &a->out->authority, before->owner.wire, TYPE_NSEC, before->owner.wire);
    }
}

/* The hash that the owner of an NSEC3 record spells. */
static void owner_hash(const struct model_record *nsec3, uint8_t out[20])
{
    memset(out, 0, 20);
    for (unsigned i = 0; i < 32; i++) {
        uint8_t c = nsec3->owner.wire[1 + i];
        unsigned digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        for (unsigned bit = 0; bit < 5; bit++) {
            if ((digit >> (4 - bit) & 1) != 0) {
                unsigned at = i * 5 + bit;
                out[at / 8] |= (uint8_t)(0x80 >> at % 8);
            }
        }
    }
}

/* The NSEC3 record that matches `name`, or (covers) the one whose span it falls into, or NULL. */
static const struct model_record *find_nsec3(const struct answering *a, const uint8_t *name,
                                             bool covers)
{
    uint8_t hash[20];
    model_nsec3_hash(model_get(a->zone, a->zone->apex.wire, TYPE_NSEC3PARAM)->rdata, name, hash);
    for (size_t i = 0; i < a->zone->set.count; i++) {
        const struct model_record *record = &a->zone->set.records[i];
        uint8_t from[20];
        if (record->type != TYPE_NSEC3) {
            continue;
        }
        const uint8_t *to = record->rdata + 5 + record->rdata[4] + 1;
        owner_hash(record, from);
        bool after = memcmp(from, hash, 20) < 0;
        bool before = memcmp(hash, to, 20) < 0;
        bool wraps = memcmp(from, to, 20) >= 0;
        if (covers ? (wraps ? after || before : after && before) : memcmp(from, hash, 20) == 0) {
            return record;
        }
    }
    return NULL;
}

static void put_nsec3(const struct answering *a, const uint8_t *name, bool covers)
{
    const struct model_record *record = find_nsec3(a, name, covers);
    if (record != NULL) {
        put(a, &a->out->authority, record->owner.wire, TYPE_NSEC3, record->owner.wire);
    }
}

/* RFC 5155 7.2.1, for the closest provable encloser; that is returned. */
static const uint8_t *put_encloser_proof(const struct answering *a, const uint8_t *name)
{
    const uint8_t *encloser = parent(name);
    while (find_nsec3(a, encloser, false) == NULL) {
        encloser = parent(encloser);
    }
    put_nsec3(a, encloser, false);
    put_nsec3(a, next_closer(name, encloser), true);
    return encloser;
}

static bool has_nsec3(const struct answering *a)
{
    return model_has(a->zone, a->zone->apex.wire, TYPE_NSEC3PARAM);
}

static void prove_no_name(const struct answering *a, const uint8_t *name)
{
    struct name wildcard;
    if (!a->dnssec_ok) {
        return;
    }
    if (has_nsec3(a)) {
        const uint8_t *encloser = put_encloser_proof(a, name);
        wildcard_below(encloser, &wildcard);
        put_nsec3(a, wildcard.wire, find_nsec3(a, wildcard.wire, false) == NULL);
    } else {
        wildcard_below(closest_encloser(a, name), &wildcard);
        put_nsec(a, name);
        put_nsec(a, wildcard.wire);
    }
}

/* RFC 5155 7.2.3, 7.2.4 and 7.2.7; RFC 4035 3.1.3.1 and 3.1.4. */
static void prove_no_type(const struct answering *a, const uint8_t *name)
{
    if (!a->dnssec_ok) {
        return;
    }
    if (!has_nsec3(a)) {
        put_nsec(a, name);
    } else if (find_nsec3(a, name, false) != NULL) {
        put_nsec3(a, name, false);
    } else {
        put_encloser_proof(a, name);
    }
}

static void prove_no_wildcard_type(const struct answering *a, const uint8_t *name,
                                   const uint8_t *wildcard)
{
    if (!a->dnssec_ok) {
        return;
    }
    if (has_nsec3(a)) {
        put_encloser_proof(a, name);
        put_nsec3(a, wildcard, find_nsec3(a, wildcard, false) == NULL);
    } else {
        put_nsec(a, name);
        put_nsec(a, wildcard);
    }
}

static void prove_wildcard_answer(const struct answering *a, const uint8_t *name)
{
    if (!a->dnssec_ok) {
        return;
    }
    if (has_nsec3(a)) {
        put_nsec3(a, next_closer(name, closest_encloser(a, name)), true);
    } else {
        put_nsec(a, name);
    }
}

static void refer(const struct answering *a, const uint8_t *cut)
{
    put(a, &a->out->authority, cut, TYPE_NS, cut);
    for (size_t i = 0; i < a->zone->set.count; i++) {
        const struct model_record *record = &a->zone->set.records[i];
        if (record->type == TYPE_NS && name_equal(record->owner.wire, cut)) {
            put_addresses(a, record->rdata);
        }
    }
    if (!a->dnssec_ok || !model_has(a->zone, a->zone->apex.wire, TYPE_RRSIG)) {
        return;
    }
    if (model_has(a->zone, cut, TYPE_DS)) {
        put(a, &a->out->authority, cut, TYPE_DS, cut);
    } else {
        prove_no_type(a, cut);
    }
}

/* From the apex down to `name`: the first cut (at the name itself unless DS is asked for) or DNAME
 * (above the name) that stands in the way. */
static const uint8_t *barrier(const struct answering *a, const uint8_t *name, bool *is_cut)
{
    unsigned depth = name_label_count(name) - name_label_count(a->zone->apex.wire);
    for (unsigned skip = depth + 1; skip-- != 0;) {
        const uint8_t *at = name_skip_labels(name, skip);
        *is_cut = true;
        if (!is_apex(a, at) && model_has(a->zone, at, TYPE_NS) &&
            (skip != 0 || a->qtype != TYPE_DS)) {
            return at;
        }
        *is_cut = false;
        if (skip != 0 && model_has(a->zone, at, TYPE_DNAME)) {
            return at;
        }
    }
    return NULL;
}

/* The CNAME a DNAME makes; false: too long. */
static bool synthesize(const struct answering *a, const uint8_t *name, const uint8_t *owner,
                       struct name *target)
{
    const struct model_record *dname = model_get(a->zone, owner, TYPE_DNAME);
    size_t kept = name_size(name) - name_size(owner);
    struct model_record cname = {.type = TYPE_CNAME, .ttl = dname->ttl};
    if (kept + dname->rdata_size > NAME_MAX_SIZE) {
        return false;
    }
    memcpy(target->wire, name, kept);
    memcpy(target->wire + kept, dname->rdata, dname->rdata_size);
    target->size = (uint8_t)(kept + dname->rdata_size);
    name_copy(&cname.owner, name);
    cname.rdata_size = target->size;
    memcpy(cname.rdata, target->wire, target->size);
    model_set_add(&a->out->answer, &cname);
    return true;
}

static void put_additional_for(const struct answering *a, const uint8_t *owner)
{
    for (size_t i = 0; i < a->zone->set.count; i++) {
        const struct model_record *record = &a->zone->set.records[i];
        size_t at = record->type == TYPE_NS    ? 0
                    : record->type == TYPE_MX  ? 2
                    : record->type == TYPE_SRV ? 6
                                               : SIZE_MAX;
        if (record->type == a->qtype && at != SIZE_MAX && name_equal(record->owner.wire, owner) &&
            !name_is_wildcard(record->rdata + at)) {
            put_addresses(a, record->rdata + at);
        }
    }
}

/* One name of a chain. True: it goes on with `target`. */
static bool answer_name(const struct answering *a, const uint8_t *name, struct name *target)
{
    bool is_cut;
    struct name wildcard;
    const uint8_t *stop = barrier(a, name, &is_cut);
    if (stop != NULL && is_cut) {
        refer(a, stop);
        return false;
    }
    a->out->authoritative = true;
    if (stop != NULL) {
        put(a, &a->out->answer, stop, TYPE_DNAME, stop);
        if (!synthesize(a, name, stop, target)) {
            a->out->rcode = RCODE_YXDOMAIN;
            return false;
        }
        return a->qtype != TYPE_CNAME &&
               a->qtype != TYPE_ANY; /* answered by what was synthesized */
    }
    const uint8_t *source = name;
    if (!model_exists(a->zone, name)) {
        wildcard_below(closest_encloser(a, name), &wildcard);
        if (!model_exists(a->zone, wildcard.wire)) {
            a->out->rcode = RCODE_NXDOMAIN;
            put_soa(a);
            prove_no_name(a, name);
            return false;
        }
        source = wildcard.wire;
    }
    bool everything = a->qtype == TYPE_ANY || a->qtype == TYPE_RRSIG;
    const struct model_record *cname = model_get(a->zone, source, TYPE_CNAME);
    bool follows = cname != NULL && !everything && a->qtype != TYPE_CNAME && a->qtype != TYPE_NSEC;
    size_t count_before = a->out->answer.count;
    if (follows) {
        put(a, &a->out->answer, source, TYPE_CNAME, name);
        name_copy(target, cname->rdata);
    } else if (everything) {
        put_everything(a, source, name);
    } else if (model_has(a->zone, source, a->qtype)) {
        put(a, &a->out->answer, source, a->qtype, name);
        put_additional_for(a, source);
    }
    if (a->out->answer.count == count_before) {
        put_soa(a);
        if (source == name) {
            prove_no_type(a, name);
        } else {
            prove_no_wildcard_type(a, name, source);
        }
        return false;
    }
    if (source != name) {
        prove_wildcard_answer(a, name);
    }
    return follows;
}

void model_answer(const struct model_zone *zone, const uint8_t *qname, uint16_t qtype,
                  bool dnssec_ok, struct model_response *out)
{
    struct answering a = {.zone = zone, .qtype = qtype, .dnssec_ok = dnssec_ok, .out = out};
    struct name names[CHAIN_NAMES];
    struct name target;
    unsigned count = 1;
    *out = (struct model_response){.rcode = RCODE_NOERROR};
    name_copy(&names[0], qname);
    while (answer_name(&a, names[count - 1].wire, &target)) {
        bool seen = false;
        for (unsigned i = 0; i < count; i++) {
            seen = seen || name_equal(names[i].wire, target.wire);
        }
        if (seen || count == CHAIN_NAMES || !name_is_subdomain(target.wire, zone->apex.wire)) {
            return;
        }
        names[count++] = target;
    }
}

void model_response_deinit(struct model_response *response)
{
    model_set_deinit(&response->answer);
    model_set_deinit(&response->authority);
    model_set_deinit(&response->additional);
}
