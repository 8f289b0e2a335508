/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One loader job per zone at most; what comes meanwhile is a flag that the job looks at again.
 *
 * A large zone takes seconds to write, and a small change of it comes every few milliseconds. So a
 * copy rests after it was written, for REST_FACTOR times as long as the writing took: small zones
 * do not notice, and a large one costs a loader and the disk a few per cent. What a rest left
 * undone the sync thread's timer of the zone brings back (zone_copy_step), or the end of the server.
 *
 * Beside a store the copy is not synced: no restart needs it, two syncs a zone are the most
 * expensive part of many small transfers, and a copy that was cut by a power failure tells (its
 * first line has the number of records, zone_load.c looks). docs/decisions/store.md.
 */
#include "server/zone_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "server/loader.h"
#include "server/server_impl.h"
#include "server/zones.h"
#include "zone/master.h"

enum { REST_FACTOR = 30, BUSY_LOOK_MS = 5000 };

static bool rests(struct server_zone *zone)
{
    return clock_now().ns < atomic_load_explicit(&zone->copy_rests_until_ns, memory_order_relaxed);
}

static void write_copy(struct server_zone *zone, const char *path)
{
    struct zone_version *version = zone_acquire(zone->zone);
    if (version == NULL) {
        return;
    }
    struct error err = {0};
    struct instant begun = clock_now();
    enum result result = zone->server->store != NULL ? master_write_copy(version, path, &err)
                                                     : master_write_file(version, path, &err);
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

static void run_copy(void *context)
{
    struct server_zone *zone = context;
    struct zone_settings *settings = server_zone_settings(zone);
    bool wanted = settings->role == ROLE_SECONDARY && server_zone_file(zone, settings) != NULL;
    for (;;) {
        bool touch = atomic_exchange(&zone->copy_touch, false);
        bool write = !rests(zone) && atomic_exchange(&zone->copy_again, false);
        if (wanted && write && !atomic_load(&zone->gone)) {
            write_copy(zone, server_zone_file(zone, settings));
        } else if (wanted && touch) {
            (void)utimensat(AT_FDCWD, server_zone_file(zone, settings), NULL,
                            0); /* absent: nothing to keep */
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

void zone_copy_finish(struct server_zone *zone)
{
    if (atomic_load(&zone->copy_again)) {
        atomic_store_explicit(&zone->copy_rests_until_ns, 0, memory_order_relaxed);
        start(zone);
    }
}

void zone_copy_contacted(struct server_zone *zone)
{
    if (is_wanted(zone)) {
        atomic_store(&zone->copy_touch, true);
        start(zone);
    }
}
