/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking names up, one at a time and by the batch (RFC 1034 4.3.2, RFC 4592 3.3.1, RFC 6672).
 *
 * From the apex downwards, one label longer at a time; the hashes come with the question,
 * which needed the first of them to find its zone. The search ends at the first name that is
 * absent, at a cut, or at a DNAME; in a zone of delegations that is the first probe, for referrals
 * and for names that do not exist alike.
 *
 * In a batch all questions take each step together, and what the next step reads has been asked for
 * before: the version, the directory's entry, the bucket's line, the owner's first lines. A million
 * names do not fit into any cache, so one at a time each of these is a wait of 100 ns; together
 * they are one wait for all.
 *
 * An owner that is only NSEC3 counts as absent. Should names exist below it (nobody makes such a
 * zone), they are found through it.
 */
#include "wire/name_hash.h"
#include "zone/version_impl.h"

enum { BATCH = 32 };

/* One question on its way down. */
struct descent {
    const struct zone_version *version;
    struct name_hashes *hashes;
    struct zone_lookup *out;
    uint64_t hash;
    uintptr_t reference; /* to the page, once it is here; before, where that stands */
    const uint64_t *line;
    const struct owner *candidate;
    uint8_t depth; /* labels from the root that are looked at now */
    bool wildcard; /* this probe is for *.encloser */
};

static ALWAYS_INLINE bool descent_start(struct descent *descent, const struct zone_version *version,
                                        struct name_hashes *hashes, struct zone_lookup *out)
{
    *out = (struct zone_lookup){.encloser = version->apex};
    if (UNLIKELY(hashes->labels <= version->apex_labels)) {
        out->match = version->apex;
        __builtin_prefetch(version->apex);
        __builtin_prefetch((const uint8_t *)version->apex + 64);
        return false;
    }
    if (UNLIKELY((version->apex_flags & OWNER_DNAME) != 0)) {
        out->dname = version->apex;
        return false;
    }
    /* Its zone may have been found without. */
    hashes->hashes[version->apex_labels] = version->apex_hash;
    hashes->hashed = version->apex_labels;
    descent->version = version;
    descent->hashes = hashes;
    descent->out = out;
    descent->depth = version->apex_labels;
    descent->wildcard = false;
    return true;
}

/* On to the next label; also for the wildcard, once descent_decide asked for it. */
static ALWAYS_INLINE void descent_hash(struct descent *descent)
{
    static const uint8_t star[2] = {1, '*'};
    if (UNLIKELY(descent->wildcard)) {
        descent->hash = name_hash_label(descent->out->encloser->hash, star);
    } else {
        struct name_hashes *hashes = descent->hashes;
        unsigned depth = ++descent->depth;
        name_hashes_need(hashes, depth);
        descent->hash = hashes->hashes[depth];
    }
}

static ALWAYS_INLINE bool descent_matches(const struct descent *descent, const struct owner *owner)
{
    if (LIKELY(!descent->wildcard)) {
        const struct name_hashes *hashes = descent->hashes;
        size_t offset = hashes->offsets[hashes->labels - descent->depth];
        return owner_is(owner, descent->hash, hashes->folded + offset, hashes->size - offset);
    }
    const struct owner *encloser = descent->out->encloser;
    return owner->hash == descent->hash && owner->name_size == encloser->name_size + 2 &&
           (owner->flags & OWNER_WILDCARD) != 0 &&
           name_equal(owner->bytes + 2, owner_name(encloser));
}

/* The tag of the candidate fitted, but it is another name, or the bucket has overflowed: the
 * search in full. One in ten. */
static NOINLINE const struct owner *descent_search(const struct descent *descent)
{
    struct hash_probe probe;
    const struct owner *owner;
    hash_probe_start(&probe, descent->reference, descent->hash);
    do {
        owner = hash_probe_next(&probe, descent->hash);
    } while (owner != NULL && !descent_matches(descent, owner));
    return owner;
}

