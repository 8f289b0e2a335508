/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash index: extendible hashing, made persistent. The leading bits of the hash choose a page
 * by way of a directory; within the page the lowest 16 bits, the tag, choose the bucket; a bucket
 * is one cache line of eight slots, each the tag and the address of an owner (48 bits are enough
 * for user space on every 64-bit Linux that does not ask for more). A lookup touches the directory
 * (64 KiB in a zone of a million names, so mostly cached), one line, and the owner.
 *
 * A page has any number of buckets up to PAGE_MAX_BUCKETS, as many as its entries need: so the
 * index is always well filled, for a zone of five names as for one of five million, and 11 octets
 * an owner are enough. Since the bucket follows from the tag, which the slot holds, a page is made
 * larger without looking at owners; only a split in two reads their hashes, once per doubling of
 * the zone. A full bucket goes on in the next one and says so, so that a search that finds nothing
 * ends early.
 *
 * Copy on write: a change copies its page (2 KiB), the directory's chunk (512 octets) and its top
 * (one word for 64 pages), each once per step. Pages that share fewer leading bits than the
 * directory uses are referred to by neighbouring entries, which are always changed together.
 */
#include "zone/hash_index_impl.h"

#include "base/memory.h"

enum { ONE_PAGE = 170 }; /* so many names need no directory */

/* Entries a page takes before it gets more buckets: 81 %, or all of a single bucket. */
static unsigned page_limit(unsigned bucket_count)
{
    return bucket_count == 1 ? BUCKET_SLOTS : bucket_count * 13 / 2;
}

/* Buckets for a page that still grows: 65 % full. */
static unsigned buckets_to_grow(unsigned count)
{
    return count <= 6 ? 1 : (count * 5 + 25) / 26;
}

/* Buckets for a page as it comes from building: 72 % full. */
static unsigned buckets_to_stay(unsigned count)
{
    unsigned bucket_count = count <= BUCKET_SLOTS ? 1 : (count * 4 + 22) / 23;
    return bucket_count > PAGE_MAX_BUCKETS ? PAGE_MAX_BUCKETS : bucket_count;
}

static struct hash_page *page_new(struct step *step, unsigned bucket_count, unsigned depth)
{
    struct hash_page *page = step_alloc(step, hash_page_size(bucket_count));
    memset(page, 0, hash_page_size(bucket_count));
    page->stamp = step->stamp;
    page->bucket_count = (uint8_t)bucket_count;
    page->depth = (uint8_t)depth;
    return page;
}

static uintptr_t page_reference(const struct hash_page *page)
{
    return (uintptr_t)page | (page->bucket_count - 1u);
}

static void page_retire(struct step *step, struct hash_page *page)
{
    step_retire(step, page, page->stamp, hash_page_size(page->bucket_count), RETIRED_PAGE);
}

static ALWAYS_INLINE uint64_t slot_of(const struct owner *owner, uint64_t hash)
{
    return hash_tag(hash) << 48 | (uint64_t)(uintptr_t)owner;
}

static inline const struct owner *slot_owner(uint64_t slot)
{
    return (const struct owner *)(uintptr_t)(slot & SLOT_OWNER);
}

static ALWAYS_INLINE void page_put(struct hash_page *page, uint64_t slot)
{
    unsigned bucket = tag_bucket(slot >> 48, page->bucket_count);
    for (;;) {
        uint64_t *line = page_bucket(page, bucket);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            if ((line[i] & SLOT_OWNER) == 0) {
                line[i] = (slot & ~SLOT_OVERFLOW) | (line[i] & SLOT_OVERFLOW);
                page->count++;
                return;
            }
        }
        line[0] |= SLOT_OVERFLOW;
        bucket = bucket + 1 == page->bucket_count ? 0 : bucket + 1;
    }
}

