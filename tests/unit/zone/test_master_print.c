/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "zone/check.h"
#include "zone/delta.h"
#include "zone/master.h"

static const uint8_t apex[] = "\7example\3com";
static const uint8_t root[] = "";

static struct zone_version *load(const char *path, const uint8_t *name)
{
    struct zone_load_options options = {.path = path, .name = name, .class = CLASS_IN};
    struct zone_version *version = NULL;
    struct error err = {0};
    if (zone_load_file(&options, NULL, &version, NULL, NULL, NULL, &err) != OK) {
        char text[1024];
        fail_msg("%s", error_format(&err, text, sizeof(text)));
    }
    return version;
}

static void read_whole(const char *path, struct text *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char bytes[4096];
    size_t size;
    while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        text_add(out, bytes, size);
    }
    fclose(file);
}

static void put(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

/* A folder of this test's own, gone again at its end. */
struct place {
    char folder[64];
    char in[96];
    char out[96];
    char fresh[128];
};

static struct place place_new(void)
{
    struct place p = {.folder = "/tmp/test_print_XXXXXX"};
    assert_non_null(mkdtemp(p.folder));
    snprintf(p.in, sizeof(p.in), "%s/in.zone", p.folder);
    snprintf(p.out, sizeof(p.out), "%s/out.zone", p.folder);
    snprintf(p.fresh, sizeof(p.fresh), "%s.lockstep-new", p.out);
    return p;
}

static void place_free(const struct place *p)
{
    unlink(p->in);
    unlink(p->out);
    assert_int_equal(rmdir(p->folder), 0); /* nothing else was left there */
}

static const char zone_text[] = "$TTL 60\n"
                                "@ A 192.0.2.1\n"
                                "@ SOA ns1 host 7 7200 900 1209600 300\n"
                                "@ NS ns1\n"
                                "@ NS ns2.example.net.\n"
                                "\\@ TXT x\n"
                                "\\$x TXT \"a;b\"\n"
                                "a.b.c 5 A 192.0.2.2\n"
                                "a\\.b TXT x y\n"
                                "*.w CNAME @\n"
                                "NS1 A 192.0.2.3\n"
                                "NS1 AAAA ::1\n";

static void copy_and_file_are_the_same_text(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, zone_text);
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    struct text file, copy;
    text_init(&file, 0);
    text_init(&copy, 0);
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), OK);
    read_whole(p.out, &file);
    assert_int_equal(master_write_copy(version, MASTER_RELATIVE, p.out, &err), OK);
    read_whole(p.out, &copy);
    assert_string_equal(text_str(&copy), text_str(&file));
    text_deinit(&file);
    text_deinit(&copy);
    zone_version_unref(version);
    place_free(&p);
}

static void full_style_says_all_in_each_line(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, zone_text);
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    struct text relative, full;
    text_init(&relative, 0);
    text_init(&full, 0);
    assert_int_equal(master_write_file(version, MASTER_FULL, p.out, &err), OK);
    read_whole(p.out, &full);
    assert_null(strstr(text_str(&full), "$ORIGIN"));
    assert_null(strstr(text_str(&full), "\n\t"));
    assert_non_null(strstr(text_str(&full), "\nexample.com.\t"));
    struct zone_version *again = load(p.out, apex);
    master_print_zone(version, MASTER_RELATIVE, &relative);
    text_reset(&full);
    master_print_zone(again, MASTER_RELATIVE, &full);
    assert_string_equal(text_str(&full), text_str(&relative));
    text_deinit(&relative);
    text_deinit(&full);
    zone_version_unref(again);
    zone_version_unref(version);
    place_free(&p);
}

static void zone_file_has_soa_first_then_canonical_order_grouped_by_owner(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, zone_text);
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), OK);
    struct text text;
    text_init(&text, 0);
    read_whole(p.out, &text);
    assert_string_equal(
        text_str(&text),
        "; example.com. serial 7, 11 records\n"
        "$ORIGIN example.com.\n"
        "@\t60\tIN\tSOA\tns1.example.com. host.example.com. 7 7200 900 1209600 300\n"
        "\t60\tIN\tA\t192.0.2.1\n"
        "\t60\tIN\tNS\tns1.example.com.\n"
        "\t60\tIN\tNS\tns2.example.net.\n"
        "\\$x\t60\tIN\tTXT\t\"a;b\"\n"
        "\\@\t60\tIN\tTXT\t\"x\"\n"
        "a\\.b\t60\tIN\tTXT\t\"x\" \"y\"\n"
        "a.b.c\t5\tIN\tA\t192.0.2.2\n"
        "NS1\t60\tIN\tA\t192.0.2.3\n"
        "\t60\tIN\tAAAA\t::1\n"
        "*.w\t60\tIN\tCNAME\texample.com.\n");
    text_deinit(&text);
    zone_version_unref(version);
    place_free(&p);
}

