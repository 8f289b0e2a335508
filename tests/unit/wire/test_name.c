/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "wire/name.h"

static struct name name_of(const char *text)
{
    struct name name;
    struct error err = {0};
    if (name_parse_str(text, &name, &err) != OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return name;
}

/* A copy in memory of its exact size, so that a sanitizer sees the first stray octet. */
static uint8_t *exact_copy(const struct name *name)
{
    uint8_t *copy = malloc(name->size);
    assert_non_null(copy);
    memcpy(copy, name->wire, name->size);
    return copy;
}

static void parse_expect_error(const char *text, const char *part)
{
    struct name name;
    struct error err = {0};
    assert_int_equal(name_parse_str(text, &name, &err), ERR_FORMAT);
    if (strstr(err.text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.text);
    }
}

static void name_parse_keeps_case(void **state)
{
    (void)state;
    struct name name = name_of("wWw.Example.COM.");
    assert_int_equal(name.size, 17);
    assert_memory_equal(name.wire, "\3wWw\7Example\3COM", 17);
}

static void name_parse_completes_with_the_origin(void **state)
{
    (void)state;
    struct name origin = name_of("example.org.");
    struct name name;
    struct error err = {0};
    assert_int_equal(name_parse("www", 3, origin.wire, &name, &err), OK);
    assert_memory_equal(name.wire, "\3www\7example\3org", 17);
    assert_int_equal(name_parse("www.", 4, origin.wire, &name, &err), OK);
    assert_int_equal(name.size, 5);
    assert_int_equal(name_parse("a", 1, origin.wire, &origin, &err), OK);
    assert_memory_equal(origin.wire, "\1a\7example\3org", 15);
    assert_int_equal(name_parse("www", 3, NULL, &name, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "no origin"));
}

static void name_parse_reads_the_root(void **state)
{
    (void)state;
    struct name name = name_of(".");
    assert_int_equal(name.size, 1);
    assert_int_equal(name.wire[0], 0);
}

static void name_parse_reads_escapes(void **state)
{
    (void)state;
    struct name name = name_of("a\\.b\\000\\255\\\\.c");
    assert_int_equal(name.size, 10);
    assert_memory_equal(name.wire, "\6a.b\0\377\\\1c", 10);
}

static void name_parse_refuses_bad_text(void **state)
{
    (void)state;
    parse_expect_error("", "empty name");
    parse_expect_error("a..b", "empty label");
    parse_expect_error(".a", "empty label");
    parse_expect_error("..", "empty label");
    parse_expect_error("a\\", "backslash");
    parse_expect_error("a\\12", "three decimal digits");
    parse_expect_error("a\\1x2", "three decimal digits");
    parse_expect_error("a\\256", "above 255");
}

static void name_parse_holds_the_limits(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'a', sizeof(text));
    text[63] = '\0';
    assert_int_equal(name_of(text).size, 65);
    text[63] = 'a';
    text[64] = '\0';
    parse_expect_error(text, "63 octets");
    /* 63 + 63 + 63 + 61 octets in labels make exactly 255. */
    memset(text, 'a', sizeof(text));
    text[63] = text[127] = text[191] = '.';
    text[253] = '\0';
    assert_int_equal(name_of(text).size, 255);
    text[253] = '.';
    text[254] = '\0';
    assert_int_equal(name_of(text).size, 255);
    text[253] = 'a';
    parse_expect_error(text, "255 octets");
    /* One that fits alone but not under its origin. */
    struct name origin = name_of("example.");
    struct name name;
    struct error err = {0};
    text[253] = '\0';
    assert_int_equal(name_parse(text, 253, origin.wire, &name, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "with its origin"));
    char many[255];
    for (size_t i = 0; i < 254; i++) {
        many[i] = i % 2 == 0 ? 'x' : '.';
    }
    many[254] = '\0';
    struct name deep = name_of(many);
    assert_int_equal(deep.size, 255);
    assert_int_equal(name_label_count(deep.wire), 127);
    uint8_t offsets[NAME_MAX_LABELS];
    assert_int_equal(name_label_offsets(deep.wire, offsets), 128);
    assert_int_equal(offsets[127], 254);
}

