/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the whole shows: paths against `directory`, zones twice, files that two zones would
 * write, a secondary without primaries, keys too weak, transfers open to everyone. An error where
 * serving would be wrong or unsafe; a warning where it is legal and probably not meant.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conf/loader_impl.h"
#include "wire/name.h"

/* ---- paths ------------------------------------------------------------------------------- */

static bool is_path(uint16_t id)
{
    return (id >= CONF_PID_FILE && id <= CONF_JOURNAL) || id == CONF_ZONE_FILE;
}

static const char *absolute(struct loader *loader, const char *path)
{
    const char *directory = conf_text(loader->conf, NULL, CONF_DIRECTORY);
    if (path == NULL || path[0] == '/' || directory == NULL) {
        return path;
    }
    size_t size = strlen(directory) + strlen(path) + 2;
    char *joined = arena_alloc(&loader->conf->arena, size);
    bool slash = directory[strlen(directory) - 1] == '/';
    snprintf(joined, size, "%s%s%s", directory, slash ? "" : "/", path);
    return joined;
}

static void resolve_settings(struct loader *loader, const struct conf_setting *settings,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct conf_setting *setting = (struct conf_setting *)(uintptr_t)&settings[i];
        if (is_path(setting->id) && setting->special == CONF_SPECIAL_NOT) {
            setting->text = absolute(loader, setting->text);
        }
    }
}

/* "example.com" has the file "example.com.zone". */
static const char *default_file(struct loader *loader, const struct conf_zone *zone)
{
    char name[NAME_TEXT_SIZE];
    char path[NAME_TEXT_SIZE + 8];
    name_format_log(zone->wire, name);
    for (char *p = name; *p != '\0'; p++) {
        *p = *p == '/' ? '_' : (char)tolower((unsigned char)*p);
    }
    snprintf(path, sizeof(path), "%s.zone", strcmp(name, ".") == 0 ? "root" : name);
    return absolute(loader, loader_keep(loader, path));
}

void loader_resolve_paths(struct loader *loader)
{
    struct conf *conf = loader->conf;
    for (int id = 0; id < CONF_IDS; id++) {
        if (conf->options[id] != NULL) {
            resolve_settings(loader, conf->options[id], 1);
        }
    }
    const char **const *paths = loader->paths.items;
    for (uint32_t i = 0; i < loader->paths.count; i++) {
        *paths[i] = absolute(loader, *paths[i]);
    }
    conf->zone_count = loader->zones.count;
    struct conf_zone *zones = list_move(&loader->zones, sizeof(*zones), &conf->arena);
    conf->zones = zones;
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        resolve_settings(loader, zones[i].settings, zones[i].setting_count);
        for (uint32_t j = 0; j < zones[i].setting_count; j++) {
            if (zones[i].settings[j].id == CONF_ZONE_FILE) {
                zones[i].file = zones[i].settings[j].text;
            }
        }
        if (zones[i].file == NULL && zones[i].type == CONF_ZONE_PRIMARY) {
            zones[i].file = default_file(loader, &zones[i]);
            loader_warning(loader, zones[i].where, "zone `%s` has no `file`; `%s` is taken",
                           zones[i].name, zones[i].file);
        }
    }
}

/* ---- zones ------------------------------------------------------------------------------- */

/*
 * What must be there once is found by sorting hashes: a hash in the upper half of a word, the place of
 * the zone, which is the order written, in the lower. Sorting a hundred thousand names or paths
 * themselves costs as much as reading them.
 */
static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_words(uint64_t *words, uint32_t count)
{
    if (count > 1) {
        qsort(words, count, sizeof(*words), compare_words);
    }
}

typedef bool same_zone(const struct conf_zone *a, const struct conf_zone *b);

/* The last zone before words[at] in the order written that has the same, or NULL. */
static const struct conf_zone *earlier(const struct conf *conf, const uint64_t *words, uint32_t at,
                                       same_zone *same)
{
    const struct conf_zone *zone = &conf->zones[(uint32_t)words[at]];
    for (uint32_t i = at; i > 0 && words[i - 1] >> 32 == words[at] >> 32; i--) {
        const struct conf_zone *other = &conf->zones[(uint32_t)words[i - 1]];
        if (same(other, zone)) {
            return other;
        }
    }
    return NULL;
}

static bool same_name(const struct conf_zone *a, const struct conf_zone *b)
{
    return name_equal(a->wire, b->wire);
}

static bool same_file(const struct conf_zone *a, const struct conf_zone *b)
{
    return a->file != NULL && b->file != NULL && strcmp(a->file, b->file) == 0;
}

static void check_names_once(struct loader *loader)
{
    struct conf *conf = loader->conf;
    conf->by_hash = loader_alloc(loader, (conf->zone_count + 1) * sizeof(*conf->by_hash));
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        conf->by_hash[i] = (uint64_t)conf_zone_hash(conf->zones[i].wire) << 32 | i;
    }
    sort_words(conf->by_hash, conf->zone_count);
    for (uint32_t i = 1; i < conf->zone_count; i++) {
        const struct conf_zone *first = earlier(conf, conf->by_hash, i, same_name);
        const struct conf_zone *second = &conf->zones[(uint32_t)conf->by_hash[i]];
        if (first != NULL) {
            loader_error(loader, second->where,
                         "zone `%s` stands here a second time; the first is in line %u of %s",
                         second->name, first->where.line, first->where.file);
        }
    }
}

/* Lockstep itself writes the file. */
static bool is_written(const struct conf *conf, const struct conf_zone *zone)
{
    return zone->type == CONF_ZONE_SECONDARY || conf_bool(conf, zone, CONF_WRITE_BACK) ||
           conf_update_policy(conf, zone) != NULL ||
           !acl_is_none(conf_acl(conf, zone, CONF_ALLOW_UPDATE));
}

