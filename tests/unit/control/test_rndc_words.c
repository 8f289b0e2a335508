/* SPDX-License-Identifier: BSD-3-Clause */
/* Words behind `rndc`: what they ask for, what is wrong with them, what named would answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/rndc_words.h"

static enum rndc_outcome read_line(const char *text, struct rndc_line *line,
                                   enum rndc_result *result, struct text *out)
{
    text_init(out, 0);
    return rndc_line_read(slice_str(text), line, result, out);
}

static void asks(const char *text, const char *command, const char *zone)
{
    struct rndc_line line;
    enum rndc_result result;
    struct text out;
    char name[NAME_TEXT_SIZE];
    if (read_line(text, &line, &result, &out) != RNDC_ASKS) {
        fail_msg("`%s`: %d %s", text, result, text_str(&out));
    }
    assert_string_equal(line.request.command, command);
    assert_int_equal(line.request.has_zone, zone != NULL);
    if (zone != NULL) {
        assert_string_equal(name_format_log(line.request.zone.wire, name), zone);
    }
    rndc_line_deinit(&line);
    text_deinit(&out);
}

static void is_refused(const char *text, enum rndc_result why, const char *words)
{
    struct rndc_line line;
    enum rndc_result result;
    struct text out;
    if (read_line(text, &line, &result, &out) != RNDC_REFUSED || result != why) {
        fail_msg("`%s`: %d %s", text, result, text_str(&out));
    }
    assert_non_null(strstr(text_str(&out), words));
    rndc_line_deinit(&line);
    text_deinit(&out);
}

static void words_lead_to_our_commands(void **state)
{
    (void)state;
    asks("status", "status", NULL);
    asks("  STATUS ", "status", NULL);
    asks("zonestatus example.com", "status", "example.com");
    asks("reload", "reload", NULL);
    asks("reload example.com. IN _default", "reload", "example.com");
    asks("reload \"example.com\" in", "reload", "example.com");
    asks("thaw example.com", "reload", "example.com");
    asks("refresh .", "refresh", ".");
    asks("dumpdb -zones", "dumpdb", NULL);
    asks("dumpdb -all _default", "dumpdb", NULL);
    asks("stop -p", "stop", NULL);
    asks("halt", "stop", NULL);
    asks("querylog", "querylog", NULL);
    asks("addzone example.com { type primary; };", "addzone", "example.com");
    asks("modzone example.com IN _default {}", "modzone", "example.com");
    asks("delzone example.com", "delzone", "example.com");
    asks("freeze example.com", "status", "example.com"); /* is there such a zone? */
    asks("sync -clean example.com", "status", "example.com");
}

static void what_does_not_fit_is_refused_as_named_does(void **state)
{
    (void)state;
    is_refused("", RNDC_UNEXPECTED_END, "");
    is_refused("   ", RNDC_UNEXPECTED_END, "");
    is_refused("refresh", RNDC_UNEXPECTED_END, "");
    is_refused("nonsense", RNDC_UNKNOWN_COMMAND, "");
    is_refused("status all", RNDC_SYNTAX, "");
    is_refused("querylog perhaps", RNDC_SYNTAX, "");
    is_refused("stop now", RNDC_SYNTAX, "");
    is_refused("reload example.com CH", RNDC_NOT_FOUND, "no matching zone 'example.com'");
    is_refused("reload example.com IN internal", RNDC_NOT_FOUND, "no matching view 'internal'");
    is_refused("reload example..com", RNDC_FAILURE, "not a zone name");
    is_refused("reload a b c d e f g h i j", RNDC_SYNTAX, "");
    is_refused("dumpdb", RNDC_FAILURE, "dumpdb -zones");
    is_refused("dumpdb -zones internal", RNDC_NOT_FOUND, "view 'internal' not found");
    is_refused("addzone a", RNDC_UNEXPECTED_END, "");
    is_refused("addzone { type primary; };", RNDC_UNEXPECTED_END, "");
    is_refused("reload a { type primary; };", RNDC_SYNTAX, "");
    is_refused("flush", RNDC_FAILURE, "no cache");
    is_refused("signing -list example.com", RNDC_FAILURE, "does not sign");
    char longest[2000];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    is_refused(longest, RNDC_SYNTAX, "");
}

static void an_octet_of_nought_does_not_end_a_word(void **state)
{
    (void)state;
    static const char text[] = "status\0 stop";
    struct rndc_line line;
    enum rndc_result result;
    struct text out;
    text_init(&out, 0);
    assert_int_equal(rndc_line_read(slice_of(text, sizeof(text) - 1), &line, &result, &out),
                     RNDC_REFUSED);
    rndc_line_deinit(&line);
    text_deinit(&out);
}

