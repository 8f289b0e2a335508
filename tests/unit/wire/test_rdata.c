/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rdata_text.h"
#include "wire/message.h"

static uint8_t wire[RDATA_MAX_SIZE];

static uint16_t type_of(const char *text)
{
    uint16_t type = 0;
    assert_true(rrtype_parse(text, strcspn(text, " \t"), &type));
    return type;
}

/* Lines of a golden file, cut at tabs into three fields. */
static void for_each_row(const char *path, void (*check)(char *text, char *second, char *third),
                         unsigned at_least)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    unsigned rows = 0;
    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *second = strchr(line, '\t');
        if (line[0] == '#' || second == NULL) {
            continue;
        }
        *second++ = '\0';
        char *third = strchr(second, '\t');
        assert_non_null(third);
        *third++ = '\0';
        check(line, second, third);
        rows++;
    }
    free(line);
    fclose(file);
    assert_true(rows >= at_least);
}

/* A copy of its exact size, so that the sanitizer sees the first stray octet. */
static struct slice exact_copy(struct slice bytes)
{
    uint8_t *copy = memory_new(bytes.size == 0 ? 1 : bytes.size);
    if (bytes.size != 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return slice_of(copy, bytes.size);
}

static void free_copy(struct slice copy)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } data = {.in = copy.data};
    memory_free(data.out);
}

/* Printed, and read back to the same octets. */
static void assert_prints(uint16_t type, struct slice rdata, const char *expected)
{
    static struct token words[WORDS_MAX];
    static uint8_t again[RDATA_MAX_SIZE];
    struct text text;
    struct error err = {0};
    size_t size = 0;
    size_t bad = 0;
    text_init(&text, 0);
    rdata_format(type, rdata, &text);
    if (expected != NULL) {
        assert_string_equal(text_str(&text), expected);
    }
    size_t count = words_of(text_str(&text), words);
    if (count < WORDS_MAX &&
        rdata_parse(type, words, count, NULL, again, &size, &bad, &err) != OK) {
        fail_msg("type %u: \"%s\" is not read back: %s", type, text_str(&text), err.text);
    }
    if (count < WORDS_MAX && !slice_equal(rdata, slice_of(again, size))) {
        fail_msg("type %u: \"%s\" is read back to other octets", type, text_str(&text));
    }
    text_deinit(&text);
}

static void check_good(char *text, char *hex, char *printed)
{
    static char found_hex[RDATA_MAX_SIZE * 2 + 1];
    struct error err = {0};
    size_t bad = 0;
    size_t size = wire_of(text, ".", wire, &bad, &err);
    if (size == SIZE_MAX) {
        fail_msg("%s: %s", text, err.text);
    }
    found_hex[hex_encode_upper(slice_of(wire, size), found_hex)] = '\0';
    if (strcmp(found_hex, hex) != 0) {
        fail_msg("%s:\nexpected %s\nfound    %s", text, hex, found_hex);
    }
    struct slice copy = exact_copy(slice_of(wire, size));
    assert_int_equal(rdata_check(type_of(text), copy, &err), OK);
    assert_prints(type_of(text), copy, printed);
    free_copy(copy);
}

static void good_text_gives_the_wire_of_bind_and_prints_to_the_canonical_form(void **state)
{
    (void)state;
    for_each_row("tests/golden/rdata/good.txt", check_good, 440);
    for_each_row("tests/golden/rdata/good_ours.txt", check_good, 10);
}

static void check_bad(char *text, char *index, char *message)
{
    struct error err = {0};
    size_t bad = 77;
    if (wire_of(text, ".", wire, &bad, &err) != SIZE_MAX) {
        fail_msg("%s: was taken", text);
    }
    assert_int_equal(err.code, ERR_FORMAT);
    if (strcmp(err.text, message) != 0 || bad != strtoul(index, NULL, 10)) {
        fail_msg("%s:\nexpected %s %s\nfound    %zu %s", text, index, message, bad, err.text);
    }
}

static void bad_text_is_refused_with_its_place_and_what_was_expected(void **state)
{
    (void)state;
    for_each_row("tests/golden/rdata/bad.txt", check_bad, 280);
}

/* Every prefix of good rdata, and rdata with one octet more, passes the check only where it also
 * prints to a text that reads back to it. */
