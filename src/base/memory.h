/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heap memory where failure is fatal (HOUSE section 6: budgets are errors, exhaustion is not
 * survivable), and arenas: many small allocations with one lifetime and one release.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

#include "base/attr.h"
#include "base/slice.h"

/* As malloc, calloc (zeroed), realloc, free, strdup; log and abort instead of returning NULL. */
void *memory_new(size_t size);
void *memory_new_zeroed(size_t count, size_t size);
void *memory_resize(void *block, size_t size);
void memory_free(void *block);
char *memory_strdup(const char *text);
/* The same at an address that is a multiple of `alignment`, a power of two. */
void *memory_new_aligned(size_t alignment, size_t size);
/* Gives what is free, and was touched before, back to the system. Any thread; milliseconds where much
 * is free, and who allocates meanwhile waits: for quiet moments after a rush. */
void memory_trim(void);
/* The end, with a line that says how much was asked for: for who maps memory itself. */
NORETURN COLD void memory_exhausted(size_t size);

/*
 * An arena. One owner thread. `budget_bytes` 0 means no budget; passing a budget makes
 * arena_alloc return NULL, which the caller reports as ERR_LIMIT.
 */
struct arena {
    struct arena_block *block; /* newest first */
    size_t used_bytes;         /* given out, alignment included */
    size_t budget_bytes;
};

void arena_init(struct arena *arena, size_t budget_bytes);
/* 8-byte aligned, not zeroed; NULL only past the budget. Amortized O(1). */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of `bytes`; data is NULL past the budget. */
struct slice arena_copy(struct arena *arena, struct slice bytes);
/* A NUL-terminated copy; NULL past the budget. */
char *arena_strdup(struct arena *arena, const char *text);
/* Everything given out is gone; the first block is kept for the next use. */
void arena_reset(struct arena *arena);
/* Safe on a zeroed or already released arena. */
void arena_deinit(struct arena *arena);

#endif
