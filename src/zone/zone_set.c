/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of zones: a persistent hash tree.
 *
 * Inner nodes take four bits of the zone name's hash each, from the top. Below them stand leaves,
 * small open-addressed tables of 4 to 256 slots; a leaf that would pass LEAF_MAX zones becomes an
 * inner node with 16 leaves. So a set of ten zones is one leaf, and a set of a million is four
 * inner levels (the upper ones stay in the cache) and leaves of about 15 zones: some 19 bytes a
 * zone.
 *
 *   ref    0: nothing. Lowest bit set: inner node. Else a leaf, with log2 of its slots in the top
 *          byte, so that the slot is known without touching the leaf's head.
 *   slot   0: free. Else the zone, with 16 bits of its hash on top: a zone that is not the one
 *          looked for is almost never touched.
 *
 * Pointers of user space have at most 48 bits unless a program asks the kernel for more; REQUIREd
 * where one is packed.
 *
 * Nodes are counted. Every change works on a set of its own: where a node on the way is shared
 * (count above one) it is copied first, and the children of the copy counted up. That is path
 * copying for zone_set_with(), and plain insertion for a set that is still private.
 *
 * The deepest zone a name is in: the set knows how many zones of each number of labels it has, and
 * probes only for those depths, the deepest first. The batch form takes one step of every name in
 * turn and fetches the memory of its next step, so the misses of the names overlap.
 */
#include "zone/zone_set.h"

#include "base/memory.h"
#include "wire/name_octets.h"

enum {
    FANOUT_BITS = 4,
    FANOUT = 1 << FANOUT_BITS,
    LEAF_MIN_BITS = 2,
    LEAF_MAX = 128,
    SHIFT_TOP = 64 - FANOUT_BITS,
    SHIFT_LOWEST = 24, /* leaves at this depth are never split: equal hashes must end somewhere */
    LEAF_BITS_SHIFT = 56,
    TAG_SHIFT = 48,
    BATCH = 32,
};

#define POINTER_MASK (((uint64_t)1 << TAG_SHIFT) - 1)

struct inner {
    _Atomic(uint32_t) references;
    uint64_t children[FANOUT];
};

struct leaf {
    _Atomic(uint32_t) references;
    uint32_t count;
    uint64_t slots[];
};

struct zone_set {
    _Atomic(uint32_t) references;
    size_t count;
    uint64_t root;
    uint64_t depths[2]; /* bit n: zones with n labels exist */
    uint32_t depth_counts[NAME_MAX_LABELS];
};

enum { DEPTH_NONE = 255 };

static uint64_t pack(const void *pointer)
{
    uint64_t bits = (uint64_t)(uintptr_t)pointer;
    REQUIRE((bits & ~POINTER_MASK) == 0);
    return bits;
}

static bool ref_is_inner(uint64_t ref)
{
    return (ref & 1) != 0;
}

static struct inner *ref_inner(uint64_t ref)
{
    return (struct inner *)(uintptr_t)(ref & POINTER_MASK & ~(uint64_t)1);
}

static struct leaf *ref_leaf(uint64_t ref)
{
    return (struct leaf *)(uintptr_t)(ref & POINTER_MASK);
}

static unsigned ref_leaf_mask(uint64_t ref)
{
    return (1u << (ref >> LEAF_BITS_SHIFT)) - 1;
}

static struct zone *slot_zone(uint64_t slot)
{
    return (struct zone *)(uintptr_t)(slot & POINTER_MASK);
}

static bool slot_may_be(uint64_t slot, uint64_t hash)
{
    return (uint16_t)(slot >> TAG_SHIFT) == (uint16_t)(hash >> 8);
}

static uint64_t leaf_new(unsigned bits)
{
    struct leaf *leaf = memory_new_zeroed(1, sizeof(*leaf) + (sizeof(uint64_t) << bits));
    leaf->references = 1;
    return pack(leaf) | (uint64_t)bits << LEAF_BITS_SHIFT;
}

/* The leaf has a free slot. Takes the caller's reference to the zone. */
static void leaf_put(uint64_t ref, struct zone *zone)
{
    struct leaf *leaf = ref_leaf(ref);
    unsigned mask = ref_leaf_mask(ref);
    unsigned at = (unsigned)zone->hash & mask;
    while (leaf->slots[at] != 0) {
        at = (at + 1) & mask;
    }
    leaf->slots[at] = pack(zone) | (zone->hash >> 8) << TAG_SHIFT;
    leaf->count++;
}

