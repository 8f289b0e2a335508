/* SPDX-License-Identifier: BSD-3-Clause */
/* What a delta refuses, and its order. */
#include "delta_fixture.h"

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
