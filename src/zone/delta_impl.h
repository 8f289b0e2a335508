/* SPDX-License-Identifier: BSD-3-Clause */
/* Deltas from the inside. */
#ifndef ZONE_DELTA_IMPL_H
#define ZONE_DELTA_IMPL_H

#include "base/memory.h"
#include "zone/delta.h"
#include "zone/owner_impl.h"
#include "zone/version_impl.h"

struct change {
    uint64_t head;        /* tree_head of the owner */
    const uint8_t *owner; /* in the arena; consecutive changes of one owner share it */
    const uint8_t *rdata;
    uint32_t ttl;
    uint16_t type;
    uint16_t rdata_size;
    bool removes;
    uint8_t owner_size;
};

struct delta {
    struct name zone;
    uint16_t class;
    uint8_t zone_labels;
    bool sealed;
    struct arena arena;
    struct change *changes;
    size_t count;
    size_t capacity;
    /* Of a sealed one: */
    uint32_t *ixfr;       /* indexes without the SOAs: removals, then additions */
    size_t removed_count; /* SOA included */
    size_t soa[2];        /* index of the SOA added, removed */
    struct serial serials[2];
};

/* What leads from one owner to another of the same name; either may be NULL. At the apex the SOA is
 * always among it. */
void delta_put_owners(struct delta *delta, const struct owner *before, const struct owner *after);

static inline struct slice change_rdata(const struct change *change)
{
    return slice_of(change->rdata, change->rdata_size);
}

/* Of owners, and of type and rdata. */
static inline int change_owner_order(const struct change *a, const struct change *b)
{
    if (a->head != b->head) {
        return a->head < b->head ? -1 : 1;
    }
    return a->owner == b->owner ? 0 : name_compare(a->owner, b->owner);
}

static inline int change_record_order(const struct change *a, const struct change *b)
{
    return record_order(a->type, change_rdata(a), b->type, change_rdata(b));
}

/* The same record in the same spelling, whichever way it goes. */
static inline bool change_same_octets(const struct change *a, const struct change *b)
{
    return a->ttl == b->ttl && a->type == b->type &&
           slice_equal(change_rdata(a), change_rdata(b)) &&
           (a->owner == b->owner ||
            (a->owner_size == b->owner_size && memcmp(a->owner, b->owner, a->owner_size) == 0));
}

#endif
