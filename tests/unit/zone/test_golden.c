/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every zone file of tests/golden/zonefile is loaded as example.com; what is reported, how it ends
 * and, where it loads, all records must be what the .expect file beside it says.
 *
 * With GOLDEN_WRITE=1 in the environment the .expect files are written instead; read the difference
 * before you commit it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "zone/check.h"
#include "zone/master.h"

#define FOLDER "tests/golden/zonefile"

static const char *const severities[] = {"info", "warning", "error"};

static void write_finding(void *context, const struct finding *finding)
{
    struct text *out = context;
    text_add_str(out, finding->file == NULL ? "-" : finding->file);
    if (finding->line != 0) {
        text_printf(out, ":%u", finding->line);
    }
    if (finding->column != 0) {
        text_printf(out, ":%u", finding->column);
    }
    text_printf(out, ": %s: %s: %s\n", severities[finding->severity],
                finding_code_name(finding->code), finding->text);
}

static void load(const char *path, struct text *out)
{
    struct name origin;
    struct error err = {0};
    char line[1024];
    assert_int_equal(name_parse_str("example.com", &origin, &err), OK);
    struct zone_load_options options = {
        .path = path,
        .directory = FOLDER,
        .name = origin.wire,
        .class = CLASS_IN,
        .check = check_options_default(true),
    };
    struct zone_version *version = NULL;
    enum result result = zone_load_file(&options, NULL, &version, NULL, write_finding, out, &err);
    assert_int_equal(result, err.code);
    text_printf(out, "%s%s%s\n", result_name(result), result == OK ? "" : " ",
                result == OK ? "" : error_format(&err, line, sizeof(line)));
    if (result != OK) {
        assert_null(version);
        return;
    }
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            master_print_record(&record, out);
        }
    }
    zone_version_unref(version);
}

static void read_whole(const char *path, struct text *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    char bytes[4096];
    size_t size;
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        text_add(out, bytes, size);
    }
    fclose(file);
}

static int is_zone_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".zone") == 0;
}

static bool check_one(const char *name)
{
    char path[512];
    char expect_path[512];
    int stem = (int)strlen(name) - 5;
    snprintf(path, sizeof(path), FOLDER "/%s", name);
    snprintf(expect_path, sizeof(expect_path), FOLDER "/%.*s.expect", stem, name);
    struct text found;
    struct text expected;
    text_init(&found, 0);
    text_init(&expected, 0);
    load(path, &found);
    read_whole(expect_path, &expected);
    bool is_same = slice_equal(text_slice(&found), text_slice(&expected));
    if (!is_same && getenv("GOLDEN_WRITE") != NULL) {
        FILE *file = fopen(expect_path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text_str(&found), 1, found.size, file), found.size);
        fclose(file);
        is_same = true;
    }
    if (!is_same) {
        fprintf(stderr, "%s\n--- expected\n%s--- found\n%s---\n", path, text_str(&expected),
                text_str(&found));
    }
    text_deinit(&found);
    text_deinit(&expected);
    return is_same;
}

static void zone_files_load_as_their_expectations_say(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir(FOLDER, &entries, is_zone_file, alphasort);
    assert_true(count > 40);
    int failures = 0;
    for (int i = 0; i < count; i++) {
        failures += !check_one(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_files_load_as_their_expectations_say),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
