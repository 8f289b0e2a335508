/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a load: the defaults are read as if they were a file, then the file and its includes,
 * one statement of the top level after the other; names are resolved; the whole is checked; what
 * was found goes to the caller in the order of the text. A configuration with errors is not given
 * out.
 */
#include "conf/loader_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "conf/statement_impl.h"
#include "conf/tree_impl.h"
#include "wire/name.h"

/* ---- lists ------------------------------------------------------------------------------- */

void *list_add(struct list *list, size_t item_size)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        list->items = memory_resize(list->items, list->capacity * item_size);
    }
    uint8_t *item = (uint8_t *)list->items + list->count++ * item_size;
    memset(item, 0, item_size);
    return item;
}

void list_deinit(struct list *list)
{
    memory_free(list->items);
    *list = (struct list){0};
}

void *list_move(struct list *list, size_t item_size, struct arena *arena)
{
    void *moved = NULL;
    if (list->count != 0) {
        moved = arena_alloc(arena, list->count * item_size);
        memcpy(moved, list->items, list->count * item_size);
    }
    list_deinit(list);
    return moved;
}

/* ---- what statements use ----------------------------------------------------------------- */

static void note(struct loader *loader, enum conf_severity severity, struct conf_where where,
                 const char *format, va_list args) PRINTF_LIKE(4, 0);

static void note(struct loader *loader, enum conf_severity severity, struct conf_where where,
                 const char *format, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    findings_note(loader->findings, severity, where, "%s", text);
}

void loader_error(struct loader *loader, struct conf_where where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(loader, CONF_ERROR, where, format, args);
    va_end(args);
}

void loader_warning(struct loader *loader, struct conf_where where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(loader, CONF_WARNING, where, format, args);
    va_end(args);
}

void *loader_alloc(struct loader *loader, size_t size)
{
    void *memory = arena_alloc(&loader->conf->arena, size);
    memset(memory, 0, size);
    return memory;
}

void *loader_alloc_secret(struct loader *loader, size_t size)
{
    struct conf_secret *secret = secret_new(sizeof(*secret) + size);
    secret->next = loader->conf->secrets;
    loader->conf->secrets = secret;
    return secret->bytes;
}

const char *loader_keep(struct loader *loader, const char *text)
{
    return arena_strdup(&loader->conf->arena, text);
}

const uint8_t *loader_keep_name(struct loader *loader, const char *text, struct conf_where where,
                                const char *what)
{
    struct name name;
    struct error err = {0};
    char quoted[QUOTED_TEXT_SIZE];
    if (name_parse_str(text, &name, &err) != OK) {
        loader_error(loader, where, "`%s` is no %s: %s", quoted_text(text, quoted), what, err.text);
        return NULL;
    }
    return arena_copy(&loader->conf->arena, slice_of(name.wire, name.size)).data;
}

void loader_define(struct loader *loader, enum reference_kind kind, const char *name,
                   struct conf_where where, void *object)
{
    struct list *list = &loader->named[kind];
    struct named *named = list_add(list, sizeof(*named));
    *named = (struct named){name, where, object, list->count};
}

void loader_refer(struct loader *loader, enum reference_kind kind, const char *name,
                  struct conf_where where, const void **target)
{
    struct reference *reference = list_add(&loader->references, sizeof(*reference));
    *reference = (struct reference){kind, name, where, target};
}

void loader_path(struct loader *loader, const char **path)
{
    if (*path != NULL) {
        *(const char ***)list_add(&loader->paths, sizeof(path)) = path;
    }
}

void loader_unused(struct loader *loader, const char *name, struct conf_where where, bool later)
{
    const struct conf_unused *seen = loader->unused.items;
    if (loader->is_default) {
        return;
    }
    for (uint32_t i = 0; i < loader->unused.count; i++) {
        if (strcmp(seen[i].name, name) == 0) {
            return;
        }
    }
    struct conf_unused *unused = list_add(&loader->unused, sizeof(*unused));
    *unused = (struct conf_unused){name, where, later};
}