static void check_cut(char *text, char *hex, char *printed)
{
    (void)printed;
    size_t size = 0;
    assert_true(hex_decode(hex, strlen(hex), wire, sizeof(wire), &size));
    wire[size] = 0;
    for (size_t cut = 0; cut <= size + 1; cut++) {
        struct slice copy = exact_copy(slice_of(wire, cut));
        uint16_t offsets[4];
        if (rdata_check(type_of(text), copy, NULL) == OK) {
            assert_prints(type_of(text), copy, NULL);
            assert_true(rdata_name_offsets(type_of(text), copy, offsets) <= 4);
        }
        free_copy(copy);
    }
}

static void cut_rdata_is_refused_or_reads_back(void **state)
{
    (void)state;
    for_each_row("tests/golden/rdata/good.txt", check_cut, 440);
    for_each_row("tests/golden/rdata/good_ours.txt", check_cut, 10);
}

static uint64_t random_state = 88172645463325252u;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static void check_changed(char *text, char *hex, char *printed)
{
    (void)printed;
    static uint8_t original[1024];
    size_t size = 0;
    assert_true(hex_decode(hex, strlen(hex), original, sizeof(original), &size));
    for (unsigned round = 0; size > 0 && round < 60; round++) {
        memcpy(wire, original, size);
        for (unsigned i = next_random() % 3 + 1; i > 0; i--) {
            wire[next_random() % size] = (uint8_t)next_random();
        }
        struct slice copy = exact_copy(slice_of(wire, size));
        bool is_good = rdata_check(type_of(text), copy, NULL) == OK;
        if (is_good) {
            assert_prints(type_of(text), copy, NULL);
            memcpy(wire, copy.data, copy.size);
            rdata_canonicalize(type_of(text), wire, size);
            assert_int_equal(rdata_compare(type_of(text), copy, slice_of(wire, size)), 0);
            (void)rdata_additional_name(type_of(text), copy);
        } else {
            /* Still no stray read, and the generic form. */
            struct text out;
            text_init(&out, 0);
            rdata_format(type_of(text), copy, &out);
            assert_memory_equal(text_str(&out), "\\# ", 3);
            text_deinit(&out);
        }
        /* As a whole message it is read or refused, without a stray read either. */
        static uint8_t read[RDATA_MAX_SIZE];
        size_t read_size = 0;
        if (rdata_read(type_of(text), copy, 0, copy.size, read, &read_size, NULL) == OK) {
            assert_int_equal(rdata_check(type_of(text), slice_of(read, read_size), NULL), OK);
        }
        free_copy(copy);
    }
}

static void changed_rdata_is_refused_or_reads_back(void **state)
{
    (void)state;
    for_each_row("tests/golden/rdata/good.txt", check_changed, 440);
    for_each_row("tests/golden/rdata/good_ours.txt", check_changed, 10);
}

static void parse(const char *text, const char *origin, struct slice *out)
{
    struct error err = {0};
    size_t bad = 0;
    size_t size = wire_of(text, origin, wire, &bad, &err);
    if (size == SIZE_MAX) {
        fail_msg("%s: %s", text, err.text);
    }
    *out = slice_of(wire, size);
}

static void rdata_parse_completes_names_with_the_origin(void **state)
{
    (void)state;
    struct slice rdata;
    parse("MX 10 mail", "Example.com", &rdata);
    assert_true(slice_equal(rdata, slice_of("\0\x0a\4mail\7Example\3com", 20)));
    parse("NS @", "example.com", &rdata);
    assert_true(slice_equal(rdata, slice_of("\7example\3com", 13)));
    parse("SOA @ hostmaster 1 2 3 4 5", "a", &rdata);
    assert_memory_equal(rdata.data, "\1a\0\12hostmaster\1a\0\0\0\0\1", 21);
    struct error err = {0};
    size_t bad = 9;
    assert_true(wire_of("NS @", NULL, wire, &bad, &err) == SIZE_MAX);
    assert_int_equal(bad, 0);
    assert_non_null(strstr(err.text, "no origin"));
    err = (struct error){0};
    assert_true(wire_of("MX 10 mail", NULL, wire, &bad, &err) == SIZE_MAX);
    assert_int_equal(bad, 1);
}

