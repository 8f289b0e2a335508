/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of one configuration file as words, strings and punctuation. */
#ifndef CONF_LEXER_IMPL_H
#define CONF_LEXER_IMPL_H

#include "base/memory.h"
#include "conf/findings_impl.h"

enum lexeme_kind {
    LEXEME_END,
    LEXEME_WORD,
    LEXEME_QUOTED,
    LEXEME_OPEN,
    LEXEME_CLOSE,
    LEXEME_SEMICOLON,
    LEXEME_NOT, /* "!" */
};

struct lexeme {
    enum lexeme_kind kind;
    char *text; /* of a word or string, in the arena; NULL otherwise */
    struct conf_where where;
    uint32_t end_line; /* the place behind it */
    uint32_t end_column;
    bool first_on_line;
};

struct lexer {
    const char *file;
    const char *at, *end; /* borrowed text */
    const char *line_start;
    uint32_t line;
    uint32_t lexeme_line;   /* line on which the last lexeme ended */
    bool multiline_strings; /* a string may go over lines: trust anchors are written so */
    struct arena *arena;    /* texts are made here */
    struct findings *findings;
};

void lexer_init(struct lexer *lexer, const char *file, struct slice text, struct arena *arena,
                struct findings *findings);
void lexer_next(struct lexer *lexer, struct lexeme *out);
/* There are words on what is left of this line, and neither braces nor semicolons. */
bool lexer_rest_is_prose(const struct lexer *lexer);
/* Something other than white space and comments is left on this line. */
bool lexer_rest_has_text(const struct lexer *lexer);
void lexer_skip_line(struct lexer *lexer);

#endif
