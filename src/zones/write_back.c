/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a published version to its zone file:
 *
 *     any thread   write_back_note: a flag, and a message to the main thread
 *     main thread  a timer of the zone; what comes until it ends is written with it
 *     loader       looks at the file first, as at a reload: what its author did is merged; then the
 *                  text is edited, and replaces the file if that is still the one that was read
 *
 * The delay is a second, or ten times what writing took the last time, so that a large zone with
 * many updates does not keep a processor busy with its file. Nothing depends on the file being
 * written: the store has every change, and a start finds out what the file lacks.
 *
 * A file that is being edited just now is left alone and looked at again later.
 */
#include "zones/write_back.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "net/loop.h"
#include "zone/master_rewrite.h"
#include "zones/zone_file.h"
#include "zones/zone_load.h"
#include "zones/zone_merge.h"
#include "zones/zones.h"

enum { DELAY_MS = 1000, TIMES_THE_LAST = 10, RETRY_MS = 30000 };

/* ---- when ---- */

/* Takes the reference that the timer had. */
static void start(struct server_zone *zone)
{
    zone->write_timed = false;
    atomic_store(&zone->write_queued, false);
    if (!atomic_load(&zone->gone)) {
        atomic_store(&zone->write_wanted, true);
        zone_load_start(zone, NULL);
    }
    server_zone_unref(zone);
}

static void due(void *context)
{
    start(context);
}

static void set_timer(void *context)
{
    struct server_zone *zone = context;
    struct loop *loop = zone->server->main_loop;
    if (zone->write_timer == NULL) {
        zone->write_timer = memory_new(sizeof(*zone->write_timer));
    }
    loop_timer_init(zone->write_timer, due, zone);
    zone->write_timed = true;
    loop_timer_set(loop, zone->write_timer,
                   instant_add_ms(loop_now(loop), atomic_load(&zone->write_delay_ms)));
}

static void queue(struct server_zone *zone, uint32_t delay_ms)
{
    if (!atomic_exchange(&zone->write_queued, true)) {
        atomic_store(&zone->write_delay_ms, delay_ms);
        if (!loop_post(zone->server->main_loop, set_timer, server_zone_ref(zone))) {
            atomic_store(&zone->write_queued, false); /* at the end: the next start sees to it */
            server_zone_unref(zone);
        }
    }
}

static uint32_t delay_of(const struct server_zone *zone)
{
    uint32_t took_ms = atomic_load(&zone->write_took_ms);
    return took_ms > DELAY_MS / TIMES_THE_LAST ? took_ms * TIMES_THE_LAST : DELAY_MS;
}

void write_back_note(struct server_zone *zone)
{
    rcu_read_begin();
    bool wanted = atomic_load_explicit(&zone->settings, memory_order_acquire)->write_back;
    rcu_read_end();
    if (wanted) {
        queue(zone, delay_of(zone));
    }
}

static bool flush_zone(void *context, struct zone *zone)
{
    struct server_zone *own = zone->context;
    (void)context;
    if (own->write_timed) {
        loop_timer_stop(own->server->main_loop, own->write_timer);
        start(own);
    }
    return true;
}

void write_back_flush(struct server *server)
{
    struct zone_set *set = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    if (set != NULL) {
        zone_set_each(set, flush_zone, NULL);
    }
}

/* ---- the loader ---- */

static void log_written(struct server_zone *zone, const struct zone_version *head,
                        const struct master_rewrite *what)
{
    char phrase[1600];
    if (what->printed_because != NULL) {
        snprintf(phrase, sizeof(phrase),
                 "zone %s: zone file written anew with serial %u, without its comments: %s",
                 zone->label, zone_version_serial(head).value, what->printed_because);
    } else {
        snprintf(phrase, sizeof(phrase), "zone %s: zone file written with serial %u", zone->label,
                 zone_version_serial(head).value);
    }
    LOG_EVENT(zone->server->logging, what->printed_because == NULL ? LOG_INFO : LOG_WARNING,
              LOG_GENERAL, "file_written", phrase, LOG_NUM("removed", what->removed),
              LOG_NUM("added", what->added), LOG_NUM("took_ms", atomic_load(&zone->write_took_ms)));
}

