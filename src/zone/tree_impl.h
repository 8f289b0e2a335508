/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ordered index: a persistent B+tree of owners in canonical order (docs/formats.md has the
 * layout, tree.c the reasons). A tree is a pointer to its root node, NULL while empty.
 */
#ifndef ZONE_TREE_IMPL_H
#define ZONE_TREE_IMPL_H

#include <endian.h>

#include "zone/owner_impl.h"
#include "zone/step_impl.h"
#include "zone/version.h"

enum {
    LEAF_MAX = 30, /* entries: 496 octets, and a prefix of 16 comes to 512 */
    INNER_MAX = 40,
    TREE_SKIP_MAX = 48,
    TREE_DEPTH_MAX = 12,
    KEY_PADDING = 64, /* zeroes behind a key: at least TREE_SKIP_MAX + 8 */
};

struct tree_node {
    uint64_t stamp; /* the step that made it */
    uint16_t count;
    uint16_t capacity;
    uint8_t level; /* 0: leaf */
    uint8_t skip;  /* octets that the keys of all entries have in common and heads leave out */
    uint8_t prefix_room;
    uint8_t unused;
    uint64_t heads[]; /* then the owners or children, in inner nodes the first owners, the prefix */
};

static inline const struct owner **node_owners(const struct tree_node *node)
{
    return unconst(node->heads + node->capacity);
}

static inline struct tree_node **node_children(const struct tree_node *node)
{
    return unconst(node->heads + node->capacity);
}

/* The first owner of an entry's subtree; of a leaf's entry the owner itself. */
static inline const struct owner **node_firsts(const struct tree_node *node)
{
    return unconst(node->heads + (size_t)node->capacity * (node->level == 0 ? 1 : 2));
}

static inline uint8_t *node_prefix(const struct tree_node *node)
{
    return unconst(node->heads + (size_t)node->capacity * (node->level == 0 ? 2 : 3));
}

static inline size_t node_size(unsigned level, unsigned capacity, unsigned prefix_room)
{
    return sizeof(struct tree_node) + (size_t)capacity * (level == 0 ? 16 : 24) + prefix_room;
}

static inline unsigned node_max(unsigned level)
{
    return level == 0 ? LEAF_MAX : INNER_MAX;
}

/* The canonical key of a name below the apex, with what is needed to compare it. */
struct tree_key {
    const uint8_t *name; /* borrowed */
    size_t name_size;    /* 0: not known */
    size_t size;
    uint8_t bytes[NAME_KEY_SIZE + KEY_PADDING];
};

void tree_key_init(struct tree_key *key, const uint8_t *name, unsigned apex_labels);

/* The same for a name that is one label below the apex. */
void tree_key_init_label(struct tree_key *key, struct slice name);

/* The same where that label is base32hex; LABEL_MAX_SIZE + 1 octets can be read behind its length. */
void tree_key_init_hash(struct tree_key *key, struct slice name);

static inline uint64_t tree_key_head(const struct tree_key *key, unsigned skip)
{
    uint64_t word;
    memcpy(&word, key->bytes + skip, sizeof(word));
    return be64toh(word);
}

/* The head at skip 0 of a name of name_size octets with apex_size of them the apex. */
uint64_t tree_head(const uint8_t *name, size_t name_size, size_t apex_size);

/* Where the search for a key ends in a node: the last entry at or before it, -1: none. */
int node_search(const struct tree_node *node, const struct tree_key *key, bool *exact);

/* A way from the root to an entry of a leaf; depth 0: past either end. */
void tree_path_first(const struct tree_node *root, struct zone_cursor_step *path, uint8_t *depth);
void tree_path_last(const struct tree_node *root, struct zone_cursor_step *path, uint8_t *depth);
/* At the last owner at or before the key; true where it is the key itself. */
bool tree_path_seek(const struct tree_node *root, const struct tree_key *key,
                    struct zone_cursor_step *path, uint8_t *depth);
/* That owner without the way to it; NULL where all are behind the key. */
const struct owner *tree_find_before(const struct tree_node *root, const struct tree_key *key,
                                     bool *exact);
void tree_path_next(struct zone_cursor_step *path, uint8_t *depth);
void tree_path_previous(struct zone_cursor_step *path, uint8_t *depth);

static inline const struct owner *tree_path_owner(const struct zone_cursor_step *path,
                                                  uint8_t depth)
{
    if (depth == 0) {
        return NULL;
    }
    const struct tree_node *leaf = path[depth - 1].node;
    return node_owners(leaf)[path[depth - 1].at];
}

/* Changes within a step. The owner is, or is not, there already: the caller made sure. O(log n). */
void tree_insert(struct step *step, struct tree_node **root, const struct owner *owner);
/* `after` has the same name. */
void tree_replace(struct step *step, struct tree_node **root, const struct owner *before,
                  const struct owner *after);
void tree_remove(struct step *step, struct tree_node **root, const struct owner *owner);

struct tree_entry {
    uint64_t head; /* tree_head of the owner's name */
    const struct owner *owner;
};

/* A tree of entries in ascending order, all nodes full. O(n). */
struct tree_node *tree_build(struct step *step, const struct tree_entry *entries, size_t count);

/* In tree_node.c, shared by building and editing. */
struct tree_item {
    uint64_t head;
    const struct owner *first;
    struct tree_node *child;
};

/* A node of the given items; heads are at `skip` with that prefix. With ties among the heads the
 * node leaves out what all keys share. */
struct tree_node *node_make(struct step *step, unsigned level, const struct tree_item *items,
                            unsigned count, unsigned capacity, unsigned skip,
                            const uint8_t *prefix);
/* The head that stands for `head` (left out: `skip` octets, of `prefix`) when `less` are left out.
 */
uint64_t head_with_less_skip(uint64_t head, const uint8_t *prefix, unsigned skip, unsigned less);

#endif
