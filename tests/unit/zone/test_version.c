/* SPDX-License-Identifier: BSD-3-Clause */
/* Versions against a plain sorted array of records: order, finding, looking up, predecessors. */
#include "zone/version.h"

#include "naive.h"
#include "zone/zone_set.h"

static const char *const apexes[] = {"example.", ".", "1.168.192.in-addr.arpa.",
                                     "a-label-that-is-long.another-one.Mixed.Case."};

static const char *text_of(const uint8_t *name, char *out)
{
    return name == NULL ? "-" : name_format(name, out);
}

/* The version's records in its order are the array's; owners ascend, and are all there should be.
 */
static void check_contents(const struct naive_zone *zone, const struct zone_version *version)
{
    struct zone_cursor cursor;
    size_t at = 0;
    size_t owners = 0;
    const struct owner *before = NULL;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        const struct owner *owner = cursor.owner;
        struct owner_walk walk = {0};
        struct record record;
        char text[NAME_TEXT_SIZE];
        size_t found = 0;
        assert_true(before == NULL || name_compare(owner_name(before), owner_name(owner)) < 0);
        assert_int_equal(owner->hash, name_hash(zone_hash_key(), owner_name(owner)));
        assert_int_equal(owner->name_size, name_size(owner_name(owner)));
        assert_ptr_equal(zone_version_find(version, owner_name(owner)), owner);
        while (owner_next_record(owner, &walk, &record)) {
            assert_true(at < zone->count);
            struct record expected = naive_view(&zone->records[at]);
            if (record.type != expected.type || record.ttl != expected.ttl ||
                !slice_equal(record.rdata, expected.rdata) ||
                !name_equal(record.owner, expected.owner)) {
                fail_msg("record %zu at %s differs: type %u %u, TTL %u %u", at,
                         text_of(record.owner, text), record.type, expected.type, record.ttl,
                         expected.ttl);
            }
            assert_int_equal(record.class, CLASS_IN);
            at++;
            found++;
        }
        if (found == 0) {
            assert_true(owner_is_empty(owner));
            assert_true(naive_exists(zone, owner_name(owner)));
        }
        assert_int_equal((owner->flags & OWNER_NSEC3_ONLY) != 0,
                         naive_is_nsec3_only(zone, owner_name(owner)));
        assert_int_equal((owner->flags & OWNER_CUT) != 0,
                         naive_has(zone, owner_name(owner), TYPE_NS) &&
                             !name_equal(owner_name(owner), zone->apex.wire));
        before = owner;
        owners++;
    }
    assert_int_equal(at, zone->count);
    assert_int_equal(zone_version_record_count(version), zone->count);
    assert_int_equal(zone_version_owner_count(version), owners);
    /* No ancestor is missing. */
    for (size_t i = 0; i < zone->count; i++) {
        const uint8_t *name = zone->records[i].owner.wire;
        for (; !name_equal(name, zone->apex.wire); name += 1u + *name) {
            assert_non_null(zone_version_find(version, name));
        }
    }
}

static void check_lookup(const struct naive_zone *zone, const struct zone_version *version,
                         const uint8_t *name)
{
    struct zone_lookup lookup;
    zone_version_lookup(version, name, &lookup);
    /* Every ancestor from the apex down, until something stops. */
    const uint8_t *chain[NAME_MAX_LABELS];
    unsigned count = 0;
    const uint8_t *at = name;
    for (; !name_equal(at, zone->apex.wire); at += 1u + *at) {
        chain[count++] = at;
    }
    chain[count++] = at;
    const uint8_t *match = NULL;
    const uint8_t *encloser = NULL;
    const uint8_t *cut = NULL;
    const uint8_t *dname = NULL;
    while (count > 0) {
        const uint8_t *here = chain[--count];
        bool hidden = naive_is_nsec3_only(zone, here);
        if (!naive_exists(zone, here)) {
            break;
        }
        if (!hidden) {
            encloser = here;
            if (!name_equal(here, zone->apex.wire) && naive_has(zone, here, TYPE_NS)) {
                cut = here;
                match = count == 0 ? here : NULL;
                break;
            }
            if (count == 0) {
                match = here;
            } else if (naive_has(zone, here, TYPE_DNAME)) {
                dname = here;
                break;
            }
        }
    }
    uint8_t wildcard[NAME_MAX_SIZE + 2] = {1, '*'};
    bool has_wildcard = false;
    if (match == NULL && cut == NULL && dname == NULL) {
        memcpy(wildcard + 2, encloser, name_size(encloser));
        has_wildcard = name_size(encloser) + 2 <= NAME_MAX_SIZE && naive_exists(zone, wildcard) &&
                       !naive_is_nsec3_only(zone, wildcard);
    }
    const uint8_t *expected[] = {match, encloser, cut, dname, has_wildcard ? wildcard : NULL};
    const struct owner *got[] = {lookup.match, lookup.encloser, lookup.cut, lookup.dname,
                                 lookup.wildcard};
    static const char *const what[] = {"match", "encloser", "cut", "dname", "wildcard"};
    for (unsigned i = 0; i < 5; i++) {
        if ((got[i] == NULL) != (expected[i] == NULL) ||
            (got[i] != NULL && !name_equal(owner_name(got[i]), expected[i]))) {
            char text[3][NAME_TEXT_SIZE];
            fail_msg("%s: %s is %s, should be %s", text_of(name, text[0]), what[i],
                     text_of(got[i] == NULL ? NULL : owner_name(got[i]), text[1]),
                     text_of(expected[i], text[2]));
        }
    }
}