static void rdata_parse_stops_at_the_longest_rdata(void **state)
{
    (void)state;
    static char digits[2 * 65535 + 8];
    static char octets[255];
    static struct token words[300];
    struct error err = {0};
    size_t size = 0;
    size_t bad = 0;
    memset(digits, 'a', sizeof(digits));
    words[0] = (struct token){"\\#", 2, false};
    words[1] = (struct token){"65535", 5, false};
    words[2] = (struct token){digits, 2 * 65535, false};
    assert_int_equal(rdata_parse(65280, words, 3, NULL, wire, &size, &bad, &err), OK);
    assert_int_equal(size, 65535);
    words[2].size += 2;
    assert_int_equal(rdata_parse(65280, words, 3, NULL, wire, &size, &bad, &err), ERR_FORMAT);
    assert_string_equal(err.text, "rdata would be longer than 65535 octets");
    memset(octets, 'x', sizeof(octets));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        words[i] = (struct token){octets, sizeof(octets), true};
    }
    err = (struct error){0};
    assert_int_equal(rdata_parse(TYPE_TXT, words, 255, NULL, wire, &size, &bad, &err), OK);
    assert_int_equal(size, 255 * 256);
    assert_int_equal(rdata_parse(TYPE_TXT, words, 257, NULL, wire, &size, &bad, &err), ERR_FORMAT);
    assert_int_equal(bad, 255);
}

static void rdata_parse_takes_strings_up_to_255_octets(void **state)
{
    (void)state;
    char text[300];
    struct error err = {0};
    size_t size = 0;
    size_t bad = 0;
    memset(text, 'x', sizeof(text));
    struct token word = {text, 255, false};
    assert_int_equal(rdata_parse(TYPE_TXT, &word, 1, NULL, wire, &size, &bad, &err), OK);
    assert_int_equal(size, 256);
    memcpy(text, "\\120", 4);
    word.size = 258;
    assert_int_equal(rdata_parse(TYPE_TXT, &word, 1, NULL, wire, &size, &bad, &err), OK);
    assert_int_equal(size, 256);
    assert_int_equal(wire[1], 'x');
    word.size = 259;
    assert_int_equal(rdata_parse(TYPE_TXT, &word, 1, NULL, wire, &size, &bad, &err), ERR_FORMAT);
    assert_memory_equal(err.text, "expected a string of at most 255 octets, found \"\\120xxx", 53);
    assert_true(strlen(err.text) < 200);
}

static void errors_show_octets_that_do_not_print_as_question_marks(void **state)
{
    (void)state;
    struct error err = {0};
    size_t size = 0;
    size_t bad = 0;
    struct token word = {"1\x1b[2J\xff\n\0", 8, false};
    assert_int_equal(rdata_parse(TYPE_A, &word, 1, NULL, wire, &size, &bad, &err), ERR_FORMAT);
    assert_string_equal(err.text, "expected an IPv4 address, found \"1?[2J???\"");
}

static void rdata_read_expands_compressed_names(void **state)
{
    (void)state;
    static const uint8_t message[] = {1,    'a', 7, 'e', 'x', 'a', 'm', 'p',  'l', 'e',  0,
                                      0,    10,  4, 'm', 'a', 'i', 'l', 0xc0, 2,   0xc0, 0,
                                      0xc0, 13,  0, 0,   0,   1,   0,   0,    0,   2,    0,
                                      0,    0,   3, 0,   0,   0,   4,   0,    0,   0,    5};
    struct slice all = slice_of(message, sizeof(message));
    uint8_t out[RDATA_MAX_SIZE];
    size_t size = 0;
    struct error err = {0};
    assert_int_equal(rdata_read(TYPE_MX, all, 11, 9, out, &size, &err), OK);
    assert_true(slice_equal(slice_of(out, size), slice_of("\0\x0a\4mail\7example", 16)));
    assert_int_equal(rdata_read(TYPE_SOA, all, 20, 24, out, &size, &err), OK);
    assert_true(slice_equal(slice_of(out, size),
                            slice_of("\1a\7example\0\4mail\7example\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"
                                     "\4\0\0\0\5",
                                     45)));
    /* Cut: the name would go on behind the rdata, or a number is missing. */
    assert_int_equal(rdata_read(TYPE_MX, all, 11, 8, out, &size, NULL), ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_MX, all, 11, 1, out, &size, NULL), ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_MX, all, 11, 0, out, &size, NULL), ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_SOA, all, 20, 23, out, &size, NULL), ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_MX, all, 11, 10, out, &size, NULL), ERR_FORMAT);
}

