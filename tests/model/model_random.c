/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random zones. Few labels are used at all, so names meet: a record lands on a wildcard's sibling,
 * below a cut, below a DNAME, at the target of an alias. Signing is for show: RRSIGs have random
 * signatures; NSEC and NSEC3 chains are right, for that is what answers are made of.
 */
#include <stdlib.h>

#include "model_zone.h"
#include "wire/rdata.h"

uint32_t model_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)*state * below) >> 32);
}

static const char *const labels[] = {"a", "b", "c", "*", "ns", "w", "Long-Label-Here", "x"};

static void prepend(struct name *name, const char *label)
{
    size_t size = strlen(label);
    if (name->size + size + 1 > NAME_MAX_SIZE) {
        return;
    }
    memmove(name->wire + size + 1, name->wire, name->size);
    name->wire[0] = (uint8_t)size;
    memcpy(name->wire + 1, label, size);
    name->size = (uint8_t)(name->size + size + 1);
}

static void random_below(const struct name *top, uint32_t *random, unsigned depth, struct name *out)
{
    *out = *top;
    while (depth-- != 0) {
        prepend(out, labels[model_random(random, sizeof(labels) / sizeof(labels[0]))]);
    }
}

/* One of the two names of the SOA, which a "no" has as well, where it is in the zone. */
static void name_of_soa(const struct model_zone *zone, uint32_t *random, struct name *out)
{
    *out = zone->apex;
    for (size_t i = 0; i < zone->set.count; i++) {
        if (zone->set.records[i].type == TYPE_SOA) {
            const uint8_t *name = zone->set.records[i].rdata;
            name += model_random(random, 2) == 0 ? 0 : name_size(name);
            if (name_is_subdomain(name, zone->apex.wire)) {
                name_copy(out, name);
            }
        }
    }
}

void model_random_name(const struct model_zone *zone, uint32_t *random, struct name *out)
{
    const struct model_record *record =
        &zone->set.records[model_random(random, (uint32_t)zone->set.count)];
    struct name base;
    switch (model_random(random, 7)) {
    case 6:
        name_of_soa(zone, random, &base);
        if (model_random(random, 2) == 0) {
            *out = base;
        } else {
            random_below(&base, random, 1, out);
        }
        break;
    case 0:
        random_below(&zone->apex, random, model_random(random, 5), out);
        break;
    case 1:
    case 2:
        *out = record->owner;
        break;
    case 3:
        random_below(&record->owner, random, 1 + model_random(random, 2), out);
        break;
    case 4:
        name_copy(out, record->owner.size > zone->apex.size
                           ? name_skip_labels(record->owner.wire, 1)
                           : record->owner.wire);
        break;
    default:
        if (record->owner.size > zone->apex.size) {
            struct name parent;
            name_copy(&parent, name_skip_labels(record->owner.wire, 1));
            random_below(&parent, random, 1, out);
        } else {
            random_below(&zone->apex, random, 1, out);
        }
        break;
    }
    for (unsigned i = 1; i < out->size; i++) { /* letters, as length octets are below 64 */
        if (out->wire[i] >= 'a' && out->wire[i] <= 'z' && model_random(random, 4) == 0) {
            out->wire[i] = (uint8_t)(out->wire[i] - 0x20);
        }
    }
}

static bool has_anything(const struct model_zone *zone, const uint8_t *name)
{
    for (size_t i = 0; i < zone->set.count; i++) {
        if (name_equal(zone->set.records[i].owner.wire, name)) {
            return true;
        }
    }
    return false;
}

static void add(struct model_zone *zone, const struct name *owner, uint16_t type, uint32_t ttl,
                const void *rdata, size_t size)
{
    bool beside_cname = type == TYPE_RRSIG || type == TYPE_NSEC;
    struct model_record record = {.owner = *owner, .type = type, .ttl = ttl, .rdata_size = size};
    const struct model_record *same = model_get(zone, owner->wire, type);
    if (!beside_cname && (type == TYPE_CNAME ? has_anything(zone, owner->wire)
                                             : model_has(zone, owner->wire, TYPE_CNAME))) {
        return;
    }
    memcpy(record.rdata, rdata, size);
    if (same != NULL && type != TYPE_RRSIG) {
        record.ttl = same->ttl;
    }
    model_set_add(&zone->set, &record);
}

