/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RRsets of an owner, read where they lie; inline, for the answer path. The block is a row of
 * RRsets of known size (owner.h), so that finding a type is a few additions within one or two cache
 * lines: no table of types, no pointers. Fields are unaligned and read with memcpy.
 *
 * RRSIGs sort as type 46 and, among themselves, by the type they cover, since that is how their
 * rdata starts; so the records of an owner come out in canonical order by walking on.
 */
#ifndef ZONE_OWNER_RRSETS_H
#define ZONE_OWNER_RRSETS_H

#include "wire/rrtype.h"
#include "zone/owner.h"

/*
 * An RRset's header, host order, unaligned:
 *
 *   short  type u16 · count u6, not 0 · names u2 · TTL's code u8 · size u16, octets of the records
 *   long   type u16 · 0 u8 · names u8 · count u16 · ttl u32 · size u32
 *
 * Short where 6 and 16 bits take count and size and the TTL has a code. `names` are RRSET_NAMES_… of
 * owner.h, the top bits of an octet. Codes of TTLs stand for what people write: 0 to 59 seconds, 1 to
 * 59 minutes, 1 to 47 hours, 2 to 90 days.
 */
enum {
    RRSET_SHORT_SIZE = 6,
    RRSET_SHORT_COUNT = 63, /* the most that it takes, and the bits */
    RRSET_LONG_SIZE = 14,
    TTL_MINUTES = 59,
    TTL_HOURS = 118,
    TTL_DAYS = 164,
    TTL_LAST = 254,
    TTL_UNCODED = 255,
};

/* The TTL of each code. */
extern const uint32_t ttl_of_codes[UINT8_MAX + 1];

static ALWAYS_INLINE uint32_t ttl_of_code(uint8_t code)
{
    return ttl_of_codes[code];
}

static ALWAYS_INLINE uint16_t rrset_u16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static ALWAYS_INLINE uint32_t rrset_u32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static ALWAYS_INLINE const uint8_t *owner_first_rrset(const struct owner *owner)
{
    const uint8_t *p = owner->bytes + owner->name_size;
    return LIKELY(owner->size_short != 0) ? p : p + sizeof(uint32_t);
}

static ALWAYS_INLINE const uint8_t *owner_rrsets_end(const struct owner *owner)
{
    const uint8_t *end = (const uint8_t *)owner + owner_size(owner);
    return UNLIKELY((owner->flags & OWNER_OTHER_CLASS) != 0) ? end - 2 : end;
}

/* The RRset behind the one at `p`. */
static ALWAYS_INLINE const uint8_t *rrset_skip(const uint8_t *p)
{
    return LIKELY(p[2] != 0) ? p + RRSET_SHORT_SIZE + rrset_u16(p + 4)
                             : p + RRSET_LONG_SIZE + rrset_u32(p + 10);
}

static ALWAYS_INLINE const uint8_t *rrset_records(const uint8_t *p)
{
    return p + (LIKELY(p[2] != 0) ? RRSET_SHORT_SIZE : RRSET_LONG_SIZE);
}

static ALWAYS_INLINE unsigned rrset_count(const uint8_t *p)
{
    return LIKELY(p[2] != 0) ? p[2] & RRSET_SHORT_COUNT : rrset_u16(p + 4);
}

static ALWAYS_INLINE void rrset_read(const uint8_t *p, struct rrset *out)
{
    out->type = rrset_u16(p);
    if (LIKELY(p[2] != 0)) {
        out->count = p[2] & RRSET_SHORT_COUNT;
        out->names = p[2] & (RRSET_NAMES_ALIKE | RRSET_NAMES_BELOW);
        out->ttl = ttl_of_code(p[3]);
        out->records = slice_of(p + RRSET_SHORT_SIZE, rrset_u16(p + 4));
    } else {
        out->count = rrset_u16(p + 4);
        out->names = p[3];
        out->ttl = rrset_u32(p + 6);
        out->records = slice_of(p + RRSET_LONG_SIZE, rrset_u32(p + 10));
    }
    out->covers = UNLIKELY(out->type == TYPE_RRSIG) ? get_u16(out->records.data + 2) : 0;
}

/* Whether there is an RRset of the type (not RRSIG). */
static ALWAYS_INLINE bool owner_has_type(const struct owner *owner, uint16_t type)
{
    const uint8_t *end = owner_rrsets_end(owner);
    const uint8_t *p = owner_first_rrset(owner);
    while (p < end && rrset_u16(p) < type) {
        p = rrset_skip(p);
    }
    return p < end && rrset_u16(p) == type;
}

/* owner_find_rrset(), inline. */
static ALWAYS_INLINE bool owner_find(const struct owner *owner, uint16_t type, struct rrset *out)
{
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = rrset_u16(p);
        if (here >= type) {
            if (here == type && type != TYPE_RRSIG) {
                rrset_read(p, out);
                return true;
            }
            return false;
        }
    }
    return false;
}

#endif
