/* SPDX-License-Identifier: BSD-3-Clause */
/* Deltas, apply and diff against a plain sorted array of records; what versions share, and free. */
#include "zone/delta.h"

#include <pthread.h>
#include <stdatomic.h>

#include "naive.h"

static void put(struct delta *delta, const struct naive_record *naive, bool removes)
{
    struct record record = naive_view(naive);
    struct error err = {0};
    enum result done =
        removes ? delta_remove(delta, &record, &err) : delta_add(delta, &record, &err);
    if (done != OK) {
        fail_msg("%s", err.text);
    }
}

static bool same_record(const struct naive_record *a, const struct naive_record *b)
{
    return a->ttl == b->ttl && a->size == b->size && memcmp(a->rdata, b->rdata, a->size) == 0;
}

/* What leads from one array to the other, not sealed. */
static struct delta *naive_delta(const struct naive_zone *from, const struct naive_zone *to)
{
    struct delta *delta = delta_new(from->apex.wire, CLASS_IN);
    for (unsigned side = 0; side < 2; side++) {
        const struct naive_zone *mine = side == 0 ? from : to;
        const struct naive_zone *other = side == 0 ? to : from;
        size_t j = 0;
        for (size_t i = 0; i < mine->count; i++) {
            int order = 1;
            while (j < other->count &&
                   (order = naive_compare(&other->records[j], &mine->records[i])) < 0) {
                j++;
            }
            bool is_there = j < other->count && order == 0;
            if (!is_there || !same_record(&mine->records[i], &other->records[j])) {
                put(delta, &mine->records[i], side == 0);
            }
        }
    }
    return delta;
}

