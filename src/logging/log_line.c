/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An event as one line: BIND's text with the further keys in parentheses behind it, key=value, or one
 * JSON object. A server of many zones says something of each of them when it starts, so a line is put
 * together without printf, and the time down to the second once a second.
 */
#include "logging/log_line.h"

#include <time.h>

static void add_json_string(struct text *out, const char *string)
{
    text_add_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)string; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            text_add_char(out, '\\');
            text_add_char(out, (char)*p);
        } else if (*p < 0x20 || *p == 0x7f) {
            text_printf(out, "\\u%04x", *p);
        } else {
            text_add_char(out, (char)*p);
        }
    }
    text_add_char(out, '"');
}

/* Quoted where a reader of key=value pairs would otherwise split it. Line breaks never pass. */
static void add_value(struct text *out, const char *value)
{
    bool quote = *value == '\0' || strpbrk(value, " \"=\t\r\n()") != NULL;
    if (!quote) {
        text_add_str(out, value);
        return;
    }
    text_add_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            text_add_char(out, '\\');
            text_add_char(out, (char)*p);
        } else if (*p < 0x20 || *p == 0x7f) {
            text_printf(out, "\\x%02x", *p);
        } else {
            text_add_char(out, (char)*p);
        }
    }
    text_add_char(out, '"');
}

static void add_time(struct text *out, int64_t wall_ms, bool iso, struct log_stamps *stamps)
{
    time_t second = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);
    struct log_stamp *stamp = &stamps->of[iso];
    if (stamp->text[0] == '\0' || stamp->second != second) {
        struct tm tm;
        if (iso) {
            gmtime_r(&second, &tm);
            strftime(stamp->text, sizeof(stamp->text), "%Y-%m-%dT%H:%M:%S.", &tm);
        } else {
            localtime_r(&second, &tm);
            strftime(stamp->text, sizeof(stamp->text), "%d-%b-%Y %H:%M:%S.", &tm);
        }
        stamp->second = second;
    }
    char end[] = {(char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10),
                  'Z'};
    text_add_str(out, stamp->text);
    text_add(out, end, iso ? 4 : 3);
}

static void add_number(struct text *out, int64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    text_add(out, digits + at, sizeof(digits) - at);
}

/* Control characters become blanks. */
static void add_phrase(struct text *out, const char *phrase)
{
    while (*phrase != '\0') {
        size_t size = 0;
        while ((unsigned char)phrase[size] >= 0x20) {
            size++;
        }
        text_add(out, phrase, size);
        phrase += size;
        if (*phrase != '\0') {
            text_add_char(out, ' ');
            phrase++;
        }
    }
}

static void format_text(const struct log_event *event, const struct log_channel *channel,
                        int64_t wall_ms, struct log_stamps *stamps, struct text *out)
{
    if (channel->print_time) {
        add_time(out, wall_ms, false, stamps);
        text_add_char(out, ' ');
    }
    if (channel->print_category) {
        text_add_str(out, log_category_name(event->category));
        text_add_str(out, ": ");
    }
    if (channel->print_severity) {
        text_add_str(out, log_level_name(event->level));
        text_add_str(out, ": ");
    }
    add_phrase(out, event->phrase);
    unsigned key_count = event->phrase_says_all ? 0 : event->key_count;
    for (unsigned i = 0; i < key_count; i++) {
        text_add_str(out, i == 0 ? " (" : " ");
        text_add_str(out, event->keys[i].name);
        text_add_char(out, '=');
        if (event->keys[i].text != NULL) {
            add_value(out, event->keys[i].text);
        } else {
            add_number(out, event->keys[i].number);
        }
    }
    if (key_count != 0) {
        text_add_char(out, ')');
    }
}

static void format_keyvalue(const struct log_event *event, int64_t wall_ms,
                            struct log_stamps *stamps, struct text *out)
{
    text_add_str(out, "time=");
    add_time(out, wall_ms, true, stamps);
    text_printf(out, " level=%s category=%s event=%s message=", log_level_name(event->level),
                log_category_name(event->category), event->name);
    add_value(out, event->phrase);
    for (unsigned i = 0; i < event->key_count; i++) {
        text_printf(out, " %s=", event->keys[i].name);
        if (event->keys[i].text != NULL) {
            add_value(out, event->keys[i].text);
        } else {
            add_number(out, event->keys[i].number);
        }
    }
}

static void format_json(const struct log_event *event, int64_t wall_ms, struct log_stamps *stamps,
                        struct text *out)
{
    text_add_str(out, "{\"time\":\"");
    add_time(out, wall_ms, true, stamps);
    text_printf(out, "\",\"level\":\"%s\",\"category\":\"%s\",\"event\":\"%s\",\"message\":",
                log_level_name(event->level), log_category_name(event->category), event->name);
    add_json_string(out, event->phrase);
    for (unsigned i = 0; i < event->key_count; i++) {
        text_printf(out, ",\"%s\":", event->keys[i].name);
        if (event->keys[i].text != NULL) {
            add_json_string(out, event->keys[i].text);
        } else {
            add_number(out, event->keys[i].number);
        }
    }
    text_add_char(out, '}');
}

void log_line_format(const struct log_event *event, const struct log_channel *channel,
                     int64_t wall_ms, struct log_stamps *stamps, struct text *out)
{
    switch (channel->format) {
    case LOG_FORMAT_TEXT:
        format_text(event, channel, wall_ms, stamps, out);
        return;
    case LOG_FORMAT_KEYVALUE:
        format_keyvalue(event, wall_ms, stamps, out);
        return;
    case LOG_FORMAT_JSON:
        format_json(event, wall_ms, stamps, out);
        return;
    }
}
