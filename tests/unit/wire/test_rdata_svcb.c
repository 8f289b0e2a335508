/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rdata_text.h"

static uint8_t wire[RDATA_MAX_SIZE];

static void assert_text(const char *text, const char *expected)
{
    struct error err = {0};
    struct text printed;
    size_t bad = 0;
    size_t size = wire_of(text, NULL, wire, &bad, &err);
    if (size == SIZE_MAX) {
        fail_msg("%s: %s", text, err.text);
    }
    text_init(&printed, 0);
    rdata_format(TYPE_SVCB, slice_of(wire, size), &printed);
    assert_string_equal(text_str(&printed), expected);
    text_deinit(&printed);
}

static void assert_refused(const char *text, size_t expected_bad, const char *expected)
{
    struct error err = {0};
    size_t bad = 77;
    assert_true(wire_of(text, NULL, wire, &bad, &err) == SIZE_MAX);
    assert_non_null(strstr(err.text, expected));
    assert_int_equal(bad, expected_bad);
}

static void parameters_are_sorted_by_key_whatever_their_order(void **state)
{
    (void)state;
    assert_text(
        "SVCB 1 . key9=x ipv6hint=::1 port=1 alpn=a no-default-alpn mandatory=port,alpn",
        "1 . mandatory=alpn,port alpn=\"a\" no-default-alpn port=1 ipv6hint=::1 key9=\"x\"");
    assert_text("SVCB 1 . key10 key9 key8", "1 . key8 key9 key10");
}

static void a_key_stands_once_by_name_or_by_number(void **state)
{
    (void)state;
    assert_refused("SVCB 1 . port=1 port=2", 3, "expected each service parameter once");
    assert_refused("SVCB 1 . alpn=a key3=ab port=2", 4, "expected each service parameter once");
    assert_refused("SVCB 1 . key07=a", 2, "found \"key07=a\"");
    assert_refused("SVCB 1 . key=a", 2, "found \"key=a\"");
}

static void protocol_names_are_unescaped_as_string_and_as_list(void **state)
{
    (void)state;
    assert_text("SVCB 1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"");
    assert_text("SVCB 1 . alpn=f\\\\\\092oo\\092,bar,h2", "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"");
    assert_memory_equal(wire + 7,
                        "\x08"
                        "f\\oo,bar"
                        "\x02h2",
                        12);
    assert_text("SVCB 1 . alpn=\"a\\\"b c\"", "1 . alpn=\"a\\\"b\\032c\"");
    assert_refused("SVCB 1 . alpn=\"a\\\\\"", 2, "expected protocol names");
    assert_refused("SVCB 1 . alpn=a,", 2, "expected protocol names");
    assert_refused("SVCB 1 . alpn=,a", 2, "expected protocol names");
}

static void protocol_names_have_at_most_255_octets(void **state)
{
    (void)state;
    char text[600] = "SVCB 1 . alpn=";
    memset(text + 14, 'x', 255);
    memcpy(text + 14 + 255, ",yy", 4);
    struct error err = {0};
    size_t bad = 0;
    assert_int_equal(wire_of(text, NULL, wire, &bad, &err), 3 + 4 + 256 + 3);
    assert_int_equal(wire[7], 255);
    assert_memory_equal(wire + 7 + 256, "\2yy", 3);
    memset(text + 14, 'x', 256);
    memcpy(text + 14 + 256, ",yy", 4);
    assert_refused(text, 2, "expected protocol names of 1 to 255 octets");
}

static void hints_are_lists_of_addresses(void **state)
{
    (void)state;
    assert_text("SVCB 1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=\"2001:db8::1,::ffff:1.2.3.4\"",
                "1 . ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1,::ffff:1.2.3.4");
    assert_refused("SVCB 1 . ipv4hint=192.0.2.1,", 2, "expected IPv4 addresses");
    assert_refused("SVCB 1 . ipv4hint=::1", 2, "expected IPv4 addresses");
    assert_refused("SVCB 1 . ipv6hint=1.2.3.4", 2, "expected IPv6 addresses");
}

static void mandatory_keys_are_there_once_and_not_mandatory_itself(void **state)
{
    (void)state;
    assert_text("SVCB 1 . mandatory=key65280 key65280=x", "1 . mandatory=key65280 key65280=\"x\"");
    assert_refused("SVCB 1 . mandatory=port", 2, "every key that mandatory names");
    assert_refused("SVCB 1 . mandatory=port,port port=1", 2, "each once");
    assert_refused("SVCB 1 . mandatory=mandatory port=1", 3, "mandatory keys");
    assert_refused("SVCB 1 . mandatory= port=1", 2, "names of other keys");
    assert_refused("SVCB 1 . no-default-alpn", 2, "alpn beside no-default-alpn");
}

static void newer_keys_are_read_by_name_and_printed_by_number(void **state)
{
    (void)state;
    assert_text("SVCB 1 . dohpath=/q{?dns}", "1 . key7=\"/q{?dns}\"");
    assert_text("SVCB 1 . ohttp", "1 . key8");
    assert_text("SVCB 1 . tls-supported-groups=29,4588", "1 . key9=\"\\000\\029\\017\\236\"");
    assert_refused("SVCB 1 . tls-supported-groups=x25519", 2, "numbers of groups");
    assert_refused("SVCB 1 . dohpath=/q", 2, "{?dns}");
}

static void quotes_open_and_close_a_value(void **state)
{
    (void)state;
    assert_text("SVCB 1 . port=\"80\"", "1 . port=80");
    assert_text("SVCB 1 . key65280=\"\"", "1 . key65280");
    assert_refused("SVCB 1 . key65280=\"abc", 2, "expected a closing quote");
    assert_refused("SVCB 1 . \"port=80\"", 2, "found the quoted string \"port=80\"");
}

static void more_than_256_parameters_have_the_generic_form_only(void **state)
{
    (void)state;
    static char line[6000] = "SVCB 1 .";
    size_t at = strlen(line);
    for (int key = 1000; key < 1256; key++) {
        at += (size_t)snprintf(line + at, sizeof(line) - at, " key%d", key);
    }
    struct error err = {0};
    size_t bad = 0;
    assert_int_equal(wire_of(line, NULL, wire, &bad, &err), 3 + 256 * 4);
    struct text text;
    text_init(&text, 0);
    rdata_format(TYPE_SVCB, slice_of(wire, 3 + 256 * 4), &text);
    assert_string_equal(text_str(&text), line + 5);
    text_reset(&text);
    put_u16(wire + 3 + 256 * 4, 2000);
    put_u16(wire + 3 + 256 * 4 + 2, 0);
    rdata_format(TYPE_SVCB, slice_of(wire, 3 + 257 * 4), &text);
    assert_memory_equal(text_str(&text), "\\# 1031 0001", 12);
    text_deinit(&text);
    snprintf(line + at, sizeof(line) - at, " key2000");
    assert_refused(line, 258, "expected at most 256 service parameters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_sorted_by_key_whatever_their_order),
        cmocka_unit_test(a_key_stands_once_by_name_or_by_number),
        cmocka_unit_test(protocol_names_are_unescaped_as_string_and_as_list),
        cmocka_unit_test(protocol_names_have_at_most_255_octets),
        cmocka_unit_test(hints_are_lists_of_addresses),
        cmocka_unit_test(mandatory_keys_are_there_once_and_not_mandatory_itself),
        cmocka_unit_test(newer_keys_are_read_by_name_and_printed_by_number),
        cmocka_unit_test(quotes_open_and_close_a_value),
        cmocka_unit_test(more_than_256_parameters_have_the_generic_form_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
