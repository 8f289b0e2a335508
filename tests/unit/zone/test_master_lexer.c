/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/master_lexer_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

/*
 * What the lexer makes of `text`, a line for each step: "line: word [quoted] ..." with "_" in front
 * of an entry that starts with a blank, "line:column! message" for errors.
 */
static void describe(struct master_lexer *lexer, struct text *out)
{
    for (int steps = 0; steps < 100; steps++) {
        enum lexer_step step = master_lexer_next(lexer);
        if (step == LEXER_END) {
            return;
        }
        if (step != LEXER_ENTRY) {
            text_printf(out, "%u:%u%s %s\n", lexer->bad_line, lexer->bad_column,
                        step == LEXER_FATAL ? "!!" : "!", lexer->bad_text);
            if (step == LEXER_FATAL) {
                return;
            }
            continue;
        }
        text_printf(out, "%u:%s", lexer->entry_line, lexer->starts_blank ? " _" : "");
        for (size_t i = 0; i < lexer->count; i++) {
            const struct token *word = &lexer->tokens[i];
            text_printf(out, word->quoted ? " [%.*s]" : " %.*s", (int)word->size, word->data);
        }
        text_add_char(out, '\n');
    }
    fail_msg("more than 100 steps");
}

static void expect_sized(const char *text, size_t size, const char *expected)
{
    /* A copy of its exact size, so that the sanitizer sees the first stray octet. */
    char *copy = malloc(size + 1);
    memcpy(copy, text, size);
    copy = realloc(copy, size == 0 ? 1 : size);
    struct master_lexer lexer;
    struct text out;
    text_init(&out, 0);
    master_lexer_init_text(&lexer, slice_of(copy, size));
    describe(&lexer, &out);
    if (strcmp(text_str(&out), expected) != 0) {
        fail_msg("text:\n%s\nfound:\n%s\nexpected:\n%s", text, text_str(&out), expected);
    }
    master_lexer_deinit(&lexer);
    text_deinit(&out);
    free(copy);
}

static void expect(const char *text, const char *expected)
{
    expect_sized(text, strlen(text), expected);
}

static void lexer_finds_nothing_in_blank_text(void **state)
{
    (void)state;
    expect("", "");
    expect("\n", "");
    expect("  \t \n\n; only a comment\n ; another", "");
}

static void lexer_splits_words_at_blanks_and_comments(void **state)
{
    (void)state;
    expect("a b\tc;d e\nf\n", "1: a b c\n2: f\n");
    expect("a  b  ", "1: a b\n");
    expect("averyveryverylongwordwithmorethansixteenoctets x",
           "1: averyveryverylongwordwithmorethan"
           "sixteenoctets x\n");
}

static void lexer_says_which_entries_start_with_a_blank(void **state)
{
    (void)state;
    expect("a x\n b\n\tc\nd", "1: a x\n2: _ b\n3: _ c\n4: d\n");
}

static void lexer_joins_lines_in_parentheses(void **state)
{
    (void)state;
    expect("a ( b ; why\n c\n\n) d\ne", "1: a b c d\n5: e\n");
    expect("((a)b(c\n))d\n", "1: a b c d\n");
    expect("a ( b )\n c", "1: a b\n2: _ c\n");
}

static void lexer_keeps_escapes_in_words(void **state)
{
    (void)state;
    expect("a\\ b \\; \\(c\\) \\\\ \\\"\n", "1: a\\ b \\; \\(c\\) \\\\ \\\"\n");
    expect("\\000 \\255", "1: \\000 \\255\n");
}

static void lexer_takes_quoted_text_as_one_word(void **state)
{
    (void)state;
    expect("a \"b c;(\" \"\" \"q\\\"q\"", "1: a [b c;(] [] [q\\\"q]\n");
    expect("x\"y\"z", "1: x [y] z\n");
    expect("\"two\\\nlines\" a\nb", "1: [two\\\nlines] a\n3: b\n");
}

static void lexer_keeps_pairs_together_until_they_are_split(void **state)
{
    (void)state;
    expect("k=\"v w\",x y", "1: k=\"v w\",x y\n");
    struct master_lexer lexer;
    master_lexer_init_text(&lexer, slice_str("a k=\"v\\\" w\"x=\"\" y"));
    assert_int_equal(master_lexer_next(&lexer), LEXER_ENTRY);
    assert_true(lexer.has_pairs);
    assert_int_equal(lexer.count, 3);
    master_lexer_split_pairs(&lexer, 1);
    assert_int_equal(lexer.count, 6);
    assert_memory_equal(lexer.tokens[1].data, "k=", lexer.tokens[1].size);
    assert_true(lexer.tokens[2].quoted);
    assert_memory_equal(lexer.tokens[2].data, "v\\\" w", lexer.tokens[2].size);
    assert_memory_equal(lexer.tokens[3].data, "x=", lexer.tokens[3].size);
    assert_true(lexer.tokens[4].quoted);
    assert_int_equal(lexer.tokens[4].size, 0);
    assert_memory_equal(lexer.tokens[5].data, "y", lexer.tokens[5].size);
    master_lexer_deinit(&lexer);
}

