/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing a response.
 *
 * Compression. A name is written as its labels up to the longest tail that stands in the message
 * already. The names that were written are kept in a small list: where each was read from, where it
 * stands, and how much of it was written out. A new name is compared with each of them, by whole
 * tails and only where their last two octets agree, which most do not: less than half of what a
 * table of hashed tails costs (docs/decisions/answer-path.md). Of each name in the list only what
 * was written out counts: the rest of it is the tail of another. When the list is full, later names
 * only use what is in it.
 *
 * Matching ignores case, so a name may take over the case of the question: it is equal by RFC 4343,
 * and the densest. Offsets from 0x4000 on cannot be pointed at and are not remembered.
 *
 * Which rdata is compressed follows from the table of record types: only names that RFC 3597 4
 * allows, and those stand in the first two fields of a type (CNAME, NS, PTR, MX, SOA …). A name in
 * other rdata is written whole, and later ones may point at it: the CNAME of a DNAME ends in its
 * target, the addresses of an SRV belong to its. So a tail may stand twice; the first serves.
 */
#include "answer/response.h"

#include "wire/rdata.h"
#include "wire/rrtype.h"

/* How many octets of `name` stand before its longest tail that was written out below `before`, and
 * where that tail stands; `before` where there is none. */
static ALWAYS_INLINE size_t match_tail(const struct response_name *known, const uint8_t *name,
                                       size_t size, size_t before, uint16_t *out_place)
{
    size_t at = 0;
    size_t there = 0;
    while (at < before && there < known->literal) {
        size_t left = size - at;
        size_t left_there = known->size - there;
        if (left == left_there) {
            if (octets_equal(name + at, known->wire + there, left)) {
                *out_place = (uint16_t)(known->place + there);
                return at;
            }
            there += 1u + known->wire[there];
        }
        if (left < left_there) {
            there += 1u + known->wire[there];
        } else {
            at += 1u + name[at];
        }
    }
    return before;
}

/* Takes back what was written from `size` on. */
static COLD void forget(struct response *r, size_t size)
{
    r->size = size;
    r->last_name = 0;
    while (r->name_count != 0 && r->names[r->name_count - 1].place >= size) {
        r->name_count--;
    }
}

static ALWAYS_INLINE bool fits(const struct response *r, size_t size)
{
    return size <= r->limit - r->size;
}

/* How many octets of `name`, longer than the root, have to be written out, and where what follows
 * stands; 0: nowhere, it is the root label. */
static ALWAYS_INLINE size_t find_tail(const struct response *r, const uint8_t *name, size_t size,
                                      uint16_t *out_place)
{
    uint16_t ending = response_name_ending(name, size);
    size_t literal = size - 1;
    *out_place = 0;
    /* The question and the names that came first are those in which others end. */
    for (unsigned i = 0; i < r->name_count && literal != 0; i++) {
        if (r->names[i].ending == ending) {
            literal = match_tail(&r->names[i], name, size, literal, out_place);
        }
    }
    return literal;
}

static ALWAYS_INLINE void put_name(struct response *r, const uint8_t *name, size_t size,
                                   size_t literal, uint16_t tail)
{
    uint8_t *out = r->data + r->size;
    octets_copy(out, name, literal);
    if (tail != 0) {
        put_u16(out + literal, 0xc000 | tail);
    } else {
        out[literal] = 0;
    }
    r->last_name = tail;
    if (LIKELY(literal != 0)) {
        response_know_name(r, name, size, literal, r->size);
        r->last_name = (uint16_t)(r->size < RESPONSE_POINTER_LIMIT ? r->size : 0);
    }
    r->size += literal + (tail != 0 ? 2 : 1);
}

static ALWAYS_INLINE void put_root(struct response *r)
{
    r->data[r->size++] = 0;
    r->last_name = 0;
}

HOT size_t response_put_name(struct response *r, const uint8_t *name, size_t size)
{
    if (size == 1) {
        put_root(r);
        return 0;
    }
    uint16_t tail;
    size_t literal = find_tail(r, name, size, &tail);
    put_name(r, name, size, literal, tail);
    return literal;
}

HOT static bool write_name(struct response *r, const uint8_t *name, size_t size)
{
    if (size == 1) {
        if (!fits(r, 1)) {
            return false;
        }
        put_root(r);
        return true;
    }
    uint16_t tail;
    size_t literal = find_tail(r, name, size, &tail);
    if (!fits(r, literal + (tail != 0 ? 2 : 1))) {
        return false;
    }
    put_name(r, name, size, literal, tail);
    return true;
}

