/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/master_rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/zone_text.h"
#include "zone/delta.h"

#define HEAD                                                                                       \
    "; The zone of the house.\n"                                                                   \
    "$TTL 300\n"                                                                                   \
    "@\tSOA ns1 admin ( ; who\n"                                                                   \
    "\t\t10   ; serial: raise it!\n"                                                               \
    "\t\t3600 900 1209600 300 )\n"                                                                 \
    "@ NS ns1\n"                                                                                   \
    "  NS ns2\n"                                                                                   \
    "\n"                                                                                           \
    "ns1 A 192.0.2.1 ; first\n"                                                                    \
    "ns2 A 192.0.2.2\n"

#define SOA(serial) "@ 300 SOA ns1 admin " #serial " 3600 900 1209600 300\n"
#define REST        "@ 300 NS ns1\n@ 300 NS ns2\nns1 300 A 192.0.2.1\nns2 300 A 192.0.2.2\n"

/* The text that comes of `text` for the zone that `wanted` spells; the caller frees it. */
static char *rewritten(const char *text, const char *wanted, struct master_rewrite *what)
{
    struct zone_version *version = version_from_text("example.", wanted);
    struct text out;
    struct error err = {0};
    char *exact = malloc(strlen(text) + 1);
    memcpy(exact, text, strlen(text));
    text_init(&out, 0);
    enum result result = master_rewrite(slice_of(exact, strlen(text)), "zone.db", NULL, NULL,
                                        version, MASTER_RELATIVE, &out, what, &err);
    if (result != OK) {
        fail_msg("%s", err.text);
    }
    char *copy = strdup(text_str(&out));
    struct zone_version *again = version_from_text("example.", copy);
    struct delta *delta = delta_diff(again, version);
    assert_int_equal(delta_count(delta), 2);
    assert_int_equal(zone_version_serial(again).value, zone_version_serial(version).value);
    delta_free(delta);
    zone_version_unref(again);
    zone_version_unref(version);
    text_deinit(&out);
    free(exact);
    return copy;
}

static void expect(const char *text, const char *wanted, const char *expected)
{
    struct master_rewrite what;
    char *got = rewritten(text, wanted, &what);
    assert_string_equal(got, expected);
    assert_null(what.printed_because);
    free(got);
}

static void rewrite_changes_the_serial_in_its_place(void **state)
{
    (void)state;
    expect(HEAD, SOA(4294967295) REST,
           "; The zone of the house.\n"
           "$TTL 300\n"
           "@\tSOA ns1 admin ( ; who\n"
           "\t\t4294967295   ; serial: raise it!\n"
           "\t\t3600 900 1209600 300 )\n"
           "@ NS ns1\n"
           "  NS ns2\n"
           "\n"
           "ns1 A 192.0.2.1 ; first\n"
           "ns2 A 192.0.2.2\n");
    expect("$TTL 300\n" SOA(10) REST, "@ 60 SOA ns2 admin 11 3600 901 1209600 300\n" REST,
           "$TTL 300\n@ 60 SOA ns2.example. admin 11 3600 901 1209600 300\n" REST);
}

static void rewrite_leaves_a_text_that_says_it_already(void **state)
{
    (void)state;
    struct master_rewrite what;
    char *got = rewritten(HEAD "www A 192.0.2.3", SOA(10) REST "www 300 A 192.0.2.3\n", &what);
    assert_true(what.is_same);
    assert_string_equal(got, HEAD "www A 192.0.2.3");
    free(got);
}

#define SERIAL_11                                                                                  \
    "; The zone of the house.\n"                                                                   \
    "$TTL 300\n"                                                                                   \
    "@\tSOA ns1 admin ( ; who\n"                                                                   \
    "\t\t11   ; serial: raise it!\n"                                                               \
    "\t\t3600 900 1209600 300 )\n"                                                                 \
    "@ NS ns1\n"                                                                                   \
    "  NS ns2\n"                                                                                   \
    "\n"                                                                                           \
    "ns1 A 192.0.2.1 ; first\n"                                                                    \
    "ns2 A 192.0.2.2\n"

