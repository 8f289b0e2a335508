/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A step from one version to the next while it is being made: whose nodes may be changed in place,
 * what was replaced, and how many bytes the indexes take. lineage.c says what happens to it.
 */
#ifndef ZONE_STEP_IMPL_H
#define ZONE_STEP_IMPL_H

#include "base/pool.h"
#include "zone/owner.h"

struct tree_node;

/* What can be retired; the kind stands in the low bits of the pointer. */
enum retired_kind { RETIRED_OWNER, RETIRED_NODE, RETIRED_PAGE, RETIRED_TABLE };

struct retired {
    uintptr_t *items;
    size_t count;
    size_t capacity;
};

struct step {
    struct pool_cache cache;
    uint64_t stamp; /* of everything it makes; ascending in a line */
    unsigned apex_labels;
    struct retired retired;
    int64_t index_bytes; /* taken minus given back by nodes, pages and tables */
};

void step_init(struct step *step, uint64_t stamp, unsigned apex_labels);
/* Frees the list; what is on it belongs to others. */
void step_deinit(struct step *step);
void retired_add(struct retired *retired, const void *object, enum retired_kind kind);
void retired_deinit(struct retired *retired);

/* Memory of the indexes, counted. */
static inline void *step_alloc(struct step *step, size_t size)
{
    step->index_bytes += (int64_t)pool_rounded_size(size);
    return pool_alloc(&step->cache, size);
}

/* The object leaves the new version: given back at once where this step made it, else retired. */
static inline void step_retire(struct step *step, void *object, uint64_t stamp, size_t size,
                               enum retired_kind kind)
{
    step->index_bytes -= (int64_t)pool_rounded_size(size);
    if (stamp == step->stamp) {
        pool_release(&step->cache, object, size);
    } else {
        retired_add(&step->retired, object, kind);
    }
}

#endif
