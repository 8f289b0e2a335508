/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the entries to the version. Sorted and complete they already are when the stream came in
 * order; otherwise they are sorted here, pieces of one owner joined, missing ancestors put in. Then
 * both indexes are filled in one go each.
 *
 * With a base, entries and base are gone through together. What is equal is shared, what is not
 * makes the delta. If it is little the new version is derived from the base as an apply would do
 * it, so that the indexes are shared as well; if it is much they are built anew, which costs less
 * than so many single changes.
 */
#include "zone/builder.h"

#include "base/memory.h"
#include "base/sort.h"
#include "wire/name_octets.h"
#include "zone/builder_impl.h"
#include "zone/delta_impl.h"

/* An owner that the base and the new version do not have in common. */
struct owner_change {
    const struct owner *before; /* NULL: new */
    const struct owner *after;  /* NULL: gone */
};

struct owner_changes {
    struct owner_change *items;
    size_t count;
    size_t capacity;
};

static int entry_compare(const void *a, const void *b, void *context)
{
    (void)context;
    const struct tree_entry *x = a;
    const struct tree_entry *y = b;
    if (x->head != y->head) {
        return x->head < y->head ? -1 : 1;
    }
    return name_compare(owner_name(x->owner), owner_name(y->owner));
}

/* The pieces of one owner, in order of arrival, become one entry. Those that it is not are dropped. */
static enum result join_pieces(struct builder *builder, const struct tree_entry *pieces,
                               size_t count, struct tree_entry *out, struct error *err)
{
    const struct owner *joined = NULL;
    size_t full = 0;
    gather_reset(&builder->gather);
    for (size_t i = 0; i < count; i++) {
        const struct owner *piece = pieces[i].owner;
        struct owner_walk walk = {0};
        struct record record;
        if (owner_is_empty(piece)) {
            continue;
        }
        full++;
        joined = joined == NULL ? piece : joined;
        while (owner_next_record(piece, &walk, &record)) {
            enum result added = gather_add(&builder->gather, &record, NULL, 0, err);
            if (added != OK) {
                return added;
            }
        }
    }
    joined = joined == NULL ? pieces[0].owner : joined;
    if (full > 1) {
        const struct owner *first = joined;
        enum result packed =
            builder_pack(builder, owner_name(first), first->name_size, first->hash, &joined, err);
        if (packed != OK) {
            return packed;
        }
        totals_count(&builder->totals, joined, 1);
        builder->totals.records += owner_record_count(joined);
    }
    *out = (struct tree_entry){pieces[0].head, joined};
    bool is_kept =
        full > 1; /* where two pieces are the same owner of the base, one of them is it */
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].owner == joined && !is_kept) {
            is_kept = true;
        } else {
            builder_drop_owner(builder, pieces[i].owner);
        }
    }
    return OK;
}

static bool same_owner(const struct tree_entry *a, const struct tree_entry *b)
{
    return a->head == b->head && a->owner->name_size == b->owner->name_size &&
           octets_equal(owner_name(a->owner), owner_name(b->owner), a->owner->name_size);
}

/* Sorted pieces to entries: one of each name. */
static enum result join_all(struct builder *builder, struct tree_entry *pieces, size_t count,
                            struct error *err)
{
    enum { AHEAD = 12 };
    enum result result = OK;
    size_t at = 0;
    while (at < count) {
        size_t end = at + 1;
        if (at + AHEAD < count && pieces[at + AHEAD].head == pieces[at + AHEAD - 1].head) {
            __builtin_prefetch(pieces[at + AHEAD].owner);
        }
        while (end < count && same_owner(&pieces[at], &pieces[end])) {
            end++;
        }
        const uint8_t *name = owner_name(pieces[at].owner);
        if (builder->scattered && name_label_count(name) > builder->apex_labels + 1u) {
            const uint8_t *before = builder->count == 0
                                        ? builder->apex.wire
                                        : owner_name(builder->entries[builder->count - 1].owner);
            builder_add_ancestors(builder, before, name);
        }
        if (builder->count == builder->capacity) {
            builder_grow(builder);
        }
        struct tree_entry joined = pieces[at];
        if (end - at > 1) {
            result = join_pieces(builder, &pieces[at], end - at, &joined, err);
            if (result != OK) {
                break;
            }
        }
        builder->entries[builder->count++] = joined;
        at = end;
    }
    for (; at < count; at++) {
        builder_drop_owner(builder, pieces[at].owner);
    }
    return result;
}

