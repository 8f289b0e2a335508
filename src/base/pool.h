/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool: very many blocks of many sizes with lifetimes of their own, out of large chunks on huge
 * pages. A block has no header, so who gives it back says its size; a size is rounded up to 16 bytes
 * at least, by less than 8 bytes up to 256, and by at most an eighth above.
 *
 * Each user works through a pool_cache of its own (on its stack or inside its machine) which
 * takes and gives blocks by the batch; only a batch takes the pool's mutex.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/attr.h"

enum { POOL_CLASSES = 88, POOL_LARGEST_BYTES = 32768 };

struct pool;

struct pool *pool_new(void);
/* NULL is fine. All its blocks are gone with it, except those above POOL_LARGEST_BYTES. */
void pool_free(struct pool *pool);
/* Bytes given out, rounding included; exact while no cache is open. Any thread. */
uint64_t pool_used_bytes(struct pool *pool);
/* Bytes held from the system. Any thread. */
uint64_t pool_mapped_bytes(struct pool *pool);
/* Gives chunks without any block in use back to the system, all but `keep_bytes` of them. Chunks
 * are never given back otherwise: memory that was touched once is the fast memory. Any thread. */
void pool_trim(struct pool *pool, uint64_t keep_bytes);

/* One user's share of a pool. One thread at a time; a block may go back through another cache than
 * it came from. */
struct pool_cache {
    struct pool *pool;
    int64_t used_bytes; /* given out minus taken back, since the pool was last told */
    struct {
        void *first;
        uint16_t count;
        uint16_t batch;
    } bins[POOL_CLASSES];
};

void pool_cache_init(struct pool_cache *cache, struct pool *pool);
/* Hands everything it keeps back to the pool. Safe on a zeroed one. */
void pool_cache_deinit(struct pool_cache *cache);

/* Not zeroed; aligned to 8 bytes, and to 64 where `size` is a multiple of 64. Amortized O(1). */
void *pool_alloc(struct pool_cache *cache, size_t size);
/* `size` as it was asked for. NULL is fine. */
void pool_release(struct pool_cache *cache, void *block, size_t size);
/* What a block of `size` bytes really has: using it all costs nothing. */
size_t pool_rounded_size(size_t size);

#endif