static void random_target(const struct model_zone *zone, uint32_t *random, struct name *out)
{
    if (model_random(random, 6) == 0) {
        name_copy(out, (const uint8_t *)"\2ns\5other\4name");
    } else {
        random_below(&zone->apex, random, 1 + model_random(random, 3), out);
    }
}

/* Servers that are one label before the same rest: the cut, the apex or what is elsewhere. Those
 * below the cut mostly have addresses. */
static void add_servers_alike(struct model_zone *zone, const struct name *cut, uint32_t *random)
{
    struct name rest = *cut;
    uint32_t where = model_random(random, 4);
    if (where == 0) {
        name_copy(&rest, (const uint8_t *)"\5other\4name");
    } else if (where == 1) {
        rest = zone->apex;
    }
    for (uint32_t left = 1 + model_random(random, 4); left != 0; left--) {
        struct name server;
        random_below(&rest, random, 1, &server);
        add(zone, cut, TYPE_NS, 300, server.wire, server.size);
        if (where > 1 && model_random(random, 4) != 0) {
            add(zone, &server, TYPE_A, 100, "\300\0\2\3", 4);
        }
        if (where > 1 && model_random(random, 2) != 0) {
            add(zone, &server, TYPE_AAAA, 100, "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16);
        }
    }
}

/* A CNAME, DNAME or NS at `owner`, where it may stand there. */
static void add_pointer(struct model_zone *zone, const struct name *owner, uint16_t type,
                        uint32_t *random)
{
    struct name target;
    uint8_t ds[36] = {0, 1, 8, 2};
    bool at_apex = owner->size == zone->apex.size;
    random_target(zone, random, &target);
    if ((type == TYPE_DNAME &&
         (model_has(zone, owner->wire, TYPE_DNAME) || name_is_wildcard(owner->wire) ||
          (model_has(zone, owner->wire, TYPE_NS) && !at_apex))) ||
        (type == TYPE_NS && (name_is_wildcard(owner->wire) ||
                             (model_has(zone, owner->wire, TYPE_DNAME) && !at_apex)))) {
        return;
    }
    if (type == TYPE_NS && !at_apex && model_random(random, 2) == 0) {
        add_servers_alike(zone, owner, random);
        return;
    }
    add(zone, owner, type, 300 + model_random(random, 5), target.wire, target.size);
    if (type == TYPE_NS && !at_apex) {
        if (model_random(random, 3) == 0) {
            ds[4] = (uint8_t)model_random(random, 256);
            add(zone, owner, TYPE_DS, 200, ds, sizeof(ds));
        }
        if (model_random(random, 2) == 0) { /* a server below, with glue */
            struct name server = *owner;
            prepend(&server, "ns");
            add(zone, owner, TYPE_NS, 300, server.wire, server.size);
            add(zone, &server, TYPE_A, 100, "\300\0\2\1", 4);
        }
    }
}

static void add_random_record(struct model_zone *zone, uint32_t *random)
{
    struct name owner;
    struct name target;
    uint8_t rdata[300] = {0};
    uint32_t kind = model_random(random, 100);
    random_below(&zone->apex, random, 1 + model_random(random, 4), &owner);
    if (kind < 3) {
        owner = zone->apex;
        kind = model_random(random, 100);
        if (kind >= 72 && kind < 84) {
            return; /* no CNAME there, and DNAME hides everything: rarely enough by other ways */
        }
    }
    if (kind >= 60 && kind < 72) {
        add_pointer(zone, &owner, TYPE_CNAME, random);
        return;
    }
    if (kind >= 84) {
        add_pointer(zone, &owner, kind < 89 ? TYPE_DNAME : TYPE_NS, random);
        return;
    }
    uint32_t ttl = 100 + model_random(random, 3);
    for (unsigned i = 0; i < 4; i++) {
        rdata[i] = (uint8_t)model_random(random, 256);
    }
    random_target(zone, random, &target);
    if (kind < 30) {
        add(zone, &owner, TYPE_A, ttl, rdata, 4);
    } else if (kind < 40) {
        add(zone, &owner, TYPE_AAAA, ttl, rdata, 16);
    } else if (kind < 50) {
        rdata[0] = 3;
        add(zone, &owner, TYPE_TXT, ttl, rdata, 4);
    } else if (kind < 60) {
        memcpy(rdata + 2, target.wire, target.size);
        add(zone, &owner, TYPE_MX, ttl, rdata, 2 + (size_t)target.size);
    } else {
        memcpy(rdata + 6, target.wire, target.size);
        add(zone, &owner, TYPE_SRV, ttl, rdata, 6 + (size_t)target.size);
    }
}

static void add_apex(struct model_zone *zone, uint32_t *random)
{
    uint8_t soa[2 * NAME_MAX_SIZE + 20];
    struct name server = zone->apex;
    size_t at = 0;
    prepend(&server, "ns");
    for (unsigned i = 0; i < 2; i++) { /* mostly one label below, sometimes the same twice */
        struct name name;
        if (model_random(random, 4) == 0) {
            random_target(zone, random, &name);
        } else {
            random_below(&zone->apex, random, 1, &name);
        }
        memcpy(soa + at, name.wire, name.size);
        at += name.size;
    }
    for (unsigned i = 0; i < 5; i++) {
        put_u32(soa + at + 4 * (size_t)i, 50 + model_random(random, 100));
    }
    add(zone, &zone->apex, TYPE_SOA, 100, soa, at + 20);
    add(zone, &zone->apex, TYPE_NS, 300, server.wire, server.size);
    add(zone, &server, TYPE_A, 100, "\300\0\2\2", 4);
}

/* Below a cut or a DNAME: not the zone's any more. A cut itself is not below one. */
static bool is_occluded(const struct model_zone *zone, const uint8_t *name)
{
    while (name_size(name) > zone->apex.size) {
        name = name_skip_labels(name, 1);
        bool is_apex = name_size(name) == zone->apex.size;
        if (model_has(zone, name, TYPE_DNAME) || (!is_apex && model_has(zone, name, TYPE_NS))) {
            return true;
        }
    }
    return false;
}

static bool is_cut(const struct model_zone *zone, const uint8_t *name)
{
    return name_size(name) > zone->apex.size && model_has(zone, name, TYPE_NS);
}

static void add_signature(struct model_zone *zone, const struct name *owner, uint16_t covered,
                          uint32_t ttl, uint32_t *random)
{
    uint8_t rdata[18 + NAME_MAX_SIZE + 8] = {0};
    if (model_has(zone, owner->wire, TYPE_RRSIG)) {
        for (size_t i = 0; i < zone->set.count; i++) {
            if (model_covers(&zone->set.records[i]) == covered &&
                name_equal(zone->set.records[i].owner.wire, owner->wire)) {
                return;
            }
        }
    }
    put_u16(rdata, covered);
    rdata[2] = 8;
    rdata[3] = (uint8_t)name_label_count(owner->wire);
    put_u32(rdata + 4, ttl);
    memcpy(rdata + 18, zone->apex.wire, zone->apex.size);
    put_u32(rdata + 18 + zone->apex.size, model_random(random, UINT32_MAX));
    add(zone, owner, TYPE_RRSIG, ttl, rdata, 22 + (size_t)zone->apex.size);
}

static void sign_all(struct model_zone *zone, uint32_t *random)
{
    size_t count = zone->set.count;
    for (size_t i = 0; i < count; i++) {
        struct model_record record = zone->set.records[i];
        if (record.type != TYPE_RRSIG && record.type != TYPE_NSEC3 &&
            !is_occluded(zone, record.owner.wire) &&
            (!is_cut(zone, record.owner.wire) || record.type == TYPE_DS ||
             record.type == TYPE_NSEC)) {
            add_signature(zone, &record.owner, record.type, record.ttl, random);
        }
    }
}

/* The names a chain goes through, each once, with what the caller sorts them by. */
struct link {
    struct name name;
    uint8_t hash[20];
};

static int by_name(const void *a, const void *b)
{
    return name_compare(((const struct link *)a)->name.wire, ((const struct link *)b)->name.wire);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash, 20);
}