/* Slots that keep `count` zones at most four fifths full. */
static unsigned leaf_bits_for(uint32_t count)
{
    unsigned bits = LEAF_MIN_BITS;
    while (count * 5 > (4u << bits)) {
        bits++;
    }
    return bits;
}

static void ref_share(uint64_t ref)
{
    if (ref != 0) {
        _Atomic(uint32_t) *references =
            ref_is_inner(ref) ? &ref_inner(ref)->references : &ref_leaf(ref)->references;
        atomic_fetch_add_explicit(references, 1, memory_order_relaxed);
    }
}

static void ref_drop(uint64_t ref)
{
    if (ref == 0) {
        return;
    }
    if (ref_is_inner(ref)) {
        struct inner *inner = ref_inner(ref);
        if (atomic_fetch_sub_explicit(&inner->references, 1, memory_order_acq_rel) == 1) {
            for (unsigned i = 0; i < FANOUT; i++) {
                ref_drop(inner->children[i]);
            }
            memory_free(inner);
        }
        return;
    }
    struct leaf *leaf = ref_leaf(ref);
    if (atomic_fetch_sub_explicit(&leaf->references, 1, memory_order_acq_rel) == 1) {
        for (unsigned i = 0; i <= ref_leaf_mask(ref); i++) {
            zone_unref(slot_zone(leaf->slots[i]));
        }
        memory_free(leaf);
    }
}

/* The inner node at *ref, made this set's own. */
static struct inner *own_inner(uint64_t *ref)
{
    struct inner *inner = ref_inner(*ref);
    if (atomic_load_explicit(&inner->references, memory_order_acquire) == 1) {
        return inner;
    }
    struct inner *copy = memory_new(sizeof(*copy));
    copy->references = 1;
    memcpy(copy->children, inner->children, sizeof(copy->children));
    for (unsigned i = 0; i < FANOUT; i++) {
        ref_share(copy->children[i]);
    }
    ref_drop(*ref);
    *ref = pack(copy) | 1;
    return copy;
}

/* Puts at *ref a leaf of 1 << bits slots with the same zones, less `without`. */
static void leaf_remake(uint64_t *ref, unsigned bits, const struct zone *without)
{
    struct leaf *old = ref_leaf(*ref);
    uint64_t fresh = leaf_new(bits);
    for (unsigned i = 0; i <= ref_leaf_mask(*ref); i++) {
        struct zone *zone = slot_zone(old->slots[i]);
        if (zone != NULL && zone != without) {
            leaf_put(fresh, zone_ref(zone));
        }
    }
    ref_drop(*ref);
    *ref = fresh;
}

/* Replaces the full leaf at *ref by an inner node with leaves of their own. */
static void leaf_split(uint64_t *ref, unsigned shift)
{
    struct leaf *old = ref_leaf(*ref);
    unsigned mask = ref_leaf_mask(*ref);
    uint32_t counts[FANOUT] = {0};
    for (unsigned i = 0; i <= mask; i++) {
        if (old->slots[i] != 0) {
            counts[slot_zone(old->slots[i])->hash >> shift & (FANOUT - 1)]++;
        }
    }
    struct inner *inner = memory_new_zeroed(1, sizeof(*inner));
    inner->references = 1;
    for (unsigned i = 0; i < FANOUT; i++) {
        if (counts[i] != 0) {
            inner->children[i] = leaf_new(leaf_bits_for(counts[i]));
        }
    }
    for (unsigned i = 0; i <= mask; i++) {
        struct zone *zone = slot_zone(old->slots[i]);
        if (zone != NULL) {
            leaf_put(inner->children[zone->hash >> shift & (FANOUT - 1)], zone_ref(zone));
        }
    }
    ref_drop(*ref);
    *ref = pack(inner) | 1;
}

/* The zone is not in the set. Takes the caller's reference. */
static void put(struct zone_set *set, struct zone *zone)
{
    uint64_t *ref = &set->root;
    unsigned shift = SHIFT_TOP;
    for (;;) {
        if (*ref == 0) {
            *ref = leaf_new(LEAF_MIN_BITS);
        }
        if (!ref_is_inner(*ref)) {
            struct leaf *leaf = ref_leaf(*ref);
            if (leaf->count < LEAF_MAX || shift < SHIFT_LOWEST) {
                unsigned bits = leaf_bits_for(leaf->count + 1);
                if (bits > *ref >> LEAF_BITS_SHIFT ||
                    atomic_load_explicit(&leaf->references, memory_order_acquire) != 1) {
                    leaf_remake(ref, bits, NULL);
                }
                leaf_put(*ref, zone);
                return;
            }
            leaf_split(ref, shift);
        }
        ref = &own_inner(ref)->children[zone->hash >> shift & (FANOUT - 1)];
        shift -= FANOUT_BITS;
    }
}

