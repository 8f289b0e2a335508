/* SPDX-License-Identifier: BSD-3-Clause */
/* Making owners: records are gathered in any order, then packed into one block. */
#ifndef ZONE_OWNER_IMPL_H
#define ZONE_OWNER_IMPL_H

#include "base/error.h"
#include "base/pool.h"
#include "wire/rdata.h"
#include "zone/owner_rrsets.h"

static inline uint8_t ttl_code(uint32_t ttl)
{
    if (ttl < 60) {
        return (uint8_t)ttl;
    }
    if (ttl < 3600) {
        return ttl % 60 == 0 ? (uint8_t)(TTL_MINUTES + ttl / 60) : TTL_UNCODED;
    }
    if (ttl < 48 * 3600) {
        return ttl % 3600 == 0 ? (uint8_t)(TTL_HOURS + ttl / 3600) : TTL_UNCODED;
    }
    return ttl % 86400 == 0 && ttl / 86400 <= TTL_LAST - TTL_DAYS
               ? (uint8_t)(TTL_DAYS + ttl / 86400)
               : TTL_UNCODED;
}

static inline size_t rrset_header_size(size_t count, uint32_t ttl, size_t size)
{
    return count <= RRSET_SHORT_COUNT && size <= UINT16_MAX && ttl_code(ttl) != TTL_UNCODED
               ? RRSET_SHORT_SIZE
               : RRSET_LONG_SIZE;
}

/* For giving back to the pool what a version holds as const. */
static inline void *unconst(const void *pointer)
{
    return (void *)(uintptr_t)pointer;
}

static inline uint16_t record_covers(uint16_t type, struct slice rdata)
{
    return type == TYPE_RRSIG && rdata.size >= 2 ? get_u16(rdata.data) : 0;
}

/* Canonical order of rdata of one type. As rdata_compare, but most pairs are told apart by the
 * first octets that differ: only where one of them may be an upper-case letter of a name does the
 * type's form matter. */
static inline int rdata_order(uint16_t type, struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    for (size_t at = 0; at < size; at++) {
        uint8_t x = a.data[at];
        uint8_t y = b.data[at];
        if (x != y) {
            if ((uint8_t)(x - 'A') < 26 || (uint8_t)(y - 'A') < 26) {
                return rdata_compare(type, a, b);
            }
            return x < y ? -1 : 1;
        }
    }
    return (a.size > b.size) - (a.size < b.size);
}

/* Where records stand in an owner: by type, covered type, rdata. */
static inline int record_order(uint16_t type_a, struct slice a, uint16_t type_b, struct slice b)
{
    if (type_a != type_b) {
        return type_a < type_b ? -1 : 1;
    }
    return rdata_order(type_a, a, b); /* RRSIG rdata starts with the type covered */
}

/* One record that was gathered; its rdlength and rdata stand in the gather's bytes. */
struct gathered {
    const char *file; /* borrowed; NULL: none */
    uint32_t line;
    uint32_t ttl;
    uint32_t offset; /* ascending in order of arrival */
    uint16_t type;
    uint16_t size; /* of the rdata */
};

/* The records of one owner on their way into a block. One owner thread. Starts zeroed but for its
 * class; gather_reset() before use. */
struct gather {
    struct gathered *records;
    uint8_t *bytes;
    size_t count;
    size_t capacity;
    size_t used;
    size_t room;
    uint16_t class;
    bool ordered; /* records stand in order, without duplicates */
    bool is_lent; /* `records` and `bytes` are the caller's still */
};

/* Room that small owners do with: part of what its user allocates anyway, or of its stack. */
struct gather_room {
    struct gathered records[16];
    uint8_t bytes[512];
};

/* `room` is borrowed until deinit; of a zeroed one, before anything is gathered. */
void gather_lend(struct gather *gather, struct gather_room *room);

void gather_reset(struct gather *gather);
void gather_deinit(struct gather *gather);
/* The rdata is copied. ERR_LIMIT past 1 GiB for one owner. */
MUST_CHECK enum result gather_add(struct gather *gather, const struct record *record,
                                  const char *file, uint32_t line, struct error *err);

static inline struct slice gathered_rdata(const struct gather *gather,
                                          const struct gathered *record)
{
    return slice_of(gather->bytes + record->offset + 2, record->size);
}

/* What is wrong with what was gathered; `record` is the one that came later. */
enum gather_flaw { GATHER_DUPLICATE, GATHER_TTL_MISMATCH };
typedef void gather_report(void *context, enum gather_flaw flaw, const struct gathered *record);

/* Sorts and merges duplicates (the first one stays). `report` may be NULL. */
void gather_sort(struct gather *gather, gather_report *report, void *context);

/* What an owner needs, once sorted. */
struct gather_size {
    size_t bytes;           /* of the RRsets, and of the class where it is not IN */
    uint32_t largest_rrset; /* records in it */
    uint32_t type_count;    /* RRSIGs count as one type */
    uint8_t flags;          /* OWNER_… as far as the RRsets tell */
    bool has_singleton;     /* SOA, CNAME or DNAME: what owner_conflict() looks for */
};
/* ERR_LIMIT: an RRset of more records than 16 bits count. */
void gather_measure(const struct gather *gather, struct gather_size *out);

/* Octets of a whole block. */
static inline size_t owner_block_size(size_t name_size, size_t rrset_bytes)
{
    size_t size = OWNER_HEADER_SIZE + name_size + rrset_bytes;
    return size <= UINT16_MAX ? size : size + sizeof(uint32_t);
}

/* Writes the block to `out` (owner_block_size octets). Each RRset gets the TTL of its record that
 * came first. `name` of name_size octets; `flags` as measured plus OWNER_APEX. */
void gather_write(const struct gather *gather, const uint8_t *name, size_t name_size, uint64_t hash,
                  const struct gather_size *size, uint8_t flags, struct owner *out,
                  gather_report *report, void *context);

/* Flags that follow from name and RRsets: the cut only below the apex, the wildcard label. */
static inline uint8_t owner_flags(const uint8_t *name, uint8_t measured, bool is_apex)
{
    uint8_t flags = measured;
    if (is_apex) {
        flags = (uint8_t)((flags & ~(OWNER_CUT | OWNER_NSEC3_ONLY)) | OWNER_APEX);
    }
    if (name_is_wildcard(name)) {
        flags |= OWNER_WILDCARD;
    }
    return flags;
}

/* An owner without RRsets, from the pool. */
struct owner *owner_new_empty(struct pool_cache *cache, const uint8_t *name, size_t name_size,
                              uint64_t hash);
static inline void owner_release(struct pool_cache *cache, const struct owner *owner)
{
    pool_release(cache, unconst(owner), owner_size(owner));
}

uint32_t owner_record_count(const struct owner *owner);
/* The types that may not stand together do: the sentence's end, or NULL. */
const char *owner_conflict(const struct owner *owner);

#endif