static void zone_file_reads_back_as_the_same_version(void **state)
{
    (void)state;
    struct place p = place_new();
    struct zone_version *first = load("tests/golden/zonefile/all-types.zone", apex);
    struct error err = {0};
    assert_int_equal(master_write_file(first, MASTER_RELATIVE, p.out, &err), OK);
    struct zone_version *second = load(p.out, apex);
    struct delta *delta = delta_diff(first, second);
    assert_int_equal(delta_count(delta), 2); /* the two SOAs, which are equal */
    assert_int_equal(zone_version_record_count(first), zone_version_record_count(second));
    delta_free(delta);
    zone_version_unref(first);
    zone_version_unref(second);
    place_free(&p);
}

static void zone_file_of_the_root_is_relative_to_the_root(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, "$TTL 60\n. SOA a. b. 1 7200 900 1209600 300\n. NS a.b.\na.b. A 192.0.2.1\n");
    struct zone_version *version = load(p.in, root);
    struct error err = {0};
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), OK);
    struct text text;
    text_init(&text, 0);
    read_whole(p.out, &text);
    assert_string_equal(text_str(&text), "; . serial 1, 3 records\n"
                                         "$ORIGIN .\n"
                                         "@\t60\tIN\tSOA\ta. b. 1 7200 900 1209600 300\n"
                                         "\t60\tIN\tNS\ta.b.\n"
                                         "a.b\t60\tIN\tA\t192.0.2.1\n");
    struct zone_version *again = load(p.out, root);
    assert_int_equal(zone_version_record_count(again), 3);
    text_deinit(&text);
    zone_version_unref(version);
    zone_version_unref(again);
    place_free(&p);
}

static void zone_file_replaces_the_old_one_and_keeps_to_the_umask(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, zone_text);
    put(p.out, "the old file\n");
    put(p.fresh, "left behind by a crash\n");
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    mode_t before = umask(027);
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), OK);
    umask(before);
    struct stat stat_now;
    assert_int_equal(stat(p.out, &stat_now), 0);
    assert_int_equal(stat_now.st_mode & 0777, 0640);
    assert_true(stat_now.st_size > 100);
    zone_version_unref(version);
    place_free(&p);
}

static void zone_file_follows_no_symbolic_link(void **state)
{
    (void)state;
    struct place p = place_new();
    char victim[96];
    snprintf(victim, sizeof(victim), "%s/victim", p.folder);
    put(p.in, zone_text);
    put(victim, "precious\n");
    assert_int_equal(symlink(victim, p.fresh), 0);
    assert_int_equal(symlink(victim, p.out), 0);
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), OK);
    struct text text;
    text_init(&text, 0);
    read_whole(victim, &text);
    assert_string_equal(text_str(&text), "precious\n");
    text_deinit(&text);
    zone_version_unref(version);
    unlink(victim);
    place_free(&p);
}

static void zone_file_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct place p = place_new();
    put(p.in, zone_text);
    struct zone_version *version = load(p.in, apex);
    struct error err = {0};
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, "/nowhere/x.zone", &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nowhere/x.zone"));
    /* A folder cannot be renamed over; nothing stays behind. */
    assert_int_equal(mkdir(p.out, 0755), 0);
    err = (struct error){0};
    assert_int_equal(master_write_file(version, MASTER_RELATIVE, p.out, &err), ERR_IO);
    assert_int_equal(rmdir(p.out), 0);
    assert_int_not_equal(access(p.fresh, F_OK), 0);
    zone_version_unref(version);
    place_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_and_file_are_the_same_text),
        cmocka_unit_test(full_style_says_all_in_each_line),
        cmocka_unit_test(zone_file_has_soa_first_then_canonical_order_grouped_by_owner),
        cmocka_unit_test(zone_file_reads_back_as_the_same_version),
        cmocka_unit_test(zone_file_of_the_root_is_relative_to_the_root),
        cmocka_unit_test(zone_file_replaces_the_old_one_and_keeps_to_the_umask),
        cmocka_unit_test(zone_file_follows_no_symbolic_link),
        cmocka_unit_test(zone_file_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests_name("master_print", tests, NULL, NULL);
}