static void lexer_takes_crlf_and_a_missing_final_newline(void **state)
{
    (void)state;
    expect("a b\r\nc (d\r\ne)\r\nf\r", "1: a b\n2: c d e\n4: f\n");
    expect("a\rb\nc", "1:2! found a carriage return inside of a line, expected it at the line's "
                      "end\n2: c\n");
}

static void lexer_skips_a_byte_order_mark(void **state)
{
    (void)state;
    expect("\xef\xbb\xbf"
           "a b",
           "1: a b\n");
}

static void lexer_names_what_is_no_text(void **state)
{
    (void)state;
    expect_sized("a b\nc \0d\ne", 10,
                 "1: a b\n2:3!! found a NUL octet, expected text: this is not a zone "
                 "file, or it is damaged\n");
    expect("\x1f\x8b\x08", "1:1!! found a gzip file, expected text: unpack it first\n");
    expect_sized("\xff\xfe"
                 "a\0",
                 4,
                 "1:1!! found UTF-16 text, expected ASCII: save the file as "
                 "plain text\n");
    expect_sized("\0\0\0\2\0\0\0\0", 8,
                 "1:1!! found a zone in BIND's raw format, expected text: "
                 "convert it with named-compilezone\n");
    expect_sized("a \"x\0\"", 6,
                 "1:5!! found a NUL octet, expected text: this is not a zone file, "
                 "or it is damaged\n");
    expect_sized("a x\\\0", 5,
                 "1:5!! found a NUL octet, expected text: this is not a zone file, "
                 "or it is damaged\n");
    expect_sized("a \"x\\\0\"", 7,
                 "1:6!! found a NUL octet, expected text: this is not a zone "
                 "file, or it is damaged\n");
}

static void lexer_goes_on_behind_errors(void **state)
{
    (void)state;
    expect("a )b\nc", "1:3! found ')', but no parenthesis is open\n2: c\n");
    expect("a \"b\nc", "1:3! the quote that opens here is not closed on its line\n2: c\n");
    expect("a b\\\nc", "1:4! found a backslash at the end of the line, expected a character behind "
                       "it\n2: c\n");
    expect("a \"b", "1:3! the quote that opens here is not closed\n");
    expect("a b\\", "1:4! found a backslash at the end of the file, expected a character behind "
                    "it\n");
    expect("a k=\"b\nc", "1:5! the quote that opens here is not closed on its line\n2: c\n");
}

static void lexer_points_at_the_parenthesis_that_is_not_closed(void **state)
{
    (void)state;
    expect("a b\nc ( d\n e\n\n f (\ng h\ni",
           "1: a b\n2:3! the parenthesis that opens here is not closed\n6: g h\n7: i\n");
    expect("a ( \"b\n c\n)\nd", "1:5! the quote that opens here is not closed on its line\n4: d\n");
    expect("a (", "1:3! the parenthesis that opens here is not closed\n");
}

static void lexer_reads_entries_across_the_window(void **state)
{
    (void)state;
    /* Lines of many lengths, so that every kind of place meets the end of the window. */
    struct text text;
    text_init(&text, 0);
    unsigned count = 0;
    while (text.size < 1200000) {
        text_printf(&text, "%.*s%u \"quo%u te\" ( x\\%u\n y ) ; comment %.*s\r\n",
                    (int)(count % 37), "abcdefghijklmnopqrstuvwxyzabcdefghijklm", count, count,
                    count % 10, (int)(count % 53),
                    "....................................."
                    "...................");
        count++;
    }
    struct master_lexer lexer;
    master_lexer_init_text(&lexer, text_slice(&text));
    for (unsigned i = 0; i < count; i++) {
        char owner[64];
        char quoted[32];
        snprintf(owner, sizeof(owner), "%.*s%u", (int)(i % 37),
                 "abcdefghijklmnopqrstuvwxyzabcdefghijklm", i);
        snprintf(quoted, sizeof(quoted), "quo%u te", i);
        assert_int_equal(master_lexer_next(&lexer), LEXER_ENTRY);
        assert_int_equal(lexer.count, 4);
        assert_int_equal(lexer.entry_line, 2 * i + 1);
        assert_int_equal(lexer.tokens[0].size, strlen(owner));
        assert_memory_equal(lexer.tokens[0].data, owner, strlen(owner));
        assert_int_equal(lexer.tokens[1].size, strlen(quoted));
        assert_memory_equal(lexer.tokens[1].data, quoted, strlen(quoted));
    }
    assert_int_equal(master_lexer_next(&lexer), LEXER_END);
    assert_int_equal(master_lexer_next(&lexer), LEXER_END);
    master_lexer_deinit(&lexer);
    text_deinit(&text);
}

