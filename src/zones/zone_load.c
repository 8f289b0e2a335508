/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From zone files to versions, in the loader threads.
 *
 * A file is read again only when its time, size or inode changed, or those of a file it includes.
 * The new version shares with the present one what is equal, and what differs is the delta that goes
 * through the ledger. An operator who changed the file and not the serial (the most common mistake with zone files) gets
 * the serial advanced and a warning; a serial that went back is refused, since secondaries would
 * keep the old zone without a word. A file with errors leaves the present version serving.
 */
#include "zones/zone_load.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "net/loop.h"
#include "zone/check.h"
#include "zones/file_watch.h"
#include "zones/write_back.h"
#include "zones/zone_file.h"
#include "zones/zone_follower.h"
#include "zones/zone_guard.h"
#include "zones/zone_mend.h"
#include "zones/zone_merge.h"
#include "zones/zones.h"

struct load_round {
    _Atomic uint32_t holds;
    struct loop *main_loop;
    void (*done)(void *context);
    void *context;
};

struct load_round *load_round_new(struct loop *main_loop, void (*done)(void *context),
                                  void *context)
{
    struct load_round *round = memory_new(sizeof(*round));
    *round = (struct load_round){.main_loop = main_loop, .done = done, .context = context};
    atomic_init(&round->holds, 1);
    return round;
}

void load_round_release(struct load_round *round)
{
    if (round != NULL && atomic_fetch_sub(&round->holds, 1) == 1) {
        if (round->done != NULL && !loop_post(round->main_loop, round->done, round->context)) {
            /* the server is ending: nobody waits for it any more */
        }
        memory_free(round);
    }
}

/* ---- what there is to say ---- */

struct reporter {
    struct server_zone *zone;
    unsigned told;
};

enum { FINDINGS_TOLD = 100 };

static void report_finding(void *context, const struct finding *finding)
{
    static const enum log_level levels[] = {LOG_INFO, LOG_WARNING, LOG_ERROR};
    struct reporter *reporter = context;
    if (finding->severity == FINDING_INFO || reporter->told++ >= FINDINGS_TOLD) {
        return;
    }
    char phrase[1600];
    if (finding->file != NULL && finding->column != 0) {
        snprintf(phrase, sizeof(phrase), "zone %s: %s:%u:%u: %s", reporter->zone->label,
                 finding->file, finding->line, finding->column, finding->text);
    } else if (finding->file != NULL && finding->line != 0) {
        snprintf(phrase, sizeof(phrase), "zone %s: %s:%u: %s", reporter->zone->label, finding->file,
                 finding->line, finding->text);
    } else {
        snprintf(phrase, sizeof(phrase), "zone %s: %s", reporter->zone->label, finding->text);
    }
    LOG_EVENT(reporter->zone->server->logging, levels[finding->severity], LOG_ZONELOAD,
              "zone_finding", phrase, LOG_KEY("code", finding_code_name(finding->code)));
}

static void log_refused(struct server_zone *zone, const struct zone_version *present,
                        const char *path, const struct error *err)
{
    char phrase[1600], text[1024], action[80];
    if (present != NULL) {
        snprintf(action, sizeof(action), "keeping serial %u", zone_version_serial(present).value);
    } else {
        snprintf(action, sizeof(action), "not serving the zone until it is mended");
    }
    snprintf(phrase, sizeof(phrase), "zone %s: loading from master file %s failed: %s", zone->label,
             path, error_format(err, text, sizeof(text)));
    LOG_EVENT(zone->server->logging, LOG_ERROR, LOG_ZONELOAD, "zone_refused", phrase,
              LOG_KEY("action", action));
    server_zone_set_load_error(zone, text);
}

/* ---- a primary's file ---- */

enum { FILE_QUIET_S = 2 }; /* written since then: somebody may be at it */

