/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ordered index, read side. A B+tree and not a trie: its nodes are few and wide, so a walk in
 * canonical order reads memory in a row, a bulk build only fills arrays, and a path to copy is four
 * nodes in a zone of millions.
 *
 * Comparing names would mean a cache miss into the owner at every step of a binary search. So an
 * entry has a head beside its pointer: eight octets of its canonical key (name_key without the
 * apex), as a number. Keys of one node often start alike ("host0001234", the nibbles of ip6.arpa),
 * so a node keeps that common prefix once and its heads are the eight octets behind it. Names are
 * compared only where heads are equal, in effect: once, at the name that is looked for.
 *
 * Padding heads with zeroes keeps the order, since inside a key a label is followed by octets above
 * zero or by the end.
 */
#include "zone/tree_impl.h"

#include "wire/name_octets.h"

static ALWAYS_INLINE uint8_t lower(uint8_t c)
{
    return (uint8_t)(c | ((uint8_t)(c - 'A') < 26u) << 5);
}

/* True where one of eight octets is 0 or 1 (or, harmlessly, looks so by a borrow). */
static ALWAYS_INLINE bool has_low_octet(uint64_t word)
{
    const uint64_t each = 0x0101010101010101u;
    return ((word - 2 * each) & ~word & (0x80 * each)) != 0;
}

void tree_key_init(struct tree_key *key, const uint8_t *name, unsigned apex_labels)
{
    key->name = name;
    key->name_size = 0;
    key->size = name_key(name, apex_labels, key->bytes);
    memset(key->bytes + key->size, 0, KEY_PADDING);
}

void tree_key_init_label(struct tree_key *key, struct slice name)
{
    key->name = name.data;
    key->name_size = name.size;
    key->size = name_key_label(name.data, key->bytes);
    memset(key->bytes + key->size, 0, KEY_PADDING);
}

/* Letters of base32hex differ from their lower case in a bit that its digits have as well. */
void tree_key_init_hash(struct tree_key *key, struct slice name)
{
    uint8_t text[LABEL_MAX_SIZE + 1];
    key->name = name.data;
    key->name_size = name.size;
    key->size = 1u + name.data[0];
    memcpy(text, name.data + 1, sizeof(text));
    for (unsigned i = 0; i < sizeof(text); i++) {
        text[i] |= 0x20;
    }
    memcpy(key->bytes, text, sizeof(text));
    memset(key->bytes + name.data[0], 0, KEY_PADDING);
}

HOT uint64_t tree_head(const uint8_t *name, size_t name_size, size_t apex_size)
{
    size_t below = name_size - apex_size;
    if (below == 0) {
        return 0;
    }
    uint8_t labels[NAME_MAX_LABELS];
    unsigned count = 0;
    for (size_t at = 0; at < below; at += 1u + name[at]) {
        labels[count++] = (uint8_t)at;
    }
    const uint8_t *last = name + labels[count - 1];
    if (*last >= 8) {
        uint64_t word;
        memcpy(&word, last + 1, sizeof(word));
        if (!has_low_octet(word)) {
            return be64toh(octets_lower(word));
        }
    }
    uint64_t head = 0;
    unsigned shift = 64;
    while (count > 0) {
        const uint8_t *label = name + labels[--count];
        unsigned left = *label++;
        for (; left > 0; left--, label++) {
            uint8_t c = lower(*label);
            if (UNLIKELY(c <= 1)) {
                shift -= 8;
                head |= (uint64_t)1 << shift;
                if (shift == 0) {
                    return head;
                }
                c++;
            }
            shift -= 8;
            head |= (uint64_t)c << shift;
            if (shift == 0) {
                return head;
            }
        }
        shift -= 8; /* the label's end */
        if (shift == 0) {
            return head;
        }
    }
    return head;
}

/* Entries whose head is below `head`, or (at_most) at or below it. A node has some. Steps do not
 * depend on what is found, so nothing is guessed wrong. */
static ALWAYS_INLINE unsigned heads_before(const struct tree_node *node, uint64_t head,
                                           bool at_most)
{
    const uint64_t *base = node->heads;
    for (unsigned left = node->count; left > 1;) {
        unsigned half = left / 2;
        const uint64_t *middle = base + half;
        base = (at_most ? middle[-1] <= head : middle[-1] < head) ? middle : base;
        left -= half;
    }
    return (unsigned)(base - node->heads) + (at_most ? *base <= head : *base < head);
}

/* The key's first `skip` octets against a prefix, whose room is a multiple of eight. */
static ALWAYS_INLINE int prefix_order(const struct tree_key *key, const uint8_t *prefix,
                                      unsigned skip)
{
    if (UNLIKELY(skip > 8)) {
        return memcmp(key->bytes, prefix, skip);
    }
    uint64_t word;
    memcpy(&word, prefix, sizeof(word));
    uint64_t b = be64toh(word) >> (64 - 8 * skip);
    uint64_t a = tree_key_head(key, 0) >> (64 - 8 * skip);
    return (a > b) - (a < b);
}

