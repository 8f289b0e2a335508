/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/heap.h"

static struct instant at(int64_t ns)
{
    return (struct instant){ns};
}

static void heap_gives_the_earliest_first(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[100] = {0};
    for (int i = 0; i < 100; i++) {
        heap_insert(&heap, &nodes[i], at((i * 37) % 100));
    }
    for (int i = 0; i < 100; i++) {
        struct heap_node *first = heap_first(&heap);
        assert_int_equal(first->at.ns, i);
        heap_remove(&heap, first);
        assert_false(heap_node_is_in(first));
    }
    assert_null(heap_first(&heap));
    heap_deinit(&heap);
}

static void heap_agrees_with_a_linear_search(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[64] = {0};
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct heap_node *node = &nodes[rand() % 64];
        if (rand() % 3 == 0) {
            heap_remove(&heap, node);
        } else {
            heap_update(&heap, node, rand() % 20 == 0 ? INSTANT_NEVER : at(rand() % 1000));
        }
        int64_t earliest = -1;
        size_t count = 0;
        for (int i = 0; i < 64; i++) {
            if (heap_node_is_in(&nodes[i])) {
                count++;
                earliest = earliest < 0 || nodes[i].at.ns < earliest ? nodes[i].at.ns : earliest;
            }
        }
        assert_int_equal(heap.count, count);
        struct heap_node *first = heap_first(&heap);
        assert_int_equal(first == NULL, count == 0);
        if (first != NULL) {
            assert_true(first->at.ns == earliest);
        }
    }
    heap_deinit(&heap);
}

static void heap_deinit_lets_the_nodes_go(void **state)
{
    (void)state;
    struct heap heap = {0};
    heap_deinit(&heap);
    heap_init(&heap);
    struct heap_node nodes[3] = {0};
    for (int i = 0; i < 3; i++) {
        heap_insert(&heap, &nodes[i], at(i));
    }
    heap_remove(&heap, &nodes[1]);
    heap_remove(&heap, &nodes[1]);
    heap_deinit(&heap);
    for (int i = 0; i < 3; i++) {
        assert_false(heap_node_is_in(&nodes[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_gives_the_earliest_first),
        cmocka_unit_test(heap_agrees_with_a_linear_search),
        cmocka_unit_test(heap_deinit_lets_the_nodes_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
