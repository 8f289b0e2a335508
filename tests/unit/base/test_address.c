/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "base/address.h"

static struct address address_of(const char *text)
{
    struct address address;
    struct error err = {0};
    if (address_parse(text, &address, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return address;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    struct error err = {0};
    if (prefix_parse(text, &prefix, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return prefix;
}

static void address_parse_and_format_are_inverse(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1",
                                        "0.0.0.0",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "2001:db8::1",
                                        "2001:db8:1111:2222:3333:4444:5555:6666"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = address_of(texts[i]);
        char text[ADDRESS_TEXT_SIZE];
        assert_string_equal(address_format(&address, false, text), texts[i]);
        assert_int_equal(address.port, 0);
    }
    struct address address = address_of("192.0.2.1");
    address.port = 53;
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_format(&address, true, text), "192.0.2.1#53");
    struct address none = {0};
    assert_string_equal(address_format(&none, false, text), "unknown");
}

static void address_parse_reads_scopes(void **state)
{
    (void)state;
    struct address address = address_of("fe80::1%lo");
    assert_int_not_equal(address.scope, 0);
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_format(&address, false, text), "fe80::1%lo");
    assert_int_equal(address_of("fe80::1%4000000").scope, 4000000);
    struct error err = {0};
    assert_int_equal(address_parse("fe80::1%no-such-if", &address, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "no-such-if"));
    assert_int_equal(address_parse("fe80::1%", &address, NULL), ERR_FORMAT);
}

static void address_parse_names_what_it_found(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "2001:db8",
        "::g",
        "localhost",
        "1.2.3.4#53",
        "192.0.2.1%lo",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct address address;
        struct error err = {0};
        assert_int_equal(address_parse(bad[i], &address, &err), ERR_FORMAT);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void prefix_parse_reads_long_and_short_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        unsigned bits;
    } good[] = {{"192.0.2.0/24", "192.0.2.0", 24},
                {"10/8", "10.0.0.0", 8},
                {"192.168/16", "192.168.0.0", 16},
                {"0/0", "0.0.0.0", 0},
                {"192.0.2.7", "192.0.2.7", 32},
                {"172.16/12", "172.16.0.0", 12},
                {"2001:db8::/32", "2001:db8::", 32},
                {"::/0", "::", 0},
                {"::1", "::1", 128},
                {"192.0.2.1/32", "192.0.2.1", 32}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct prefix prefix = prefix_of(good[i].text);
        char text[ADDRESS_TEXT_SIZE];
        assert_string_equal(address_format(&prefix.address, false, text), good[i].host);
        assert_int_equal(prefix.bits, good[i].bits);
    }
}

static void prefix_parse_says_which_network_was_meant(void **state)
{
    (void)state;
    struct prefix prefix;
    struct error err = {0};
    assert_int_equal(prefix_parse("192.0.2.77/26", &prefix, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "192.0.2.64/26"));
    err = (struct error){0};
    assert_int_equal(prefix_parse("2001:db8::1/64", &prefix, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "2001:db8::/64"));
}

static void prefix_parse_refuses_nonsense(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "/",     "/8",     "10",         "10/33",
                                      "10/",   "10/x",  "::/129", "10./8",      "1.2.3.4.5/8",
                                      "256/8", "10/-1", "10/8/8", "10/0000008", "00010/8"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct prefix prefix;
        struct error err = {0};
        if (prefix_parse(bad[i], &prefix, &err) != ERR_FORMAT) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
}

static bool contains(const char *network, const char *host)
{
    struct prefix prefix = prefix_of(network);
    struct address address = address_of(host);
    return prefix_contains(&prefix, &address);
}

static void prefix_contains_looks_at_its_bits_only(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.64/26", "192.0.2.64"));
    assert_true(contains("192.0.2.64/26", "192.0.2.127"));
    assert_false(contains("192.0.2.64/26", "192.0.2.128"));
    assert_false(contains("192.0.2.64/26", "192.0.2.63"));
    assert_true(contains("0/0", "203.0.113.9"));
    assert_false(contains("0/0", "2001:db8::1"));
    assert_true(contains("::/0", "2001:db8::1"));
    assert_false(contains("::/0", "192.0.2.1"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
    assert_true(contains("192.0.2.0/24", "::ffff:192.0.2.9"));
    assert_true(contains("::ffff:192.0.2.0/120", "192.0.2.9"));
    assert_false(contains("::ffff:192.0.2.0/120", "192.0.3.9"));
    assert_true(contains("fe80::/10", "fe80::1%lo"));
    struct prefix prefix = prefix_of("0/0");
    struct address none = {0};
    assert_false(prefix_contains(&prefix, &none));
}

static void addresses_compare_by_host_then_port(void **state)
{
    (void)state;
    struct address a = address_of("192.0.2.1");
    struct address mapped = address_of("::ffff:192.0.2.1");
    struct address b = address_of("192.0.2.2");
    struct address v6 = address_of("::1");
    assert_true(address_same_host(&a, &mapped));
    assert_true(address_equal(&a, &mapped));
    assert_false(address_same_host(&a, &b));
    a.port = 53;
    assert_true(address_same_host(&a, &mapped));
    assert_false(address_equal(&a, &mapped));
    assert_true(address_compare(&mapped, &a) < 0);
    assert_true(address_compare(&a, &b) < 0);
    assert_true(address_compare(&b, &v6) < 0);
    struct address link = address_of("fe80::1%lo");
    struct address anywhere = address_of("fe80::1");
    assert_true(address_same_host(&link, &anywhere));
    assert_false(address_equal(&link, &anywhere));
}

static void wildcards_are_known(void **state)
{
    (void)state;
    struct address v4 = address_of("0.0.0.0");
    struct address v6 = address_of("::");
    struct address loopback = address_of("::1");
    struct address none = {0};
    assert_true(address_is_wildcard(&v4));
    assert_true(address_is_wildcard(&v6));
    assert_false(address_is_wildcard(&loopback));
    assert_false(address_is_wildcard(&none));
}

static void sockaddr_round_trip(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "fe80::1%lo"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address = address_of(texts[i]);
        address.port = 5353;
        struct sockaddr_storage storage;
        socklen_t size = address_to_sockaddr(&address, &storage);
        assert_int_equal(size, address.family == 4 ? sizeof(struct sockaddr_in)
                                                   : sizeof(struct sockaddr_in6));
        struct address back;
        assert_true(address_from_sockaddr((struct sockaddr *)&storage, &back));
        assert_true(address_equal(&address, &back));
    }
    struct address mapped = address_of("::ffff:192.0.2.1");
    struct sockaddr_storage storage;
    address_to_sockaddr(&mapped, &storage);
    struct address back;
    assert_true(address_from_sockaddr((struct sockaddr *)&storage, &back));
    assert_int_equal(back.family, 4);
    storage.ss_family = AF_UNIX;
    assert_false(address_from_sockaddr((struct sockaddr *)&storage, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_parse_and_format_are_inverse),
        cmocka_unit_test(address_parse_reads_scopes),
        cmocka_unit_test(address_parse_names_what_it_found),
        cmocka_unit_test(prefix_parse_reads_long_and_short_forms),
        cmocka_unit_test(prefix_parse_says_which_network_was_meant),
        cmocka_unit_test(prefix_parse_refuses_nonsense),
        cmocka_unit_test(prefix_contains_looks_at_its_bits_only),
        cmocka_unit_test(addresses_compare_by_host_then_port),
        cmocka_unit_test(wildcards_are_known),
        cmocka_unit_test(sockaddr_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
