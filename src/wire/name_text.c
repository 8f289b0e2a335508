/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domain names as text (RFC 1035 5.1, RFC 4343 2.1).
 *
 * Reading takes any octet that is not a dot as itself, "\X" as X and "\DDD" as the octet with that
 * decimal number. Writing escapes what a zone file would read otherwise (the dot, quotes,
 * parentheses, semicolon, backslash, at and dollar) and gives everything that is not a printing
 * ASCII character as a number, so that reading what was written gives the same octets back, in any
 * zone file and at any place of a line.
 */
#include "wire/name.h"

#include <string.h>

enum { SHOWN_MAX = 80 };

/* Where a name is being put together: the label under way starts at `label`. */
struct builder {
    struct name *name;
    size_t label; /* place of its length octet */
    size_t at;    /* where the next octet goes */
};

static int shown(size_t size)
{
    return (int)(size < SHOWN_MAX ? size : SHOWN_MAX);
}

static enum result builder_octet(struct builder *b, uint8_t octet, const char *text, size_t size,
                                 struct error *err)
{
    if (b->at - b->label > LABEL_MAX_SIZE) {
        return error_set(err, ERR_FORMAT, "a label of '%.*s' is longer than 63 octets", shown(size),
                         text);
    }
    /* One octet stays free for the root label. */
    if (b->at >= NAME_MAX_SIZE - 1) {
        return error_set(err, ERR_FORMAT, "name '%.*s' is longer than 255 octets", shown(size),
                         text);
    }
    b->name->wire[b->at++] = octet;
    return OK;
}

static void builder_close_label(struct builder *b)
{
    b->name->wire[b->label] = (uint8_t)(b->at - b->label - 1);
    b->label = b->at;
    b->at++;
}

/* The octet that the escape at text[*at] (behind the backslash) stands for. */
static enum result escape_read(const char *text, size_t size, size_t *at, uint8_t *out,
                               struct error *err)
{
    if (*at >= size) {
        return error_set(err, ERR_FORMAT, "name '%.*s' ends in a lone backslash", shown(size),
                         text);
    }
    uint8_t first = (uint8_t)text[*at];
    if (first < '0' || first > '9') {
        *out = first;
        *at += 1;
        return OK;
    }
    unsigned value = 0;
    for (size_t i = 0; i < 3; i++) {
        unsigned digit = *at + i < size ? (unsigned)(uint8_t)text[*at + i] - '0' : 10;
        if (digit > 9) {
            return error_set(
                err, ERR_FORMAT,
                "escape in name '%.*s' needs three decimal digits behind the backslash",
                shown(size), text);
        }
        value = value * 10 + digit;
    }
    if (value > 255) {
        return error_set(err, ERR_FORMAT, "escape \\%u in name '%.*s' is above 255", value,
                         shown(size), text);
    }
    *out = (uint8_t)value;
    *at += 3;
    return OK;
}

static enum result parse(const char *text, size_t size, const uint8_t *origin, struct name *out,
                         struct error *err)
{
    if (size == 0) {
        return error_set(err, ERR_FORMAT, "empty name");
    }
    struct name name;
    if (size == 1 && text[0] == '.') {
        out->size = 1;
        out->wire[0] = 0;
        return OK;
    }
    struct builder b = {.name = &name, .label = 0, .at = 1};
    bool ended = false;
    for (size_t at = 0; at < size;) {
        uint8_t octet = (uint8_t)text[at++];
        ended = octet == '.';
        if (ended) {
            if (b.at == b.label + 1) {
                return error_set(err, ERR_FORMAT, "empty label in name '%.*s'", shown(size), text);
            }
            builder_close_label(&b);
            continue;
        }
        enum result result = OK;
        if (octet == '\\') {
            result = escape_read(text, size, &at, &octet, err);
        }
        if (result == OK) {
            result = builder_octet(&b, octet, text, size, err);
        }
        if (result != OK) {
            return result;
        }
    }
    size_t tail_size = 1;
    const uint8_t *tail = (const uint8_t *)"";
    if (!ended) {
        if (origin == NULL) {
            return error_set(err, ERR_FORMAT,
                             "name '%.*s' is relative, but there is no origin to complete it",
                             shown(size), text);
        }
        builder_close_label(&b);
        tail = origin;
        tail_size = name_size(origin);
    }
    if (b.label + tail_size > NAME_MAX_SIZE) {
        return error_set(err, ERR_FORMAT, "name '%.*s' is longer than 255 octets%s", shown(size),
                         text, ended ? "" : " with its origin");
    }
    /* The origin may be `out` itself, so the tail moves first. */
    memmove(out->wire + b.label, tail, tail_size);
    memcpy(out->wire, name.wire, b.label);
    out->size = (uint8_t)(b.label + tail_size);
    return OK;
}

enum result name_parse(const char *text, size_t size, const uint8_t *origin, struct name *out,
                       struct error *err)
{
    return parse(text, size, origin, out, err);
}

enum result name_parse_str(const char *text, struct name *out, struct error *err)
{
    static const uint8_t root[1] = {0};
    return parse(text, strlen(text), root, out, err);
}

static bool needs_backslash(uint8_t c)
{
    return c == '.' || c == '"' || c == '(' || c == ')' || c == ';' || c == '\\' || c == '@' ||
           c == '$';
}

const char *name_format(const uint8_t *wire, char *out)
{
    char *p = out;
    if (*wire == 0) {
        *p++ = '.';
    }
    while (*wire != 0) {
        unsigned length = *wire++;
        for (; length > 0; length--) {
            uint8_t c = *wire++;
            if (c <= ' ' || c >= 0x7f) {
                *p++ = '\\';
                *p++ = (char)('0' + c / 100);
                *p++ = (char)('0' + c / 10 % 10);
                *p++ = (char)('0' + c % 10);
                continue;
            }
            if (needs_backslash(c)) {
                *p++ = '\\';
            }
            *p++ = (char)c;
        }
        *p++ = '.';
    }
    *p = '\0';
    return out;
}

const char *name_format_log(const uint8_t *wire, char *out)
{
    name_format(wire, out);
    if (*wire != 0) {
        out[strlen(out) - 1] = '\0';
    }
    return out;
}
