/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An owner: one name of a version with all its RRsets, in one contiguous, immutable block.
 *
 *   struct owner   header, then the name (wire form, case kept), then the RRsets one after the other:
 *   RRset          a header of 6 or 14 octets (owner_rrsets.h), then the records in canonical order of
 *                  their rdata, each rdlength u16 (network order, as on the wire) and uncompressed
 *                  rdata.
 *
 * RRsets stand in the order of their types; RRSIGs form one RRset per type they cover. An owner
 * without RRsets is an empty non-terminal. Nothing in an owner points outside of it, so a delta
 * copies only owners that it changes.
 */
#ifndef ZONE_OWNER_H
#define ZONE_OWNER_H

#include <stddef.h>
#include <string.h>

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
    uint16_t size_short; /* owner_size() where 16 bits take it; 0: it stands behind the name */
    uint8_t flags;       /* OWNER_… */
    uint8_t name_size;
    uint8_t bytes[]; /* name, RRsets */
};

enum { OWNER_HEADER_SIZE = offsetof(struct owner, bytes) };

/*
 * What the names in an RRset have in common, so that they are compressed without comparisons; bits.
 * Noted for NS and for SOA, whose two names are meant.
 */
enum {
    RRSET_NAMES_ALIKE = 128, /* each is one label before the same rest, which is not the root */
    RRSET_NAMES_BELOW = 64,  /* and the rest is the owner's name. SOA: and the two differ */
};

/* A view of one RRset inside an owner. */
struct rrset {
    uint16_t type;
    uint16_t covers; /* RRSIG: the type covered, else 0 */
    uint16_t count;
    uint8_t names; /* RRSET_NAMES_… */
    uint32_t ttl;
    struct slice records; /* rdlength and rdata, `count` times */
};

static inline const uint8_t *owner_name(const struct owner *owner)
{
    return owner->bytes;
}

/* Octets of the whole block. */
static inline size_t owner_size(const struct owner *owner)
{
    uint32_t size = owner->size_short;
    if (UNLIKELY(size == 0)) {
        memcpy(&size, owner->bytes + owner->name_size, sizeof(size));
    }
    return size;
}

/* An empty non-terminal: no RRsets. */
static inline bool owner_is_empty(const struct owner *owner)
{
    return owner->size_short == (size_t)OWNER_HEADER_SIZE + owner->name_size;
}

/* Both have the same name, records and TTLs, in the same octets. */
static inline bool owner_same(const struct owner *a, const struct owner *b)
{
    size_t size = owner_size(a);
    return size == owner_size(b) && memcmp(a, b, size) == 0;
}

/* RRsets in order: start with *offset = 0; false at the end. */
bool owner_next_rrset(const struct owner *owner, size_t *offset, struct rrset *out);
/* The RRset of `type` (not RRSIG). O(RRsets). */
bool owner_find_rrset(const struct owner *owner, uint16_t type, struct rrset *out);
/* Both in one pass: the RRset of `type` (not RRSIG) and its RRSIGs; signatures->count is 0 where it
 * has none. */
bool owner_find_signed(const struct owner *owner, uint16_t type, struct rrset *out,
                       struct rrset *signatures);
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
