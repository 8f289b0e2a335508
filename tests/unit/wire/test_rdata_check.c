/* SPDX-License-Identifier: BSD-3-Clause */
/* What foreign rdata may not do: each case here has brought a name server down once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "rdata_text.h"

/* The check, and printing, over a buffer of the exact size. */
static enum result check_exact(uint16_t type, const uint8_t *bytes, size_t size, struct error *err)
{
    uint8_t *copy = memory_new(size == 0 ? 1 : size);
    if (size != 0) {
        memcpy(copy, bytes, size);
    }
    enum result result = rdata_check(type, slice_of(copy, size), err);
    struct text text;
    text_init(&text, 0);
    rdata_format(type, slice_of(copy, size), &text);
    assert_true(text.size > 0 || (type == 42 && size == 0));
    text_deinit(&text);
    memory_free(copy);
    return result;
}

static void assert_hex(const char *type_name, const char *hex, enum result expected)
{
    uint8_t bytes[600];
    size_t size = 0;
    uint16_t type;
    struct error err = {0};
    assert_true(rrtype_parse(type_name, strlen(type_name), &type));
    assert_true(hex_decode(hex, strlen(hex), bytes, sizeof(bytes), &size));
    if (check_exact(type, bytes, size, &err) != expected) {
        fail_msg("%s %s: %s", type_name, hex, expected == OK ? err.text : "was taken");
    }
    assert_true((expected == OK) == (err.text[0] == '\0'));
}

static void rdata_of_no_octets_is_refused_where_a_type_needs_some(void **state)
{
    (void)state;
    for (unsigned number = 0; number <= 65535; number++) {
        const struct rrtype *type = rrtype_get((uint16_t)number);
        bool may_be_empty = type->fields[0] == FIELD_UNKNOWN || type->fields[0] == FIELD_APL;
        struct error err = {0};
        enum result result = check_exact((uint16_t)number, NULL, 0, &err);
        if ((result == OK) != may_be_empty) {
            fail_msg("%s of no octets: %s", type->name, result_name(result));
        }
    }
}

static void octets_behind_the_last_field_are_refused(void **state)
{
    (void)state;
    assert_hex("A", "01020304", OK);
    assert_hex("A", "0102030405", ERR_FORMAT);
    assert_hex("A", "010203", ERR_FORMAT);
    assert_hex("AAAA", "0000000000000000000000000000000000", ERR_FORMAT);
    assert_hex("NS", "016100", OK);
    assert_hex("NS", "01610000", ERR_FORMAT);
    assert_hex("MX", "000A016100", OK);
    assert_hex("MX", "000A01610000", ERR_FORMAT);
    assert_hex("SOA", "0000000000010000000200000003000000040000000500", ERR_FORMAT);
    assert_hex("SOA", "00000000000100000002000000030000000400000005", OK);
    assert_hex("SOA", "000000000001000000020000000300000004000000", ERR_FORMAT);
    assert_hex("EUI48", "01020304050607", ERR_FORMAT);
    assert_hex("HINFO", "01610162", OK);
    assert_hex("HINFO", "0161016200", ERR_FORMAT);
}

static void names_may_be_neither_compressed_nor_too_long(void **state)
{
    (void)state;
    assert_hex("NS", "C000", ERR_FORMAT);
    assert_hex("CNAME", "0161C000", ERR_FORMAT);
    assert_hex("NS", "40", ERR_FORMAT);
    assert_hex("NS", "8100", ERR_FORMAT);
    assert_hex("NS", "0261", ERR_FORMAT);
    assert_hex("NS", "0161", ERR_FORMAT);
    uint8_t name[257] = {0};
    for (size_t at = 0; at < 256; at += 2) {
        name[at] = 1;
        name[at + 1] = 'a';
    }
    assert_int_equal(check_exact(TYPE_NS, name, 257, NULL), ERR_FORMAT);
    name[254] = 0;
    assert_int_equal(check_exact(TYPE_NS, name, 255, NULL), OK);
}

