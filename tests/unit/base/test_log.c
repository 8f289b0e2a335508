/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"

static void names_are_those_of_named_conf(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
    assert_string_equal(log_level_name(LOG_CRITICAL), "critical");
    assert_string_equal(log_category_name(LOG_GENERAL), "general");
    assert_string_equal(log_category_name(LOG_XFER_IN), "xfer-in");
    assert_string_equal(log_category_name(LOG_UPDATE_SECURITY), "update-security");
    assert_string_equal(log_category_name(LOG_RATE_LIMIT), "rate-limit");
}

static void every_category_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < LOG_CATEGORIES; i++) {
        assert_non_null(log_category_name((enum log_category)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_named_conf),
        cmocka_unit_test(every_category_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
