/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File edits and updates live together: no freeze, no thaw, and the author's file is not touched.
 *
 * The difference between what the file said when it was last read and what it says now is the
 * author's edit, and it is made under the zone's edit lock, so that no update slips in between.
 * Where nothing else has changed the zone, that is the same as taking the file, and what it said is
 * in the zone's history under the serial that was served for it. Once the two differ, what the
 * file said is kept beside, as a version that shares all but the difference with those served.
 * After a restart it is read again; where the file was changed while the server was down, it is
 * made from the history: the edits of the file and none of the updates.
 *
 * When the history no longer reaches back, nobody can tell edits from updates. A file whose serial
 * is ahead is taken as it is then, since that is what its author asks for, with a warning; another
 * one is refused.
 */
#include "zones/zone_merge.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "edit/merge.h"
#include "hub/server.h"
#include "wire/rrtype.h"
#include "zones/zones.h"

enum { CONFLICTS_TOLD = 100, BASE_TRIES = 50, BASE_PAUSE_NS = 2000000, ENTRIES_MAX = 1 << 14 };

/* ---- what the file said before ---- */

/* NULL: not in the history. While updates come in, the history may have to be asked again. */
static struct zone_version *version_at(struct server_zone *zone, uint32_t serial)
{
    struct zone_version *version = NULL;
    struct error err = {0};
    enum result result = ERR_BUSY;
    for (unsigned i = 0; i < BASE_TRIES && result == ERR_BUSY; i++) {
        result = ledger_version_at(zone->history, (struct serial){serial}, &version, &err);
        if (result == ERR_BUSY) {
            nanosleep(&(struct timespec){.tv_nsec = BASE_PAUSE_NS}, NULL);
        }
    }
    return result == OK ? version : NULL;
}

/* One edit of the file, as the history has it, on top of what the file said before it. Takes
 * `said`. */
static struct zone_version *replay_edit(struct server_zone *zone, const struct store_entry *entry,
                                        struct zone_version *said)
{
    struct zone_version *before = version_at(zone, entry->from.value);
    struct zone_version *after = version_at(zone, entry->to.value);
    struct zone_version *next = NULL;
    struct merge_options options = {0};
    struct delta *delta = NULL;
    struct error err = {0};
    if (before != NULL && after != NULL &&
        merge_file(before, after, said, &options, &delta, &err) == OK && delta != NULL &&
        delta_apply(said, delta, NULL, &next, &err) == OK) {
        zone_version_unref(said);
        said = next;
    }
    delta_free(delta);
    zone_version_unref(before);
    zone_version_unref(after);
    return said;
}

/* From the last version that was a file alone: the edits since, and none of the updates. Takes
 * `said`. */
static struct zone_version *replay_edits(struct server_zone *zone, struct zone_version *said)
{
    struct store_entry *entries = memory_new(ENTRIES_MAX * sizeof(*entries));
    size_t count = ledger_entries(zone->history, entries, ENTRIES_MAX);
    struct serial pure = {zone->file.pure}, served = {zone->file.served};
    for (size_t i = 0; i < count; i++) {
        const struct store_entry *entry = &entries[i];
        if (entry->source == STORE_FROM_FILE && !serial_before(entry->from, pure) &&
            serial_before(entry->from, entry->to) && !serial_before(served, entry->to)) {
            said = replay_edit(zone, entry, said);
        }
    }
    memory_free(entries);
    return said;
}

struct zone_version *zone_merge_base(struct server_zone *zone, struct zone_version *head)
{
    const struct file_mark *mark = &zone->file;
    if (!mark->served_known) {
        /* Read, and the note of it lost: what is there came from the file all the same. */
        bool from_file = atomic_load(&zone->source) == STORE_FROM_FILE;
        return from_file ? zone_version_ref(head) : NULL;
    }
    if (zone->file_version != NULL) {
        return zone_version_ref(zone->file_version);
    }
    bool is_head = serial_equal(zone_version_serial(head), (struct serial){mark->pure});
    struct zone_version *said = is_head ? zone_version_ref(head) : version_at(zone, mark->pure);
    return said != NULL && mark->is_merged ? replay_edits(zone, said) : said;
}

/* ---- the merge ---- */

struct merging {
    struct server_zone *zone;
    const struct zone_settings *settings;
    const struct zone_version *base, *file;
    const struct file_mark *last;
    struct serial from, to;
    bool changed;
    bool is_pure; /* nothing but the file has made what comes out */
    unsigned conflicts;
};