static struct delta *sealed(struct delta *delta)
{
    struct error err = {0};
    if (delta_seal(delta, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return delta;
}

static void check_same(const struct zone_version *a, const struct zone_version *b)
{
    struct zone_cursor x;
    struct zone_cursor y;
    zone_cursor_first(&x, a);
    zone_cursor_first(&y, b);
    for (; x.owner != NULL && y.owner != NULL; zone_cursor_next(&x), zone_cursor_next(&y)) {
        assert_int_equal(owner_size(x.owner), owner_size(y.owner));
        if (!owner_is_empty(x.owner)) {
            assert_memory_equal(x.owner, y.owner, owner_size(x.owner));
        } else {
            assert_true(name_equal(owner_name(x.owner), owner_name(y.owner)));
            assert_int_equal(x.owner->flags, y.owner->flags);
        }
        assert_ptr_equal(zone_version_find(a, owner_name(x.owner)), x.owner);
        assert_ptr_equal(zone_version_find(b, owner_name(y.owner)), y.owner);
    }
    assert_true(x.owner == NULL && y.owner == NULL);
    assert_int_equal(zone_version_record_count(a), zone_version_record_count(b));
    assert_int_equal(zone_version_owner_count(a), zone_version_owner_count(b));
    assert_int_equal(zone_version_has_nsec3(a), zone_version_has_nsec3(b));
    assert_int_equal(zone_version_serial(a).value, zone_version_serial(b).value);
}

static void check_same_delta(const struct delta *a, const struct delta *b)
{
    assert_int_equal(delta_count(a), delta_count(b));
    assert_int_equal(delta_removed_count(a), delta_removed_count(b));
    for (size_t i = 0; i < delta_count(a); i++) {
        struct record x;
        struct record y;
        bool removes[2];
        delta_get(a, i, &removes[0], &x);
        delta_get(b, i, &removes[1], &y);
        assert_int_equal(removes[0], removes[1]);
        assert_true(name_equal(x.owner, y.owner));
        assert_int_equal(x.type, y.type);
        assert_int_equal(x.ttl, y.ttl);
        assert_true(slice_equal(x.rdata, y.rdata));
    }
}

static struct zone_version *apply(struct zone_version *from, const struct delta *delta)
{
    struct zone_version *to = NULL;
    struct error err = {0};
    if (delta_apply(from, delta, NULL, &to, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return to;
}

static void apply_of_a_delta_is_the_zone_built_anew(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    for (uint64_t seed = 1; seed <= 30; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        uint64_t random = seed;
        uint32_t variety = seed % 3 == 0 ? 500 : 20;
        size_t count = seed % 5 == 0 ? 10 : 25 * seed;
        struct naive_zone zone = naive_random_zone("zone.Example.", &random, count, variety);
        struct zone_version *version = naive_build(&zone, NULL);
        for (unsigned step = 0; step < 12; step++) {
            size_t changes = step % 4 == 3 ? count : 1 + step;
            struct naive_zone next = naive_random_change(&zone, &random, changes, variety);
            struct delta *delta = sealed(naive_delta(&zone, &next));
            struct zone_version *applied = apply(version, delta);
            struct zone_version *built = naive_build(&next, &random);
            check_same(applied, built);
            struct delta *near = delta_diff(version, applied);
            struct delta *far = delta_diff(version, built);
            check_same_delta(near, delta);
            check_same_delta(far, delta);
            struct zone_version *again = apply(version, far);
            check_same(again, built);
            struct delta *back = delta_diff(applied, version);
            struct zone_version *undone = apply(applied, back);
            check_same(undone, version);
            zone_version_unref(undone);
            zone_version_unref(again);
            zone_version_unref(built);
            delta_free(back);
            delta_free(near);
            delta_free(far);
            delta_free(delta);
            zone_version_unref(version);
            version = applied;
            naive_free(&zone);
            zone = next;
        }
        zone_version_unref(version);
        naive_free(&zone);
        assert_int_equal(pool_used_bytes(version_pool()), before);
    }
}

static void builder_with_a_base_shares_and_tells_the_difference(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    for (uint64_t seed = 1; seed <= 24; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        uint64_t random = seed;
        size_t count = seed == 24 ? 4000 : 40 * seed; /* the last: the indexes are built anew */
        struct naive_zone zone = naive_random_zone("example.", &random, count, 2000);
        struct zone_version *version = naive_build(&zone, NULL);
        size_t changes = seed % 3 == 0 ? count : 3;
        struct naive_zone next = naive_random_change(&zone, &random, changes, 2000);
        struct delta *delta = sealed(naive_delta(&zone, &next));
        struct builder *builder = builder_new(next.apex.wire, CLASS_IN, NULL, NULL, NULL);
        if (seed % 2 == 0) {
            builder_set_base(builder, version);
        }
        for (size_t i = 0; i < next.count; i++) {
            size_t at = seed % 4 == 1 || seed % 4 == 2 ? (i * 7919) % next.count : i;
            if (next.count % 7919 == 0) {
                at = i;
            }
            struct record record = naive_view(&next.records[at]);
            struct error err = {0};
            assert_int_equal(builder_add(builder, &record, NULL, 0, &err), OK);
        }
        struct delta *found = NULL;
        struct zone_version *refreshed = naive_finish(builder, version, &found);
        struct zone_version *built = naive_build(&next, NULL);
        check_same(refreshed, built);
        check_same_delta(found, delta);
        size_t shared = 0;
        struct zone_cursor cursor;
        for (zone_cursor_first(&cursor, refreshed); cursor.owner != NULL;
             zone_cursor_next(&cursor)) {
            shared += zone_version_find(version, owner_name(cursor.owner)) == cursor.owner;
        }
        assert_true(shared + delta_count(delta) * 5 >= zone_version_owner_count(refreshed));
        delta_free(delta);
        delta_free(found);
        zone_version_unref(built);
        if (seed % 2 == 0) {
            zone_version_unref(version);
            check_same(refreshed, refreshed);
            zone_version_unref(refreshed);
        } else {
            zone_version_unref(refreshed);
            check_same(version, version);
            zone_version_unref(version);
        }
        naive_free(&zone);
        naive_free(&next);
        assert_int_equal(pool_used_bytes(version_pool()), before);
    }
}

/* NS records at "name%05u" of a zone. */
static struct zone_version *wide_zone(unsigned count, struct name *apex)
{
    *apex = naive_name("wide.");
    struct naive_zone zone = {.apex = *apex};
    struct naive_record record = naive_soa(&zone, 1);
    struct record view = naive_view(&record);
    struct error err = {0};
    struct builder *builder = builder_new(apex->wire, CLASS_IN, NULL, NULL, NULL);
    assert_int_equal(builder_add(builder, &view, NULL, 0, &err), OK);
    record = (struct naive_record){.owner = *apex, .type = TYPE_NS, .ttl = 60, .size = 4};
    memcpy(record.rdata, "\2ns\0", 4);
    view = naive_view(&record);
    for (unsigned i = 0; i <= count; i++) {
        char text[64];
        assert_int_equal(builder_add(builder, &view, NULL, 0, &err), OK);
        snprintf(text, sizeof(text), "name%05u.wide.", i);
        record.owner = naive_name(text);
        view = naive_view(&record);
    }
    return naive_finish(builder, NULL, NULL);
}

static void soa_step(struct delta *delta, const struct name *apex, uint32_t serial)
{
    struct naive_zone zone = {.apex = *apex};
    struct naive_record old = naive_soa(&zone, serial);
    struct naive_record new = naive_soa(&zone, serial + 1);
    put(delta, &old, true);
    put(delta, &new, false);
}

static struct naive_record wide_record(unsigned number, uint8_t mark)
{
    char text[64];
    snprintf(text, sizeof(text), "name%05u.wide.", number);
    struct naive_record record = {
        .owner = naive_name(text), .type = TYPE_DS, .ttl = 60, .size = 36};
    record.rdata[4] = mark;
    return record;
}

static void apply_allocates_for_what_changes_only(void **state)
{
    (void)state;
    enum { NAMES = 50000 };
    struct name apex;
    struct zone_version *version = wide_zone(NAMES, &apex);
    static const unsigned counts[] = {0, 1, 10, 100, 1000};
    uint32_t serial = 1;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct delta *delta = delta_new(apex.wire, CLASS_IN);
        soa_step(delta, &apex, serial++);
        for (unsigned j = 0; j < counts[i]; j++) {
            struct naive_record record = wide_record(j * (NAMES / counts[i]), (uint8_t)(1 + i));
            put(delta, &record, false);
        }
        delta = sealed(delta);
        uint64_t before = pool_used_bytes(version_pool());
        struct zone_version *next = apply(version, delta);
        uint64_t grown = pool_used_bytes(version_pool()) - before;
        /* An owner, a page, a leaf for each name; inner nodes and tables for all. */
        assert_true(grown <= (counts[i] + 1) * (200 + 2048 + 768 + 512) + 40000);
        assert_int_equal(zone_version_record_count(next),
                         zone_version_record_count(version) + counts[i]);
        delta_free(delta);
        zone_version_unref(version);
        version = next;
    }
    zone_version_unref(version);
}

static void diff_of_near_versions_reads_little(void **state)
{
    (void)state;
    struct name apex;
    struct zone_version *version = wide_zone(30000, &apex);
    struct delta *delta = delta_new(apex.wire, CLASS_IN);
    soa_step(delta, &apex, 1);
    for (unsigned i = 0; i < 10; i++) {
        struct naive_record record = wide_record(i * 2999, 9);
        put(delta, &record, false);
    }
    delta = sealed(delta);
    struct zone_version *next = apply(version, delta);
    struct delta *found = delta_diff(version, next);
    check_same_delta(found, delta);
    struct delta *nothing = delta_diff(version, version);
    assert_int_equal(delta_count(nothing), 2);
    assert_true(serial_equal(delta_from(nothing), delta_to(nothing)));
    struct zone_version *same = apply(version, nothing);
    check_same(same, version);
    zone_version_unref(same);
    zone_version_unref(version);
    zone_version_unref(next);
    delta_free(nothing);
    delta_free(found);
    delta_free(delta);
}

static void an_old_version_holds_its_own_and_nothing_of_those_between(void **state)
{
    (void)state;
    uint64_t start = pool_used_bytes(version_pool());
    struct name apex;
    struct zone_version *old = wide_zone(5000, &apex);
    uint64_t one = pool_used_bytes(version_pool()) - start;
    struct zone_version *version = zone_version_ref(old);
    uint64_t random = 4;
    uint8_t marks[5000] = {0};
    for (uint32_t serial = 1; serial < 600; serial++) {
        struct delta *delta = delta_new(apex.wire, CLASS_IN);
        soa_step(delta, &apex, serial);
        unsigned number = naive_random(&random, 50);
        struct naive_record record = wide_record(number, marks[number]);
        if (marks[number] != 0) {
            put(delta, &record, true);
        }
        record.rdata[4] = ++marks[number];
        put(delta, &record, false);
        struct zone_version *next = apply(version, sealed(delta));
        delta_free(delta);
        zone_version_unref(version);
        version = next;
    }
    uint64_t both = pool_used_bytes(version_pool()) - start;
    assert_true(both < one + 100000); /* not 600 times a path */
    assert_int_equal(zone_version_record_count(old), 5002);
    struct zone_cursor cursor;
    size_t count = 0;
    for (zone_cursor_first(&cursor, old); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        assert_ptr_equal(zone_version_find(old, owner_name(cursor.owner)), cursor.owner);
        count++;
    }
    assert_int_equal(count, 5001);
    zone_version_unref(old);
    zone_version_unref(version);
    assert_int_equal(pool_used_bytes(version_pool()), start);
}

static void versions_are_freed_in_any_order_also_of_branches(void **state)
{
    (void)state;
    enum { HELD = 12 };
    uint64_t start = pool_used_bytes(version_pool());
    for (uint64_t seed = 1; seed <= 25; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        uint64_t random = seed;
        struct naive_zone zones[HELD];
        struct zone_version *versions[HELD] = {NULL};
        zones[0] = naive_random_zone("example.", &random, 120, 40);
        versions[0] = naive_build(&zones[0], NULL);
        for (unsigned step = 0; step < 80; step++) {
            unsigned from = naive_random(&random, HELD);
            unsigned to = naive_random(&random, HELD);
            if (versions[from] == NULL || from == to) {
                continue;
            }
            if (versions[to] != NULL) {
                zone_version_unref(versions[to]);
                naive_free(&zones[to]);
                versions[to] = NULL;
                for (unsigned i = 0; i < HELD; i++) {
                    if (versions[i] != NULL) {
                        struct zone_version *built = naive_build(&zones[i], NULL);
                        check_same(versions[i], built);
                        zone_version_unref(built);
                    }
                }
            }
            zones[to] = naive_random_change(&zones[from], &random, naive_random(&random, 40), 40);
            struct delta *delta = NULL;
            if (naive_random(&random, 4) == 0) {
                versions[to] = naive_finish(naive_fill(&zones[to], NULL), versions[from], &delta);
            } else {
                delta = sealed(naive_delta(&zones[from], &zones[to]));
                versions[to] = apply(versions[from], delta);
            }
            delta_free(delta);
        }
        for (unsigned i = 0; i < HELD; i++) {
            if (versions[i] != NULL) {
                zone_version_unref(versions[i]);
                naive_free(&zones[i]);
            }
        }
        assert_int_equal(pool_used_bytes(version_pool()), start);
    }
}

static _Atomic(struct zone_version *) current;
static pthread_mutex_t current_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop_reading;

static void *read_versions(void *argument)
{
    uint64_t random = (uint64_t)(uintptr_t)argument;
    while (!atomic_load(&stop_reading)) {
        pthread_mutex_lock(&current_mutex);
        struct zone_version *version = zone_version_ref(atomic_load(&current));
        pthread_mutex_unlock(&current_mutex);
        size_t records = 0;
        struct zone_cursor cursor;
        for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
            struct owner_walk walk = {0};
            struct record record;
            while (owner_next_record(cursor.owner, &walk, &record)) {
                records++;
            }
            if (naive_random(&random, 4) == 0) {
                struct zone_lookup lookup;
                zone_version_lookup(version, owner_name(cursor.owner), &lookup);
                REQUIRE(lookup.encloser != NULL);
            }
        }
        REQUIRE(records == zone_version_record_count(version));
        zone_version_unref(version);
    }
    return NULL;
}

static void readers_see_whole_versions_while_others_come_and_go(void **state)
{
    (void)state;
    enum { READERS = 3 };
    uint64_t start = pool_used_bytes(version_pool());
    uint64_t random = 42;
    struct naive_zone zone = naive_random_zone("example.", &random, 300, 60);
    atomic_store(&current, naive_build(&zone, NULL));
    atomic_store(&stop_reading, false);
    pthread_t threads[READERS];
    for (uintptr_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_versions, (void *)(i + 1)), 0);
    }
    for (unsigned step = 0; step < 150; step++) {
        struct naive_zone next = naive_random_change(&zone, &random, 5, 60);
        struct delta *delta = sealed(naive_delta(&zone, &next));
        struct zone_version *before = atomic_load(&current);
        struct zone_version *after = apply(before, delta);
        pthread_mutex_lock(&current_mutex);
        atomic_store(&current, after);
        pthread_mutex_unlock(&current_mutex);
        zone_version_unref(before);
        delta_free(delta);
        naive_free(&zone);
        zone = next;
    }
    atomic_store(&stop_reading, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    zone_version_unref(atomic_load(&current));
    naive_free(&zone);
    assert_int_equal(pool_used_bytes(version_pool()), start);
}

/* ------ what a delta refuses, and its order ------ */

static struct zone_version *small_zone(struct naive_zone *zone)
{
    *zone = (struct naive_zone){.apex = naive_name("example.")};
    struct naive_record record = naive_soa(zone, 1);
    naive_insert(zone, &record);
    record = (struct naive_record){.owner = zone->apex, .type = TYPE_NS, .ttl = 60, .size = 4};
    memcpy(record.rdata, "\2ns\0", 4);
    naive_insert(zone, &record);
    record = (struct naive_record){
        .owner = naive_name("www.example."), .type = TYPE_A, .ttl = 60, .size = 4};
    naive_insert(zone, &record);
    record.owner = naive_name("a.b.c.example.");
    naive_insert(zone, &record);
    return naive_build(zone, NULL);
}

static struct naive_record address(const char *name, uint8_t last, uint32_t ttl)
{
    struct naive_record record = {.owner = naive_name(name), .type = TYPE_A, .ttl = ttl, .size = 4};
    record.rdata[3] = last;
    return record;
}

static enum result try_change(const struct naive_record *record, bool removes,
                              const struct delta_limits *limits, const char *word)
{
    struct naive_zone zone;
    uint64_t start = pool_used_bytes(version_pool());
    struct zone_version *version = small_zone(&zone);
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 1);
    put(delta, record, removes);
    struct zone_version *next = NULL;
    struct error err = {0};
    enum result result = delta_apply(version, sealed(delta), limits, &next, &err);
    if (result != OK && (word == NULL || strstr(err.text, word) == NULL)) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, word == NULL ? "" : word);
    }
    assert_int_equal(result == OK, next != NULL);
    zone_version_unref(next);
    zone_version_unref(version);
    delta_free(delta);
    naive_free(&zone);
    assert_int_equal(pool_used_bytes(version_pool()), start);
    return result;
}

