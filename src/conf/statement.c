/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking a block: each statement is looked up by its word and where it stands, its value is read
 * by the parser its row names, and the row's state decides what becomes of it.
 *
 * The commonest mistake, a forgotten ";", makes one statement of two. Where the words left over
 * start with one that could start a statement here, the rest is read as that statement, so that one
 * forgotten ";" is one error.
 */
#include "conf/statement_impl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/nearest_impl.h"

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* As strcasecmp(), to a word of the table, which is in lower case: each word of a configuration is
 * looked for among all there are, and most differ in their first letters. */
static int compare_word(const char *row, const char *word)
{
    while (*row != '\0' && *row == lower_of(*word)) {
        row++;
        word++;
    }
    return (int)(unsigned char)*row - (int)(unsigned char)lower_of(*word);
}

static unsigned find_first(const char *word)
{
    unsigned low = 0, high = statement_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (compare_word(statement_table[middle].name, word) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct row *statement_find(const char *word, unsigned context)
{
    for (unsigned i = find_first(word);
         i < statement_count && compare_word(statement_table[i].name, word) == 0; i++) {
        if ((statement_table[i].contexts & context) != 0) {
            return &statement_table[i];
        }
    }
    return NULL;
}

static unsigned contexts_of(const char *word)
{
    unsigned contexts = 0;
    for (unsigned i = find_first(word);
         i < statement_count && compare_word(statement_table[i].name, word) == 0; i++) {
        contexts |= statement_table[i].contexts;
    }
    return contexts;
}

const char *context_text(unsigned contexts, char *out, size_t size)
{
    static const struct {
        unsigned contexts;
        const char *text;
    } texts[] = {
        {IN_TOP, "at the top level"},
        {IN_OPTIONS, "in `options`"},
        {IN_PRIMARY | IN_SECONDARY | IN_HINT, "in a zone"},
        {IN_PRIMARY | IN_SECONDARY, "in a primary or secondary zone"},
        {IN_PRIMARY, "in a primary zone"},
        {IN_SECONDARY, "in a secondary zone"},
        {IN_HINT, "in a hint zone"},
        {IN_SERVER, "in `server`"},
        {IN_KEY, "in `key`"},
        {IN_TLS, "in `tls`"},
        {IN_LOGGING, "in `logging`"},
        {IN_CHANNEL, "in a channel of `logging`"},
        {IN_RATE_LIMIT, "in `rate-limit`"},
        {IN_CONTROLS, "in `controls`"},
        {IN_STATISTICS, "in `statistics-channels`"},
    };
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(texts) && used < size; i++) {
        if ((contexts & texts[i].contexts) == texts[i].contexts) {
            contexts &= ~texts[i].contexts;
            int n =
                snprintf(out + used, size - used, "%s%s", used == 0 ? "" : " or ", texts[i].text);
            used += n < 0 ? 0 : (size_t)n;
        }
    }
    return out;
}

static void unknown(const struct cursor *cursor, const struct item *item)
{
    char quoted[QUOTED_TEXT_SIZE];
    char here[128];
    char there[256];
    context_text(cursor->context, here, sizeof(here));
    quoted_text(item->text, quoted);
    unsigned elsewhere = contexts_of(item->text);
    if (elsewhere != 0) {
        loader_error(cursor->loader, item->where, "`%s` has no place %s; it belongs %s", quoted,
                     here, context_text(elsewhere, there, sizeof(there)));
        return;
    }
    struct nearest nearest;
    nearest_init(&nearest, item->text);
    for (unsigned i = 0; i < statement_count; i++) {
        if ((statement_table[i].contexts & cursor->context) != 0) {
            nearest_offer(&nearest, statement_table[i].name);
        }
    }
    if (nearest.best != NULL) {
        loader_error(cursor->loader, item->where, "unknown statement `%s` %s; did you mean `%s`?",
                     quoted, here, nearest.best);
    } else {
        loader_error(cursor->loader, item->where, "unknown statement `%s` %s", quoted, here);
    }
}

const struct conf_setting *settings_find(const struct list *settings, enum conf_id id)
{
    const struct conf_setting *items = settings->items;
    for (uint32_t i = settings->count; i > 0; i--) {
        if (items[i - 1].id == id) {
            return &items[i - 1];
        }
    }
    return NULL;
}

static void keep(struct cursor *cursor, const struct row *row, const struct conf_setting *setting,
                 struct list *settings)
{
    if (setting->id == CONF_NONE || settings == NULL) {
        return;
    }
    const struct conf_setting *before = settings_find(settings, (enum conf_id)setting->id);
    if (before != NULL && !row->many) {
        loader_error(cursor->loader, setting->where,
                     "`%s` stands here a second time; the first is in line %u", row->name,
                     before->where.line);
        return;
    }
    *(struct conf_setting *)list_add(settings, sizeof(*setting)) = *setting;
}

static void apply(struct cursor *cursor, const struct row *row, const struct conf_setting *setting,
                  struct list *settings)
{
    struct loader *loader = cursor->loader;
    switch (row->state) {
    case WORKS:
        break;
    case LATER:
        loader_unused(loader, row->name, setting->where, true);
        break;
    case UNUSED_HERE:
        loader_unused(loader, row->name, setting->where, false);
        break;
    case NOTED:
        loader_warning(loader, setting->where, "`%s` %s", row->name, row->note);
        break;
    case ONLY_YES:
        if (setting->number != 1) {
            loader_warning(loader, setting->where, "`%s` %s", row->name, row->note);
        }
        break;
    case ONLY_NO:
    case REFUSED:
        if (row->state == REFUSED || setting->number != 0) {
            loader_error(loader, setting->where, "`%s` %s", row->name, row->note);
            return;
        }
        break;
    }
    keep(cursor, row, setting, settings);
}

/* Reads one statement from the cursor on. False: an error was reported and the rest is unclear. */
static bool read_one(struct cursor *cursor, struct list *settings)
{
    const struct item *word = cursor_peek(cursor);
    if (word->kind != ITEM_WORD) {
        cursor_expected(cursor, "a statement");
        return false;
    }
    const struct row *row = statement_find(word->text, cursor->context);
    if (row == NULL) {
        unknown(cursor, word);
        return false;
    }
    cursor->at++;
    struct conf_setting setting = {.id = (uint16_t)row->id, .where = word->where};
    if (row->state == REFUSED) {
        apply(cursor, row, &setting, settings);
        return false;
    }
    if (!row->parse(cursor, row, &setting)) {
        return false;
    }
    apply(cursor, row, &setting, settings);
    return true;
}

void statement_read(struct loader *loader, const struct statement *statement, unsigned context,
                    enum conf_zone_type zone_type, struct list *settings)
{
    struct cursor cursor = {
        .loader = loader,
        .statement = statement,
        .context = context,
        .zone_type = zone_type,
    };
    for (;;) {
        if (!read_one(&cursor, settings) || cursor_end(&cursor)) {
            return;
        }
        const struct item *item = cursor_peek(&cursor);
        if (item->kind != ITEM_WORD || statement_find(item->text, context) == NULL) {
            return;
        }
    }
}

void block_read(const struct cursor *cursor, const struct block *block, unsigned context,
                struct list *settings)
{
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        statement_read(cursor->loader, s, context, cursor->zone_type, settings);
    }
}

