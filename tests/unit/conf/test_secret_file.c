/* SPDX-License-Identifier: BSD-3-Clause */
/* Secrets of keys in files of their own: who may read them, what may stand in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"

struct scene {
    char folder[64], conf[128], secret[128];
    struct text found;
    struct conf *loaded;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->folder, "/tmp/lockstep-secret-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->conf, sizeof(scene->conf), "%s/named.conf", scene->folder);
    snprintf(scene->secret, sizeof(scene->secret), "%s/k.secret", scene->folder);
    text_init(&scene->found, 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    conf_free(scene->loaded);
    text_deinit(&scene->found);
    unlink(scene->conf);
    unlink(scene->secret);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void add_line(void *context, const struct conf_finding *finding)
{
    struct text *found = context;
    text_printf(found, "%s\n", finding->text);
}

/* Loads a key whose secret is in k.secret, which is named from `directory`. */
static enum result load(struct scene *scene, const char *secret, mode_t mode)
{
    char text[512];
    if (secret != NULL) {
        write_file(scene->secret, secret, mode);
    }
    snprintf(text, sizeof(text),
             "options { directory \"%s\"; };\n"
             "key k { algorithm hmac-sha256; secret-file \"k.secret\"; };\n",
             scene->folder);
    write_file(scene->conf, text, 0644);
    return conf_load(scene->conf, add_line, &scene->found, &scene->loaded, NULL);
}

static void assert_found(struct scene *scene, const char *part)
{
    if (strstr(text_str(&scene->found), part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, text_str(&scene->found));
    }
}

static void secret_file_is_taken_with_white_space_around(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(load(scene, "\n  c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n\n", 0640), OK);
    const struct conf_key *key = scene->loaded->keys[0];
    assert_int_equal(key->secret_size, 20);
    assert_memory_equal(key->secret, "secret secret secret", 20);
    assert_string_equal(key->secret_file, scene->secret);
}

static void secret_file_that_anybody_may_read_is_refused_with_what_to_do(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(load(scene, "c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", 0644), ERR_FORMAT);
    assert_found(scene, "anybody may read");
    assert_found(scene, "chmod 0640");
}

static void secret_file_that_anybody_may_write_is_refused(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(load(scene, "c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", 0602), ERR_FORMAT);
    assert_found(scene, "anybody may write");
}

static void secret_file_that_is_not_there_is_named(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(load(scene, NULL, 0), ERR_FORMAT);
    assert_found(scene, "k.secret");
    assert_found(scene, "No such file");
}

static void secret_file_without_a_secret_is_refused_and_not_quoted(void **state)
{
    static const char *const texts[] = {"", "\n", "hunter2!\n", "c2VjcmV0\nc2VjcmV0\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct scene *scene = *state;
        text_reset(&scene->found);
        assert_int_equal(load(scene, texts[i], 0600), ERR_FORMAT);
        assert_found(scene, "base64");
        assert_null(strstr(text_str(&scene->found), "hunter2"));
        assert_null(strstr(text_str(&scene->found), "c2Vj"));
    }
}

static void secret_file_of_a_megabyte_is_refused(void **state)
{
    struct scene *scene = *state;
    char *text = calloc(1, (1 << 20) + 1);
    memset(text, 'A', 1 << 20);
    assert_int_equal(load(scene, text, 0600), ERR_FORMAT);
    free(text);
    assert_found(scene, "too large");
}

static void secret_file_is_not_read_for_a_configuration_in_memory(void **state)
{
    struct scene *scene = *state;
    char text[512];
    write_file(scene->secret, "c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", 0600);
    snprintf(text, sizeof(text), "key k { algorithm hmac-sha256; secret-file \"%s\"; };",
             scene->secret);
    assert_int_equal(conf_load_text("text", slice_str(text), false, add_line, &scene->found,
                                    &scene->loaded, NULL),
                     ERR_FORMAT);
    assert_found(scene, "no file is read here");
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(secret_file_is_taken_with_white_space_around),
        SCENE(secret_file_that_anybody_may_read_is_refused_with_what_to_do),
        SCENE(secret_file_that_anybody_may_write_is_refused),
        SCENE(secret_file_that_is_not_there_is_named),
        SCENE(secret_file_without_a_secret_is_refused_and_not_quoted),
        SCENE(secret_file_of_a_megabyte_is_refused),
        SCENE(secret_file_is_not_read_for_a_configuration_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
