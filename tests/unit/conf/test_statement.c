/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <strings.h>

#include "conf/nearest_impl.h"
#include "conf/statement_impl.h"

static void statement_table_is_sorted_and_unambiguous(void **state)
{
    (void)state;
    for (unsigned i = 1; i < statement_count; i++) {
        const struct row *before = &statement_table[i - 1];
        const struct row *row = &statement_table[i];
        int order = strcasecmp(before->name, row->name);
        if (order > 0 || (order == 0 && (before->contexts & row->contexts) != 0)) {
            fail_msg("%s before %s", before->name, row->name);
        }
    }
}

static void statement_table_rows_are_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < statement_count; i++) {
        const struct row *row = &statement_table[i];
        assert_non_null(row->parse);
        assert_true(row->contexts != 0);
        bool needs_note = row->state == NOTED || row->state == ONLY_YES || row->state == ONLY_NO ||
                          row->state == REFUSED;
        assert_int_equal(row->note != NULL, needs_note);
        bool needs_words = row->parse == parse_word || row->parse == parse_bool_or_word ||
                           row->parse == parse_check_names;
        assert_int_equal(row->words != NULL, needs_words);
        if (row->fallback != NULL) {
            assert_true((row->contexts & IN_OPTIONS) != 0);
        }
    }
}

static void statement_find_looks_at_the_place(void **state)
{
    (void)state;
    assert_ptr_equal(statement_find("FILE", IN_PRIMARY)->parse, parse_path);
    assert_ptr_equal(statement_find("file", IN_CHANNEL)->parse, parse_channel_file);
    assert_null(statement_find("file", IN_OPTIONS));
    assert_null(statement_find("fil", IN_PRIMARY));
    assert_null(statement_find("", IN_TOP));
}

static const char *nearest_of(const char *word, const char *const *candidates)
{
    struct nearest nearest;
    nearest_init(&nearest, word);
    for (; *candidates != NULL; candidates++) {
        nearest_offer(&nearest, *candidates);
    }
    return nearest.best;
}

static void nearest_finds_one_slip_and_no_guess(void **state)
{
    (void)state;
    static const char *const words[] = {"allow-query", "allow-transfer", "file",
                                        "type",        "zone",           NULL};
    assert_string_equal(nearest_of("alow-transfer", words), "allow-transfer");
    assert_string_equal(nearest_of("allow-tranfsre", words), "allow-transfer");
    assert_string_equal(nearest_of("ALLOW_QUERY", words), "allow-query");
    assert_string_equal(nearest_of("tpye", words), "type");
    assert_string_equal(nearest_of("zoen", words), "zone");
    assert_string_equal(nearest_of("fil", words), "file");
    assert_null(nearest_of("recursion", words));
    assert_null(nearest_of("", words));
    assert_null(nearest_of("allow-transfer-allow-transfer-allow-transfer", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_table_is_sorted_and_unambiguous),
        cmocka_unit_test(statement_table_rows_are_whole),
        cmocka_unit_test(statement_find_looks_at_the_place),
        cmocka_unit_test(nearest_finds_one_slip_and_no_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
