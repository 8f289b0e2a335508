/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of deltas: changes of plain zones, and a wide zone. */
#ifndef TEST_ZONE_DELTA_FIXTURE_H
#define TEST_ZONE_DELTA_FIXTURE_H

#include "zone/delta.h"

#include <pthread.h>
#include <stdatomic.h>

#include "naive.h"

static inline void put(struct delta *delta, const struct naive_record *naive, bool removes)
{
    struct record record = naive_view(naive);
    struct error err = {0};
    enum result done =
        removes ? delta_remove(delta, &record, &err) : delta_add(delta, &record, &err);
    if (done != OK) {
        fail_msg("%s", err.text);
    }
}

static inline bool same_record(const struct naive_record *a, const struct naive_record *b)
{
    return a->ttl == b->ttl && a->size == b->size && memcmp(a->rdata, b->rdata, a->size) == 0;
}

/* What leads from one array to the other, not sealed. */
static inline struct delta *naive_delta(const struct naive_zone *from, const struct naive_zone *to)
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

static inline struct delta *sealed(struct delta *delta)
{
    struct error err = {0};
    if (delta_seal(delta, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return delta;
}

static inline void check_same(const struct zone_version *a, const struct zone_version *b)
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

static inline void check_same_delta(const struct delta *a, const struct delta *b)
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

static inline struct zone_version *apply(struct zone_version *from, const struct delta *delta)
{
    struct zone_version *to = NULL;
    struct error err = {0};
    if (delta_apply(from, delta, NULL, &to, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return to;
}

/* NS records at "name%05u" of a zone. */
static inline struct zone_version *wide_zone(unsigned count, struct name *apex)
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

static inline void soa_step(struct delta *delta, const struct name *apex, uint32_t serial)
{
    struct naive_zone zone = {.apex = *apex};
    struct naive_record old = naive_soa(&zone, serial);
    struct naive_record new = naive_soa(&zone, serial + 1);
    put(delta, &old, true);
    put(delta, &new, false);
}

static inline struct naive_record wide_record(unsigned number, uint8_t mark)
{
    char text[64];
    snprintf(text, sizeof(text), "name%05u.wide.", number);
    struct naive_record record = {
        .owner = naive_name(text), .type = TYPE_DS, .ttl = 60, .size = 36};
    record.rdata[4] = mark;
    return record;
}

#endif
