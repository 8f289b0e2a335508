/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A version and a delta make the next version (RFC 1995 4, RFC 2136 3.4). First all owners that
 * change are found, by the batch and with prefetch, and written anew; whatever is wrong with the
 * delta shows here, before any index is touched, and nothing has to be undone but these owners.
 * Then both indexes take them in canonical order, which cannot fail.
 *
 * A record of the delta is the record with its TTL. Removing one that is there with another TTL is
 * an error, as is adding one to an RRset of another TTL that stays: the versions of two servers,
 * and their fingerprints, would silently part.
 *
 * An owner that lost its last record stays in the indexes until all others are in place. Then,
 * descendants first: it becomes an empty non-terminal where something is below it, else it goes,
 * and with it the empty non-terminals above that only it had kept.
 */
#include "zone/delta_impl.h"

enum { WINDOW = 16, AHEAD = 8 };

/* The changes of one owner. */
struct work {
    const struct owner *before; /* NULL: new */
    const struct owner *after;  /* NULL: no record is left */
    uint64_t hash;
    size_t first;
    size_t end;
};

struct apply {
    struct zone_version *from;
    const struct delta *delta;
    struct delta_limits limits;
    struct step step;
    struct version_parts parts;
    struct work *works;
    size_t work_count;
    struct gather gather;
    bool ttl_mismatch;
};

static enum result refuse(const struct change *change, const char *what, struct error *err)
{
    char name[NAME_TEXT_SIZE];
    return error_set(err, ERR_FORMAT, "%s: the change %s", name_format(change->owner, name), what);
}

/* Finds where each owner's changes begin and end. */
static void split_by_owner(struct apply *apply)
{
    const struct change *changes = apply->delta->changes;
    size_t count = apply->delta->count;
    apply->works = memory_new(count * sizeof(*apply->works));
    for (size_t at = 0; at < count;) {
        struct work *work = &apply->works[apply->work_count++];
        *work = (struct work){.first = at};
        const struct change *first = &changes[at];
        do {
            at++;
        } while (
            at < count && first->head == changes[at].head &&
            (first->owner == changes[at].owner || name_equal(first->owner, changes[at].owner)));
        work->end = at;
    }
}

static void find_owners(struct apply *apply, struct work *works, size_t count)
{
    const struct zone_version *from = apply->from;
    struct hash_probe probes[WINDOW];
    const uintptr_t *references[WINDOW];
    const struct owner *candidates[WINDOW];
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &apply->delta->changes[works[i].first];
        works[i].hash = version_hash(from, change->owner, change->owner_size);
        references[i] = hash_index_reference(&from->index, works[i].hash);
        __builtin_prefetch(references[i]);
    }
    for (size_t i = 0; i < count; i++) {
        hash_probe_start(&probes[i], *references[i], works[i].hash);
        __builtin_prefetch(hash_probe_line(&probes[i]));
    }
    for (size_t i = 0; i < count; i++) {
        candidates[i] = hash_probe_next(&probes[i], works[i].hash);
        if (candidates[i] != NULL) {
            __builtin_prefetch(candidates[i]);
            __builtin_prefetch((const uint8_t *)candidates[i] + 64);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &apply->delta->changes[works[i].first];
        const struct owner *owner = candidates[i];
        while (owner != NULL &&
               !owner_is(owner, works[i].hash, change->owner, change->owner_size)) {
            owner = hash_probe_next(&probes[i], works[i].hash);
        }
        works[i].before = owner;
    }
}

static void note_ttl_mismatch(void *context, enum gather_flaw flaw, const struct gathered *record)
{
    struct apply *apply = context;
    (void)record;
    apply->ttl_mismatch |= flaw == GATHER_TTL_MISMATCH;
}

/* Gathers what the owner will have: its records without the removed ones and with the added ones,
 * all three in order. *kept: records that stay. */