/* Reads the file as it is; shares with `base` (may be NULL) what is equal. */
static enum result read_file(struct server_zone *zone, const struct zone_settings *settings,
                             struct zone_version *base, struct zone_version **version,
                             struct stat *st, struct error *err)
{
    included_files_clear(&zone->included);
    struct zone_load_options options = {
        .path = server_zone_file(zone, settings),
        .directory = settings->settings->directory,
        .name = zone->zone->name,
        .class = zone->zone->class,
        .check = settings->check,
        .max_records = settings->max_records,
        .max_records_per_type = settings->max_records_per_type,
        .max_types_per_name = settings->max_types_per_name,
        .on_include = included_files_note,
        .include_context = &zone->included,
        .out_stat = st,
        .quiet_before_s = clock_wall_s() - FILE_QUIET_S,
    };
    struct reporter reporter = {.zone = zone};
    return zone_load_file(&options, base, version, NULL, report_finding, &reporter, err);
}

static void keep_version(struct server_zone *zone, struct zone_version *version)
{
    zone_version_unref(zone->file_version);
    zone->file_version = version;
}

static enum result commit_file(struct server_zone *zone, const struct zone_settings *settings,
                               struct zone_version *present, struct zone_version *base,
                               struct zone_version *version, struct file_mark *mark,
                               struct error *err)
{
    if (present == NULL && zone->lost != NULL) {
        return zone_mend_commit(zone, settings, version, mark, err);
    }
    return present == NULL
               ? zones_commit(zone, zone_version_ref(version), NULL, 0, SOURCE_FILE, err)
               : zone_merge_commit(zone, settings, base, version, &zone->file, mark, err);
}

/* Why it is held may be known better after the checker has looked. */
static void tell_held(struct server_zone *zone, struct error *err)
{
    struct held_report held;
    if (zone_guard_report(zone, &held)) {
        *err = (struct error){0};
        error_set(err, ERR_DENIED, "serial %u is held: %s", held.serial.value, held.text);
    }
}

/* What is in the file becomes what is served; `mark` is filled in. */
static enum result take_file(struct server_zone *zone, const struct zone_settings *settings,
                             struct zone_version *present, struct file_mark *mark,
                             struct error *err)
{
    struct zone_version *base = present == NULL ? NULL : zone_merge_base(zone, present);
    struct zone_version *version = NULL;
    struct stat st;
    enum result result =
        read_file(zone, settings, base != NULL ? base : present, &version, &st, err);
    if (result == OK) {
        *mark = file_mark_of(&st);
        mark->serial = mark->served = mark->pure = zone_version_serial(version).value;
        mark->known = mark->serial_known = mark->served_known = true;
        mark->path = file_path_hash(server_zone_file(zone, settings));
        result = commit_file(zone, settings, present, base, version, mark, err);
    }
    struct error denied = {0};
    if (result == ERR_DENIED && zone_guard_check(zone, &denied) == OK) {
        *err = (struct error){0};
        result = commit_file(zone, settings, present, base, version, mark, err);
    } else if (result == ERR_DENIED) {
        tell_held(zone, err);
    }
    if (result == OK) {
        keep_version(zone, mark->is_merged ? zone_version_ref(version) : NULL);
    }
    zone_version_unref(version);
    zone_version_unref(base);
    return result;
}

/* After a restart, of a zone that had other changes than the file's: what the file says, so that
 * its next edit is known from them. Its findings were told when it was taken. */
static void remember_file(struct server_zone *zone, const struct zone_settings *settings,
                          struct zone_version *present)
{
    struct zone_version *version = NULL;
    if (zone->file.is_merged && zone->file_version == NULL &&
        read_file(zone, settings, present, &version, NULL, &(struct error){0}) == OK) {
        keep_version(zone, version);
    }
}

static void log_change(struct server_zone *zone, const char *path)
{
    char phrase[1400];
    if (atomic_exchange(&zone->watch_told, false)) {
        snprintf(phrase, sizeof(phrase), "zone %s: zone file changed: reading it", zone->label);
        LOG_EVENT(zone->server->logging, LOG_INFO, LOG_GENERAL, "file_changed", phrase,
                  LOG_KEY("file", path));
    }
}

static void put_file(struct server_zone *zone, const char *path)
{
    struct file_mark mark = zone->file;
    if (zone->included.count != 0) { /* of several files the store knows none: read at a restart */
        mark.size = mark.inode = 0;
        mark.modified_ns = 0;
    }
    zone_history_put_file(zone, &mark, path);
}

