/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `allow-new-zones yes`: zones that were added while a server ran stand in a file of their own,
 * `_default.nzf` in `new-zones-directory` (else `directory`), one `zone` statement a line, and
 * nothing else may stand there. It is read behind the configuration, as if that had it; a server
 * that changes it tries the changed one first, under another name.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/statement_impl.h"

#define NEW_ZONES_FILE "_default.nzf"

/* As it is written; the last one counts. NULL: it is not. */
static const struct conf_setting *option_of(const struct loader *loader, enum conf_id id)
{
    const struct conf_setting *settings = loader->options.items;
    const struct conf_setting *found = NULL;
    for (uint32_t i = 0; i < loader->options.count; i++) {
        if (settings[i].id == id) {
            found = &settings[i];
        }
    }
    return found;
}

static const char *text_of(const struct loader *loader, enum conf_id id)
{
    const struct conf_setting *setting = option_of(loader, id);
    return setting == NULL || setting->text == NULL ? "" : setting->text;
}

static const char *joined(struct loader *loader, const char *folder, const char *path)
{
    if (path[0] == '/' || folder[0] == '\0' || path[0] == '\0') {
        return path[0] == '\0' ? folder : path;
    }
    size_t size = strlen(folder) + strlen(path) + 2;
    char *out = loader_alloc(loader, size);
    snprintf(out, size, "%s/%s", folder, path);
    return out;
}

static void read_new_zone(void *context, const struct statement *statement)
{
    struct loader *loader = context;
    const struct item *word = &statement->items[0];
    if (word->kind != ITEM_WORD || strcasecmp(word->text, "zone") != 0) {
        loader_error(loader, word->where, "only `zone` statements may stand in this file");
        return;
    }
    statement_read(loader, statement, IN_TOP, CONF_ZONE_PRIMARY, NULL);
}

void loader_read_new_zones(struct loader *loader, const struct tree_options *options,
                           const char *instead)
{
    const struct conf_setting *allowed = option_of(loader, CONF_ALLOW_NEW_ZONES);
    if (!loader->may_read || allowed == NULL || allowed->number == 0) {
        return;
    }
    const char *folder =
        joined(loader, text_of(loader, CONF_DIRECTORY), text_of(loader, CONF_NEW_ZONES_DIRECTORY));
    loader->conf->new_zones_file = joined(loader, folder, NEW_ZONES_FILE);
    const char *path =
        instead != NULL ? loader_keep(loader, instead) : loader->conf->new_zones_file;
    struct tree_options zones_only = *options;
    struct error err = {0};
    zones_only.handler = read_new_zone;
    zones_only.allow_include = false;
    if (access(path, F_OK) != 0) {
        return; /* none was added yet */
    }
    loader->in_new_zones = true;
    if (tree_read_file(&zones_only, path, &err) != OK) {
        loader_error(loader, allowed->where, "%s", err.text);
    }
    loader->in_new_zones = false;
}
