/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `options` and `zone`. What may stand in a zone depends on its type, so the type is looked for
 * first, wherever it stands. A zone of a type that only a resolver has is refused as a whole, with
 * one error; the root hints that every stock configuration brings are accepted and not used.
 */
#include <string.h>
#include <strings.h>

#include "conf/statement_impl.h"
#include "wire/name.h"

enum zone_word { ZONE_IS_PRIMARY, ZONE_IS_SECONDARY, ZONE_IS_HINT, ZONE_IS_REFUSED };

static const struct keyword type_words[] = {
    {"primary", ZONE_IS_PRIMARY},
    {"secondary", ZONE_IS_SECONDARY},
    {"master", ZONE_IS_PRIMARY},
    {"slave", ZONE_IS_SECONDARY},
    {"hint", ZONE_IS_HINT},
    {"mirror", ZONE_IS_REFUSED},
    {"forward", ZONE_IS_REFUSED},
    {"stub", ZONE_IS_REFUSED},
    {"static-stub", ZONE_IS_REFUSED},
    {"redirect", ZONE_IS_REFUSED},
    {"delegation-only", ZONE_IS_REFUSED},
    {NULL, 0},
};

bool parse_options(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    (void)row;
    const struct block *block = cursor_block(cursor, "the options between braces");
    if (block == NULL) {
        return false;
    }
    if (loader->options_at.line != 0 && !loader->is_default) {
        loader_error(loader, out->where,
                     "`options` stands here a second time; the first is in "
                     "line %u of %s",
                     loader->options_at.line, loader->options_at.file);
    }
    if (!loader->is_default) {
        loader->options_at = out->where;
    }
    block_read(cursor, block, IN_OPTIONS,
               loader->is_default ? &loader->defaults : &loader->options);
    return true;
}

/* Read before the block is walked; here only what follows the word matters. */
bool parse_zone_type(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    int word;
    (void)row;
    if (!keyword_parse(cursor, type_words, &word)) {
        return false;
    }
    out->number = word;
    return true;
}

static const char *refusal_of(const char *type)
{
    if (strcasecmp(type, "mirror") == 0) {
        return "a mirror zone serves a resolver of its own; use `type secondary`";
    }
    if (strcasecmp(type, "redirect") == 0 || strcasecmp(type, "delegation-only") == 0) {
        return "it changes the answers of a resolver; Lockstep answers for its own zones only";
    }
    return "it sends questions on to other servers; Lockstep answers for its own zones only";
}

/* The word of the `type` statement of the block; NULL where there is none or it is no word, which
 * is reported here or when the block is walked. */
static const struct item *find_type(struct cursor *cursor, const struct block *block,
                                    const struct item *name)
{
    char quoted[QUOTED_TEXT_SIZE];
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        const struct item *word = &s->items[0];
        if (word->kind != ITEM_WORD) {
            continue;
        }
        if (strcasecmp(word->text, "in-view") == 0) {
            return NULL;
        }
        if (strcasecmp(word->text, "type") == 0) {
            return s->count > 1 && s->items[1].text != NULL ? &s->items[1] : NULL;
        }
    }
    loader_error(cursor->loader, name->where,
                 "zone `%s` has no type; add `type primary;` or `type secondary;`",
                 quoted_text(name->text, quoted));
    return NULL;
}

/* NULL in `type` stays; a word that is no type becomes NULL. */
static enum zone_word zone_word_of(const struct item **type)
{
    for (const struct keyword *k = type_words; *type != NULL && k->word != NULL; k++) {
        if (strcasecmp(k->word, (*type)->text) == 0) {
            return (enum zone_word)k->number;
        }
    }
    *type = NULL;
    return ZONE_IS_REFUSED;
}

static bool read_class(struct cursor *cursor)
{
    const struct item *item = cursor_peek(cursor);
    if (item == NULL || item->kind == ITEM_BLOCK) {
        return true;
    }
    if (cursor_skip_word(cursor, "in")) {
        return true;
    }
    static const char *const others[] = {"ch", "chaos", "hs", "hesiod", "any"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (cursor_at_word(cursor, others[i])) {
            loader_error(cursor->loader, item->where,
                         "class `%s`: Lockstep serves zones of class IN only", item->text);
            return false;
        }
    }
    cursor_expected(cursor, "the zone's statements between braces");
    return false;
}

