/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines as channels write them, and channels as they fill and roll. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "logging/log_line.h"
#include "logging/logging.h"

static const struct log_key keys[] = {{.name = "peer", .text = "192.0.2.1#53"},
                                      {.name = "why", .text = "a \"quoted\"\nline"},
                                      {.name = "count", .number = 7}};
static const struct log_event event = {.level = LOG_WARNING,
                                       .category = LOG_XFER_IN,
                                       .name = "transfer_status",
                                       .phrase = "transfer of 'z/IN'\nfrom x",
                                       .keys = keys,
                                       .key_count = 3};

static char *formatted(enum log_format format, bool severity, bool category)
{
    struct log_channel channel = {
        .format = format, .print_severity = severity, .print_category = category};
    struct text text;
    text_init(&text, 0);
    log_line_format(&event, &channel, 0, &(struct log_stamps){0}, &text);
    return text.bytes;
}

static void log_line_format_text_puts_keys_behind_the_phrase(void **state)
{
    (void)state;
    char *line = formatted(LOG_FORMAT_TEXT, true, true);
    assert_string_equal(line, "xfer-in: warning: transfer of 'z/IN' from x (peer=192.0.2.1#53 "
                              "why=\"a \\\"quoted\\\"\\x0aline\" count=7)");
    free(line);
}

static void log_line_format_keyvalue_quotes_what_needs_it(void **state)
{
    (void)state;
    char *line = formatted(LOG_FORMAT_KEYVALUE, false, false);
    assert_string_equal(line, "time=1970-01-01T00:00:00.000Z level=warning category=xfer-in "
                              "event=transfer_status message=\"transfer of 'z/IN'\\x0afrom x\" "
                              "peer=192.0.2.1#53 why=\"a \\\"quoted\\\"\\x0aline\" count=7");
    free(line);
}

static void log_line_format_json_is_one_object_without_line_breaks(void **state)
{
    (void)state;
    char *line = formatted(LOG_FORMAT_JSON, false, false);
    assert_string_equal(line, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warning\","
                              "\"category\":\"xfer-in\",\"event\":\"transfer_status\",\"message\":"
                              "\"transfer of 'z/IN'\\u000afrom x\",\"peer\":\"192.0.2.1#53\","
                              "\"why\":\"a \\\"quoted\\\"\\u000aline\",\"count\":7}");
    free(line);
}

/* ---- channels ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/lockstep-logging-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static size_t lines_in(const char *name, const char *needle)
{
    char path[128], line[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t count = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, needle) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static struct logging *start_file(struct log_channel *channel, char *path)
{
    snprintf(path, 128, "%s/log", folder);
    channel->sink = LOG_SINK_FILE;
    channel->path = path;
    struct logging_options options = {.channels = channel, .channel_count = 1};
    for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
        options.category_channels[i] = i == LOG_QUERIES ? 0 : 1;
    }
    struct logging *logging = NULL;
    struct error err = {0};
    assert_int_equal(logging_start(&options, &logging, &err), OK);
    return logging;
}

static void say(struct logging *logging, enum log_level level, enum log_category category,
                const char *phrase)
{
    logging_emit(logging, &(struct log_event){
                              .level = level, .category = category, .name = "x", .phrase = phrase});
}

static void logging_emit_follows_severity_and_category(void **state)
{
    (void)state;
    char path[128];
    struct log_channel channel = {.level = LOG_INFO};
    struct logging *logging = start_file(&channel, path);
    say(logging, LOG_DEBUG, LOG_GENERAL, "too small");
    say(logging, LOG_ERROR, LOG_QUERIES, "other category");
    say(logging, LOG_INFO, LOG_GENERAL, "wanted");
    logging_stop(logging);
    assert_int_equal(lines_in("log", ""), 1);
    assert_int_equal(lines_in("log", "wanted"), 1);
}

static void logging_file_rolls_over_at_its_size_and_keeps_versions(void **state)
{
    (void)state;
    char path[128];
    struct log_channel channel = {.max_size_bytes = 100, .versions = 2};
    struct logging *logging = start_file(&channel, path);
    for (int i = 0; i < 100; i++) {
        say(logging, LOG_INFO, LOG_GENERAL, "0123456789012345678");
    }
    logging_stop(logging);
    assert_int_equal(lines_in("log.0", ""), 5);
    assert_int_equal(lines_in("log.1", ""), 5);
    assert_int_equal(lines_in("log.2", ""), 0);
}

static void logging_emit_limited_lets_ten_a_second_through(void **state)
{
    (void)state;
    char path[128];
    struct log_channel channel = {0};
    struct logging *logging = start_file(&channel, path);
    for (int i = 0; i < 1000; i++) {
        logging_emit_limited(logging, &event);
    }
    logging_stop(logging);
    size_t lines = lines_in("log", "transfer of");
    assert_true(lines >= 10 && lines <= 30); /* a second may have turned meanwhile */
}

static void logging_start_names_the_file_it_cannot_open(void **state)
{
    (void)state;
    struct log_channel channel = {.sink = LOG_SINK_FILE, .path = "/nonexistent/folder/log"};
    struct logging_options options = {.channels = &channel, .channel_count = 1};
    struct logging *logging = NULL;
    struct error err = {0};
    assert_int_equal(logging_start(&options, &logging, &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/folder/log"));
}

static void logging_configure_keeps_the_old_channels_on_error(void **state)
{
    (void)state;
    char path[128];
    struct log_channel channel = {0};
    struct logging *logging = start_file(&channel, path);
    struct log_channel bad = {.sink = LOG_SINK_FILE, .path = "/nonexistent/folder/log"};
    struct logging_options options = {.channels = &bad, .channel_count = 1};
    struct error err = {0};
    assert_int_equal(logging_configure(logging, &options, &err), ERR_IO);
    say(logging, LOG_INFO, LOG_GENERAL, "still here");
    logging_stop(logging);
    assert_int_equal(lines_in("log", "still here"), 1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_line_format_text_puts_keys_behind_the_phrase),
        cmocka_unit_test(log_line_format_keyvalue_quotes_what_needs_it),
        cmocka_unit_test(log_line_format_json_is_one_object_without_line_breaks),
        IN_FOLDER(logging_emit_follows_severity_and_category),
        IN_FOLDER(logging_file_rolls_over_at_its_size_and_keeps_versions),
        IN_FOLDER(logging_emit_limited_lets_ten_a_second_through),
        cmocka_unit_test(logging_start_names_the_file_it_cannot_open),
        IN_FOLDER(logging_configure_keeps_the_old_channels_on_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
