/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of versions: a zone as a plain sorted array of records, and random zones and
 * changes. Everything is done in the most obvious way.
 */
#ifndef TESTS_NAIVE_H
#define TESTS_NAIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "wire/name.h"
#include "wire/rdata.h"
#include "zone/builder.h"
#include "zone/delta.h"
#include "zone/version.h"
#include "zone/version_pool.h"

struct naive_record {
    struct name owner;
    uint16_t type;
    uint32_t ttl;
    uint16_t size;
    uint8_t rdata[260];
};

struct naive_zone {
    struct name apex;
    struct naive_record *records; /* sorted by owner, type, rdata */
    size_t count;
    size_t capacity;
};

static inline uint32_t naive_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

static inline struct name naive_name(const char *text)
{
    struct name name;
    struct error err = {0};
    enum result parsed = name_parse_str(text, &name, &err);
    if (parsed != OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return name;
}

static inline struct record naive_view(const struct naive_record *record)
{
    return (struct record){
        .owner = record->owner.wire,
        .type = record->type,
        .class = CLASS_IN,
        .ttl = record->ttl,
        .rdata = slice_of(record->rdata, record->size),
    };
}

static inline int naive_compare(const struct naive_record *a, const struct naive_record *b)
{
    int order = name_compare(a->owner.wire, b->owner.wire);
    if (order == 0) {
        order = (a->type > b->type) - (a->type < b->type);
    }
    return order != 0
               ? order
               : rdata_compare(a->type, slice_of(a->rdata, a->size), slice_of(b->rdata, b->size));
}

/* False where an equal one is there. */
static inline bool naive_insert(struct naive_zone *zone, const struct naive_record *record)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = naive_compare(&zone->records[middle], record);
        if (order == 0) {
            return false;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (zone->count == zone->capacity) {
        zone->capacity = zone->capacity * 2 + 64;
        zone->records = memory_resize(zone->records, zone->capacity * sizeof(*zone->records));
    }
    memmove(&zone->records[low + 1], &zone->records[low],
            (zone->count - low) * sizeof(*zone->records));
    zone->records[low] = *record;
    zone->count++;
    return true;
}

static inline void naive_remove(struct naive_zone *zone, size_t at)
{
    memmove(&zone->records[at], &zone->records[at + 1],
            (zone->count - at - 1) * sizeof(*zone->records));
    zone->count--;
}

static inline struct naive_zone naive_copy(const struct naive_zone *zone)
{
    struct naive_zone copy = *zone;
    copy.capacity = copy.count;
    copy.records = memory_new(copy.count * sizeof(*copy.records));
    memcpy(copy.records, zone->records, copy.count * sizeof(*copy.records));
    return copy;
}

static inline void naive_free(struct naive_zone *zone)
{
    memory_free(zone->records);
    zone->records = NULL;
}

static inline struct naive_record naive_soa(const struct naive_zone *zone, uint32_t serial)
{
    struct naive_record soa = {.owner = zone->apex, .type = TYPE_SOA, .ttl = 3600};
    memcpy(soa.rdata, "\2ns\0\4host\0", 10);
    put_u32(soa.rdata + 10, serial);
    for (unsigned i = 0; i < 4; i++) {
        put_u32(soa.rdata + 14 + 4 * i, 3600 + i);
    }
    soa.size = 30;
    return soa;
}

/* All records of one RRset have one TTL, and all types but those that stand alone are possible. */
static inline uint32_t naive_ttl(const struct naive_record *record, unsigned generation)
{
    return 60 + (record->owner.size * 7u + record->type + generation * 13u) % 5 * 60;
}

/* A random name in the zone: few labels out of a small set, so that names meet, are each other's
 * ancestors, and leave empty non-terminals; now and then odd octets, long labels, another case. */
static inline void naive_random_name(const struct naive_zone *zone, uint64_t *random,
                                     uint32_t variety, struct name *out)
{
    unsigned labels = naive_random(random, 8) < 5 ? 1 : naive_random(random, 4);
    uint8_t text[256];
    size_t size = 0;
    for (unsigned i = 0; i < labels; i++) {
        uint8_t label[64];
        unsigned length;
        switch (naive_random(random, 12)) {
        case 0:
            length = 1;
            label[0] = '*';
            break;
        case 1:
            length = 1 + naive_random(random, 3);
            for (unsigned j = 0; j < length; j++) {
                label[j] = (uint8_t)naive_random(random, 4);
            }
            break;
        case 2:
            length = 20 + naive_random(random, 20);
            memset(label, 'x', length);
            label[length - 1] = (uint8_t)('0' + naive_random(random, 10));
            break;
        default:
            length = (unsigned)snprintf((char *)label, sizeof(label), "%s%u",
                                        naive_random(random, 2) ? "host-of-name" : "N",
                                        naive_random(random, variety));
            break;
        }
        if (size + length + 1 + zone->apex.size > 200) {
            break;
        }
        text[size++] = (uint8_t)length;
        memcpy(text + size, label, length);
        size += length;
    }
    memcpy(out->wire, text, size);
    memcpy(out->wire + size, zone->apex.wire, zone->apex.size);
    out->size = (uint8_t)(size + zone->apex.size);
}

/* The first record at the name or after it. */
static inline size_t naive_first_at(const struct naive_zone *zone, const uint8_t *name)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (name_compare(zone->records[middle].owner.wire, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A random record that may stand in the zone beside what is there; false: try another. */
static inline bool naive_random_record(const struct naive_zone *zone, uint64_t *random,
                                       uint32_t variety, struct naive_record *out)
{
    static const uint16_t types[] = {TYPE_A, TYPE_A,     TYPE_NS,    TYPE_TXT,   TYPE_AAAA,
                                     TYPE_A, TYPE_DS,    TYPE_MX,    TYPE_DNAME, TYPE_CNAME,
                                     TYPE_A, TYPE_NSEC3, TYPE_RRSIG, TYPE_NSEC};
    memset(out, 0, sizeof(*out));
    naive_random_name(zone, random, variety, &out->owner);
    out->type = types[naive_random(random, sizeof(types) / sizeof(types[0]))];
    uint8_t number = (uint8_t)naive_random(random, 6);
    struct name target;
    out->size = 4;
    out->rdata[3] = number;
    switch (out->type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_DNAME:
        naive_random_name(zone, random, 5, &target);
        out->size = target.size;
        memcpy(out->rdata, target.wire, target.size);
        break;
    case TYPE_MX:
        naive_random_name(zone, random, 5, &target);
        out->size = (uint16_t)(2 + target.size);
        put_u16(out->rdata, number);
        memcpy(out->rdata + 2, target.wire, target.size);
        break;
    case TYPE_AAAA:
        out->size = 16;
        break;
    case TYPE_TXT:
        out->size = (uint16_t)(1 + number * 40);
        out->rdata[0] = (uint8_t)(number * 40);
        break;
    case TYPE_RRSIG:
        put_u16(out->rdata, number < 2 ? TYPE_NSEC3 : number < 4 ? TYPE_A : TYPE_TXT);
        out->rdata[2] = 8;
        out->size = 18 + 1 + 8;
        break;
    case TYPE_NSEC3:
        memcpy(out->rdata, "\1\0\0\0\0\2ab\0\1\100", 11);
        out->rdata[6] = number;
        out->size = 11;
        break;
    case TYPE_NSEC:
        memcpy(out->rdata, zone->apex.wire, zone->apex.size);
        memcpy(out->rdata + zone->apex.size, "\0\1\100", 3);
        out->size = (uint16_t)(zone->apex.size + 3);
        break;
    default:
        break;
    }
    out->ttl = naive_ttl(out, 0);
    bool is_apex = name_equal(out->owner.wire, zone->apex.wire);
    if (is_apex &&
        (out->type == TYPE_CNAME || out->type == TYPE_NSEC3 || out->type == TYPE_DNAME)) {
        return false;
    }
    for (size_t i = naive_first_at(zone, out->owner.wire); i < zone->count; i++) {
        const struct naive_record *other = &zone->records[i];
        if (!name_equal(other->owner.wire, out->owner.wire)) {
            break;
        }
        bool alone = out->type == TYPE_CNAME || other->type == TYPE_CNAME;
        bool free = out->type == TYPE_RRSIG || other->type == TYPE_RRSIG ||
                    out->type == TYPE_NSEC || other->type == TYPE_NSEC || out->type == TYPE_NSEC3 ||
                    other->type == TYPE_NSEC3;
        if (other->type == out->type) {
            out->ttl = other->ttl;
            if (out->type == TYPE_CNAME || out->type == TYPE_DNAME) {
                return false;
            }
        } else if (alone && !free) {
            return false;
        }
    }
    return true;
}

static inline struct naive_zone naive_random_zone(const char *apex, uint64_t *random, size_t count,
                                                  uint32_t variety)
{
    struct naive_zone zone = {.apex = naive_name(apex)};
    struct naive_record record = naive_soa(&zone, 1);
    naive_insert(&zone, &record);
    record = (struct naive_record){.owner = zone.apex, .type = TYPE_NS, .ttl = 60, .size = 4};
    memcpy(record.rdata, "\2ns\0", 4);
    record.ttl = naive_ttl(&record, 0);
    naive_insert(&zone, &record);
    for (size_t tries = 0; zone.count < count && tries < 4 * count; tries++) {
        if (naive_random_record(&zone, random, variety, &record)) {
            naive_insert(&zone, &record);
        }
    }
    return zone;
}

/* The zone with about `count` changes and the next serial. */
static inline struct naive_zone naive_random_change(const struct naive_zone *zone, uint64_t *random,
                                                    size_t count, uint32_t variety)
{
    struct naive_zone changed = naive_copy(zone);
    struct naive_record record;
    for (size_t i = 0; i < changed.count; i++) {
        if (changed.records[i].type == TYPE_SOA) {
            put_u32(changed.records[i].rdata + 10, get_u32(changed.records[i].rdata + 10) + 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = naive_random(random, (uint32_t)changed.count);
        const struct naive_record *victim = &changed.records[at];
        bool keep = victim->type == TYPE_SOA ||
                    (victim->type == TYPE_NS && name_equal(victim->owner.wire, zone->apex.wire));
        if (naive_random(random, 2) == 0) {
            if (!keep) {
                naive_remove(&changed, at);
            }
        } else if (naive_random_record(&changed, random, variety, &record)) {
            naive_insert(&changed, &record);
        }
    }
    return changed;
}

static inline struct zone_version *naive_finish(struct builder *builder, struct zone_version *base,
                                                struct delta **out_delta)
{
    struct zone_version *version = NULL;
    struct error err = {0};
    if (builder_finish(builder, base, &version, out_delta, &err) != OK) {
        fail_msg("builder_finish: %s", err.text);
    }
    builder_free(builder);
    return version;
}

/* In the order of the array, or (random) in some order. */
static inline struct builder *naive_fill(const struct naive_zone *zone, uint64_t *random)
{
    struct builder *builder = builder_new(zone->apex.wire, CLASS_IN, NULL, NULL, NULL);
    size_t *order = memory_new(zone->count * sizeof(*order));
    for (size_t i = 0; i < zone->count; i++) {
        size_t at = random == NULL ? i : naive_random(random, (uint32_t)i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < zone->count; i++) {
        struct record record = naive_view(&zone->records[random == NULL ? i : order[i]]);
        struct error err = {0};
        if (builder_add(builder, &record, NULL, 0, &err) != OK) {
            fail_msg("builder_add: %s", err.text);
        }
    }
    memory_free(order);
    return builder;
}

static inline struct zone_version *naive_build(const struct naive_zone *zone, uint64_t *random)
{
    return naive_finish(naive_fill(zone, random), NULL, NULL);
}

/* There is a record of the type at exactly the name. */
static inline bool naive_has(const struct naive_zone *zone, const uint8_t *name, uint16_t type)
{
    for (size_t i = naive_first_at(zone, name);
         i < zone->count && name_equal(zone->records[i].owner.wire, name); i++) {
        if (zone->records[i].type == type) {
            return true;
        }
    }
    return false;
}

static inline bool naive_covers_nsec3(const struct naive_record *record)
{
    return record->type == TYPE_NSEC3 ||
           (record->type == TYPE_RRSIG && get_u16(record->rdata) == TYPE_NSEC3);
}

/* There are records at the name, and all are NSEC3 and their signatures, one NSEC3 among them. */
static inline bool naive_is_nsec3_only(const struct naive_zone *zone, const uint8_t *name)
{
    bool has_nsec3 = false;
    for (size_t i = naive_first_at(zone, name);
         i < zone->count && name_equal(zone->records[i].owner.wire, name); i++) {
        if (!naive_covers_nsec3(&zone->records[i])) {
            return false;
        }
        has_nsec3 |= zone->records[i].type == TYPE_NSEC3;
    }
    return has_nsec3 && !name_equal(name, zone->apex.wire);
}

/* There is something at the name or below it. */
static inline bool naive_exists(const struct naive_zone *zone, const uint8_t *name)
{
    size_t at = naive_first_at(zone, name);
    return at < zone->count && name_is_subdomain(zone->records[at].owner.wire, name);
}

#endif