static void name_format_and_parse_are_inverse(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t wire[6] = {3, (uint8_t)first, 'x', (uint8_t)(255 - first), 0};
        char text[NAME_TEXT_SIZE];
        name_format(wire, text);
        struct name back = name_of(text);
        assert_int_equal(back.size, 5);
        assert_memory_equal(back.wire, wire, 5);
        for (const char *p = text; *p != '\0'; p++) {
            assert_in_range((unsigned char)*p, 0x21, 0x7e);
        }
    }
    char text[NAME_TEXT_SIZE];
    struct name root = name_of(".");
    assert_string_equal(name_format(root.wire, text), ".");
    assert_string_equal(name_format_log(root.wire, text), ".");
    struct name name = name_of("a\\.b.example.");
    assert_string_equal(name_format(name.wire, text), "a\\.b.example.");
    assert_string_equal(name_format_log(name.wire, text), "a\\.b.example");
}

static void name_format_fits_the_longest(void **state)
{
    (void)state;
    struct name name = {.size = 255};
    memset(name.wire, 0, sizeof(name.wire));
    name.wire[0] = name.wire[64] = name.wire[128] = 63;
    name.wire[192] = 61;
    assert_int_equal(name_check(slice_of(name.wire, 255)), 255);
    char *text = malloc(NAME_TEXT_SIZE);
    name_format(name.wire, text);
    assert_int_equal(strlen(text), 250 * 4 + 4);
    free(text);
}

static void name_check_finds_only_whole_names(void **state)
{
    (void)state;
    static const uint8_t good[] = "\3www\0trailing";
    assert_int_equal(name_check(slice_of(good, sizeof(good))), 5);
    assert_int_equal(name_check(slice_of(good, 5)), 5);
    assert_int_equal(name_check(slice_of(good, 4)), 0);
    assert_int_equal(name_check(slice_of(good, 0)), 0);
    static const uint8_t pointer[] = {1, 'a', 0xc0, 0};
    assert_int_equal(name_check(slice_of(pointer, sizeof(pointer))), 0);
    static const uint8_t long_label[100] = {64};
    assert_int_equal(name_check(slice_of(long_label, sizeof(long_label))), 0);
    uint8_t longest[300];
    for (size_t i = 0; i < sizeof(longest); i++) {
        longest[i] = i % 2 == 0 ? 1 : 'x';
    }
    longest[254] = 0;
    assert_int_equal(name_check(slice_of(longest, sizeof(longest))), 255);
    longest[254] = 1;
    longest[256] = 0;
    assert_int_equal(name_check(slice_of(longest, sizeof(longest))), 0);
}

static void name_equal_ignores_case_of_letters_only(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            bool same = a == b || (a < 128 && b < 128 && isalpha((int)a) && isalpha((int)b) &&
                                   tolower((int)a) == tolower((int)b));
            for (unsigned length = 1; length <= 17; length += 8) {
                uint8_t one[20] = {(uint8_t)length};
                uint8_t two[20] = {(uint8_t)length};
                memset(one + 1, 'q', length);
                memset(two + 1, 'Q', length);
                one[length / 2 + 1] = (uint8_t)a;
                two[length / 2 + 1] = (uint8_t)b;
                assert_true(name_equal(one, two) == same);
                assert_true((name_hash(7, one) == name_hash(7, two)) == same);
                assert_true((name_compare(one, two) == 0) == same);
            }
        }
    }
}

static void name_functions_never_read_past_the_name(void **state)
{
    (void)state;
    for (unsigned length = 1; length <= 63; length++) {
        struct name upper = {.size = (uint8_t)(length + 2), .wire = {(uint8_t)length}};
        struct name lower = upper;
        for (unsigned i = 0; i < length; i++) {
            lower.wire[1 + i] = (uint8_t)('a' + i % 26);
            upper.wire[1 + i] = (uint8_t)('A' + i % 26);
        }
        uint8_t *a = exact_copy(&upper);
        uint8_t *b = exact_copy(&lower);
        assert_true(name_equal(a, b));
        assert_false(name_equal_case(a, b));
        assert_int_equal(name_compare(a, b), 0);
        assert_true(name_hash(3, a) == name_hash(3, b));
        uint8_t key_a[NAME_KEY_SIZE];
        uint8_t key_b[NAME_KEY_SIZE];
        assert_int_equal(name_key(a, 0, key_a), length + 1);
        assert_int_equal(name_key(b, 0, key_b), length + 1);
        assert_memory_equal(key_a, key_b, length + 1);
        /* A difference at any place is seen. */
        for (unsigned i = 0; i < length; i++) {
            uint8_t was = b[1 + i];
            b[1 + i] = '{';
            assert_false(name_equal(a, b));
            assert_true(name_compare(a, b) < 0);
            assert_true(name_hash(3, a) != name_hash(3, b));
            b[1 + i] = was;
        }
        name_lower(a);
        assert_true(name_equal_case(a, b));
        free(a);
        free(b);
    }
}