static void apply_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct naive_record record = address("www.example.", 0, 60);
    assert_int_equal(try_change(&record, true, NULL, NULL), OK);
    assert_int_equal(try_change(&record, false, NULL, "www.example."), ERR_FORMAT);
    record = address("www.example.", 1, 60);
    assert_int_equal(try_change(&record, false, NULL, NULL), OK);
    assert_int_equal(try_change(&record, true, NULL, "not there"), ERR_FORMAT);
    record = address("nowhere.example.", 0, 60);
    assert_int_equal(try_change(&record, true, NULL, "not there"), ERR_FORMAT);
    record = address("c.example.", 0, 60); /* an empty non-terminal */
    assert_int_equal(try_change(&record, true, NULL, "not there"), ERR_FORMAT);
    record = address("www.example.", 0, 61);
    assert_int_equal(try_change(&record, true, NULL, "TTL"), ERR_FORMAT);
    record = address("www.example.", 1, 61);
    assert_int_equal(try_change(&record, false, NULL, "TTL"), ERR_FORMAT);
    record = (struct naive_record){
        .owner = naive_name("www.example."), .type = TYPE_CNAME, .ttl = 60, .size = 4};
    memcpy(record.rdata, "\2ns\0", 4);
    assert_int_equal(try_change(&record, false, NULL, "CNAME"), ERR_FORMAT);
    record.owner = naive_name("other.example.");
    assert_int_equal(try_change(&record, false, NULL, NULL), OK);
    record.type = TYPE_NS;
    record.owner = naive_name("example.");
    assert_int_equal(try_change(&record, true, NULL, "NS"), ERR_FORMAT);
}

