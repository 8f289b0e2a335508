/* SPDX-License-Identifier: BSD-3-Clause */
#include "zones/zone_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "zones/zone_history.h"

static char directory[64], path[100], linked[100];

static void put(const char *where, const char *content)
{
    FILE *file = fopen(where, "w");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *where, const char *content)
{
    char bytes[100] = "";
    FILE *file = fopen(where, "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes) - 1, file);
    fclose(file);
    assert_string_equal(bytes, content);
    assert_int_equal(size, strlen(content));
}

static unsigned count_files(void)
{
    char command[100];
    unsigned count = 0;
    snprintf(command, sizeof(command), "ls -A %s", directory);
    FILE *list = popen(command, "r");
    for (int c; (c = fgetc(list)) != EOF;) {
        count += c == '\n';
    }
    pclose(list);
    return count;
}

static struct file_mark mark(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    struct file_mark now = file_mark_of(&st);
    now.known = true;
    return now;
}

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test_zone_file_XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/zone", directory);
    snprintf(linked, sizeof(linked), "%s/link", directory);
    put(path, "old");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(linked);
    return rmdir(directory);
}

static enum result replace(const char *where, const struct file_mark *expected, const char *content,
                           struct file_mark *out)
{
    struct text text;
    struct error err = {0};
    text_init(&text, 0);
    text_add_str(&text, content);
    enum result result = zone_file_replace(where, expected, &text, out, &err);
    assert_int_equal(err.code, result);
    text_deinit(&text);
    return result;
}

static void file_is_replaced_with_its_mode_through_links(void **state)
{
    (void)state;
    struct stat st;
    struct file_mark before = mark(), after;
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(symlink("zone", linked), 0);
    assert_int_equal(replace(linked, &before, "new", &after), OK);
    assert_holds(path, "new");
    assert_int_equal(lstat(linked, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    after.known = true;
    assert_true(file_mark_is(&after, &st));
    assert_int_equal(count_files(), 2);
}

static void file_that_was_edited_meanwhile_stays(void **state)
{
    (void)state;
    struct file_mark before = mark(), after;
    put(path, "edited in place");
    assert_int_equal(replace(path, &before, "new", &after), ERR_STALE);
    assert_holds(path, "edited in place");
    before = mark();
    put(linked, "saved by rename");
    assert_int_equal(rename(linked, path), 0);
    assert_int_equal(replace(path, &before, "new", &after), ERR_STALE);
    assert_holds(path, "saved by rename");
    before.known = false;
    assert_int_equal(replace(path, &before, "new", &after), ERR_STALE);
    assert_int_equal(count_files(), 1);
}

/* The author's program has opened it and not written yet: what it will write goes to the file that
 * has the name. */
static void file_that_is_open_for_writing_stays(void **state)
{
    (void)state;
    struct file_mark before = mark(), after;
    FILE *author = fopen(path, "a");
    assert_non_null(author);
    enum result result = replace(path, &before, "new", &after);
    assert_true(result == ERR_BUSY);
    assert_holds(path, "old");
    assert_true(fputs(" and more", author) >= 0);
    assert_int_equal(fclose(author), 0);
    assert_holds(path, "old and more");
    before = mark();
    assert_int_equal(replace(path, &before, "new", &after), OK);
    assert_holds(path, "new");
    assert_int_equal(count_files(), 1);
}

static void reading_notices_another_file(void **state)
{
    (void)state;
    struct text text;
    struct error err = {0};
    struct file_mark before = mark();
    text_init(&text, 0);
    assert_int_equal(zone_file_read(path, &before, &text, &err), OK);
    assert_string_equal(text_str(&text), "old");
    put(path, "another");
    assert_int_equal(zone_file_read(path, &before, &text, &err), ERR_STALE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(zone_file_read(path, &before, &text, &err), ERR_NOT_FOUND);
    text_deinit(&text);
}

static void a_directory_in_its_place_is_an_error(void **state)
{
    (void)state;
    struct file_mark before = mark(), after;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(replace(path, &before, "new", &after), ERR_IO);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(replace(path, &before, "new", &after), ERR_STALE);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_is_replaced_with_its_mode_through_links, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(file_that_was_edited_meanwhile_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(file_that_is_open_for_writing_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_notices_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_in_its_place_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