/* The zone is below *ref. */
static void take(uint64_t *ref, unsigned shift, const struct zone *zone)
{
    if (!ref_is_inner(*ref)) {
        uint32_t count = ref_leaf(*ref)->count - 1;
        if (count == 0) {
            ref_drop(*ref);
            *ref = 0;
        } else {
            leaf_remake(ref, leaf_bits_for(count), zone);
        }
        return;
    }
    struct inner *inner = own_inner(ref);
    take(&inner->children[zone->hash >> shift & (FANOUT - 1)], shift - FANOUT_BITS, zone);
    for (unsigned i = 0; i < FANOUT; i++) {
        if (inner->children[i] != 0) {
            return;
        }
    }
    ref_drop(*ref);
    *ref = 0;
}

static void count_depth(struct zone_set *set, const struct zone *zone, bool more)
{
    unsigned labels = name_label_count(zone->name);
    uint64_t bit = (uint64_t)1 << labels % 64;
    if (more) {
        set->count++;
        set->depth_counts[labels]++;
        set->depths[labels / 64] |= bit;
    } else {
        set->count--;
        if (--set->depth_counts[labels] == 0) {
            set->depths[labels / 64] &= ~bit;
        }
    }
}

struct zone_set *zone_set_new(void)
{
    struct zone_set *set = memory_new_zeroed(1, sizeof(*set));
    set->references = 1;
    return set;
}

struct zone_set *zone_set_ref(struct zone_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void zone_set_unref(struct zone_set *set)
{
    if (set != NULL && atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) == 1) {
        ref_drop(set->root);
        memory_free(set);
    }
}

static struct zone_set *clone(const struct zone_set *set)
{
    struct zone_set *copy = memory_new(sizeof(*copy));
    copy->references = 1;
    copy->count = set->count;
    copy->root = set->root;
    memcpy(copy->depths, set->depths, sizeof(copy->depths));
    memcpy(copy->depth_counts, set->depth_counts, sizeof(copy->depth_counts));
    ref_share(copy->root);
    return copy;
}

bool zone_set_insert(struct zone_set *set, struct zone *zone)
{
    if (zone_set_get(set, zone->name, zone->class) != NULL) {
        return false;
    }
    put(set, zone_ref(zone));
    count_depth(set, zone, true);
    return true;
}

struct zone_set *zone_set_with(const struct zone_set *set, struct zone *zone)
{
    if (zone_set_get(set, zone->name, zone->class) != NULL) {
        return NULL;
    }
    struct zone_set *copy = clone(set);
    put(copy, zone_ref(zone));
    count_depth(copy, zone, true);
    return copy;
}

struct zone_set *zone_set_without(const struct zone_set *set, const uint8_t *name, uint16_t class)
{
    struct zone *zone = zone_set_get(set, name, class);
    if (zone == NULL) {
        return NULL;
    }
    struct zone_set *copy = clone(set);
    count_depth(copy, zone, false);
    take(&copy->root, SHIFT_TOP, zone);
    return copy;
}

size_t zone_set_count(const struct zone_set *set)
{
    return set->count;
}

static ALWAYS_INLINE bool is_zone(const struct zone *zone, uint64_t hash, const uint8_t *name,
                                  size_t size, uint16_t class)
{
    return zone->hash == hash && zone->class == class && zone->name_size == size &&
           octets_equal_likely(zone->name, name, size);
}

static ALWAYS_INLINE struct zone *probe(const struct zone_set *set, uint64_t hash,
                                        const uint8_t *name, size_t size, uint16_t class)
{
    uint64_t ref = set->root;
    for (unsigned shift = SHIFT_TOP; ref_is_inner(ref); shift -= FANOUT_BITS) {
        ref = ref_inner(ref)->children[hash >> shift & (FANOUT - 1)];
    }
    if (ref == 0) {
        return NULL;
    }
    const struct leaf *leaf = ref_leaf(ref);
    unsigned mask = ref_leaf_mask(ref);
    for (unsigned at = (unsigned)hash & mask; leaf->slots[at] != 0; at = (at + 1) & mask) {
        struct zone *zone = slot_zone(leaf->slots[at]);
        if (slot_may_be(leaf->slots[at], hash) && is_zone(zone, hash, name, size, class)) {
            return zone;
        }
    }
    return NULL;
}

