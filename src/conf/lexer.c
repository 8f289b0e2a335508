/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BIND's lexical rules. White space and comments (//, # and C's) separate; braces, ";" and "!"
 * stand for themselves; everything else up to one of those is a word. In a string only \" is an
 * escape; any other backslash stays. Columns count octets, as editors' "goto" does.
 *
 * A string that the line does not close ends there, without a final ";", and reading goes on: one
 * forgotten quote is one error. Only where long strings are the custom (trust anchors) may a string
 * go over lines.
 */
#include "conf/lexer_impl.h"

#include <string.h>

void lexer_init(struct lexer *lexer, const char *file, struct slice text, struct arena *arena,
                struct findings *findings)
{
    static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
    if (text.size >= 3 && memcmp(text.data, byte_order_mark, 3) == 0) {
        text.data += 3;
        text.size -= 3;
    }
    const char *start = text.size == 0 ? "" : (const char *)text.data;
    *lexer = (struct lexer){
        .file = file,
        .at = start,
        .end = start + text.size,
        .line_start = start,
        .line = 1,
        .arena = arena,
        .findings = findings,
    };
}

static struct conf_where place(const struct lexer *lexer, const char *at)
{
    return (struct conf_where){lexer->file, lexer->line, (uint32_t)(at - lexer->line_start) + 1};
}

static void next_line(struct lexer *lexer) /* at stands on the newline */
{
    lexer->at++;
    lexer->line++;
    lexer->line_start = lexer->at;
}

static bool starts(const struct lexer *lexer, const char *at, const char *two)
{
    return lexer->end - at >= 2 && at[0] == two[0] && at[1] == two[1];
}

static bool is_comment(const struct lexer *lexer, const char *at)
{
    return *at == '#' || starts(lexer, at, "//") || starts(lexer, at, "/*");
}

static void skip_block_comment(struct lexer *lexer)
{
    struct conf_where open = place(lexer, lexer->at);
    lexer->at += 2;
    while (lexer->at < lexer->end) {
        if (starts(lexer, lexer->at, "*/")) {
            lexer->at += 2;
            return;
        }
        if (*lexer->at == '\n') {
            next_line(lexer);
        } else {
            lexer->at++;
        }
    }
    findings_note(lexer->findings, CONF_ERROR, open, "this comment is never closed by `*/`");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void skip_space(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        if (c == '\n') {
            next_line(lexer);
        } else if (is_space(c)) {
            lexer->at++;
        } else if (c != '/' && c != '#') {
            return;
        } else if (starts(lexer, lexer->at, "/*")) {
            skip_block_comment(lexer);
        } else if (is_comment(lexer, lexer->at)) {
            while (lexer->at < lexer->end && *lexer->at != '\n') {
                lexer->at++;
            }
        } else {
            return;
        }
    }
}

static char *copy_text(struct lexer *lexer, const char *from, size_t size)
{
    char *copy = arena_alloc(lexer->arena, size + 1);
    memcpy(copy, from, size);
    copy[size] = '\0';
    return copy;
}

/* Ends a word, but for comments, which take two octets to tell. */
static bool ends_word(char c)
{
    static const bool ends[256] = {
        [' '] = true, ['\t'] = true, ['\r'] = true, ['\v'] = true, ['\f'] = true, ['\n'] = true,
        ['{'] = true, ['}'] = true,  [';'] = true,  ['!'] = true,  ['"'] = true,  ['#'] = true,
    };
    return ends[(unsigned char)c];
}

/* The word up to `end`; octets that no word has are reported once and become "?". */
static void read_word(struct lexer *lexer, struct lexeme *out)
{
    const char *start = lexer->at;
    bool bad = false;
    while (lexer->at < lexer->end && !ends_word(*lexer->at) &&
           (*lexer->at != '/' || !is_comment(lexer, lexer->at))) {
        bad = bad || (unsigned char)*lexer->at < 0x20 || *lexer->at == 0x7f;
        lexer->at++;
    }
    size_t size = (size_t)(lexer->at - start);
    char *copy = arena_alloc(lexer->arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        copy[i] = (unsigned char)start[i] < 0x20 || start[i] == 0x7f ? '?' : start[i];
    }
    copy[size] = '\0';
    out->kind = LEXEME_WORD;
    out->text = copy;
    if (bad) {
        findings_note(lexer->findings, CONF_ERROR, out->where,
                      "a control character: this is not plain text");
    }
}

static void read_string(struct lexer *lexer, struct lexeme *out)
{
    const char *start = lexer->at + 1;
    const char *at = start;
    while (at < lexer->end && *at != '"' && (*at != '\n' || lexer->multiline_strings)) {
        at += *at == '\\' && lexer->end - at >= 2 && at[1] != '\n' ? 2 : 1;
    }
    bool closed = at < lexer->end && *at == '"';
    const char *stop = at;
    if (!closed) {
        findings_note(lexer->findings, CONF_ERROR, out->where,
                      "this string is not closed by `\"` on its line");
        while (stop > start && (is_space(stop[-1]) || stop[-1] == '\n')) {
            stop--;
        }
        if (stop > start && stop[-1] == ';') {
            stop--;
        }
        at = stop;
    }
    char *copy = arena_alloc(lexer->arena, (size_t)(stop - start) + 1);
    size_t size = 0;
    bool bad = false;
    for (const char *p = start; p < stop; p++) {
        if (*p == '\\' && p + 1 < stop && p[1] == '"') {
            p++;
        }
        if (*p == '\n') {
            lexer->line++;
            lexer->line_start = p + 1;
        }
        bad = bad || *p == '\0';
        copy[size++] = *p == '\0' ? '?' : *p;
    }
    copy[size] = '\0';
    if (bad) {
        findings_note(lexer->findings, CONF_ERROR, out->where, "a NUL octet in a string");
    }
    lexer->at = at + closed;
    out->kind = LEXEME_QUOTED;
    out->text = copy;
}

void lexer_next(struct lexer *lexer, struct lexeme *out)
{
    skip_space(lexer);
    *out = (struct lexeme){
        .where = place(lexer, lexer->at),
        .first_on_line = lexer->line != lexer->lexeme_line,
    };
    if (lexer->at == lexer->end) {
        out->kind = LEXEME_END;
    } else if (*lexer->at == '"') {
        read_string(lexer, out);
    } else if (*lexer->at == '{') {
        out->kind = LEXEME_OPEN;
        lexer->at++;
    } else if (*lexer->at == '}') {
        out->kind = LEXEME_CLOSE;
        lexer->at++;
    } else if (*lexer->at == ';') {
        out->kind = LEXEME_SEMICOLON;
        lexer->at++;
    } else if (*lexer->at == '!') {
        out->kind = LEXEME_NOT;
        out->text = copy_text(lexer, "!", 1);
        lexer->at++;
    } else {
        read_word(lexer, out);
    }
    struct conf_where end = place(lexer, lexer->at);
    out->end_line = end.line;
    out->end_column = end.column;
    lexer->lexeme_line = lexer->line;
}

bool lexer_rest_has_text(const struct lexer *lexer)
{
    const char *at = lexer->at;
    while (at < lexer->end && is_space(*at)) {
        at++;
    }
    return at < lexer->end && *at != '\n' && !is_comment(lexer, at);
}

bool lexer_rest_is_prose(const struct lexer *lexer)
{
    for (const char *at = lexer->at; at < lexer->end && *at != '\n'; at++) {
        if (*at == ';' || *at == '{' || *at == '}') {
            return false;
        }
    }
    return lexer_rest_has_text(lexer);
}

void lexer_skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        lexer->at++;
    }
}
