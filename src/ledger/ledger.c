/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger itself: its zones, its threads' beginning and end, its watchers.
 */
#include "ledger/ledger.h"

#include "base/clock.h"
#include "base/memory.h"
#include "ledger/ledger_impl.h"

static int64_t wall_of_system(void *context)
{
    (void)context;
    return clock_wall_s();
}

int64_t ledger_wall_s(const struct ledger *ledger)
{
    return ledger->wall_s(ledger->wall_context);
}

struct ledger *ledger_new(const struct ledger_options *options)
{
    struct ledger *ledger = memory_new_zeroed(1, sizeof(*ledger));
    pthread_condattr_t monotonic;
    ledger->store = options->store;
    ledger->memory_history_bytes =
        options->memory_history_bytes != 0 ? options->memory_history_bytes : MEMORY_HISTORY_BYTES;
    ledger->checkpoint_bytes =
        options->checkpoint_bytes != 0 ? options->checkpoint_bytes : CHECKPOINT_BYTES;
    ledger->wall_s = options->wall_s != NULL ? options->wall_s : wall_of_system;
    ledger->wall_context = options->wall_context;
    ledger->guard = options->guard;
    ledger->guard_context = options->guard_context;
    pthread_mutex_init(&ledger->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->writer_wakes, &monotonic);
    pthread_cond_init(&ledger->keeper_wakes, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&ledger->left, NULL);
    if (ledger->store != NULL) {
        REQUIRE(pthread_create(&ledger->writer, NULL, ledger_writer_run, ledger) == 0);
        REQUIRE(pthread_create(&ledger->keeper, NULL, ledger_keeper_run, ledger) == 0);
    }
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    if (ledger->store != NULL) {
        pthread_mutex_lock(&ledger->lock);
        ledger->stops = true;
        pthread_cond_broadcast(&ledger->writer_wakes);
        pthread_cond_broadcast(&ledger->keeper_wakes);
        pthread_mutex_unlock(&ledger->lock);
        pthread_join(ledger->writer, NULL);
        pthread_join(ledger->keeper, NULL);
    }
    pthread_cond_destroy(&ledger->writer_wakes);
    pthread_cond_destroy(&ledger->keeper_wakes);
    pthread_cond_destroy(&ledger->left);
    pthread_mutex_destroy(&ledger->lock);
    memory_free(ledger);
}

void ledger_watch(struct ledger *ledger, ledger_watcher *watcher, void *context)
{
    REQUIRE(ledger->watcher_count < MAX_WATCHERS);
    ledger->watchers[ledger->watcher_count].call = watcher;
    ledger->watchers[ledger->watcher_count++].context = context;
}

void ledger_tell(struct ledger *ledger, const struct ledger_event *event)
{
    for (unsigned i = 0; i < ledger->watcher_count; i++) {
        ledger->watchers[i].call(ledger->watchers[i].context, event);
    }
}

void ledger_note_store(struct ledger *ledger, enum ledger_disk part, enum result result,
                       const struct error *err)
{
    pthread_mutex_lock(&ledger->lock);
    unsigned before = ledger->store_fails;
    ledger->store_fails = result == OK ? before & ~(unsigned)part : before | (unsigned)part;
    bool fails = ledger->store_fails != 0;
    bool changes = fails != (before != 0);
    pthread_mutex_unlock(&ledger->lock);
    if (changes) {
        ledger_tell(ledger, &(struct ledger_event){
                                .kind = fails ? LEDGER_STORE_FAILS : LEDGER_STORE_WORKS,
                                .err = fails ? err : NULL,
                            });
    }
}

void ledger_statistics(struct ledger *ledger, struct ledger_statistics *out)
{
    pthread_mutex_lock(&ledger->lock);
    *out = ledger->statistics;
    pthread_mutex_unlock(&ledger->lock);
}

/* --- Zones. --- */

struct ledger_zone *ledger_add(struct ledger *ledger, struct zone *zone, void *context)
{
    struct ledger_zone *added = memory_new_zeroed(1, sizeof(*added));
    atomic_init(&added->references, 1);
    added->ledger = ledger;
    added->zone = zone_ref(zone);
    added->context = context;
    added->stored =
        ledger->store == NULL ? NULL : store_zone_get(ledger->store, zone->name, zone->class);
    added->history_limit = ledger->memory_history_bytes;
    pthread_mutex_init(&added->edit, NULL);
    pthread_mutex_init(&added->lock, NULL);
    return added;
}

struct ledger_zone *ledger_zone_ref(struct ledger_zone *zone)
{
    atomic_fetch_add_explicit(&zone->references, 1, memory_order_relaxed);
    return zone;
}