/* Puts in order what did not come in order. Where ancestors are there already there are as many
 * entries as pieces at most, so they go into the same array. */
static enum result builder_sort(struct builder *builder, struct error *err)
{
    struct tree_entry *pieces = builder->entries;
    size_t count = builder->count;
    builder->count = 0;
    if (!builder->scattered) {
        builder->run_ends[builder->run_count++] = count;
        sort_runs(pieces, builder->run_ends, builder->run_count, sizeof(*pieces), entry_compare,
                  NULL);
        return join_all(builder, pieces, count, err);
    }
    sort_stable(pieces, count, sizeof(*pieces), entry_compare, NULL);
    builder->entries = memory_new((count + 1) * sizeof(*pieces));
    builder->capacity = count + 1;
    enum result result = join_all(builder, pieces, count, err);
    if (pieces != builder->few) {
        memory_free(pieces);
    }
    return result;
}

static enum result check_apex(struct builder *builder, struct error *err)
{
    struct rrset rrset;
    const struct owner *apex = builder->count == 0 ? NULL : builder->entries[0].owner;
    if (apex == NULL || (apex->flags & OWNER_APEX) == 0 ||
        !owner_find_rrset(apex, TYPE_SOA, &rrset)) {
        builder_finding(builder, FINDING_NO_SOA, FINDING_ERROR, builder->apex.wire, NULL, 0, NULL,
                        "no SOA record");
    } else if (!owner_find_rrset(apex, TYPE_NS, &rrset)) {
        builder_finding(builder, FINDING_NO_NS, FINDING_ERROR, builder->apex.wire, NULL, 0, NULL,
                        "no NS records at the zone's name");
    }
    if (!builder->refused) {
        return OK;
    }
    if (err != NULL && err->code == OK) {
        *err = builder->first_error;
    }
    return ERR_FORMAT;
}

/* Both indexes from all entries. */
static void build_indexes(struct builder *builder, struct step *step, struct version_parts *parts)
{
    size_t count = builder->count;
    const struct tree_entry *entries = builder->entries;
    parts->apex = entries[0].owner;
    parts->totals = builder->totals;
    parts->index = hash_index_build(step, entries, count);
    size_t nsec3_count = builder->totals.nsec3;
    if (nsec3_count == 0) {
        parts->trees[TREE_NAMES] = tree_build(step, entries, count);
        return;
    }
    struct tree_entry *sides[TREES] = {
        memory_new((count - nsec3_count) * sizeof(*entries)),
        memory_new(nsec3_count * sizeof(*entries)),
    };
    size_t counts[TREES] = {0};
    for (size_t i = 0; i < count; i++) {
        unsigned side = owner_tree(entries[i].owner);
        sides[side][counts[side]++] = entries[i];
    }
    for (unsigned side = 0; side < TREES; side++) {
        parts->trees[side] = tree_build(step, sides[side], counts[side]);
        memory_free(sides[side]);
    }
}

static void changes_add(struct owner_changes *changes, const struct owner *before,
                        const struct owner *after)
{
    if (changes->count == changes->capacity) {
        changes->capacity = changes->capacity * 2 + 64;
        changes->items = memory_resize(changes->items, changes->capacity * sizeof(*changes->items));
    }
    changes->items[changes->count++] = (struct owner_change){before, after};
}

/* Goes through base and entries together; entries that equal the base's become the base's. */
static void compare_with_base(struct builder *builder, struct owner_changes *changes)
{
    struct zone_cursor cursor;
    zone_cursor_first(&cursor, builder->base);
    for (size_t i = 0; i < builder->count; i++) {
        struct tree_entry *entry = &builder->entries[i];
        if (cursor.owner == entry->owner) {
            zone_cursor_next(&cursor);
            continue;
        }
        int order = -1;
        while (cursor.owner != NULL &&
               (order = name_compare(owner_name(entry->owner), owner_name(cursor.owner))) > 0) {
            changes_add(changes, cursor.owner, NULL);
            zone_cursor_next(&cursor);
        }
        if (cursor.owner == NULL || order < 0) {
            changes_add(changes, NULL, entry->owner);
            continue;
        }
        if (cursor.owner != entry->owner) {
            if (owner_same(cursor.owner, entry->owner)) {
                pool_release(&builder->cache, unconst(entry->owner), owner_size(entry->owner));
                entry->owner = cursor.owner;
            } else {
                changes_add(changes, cursor.owner, entry->owner);
            }
        }
        zone_cursor_next(&cursor);
    }
    for (; cursor.owner != NULL; zone_cursor_next(&cursor)) {
        changes_add(changes, cursor.owner, NULL);
    }
}