static void strings_stay_inside_their_rdata(void **state)
{
    (void)state;
    assert_hex("TXT", "00", OK);
    assert_hex("TXT", "01", ERR_FORMAT);
    assert_hex("TXT", "016102", ERR_FORMAT);
    assert_hex("TXT", "FF00", ERR_FORMAT);
    assert_hex("ISDN", "0161", OK);
    assert_hex("ISDN", "016101", ERR_FORMAT);
    assert_hex("NAPTR", "00010001016101620163", ERR_FORMAT);
    assert_hex("CAA", "00FF61", ERR_FORMAT);
    assert_hex("CAA", "000161", OK);
    assert_hex("CAA", "000120", ERR_FORMAT);
    assert_hex("DOA", "0000000000000001020561", ERR_FORMAT);
}

static void address_prefix_lists_hold_no_oversized_address(void **state)
{
    (void)state;
    assert_hex("APL", "", OK);
    assert_hex("APL", "0001200401020304", OK);
    assert_hex("APL", "000120050102030405", ERR_FORMAT);
    assert_hex("APL", "0001207F0102030405", ERR_FORMAT);
    assert_hex("APL", "000120FF0102030405", ERR_FORMAT);
    assert_hex("APL", "0001210401020304", ERR_FORMAT);
    assert_hex("APL", "00018180", ERR_FORMAT);
    assert_hex("APL", "0002801020010DB8000000000000000000000001", OK);
    assert_hex("APL", "0002801120010DB800000000000000000000000101", ERR_FORMAT);
    assert_hex("APL", "0002811020010DB8000000000000000000000001", ERR_FORMAT);
    assert_hex("APL", "000120040102", ERR_FORMAT);
    assert_hex("APL", "000120", ERR_FORMAT);
    assert_hex("APL", "0001200100", ERR_FORMAT);
    assert_hex("APL", "0003FF7F", ERR_FORMAT);
    assert_hex("APL", "0003FF020000", OK);
}

static void keys_and_digests_have_the_size_their_type_needs(void **state)
{
    (void)state;
    assert_hex("DNSKEY", "0101", ERR_FORMAT);
    assert_hex("DNSKEY", "010103", ERR_FORMAT);
    assert_hex("DNSKEY", "01010301", ERR_FORMAT);
    assert_hex("DNSKEY", "0101030100", OK);
    assert_hex("DNSKEY", "C0000301", ERR_FORMAT);
    assert_hex("CDNSKEY", "00000300", ERR_FORMAT);
    assert_hex("CDNSKEY", "0000030000", OK);
    assert_hex("KEY", "C0000301", OK);
    assert_hex("KEY", "80000301", ERR_FORMAT);
    assert_hex("RKEY", "0000000101", OK);
    assert_hex("RKEY", "0001000101", ERR_FORMAT);
    assert_hex("DS", "0001080101", ERR_FORMAT);
    assert_hex("DS", "00010801000102030405060708090A0B0C0D0E0F10111213", OK);
    assert_hex("DS", "00010801000102030405060708090A0B0C0D0E0F1011121314", ERR_FORMAT);
    assert_hex("CDS", "0000000000", OK);
    assert_hex("DLV", "000108", ERR_FORMAT);
    assert_hex("SSHFP", "0101", ERR_FORMAT);
    assert_hex("SSHFP", "010100", ERR_FORMAT);
    assert_hex("TLSA", "030101", ERR_FORMAT);
    assert_hex("OPENPGPKEY", "00", OK);
    assert_hex("HHIT", "00", OK);
    assert_hex("BRID", "00", OK);
    assert_hex("ZONEMD", "000000010101", ERR_FORMAT);
    assert_hex("ZONEMD", "0000000101F0000102030405060708090A", ERR_FORMAT);
    assert_hex("ZONEMD", "0000000101F0000102030405060708090A0B", OK);
    assert_hex("NSEC3", "0101000C0001", ERR_FORMAT);
    assert_hex("NSEC3", "0101000CFF00", ERR_FORMAT);
    assert_hex("NSEC3", "02010000000100", OK);
    assert_hex("NSEC3PARAM", "01000000", ERR_FORMAT);
    assert_hex("NSEC3PARAM", "0100000001", ERR_FORMAT);
    assert_hex("NSEC3PARAM", "0100000000", OK);
}