static enum result merge_records(struct apply *apply, const struct work *work, size_t *kept,
                                 struct error *err)
{
    const struct change *changes = apply->delta->changes;
    const struct change *removal = &changes[work->first];
    const struct change *end = &changes[work->end];
    const struct change *removals_end = removal;
    while (removals_end < end && removals_end->removes) {
        removals_end++;
    }
    const struct change *addition = removals_end;
    struct owner_walk walk = {0};
    struct record old;
    bool has_old = work->before != NULL && owner_next_record(work->before, &walk, &old);
    *kept = 0;
    gather_reset(&apply->gather);
    while (has_old || addition < end) {
        if (has_old && removal < removals_end) {
            int order = record_order(old.type, old.rdata, removal->type, change_rdata(removal));
            if (order > 0) {
                return refuse(removal, "removes a record that is not there", err);
            }
            if (order == 0) {
                if (old.ttl != removal->ttl) {
                    return refuse(removal, "removes a record that has another TTL", err);
                }
                removal++;
                has_old = owner_next_record(work->before, &walk, &old);
                continue;
            }
        }
        int order = !has_old ? 1
                    : addition == end
                        ? -1
                        : record_order(old.type, old.rdata, addition->type, change_rdata(addition));
        enum result added;
        if (order < 0) {
            added = gather_add(&apply->gather, &old, NULL, 0, err);
            (*kept)++;
            has_old = owner_next_record(work->before, &walk, &old);
        } else if (order > 0) {
            struct record record;
            bool unused;
            delta_get(apply->delta, (size_t)(addition - changes), &unused, &record);
            added = gather_add(&apply->gather, &record, NULL, 0, err);
            addition++;
        } else {
            return refuse(addition, "adds a record that is there", err);
        }
        if (added != OK) {
            return added;
        }
    }
    return removal == removals_end ? OK
                                   : refuse(removal, "removes a record that is not there", err);
}

/* What an owner has, as gather_measure tells it of a new one. */
static void measure_before(const struct owner *owner, uint32_t *largest_rrset, uint32_t *type_count)
{
    size_t offset = 0;
    struct rrset rrset;
    uint16_t type = 0;
    *largest_rrset = 0;
    *type_count = 0;
    while (owner != NULL && owner_next_rrset(owner, &offset, &rrset)) {
        *largest_rrset = rrset.count > *largest_rrset ? rrset.count : *largest_rrset;
        *type_count += rrset.type != type;
        type = rrset.type;
    }
}

/* Limits that were lowered since keep a zone from growing, not from changing. */
static enum result check_owner(const struct apply *apply, const struct work *work,
                               const struct gather_size *size, struct error *err)
{
    uint32_t most = apply->limits.max_records_per_type;
    uint32_t most_types = apply->limits.max_types_per_name;
    most = most == 0 ? UINT16_MAX : most;
    most_types = most_types == 0 ? UINT32_MAX : most_types;
    if (LIKELY(size->largest_rrset <= most && size->type_count <= most_types)) {
        return OK;
    }
    char name[NAME_TEXT_SIZE];
    uint32_t largest_before;
    uint32_t types_before;
    name_format(apply->delta->changes[work->first].owner, name);
    measure_before(work->before, &largest_before, &types_before);
    if (size->largest_rrset > most &&
        (size->largest_rrset > largest_before || size->largest_rrset > UINT16_MAX)) {
        return error_set(err, ERR_LIMIT, "%s: an RRset of %u records, %u are allowed", name,
                         size->largest_rrset, most);
    }
    if (size->type_count > most_types && size->type_count > types_before) {
        return error_set(err, ERR_LIMIT, "%s: %u types of records, %u are allowed", name,
                         size->type_count, most_types);
    }
    return OK;
}

