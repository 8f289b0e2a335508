/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

static void print_replaces_secrets_and_includes(void **state)
{
    (void)state;
    struct text out;
    text_init(&out, 0);
    assert_int_equal(conf_print("tests/golden/conf/57-includes.conf", &out, NULL, NULL, NULL), OK);
    assert_string_equal(text_str(&out), "zone \"a.example\" {\n"
                                        "\ttype primary;\n"
                                        "\tfile \"a\";\n"
                                        "};\n"
                                        "zone \"b.example\" {\n"
                                        "\ttype primary;\n"
                                        "\tfile \"b\";\n"
                                        "};\n"
                                        "options {\n"
                                        "\tdirectory \"tests/golden/conf\";\n"
                                        "\tport 5353;\n"
                                        "};\n"
                                        "key k {\n"
                                        "\talgorithm hmac-sha256;\n"
                                        "\tsecret \"????????\";\n"
                                        "};\n");
    text_deinit(&out);
}

static void print_of_what_was_printed_is_the_same(void **state)
{
    (void)state;
    char path[] = "/tmp/lockstep-print-XXXXXX";
    struct text first;
    struct text second;
    text_init(&first, 0);
    text_init(&second, 0);
    assert_int_equal(conf_print("tests/golden/conf/55-everything.conf", &first, NULL, NULL, NULL),
                     OK);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text_str(&first), first.size), (ssize_t)first.size);
    close(fd);
    assert_int_equal(conf_print(path, &second, NULL, NULL, NULL), OK);
    unlink(path);
    assert_string_equal(text_str(&first), text_str(&second));
    assert_null(strstr(text_str(&first), "MTIzNDU2"));
    text_deinit(&first);
    text_deinit(&second);
}

static void print_of_broken_grammar_is_an_error(void **state)
{
    (void)state;
    struct text out;
    struct error err = {0};
    text_init(&out, 0);
    assert_int_equal(conf_print("tests/golden/conf/05-stray-brace.conf", &out, NULL, NULL, &err),
                     ERR_FORMAT);
    assert_int_equal(err.line, 4);
    text_deinit(&out);
    assert_int_equal(conf_print("tests/golden/conf/none", &out, NULL, NULL, NULL), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(print_replaces_secrets_and_includes),
        cmocka_unit_test(print_of_what_was_printed_is_the_same),
        cmocka_unit_test(print_of_broken_grammar_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
