/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A binary min-heap of moments: what is due next, out of many. The node lives inside what it times
 * and knows its place, so moving or removing it needs no search. Zeroed nodes are in no heap.
 *
 * One owner thread. Nodes that are due at the same instant come in no particular order.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/clock.h"

struct heap_node {
    struct instant at; /* set by heap_insert and heap_update only */
    size_t position;   /* 1 + index in the heap; 0: in none */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
};

void heap_init(struct heap *heap);
/* Nodes still in it are taken out (they are not the heap's). Safe on a zeroed heap. */
void heap_deinit(struct heap *heap);
/* `node` is borrowed until it is removed; it must be in no heap (REQUIREd). O(log n). */
void heap_insert(struct heap *heap, struct heap_node *node, struct instant at);
/* Moves `node`, or inserts it where it is in no heap yet. O(log n). */
void heap_update(struct heap *heap, struct heap_node *node, struct instant at);
/* Nothing happens where it is in no heap. O(log n). */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The earliest node, or NULL. O(1). */
struct heap_node *heap_first(const struct heap *heap);

static inline bool heap_node_is_in(const struct heap_node *node)
{
    return node->position != 0;
}

#endif
