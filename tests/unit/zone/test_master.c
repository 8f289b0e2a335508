/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/master.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"

/* What a parse gave: the records as text, the findings as lines, in the order they came. */
struct seen {
    struct text records;
    struct text findings;
    enum result answer; /* what the callback says ... */
    size_t answer_at;   /* ... to this record and those behind it */
    size_t count;
    const char *append_to; /* a file that grows while it is read */
    const char *files[16]; /* address of each record's file name */
};

static enum result see_record(void *context, const struct record *record, const char *file,
                              uint32_t line, struct error *err)
{
    struct seen *seen = context;
    (void)line;
    if (seen->count < ARRAY_SIZE(seen->files)) {
        seen->files[seen->count] = file;
    }
    if (seen->append_to != NULL) {
        int fd = open(seen->append_to, O_WRONLY | O_APPEND);
        assert_int_equal(write(fd, "; more\n", 7), 7);
        close(fd);
        seen->append_to = NULL;
    }
    if (seen->answer != OK && seen->count++ >= seen->answer_at) {
        return error_set(err, seen->answer, "no more");
    }
    seen->count += seen->answer == OK;
    master_print_record(record, &seen->records);
    return OK;
}

static void see_finding(void *context, const struct finding *finding)
{
    struct seen *seen = context;
    static const char *const severities[] = {"info", "warning", "error"};
    text_printf(&seen->findings, "%s:%u:%u: %s: %s: %s\n", finding->file, finding->line,
                finding->column, severities[finding->severity], finding_code_name(finding->code),
                finding->text);
}

static struct name example;

static struct master_options options_for(const char *origin)
{
    struct error err = {0};
    assert_int_equal(name_parse_str(origin, &example, &err), OK);
    return (struct master_options){.origin = example.wire, .class = CLASS_IN};
}

static void seen_free(struct seen *seen)
{
    text_deinit(&seen->records);
    text_deinit(&seen->findings);
}

static enum result parse(const char *text, const struct master_options *options, struct seen *seen,
                         struct error *err)
{
    size_t size = strlen(text);
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, text, size);
    enum result result = master_parse_text(slice_of(copy, size), "x.zone", "tests/golden/zonefile",
                                           options, see_record, seen, see_finding, seen, err);
    free(copy);
    return result;
}

static void expect(const char *text, enum result result, const char *records, const char *findings)
{
    struct master_options options = options_for("example.com");
    struct seen seen = {0};
    struct error err = {0};
    enum result found = parse(text, &options, &seen, &err);
    if (found != result || strcmp(text_str(&seen.records), records) != 0 ||
        strcmp(text_str(&seen.findings), findings) != 0) {
        fail_msg("text:\n%s\nfound %s:\n%s%s\nexpected %s:\n%s%s", text, result_name(found),
                 text_str(&seen.records), text_str(&seen.findings), result_name(result), records,
                 findings);
    }
    assert_int_equal(err.code, result);
    seen_free(&seen);
}

static void master_takes_ttl_and_class_in_either_order(void **state)
{
    (void)state;
    expect("a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc 60 A 192.0.2.1\n$TTL 5\nd IN A 192.0.2.1\n"
           "e A 192.0.2.1\n",
           OK,
           "a.example.com.\t60\tIN\tA\t192.0.2.1\nb.example.com.\t60\tIN\tA\t192.0.2.1\n"
           "c.example.com.\t60\tIN\tA\t192.0.2.1\nd.example.com.\t5\tIN\tA\t192.0.2.1\n"
           "e.example.com.\t5\tIN\tA\t192.0.2.1\n",
           "");
}

static void master_reads_time_units(void **state)
{
    (void)state;
    expect("a 1w2d3h4m5s A 192.0.2.1\nb 1W A 192.0.2.1\nc 0 A 192.0.2.1\n", OK,
           "a.example.com.\t788645\tIN\tA\t192.0.2.1\nb.example.com.\t604800\tIN\tA\t192.0.2.1\n"
           "c.example.com.\t0\tIN\tA\t192.0.2.1\n",
           "");
}

