/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slabs. The system gives chunks of 2 MiB, aligned to their size: a lookup in a zone of millions is
 * bound by TLB misses, and a huge page has one where 4 KiB pages have 512. MADV_HUGEPAGE is given
 * only when the next chunk begins. The chunk in use is touched in pages of 4 KiB, and the kernel's
 * khugepaged joins them later: a huge page at first touch is five times cheaper where the memory
 * behind it is there, but in a virtual machine whose host has yet to provide it, it cost 7 s a GiB
 * (docs/decisions/version-structure.md), on the way of every load and transfer. A
 * chunk is 16 spans of 128 KiB; a span holds blocks of one class, is filled from its start, and is
 * free for any class again when its last block came back. So memory that one zone's life left
 * behind serves the next zone, whatever its sizes: the weakness of plain size classes.
 *
 * Classes: every 8 bytes from 16 to 256, then eight to each doubling up to 32 KiB. What is larger is
 * rare (an RRset of hundreds of records) and comes from malloc.
 *
 * The head of a chunk tells of its spans; a block finds its span by masking its address. Free
 * blocks are linked through their first word: in a cache without a lock, in a span under the
 * pool's mutex. What a cache gives back stays together, as a magazine that the next cache takes as
 * it is, in one move and without a look at any block; only where the pool would have to ask the
 * system for memory are magazines taken apart, so that their blocks' spans may become free. A cache
 * asks for 1, 2, 4 … blocks at a time, so that a zone of five names does not take and give back
 * hundreds.
 *
 * Invariants: a span is in at most one list: free spans, or the class's spans with room; a full one
 * is in none. live == 0 exactly for free spans. Blocks in a cache count as live.
 *
 * Under AddressSanitizer whatever is not given out is poisoned, to the byte.
 */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_POISONS 1
#endif

#ifdef POOL_POISONS
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define POISON(block, size)   __asan_poison_memory_region(block, size)
#define UNPOISON(block, size) __asan_unpoison_memory_region(block, size)
#define ROOT_ADD(block, size) __lsan_register_root_region(block, size)
#define ROOT_DEL(block, size) __lsan_unregister_root_region(block, size)
#else
#define POISON(block, size)   ((void)0)
#define UNPOISON(block, size) ((void)0)
#define ROOT_ADD(block, size) ((void)0)
#define ROOT_DEL(block, size) ((void)0)
#endif

enum {
    CHUNK_SIZE = 2 << 20,
    SPAN_SIZE = 128 << 10,
    SPANS = CHUNK_SIZE / SPAN_SIZE,
    SMALLEST = 16, /* a free block has two words */
    SMALL_CLASSES = 32,
    BATCH_MAX = 64,          /* blocks that move between cache and pool at once … */
    BATCH_MAX_BYTES = 16384, /* … and their size */
    MAGAZINE_MIN = 8,        /* blocks; fewer go back to their spans */
};

struct span {
    struct span *next, *prev;
    void *free;     /* blocks that came back */
    uint32_t fresh; /* offset of what was never given out, from the span's start */
    uint32_t live;
    uint8_t class;
    bool listed; /* in a list of spans with room, or of free ones */
};

struct chunk {
    struct chunk *next, *prev;
    uint32_t live_spans;
    struct span spans[SPANS];
};

struct pool {
    pthread_mutex_t mutex;
    void *magazines[POOL_CLASSES];
    uint64_t magazine_bytes; /* in all of them */
    struct span *roomy[POOL_CLASSES];
    struct span *free_spans;
    struct chunk *chunks;
    uint64_t mapped_bytes;
    int64_t used_bytes; /* atomic */
};

static ALWAYS_INLINE unsigned class_of(size_t size)
{
    if (size <= 256) {
        return size <= SMALLEST ? 1 : (unsigned)((size - 1) / 8);
    }
    unsigned log = 63 - (unsigned)__builtin_clzll(size - 1);
    return SMALL_CLASSES + (log - 8) * 8 + (unsigned)((size - 1) >> (log - 3)) - 8;
}

