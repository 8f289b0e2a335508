/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that changes a zone comes through zones_commit() and goes to the ledger; everything
 * that follows a change starts in published(), which the ledger calls when a version is served:
 * NOTIFY, the readable copy of a secondary, the log. Nothing else publishes.
 *
 * A primary's change is on disk before it is seen; a secondary's is seen first, and so is the first
 * version of a zone, which nobody has seen and the file still holds.
 */
#include "zones/zone_history.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "store/store.h"
#include "zones/write_back.h"
#include "zones/zone_copy.h"
#include "zones/zone_follower.h"
#include "zones/zone_guard.h"
#include "zones/zone_mend.h"
#include "zones/zones.h"

enum { TIMERS_SIZE = 17, FILE_SIZE = 38, META_FORMAT = 1, FILE_FORMAT = 2 };

/* ---- commits ---- */

static enum store_source source_of(enum zone_source source)
{
    return source == SOURCE_TRANSFER ? STORE_FROM_TRANSFER : STORE_FROM_FILE;
}

enum result zones_commit(struct server_zone *zone, struct zone_version *version,
                         struct delta **deltas, size_t count, enum zone_source source,
                         struct error *err)
{
    struct zone_version *head = ledger_zone_head(zone->history);
    struct ledger_change change = {
        .version = version,
        .deltas = deltas,
        .delta_count = count,
        .source = source_of(source),
        .order =
            source == SOURCE_FILE && head != NULL ? LEDGER_PERSIST_FIRST : LEDGER_PUBLISH_FIRST,
        /* A secondary holds what its primary has. */
        .adopts =
            source == SOURCE_TRANSFER || source == SOURCE_FILE_AGAIN || source == SOURCE_COPY_AGAIN,
    };
    zone_version_unref(head);
    enum result result = ledger_commit(zone->history, &change, NULL, NULL, err);
    for (size_t i = 0; i < count; i++) {
        delta_free(deltas[i]);
    }
    memory_free(deltas);
    return result;
}

/* ---- what the ledger tells ---- */

static void note_commit(struct server_zone *zone, enum store_source source, int64_t time_s)
{
    atomic_store_explicit(&zone->source, (uint8_t)source, memory_order_relaxed);
    atomic_store_explicit(&zone->committed_at_s, time_s, memory_order_relaxed);
}

static void published(const struct ledger_event *event)
{
    struct server_zone *zone = ledger_zone_context(event->zone);
    bool is_restored = event->source == 0;
    if (!is_restored) {
        note_commit(zone, event->source, clock_wall_s());
    }
    if (event->source == STORE_FROM_TRANSFER) {
        zone_copy_write(zone);
    } else if (event->source == STORE_FROM_UPDATE) {
        char phrase[1200];
        snprintf(phrase, sizeof(phrase), "zone %s: updated to serial %u", zone->label,
                 event->to.value);
        LOG_EVENT(zone->server->logging, LOG_INFO, LOG_UPDATE, "zone_updated", phrase,
                  LOG_NUM("from", event->from.value), LOG_NUM("updates", event->commit_count));
    } else {
        char phrase[1200];
        snprintf(phrase, sizeof(phrase), "zone %s: loaded serial %u", zone->label, event->to.value);
        LOG_EVENT(zone->server->logging, LOG_INFO, LOG_GENERAL, "zone_loaded", phrase,
                  LOG_NUM("records", zone_version_record_count(event->version)),
                  LOG_KEY("from", is_restored ? "store" : store_source_name(event->source)));
    }
    zone->server->follower->published(zone->server->sync, zone, event->to, event->is_first);
    write_back_note(zone);
}