static void rewrite_puts_records_beside_their_kin(void **state)
{
    (void)state;
    /* Behind the last of its type, behind its owner, at the end. */
    expect(HEAD "www A 192.0.2.3\n    TXT \"x\"\n; the end\n",
           SOA(11) REST "www 300 A 192.0.2.3\nwww 300 A 192.0.2.4\nwww 300 TXT x\nwww 60 MX 5 ns1\n"
                        "new 60 A 192.0.2.5\n",
           SERIAL_11
           "www A 192.0.2.3\nwww\t300\tIN\tA\t192.0.2.4\n    TXT \"x\"\n"
           "www\t60\tIN\tMX\t5 ns1.example.\n; the end\nnew.example.\t60\tIN\tA\t192.0.2.5\n");
    /* A last line without an end gets one. */
    expect(HEAD "www A 192.0.2.3", SOA(11) REST "www 300 A 192.0.2.3\nwww 300 A 192.0.2.4\n",
           SERIAL_11 "www A 192.0.2.3\nwww\t300\tIN\tA\t192.0.2.4\n");
}

static void rewrite_changes_data_in_its_line(void **state)
{
    (void)state;
    expect(HEAD "www\t60 IN A   192.0.2.3   ; the web\nm TXT ( \"a\" ; one\n \"b\" ) ; two\n",
           SOA(11) REST "www 60 A 192.0.2.33\nm 300 TXT c\n",
           SERIAL_11 "www\t60 IN A   192.0.2.33   ; the web\nm TXT ( \"c\" ) ; two\n");
    /* The TTL, where it is written. */
    expect(HEAD "www\t60 IN A   192.0.2.3   ; the web\n", SOA(11) REST "www 61 A 192.0.2.3\n",
           SERIAL_11 "www\t61 IN A   192.0.2.3   ; the web\n");
    expect(HEAD "www\tA   192.0.2.3\n", SOA(11) REST "www 61 A 192.0.2.3\n",
           SERIAL_11 "www\t61\tIN\tA\t192.0.2.3\n");
}

static void rewrite_takes_out_lines_and_keeps_owners(void **state)
{
    (void)state;
    const char *text =
        HEAD "; web\nwww A 192.0.2.3\n    A 192.0.2.4 ; keep\n    TXT x\nz A 192.0.2.9\n";
    expect(text, SOA(11) REST "www 300 A 192.0.2.4\nwww 300 TXT x\nz 300 A 192.0.2.9\n",
           SERIAL_11 "; web\nwww    A 192.0.2.4 ; keep\n    TXT x\nz A 192.0.2.9\n");
    expect(text, SOA(11) REST "www 300 TXT x\nz 300 A 192.0.2.9\n",
           SERIAL_11 "; web\nwww    TXT x\nz A 192.0.2.9\n");
    expect(text, SOA(11) REST "z 300 A 192.0.2.9\n", SERIAL_11 "; web\nz A 192.0.2.9\n");
    /* A record that stands twice goes twice. */
    expect(HEAD "www A 192.0.2.3\nwww A 192.0.2.3\n", SOA(11) REST, SERIAL_11);
}

static void rewrite_minds_the_origin(void **state)
{
    (void)state;
    expect(HEAD "$ORIGIN sub\nwww A 192.0.2.3\n$ORIGIN example.\na A 192.0.2.4\n",
           SOA(11) REST "www.sub 300 A 192.0.2.3\nwww.sub 300 TXT x\na 300 A 192.0.2.4\n"
                        "b.sub 300 A 192.0.2.5\n",
           SERIAL_11 "$ORIGIN sub\nwww A 192.0.2.3\nwww\t300\tIN\tTXT\t\"x\"\n$ORIGIN example.\n"
                     "a A 192.0.2.4\nb.sub.example.\t300\tIN\tA\t192.0.2.5\n");
}

static void rewrite_prints_anew_what_lines_cannot_say(void **state)
{
    (void)state;
    struct master_rewrite what;
    /* One of a $GENERATE. */
    char *got = rewritten(HEAD "$GENERATE 1-3 h$ A 192.0.2.$\n",
                          SOA(11) REST "h1 300 A 192.0.2.1\nh3 300 A 192.0.2.3\n", &what);
    assert_non_null(what.printed_because);
    assert_non_null(strstr(what.printed_because, "$GENERATE"));
    assert_null(strstr(got, "$GENERATE"));
    free(got);
    /* All of them as they were: the directive stays. */
    got = rewritten(HEAD "$GENERATE 1-2 h$ A 192.0.2.$\n",
                    SOA(11) REST "h1 300 A 192.0.2.1\nh2 300 A 192.0.2.2\nx 300 A 192.0.2.3\n",
                    &what);
    assert_null(what.printed_because);
    assert_non_null(strstr(got, "$GENERATE 1-2"));
    free(got);
    /* The next record took its TTL from the one that goes. */
    got = rewritten("@ 300 SOA ns1 admin 10 3600 900 1209600 300\n@ NS ns1\n@ NS ns2\n"
                    "ns1 A 192.0.2.1\nns2 A 192.0.2.2\na 60 A 192.0.2.3\nb A 192.0.2.4\n",
                    SOA(11) REST "b 60 A 192.0.2.4\n", &what);
    assert_non_null(what.printed_because);
    free(got);
}