void ledger_zone_unref(struct ledger_zone *zone)
{
    if (zone == NULL ||
        atomic_fetch_sub_explicit(&zone->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    ledger_drop_kept(zone);
    ledger_drop_early(zone);
    memory_free(zone->kept);
    memory_free(zone->lanes);
    zone_version_unref(zone->head);
    zone_version_unref(zone->durable);
    zone_unref(zone->zone);
    pthread_mutex_destroy(&zone->edit);
    pthread_mutex_destroy(&zone->lock);
    memory_free(zone);
}

void ledger_leave(struct ledger_zone *zone)
{
    struct ledger *ledger = zone->ledger;
    pthread_mutex_lock(&ledger->lock);
    for (struct ledger_zone **at = &ledger->leaving; *at != NULL; at = &(*at)->next_leaving) {
        if (*at == zone) {
            *at = zone->next_leaving;
            break;
        }
    }
    pthread_cond_broadcast(&ledger->left);
    pthread_mutex_unlock(&ledger->lock);
    ledger_zone_unref(zone);
}

void ledger_remove(struct ledger_zone *zone, bool forgets)
{
    struct ledger *ledger = zone->ledger;
    pthread_mutex_lock(&zone->lock);
    zone->is_removed = true;
    zone->forgets = forgets;
    zone->is_leaving = zone->stored != NULL && zone->pending_count != 0;
    if (zone->is_leaving) {
        pthread_mutex_lock(&ledger->lock);
        zone->next_leaving = ledger->leaving;
        ledger->leaving = ledger_zone_ref(zone);
        pthread_mutex_unlock(&ledger->lock);
    }
    pthread_mutex_unlock(&zone->lock);
    if (forgets && zone->stored != NULL) {
        ledger_ask_keeper(zone->ledger, KEEPER_FORGET, zone, NULL);
    }
    ledger_zone_unref(zone);
}

struct zone *ledger_zone_get(const struct ledger_zone *zone)
{
    return zone->zone;
}

void *ledger_zone_context(const struct ledger_zone *zone)
{
    return zone->context;
}

void ledger_zone_set_history_limit(struct ledger_zone *zone, uint64_t bytes)
{
    pthread_mutex_lock(&zone->lock);
    zone->history_limit = bytes != 0 ? bytes : zone->ledger->memory_history_bytes;
    zone->stored_limit = bytes;
    pthread_mutex_unlock(&zone->lock);
    if (zone->stored != NULL) {
        store_zone_set_limit(zone->ledger->store, zone->stored, bytes);
    }
}

struct zone_version *ledger_zone_head(struct ledger_zone *zone)
{
    pthread_mutex_lock(&zone->lock);
    struct zone_version *head = zone->head == NULL ? NULL : zone_version_ref(zone->head);
    pthread_mutex_unlock(&zone->lock);
    return head;
}

void ledger_zone_roll_back(struct ledger_zone *zone)
{
    pthread_mutex_lock(&zone->lock);
    struct zone_version *fallen = zone->head;
    zone->head = zone->durable == NULL ? NULL : zone_version_ref(zone->durable);
    zone->epoch++;
    zone->fingerprint_state = FINGERPRINT_NONE;
    pthread_mutex_unlock(&zone->lock);
    zone_version_unref(fallen);
}

void ledger_zone_settle(struct ledger_zone *zone, struct zone_version *version, uint64_t step)
{
    pthread_mutex_lock(&zone->lock);
    struct zone_version *before = zone->durable;
    zone->durable = zone_version_ref(version);
    zone->durable_step = step;
    zone->has_floor = true;
    zone->floor = zone_version_serial(version);
    ledger_end_early(zone, zone->floor);
    pthread_mutex_unlock(&zone->lock);
    zone_version_unref(before);
}

void ledger_zone_status(struct ledger_zone *zone, struct ledger_zone_status *out)
{
    *out = (struct ledger_zone_status){0};
    pthread_mutex_lock(&zone->lock);
    out->has_version = zone->durable != NULL;
    if (zone->durable != NULL) {
        out->serial = zone_version_serial(zone->durable);
    }
    out->pending_count = zone->pending_count;
    out->is_saved = !zone->is_unsaved;
    out->history_bytes = zone->kept_bytes;
    out->history_count = zone->kept_count;
    pthread_mutex_unlock(&zone->lock);
    struct store_status status = {0};
    if (zone->stored != NULL &&
        store_zone_status(zone->ledger->store, zone->stored, &status, NULL) != ERR_IO) {
        out->history_bytes = status.history_bytes;
        out->history_count = status.history_count;
    }
}