static void check_files_once(struct loader *loader)
{
    const struct conf *conf = loader->conf;
    uint64_t *words = memory_new((conf->zone_count + 1) * sizeof(*words));
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        const char *file = conf->zones[i].file;
        uint64_t hash = file == NULL ? 0 : hash_bytes(0, file, strlen(file));
        words[i] = hash >> 32 << 32 | i;
    }
    sort_words(words, conf->zone_count);
    for (uint32_t i = 1; i < conf->zone_count; i++) {
        const struct conf_zone *first = earlier(conf, words, i, same_file);
        const struct conf_zone *second = &conf->zones[(uint32_t)words[i]];
        if (first != NULL && !name_equal(first->wire, second->wire) &&
            (is_written(conf, first) || is_written(conf, second))) {
            loader_error(loader, second->where,
                         "zones `%s` and `%s` both have the file `%s`, which is written to",
                         first->name, second->name, second->file);
        }
    }
    memory_free(words);
}

/* A warning about the setting itself, once, where it is written. */
static void check_open_transfer(struct loader *loader, const struct conf_setting *setting)
{
    if (setting != NULL && setting->where.file != NULL && acl_is_any(setting->acl)) {
        loader_warning(loader, setting->where,
                       "`allow-transfer` gives whole zones to anybody who asks; name addresses or "
                       "a key");
    }
}

static void check_format(struct loader *loader, const struct conf_setting *setting)
{
    if (setting != NULL && setting->number != CONF_FILE_TEXT) {
        loader_warning(loader, setting->where,
                       "this file format is BIND's own; Lockstep reads and writes text");
    }
}

static void check_zone(struct loader *loader, const struct conf_zone *zone)
{
    const struct conf_setting *policy = NULL, *update = NULL, *transfer = NULL, *format = NULL;
    const struct conf_setting *primaries = NULL;
    for (uint32_t i = 0; i < zone->setting_count; i++) {
        const struct conf_setting *s = &zone->settings[i];
        policy = s->id == CONF_UPDATE_POLICY ? s : policy;
        update = s->id == CONF_ALLOW_UPDATE ? s : update;
        transfer = s->id == CONF_ALLOW_TRANSFER ? s : transfer;
        format = s->id == CONF_MASTERFILE_FORMAT ? s : format;
        primaries = s->id == CONF_PRIMARIES ? s : primaries;
    }
    if (zone->type == CONF_ZONE_SECONDARY && primaries == NULL) {
        loader_error(loader, zone->where,
                     "secondary zone `%s` has no primaries; add `primaries { ADDRESS; };`",
                     zone->name);
    } else if (primaries != NULL && primaries->remotes->count == 0) {
        loader_error(loader, primaries->where,
                     "the list of primaries is empty; write `primaries { ADDRESS; };`");
    }
    if (policy != NULL && update != NULL) {
        loader_error(loader, update->where,
                     "`allow-update` would be ignored beside `update-policy`; keep one of them");
    }
    check_open_transfer(loader, transfer);
    check_format(loader, format);
}

/* ---- keys -------------------------------------------------------------------------------- */

static void check_key(struct loader *loader, const struct conf_key *key)
{
    bool weak_allowed = conf_bool(loader->conf, NULL, CONF_ALLOW_WEAK_TSIG);
    if (key->secret == NULL || key->wire == NULL) {
        return; /* reported already */
    }
    if (key->algorithm == CONF_HMAC_MD5 && !weak_allowed) {
        loader_error(loader, key->where,
                     "key `%s` uses hmac-md5, which is broken; use hmac-sha256, or allow it by "
                     "`allow-weak-tsig yes;` in `options`",
                     key->name);
    } else if (key->algorithm == CONF_HMAC_MD5 || key->algorithm == CONF_HMAC_SHA1) {
        loader_warning(loader, key->where, "key `%s` uses %s, which is weak; use hmac-sha256",
                       key->name, conf_algorithm_name(key->algorithm));
    }
}

static void check_range(struct loader *loader, enum conf_id min, enum conf_id max)
{
    const struct conf *conf = loader->conf;
    for (uint32_t i = 0; i <= conf->zone_count; i++) {
        const struct conf_zone *zone = i == 0 ? NULL : &conf->zones[i - 1];
        const struct conf_setting *low = conf_find(conf, zone, min);
        const struct conf_setting *high = conf_find(conf, zone, max);
        bool own = zone == NULL || low != conf->options[min] || high != conf->options[max];
        if (own && low->number > high->number) {
            loader_error(loader, low->where.file != NULL ? low->where : high->where,
                         "`%s` (%lld) is above `%s` (%lld)", conf_id_name(min),
                         (long long)low->number, conf_id_name(max), (long long)high->number);
        }
    }
}

void loader_check(struct loader *loader)
{
    const struct conf *conf = loader->conf;
    check_names_once(loader);
    check_files_once(loader);
    check_open_transfer(loader, conf->options[CONF_ALLOW_TRANSFER]);
    check_format(loader, conf->options[CONF_MASTERFILE_FORMAT]);
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        check_zone(loader, &conf->zones[i]);
    }
    for (uint32_t i = 0; i < conf->key_count; i++) {
        check_key(loader, conf->keys[i]);
    }
    check_range(loader, CONF_MIN_REFRESH_TIME, CONF_MAX_REFRESH_TIME);
    check_range(loader, CONF_MIN_RETRY_TIME, CONF_MAX_RETRY_TIME);
}
