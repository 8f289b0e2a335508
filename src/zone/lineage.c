/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of versions: who frees what, and when.
 *
 * Each version remembers which one it was derived from, and what that one has and it has not: the
 * owners, nodes, pages and tables its step replaced. An object is reached by the version that made
 * it and by a connected piece of the versions derived from it. So when a version goes away, what it
 * alone held is found by looking at its neighbours only:
 *
 *   one child, no parent   what the child's step replaced is free
 *   one child, a parent    of that, what the parent does not reach is free; the rest is what
 *                          the child now lacks of its new parent
 *   no child, a parent     what it made itself is free: nodes with a later stamp than the parent's,
 *                          and the owners in them that the parent does not have
 *   neither                everything
 *   several children       it stays, unreferenced, until one child is left
 *
 * The last case does not happen when a zone just goes on; it keeps branches (an apply whose result
 * was given up, tests) correct. That a version in the middle gives back at once what came and went
 * behind an old one matters: an AXFR of minutes holds one version while thousands follow.
 *
 * "Reached by the parent" is known for nodes, pages and tables from their stamp (the parent and all
 * before it have lower ones), for owners by a hash probe. Nothing is counted per object: a count in
 * every owner would cost a cache miss for each of the thirty owners of a leaf that is copied.
 *
 * The references are atomic; the family tree is under the line's mutex, which only ends of life and
 * commits take: docs/decisions/version-structure.md.
 */
#include "zone/version_impl.h"

#include "base/memory.h"

enum { RETIRED_KIND_MASK = 7 };

void retired_add(struct retired *retired, const void *object, enum retired_kind kind)
{
    if (retired->count == retired->capacity) {
        retired->capacity = retired->capacity * 2 + 16;
        retired->items = memory_resize(retired->items, retired->capacity * sizeof(uintptr_t));
    }
    retired->items[retired->count++] = (uintptr_t)object | kind;
}

void retired_deinit(struct retired *retired)
{
    memory_free(retired->items);
    *retired = (struct retired){0};
}

void step_init(struct step *step, uint64_t stamp, unsigned apex_labels)
{
    pool_cache_init(&step->cache, version_pool());
    step->stamp = stamp;
    step->apex_labels = apex_labels;
    step->retired = (struct retired){0};
    step->index_bytes = 0;
}

void step_deinit(struct step *step)
{
    retired_deinit(&step->retired);
    pool_cache_deinit(&step->cache);
}

static void object_release(struct pool_cache *cache, const void *object, enum retired_kind kind)
{
    const struct tree_node *node = object;
    size_t size = 0;
    switch (kind) {
    case RETIRED_OWNER:
        size = owner_size(object);
        break;
    case RETIRED_NODE:
        size = node_size(node->level, node->capacity, node->prefix_room);
        break;
    case RETIRED_PAGE:
        size = hash_page_size(((const struct hash_page *)object)->bucket_count);
        break;
    case RETIRED_TABLE:
        size = hash_table_size(((const struct hash_table *)object)->count);
        break;
    }
    pool_release(cache, unconst(object), size);
}

/* The stamp stands first in nodes, pages and tables. */
static uint64_t object_stamp(const void *object)
{
    uint64_t stamp;
    memcpy(&stamp, object, sizeof(stamp));
    return stamp;
}

static bool has_owner(const struct zone_version *version, const struct owner *owner)
{
    return hash_index_find(&version->index, owner->hash, owner_name(owner), owner->name_size) ==
           owner;
}

static bool reaches(const struct zone_version *version, const void *object, enum retired_kind kind)
{
    return kind == RETIRED_OWNER ? has_owner(version, object)
                                 : object_stamp(object) <= version->stamp;
}

static struct lineage *lineage_new(struct pool_cache *cache, uint64_t stamp)
{
    struct lineage *lineage = pool_alloc(cache, sizeof(*lineage));
    *lineage = (struct lineage){.last_stamp = stamp};
    REQUIRE(pthread_mutex_init(&lineage->mutex, NULL) == 0);
    return lineage;
}

static void lineage_free(struct pool_cache *cache, struct lineage *lineage)
{
    pthread_mutex_destroy(&lineage->mutex);
    pool_release(cache, lineage, sizeof(*lineage));
}

void version_step_begin(struct step *step, struct zone_version *parent, unsigned apex_labels)
{
    uint64_t stamp = 1;
    if (parent != NULL) {
        pthread_mutex_lock(&parent->lineage->mutex);
        stamp = ++parent->lineage->last_stamp;
        pthread_mutex_unlock(&parent->lineage->mutex);
    }
    step_init(step, stamp, apex_labels);
}