static void log_failed(struct server_zone *zone, const struct error *err, uint32_t retry_ms)
{
    char phrase[1600], action[80];
    snprintf(phrase, sizeof(phrase), "zone %s: cannot write the zone file: %s", zone->label,
             err->text);
    snprintf(action, sizeof(action), "the file stays as it is; trying again in %u s",
             retry_ms / 1000);
    LOG_EVENT(zone->server->logging, LOG_ERROR, LOG_GENERAL, "file_not_written", phrase,
              LOG_KEY("action", action));
}

/* The file says what the zone has: nothing is merged into it any more. */
static void note_written(struct server_zone *zone, const struct zone_version *head,
                         struct file_mark *mark, const char *path)
{
    mark->serial = mark->served = mark->pure = zone_version_serial(head).value;
    mark->path = zone->file.path;
    mark->known = mark->serial_known = mark->served_known = true;
    zone_version_unref(zone->file_version);
    zone->file_version = NULL;
    server_zone_keep_mark(zone);
    zone->file = *mark;
    struct file_mark stored = *mark;
    if (zone->included.count != 0) { /* as zone_load.c: of several files the store knows none */
        stored.size = stored.inode = 0;
        stored.modified_ns = 0;
    }
    zone_history_put_file(zone, &stored, path);
}

static enum result write_file(struct server_zone *zone, const struct zone_settings *settings,
                              struct zone_version *head, struct master_rewrite *what,
                              struct error *err)
{
    struct text text, out;
    struct file_mark mark = zone->file;
    struct zone_version *said = zone_merge_base(zone, head);
    text_init(&text, 0);
    text_init(&out, 0);
    enum result result = zone_file_read(server_zone_file(zone, settings), &zone->file, &text, err);
    if (result == OK) {
        result = master_rewrite(text_slice(&text), server_zone_file(zone, settings),
                                settings->settings->directory, said, head, settings->style, &out,
                                what, err);
    }
    if (result == OK && included_files_changed(&zone->included)) {
        result = error_set(err, ERR_STALE, "a file that it includes was edited meanwhile");
    }
    if (result == OK && !what->is_same) {
        result = zone_file_replace(server_zone_file(zone, settings), &zone->file, &out, &mark, err);
    }
    if (result == OK) {
        if (what->printed_because != NULL) {
            included_files_clear(&zone->included);
        }
        mark.is_merged = false;
        note_written(zone, head, &mark, server_zone_file(zone, settings));
    }
    text_deinit(&text);
    text_deinit(&out);
    zone_version_unref(said);
    return result;
}

static bool says_it_all(const struct server_zone *zone, const struct zone_version *head)
{
    uint32_t serial = zone_version_serial(head).value;
    return !zone->file.is_merged && zone->file.served == serial && zone->file.serial == serial;
}

static void write_now(struct server_zone *zone, const struct zone_settings *settings,
                      struct zone_version *head)
{
    struct master_rewrite what;
    struct error err = {0};
    struct instant begin = clock_now();
    enum result result = write_file(zone, settings, head, &what, &err);
    int64_t took_ms = instant_ms_until(begin, clock_now());
    atomic_store(&zone->write_took_ms, (uint32_t)took_ms);
    if (result == OK) {
        if (!what.is_same) {
            log_written(zone, head, &what);
        }
    } else if (result == ERR_STALE) {
        zone->file.known = false; /* read and merged first, at once */
        atomic_store(&zone->write_wanted, true);
        atomic_store(&zone->load_again, true);
    } else if (result == ERR_BUSY) {
        queue(zone, DELAY_MS);
    } else {
        log_failed(zone, &err, RETRY_MS);
        queue(zone, RETRY_MS);
    }
}

void write_back_run(struct server_zone *zone, const struct zone_settings *settings)
{
    bool is_time = atomic_exchange(&zone->write_wanted, false);
    struct zone_version *head = ledger_zone_head(zone->history);
    if (head != NULL && settings->write_back && zone->file.known && !says_it_all(zone, head)) {
        if (is_time) {
            write_now(zone, settings, head);
        } else {
            queue(zone, delay_of(zone));
        }
    }
    zone_version_unref(head);
}
