/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grammar of named.conf is one rule: a statement is words, strings and blocks, ended by ";"; a
 * block is statements between braces; `include` stands where a statement can. What a statement
 * means is not known here, with four exceptions: `include` itself, `directory` in `options` (names
 * of files included from there on are relative to it, as in BIND, where it moves the process),
 * `secret` (its words are wiped and never quoted), and the long strings of trust anchors.
 *
 * After a mistake reading goes on so that the next mistake is found too. A block that was never
 * closed would swallow the rest of the file: a word of the top level in the first column, where
 * only a setting can stand, is taken as the sign that a "}" is missing before it.
 */
#include "conf/tree_impl.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/lexer_impl.h"
#include "conf/source_impl.h"

enum { DEPTH_MAX = 32, INCLUDE_DEPTH_MAX = 16, FILES_MAX = 20000 };

struct input {
    struct lexer lexer;
    struct lexer before;     /* the last lexeme, for put_back */
    const struct sink *base; /* where the statements of the file itself go */
    dev_t device;
    ino_t inode;
    struct input *includer;
    unsigned depth;
};

struct parser {
    const struct tree_options *options;
    struct arena arena;    /* the statement of the top level under way */
    const char *directory; /* for includes; NULL: where the process stands */
    struct arena names;    /* `directory` */
    unsigned file_count;
    bool too_deep;
    /* Secrets to be wiped when the statement is done. */
    char **secrets;
    unsigned secret_count, secret_capacity;
};

/* Where statements go: into a block, or to the handler. */
struct sink {
    struct statement **tail; /* NULL: the top level */
    const char *parent;      /* first word of the statement that the block belongs to, or NULL */
    unsigned depth;
};

static void read_input(struct parser *parser, struct input *input, struct sink *sink);

struct conf_where item_end(const struct item *item)
{
    return (struct conf_where){item->where.file, item->end_line, item->end_column};
}

static void next(struct input *input, struct lexeme *out)
{
    input->before = input->lexer;
    lexer_next(&input->lexer, out);
}

/* The next lexeme will be the last one again. Its text is made anew, so that no lexeme outlives the
 * arena it was made in. */
static void put_back(struct input *input)
{
    input->lexer = input->before;
}

static bool word_is(const struct item *item, const char *word)
{
    return item->kind == ITEM_WORD && strcasecmp(item->text, word) == 0;
}

static bool text_is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_trust_anchors(const char *word)
{
    static const char *const words[] = {"trust-anchors", "managed-keys", "trusted-keys", NULL};
    return text_is_one_of(word, words);
}

/* ---- items ------------------------------------------------------------------------------- */

static struct item *add_item(struct parser *parser, struct statement *statement)
{
    uint32_t count = statement->count;
    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        size_t room = count == 0 ? 4 : (size_t)count * 2;
        struct item *items = arena_alloc(&parser->arena, room * sizeof(*items));
        if (count != 0) {
            memcpy(items, statement->items, count * sizeof(*items));
        }
        statement->items = items;
    }
    struct item *item = &statement->items[statement->count++];
    *item = (struct item){0};
    return item;
}

static void remember_secret(struct parser *parser, struct item *item)
{
    item->secret = true;
    if (parser->secret_count == parser->secret_capacity) {
        parser->secret_capacity = parser->secret_capacity == 0 ? 8 : parser->secret_capacity * 2;
        parser->secrets =
            memory_resize(parser->secrets, parser->secret_capacity * sizeof(*parser->secrets));
    }
    parser->secrets[parser->secret_count++] = item->text;
}

static void forget_secrets(struct parser *parser)
{
    for (unsigned i = 0; i < parser->secret_count; i++) {
        explicit_bzero(parser->secrets[i], strlen(parser->secrets[i]));
    }
    parser->secret_count = 0;
}

/* ---- include ----------------------------------------------------------------------------- */

static bool is_open_already(const struct input *input, const struct source *source)
{
    for (; input != NULL; input = input->includer) {
        if (input->inode == source->inode && input->device == source->device) {
            return true;
        }
    }
    return false;
}

static void include_file(struct parser *parser, struct input *from, const char *path,
                         struct conf_where where, struct sink *sink)
{
    struct findings *findings = parser->options->findings;
    char quoted[QUOTED_TEXT_SIZE];
    struct source source = {0};
    struct error err = {0};
    if (from->depth + 1 == INCLUDE_DEPTH_MAX) {
        findings_note(findings, CONF_ERROR, where, "includes are nested more than %d deep",
                      INCLUDE_DEPTH_MAX);
    } else if (parser->file_count == FILES_MAX) {
        findings_note(findings, CONF_ERROR, where, "more than %d files are included", FILES_MAX);
    } else if (source_read(path, &source, &err) != OK) {
        findings_note(findings, CONF_ERROR, where, "include: %s", err.text);
    } else if (is_open_already(from, &source)) {
        findings_note(findings, CONF_ERROR, where, "`%s` includes itself",
                      quoted_text(path, quoted));
    } else {
        struct input input = {
            .device = source.device,
            .inode = source.inode,
            .includer = from,
            .depth = from->depth + 1,
            .base = sink,
        };
        parser->file_count++;
        lexer_init(&input.lexer, findings_add_file(findings, path),
                   slice_of(source.bytes, source.size), &parser->arena, findings);
        read_input(parser, &input, sink);
    }
    source_deinit(&source);
}

