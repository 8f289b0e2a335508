/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * History in words. A version is one line; a difference is what the server sent, records in zone
 * file form behind - and +, and nothing else, so that it can be read by programs as well.
 */
#include "cmd/history_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* A terminal obeys control characters: there are none in what the server sends. */
static void add_clean(struct text *out, const char *text)
{
    for (const char *p = text == NULL ? "?" : text; *p != '\0'; p++) {
        bool control = ((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f;
        text_add_char(out, control ? '?' : *p);
    }
}

static void add_member(struct text *out, const json_t *object, const char *key)
{
    add_clean(out, json_string_value(json_object_get(object, key)));
}

static void add_time(struct text *out, time_t at_s)
{
    struct tm date;
    char text[40] = "?";
    if (gmtime_r(&at_s, &date) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &date);
    }
    text_add_str(out, text);
}

void history_part_text(const json_t *part, struct text *out)
{
    const json_t *entry = json_object_get(part, "entry"), *line;
    size_t i;
    if (entry != NULL) {
        text_printf(out, "%-10lld  after %-10lld  ", number(entry, "serial"),
                    number(entry, "from"));
        add_time(out, (time_t)number(entry, "at_s"));
        text_add_str(out, "  by ");
        add_member(out, entry, "source");
        text_printf(out, ", %lld octets, %lld records in all", number(entry, "size_bytes"),
                    number(entry, "records"));
        if (json_object_get(entry, "fingerprint") != NULL) {
            text_add_str(out, ", fingerprint ");
            add_member(out, entry, "fingerprint");
        }
        text_add_char(out, '\n');
    }
    json_array_foreach(json_object_get(part, "lines"), i, line)
    {
        add_clean(out, json_string_value(line));
        text_add_char(out, '\n');
    }
}

static void counts_text(const json_t *answer, struct text *out)
{
    text_printf(out, "%lld removed, %lld added\n", number(answer, "removed"),
                number(answer, "added"));
}

void history_done_text(const json_t *answer, struct text *out)
{
    const char *command = json_string_value(json_object_get(answer, "command"));
    bool changed = json_is_true(json_object_get(answer, "changed"));
    if (command == NULL) {
        return;
    }
    if (strcmp(command, "history") == 0) {
        if (number(answer, "versions") == 0) {
            add_member(out, answer, "zone");
            text_add_str(out, ": no changes are kept\n");
        } else if (number(answer, "not_listed") != 0) {
            text_printf(out, "%lld older ones are not listed\n", number(answer, "not_listed"));
        }
    } else if (strcmp(command, "rollback") == 0 && changed) {
        add_member(out, answer, "zone");
        text_printf(out, ": serial %lld has the records of serial %lld: ", number(answer, "serial"),
                    number(answer, "content_of"));
        counts_text(answer, out);
    } else if (strcmp(command, "rollback") == 0 || strcmp(command, "adopt-serial") == 0) {
        add_member(out, answer, "zone");
        text_printf(out, ": %s serial %lld\n", changed ? "now at" : "is already at",
                    number(answer, "serial"));
        if (json_object_get(answer, "text") != NULL) {
            add_member(out, answer, "text");
            text_add_char(out, '\n');
        }
    }
}