static void on_and_off_have_many_names(void **state)
{
    (void)state;
    static const char *const texts[] = {"querylog on", "querylog OFF", "querylog yes",
                                        "querylog disable"};
    for (unsigned i = 0; i < 4; i++) {
        struct rndc_line line;
        enum rndc_result result;
        struct text out;
        assert_int_equal(read_line(texts[i], &line, &result, &out), RNDC_ASKS);
        assert_true(line.request.has_on);
        assert_int_equal(line.request.on, i % 2 == 0);
        rndc_line_deinit(&line);
        text_deinit(&out);
    }
}

static void only_looking_is_told_from_changing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool only_reads;
    } lines[] = {{"status", true},
                 {"zonestatus example.com", true},
                 {"reload", false},
                 {"querylog", false},
                 {"sync", false},
                 {"dumpdb -zones", false},
                 {"freeze example.com", false}};
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        struct rndc_line line;
        enum rndc_result result;
        struct text out;
        (void)read_line(lines[i].text, &line, &result, &out);
        assert_int_equal(rndc_line_only_reads(&line), lines[i].only_reads);
        rndc_line_deinit(&line);
        text_deinit(&out);
    }
}

static void answered(const char *text, const char *json, enum rndc_result expected,
                     const char *words)
{
    struct rndc_line line;
    enum rndc_result result;
    struct text out;
    assert_int_equal(read_line(text, &line, &result, &out), RNDC_ASKS);
    json_t *last = json_loads(json, 0, NULL);
    assert_non_null(last);
    assert_int_equal(rndc_answer_text(&line, last, &out), expected);
    assert_string_equal(text_str(&out), words);
    json_decref(last);
    rndc_line_deinit(&line);
    text_deinit(&out);
}

static void answers_are_in_nameds_words(void **state)
{
    (void)state;
    answered("reload", "{\"ok\":true,\"zones\":3,\"failed\":0,\"failures\":[]}", RNDC_DONE,
             "server reload successful");
    answered("reload", "{\"ok\":true,\"failed\":1,\"failures\":[{\"name\":\"a\",\"text\":\"b\"}]}",
             RNDC_FAILURE, "zone a: b");
    answered("reload a", "{\"ok\":true,\"changed\":true}", RNDC_DONE, "zone reload successful");
    answered("reload a", "{\"ok\":true,\"changed\":false}", RNDC_DONE, "zone reload up-to-date");
    answered("reload a", "{\"ok\":true,\"begun\":\"refresh\"}", RNDC_DONE, "zone refresh queued");
    answered("thaw a", "{\"ok\":true,\"changed\":true}", RNDC_DONE,
             "The zone reload and thaw was successful.");
    answered("stop -p", "{\"ok\":true,\"pid\":7}", RNDC_DONE, "pid: 7");
    answered("refresh a", "{\"ok\":false,\"error\":\"not-found\",\"text\":\"x\"}", RNDC_NOT_FOUND,
             "no matching zone 'a' in any view");
    answered("refresh a", "{\"ok\":false,\"error\":\"busy\",\"text\":\"x\"}", RNDC_FAILURE, "x");
    answered("zonestatus a",
             "{\"ok\":true,\"zone\":{\"name\":\"a\",\"role\":\"primary\",\"file\":\"/f\","
             "\"serial\":5,\"names\":3,\"changed_at_s\":0,\"signed\":true,\"dynamic\":false,"
             "\"state\":\"serving\"}}",
             RNDC_DONE,
             "name: a\ntype: primary\nfiles: /f\nserial: 5\nnodes: 3\n"
             "last loaded: Thu, 01 Jan 1970 00:00:00 GMT\nsecure: yes\ndynamic: no\n"
             "state: serving\nreconfigurable via modzone: no");
    answered("zonestatus a",
             "{\"ok\":true,\"zone\":{\"name\":\"a\",\"last_error\":{\"text\":\"no file\"}}}",
             RNDC_NOT_LOADED, "no file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_lead_to_our_commands),
        cmocka_unit_test(what_does_not_fit_is_refused_as_named_does),
        cmocka_unit_test(an_octet_of_nought_does_not_end_a_word),
        cmocka_unit_test(on_and_off_have_many_names),
        cmocka_unit_test(only_looking_is_told_from_changing),
        cmocka_unit_test(answers_are_in_nameds_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
