/* SPDX-License-Identifier: BSD-3-Clause */
#include "settings/own_addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"

static struct address ipv4(uint8_t last, uint16_t port)
{
    return (struct address){.family = 4, .port = port, .bytes = {192, 0, 2, last}};
}

static void listening_counts_in_whatever_way_it_is_done(void **state)
{
    (void)state;
    struct address plain[] = {ipv4(1, 53)};
    struct special_listen special[] = {
        {.address = ipv4(2, 853), .tls = "ours"},
        {.address = ipv4(3, 53), .proxy = CONF_PROXY_PLAIN},
    };
    struct own_addresses own = {.listen = plain,
                                .listen_count = ARRAY_SIZE(plain),
                                .special = special,
                                .special_count = ARRAY_SIZE(special)};
    static const struct {
        uint8_t last;
        uint16_t port;
        bool there, host_there;
    } cases[] = {
        {1, 53, true, true},  {1, 54, false, true}, {2, 853, true, true},
        {2, 53, false, true}, {3, 53, true, true},  {4, 53, false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct address address = ipv4(cases[i].last, cases[i].port);
        assert_int_equal(own_addresses_listen(&own, &address, false), cases[i].there);
        assert_int_equal(own_addresses_listen(&own, &address, true), cases[i].host_there);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_counts_in_whatever_way_it_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