static void apply_keeps_within_limits(void **state)
{
    (void)state;
    struct naive_record record = address("www.example.", 1, 60);
    struct delta_limits limits = {.max_records = 4};
    assert_int_equal(try_change(&record, false, &limits, "4 are allowed"), ERR_LIMIT);
    limits.max_records = 5;
    assert_int_equal(try_change(&record, false, &limits, NULL), OK);
    limits = (struct delta_limits){.max_records_per_type = 1};
    assert_int_equal(try_change(&record, false, &limits, "1 are allowed"), ERR_LIMIT);
    limits.max_records_per_type = 2;
    assert_int_equal(try_change(&record, false, &limits, NULL), OK);
    limits = (struct delta_limits){.max_types_per_name = 1};
    assert_int_equal(try_change(&record, false, &limits, NULL), OK);
    record.type = TYPE_TXT;
    record.size = 1;
    record.rdata[0] = 0;
    assert_int_equal(try_change(&record, false, &limits, "1 are allowed"), ERR_LIMIT);
}

static void apply_of_a_delta_from_another_serial_is_stale(void **state)
{
    (void)state;
    struct naive_zone zone;
    struct zone_version *version = small_zone(&zone);
    struct zone_version *next = NULL;
    struct error err = {0};
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 2);
    assert_int_equal(delta_apply(version, sealed(delta), NULL, &next, &err), ERR_STALE);
    assert_null(next);
    delta_free(delta);
    zone_version_unref(version);
    naive_free(&zone);
}

