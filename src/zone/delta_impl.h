/* SPDX-License-Identifier: BSD-3-Clause */
/* Deltas from the inside. */
#ifndef ZONE_DELTA_IMPL_H
#define ZONE_DELTA_IMPL_H

#include "base/memory.h"
#include "zone/delta.h"
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

#endif
