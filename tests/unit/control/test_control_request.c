/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the control protocol: what is taken, and that nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_request.h"

/* In a buffer of its exact size, so that the sanitizer sees a stray read. */
static enum result parse(const char *line, struct control_request *out, struct error *err)
{
    size_t size = strlen(line);
    char *copy = malloc(size + (size == 0));
    memcpy(copy, line, size);
    *err = (struct error){0};
    enum result result = control_request_parse(slice_of(copy, size), out, err);
    free(copy);
    return result;
}

static void expect_refused(const char *line, enum result code, const char *part)
{
    struct control_request request = {.command = "untouched"};
    struct error err;
    assert_int_equal(parse(line, &request, &err), code);
    if (strstr(err.text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.text);
    }
    assert_string_equal(request.command, "untouched");
}

static void request_names_command_and_zone(void **state)
{
    (void)state;
    struct control_request request;
    struct error err;
    assert_int_equal(parse("{\"version\":1,\"command\":\"status\"}", &request, &err), OK);
    assert_string_equal(request.command, "status");
    assert_false(request.has_zone);
    assert_int_equal(parse(" { \"zone\" : \"Example.COM.\", \"command\" : \"reload\", "
                           "\"version\" : 1 } ",
                           &request, &err),
                     OK);
    assert_true(request.has_zone);
    char text[NAME_TEXT_SIZE];
    assert_string_equal(name_format(request.zone.wire, text), "Example.COM.");
}

static void request_root_zone_is_a_zone(void **state)
{
    (void)state;
    struct control_request request;
    struct error err;
    assert_int_equal(parse("{\"version\":1,\"command\":\"status\",\"zone\":\".\"}", &request, &err),
                     OK);
    assert_true(request.has_zone);
    assert_int_equal(request.zone.size, 1);
}

static void request_that_is_not_json_is_refused(void **state)
{
    (void)state;
    expect_refused("", ERR_FORMAT, "not JSON");
    expect_refused("status", ERR_FORMAT, "not JSON");
    expect_refused("{\"version\":1,\"command\":\"status\"", ERR_FORMAT, "not JSON");
    expect_refused("{\"version\":1,\"command\":\"status\"} x", ERR_FORMAT, "not JSON");
    expect_refused("{\"version\":1,\"command\":\"st\\u0000atus\"}", ERR_FORMAT, "not JSON");
    expect_refused("{\"version\":1,\"command\":\"\xff\"}", ERR_FORMAT, "not JSON");
    expect_refused("[1]", ERR_FORMAT, "JSON object");
}

static void request_of_another_version_is_refused_before_its_members(void **state)
{
    (void)state;
    expect_refused("{\"version\":2,\"order\":\"status\"}", ERR_STALE, "version 2");
    expect_refused("{\"command\":\"status\"}", ERR_FORMAT, "\"version\"");
    expect_refused("{\"version\":\"1\",\"command\":\"status\"}", ERR_FORMAT, "\"version\"");
    expect_refused("{\"version\":1.0,\"command\":\"status\"}", ERR_FORMAT, "\"version\"");
}

static void request_with_a_misspelt_member_is_refused(void **state)
{
    (void)state;
    expect_refused("{\"version\":1,\"command\":\"reload\",\"zon\":\"example.com\"}", ERR_FORMAT,
                   "no member \"zon\"");
    expect_refused("{\"version\":1,\"command\":\"reload\",\"zone\":\"a.test\",\"zone\":\"b.test\"}",
                   ERR_FORMAT, "not JSON");
    expect_refused("{\"version\":1}", ERR_FORMAT, "\"command\" is missing");
    expect_refused("{\"version\":1,\"command\":7}", ERR_FORMAT, "\"command\"");
    expect_refused("{\"version\":1,\"command\":\"\"}", ERR_FORMAT, "\"command\"");
    expect_refused("{\"version\":1,\"command\":\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\"}",
                   ERR_FORMAT, "longer");
}

static void request_zone_must_be_a_name(void **state)
{
    (void)state;
    expect_refused("{\"version\":1,\"command\":\"status\",\"zone\":null}", ERR_FORMAT, "\"zone\"");
    expect_refused("{\"version\":1,\"command\":\"status\",\"zone\":\"\"}", ERR_FORMAT, "\"zone\"");
    expect_refused("{\"version\":1,\"command\":\"status\",\"zone\":\"a..b\"}", ERR_FORMAT,
                   "not a domain name");
    char line[400] = "{\"version\":1,\"command\":\"status\",\"zone\":\"";
    memset(line + strlen(line), 'x', 64);
    strcat(line, ".test\"}");
    expect_refused(line, ERR_FORMAT, "not a domain name");
}

