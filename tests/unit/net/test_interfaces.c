/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "net/interfaces.h"

static void list_has_loopback_and_is_sorted(void **state)
{
    (void)state;
    struct interface_address *list;
    size_t count;
    assert_int_equal(interfaces_list(&list, &count, NULL), OK);
    struct address loopback;
    assert_int_equal(address_parse("127.0.0.1", &loopback, NULL), OK);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].address.port, 0);
        assert_true(prefix_contains(&list[i].network, &list[i].address));
        if (i > 0) {
            assert_true(address_compare(&list[i - 1].address, &list[i].address) < 0);
        }
        if (address_equal(&list[i].address, &loopback)) {
            found = true;
            assert_true(list[i].is_loopback);
            assert_int_equal(list[i].network.bits, 8);
            assert_int_equal(list[i].network.address.bytes[3], 0);
        }
    }
    assert_true(found);
    memory_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_has_loopback_and_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
