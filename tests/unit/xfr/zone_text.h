/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zones and messages from lines of text, and back: what the tests of transfers write and compare.
 * A line is "owner ttl type rdata"; names may be relative to the zone's, "@" is the zone's.
 */
#ifndef TESTS_ZONE_TEXT_H
#define TESTS_ZONE_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wire/message.h"
#include "wire/rdata.h"
#include "zone/builder.h"
#include "zone/delta.h"

struct line_record {
    struct name owner;
    uint8_t rdata[RDATA_MAX_SIZE];
    struct record record; /* points into this */
};

static inline void line_fail(const char *line, const struct error *err)
{
    fprintf(stderr, "test line '%s': %s\n", line, err->text);
    abort();
}

/* Reads one line up to its newline; returns where the next one starts. */
static inline const char *line_read(const char *line, const uint8_t *origin, uint16_t class,
                                    struct line_record *out)
{
    struct token tokens[64];
    size_t count = 0;
    const char *p = line;
    while (*p != '\0' && *p != '\n') {
        if (*p == ' ') {
            p++;
            continue;
        }
        bool quoted = *p == '"';
        const char *start = p += quoted;
        while (*p != '\0' && *p != '\n' && (quoted ? *p != '"' : *p != ' ')) {
            p++;
        }
        tokens[count++] = (struct token){start, (uint32_t)(p - start), quoted};
        p += quoted;
    }
    struct error err = {0};
    const char *owner = tokens[0].data;
    if (tokens[0].size == 1 && *owner == '@') {
        name_copy(&out->owner, origin);
    } else if (name_parse(owner, tokens[0].size, origin, &out->owner, &err) != OK) {
        line_fail(line, &err);
    }
    uint16_t type = 0;
    if (count < 3 || !rrtype_parse(tokens[2].data, tokens[2].size, &type)) {
        line_fail(line, &err);
    }
    size_t size = 0;
    size_t bad = 0;
    if (rdata_parse(type, tokens + 3, count - 3, origin, out->rdata, &size, &bad, &err) != OK) {
        line_fail(line, &err);
    }
    out->record = (struct record){
        .owner = out->owner.wire,
        .type = type,
        .class = class,
        .ttl = (uint32_t)strtoul(tokens[1].data, NULL, 10),
        .rdata = slice_of(out->rdata, size),
    };
    return *p == '\n' ? p + 1 : p;
}

static inline struct name name_of(const char *text)
{
    struct name name;
    struct error err = {0};
    if (name_parse_str(text, &name, &err) != OK) {
        line_fail(text, &err);
    }
    return name;
}

static inline struct zone_version *version_of(const char *zone, const char *lines)
{
    struct name name = name_of(zone);
    struct builder *builder = builder_new(name.wire, CLASS_IN, NULL, NULL, NULL);
    struct line_record *line = malloc(sizeof(*line));
    struct error err = {0};
    struct zone_version *version = NULL;
    for (const char *p = lines; *p != '\0';) {
        p = line_read(p, name.wire, CLASS_IN, line);
        if (builder_add(builder, &line->record, NULL, 0, &err) != OK) {
            line_fail(lines, &err);
        }
    }
    if (builder_finish(builder, NULL, &version, NULL, &err) != OK) {
        line_fail(lines, &err);
    }
    builder_free(builder);
    free(line);
    return version;
}

static inline void record_print(const struct record *record, struct text *out)
{
    char owner[NAME_TEXT_SIZE], type[16];
    text_printf(out, "%s %u %s ", name_format(record->owner, owner), record->ttl,
                rrtype_format(record->type, type));
    rdata_format(record->type, record->rdata, out);
    text_add_char(out, '\n');
}

/* All records of a version in canonical order, a line each. */
static inline void version_print(const struct zone_version *version, struct text *out)
{
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            record_print(&record, out);
        }
    }
}

static inline bool versions_equal(const struct zone_version *a, const struct zone_version *b)
{
    struct text ta, tb;
    text_init(&ta, 0);
    text_init(&tb, 0);
    version_print(a, &ta);
    version_print(b, &tb);
    bool equal = slice_equal(text_slice(&ta), text_slice(&tb));
    if (!equal) {
        fprintf(stderr, "first:\n%ssecond:\n%s", text_str(&ta), text_str(&tb));
    }
    text_deinit(&ta);
    text_deinit(&tb);
    return equal;
}

/* The answer section of a message as lines appended to `out`. */
static inline void message_print_answers(struct slice message, struct text *out)
{
    struct message_header header;
    size_t offset = MESSAGE_HEADER_SIZE;
    struct question question;
    struct error err = {0};
    uint8_t *rdata = malloc(RDATA_MAX_SIZE);
    if (message_header_read(message, &header) != OK) {
        abort();
    }
    for (unsigned i = 0; i < header.counts[SECTION_QUESTION]; i++) {
        if (message_question_read(message, &offset, &question, &err) != OK) {
            abort();
        }
    }
    for (unsigned i = 0; i < header.counts[SECTION_ANSWER]; i++) {
        struct message_record head;
        size_t size = 0;
        if (message_record_read(message, &offset, &head, &err) != OK ||
            rdata_read(head.type, message, head.rdata_offset, head.rdata_size, rdata, &size,
                       &err) != OK) {
            abort();
        }
        struct record record = {head.owner.wire, head.type, head.class, head.ttl, {rdata, size}};
        record_print(&record, out);
    }
    free(rdata);
}

/* A reply to a transfer request. `zone` NULL: without question. `size` of the result is in the
 * slice; the memory is malloc()ed to the exact size. */
static inline struct slice reply_of(uint16_t id, uint16_t flags, const char *zone, uint16_t qtype,
                                    const char *origin, const char *answers)
{
    uint8_t *buffer = malloc(MESSAGE_MAX_SIZE);
    struct name name = name_of(origin);
    struct message_writer w;
    message_writer_init(&w, buffer, MESSAGE_MAX_SIZE, id, (uint16_t)(FLAG_QR | FLAG_AA | flags));
    bool fits = true;
    if (zone != NULL) {
        struct name qname = name_of(zone);
        fits = message_write_question(&w, qname.wire, qtype, CLASS_IN);
    }
    struct line_record *line = malloc(sizeof(*line));
    for (const char *p = answers; fits && *p != '\0';) {
        p = line_read(p, name.wire, CLASS_IN, line);
        fits = message_write_record(&w, SECTION_ANSWER, &line->record);
    }
    free(line);
    if (!fits) {
        abort();
    }
    size_t size = message_writer_finish(&w).size;
    return slice_of(realloc(buffer, size), size);
}

static inline void slice_free(struct slice slice)
{
    free((void *)(uintptr_t)slice.data);
}

#endif