static void watch(void *context, const struct ledger_event *event)
{
    struct server *server = context;
    const struct server_zone *zone = event->zone == NULL ? NULL : ledger_zone_context(event->zone);
    const char *why = event->err == NULL ? "" : event->err->text;
    char phrase[1800], name[NAME_TEXT_SIZE];
    switch (event->kind) {
    case LEDGER_PUBLISHED:
        published(event);
        return;
    case LEDGER_NOT_SAVED:
        snprintf(phrase, sizeof(phrase), "zone %s: serial %u is served but not on disk: %s",
                 zone->label, event->to.value, why);
        LOG_EVENT_LIMITED(server->logging, LOG_ERROR, LOG_GENERAL, "not_saved", phrase,
                          LOG_KEY("action", "trying again"));
        return;
    case LEDGER_SAVED:
        snprintf(phrase, sizeof(phrase), "zone %s: serial %u is on disk now", zone->label,
                 event->to.value);
        LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "saved", phrase,
                  LOG_NUM("serial", event->to.value));
        return;
    case LEDGER_STORE_FAILS:
        snprintf(phrase, sizeof(phrase), "the store cannot be written: %s", why);
        LOG_EVENT_LIMITED(server->logging, LOG_ERROR, LOG_GENERAL, "store_fails", phrase,
                          LOG_KEY("action", "zones are served; what cannot be kept is refused"));
        return;
    case LEDGER_STORE_WORKS:
        LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "store_works",
                  "the store is written again", LOG_KEY("action", "all changes are taken"));
        return;
    case LEDGER_FORGOTTEN:
        snprintf(phrase, sizeof(phrase), "zone %s: not configured: its history is forgotten",
                 name_format_log(event->name, name));
        LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "zone_forgotten", phrase,
                  LOG_NUM("class", event->class));
        return;
    }
}

static void report_store(void *context, const uint8_t *zone, const char *text)
{
    struct server *server = context;
    char name[NAME_TEXT_SIZE], phrase[1800];
    snprintf(phrase, sizeof(phrase), "store: %s%s%s",
             zone == NULL ? "" : name_format_log(zone, name), zone == NULL ? "" : ": ", text);
    LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_GENERAL, "store_report", phrase,
                      LOG_KEY("directory", server->store_directory));
}

enum result zone_history_open(struct server *server, const struct settings *settings,
                              struct error *err)
{
    struct ledger_options options = {0};
    server->store_directory = memory_strdup(settings->store_directory);
    struct store_options where = {.directory = server->store_directory};
    struct error failure = {0};
    if (store_open(&where, report_store, server, &server->store, &failure) != OK) {
        if (conf_is_set(settings->conf, NULL, CONF_STORE_DIRECTORY)) {
            return error_set(err, failure.code, "cannot open the store in %s: %s",
                             settings->store_directory, failure.text);
        }
        char phrase[1400];
        snprintf(phrase, sizeof(phrase), "cannot open the store in %s: %s",
                 settings->store_directory, failure.text);
        LOG_EVENT(server->logging, LOG_WARNING, LOG_GENERAL, "store_missing", phrase,
                  LOG_KEY("action", "history is kept in memory only; set store-directory"));
    }
    options.store = server->store;
    server->guards = zone_guards_new(server);
    options.guard = zone_guard_judge;
    options.guard_context = server->guards;
    server->ledger = ledger_new(&options);
    ledger_watch(server->ledger, watch, server);
    return OK;
}

void zone_history_close(struct server *server)
{
    ledger_stop(server->ledger);
    rcu_drain(); /* what was under way held zones, which let go of the ledger after their readers */
    ledger_free(server->ledger);
    zone_guards_free(server->guards);
    store_close(server->store);
    memory_free(server->store_directory);
}

bool zone_history_restore(struct server_zone *zone, bool is_secondary)
{
    struct ledger_restored restored = {0};
    struct error err = {0};
    enum result result = ledger_restore(zone->history, is_secondary, &restored, &err);
    if (result != OK && result != ERR_NOT_FOUND) {
        char phrase[1800];
        snprintf(phrase, sizeof(phrase), "zone %s: stored history is damaged: %s", zone->label,
                 err.text);
        LOG_EVENT(zone->server->logging, LOG_ERROR, LOG_GENERAL, "history_damaged", phrase,
                  LOG_NUM("last_serial", restored.last_serial.value),
                  LOG_KEY("action", is_secondary ? "the copy or a transfer replaces it"
                                                 : "the zone file is read anew"));
    }
    if (result == ERR_CORRUPT && !restored.is_published) {
        zone_mend_note(zone, &restored);
    }
    if (restored.is_published) {
        note_commit(zone, restored.source, restored.time_s);
    }
    return restored.is_published;
}

/* ---- small values ---- */

static void put_u64(uint8_t *p, uint64_t value)
{
    put_u32(p, (uint32_t)(value >> 32));
    put_u32(p + 4, (uint32_t)value);
}

static uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static bool read_meta(struct server_zone *zone, uint32_t number, uint8_t *out, size_t wanted)
{
    size_t size = 0;
    return ledger_get_meta(zone->history, number, out, wanted, &size, NULL) == OK &&
           size == wanted && out[0] == META_FORMAT;
}

void zone_history_put_timers(struct server_zone *zone, const struct zone_timers *timers)
{
    uint8_t bytes[TIMERS_SIZE] = {META_FORMAT};
    put_u64(bytes + 1, (uint64_t)timers->contact_s);
    put_u64(bytes + 9, (uint64_t)timers->expires_s);
    ledger_put_meta(zone->history, LEDGER_META_TIMERS, slice_of(bytes, sizeof(bytes)), NULL, NULL);
}

bool zone_history_get_timers(struct server_zone *zone, struct zone_timers *out)
{
    uint8_t bytes[TIMERS_SIZE];
    if (!read_meta(zone, LEDGER_META_TIMERS, bytes, sizeof(bytes))) {
        return false;
    }
    out->contact_s = (int64_t)get_u64(bytes + 1);
    out->expires_s = (int64_t)get_u64(bytes + 9);
    return true;
}

void zone_history_end_timers(struct server_zone *zone)
{
    struct zone_timers timers;
    if (zone_history_get_timers(zone, &timers) && timers.expires_s != 0) {
        zone_history_put_timers(zone, &(struct zone_timers){0});
    }
}

/* The same from one start to the next. */
uint64_t file_path_hash(const char *path)
{
    uint64_t hash = hash_bytes(0, path, strlen(path));
    return hash == 0 ? 1 : hash;
}

/* Behind the mark stands the path, as far as there is room. */
void zone_history_put_file(struct server_zone *zone, const struct file_mark *mark, const char *path)
{
    uint8_t bytes[STORE_META_MAX] = {FILE_FORMAT};
    size_t size = strlen(path);
    put_u64(bytes + 1, (uint64_t)mark->modified_ns);
    put_u64(bytes + 9, mark->size);
    put_u64(bytes + 17, mark->inode);
    put_u32(bytes + 25, mark->serial);
    put_u32(bytes + 29, mark->served);
    put_u32(bytes + 33, mark->pure);
    bytes[37] = mark->is_merged;
    size = size < sizeof(bytes) - FILE_SIZE ? size : 0;
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the size is kept */
    memcpy(bytes + FILE_SIZE, path, size);
    ledger_put_meta(zone->history, LEDGER_META_FILE, slice_of(bytes, FILE_SIZE + size), NULL, NULL);
}

/* Room for STORE_META_MAX and a final zero. Format 1 had no path. */
static bool read_file_meta(struct server_zone *zone, uint8_t *bytes)
{
    size_t size = 0;
    if (ledger_get_meta(zone->history, LEDGER_META_FILE, bytes, STORE_META_MAX, &size, NULL) !=
            OK ||
        size < FILE_SIZE || (bytes[0] != FILE_FORMAT && bytes[0] != META_FORMAT) ||
        (bytes[0] == META_FORMAT && size != FILE_SIZE)) {
        return false;
    }
    bytes[size] = '\0';
    return true;
}

char *zone_history_get_path(struct server_zone *zone)
{
    uint8_t bytes[STORE_META_MAX + 1];
    bool has_path = read_file_meta(zone, bytes) && bytes[FILE_SIZE] != '\0';
    return has_path ? memory_strdup((const char *)bytes + FILE_SIZE) : NULL;
}

void zone_history_get_file(struct server_zone *zone, struct file_mark *out)
{
    uint8_t bytes[STORE_META_MAX + 1];
    *out = (struct file_mark){0};
    if (read_file_meta(zone, bytes)) {
        const char *path = (const char *)bytes + FILE_SIZE;
        *out = (struct file_mark){.modified_ns = (int64_t)get_u64(bytes + 1),
                                  .size = get_u64(bytes + 9),
                                  .inode = get_u64(bytes + 17),
                                  .serial = get_u32(bytes + 25),
                                  .served = get_u32(bytes + 29),
                                  .pure = get_u32(bytes + 33),
                                  .is_merged = bytes[37] != 0,
                                  .path = path[0] == '\0' ? 0 : file_path_hash(path),
                                  .known = true,
                                  .serial_known = true,
                                  .served_known = true};
    }
}