struct zone *zone_set_get(const struct zone_set *set, const uint8_t *name, uint16_t class)
{
    return probe(set, name_hash(zone_hash_key(), name), name, name_size(name), class);
}

/* One name on its way through the set. */
struct search {
    struct zone_find_item *item;
    uint64_t ref; /* where it is; 0: no zone of this many labels */
    uint64_t hash;
    struct zone *suspect; /* its tag fits; its memory is on the way */
    uint64_t depths[2];   /* numbers of labels that are still to be tried */
    uint8_t shift;
    uint8_t depth;
};

/* Takes the deepest number of labels that is left; false: none is. */
static ALWAYS_INLINE bool next_depth(uint64_t depths[2], unsigned *out)
{
    unsigned half = depths[1] != 0;
    uint64_t bits = depths[half];
    if (bits == 0) {
        return false;
    }
    unsigned bit = 63u - (unsigned)__builtin_clzll(bits);
    depths[half] = bits ^ (uint64_t)1 << bit;
    *out = half * 64 + bit;
    return true;
}

/* Those numbers of labels of which there are zones, up to `labels`. */
static ALWAYS_INLINE void begin_depths(const struct zone_set *set, unsigned labels, uint64_t out[2])
{
    if (LIKELY(labels < 63)) {
        out[0] = set->depths[0] & (((uint64_t)2 << labels) - 1);
        out[1] = 0;
    } else {
        out[0] = set->depths[0];
        out[1] = labels == 63   ? 0
                 : labels < 127 ? set->depths[1] & (((uint64_t)2 << (labels - 64)) - 1)
                                : set->depths[1];
    }
}

/* Goes on with the next fewer labels of which there are zones; false: none are left. */
static ALWAYS_INLINE bool search_next(struct search *search, const struct zone_set *set)
{
    unsigned depth;
    if (!next_depth(search->depths, &depth)) {
        return false;
    }
    search->depth = (uint8_t)depth;
    name_hashes_need(search->item->hashes, depth + (depth < search->item->hashes->labels));
    search->hash = search->item->hashes->hashes[depth];
    search->ref = set->root;
    search->shift = SHIFT_TOP;
    search->suspect = NULL;
    return true;
}

static ALWAYS_INLINE bool search_begin(struct search *search, const struct zone_set *set,
                                       struct zone_find_item *item)
{
    search->item = item;
    begin_depths(set, item->labels, search->depths);
    item->result = NULL;
    return search_next(search, set);
}

/* One memory access further. False: it is over. */
static ALWAYS_INLINE bool search_step(struct search *search, const struct zone_set *set,
                                      uint16_t class)
{
    uint64_t ref = search->ref;
    uint64_t hash = search->hash;
    if (search->suspect != NULL) {
        /* Tags of two zones in one leaf are equal once in thousands: then look again in full. */
        const struct name_hashes *hashes = search->item->hashes;
        size_t offset = hashes->offsets[hashes->labels - search->depth];
        const uint8_t *name = hashes->folded + offset;
        size_t size = hashes->size - offset;
        search->item->result = LIKELY(is_zone(search->suspect, hash, name, size, class))
                                   ? search->suspect
                                   : probe(set, hash, name, size, class);
        return search->item->result == NULL && search_next(search, set);
    }
    if (ref_is_inner(ref)) {
        ref = ref_inner(ref)->children[hash >> search->shift & (FANOUT - 1)];
        search->shift = (uint8_t)(search->shift - FANOUT_BITS);
        search->ref = ref;
        if (ref_is_inner(ref)) {
            __builtin_prefetch(&ref_inner(ref)->children[hash >> search->shift & (FANOUT - 1)]);
        } else if (ref != 0) {
            __builtin_prefetch(&ref_leaf(ref)->slots[(unsigned)hash & ref_leaf_mask(ref)]);
        }
        return ref != 0 || search_next(search, set);
    }
    if (ref == 0) {
        return false; /* a set without zones */
    }
    const struct leaf *leaf = ref_leaf(ref);
    unsigned mask = ref_leaf_mask(ref);
    for (unsigned at = (unsigned)hash & mask; leaf->slots[at] != 0; at = (at + 1) & mask) {
        if (slot_may_be(leaf->slots[at], hash)) {
            search->suspect = slot_zone(leaf->slots[at]);
            __builtin_prefetch(search->suspect);
            return true;
        }
    }
    return search_next(search, set);
}