static void seal_wants_one_soa_of_each_side(void **state)
{
    (void)state;
    struct naive_zone zone = {.apex = naive_name("example.")};
    struct naive_record soa = naive_soa(&zone, 1);
    for (unsigned kind = 0; kind < 4; kind++) {
        struct error err = {0};
        struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
        for (unsigned i = 0; i < kind; i++) {
            put_u32(soa.rdata + 10, i);
            put(delta, &soa, true);
        }
        if (kind != 1) {
            put(delta, &soa, false);
        }
        assert_int_equal(delta_seal(delta, &err), kind == 2 ? ERR_FORMAT : ERR_FORMAT);
        assert_non_null(strstr(err.text, "SOA"));
        delta_free(delta);
    }
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    struct error err = {0};
    soa_step(delta, &zone.apex, 1);
    soa.owner = naive_name("sub.example.");
    put(delta, &soa, false);
    assert_int_equal(delta_seal(delta, &err), ERR_FORMAT);
    delta_free(delta);
}

static void seal_takes_out_what_cancels_and_what_is_twice(void **state)
{
    (void)state;
    struct naive_zone zone = {.apex = naive_name("example.")};
    struct naive_record one = address("www.example.", 1, 60);
    struct naive_record two = address("www.example.", 2, 60);
    struct naive_record three = address("WWW.example.", 1, 60);
    struct naive_record longer = address("a.example.", 1, 60);
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    put(delta, &one, false);
    put(delta, &two, false);
    put(delta, &one, true);
    soa_step(delta, &zone.apex, 1);
    put(delta, &two, false);
    put(delta, &longer, true);
    longer.ttl = 61;
    put(delta, &longer, false);
    sealed(delta);
    assert_int_equal(delta_count(delta), 5);
    assert_int_equal(delta_removed_count(delta), 2);
    bool removes;
    struct record record;
    static const struct {
        const char *owner;
        uint16_t type;
        bool removes;
    } expected[] = {{"example.", TYPE_SOA, true},
                    {"example.", TYPE_SOA, false},
                    {"a.example.", TYPE_A, true},
                    {"a.example.", TYPE_A, false},
                    {"www.example.", TYPE_A, false}};
    for (size_t i = 0; i < 5; i++) {
        struct name owner = naive_name(expected[i].owner);
        delta_get(delta, i, &removes, &record);
        assert_true(name_equal(record.owner, owner.wire));
        assert_int_equal(record.type, expected[i].type);
        assert_int_equal(removes, expected[i].removes);
    }
    delta_get_ixfr(delta, true, 0, &record);
    assert_int_equal(record.ttl, 60);
    delta_get_ixfr(delta, false, 0, &record);
    assert_int_equal(record.ttl, 61);
    delta_get_ixfr(delta, false, 1, &record);
    assert_int_equal(record.rdata.data[3], 2);
    delta_get_soa(delta, true, &record);
    assert_int_equal(soa_read(record.rdata).serial.value, 1);
    delta_get_soa(delta, false, &record);
    assert_int_equal(soa_read(record.rdata).serial.value, 2);
    delta_free(delta);
    /* Another case is a change. */
    delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 1);
    put(delta, &one, true);
    put(delta, &three, false);
    assert_int_equal(delta_count(sealed(delta)), 4);
    delta_free(delta);
}