enum { LINKS_MAX = 512 };

static void add_link(struct link *links, size_t *count, const uint8_t *name)
{
    for (size_t i = 0; i < *count; i++) {
        if (name_equal(links[i].name.wire, name)) {
            return;
        }
    }
    REQUIRE(*count < LINKS_MAX);
    name_copy(&links[(*count)++].name, name);
}

static void add_nsec(struct model_zone *zone)
{
    static struct link links[LINKS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < zone->set.count; i++) {
        if (!is_occluded(zone, zone->set.records[i].owner.wire)) {
            add_link(links, &count, zone->set.records[i].owner.wire);
        }
    }
    qsort(links, count, sizeof(links[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        const struct name *next = &links[(i + 1) % count].name;
        uint8_t rdata[NAME_MAX_SIZE + 3];
        memcpy(rdata, next->wire, next->size);
        memcpy(rdata + next->size, "\0\1\100", 3);
        add(zone, &links[i].name, TYPE_NSEC, 77, rdata, next->size + 3);
    }
}

static void base32hex_label(const uint8_t hash[20], char out[33])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    for (unsigned i = 0; i < 32; i++) {
        unsigned digit = 0;
        for (unsigned bit = i * 5; bit < i * 5 + 5; bit++) {
            digit = digit << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1u);
        }
        out[i] = digits[digit];
    }
    out[32] = '\0';
}

