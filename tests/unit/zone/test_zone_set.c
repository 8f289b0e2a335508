/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/zone_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "wire/record.h"

enum { MANY = 20000 };

static struct name name_of(const char *text)
{
    struct name name;
    struct error err = {0};
    assert_int_equal(name_parse_str(text, &name, &err), OK);
    return name;
}

static struct zone *zone_of(const char *text)
{
    struct name name = name_of(text);
    return zone_new(name.wire, CLASS_IN, 0);
}

static bool insert(struct zone_set *set, const char *text)
{
    struct zone *zone = zone_of(text);
    bool inserted = zone_set_insert(set, zone);
    zone_unref(zone);
    return inserted;
}

/* The name of the zone that `text` is found in, "" for none; both ways of asking agree. */
static const char *found(const struct zone_set *set, const char *text)
{
    static char out[NAME_TEXT_SIZE];
    struct name name = name_of(text);
    struct name_hashes hashes;
    name_hashes_begin(zone_hash_key(), name.wire, &hashes);
    struct zone_find_item item = {.hashes = &hashes, .labels = hashes.labels};
    struct zone *zone = zone_set_find(set, name.wire, CLASS_IN);
    zone_set_find_batch(set, CLASS_IN, &item, 1);
    assert_ptr_equal(item.result, zone);
    return zone == NULL ? "" : name_format(zone->name, out);
}

static void zone_set_finds_the_deepest_zone(void **state)
{
    (void)state;
    struct zone_set *set = zone_set_new();
    assert_string_equal(found(set, "example."), "");
    assert_true(insert(set, "example."));
    assert_true(insert(set, "a.b.Sub.example."));
    assert_true(insert(set, "sub.example."));
    assert_false(insert(set, "EXAMPLE."));
    assert_int_equal(zone_set_count(set), 3);
    assert_string_equal(found(set, "example."), "example.");
    assert_string_equal(found(set, "www.EXAMPLE."), "example.");
    assert_string_equal(found(set, "x.sub.example."), "sub.example.");
    assert_string_equal(found(set, "b.sub.example."), "sub.example.");
    assert_string_equal(found(set, "x.a.B.sub.example."), "a.b.Sub.example.");
    assert_string_equal(found(set, "exampl."), "");
    assert_string_equal(found(set, "."), "");
    assert_true(insert(set, "."));
    assert_string_equal(found(set, "com."), ".");
    assert_string_equal(found(set, "."), ".");
    zone_set_unref(set);
}

static void zone_set_keeps_classes_apart(void **state)
{
    (void)state;
    struct zone_set *set = zone_set_new();
    struct name name = name_of("example.");
    struct zone *in = zone_new(name.wire, CLASS_IN, 0);
    struct zone *ch = zone_new(name.wire, CLASS_CH, 0);
    assert_true(zone_set_insert(set, in));
    assert_ptr_equal(zone_set_get(set, name.wire, CLASS_CH), NULL);
    assert_true(zone_set_insert(set, ch));
    assert_ptr_equal(zone_set_get(set, name.wire, CLASS_IN), in);
    assert_ptr_equal(zone_set_find(set, name.wire, CLASS_CH), ch);
    zone_unref(in);
    zone_unref(ch);
    zone_set_unref(set);
}

static void zone_set_with_and_without_leave_the_old_set_as_it_was(void **state)
{
    (void)state;
    struct zone_set *set = zone_set_new();
    insert(set, "example.");
    struct zone *zone = zone_of("sub.example.");
    struct zone_set *larger = zone_set_with(set, zone);
    assert_non_null(larger);
    assert_null(zone_set_with(larger, zone));
    assert_string_equal(found(set, "a.sub.example."), "example.");
    assert_string_equal(found(larger, "a.sub.example."), "sub.example.");
    struct zone_set *smaller = zone_set_without(larger, zone->name, CLASS_IN);
    assert_null(zone_set_without(smaller, zone->name, CLASS_IN));
    assert_int_equal(zone_set_count(smaller), 1);
    assert_string_equal(found(smaller, "a.sub.example."), "example.");
    assert_string_equal(found(larger, "a.sub.example."), "sub.example.");
    zone_set_unref(set);
    zone_set_unref(larger);
    zone_set_unref(smaller);
    assert_int_equal(zone->references, 1);
    zone_unref(zone);
}

static bool count_zone(void *context, struct zone *zone)
{
    (void)zone;
    (*(size_t *)context)++;
    return true;
}

