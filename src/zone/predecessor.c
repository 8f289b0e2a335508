/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands at a name or before it: the NSEC that matches or covers a name (RFC 4035 3.1.3.2), the
 * NSEC3 that matches or covers a hash (RFC 5155 7.2). Each is the end of one descent in one of the
 * two trees, as owners that are only NSEC3 stand in a tree of their own.
 *
 * In a batch all descents take each level together, and the node of the next level, in the end the
 * owner, has been asked for before: in a large zone each of them is a wait.
 */
#include "base/encode.h"
#include "wire/name_octets.h"
#include "zone/version_impl.h"

enum { BATCH = 32, NODE_LINES = 5, OWNER_LINES = 6, LINE = 64 };

/* A name made of a hash, with room to be read as a label of any size. */
struct hash_name {
    uint8_t wire[1 + LABEL_MAX_SIZE + NAME_MAX_SIZE];
};

/* One search. */
struct descent {
    struct tree_key key;
    struct hash_name hash_name;
    struct zone_predecessor_item *item;
    const struct tree_node *node;
};

static ALWAYS_INLINE void key_of_name(struct tree_key *key, const struct zone_version *version,
                                      struct slice name)
{
    if (LIKELY(name.size == 1u + name.data[0] + version->apex->name_size)) {
        tree_key_init_label(key, name);
    } else {
        tree_key_init(key, name.data, version->apex_labels);
    }
}

/* False: such a name there cannot be. */
static ALWAYS_INLINE bool key_of_hash(struct tree_key *key, struct hash_name *name,
                                      const struct zone_version *version, struct slice hash)
{
    const struct owner *apex = version->apex;
    if (hash.size * 8 > LABEL_MAX_SIZE * 5) {
        return false;
    }
    size_t label = 1 + base32hex_encode(hash, (char *)name->wire + 1);
    if (label + apex->name_size > NAME_MAX_SIZE) {
        return false;
    }
    name->wire[0] = (uint8_t)(label - 1);
    octets_copy(name->wire + label, owner_name(apex), apex->name_size);
    tree_key_init_hash(key, slice_of(name->wire, label + apex->name_size));
    return true;
}

/* The owner, or the one before, has no NSEC: back to one that has, round the end. */
static NOINLINE const struct owner *search_back(const struct zone_version *version,
                                                const struct tree_key *key)
{
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    tree_path_seek(version->trees[TREE_NAMES], key, path, &depth);
    const struct owner *owner;
    while ((owner = tree_path_owner(path, depth)) != NULL && (owner->flags & OWNER_NSEC) == 0) {
        tree_path_previous(path, &depth);
    }
    if (owner == NULL) {
        tree_path_last(version->trees[TREE_NAMES], path, &depth);
        while ((owner = tree_path_owner(path, depth)) != NULL && (owner->flags & OWNER_NSEC) == 0) {
            tree_path_previous(path, &depth);
        }
    }
    return owner;
}

static NOINLINE const struct owner *last_nsec3(const struct zone_version *version)
{
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    tree_path_last(version->trees[TREE_NSEC3], path, &depth);
    return tree_path_owner(path, depth);
}

HOT const struct owner *zone_version_nsec_before(const struct zone_version *version,
                                                 struct slice name)
{
    if (version->totals.nsec == 0) {
        return NULL;
    }
    struct tree_key key;
    bool exact;
    key_of_name(&key, version, name);
    const struct owner *owner = tree_find_before(version->trees[TREE_NAMES], &key, &exact);
    return LIKELY(owner != NULL && (owner->flags & OWNER_NSEC) != 0) ? owner
                                                                     : search_back(version, &key);
}

HOT const struct owner *zone_version_nsec3_before(const struct zone_version *version,
                                                  struct slice hash, enum nsec3_place *out_place)
{
    struct tree_key key;
    struct hash_name name;
    bool exact;
    *out_place = NSEC3_WRAPPED;
    if (version->trees[TREE_NSEC3] == NULL || !key_of_hash(&key, &name, version, hash)) {
        return NULL;
    }
    const struct owner *owner = tree_find_before(version->trees[TREE_NSEC3], &key, &exact);
    if (UNLIKELY(owner == NULL)) {
        return last_nsec3(version);
    }
    *out_place = exact ? NSEC3_EQUAL : NSEC3_BEFORE;
    return owner;
}

static ALWAYS_INLINE bool descent_start(struct descent *descent, struct zone_predecessor_item *item)
{
    const struct zone_version *version = item->version;
    descent->item = item;
    item->owner = NULL;
    item->place = NSEC3_WRAPPED;
    if (item->is_hash) {
        descent->node = version->trees[TREE_NSEC3];
        return descent->node != NULL &&
               key_of_hash(&descent->key, &descent->hash_name, version, item->name);
    }
    descent->node = version->trees[TREE_NAMES];
    if (version->totals.nsec == 0) {
        return false;
    }
    key_of_name(&descent->key, version, item->name);
    return true;
}

/* One level down; false: it has ended. */
static ALWAYS_INLINE bool descent_step(struct descent *descent)
{
    const struct tree_node *node = descent->node;
    struct zone_predecessor_item *item = descent->item;
    bool exact;
    int at = node_search(node, &descent->key, &exact);
    if (UNLIKELY(at < 0)) {
        return false;
    }
    if (node->level == 0) {
        item->owner = node_owners(node)[at];
        item->place = exact ? NSEC3_EQUAL : NSEC3_BEFORE;
        for (unsigned i = 0; i < OWNER_LINES; i++) {
            __builtin_prefetch((const uint8_t *)item->owner + (size_t)i * LINE);
        }
        return false;
    }
    descent->node = node_children(node)[at];
    for (unsigned i = 0; i < NODE_LINES; i++) {
        __builtin_prefetch((const uint8_t *)descent->node + (size_t)i * LINE);
    }
    return true;
}

/* What is not the end of one descent. */
static ALWAYS_INLINE void descent_settle(struct descent *descent)
{
    struct zone_predecessor_item *item = descent->item;
    if (item->is_hash) {
        if (UNLIKELY(item->owner == NULL)) {
            item->owner = last_nsec3(item->version);
        }
    } else if (UNLIKELY(item->owner == NULL || (item->owner->flags & OWNER_NSEC) == 0)) {
        item->owner = search_back(item->version, &descent->key);
    }
}

HOT static void find_some(struct zone_predecessor_item *items, size_t count)
{
    struct descent descents[BATCH];
    struct descent *active[BATCH];
    unsigned started = 0;
    for (size_t i = 0; i < count; i++) {
        if (LIKELY(descent_start(&descents[started], &items[i]))) {
            active[started] = &descents[started];
            started++;
        }
    }
    for (unsigned left = started; left != 0;) {
        unsigned going = 0;
        for (unsigned i = 0; i < left; i++) {
            if (descent_step(active[i])) {
                active[going++] = active[i];
            }
        }
        left = going;
    }
    for (unsigned i = 0; i < started; i++) {
        descent_settle(&descents[i]);
    }
}

void zone_version_predecessors(struct zone_predecessor_item *items, size_t count)
{
    while (count > 0) {
        size_t some = count < BATCH ? count : BATCH;
        find_some(items, some);
        items += some;
        count -= some;
    }
}