/* The slot of an owner that is there. */
static uint64_t *page_slot(struct hash_page *page, const struct owner *owner)
{
    unsigned bucket = tag_bucket(hash_tag(owner->hash), page->bucket_count);
    for (unsigned left = page->bucket_count; left > 0; left--) {
        uint64_t *line = page_bucket(page, bucket);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            if (slot_owner(line[i]) == owner) {
                return &line[i];
            }
        }
        bucket = bucket + 1 == page->bucket_count ? 0 : bucket + 1;
    }
    REQUIRE(!"the owner is in its page");
    return NULL;
}

static struct hash_table *table_new(struct step *step, size_t count)
{
    struct hash_table *table = step_alloc(step, hash_table_size(count));
    table->stamp = step->stamp;
    table->count = count;
    return table;
}

static void table_retire(struct step *step, struct hash_table *table)
{
    step_retire(step, table, table->stamp, hash_table_size(table->count), RETIRED_TABLE);
}

/* The table behind a reference, made this step's own. */
static struct hash_table *table_own(struct step *step, uintptr_t *reference)
{
    struct hash_table *table = (struct hash_table *)*reference;
    if (table->stamp == step->stamp) {
        return table;
    }
    struct hash_table *copy = table_new(step, table->count);
    memcpy(copy->items, table->items, table->count * sizeof(table->items[0]));
    table_retire(step, table);
    *reference = (uintptr_t)copy;
    return copy;
}

static uintptr_t *reference_own(struct step *step, struct hash_index *index, uint64_t at)
{
    uintptr_t *reference = &index->root;
    if (index->depth == 0) {
        return reference;
    }
    if (index->depth > CHUNK_BITS) {
        struct hash_table *top = table_own(step, reference);
        reference = &top->items[at >> CHUNK_BITS];
        at &= (1u << CHUNK_BITS) - 1;
    }
    return &table_own(step, reference)->items[at];
}

/* All directory entries of the page get a new reference. */
static void references_set(struct step *step, struct hash_index *index, uint64_t hash,
                           unsigned page_depth, uintptr_t page)
{
    unsigned spare = index->depth - page_depth;
    uint64_t first = hash_leading(hash, page_depth) << spare;
    for (uint64_t i = 0; i < (uint64_t)1 << spare; i++) {
        *reference_own(step, index, first + i) = page;
    }
}

/* The hash's page, made this step's own. */
static struct hash_page *page_own(struct step *step, struct hash_index *index, uint64_t hash)
{
    struct hash_page *page = page_of(*hash_index_reference(index, hash));
    if (page->stamp == step->stamp) {
        return page;
    }
    struct hash_page *copy = step_alloc(step, hash_page_size(page->bucket_count));
    memcpy(copy, page, hash_page_size(page->bucket_count));
    copy->stamp = step->stamp;
    references_set(step, index, hash, page->depth, page_reference(copy));
    page_retire(step, page);
    return copy;
}

/* The same entries with another number of buckets. */
static struct hash_page *page_resize(struct step *step, struct hash_index *index, uint64_t hash,
                                     struct hash_page *page, unsigned bucket_count)
{
    struct hash_page *resized = page_new(step, bucket_count, page->depth);
    for (unsigned bucket = 0; bucket < page->bucket_count; bucket++) {
        const uint64_t *line = page_bucket(page, bucket);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            if (slot_owner(line[i]) != NULL) {
                page_put(resized, line[i]);
            }
        }
    }
    references_set(step, index, hash, page->depth, page_reference(resized));
    page_retire(step, page);
    return resized;
}

static uintptr_t reference_get(const struct hash_index *index, uint64_t at)
{
    uint64_t hash = index->depth == 0 ? 0 : at << (64 - index->depth);
    return *hash_index_reference(index, hash);
}

/* A directory for the given page references, 2^depth of them. */
static void directory_fill(struct step *step, struct hash_index *index, const uintptr_t *pages,
                           unsigned depth)
{
    index->depth = (uint8_t)depth;
    if (depth == 0) {
        index->root = pages[0];
        return;
    }
    size_t count = (size_t)1 << depth;
    size_t in_chunk = depth > CHUNK_BITS ? (size_t)1 << CHUNK_BITS : count;
    struct hash_table *top = depth > CHUNK_BITS ? table_new(step, count / in_chunk) : NULL;
    for (size_t at = 0; at < count; at += in_chunk) {
        struct hash_table *chunk = table_new(step, in_chunk);
        memcpy(chunk->items, pages + at, in_chunk * sizeof(pages[0]));
        if (top == NULL) {
            index->root = (uintptr_t)chunk;
        } else {
            top->items[at / in_chunk] = (uintptr_t)chunk;
        }
    }
    if (top != NULL) {
        index->root = (uintptr_t)top;
    }
}

