/* SPDX-License-Identifier: BSD-3-Clause */
/* Deltas, apply and diff against a plain sorted array of records; what versions share, and free. */
#include "delta_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
