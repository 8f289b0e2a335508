/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of zones follows the settings. It is the zone set itself: a struct zone's context is our
 * server_zone, and the main thread is the only one that makes new sets. Readers on other threads see
 * the old set or the new one, whole.
 *
 * A zone that stays keeps its versions, timers and NOTIFY states over a reload; one whose role
 * changed is taken out and put in again, and lent what it served until then.
 */
#include "zones/zones.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zones/file_watch.h"
#include "zones/query_counts.h"
#include "zones/zone_copy.h"
#include "zones/zone_follower.h"
#include "zones/zone_guard.h"
#include "zones/zone_load.h"
#include "zones/zone_mend.h"

struct zones {
    struct server *server;
};

/* ---- one zone ---- */

struct server_zone *server_zone_ref(struct server_zone *zone)
{
    atomic_fetch_add_explicit(&zone->references, 1, memory_order_relaxed);
    return zone;
}

/* Readers may still look at it through a struct zone that they hold. */
static void free_later(void *context)
{
    struct server_zone *zone = context;
    if (atomic_load(&zone->gone)) {
        settings_unref(atomic_load(&zone->settings)->settings);
    }
    zone_query_counts_free(atomic_load(&zone->zone->query_counts));
    memory_free(atomic_load(&zone->load_error));
    zone_mend_forget(zone);
    included_files_clear(&zone->included);
    zone_guard_forget(zone);
    ledger_zone_unref(zone->history);
    zone_unref(zone->zone);
    zone_version_unref(zone->file_version);
    memory_free(zone->file_before);
    memory_free(zone->write_timer);
    memory_free(zone);
}

void server_zone_unref(struct server_zone *zone)
{
    if (zone != NULL &&
        atomic_fetch_sub_explicit(&zone->references, 1, memory_order_acq_rel) == 1) {
        rcu_defer(free_later, zone);
    }
}

struct zone_settings *server_zone_settings(struct server_zone *zone)
{
    rcu_read_begin();
    struct zone_settings *settings = atomic_load_explicit(&zone->settings, memory_order_acquire);
    settings_ref(settings->settings);
    rcu_read_end();
    return settings;
}

const char *server_zone_file(const struct server_zone *zone, const struct zone_settings *settings)
{
    return settings_zone_file(settings->settings, zone->zone->name,
                              atomic_load_explicit(&zone->place, memory_order_relaxed));
}

/* Counting begins with the settings that ask for it, and goes on until the zone ends. */
static void count_questions(struct server_zone *zone, const struct zone_settings *settings)
{
    if (settings->counts_questions && atomic_load(&zone->zone->query_counts) == NULL) {
        atomic_store_explicit(&zone->zone->query_counts,
                              zone_query_counts_new(2 * zone->server->worker_count),
                              memory_order_release);
    }
}

static struct server_zone *server_zone_new(struct server *server, struct zone_settings *settings,
                                           const struct conf_zone *named)
{
    char text[NAME_TEXT_SIZE], class[16];
    name_format_log(named->wire, text);
    rrclass_format(named->class, class);
    size_t size = strlen(text) + strlen(class) + 2;
    struct server_zone *zone = memory_new_zeroed(1, sizeof(*zone) + size);
    atomic_init(&zone->references, 1);
    zone->server = server;
    atomic_init(&zone->settings, settings);
    snprintf(zone->label, size, "%s/%s", text, class);
    zone->zone =
        zone_new(named->wire, named->class, settings->role == ROLE_SECONDARY ? ZONE_SECONDARY : 0);
    zone->zone->context = zone;
    count_questions(zone, settings);
    zone->history = ledger_zone_ref(ledger_add(server->ledger, zone->zone, zone));
    return zone;
}

void server_zone_keep_mark(struct server_zone *zone)
{
    bool is_first = !zone->file.known && !zone->file.serial_known;
    if (!is_first && zone->file_before == NULL) {
        zone->file_before = memory_new(sizeof(*zone->file_before));
    }
    if (zone->file_before != NULL) {
        *zone->file_before = zone->file;
    }
}