static void delta_keeps_its_budget_and_its_zone(void **state)
{
    (void)state;
    struct naive_zone zone = {.apex = naive_name("example.")};
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    struct error err = {0};
    delta_set_budget(delta, 2000);
    enum result result = OK;
    unsigned count = 0;
    for (; count < 1000 && result == OK; count++) {
        struct naive_record naive = address("www.example.", (uint8_t)count, 60);
        struct record record = naive_view(&naive);
        result = delta_add(delta, &record, &err);
    }
    assert_int_equal(result, ERR_LIMIT);
    assert_true(count > 20 && count < 60);
    delta_free(delta);
    delta = delta_new(zone.apex.wire, CLASS_IN);
    struct naive_record naive = address("www.other.", 1, 60);
    struct record record = naive_view(&naive);
    err = (struct error){0};
    assert_int_equal(delta_add(delta, &record, &err), ERR_FORMAT);
    naive = address("www.example.", 1, 60);
    record = naive_view(&naive);
    record.class = CLASS_CH;
    assert_int_equal(delta_remove(delta, &record, NULL), ERR_FORMAT);
    delta_free(delta);
    delta_free(NULL);
}

static void empty_non_terminals_come_and_go(void **state)
{
    (void)state;
    struct naive_zone zone;
    struct zone_version *version = small_zone(&zone);
    struct name b = naive_name("b.c.example.");
    struct name c = naive_name("c.example.");
    assert_true(owner_is_empty(zone_version_find(version, b.wire)));
    assert_int_equal(zone_version_owner_count(version), 5);
    /* The only leaf goes: all of it goes. */
    struct naive_record leaf = address("a.b.c.example.", 0, 60);
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 1);
    put(delta, &leaf, true);
    struct zone_version *next = apply(version, sealed(delta));
    assert_null(zone_version_find(next, b.wire));
    assert_null(zone_version_find(next, c.wire));
    assert_int_equal(zone_version_owner_count(next), 2);
    delta_free(delta);
    zone_version_unref(next);
    /* The leaf moves to another place below, in one change. */
    delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 1);
    put(delta, &leaf, true);
    struct naive_record other = address("z.y.c.example.", 0, 60);
    put(delta, &other, false);
    next = apply(version, sealed(delta));
    assert_null(zone_version_find(next, b.wire));
    assert_non_null(zone_version_find(next, c.wire));
    assert_int_equal(zone_version_owner_count(next), 5);
    delta_free(delta);
    zone_version_unref(next);
    /* A name in the middle gains records and loses them again. */
    delta = delta_new(zone.apex.wire, CLASS_IN);
    soa_step(delta, &zone.apex, 1);
    struct naive_record middle = address("B.c.example.", 0, 60);
    put(delta, &middle, false);
    next = apply(version, sealed(delta));
    assert_false(owner_is_empty(zone_version_find(next, b.wire)));
    assert_int_equal(zone_version_find(next, b.wire)->bytes[1], 'B');
    assert_int_equal(zone_version_owner_count(next), 5);
    struct delta *back = delta_diff(next, version);
    struct zone_version *again = apply(next, back);
    check_same(again, version);
    delta_free(back);
    delta_free(delta);
    zone_version_unref(again);
    zone_version_unref(next);
    zone_version_unref(version);
    naive_free(&zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_of_a_delta_is_the_zone_built_anew),
        cmocka_unit_test(builder_with_a_base_shares_and_tells_the_difference),
        cmocka_unit_test(apply_allocates_for_what_changes_only),
        cmocka_unit_test(diff_of_near_versions_reads_little),
        cmocka_unit_test(an_old_version_holds_its_own_and_nothing_of_those_between),
        cmocka_unit_test(versions_are_freed_in_any_order_also_of_branches),
        cmocka_unit_test(readers_see_whole_versions_while_others_come_and_go),
        cmocka_unit_test(apply_refuses_what_does_not_fit),
        cmocka_unit_test(apply_keeps_within_limits),
        cmocka_unit_test(apply_of_a_delta_from_another_serial_is_stale),
        cmocka_unit_test(seal_wants_one_soa_of_each_side),
        cmocka_unit_test(seal_takes_out_what_cancels_and_what_is_twice),
        cmocka_unit_test(delta_keeps_its_budget_and_its_zone),
        cmocka_unit_test(empty_non_terminals_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
