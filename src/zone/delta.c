/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deltas. Records go into an arena as they come; sealing sorts an array of references (nearly
 * always one or two ascending runs: an IXFR lists its removals in order, then its additions), takes
 * out what cancels, and finds the two SOAs. IXFR order (RFC 1995 4: all removals, then all
 * additions) is a second array of indexes, so that one delta serves apply and the wire.
 *
 * A delta is a set: a change that is listed twice counts once. Removing and adding the same octets
 * with the same TTL is no change, except for the SOA, which always stands on both sides.
 */
#include "zone/delta.h"

#include "base/sort.h"
#include "zone/delta_impl.h"

struct delta *delta_new(const uint8_t *zone_name, uint16_t class)
{
    struct delta *delta = memory_new_zeroed(1, sizeof(*delta));
    name_copy(&delta->zone, zone_name);
    delta->zone_labels = (uint8_t)name_label_count(zone_name);
    delta->class = class;
    arena_init(&delta->arena, 0);
    return delta;
}

void delta_free(struct delta *delta)
{
    if (delta != NULL) {
        arena_deinit(&delta->arena);
        memory_free(delta->changes);
        memory_free(delta->ixfr);
        memory_free(delta);
    }
}

void delta_set_budget(struct delta *delta, size_t budget_bytes)
{
    delta->arena.budget_bytes = budget_bytes;
}

/* The owner's octets in the arena; those of the change before where they are the same. */
static const uint8_t *keep_owner(struct delta *delta, const uint8_t *owner, size_t size)
{
    if (delta->count > 0) {
        const struct change *before = &delta->changes[delta->count - 1];
        if (before->owner_size == size && memcmp(before->owner, owner, size) == 0) {
            return before->owner;
        }
    }
    return arena_copy(&delta->arena, slice_of(owner, size)).data;
}

static enum result delta_put(struct delta *delta, const struct record *record, bool removes,
                             struct error *err)
{
    REQUIRE(!delta->sealed);
    REQUIRE(record->rdata.size <= RDATA_MAX_SIZE);
    char text[NAME_TEXT_SIZE];
    size_t size = name_size(record->owner);
    bool same_owner = false;
    uint64_t head = 0;
    if (record->class != delta->class) {
        return error_set(err, ERR_FORMAT, "%s: class %u in a change of class %u",
                         name_format(record->owner, text), record->class, delta->class);
    }
    if (delta->count > 0) {
        const struct change *before = &delta->changes[delta->count - 1];
        same_owner = before->owner_size == size && memcmp(before->owner, record->owner, size) == 0;
        head = before->head;
    }
    if (!same_owner) {
        if (!name_is_subdomain(record->owner, delta->zone.wire)) {
            return error_set(err, ERR_FORMAT, "%s is not in the zone",
                             name_format(record->owner, text));
        }
        head = tree_head(record->owner, size, delta->zone.size);
    }
    const uint8_t *owner = keep_owner(delta, record->owner, size);
    struct slice rdata = {(const uint8_t *)"", 0};
    if (owner != NULL && record->rdata.size != 0) {
        rdata = arena_copy(&delta->arena, record->rdata);
    }
    size_t array_bytes = delta->count * sizeof(struct change);
    if (owner == NULL || rdata.data == NULL ||
        (delta->arena.budget_bytes != 0 &&
         delta->arena.used_bytes + array_bytes > delta->arena.budget_bytes) ||
        delta->count >= UINT32_MAX / 2) {
        return error_set(err, ERR_LIMIT, "a change of more than %zu bytes",
                         delta->arena.budget_bytes);
    }
    if (delta->count == delta->capacity) {
        delta->capacity = delta->capacity * 2 + 16;
        delta->changes = memory_resize(delta->changes, delta->capacity * sizeof(*delta->changes));
    }
    delta->changes[delta->count++] = (struct change){
        .head = head,
        .owner = owner,
        .rdata = rdata.data,
        .ttl = record->ttl,
        .type = record->type,
        .rdata_size = (uint16_t)record->rdata.size,
        .removes = removes,
        .owner_size = (uint8_t)size,
    };
    return OK;
}

enum result delta_remove(struct delta *delta, const struct record *record, struct error *err)
{
    return delta_put(delta, record, true, err);
}

enum result delta_add(struct delta *delta, const struct record *record, struct error *err)
{
    return delta_put(delta, record, false, err);
}

static int change_compare(const void *a, const void *b, void *context)
{
    (void)context;
    const struct change *x = a;
    const struct change *y = b;
    int order = change_owner_order(x, y);
    if (order == 0) {
        order = (int)y->removes - (int)x->removes;
    }
    return order != 0 ? order : change_record_order(x, y);
}

/* Copies changes[from, end) to `to` without what is listed twice. Returns the new end. */
static size_t copy_once(struct change *changes, size_t from, size_t end, size_t to)
{
    size_t start = to;
    for (; from < end; from++) {
        if (to == start || !change_same_octets(&changes[to - 1], &changes[from])) {
            changes[to++] = changes[from];
        }
    }
    return to;
}