/* The very file, under another name perhaps. */
static void keep_file(struct server_zone *zone, const struct zone_settings *settings,
                      struct zone_version *present)
{
    remember_file(zone, settings, present);
    if (zone->file.path != file_path_hash(server_zone_file(zone, settings))) {
        zone->file.path = file_path_hash(server_zone_file(zone, settings));
        put_file(zone, server_zone_file(zone, settings));
    }
}

/* The file where it changed. On success zone->file is what was read. */
static enum result load_file(struct server_zone *zone, const struct zone_settings *settings,
                             struct zone_version *present, struct error *err)
{
    struct stat st;
    bool is_known = zone->file.known && stat(server_zone_file(zone, settings), &st) == 0;
    if (is_known && file_mark_is(&zone->file, &st) && !included_files_changed(&zone->included)) {
        keep_file(zone, settings, present);
        return OK;
    }
    log_change(zone, server_zone_file(zone, settings));
    struct file_mark mark = {0};
    enum result result = take_file(zone, settings, present, &mark, err);
    if (result != OK) {
        zone->file.known = false; /* said again at the next reload */
        if (stat(server_zone_file(zone, settings), &st) != 0) {
            *err = (struct error){0};
            return error_set_os(err, ERR_NOT_FOUND, "file not found");
        }
        return result;
    }
    server_zone_keep_mark(zone);
    zone->file = mark;
    put_file(zone, server_zone_file(zone, settings));
    return OK;
}

/* What is known of the file, in the store and from a change that was lost. */
static void recall_file(struct server_zone *zone)
{
    if (!zone->restored) {
        zone->restored = true;
        if (zone_history_restore(zone, false)) {
            struct zone_version *head = ledger_zone_head(zone->history);
            zone_history_end_timers(zone);
            zone_history_get_file(zone, &zone->file);
            if (zone->file.known &&
                serial_before(zone_version_serial(head), (struct serial){zone->file.served})) {
                zone->file = (struct file_mark){0}; /* what it made did not reach the disk */
            }
            zone_version_unref(head);
        }
    }
    if (atomic_exchange(&zone->file_lost, false)) {
        keep_version(zone, NULL);
        zone->file = zone->file_before == NULL ? (struct file_mark){0} : *zone->file_before;
        zone->file.known = false;
    }
}

/* The zone has been looked for in the store and elsewhere; nothing is served on the other role's account. */
static void end_loan(struct server_zone *zone, bool is_loaded)
{
    if (zone->is_lent && !is_loaded) {
        zone_publish(zone->zone, NULL);
    }
    zone->is_lent = false;
}

static void load_primary(struct server_zone *zone, const struct zone_settings *settings)
{
    recall_file(zone);
    struct zone_version *present = ledger_zone_head(zone->history);
    struct error err = {0};
    enum result result = load_file(zone, settings, present, &err);
    if (result == OK) {
        server_zone_set_load_error(zone, NULL);
        zone_guard_drop(zone, STORE_FROM_FILE); /* the file is what is served again */
        write_back_run(zone, settings);
    } else if (result == ERR_DENIED) { /* the guard has said so in the log */
        server_zone_set_load_error(zone, err.text);
    } else {
        log_refused(zone, present, server_zone_file(zone, settings), &err);
    }
    end_loan(zone, result == OK || present != NULL);
    zone_version_unref(present);
    if (settings->auto_reload) {
        file_watch_loaded(zone);
    }
}

/* ---- a secondary's copy ---- */

/* A copy that was cut, by a power failure where it is not synced, may still read as a zone. Its
 * first line, as master_write_copy() wrote it, has the number of its records. */
static enum result check_whole(const char *path, const struct zone_version *version,
                               struct error *err)
{
    char line[2 * NAME_TEXT_SIZE] = "";
    unsigned long long wanted = 0;
    uint64_t count = zone_version_record_count(version);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        line[0] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    const char *comma = strrchr(line, ',');
    if (line[0] != ';' || comma == NULL || sscanf(comma, ", %llu records", &wanted) != 1 ||
        wanted == count) {
        return OK;
    }
    return error_set(err, ERR_CORRUPT,
                     "the copy has %llu records, its first line says %llu: it was cut; "
                     "transferring the zone anew",
                     (unsigned long long)count, wanted);
}

