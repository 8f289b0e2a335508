/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes from arrays of items, and whole trees from sorted entries. Building goes level by level and
 * fills every node, but for the last two of a level, which share what is left; a head that tells
 * the entries of its node apart comes from the entry itself, so that owners are only read where
 * keys start with the same eight octets.
 */
#include "zone/tree_impl.h"

#include "base/memory.h"

uint64_t head_with_less_skip(uint64_t head, const uint8_t *prefix, unsigned skip, unsigned less)
{
    unsigned drop = skip - less;
    uint8_t bytes[8] = {0};
    memcpy(bytes, prefix + less, drop < 8 ? drop : 8);
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return drop >= 8 ? be64toh(word) : be64toh(word) | head >> (8 * drop);
}

static bool has_ties(const struct tree_item *items, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        if (items[i - 1].head == items[i].head) {
            return true;
        }
    }
    return false;
}

/* What the keys of first and last item have in common, as far as a node can leave it out. */
static unsigned common_prefix(const struct tree_key *a, const struct tree_key *b)
{
    unsigned size = 0;
    while (size < TREE_SKIP_MAX && size < a->size && size < b->size &&
           a->bytes[size] == b->bytes[size]) {
        size++;
    }
    return size;
}

struct tree_node *node_make(struct step *step, unsigned level, const struct tree_item *items,
                            unsigned count, unsigned capacity, unsigned skip, const uint8_t *prefix)
{
    struct tree_key key;
    bool new_heads = false;
    if (has_ties(items, count)) {
        struct tree_key last;
        tree_key_init(&key, owner_name(items[0].first), step->apex_labels);
        tree_key_init(&last, owner_name(items[count - 1].first), step->apex_labels);
        unsigned common = common_prefix(&key, &last);
        if (common > skip) {
            skip = common;
            prefix = key.bytes;
            new_heads = true;
        }
    }
    unsigned prefix_room = (skip + 7) & ~7u;
    size_t spare = pool_rounded_size(node_size(level, capacity, prefix_room)) -
                   node_size(level, capacity, prefix_room);
    unsigned more = (unsigned)(spare / (level == 0 ? 16 : 24));
    capacity = capacity + more > node_max(level) ? node_max(level) : capacity + more;
    struct tree_node *node = step_alloc(step, node_size(level, capacity, prefix_room));
    *node = (struct tree_node){
        .stamp = step->stamp,
        .count = (uint16_t)count,
        .capacity = (uint16_t)capacity,
        .level = (uint8_t)level,
        .skip = (uint8_t)skip,
        .prefix_room = (uint8_t)prefix_room,
    };
    if (skip != 0) {
        memset(node_prefix(node) + prefix_room - 8, 0, 8);
        memcpy(node_prefix(node), prefix, skip);
    }
    const struct owner **firsts = node_firsts(node);
    for (unsigned i = 0; i < count; i++) {
        node->heads[i] = items[i].head;
        firsts[i] = items[i].first;
    }
    if (level > 0) {
        struct tree_node **children = node_children(node);
        for (unsigned i = 0; i < count; i++) {
            children[i] = items[i].child;
        }
    }
    if (new_heads) {
        for (unsigned i = 0; i < count; i++) {
            tree_key_init(&key, owner_name(items[i].first), step->apex_labels);
            node->heads[i] = tree_key_head(&key, skip);
        }
    }
    return node;
}

/* Nodes of one level over `items`; writes the items of the level above over the front of `out`. */
static size_t build_level(struct step *step, unsigned level, const struct tree_item *items,
                          size_t count, struct tree_item *out)
{
    size_t max = node_max(level);
    size_t made = 0;
    for (size_t at = 0; at < count;) {
        size_t left = count - at;
        size_t take = left >= 2 * max ? max : left > max ? (left + 1) / 2 : left;
        struct tree_item item = items[at];
        item.child = node_make(step, level, items + at, (unsigned)take, (unsigned)take, 0, NULL);
        out[made++] = item;
        at += take;
    }
    return made;
}

struct tree_node *tree_build(struct step *step, const struct tree_entry *entries, size_t count)
{
    if (count == 0) {
        return NULL;
    }
    /* The leaves are made from a small window, so that no second array of all owners is needed. */
    struct tree_item few[8]; /* a small zone's leaves */
    size_t room = count / LEAF_MAX + 2;
    struct tree_item *items = room <= ARRAY_SIZE(few) ? few : memory_new(room * sizeof(*items));
    struct tree_item window[LEAF_MAX];
    size_t made = 0;
    for (size_t at = 0; at < count;) {
        size_t left = count - at;
        size_t take = left >= 2 * LEAF_MAX ? LEAF_MAX : left > LEAF_MAX ? (left + 1) / 2 : left;
        for (size_t i = 0; i < take; i++) {
            window[i] = (struct tree_item){entries[at + i].head, entries[at + i].owner, NULL};
            if (i + LEAF_MAX < left) {
                __builtin_prefetch(entries[at + i + LEAF_MAX].owner); /* ties are read */
            }
        }
        struct tree_item item = window[0];
        item.child = node_make(step, 0, window, (unsigned)take, (unsigned)take, 0, NULL);
        items[made++] = item;
        at += take;
    }
    for (unsigned level = 1; made > 1; level++) {
        made = build_level(step, level, items, made, items);
    }
    struct tree_node *root = items[0].child;
    if (items != few) {
        memory_free(items);
    }
    return root;
}
