/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Going through a version in canonical order (RFC 4034 6.1), and its predecessor searches (RFC 4035
 * 3.1.3.2, RFC 5155 7.2). Names that are only NSEC3 stand in a second tree, where the predecessor
 * of a hash is the end of one descent; the cursor merges the two, and `side` says which one it
 * stands in.
 */
#include "base/encode.h"
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

const struct owner *zone_version_nsec_before(const struct zone_version *version,
                                             const uint8_t *name)
{
    if (version->totals.nsec == 0) {
        return NULL;
    }
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    struct tree_key key;
    tree_key_init(&key, name, version->apex_labels);
    tree_path_seek(version->trees[TREE_NAMES], &key, path, &depth);
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

const struct owner *zone_version_nsec3_before(const struct zone_version *version, struct slice hash,
                                              enum nsec3_place *out_place)
{
    *out_place = NSEC3_WRAPPED;
    const struct tree_node *root = version->trees[TREE_NSEC3];
    if (root == NULL || hash.size * 8 > LABEL_MAX_SIZE * 5) {
        return NULL;
    }
    const uint8_t *apex = zone_version_name(version);
    uint8_t name[1 + LABEL_MAX_SIZE + NAME_MAX_SIZE];
    name[0] = (uint8_t)base32hex_encode(hash, (char *)name + 1);
    if (1u + name[0] + version->apex->name_size > NAME_MAX_SIZE) {
        return NULL;
    }
    memcpy(name + 1 + name[0], apex, version->apex->name_size);
    struct tree_key key;
    tree_key_init(&key, name, version->apex_labels);
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    bool is_equal = tree_path_seek(root, &key, path, &depth);
    if (UNLIKELY(depth == 0)) {
        tree_path_last(root, path, &depth);
    } else {
        *out_place = is_equal ? NSEC3_EQUAL : NSEC3_BEFORE;
    }
    return tree_path_owner(path, depth);
}