static void name_equal_sees_label_boundaries(void **state)
{
    (void)state;
    struct name a = name_of("ab.c.");
    struct name b = name_of("a.bc.");
    assert_false(name_equal(a.wire, b.wire));
    assert_true(name_hash(1, a.wire) != name_hash(1, b.wire));
    struct name root = name_of(".");
    assert_false(name_equal(a.wire, root.wire));
    assert_true(name_equal(root.wire, root.wire));
    struct name longer = name_of("ab.c.d.");
    assert_false(name_equal(a.wire, longer.wire));
}

/* The example of RFC 4034 6.1, and neighbours that tempt. */
static const char *const ordered[] = {
    ".",
    "example.",
    "a.example.",
    "yljkjljk.a.example.",
    "Z.a.example.",
    "zABC.a.EXAMPLE.",
    "z.example.",
    "\\000.z.example.",
    "\\000\\000.z.example.",
    "\\000\\001.z.example.",
    "\\001.z.example.",
    "\\001\\000.z.example.",
    "\\002.z.example.",
    "*.z.example.",
    "\\200.z.example.",
    "\\200\\000.z.example.",
    "abcdefgh.zz.example.",
    "abcdefghi.zz.example.",
    "abcdefghijkl\\000mno.zz.example.",
    "abcdefghijklmno.zz.example.",
    "abcdefghijklmnp.zz.example.",
    "examplf.",
};

static void name_compare_is_canonical_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        for (size_t j = 0; j < sizeof(ordered) / sizeof(ordered[0]); j++) {
            struct name a = name_of(ordered[i]);
            struct name b = name_of(ordered[j]);
            int order = name_compare(a.wire, b.wire);
            int expected = (i > j) - (i < j);
            if ((order > 0) - (order < 0) != expected) {
                fail_msg("%s against %s gives %d", ordered[i], ordered[j], order);
            }
            uint8_t key_a[NAME_KEY_SIZE];
            uint8_t key_b[NAME_KEY_SIZE];
            size_t size_a = name_key(a.wire, 0, key_a);
            size_t size_b = name_key(b.wire, 0, key_b);
            order = slice_compare(slice_of(key_a, size_a), slice_of(key_b, size_b));
            if ((order > 0) - (order < 0) != expected) {
                fail_msg("keys of %s against %s give %d", ordered[i], ordered[j], order);
            }
        }
    }
}

static void random_name(struct name *out)
{
    static const uint8_t alphabet[] = {0, 1, 2, '*', 'A', 'a', 'b', 'Z', 'z', '[', '`', 0x80, 0xff};
    size_t at = 0;
    unsigned labels = (unsigned)rand() % 4;
    for (unsigned i = 0; i < labels; i++) {
        unsigned length = 1 + (unsigned)rand() % 10;
        out->wire[at++] = (uint8_t)length;
        for (unsigned j = 0; j < length; j++) {
            out->wire[at++] = rand() % 4 != 0 ? 'a' : alphabet[(size_t)rand() % sizeof(alphabet)];
        }
    }
    out->wire[at++] = 0;
    out->size = (uint8_t)at;
}

static void keys_hashes_and_compare_agree(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct name a;
        struct name b;
        random_name(&a);
        random_name(&b);
        uint8_t key_a[NAME_KEY_SIZE];
        uint8_t key_b[NAME_KEY_SIZE];
        int by_key = slice_compare(slice_of(key_a, name_key(a.wire, 0, key_a)),
                                   slice_of(key_b, name_key(b.wire, 0, key_b)));
        int by_name = name_compare(a.wire, b.wire);
        assert_int_equal((by_key > 0) - (by_key < 0), (by_name > 0) - (by_name < 0));
        assert_int_equal(by_name == 0, name_equal(a.wire, b.wire));
        assert_int_equal(by_name == 0, name_hash(5, a.wire) == name_hash(5, b.wire));
    }
}