static void request_takes_on_as_true_or_false(void **state)
{
    (void)state;
    struct control_request request;
    struct error err = {0};
    static const char on[] = "{\"version\":1,\"command\":\"querylog\",\"on\":true}";
    static const char off[] = "{\"version\":1,\"command\":\"querylog\",\"on\":false}";
    static const char neither[] = "{\"version\":1,\"command\":\"querylog\"}";
    assert_int_equal(control_request_parse(slice_str(on), &request, &err), OK);
    assert_true(request.has_on && request.on);
    assert_int_equal(control_request_parse(slice_str(off), &request, &err), OK);
    assert_true(request.has_on && !request.on);
    assert_int_equal(control_request_parse(slice_str(neither), &request, &err), OK);
    assert_false(request.has_on);
    expect_refused("{\"version\":1,\"command\":\"querylog\",\"on\":1}", ERR_FORMAT, "\"on\"");
    expect_refused("{\"version\":1,\"command\":\"querylog\",\"on\":\"on\"}", ERR_FORMAT, "\"on\"");
    expect_refused("{\"version\":1,\"command\":\"querylog\",\"on\":null}", ERR_FORMAT, "\"on\"");
}

static void request_takes_serials(void **state)
{
    (void)state;
    struct control_request request;
    struct error err;
    assert_int_equal(
        parse("{\"version\":1,\"command\":\"diff\",\"serial\":4294967295}", &request, &err), OK);
    assert_true(request.has_serial && !request.has_to_serial);
    assert_int_equal(request.serial.value, 4294967295u);
    assert_int_equal(
        parse("{\"version\":1,\"command\":\"diff\",\"to_serial\":0,\"serial\":7}", &request, &err),
        OK);
    assert_true(request.has_serial && request.has_to_serial);
    assert_int_equal(request.to_serial.value, 0);
    expect_refused("{\"version\":1,\"command\":\"diff\",\"serial\":4294967296}", ERR_FORMAT,
                   "\"serial\" takes");
    expect_refused("{\"version\":1,\"command\":\"diff\",\"serial\":-1}", ERR_FORMAT,
                   "\"serial\" takes");
    expect_refused("{\"version\":1,\"command\":\"diff\",\"serial\":\"1\"}", ERR_FORMAT,
                   "\"serial\" takes");
    expect_refused("{\"version\":1,\"command\":\"diff\",\"to_serial\":1}", ERR_FORMAT, "beside");
}

static void request_has_a_largest_size(void **state)
{
    (void)state;
    static const char request_text[] = "{\"version\":1,\"command\":\"status\"}";
    size_t size = CONTROL_REQUEST_MAX + 1;
    char *line = malloc(size + 1);
    memset(line, ' ', size);
    line[size] = '\0';
    memcpy(line, request_text, sizeof(request_text) - 1);
    expect_refused(line, ERR_LIMIT, "16384");
    line[size - 1] = '\0';
    struct control_request request;
    struct error err;
    assert_int_equal(parse(line, &request, &err), OK);
    free(line);
}

static void request_nested_deeply_is_refused(void **state)
{
    (void)state;
    char *line = malloc(CONTROL_REQUEST_MAX);
    memset(line, '[', CONTROL_REQUEST_MAX - 1);
    line[CONTROL_REQUEST_MAX - 1] = '\0';
    expect_refused(line, ERR_FORMAT, "not JSON");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_names_command_and_zone),
        cmocka_unit_test(request_takes_on_as_true_or_false),
        cmocka_unit_test(request_root_zone_is_a_zone),
        cmocka_unit_test(request_that_is_not_json_is_refused),
        cmocka_unit_test(request_of_another_version_is_refused_before_its_members),
        cmocka_unit_test(request_with_a_misspelt_member_is_refused),
        cmocka_unit_test(request_zone_must_be_a_name),
        cmocka_unit_test(request_takes_serials),
        cmocka_unit_test(request_has_a_largest_size),
        cmocka_unit_test(request_nested_deeply_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