static ALWAYS_INLINE size_t class_size(unsigned class)
{
    if (class < SMALL_CLASSES) {
        return (size_t)(class + 1) * 8;
    }
    unsigned log = 8 + (class - SMALL_CLASSES) / 8;
    return (size_t)(9 + (class - SMALL_CLASSES) % 8) << (log - 3);
}

static ALWAYS_INLINE unsigned batch_max(size_t size)
{
    size_t count = BATCH_MAX_BYTES / size;
    return count < 1 ? 1 : count > BATCH_MAX ? BATCH_MAX : (unsigned)count;
}

/* The link of a free block lies in poisoned memory. */
NO_SANITIZE_ADDRESS static inline void *link_get(void *block)
{
    return *(void **)block;
}

NO_SANITIZE_ADDRESS static inline void link_set(void *block, void *next)
{
    *(void **)block = next;
}

/* A magazine is a list of free blocks as a cache keeps it. Its first block's second word tells of
 * the magazine below it and how many blocks there are. */
NO_SANITIZE_ADDRESS static inline void magazine_push(struct pool *pool, unsigned class, void *first,
                                                     unsigned count)
{
    ((uint64_t *)first)[1] = (uint64_t)(uintptr_t)pool->magazines[class] | (uint64_t)count << 48;
    pool->magazines[class] = first;
    pool->magazine_bytes += count * class_size(class);
}

NO_SANITIZE_ADDRESS static inline void *magazine_pop(struct pool *pool, unsigned class,
                                                     unsigned *count)
{
    void *first = pool->magazines[class];
    if (first != NULL) {
        uint64_t word = ((uint64_t *)first)[1];
        *count = (unsigned)(word >> 48);
        pool->magazines[class] = (void *)(uintptr_t)(word & 0xffffffffffffu);
        pool->magazine_bytes -= *count * class_size(class);
    }
    return first;
}

static inline struct chunk *chunk_of(void *block)
{
    return (struct chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK_SIZE - 1));
}

static inline struct span *span_of(void *block)
{
    return &chunk_of(block)->spans[((uintptr_t)block & (CHUNK_SIZE - 1)) / SPAN_SIZE];
}

static inline uint8_t *span_bytes(struct span *span)
{
    struct chunk *chunk = chunk_of(span);
    return (uint8_t *)chunk + (size_t)(span - chunk->spans) * SPAN_SIZE;
}

static void span_list_add(struct span **list, struct span *span)
{
    span->prev = NULL;
    span->next = *list;
    if (*list != NULL) {
        (*list)->prev = span;
    }
    *list = span;
    span->listed = true;
}

static void span_list_remove(struct span **list, struct span *span)
{
    if (span->prev != NULL) {
        span->prev->next = span->next;
    } else {
        *list = span->next;
    }
    if (span->next != NULL) {
        span->next->prev = span->prev;
    }
    span->listed = false;
}

struct pool *pool_new(void)
{
    struct pool *pool = memory_new_zeroed(1, sizeof(*pool));
    REQUIRE(pthread_mutex_init(&pool->mutex, NULL) == 0);
    return pool;
}

static void chunk_unmap(struct chunk *chunk)
{
    ROOT_DEL(chunk, CHUNK_SIZE);
    UNPOISON(chunk, CHUNK_SIZE);
    munmap(chunk, CHUNK_SIZE);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->chunks != NULL) {
        struct chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        chunk_unmap(chunk);
    }
    pthread_mutex_destroy(&pool->mutex);
    memory_free(pool);
}

/* With the mutex. */
static void span_take_back(struct pool *pool, void *block)
{
    struct span *span = span_of(block);
    link_set(block, span->free);
    span->free = block;
    span->live--;
    if (span->live == 0) {
        if (span->listed) {
            span_list_remove(&pool->roomy[span->class], span);
        }
        chunk_of(span)->live_spans--;
        span_list_add(&pool->free_spans, span);
    } else if (!span->listed) {
        span_list_add(&pool->roomy[span->class], span);
    }
}

/* With the mutex: all blocks of all magazines go back to their spans. */
static COLD void magazines_empty(struct pool *pool)
{
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        unsigned count;
        void *block;
        while ((block = magazine_pop(pool, class, &count)) != NULL) {
            while (block != NULL) {
                void *next = link_get(block);
                __builtin_prefetch(next);
                span_take_back(pool, block);
                block = next;
            }
        }
    }
}