static void lexer_grows_for_one_large_entry_and_bounds_it(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, "a (\n");
    for (int i = 0; i < 60000; i++) {
        text_add_str(&text, "word of text\n");
    }
    struct master_lexer lexer;
    size_t open_size = text.size;
    text_add_str(&text, ")\nb c\n");
    master_lexer_init_text(&lexer, text_slice(&text));
    assert_int_equal(master_lexer_next(&lexer), LEXER_BAD); /* 180,001 words */
    assert_int_equal(lexer.bad_line, 1);
    assert_int_equal(lexer.bad_column, 3);
    master_lexer_deinit(&lexer);

    text.size = open_size;
    text.bytes[3] = ';'; /* one comment in parentheses, 9 MB of them */
    for (size_t i = 3; i < text.size; i++) {
        text.bytes[i] = text.bytes[i] == '\n' ? ';' : text.bytes[i];
    }
    text_add_str(&text, "\n) b\n");
    master_lexer_init_text(&lexer, text_slice(&text));
    assert_int_equal(master_lexer_next(&lexer), LEXER_ENTRY);
    assert_int_equal(lexer.count, 2);
    assert_int_equal(master_lexer_next(&lexer), LEXER_END);
    master_lexer_deinit(&lexer);
    text_deinit(&text);
}

static void lexer_reads_pipes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a b\nc", 5), 5);
    close(ends[1]);
    struct master_lexer lexer;
    struct text out;
    text_init(&out, 0);
    master_lexer_init_fd(&lexer, ends[0], 0);
    describe(&lexer, &out);
    assert_string_equal(text_str(&out), "1: a b\n2: c\n");
    master_lexer_deinit(&lexer);
    text_deinit(&out);
    close(ends[0]);
}

/* What is expected is a hint: the text is read to its end whether it is right or not. */
static void lexer_reads_files_of_any_expected_size(void **state)
{
    (void)state;
    static const char content[] = "a b\nlonger than this\nc d\n";
    static const size_t expected[] = {sizeof(content) - 1, 1, 4, sizeof(content), 1 << 20, 0};
    char path[] = "/tmp/test_lexer_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, content, sizeof(content) - 1), sizeof(content) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct master_lexer lexer;
        struct text out;
        text_init(&out, 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        master_lexer_init_fd(&lexer, fd, expected[i]);
        describe(&lexer, &out);
        assert_string_equal(text_str(&out), "1: a b\n2: longer than this\n3: c d\n");
        master_lexer_deinit(&lexer);
        text_deinit(&out);
    }
    close(fd);
    unlink(path);
}

static void lexer_tells_what_the_system_says(void **state)
{
    (void)state;
    struct master_lexer lexer;
    master_lexer_init_fd(&lexer, 1000000, 0);
    assert_int_equal(master_lexer_next(&lexer), LEXER_FATAL);
    assert_int_equal(lexer.bad_code, ERR_IO);
    assert_string_equal(lexer.bad_text, "cannot read on: Bad file descriptor");
    master_lexer_deinit(&lexer);
}

/* Lines of words and blanks, and of what is not so plain, of all lengths. */
static void add_random_line(struct text *text, uint64_t *random)
{
    static const char odd[] = "\"();\\\r\1\37\177\200=@*";
    unsigned words = 0;
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    for (unsigned left = (*random >> 33) % 9; left > 0; left--) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        unsigned blanks = (*random >> 33) % 8 == 0 ? (*random >> 36) % 70 : words != 0;
        for (; blanks > 0; blanks--) {
            text_add_char(text, (*random >> (blanks % 50)) % 4 == 0 ? '\t' : ' ');
        }
        unsigned size = 1 + (*random >> 40) % ((*random >> 50) % 6 == 0 ? 200 : 20);
        for (; size > 0; size--) {
            *random = *random * 6364136223846793005u + 1442695040888963407u;
            bool is_odd = (*random >> 33) % 900 == 0;
            text_add_char(text, is_odd ? odd[(*random >> 45) % (sizeof(odd) - 1)]
                                       : (char)('!' + (*random >> 45) % 94));
        }
        words++;
    }
    text_add_char(text, '\n');
}

