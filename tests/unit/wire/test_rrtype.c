/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "wire/record.h"
#include "wire/rrtype.h"

static void assert_type(const char *text, uint16_t expected)
{
    uint16_t number = 0;
    if (!rrtype_parse(text, strlen(text), &number)) {
        fail_msg("%s is not known", text);
    }
    assert_int_equal(number, expected);
}

static void assert_no_type(const char *text)
{
    uint16_t number = 77;
    assert_false(rrtype_parse(text, strlen(text), &number));
    assert_int_equal(number, 77);
}

static void rrtype_parse_finds_every_name_of_the_table_in_any_case(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned number = 0; number <= 65535; number++) {
        const struct rrtype *type = rrtype_get((uint16_t)number);
        if (type->name[0] == '\0') {
            continue;
        }
        assert_int_equal(type->number, number);
        char lower[16] = {0};
        char mixed[16] = {0};
        for (size_t i = 0; type->name[i] != '\0'; i++) {
            lower[i] = (char)tolower((unsigned char)type->name[i]);
            mixed[i] = i % 2 == 0 ? lower[i] : type->name[i];
        }
        assert_type(type->name, (uint16_t)number);
        assert_type(lower, (uint16_t)number);
        assert_type(mixed, (uint16_t)number);
        known++;
    }
    assert_int_equal(known, 96);
}

static void rrtype_names_have_the_numbers_of_the_registry(void **state)
{
    (void)state;
    assert_type("A", TYPE_A);
    assert_type("SOA", TYPE_SOA);
    assert_type("AAAA", TYPE_AAAA);
    assert_type("NSAP-PTR", 23);
    assert_type("OPT", TYPE_OPT);
    assert_type("RRSIG", TYPE_RRSIG);
    assert_type("NSEC3PARAM", TYPE_NSEC3PARAM);
    assert_type("OPENPGPKEY", 61);
    assert_type("ZONEMD", TYPE_ZONEMD);
    assert_type("HTTPS", TYPE_HTTPS);
    assert_type("EUI64", 109);
    assert_type("ANY", TYPE_ANY);
    assert_type("URI", 256);
    assert_type("CAA", 257);
    assert_type("WALLET", 262);
    assert_type("DLV", 32769);
}

static void rrtype_parse_and_format_numbered_types(void **state)
{
    (void)state;
    char out[16];
    assert_type("TYPE65280", 65280);
    assert_type("type1", 1);
    assert_type("TYPE0", 0);
    assert_type("TYPE65535", 65535);
    assert_string_equal(rrtype_format(65280, out), "TYPE65280");
    assert_string_equal(rrtype_format(65535, out), "TYPE65535");
    assert_string_equal(rrtype_format(28, out), "AAAA");
    assert_string_equal(rrtype_format(61, out), "OPENPGPKEY");
    assert_string_equal(rrtype_format(0, out), "TYPE0");
    assert_string_equal(rrtype_format(54, out), "TYPE54");
}

static void rrtype_parse_refuses_what_is_no_type(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "AA", "AAA",         "B",         "TYPE", "TYPE65536", "TYPE-1", "TYPE1x",
        "TYPE000001", "IN", "NSEC3PARAMS", "OPENPGPKE", "A ",   "NSAP_PTR",  "\rX"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_no_type(bad[i]);
    }
    uint16_t number = 0;
    assert_false(rrtype_parse("A\0", 2, &number));
    assert_false(rrtype_parse("TXT\0\0\0\0\0\0\0", 10, &number));
    /* The whole of TYPE and digits, and what is one octet off from each name. */
    for (unsigned i = 0; i <= 65535; i++) {
        const char *name = rrtype_get((uint16_t)i)->name;
        char other[16] = {0};
        memcpy(other, name, strlen(name));
        for (size_t at = 0; name[at] != '\0'; at++) {
            other[at] = (char)(name[at] ^ 0x20);
            bool is_letter = name[at] >= 'A' && name[at] <= 'Z';
            assert_true(rrtype_parse(other, strlen(name), &number) == is_letter);
            other[at] = name[at];
        }
    }
}