struct zone_version *version_step_commit(struct step *step, struct zone_version *parent,
                                         const struct version_parts *parts)
{
    struct zone_version *version = pool_alloc(&step->cache, sizeof(*version));
    *version = (struct zone_version){
        .index = parts->index,
        .apex = parts->apex,
        .wildcards = parts->totals.wildcards,
        .class = parts->class,
        .apex_labels = (uint8_t)step->apex_labels,
        .apex_flags = parts->apex->flags,
        .apex_hash = parts->apex->hash,
        .trees = {parts->trees[TREE_NAMES], parts->trees[TREE_NSEC3]},
        .references = 1,
        .totals = parts->totals,
        .index_bytes = (parent == NULL ? 0 : parent->index_bytes) + (uint64_t)step->index_bytes,
        .stamp = step->stamp,
        .parent = parent,
        .retired = step->retired,
    };
    version->serial = zone_version_soa(version).serial;
    step->retired = (struct retired){0};
    if (parent == NULL) {
        version->lineage = lineage_new(&step->cache, step->stamp);
    } else {
        version->lineage = parent->lineage;
        pthread_mutex_lock(&version->lineage->mutex);
        version->next_sibling = parent->first_child;
        parent->first_child = version;
        pthread_mutex_unlock(&version->lineage->mutex);
    }
    step_deinit(step);
    return version;
}

/* Frees the nodes below `node` that `keeper` does not reach, and the owners in them. As deep as the
 * tree, at most TREE_DEPTH_MAX. */
static void tree_release(struct pool_cache *cache, const struct tree_node *node,
                         const struct zone_version *keeper)
{
    if (keeper != NULL && node->stamp <= keeper->stamp) {
        return;
    }
    if (node->level > 0) {
        for (unsigned i = 0; i < node->count; i++) {
            tree_release(cache, node_children(node)[i], keeper);
        }
    } else {
        const struct owner *const *owners = node_owners(node);
        for (unsigned i = 0; i < node->count; i++) {
            __builtin_prefetch(owners[i]);
        }
        for (unsigned i = 0; i < node->count; i++) {
            if (keeper == NULL || !has_owner(keeper, owners[i])) {
                object_release(cache, owners[i], RETIRED_OWNER);
            }
        }
    }
    object_release(cache, node, RETIRED_NODE);
}

struct release_walk {
    struct pool_cache *cache;
    const struct zone_version *keeper;
};

static void release_visit(void *context, const void *object, enum retired_kind kind)
{
    struct release_walk *walk = context;
    if (walk->keeper == NULL || object_stamp(object) > walk->keeper->stamp) {
        object_release(walk->cache, object, kind);
    }
}

static void version_release_made(struct pool_cache *cache, const struct zone_version *version,
                                 const struct zone_version *keeper)
{
    struct release_walk walk = {cache, keeper};
    for (unsigned i = 0; i < TREES; i++) {
        if (version->trees[i] != NULL) {
            tree_release(cache, version->trees[i], keeper);
        }
    }
    hash_index_each(&version->index, release_visit, &walk);
}

static void version_drop(struct pool_cache *cache, struct zone_version *version)
{
    retired_deinit(&version->retired);
    pool_release(cache, version, sizeof(*version));
}

static void unlink_child(struct zone_version *parent, struct zone_version *child)
{
    struct zone_version **at = &parent->first_child;
    while (*at != child) {
        at = &(*at)->next_sibling;
    }
    *at = child->next_sibling;
    child->next_sibling = NULL;
}

/* The only child takes the place of a version that goes away. */
static void hand_over(struct pool_cache *cache, struct zone_version *version)
{
    struct zone_version *child = version->first_child;
    struct zone_version *parent = version->parent;
    struct retired rest = version->retired;
    version->retired = (struct retired){0};
    for (size_t i = 0; i < child->retired.count; i++) {
        enum retired_kind kind = child->retired.items[i] & RETIRED_KIND_MASK;
        const void *object =
            (const void *)(child->retired.items[i] & ~(uintptr_t)RETIRED_KIND_MASK);
        if (parent != NULL && reaches(parent, object, kind)) {
            retired_add(&rest, object, kind);
        } else {
            object_release(cache, object, kind);
        }
    }
    retired_deinit(&child->retired);
    child->retired = rest;
    child->parent = parent;
    if (parent != NULL) {
        unlink_child(parent, version);
        child->next_sibling = parent->first_child;
        parent->first_child = child;
    }
    version_drop(cache, version);
}

/* With the mutex: the version has no reference any more. Returns true where the line ended. */
static bool settle(struct pool_cache *cache, struct zone_version *version)
{
    version->is_dead = true;
    while (version != NULL && version->is_dead) {
        struct zone_version *parent = version->parent;
        if (version->first_child != NULL) {
            if (version->first_child->next_sibling == NULL) {
                hand_over(cache, version);
            }
            return false;
        }
        version_release_made(cache, version, parent);
        if (parent == NULL) {
            version_drop(cache, version);
            return true;
        }
        unlink_child(parent, version);
        version_drop(cache, version);
        version = parent;
    }
    return false;
}

struct zone_version *zone_version_ref(struct zone_version *version)
{
    atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
    return version;
}

void zone_version_unref(struct zone_version *version)
{
    if (version == NULL ||
        atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct lineage *lineage = version->lineage;
    struct pool_cache cache;
    pool_cache_init(&cache, version_pool());
    pthread_mutex_lock(&lineage->mutex);
    bool ended = settle(&cache, version);
    pthread_mutex_unlock(&lineage->mutex);
    if (ended) {
        lineage_free(&cache, lineage);
    }
    pool_cache_deinit(&cache);
}