/* With the mutex. */
static void chunk_add(struct pool *pool)
{
    uint8_t *map = mmap(NULL, 2 * (size_t)CHUNK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        memory_exhausted(CHUNK_SIZE);
    }
    size_t before = (CHUNK_SIZE - ((uintptr_t)map & (CHUNK_SIZE - 1))) & (CHUNK_SIZE - 1);
    if (before != 0) {
        munmap(map, before);
    }
    munmap(map + before + CHUNK_SIZE, CHUNK_SIZE - before);
    if (pool->chunks != NULL) {
        madvise(pool->chunks, CHUNK_SIZE, MADV_HUGEPAGE);
    }
    struct chunk *chunk = (struct chunk *)(void *)(map + before);
    ROOT_ADD(chunk, CHUNK_SIZE);
    POISON((uint8_t *)chunk + sizeof(*chunk), CHUNK_SIZE - sizeof(*chunk));
    chunk->next = pool->chunks;
    if (pool->chunks != NULL) {
        pool->chunks->prev = chunk;
    }
    pool->chunks = chunk;
    pool->mapped_bytes += CHUNK_SIZE;
    for (unsigned i = SPANS; i > 0; i--) {
        span_list_add(&pool->free_spans, &chunk->spans[i - 1]);
    }
}

/* With the mutex: a span of the class with room. */
static struct span *span_get(struct pool *pool, unsigned class)
{
    struct span *span = pool->roomy[class];
    if (span != NULL) {
        return span;
    }
    if (pool->free_spans == NULL && pool->magazine_bytes >= 2 * (uint64_t)CHUNK_SIZE) {
        magazines_empty(pool);
        if (pool->roomy[class] != NULL) {
            return pool->roomy[class];
        }
    }
    if (pool->free_spans == NULL) {
        chunk_add(pool);
    }
    span = pool->free_spans;
    span_list_remove(&pool->free_spans, span);
    struct chunk *chunk = chunk_of(span);
    chunk->live_spans++;
    span->class = (uint8_t) class;
    span->free = NULL;
    span->live = 0;
    span->fresh = span == chunk->spans ? (sizeof(*chunk) + 63) & ~63u : 0;
    span_list_add(&pool->roomy[class], span);
    return span;
}

static void tell_used(struct pool_cache *cache)
{
    __atomic_fetch_add(&cache->pool->used_bytes, cache->used_bytes, __ATOMIC_RELAXED);
    cache->used_bytes = 0;
}

static COLD void refill(struct pool_cache *cache, unsigned class)
{
    struct pool *pool = cache->pool;
    size_t size = class_size(class);
    unsigned want = cache->bins[class].batch;
    unsigned most = batch_max(size);
    want = want == 0 ? 1 : want * 2 > most ? most : want * 2;
    cache->bins[class].batch = (uint16_t)want;
    void *last = NULL;
    unsigned count;
    pthread_mutex_lock(&pool->mutex);
    tell_used(cache);
    void *first = magazine_pop(pool, class, &count);
    if (first != NULL) {
        pthread_mutex_unlock(&pool->mutex);
        cache->bins[class].first = first;
        cache->bins[class].count = (uint16_t)count;
        return;
    }
    for (unsigned i = 0; i < want; i++) {
        struct span *span = span_get(pool, class);
        void *block = span->free;
        if (block != NULL) {
            span->free = link_get(block);
        } else {
            block = span_bytes(span) + span->fresh;
            span->fresh += (uint32_t)size;
        }
        span->live++;
        if (span->free == NULL && span->fresh + size > SPAN_SIZE) {
            span_list_remove(&pool->roomy[class], span);
        }
        if (first == NULL) {
            first = block;
        } else {
            link_set(last, block);
        }
        last = block;
    }
    pthread_mutex_unlock(&pool->mutex);
    link_set(last, NULL);
    cache->bins[class].first = first;
    cache->bins[class].count = (uint16_t)want;
}