/* Names with "*", "?" or "[" are patterns, as in BIND; their files come in alphabetical order. */
static void include(struct parser *parser, struct input *from, const struct statement *statement,
                    struct sink *sink)
{
    struct findings *findings = parser->options->findings;
    if (statement->count != 2 || statement->items[1].kind == ITEM_BLOCK ||
        statement->items[1].kind == ITEM_NOT) {
        findings_note(findings, CONF_ERROR, statement->items[0].where,
                      "`include` takes one file name: include \"/path/file\";");
        return;
    }
    const struct item *name = &statement->items[1];
    if (!parser->options->allow_include) {
        findings_note(findings, CONF_ERROR, statement->items[0].where,
                      "`include` has no place here");
        return;
    }
    struct conf_where where = name->where; /* the arena goes with each statement of the file */
    char pattern[4096];
    bool relative = name->text[0] != '/' && parser->directory != NULL;
    int size = snprintf(pattern, sizeof(pattern), "%s%s%s", relative ? parser->directory : "",
                        relative ? "/" : "", name->text);
    if (size < 0 || (size_t)size >= sizeof(pattern)) {
        findings_note(findings, CONF_ERROR, name->where, "this file name is too long");
        return;
    }
    if (strpbrk(name->text, "*?[") == NULL) {
        include_file(parser, from, pattern, where, sink);
        return;
    }
    glob_t found;
    char quoted[QUOTED_TEXT_SIZE];
    if (glob(pattern, GLOB_ERR, NULL, &found) != 0) {
        findings_note(findings, CONF_ERROR, where, "include: no file matches `%s`",
                      quoted_text(pattern, quoted));
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        include_file(parser, from, found.gl_pathv[i], where, sink);
    }
    globfree(&found);
}

/* ---- statements -------------------------------------------------------------------------- */

static void add_statement(struct parser *parser, struct input *input, struct sink *sink,
                          const struct statement *statement)
{
    const struct item *first = &statement->items[0];
    if (word_is(first, "include")) {
        include(parser, input, statement, sink);
    } else if (sink->tail == NULL) {
        parser->options->handler(parser->options->context, statement);
        forget_secrets(parser);
        arena_reset(&parser->arena);
    } else {
        struct statement *copy = arena_alloc(&parser->arena, sizeof(*copy));
        *copy = *statement;
        copy->next = NULL;
        *sink->tail = copy;
        sink->tail = &copy->next;
        if (sink->depth == 1 && sink->parent != NULL && strcasecmp(sink->parent, "options") == 0 &&
            word_is(first, "directory") && copy->count == 2 && copy->items[1].text != NULL) {
            parser->directory = arena_strdup(&parser->names, copy->items[1].text);
        }
    }
}

/* A word of the top level where none can be: in the first column of a line, inside a block. */
static bool is_lost(const struct sink *sink, const struct lexeme *lexeme)
{
    static const char *const words[] = {"acl", "controls", "logging", "options", "zone", NULL};
    static const char *const holders[] = {"view", "catalog-zones", "response-policy", NULL};
    return sink->tail != NULL && lexeme->kind == LEXEME_WORD && lexeme->where.column == 1 &&
           text_is_one_of(lexeme->text, words) &&
           (sink->parent == NULL || !text_is_one_of(sink->parent, holders));
}

/* Returns whether the block was closed. */
static bool read_block(struct parser *parser, struct input *input, const struct statement *owner,
                       struct item *item, unsigned depth)
{
    struct findings *findings = parser->options->findings;
    struct block *block = arena_alloc(&parser->arena, sizeof(*block));
    *block = (struct block){.close = item->where};
    item->block = block;
    struct sink sink = {
        .tail = &block->first,
        .parent = owner->items[0].text,
        .depth = depth + 1,
    };
    if (sink.depth > DEPTH_MAX) {
        findings_note(findings, CONF_ERROR, item->where, "blocks are nested more than %d deep",
                      DEPTH_MAX);
        parser->too_deep = true;
        input->lexer.at = input->lexer.end;
        return false;
    }
    read_input(parser, input, &sink);
    struct lexeme close;
    next(input, &close);
    block->close = close.where;
    item->end_line = close.end_line;
    item->end_column = close.end_column;
    if (close.kind == LEXEME_CLOSE) {
        return true;
    }
    if (!parser->too_deep) {
        findings_note(findings, CONF_ERROR, item->where, "this `{` is never closed by `};`");
    }
    put_back(input);
    return false;
}