static void add_zone(struct cursor *cursor, const struct item *name, const uint8_t *wire,
                     enum conf_zone_type type, struct list *settings, struct conf_where where)
{
    struct loader *loader = cursor->loader;
    struct conf_zone *zone = list_add(&loader->zones, sizeof(*zone));
    const struct conf_setting *file = settings_find(settings, CONF_ZONE_FILE);
    *zone = (struct conf_zone){
        .name = loader_keep(loader, name->text),
        .wire = wire,
        .class = 1,
        .type = type,
        .is_added = loader->in_new_zones,
        .file = file != NULL ? file->text : NULL,
        .where = where,
        .setting_count = settings->count,
    };
    zone->settings = list_move(settings, sizeof(struct conf_setting), &loader->conf->arena);
}

bool parse_zone(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    char quoted[QUOTED_TEXT_SIZE];
    (void)row;
    const struct item *name = cursor_text(cursor, "the name of the zone");
    if (name == NULL || !read_class(cursor)) {
        return false;
    }
    const struct block *block = cursor_block(cursor, "the zone's statements between braces");
    if (block == NULL) {
        return false;
    }
    const uint8_t *wire = loader_keep_name(loader, name->text, name->where, "zone name");
    const struct item *type = find_type(cursor, block, name);
    enum zone_word word = zone_word_of(&type);
    if (type != NULL && word == ZONE_IS_REFUSED) {
        loader_error(loader, type->where, "zone `%s` has type `%s`: %s",
                     quoted_text(name->text, quoted), type->text, refusal_of(type->text));
        return true;
    }
    /* Without a type: a mistake is one only if it is one in every zone. */
    unsigned context = type == NULL                ? IN_PRIMARY | IN_SECONDARY | IN_HINT
                       : word == ZONE_IS_PRIMARY   ? IN_PRIMARY
                       : word == ZONE_IS_SECONDARY ? IN_SECONDARY
                                                   : IN_HINT;
    struct list settings = {0};
    struct cursor inner = *cursor;
    inner.zone_type = word == ZONE_IS_SECONDARY ? CONF_ZONE_SECONDARY : CONF_ZONE_PRIMARY;
    block_read(&inner, block, context, &settings);
    if (type != NULL && word == ZONE_IS_HINT) {
        loader_unused(loader, "type hint", type->where, false);
    } else if (type != NULL && wire != NULL) {
        add_zone(cursor, name, wire, inner.zone_type, &settings, out->where);
    }
    list_deinit(&settings);
    return true;
}

/* `checker none;`, `checker "/usr/local/bin/look" "-v";`: no shell is between, so what it is given
 * are its arguments as they stand. */
bool parse_checker(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    if (cursor_skip_word(cursor, "none")) {
        out->special = CONF_SPECIAL_NONE;
        out->object = NULL;
        return true;
    }
    struct conf_setting path = {.where = out->where};
    if (loader->in_new_zones) {
        /* Who may add zones may not run programs by that. */
        loader_error(loader, out->where,
                     "`checker` names a program: it may stand in the "
                     "configuration only, not at a zone that is added");
        return false;
    }
    if (!parse_path(cursor, row, &path)) {
        return false;
    }
    struct conf_checker *checker = loader_alloc(loader, sizeof(*checker));
    size_t room = cursor->statement->count + 1;
    const char **arguments = loader_alloc(loader, room * sizeof(*arguments));
    size_t count = 0;
    checker->program = path.text;
    loader_path(loader, &checker->program);
    arguments[count++] = path.text;
    while (cursor_peek(cursor) != NULL) {
        const struct item *item = cursor_text(cursor, "an argument of the program");
        if (item == NULL) {
            return false;
        }
        arguments[count++] = loader_keep(loader, item->text);
    }
    checker->arguments = arguments;
    out->object = checker;
    return true;
}
