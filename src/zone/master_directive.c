/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directives of zone files: $ORIGIN and $INCLUDE (RFC 1035 5.1), $TTL (RFC 2308 4), $GENERATE
 * (BIND's, in master_generate.c). They are known without case and stand in the first column.
 *
 * $INCLUDE file [origin]: `file` is relative to the parser's directory, as in BIND, not to the file
 * that includes it. The included text starts with the origin given (or the present one) and with
 * the owner of the record before; both are as they were when it ends. A $TTL stays in force.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "zone/master_impl.h"

/* Exactly `min` to `max` words behind the directive's own. */
static bool has_words(struct master *m, size_t min, size_t max, const char *expected)
{
    const struct master_lexer *lexer = &m->source->lexer;
    char shown[64];
    if (lexer->count - 1 < min) {
        master_fail(m, FINDING_SYNTAX, master_lexer_entry_end(lexer),
                    "expected %s, found the end of the entry", expected);
        return false;
    }
    if (lexer->count - 1 > max) {
        const struct token *extra = &lexer->tokens[1 + max];
        master_fail(m, FINDING_SYNTAX, extra->data, "expected the end of the entry, found %s",
                    master_show(extra, shown));
        return false;
    }
    return true;
}

static void take_ttl(struct master *m)
{
    const struct token *words = m->source->lexer.tokens;
    if (!has_words(m, 1, 1, "a TTL")) {
        return;
    }
    uint32_t ttl;
    if (!master_take_ttl(m, &words[1], &ttl)) {
        char shown[64];
        master_fail(m, FINDING_SYNTAX, words[1].data,
                    "expected a TTL (seconds, or numbers with w, d, h, m, s), found %s",
                    master_show(&words[1], shown));
        return;
    }
    m->default_ttl = ttl;
    m->has_default_ttl = true;
}

static void take_origin(struct master *m)
{
    const struct token *words = m->source->lexer.tokens;
    struct name origin;
    if (has_words(m, 1, 1, "a domain name") &&
        master_take_name(m, &words[1], words[1].data, &origin)) {
        m->origin = origin;
        m->owner_text_size = 0;
    }
}

static void take_include(struct master *m)
{
    const struct token *words = m->source->lexer.tokens;
    if (!has_words(m, 1, 2, "a file name")) {
        return;
    }
    struct name origin = m->origin;
    if (m->source->lexer.count == 3 && !master_take_name(m, &words[2], words[2].data, &origin)) {
        return;
    }
    char path[PATH_MAX];
    const struct token *file = &words[1];
    bool is_absolute = m->directory == NULL || (file->size > 0 && file->data[0] == '/');
    int size = snprintf(path, sizeof(path), "%s%s%.*s", is_absolute ? "" : m->directory,
                        is_absolute ? "" : "/", (int)file->size, file->data);
    if (file->size == 0 || size < 0 || (size_t)size >= sizeof(path)) {
        master_fail(m, FINDING_SYNTAX, file->data,
                    "expected a file name of 1 to %u octets, found %s one", PATH_MAX - 1,
                    file->size == 0 ? "an empty" : "a longer");
        return;
    }
    struct name outer_origin = m->origin;
    struct name outer_owner = m->owner;
    bool has_owner = m->has_owner;
    bool is_owner_bad = m->is_owner_bad;
    m->origin = origin;
    master_include(m, path, file->data);
    m->origin = outer_origin;
    m->owner = outer_owner;
    m->has_owner = has_owner;
    m->is_owner_bad = is_owner_bad;
    m->owner_text_size = 0;
}

void master_directive(struct master *m)
{
    static const struct {
        const char *name;
        void (*take)(struct master *m);
    } directives[] = {
        {"$TTL", take_ttl},
        {"$ORIGIN", take_origin},
        {"$INCLUDE", take_include},
        {"$GENERATE", master_generate},
    };
    const struct token *word = &m->source->lexer.tokens[0];
    for (size_t i = 0; i < ARRAY_SIZE(directives); i++) {
        if (word->size == strlen(directives[i].name) &&
            strncasecmp(word->data, directives[i].name, word->size) == 0) {
            directives[i].take(m);
            return;
        }
    }
    char shown[64];
    master_fail(m, FINDING_SYNTAX, word->data,
                "expected $TTL, $ORIGIN, $INCLUDE or $GENERATE, found %s",
                master_show(word, shown));
}