/* The first owner in the line whose tag fits. */
static ALWAYS_INLINE const struct owner *line_suspect(const uint64_t *line, uint64_t hash)
{
    uint64_t tag = hash_tag(hash);
    for (uint32_t fits = line_fits(line, tag); fits != 0; fits &= fits - 1) {
        uint64_t slot = line[(unsigned)__builtin_ctz(fits) / 4];
        if (LIKELY((slot & SLOT_OWNER) != 0)) {
            return (const struct owner *)(uintptr_t)(slot & SLOT_OWNER);
        }
    }
    return NULL;
}

/* The owner of the name, or NULL. */
static ALWAYS_INLINE const struct owner *descent_verify(const struct descent *descent)
{
    const struct owner *owner = descent->candidate;
    if (owner != NULL) {
        return LIKELY(descent_matches(descent, owner)) ? owner : descent_search(descent);
    }
    return LIKELY(descent->line == NULL || (descent->line[0] & SLOT_OVERFLOW) == 0)
               ? NULL
               : descent_search(descent);
}

/* Takes what was found, or not, at this label. True: there is another probe to make. */
static ALWAYS_INLINE bool descent_decide(struct descent *descent, const struct owner *owner)
{
    struct zone_lookup *out = descent->out;
    if (UNLIKELY(descent->wildcard)) {
        bool counts = owner != NULL && (owner->flags & OWNER_NSEC3_ONLY) == 0;
        out->wildcard = counts ? owner : NULL;
        return false;
    }
    bool is_name = descent->depth == descent->hashes->labels;
    if (owner != NULL && LIKELY((owner->flags & OWNER_NSEC3_ONLY) == 0)) {
        out->encloser = owner;
        if ((owner->flags & OWNER_CUT) != 0) {
            out->cut = owner;
            out->match = is_name ? owner : NULL;
            return false;
        }
        if (is_name) {
            out->match = owner;
            return false;
        }
        if ((owner->flags & OWNER_DNAME) != 0) {
            out->dname = owner;
            return false;
        }
        return true;
    }
    if (owner != NULL && !is_name) {
        return true;
    }
    descent->wildcard = descent->version->wildcards != 0;
    return descent->wildcard;
}

static ALWAYS_INLINE void descent_line(struct descent *descent)
{
    uintptr_t reference = descent->reference;
    descent->line = UNLIKELY(reference == 0)
                        ? NULL
                        : page_bucket(page_of(reference),
                                      tag_bucket(hash_tag(descent->hash), page_buckets(reference)));
}

/* The whole way of one name; its hash at the apex is known. */
static ALWAYS_INLINE void lookup_alone(const struct zone_version *version,
                                       struct name_hashes *hashes, struct zone_lookup *out)
{
    struct descent descent;
    bool more = descent_start(&descent, version, hashes, out);
    while (more) {
        descent_hash(&descent);
        descent.reference = *hash_index_reference(&version->index, descent.hash);
        descent_line(&descent);
        descent.candidate = descent.line == NULL ? NULL : line_suspect(descent.line, descent.hash);
        more = descent_decide(&descent, descent_verify(&descent));
    }
}

HOT void zone_version_lookup(const struct zone_version *version, const uint8_t *name,
                             struct zone_lookup *out)
{
    struct name_hashes hashes;
    name_hashes_begin(0, name, &hashes);
    lookup_alone(version, &hashes, out);
}

/* Asks for where the reference to the page of the hash stands. */
static ALWAYS_INLINE void descent_aim(struct descent *descent)
{
    const uintptr_t *at = hash_index_reference(&descent->version->index, descent->hash);
    __builtin_prefetch(at);
    descent->reference = (uintptr_t)at;
}

/* One step of all; what they aimed at is on its way. Those that have another to make are moved to
 * the front of `active`. */