static void rdata_read_takes_pointers_only_where_the_type_allows_them(void **state)
{
    (void)state;
    /* 16 bits, and a pointer to the name in front. */
    static const uint8_t message[] = {1, 'a', 0, 0, 1, 0xc0, 0};
    struct slice all = slice_of(message, sizeof(message));
    uint8_t out[RDATA_MAX_SIZE];
    size_t size = 0;
    static const uint16_t allowed[] = {TYPE_MX, 18, 21};
    static const uint16_t refused[] = {36, 107, TYPE_SVCB, TYPE_HTTPS};
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        assert_int_equal(rdata_read(allowed[i], all, 3, 4, out, &size, NULL), OK);
        assert_true(slice_equal(slice_of(out, size), slice_of("\0\1\1a", 5)));
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        assert_int_equal(rdata_read(refused[i], all, 3, 4, out, &size, NULL), ERR_FORMAT);
    }
    /* A target alone. */
    assert_int_equal(rdata_read(TYPE_NS, all, 5, 2, out, &size, NULL), OK);
    assert_int_equal(rdata_read(TYPE_PTR, all, 5, 2, out, &size, NULL), OK);
    assert_int_equal(rdata_read(TYPE_DNAME, all, 5, 2, out, &size, NULL), ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_NSEC, all, 5, 2, out, &size, NULL), ERR_FORMAT);
    /* Forward and to itself. */
    assert_int_equal(rdata_read(TYPE_NS, slice_of("\xc0\0", 2), 0, 2, out, &size, NULL),
                     ERR_FORMAT);
    assert_int_equal(rdata_read(TYPE_NS, slice_of("\xc0\2\1a\0", 5), 0, 2, out, &size, NULL),
                     ERR_FORMAT);
    assert_int_equal(size, 3);
}

static void rdata_canonicalize_lowers_the_names_of_rfc_4034_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *canonical;
    } cases[] = {
        {"NS NS1.Example.", "ns1.example."},
        {"SOA A. B. 1 2 3 4 5", "a. b. 1 2 3 4 5"},
        {"NAPTR 1 2 \"U\" \"E2U\" \"A\" X.Y.", "1 2 \"U\" \"E2U\" \"A\" x.y."},
        {"RRSIG A 8 2 1 20200101000000 20200101000000 1 Signer. QUFB",
         "A 8 2 1 20200101000000 20200101000000 1 signer. QUFB"},
        {"SRV 1 2 3 Host.", "1 2 3 host."},
        {"A6 64 ::1 Prefix.", "64 ::1 prefix."},
        {"NSEC Next.Example. A", "Next.Example. A"},
        {"SVCB 1 Svc. alpn=\"H2\"", "1 Svc. alpn=\"H2\""},
        {"TXT ABC", "\"ABC\""},
        {"HINFO ABC DEF", "\"ABC\" \"DEF\""},
        {"LP 1 Abc.", "1 Abc."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct slice rdata;
        struct text text;
        parse(cases[i].text, NULL, &rdata);
        rdata_canonicalize(type_of(cases[i].text), wire, rdata.size);
        text_init(&text, 0);
        rdata_format(type_of(cases[i].text), rdata, &text);
        assert_string_equal(text_str(&text), cases[i].canonical);
        text_deinit(&text);
    }
    rdata_canonicalize(TYPE_NS, wire, 0); /* records without rdata stand in updates */
}

static int compare(const char *a, const char *b)
{
    static uint8_t first[RDATA_MAX_SIZE];
    struct slice rdata;
    parse(a, NULL, &rdata);
    memcpy(first, rdata.data, rdata.size);
    size_t size = rdata.size;
    parse(b, NULL, &rdata);
    int order = rdata_compare(type_of(a), slice_of(first, size), rdata);
    int reverse = rdata_compare(type_of(a), rdata, slice_of(first, size));
    assert_true((order < 0) == (reverse > 0) && (order == 0) == (reverse == 0));
    return order;
}

static void rdata_compare_follows_canonical_order(void **state)
{
    (void)state;
    assert_int_equal(compare("NS ns1.example.", "NS NS1.EXAMPLE."), 0);
    assert_true(compare("NS a.", "NS B.") < 0);
    assert_true(compare("NS A.", "NS b.") < 0);
    assert_true(compare("NS aa.", "NS b.") > 0); /* the longer label has the greater length octet */
    assert_true(compare("NS a.", "NS a.b.") < 0);
    assert_true(compare("MX 10 a.", "MX 9 z.") > 0);
    assert_int_equal(compare("MX 10 Mail.", "MX 10 mAIL."), 0);
    assert_true(compare("SOA a. b. 1 2 3 4 5", "SOA A. B. 1 2 3 4 6") < 0);
    assert_true(compare("TXT a", "TXT A") > 0);
    assert_true(compare("NAPTR 1 1 a \"\" \"\" x.", "NAPTR 1 1 A \"\" \"\" X.") > 0);
    assert_int_equal(compare("NAPTR 1 1 a \"\" \"\" x.", "NAPTR 1 1 a \"\" \"\" X."), 0);
    assert_true(compare("A 10.0.0.1", "A 9.0.0.1") > 0);
    assert_true(compare("NSEC a. A", "NSEC A. A") > 0);
    assert_true(rdata_compare(TYPE_NS, slice_of("", 0), slice_of("\1a", 3)) < 0);
}