static void rrtype_get_marks_meta_types(void **state)
{
    (void)state;
    static const uint16_t meta[] = {0, 41, 128, 200, 249, 250, 251, 252, 253, 254, 255};
    static const uint16_t data[] = {1, 10, 54, 127, 256, 300, 32768, 65280, 65535};
    for (size_t i = 0; i < ARRAY_SIZE(meta); i++) {
        assert_true((rrtype_get(meta[i])->flags & RRTYPE_META) != 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
        assert_true((rrtype_get(data[i])->flags & RRTYPE_META) == 0);
    }
}

static void rrtype_get_gives_an_entry_for_unknown_numbers(void **state)
{
    (void)state;
    const struct rrtype *type = rrtype_get(65280);
    assert_string_equal(type->name, "");
    assert_int_equal(type->fields[0], FIELD_UNKNOWN);
    assert_int_equal(type->fields[1], FIELD_END);
    assert_ptr_equal(rrtype_get(32770), type);
    assert_ptr_equal(rrtype_get(32767), type);
}

static void rrtype_flags_follow_the_rfcs(void **state)
{
    (void)state;
    static const uint16_t canonical[] = {2,  3,  4,  5,  6,  7,  8,  9,  12, 14, 15, 17,
                                         18, 21, 24, 26, 30, 33, 35, 36, 38, 39, 46};
    size_t next = 0;
    for (unsigned i = 0; i <= 65535; i++) {
        bool expected = next < ARRAY_SIZE(canonical) && canonical[next] == i;
        next += expected;
        assert_true(((rrtype_get((uint16_t)i)->flags & RRTYPE_CANONICAL_NAMES) != 0) == expected);
    }
    assert_true((rrtype_get(TYPE_SOA)->flags & RRTYPE_SINGLETON) != 0);
    assert_true((rrtype_get(TYPE_CNAME)->flags & RRTYPE_SINGLETON) != 0);
    assert_true((rrtype_get(TYPE_DNAME)->flags & RRTYPE_SINGLETON) != 0);
    assert_true((rrtype_get(TYPE_NS)->flags & RRTYPE_ADDITIONAL) != 0);
}

static void assert_class(const char *text, bool is_good, uint16_t expected)
{
    uint16_t number = 0;
    assert_true(rrclass_parse(text, strlen(text), &number) == is_good);
    assert_int_equal(number, expected);
}

static void rrclass_parse_and_format(void **state)
{
    (void)state;
    char out[16];
    assert_class("IN", true, CLASS_IN);
    assert_class("in", true, CLASS_IN);
    assert_class("CH", true, CLASS_CH);
    assert_class("chaos", true, CLASS_CH);
    assert_class("HS", true, CLASS_HS);
    assert_class("HESIOD", true, CLASS_HS);
    assert_class("NONE", true, CLASS_NONE);
    assert_class("ANY", true, CLASS_ANY);
    assert_class("CLASS255", true, 255);
    assert_class("class65535", true, 65535);
    assert_class("CLASS65536", false, 0);
    assert_class("CLASS", false, 0);
    assert_class("I", false, 0);
    assert_class("INN", false, 0);
    assert_class("", false, 0);
    uint16_t number = 0;
    assert_false(rrclass_parse("IN\0\0", 4, &number));
    assert_string_equal(rrclass_format(1, out), "IN");
    assert_string_equal(rrclass_format(3, out), "CH");
    assert_string_equal(rrclass_format(4, out), "HS");
    assert_string_equal(rrclass_format(254, out), "NONE");
    assert_string_equal(rrclass_format(255, out), "ANY");
    assert_string_equal(rrclass_format(2, out), "CLASS2");
    assert_string_equal(rrclass_format(65535, out), "CLASS65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rrtype_parse_finds_every_name_of_the_table_in_any_case),
        cmocka_unit_test(rrtype_names_have_the_numbers_of_the_registry),
        cmocka_unit_test(rrtype_parse_and_format_numbered_types),
        cmocka_unit_test(rrtype_parse_refuses_what_is_no_type),
        cmocka_unit_test(rrtype_get_marks_meta_types),
        cmocka_unit_test(rrtype_get_gives_an_entry_for_unknown_numbers),
        cmocka_unit_test(rrtype_flags_follow_the_rfcs),
        cmocka_unit_test(rrclass_parse_and_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