/* ---- words ------------------------------------------------------------------------------- */

void keyword_error(const struct cursor *cursor, const struct item *item,
                   const struct keyword *words)
{
    char all[256] = "";
    size_t used = 0;
    char quoted[QUOTED_TEXT_SIZE];
    struct nearest nearest;
    nearest_init(&nearest, item->text);
    for (const struct keyword *k = words; k->word != NULL; k++) {
        int n = snprintf(all + used, sizeof(all) - used, "%s`%s`", used == 0 ? "" : ", ", k->word);
        used = n < 0 || used + (size_t)n >= sizeof(all) ? sizeof(all) - 1 : used + (size_t)n;
        nearest_offer(&nearest, k->word);
    }
    quoted_text(item->text, quoted);
    if (nearest.best != NULL) {
        loader_error(cursor->loader, item->where, "unknown word `%s`; did you mean `%s`?", quoted,
                     nearest.best);
    } else {
        loader_error(cursor->loader, item->where, "unknown word `%s`; expected one of %s", quoted,
                     all);
    }
}

bool keyword_parse(struct cursor *cursor, const struct keyword *words, int *out)
{
    const struct item *item = cursor_text(cursor, "a word");
    if (item == NULL) {
        return false;
    }
    for (const struct keyword *k = words; k->word != NULL; k++) {
        if (strcasecmp(item->text, k->word) == 0) {
            *out = k->number;
            return true;
        }
    }
    keyword_error(cursor, item, words);
    return false;
}
