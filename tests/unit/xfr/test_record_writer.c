/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/record_writer_impl.h"

enum { LINES_MAX = 4000 };

struct fixture {
    struct record_writer writer;
    uint8_t buffer[MESSAGE_MAX_SIZE];
    struct line_record line;
};

static struct fixture *begin(size_t limit)
{
    struct fixture *f = malloc(sizeof(*f));
    memset(f->buffer, 0, MESSAGE_HEADER_SIZE);
    record_writer_init(&f->writer, f->buffer, MESSAGE_HEADER_SIZE, limit);
    return f;
}

/* The records are borrowed until the message is over, so the lines live as long. */
struct lines {
    struct line_record *at[LINES_MAX];
    unsigned count;
};

static bool add(struct fixture *f, struct lines *lines, const char *text)
{
    struct name origin = name_of("example.com");
    struct line_record *line = malloc(sizeof(*line));
    line_read(text, origin.wire, CLASS_IN, line);
    lines->at[lines->count++] = line;
    return record_writer_add(&f->writer, &line->record);
}

static void end(struct fixture *f, struct lines *lines)
{
    while (lines->count > 0) {
        free(lines->at[--lines->count]);
    }
    free(f);
}

static struct slice message(struct fixture *f)
{
    put_u16(f->buffer + 6, (uint16_t)f->writer.record_count);
    return slice_of(f->buffer, f->writer.size);
}

static void expect_answers(struct fixture *f, const char *want)
{
    struct text text;
    text_init(&text, 0);
    message_print_answers(message(f), &text);
    assert_string_equal(text_str(&text), want);
    text_deinit(&text);
}

static void names_become_pointers_as_far_as_they_are_known(void **state)
{
    (void)state;
    struct fixture *f = begin(MESSAGE_MAX_SIZE);
    struct lines lines = {0};
    assert_true(add(f, &lines, "a 60 NS ns1.one.test."));
    assert_int_equal(f->writer.size, 12 + 15 + 10 + 14);
    size_t before = f->writer.size;
    assert_true(add(f, &lines, "a 60 NS ns2.one.test."));
    assert_int_equal(f->writer.size - before, 2 + 10 + 4 + 2);
    before = f->writer.size;
    assert_true(add(f, &lines, "b 60 NS ns1.one.test."));
    assert_int_equal(f->writer.size - before, 4 + 10 + 2);
    before = f->writer.size;
    assert_true(add(f, &lines, "b 60 MX 10 ns1.b"));
    assert_int_equal(f->writer.size - before, 2 + 10 + 2 + 4 + 2);
    before = f->writer.size;
    assert_true(add(f, &lines, "ns1.b 60 SOA ns1.b x.one.test. 1 2 3 4 5"));
    assert_int_equal(f->writer.size - before, 2 + 10 + 2 + 4 + 20);
    expect_answers(f, "a.example.com. 60 NS ns1.one.test.\n"
                      "a.example.com. 60 NS ns2.one.test.\n"
                      "b.example.com. 60 NS ns1.one.test.\n"
                      "b.example.com. 60 MX 10 ns1.b.example.com.\n"
                      "ns1.b.example.com. 60 SOA ns1.b.example.com. x.one.test. 1 2 3 4 5\n");
    end(f, &lines);
}

static void case_is_kept_and_never_pointed_across(void **state)
{
    (void)state;
    struct fixture *f = begin(MESSAGE_MAX_SIZE);
    struct lines lines = {0};
    assert_true(add(f, &lines, "a 60 NS ns.ONE.test."));
    assert_true(add(f, &lines, "a 60 NS ns.one.test."));
    assert_true(add(f, &lines, "A 60 NS NS.one.test."));
    assert_true(add(f, &lines, "a 60 NS ns.ONE.Test."));
    expect_answers(f, "a.example.com. 60 NS ns.ONE.test.\n"
                      "a.example.com. 60 NS ns.one.test.\n"
                      "A.example.com. 60 NS NS.one.test.\n"
                      "a.example.com. 60 NS ns.ONE.Test.\n");
    end(f, &lines);
}

