/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of a zone file: which lines belong to which entry, found by the lexer that reads zone
 * files, so that parentheses, quotes and comments mean the same here as there.
 *
 * Words of an entry are looked up only where the entry is to be changed: that entry is read again,
 * and a word's line and column lead to its octets.
 */
#include "zone/master_layout_impl.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "wire/rrtype.h"
#include "zone/master_lexer_impl.h"

static uint8_t kind_of(const struct master_lexer *lexer)
{
    static const struct {
        const char *name;
        enum layout_kind kind;
    } directives[] = {
        {"$ORIGIN", LAYOUT_ORIGIN}, {"$INCLUDE", LAYOUT_INCLUDE}, {"$GENERATE", LAYOUT_GENERATE}};
    const struct token *word = &lexer->tokens[0];
    if (lexer->starts_blank || word->quoted || word->size == 0 || word->data[0] != '$') {
        return LAYOUT_RECORD;
    }
    for (size_t i = 0; i < ARRAY_SIZE(directives); i++) {
        if (word->size == strlen(directives[i].name) &&
            strncasecmp(word->data, directives[i].name, word->size) == 0) {
            return (uint8_t)directives[i].kind;
        }
    }
    return LAYOUT_OTHER;
}

/* The start of a line, counted from one whose start is known; the end of the text at most. */
static size_t line_start(struct slice text, size_t at, uint32_t lines)
{
    for (; lines > 0 && at < text.size; lines--) {
        const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
        at = end == NULL ? text.size : (size_t)(end - text.data) + 1;
    }
    return at;
}

enum result layout_read(struct slice text, struct layout *out, struct error *err)
{
    struct master_lexer lexer;
    enum result result = OK;
    enum lexer_step step;
    size_t at = 0;
    uint32_t line = 1;
    *out = (struct layout){.text = text};
    master_lexer_init_text(&lexer, text);
    while (result == OK && (step = master_lexer_next(&lexer)) != LEXER_END) {
        if (step != LEXER_ENTRY) {
            result = error_set(err, lexer.bad_code, "line %u: %s", lexer.bad_line, lexer.bad_text);
            break;
        }
        if (out->count == out->room) {
            out->room = out->room == 0 ? 256 : 2 * out->room;
            out->entries = memory_resize(out->entries, out->room * sizeof(out->entries[0]));
        }
        struct layout_entry *entry = &out->entries[out->count++];
        *entry = (struct layout_entry){.start = line_start(text, at, lexer.entry_line - line),
                                       .line = lexer.entry_line,
                                       .kind = kind_of(&lexer),
                                       .starts_blank = lexer.starts_blank};
        entry->end = line_start(text, entry->start, lexer.line - lexer.entry_line);
        out->last_origin += entry->kind == LAYOUT_ORIGIN;
        entry->origin = out->last_origin;
        at = entry->start;
        line = entry->line;
    }
    master_lexer_deinit(&lexer);
    return result;
}

void layout_deinit(struct layout *layout)
{
    memory_free(layout->entries);
    *layout = (struct layout){0};
}

const struct layout_entry *layout_find(const struct layout *layout, size_t *from, uint32_t line)
{
    while (*from < layout->count && layout->entries[*from].line < line) {
        ++*from;
    }
    return *from < layout->count && layout->entries[*from].line == line ? &layout->entries[*from]
                                                                        : NULL;
}

static struct layout_word word_of(const struct layout *layout, const struct layout_entry *entry,
                                  const struct master_lexer *lexer, const struct token *token)
{
    uint32_t line, column;
    master_lexer_locate(lexer, token->data, &line, &column);
    size_t start = line_start(layout->text, entry->start, line - 1) + column - 1;
    return (struct layout_word){start - token->quoted, start + token->size + token->quoted};
}

static bool is_class(const struct token *token)
{
    uint16_t class;
    return !token->quoted && rrclass_parse(token->data, token->size, &class);
}

/* The words in front of the type; as master_entry.c reads them. Returns the index of the type. */
static size_t read_front(const struct layout *layout, const struct layout_entry *entry,
                         const struct master_lexer *lexer, struct layout_record *out)
{
    size_t i = 0;
    if (!entry->starts_blank) {
        out->has_owner = true;
        out->owner = word_of(layout, entry, lexer, &lexer->tokens[i++]);
    }
    for (; i < lexer->count; i++) {
        const struct token *token = &lexer->tokens[i];
        if (token->size != 0 && token->data[0] >= '0' && token->data[0] <= '9') {
            out->has_ttl = true;
            out->ttl = word_of(layout, entry, lexer, token);
        } else if (!is_class(token)) {
            break;
        }
    }
    return i;
}

bool layout_record_read(const struct layout *layout, const struct layout_entry *entry,
                        struct layout_record *out)
{
    struct master_lexer lexer;
    *out = (struct layout_record){0};
    master_lexer_init_text(&lexer,
                           slice_of(layout->text.data + entry->start, entry->end - entry->start));
    bool good = master_lexer_next(&lexer) == LEXER_ENTRY;
    if (good) {
        size_t type = read_front(layout, entry, &lexer, out);
        for (size_t i = type + 1; i < lexer.count; i++) {
            struct layout_word word = word_of(layout, entry, &lexer, &lexer.tokens[i]);
            if (out->word_count == 0) {
                out->rdata.start = word.start;
            }
            if (out->word_count < LAYOUT_WORDS) {
                out->words[out->word_count] = word;
            }
            out->rdata.end = word.end;
            out->word_count++;
        }
        good = out->word_count != 0;
    }
    master_lexer_deinit(&lexer);
    return good;
}