static ALWAYS_INLINE unsigned descents_step(struct descent **active, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct descent *descent = active[i];
        descent->reference = *(const uintptr_t *)descent->reference;
        descent_line(descent);
        __builtin_prefetch(descent->line);
    }
    for (unsigned i = 0; i < count; i++) {
        struct descent *descent = active[i];
        descent->candidate =
            descent->line == NULL ? NULL : line_suspect(descent->line, descent->hash);
        if (descent->candidate != NULL) {
            __builtin_prefetch(descent->candidate);
            __builtin_prefetch((const uint8_t *)descent->candidate + 64);
            __builtin_prefetch((const uint8_t *)descent->candidate + 128);
        }
    }
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        struct descent *descent = active[i];
        if (descent_decide(descent, descent_verify(descent))) {
            active[left++] = descent;
        }
    }
    return left;
}

/*
 * The first step of a name, which settles nearly all: the name one label below the apex. It is there
 * and the one asked for, or a cut; or it is not there, in a zone without wildcards.
 */
struct first_step {
    struct zone_lookup_item *item;
    uint64_t hash;
    const uintptr_t *reference;
    const uint64_t *line;
    const struct owner *candidate;
    const uint8_t *name;
    size_t size;
};

/* False: there is no such step to make. */
static ALWAYS_INLINE bool first_step_aim(struct first_step *step, struct zone_lookup_item *item)
{
    const struct zone_version *version = item->version;
    const struct name_hashes *hashes = item->hashes;
    if (UNLIKELY(hashes->labels <= version->apex_labels) ||
        UNLIKELY((version->apex_flags & OWNER_DNAME) != 0)) {
        return false;
    }
    size_t offset = hashes->offsets[hashes->labels - version->apex_labels - 1];
    step->item = item;
    step->name = hashes->folded + offset;
    step->size = hashes->size - offset;
    step->hash = name_label_hash_folded(version->apex_hash, step->name);
    step->reference = hash_index_reference(&version->index, step->hash);
    __builtin_prefetch(step->reference);
    return true;
}

static ALWAYS_INLINE void first_step_line(struct first_step *step)
{
    uintptr_t reference = *step->reference;
    step->line = UNLIKELY(reference == 0)
                     ? NULL
                     : page_bucket(page_of(reference),
                                   tag_bucket(hash_tag(step->hash), page_buckets(reference)));
    __builtin_prefetch(step->line);
}

static ALWAYS_INLINE void first_step_suspect(struct first_step *step)
{
    step->candidate = step->line == NULL ? NULL : line_suspect(step->line, step->hash);
    if (step->candidate != NULL) {
        __builtin_prefetch(step->candidate);
        __builtin_prefetch((const uint8_t *)step->candidate + 64);
        __builtin_prefetch((const uint8_t *)step->candidate + 128);
    }
}

static ALWAYS_INLINE const struct owner *first_step_verify(const struct first_step *step)
{
    if (step->candidate != NULL
            ? LIKELY(owner_is(step->candidate, step->hash, step->name, step->size))
            : LIKELY(step->line == NULL || (step->line[0] & SLOT_OVERFLOW) == 0)) {
        return step->candidate;
    }
    return hash_index_search(*step->reference, step->hash, step->name, step->size);
}

/* True: that was all. */
static ALWAYS_INLINE bool first_step_decide(const struct first_step *step)
{
    struct zone_lookup_item *item = step->item;
    const struct owner *owner = first_step_verify(step);
    if (owner == NULL) {
        item->result = (struct zone_lookup){.encloser = item->version->apex};
        return item->version->wildcards == 0;
    }
    bool is_name = step->size == item->hashes->size;
    bool is_cut = (owner->flags & OWNER_CUT) != 0;
    if (UNLIKELY((!is_name && !is_cut) || (owner->flags & OWNER_NSEC3_ONLY) != 0)) {
        return false;
    }
    item->result = (struct zone_lookup){
        .match = is_name ? owner : NULL,
        .encloser = owner,
        .cut = is_cut ? owner : NULL,
    };
    return true;
}

/* All the steps of those that the first did not settle. */
static NOINLINE void lookup_further(struct zone_lookup_item **items, size_t count)
{
    struct descent descents[BATCH];
    struct descent *active[BATCH];
    unsigned active_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct descent *descent = &descents[active_count];
        if (descent_start(descent, items[i]->version, items[i]->hashes, &items[i]->result)) {
            active[active_count++] = descent;
        }
    }
    while (active_count > 0) {
        for (unsigned i = 0; i < active_count; i++) {
            descent_hash(active[i]);
            descent_aim(active[i]);
        }
        active_count = descents_step(active, active_count);
    }
}

