/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A binary heap in an array of pointers: the children of index i are 2i+1 and 2i+2, and no child is
 * due before its parent. Each node keeps 1 + its index, which makes update and remove O(log n); a
 * zeroed node is in no heap without having been initialized.
 */
#include "base/heap.h"

#include "base/memory.h"

enum { FIRST_CAPACITY = 16 };

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_deinit(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        heap->nodes[i]->position = 0;
    }
    memory_free(heap->nodes);
    *heap = (struct heap){0};
}

static void put(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->position = index + 1;
}

/* Finds the place for `node` from the free slot `index` towards the root. */
static void sift_up(struct heap *heap, size_t index, struct heap_node *node)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!instant_before(node->at, heap->nodes[parent]->at)) {
            break;
        }
        put(heap, index, heap->nodes[parent]);
        index = parent;
    }
    put(heap, index, node);
}

/* Finds the place for `node` from the free slot `index` towards the leaves. */
static void sift_down(struct heap *heap, size_t index, struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            instant_before(heap->nodes[child + 1]->at, heap->nodes[child]->at)) {
            child++;
        }
        if (!instant_before(heap->nodes[child]->at, node->at)) {
            break;
        }
        put(heap, index, heap->nodes[child]);
        index = child;
    }
    put(heap, index, node);
}

void heap_insert(struct heap *heap, struct heap_node *node, struct instant at)
{
    REQUIRE(!heap_node_is_in(node));
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
        heap->nodes = memory_resize(heap->nodes, heap->capacity * sizeof(struct heap_node *));
    }
    node->at = at;
    heap->count++;
    sift_up(heap, heap->count - 1, node);
}

void heap_update(struct heap *heap, struct heap_node *node, struct instant at)
{
    if (!heap_node_is_in(node)) {
        heap_insert(heap, node, at);
        return;
    }
    size_t index = node->position - 1;
    REQUIRE(index < heap->count && heap->nodes[index] == node);
    bool earlier = instant_before(at, node->at);
    node->at = at;
    if (earlier) {
        sift_up(heap, index, node);
    } else {
        sift_down(heap, index, node);
    }
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_node_is_in(node)) {
        return;
    }
    size_t index = node->position - 1;
    REQUIRE(index < heap->count && heap->nodes[index] == node);
    node->position = 0;
    heap->count--;
    struct heap_node *last = heap->nodes[heap->count];
    if (last == node) {
        return;
    }
    if (index > 0 && instant_before(last->at, heap->nodes[(index - 1) / 2]->at)) {
        sift_up(heap, index, last);
    } else {
        sift_down(heap, index, last);
    }
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}