static void check_lookups(const struct naive_zone *zone, const struct zone_version *version,
                          uint64_t *random, uint32_t variety)
{
    enum { COUNT = 100 };
    struct name names[COUNT];
    struct zone_lookup_item items[COUNT];
    static struct name_hashes hashes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        if (naive_random(random, 3) == 0) {
            names[i] = zone->records[naive_random(random, (uint32_t)zone->count)].owner;
        } else {
            naive_random_name(zone, random, variety, &names[i]);
        }
        check_lookup(zone, version, names[i].wire);
        name_hashes_begin(zone_hash_key(), names[i].wire, &hashes[i]);
        items[i] = (struct zone_lookup_item){.version = version, .hashes = &hashes[i]};
    }
    items[7].version = NULL;
    zone_version_lookup_batch(items, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct zone_lookup alone;
        zone_version_lookup(version, names[i].wire, &alone);
        assert_true(i == 7 || memcmp(&alone, &items[i].result, sizeof(alone)) == 0);
        struct zone_cursor cursor;
        struct zone_cursor slow;
        zone_cursor_seek(&cursor, version, names[i].wire);
        zone_cursor_first(&slow, version);
        while (slow.owner != NULL && name_compare(owner_name(slow.owner), names[i].wire) < 0) {
            zone_cursor_next(&slow);
        }
        assert_ptr_equal(cursor.owner, slow.owner);
        zone_cursor_next(&cursor);
        zone_cursor_next(&slow);
        assert_ptr_equal(cursor.owner, slow.owner);
    }
}

/* Names and hashes, those in the middle among names of another zone, as each is found alone. */
static void check_predecessors_together(const struct zone_version *version,
                                        const struct zone_version *other, const struct name *names,
                                        size_t count, uint64_t *random)
{
    uint8_t hashes[100][20];
    struct zone_predecessor_item items[201];
    size_t n = 0;
    assert_true(count <= ARRAY_SIZE(hashes));
    for (size_t i = 0; i < count; i++) {
        for (size_t octet = 0; octet < sizeof(hashes[i]); octet++) {
            hashes[i][octet] = (uint8_t)naive_random(random, 256);
        }
        items[n++] = (struct zone_predecessor_item){.version = version,
                                                    .name = slice_of(names[i].wire, names[i].size)};
        if (i == count / 2) {
            items[n++] = (struct zone_predecessor_item){
                .version = other,
                .name = slice_of(zone_version_name(other), name_size(zone_version_name(other)))};
        }
        items[n++] = (struct zone_predecessor_item){
            .version = version, .name = slice_of(hashes[i], sizeof(hashes[i])), .is_hash = true};
    }
    zone_version_predecessors(items, n);
    for (size_t i = 0; i < n; i++) {
        enum nsec3_place place = items[i].place;
        const struct owner *alone =
            items[i].is_hash ? zone_version_nsec3_before(items[i].version, items[i].name, &place)
                             : zone_version_nsec_before(items[i].version, items[i].name);
        assert_ptr_equal(items[i].owner, alone);
        assert_int_equal(items[i].place, place);
    }
}