HOT static void lookup_some(struct zone_lookup_item *items, size_t count)
{
    struct first_step steps[BATCH];
    struct first_step *end = steps;
    struct zone_lookup_item *further[BATCH];
    size_t further_count = 0;
    for (struct zone_lookup_item *item = items; item != items + count; item++) {
        if (item->version == NULL) {
            continue;
        }
        if (LIKELY(first_step_aim(end, item))) {
            end++;
        } else {
            further[further_count++] = item;
        }
    }
    for (struct first_step *step = steps; step != end; step++) {
        first_step_line(step);
    }
    for (struct first_step *step = steps; step != end; step++) {
        first_step_suspect(step);
    }
    for (struct first_step *step = steps; step != end; step++) {
        if (UNLIKELY(!first_step_decide(step))) {
            further[further_count++] = step->item;
        }
    }
    if (further_count != 0) {
        lookup_further(further, further_count);
    }
}

HOT void zone_version_find_near(const struct zone_version *version, const struct owner *ancestor,
                                const struct rrset *names,
                                const struct owner *owners[ZONE_NEAR_MAX])
{
    struct first_step steps[ZONE_NEAR_MAX];
    struct first_step *step = steps;
    const uint8_t *end = names->records.data + names->records.size;
    REQUIRE(names->count <= ZONE_NEAR_MAX);
    for (const uint8_t *at = names->records.data; at != end; at += 2 + step->size, step++) {
        step->name = at + 2;
        step->size = get_u16(at);
        step->hash = name_label_hash_first(ancestor->hash, step->name, step->size);
        step->reference = hash_index_reference(&version->index, step->hash);
        __builtin_prefetch(step->reference);
    }
    const struct first_step *steps_end = step;
    for (step = steps; step != steps_end; step++) {
        first_step_line(step);
    }
    for (step = steps; step != steps_end; step++) {
        first_step_suspect(step);
    }
    for (step = steps; step != steps_end; step++) {
        *owners++ = first_step_verify(step);
    }
}

void zone_version_lookup_batch(struct zone_lookup_item *items, size_t count)
{
    while (count > 0) {
        size_t some = count < BATCH ? count : BATCH;
        lookup_some(items, some);
        items += some;
        count -= some;
    }
}

const struct owner *zone_version_find(const struct zone_version *version, const uint8_t *name)
{
    size_t size = name_size(name);
    size_t apex_size = version->apex->name_size;
    if (size < apex_size) {
        return NULL;
    }
    /* A name outside the zone has some hash too; the comparison with the owner refuses it. The
     * apex's octets may begin inside a label there, so labels are counted before they are hashed.
     */
    unsigned labels = name_label_count(name);
    if (labels < version->apex_labels ||
        (size_t)(name_skip_labels(name, labels - version->apex_labels) - name) !=
            size - apex_size) {
        return NULL;
    }
    return hash_index_find(&version->index, version_hash(version, name, size), name, size);
}

static NOINLINE uint64_t hash_below(uint64_t hash, const uint8_t *name, size_t below)
{
    uint8_t labels[NAME_MAX_LABELS];
    unsigned count = 0;
    for (size_t at = 0; at < below; at += 1u + name[at]) {
        labels[count++] = (uint8_t)at;
    }
    while (count > 0) {
        hash = name_label_hash(hash, name + labels[--count]);
    }
    return hash;
}

HOT const struct owner *zone_version_find_below(const struct zone_version *version,
                                                const struct owner *ancestor, struct slice name)
{
    size_t below = name.size - ancestor->name_size;
    uint64_t hash = LIKELY(below == 1u + name.data[0])
                        ? name_label_hash_first(ancestor->hash, name.data, name.size)
                        : hash_below(ancestor->hash, name.data, below);
    return hash_index_find(&version->index, hash, name.data, name.size);
}