static void expect_same_entry(const struct master_lexer *a, const struct master_lexer *b)
{
    uint32_t line[2], column[2];
    assert_int_equal(a->entry_line, b->entry_line);
    assert_int_equal(a->line, b->line);
    assert_int_equal(a->starts_blank, b->starts_blank);
    assert_int_equal(a->has_pairs, b->has_pairs);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->tokens[i].quoted, b->tokens[i].quoted);
        assert_int_equal(a->tokens[i].size, b->tokens[i].size);
        assert_memory_equal(a->tokens[i].data, b->tokens[i].data, a->tokens[i].size);
    }
    master_lexer_locate(a, master_lexer_entry_end(a), &line[0], &column[0]);
    master_lexer_locate(b, master_lexer_entry_end(b), &line[1], &column[1]);
    assert_int_equal(line[0], line[1]);
    assert_int_equal(column[0], column[1]);
}

static void plain_lines_are_cut_as_all_others(void **state)
{
    (void)state;
    if (master_lexer_plain() == NULL) {
        skip();
    }
    uint64_t random = 3;
    for (unsigned repeat = 0; repeat < 1000; repeat++) {
        struct text text;
        struct master_lexer ways[2];
        text_init(&text, 0);
        for (unsigned lines = 0; lines < 50; lines++) {
            add_random_line(&text, &random);
        }
        for (size_t i = 0; i < text.size; i++) {
            /* rare enough to leave plain lines */
            if (strchr("\"();\\", text.bytes[i]) != NULL && i % 37 != 0) {
                text.bytes[i] = '-';
            }
        }
        for (unsigned way = 0; way < 2; way++) {
            master_lexer_init_text(&ways[way], slice_of(text.bytes, text.size));
        }
        ways[1].plain = NULL;
        enum lexer_step step;
        do {
            step = master_lexer_next(&ways[0]);
            assert_int_equal(step, master_lexer_next(&ways[1]));
            if (step == LEXER_ENTRY) {
                expect_same_entry(&ways[0], &ways[1]);
            } else if (step == LEXER_BAD) {
                assert_string_equal(ways[0].bad_text, ways[1].bad_text);
                assert_int_equal(ways[0].bad_line, ways[1].bad_line);
                assert_int_equal(ways[0].bad_column, ways[1].bad_column);
            }
        } while (step == LEXER_ENTRY || step == LEXER_BAD);
        master_lexer_deinit(&ways[0]);
        master_lexer_deinit(&ways[1]);
        text_deinit(&text);
    }
}

static void plain_lines_take_the_short_way(void **state)
{
    (void)state;
    if (master_lexer_plain() == NULL) {
        skip();
    }
    struct master_lexer lexer;
    master_lexer_init_text(&lexer, slice_str("one\n\ttwo words\nodd ; comment\n"));
    assert_int_equal(master_lexer_next(&lexer), LEXER_ENTRY);
    assert_true(lexer.plain(&lexer));
    assert_int_equal(lexer.count, 2);
    assert_true(lexer.starts_blank);
    assert_false(lexer.plain(&lexer));
    assert_int_equal(master_lexer_next(&lexer), LEXER_ENTRY);
    assert_int_equal(lexer.count, 1);
    assert_false(lexer.plain(&lexer)); /* the end */
    master_lexer_deinit(&lexer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_are_cut_as_all_others),
        cmocka_unit_test(plain_lines_take_the_short_way),
        cmocka_unit_test(lexer_finds_nothing_in_blank_text),
        cmocka_unit_test(lexer_splits_words_at_blanks_and_comments),
        cmocka_unit_test(lexer_says_which_entries_start_with_a_blank),
        cmocka_unit_test(lexer_joins_lines_in_parentheses),
        cmocka_unit_test(lexer_keeps_escapes_in_words),
        cmocka_unit_test(lexer_takes_quoted_text_as_one_word),
        cmocka_unit_test(lexer_keeps_pairs_together_until_they_are_split),
        cmocka_unit_test(lexer_takes_crlf_and_a_missing_final_newline),
        cmocka_unit_test(lexer_skips_a_byte_order_mark),
        cmocka_unit_test(lexer_names_what_is_no_text),
        cmocka_unit_test(lexer_goes_on_behind_errors),
        cmocka_unit_test(lexer_points_at_the_parenthesis_that_is_not_closed),
        cmocka_unit_test(lexer_reads_entries_across_the_window),
        cmocka_unit_test(lexer_grows_for_one_large_entry_and_bounds_it),
        cmocka_unit_test(lexer_reads_pipes),
        cmocka_unit_test(lexer_reads_files_of_any_expected_size),
        cmocka_unit_test(lexer_tells_what_the_system_says),
    };
    return cmocka_run_group_tests_name("master_lexer", tests, NULL, NULL);
}