/* The readable copy in `file`, where the store has nothing: its time is that of the last contact. */
static bool read_copy(struct server_zone *zone, const struct zone_settings *settings,
                      struct zone_timers *timers)
{
    struct stat st;
    if (server_zone_file(zone, settings) == NULL ||
        stat(server_zone_file(zone, settings), &st) != 0) {
        return false;
    }
    struct zone_load_options options = {
        .path = server_zone_file(zone, settings),
        .name = zone->zone->name,
        .class = zone->zone->class,
        .check = settings->check,
        .max_records = settings->max_records,
    };
    struct reporter reporter = {.zone = zone};
    struct zone_version *version;
    struct error err = {0};
    if (zone_load_file(&options, NULL, &version, NULL, report_finding, &reporter, &err) != OK) {
        log_refused(zone, NULL, server_zone_file(zone, settings), &err);
        return false;
    }
    if (check_whole(server_zone_file(zone, settings), version, &err) != OK) {
        zone_version_unref(version);
        log_refused(zone, NULL, server_zone_file(zone, settings), &err);
        return false;
    }
    timers->contact_s = (int64_t)st.st_mtim.tv_sec;
    timers->expires_s = timers->contact_s + zone_version_soa(version).expire_s;
    enum zone_source source = zone_mend_is_last(zone, version) ? SOURCE_COPY_AGAIN : SOURCE_COPY;
    enum result result = zones_commit(zone, zone_version_ref(version), NULL, 0, source, &err);
    if (result == ERR_DENIED && zone_guard_check(zone, &(struct error){0}) == OK) {
        err = (struct error){0};
        result = zones_commit(zone, zone_version_ref(version), NULL, 0, source, &err);
    }
    zone_version_unref(version);
    if (result != OK) {
        zone_guard_drop(zone, STORE_FROM_FILE); /* the primary has a better one */
        log_refused(zone, NULL, server_zone_file(zone, settings), &err);
    }
    return result == OK;
}

/* The version in the store, and its timers. What we held as primary until now was the truth until now:
 * it is as good as a copy that a primary has just confirmed, and durably no better. */
static bool restore_copy(struct server_zone *zone, struct zone_timers *timers)
{
    if (!zone_history_restore(zone, true)) {
        return false;
    }
    bool is_known = zone_history_get_timers(zone, timers);
    if (is_known && timers->expires_s != 0) {
        return true;
    }
    bool is_copy = !is_known && atomic_load_explicit(&zone->source, memory_order_relaxed) ==
                                    STORE_FROM_TRANSFER; /* whose timers are lost */
    int64_t good_at_s = is_copy ? atomic_load_explicit(&zone->committed_at_s, memory_order_relaxed)
                                : clock_wall_s();
    struct zone_version *version = ledger_zone_head(zone->history);
    timers->contact_s = 0; /* none that is known: the primaries are asked at once */
    timers->expires_s = good_at_s + zone_version_soa(version).expire_s;
    zone_version_unref(version);
    zone_history_put_timers(zone, timers);
    return true;
}

static void load_copy(struct server_zone *zone, const struct zone_settings *settings)
{
    struct zone_timers timers = {0};
    int64_t expires_in_s = 0, refresh_in_s = 0;
    bool is_loaded = restore_copy(zone, &timers) || read_copy(zone, settings, &timers);
    end_loan(zone, is_loaded);
    if (is_loaded) {
        struct zone_version *version = ledger_zone_head(zone->history);
        int64_t now_s = clock_wall_s();
        int64_t age_s = now_s > timers.contact_s ? now_s - timers.contact_s : 0;
        refresh_in_s = (int64_t)zone_version_soa(version).refresh_s - age_s;
        /* A clock that went back must not make the copy live longer than the primary said. */
        expires_in_s = timers.expires_s - (now_s > timers.contact_s ? now_s : timers.contact_s);
        zone_version_unref(version);
    }
    zone->server->follower->configure(zone->server->sync, zone, expires_in_s, refresh_in_s);
    if (is_loaded && zone->lost != NULL) {
        /* Served in spite of the damage; no serial tells whether the records are the primary's. */
        zone->server->follower->retransfer(zone->server->sync, zone);
        zone_mend_forget(zone);
    }
}

/* ---- jobs ---- */

struct load_job {
    struct server_zone *zone; /* a reference */
    struct load_round *round; /* a hold, or NULL */
};