static void type_bit_maps_have_one_form_only(void **state)
{
    (void)state;
    assert_hex("NSEC", "00000140", OK);
    assert_hex("NSEC", "00", ERR_FORMAT);
    assert_hex("NSEC", "0000", ERR_FORMAT);
    assert_hex("NSEC", "000000", ERR_FORMAT);
    assert_hex("NSEC", "00000240", ERR_FORMAT);
    assert_hex("NSEC", "0000024000", ERR_FORMAT);
    assert_hex("NSEC", "000021400000000000000000000000000000000000000000000000000000000000000001",
               ERR_FORMAT);
    assert_hex("NSEC", "00010140000140", ERR_FORMAT);
    assert_hex("NSEC", "00000140000140", ERR_FORMAT);
    assert_hex("NSEC", "00000140FF0140", OK);
    assert_hex("CSYNC", "000000010003", OK);
    assert_hex("NXT", "0040", OK);
    assert_hex("NXT", "0080", ERR_FORMAT);
    assert_hex("NXT", "004000", ERR_FORMAT);
}

static void gateways_are_complete(void **state)
{
    (void)state;
    assert_hex("IPSECKEY", "0A", ERR_FORMAT);
    assert_hex("IPSECKEY", "0A00", ERR_FORMAT);
    assert_hex("IPSECKEY", "0A0000", OK);
    assert_hex("IPSECKEY", "0A0101010203", ERR_FORMAT);
    assert_hex("IPSECKEY", "0A01010102030405", OK);
    assert_hex("IPSECKEY", "0A03010161", ERR_FORMAT);
    assert_hex("IPSECKEY", "0A0301C000", ERR_FORMAT);
    assert_hex("IPSECKEY", "0A0901", OK);
    assert_hex("AMTRELAY", "0A", ERR_FORMAT);
    assert_hex("AMTRELAY", "0A00", OK);
    assert_hex("AMTRELAY", "0A0000", ERR_FORMAT);
    assert_hex("AMTRELAY", "0A01010203", ERR_FORMAT);
    assert_hex("AMTRELAY", "0A830161", ERR_FORMAT);
    assert_hex("AMTRELAY", "0AFF00", OK);
    assert_hex("HIP", "01020001AABB", OK);
    assert_hex("HIP", "FF02FFFFAABB", ERR_FORMAT);
    assert_hex("HIP", "01020001AABB01", ERR_FORMAT);
    assert_hex("A6", "80", ERR_FORMAT);
    assert_hex("A6", "8000", OK);
    assert_hex("A6", "81000000", ERR_FORMAT);
    assert_hex("A6", "7F", ERR_FORMAT);
    assert_hex("A6", "7F0100", OK);
    assert_hex("A6", "7F0300", ERR_FORMAT);
    assert_hex("A6", "00FFFF000000000000000000000000", ERR_FORMAT);
}

static void bit_maps_of_services_do_not_pass_the_last_port(void **state)
{
    (void)state;
    static uint8_t wks[5 + 8193];
    memcpy(wks, "\1\2\3\4\6", 5);
    memset(wks + 5, 0x80, sizeof(wks) - 5);
    assert_int_equal(check_exact(11, wks, 5 + 8192, NULL), OK);
    assert_int_equal(check_exact(11, wks, 5 + 8193, NULL), ERR_FORMAT);
    assert_hex("WKS", "0102030406", OK);
    assert_hex("WKS", "01020304", ERR_FORMAT);
    assert_hex("WKS", "010203040600", ERR_FORMAT);
}