static void add_nsec3(struct model_zone *zone, bool opt_out, uint32_t *random)
{
    static struct link links[LINKS_MAX];
    size_t count = 0;
    uint8_t params[9] = {
        1, 0, 0, (uint8_t)model_random(random, 4), (uint8_t)model_random(random, 5), 1, 2, 3, 4};
    size_t params_size = 5 + (size_t)params[4];
    add(zone, &zone->apex, TYPE_NSEC3PARAM, 10, params, params_size);
    for (size_t i = 0; i < zone->set.count; i++) {
        const uint8_t *name = zone->set.records[i].owner.wire;
        if (is_occluded(zone, name) ||
            (opt_out && is_cut(zone, name) && !model_has(zone, name, TYPE_DS))) {
            continue;
        }
        for (;; name = name_skip_labels(name, 1)) { /* empty non-terminals on the way */
            add_link(links, &count, name);
            if (name_size(name) == zone->apex.size) {
                break;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        model_nsec3_hash(params, links[i].name.wire, links[i].hash);
    }
    qsort(links, count, sizeof(links[0]), by_hash);
    for (size_t i = 0; i < count; i++) {
        uint8_t rdata[64];
        char label[33];
        struct name owner = zone->apex;
        memcpy(rdata, params, params_size);
        rdata[1] = opt_out;
        rdata[params_size] = 20;
        memcpy(rdata + params_size + 1, links[(i + 1) % count].hash, 20);
        memcpy(rdata + params_size + 21, "\0\1\100", 3);
        base32hex_label(links[i].hash, label);
        prepend(&owner, label);
        add(zone, &owner, TYPE_NSEC3, 78, rdata, params_size + 24);
        add_signature(zone, &owner, TYPE_NSEC3, 78, random);
    }
}

void model_zone_random(struct model_zone *zone, uint32_t seed, enum model_signing signing)
{
    static const char *const apexes[] = {"\4zone\4test", "\4test", ""};
    uint32_t random = seed * 2654435761u + 1;
    *zone = (struct model_zone){.set = {.records = NULL}};
    name_copy(&zone->apex, (const uint8_t *)apexes[model_random(&random, 3)]);
    add_apex(zone, &random);
    for (unsigned left = 3 + model_random(&random, 40); left != 0; left--) {
        add_random_record(zone, &random);
    }
    switch (signing) {
    case MODEL_UNSIGNED:
    case MODEL_SIGNINGS:
        return;
    case MODEL_NSEC:
        add_nsec(zone);
        break;
    case MODEL_NSEC3:
    case MODEL_OPT_OUT:
        add_nsec3(zone, signing == MODEL_OPT_OUT, &random);
        break;
    }
    sign_all(zone, &random);
}