/* The most labels of a zone. */
static ALWAYS_INLINE unsigned deepest(const struct zone_set *set)
{
    unsigned half = set->depths[1] != 0;
    uint64_t bits = set->depths[half];
    return bits == 0 ? DEPTH_NONE : half * 64 + 63u - (unsigned)__builtin_clzll(bits);
}

/* Whether the name is in `zone`, which has `depth` labels. Its hashes are not needed. */
static ALWAYS_INLINE bool is_in_zone(const struct zone *zone, unsigned depth,
                                     const struct zone_find_item *item)
{
    const struct name_hashes *hashes = item->hashes;
    if (item->labels < depth) {
        return false;
    }
    size_t offset = hashes->offsets[hashes->labels - depth];
    return hashes->size - offset == zone->name_size &&
           octets_equal_likely(hashes->folded + offset, zone->name, zone->name_size);
}

/* Without waiting for others: where all zones stand in one leaf, and for a single name. */
static ALWAYS_INLINE struct zone *find_alone(const struct zone_set *set, uint16_t class,
                                             struct name_hashes *hashes, unsigned labels)
{
    uint64_t depths[2];
    unsigned depth;
    begin_depths(set, labels, depths);
    while (next_depth(depths, &depth)) {
        /* One label more than is needed: the zone will be asked for it. */
        name_hashes_need(hashes, depth + (depth < hashes->labels));
        size_t offset = hashes->offsets[hashes->labels - depth];
        struct zone *zone = probe(set, hashes->hashes[depth], hashes->folded + offset,
                                  hashes->size - offset, class);
        if (zone != NULL) {
            return zone;
        }
    }
    return NULL;
}

struct zone *zone_set_find(const struct zone_set *set, const uint8_t *name, uint16_t class)
{
    struct name_hashes hashes;
    name_hashes_begin(zone_hash_key(), name, &hashes);
    return find_alone(set, class, &hashes, hashes.labels);
}

HOT static void find_together(const struct zone_set *set, uint16_t class,
                              struct zone_find_item *items, size_t count)
{
    struct search searches[BATCH];
    struct search *active[BATCH];
    unsigned active_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (search_begin(&searches[i], set, &items[i])) {
            active[active_count++] = &searches[i];
        }
    }
    while (active_count != 0) {
        unsigned left = 0;
        for (unsigned i = 0; i < active_count; i++) {
            if (search_step(active[i], set, class)) {
                active[left++] = active[i];
            }
        }
        active_count = left;
    }
}

HOT void zone_set_find_batch(const struct zone_set *set, uint16_t class,
                             struct zone_find_item *items, size_t count)
{
    if (!ref_is_inner(set->root)) {
        /* Few zones: a name is likely to be in the zone of the one before it, which settles it where
         * no zone is deeper. */
        unsigned depth = deepest(set);
        const struct zone *before = NULL;
        for (size_t i = 0; i < count; i++) {
            if (before != NULL && is_in_zone(before, depth, &items[i])) {
                items[i].result = items[i - 1].result;
                continue;
            }
            struct zone *zone = find_alone(set, class, items[i].hashes, items[i].labels);
            items[i].result = zone;
            before = zone != NULL && items[i].hashes->hashed >= depth &&
                             items[i].hashes->hashes[depth] == zone->hash
                         ? zone
                         : NULL;
        }
        return;
    }
    for (size_t from = 0; from < count; from += BATCH) {
        find_together(set, class, items + from, count - from < BATCH ? count - from : BATCH);
    }
}

static bool each(uint64_t ref, bool (*visit)(void *context, struct zone *zone), void *context)
{
    if (ref == 0) {
        return true;
    }
    unsigned slots = ref_is_inner(ref) ? FANOUT : ref_leaf_mask(ref) + 1;
    for (unsigned i = 0; i < slots; i++) {
        if (ref_is_inner(ref)) {
            if (!each(ref_inner(ref)->children[i], visit, context)) {
                return false;
            }
        } else if (ref_leaf(ref)->slots[i] != 0 &&
                   !visit(context, slot_zone(ref_leaf(ref)->slots[i]))) {
            return false;
        }
    }
    return true;
}

void zone_set_each(const struct zone_set *set, bool (*visit)(void *context, struct zone *zone),
                   void *context)
{
    each(set->root, visit, context);
}
