/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"

struct item {
    uint32_t key;
    uint32_t arrival;
};

static uint64_t compares;

static int compare(const void *a, const void *b, void *context)
{
    const struct item *x = a;
    const struct item *y = b;
    assert_ptr_equal(context, &compares);
    compares++;
    return (x->key > y->key) - (x->key < y->key);
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void check_sorted(const struct item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        assert_true(items[i - 1].key < items[i].key ||
                    (items[i - 1].key == items[i].key && items[i - 1].arrival < items[i].arrival));
    }
}

static void sort_orders_and_keeps_equal_items_in_order(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (size_t count = 0; count < 300; count++) {
        struct item *items = memory_new(count * sizeof(*items));
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            items[i] = (struct item){next_random(&seed) % (1 + (uint32_t)count / 2), (uint32_t)i};
            sum += items[i].key;
        }
        sort_stable(items, count, sizeof(*items), compare, &compares);
        check_sorted(items, count);
        for (size_t i = 0; i < count; i++) {
            sum -= items[i].key;
        }
        assert_int_equal(sum, 0);
        memory_free(items);
    }
}

static void sort_of_sorted_items_is_one_pass(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct item *items = memory_new(COUNT * sizeof(*items));
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){i, i};
    }
    compares = 0;
    sort_stable(items, COUNT, sizeof(*items), compare, &compares);
    assert_int_equal(compares, COUNT - 1);
    memory_free(items);
}

static void sort_of_two_runs_is_one_merge(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct item *items = memory_new(COUNT * sizeof(*items));
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){i < COUNT / 2 ? 2 * i : 2 * (i - COUNT / 2) + 1, i};
    }
    compares = 0;
    sort_stable(items, COUNT, sizeof(*items), compare, &compares);
    check_sorted(items, COUNT);
    assert_true(compares < 3 * COUNT);
    memory_free(items);
}

static void sort_of_random_items_is_n_log_n(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    uint64_t seed = 99;
    struct item *items = memory_new(COUNT * sizeof(*items));
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){next_random(&seed), i};
    }
    compares = 0;
    sort_stable(items, COUNT, sizeof(*items), compare, &compares);
    check_sorted(items, COUNT);
    assert_true(compares < COUNT * 22ull);
    memory_free(items);
}

static void sort_runs_merges_few_into_many_with_few_comparisons(void **state)
{
    (void)state;
    enum { FEW = 3, COUNT = 100000 };
    struct item *items = memory_new(COUNT * sizeof(*items));
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){i < FEW ? i * 30000 : i, i};
    }
    size_t ends[] = {FEW, COUNT};
    compares = 0;
    sort_runs(items, ends, 2, sizeof(*items), compare, &compares);
    check_sorted(items, COUNT);
    assert_true(compares < 200);
    memory_free(items);
}

static void sort_runs_keeps_every_item_of_any_runs(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    uint64_t seed = 5;
    for (unsigned repeat = 0; repeat < 300; repeat++) {
        struct item items[COUNT];
        size_t ends[COUNT];
        size_t run_count = 0;
        uint32_t key = 0;
        uint32_t spread = 1 + next_random(&seed) % 40;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            if (i > 0 && next_random(&seed) % (spread * 4) == 0) {
                ends[run_count++] = i;
                key = next_random(&seed) % 50;
            }
            items[i] = (struct item){key += next_random(&seed) % spread, i};
            sum += items[i].key;
        }
        ends[run_count++] = COUNT;
        sort_runs(items, ends, run_count, sizeof(*items), compare, &compares);
        check_sorted(items, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            sum -= items[i].key;
        }
        assert_int_equal(sum, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sort_orders_and_keeps_equal_items_in_order),
        cmocka_unit_test(sort_of_sorted_items_is_one_pass),
        cmocka_unit_test(sort_of_two_runs_is_one_merge),
        cmocka_unit_test(sort_of_random_items_is_n_log_n),
        cmocka_unit_test(sort_runs_merges_few_into_many_with_few_comparisons),
        cmocka_unit_test(sort_runs_keeps_every_item_of_any_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