static void rewrite_refuses_what_does_not_load(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "@ SOA", HEAD "x A 192.0.2.\n", HEAD "x TXT ( a\n",
                                      HEAD "@ SOA ns1 admin 12 1 1 1 1\n"};
    struct zone_version *version = version_from_text("example.", SOA(11) REST);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct master_rewrite what;
        struct error err = {0};
        struct text out;
        text_init(&out, 0);
        assert_int_not_equal(master_rewrite(slice_str(bad[i]), "zone.db", NULL, NULL, version,
                                            MASTER_RELATIVE, &out, &what, &err),
                             OK);
        assert_int_not_equal(err.code, OK);
        text_deinit(&out);
    }
    zone_version_unref(version);
}

static void rewrite_knows_a_text_that_is_another(void **state)
{
    (void)state;
    struct zone_version *version =
        version_from_text("example.", SOA(11) REST "a 300 A 192.0.2.9\n");
    struct zone_version *said = version_from_text("example.", SOA(77) REST);
    static const struct {
        const char *text;
        enum result expected;
    } cases[] = {{HEAD, OK},
                 {HEAD "b A 192.0.2.8\n", ERR_STALE},
                 {"$TTL 300\n@ 300 SOA ns1 admin 10 3600 900 1209600 301\n" REST, ERR_STALE},
                 {"$TTL 300\n@ 300 SOA ns2 admin 10 3600 900 1209600 300\n" REST, ERR_STALE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct master_rewrite what;
        struct error err = {0};
        struct text out;
        text_init(&out, 0);
        assert_int_equal(master_rewrite(slice_str(cases[i].text), "zone.db", NULL, said, version,
                                        MASTER_RELATIVE, &out, &what, &err),
                         cases[i].expected);
        text_deinit(&out);
    }
    zone_version_unref(said);
    zone_version_unref(version);
}

/* Whatever the edit, the text reads back as the zone (rewritten() looks), and a text edited in steps
 * says the same as the version. */
static void rewrite_follows_random_edits(void **state)
{
    (void)state;
    srand(7);
    char *text = strdup(HEAD);
    unsigned printed = 0;
    for (unsigned step = 0; step < 150; step++) {
        char wanted[8000];
        size_t size =
            (size_t)snprintf(wanted, sizeof(wanted),
                             "@ 300 SOA ns1 admin %u 3600 900 1209600 300\n%s", 11 + step, REST);
        for (unsigned i = 0; i < 40; i++) {
            int dice = rand() % 6;
            if (dice < 4) {
                size +=
                    (size_t)snprintf(wanted + size, sizeof(wanted) - size, "h%u %u A 192.0.2.%d\n",
                                     i / 3, 60 + i / 3, 10 * dice + (int)(i % 3));
            } else if (dice == 4) {
                size += (size_t)snprintf(wanted + size, sizeof(wanted) - size,
                                         "h%u 300 TXT \"; (%d\"\n", i / 3, rand() % 3);
            }
        }
        struct master_rewrite what;
        char *next = rewritten(text, wanted, &what);
        printed += what.printed_because != NULL;
        if (what.printed_because == NULL) {
            assert_non_null(strstr(next, "raise it!"));
        }
        free(text);
        text = next;
    }
    assert_int_equal(printed, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewrite_changes_the_serial_in_its_place),
        cmocka_unit_test(rewrite_leaves_a_text_that_says_it_already),
        cmocka_unit_test(rewrite_puts_records_beside_their_kin),
        cmocka_unit_test(rewrite_changes_data_in_its_line),
        cmocka_unit_test(rewrite_takes_out_lines_and_keeps_owners),
        cmocka_unit_test(rewrite_minds_the_origin),
        cmocka_unit_test(rewrite_prints_anew_what_lines_cannot_say),
        cmocka_unit_test(rewrite_refuses_what_does_not_load),
        cmocka_unit_test(rewrite_knows_a_text_that_is_another),
        cmocka_unit_test(rewrite_follows_random_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