static void directory_double(struct step *step, struct hash_index *index)
{
    unsigned depth = index->depth;
    REQUIRE(depth < HASH_MAX_DEPTH);
    size_t count = (size_t)1 << depth;
    uintptr_t *pages = memory_new(2 * count * sizeof(*pages));
    for (size_t i = 0; i < 2 * count; i++) {
        pages[i] = reference_get(index, i / 2);
    }
    if (depth > 0) {
        struct hash_table *root = (struct hash_table *)index->root;
        for (size_t i = 0; depth > CHUNK_BITS && i < root->count; i++) {
            table_retire(step, (struct hash_table *)root->items[i]);
        }
        table_retire(step, root);
    }
    directory_fill(step, index, pages, depth + 1);
    memory_free(pages);
}

static void page_split(struct step *step, struct hash_index *index, uint64_t hash,
                       struct hash_page *page)
{
    if (page->depth == index->depth) {
        directory_double(step, index);
    }
    unsigned depth = page->depth;
    uint64_t slots[2][64 * BUCKET_SLOTS];
    unsigned counts[2] = {0, 0};
    const uint64_t *all = page_bucket(page, 0);
    size_t slot_count = (size_t)page->bucket_count * BUCKET_SLOTS;
    for (size_t i = 0; i < slot_count; i++) {
        __builtin_prefetch(slot_owner(all[i]));
    }
    for (size_t i = 0; i < slot_count; i++) {
        const struct owner *owner = slot_owner(all[i]);
        if (owner != NULL) {
            unsigned side = owner->hash >> (63 - depth) & 1;
            slots[side][counts[side]++] = all[i];
        }
    }
    uint64_t bit = (uint64_t)1 << (63 - depth);
    for (unsigned side = 0; side < 2; side++) {
        struct hash_page *half = page_new(step, buckets_to_grow(counts[side] + 1), depth + 1);
        for (unsigned i = 0; i < counts[side]; i++) {
            page_put(half, slots[side][i]);
        }
        references_set(step, index, side == 0 ? hash & ~bit : hash | bit, depth + 1,
                       page_reference(half));
    }
    page_retire(step, page);
}

void hash_index_insert(struct step *step, struct hash_index *index, const struct owner *owner)
{
    uint64_t hash = owner->hash;
    if (index->root == 0) {
        index->root = page_reference(page_new(step, 1, 0));
        index->depth = 0;
    }
    struct hash_page *page = page_of(*hash_index_reference(index, hash));
    while (page->count + 1u > page_limit(page->bucket_count)) {
        unsigned bucket_count = buckets_to_grow(page->count + 1u);
        if (bucket_count <= PAGE_MAX_BUCKETS) {
            page = page_resize(step, index, hash, page, bucket_count);
        } else {
            page_split(step, index, hash, page);
            page = page_of(*hash_index_reference(index, hash));
        }
    }
    page_put(page_own(step, index, hash), slot_of(owner, hash));
}

void hash_index_replace(struct step *step, struct hash_index *index, const struct owner *before,
                        const struct owner *after)
{
    uint64_t *slot = page_slot(page_own(step, index, before->hash), before);
    *slot = slot_of(after, after->hash) | (*slot & SLOT_OVERFLOW);
}

void hash_index_remove(struct step *step, struct hash_index *index, const struct owner *owner)
{
    struct hash_page *page = page_own(step, index, owner->hash);
    *page_slot(page, owner) &= SLOT_OVERFLOW;
    page->count--;
    if (page->bucket_count > 1 && page->count < page->bucket_count * 3u) {
        page_resize(step, index, owner->hash, page, buckets_to_grow(page->count));
    }
}