static void master_completes_names_by_the_origin(void **state)
{
    (void)state;
    expect("$TTL 1\n@ NS a\n$ORIGIN sub\n@ NS @\nb NS c.\n$ORIGIN .\nd NS e\n", OK,
           "example.com.\t1\tIN\tNS\ta.example.com.\n"
           "sub.example.com.\t1\tIN\tNS\tsub.example.com.\n"
           "b.sub.example.com.\t1\tIN\tNS\tc.\nd.\t1\tIN\tNS\te.\n",
           "");
}

static void master_keeps_the_case_of_names(void **state)
{
    (void)state;
    expect("$TTL 1\nWwW NS Ns\nwww NS ns\n", OK,
           "WwW.example.com.\t1\tIN\tNS\tNs.example.com.\n"
           "www.example.com.\t1\tIN\tNS\tns.example.com.\n",
           "");
}

static void master_goes_on_with_the_next_entry(void **state)
{
    (void)state;
    expect("$TTL 1\na A x\n A 192.0.2.1\nb..c A 192.0.2.1\n A 192.0.2.2\nd A 192.0.2.3\n",
           ERR_FORMAT, "a.example.com.\t1\tIN\tA\t192.0.2.1\nd.example.com.\t1\tIN\tA\t192.0.2.3\n",
           "x.zone:2:5: error: syntax: expected an IPv4 address, found \"x\"\n"
           "x.zone:4:1: error: syntax: empty label in name 'b..c'\n");
}

static void master_puts_the_first_error_with_its_place_into_err(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse("\n  \n$TTL 1\na\n  b\n", &options, &seen, &err), ERR_FORMAT);
    char text[1024];
    assert_string_equal(error_format(&err, text, sizeof(text)),
                        "x.zone:4:2: expected a record type, found the end of the entry");
    seen_free(&seen);
}

static void master_stops_after_max_errors(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    options.max_errors = 2;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse("a\nb\nc\n", &options, &seen, &err), ERR_FORMAT);
    assert_string_equal(
        text_str(&seen.findings),
        "x.zone:1:2: error: syntax: expected a record type, found the end of the entry\n"
        "x.zone:2:2: error: syntax: expected a record type, found the end of the entry\n"
        "x.zone:2:0: info: limit: stopped after 2 errors\n");
    seen_free(&seen);
}

static void master_reports_findings_without_control_characters(void **state)
{
    (void)state;
    expect("$TTL 1\na \x1b[31m\xe2\x82\xac A 192.0.2.1\n", ERR_FORMAT, "",
           "x.zone:2:3: error: syntax: expected a TTL, a class or a record type, found "
           "\"?[31m???\"\n");
}

static void master_stops_with_the_callbacks_error(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    struct seen seen = {.answer = ERR_LIMIT, .answer_at = 1};
    struct error err = {0};
    assert_int_equal(
        parse("$TTL 1\na A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\n", &options, &seen, &err),
        ERR_LIMIT);
    assert_int_equal(seen.count, 2);
    assert_string_equal(err.text, "no more");
    assert_int_equal(err.line, 3);
    seen_free(&seen);
}

static void master_drops_what_the_callback_does_not_find_in_the_zone(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    struct seen seen = {.answer = ERR_NOT_FOUND, .answer_at = 0};
    struct error err = {0};
    assert_int_equal(parse("$TTL 1\na.org. A 192.0.2.1\n", &options, &seen, &err), OK);
    assert_string_equal(text_str(&seen.findings),
                        "x.zone:2:1: warning: out-of-zone: a.org. is not in the zone "
                        "example.com.; the record is dropped\n");
    seen_free(&seen);
}

static void master_uses_the_default_ttl_last(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    options.has_default_ttl = true;
    options.default_ttl = 77;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse("a A 192.0.2.1\nb 5 A 192.0.2.1\n", &options, &seen, &err), OK);
    assert_string_equal(text_str(&seen.records), "a.example.com.\t77\tIN\tA\t192.0.2.1\n"
                                                 "b.example.com.\t5\tIN\tA\t192.0.2.1\n");
    seen_free(&seen);
}

static void master_refuses_another_class(void **state)
{
    (void)state;
    expect("$TTL 1\na CH A 192.0.2.1\n", ERR_FORMAT, "",
           "x.zone:2:3: error: wrong-class: expected the zone's class IN, found \"CH\"\n");
}

