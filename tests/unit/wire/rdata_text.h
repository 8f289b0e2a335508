/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of rdata: words as a zone file has them, and hex. */
#ifndef TESTS_UNIT_WIRE_RDATA_TEXT_H
#define TESTS_UNIT_WIRE_RDATA_TEXT_H

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "wire/rdata.h"

enum { WORDS_MAX = 4096 };

static const char *word_end(const char *p)
{
    const char *start = p;
    for (; *p != '\0' && *p != ' '; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        } else if (*p == '"' && p > start && p[-1] == '=') {
            for (p++; *p != '\0' && *p != '"'; p++) {
                p += *p == '\\' && p[1] != '\0';
            }
            return *p == '"' ? p + 1 : p;
        } else if (*p == '"') {
            return p;
        } else if (*p == ';') {
            return p;
        }
    }
    return p;
}

/* Words of one line, without parentheses; a comment ends it. */
static size_t words_of(const char *line, struct token *out)
{
    size_t count = 0;
    for (const char *p = line; count < WORDS_MAX;) {
        p += strspn(p, " ");
        if (*p == '\0' || *p == ';') {
            break;
        }
        bool quoted = *p == '"';
        const char *start = p + quoted;
        const char *end = start;
        if (quoted) {
            for (; *end != '\0' && *end != '"'; end++) {
                end += *end == '\\' && end[1] != '\0';
            }
        } else {
            end = word_end(start);
        }
        out[count++] = (struct token){start, (uint32_t)(end - start), quoted};
        p = end + (quoted && *end == '"');
    }
    return count;
}

/* The rdata of `text` ("MX 10 mail.") to `wire`; its size, or SIZE_MAX with the error. */
UNUSED static size_t wire_of(const char *text, const char *origin, uint8_t *wire, size_t *bad,
                             struct error *err)
{
    static struct token words[WORDS_MAX];
    size_t count = words_of(text, words);
    uint16_t type;
    struct name name;
    REQUIRE(count > 0 && rrtype_parse(words[0].data, words[0].size, &type));
    REQUIRE(origin == NULL || name_parse_str(origin, &name, NULL) == OK);
    /* Each call leaves its outputs alone on failure. */
    size_t size = SIZE_MAX;
    enum result result = rdata_parse(type, words + 1, count - 1, origin == NULL ? NULL : name.wire,
                                     wire, &size, bad, err);
    REQUIRE((result == OK) == (size != SIZE_MAX));
    return size;
}

#endif
