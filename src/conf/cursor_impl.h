/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking over the items of one statement. What is not as expected is reported here, in one style:
 * "expected X, found Y". */
#ifndef CONF_CURSOR_IMPL_H
#define CONF_CURSOR_IMPL_H

#include "conf/loader_impl.h"
#include "conf/tree_impl.h"

struct cursor {
    struct loader *loader;
    const struct statement *statement;
    uint32_t at;                   /* the next item */
    unsigned context;              /* enum context of the block that the statement stands in */
    enum conf_zone_type zone_type; /* in a zone */
};

/* NULL at the end. */
const struct item *cursor_peek(const struct cursor *cursor);
/* The place of the next item, or where it is missing. */
struct conf_where cursor_where(const struct cursor *cursor);
bool cursor_at_word(const struct cursor *cursor, const char *word);
/* Steps over `word` if it is the next. */
bool cursor_skip_word(struct cursor *cursor, const char *word);
bool cursor_at_block(const struct cursor *cursor);
/* A word or string; NULL after an error that names `expected`. */
const struct item *cursor_text(struct cursor *cursor, const char *expected);
const struct block *cursor_block(struct cursor *cursor, const char *expected);
bool cursor_number(struct cursor *cursor, const char *expected, int64_t min, int64_t max,
                   int64_t *out);
/* `port N`, `port *` (0) if it is the next; *out stays otherwise. False after an error. */
bool cursor_port(struct cursor *cursor, uint16_t *out);
bool cursor_address(struct cursor *cursor, const char *expected, struct address *out);
void cursor_expected(const struct cursor *cursor, const char *expected);
/* Reports what is left over. */
bool cursor_end(const struct cursor *cursor);
/* A cursor at the start of a statement inside a block of this one. */
struct cursor cursor_into(const struct cursor *cursor, const struct statement *statement);

/* A number in text: digits only, at most max. */
bool conf_number_parse(const char *text, int64_t max, int64_t *out);

#endif
