/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ordered index, changed within a step. The way from the root to the entry is copied, unless
 * this very step made the copy already (its stamp tells): of a thousand changes in a row the upper
 * nodes are copied once. Recursion goes as deep as the tree, at most TREE_DEPTH_MAX.
 *
 * Invariants: an entry of an inner node has the head and the first owner of its subtree; all keys
 * of a node's entries start with its prefix; no node but the root is empty, and a node that lost an
 * entry is joined with a neighbour where both fit into three quarters of one.
 *
 * A key that does not start with a node's prefix makes the prefix shorter; old heads need no owner
 * for that, the octets that come back are the prefix's (head_with_less_skip). A split makes it
 * longer again where heads have become equal.
 */
#include "zone/tree_impl.h"

static void node_retire(struct step *step, struct tree_node *node)
{
    step_retire(step, node, node->stamp, node_size(node->level, node->capacity, node->prefix_room),
                RETIRED_NODE);
}

/* The node, or a copy, that may be changed and has room for `more` entries (never past the max). */
static struct tree_node *node_own(struct step *step, struct tree_node *node, unsigned more)
{
    unsigned need = node->count + more;
    REQUIRE(need <= node_max(node->level));
    if (node->stamp == step->stamp && need <= node->capacity) {
        return node;
    }
    unsigned capacity = need;
    if (node->stamp == step->stamp) {
        capacity = need + need / 2; /* it grows under our hands: not one by one */
        capacity = capacity > node_max(node->level) ? node_max(node->level) : capacity;
    }
    unsigned room = node->prefix_room;
    unsigned entry = node->level == 0 ? 16 : 24;
    size_t size = node_size(node->level, capacity, room);
    capacity += (unsigned)((pool_rounded_size(size) - size) / entry);
    capacity = capacity > node_max(node->level) ? node_max(node->level) : capacity;
    struct tree_node *copy = step_alloc(step, node_size(node->level, capacity, room));
    *copy = *node;
    copy->stamp = step->stamp;
    copy->capacity = (uint16_t)capacity;
    memcpy(copy->heads, node->heads, node->count * sizeof(copy->heads[0]));
    memcpy(node_firsts(copy), node_firsts(node), node->count * sizeof(void *));
    if (node->level > 0) {
        memcpy(node_children(copy), node_children(node), node->count * sizeof(void *));
    }
    memcpy(node_prefix(copy), node_prefix(node), node->prefix_room);
    node_retire(step, node);
    return copy;
}

static void node_lower_skip(struct tree_node *node, unsigned skip)
{
    for (unsigned i = 0; i < node->count; i++) {
        node->heads[i] = head_with_less_skip(node->heads[i], node_prefix(node), node->skip, skip);
    }
    node->skip = (uint8_t)skip;
}

/* The key's head in this node, whose prefix becomes short enough for it. */
static uint64_t node_admit(struct tree_node *node, const struct tree_key *key)
{
    unsigned common = 0;
    const uint8_t *prefix = node_prefix(node);
    while (common < node->skip && key->bytes[common] == prefix[common]) {
        common++;
    }
    if (common < node->skip) {
        node_lower_skip(node, common);
    }
    return tree_key_head(key, node->skip);
}

static const struct owner *first_of(const struct tree_node *node)
{
    return node_firsts(node)[0];
}

/* Entry `at` of an inner node begins with another owner now. */
static void node_set_first(struct step *step, struct tree_node *node, unsigned at,
                           const struct owner *first)
{
    if (node_firsts(node)[at] == first) {
        return;
    }
    struct tree_key key;
    tree_key_init(&key, owner_name(first), step->apex_labels);
    node->heads[at] = node_admit(node, &key);
    node_firsts(node)[at] = first;
}

static void node_put(struct tree_node *node, unsigned at, uint64_t head, const struct owner *first,
                     struct tree_node *child)
{
    size_t behind = node->count - at;
    memmove(node->heads + at + 1, node->heads + at, behind * sizeof(node->heads[0]));
    node->heads[at] = head;
    const struct owner **firsts = node_firsts(node);
    memmove(firsts + at + 1, firsts + at, behind * sizeof(*firsts));
    firsts[at] = first;
    if (node->level > 0) {
        struct tree_node **children = node_children(node);
        memmove(children + at + 1, children + at, behind * sizeof(*children));
        children[at] = child;
    }
    node->count++;
}