/* A depth at which no page gets too many; the owners' hashes are read on the way. */
static unsigned count_pages(const uint64_t *hashes, size_t count, uint32_t **out_counts)
{
    unsigned depth = 0;
    while (count >> depth > (depth == 0 ? ONE_PAGE : 130)) {
        depth++;
    }
    for (;; depth++) {
        size_t pages = (size_t)1 << depth;
        uint32_t *counts = memory_new_zeroed(pages + 1, sizeof(*counts));
        uint32_t most = 0;
        for (size_t i = 0; i < count; i++) {
            counts[hash_leading(hashes[i], depth)]++;
        }
        for (size_t i = 0; i < pages; i++) {
            most = counts[i] > most ? counts[i] : most;
        }
        if (most <= page_limit(PAGE_MAX_BUCKETS) || depth >= HASH_MAX_DEPTH) {
            *out_counts = counts;
            return depth;
        }
        memory_free(counts);
    }
}

struct hash_index hash_index_build(struct step *step, const struct tree_entry *entries,
                                   size_t count)
{
    enum { AHEAD = 16 };
    struct hash_index index = {0};
    if (count == 0) {
        return index;
    }
    if (count <= ONE_PAGE) {
        struct hash_page *page = page_new(step, buckets_to_stay((unsigned)count), 0);
        for (size_t i = 0; i < count; i++) {
            page_put(page, slot_of(entries[i].owner, entries[i].owner->hash));
        }
        index.root = page_reference(page);
        return index;
    }
    uint64_t *hashes = memory_new(count * sizeof(*hashes));
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch(entries[i + AHEAD].owner);
        }
        hashes[i] = entries[i].owner->hash;
    }
    uint32_t *ends;
    unsigned depth = count_pages(hashes, count, &ends);
    size_t page_count = (size_t)1 << depth;
    uint32_t sum = 0;
    for (size_t i = 0; i < page_count; i++) {
        uint32_t here = ends[i];
        ends[i] = sum;
        sum += here;
    }
    uint64_t *slots = memory_new(count * sizeof(*slots));
    for (size_t i = 0; i < count; i++) {
        slots[ends[hash_leading(hashes[i], depth)]++] = slot_of(entries[i].owner, hashes[i]);
    }
    memory_free(hashes);
    uintptr_t *pages = memory_new(page_count * sizeof(*pages));
    uint32_t at = 0;
    for (size_t i = 0; i < page_count; i++) {
        unsigned here = ends[i] - at;
        struct hash_page *page = page_new(step, buckets_to_stay(here), depth);
        for (; at < ends[i]; at++) {
            page_put(page, slots[at]);
        }
        pages[i] = page_reference(page);
    }
    memory_free(slots);
    memory_free(ends);
    directory_fill(step, &index, pages, depth);
    memory_free(pages);
    return index;
}

NOINLINE const struct owner *hash_index_search(uintptr_t reference, uint64_t hash,
                                               const uint8_t *name, size_t size)
{
    struct hash_probe probe;
    const struct owner *owner;
    hash_probe_start(&probe, reference, hash);
    do {
        owner = hash_probe_next(&probe, hash);
    } while (owner != NULL && !owner_is(owner, hash, name, size));
    return owner;
}

void hash_index_each(const struct hash_index *index,
                     void (*visit)(void *context, const void *object, enum retired_kind kind),
                     void *context)
{
    if (index->root == 0) {
        return;
    }
    uintptr_t before = 0;
    for (uint64_t i = 0; i < (uint64_t)1 << index->depth; i++) {
        uintptr_t here = reference_get(index, i);
        if (here != before) {
            before = here;
            visit(context, page_of(here), RETIRED_PAGE);
        }
    }
    if (index->depth > CHUNK_BITS) {
        const struct hash_table *top = (const struct hash_table *)index->root;
        for (uint64_t i = 0; i < top->count; i++) {
            visit(context, (const void *)top->items[i], RETIRED_TABLE);
        }
    }
    if (index->depth > 0) {
        visit(context, (const void *)index->root, RETIRED_TABLE);
    }
}
