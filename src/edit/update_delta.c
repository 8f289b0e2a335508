/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE (RFC 2136 3.4.2): changes in the order of the message, on copies of the owners that they
 * touch; the difference of each copy to what it was becomes the delta.
 *
 * A copy is a list of records in the order of type and canonical data, so a record is found, added
 * and taken out in O(log n), and the difference is one merge. A record that is added brings its TTL
 * to the whole RRset (RFC 2181 5.2: an RRset has one TTL), RRSIGs apart by the type they cover.
 *
 * What the RFC protects: the SOA is only replaced by a newer one, never deleted; the apex keeps its
 * last NS; a CNAME and other data never meet, whichever came first stays (DNSSEC records aside, RFC
 * 4035 2.5). Whatever is left out so is left out silently, as the RFC says.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "edit/update.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/owner.h"

enum { SOA_SERIAL_FROM_END = 20 };

/* A name that the update touches. */
struct touched {
    struct touched *next; /* in the order of first touch */
    struct touched *same_bucket;
    const uint8_t *name; /* as the zone writes it, where it has it */
    const struct owner *before;
    struct record *records;
    size_t count;
    size_t room;
};

struct editing {
    const struct update *update;
    const struct zone_version *version;
    struct arena arena;
    struct touched **buckets;
    size_t bucket_count; /* a power of two */
    struct touched *first;
    struct touched *last;
    uint64_t hash_key;
};

static int compare(uint16_t type, struct slice rdata, const struct record *record)
{
    if (type != record->type) {
        return type < record->type ? -1 : 1;
    }
    return rdata_compare(type, rdata, record->rdata);
}