void server_zone_set_load_error(struct server_zone *zone, const char *text)
{
    char *old = atomic_exchange_explicit(
        &zone->load_error, text == NULL ? NULL : memory_strdup(text), memory_order_acq_rel);
    if (old != NULL) {
        rcu_defer(memory_free, old);
    }
}

/* Its settings are no longer replaced by reloads: what is under way may still look at the last. */
static void mark_gone(struct server_zone *zone)
{
    settings_ref(atomic_load_explicit(&zone->settings, memory_order_acquire)->settings);
    atomic_store(&zone->gone, true);
}

static void unref_later(void *context)
{
    server_zone_unref(context);
}

static bool drop_version(void *context, struct zone *zone)
{
    (void)context;
    struct server_zone *own = zone->context;
    mark_gone(own);
    ledger_remove(own->history);
    server_zone_unref(own);
    return true;
}

/* ---- the table ---- */

struct gathering {
    const struct conf *wanted;
    struct server_zone **gone;
    size_t gone_count, gone_room;
};

static bool gather_gone(void *context, struct zone *zone)
{
    struct gathering *gathering = context;
    const struct conf_zone *wanted = conf_zone_find(gathering->wanted, zone->name);
    bool is_secondary = (zone->flags & ZONE_SECONDARY) != 0;
    if (wanted != NULL && wanted->class == zone->class &&
        (wanted->type != CONF_ZONE_PRIMARY) == is_secondary) {
        return true;
    }
    if (gathering->gone_count == gathering->gone_room) {
        gathering->gone_room = gathering->gone_room == 0 ? 16 : gathering->gone_room * 2;
        gathering->gone =
            memory_resize(gathering->gone, gathering->gone_room * sizeof(gathering->gone[0]));
    }
    gathering->gone[gathering->gone_count++] = zone->context;
    return true;
}

static void unref_set(void *context)
{
    zone_set_unref(context);
}

/* The set that is served stays until its successor is complete; those between nobody has seen. */
static void replace_set(struct zones *zones, struct zone_set **set, struct zone_set *by)
{
    REQUIRE(by != NULL);
    if (*set != atomic_load_explicit(&zones->server->zone_set, memory_order_relaxed)) {
        zone_set_unref(*set);
    }
    *set = by;
}

/* Out of `set`. Nothing is let in any more; readers of the old set are answered still. */
static void close_gone(struct zones *zones, const struct gathering *gathering,
                       struct zone_set **set)
{
    for (size_t i = 0; i < gathering->gone_count; i++) {
        struct server_zone *zone = gathering->gone[i];
        replace_set(zones, set, zone_set_without(*set, zone->zone->name, zone->zone->class));
        mark_gone(zone);
        file_watch_forget(zones->server->file_watch, zone);
        ledger_remove(zone->history);
    }
}

/* What was served in the other role is served until the loader has read the store. */
static void take_over(const struct zone_set *served, struct server_zone *fresh)
{
    struct zone *before = zone_set_get(served, fresh->zone->name, fresh->zone->class);
    if (before != NULL &&
        atomic_load_explicit(&before->state, memory_order_acquire) == ZONE_SERVING) {
        fresh->is_lent = true;
        zone_publish(fresh->zone, zone_acquire(before));
    }
}

static void release_gone(struct zones *zones, struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->gone_count; i++) {
        struct server_zone *zone = gathering->gone[i];
        zones->server->follower->detach(zones->server->sync, zone);
        char phrase[1200];
        snprintf(phrase, sizeof(phrase), "zone %s: removed", zone->label);
        LOG_EVENT(zones->server->logging, LOG_INFO, LOG_GENERAL, "zone_removed", phrase,
                  LOG_KEY("reason", "no longer configured in this role"));
        rcu_defer(unref_later, zone); /* readers of the old set may still take a reference */
    }
    memory_free(gathering->gone);
}

/* Its file is another than in the settings that it still has. */
static bool has_other_file(const struct server_zone *zone, const struct zone_settings *wanted,
                           uint32_t place)
{
    const char *before =
        server_zone_file(zone, atomic_load_explicit(&zone->settings, memory_order_acquire));
    const char *now = settings_zone_file(wanted->settings, zone->zone->name, place);
    return before == NULL || now == NULL ? before != now : strcmp(before, now) != 0;
}

