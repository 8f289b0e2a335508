/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arenas are a list of blocks that double in size up to 1 MiB; an allocation is a pointer bump.
 * There is no free list to get wrong: what lives together dies together.
 */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t size;
    size_t used;
    ALIGNED(16) uint8_t bytes[];
};

void memory_exhausted(size_t size)
{
    fprintf(stderr, "lockstep: out of memory (asked for %zu bytes)\n", size);
    abort();
}

void *memory_new(size_t size)
{
    void *block = malloc(size == 0 ? 1 : size);
    if (block == NULL) {
        memory_exhausted(size);
    }
    return block;
}

void *memory_new_zeroed(size_t count, size_t size)
{
    void *block = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (block == NULL) {
        memory_exhausted(size);
    }
    return block;
}

void *memory_new_aligned(size_t alignment, size_t size)
{
    void *block = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
    if (block == NULL) {
        memory_exhausted(size);
    }
    return block;
}

void *memory_resize(void *block, size_t size)
{
    void *resized = realloc(block, size == 0 ? 1 : size);
    if (resized == NULL) {
        memory_exhausted(size);
    }
    return resized;
}

void memory_free(void *block)
{
    free(block);
}

char *memory_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size), text, size);
}

void memory_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void arena_init(struct arena *arena, size_t budget_bytes)
{
    *arena = (struct arena){.budget_bytes = budget_bytes};
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (arena->budget_bytes != 0 && size > arena->budget_bytes - arena->used_bytes) {
        return NULL;
    }
    struct arena_block *block = arena->block;
    if (block == NULL || size > block->size - block->used) {
        size_t block_size = block == NULL ? FIRST_BLOCK : block->size * 2;
        if (block_size > LARGEST_BLOCK) {
            block_size = LARGEST_BLOCK;
        }
        if (block_size < size) {
            block_size = size;
        }
        block = memory_new(sizeof(*block) + block_size);
        block->older = arena->block;
        block->size = block_size;
        block->used = 0;
        arena->block = block;
    }
    void *given = block->bytes + block->used;
    block->used += size;
    arena->used_bytes += size;
    return given;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.size);
    if (copy != NULL && bytes.size != 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return (struct slice){copy, copy == NULL ? 0 : bytes.size};
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

void arena_reset(struct arena *arena)
{
    while (arena->block != NULL && arena->block->older != NULL) {
        struct arena_block *block = arena->block;
        arena->block = block->older;
        memory_free(block);
    }
    if (arena->block != NULL) {
        arena->block->used = 0;
    }
    arena->used_bytes = 0;
}

void arena_deinit(struct arena *arena)
{
    while (arena->block != NULL) {
        struct arena_block *block = arena->block;
        arena->block = block->older;
        memory_free(block);
    }
    arena->used_bytes = 0;
}
