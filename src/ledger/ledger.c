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
    for (unsigned i = 0; i < ZONE_STRIPES; i++) {
        pthread_mutex_init(&ledger->stripes[i].mutex, NULL);
        pthread_cond_init(&ledger->stripes[i].edit_ends, NULL);
    }
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

void ledger_stop(struct ledger *ledger)
{
    if (ledger == NULL || ledger->store == NULL || ledger->stops) {
        return;
    }
    pthread_mutex_lock(&ledger->lock);
    ledger->stops = true;
    pthread_cond_broadcast(&ledger->writer_wakes);
    pthread_cond_broadcast(&ledger->keeper_wakes);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->writer, NULL);
    pthread_join(ledger->keeper, NULL);
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    ledger_stop(ledger);
    pthread_cond_destroy(&ledger->writer_wakes);
    pthread_cond_destroy(&ledger->keeper_wakes);
    pthread_cond_destroy(&ledger->left);
    pthread_mutex_destroy(&ledger->lock);
    for (unsigned i = 0; i < ZONE_STRIPES; i++) {
        pthread_mutex_destroy(&ledger->stripes[i].mutex);
        pthread_cond_destroy(&ledger->stripes[i].edit_ends);
    }
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

const struct ledger_zone_rare ledger_nothing_rare;

struct ledger_zone_rare *ledger_zone_own(struct ledger_zone *zone)
{
    if (zone->rare == NULL) {
        zone->rare = memory_new_zeroed(1, sizeof(*zone->rare));
    }
    return zone->rare;
}

void ledger_zone_edit_begin(struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    while (zone->is_edited) {
        struct ledger_stripe *stripe = &zone->ledger->stripes[zone->stripe];
        pthread_cond_wait(&stripe->edit_ends, &stripe->mutex);
    }
    zone->is_edited = true;
    ledger_zone_unlock(zone);
}

void ledger_zone_edit_end(struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    zone->is_edited = false;
    pthread_cond_broadcast(&zone->ledger->stripes[zone->stripe].edit_ends);
    ledger_zone_unlock(zone);
}

struct ledger_zone *ledger_add(struct ledger *ledger, struct zone *zone, void *context)
{
    struct ledger_zone *added = memory_new_zeroed(1, sizeof(*added));
    atomic_init(&added->references, 1);
    added->ledger = ledger;
    added->zone = zone_ref(zone);
    added->context = context;
    added->stored =
        ledger->store == NULL ? NULL : store_zone_get(ledger->store, zone->name, zone->class);
    if (added->stored != NULL) {
        store_zone_hold(ledger->store, added->stored);
    }
    added->stripe = (uint8_t)(atomic_fetch_add(&ledger->zones_added, 1) % ZONE_STRIPES);
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
    memory_free(ledger_rare(zone)->kept);
    memory_free(ledger_rare(zone)->lanes);
    memory_free(zone->rare);
    zone_version_unref(zone->head);
    zone_version_unref(zone->durable);
    if (zone->stored != NULL) {
        store_zone_let_go(zone->ledger->store, zone->stored);
    }
    zone_unref(zone->zone);
    memory_free(zone);
}

void ledger_leave(struct ledger_zone *zone)
{
    struct ledger *ledger = zone->ledger;
    pthread_mutex_lock(&ledger->lock);
    struct ledger_zone *before = NULL;
    for (struct ledger_zone *at = ledger->leaving; at != zone; at = ledger_rare(at)->next_leaving) {
        before = at;
    }
    if (before == NULL) {
        ledger->leaving = ledger_rare(zone)->next_leaving;
    } else {
        ledger_zone_own(before)->next_leaving = ledger_rare(zone)->next_leaving;
    }
    pthread_cond_broadcast(&ledger->left);
    pthread_mutex_unlock(&ledger->lock);
    ledger_zone_unref(zone);
}

void ledger_remove(struct ledger_zone *zone)
{
    struct ledger *ledger = zone->ledger;
    ledger_zone_lock(zone);
    zone->is_removed = true;
    zone->is_leaving = zone->stored != NULL && zone->pending_count != 0;
    if (zone->is_leaving) {
        pthread_mutex_lock(&ledger->lock);
        ledger_zone_own(zone)->next_leaving = ledger->leaving;
        ledger->leaving = ledger_zone_ref(zone);
        pthread_mutex_unlock(&ledger->lock);
    }
    ledger_zone_unlock(zone);
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
    ledger_zone_lock(zone);
    zone->stored_limit = bytes;
    ledger_zone_unlock(zone);
    if (zone->stored != NULL) {
        store_zone_set_limit(zone->ledger->store, zone->stored, bytes);
    }
}

struct zone_version *ledger_zone_head(struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    struct zone_version *head = zone->head == NULL ? NULL : zone_version_ref(zone->head);
    ledger_zone_unlock(zone);
    return head;
}

void ledger_zone_roll_back(struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    struct zone_version *fallen = zone->head;
    zone->head = zone->durable == NULL ? NULL : zone_version_ref(zone->durable);
    zone->epoch++;
    zone->fingerprint_state = FINGERPRINT_NONE;
    ledger_zone_unlock(zone);
    zone_version_unref(fallen);
}

void ledger_zone_settle(struct ledger_zone *zone, struct zone_version *version, uint64_t step)
{
    ledger_zone_lock(zone);
    struct zone_version *before = zone->durable;
    zone->durable = zone_version_ref(version);
    zone->durable_step = step;
    zone->has_floor = true;
    zone->floor = zone_version_serial(version);
    ledger_end_early(zone, zone->floor);
    ledger_zone_unlock(zone);
    zone_version_unref(before);
}

void ledger_zone_status(struct ledger_zone *zone, struct ledger_zone_status *out)
{
    *out = (struct ledger_zone_status){0};
    ledger_zone_lock(zone);
    out->has_version = zone->durable != NULL;
    if (zone->durable != NULL) {
        out->serial = zone_version_serial(zone->durable);
    }
    out->pending_count = zone->pending_count;
    out->is_saved = !zone->is_unsaved;
    out->history_bytes = ledger_rare(zone)->kept_bytes;
    out->history_count = ledger_rare(zone)->kept_count;
    ledger_zone_unlock(zone);
    struct store_status status = {0};
    if (zone->stored != NULL &&
        store_zone_status(zone->ledger->store, zone->stored, &status, NULL) != ERR_IO) {
        out->history_bytes = status.history_bytes;
        out->history_count = status.history_count;
    }
}