static void check_predecessors(const struct naive_zone *zone, const struct zone_version *version,
                               const struct zone_version *other, uint64_t *random, uint32_t variety)
{
    struct name names[50];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct name name;
        naive_random_name(zone, random, variety, &name);
        names[i] = name;
        const struct naive_record *nsec = NULL;
        const struct naive_record *last = NULL;
        for (size_t j = 0; j < zone->count; j++) {
            if (zone->records[j].type == TYPE_NSEC) {
                last = &zone->records[j];
                nsec = name_compare(last->owner.wire, name.wire) <= 0 ? last : nsec;
            }
        }
        nsec = nsec == NULL ? last : nsec;
        const struct owner *got = zone_version_nsec_before(version, slice_of(name.wire, name.size));
        assert_int_equal(got == NULL, nsec == NULL);
        assert_true(got == NULL || name_equal(owner_name(got), nsec->owner.wire));
    }
    check_predecessors_together(version, other, names, ARRAY_SIZE(names), random);
}

static void version_equals_the_array_it_was_built_from(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    for (uint64_t seed = 1; seed <= 24; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        uint64_t random = seed;
        uint32_t variety = seed % 3 == 0 ? 2000 : seed % 3 == 1 ? 12 : 100;
        size_t count = seed % 4 == 0 ? 3 + seed : 60 * seed;
        struct naive_zone zone = naive_random_zone(apexes[seed % 4], &random, count, variety);
        struct naive_zone small = naive_random_zone("other.test.", &random, 40, 100);
        struct zone_version *other = naive_build(&small, NULL);
        for (unsigned shuffled = 0; shuffled < 2; shuffled++) {
            struct zone_version *version = naive_build(&zone, shuffled ? &random : NULL);
            check_contents(&zone, version);
            check_lookups(&zone, version, &random, variety);
            check_predecessors(&zone, version, other, &random, variety);
            assert_true(zone_version_bytes(version) > zone.count * 4);
            zone_version_unref(version);
        }
        zone_version_unref(other);
        naive_free(&small);
        naive_free(&zone);
        assert_int_equal(pool_used_bytes(version_pool()), before);
    }
}

static void version_of_ten_thousand_owners_is_found_through(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct naive_zone zone = {.apex = naive_name("tld.")};
    struct naive_record record = naive_soa(&zone, 7);
    struct builder *builder = builder_new(zone.apex.wire, CLASS_IN, NULL, NULL, NULL);
    struct error err = {0};
    struct record view = naive_view(&record);
    assert_int_equal(builder_add(builder, &view, NULL, 0, &err), OK);
    record = (struct naive_record){.owner = zone.apex, .type = TYPE_NS, .ttl = 60, .size = 4};
    memcpy(record.rdata, "\2ns\0", 4);
    view = naive_view(&record);
    assert_int_equal(builder_add(builder, &view, NULL, 0, &err), OK);
    for (unsigned i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof(text), "delegation%07u.tld.", i);
        record.owner = naive_name(text);
        view = naive_view(&record);
        assert_int_equal(builder_add(builder, &view, NULL, 0, &err), OK);
    }
    struct zone_version *version = naive_finish(builder, NULL, NULL);
    assert_int_equal(zone_version_owner_count(version), COUNT + 1);
    assert_int_equal(zone_version_record_count(version), COUNT + 2);
    assert_int_equal(zone_version_serial(version).value, 7);
    struct zone_cursor cursor;
    zone_cursor_first(&cursor, version);
    for (unsigned i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof(text), "delegation%07u.tld.", i);
        struct name name = naive_name(text);
        const struct owner *owner = zone_version_find(version, name.wire);
        assert_non_null(owner);
        zone_cursor_next(&cursor);
        assert_ptr_equal(cursor.owner, owner);
        struct zone_cursor sought;
        zone_cursor_seek(&sought, version, name.wire);
        assert_ptr_equal(sought.owner, owner);
        snprintf(text, sizeof(text), "www.delegation%07u.tld.", i);
        struct zone_lookup lookup;
        name = naive_name(text);
        zone_version_lookup(version, name.wire, &lookup);
        assert_ptr_equal(lookup.cut, owner);
        assert_ptr_equal(lookup.encloser, owner);
        assert_null(lookup.match);
        assert_null(zone_version_find(version, name.wire));
    }
    zone_cursor_next(&cursor);
    assert_null(cursor.owner);
    zone_cursor_next(&cursor);
    assert_null(cursor.owner);
    zone_version_unref(version);
}

