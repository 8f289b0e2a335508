/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions from the inside, and the line of versions that they share memory with (lineage.c). */
#ifndef ZONE_VERSION_IMPL_H
#define ZONE_VERSION_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "zone/hash_index_impl.h"
#include "zone/tree_impl.h"
#include "zone/version.h"
#include "zone/version_pool.h"

enum {
    TREE_NAMES,
    TREE_NSEC3,
    TREES
}; /* owners that are only NSEC3 stand in a tree of their own */

/* What a version counts of its owners. */
struct totals {
    uint64_t records;
    uint64_t owner_bytes;
    uint32_t owners;
    uint32_t wildcards;
    uint32_t nsec;
    uint32_t nsec3;
};

struct zone_version {
    /* What a lookup reads, in one line. */
    struct hash_index index;
    const struct owner *apex;
    uint32_t wildcards;
    uint16_t class;
    uint8_t apex_labels;
    uint8_t apex_flags;
    uint64_t apex_hash;
    struct tree_node *trees[TREES];

    _Atomic(uint32_t) references;
    struct serial serial;
    struct totals totals;
    uint64_t index_bytes;

    /* Under the line's mutex. */
    struct lineage *lineage;
    uint64_t stamp;
    struct zone_version *parent;
    struct zone_version *first_child;
    struct zone_version *next_sibling;
    struct retired retired; /* what the parent has and this one has not */
    bool is_dead;           /* nobody refers to it, but two versions were derived from it */
};

struct lineage {
    pthread_mutex_t mutex;
    uint64_t last_stamp;
};

static inline unsigned owner_tree(const struct owner *owner)
{
    return (owner->flags & OWNER_NSEC3_ONLY) != 0 ? TREE_NSEC3 : TREE_NAMES;
}

/* Adds (sign 1) or takes away (-1) what an owner counts; all but its records, whose number the
 * caller knows at less cost. */
void totals_count(struct totals *totals, const struct owner *owner, int sign);

/*
 * Begins a step: from `parent`, or (NULL) to the first version of a new line. What the step makes
 * is released with the version; where no version comes of it, the caller releases it.
 */
void version_step_begin(struct step *step, struct zone_version *parent, unsigned apex_labels);

/* The parts of a version about to be. */
struct version_parts {
    struct hash_index index;
    struct tree_node *trees[TREES];
    const struct owner *apex;
    struct totals totals;
    uint16_t class;
};
/* Ends the step; gives one reference. The apex has a SOA. */
struct zone_version *version_step_commit(struct step *step, struct zone_version *parent,
                                         const struct version_parts *parts);

struct version_parts version_parts_of(const struct zone_version *version);

/* Changes in both indexes and the totals but for totals.records, within a step. */
void version_insert(struct step *step, struct version_parts *parts, const struct owner *owner);
void version_replace(struct step *step, struct version_parts *parts, const struct owner *before,
                     const struct owner *after);
void version_remove(struct step *step, struct version_parts *parts, const struct owner *owner);

/* The hash of a name in the zone: name_hash() without the apex's part. */
static inline uint64_t version_hash(const struct zone_version *version, const uint8_t *name,
                                    size_t name_size)
{
    uint8_t labels[NAME_MAX_LABELS];
    unsigned count = 0;
    size_t below = name_size - version->apex->name_size;
    for (size_t at = 0; at < below; at += 1u + name[at]) {
        labels[count++] = (uint8_t)at;
    }
    uint64_t hash = version->apex_hash;
    while (count > 0) {
        hash = name_hash_label(hash, name + labels[--count]);
    }
    return hash;
}

#endif
