/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the items of a statement one after the other, with an error for what is not as expected.
 */
#include "conf/cursor_impl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct item *cursor_peek(const struct cursor *cursor)
{
    return cursor->at < cursor->statement->count ? &cursor->statement->items[cursor->at] : NULL;
}

struct conf_where cursor_where(const struct cursor *cursor)
{
    const struct item *item = cursor_peek(cursor);
    return item != NULL ? item->where
                        : item_end(&cursor->statement->items[cursor->statement->count - 1]);
}

bool cursor_at_word(const struct cursor *cursor, const char *word)
{
    const struct item *item = cursor_peek(cursor);
    return item != NULL && item->kind == ITEM_WORD && strcasecmp(item->text, word) == 0;
}

bool cursor_skip_word(struct cursor *cursor, const char *word)
{
    bool is = cursor_at_word(cursor, word);
    cursor->at += is;
    return is;
}

bool cursor_at_block(const struct cursor *cursor)
{
    const struct item *item = cursor_peek(cursor);
    return item != NULL && item->kind == ITEM_BLOCK;
}

static const char *found_text(const struct item *item, char out[QUOTED_TEXT_SIZE + 16])
{
    char quoted[QUOTED_TEXT_SIZE];
    if (item == NULL) {
        return "`;`";
    }
    if (item->kind == ITEM_BLOCK) {
        return "`{`";
    }
    if (item->secret) {
        return "a secret";
    }
    snprintf(out, QUOTED_TEXT_SIZE + 16, item->kind == ITEM_QUOTED ? "`\"%s\"`" : "`%s`",
             quoted_text(item->text, quoted));
    return out;
}

void cursor_expected(const struct cursor *cursor, const char *expected)
{
    char found[QUOTED_TEXT_SIZE + 16];
    loader_error(cursor->loader, cursor_where(cursor), "expected %s, found %s", expected,
                 found_text(cursor_peek(cursor), found));
}

const struct item *cursor_text(struct cursor *cursor, const char *expected)
{
    const struct item *item = cursor_peek(cursor);
    if (item == NULL || (item->kind != ITEM_WORD && item->kind != ITEM_QUOTED)) {
        cursor_expected(cursor, expected);
        return NULL;
    }
    cursor->at++;
    return item;
}

const struct block *cursor_block(struct cursor *cursor, const char *expected)
{
    const struct item *item = cursor_peek(cursor);
    if (item == NULL || item->kind != ITEM_BLOCK) {
        cursor_expected(cursor, expected);
        return NULL;
    }
    cursor->at++;
    return item->block;
}

bool conf_number_parse(const char *text, int64_t max, int64_t *out)
{
    int64_t number = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *text - '0', &number) || number > max) {
            return false;
        }
    }
    *out = number;
    return true;
}

bool cursor_number(struct cursor *cursor, const char *expected, int64_t min, int64_t max,
                   int64_t *out)
{
    const struct item *item = cursor_peek(cursor);
    int64_t number;
    if (item == NULL || item->kind != ITEM_WORD ||
        !conf_number_parse(item->text, INT64_MAX, &number)) {
        cursor_expected(cursor, expected);
        return false;
    }
    if (number < min || number > max) {
        loader_error(cursor->loader, item->where,
                     "%lld is out of range: %s is between %lld and %lld", (long long)number,
                     expected, (long long)min, (long long)max);
        return false;
    }
    cursor->at++;
    *out = number;
    return true;
}

bool cursor_port(struct cursor *cursor, uint16_t *out)
{
    int64_t number;
    if (!cursor_skip_word(cursor, "port")) {
        return true;
    }
    if (cursor_skip_word(cursor, "*")) {
        *out = 0;
        return true;
    }
    if (!cursor_number(cursor, "a port number", 1, 65535, &number)) {
        return false;
    }
    *out = (uint16_t)number;
    return true;
}

bool cursor_address(struct cursor *cursor, const char *expected, struct address *out)
{
    const struct item *item = cursor_peek(cursor);
    if (item == NULL || (item->kind != ITEM_WORD && item->kind != ITEM_QUOTED) ||
        address_parse(item->text, out, NULL) != OK) {
        cursor_expected(cursor, expected);
        return false;
    }
    cursor->at++;
    return true;
}

bool cursor_end(const struct cursor *cursor)
{
    const struct item *item = cursor_peek(cursor);
    if (item == NULL) {
        return true;
    }
    char found[QUOTED_TEXT_SIZE + 16];
    const struct item *last = cursor->at == 0 ? item : &cursor->statement->items[cursor->at - 1];
    loader_error(cursor->loader, item_end(last), "`;` is missing here, before %s",
                 found_text(item, found));
    return false;
}

struct cursor cursor_into(const struct cursor *cursor, const struct statement *statement)
{
    struct cursor inner = *cursor;
    inner.statement = statement;
    inner.at = 0;
    return inner;
}
