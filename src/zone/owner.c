/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading owners, and what is wrong with them: owner_rrsets.h has how they lie.
 */
#include "zone/owner.h"

#include "zone/owner_impl.h"

#define TTL_OF(code)                                                                               \
    ((code) <= TTL_MINUTES    ? (code)                                                             \
     : (code) <= TTL_HOURS    ? ((code)-TTL_MINUTES) * 60u                                         \
     : (code) <= TTL_DAYS + 1 ? ((code)-TTL_HOURS) * 3600u                                         \
                              : ((code)-TTL_DAYS) * 86400u)
#define TTL_4(code)  TTL_OF((code)), TTL_OF((code) + 1u), TTL_OF((code) + 2u), TTL_OF((code) + 3u)
#define TTL_16(code) TTL_4((code)), TTL_4((code) + 4u), TTL_4((code) + 8u), TTL_4((code) + 12u)

const uint32_t ttl_of_codes[UINT8_MAX + 1] = {
    TTL_16(0u),   TTL_16(16u),  TTL_16(32u),  TTL_16(48u),  TTL_16(64u),  TTL_16(80u),
    TTL_16(96u),  TTL_16(112u), TTL_16(128u), TTL_16(144u), TTL_16(160u), TTL_16(176u),
    TTL_16(192u), TTL_16(208u), TTL_16(224u), TTL_16(240u),
};

HOT bool owner_next_rrset(const struct owner *owner, size_t *offset, struct rrset *out)
{
    const uint8_t *first = owner_first_rrset(owner);
    const uint8_t *p = first + *offset;
    if (p >= owner_rrsets_end(owner)) {
        return false;
    }
    rrset_read(p, out);
    *offset = (size_t)(out->records.data + out->records.size - first);
    return true;
}

HOT bool owner_find_rrset(const struct owner *owner, uint16_t type, struct rrset *out)
{
    return owner_find(owner, type, out);
}

HOT bool owner_find_rrsig(const struct owner *owner, uint16_t covered, struct rrset *out)
{
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = rrset_u16(p);
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
    const uint8_t *end = owner_rrsets_end(owner);
    const uint8_t *found = NULL;
    const uint8_t *signature = NULL;
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t here = rrset_u16(p);
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
    out->class =
        (owner->flags & OWNER_OTHER_CLASS) == 0 ? CLASS_IN : rrset_u16(owner_rrsets_end(owner));
    out->ttl = walk->rrset.ttl;
    return rrset_next_rdata(&walk->rrset, &walk->rdata_offset, &out->rdata);
}

uint32_t owner_record_count(const struct owner *owner)
{
    uint32_t count = 0;
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        count += rrset_count(p);
    }
    return count;
}

const char *owner_conflict(const struct owner *owner)
{
    bool has_cname = false;
    bool has_other = false;
    const uint8_t *end = owner_rrsets_end(owner);
    for (const uint8_t *p = owner_first_rrset(owner); p < end; p = rrset_skip(p)) {
        uint16_t type = rrset_u16(p);
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
