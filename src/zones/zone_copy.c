/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One loader job per zone at most; what comes meanwhile is a flag that the job looks at again.
 *
 * A large zone takes seconds to write, and a small change of it comes every few milliseconds. So a
 * copy rests after it was written, for REST_FACTOR times as long as the writing took: small zones
 * do not notice, and a large one costs a loader and the disk a few per cent. What a rest left
 * undone the sync thread's timer of the zone brings back (zone_copy_step), or the end of the server.
 *
 * Beside a store copies do not hurry: the first BURST are written at once, further ones one in each
 * PACE_NS. When a hundred thousand zones come in, creating and renaming their files would cost more
 * than the transfers. Each gets its turn (a moment, copy_rests_until_ns) as it is asked for. The end of
 * the server waits for END_MS; what is not written by then is found to be older than its version
 * when a primary has answered after the next start.
 *
 * Beside a store the copy is not synced: no restart needs it, two syncs a zone are the most
 * expensive part of many small transfers, and a copy that was cut by a power failure tells (its
 * first line has the number of records, zone_load.c looks). docs/decisions/store.md.
 */
#include "zones/zone_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zone/master.h"
#include "zones/zones.h"

enum { REST_FACTOR = 30, BUSY_LOOK_MS = 5000, PACE_NS = 1000000, BURST = 64, END_MS = 2000 };

static bool rests(struct server_zone *zone)
{
    return clock_now().ns < atomic_load_explicit(&zone->copy_rests_until_ns, memory_order_relaxed);
}

static void write_copy(struct server_zone *zone, const char *path, enum master_style style)
{
    struct zone_version *version = zone_acquire(zone->zone);
    if (version == NULL) {
        return;
    }
    struct error err = {0};
    struct instant begun = clock_now();
    enum result result = zone->server->store != NULL
                             ? master_write_copy(version, style, path, &err)
                             : master_write_file(version, style, path, &err);
    if (result != OK) {
        char phrase[1400];
        snprintf(phrase, sizeof(phrase), "zone %s: cannot write the copy to %s: %s", zone->label,
                 path, err.text);
        LOG_EVENT(zone->server->logging, LOG_ERROR, LOG_GENERAL, "copy_failed", phrase,
                  LOG_KEY("action", "serving from memory; trying again at the next change"));
    }
    zone_version_unref(version);
    struct instant now = clock_now();
    atomic_store_explicit(&zone->copy_rests_until_ns, now.ns + REST_FACTOR * (now.ns - begun.ns),
                          memory_order_relaxed);
}

/* The turn of one more copy; it may be past. */
static int64_t take_turn(struct server *server)
{
    int64_t now_ns = clock_now().ns;
    int64_t before = atomic_load_explicit(&server->copy_turn_ns, memory_order_relaxed);
    int64_t turn;
    do {
        int64_t earliest = now_ns - (int64_t)BURST * PACE_NS;
        turn = (before < earliest ? earliest : before) + PACE_NS;
    } while (!atomic_compare_exchange_weak(&server->copy_turn_ns, &before, turn));
    return turn;
}

/* The end of the server has waited long enough for what the store has. */
static bool is_left(struct server *server)
{
    int64_t end_ns = atomic_load_explicit(&server->copies_end_ns, memory_order_relaxed);
    if (server->store == NULL || end_ns == 0 || clock_now().ns < end_ns) {
        return false;
    }
    atomic_fetch_add_explicit(&server->copies_left, 1, memory_order_relaxed);
    return true;
}

/* A primary answered: that is the file's time from now on. Where the file is not of the version, what
 * should have written it was cut short. */
static void touch_copy(struct server_zone *zone, const char *path)
{
    struct stat file;
    bool is_there = stat(path, &file) == 0;
    int64_t committed_at_s = atomic_load_explicit(&zone->committed_at_s, memory_order_relaxed);
    if (zone->server->store != NULL &&
        (is_there ? file.st_mtime < committed_at_s : errno == ENOENT)) {
        zone_copy_write(zone);
    } else if (is_there) {
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    }
}