/* Told at less cost than their order; false where it is not known. */
static ALWAYS_INLINE bool is_name_of(const struct tree_key *key, const struct owner *owner)
{
    return owner->name_size == key->name_size &&
           octets_equal_likely(owner_name(owner), key->name, key->name_size);
}

static ALWAYS_INLINE int search(const struct tree_node *node, const struct tree_key *key,
                                bool *exact)
{
    *exact = false;
    if (node->skip != 0) {
        int order = prefix_order(key, node_prefix(node), node->skip);
        if (order != 0) {
            return order < 0 ? -1 : (int)node->count - 1;
        }
    }
    uint64_t head = tree_key_head(key, node->skip);
    unsigned high = heads_before(node, head, true);
    if (high == 0 || node->heads[high - 1] != head) {
        return (int)high - 1;
    }
    const struct owner *const *firsts = node_firsts(node);
    unsigned low = heads_before(node, head, false);
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = is_name_of(key, firsts[middle])
                        ? 0
                        : name_compare(owner_name(firsts[middle]), key->name);
        if (order == 0) {
            *exact = true;
            return (int)middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (int)low - 1;
}

int node_search(const struct tree_node *node, const struct tree_key *key, bool *exact)
{
    return search(node, key, exact);
}

HOT const struct owner *tree_find_before(const struct tree_node *root, const struct tree_key *key,
                                         bool *exact)
{
    for (const struct tree_node *node = root; node != NULL;) {
        int at = search(node, key, exact);
        if (at < 0) {
            break;
        }
        if (node->level == 0) {
            return node_owners(node)[at];
        }
        node = node_children(node)[at];
    }
    *exact = false;
    return NULL;
}

static void descend(struct zone_cursor_step *path, uint8_t *depth, bool to_last)
{
    for (;;) {
        const struct tree_node *node = path[*depth - 1].node;
        if (node->level == 0) {
            return;
        }
        const struct tree_node *child = node_children(node)[path[*depth - 1].at];
        REQUIRE(*depth < TREE_DEPTH_MAX);
        path[*depth].node = child;
        path[*depth].at = to_last ? child->count - 1u : 0;
        (*depth)++;
    }
}

void tree_path_first(const struct tree_node *root, struct zone_cursor_step *path, uint8_t *depth)
{
    *depth = 0;
    if (root != NULL) {
        path[0] = (struct zone_cursor_step){root, 0};
        *depth = 1;
        descend(path, depth, false);
    }
}

void tree_path_last(const struct tree_node *root, struct zone_cursor_step *path, uint8_t *depth)
{
    *depth = 0;
    if (root != NULL) {
        path[0] = (struct zone_cursor_step){root, root->count - 1u};
        *depth = 1;
        descend(path, depth, true);
    }
}

bool tree_path_seek(const struct tree_node *root, const struct tree_key *key,
                    struct zone_cursor_step *path, uint8_t *depth)
{
    *depth = 0;
    const struct tree_node *node = root;
    while (node != NULL) {
        bool exact;
        int at = search(node, key, &exact);
        if (at < 0) {
            /* Only before the first owner of all: an entry's head is that of its first owner. */
            *depth = 0;
            return false;
        }
        REQUIRE(*depth < TREE_DEPTH_MAX);
        path[*depth] = (struct zone_cursor_step){node, (unsigned)at};
        (*depth)++;
        if (node->level == 0) {
            return exact;
        }
        node = node_children(node)[at];
    }
    return false;
}

enum { AHEAD = 4 };

/* Walks read every owner they come to. */
static ALWAYS_INLINE void prefetch_ahead(const struct tree_node *leaf, unsigned at)
{
    if (at + AHEAD < leaf->count) {
        const struct owner *owner = node_owners(leaf)[at + AHEAD];
        __builtin_prefetch(owner);
        __builtin_prefetch(owner->bytes + 48);
    }
}

HOT void tree_path_next(struct zone_cursor_step *path, uint8_t *depth)
{
    while (*depth > 0) {
        struct zone_cursor_step *step = &path[*depth - 1];
        const struct tree_node *node = step->node;
        if (step->at + 1 < node->count) {
            step->at++;
            if (LIKELY(node->level == 0)) {
                prefetch_ahead(node, step->at);
                return;
            }
            descend(path, depth, false);
            return;
        }
        (*depth)--;
    }
}

void tree_path_previous(struct zone_cursor_step *path, uint8_t *depth)
{
    while (*depth > 0) {
        struct zone_cursor_step *step = &path[*depth - 1];
        if (step->at > 0) {
            step->at--;
            descend(path, depth, true);
            return;
        }
        (*depth)--;
    }
}