static bool stop_at_ten(void *context, struct zone *zone)
{
    (void)zone;
    return ++*(size_t *)context < 10;
}

static const char *nth(unsigned n)
{
    static char text[64];
    snprintf(text, sizeof(text), "zone%u.%s", n, n % 3 == 0 ? "a.test." : "test.");
    return text;
}

static void zone_set_holds_many_and_batches_agree(void **state)
{
    (void)state;
    struct zone_set *set = zone_set_new();
    for (unsigned n = 0; n < MANY; n++) {
        assert_true(insert(set, nth(n)));
    }
    size_t count = 0;
    zone_set_each(set, count_zone, &count);
    assert_int_equal(count, MANY);
    count = 0;
    zone_set_each(set, stop_at_ten, &count);
    assert_int_equal(count, 10);

    enum { WIDTH = 37 };
    for (unsigned n = 0; n + WIDTH < 2 * MANY; n += WIDTH) {
        struct name names[WIDTH];
        static struct name_hashes hashes[WIDTH];
        struct zone_find_item items[WIDTH];
        for (unsigned i = 0; i < WIDTH; i++) {
            char text[80];
            snprintf(text, sizeof(text), "www.%s", nth(n + i));
            names[i] = name_of(text);
            name_hashes_begin(zone_hash_key(), names[i].wire, &hashes[i]);
            items[i] = (struct zone_find_item){.hashes = &hashes[i], .labels = hashes[i].labels};
        }
        zone_set_find_batch(set, CLASS_IN, items, WIDTH);
        for (unsigned i = 0; i < WIDTH; i++) {
            struct zone *zone = items[i].result;
            assert_int_equal(zone != NULL, n + i < MANY);
            assert_ptr_equal(zone, zone_set_find(set, names[i].wire, CLASS_IN));
            if (zone != NULL) {
                assert_true(name_equal(zone->name, name_skip_labels(names[i].wire, 1)));
            }
        }
    }
    zone_set_unref(set);
}

static void zone_set_survives_random_changes_with_old_sets_alive(void **state)
{
    (void)state;
    enum { ZONES = 600, STEPS = 4000, KEPT = 8 };
    static bool present[ZONES];
    static bool kept_present[KEPT][ZONES];
    struct zone *zones[ZONES];
    struct zone_set *kept[KEPT] = {NULL};
    struct zone_set *set = zone_set_new();
    uint32_t random = 12345;
    for (unsigned n = 0; n < ZONES; n++) {
        zones[n] = zone_of(nth(n));
    }
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        unsigned n = random >> 8 & 0xffff;
        n %= ZONES;
        struct zone_set *next = present[n] ? zone_set_without(set, zones[n]->name, CLASS_IN)
                                           : zone_set_with(set, zones[n]);
        assert_non_null(next);
        present[n] = !present[n];
        zone_set_unref(set);
        set = next;
        if (step % 200 == 0) {
            unsigned slot = step / 200 % KEPT;
            zone_set_unref(kept[slot]);
            kept[slot] = zone_set_ref(set);
            memcpy(kept_present[slot], present, sizeof(present));
        }
    }
    for (unsigned n = 0; n < ZONES; n++) {
        assert_int_equal(zone_set_get(set, zones[n]->name, CLASS_IN) != NULL, present[n]);
        for (unsigned slot = 0; slot < KEPT; slot++) {
            assert_int_equal(zone_set_get(kept[slot], zones[n]->name, CLASS_IN) != NULL,
                             kept_present[slot][n]);
        }
    }
    for (unsigned n = 0; n < ZONES; n++) {
        if (present[n]) {
            struct zone_set *next = zone_set_without(set, zones[n]->name, CLASS_IN);
            zone_set_unref(set);
            set = next;
        }
    }
    assert_int_equal(zone_set_count(set), 0);
    zone_set_unref(set);
    for (unsigned slot = 0; slot < KEPT; slot++) {
        zone_set_unref(kept[slot]);
    }
    for (unsigned n = 0; n < ZONES; n++) {
        assert_int_equal(zones[n]->references, 1);
        zone_unref(zones[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_set_finds_the_deepest_zone),
        cmocka_unit_test(zone_set_keeps_classes_apart),
        cmocka_unit_test(zone_set_with_and_without_leave_the_old_set_as_it_was),
        cmocka_unit_test(zone_set_holds_many_and_batches_agree),
        cmocka_unit_test(zone_set_survives_random_changes_with_old_sets_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