static void job_free(struct load_job *job)
{
    load_round_release(job->round);
    server_zone_unref(job->zone);
    memory_free(job);
}

/* False: somebody is at it, and will do it once more. */
static bool take_zone(struct server_zone *zone)
{
    atomic_store(&zone->load_again, true);
    return !atomic_exchange(&zone->load_busy, true);
}

static void load_zone(struct server_zone *zone)
{
    do {
        atomic_store(&zone->load_again, false);
        struct zone_settings *settings = server_zone_settings(zone);
        if (atomic_load(&zone->gone)) {
            /* nothing to do for a zone that is no longer wanted */
        } else if (settings->role == ROLE_PRIMARY) {
            load_primary(zone, settings);
        } else if (!zone->copy_loaded) {
            zone->copy_loaded = true;
            load_copy(zone, settings);
        }
        settings_unref(settings->settings);
        atomic_store(&zone->load_busy, false);
    } while (atomic_load(&zone->load_again) && !atomic_exchange(&zone->load_busy, true));
}

static void run_load(void *context)
{
    struct load_job *job = context;
    load_zone(job->zone);
    job_free(job);
}

/* At the end a zone file that waits to be written is written all the same. */
static void drop_load(void *context)
{
    struct load_job *job = context;
    if (atomic_load(&job->zone->write_wanted)) {
        run_load(job);
    } else {
        job_free(job);
    }
}

void zone_load_start(struct server_zone *zone, struct load_round *round)
{
    if (!take_zone(zone)) {
        return;
    }
    struct load_job *job = memory_new(sizeof(*job));
    *job = (struct load_job){.zone = server_zone_ref(zone), .round = round};
    if (round != NULL) {
        atomic_fetch_add(&round->holds, 1);
    }
    loader_submit(zone->server->loader, run_load, drop_load, job);
}

/* ---- all zones of a start or reload ---- */

/* One job for each loader thread, not one for each zone: they take zones from a list, a few at a
 * time, and stand in line again, so that other jobs have their turn. */
enum { BATCH_TURN = 64 };

struct load_batch {
    struct load_round *round; /* a hold */
    _Atomic uint32_t holds;   /* jobs */
    _Atomic size_t next;
    size_t count;
    struct server_zone *zones[]; /* references */
};

static void batch_release(struct load_batch *batch)
{
    if (atomic_fetch_sub(&batch->holds, 1) == 1) {
        for (size_t i = atomic_load(&batch->next); i < batch->count; i++) {
            server_zone_unref(batch->zones[i]);
        }
        load_round_release(batch->round);
        memory_free(batch);
    }
}

static void drop_batch(void *context)
{
    batch_release(context);
}

static void run_batch(void *context)
{
    struct load_batch *batch = context;
    size_t at = atomic_fetch_add(&batch->next, BATCH_TURN);
    struct loader *loader = at < batch->count ? batch->zones[at]->server->loader : NULL;
    for (size_t i = at; i < batch->count && i < at + BATCH_TURN; i++) {
        if (take_zone(batch->zones[i])) {
            load_zone(batch->zones[i]);
        }
        server_zone_unref(batch->zones[i]);
    }
    if (at + BATCH_TURN < batch->count) {
        loader_submit(loader, run_batch, drop_batch, batch);
    } else {
        batch_release(batch);
    }
}

void zone_load_all(struct loader *loader, struct server_zone **zones, size_t count,
                   struct load_round *round)
{
    if (count == 0) {
        return;
    }
    size_t jobs = (count + BATCH_TURN - 1) / BATCH_TURN;
    jobs = jobs < loader_thread_count(loader) ? jobs : loader_thread_count(loader);
    struct load_batch *batch = memory_new(sizeof(*batch) + count * sizeof(batch->zones[0]));
    *batch = (struct load_batch){.round = round, .count = count};
    atomic_init(&batch->holds, (uint32_t)jobs);
    for (size_t i = 0; i < count; i++) {
        batch->zones[i] = server_zone_ref(zones[i]);
    }
    atomic_fetch_add(&round->holds, 1);
    for (size_t i = 0; i < jobs; i++) {
        loader_submit(loader, run_batch, drop_batch, batch);
    }
}