static void name_key_leaves_out_the_apex(void **state)
{
    (void)state;
    struct name name = name_of("A.b.Example.Org.");
    uint8_t key[NAME_KEY_SIZE];
    assert_int_equal(name_key(name.wire, 2, key), 4);
    assert_memory_equal(key, "b\0a", 4);
    assert_int_equal(name_key(name.wire, 4, key), 0);
    assert_int_equal(name_key(name.wire, 0, key), 16);
    assert_memory_equal(key, "org\0example\0b\0a", 16);
    struct name odd = name_of("\\000\\001\\002.");
    assert_int_equal(name_key(odd.wire, 0, key), 6);
    assert_memory_equal(key, "\1\1\1\2\2", 6);
}

static void name_hash_folds_from_the_root(void **state)
{
    (void)state;
    struct name name = name_of("www.Example.com.");
    uint64_t hash = name_hash_label(11, (const uint8_t *)"\3com");
    hash = name_hash_label(hash, (const uint8_t *)"\7example");
    assert_true(hash == name_hash(11, name_skip_labels(name.wire, 1)));
    hash = name_hash_label(hash, (const uint8_t *)"\3WWW");
    assert_true(hash == name_hash(11, name.wire));
    struct name root = name_of(".");
    assert_true(name_hash(11, root.wire) == 11);
    assert_true(name_hash(12, name.wire) != hash);
}

static void name_hash_spreads(void **state)
{
    (void)state;
    static unsigned buckets[4096];
    uint64_t key = random_u64();
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t wire[16];
        int length = snprintf((char *)wire + 1, 15, "d%u", i);
        wire[0] = (uint8_t)length;
        buckets[name_hash_label(key, wire) & 4095]++;
    }
    for (unsigned i = 0; i < 4096; i++) {
        assert_in_range(buckets[i], 0, 48); /* 16 expected */
    }
}

static void name_subdomain_and_wildcard(void **state)
{
    (void)state;
    struct name zone = name_of("Example.org.");
    struct name below = name_of("a.b.eXample.org.");
    struct name other = name_of("xexample.org.");
    struct name root = name_of(".");
    struct name star = name_of("*.example.org.");
    struct name inner = name_of("a.*.example.org.");
    struct name stars = name_of("**.example.org.");
    assert_true(name_is_subdomain(below.wire, zone.wire));
    assert_true(name_is_subdomain(zone.wire, zone.wire));
    assert_true(name_is_subdomain(zone.wire, root.wire));
    assert_false(name_is_subdomain(zone.wire, below.wire));
    assert_false(name_is_subdomain(other.wire, zone.wire));
    assert_true(name_is_wildcard(star.wire));
    assert_false(name_is_wildcard(inner.wire));
    assert_false(name_is_wildcard(stars.wire));
    assert_false(name_is_wildcard(root.wire));
}

static void name_copy_and_labels(void **state)
{
    (void)state;
    struct name name = name_of("a.bc.example.");
    struct name copy;
    name_copy(&copy, name.wire);
    assert_int_equal(copy.size, name.size);
    assert_true(name_equal_case(copy.wire, name.wire));
    uint8_t offsets[NAME_MAX_LABELS];
    assert_int_equal(name_label_offsets(name.wire, offsets), 4);
    assert_int_equal(offsets[0], 0);
    assert_int_equal(offsets[1], 2);
    assert_int_equal(offsets[2], 5);
    assert_int_equal(offsets[3], 13);
    assert_int_equal(name_size(name.wire), 14);
    assert_ptr_equal(name_skip_labels(name.wire, 3), name.wire + 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_parse_keeps_case),
        cmocka_unit_test(name_parse_completes_with_the_origin),
        cmocka_unit_test(name_parse_reads_the_root),
        cmocka_unit_test(name_parse_reads_escapes),
        cmocka_unit_test(name_parse_refuses_bad_text),
        cmocka_unit_test(name_parse_holds_the_limits),
        cmocka_unit_test(name_format_and_parse_are_inverse),
        cmocka_unit_test(name_format_fits_the_longest),
        cmocka_unit_test(name_check_finds_only_whole_names),
        cmocka_unit_test(name_equal_ignores_case_of_letters_only),
        cmocka_unit_test(name_functions_never_read_past_the_name),
        cmocka_unit_test(name_equal_sees_label_boundaries),
        cmocka_unit_test(name_compare_is_canonical_order),
        cmocka_unit_test(keys_hashes_and_compare_agree),
        cmocka_unit_test(name_key_leaves_out_the_apex),
        cmocka_unit_test(name_hash_folds_from_the_root),
        cmocka_unit_test(name_hash_spreads),
        cmocka_unit_test(name_subdomain_and_wildcard),
        cmocka_unit_test(name_copy_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