static void locations_lie_on_earth(void **state)
{
    (void)state;
    assert_hex("LOC", "00121613800000008000000000989680", OK);
    assert_hex("LOC", "00121613934FD9008000000000989680", OK);
    assert_hex("LOC", "00121613934FD9018000000000989680", ERR_FORMAT);
    assert_hex("LOC", "0012161380000000A69FB20000989680", OK);
    assert_hex("LOC", "0012161380000000A69FB20100989680", ERR_FORMAT);
    assert_hex("LOC", "001216138000000080000000009896", ERR_FORMAT);
    assert_hex("LOC", "001A1613800000008000000000989680", ERR_FORMAT);
    assert_hex("LOC", "01", OK);
}

static void services_keep_their_parameters_in_bounds_and_in_order(void **state)
{
    (void)state;
    assert_hex("SVCB", "0001", ERR_FORMAT);
    assert_hex("SVCB", "000100", OK);
    assert_hex("SVCB", "00010000", ERR_FORMAT);
    assert_hex("SVCB", "000100000300", ERR_FORMAT);
    assert_hex("SVCB", "0001000003FFFF1F42", ERR_FORMAT);
    assert_hex("SVCB", "00010000030002", ERR_FORMAT);
    assert_hex("SVCB", "000100000300021F42", OK);
    assert_hex("SVCB", "000100000300021F42000300021F42", ERR_FORMAT);
    assert_hex("SVCB", "000100000300021F42000100020161", ERR_FORMAT);
    assert_hex("SVCB", "000100000100020261", ERR_FORMAT);
    assert_hex("SVCB", "0001000001000100", ERR_FORMAT);
    assert_hex("SVCB", "0001000004000501020304AA", ERR_FORMAT);
    assert_hex("SVCB", "00010000060004AABBCCDD", ERR_FORMAT);
    assert_hex("SVCB", "000100000000020003000300021F42", OK);
    assert_hex("SVCB", "000100000000040003000300030002", ERR_FORMAT);
    assert_hex("HTTPS", "000100FFFF0000", OK);
    assert_hex("HTTPS", "0001C00CFFFF0000", ERR_FORMAT);
    /* A list of mandatory keys as long as can be is looked through in one walk. */
    static uint8_t long_list[65000];
    memset(long_list, 0, 3);
    put_u16(long_list + 3, 0);
    put_u16(long_list + 5, sizeof(long_list) - 7 - 1);
    for (size_t i = 7, key = 1; i + 1 < sizeof(long_list); i += 2, key++) {
        put_u16(long_list + i, (uint16_t)key);
    }
    assert_int_equal(check_exact(TYPE_SVCB, long_list, sizeof(long_list) - 1, NULL), ERR_FORMAT);
}

static void rdata_is_never_longer_than_a_length_can_say(void **state)
{
    (void)state;
    static uint8_t octets[65536];
    assert_int_equal(check_exact(65280, octets, 65535, NULL), OK);
    assert_int_equal(check_exact(65280, octets, 65536, NULL), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rdata_of_no_octets_is_refused_where_a_type_needs_some),
        cmocka_unit_test(octets_behind_the_last_field_are_refused),
        cmocka_unit_test(names_may_be_neither_compressed_nor_too_long),
        cmocka_unit_test(strings_stay_inside_their_rdata),
        cmocka_unit_test(address_prefix_lists_hold_no_oversized_address),
        cmocka_unit_test(keys_and_digests_have_the_size_their_type_needs),
        cmocka_unit_test(type_bit_maps_have_one_form_only),
        cmocka_unit_test(gateways_are_complete),
        cmocka_unit_test(bit_maps_of_services_do_not_pass_the_last_port),
        cmocka_unit_test(locations_lie_on_earth),
        cmocka_unit_test(services_keep_their_parameters_in_bounds_and_in_order),
        cmocka_unit_test(rdata_is_never_longer_than_a_length_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