static void run_copy(void *context)
{
    struct server_zone *zone = context;
    struct zone_settings *settings = server_zone_settings(zone);
    bool wanted = settings->role == ROLE_SECONDARY && server_zone_file(zone, settings) != NULL;
    for (;;) {
        bool touch = atomic_exchange(&zone->copy_touch, false);
        bool write = !rests(zone) && atomic_exchange(&zone->copy_again, false);
        if (wanted && write && !atomic_load(&zone->gone) && !is_left(zone->server)) {
            write_copy(zone, server_zone_file(zone, settings), settings->style);
        } else if (wanted && touch) {
            touch_copy(zone, server_zone_file(zone, settings));
        }
        atomic_store(&zone->copy_busy, false);
        bool is_due = atomic_load(&zone->copy_again) && !rests(zone);
        if ((!is_due && !atomic_load(&zone->copy_touch)) ||
            atomic_exchange(&zone->copy_busy, true)) {
            break;
        }
    }
    settings_unref(settings->settings);
    server_zone_unref(zone);
}

static bool is_wanted(struct server_zone *zone)
{
    rcu_read_begin();
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    bool wanted = server_zone_file(zone, settings) != NULL;
    rcu_read_end();
    return wanted;
}

static void start(struct server_zone *zone)
{
    if (!atomic_exchange(&zone->copy_busy, true)) {
        /* At shutdown a copy that waits is written all the same. */
        loader_submit(zone->server->loader, run_copy, run_copy, server_zone_ref(zone));
    }
}

void zone_copy_write(struct server_zone *zone)
{
    if (!is_wanted(zone)) {
        return;
    }
    int64_t rests_ns = atomic_load_explicit(&zone->copy_rests_until_ns, memory_order_relaxed);
    int64_t turn_ns = INT64_MIN;
    if (zone->server->store != NULL && !atomic_load(&zone->copy_again)) {
        turn_ns = take_turn(zone->server);
    }
    if (turn_ns > rests_ns) {
        atomic_store_explicit(&zone->copy_rests_until_ns, turn_ns, memory_order_relaxed);
    }
    atomic_store(&zone->copy_again, true);
    if (!rests(zone)) {
        start(zone);
    }
}

struct instant zone_copy_step(struct server_zone *zone, struct instant now)
{
    if (!atomic_load(&zone->copy_again)) {
        return INSTANT_NEVER;
    }
    struct instant until = {
        .ns = atomic_load_explicit(&zone->copy_rests_until_ns, memory_order_relaxed)};
    if (instant_before(now, until)) {
        return until;
    }
    start(zone);
    return instant_add_ms(now, BUSY_LOOK_MS);
}

void zone_copies_end(struct server *server)
{
    atomic_store_explicit(&server->copies_end_ns, instant_add_ms(clock_now(), END_MS).ns,
                          memory_order_relaxed);
}

void zone_copies_report(struct server *server)
{
    uint64_t left = atomic_load_explicit(&server->copies_left, memory_order_relaxed);
    if (left != 0) {
        LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "copies_left",
                  "readable copies of secondary zones are not all written; the store has the zones",
                  LOG_NUM("left", left),
                  LOG_KEY("action", "written when their primaries have answered after the start"));
    }
}

void zone_copy_finish(struct server_zone *zone)
{
    if (atomic_load(&zone->copy_again)) {
        atomic_store_explicit(&zone->copy_rests_until_ns, 0, memory_order_relaxed);
        start(zone);
    }
}

void zone_copy_contacted(struct server_zone *zone)
{
    /* One that waits will be written, with the time of that. */
    if (is_wanted(zone) && !(zone->server->store != NULL && atomic_load(&zone->copy_again))) {
        atomic_store(&zone->copy_touch, true);
        start(zone);
    }
}
