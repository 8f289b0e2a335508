/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From records to an owner's block. Records of one owner nearly always arrive one after the other
 * and often already in order; they are laid into one growing buffer (nothing is allocated once it
 * has grown to the zone's largest owner), and the block is written in one go when its size is
 * known.
 *
 * The first TTL counts: arrival is kept as the offset in the buffer, which only ascends.
 * Duplicates are found where they stand beside each other, on arrival or after sorting.
 */
#include "zone/owner_impl.h"

#include "base/memory.h"
#include "base/sort.h"
#include "wire/name_octets.h"

enum { GATHER_MAX_BYTES = 1 << 30 };

void gather_reset(struct gather *gather)
{
    gather->count = 0;
    gather->used = 0;
    gather->ordered = true;
}

void gather_lend(struct gather *gather, struct gather_room *room)
{
    gather->records = room->records;
    gather->capacity = ARRAY_SIZE(room->records);
    gather->bytes = room->bytes;
    gather->room = sizeof(room->bytes);
    gather->is_lent = true;
}

void gather_deinit(struct gather *gather)
{
    if (!gather->is_lent) {
        memory_free(gather->records);
        memory_free(gather->bytes);
    }
    *gather = (struct gather){0};
}

/* What was lent is copied; both grow on their own from here on. */
static void gather_own(struct gather *gather)
{
    struct gathered *records = memory_new(gather->capacity * sizeof(*records));
    uint8_t *bytes = memory_new(gather->room);
    memcpy(records, gather->records, gather->count * sizeof(*records));
    memcpy(bytes, gather->bytes, gather->used);
    gather->records = records;
    gather->bytes = bytes;
    gather->is_lent = false;
}

static COLD enum result gather_grow(struct gather *gather, size_t size, struct error *err)
{
    if (gather->used + size > GATHER_MAX_BYTES) {
        return error_set(err, ERR_LIMIT, "more than 1 GiB of records at one name");
    }
    if (gather->is_lent) {
        gather_own(gather);
    }
    if (gather->used + size > gather->room) {
        gather->room = (gather->used + size) * 2 + 4096;
        gather->bytes = memory_resize(gather->bytes, gather->room);
    }
    if (gather->count == gather->capacity) {
        gather->capacity = gather->capacity * 2 + 64;
        gather->records =
            memory_resize(gather->records, gather->capacity * sizeof(*gather->records));
    }
    return OK;
}

HOT enum result gather_add(struct gather *gather, const struct record *record, const char *file,
                           uint32_t line, struct error *err)
{
    REQUIRE(record->rdata.size <= RDATA_MAX_SIZE);
    size_t size = 2 + record->rdata.size;
    if (UNLIKELY(gather->used + size > gather->room || gather->count == gather->capacity)) {
        enum result grown = gather_grow(gather, size, err);
        if (grown != OK) {
            return grown;
        }
    }
    struct gathered *to = &gather->records[gather->count];
    *to = (struct gathered){
        .file = file,
        .line = line,
        .ttl = record->ttl,
        .offset = (uint32_t)gather->used,
        .type = record->type,
        .size = (uint16_t)record->rdata.size,
    };
    uint8_t *bytes = gather->bytes + gather->used;
    put_u16(bytes, to->size);
    if (record->rdata.size != 0) {
        memcpy(bytes + 2, record->rdata.data, record->rdata.size);
    }
    if (gather->count > 0 && gather->ordered) {
        const struct gathered *before = to - 1;
        gather->ordered = record_order(before->type, gathered_rdata(gather, before), to->type,
                                       gathered_rdata(gather, to)) < 0;
    }
    gather->used += size;
    gather->count++;
    return OK;
}

static int gathered_compare(const void *a, const void *b, void *context)
{
    const struct gather *gather = context;
    const struct gathered *x = a;
    const struct gathered *y = b;
    return record_order(x->type, gathered_rdata(gather, x), y->type, gathered_rdata(gather, y));
}

void gather_sort(struct gather *gather, gather_report *report, void *context)
{
    if (gather->ordered || gather->count < 2) {
        return;
    }
    sort_stable(gather->records, gather->count, sizeof(*gather->records), gathered_compare, gather);
    size_t kept = 1;
    for (size_t i = 1; i < gather->count; i++) {
        if (gathered_compare(&gather->records[kept - 1], &gather->records[i], gather) == 0) {
            if (report != NULL) {
                report(context, GATHER_DUPLICATE, &gather->records[i]);
            }
        } else {
            gather->records[kept++] = gather->records[i];
        }
    }
    gather->count = kept;
    gather->ordered = true;
}

static inline bool same_rrset(const struct gather *gather, const struct gathered *a,
                              const struct gathered *b)
{
    return a->type == b->type &&
           (a->type != TYPE_RRSIG || record_covers(a->type, gathered_rdata(gather, a)) ==
                                         record_covers(b->type, gathered_rdata(gather, b)));
}

HOT void gather_measure(const struct gather *gather, struct gather_size *out)
{
    *out = (struct gather_size){0};
    bool has_nsec3 = false;
    bool has_other = false;
    for (size_t i = 0; i < gather->count;) {
        const struct gathered *first = &gather->records[i];
        const struct gathered *earliest = first;
        size_t start = i;
        size_t bytes = 0;
        for (; i < gather->count && same_rrset(gather, first, &gather->records[i]); i++) {
            const struct gathered *record = &gather->records[i];
            bytes += 2u + record->size;
            earliest = record->offset < earliest->offset ? record : earliest;
        }
        if (i - start > out->largest_rrset) {
            out->largest_rrset = (uint32_t)(i - start);
        }
        out->bytes += rrset_header_size(i - start, earliest->ttl, bytes) + bytes;
        if (start == 0 || first->type != first[-1].type) {
            out->type_count++;
        }
        switch (first->type) {
        case TYPE_NS:
            out->flags |= OWNER_CUT;
            has_other = true;
            break;
        case TYPE_SOA:
            out->has_singleton = true;
            has_other = true;
            break;
        case TYPE_DNAME:
            out->has_singleton = true;
            out->flags |= OWNER_DNAME;
            has_other = true;
            break;
        case TYPE_CNAME:
            out->has_singleton = true;
            out->flags |= OWNER_CNAME;
            has_other = true;
            break;
        case TYPE_NSEC:
            out->flags |= OWNER_NSEC;
            has_other = true;
            break;
        case TYPE_NSEC3:
            has_nsec3 = true;
            break;
        case TYPE_RRSIG:
            has_other |= record_covers(TYPE_RRSIG, gathered_rdata(gather, first)) != TYPE_NSEC3;
            break;
        default:
            has_other = true;
            break;
        }
    }
    if (has_nsec3 && !has_other) {
        out->flags |= OWNER_NSEC3_ONLY;
    }
    if (gather->class != CLASS_IN && gather->count != 0) {
        out->flags |= OWNER_OTHER_CLASS;
        out->bytes += sizeof(uint16_t);
    }
}

static inline uint8_t *write_u16(uint8_t *p, uint16_t value)
{
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

static inline uint8_t *write_u32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

static inline bool is_label_before(const uint8_t *name, size_t size, const uint8_t *rest,
                                   size_t rest_size)
{
    size_t label = 1u + name[0];
    return size == label + rest_size && octets_equal(name + label, rest, rest_size);
}

/* What the names in records of NS have in common (RRSET_NAMES_…). */
static inline uint8_t names_of_ns(const uint8_t *records, size_t bytes, const uint8_t *owner,
                                  size_t owner_size)
{
    const uint8_t *end = records + bytes;
    size_t size = get_u16(records);
    size_t label = 1u + records[2];
    const uint8_t *rest = records + 2 + label;
    if (size <= label + 1) {
        return 0;
    }
    for (const uint8_t *p = records + 2 + size; p != end; p += 2 + size) {
        size = get_u16(p);
        if (!is_label_before(p + 2, size, rest, (size_t)(records + 2 + get_u16(records) - rest))) {
            return 0;
        }
    }
    return is_label_before(records + 2, get_u16(records), owner, owner_size)
               ? RRSET_NAMES_ALIKE | RRSET_NAMES_BELOW
               : RRSET_NAMES_ALIKE;
}

/* The same for the two names of an SOA record. */
static inline uint8_t names_of_soa(const uint8_t *records, const uint8_t *owner, size_t owner_size)
{
    const uint8_t *mname = records + 2;
    size_t mname_size = name_size(mname);
    const uint8_t *rname = mname + mname_size;
    size_t rname_size = name_size(rname);
    return owner_size > 1 && is_label_before(mname, mname_size, owner, owner_size) &&
                   is_label_before(rname, rname_size, owner, owner_size) &&
                   !(mname_size == rname_size && octets_equal(mname, rname, mname_size))
               ? RRSET_NAMES_ALIKE | RRSET_NAMES_BELOW
               : 0;
}

static inline uint8_t *write_header(uint8_t *p, uint16_t type, size_t count, uint32_t ttl,
                                    size_t bytes)
{
    p = write_u16(p, type);
    if (LIKELY(rrset_header_size(count, ttl, bytes) == RRSET_SHORT_SIZE)) {
        *p++ = (uint8_t)count;
        *p++ = ttl_code(ttl);
        return write_u16(p, (uint16_t)bytes);
    }
    p = write_u16(p, 0);
    p = write_u16(p, (uint16_t)count);
    p = write_u32(p, ttl);
    return write_u32(p, (uint32_t)bytes);
}

HOT void gather_write(const struct gather *gather, const uint8_t *name, size_t name_size,
                      uint64_t hash, const struct gather_size *size, uint8_t flags,
                      struct owner *out, gather_report *report, void *context)
{
    REQUIRE(size->largest_rrset <= UINT16_MAX);
    size_t block_size = owner_block_size(name_size, size->bytes);
    out->hash = hash;
    out->size_short = block_size <= UINT16_MAX ? (uint16_t)block_size : 0;
    out->flags = flags;
    out->name_size = (uint8_t)name_size;
    memcpy(out->bytes, name, name_size);
    uint8_t *p = out->bytes + name_size;
    if (UNLIKELY(out->size_short == 0)) {
        p = write_u32(p, (uint32_t)block_size);
    }
    for (size_t i = 0; i < gather->count;) {
        const struct gathered *first = &gather->records[i];
        const struct gathered *earliest = first;
        bool mixed = false;
        size_t start = i;
        size_t bytes = 0;
        bool in_a_row = true; /* as they came, so they stand behind one another */
        for (; i < gather->count && same_rrset(gather, first, &gather->records[i]); i++) {
            const struct gathered *record = &gather->records[i];
            in_a_row &= record->offset == first->offset + bytes;
            bytes += 2u + record->size;
            mixed |= record->ttl != first->ttl;
            earliest = record->offset < earliest->offset ? record : earliest;
        }
        uint8_t *header = p;
        p = write_header(p, first->type, i - start, earliest->ttl, bytes);
        if (LIKELY(in_a_row)) {
            memcpy(p, gather->bytes + first->offset, bytes);
            p += bytes;
        } else {
            for (size_t at = start; at < i; at++) {
                const struct gathered *record = &gather->records[at];
                memcpy(p, gather->bytes + record->offset, 2u + record->size);
                p += 2u + record->size;
            }
        }
        uint8_t *names = header[2] != 0 ? header + 2 : header + 3;
        if (first->type == TYPE_NS) {
            *names |= names_of_ns(p - bytes, bytes, name, name_size);
        } else if (first->type == TYPE_SOA) {
            *names |= names_of_soa(p - bytes, name, name_size);
        }
        for (size_t at = start; mixed && report != NULL && at < i; at++) {
            if (gather->records[at].ttl != earliest->ttl) {
                report(context, GATHER_TTL_MISMATCH, &gather->records[at]);
            }
        }
    }
    if ((flags & OWNER_OTHER_CLASS) != 0) {
        p = write_u16(p, gather->class);
    }
    REQUIRE(p == (uint8_t *)out + block_size);
}

struct owner *owner_new_empty(struct pool_cache *cache, const uint8_t *name, size_t name_size,
                              uint64_t hash)
{
    static const struct gather nothing = {0};
    struct gather_size size = {0};
    struct owner *owner = pool_alloc(cache, owner_block_size(name_size, 0));
    gather_write(&nothing, name, name_size, hash, &size, owner_flags(name, 0, false), owner, NULL,
                 NULL);
    return owner;
}