static enum item_kind item_kind_of(enum lexeme_kind kind)
{
    switch (kind) {
    case LEXEME_QUOTED:
        return ITEM_QUOTED;
    case LEXEME_NOT:
        return ITEM_NOT;
    case LEXEME_OPEN:
        return ITEM_BLOCK;
    case LEXEME_WORD:
    case LEXEME_END:
    case LEXEME_CLOSE:
    case LEXEME_SEMICOLON:
        break;
    }
    return ITEM_WORD;
}

/* Reads items, the first of which is `lexeme`, up to the ";". */
static void read_statement(struct parser *parser, struct input *input, const struct sink *sink,
                           struct lexeme *lexeme, struct statement *out)
{
    bool secret = false;
    for (; lexeme->kind != LEXEME_SEMICOLON; next(input, lexeme)) {
        if (lexeme->kind == LEXEME_CLOSE || lexeme->kind == LEXEME_END) {
            findings_note(parser->options->findings, CONF_ERROR,
                          item_end(&out->items[out->count - 1]), "`;` is missing here");
            put_back(input);
            return;
        }
        struct item *item = add_item(parser, out);
        item->kind = item_kind_of(lexeme->kind);
        item->text = lexeme->text;
        item->where = lexeme->where;
        item->end_line = lexeme->end_line;
        item->end_column = lexeme->end_column;
        if (item->kind == ITEM_BLOCK) {
            if (!read_block(parser, input, out, item, sink->depth)) {
                return;
            }
        } else if (secret) {
            remember_secret(parser, item);
        } else if (out->count == 1 && sink->depth == 0 && is_trust_anchors(item->text)) {
            input->lexer.multiline_strings = true;
        } else if (word_is(item, "secret") || word_is(item, "cookie-secret")) {
            secret = true;
        }
    }
}

static void lone_semicolon(struct parser *parser, struct input *input, const struct lexeme *lexeme)
{
    if (lexer_rest_has_text(&input->lexer) &&
        (lexeme->first_on_line || lexer_rest_is_prose(&input->lexer))) {
        findings_note(parser->options->findings, CONF_ERROR, lexeme->where,
                      "`;` starts no comment here; use // or #");
        lexer_skip_line(&input->lexer);
    } else {
        findings_note(parser->options->findings, CONF_ERROR, lexeme->where,
                      "nothing stands before this `;`");
    }
}

/* Statements up to the end of the block or of the file, which is put back. */
static void read_input(struct parser *parser, struct input *input, struct sink *sink)
{
    for (;;) {
        struct lexeme lexeme;
        next(input, &lexeme);
        if (lexeme.kind == LEXEME_END || (lexeme.kind == LEXEME_CLOSE && sink != input->base) ||
            (sink != input->base && is_lost(sink, &lexeme))) {
            put_back(input);
            return;
        }
        if (lexeme.kind == LEXEME_CLOSE) {
            findings_note(parser->options->findings, CONF_ERROR, lexeme.where,
                          "this `}` closes nothing");
            next(input, &lexeme);
            if (lexeme.kind != LEXEME_SEMICOLON) {
                put_back(input);
            }
        } else if (lexeme.kind == LEXEME_SEMICOLON) {
            lone_semicolon(parser, input, &lexeme);
        } else {
            struct statement statement = {0};
            read_statement(parser, input, sink, &lexeme, &statement);
            if (sink->depth == 0) {
                input->lexer.multiline_strings = false;
            }
            add_statement(parser, input, sink, &statement);
        }
    }
}

/* ---- entry ------------------------------------------------------------------------------- */

static void read_top(const struct tree_options *options, const char *name,
                     const struct source *source)
{
    struct parser parser = {.options = options, .file_count = 1};
    struct sink sink = {0};
    struct input input = {
        .base = &sink,
        .device = source->device,
        .inode = source->inode,
    };
    arena_init(&parser.arena, 0);
    arena_init(&parser.names, 0);
    lexer_init(&input.lexer, findings_add_file(options->findings, name),
               slice_of(source->bytes, source->size), &parser.arena, options->findings);
    read_input(&parser, &input, &sink);
    forget_secrets(&parser);
    memory_free(parser.secrets);
    arena_deinit(&parser.arena);
    arena_deinit(&parser.names);
}

enum result tree_read_file(const struct tree_options *options, const char *path, struct error *err)
{
    struct source source = {0};
    enum result result = source_read(path, &source, err);
    if (result == OK) {
        read_top(options, path, &source);
    }
    source_deinit(&source);
    return result;
}

void tree_read_text(const struct tree_options *options, const char *name, struct slice text)
{
    /* The file of a text is none, so no include can be the same. */
    struct source source = {.bytes = NULL, .size = 0};
    char *copy = memory_new(text.size == 0 ? 1 : text.size);
    if (text.size != 0) {
        memcpy(copy, text.data, text.size);
    }
    source.bytes = copy;
    source.size = text.size;
    read_top(options, name, &source);
    source_deinit(&source);
}