void zones_configure(struct zones *zones, bool with_files, void (*loaded)(void *context),
                     void *context)
{
    struct server *server = zones->server;
    struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    struct gathering gathering = {.wanted = settings->conf};
    struct zone_set *served = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    struct zone_set *set = served;
    zone_set_each(set, gather_gone, &gathering);
    close_gone(zones, &gathering, &set);

    bool first = zone_set_count(set) == 0; /* a set of our own is filled in place */
    if (first) {
        replace_set(zones, &set, zone_set_new());
    }
    struct load_round *round = load_round_new(server->main_loop, loaded, context);
    struct server_zone **all = memory_new_zeroed(settings->zone_count, sizeof(all[0]));
    struct server_zone **to_load = memory_new_zeroed(settings->zone_count, sizeof(to_load[0]));
    size_t load_count = 0;
    for (size_t i = 0; i < settings->zone_count; i++) {
        struct zone_settings *wanted = settings->zones[i];
        const struct conf_zone *named = &settings->conf->zones[i];
        struct zone *known = first ? NULL : zone_set_get(set, named->wire, named->class);
        if (known != NULL) {
            all[i] = known->context;
            if (with_files || has_other_file(all[i], wanted, (uint32_t)i)) {
                to_load[load_count++] = all[i];
            }
            atomic_store_explicit(&all[i]->place, (uint32_t)i, memory_order_relaxed);
            atomic_store_explicit(&all[i]->settings, wanted, memory_order_release);
            count_questions(all[i], wanted);
            continue;
        }
        all[i] = server_zone_new(server, wanted, named);
        to_load[load_count++] = all[i];
        atomic_init(&all[i]->place, (uint32_t)i);
        take_over(served, all[i]);
        if (first) {
            REQUIRE(zone_set_insert(set, all[i]->zone));
        } else {
            replace_set(zones, &set, zone_set_with(set, all[i]->zone));
        }
    }
    if (set != served) {
        atomic_store_explicit(&server->zone_set, set, memory_order_release);
        rcu_defer(unref_set, served);
    }
    release_gone(zones, &gathering);
    for (size_t i = 0; i < settings->zone_count; i++) {
        ledger_zone_set_history_limit(all[i]->history, settings->zones[i]->max_journal_bytes);
    }
    /* A secondary is handed to the sync thread by its loader, after its copy was read. */
    struct server_zone **told = memory_new_zeroed(settings->zone_count, sizeof(told[0]));
    size_t told_count = 0;
    for (size_t i = 0; i < settings->zone_count; i++) {
        if (settings->zones[i]->role == ROLE_PRIMARY || all[i]->sync_begun) {
            told[told_count++] = all[i];
        }
        all[i]->sync_begun = true;
        file_watch_configure(server->file_watch, all[i]);
    }
    server->follower->configure_all(server->sync, told, told_count);
    memory_free(told);
    zone_load_all(server->loader, to_load, load_count, round);
    memory_free(to_load);
    memory_free(all);
    load_round_release(round);
    ledger_keep_absent(server->ledger, settings->forget_after_s);
}

size_t zones_count(const struct zones *zones)
{
    return zone_set_count(atomic_load_explicit(&zones->server->zone_set, memory_order_acquire));
}

struct zones *zones_new(struct server *server)
{
    struct zones *zones = memory_new_zeroed(1, sizeof(*zones));
    zones->server = server;
    atomic_store_explicit(&server->zone_set, zone_set_new(), memory_order_release);
    return zones;
}

static bool finish_zone(void *context, struct zone *zone)
{
    (void)context;
    zone_copy_finish(zone->context);
    return true;
}

void zones_finish(struct zones *zones)
{
    if (zones != NULL && zones->server->loader != NULL) {
        zone_copies_end(zones->server);
        zone_set_each(atomic_load_explicit(&zones->server->zone_set, memory_order_acquire),
                      finish_zone, NULL);
    }
}

void zones_free(struct zones *zones)
{
    if (zones == NULL) {
        return;
    }
    struct zone_set *set =
        atomic_exchange_explicit(&zones->server->zone_set, NULL, memory_order_acq_rel);
    zone_set_each(set, drop_version, NULL);
    zone_set_unref(set);
    memory_free(zones);
}
