/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/record.h"

static void rcode_name_knows_the_registry(void **state)
{
    (void)state;
    assert_string_equal(rcode_name(RCODE_NOERROR), "NOERROR");
    assert_string_equal(rcode_name(RCODE_NOTZONE), "NOTZONE");
    assert_string_equal(rcode_name(RCODE_BADVERS), "BADVERS");
    assert_string_equal(rcode_name(RCODE_BADCOOKIE), "BADCOOKIE");
}

static void rcode_name_gives_a_number_where_there_is_no_name(void **state)
{
    (void)state;
    assert_string_equal(rcode_name(12), "RCODE12");
    assert_string_equal(rcode_name(77), "RCODE77");
    assert_string_equal(rcode_name(4095), "RCODE4095");
}

static void soa_read_finds_every_field(void **state)
{
    (void)state;
    static const uint8_t rdata[] = {2,    'n',  's', 0,    1,    'h',  0, 0xff, 0xff,
                                    0xff, 0xfe, 0,   0,    0x0e, 0x10, 0, 0,    0x03,
                                    0x84, 0,    9,   0x3a, 0x80, 0,    0, 0,    60};
    struct soa soa = soa_read(slice_of(rdata, sizeof(rdata)));
    assert_ptr_equal(soa.mname, rdata);
    assert_ptr_equal(soa.rname, rdata + 4);
    assert_int_equal(soa.serial.value, 4294967294u);
    assert_int_equal(soa.refresh_s, 3600);
    assert_int_equal(soa.retry_s, 900);
    assert_int_equal(soa.expire_s, 604800);
    assert_int_equal(soa.minimum_s, 60);
}

static void serial_order_wraps_around(void **state)
{
    (void)state;
    assert_true(serial_before((struct serial){4294967295u}, (struct serial){0}));
    assert_false(serial_before((struct serial){0}, (struct serial){4294967295u}));
    assert_false(serial_before((struct serial){7}, (struct serial){7}));
    assert_true(serial_before((struct serial){0}, (struct serial){0x7fffffff}));
    assert_false(serial_before((struct serial){0}, (struct serial){0x80000000u}));
    assert_false(serial_before((struct serial){0x80000000u}, (struct serial){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rcode_name_knows_the_registry),
        cmocka_unit_test(rcode_name_gives_a_number_where_there_is_no_name),
        cmocka_unit_test(soa_read_finds_every_field),
        cmocka_unit_test(serial_order_wraps_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
