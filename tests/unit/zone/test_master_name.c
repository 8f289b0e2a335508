/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "zone/master_impl.h"

enum { ROOM = 512 };

static bool plain(const char *text, size_t size, const struct name *origin, struct name *out)
{
    char window[ROOM] = {0};
    assert_true(size + 16 <= sizeof(window));
    memcpy(window, text, size);
    return master_plain_name(window, size, origin, out);
}

static struct name name_of(const char *text)
{
    struct name name;
    struct error err = {0};
    assert_int_equal(name_parse_str(text, &name, &err), OK);
    return name;
}

static void plain_names_are_read_without_escapes(void **state)
{
    (void)state;
#ifdef __SSE2__
    struct name origin = name_of("example.com");
    struct name out;
    assert_true(plain("www", 3, &origin, &out));
    struct name expected = name_of("www.example.com");
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.wire, expected.wire, expected.size);
    assert_true(plain("a.very-long.name-with.many.labels.in.it.", 40, &origin, &out));
    expected = name_of("a.very-long.name-with.many.labels.in.it");
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.wire, expected.wire, expected.size);
#endif
}

static void what_is_not_plain_is_left_to_name_parse(void **state)
{
    (void)state;
    struct name origin = name_of("example.com");
    struct name out;
    assert_false(plain("", 0, &origin, &out));
    assert_false(plain(".", 1, &origin, &out));
    assert_false(plain("a..b", 4, &origin, &out));
    assert_false(plain(".a", 2, &origin, &out));
    assert_false(plain("a\\.b", 4, &origin, &out));
    char label[64];
    memset(label, 'x', sizeof(label));
    assert_false(plain(label, 64, &origin, &out));
}

static void plain_names_are_those_of_name_parse(void **state)
{
    (void)state;
    static const char octets[] = "abcXYZ019-_*.....";
    char long_origin[240];
    for (size_t i = 0; i < sizeof(long_origin); i++) {
        long_origin[i] = i % 50 == 49 ? '.' : 'o';
    }
    long_origin[sizeof(long_origin) - 1] = '\0';
    struct name origins[] = {name_of("."), name_of("example.com"), name_of(long_origin)};
    uint64_t random = 1;
    size_t plain_count = 0;
    for (int round = 0; round < 200000; round++) {
        char text[ROOM];
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (random >> 33) % (round % 10 == 0 ? 260 : 40);
        unsigned dots = (unsigned)(random >> 60);
        for (size_t i = 0; i < size; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t choices = sizeof(octets) - 1 - dots % 5;
            text[i] = octets[(random >> 33) % choices];
        }
        const struct name *origin = &origins[round % 3];
        struct name fast;
        struct name slow;
        struct error err = {0};
        if (!plain(text, size, origin, &fast)) {
            continue;
        }
        plain_count++;
        assert_int_equal(name_parse(text, size, origin->wire, &slow, &err), OK);
        assert_int_equal(fast.size, slow.size);
        assert_memory_equal(fast.wire, slow.wire, slow.size);
    }
#ifdef __SSE2__
    assert_true(plain_count > 20000);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_are_read_without_escapes),
        cmocka_unit_test(what_is_not_plain_is_left_to_name_parse),
        cmocka_unit_test(plain_names_are_those_of_name_parse),
    };
    return cmocka_run_group_tests_name("master_name", tests, NULL, NULL);
}