/* ---- the load ---------------------------------------------------------------------------- */

static void read_top(void *context, const struct statement *statement)
{
    struct loader *loader = context;
    statement_read(loader, statement, IN_TOP, CONF_ZONE_PRIMARY, NULL);
}

static void read_defaults(struct loader *loader, struct tree_options *options)
{
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, "options {\n");
    for (unsigned i = 0; i < statement_count; i++) {
        if (statement_table[i].fallback != NULL) {
            text_printf(&text, "%s %s;\n", statement_table[i].name, statement_table[i].fallback);
        }
    }
    text_add_str(&text, "};\n");
    loader->is_default = true;
    tree_read_text(options, NULL, text_slice(&text));
    loader->is_default = false;
    text_deinit(&text);
    REQUIRE(loader->findings->errors == 0); /* the table is wrong */
}

static void loader_deinit(struct loader *loader)
{
    struct list *lists[] = {
        &loader->defaults,   &loader->options,           &loader->zones,      &loader->listens,
        &loader->servers,    &loader->controls,          &loader->statistics, &loader->channels,
        &loader->categories, &loader->category_channels, &loader->unused,     &loader->references,
        &loader->acls,       &loader->remotes,           &loader->paths};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        list_deinit(lists[i]);
    }
    for (size_t i = 0; i < REFERENCE_KINDS; i++) {
        list_deinit(&loader->named[i]);
    }
}

/* `text` NULL: from the file `name`. */
static enum result load(const char *name, const struct slice *text, const char *new_zones,
                        bool allow_include, conf_report *report, void *context, struct conf **out,
                        struct error *err)
{
    struct conf *conf = memory_new_zeroed(1, sizeof(*conf));
    struct findings findings;
    struct loader loader = {.conf = conf, .findings = &findings, .may_read = allow_include};
    enum result result = OK;
    arena_init(&conf->arena, 0);
    findings_init(&findings, &conf->arena);
    conf->path = arena_strdup(&conf->arena, name);
    struct tree_options options = {
        .findings = &findings,
        .allow_include = allow_include,
        .handler = read_top,
        .context = &loader,
    };
    read_defaults(&loader, &options);
    if (text != NULL) {
        tree_read_text(&options, name, *text);
    } else {
        result = tree_read_file(&options, name, err);
    }
    if (result == OK) {
        loader_read_new_zones(&loader, &options, new_zones);
        loader_resolve(&loader);
        loader_read_secrets(&loader);
        loader_check(&loader);
        if (findings_send(&findings, CONF_ERRORS_MAX, report, context, err)) {
            result = ERR_FORMAT;
        }
    }
    if (result == OK) {
        const char **files = arena_alloc(&conf->arena, findings.file_count * sizeof(*files));
        memcpy(files, findings.files, findings.file_count * sizeof(*files));
        conf->files = files;
        conf->file_count = findings.file_count;
        *out = conf;
    } else {
        conf_free(conf);
    }
    loader_deinit(&loader);
    findings_deinit(&findings);
    return result;
}

enum result conf_load(const char *path, conf_report *report, void *context, struct conf **out,
                      struct error *err)
{
    return load(path, NULL, NULL, true, report, context, out, err);
}

enum result conf_load_trial(const char *path, const char *new_zones, conf_report *report,
                            void *context, struct conf **out, struct error *err)
{
    return load(path, NULL, new_zones, true, report, context, out, err);
}

enum result conf_load_text(const char *name, struct slice text, bool allow_include,
                           conf_report *report, void *context, struct conf **out, struct error *err)
{
    return load(name, &text, NULL, allow_include, report, context, out, err);
}

void conf_free(struct conf *conf)
{
    if (conf == NULL) {
        return;
    }
    while (conf->secrets != NULL) {
        struct conf_secret *secret = conf->secrets;
        conf->secrets = secret->next;
        secret_free(secret);
    }
    arena_deinit(&conf->arena);
    memory_free(conf);
}