/* All of the cache's blocks of a class go to the pool. */
static void drain(struct pool_cache *cache, unsigned class)
{
    void *block = cache->bins[class].first;
    unsigned count = cache->bins[class].count;
    cache->bins[class].first = NULL;
    cache->bins[class].count = 0;
    pthread_mutex_lock(&cache->pool->mutex);
    tell_used(cache);
    if (count >= MAGAZINE_MIN) {
        magazine_push(cache->pool, class, block, count);
        block = NULL;
    }
    while (block != NULL) {
        void *next = link_get(block);
        span_take_back(cache->pool, block);
        block = next;
    }
    pthread_mutex_unlock(&cache->pool->mutex);
}

void pool_cache_init(struct pool_cache *cache, struct pool *pool)
{
    memset(cache, 0, sizeof(*cache));
    cache->pool = pool;
}

void pool_cache_deinit(struct pool_cache *cache)
{
    if (cache->pool == NULL) {
        return;
    }
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        if (cache->bins[class].first != NULL) {
            drain(cache, class);
        }
    }
    tell_used(cache);
}

static COLD void *alloc_large(struct pool_cache *cache, size_t size)
{
    void *block = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (block == NULL) {
        memory_exhausted(size);
    }
    cache->used_bytes += (int64_t)pool_rounded_size(size);
    return block;
}

HOT void *pool_alloc(struct pool_cache *cache, size_t size)
{
    if (UNLIKELY(size > POOL_LARGEST_BYTES)) {
        return alloc_large(cache, size);
    }
    unsigned class = class_of(size);
    if (UNLIKELY(cache->bins[class].first == NULL)) {
        refill(cache, class);
    }
    void *block = cache->bins[class].first;
    void *next = link_get(block);
    __builtin_prefetch(next, 1); /* for the next call, to read and to fill */
    cache->bins[class].first = next;
    cache->bins[class].count--;
    cache->used_bytes += (int64_t)class_size(class);
    UNPOISON(block, size);
    return block;
}

HOT void pool_release(struct pool_cache *cache, void *block, size_t size)
{
    if (block == NULL) {
        return;
    }
    if (UNLIKELY(size > POOL_LARGEST_BYTES)) {
        cache->used_bytes -= (int64_t)pool_rounded_size(size);
        free(block);
        return;
    }
    unsigned class = class_of(size);
    cache->used_bytes -= (int64_t)class_size(class);
    POISON(block, class_size(class));
    link_set(block, cache->bins[class].first);
    cache->bins[class].first = block;
    if (UNLIKELY(++cache->bins[class].count >= 2 * BATCH_MAX) ||
        UNLIKELY((size_t)cache->bins[class].count * class_size(class) > 4 * BATCH_MAX_BYTES)) {
        drain(cache, class);
    }
}

size_t pool_rounded_size(size_t size)
{
    return size > POOL_LARGEST_BYTES ? (size + 63) & ~(size_t)63 : class_size(class_of(size));
}

uint64_t pool_used_bytes(struct pool *pool)
{
    return (uint64_t)__atomic_load_n(&pool->used_bytes, __ATOMIC_RELAXED);
}

uint64_t pool_mapped_bytes(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    uint64_t bytes = pool->mapped_bytes;
    pthread_mutex_unlock(&pool->mutex);
    return bytes;
}

void pool_trim(struct pool *pool, uint64_t keep_bytes)
{
    pthread_mutex_lock(&pool->mutex);
    magazines_empty(pool);
    struct chunk *next;
    for (struct chunk *chunk = pool->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (chunk->live_spans != 0) {
            continue;
        }
        if (keep_bytes >= CHUNK_SIZE) {
            keep_bytes -= CHUNK_SIZE;
            continue;
        }
        for (unsigned i = 0; i < SPANS; i++) {
            span_list_remove(&pool->free_spans, &chunk->spans[i]);
        }
        if (chunk->prev != NULL) {
            chunk->prev->next = chunk->next;
        } else {
            pool->chunks = chunk->next;
        }
        if (chunk->next != NULL) {
            chunk->next->prev = chunk->prev;
        }
        pool->mapped_bytes -= CHUNK_SIZE;
        chunk_unmap(chunk);
    }
    pthread_mutex_unlock(&pool->mutex);
}