/* Where the record stands, or would. */
static size_t position(const struct touched *touched, uint16_t type, struct slice rdata,
                       bool *found)
{
    size_t low = 0;
    size_t high = touched->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(type, rdata, &touched->records[middle]);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static size_t first_of_type(const struct touched *touched, uint16_t type)
{
    size_t low = 0;
    size_t high = touched->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type <= touched->records[middle].type) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static size_t count_of_type(const struct touched *touched, uint16_t type)
{
    size_t start = first_of_type(touched, type);
    size_t end = start;
    while (end < touched->count && touched->records[end].type == type) {
        end++;
    }
    return end - start;
}

static void insert(struct touched *touched, size_t at, const struct record *record)
{
    if (touched->count == touched->room) {
        touched->room = touched->room == 0 ? 8 : 2 * touched->room;
        touched->records =
            memory_resize(touched->records, touched->room * sizeof(*touched->records));
    }
    memmove(touched->records + at + 1, touched->records + at,
            (touched->count - at) * sizeof(*touched->records));
    touched->records[at] = *record;
    touched->count++;
}

static void take_out(struct touched *touched, size_t at, size_t count)
{
    if (count == 0) {
        return; /* perhaps of a name without records: no array to point into */
    }
    memmove(touched->records + at, touched->records + at + count,
            (touched->count - at - count) * sizeof(*touched->records));
    touched->count -= count;
}

/* The copy of a name, made at first touch. */
static struct touched *touch(struct editing *editing, const uint8_t *name)
{
    struct touched **bucket =
        &editing->buckets[name_hash(editing->hash_key, name) & (editing->bucket_count - 1)];
    for (struct touched *touched = *bucket; touched != NULL; touched = touched->same_bucket) {
        if (name_equal(touched->name, name)) {
            return touched;
        }
    }
    struct touched *touched = arena_alloc(&editing->arena, sizeof(*touched));
    *touched = (struct touched){.name = name, .before = zone_version_find(editing->version, name)};
    if (touched->before != NULL) {
        struct owner_walk walk = {0};
        struct record record;
        touched->name = owner_name(touched->before);
        while (owner_next_record(touched->before, &walk, &record)) {
            record.class = editing->update->class;
            bool found;
            insert(touched, position(touched, record.type, record.rdata, &found), &record);
        }
    }
    touched->same_bucket = *bucket;
    *bucket = touched;
    if (editing->last == NULL) {
        editing->first = touched;
    } else {
        editing->last->next = touched;
    }
    editing->last = touched;
    return touched;
}

/* --- One change after the other. --- */

static bool is_beside_cname(uint16_t type)
{
    return type == TYPE_CNAME || type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_KEY ||
           type == TYPE_SIG || type == TYPE_NXT;
}

static uint16_t covered_type(const struct record *record)
{
    return record->type == TYPE_RRSIG && record->rdata.size >= 2 ? get_u16(record->rdata.data) : 0;
}

static bool may_add(const struct touched *touched, const struct record *record, bool is_apex)
{
    if (record->type == TYPE_SOA) {
        size_t at = first_of_type(touched, TYPE_SOA);
        return is_apex && at < touched->count && touched->records[at].type == TYPE_SOA &&
               serial_before(soa_read(touched->records[at].rdata).serial,
                             soa_read(record->rdata).serial);
    }
    if (record->type == TYPE_CNAME) {
        for (size_t i = 0; i < touched->count; i++) {
            if (!is_beside_cname(touched->records[i].type)) {
                return false;
            }
        }
        return true;
    }
    return is_beside_cname(record->type) || count_of_type(touched, TYPE_CNAME) == 0;
}

/* RFC 2136 1.1.1 and 3.4.2.2: a WKS record takes the place of one with its address and protocol. */
static bool is_same_service(const struct record *a, const struct record *b)
{
    enum { WKS = 11, ADDRESS_AND_PROTOCOL = 5 };
    return a->type == WKS && b->type == WKS && a->rdata.size >= ADDRESS_AND_PROTOCOL &&
           b->rdata.size >= ADDRESS_AND_PROTOCOL &&
           memcmp(a->rdata.data, b->rdata.data, ADDRESS_AND_PROTOCOL) == 0;
}

static void add(struct touched *touched, const struct record *record, bool is_apex)
{
    bool found;
    if (!may_add(touched, record, is_apex)) {
        return;
    }
    bool replaces = (rrtype_get(record->type)->flags & RRTYPE_SINGLETON) != 0;
    for (size_t i = first_of_type(touched, record->type);
         i < touched->count && touched->records[i].type == record->type;) {
        struct record *present = &touched->records[i];
        if ((replaces && rdata_compare(record->type, record->rdata, present->rdata) != 0) ||
            (is_same_service(record, present) && !slice_equal(record->rdata, present->rdata))) {
            take_out(touched, i, 1);
            continue;
        }
        if (covered_type(present) == covered_type(record)) {
            present->ttl = record->ttl;
        }
        i++;
    }
    size_t at = position(touched, record->type, record->rdata, &found);
    if (!found) {
        insert(touched, at, record);
    }
}

static void delete_all(struct touched *touched, bool is_apex)
{
    size_t kept = 0;
    for (size_t i = 0; i < touched->count; i++) {
        uint16_t type = touched->records[i].type;
        if (is_apex && (type == TYPE_SOA || type == TYPE_NS)) {
            touched->records[kept++] = touched->records[i];
        }
    }
    touched->count = kept;
}

/* BIND's rule: what would go beyond the bound is left out, the rest of the update is done. */
static bool is_over_bound(const struct editing *editing, const struct touched *touched,
                          const struct record *record)
{
    struct update_bound *bounds = editing->update->bounds;
    struct update_bound *bound = bounds == NULL ? NULL : &bounds[record - editing->update->changes];
    bool is_there = false;
    if (bound == NULL || bound->max == 0 || count_of_type(touched, record->type) < bound->max) {
        return false;
    }
    (void)position(touched, record->type, record->rdata, &is_there);
    bound->reached = !is_there;
    return !is_there;
}

static void apply_change(struct editing *editing, const struct record *record)
{
    bool is_apex = name_equal(record->owner, editing->update->zone.wire);
    struct touched *touched = touch(editing, record->owner);
    if (record->class == editing->update->class) {
        if (!is_over_bound(editing, touched, record)) {
            add(touched, record, is_apex);
        }
    } else if (record->class == CLASS_ANY && record->type == TYPE_ANY) {
        delete_all(touched, is_apex);
    } else if (record->class == CLASS_ANY) {
        if (!is_apex || (record->type != TYPE_SOA && record->type != TYPE_NS)) {
            take_out(touched, first_of_type(touched, record->type),
                     count_of_type(touched, record->type));
        }
    } else {
        bool found;
        size_t at = position(touched, record->type, record->rdata, &found);
        bool is_kept =
            is_apex && (record->type == TYPE_SOA ||
                        (record->type == TYPE_NS && count_of_type(touched, TYPE_NS) == 1));
        if (found && !is_kept) {
            take_out(touched, at, 1);
        }
    }
}

/* --- The difference. --- */

/* With a delta: writes what changed at the name. Without: only tells whether something did. */
static enum result difference(const struct editing *editing, const struct touched *touched,
                              struct delta *delta, bool *differs, struct error *err)
{
    struct touched before = {.name = touched->name};
    enum result result = OK;
    if (touched->before != NULL) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(touched->before, &walk, &record)) {
            bool found;
            record.class = editing->update->class;
            insert(&before, position(&before, record.type, record.rdata, &found), &record);
        }
    }
    size_t i = 0;
    size_t j = 0;
    while (result == OK && (i < before.count || j < touched->count)) {
        int order = i == before.count     ? 1
                    : j == touched->count ? -1
                                          : compare(before.records[i].type, before.records[i].rdata,
                                                    &touched->records[j]);
        if (order == 0 && before.records[i].ttl == touched->records[j].ttl) {
            i++;
            j++;
            continue;
        }
        *differs = true;
        if (order <= 0) {
            before.records[i].owner = touched->name;
            result = delta == NULL ? OK : delta_remove(delta, &before.records[i], err);
            i++;
        }
        if (order >= 0 && result == OK) {
            struct record added = touched->records[j];
            added.owner = touched->name;
            result = delta == NULL ? OK : delta_add(delta, &added, err);
            j++;
        }
    }
    memory_free(before.records);
    return result;
}

