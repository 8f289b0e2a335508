/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An owner: one name of a version with all its RRsets, in one contiguous, immutable block.
 *
 *   struct owner   header, then the name (wire form, case kept), then the RRsets one after the other:
 *   RRset          type u16 · count u16 · ttl u32 · size u32 (octets of the records), host order,
 *                  unaligned; then the records in canonical order of their rdata, each
 *                  rdlength u16 (network order, as on the wire) and uncompressed rdata.
 *
 * RRsets stand in the order of their types; RRSIGs form one RRset per type they cover. An owner
 * without RRsets is an empty non-terminal. Nothing in an owner points outside of it, so a delta
 * copies only owners that it changes.
 */
#ifndef ZONE_OWNER_H
#define ZONE_OWNER_H

#include "base/attr.h"
#include "base/slice.h"
#include "wire/name.h"
#include "wire/record.h"

enum {
    OWNER_APEX = 1,
    OWNER_CUT = 2, /* NS below the apex: a delegation */
    OWNER_DNAME = 4,
    OWNER_CNAME = 8,
    OWNER_NSEC3_ONLY = 16,   /* exists only as the name of an NSEC3 record (RFC 5155 7.2.8) */
    OWNER_WILDCARD = 32,     /* leftmost label is "*" */
    OWNER_NSEC = 64,         /* has an NSEC RRset */
    OWNER_OTHER_CLASS = 128, /* not class IN: the last two octets of the block are the class */
};

struct owner {
    uint64_t hash;       /* name_hash() of the name under the version's key */
    uint32_t size_bytes; /* of the whole block */
    uint16_t rrset_count;
    uint8_t flags; /* OWNER_… */
    uint8_t name_size;
    uint8_t bytes[]; /* name, RRsets */
};

/* A view of one RRset inside an owner. */
struct rrset {
    uint16_t type;
    uint16_t covers; /* RRSIG: the type covered, else 0 */
    uint16_t count;
    uint32_t ttl;
    struct slice records; /* rdlength and rdata, `count` times */
};

static inline const uint8_t *owner_name(const struct owner *owner)
{
    return owner->bytes;
}

/* RRsets in order: start with *offset = 0; false at the end. */
bool owner_next_rrset(const struct owner *owner, size_t *offset, struct rrset *out);
/* The RRset of `type` (not RRSIG). O(RRsets). */
bool owner_find_rrset(const struct owner *owner, uint16_t type, struct rrset *out);
/* The RRSIGs over `covered`. */
bool owner_find_rrsig(const struct owner *owner, uint16_t covered, struct rrset *out);
/* Records in order: start with *offset = 0; false at the end. */
static inline bool rrset_next_rdata(const struct rrset *rrset, size_t *offset, struct slice *rdata)
{
    if (*offset >= rrset->records.size) {
        return false;
    }
    const uint8_t *p = rrset->records.data + *offset;
    *rdata = slice_of(p + 2, get_u16(p));
    *offset += 2 + rdata->size;
    return true;
}
/* All records of the owner in order. Start with a zeroed walk. */
struct owner_walk {
    size_t rrset_offset;
    size_t rdata_offset;
    struct rrset rrset;
    bool in_rrset;
};
bool owner_next_record(const struct owner *owner, struct owner_walk *walk, struct record *out);

#endif