static void retire_node(struct step *step, const struct tree_node *node)
{
    if (node == NULL) {
        return;
    }
    for (unsigned i = 0; node->level > 0 && i < node->count; i++) {
        retire_node(step, node_children(node)[i]);
    }
    step->index_bytes -=
        (int64_t)pool_rounded_size(node_size(node->level, node->capacity, node->prefix_room));
    retired_add(&step->retired, node, RETIRED_NODE);
}

static void retire_index_part(void *context, const void *object, enum retired_kind kind)
{
    struct step *step = context;
    retired_add(&step->retired, object, kind);
    size_t size = kind == RETIRED_PAGE
                      ? hash_page_size(((const struct hash_page *)object)->bucket_count)
                      : hash_table_size(((const struct hash_table *)object)->count);
    step->index_bytes -= (int64_t)pool_rounded_size(size);
}

static struct zone_version *finish_with_base(struct builder *builder, struct delta **out_delta)
{
    struct zone_version *base = builder->base;
    struct owner_changes changes = {0};
    compare_with_base(builder, &changes);
    struct step step;
    version_step_begin(&step, base, builder->apex_labels);
    struct version_parts parts = version_parts_of(base);
    parts.totals.records = builder->totals.records;
    if (changes.count < 1000 || changes.count < builder->count / 16) {
        for (size_t i = 0; i < changes.count; i++) {
            const struct owner_change *change = &changes.items[i];
            if (change->before == NULL) {
                version_insert(&step, &parts, change->after);
            } else if (change->after == NULL) {
                version_remove(&step, &parts, change->before);
            } else {
                version_replace(&step, &parts, change->before, change->after);
            }
        }
    } else {
        build_indexes(builder, &step, &parts);
        for (unsigned i = 0; i < TREES; i++) {
            retire_node(&step, base->trees[i]);
        }
        hash_index_each(&base->index, retire_index_part, &step);
        for (size_t i = 0; i < changes.count; i++) {
            if (changes.items[i].before != NULL) {
                retired_add(&step.retired, changes.items[i].before, RETIRED_OWNER);
            }
        }
    }
    if (out_delta != NULL) {
        struct error err = {0};
        struct delta *delta = delta_new(builder->apex.wire, builder->class);
        if (changes.count == 0 || ((changes.items[0].before == NULL ||
                                    (changes.items[0].before->flags & OWNER_APEX) == 0))) {
            delta_put_owners(delta, base->apex, base->apex);
        }
        for (size_t i = 0; i < changes.count; i++) {
            delta_put_owners(delta, changes.items[i].before, changes.items[i].after);
        }
        REQUIRE(delta_seal(delta, &err) == OK);
        *out_delta = delta;
    }
    memory_free(changes.items);
    return version_step_commit(&step, base, &parts);
}

enum result builder_finish(struct builder *builder, struct zone_version *base,
                           struct zone_version **out, struct delta **out_delta, struct error *err)
{
    REQUIRE(!builder->finished);
    builder->finished = true;
    enum result result = builder_flush(builder, err);
    if (result == OK && builder->unsorted) {
        result = builder_sort(builder, err);
    }
    if (result == OK) {
        result = check_apex(builder, err);
    }
    if (result != OK) {
        return result;
    }
    if (base == NULL) {
        REQUIRE(builder->base == NULL);
        struct step step;
        version_step_begin(&step, NULL, builder->apex_labels);
        struct version_parts parts = {.class = builder->class};
        build_indexes(builder, &step, &parts);
        *out = version_step_commit(&step, NULL, &parts);
        if (out_delta != NULL) {
            *out_delta = NULL;
        }
    } else {
        REQUIRE(builder->base == NULL || builder->base == base);
        REQUIRE(base->class == builder->class &&
                name_equal(zone_version_name(base), builder->apex.wire));
        if (builder->base == NULL) {
            builder->base = zone_version_ref(base);
        }
        *out = finish_with_base(builder, out_delta);
    }
    builder->count = 0; /* the owners are the version's */
    return OK;
}
