/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of random deltas against the one that leads from the first to the last array of records. */
#include "zone/delta.h"

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

/* What leads from one array to the other: as it is, or behind what is in `delta` already. */
static void put_difference(struct delta *delta, const struct naive_zone *from,
                           const struct naive_zone *to)
{
    for (unsigned side = 0; side < 2; side++) {
        const struct naive_zone *mine = side == 0 ? from : to;
        const struct naive_zone *other = side == 0 ? to : from;
        size_t j = 0;
        for (size_t i = 0; i < mine->count; i++) {
            const struct naive_record *record = &mine->records[i];
            int order = 1;
            while (j < other->count && (order = naive_compare(&other->records[j], record)) < 0) {
                j++;
            }
            const struct naive_record *same =
                j < other->count && order == 0 ? &other->records[j] : NULL;
            if (same == NULL || same->ttl != record->ttl || same->size != record->size ||
                memcmp(same->rdata, record->rdata, record->size) != 0) {
                put(delta, record, side == 0);
            }
        }
    }
}

static void assert_same_delta(const struct delta *a, const struct delta *b)
{
    assert_int_equal(delta_count(a), delta_count(b));
    for (size_t i = 0; i < delta_count(a); i++) {
        struct record x;
        struct record y;
        bool x_removes;
        bool y_removes;
        delta_get(a, i, &x_removes, &x);
        delta_get(b, i, &y_removes, &y);
        assert_int_equal(x_removes, y_removes);
        assert_true(name_equal(x.owner, y.owner));
        assert_int_equal(x.type, y.type);
        assert_int_equal(x.ttl, y.ttl);
        assert_true(slice_equal(x.rdata, y.rdata));
    }
}

static void a_row_of_deltas_comes_to_the_difference_of_its_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        uint64_t random = seed;
        uint32_t variety = seed % 3 == 0 ? 200 : 8; /* few names: the same come and go */
        struct naive_zone first = naive_random_zone("zone.Example.", &random, 20 * seed, variety);
        struct naive_zone zone = naive_copy(&first);
        struct delta *row = delta_new(zone.apex.wire, CLASS_IN);
        for (unsigned step = 0; step < 8; step++) {
            struct naive_zone next = naive_random_change(&zone, &random, 1 + 4 * step, variety);
            put_difference(row, &zone, &next);
            naive_free(&zone);
            zone = next;
        }
        struct error err = {0};
        assert_int_equal(delta_compose(row, &err), OK);
        struct delta *direct = delta_new(zone.apex.wire, CLASS_IN);
        put_difference(direct, &first, &zone);
        assert_int_equal(delta_seal(direct, &err), OK);
        assert_same_delta(row, direct);
        struct zone_version *from = naive_build(&first, NULL);
        struct zone_version *to = NULL;
        assert_int_equal(delta_apply(from, row, NULL, &to, &err), OK);
        assert_int_equal(zone_version_record_count(to), zone.count);
        zone_version_unref(to);
        zone_version_unref(from);
        delta_free(direct);
        delta_free(row);
        naive_free(&zone);
        naive_free(&first);
    }
}

/* Two steps that put `there` and take it away again, or the other way round. */
static struct delta *there_and_back(const struct naive_record *there,
                                    const struct naive_record *back, bool removes_first)
{
    struct naive_zone zone = {.apex = naive_name("example.")};
    struct delta *delta = delta_new(zone.apex.wire, CLASS_IN);
    for (uint32_t serial = 1; serial <= 2; serial++) {
        struct naive_record old = naive_soa(&zone, serial);
        struct naive_record new = naive_soa(&zone, serial + 1);
        put(delta, &old, true);
        put(delta, serial == 1 ? there : back, removes_first == (serial == 1));
        put(delta, &new, false);
    }
    struct error err = {0};
    assert_int_equal(delta_compose(delta, &err), OK);
    assert_int_equal(delta_from(delta).value, 1);
    assert_int_equal(delta_to(delta).value, 3);
    return delta;
}

static struct naive_record address(const char *owner, uint32_t ttl)
{
    struct naive_record record = {
        .owner = naive_name(owner), .type = TYPE_A, .ttl = ttl, .size = 4};
    record.rdata[0] = 192;
    return record;
}

static void what_comes_and_goes_is_left_out(void **state)
{
    (void)state;
    struct naive_record record = address("www.example.", 60);
    struct naive_record shouted = address("WWW.example.", 60);
    struct delta *delta = there_and_back(&record, &record, false);
    assert_int_equal(delta_count(delta), 2);
    delta_free(delta);
    delta = there_and_back(&record, &record, true);
    assert_int_equal(delta_count(delta), 2);
    delta_free(delta);
    /* Removed in another spelling than it was added in: gone all the same. */
    delta = there_and_back(&record, &shouted, false);
    assert_int_equal(delta_count(delta), 2);
    delta_free(delta);
}

static void what_comes_back_otherwise_stays(void **state)
{
    (void)state;
    struct naive_record record = address("www.example.", 60);
    struct naive_record shouted = address("WWW.example.", 60);
    struct naive_record longer = address("www.example.", 90);
    struct delta *delta = there_and_back(&record, &shouted, true);
    assert_int_equal(delta_count(delta), 4);
    delta_free(delta);
    delta = there_and_back(&record, &longer, true);
    assert_int_equal(delta_count(delta), 4);
    assert_int_equal(delta_removed_count(delta), 2);
    delta_free(delta);
}

static void a_row_without_soa_is_refused(void **state)
{
    (void)state;
    struct naive_record record = address("www.example.", 60);
    struct name apex = naive_name("example.");
    struct delta *delta = delta_new(apex.wire, CLASS_IN);
    struct error err = {0};
    put(delta, &record, false);
    assert_int_equal(delta_compose(delta, &err), ERR_FORMAT);
    delta_free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_deltas_comes_to_the_difference_of_its_ends),
        cmocka_unit_test(what_comes_and_goes_is_left_out),
        cmocka_unit_test(what_comes_back_otherwise_stays),
        cmocka_unit_test(a_row_without_soa_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
