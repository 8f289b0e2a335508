/* SPDX-License-Identifier: BSD-3-Clause */
/* The notices for whole files are in tests/golden/lint; LOCKSTEP_GOLDEN=write writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"

#define GOLDEN "tests/golden/lint/"

/* Whether a file of the tree may be read by anybody is the checkout's business. */
static void add_line(void *context, const struct conf_finding *finding)
{
    char line[1024];
    if (strstr(finding->text, "[secret-readable]") != NULL) {
        return;
    }
    conf_finding_format(finding, line, sizeof(line));
    bool prefixed = strncmp(line, GOLDEN, strlen(GOLDEN)) == 0;
    text_printf(context, "%s\n", line + (prefixed ? strlen(GOLDEN) : 0));
}

static struct conf *load(const char *path)
{
    struct conf *conf = NULL;
    struct error err = {0};
    if (conf_load(path, NULL, NULL, &conf, &err) != OK) {
        char line[1024];
        fail_msg("%s", error_format(&err, line, sizeof(line)));
    }
    return conf;
}

static bool golden_matches(const char *path)
{
    char expect_path[512], expected[1 << 14] = "";
    struct text found;
    text_init(&found, 0);
    struct conf *conf = load(path);
    conf_lint(conf, add_line, &found);
    conf_free(conf);
    snprintf(expect_path, sizeof(expect_path), "%.*s.expect", (int)(strlen(path) - 5), path);
    const char *mode = getenv("LOCKSTEP_GOLDEN");
    FILE *file = fopen(expect_path, mode != NULL && strcmp(mode, "write") == 0 ? "w+" : "r");
    assert_non_null(file);
    if (mode != NULL && strcmp(mode, "write") == 0) {
        fputs(text_str(&found), file);
        rewind(file);
    }
    expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
    fclose(file);
    bool same = strcmp(expected, text_str(&found)) == 0;
    if (!same) {
        print_error("%s\n--- expected\n%s--- found\n%s", path, expected, text_str(&found));
    }
    text_deinit(&found);
    return same;
}

static void lint_says_what_the_golden_files_say(void **state)
{
    (void)state;
    glob_t found;
    bool good = true;
    assert_int_equal(glob(GOLDEN "*.conf", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        good = golden_matches(found.gl_pathv[i]) && good;
    }
    globfree(&found);
    assert_true(good);
}

struct tally {
    unsigned count;
    char last[1024];
};

static void count(void *context, const struct conf_finding *finding)
{
    struct tally *tally = context;
    assert_int_equal(finding->severity, CONF_NOTICE);
    tally->count++;
    snprintf(tally->last, sizeof(tally->last), "%s", finding->text);
}

static void lint_is_bounded(void **state)
{
    (void)state;
    struct text text;
    struct conf *conf = NULL;
    struct tally tally = {0};
    text_init(&text, 0);
    for (unsigned i = 0; i < 5 * CONF_LINT_MAX; i++) {
        text_printf(&text, "zone \"z%u.example\" { type primary; file \"f%u\"; };\n", i, i);
    }
    assert_int_equal(conf_load_text("text", text_slice(&text), false, NULL, NULL, &conf, NULL), OK);
    conf_lint(conf, count, &tally);
    assert_int_equal(tally.count, CONF_LINT_MAX + 1);
    assert_string_equal(tally.last, "there may be more");
    conf_free(conf);
    text_deinit(&text);
}

static void lint_tells_of_secrets_that_anybody_may_read(void **state)
{
    (void)state;
    static const mode_t modes[] = {0644, 0640};
    char path[] = "/tmp/lockstep-lint-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd,
                        "key k { algorithm hmac-sha256; secret \"c2VjcmV0IHNlY3JldCBz\"; };\n"
                        "controls { unix \"/x\" perm 0600 owner 0 group 0 keys { k; }; };\n") > 0);
    for (unsigned i = 0; i < 2; i++) {
        struct tally tally = {0};
        assert_int_equal(fchmod(fd, modes[i]), 0);
        struct conf *conf = load(path);
        conf_lint(conf, count, &tally);
        conf_free(conf);
        assert_int_equal(strstr(tally.last, "[secret-readable]") != NULL, i == 0);
        assert_null(strstr(tally.last, "c2Vj"));
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lint_says_what_the_golden_files_say),
        cmocka_unit_test(lint_is_bounded),
        cmocka_unit_test(lint_tells_of_secrets_that_anybody_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
