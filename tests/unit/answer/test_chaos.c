/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions of class CH about the server itself. */
#include "support/ask.h"

static const struct answer_options options = {
    .version = "Lockstep 1", .hostname = "", .server_id = "ns7"};

static void check(const char *question, const char *expected)
{
    struct zone_set *set = zone_set_new();
    ask_expect(set, &options, ANSWER_UDP, question, expected);
    zone_set_unref(set);
}

static void chaos_names_have_their_texts(void **state)
{
    (void)state;
    check("version.bind. TXT CH", "NOERROR aa\n"
                                  "? version.bind. CH TXT\n"
                                  "= version.bind. 0 CH TXT \"Lockstep 1\"\n");
    check("VERSION.server. ANY CH", "NOERROR aa\n"
                                    "? VERSION.server. CH ANY\n"
                                    "= VERSION.server. 0 CH TXT \"Lockstep 1\"\n");
    check("id.server. TXT CH", "NOERROR aa\n"
                               "? id.server. CH TXT\n"
                               "= id.server. 0 CH TXT \"ns7\"\n");
    check("hostname.bind. TXT CH", "NOERROR aa\n"
                                   "? hostname.bind. CH TXT\n"
                                   "= hostname.bind. 0 CH TXT \"\"\n");
}

static void chaos_other_types_are_empty_and_other_names_refused(void **state)
{
    (void)state;
    check("version.bind. A CH", "NOERROR aa\n"
                                "? version.bind. CH A\n");
    check("authors.bind. TXT CH", "REFUSED\n"
                                  "? authors.bind. CH TXT\n");
    check("version.bind. TXT", "REFUSED\n"
                               "? version.bind. IN TXT\n");
}

static void chaos_texts_that_are_not_configured_are_refused(void **state)
{
    (void)state;
    static const struct answer_options silent = {.version = NULL};
    struct zone_set *set = zone_set_new();
    ask_expect(set, &silent, ANSWER_UDP, "version.bind. TXT CH",
               "REFUSED\n? version.bind. CH TXT\n");
    zone_set_unref(set);
}

static void chaos_long_texts_are_split_into_strings(void **state)
{
    (void)state;
    char version[401];
    memset(version, 'v', 400);
    version[400] = '\0';
    struct answer_options talkative = {.version = version};
    struct zone_set *set = zone_set_new();
    struct text text = ask_text(set, &talkative, ANSWER_TCP, "version.bind. TXT CH");
    const char *shown = strstr(text_str(&text), " TXT \"");
    assert_non_null(shown);
    assert_int_equal(strlen(shown), strlen(" TXT \"\" \"\"\n") + 400);
    text_deinit(&text);
    zone_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chaos_names_have_their_texts),
        cmocka_unit_test(chaos_other_types_are_empty_and_other_names_refused),
        cmocka_unit_test(chaos_texts_that_are_not_configured_are_refused),
        cmocka_unit_test(chaos_long_texts_are_split_into_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
