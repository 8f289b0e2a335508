/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting by network: limits, release, and that nothing is left behind. */
#include "accounts/prefix_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct prefix network_of(const char *text, unsigned bits4, unsigned bits6)
{
    struct address address;
    assert_int_equal(address_parse(text, &address, &(struct error){0}), OK);
    return prefix_of(&address, bits4, bits6);
}

static void addresses_of_one_network_are_counted_together(void **state)
{
    (void)state;
    struct prefix a = network_of("2001:db8:1:2ff::1", 32, 56);
    struct prefix b = network_of("2001:db8:1:2ab::ffff", 32, 56);
    struct prefix c = network_of("2001:db8:1:3ff::1", 32, 56);
    struct prefix d = network_of("192.0.2.129", 25, 56), e = network_of("192.0.2.255", 25, 56);
    struct prefix f = network_of("192.0.2.127", 25, 56);
    assert_true(prefix_equal(&a, &b));
    assert_false(prefix_equal(&a, &c));
    assert_true(prefix_equal(&d, &e));
    assert_false(prefix_equal(&d, &f));
}

static void a_network_gets_as_many_as_the_limit_and_again_after_release(void **state)
{
    (void)state;
    struct prefix_count *counts = prefix_count_new();
    struct prefix a = network_of("192.0.2.1", 32, 56), b = network_of("192.0.2.2", 32, 56), most;
    assert_false(prefix_count_take(counts, &a, 0));
    assert_int_equal(prefix_count_most(counts, &most), 0);
    assert_true(prefix_count_take(counts, &a, 2));
    assert_true(prefix_count_take(counts, &a, 2));
    assert_false(prefix_count_take(counts, &a, 2));
    assert_true(prefix_count_take(counts, &b, 2));
    assert_int_equal(prefix_count_most(counts, &most), 2);
    assert_true(prefix_equal(&most, &a));
    prefix_count_release(counts, &a);
    assert_true(prefix_count_take(counts, &a, 2));
    prefix_count_release(counts, &a);
    prefix_count_release(counts, &a);
    prefix_count_release(counts, &b);
    assert_int_equal(prefix_count_most(counts, &most), 0);
    prefix_count_free(counts);
}

static void many_networks_have_a_count_each(void **state)
{
    (void)state;
    struct prefix_count *counts = prefix_count_new();
    struct prefix most;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            struct address address = {.family = 4, .bytes = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
            struct prefix network = prefix_of(&address, 24, 56);
            assert_true(prefix_count_take(counts, &network, round + 1));
            assert_false(prefix_count_take(counts, &network, round + 1));
        }
    }
    assert_int_equal(prefix_count_most(counts, &most), 2);
    prefix_count_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_one_network_are_counted_together),
        cmocka_unit_test(a_network_gets_as_many_as_the_limit_and_again_after_release),
        cmocka_unit_test(many_networks_have_a_count_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
