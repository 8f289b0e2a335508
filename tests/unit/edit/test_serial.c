/* SPDX-License-Identifier: BSD-3-Clause */
#include "edit/serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOON_2026_11_21 = 1795262400 };

static uint32_t next(uint32_t current, enum serial_method method, int64_t now_s)
{
    return serial_next((struct serial){current}, method, now_s).value;
}

static void serial_next_follows_the_method(void **state)
{
    (void)state;
    assert_int_equal(next(7, SERIAL_INCREMENT, NOON_2026_11_21), 8);
    assert_int_equal(next(7, SERIAL_UNIXTIME, NOON_2026_11_21), NOON_2026_11_21);
    assert_int_equal(next(7, SERIAL_DATE, NOON_2026_11_21), 2026112100);
    assert_int_equal(next(2026112100, SERIAL_DATE, NOON_2026_11_21), 2026112101);
}

static void serial_next_never_goes_back(void **state)
{
    (void)state;
    assert_int_equal(next(2026112199, SERIAL_DATE, NOON_2026_11_21), 2026112200);
    assert_int_equal(next(2030010100, SERIAL_DATE, NOON_2026_11_21), 2030010101);
    assert_int_equal(next(NOON_2026_11_21, SERIAL_UNIXTIME, NOON_2026_11_21), NOON_2026_11_21 + 1);
    assert_int_equal(next(5, SERIAL_UNIXTIME, -100), 6);
    assert_int_equal(next(5, SERIAL_DATE, -100000000000000), 6);
    assert_int_equal(next(5, SERIAL_DATE, INT64_MAX), 6);
    assert_int_equal(next(UINT32_MAX, SERIAL_INCREMENT, 0), 1); /* 0 is skipped */
    /* Far ahead in RFC 1982's sense is behind: the clock's serial is not taken. */
    assert_int_equal(next(NOON_2026_11_21 + 0x80000001u, SERIAL_UNIXTIME, NOON_2026_11_21),
                     NOON_2026_11_21);
    assert_int_equal(next(NOON_2026_11_21 + 0x80000000u, SERIAL_UNIXTIME, NOON_2026_11_21),
                     NOON_2026_11_21 + 0x80000001u);
}

static void serial_path_is_made_of_legal_steps(void **state)
{
    (void)state;
    static const uint32_t ends[] = {0,          1,          2,          100,        0x7fffffff,
                                    0x80000000, 0x80000001, 0x80000002, 0xfffffffe, 0xffffffff};
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned j = 0; j < 10; j++) {
            struct serial at = {ends[i]};
            struct serial steps[SERIAL_MAX_STEPS];
            unsigned count = serial_path(at, (struct serial){ends[j]}, steps);
            assert_true(count <= SERIAL_MAX_STEPS);
            for (unsigned k = 0; k < count; k++) {
                assert_true(serial_before(at, steps[k]));
                at = steps[k];
            }
            assert_int_equal(at.value, ends[j]);
            assert_true(i != j || count == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_next_follows_the_method),
        cmocka_unit_test(serial_next_never_goes_back),
        cmocka_unit_test(serial_path_is_made_of_legal_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
