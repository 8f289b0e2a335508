/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash index: from the hash of a name to its owner in two cache lines (docs/formats.md has the
 * layout, hash_index.c the reasons). Persistent: pages are copied by the step that changes them.
 */
#ifndef ZONE_HASH_INDEX_IMPL_H
#define ZONE_HASH_INDEX_IMPL_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "wire/name_octets.h"
#include "zone/owner_impl.h"
#include "zone/step_impl.h"
#include "zone/tree_impl.h"

enum {
    BUCKET_SLOTS = 8,
    BUCKET_SIZE = 64,
    PAGE_MAX_BUCKETS = 31, /* with its head 2 KiB */
    CHUNK_BITS = 6,        /* page references of one directory chunk: 64 */
    HASH_MAX_DEPTH = 26,
};

#define SLOT_OWNER UINT64_C(0x0000fffffffffff8)
#define SLOT_OVERFLOW                                                                              \
    UINT64_C(1) /* in a bucket's first slot: an entry went on to the next bucket */

/* In front of a page's buckets, in a line of its own that no lookup touches. */
struct hash_page {
    ALIGNED(64) uint64_t stamp;
    uint16_t count; /* entries */
    uint8_t bucket_count;
    uint8_t depth; /* leading bits of the hash that all its entries share */
};

/* A row of references: of pages (a chunk), or of chunks (the top). */
struct hash_table {
    uint64_t stamp;
    uint64_t count;
    uintptr_t items[];
};

/*
 * root: depth 0: the page; up to CHUNK_BITS: a chunk of 2^depth pages; above: the top with
 * 2^(depth - CHUNK_BITS) chunks. A reference to a page has its bucket count - 1 in the low six
 * bits.
 */
struct hash_index {
    uintptr_t root; /* 0: empty */
    uint8_t depth;
};

static inline size_t hash_table_size(size_t count)
{
    return sizeof(struct hash_table) + count * sizeof(uintptr_t);
}

static inline size_t hash_page_size(unsigned bucket_count)
{
    return sizeof(struct hash_page) + (size_t)bucket_count * BUCKET_SIZE;
}

static inline struct hash_page *page_of(uintptr_t reference)
{
    return unconst((const void *)(reference & ~(uintptr_t)63));
}

static inline unsigned page_buckets(uintptr_t reference)
{
    return (unsigned)(reference & 63) + 1;
}

static inline uint64_t *page_bucket(struct hash_page *page, unsigned bucket)
{
    return (uint64_t *)(page + 1) + (size_t)bucket * BUCKET_SLOTS;
}

/* The leading `bits` bits. */
static inline uint64_t hash_leading(uint64_t hash, unsigned bits)
{
    return bits == 0 ? 0 : hash >> (64 - bits);
}

/* Which bucket of a page an entry starts in follows from its tag, so that a page grows without
 * looking at its owners. */
static inline uint64_t hash_tag(uint64_t hash)
{
    return hash & 0xffff;
}

static inline unsigned tag_bucket(uint64_t tag, unsigned bucket_count)
{
    return (unsigned)(tag * bucket_count >> 16);
}

/* Where the reference to the hash's page stands: for prefetching, before hash_index_bucket. */
static ALWAYS_INLINE const uintptr_t *hash_index_reference(const struct hash_index *index,
                                                           uint64_t hash)
{
    const uintptr_t *at = &index->root;
    if (index->depth == 0) {
        return at;
    }
    if (index->depth > CHUNK_BITS) {
        const struct hash_table *top = (const struct hash_table *)*at;
        at = &top->items[hash_leading(hash, index->depth - CHUNK_BITS)];
    }
    const struct hash_table *chunk = (const struct hash_table *)*at;
    uint64_t mask = index->depth > CHUNK_BITS ? (1u << CHUNK_BITS) - 1 : UINT64_MAX;
    return &chunk->items[hash_leading(hash, index->depth) & mask];
}

/* A search in progress: for each owner it stops at, the caller looks whether it is the one. */
struct hash_probe {
    const uint64_t *buckets; /* of the page; NULL: nothing there */
    unsigned bucket_count;
    unsigned bucket;
    unsigned slot;
    unsigned left; /* buckets not yet looked at */
};

static ALWAYS_INLINE void hash_probe_start(struct hash_probe *probe, uintptr_t reference,
                                           uint64_t hash)
{
    probe->buckets = reference == 0 ? NULL : (const uint64_t *)(page_of(reference) + 1);
    probe->bucket_count = page_buckets(reference);
    probe->bucket = tag_bucket(hash_tag(hash), probe->bucket_count);
    probe->slot = 0;
    probe->left = probe->bucket_count;
}

static ALWAYS_INLINE const uint64_t *hash_probe_line(const struct hash_probe *probe)
{
    return probe->buckets + (size_t)probe->bucket * BUCKET_SLOTS;
}