static void report_conflict(void *context, const struct merge_conflict *conflict)
{
    struct merging *merging = context;
    if (merging->conflicts++ >= CONFLICTS_TOLD) {
        return;
    }
    char name[NAME_TEXT_SIZE], type[16], phrase[2400];
    snprintf(phrase, sizeof(phrase),
             "zone %s: zone file and update both changed %s %s: the file wins: %s",
             merging->zone->label, name_format_log(conflict->owner, name),
             rrtype_format(conflict->type, type), conflict->what);
    LOG_EVENT(merging->zone->server->logging, LOG_WARNING, LOG_ZONELOAD, "merge_conflict", phrase,
              LOG_KEY("file", server_zone_file(merging->zone, merging->settings)));
}

static enum result refuse_serial(const struct merging *merging, struct serial file,
                                 struct serial head, struct error *err)
{
    char name[NAME_TEXT_SIZE];
    return error_set(err, ERR_STALE,
                     "serial %u does not come after %u, which is being served, and secondaries "
                     "would not take it: "
                     "raise it above %u, or go back by `lockstep adopt-serial %s %u` and reload",
                     file.value, head.value, head.value,
                     name_format_log(merging->zone->zone->name, name), file.value - 1);
}

/* `serial-check strict`: an author who forgot the serial is told, nothing is guessed. */
static enum result refuse_unchanged(struct serial file, struct error *err)
{
    return error_set(err, ERR_STALE,
                     "the zone file changed but its serial %u did not, and serial-check is "
                     "strict: raise the serial in the file",
                     file.value);
}

/* Under the zone's edit lock. */
static enum result make(void *context, struct zone_version *head, struct delta **out,
                        struct error *err)
{
    struct merging *merging = context;
    struct serial present = zone_version_serial(head);
    struct serial file = zone_version_serial(merging->file);
    struct serial before =
        merging->last->serial_known ? (struct serial){merging->last->serial} : present;
    if (serial_before(file, before) && !serial_before(present, file) &&
        !serial_equal(present, file)) { /* equal: the operator has adopted it */
        return refuse_serial(merging, file, present, err);
    }
    struct merge_options options = {
        .method = merging->settings->serial_method,
        .now_s = clock_wall_s(),
        .report = report_conflict,
        .report_context = merging,
    };
    enum result result = merge_file(merging->base, merging->file, head, &options, out, err);
    merging->from = merging->to = present;
    merging->is_pure =
        !merging->last->is_merged && serial_equal(present, zone_version_serial(merging->base));
    if (result == OK && *out != NULL && merging->settings->serial_strict &&
        serial_equal(file, before)) {
        delta_free(*out);
        *out = NULL;
        return refuse_unchanged(file, err);
    }
    if (result == OK && *out != NULL) {
        merging->to = delta_to(*out);
        merging->changed = true;
    }
    return result;
}

static void log_serial(const struct merging *merging)
{
    struct serial file = zone_version_serial(merging->file);
    char phrase[1400];
    if (!merging->changed || serial_equal(merging->to, file)) {
        return;
    }
    if (!merging->last->serial_known || merging->last->serial == file.value) {
        snprintf(phrase, sizeof(phrase),
                 "zone %s: zone file changed but its serial %u did not: serving it as %u",
                 merging->zone->label, file.value, merging->to.value);
    } else {
        snprintf(phrase, sizeof(phrase),
                 "zone %s: serial %u of the zone file is not ahead of %u, where updates have led: "
                 "serving it as %u",
                 merging->zone->label, file.value, merging->from.value, merging->to.value);
    }
    LOG_EVENT(merging->zone->server->logging, LOG_WARNING, LOG_ZONELOAD, "serial_advanced", phrase,
              LOG_NUM("from", merging->from.value),
              LOG_KEY("advice", "raise the serial in the file with each change"));
}

/* The ledger's writer: a file whose change did not reach the disk counts as not read. */
static void committed(void *context, enum result result, const struct error *err)
{
    struct server_zone *zone = context;
    if (result != OK) {
        char phrase[1800];
        atomic_store(&zone->file_lost, true);
        snprintf(phrase, sizeof(phrase), "zone %s: the change of the zone file is not served: %s",
                 zone->label, err->text);
        LOG_EVENT(zone->server->logging, LOG_ERROR, LOG_ZONELOAD, "file_not_saved", phrase,
                  LOG_KEY("action", "reading it again at the next reload"));
    }
    server_zone_unref(zone);
}