static void names_of_later_types_and_the_root_stay_whole(void **state)
{
    (void)state;
    struct fixture *f = begin(MESSAGE_MAX_SIZE);
    struct lines lines = {0};
    assert_true(add(f, &lines, "a 60 NS ."));
    assert_true(add(f, &lines, "a 60 MX 0 ."));
    size_t before = f->writer.size;
    assert_true(add(f, &lines, "a 60 SRV 1 2 3 a"));
    assert_int_equal(f->writer.size - before, 2 + 10 + 6 + 15);
    assert_true(add(f, &lines, "a 60 NS ."));
    assert_true(add(f, &lines, "a 60 NS test."));
    assert_true(add(f, &lines, "a 60 NS one.test."));
    expect_answers(f, "a.example.com. 60 NS .\n"
                      "a.example.com. 60 MX 0 .\n"
                      "a.example.com. 60 SRV 1 2 3 a.example.com.\n"
                      "a.example.com. 60 NS .\n"
                      "a.example.com. 60 NS test.\n"
                      "a.example.com. 60 NS one.test.\n");
    end(f, &lines);
}

static void known_name_of_the_question_is_pointed_at(void **state)
{
    (void)state;
    struct fixture *f = begin(MESSAGE_MAX_SIZE);
    struct lines lines = {0};
    struct name zone = name_of("example.com");
    memcpy(f->buffer + MESSAGE_HEADER_SIZE, zone.wire, zone.size);
    record_writer_init(&f->writer, f->buffer, MESSAGE_HEADER_SIZE + zone.size, MESSAGE_MAX_SIZE);
    record_writer_know(&f->writer, MESSAGE_HEADER_SIZE);
    size_t before = f->writer.size;
    assert_true(add(f, &lines, "@ 60 A 192.0.2.1"));
    assert_int_equal(f->writer.size - before, 2 + 10 + 4);
    assert_true(add(f, &lines, "x 60 A 192.0.2.1"));
    assert_int_equal(f->writer.size - before, 16 + 4 + 10 + 4);
    end(f, &lines);
}

/* Whatever the limit, what was taken back leaves no trace: the records that fit read back. */
static void record_that_does_not_fit_is_taken_back(void **state)
{
    (void)state;
    for (size_t limit = MESSAGE_HEADER_SIZE; limit < 160; limit++) {
        struct fixture *f = begin(limit);
        struct lines lines = {0};
        static const char *const all[] = {
            "a 60 NS ns1.one.test.",
            "a 60 MX 10 mail.one.test.",
            "b.c 60 SOA q.r s.r 1 2 3 4 5",
            "q.r 60 CNAME ns2.one.test.",
            "r 60 TXT \"text\"",
            "ns2.r 60 PTR s.r",
        };
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
            size_t before = f->writer.size;
            if (!add(f, &lines, all[i])) {
                assert_int_equal(f->writer.size, before);
            }
            assert_true(f->writer.size <= limit);
        }
        struct slice bytes = message(f);
        uint8_t *exact = malloc(bytes.size);
        memcpy(exact, bytes.data, bytes.size);
        struct text got;
        text_init(&got, 0);
        message_print_answers(slice_of(exact, bytes.size), &got);
        unsigned lines_got = 0;
        for (const char *p = text_str(&got); *p != '\0'; p++) {
            lines_got += *p == '\n';
        }
        assert_int_equal(lines_got, f->writer.record_count);
        text_deinit(&got);
        free(exact);
        end(f, &lines);
    }
}

/* Past the reach of pointers names are written out, and past what the table holds as well. */
static void long_message_with_many_names_reads_back(void **state)
{
    (void)state;
    struct fixture *f = begin(MESSAGE_MAX_SIZE);
    struct lines lines = {0};
    struct text want;
    text_init(&want, 0);
    char line[200];
    for (unsigned i = 0; i < 2500; i++) {
        const char *deep = i % 3 == 0 ? ".x.y.z" : "";
        snprintf(line, sizeof(line), "%x%s 60 NS %x.%u.test.", i / 2, deep, i * 7919, i % 97);
        if (!add(f, &lines, line)) {
            break;
        }
        text_printf(&want, "%x%s.example.com. 60 NS %x.%u.test.\n", i / 2, deep, i * 7919, i % 97);
    }
    assert_true(f->writer.size > 40000);
    expect_answers(f, text_str(&want));
    text_deinit(&want);
    end(f, &lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_pointers_as_far_as_they_are_known),
        cmocka_unit_test(case_is_kept_and_never_pointed_across),
        cmocka_unit_test(names_of_later_types_and_the_root_stay_whole),
        cmocka_unit_test(known_name_of_the_question_is_pointed_at),
        cmocka_unit_test(record_that_does_not_fit_is_taken_back),
        cmocka_unit_test(long_message_with_many_names_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