static void master_bounds_the_depth_of_includes(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    options.max_include_depth = 1;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse("$TTL 1\n$INCLUDE 20-include-loop.inc\n", &options, &seen, &err),
                     ERR_LIMIT);
    assert_non_null(strstr(text_str(&seen.findings),
                           "20-include-loop.inc:2:10: error: limit: $INCLUDE nests deeper than 1"));
    seen_free(&seen);
}

static void master_tells_files_apart_by_address(void **state)
{
    (void)state;
    char directory[] = "/tmp/test_master_XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[2][64];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%d", directory, i);
        FILE *file = fopen(path[i], "w");
        fputs("a 1 A 192.0.2.1\n", file);
        fclose(file);
    }
    char text[256];
    snprintf(text, sizeof(text), "$INCLUDE %s\n$INCLUDE %s\n", path[0], path[1]);
    struct master_options options = options_for("example.com");
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse(text, &options, &seen, &err), OK);
    assert_int_equal(seen.count, 2);
    assert_ptr_not_equal(seen.files[0], seen.files[1]);
    seen_free(&seen);
    unlink(path[0]);
    unlink(path[1]);
    rmdir(directory);
}

static void master_says_that_a_file_is_missing_or_a_directory(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(
        master_parse_file("/nowhere/x", NULL, &options, see_record, &seen, NULL, NULL, &err),
        ERR_NOT_FOUND);
    assert_string_equal(err.text, "cannot open '/nowhere/x': No such file or directory");
    err = (struct error){0};
    assert_int_equal(
        master_parse_file("tests", NULL, &options, see_record, &seen, NULL, NULL, &err), ERR_IO);
    assert_string_equal(err.text, "'tests' is a directory, expected a file");
}

static void master_refuses_a_file_that_changes_while_it_is_read(void **state)
{
    (void)state;
    char path[] = "/tmp/test_master_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a 1 A 192.0.2.1\n", 16), 16);
    close(fd);
    struct master_options options = options_for("example.com");
    struct seen seen = {.append_to = path};
    struct error err = {0};
    assert_int_equal(
        master_parse_file(path, NULL, &options, see_record, &seen, see_finding, &seen, &err),
        ERR_IO);
    assert_string_equal(err.text, "the file changed while it was read; try again");
    seen_free(&seen);
    unlink(path);
}

/* Whether a file that changes while it is read is taken, last written before `quiet_before_s` or not,
 * after `comment_size` octets of comment. */
static enum result parse_changing(int64_t quiet_before_s, size_t comment_size)
{
    char path[] = "/tmp/test_master_XXXXXX";
    int fd = mkstemp(path);
    char *comment = malloc(comment_size + 1);
    memset(comment, ';', comment_size);
    comment[comment_size] = '\n';
    assert_int_equal(write(fd, comment, comment_size + 1), comment_size + 1);
    assert_int_equal(write(fd, "a 1 A 192.0.2.1\n", 16), 16);
    assert_int_equal(futimens(fd, (struct timespec[]){{.tv_sec = 1000}, {.tv_sec = 1000}}), 0);
    close(fd);
    struct master_options options = options_for("example.com");
    options.quiet_before_s = quiet_before_s;
    struct seen seen = {.append_to = path};
    struct error err = {0};
    enum result result =
        master_parse_file(path, NULL, &options, see_record, &seen, see_finding, &seen, &err);
    assert_int_equal(seen.count, 1);
    seen_free(&seen);
    unlink(path);
    free(comment);
    return result;
}

static void master_looks_once_at_a_small_file_that_was_quiet(void **state)
{
    (void)state;
    assert_int_equal(parse_changing(1001, 10), OK);
    assert_int_equal(parse_changing(1000, 10), ERR_IO); /* written just then */
    assert_int_equal(parse_changing(0, 10), ERR_IO);
    assert_int_equal(parse_changing(1001, 600000), ERR_IO); /* not in one piece */
}

static void master_reads_pipes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a 1 A 192.0.2.1\n", 16), 16);
    close(ends[1]);
    char path[64];
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    struct master_options options = options_for("example.com");
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(master_parse_file(path, NULL, &options, see_record, &seen, NULL, NULL, &err),
                     OK);
    assert_string_equal(text_str(&seen.records), "a.example.com.\t1\tIN\tA\t192.0.2.1\n");
    seen_free(&seen);
    close(ends[0]);
}