static void node_drop(struct tree_node *node, unsigned at)
{
    size_t behind = node->count - at - 1u;
    memmove(node->heads + at, node->heads + at + 1, behind * sizeof(node->heads[0]));
    const struct owner **firsts = node_firsts(node);
    memmove(firsts + at, firsts + at + 1, behind * sizeof(*firsts));
    if (node->level > 0) {
        struct tree_node **children = node_children(node);
        memmove(children + at, children + at + 1, behind * sizeof(*children));
    }
    node->count--;
}

/* An entry into an owned node without room: the node is replaced by two. Returns the left one. */
static struct tree_node *node_split(struct step *step, struct tree_node *node, unsigned at,
                                    uint64_t head, const struct owner *first,
                                    struct tree_node *child, struct tree_node **right)
{
    struct tree_item items[INNER_MAX + 1];
    unsigned count = 0;
    const struct owner **firsts = node_firsts(node);
    for (unsigned i = 0; i <= node->count; i++) {
        if (i == at) {
            items[count++] = (struct tree_item){head, first, child};
        }
        if (i < node->count) {
            items[count++] = (struct tree_item){node->heads[i], firsts[i],
                                                node->level > 0 ? node_children(node)[i] : NULL};
        }
    }
    /* Names that arrive in order leave full nodes behind, others halves. */
    unsigned left_count = at == node->count ? count - count / 8 : count / 2;
    unsigned max = node_max(node->level);
    uint8_t prefix[TREE_SKIP_MAX];
    memcpy(prefix, node_prefix(node), node->skip);
    struct tree_node *left =
        node_make(step, node->level, items, left_count, left_count + 1, node->skip, prefix);
    *right = node_make(step, node->level, items + left_count, count - left_count, max, node->skip,
                       prefix);
    node_retire(step, node);
    return left;
}

static struct tree_node *node_add(struct step *step, struct tree_node *node, unsigned at,
                                  const struct tree_key *key, const struct owner *first,
                                  struct tree_node *child, struct tree_node **right)
{
    bool is_full = node->count == node_max(node->level);
    node = node_own(step, node, is_full ? 0 : 1);
    uint64_t head = node_admit(node, key);
    *right = NULL;
    if (is_full) {
        return node_split(step, node, at, head, first, child, right);
    }
    node_put(node, at, head, first, child);
    return node;
}

static struct tree_node *insert_at(struct step *step, struct tree_node *node,
                                   const struct tree_key *key, const struct owner *owner,
                                   struct tree_node **right)
{
    bool exact;
    int before = node_search(node, key, &exact);
    if (node->level == 0) {
        REQUIRE(!exact);
        return node_add(step, node, (unsigned)(before + 1), key, owner, NULL, right);
    }
    unsigned at = before < 0 ? 0 : (unsigned)before;
    struct tree_node *child_right;
    struct tree_node *child = insert_at(step, node_children(node)[at], key, owner, &child_right);
    node = node_own(step, node, 0);
    node_children(node)[at] = child;
    node_set_first(step, node, at, first_of(child));
    *right = NULL;
    if (child_right == NULL) {
        return node;
    }
    struct tree_key right_key;
    tree_key_init(&right_key, owner_name(first_of(child_right)), step->apex_labels);
    return node_add(step, node, at + 1, &right_key, first_of(child_right), child_right, right);
}

void tree_insert(struct step *step, struct tree_node **root, const struct owner *owner)
{
    struct tree_key key;
    tree_key_init(&key, owner_name(owner), step->apex_labels);
    if (*root == NULL) {
        struct tree_item item = {tree_key_head(&key, 0), owner, NULL};
        *root = node_make(step, 0, &item, 1, 1, 0, NULL);
        return;
    }
    struct tree_node *right;
    struct tree_node *left = insert_at(step, *root, &key, owner, &right);
    *root = left;
    if (right != NULL) {
        struct tree_key right_key;
        tree_key_init(&right_key, owner_name(first_of(right)), step->apex_labels);
        tree_key_init(&key, owner_name(first_of(left)), step->apex_labels);
        struct tree_item items[2] = {{tree_key_head(&key, 0), first_of(left), left},
                                     {tree_key_head(&right_key, 0), first_of(right), right}};
        *root = node_make(step, left->level + 1u, items, 2, 4, 0, NULL);
    }
}