/* The next owner whose tag fits, or NULL. */
static ALWAYS_INLINE const struct owner *hash_probe_next(struct hash_probe *probe, uint64_t hash)
{
    if (UNLIKELY(probe->buckets == NULL)) {
        return NULL;
    }
    uint64_t tag = hash_tag(hash);
    while (probe->left > 0) {
        const uint64_t *line = hash_probe_line(probe);
        while (probe->slot < BUCKET_SLOTS) {
            uint64_t slot = line[probe->slot++];
            if (slot >> 48 == tag && (slot & SLOT_OWNER) != 0) {
                return (const struct owner *)(uintptr_t)(slot & SLOT_OWNER);
            }
        }
        if ((line[0] & SLOT_OVERFLOW) == 0) {
            return NULL;
        }
        probe->left--;
        probe->slot = 0;
        probe->bucket = probe->bucket + 1 == probe->bucket_count ? 0 : probe->bucket + 1;
    }
    return NULL;
}

/* `owner` is that of the name: hash, then octets without case. name_size with the root label. */
static ALWAYS_INLINE bool owner_is(const struct owner *owner, uint64_t hash, const uint8_t *name,
                                   size_t size)
{
    return owner->hash == hash && owner->name_size == size &&
           octets_equal_likely(owner->bytes, name, size);
}

/*
 * The slots of a line whose tags are this one: bit 4n + 3 for the n-th. Without a branch for each, as
 * where a name stands in its line cannot be foretold. An empty slot fits the tag 0.
 */
static ALWAYS_INLINE uint32_t line_fits(const uint64_t *line, uint64_t tag)
{
#ifdef __SSE2__
    const __m128i *pairs = (const __m128i *)line;
    __m128i wanted = _mm_set1_epi16((short)tag);
    __m128i low =
        _mm_packs_epi16(_mm_cmpeq_epi16(pairs[0], wanted), _mm_cmpeq_epi16(pairs[1], wanted));
    __m128i high =
        _mm_packs_epi16(_mm_cmpeq_epi16(pairs[2], wanted), _mm_cmpeq_epi16(pairs[3], wanted));
    return ((uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16) &
           0x88888888u;
#else
    uint32_t fits = 0;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        fits |= (uint32_t)(line[i] >> 48 == tag) << (4 * i + 3);
    }
    return fits;
#endif
}

/* hash_index_find() where the first bucket did not settle it; hash_index.c. */
const struct owner *hash_index_search(uintptr_t reference, uint64_t hash, const uint8_t *name,
                                      size_t size);

static ALWAYS_INLINE const struct owner *
hash_index_find(const struct hash_index *index, uint64_t hash, const uint8_t *name, size_t size)
{
    uintptr_t reference = *hash_index_reference(index, hash);
    if (UNLIKELY(reference == 0)) {
        return NULL;
    }
    uint64_t tag = hash_tag(hash);
    const uint64_t *line =
        page_bucket(page_of(reference), tag_bucket(tag, page_buckets(reference)));
    for (uint32_t fits = line_fits(line, tag); fits != 0; fits &= fits - 1) {
        uint64_t slot = line[(unsigned)__builtin_ctz(fits) / 4];
        if (LIKELY((slot & SLOT_OWNER) != 0)) {
            const struct owner *owner = (const struct owner *)(uintptr_t)(slot & SLOT_OWNER);
            return LIKELY(owner_is(owner, hash, name, size))
                       ? owner
                       : hash_index_search(reference, hash, name, size);
        }
    }
    return LIKELY((line[0] & SLOT_OVERFLOW) == 0) ? NULL
                                                  : hash_index_search(reference, hash, name, size);
}

/* What a change of the hash's entry will read; hash_index_reference() was asked for before. */
static ALWAYS_INLINE void hash_index_prefetch(const struct hash_index *index, uint64_t hash)
{
    uintptr_t reference = *hash_index_reference(index, hash);
    const struct hash_page *page = page_of(reference);
    __builtin_prefetch(page);
    __builtin_prefetch((const uint8_t *)(page + 1) +
                       (size_t)tag_bucket(hash_tag(hash), page_buckets(reference)) * BUCKET_SIZE);
}

/* Changes within a step; the owner is, or is not, there. Amortized O(1). */
void hash_index_insert(struct step *step, struct hash_index *index, const struct owner *owner);
void hash_index_replace(struct step *step, struct hash_index *index, const struct owner *before,
                        const struct owner *after);
void hash_index_remove(struct step *step, struct hash_index *index, const struct owner *owner);
/* An index of `count` owners, with no two of one name. O(n). */
struct hash_index hash_index_build(struct step *step, const struct tree_entry *entries,
                                   size_t count);
/* Each page and table of the index, each once. */
void hash_index_each(const struct hash_index *index,
                     void (*visit)(void *context, const void *object, enum retired_kind kind),
                     void *context);

#endif