/* Makes work->after. */
static enum result write_owner(struct apply *apply, struct work *work, struct error *err)
{
    const struct change *first = &apply->delta->changes[work->first];
    size_t kept;
    enum result merged = merge_records(apply, work, &kept, err);
    if (merged != OK || apply->gather.count == 0) {
        return merged;
    }
    /* The name keeps its case as long as one of its records stays. */
    const uint8_t *name = first->owner;
    if (kept > 0) {
        name = owner_name(work->before);
    } else {
        name = apply->delta->changes[work->end - 1].owner;
    }
    struct gather_size size;
    gather_sort(&apply->gather, NULL, NULL);
    gather_measure(&apply->gather, &size);
    enum result checked = check_owner(apply, work, &size, err);
    if (checked != OK) {
        return checked;
    }
    bool is_apex = first->owner_size == apply->from->apex->name_size;
    struct owner *owner =
        pool_alloc(&apply->step.cache, owner_block_size(first->owner_size, size.bytes));
    work->after = owner;
    apply->ttl_mismatch = false;
    gather_write(&apply->gather, name, first->owner_size, work->hash, &size,
                 owner_flags(name, size.flags, is_apex), owner, note_ttl_mismatch, apply);
    if (apply->ttl_mismatch) {
        return refuse(first, "adds a record to an RRset of another TTL", err);
    }
    const char *conflict = owner_conflict(owner);
    if (conflict != NULL) {
        char text[NAME_TEXT_SIZE];
        return error_set(err, ERR_FORMAT, "%s: the change would leave %s", name_format(name, text),
                         conflict);
    }
    return OK;
}

static enum result check_apex(const struct apply *apply, struct error *err)
{
    struct rrset rrset;
    const struct work *work = &apply->works[0]; /* the SOA is changed, and the apex comes first */
    if (work->after == NULL || !owner_find_rrset(work->after, TYPE_SOA, &rrset)) {
        return error_set(err, ERR_FORMAT, "the change would leave the zone without SOA");
    }
    if (!owner_find_rrset(work->after, TYPE_NS, &rrset)) {
        return error_set(err, ERR_FORMAT, "the change would leave the zone without NS records");
    }
    return OK;
}

static enum result write_owners(struct apply *apply, struct error *err)
{
    for (size_t at = 0; at < apply->work_count; at += WINDOW) {
        size_t count = apply->work_count - at < WINDOW ? apply->work_count - at : WINDOW;
        find_owners(apply, &apply->works[at], count);
        for (size_t i = at; i < at + count; i++) {
            enum result written = write_owner(apply, &apply->works[i], err);
            if (written != OK) {
                return written;
            }
        }
    }
    enum result checked = check_apex(apply, err);
    if (checked != OK) {
        return checked;
    }
    uint64_t removed = apply->delta->removed_count;
    uint64_t records = apply->from->totals.records + apply->delta->count - 2 * removed;
    if (apply->limits.max_records != 0 && records > apply->limits.max_records &&
        apply->delta->count > 2 * removed) {
        return error_set(err, ERR_LIMIT, "the zone would have %llu records, %llu are allowed",
                         (unsigned long long)records,
                         (unsigned long long)apply->limits.max_records);
    }
    return OK;
}

/* The name's hash and those of its ancestors: hashes[i] is for the name without its first i labels;
 * offsets likewise. Returns the labels below the apex. */
static unsigned ancestor_hashes(const struct apply *apply, const uint8_t *name, uint64_t *hashes,
                                uint8_t *offsets)
{
    unsigned below = name_label_offsets(name, offsets) - 1 - apply->from->apex_labels;
    uint64_t hash = apply->from->apex_hash;
    for (unsigned i = below; i > 0; i--) {
        hash = name_hash_label(hash, name + offsets[i - 1]);
        hashes[i - 1] = hash;
    }
    return below;
}

static void add_ancestors(struct apply *apply, const struct owner *owner)
{
    uint64_t hashes[NAME_MAX_LABELS];
    uint8_t offsets[NAME_MAX_LABELS];
    const uint8_t *name = owner_name(owner);
    unsigned below = ancestor_hashes(apply, name, hashes, offsets);
    for (unsigned i = 1; i < below; i++) {
        size_t size = (size_t)owner->name_size - offsets[i];
        if (hash_index_find(&apply->parts.index, hashes[i], name + offsets[i], size) != NULL) {
            return;
        }
        version_insert(&apply->step, &apply->parts,
                       owner_new_empty(&apply->step.cache, name + offsets[i], size, hashes[i]));
    }
}