static void rdata_name_offsets_find_every_embedded_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        uint16_t offsets[4];
    } cases[] = {
        {"A 1.2.3.4", 0, {0}},
        {"NS a.", 1, {0}},
        {"SOA a. b. 1 2 3 4 5", 2, {0, 3}},
        {"MX 1 a.", 1, {2}},
        {"SRV 1 2 3 a.", 1, {6}},
        {"NAPTR 1 2 a b c d.", 1, {10}},
        {"RRSIG A 8 2 1 1 1 1 a. AAAA", 1, {18}},
        {"HTTPS 1 a. port=1", 1, {2}},
        {"IPSECKEY 1 3 1 a. AAAA", 1, {3}},
        {"IPSECKEY 1 1 1 1.2.3.4 AAAA", 0, {0}},
        {"AMTRELAY 1 0 3 a.", 1, {2}},
        {"AMTRELAY 1 1 2 ::1", 0, {0}},
        {"A6 0 ::1", 0, {0}},
        {"A6 64 ::1 a.", 1, {9}},
        {"A6 128 a.", 1, {1}},
        {"HIP 2 AABB AQID a. b. c. d. e.", 4, {9, 12, 15, 18}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct slice rdata;
        uint16_t offsets[4];
        parse(cases[i].text, NULL, &rdata);
        assert_int_equal(rdata_name_offsets(type_of(cases[i].text), rdata, offsets),
                         cases[i].count);
        for (size_t n = 0; n < cases[i].count; n++) {
            assert_int_equal(offsets[n], cases[i].offsets[n]);
        }
    }
}

static void rdata_additional_name_is_the_target(void **state)
{
    (void)state;
    static const char *const with[] = {
        "NS a.",      "MX 1 a.",   "SRV 1 2 3 a.", "HTTPS 1 a.",
        "AFSDB 1 a.", "SVCB 0 a.", "KX 1 a.",      "NAPTR 1 1 A \"\" \"\" a."};
    static const char *const without[] = {
        "CNAME a.", "SOA a. b. 1 2 3 4 5", "MX 0 .", "HTTPS 1 .", "TXT a", "DNAME a."};
    struct slice rdata;
    for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
        parse(with[i], NULL, &rdata);
        const uint8_t *name = rdata_additional_name(type_of(with[i]), rdata);
        assert_non_null(name);
        assert_memory_equal(name, "\1a", 3);
    }
    for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
        parse(without[i], NULL, &rdata);
        assert_null(rdata_additional_name(type_of(without[i]), rdata));
    }
}

static void rdata_format_appends_and_keeps_what_was_there(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, "x 60 IN LOC ");
    rdata_format(29, slice_of("\0\x03\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20", 16),
                 &text);
    assert_string_equal(text_str(&text), "x 60 IN LOC \\# 16 0003161389172DD070BE15F000988D20");
    text_deinit(&text);
    /* A buffer with a ceiling overflows without harm. */
    text_init(&text, 10);
    rdata_format(TYPE_TXT, slice_of("\xff", 1), &text);
    rdata_format(TYPE_TXT,
                 slice_of("\x0c"
                          "abcdefghijkl",
                          13),
                 &text);
    assert_true(text.overflowed);
    assert_true(text.size <= 10);
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_gives_the_wire_of_bind_and_prints_to_the_canonical_form),
        cmocka_unit_test(bad_text_is_refused_with_its_place_and_what_was_expected),
        cmocka_unit_test(cut_rdata_is_refused_or_reads_back),
        cmocka_unit_test(changed_rdata_is_refused_or_reads_back),
        cmocka_unit_test(rdata_parse_completes_names_with_the_origin),
        cmocka_unit_test(rdata_parse_stops_at_the_longest_rdata),
        cmocka_unit_test(rdata_parse_takes_strings_up_to_255_octets),
        cmocka_unit_test(errors_show_octets_that_do_not_print_as_question_marks),
        cmocka_unit_test(rdata_read_expands_compressed_names),
        cmocka_unit_test(rdata_read_takes_pointers_only_where_the_type_allows_them),
        cmocka_unit_test(rdata_canonicalize_lowers_the_names_of_rfc_4034_only),
        cmocka_unit_test(rdata_compare_follows_canonical_order),
        cmocka_unit_test(rdata_name_offsets_find_every_embedded_name),
        cmocka_unit_test(rdata_additional_name_is_the_target),
        cmocka_unit_test(rdata_format_appends_and_keeps_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
