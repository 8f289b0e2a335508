/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Going through a version in canonical order (RFC 4034 6.1). Names that are only NSEC3 stand in a
 * second tree; the cursor merges the two, and `side` says which one it stands in.
 */
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