static void version_nsec3_before_finds_the_hash_or_the_one_before(void **state)
{
    (void)state;
    struct naive_zone zone = {.apex = naive_name("example.")};
    uint64_t random = 5;
    zone = naive_random_zone("example.", &random, 60, 50);
    /* 00..., 08..., 10... in steps of 8 of the first octet. */
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    for (unsigned i = 0; i < 32; i += 2) {
        char text[64];
        memset(text, '0', 32);
        text[0] = digits[i];
        memcpy(text + 32, ".example.", 10);
        struct naive_record record = {
            .owner = naive_name(text), .type = TYPE_NSEC3, .ttl = 60, .size = 11};
        memcpy(record.rdata, "\1\0\0\0\0\2ab\0\1\100", 11);
        record.ttl = naive_ttl(&record, 0);
        for (size_t j = 0; j < zone.count;) { /* only these */
            if (zone.records[j].type == TYPE_NSEC3 && zone.records[j].owner.wire[0] != 32) {
                naive_remove(&zone, j);
            } else {
                j++;
            }
        }
        naive_insert(&zone, &record);
    }
    struct zone_version *version = naive_build(&zone, NULL);
    assert_true(zone_version_has_nsec3(version));
    for (unsigned octet = 0; octet < 256; octet++) {
        uint8_t hash[20] = {(uint8_t)octet};
        enum nsec3_place place;
        const struct owner *owner =
            zone_version_nsec3_before(version, slice_of(hash, sizeof(hash)), &place);
        assert_non_null(owner);
        assert_int_equal(owner->bytes[1], digits[octet / 16 * 2]);
        assert_int_equal(place, octet % 16 == 0 ? NSEC3_EQUAL : NSEC3_BEFORE);
        hash[19] = 1;
        owner = zone_version_nsec3_before(version, slice_of(hash, sizeof(hash)), &place);
        assert_int_equal(owner->bytes[1], digits[octet / 16 * 2]);
        assert_int_equal(place, NSEC3_BEFORE);
    }
    zone_version_unref(version);
    /* Wraps to the last where the hash is before the first. */
    for (size_t j = 0; j < zone.count; j++) {
        if (zone.records[j].type == TYPE_NSEC3 && zone.records[j].owner.wire[1] == '0') {
            naive_remove(&zone, j);
            break;
        }
    }
    version = naive_build(&zone, NULL);
    uint8_t hash[20] = {0};
    enum nsec3_place place;
    const struct owner *last =
        zone_version_nsec3_before(version, slice_of(hash, sizeof(hash)), &place);
    assert_int_equal(last->bytes[1], 'u');
    assert_int_equal(place, NSEC3_WRAPPED);
    zone_version_unref(version);
    naive_free(&zone);
}

static void version_find_refuses_names_outside_the_zone(void **state)
{
    (void)state;
    uint64_t random = 3;
    struct naive_zone zone = naive_random_zone("example.", &random, 30, 10);
    struct zone_version *version = naive_build(&zone, NULL);
    static const char *const outside[] = {".",         "com.",         "www.com.",
                                          "xexample.", "example.com.", "\\007example."};
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        struct name name = naive_name(outside[i]);
        assert_null(zone_version_find(version, name.wire));
        struct zone_cursor cursor;
        zone_cursor_seek(&cursor, version, name.wire);
        if (cursor.owner != NULL) {
            assert_true(name_compare(owner_name(cursor.owner), name.wire) >= 0);
        }
    }
    struct name upper = naive_name("EXAMPLE.");
    assert_ptr_equal(zone_version_find(version, upper.wire), zone_version_apex(version));
    zone_version_unref(version);
    naive_free(&zone);
}

static void version_of_a_small_zone_takes_less_than_a_kilobyte_besides(void **state)
{
    (void)state;
    uint64_t random = 11;
    struct naive_zone zone = naive_random_zone("example.org.", &random, 10, 10);
    uint64_t before = pool_used_bytes(version_pool());
    struct zone_version *version = naive_build(&zone, NULL);
    uint64_t owners = 0;
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        owners += pool_rounded_size(owner_size(cursor.owner));
    }
    uint64_t used = pool_used_bytes(version_pool()) - before;
    assert_int_equal(used, zone_version_bytes(version));
    assert_true(used - owners <= 768);
    zone_version_unref(version);
    assert_int_equal(pool_used_bytes(version_pool()), before);
    naive_free(&zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_equals_the_array_it_was_built_from),
        cmocka_unit_test(version_of_ten_thousand_owners_is_found_through),
        cmocka_unit_test(version_nsec3_before_finds_the_hash_or_the_one_before),
        cmocka_unit_test(version_find_refuses_names_outside_the_zone),
        cmocka_unit_test(version_of_a_small_zone_takes_less_than_a_kilobyte_besides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
