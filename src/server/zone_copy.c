/* SPDX-License-Identifier: BSD-3-Clause */
/* One loader job per zone at most; what comes meanwhile is a flag that the job looks at again. */
#include "server/zone_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/rcu.h"
#include "server/loader.h"
#include "server/server_impl.h"
#include "server/zones.h"
#include "zone/master.h"

static void write_copy(struct server_zone *zone, const char *path)
{
    struct zone_version *version = zone_acquire(zone->zone);
    if (version == NULL) {
        return;
    }
    struct error err = {0};
    /* Two syncs a zone are the most expensive part of many small transfers; the store has it. */
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
}

static void run_copy(void *context)
{
    struct server_zone *zone = context;
    struct zone_settings *settings = server_zone_settings(zone);
    bool wanted = settings->role == ROLE_SECONDARY && settings->file != NULL;
    for (;;) {
        bool touch = atomic_exchange(&zone->copy_touch, false);
        bool write = atomic_exchange(&zone->copy_again, false);
        if (wanted && write && !atomic_load(&zone->gone)) {
            write_copy(zone, settings->file);
        } else if (wanted && touch) {
            (void)utimensat(AT_FDCWD, settings->file, NULL, 0); /* absent: nothing to keep */
        }
        atomic_store(&zone->copy_busy, false);
        if ((!atomic_load(&zone->copy_again) && !atomic_load(&zone->copy_touch)) ||
            atomic_exchange(&zone->copy_busy, true)) {
            break;
        }
    }
    settings_unref(settings->settings);
    server_zone_unref(zone);
}

static void start(struct server_zone *zone)
{
    rcu_read_begin();
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    bool wanted = settings->file != NULL;
    rcu_read_end();
    if (wanted && !atomic_exchange(&zone->copy_busy, true)) {
        /* At shutdown a copy that waits is written all the same. */
        loader_submit(zone->server->loader, run_copy, run_copy, server_zone_ref(zone));
    }
}

void zone_copy_write(struct server_zone *zone)
{
    atomic_store(&zone->copy_again, true);
    start(zone);
}

void zone_copy_contacted(struct server_zone *zone)
{
    atomic_store(&zone->copy_touch, true);
    start(zone);
}