/* Where an owner that is in the leaf stands. */
static unsigned leaf_position(const struct tree_node *leaf, const struct owner *owner)
{
    const struct owner *const *owners = node_owners(leaf);
    unsigned at = 0;
    while (at < leaf->count && owners[at] != owner) {
        at++;
    }
    REQUIRE(at < leaf->count);
    return at;
}

static struct tree_node *replace_at(struct step *step, struct tree_node *node,
                                    const struct tree_key *key, const struct owner *before,
                                    const struct owner *after)
{
    unsigned at;
    if (node->level == 0) {
        at = leaf_position(node, before);
        node = node_own(step, node, 0);
        node_owners(node)[at] = after;
        return node;
    }
    bool exact;
    int found = node_search(node, key, &exact);
    REQUIRE(found >= 0);
    at = (unsigned)found;
    node = node_own(step, node, 0);
    if (node->level == 1 && at + 1 < node->count) {
        /* Changes come in order: the next one is often in the next leaf. */
        const uint8_t *next = (const uint8_t *)node_children(node)[at + 1];
        for (size_t line = 0; line < 512; line += 64) {
            __builtin_prefetch(next + line);
        }
    }
    node_children(node)[at] = replace_at(step, node_children(node)[at], key, before, after);
    if (node_firsts(node)[at] == before) {
        node_firsts(node)[at] = after;
    }
    return node;
}

void tree_replace(struct step *step, struct tree_node **root, const struct owner *before,
                  const struct owner *after)
{
    struct tree_key key;
    tree_key_init(&key, owner_name(after), step->apex_labels);
    REQUIRE(*root != NULL);
    *root = replace_at(step, *root, &key, before, after);
}

/* Joins children `at` and `at` + 1 of an owned node where both fit well into one. */
static void node_join(struct step *step, struct tree_node *node, unsigned at)
{
    struct tree_node *left = node_children(node)[at];
    struct tree_node *right = node_children(node)[at + 1];
    if (left->count + right->count > node_max(left->level) * 3 / 4) {
        return;
    }
    left = node_own(step, left, right->count);
    unsigned common = 0;
    const uint8_t *prefix = node_prefix(right);
    while (common < left->skip && common < right->skip &&
           prefix[common] == node_prefix(left)[common]) {
        common++;
    }
    if (common < left->skip) {
        node_lower_skip(left, common);
    }
    for (unsigned i = 0; i < right->count; i++) {
        left->heads[left->count + i] =
            head_with_less_skip(right->heads[i], prefix, right->skip, common);
    }
    memcpy(node_firsts(left) + left->count, node_firsts(right), right->count * sizeof(void *));
    if (left->level > 0) {
        memcpy(node_children(left) + left->count, node_children(right),
               right->count * sizeof(void *));
    }
    left->count = (uint16_t)(left->count + right->count);
    node_retire(step, right);
    node_children(node)[at] = left;
    node_drop(node, at + 1);
}

/* NULL: nothing is left of the node. */
static struct tree_node *remove_at(struct step *step, struct tree_node *node,
                                   const struct tree_key *key, const struct owner *owner)
{
    bool exact;
    if (node->level == 0) {
        unsigned position = leaf_position(node, owner);
        if (node->count == 1) {
            node_retire(step, node);
            return NULL;
        }
        node = node_own(step, node, 0);
        node_drop(node, position);
        return node;
    }
    int at = node_search(node, key, &exact);
    REQUIRE(at >= 0);
    struct tree_node *child = remove_at(step, node_children(node)[at], key, owner);
    if (child == NULL && node->count == 1) {
        node_retire(step, node);
        return NULL;
    }
    node = node_own(step, node, 0);
    if (child == NULL) {
        node_drop(node, (unsigned)at);
        return node;
    }
    node_children(node)[at] = child;
    node_set_first(step, node, (unsigned)at, first_of(child));
    if (child->count <= node_max(child->level) / 2) {
        if ((unsigned)at + 1 < node->count) {
            node_join(step, node, (unsigned)at);
        }
        if (at > 0) {
            node_join(step, node, (unsigned)at - 1);
        }
    }
    return node;
}

void tree_remove(struct step *step, struct tree_node **root, const struct owner *owner)
{
    struct tree_key key;
    tree_key_init(&key, owner_name(owner), step->apex_labels);
    REQUIRE(*root != NULL);
    struct tree_node *node = remove_at(step, *root, &key, owner);
    while (node != NULL && node->level > 0 && node->count == 1) {
        struct tree_node *child = node_children(node)[0];
        node_retire(step, node);
        node = child;
    }
    *root = node;
}