static bool has_descendants(const struct apply *apply, const uint8_t *name)
{
    struct tree_key key;
    struct zone_cursor_step path[TREE_DEPTH_MAX];
    uint8_t depth;
    tree_key_init(&key, name, apply->from->apex_labels);
    for (unsigned side = 0; side < TREES; side++) {
        const struct tree_node *root = apply->parts.trees[side];
        tree_path_seek(root, &key, path, &depth);
        if (depth == 0) {
            tree_path_first(root, path, &depth);
        } else {
            tree_path_next(path, &depth);
        }
        const struct owner *next = tree_path_owner(path, depth);
        if (next != NULL && name_is_subdomain(owner_name(next), name)) {
            return true;
        }
    }
    return false;
}

/* The owner has no records any more. */
static void take_out(struct apply *apply, const struct owner *owner)
{
    uint64_t hashes[NAME_MAX_LABELS];
    uint8_t offsets[NAME_MAX_LABELS];
    const uint8_t *name = owner_name(owner);
    if (has_descendants(apply, name)) {
        version_replace(&apply->step, &apply->parts, owner,
                        owner_new_empty(&apply->step.cache, name, owner->name_size, owner->hash));
        return;
    }
    version_remove(&apply->step, &apply->parts, owner);
    unsigned below = ancestor_hashes(apply, name, hashes, offsets);
    for (unsigned i = 1; i < below; i++) {
        const struct owner *ancestor =
            hash_index_find(&apply->parts.index, hashes[i], name + offsets[i],
                            (size_t)owner->name_size - offsets[i]);
        if (!owner_is_empty(ancestor) || has_descendants(apply, name + offsets[i])) {
            return;
        }
        version_remove(&apply->step, &apply->parts, ancestor);
    }
}

static void change_indexes(struct apply *apply)
{
    size_t gone = 0;
    apply->parts.totals.records += apply->delta->count;
    apply->parts.totals.records -= 2 * apply->delta->removed_count;
    for (size_t i = 0; i < apply->work_count; i++) {
        const struct work *work = &apply->works[i];
        if (i + 2 * AHEAD < apply->work_count) {
            const struct work *later = work + 2 * AHEAD;
            __builtin_prefetch(hash_index_reference(&apply->parts.index, later->hash));
            __builtin_prefetch(later->before);
            __builtin_prefetch(later->after);
            hash_index_prefetch(&apply->parts.index, work[AHEAD].hash);
        }
        if (work->after == NULL) {
            gone++;
        } else if (work->before != NULL) {
            version_replace(&apply->step, &apply->parts, work->before, work->after);
        } else {
            add_ancestors(apply, work->after);
            version_insert(&apply->step, &apply->parts, work->after);
        }
    }
    for (size_t i = apply->work_count; i > 0 && gone > 0; i--) {
        if (apply->works[i - 1].after == NULL) {
            take_out(apply, apply->works[i - 1].before);
            gone--;
        }
    }
}

enum result delta_apply(struct zone_version *from, const struct delta *change,
                        const struct delta_limits *limits, struct zone_version **out,
                        struct error *err)
{
    REQUIRE(change->sealed);
    if (change->class != from->class || !name_equal(change->zone.wire, zone_version_name(from))) {
        return error_set(err, ERR_FORMAT, "the change is for another zone");
    }
    if (!serial_equal(delta_from(change), from->serial)) {
        return error_set(err, ERR_STALE, "the change starts at serial %u, the zone is at %u",
                         delta_from(change).value, from->serial.value);
    }
    struct apply apply = {.from = from, .delta = change, .gather = {.class = from->class}};
    if (limits != NULL) {
        apply.limits = *limits;
    }
    version_step_begin(&apply.step, from, from->apex_labels);
    apply.parts = version_parts_of(from);
    split_by_owner(&apply);
    enum result result = write_owners(&apply, err);
    if (result == OK) {
        change_indexes(&apply);
        *out = version_step_commit(&apply.step, from, &apply.parts);
    } else {
        for (size_t i = 0; i < apply.work_count; i++) {
            const struct owner *made = apply.works[i].after;
            if (made != NULL) {
                pool_release(&apply.step.cache, unconst(made), owner_size(made));
            }
        }
        step_deinit(&apply.step);
    }
    memory_free(apply.works);
    gather_deinit(&apply.gather);
    return result;
}