static ALWAYS_INLINE bool write_owner(struct response *r, struct response_owner *owner)
{
    if (owner->offset != 0) {
        if (!fits(r, 2)) {
            return false;
        }
        put_u16(r->data + r->size, 0xc000 | owner->offset);
        r->size += 2;
        return true;
    }
    if (!write_name(r, owner->name, name_size(owner->name))) {
        return false;
    }
    owner->offset = r->last_name;
    return true;
}

static ALWAYS_INLINE bool write_bytes(struct response *r, const uint8_t *bytes, size_t size)
{
    if (!fits(r, size)) {
        return false;
    }
    octets_copy(r->data + r->size, bytes, size);
    r->size += size;
    return true;
}

/* Rdata of a type whose names are compressed, with its length. */
static bool write_compressed_rdata(struct response *r, const struct rrtype *rrtype,
                                   struct slice rdata)
{
    size_t length_at = r->size;
    size_t at = 0;
    if (!fits(r, 2)) {
        return false;
    }
    r->size += 2;
    if (rrtype->fields[1] == FIELD_END) { /* nothing but a name */
        if (!write_name(r, rdata.data, rdata.size)) {
            return false;
        }
        put_u16(r->data + length_at, (uint16_t)(r->size - length_at - 2));
        return true;
    }
    for (const uint8_t *field = rrtype->fields; at < rdata.size; field++) {
        size_t size = rdata.size - at;
        if (*field == FIELD_NAME_COMPRESS) {
            if (field[1] != FIELD_END) {
                size = name_size(rdata.data + at);
            }
            if (!write_name(r, rdata.data + at, size)) {
                return false;
            }
        } else {
            size = *field == FIELD_U16 ? 2 : size;
            if (!write_bytes(r, rdata.data + at, size)) {
                return false;
            }
        }
        at += size;
    }
    put_u16(r->data + length_at, (uint16_t)(r->size - length_at - 2));
    return true;
}

/* Rdata that stands at the end of the message as it is: the name in it that others may follow. */
static NOINLINE void know_whole_name(struct response *r, uint16_t type, struct slice rdata)
{
    const uint8_t *name = type == TYPE_DNAME ? rdata.data : rdata_additional_name(type, rdata);
    if (name != NULL && *name != 0) {
        size_t size = name_size(name);
        response_know_name(r, name, size, size - 1,
                           r->size - rdata.size + (size_t)(name - rdata.data));
    }
}

HOT static bool write_records(struct response *r, struct response_owner *owner,
                              const struct rrset *rrset, uint16_t class, uint32_t ttl)
{
    const struct rrtype *rrtype = rrtype_get(rrset->type);
    bool compresses =
        rrtype->fields[0] == FIELD_NAME_COMPRESS || rrtype->fields[1] == FIELD_NAME_COMPRESS;
    bool is_followed =
        !compresses && (rrset->type == TYPE_DNAME || (rrtype->flags & RRTYPE_ADDITIONAL) != 0);
    const uint8_t *p = rrset->records.data;
    const uint8_t *end = p + rrset->records.size;
    uint8_t fixed[8]; /* of every record */
    put_u16(fixed, rrset->type);
    put_u16(fixed + 2, class);
    put_u32(fixed + 4, ttl);
    while (p != end) {
        size_t with_length = 2 + (size_t)get_u16(p);
        if (!write_owner(r, owner) || !fits(r, 8)) {
            return false;
        }
        memcpy(r->data + r->size, fixed, sizeof(fixed));
        r->size += sizeof(fixed);
        if (!(compresses ? write_compressed_rdata(r, rrtype, slice_of(p + 2, with_length - 2))
                         : write_bytes(r, p, with_length))) {
            return false;
        }
        if (UNLIKELY(is_followed)) {
            know_whole_name(r, rrset->type, slice_of(p + 2, with_length - 2));
        }
        p += with_length;
    }
    return true;
}

bool response_write_rrset(struct response *r, enum section section, struct response_owner owner,
                          const struct rrset *rrset, uint16_t class, uint32_t ttl)
{
    return response_write_first(r, section, &owner, rrset, class, ttl);
}

bool response_write_first(struct response *r, enum section section, struct response_owner *owner,
                          const struct rrset *rrset, uint16_t class, uint32_t ttl)
{
    size_t before = r->size;
    if (UNLIKELY(!write_records(r, owner, rrset, class, ttl) ||
                 r->counts[section] + rrset->count > UINT16_MAX)) {
        forget(r, before);
        return false;
    }
    r->counts[section] = (uint16_t)(r->counts[section] + rrset->count);
    return true;
}

struct response_mark response_mark(const struct response *r)
{
    struct response_mark mark = {.size = r->size};
    memcpy(mark.counts, r->counts, sizeof(mark.counts));
    return mark;
}

void response_rewind(struct response *r, const struct response_mark *mark)
{
    forget(r, mark->size);
    memcpy(r->counts, mark->counts, sizeof(r->counts));
}