/* RFC 2136 3.6: a change that brings no newer SOA advances the one there is. */
static void advance_serial(struct editing *editing, enum serial_method method, int64_t now_s)
{
    struct touched *apex = touch(editing, editing->update->zone.wire);
    struct record *soa = &apex->records[first_of_type(apex, TYPE_SOA)];
    struct serial present = zone_version_serial(editing->version);
    if (serial_before(present, soa_read(soa->rdata).serial)) {
        return;
    }
    uint8_t *rdata = arena_alloc(&editing->arena, soa->rdata.size);
    memcpy(rdata, soa->rdata.data, soa->rdata.size);
    put_u32(rdata + soa->rdata.size - SOA_SERIAL_FROM_END,
            serial_next(present, method, now_s).value);
    soa->rdata.data = rdata;
}

static enum result make_delta(struct editing *editing, enum serial_method method, int64_t now_s,
                              struct delta **out, struct error *err)
{
    bool differs = false;
    enum result result = OK;
    for (struct touched *touched = editing->first; touched != NULL; touched = touched->next) {
        (void)difference(editing, touched, NULL, &differs, err);
    }
    if (!differs) {
        *out = NULL;
        return OK;
    }
    advance_serial(editing, method, now_s);
    struct delta *delta = delta_new(zone_version_name(editing->version), editing->update->class);
    for (struct touched *touched = editing->first; result == OK && touched != NULL;
         touched = touched->next) {
        result = difference(editing, touched, delta, &differs, err);
    }
    if (result == OK) {
        result = delta_seal(delta, err);
    }
    if (result != OK) {
        delta_free(delta);
        return result;
    }
    *out = delta;
    return OK;
}

unsigned update_make_delta(const struct update *update, const struct zone_version *version,
                           enum serial_method method, int64_t now_s, struct delta **out,
                           struct error *err)
{
    struct editing editing = {
        .update = update, .version = version, .bucket_count = 8, .hash_key = random_u64()};
    while (editing.bucket_count < update->change_count) {
        editing.bucket_count *= 2;
    }
    arena_init(&editing.arena, 0);
    editing.buckets = memory_new_zeroed(editing.bucket_count, sizeof(struct touched *));
    for (size_t i = 0; i < update->change_count; i++) {
        apply_change(&editing, &update->changes[i]);
    }
    enum result result = make_delta(&editing, method, now_s, out, err);
    for (struct touched *touched = editing.first; touched != NULL; touched = touched->next) {
        memory_free(touched->records);
    }
    memory_free(editing.buckets);
    arena_deinit(&editing.arena);
    return result == OK ? RCODE_NOERROR : RCODE_SERVFAIL;
}
