/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Going through a version in canonical order (RFC 4034 6.1), and its predecessor searches (RFC 4035
 * 3.1.3.2, RFC 5155 7.2). Names that are only NSEC3 stand in a second tree, where the predecessor
 * of a hash is the end of one descent; the cursor merges the two, and `side` says which one it
 * stands in.
 */
#include "base/encode.h"
#include "wire/name_octets.h"
#include "zone/version_impl.h"

static const struct owner *side_owner(const struct zone_cursor *cursor, unsigned side)
{
    return tree_path_owner(cursor->path[side], cursor->depth[side]);
}

static void settle_side(struct zone_cursor *cursor)
{
    const struct owner *name = side_owner(cursor, TREE_NAMES);
    const struct owner *nsec3 = side_owner(cursor, TREE_NSEC3);
    bool second =
        nsec3 != NULL && (name == NULL || name_compare(owner_name(nsec3), owner_name(name)) < 0);
    cursor->side = second ? TREE_NSEC3 : TREE_NAMES;
    cursor->owner = second ? nsec3 : name;
}

void zone_cursor_first(struct zone_cursor *cursor, const struct zone_version *version)
{
    cursor->version = version;
    for (unsigned side = 0; side < TREES; side++) {
        tree_path_first(version->trees[side], cursor->path[side], &cursor->depth[side]);
    }
    settle_side(cursor);
}

void zone_cursor_seek(struct zone_cursor *cursor, const struct zone_version *version,
                      const uint8_t *name)
{
    cursor->version = version;
    if (!name_is_subdomain(name, zone_version_name(version))) {
        if (name_compare(name, zone_version_name(version)) < 0) {
            zone_cursor_first(cursor, version);
        } else {
            cursor->depth[TREE_NAMES] = cursor->depth[TREE_NSEC3] = 0;
            settle_side(cursor);
        }
        return;
    }
    struct tree_key key;
    tree_key_init(&key, name, version->apex_labels);
    for (unsigned side = 0; side < TREES; side++) {
        struct zone_cursor_step *path = cursor->path[side];
        uint8_t *depth = &cursor->depth[side];
        if (!tree_path_seek(version->trees[side], &key, path, depth)) {
            if (*depth == 0) {
                tree_path_first(version->trees[side], path, depth);
            } else {
                tree_path_next(path, depth);
            }
        }
    }
    settle_side(cursor);
}

HOT void zone_cursor_next(struct zone_cursor *cursor)
{
    unsigned side = cursor->side;
    if (cursor->owner == NULL) {
        return;
    }
    tree_path_next(cursor->path[side], &cursor->depth[side]);
    if (LIKELY(cursor->depth[1 - side] == 0)) {
        cursor->owner = side_owner(cursor, side);
    } else {
        settle_side(cursor);
    }
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

HOT const struct owner *zone_version_nsec_before(const struct zone_version *version,
                                                 struct slice name)
{
    if (version->totals.nsec == 0) {
        return NULL;
    }
    struct tree_key key;
    bool exact;
    if (LIKELY(name.size == 1u + name.data[0] + version->apex->name_size)) {
        tree_key_init_label(&key, name.data);
    } else {
        tree_key_init(&key, name.data, version->apex_labels);
    }
    const struct owner *owner = tree_find_before(version->trees[TREE_NAMES], &key, &exact);
    return LIKELY(owner != NULL && (owner->flags & OWNER_NSEC) != 0) ? owner
                                                                     : search_back(version, &key);
}

HOT const struct owner *zone_version_nsec3_before(const struct zone_version *version,
                                                  struct slice hash, enum nsec3_place *out_place)
{
    *out_place = NSEC3_WRAPPED;
    const struct tree_node *root = version->trees[TREE_NSEC3];
    const struct owner *apex = version->apex;
    if (root == NULL || hash.size * 8 > LABEL_MAX_SIZE * 5) {
        return NULL;
    }
    uint8_t name[1 + LABEL_MAX_SIZE + NAME_MAX_SIZE];
    size_t label = 1 + base32hex_encode(hash, (char *)name + 1);
    if (label + apex->name_size > NAME_MAX_SIZE) {
        return NULL;
    }
    name[0] = (uint8_t)(label - 1);
    octets_copy(name + label, owner_name(apex), apex->name_size);
    struct tree_key key;
    bool is_equal;
    tree_key_init_hash(&key, name);
    const struct owner *owner = tree_find_before(root, &key, &is_equal);
    if (LIKELY(owner != NULL)) {
        *out_place = is_equal ? NSEC3_EQUAL : NSEC3_BEFORE;
        return owner;
    }
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    tree_path_last(root, path, &depth);
    return tree_path_owner(path, depth);
}
