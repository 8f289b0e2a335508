/* SPDX-License-Identifier: BSD-3-Clause */
/* Zones that were added while a server ran: where their file is, what may stand in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    char path[96];
    snprintf(folder, sizeof(folder), "/tmp/lockstep-new-zones-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/sub", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static const char *put(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

/* With `options` and one zone of its own. */
static enum result load(const char *options, const char *trial, struct conf **out,
                        struct error *err)
{
    char text[600];
    snprintf(text, sizeof(text),
             "options { directory \"%s\"; %s };\nzone \"own.example\" { type primary; };\n", folder,
             options);
    return conf_load_trial(put("named.conf", text), trial, NULL, NULL, out, err);
}

static void expect_zones(const char *options, const char *trial, unsigned added)
{
    struct conf *conf;
    struct error err = {0};
    if (load(options, trial, &conf, &err) != OK) {
        fail_msg("%s", err.text);
    }
    unsigned found = 0;
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        found += conf->zones[i].is_added;
    }
    assert_int_equal(found, added);
    assert_int_equal(conf->zone_count, added + 1);
    conf_free(conf);
}

static void expect_error(const char *options, const char *text)
{
    struct conf *conf;
    struct error err = {0};
    assert_int_not_equal(load(options, NULL, &conf, &err), OK);
    if (strstr(err.text, text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, err.text);
    }
}

static void they_are_read_only_where_they_are_allowed(void **state)
{
    (void)state;
    expect_zones("allow-new-zones yes;", NULL, 0); /* none was added yet */
    put("_default.nzf",
        "zone \"a.example\" { type primary; };\nzone b.example { type primary; };\n");
    expect_zones("", NULL, 0);
    expect_zones("allow-new-zones no;", NULL, 0);
    expect_zones("allow-new-zones yes;", NULL, 2);
    expect_zones("allow-new-zones yes; new-zones-directory \"sub\";", NULL, 0);
    put("sub/_default.nzf", "zone \"a.example\" { type primary; };\n");
    expect_zones("allow-new-zones yes; new-zones-directory \"sub\";", NULL, 1);
}

static void a_trial_is_read_in_place_of_the_file(void **state)
{
    (void)state;
    char trial[128];
    put("_default.nzf", "zone \"a.example\" { type primary; };\n");
    snprintf(
        trial, sizeof(trial), "%s",
        put("trial", "zone a.example { type primary; };\nzone b.example { type primary; };\n"));
    expect_zones("allow-new-zones yes;", trial, 2);
    expect_zones("allow-new-zones yes;", NULL, 1);
}

static void the_file_is_named_with_its_folder(void **state)
{
    (void)state;
    struct conf *conf;
    char expected[128];
    assert_int_equal(load("allow-new-zones yes; new-zones-directory \"sub\";", NULL, &conf, NULL),
                     OK);
    snprintf(expected, sizeof(expected), "%s/sub/_default.nzf", folder);
    assert_string_equal(conf->new_zones_file, expected);
    conf_free(conf);
    assert_int_equal(load("allow-new-zones yes;", NULL, &conf, NULL), OK);
    snprintf(expected, sizeof(expected), "%s/_default.nzf", folder);
    assert_string_equal(conf->new_zones_file, expected);
    conf_free(conf);
    assert_int_equal(load("", NULL, &conf, NULL), OK);
    assert_null(conf->new_zones_file);
    conf_free(conf);
}

static void nothing_but_zones_may_stand_there(void **state)
{
    (void)state;
    put("_default.nzf", "acl a { any; };\n");
    expect_error("allow-new-zones yes;", "only `zone` statements");
    put("_default.nzf", "zone a.example { type primary; checker \"/bin/sh\" \"-c\" \"id\"; };\n");
    expect_error("allow-new-zones yes;", "names a program");
    put("_default.nzf", "zone a.example { type primary; checker none; };\n");
    expect_zones("allow-new-zones yes;", NULL, 1);
    put("_default.nzf", "include \"named.conf\";\n");
    expect_error("allow-new-zones yes;", "");
    put("_default.nzf", "zone \"own.example\" { type primary; };\n");
    expect_error("allow-new-zones yes;", "a second time");
    put("_default.nzf", "zone \"a.example\" { type primary; \n");
    expect_error("allow-new-zones yes;", "never closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_read_only_where_they_are_allowed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_trial_is_read_in_place_of_the_file, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_file_is_named_with_its_folder, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(nothing_but_zones_may_stand_there, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