static enum result merge(struct merging *merging, struct file_mark *mark, struct error *err)
{
    struct server_zone *zone = merging->zone;
    struct ledger_edit_options options = {.source = STORE_FROM_FILE};
    enum result result =
        ledger_edit(zone->history, make, merging, &options, committed, server_zone_ref(zone), err);
    if (result != OK) {
        server_zone_unref(zone);
        return result;
    }
    log_serial(merging);
    mark->served = merging->to.value;
    mark->is_merged = !merging->is_pure;
    mark->pure = merging->is_pure              ? mark->served
                 : merging->last->served_known ? merging->last->pure
                                               : zone_version_serial(merging->base).value;
    return OK;
}

/* ---- without a base ---- */

static enum result take_whole(struct server_zone *zone, struct zone_version *file,
                              const struct file_mark *last, struct file_mark *mark,
                              struct error *err)
{
    struct zone_version *head = ledger_zone_head(zone->history);
    struct serial present = zone_version_serial(head);
    struct serial serial = zone_version_serial(file);
    struct delta *delta = delta_diff(head, file);
    /* Both SOAs are always part of it. */
    bool is_same = serial_equal(present, serial) && delta_count(delta) <= 2;
    enum result result = OK;
    mark->served = mark->pure = serial.value;
    mark->is_merged = false;
    if (!is_same && !serial_before(present, serial)) {
        result =
            error_set(err, ERR_STALE,
                      "serial %u is not ahead of %u, which is being served, and the history no "
                      "longer tells what changed in the file: raise it above %u to have the "
                      "file as it is; what was updated since is lost then",
                      serial.value, present.value, present.value);
    } else if (!is_same) {
        char phrase[1400];
        struct delta **deltas = memory_new(sizeof(delta));
        snprintf(
            phrase, sizeof(phrase),
            "zone %s: the zone file is taken as it is; what was changed otherwise since serial "
            "%u is lost",
            zone->label, last->served_known ? last->served : present.value);
        LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_ZONELOAD, "file_taken_whole", phrase,
                  LOG_NUM("removed", delta_removed_count(delta) - 1),
                  LOG_NUM("added", delta_count(delta) - delta_removed_count(delta) - 1));
        deltas[0] = delta;
        delta = NULL;
        result = zones_commit(zone, zone_version_ref(file), deltas, 1, SOURCE_FILE, err);
    }
    delta_free(delta);
    zone_version_unref(head);
    return result;
}

/* Another file than the history is of, and it says something else. The store may have been another
 * server's, or the file another zone's of the same name. */
static bool is_foreign(struct server_zone *zone, const struct zone_settings *settings,
                       const struct zone_version *base, const struct zone_version *file,
                       const struct file_mark *last)
{
    if (last->path == 0 || last->path == file_path_hash(server_zone_file(zone, settings))) {
        return false;
    }
    struct delta *delta = delta_diff(base, file);
    bool is_foreign = delta_count(delta) > 2; /* both SOAs are always part of it */
    delta_free(delta);
    return is_foreign;
}

static enum result take_foreign(struct server_zone *zone, const struct zone_settings *settings,
                                struct zone_version *file, const struct file_mark *last,
                                struct file_mark *mark, struct error *err)
{
    char *path = zone_history_get_path(zone);
    char phrase[1800];
    struct error why = {0};
    enum result result = take_whole(zone, file, last, mark, &why);
    if (result == OK) {
        snprintf(phrase, sizeof(phrase), "zone %s: its history was that of the zone file %s",
                 zone->label, path == NULL ? "of another path" : path);
        LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_ZONELOAD, "file_is_another", phrase,
                  LOG_KEY("file", server_zone_file(zone, settings)));
    } else if (result == ERR_STALE) {
        result = error_set(err, ERR_STALE,
                           "the store has this zone from another file, %s, with serial %u: raise "
                           "the serial above it to have this file as it is, or, where it is "
                           "another server's store, set store-directory",
                           path == NULL ? "of another path" : path, last->served);
    } else {
        *err = why;
    }
    memory_free(path);
    return result;
}

enum result zone_merge_commit(struct server_zone *zone, const struct zone_settings *settings,
                              struct zone_version *base, struct zone_version *file,
                              const struct file_mark *last, struct file_mark *mark,
                              struct error *err)
{
    if (base == NULL) {
        return take_whole(zone, file, last, mark, err);
    }
    if (is_foreign(zone, settings, base, file, last)) {
        return take_foreign(zone, settings, file, last, mark, err);
    }
    struct merging merging = {
        .zone = zone, .settings = settings, .base = base, .file = file, .last = last};
    return merge(&merging, mark, err);
}
