/* SPDX-License-Identifier: BSD-3-Clause */
#include "zones/watch_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { OWNERS = 3000 };

static struct watched_list lists[OWNERS];
static unsigned called[OWNERS];

static void *owner(unsigned i)
{
    return &called[i];
}

static void call(void *context, void *whom)
{
    (void)context;
    ++*(unsigned *)whom;
}

static void count_unused(void *context, struct watched_directory *directory)
{
    (void)directory;
    ++*(unsigned *)context;
}

static void names_lead_to_their_owners_and_no_others(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct watched_directory *directory, *other;
    memset(lists, 0, sizeof(lists));
    memset(called, 0, sizeof(called));
    for (unsigned i = 0; i < OWNERS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "zone%u", i);
        assert_true(watch_table_add(table, &lists[i], owner(i), "/zones", name, &directory));
        assert_true(watch_table_add(table, &lists[i], owner(i), "/zones", "common", &directory));
        assert_false(watch_table_add(table, &lists[i], owner(i), "/zones", name, &directory));
    }
    assert_true(watch_table_add(table, &lists[0], owner(0), "/other", "zone7", &other));
    assert_ptr_not_equal(directory, other);
    watch_table_each(table, directory, "zone7", call, NULL);
    assert_int_equal(called[7], 1);
    assert_int_equal(called[0], 0);
    watch_table_each(table, other, "zone7", call, NULL);
    assert_int_equal(called[0], 1);
    watch_table_each(table, directory, "nobody", call, NULL);
    watch_table_each(table, directory, "common", call, NULL);
    for (unsigned i = 0; i < OWNERS; i++) {
        assert_int_equal(called[i], 1 + (i == 0 || i == 7));
    }
    watch_table_each(table, other, NULL, call, NULL);
    assert_int_equal(called[0], 3);
    assert_int_equal(called[1], 1);
    watch_table_free(table);
}

static void what_is_not_added_again_goes_and_so_do_empty_directories(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct watched_directory *a, *b, *again;
    unsigned unused = 0;
    memset(lists, 0, sizeof(lists));
    memset(called, 0, sizeof(called));
    (void)watch_table_add(table, &lists[0], owner(0), "/a", "zone", &a);
    (void)watch_table_add(table, &lists[0], owner(0), "/b", "part", &b);
    (void)watch_table_add(table, &lists[1], owner(1), "/b", "part", &b);
    watch_table_begin(&lists[0]);
    assert_false(watch_table_add(table, &lists[0], owner(0), "/a", "zone", &again));
    watch_table_end(table, &lists[0], count_unused, &unused);
    assert_int_equal(unused, 0); /* /b is somebody else's, too */
    watch_table_each(table, b, "part", call, NULL);
    assert_int_equal(called[0], 0);
    assert_int_equal(called[1], 1);
    watch_table_begin(&lists[1]);
    watch_table_end(table, &lists[1], count_unused, &unused);
    assert_int_equal(unused, 1);
    watch_table_begin(&lists[0]);
    watch_table_end(table, &lists[0], count_unused, &unused);
    assert_int_equal(unused, 2);
    assert_null(lists[0].first);
    watch_table_free(table);
}

static void directories_are_found_by_descriptor(void **state)
{
    (void)state;
    struct watch_table *table = watch_table_new();
    struct watched_directory *a, *b, *c;
    memset(lists, 0, sizeof(lists));
    (void)watch_table_add(table, &lists[0], owner(0), "/a", "zone", &a);
    (void)watch_table_add(table, &lists[0], owner(0), "/mounted/a", "zone", &b);
    (void)watch_table_add(table, &lists[0], owner(0), "/c", "zone", &c);
    assert_null(watch_table_find_wd(table, 1));
    watch_table_set_wd(table, a, 1);
    watch_table_set_wd(table, c, 1 + 4096); /* the same bucket */
    watch_table_set_wd(table, b, 1);        /* another path to the same */
    struct watched_directory *first = watch_table_find_wd(table, 1);
    struct watched_directory *second = watch_table_next_wd(first);
    assert_true((first == a && second == b) || (first == b && second == a));
    assert_null(watch_table_next_wd(second));
    assert_ptr_equal(watch_table_find_wd(table, 1 + 4096), c);
    watch_table_set_wd(table, first, -1);
    assert_ptr_equal(watch_table_find_wd(table, 1), second);
    watch_table_set_wd(table, second, 2);
    assert_null(watch_table_find_wd(table, 1));
    assert_null(watch_table_find_wd(table, -1));
    watch_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_their_owners_and_no_others),
        cmocka_unit_test(what_is_not_added_again_goes_and_so_do_empty_directories),
        cmocka_unit_test(directories_are_found_by_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
