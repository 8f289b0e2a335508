/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "zone/check.h"
#include "zone/delta.h"

static const uint8_t apex[] = "\7example\3com";

#define SOA_AND_NS(serial)                                                                         \
    "$TTL 60\n@ SOA ns1.example.net. host " #serial " 7200 900 1209600 300\n"                      \
    "@ NS ns1.example.net.\n@ NS ns2.example.net.\n"

struct seen {
    struct text text;
    size_t errors;
};

static void see(void *context, const struct finding *finding)
{
    struct seen *seen = context;
    seen->errors += finding->severity == FINDING_ERROR;
    text_printf(&seen->text, "%u %s\n", finding->line, finding_code_name(finding->code));
}

static enum result load(const char *content, const struct zone_load_options *base_options,
                        struct zone_version *base, struct zone_version **out,
                        struct delta **out_delta, struct seen *seen, struct error *err)
{
    char path[] = "/tmp/test_load_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    struct zone_load_options options = *base_options;
    options.path = path;
    options.name = apex;
    options.class = CLASS_IN;
    enum result result = zone_load_file(&options, base, out, out_delta, see, seen, err);
    unlink(path);
    return result;
}

static void load_gives_a_version(void **state)
{
    (void)state;
    struct zone_load_options options = {.check = check_options_default(true)};
    struct zone_version *version = NULL;
    struct delta *delta = NULL;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(load(SOA_AND_NS(5), &options, NULL, &version, &delta, &seen, &err), OK);
    assert_int_equal(zone_version_serial(version).value, 5);
    assert_null(delta);
    assert_string_equal(text_str(&seen.text), "");
    zone_version_unref(version);
}

static void load_over_a_base_says_what_changed(void **state)
{
    (void)state;
    struct zone_load_options options = {.check = check_options_default(true)};
    struct zone_version *first = NULL;
    struct zone_version *second = NULL;
    struct delta *delta = NULL;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(
        load(SOA_AND_NS(5) "a A 192.0.2.1\n", &options, NULL, &first, NULL, &seen, &err), OK);
    assert_int_equal(
        load(SOA_AND_NS(6) "a A 192.0.2.2\n", &options, first, &second, &delta, &seen, &err), OK);
    assert_non_null(delta);
    assert_int_equal(delta_from(delta).value, 5);
    assert_int_equal(delta_to(delta).value, 6);
    assert_int_equal(delta_count(delta), 4);
    delta_free(delta);
    zone_version_unref(first);
    zone_version_unref(second);
}

static void load_reports_all_errors_and_leaves_the_outputs_alone(void **state)
{
    (void)state;
    struct zone_load_options options = {.check = check_options_default(true)};
    struct zone_version *version = NULL;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(load(SOA_AND_NS(5) "a A x\nb CNAME c\nb CNAME d\nc QQ x\n", &options, NULL,
                          &version, NULL, &seen, &err),
                     ERR_FORMAT);
    assert_null(version);
    assert_int_equal(seen.errors, 3);
    assert_string_equal(text_str(&seen.text), "5 syntax\n7 several-cname\n8 syntax\n");
    assert_int_equal(err.line, 5);
    text_deinit(&seen.text);
}

static void load_stops_at_max_records(void **state)
{
    (void)state;
    struct zone_load_options options = {.check = check_options_default(true), .max_records = 3};
    struct zone_version *version = NULL;
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(load(SOA_AND_NS(5), &options, NULL, &version, NULL, &seen, &err), OK);
    zone_version_unref(version);
    version = NULL;
    assert_int_equal(load(SOA_AND_NS(5) "a A 192.0.2.1\na A 192.0.2.2\n", &options, NULL, &version,
                          NULL, &seen, &err),
                     ERR_LIMIT);
    assert_null(version);
    assert_string_equal(text_str(&seen.text), "5 limit\n");
    text_deinit(&seen.text);
}

static void load_says_that_a_file_is_missing(void **state)
{
    (void)state;
    struct zone_load_options options = {.path = "/nowhere/x", .name = apex, .class = CLASS_IN};
    struct zone_version *version = NULL;
    struct error err = {0};
    assert_int_equal(zone_load_file(&options, NULL, &version, NULL, NULL, NULL, &err),
                     ERR_NOT_FOUND);
    assert_null(version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_gives_a_version),
        cmocka_unit_test(load_over_a_base_says_what_changed),
        cmocka_unit_test(load_reports_all_errors_and_leaves_the_outputs_alone),
        cmocka_unit_test(load_stops_at_max_records),
        cmocka_unit_test(load_says_that_a_file_is_missing),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
