/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading owners. The block is a row of RRsets of known size (owner.h), so that finding a type is
 * a few additions within one or two cache lines: no table of types, no pointers. Fields of an RRset
 * are unaligned and read with memcpy.
 *
 * RRSIGs sort as type 46 and, among themselves, by the type they cover, since that is how their
 * rdata starts; so the records of an owner come out in canonical order by walking on.
 */
#include "zone/owner.h"

#include "zone/owner_impl.h"

static ALWAYS_INLINE uint16_t read_u16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static ALWAYS_INLINE uint32_t read_u32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static ALWAYS_INLINE const uint8_t *first_rrset(const struct owner *owner)
{
    const uint8_t *p = owner->bytes + owner->name_size;
    return LIKELY(owner->size_short != 0) ? p : p + sizeof(uint32_t);
}

static ALWAYS_INLINE const uint8_t *rrsets_end(const struct owner *owner)
{
    const uint8_t *end = (const uint8_t *)owner + owner_size(owner);
    return (owner->flags & OWNER_OTHER_CLASS) != 0 ? end - 2 : end;
}

/* The RRset behind the one at `p`. */
static ALWAYS_INLINE const uint8_t *rrset_skip(const uint8_t *p)
{
    return LIKELY(p[2] != 0) ? p + RRSET_SHORT_SIZE + read_u16(p + 4)
                             : p + RRSET_LONG_SIZE + read_u32(p + 10);
}

static ALWAYS_INLINE const uint8_t *rrset_records(const uint8_t *p)
{
    return p + (LIKELY(p[2] != 0) ? RRSET_SHORT_SIZE : RRSET_LONG_SIZE);
}

static ALWAYS_INLINE unsigned rrset_count(const uint8_t *p)
{
    return LIKELY(p[2] != 0) ? p[2] : read_u16(p + 4);
}

static ALWAYS_INLINE void rrset_read(const uint8_t *p, struct rrset *out)
{
    out->type = read_u16(p);
    if (LIKELY(p[2] != 0)) {
        out->count = p[2];
        out->ttl = ttl_of_code(p[3]);
        out->records = slice_of(p + RRSET_SHORT_SIZE, read_u16(p + 4));
    } else {
        out->count = read_u16(p + 4);
        out->ttl = read_u32(p + 6);
        out->records = slice_of(p + RRSET_LONG_SIZE, read_u32(p + 10));
    }
    out->covers = out->type == TYPE_RRSIG ? get_u16(out->records.data + 2) : 0;
}

HOT bool owner_next_rrset(const struct owner *owner, size_t *offset, struct rrset *out)
{
    const uint8_t *first = first_rrset(owner);
    const uint8_t *p = first + *offset;
    if (p >= rrsets_end(owner)) {
        return false;
    }
    rrset_read(p, out);
    *offset = (size_t)(out->records.data + out->records.size - first);
    return true;
}

HOT bool owner_find_rrset(const struct owner *owner, uint16_t type, struct rrset *out)
{
    const uint8_t *end = rrsets_end(owner);
    for (const uint8_t *p = first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = read_u16(p);
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

HOT bool owner_find_rrsig(const struct owner *owner, uint16_t covered, struct rrset *out)
{
    const uint8_t *end = rrsets_end(owner);
    for (const uint8_t *p = first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = read_u16(p);
        if (here > TYPE_RRSIG) {
            return false;
        }
        if (here == TYPE_RRSIG) {
            rrset_read(p, out);
            if (out->covers >= covered) {
                return out->covers == covered;
            }
        }
    }
    return false;
}

/* Signatures stand before the types above RRSIG (NSEC, NSEC3, DNSKEY …) and behind all others. */
HOT bool owner_find_signed(const struct owner *owner, uint16_t type, struct rrset *out,
                           struct rrset *signatures)
{
    const uint8_t *end = rrsets_end(owner);
    const uint8_t *found = NULL;
    const uint8_t *signature = NULL;
    for (const uint8_t *p = first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = read_u16(p);
        if (here == TYPE_RRSIG) {
            if (get_u16(rrset_records(p) + 2) == type) {
                signature = p;
                if (found != NULL) {
                    break;
                }
            }
        } else if (here == type) {
            found = p;
            if (type > TYPE_RRSIG) {
                break;
            }
        }
        if (here > type && (found == NULL || here > TYPE_RRSIG)) {
            break;
        }
    }
    signatures->count = 0;
    if (found == NULL) {
        return false;
    }
    rrset_read(found, out);
    if (signature != NULL) {
        rrset_read(signature, signatures);
    }
    return true;
}

bool owner_next_record(const struct owner *owner, struct owner_walk *walk, struct record *out)
{
    if (!walk->in_rrset || walk->rdata_offset >= walk->rrset.records.size) {
        if (!owner_next_rrset(owner, &walk->rrset_offset, &walk->rrset)) {
            return false;
        }
        walk->rdata_offset = 0;
        walk->in_rrset = true;
    }
    out->owner = owner->bytes;
    out->type = walk->rrset.type;
    out->class = (owner->flags & OWNER_OTHER_CLASS) == 0 ? CLASS_IN : read_u16(rrsets_end(owner));
    out->ttl = walk->rrset.ttl;
    return rrset_next_rdata(&walk->rrset, &walk->rdata_offset, &out->rdata);
}

uint32_t owner_record_count(const struct owner *owner)
{
    uint32_t count = 0;
    const uint8_t *end = rrsets_end(owner);
    for (const uint8_t *p = first_rrset(owner); p < end; p = rrset_skip(p)) {
        count += rrset_count(p);
    }
    return count;
}

const char *owner_conflict(const struct owner *owner)
{
    bool has_cname = false;
    bool has_other = false;
    const uint8_t *end = rrsets_end(owner);
    for (const uint8_t *p = first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t type = read_u16(p);
        unsigned count = rrset_count(p);
        if (type == TYPE_CNAME) {
            has_cname = true;
        } else if (type != TYPE_RRSIG && type != TYPE_NSEC && type != TYPE_KEY &&
                   type != TYPE_SIG && type != TYPE_NXT && type != TYPE_NSEC3) {
            has_other = true;
        }
        if (type == TYPE_SOA && (owner->flags & OWNER_APEX) == 0) {
            return "SOA below the apex";
        }
        if (count > 1 && (type == TYPE_CNAME || type == TYPE_DNAME || type == TYPE_SOA)) {
            return type == TYPE_CNAME   ? "several CNAME records"
                   : type == TYPE_DNAME ? "several DNAME records"
                                        : "several SOA records";
        }
    }
    return has_cname && has_other ? "CNAME beside other data" : NULL;
}