/* One owner's changes: marks what cancels with ttl-independent flags in `cancelled`. */
static size_t cancel(struct change *changes, size_t first, size_t middle, size_t end, size_t to)
{
    size_t removal = first;
    size_t addition = middle;
    bool any = false;
    /* Two ascending runs: go along both; a pair is marked by an owner of size 0, which no name has.
     */
    while (removal < middle && addition < end) {
        int order = change_record_order(&changes[removal], &changes[addition]);
        if (order == 0 && changes[removal].type != TYPE_SOA &&
            change_same_octets(&changes[removal], &changes[addition])) {
            changes[removal].owner_size = changes[addition].owner_size = 0;
            any = true;
        }
        if (order <= 0) {
            removal++;
        }
        if (order >= 0) {
            addition++;
        }
    }
    if (!any && to == first) {
        return end;
    }
    for (; first < end; first++) {
        if (changes[first].owner_size != 0) {
            changes[to++] = changes[first];
        }
    }
    return to;
}

static void delta_reduce(struct delta *delta)
{
    struct change *changes = delta->changes;
    size_t kept = 0;
    for (size_t at = 0; at < delta->count;) {
        size_t end = at + 1;
        while (end < delta->count && change_owner_order(&changes[at], &changes[end]) == 0) {
            end++;
        }
        size_t middle = at;
        while (middle < end && changes[middle].removes) {
            middle++;
        }
        size_t removals_end = copy_once(changes, at, middle, at);
        size_t additions_end = copy_once(changes, middle, end, removals_end);
        kept = cancel(changes, at, removals_end, additions_end, kept);
        at = end;
    }
    delta->count = kept;
}

enum result delta_seal(struct delta *delta, struct error *err)
{
    REQUIRE(!delta->sealed);
    char text[NAME_TEXT_SIZE];
    sort_stable(delta->changes, delta->count, sizeof(*delta->changes), change_compare, NULL);
    delta_reduce(delta);
    size_t soa_count[2] = {0, 0};
    size_t removed_count = 0;
    for (size_t i = 0; i < delta->count; i++) {
        const struct change *change = &delta->changes[i];
        removed_count += change->removes;
        if (UNLIKELY(change->type == TYPE_SOA)) {
            if (!name_equal(change->owner, delta->zone.wire) || change->rdata_size < 22) {
                return error_set(err, ERR_FORMAT, "%s: SOA that is not the zone's",
                                 name_format(change->owner, text));
            }
            soa_count[change->removes]++;
            delta->soa[change->removes] = i;
        }
    }
    if (soa_count[0] != 1 || soa_count[1] != 1) {
        return error_set(err, ERR_FORMAT,
                         "a change removes one SOA and adds one; this removes %zu and adds %zu",
                         soa_count[1], soa_count[0]);
    }
    for (unsigned side = 0; side < 2; side++) {
        delta->serials[side] = soa_read(change_rdata(&delta->changes[delta->soa[side]])).serial;
    }
    delta->removed_count = removed_count;
    delta->ixfr = memory_new(delta->count * sizeof(*delta->ixfr));
    size_t removal = 0;
    size_t addition = removed_count - 1;
    for (size_t i = 0; i < delta->count; i++) {
        const struct change *change = &delta->changes[i];
        if (change->type != TYPE_SOA) {
            delta->ixfr[change->removes ? removal++ : addition++] = (uint32_t)i;
        }
    }
    delta->sealed = true;
    return OK;
}

struct serial delta_from(const struct delta *delta)
{
    REQUIRE(delta->sealed);
    return delta->serials[1];
}

struct serial delta_to(const struct delta *delta)
{
    REQUIRE(delta->sealed);
    return delta->serials[0];
}

size_t delta_count(const struct delta *delta)
{
    return delta->count;
}

size_t delta_removed_count(const struct delta *delta)
{
    REQUIRE(delta->sealed);
    return delta->removed_count;
}

const uint8_t *delta_zone_name(const struct delta *delta)
{
    return delta->zone.wire;
}

void delta_get(const struct delta *delta, size_t index, bool *removes, struct record *out)
{
    REQUIRE(index < delta->count);
    const struct change *change = &delta->changes[index];
    *removes = change->removes;
    *out = (struct record){
        .owner = change->owner,
        .type = change->type,
        .class = delta->class,
        .ttl = change->ttl,
        .rdata = change_rdata(change),
    };
}

void delta_get_ixfr(const struct delta *delta, bool removes, size_t index, struct record *out)
{
    REQUIRE(delta->sealed);
    size_t removals = delta->removed_count - 1;
    size_t at = removes ? index : removals + index;
    REQUIRE(at < (removes ? removals : delta->count - 2));
    bool unused;
    delta_get(delta, delta->ixfr[at], &unused, out);
}

void delta_get_soa(const struct delta *delta, bool removed, struct record *out)
{
    REQUIRE(delta->sealed);
    bool unused;
    delta_get(delta, delta->soa[removed], &unused, out);
}
