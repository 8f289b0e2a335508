/* SPDX-License-Identifier: BSD-3-Clause */
#include "accounts/send_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct instant at(int64_t ns)
{
    return (struct instant){ns};
}

static void no_more_turns_than_the_rate_allows(void **state)
{
    (void)state;
    struct send_rate rate = {{0}};
    unsigned taken = 0;
    struct instant next = at(0);
    /* Ten seconds, asked a hundred times as often as allowed. */
    for (int64_t ms = 1000; ms < 11000; ms++) {
        for (unsigned i = 0; i < 2; i++) {
            taken += send_rate_take(&rate, 20, at(ms * 1000000), &next);
        }
    }
    assert_in_range(taken, 200, 202);
}

static void turn_comes_when_it_was_promised(void **state)
{
    (void)state;
    struct send_rate rate = {{0}};
    struct instant now = at(5000000000), next = at(0);
    unsigned burst = 0;
    while (send_rate_take(&rate, 100, now, &next)) {
        burst++;
    }
    assert_int_equal(burst, 10);
    assert_true(instant_before(now, next));
    assert_false(send_rate_take(&rate, 100, at(next.ns - 1), &next));
    assert_true(send_rate_take(&rate, 100, next, &next));
}

static void slow_rates_let_one_go_at_a_time(void **state)
{
    (void)state;
    struct send_rate rate = {{0}};
    struct instant now = at(5000000000), next = at(0);
    assert_true(send_rate_take(&rate, 1, now, &next));
    assert_false(send_rate_take(&rate, 1, now, &next));
    assert_int_equal(next.ns, 6000000000);
    assert_true(send_rate_take(&rate, 1, next, &next));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_turns_than_the_rate_allows),
        cmocka_unit_test(turn_comes_when_it_was_promised),
        cmocka_unit_test(slow_rates_let_one_go_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