static void generate_is_bounded_by_the_options(void **state)
{
    (void)state;
    struct master_options options = options_for("example.com");
    options.max_generate = 3;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(parse("$TTL 1\n$GENERATE 1-3 a$ A 192.0.2.$\n", &options, &seen, &err), OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(parse("$TTL 1\n$GENERATE 1-4 a$ A 192.0.2.$\n", &options, &seen, &err),
                     ERR_LIMIT);
    assert_int_equal(seen.count, 3);
    assert_string_equal(err.text, "expected a range that makes at most 3 records, found 4");
    seen_free(&seen);
}

/* Parse, print, parse, print: the texts are equal. Returns how many records there were. */
static size_t expect_round_trip(struct slice text, const char *origin)
{
    struct master_options options = options_for(origin);
    struct seen first = {0};
    struct seen second = {0};
    struct error err = {0};
    enum result result = master_parse_text(text, "first", NULL, &options, see_record, &first,
                                           see_finding, &first, &err);
    if (result != OK) {
        fail_msg("first reading:\n%s", text_str(&first.findings));
    }
    result = master_parse_text(text_slice(&first.records), "second", NULL, &options, see_record,
                               &second, see_finding, &second, &err);
    if (result != OK) {
        fail_msg("second reading:\n%s", text_str(&second.findings));
    }
    assert_int_equal(first.count, second.count);
    assert_string_equal(text_str(&first.records), text_str(&second.records));
    size_t count = first.count;
    seen_free(&first);
    seen_free(&second);
    return count;
}

static void read_stream(FILE *file, struct text *out)
{
    char bytes[65536];
    size_t size;
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        text_add(out, bytes, size);
    }
}

static void parse_then_print_is_the_identity_for_all_types(void **state)
{
    (void)state;
    FILE *file = fopen("tests/golden/zonefile/all-types.zone", "r");
    assert_non_null(file);
    struct text text;
    text_init(&text, 0);
    read_stream(file, &text);
    fclose(file);
    assert_true(expect_round_trip(text_slice(&text), "example.com") > 80);
    text_deinit(&text);
}

static void parse_then_print_is_the_identity_for_the_signed_root(void **state)
{
    (void)state;
    if (access("../shared/data/root-signed-2021051901.zone.xz", R_OK) != 0) {
        skip();
    }
    FILE *file = popen("xz -dc ../shared/data/root-signed-2021051901.zone.xz", "r");
    assert_non_null(file);
    struct text text;
    text_init(&text, 0);
    read_stream(file, &text);
    assert_int_equal(pclose(file), 0);
    assert_int_equal(expect_round_trip(text_slice(&text), "."), 21353);
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(master_takes_ttl_and_class_in_either_order),
        cmocka_unit_test(master_reads_time_units),
        cmocka_unit_test(master_completes_names_by_the_origin),
        cmocka_unit_test(master_keeps_the_case_of_names),
        cmocka_unit_test(master_goes_on_with_the_next_entry),
        cmocka_unit_test(master_puts_the_first_error_with_its_place_into_err),
        cmocka_unit_test(master_stops_after_max_errors),
        cmocka_unit_test(master_reports_findings_without_control_characters),
        cmocka_unit_test(master_stops_with_the_callbacks_error),
        cmocka_unit_test(master_drops_what_the_callback_does_not_find_in_the_zone),
        cmocka_unit_test(master_uses_the_default_ttl_last),
        cmocka_unit_test(master_refuses_another_class),
        cmocka_unit_test(master_bounds_the_depth_of_includes),
        cmocka_unit_test(master_tells_files_apart_by_address),
        cmocka_unit_test(master_says_that_a_file_is_missing_or_a_directory),
        cmocka_unit_test(master_refuses_a_file_that_changes_while_it_is_read),
        cmocka_unit_test(master_looks_once_at_a_small_file_that_was_quiet),
        cmocka_unit_test(master_reads_pipes),
        cmocka_unit_test(generate_is_bounded_by_the_options),
        cmocka_unit_test(parse_then_print_is_the_identity_for_all_types),
        cmocka_unit_test(parse_then_print_is_the_identity_for_the_signed_root),
    };
    return cmocka_run_group_tests_name("master", tests, NULL, NULL);
}
