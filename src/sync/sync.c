/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sync thread: it hands events and the time to the machines of xfr (refresh.h, notify_out.h) and
 * carries out what they say. No zone has a socket or a thread; it has one timer in the loop's heap,
 * set to the earliest moment at which one of its machines wants to be asked.
 *
 * Other threads speak to it by posted messages, so nothing here needs a lock. Expiry and refresh
 * times survive a restart by way of what the zone's file or store says (zones.c).
 *
 * What is said of a hundred thousand zones at a start (configured, loaded) may wait some
 * milliseconds, so that the thread is woken once for hundreds of them. Such messages gather in a
 * list, and whatever comes by the direct way first runs those before it: for each zone the order is
 * that in which things were said.
 */
#include "sync/sync.h"

#include <pthread.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "sync/resolver.h"
#include "sync/sync_impl.h"
#include "sync/sync_proof.h"
#include "xfr/notify_in.h"
#include "zones/zone_copy.h"
#include "zones/zone_follower.h"

enum { SOON_MS = 5, CONFIGURE_TURN = 256 };

/* ---- messages from other threads ---- */

struct sync_message {
    struct sync_message *next; /* in `soon` */
    void (*run)(void *context);
    struct sync *sync;
    struct server_zone *zone; /* a reference */
    struct address peer;
    struct serial serial;
    int64_t expires_in_s, refresh_in_s;
    uint32_t ticket;
    bool has_serial, has_fingerprint, is_ours;
    struct zone_fingerprint fingerprint;
    struct transfer_result *result; /* owned */
};

static struct sync_message *message_new(struct sync *sync, struct server_zone *zone)
{
    struct sync_message *message = memory_new_zeroed(1, sizeof(*message));
    message->sync = sync;
    message->zone = server_zone_ref(zone);
    return message;
}

static void message_free(struct sync_message *message)
{
    server_zone_unref(message->zone);
    memory_free(message->result);
    memory_free(message);
}

/* In place of the list: the thread has ended. */
static struct sync_message soon_closed;

/* The gathered messages, oldest first. `last`: what stands for the list afterwards. */
static struct sync_message *take_soon(struct sync *sync, struct sync_message *last)
{
    struct sync_message *newest = atomic_exchange(&sync->soon, last);
    struct sync_message *oldest = NULL;
    while (newest != NULL && newest != &soon_closed) {
        struct sync_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void run_soon(struct sync *sync)
{
    struct sync_message *message = atomic_load_explicit(&sync->soon, memory_order_relaxed) == NULL
                                       ? NULL
                                       : take_soon(sync, NULL);
    while (message != NULL) {
        struct sync_message *next = message->next;
        message->run(message);
        message = next;
    }
}

static void begin_soon(void *context)
{
    struct sync *sync = context;
    loop_timer_set(sync->loop, &sync->soon_timer, instant_add_ms(clock_now(), SOON_MS));
}

static void soon_due(void *context)
{
    struct sync *sync = context;
    if (sync->configuring != 0) {
        begin_soon(sync);
        return;
    }
    run_soon(sync);
}

static void deliver(void *context)
{
    struct sync_message *message = context;
    if (message->sync->configuring == 0) {
        run_soon(message->sync);
    }
    message->run(message);
}

static void post(struct sync_message *message, void (*run)(void *context))
{
    message->run = run;
    if (!loop_post(message->sync->loop, deliver, message)) {
        message_free(message); /* the thread is ending; refresh times make up for a lost NOTIFY */
    }
}

static void post_soon(struct sync_message *message, void (*run)(void *context))
{
    struct sync *sync = message->sync;
    struct sync_message *newest = atomic_load_explicit(&sync->soon, memory_order_relaxed);
    message->run = run;
    do {
        if (newest == &soon_closed) {
            message_free(message);
            return;
        }
        message->next = newest;
    } while (!atomic_compare_exchange_weak(&sync->soon, &newest, message));
    if (newest == NULL && !loop_post(sync->loop, begin_soon, sync)) {
        /* the thread is ending, and drops them */
    }
}

/* ---- a zone's machines ---- */

void sync_zone_step(struct sync *sync, struct server_zone *zone)
{
    if (zone->sync == NULL) {
        return;
    }
    struct zone_settings *settings = server_zone_settings(zone);
    struct instant next = sync_notify_step(sync, zone, clock_now());
    if (zone->sync->refresh != NULL) {
        next = instant_min(next, zone_copy_step(zone, clock_now()));
        next = instant_min(next, sync_proof_step(zone, settings, clock_now()));
        next = instant_min(next, sync_refresh_step(sync, zone, settings));
    }
    loop_timer_set(sync->loop, &zone->sync->timer, next);
    settings_unref(settings->settings);
}

static void zone_due(void *context)
{
    struct server_zone *zone = context;
    sync_zone_step(zone->server->sync, zone);
}

/* ---- what the messages do ---- */

static void detach(struct sync *sync, struct server_zone *zone)
{
    struct sync_zone *state = zone->sync;
    if (state == NULL) {
        return;
    }
    loop_timer_stop(sync->loop, &state->timer);
    ask_cancel(state->soa_ask);
    refresh_free(state->refresh);
    memory_free(state->proof);
    sync_notify_forget(zone);
    struct server_zone *last = sync->zones[--sync->zone_count];
    sync->zones[state->at] = last;
    last->sync->at = state->at;
    zone->sync = NULL;
    memory_free(state);
    server_zone_unref(zone);
}

static void log_no_primary(struct server_zone *zone)
{
    char phrase[1200];
    snprintf(phrase, sizeof(phrase),
             "zone %s: not refreshed: each of its primaries is `bogus yes` in a server statement",
             zone->label);
    LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_GENERAL, "zone_no_primary", phrase,
              LOG_KEY("action", "take `bogus yes` away or name another primary"));
}

static void configure(struct sync *sync, struct server_zone *zone,
                      const struct sync_message *message)
{
    if (atomic_load(&zone->gone)) {
        return;
    }
    struct zone_settings *settings = server_zone_settings(zone);
    if (zone->sync == NULL) {
        zone->sync = memory_new_zeroed(1, sizeof(*zone->sync));
        loop_timer_init(&zone->sync->timer, zone_due, zone);
        if (sync->zone_count == sync->zone_room) {
            sync->zone_room = sync->zone_room == 0 ? 64 : sync->zone_room * 2;
            sync->zones = memory_resize(sync->zones, sync->zone_room * sizeof(*sync->zones));
        }
        zone->sync->at = (uint32_t)sync->zone_count;
        sync->zones[sync->zone_count++] = server_zone_ref(zone);
    }
    if (settings->role == ROLE_SECONDARY && settings->primary_count > 0) {
        sync_refresh_configure(zone, settings, message->expires_in_s, message->refresh_in_s);
        if (zone->told_early) {
            struct serial unknown = {0};
            (void)refresh_notified(zone->sync->refresh, REFRESH_ANY_PRIMARY, false, unknown,
                                   clock_now());
        }
        zone->told_early = false;
    } else {
        ask_cancel(zone->sync->soa_ask);
        zone->sync->soa_ask = NULL;
        refresh_free(zone->sync->refresh);
        zone->sync->refresh = NULL;
        if (settings->role == ROLE_SECONDARY) {
            log_no_primary(zone);
        }
    }
    sync_notify_targets(sync, zone, settings);
    settings_unref(settings->settings);
    sync_zone_step(sync, zone);
}

static void run_configure(void *context)
{
    struct sync_message *message = context;
    configure(message->sync, message->zone, message);
    message_free(message);
}

struct configure_batch {
    struct sync *sync;
    size_t next, count;
    struct server_zone *zones[]; /* references */
};

static void configure_batch_free(struct configure_batch *batch)
{
    for (; batch->next < batch->count; batch->next++) {
        server_zone_unref(batch->zones[batch->next]);
    }
    memory_free(batch);
}

/* Some at a time: a NOTIFY does not wait behind a hundred thousand of them. */
static void run_configure_batch(void *context)
{
    struct configure_batch *batch = context;
    static const struct sync_message no_times;
    batch->sync->configuring += batch->next == 0;
    size_t end =
        batch->count - batch->next < CONFIGURE_TURN ? batch->count : batch->next + CONFIGURE_TURN;
    for (; batch->next < end; batch->next++) {
        configure(batch->sync, batch->zones[batch->next], &no_times);
        server_zone_unref(batch->zones[batch->next]);
    }
    if (end == batch->count || !loop_post(batch->sync->loop, run_configure_batch, batch)) {
        batch->sync->configuring--;
        configure_batch_free(batch);
    }
}

static void run_detach(void *context)
{
    struct sync_message *message = context;
    detach(message->sync, message->zone);
    message_free(message);
}

static void run_published(void *context)
{
    struct sync_message *message = context;
    if (message->zone->sync != NULL) {
        sync_notify_publish(message->sync, message->zone, message->serial);
        sync_zone_step(message->sync, message->zone);
    }
    message_free(message);
}

static void run_notified(void *context)
{
    struct sync_message *message = context;
    struct server_zone *zone = message->zone;
    atomic_fetch_sub_explicit(&zone->server->counters.notifies_waiting, 1, memory_order_relaxed);
    if (sync_zone_refresh(zone) != NULL) {
        struct zone_settings *settings = server_zone_settings(zone);
        uint32_t primary = REFRESH_ANY_PRIMARY;
        for (size_t i = 0; i < settings->primary_count && primary == REFRESH_ANY_PRIMARY; i++) {
            if (address_same_host(&settings->primaries[i].address, &message->peer)) {
                primary = (uint32_t)i;
            }
        }
        settings_unref(settings->settings);
        (void)refresh_notified(zone->sync->refresh, primary, message->has_serial, message->serial,
                               clock_now());
        if (message->has_fingerprint && sync_proof_doubts(zone, &message->fingerprint)) {
            refresh_now(zone->sync->refresh, clock_now());
        }
        sync_zone_step(message->sync, zone);
    } else {
        zone->told_early = true; /* it was acknowledged: nobody says it again */
    }
    message_free(message);
}

static void run_refresh(void *context)
{
    struct sync_message *message = context;
    if (sync_zone_refresh(message->zone) != NULL) {
        refresh_now(message->zone->sync->refresh, clock_now());
        sync_zone_step(message->sync, message->zone);
    } else {
        message->zone->told_early = true;
    }
    message_free(message);
}

static void run_retransfer(void *context)
{
    struct sync_message *message = context;
    if (sync_zone_refresh(message->zone) != NULL) {
        refresh_retransfer(message->zone->sync->refresh, clock_now());
        sync_zone_step(message->sync, message->zone);
    }
    message_free(message);
}

static void run_replaced(void *context)
{
    struct sync_message *message = context;
    struct server_zone *zone = message->zone;
    struct zone_version *version = zone_acquire(zone->zone);
    if (sync_zone_refresh(zone) != NULL && version != NULL) {
        struct refresh_soa soa = sync_refresh_soa(version);
        refresh_replaced(zone->sync->refresh, &soa, clock_now());
        sync_refresh_contacted(zone);
        sync_proof_replaced(zone, soa.serial, clock_now());
        sync_zone_step(message->sync, zone);
    }
    zone_version_unref(version);
    message_free(message);
}

static void run_peer_has(void *context)
{
    struct sync_message *message = context;
    const struct sync_zone *state = message->zone->sync;
    for (size_t i = 0; state != NULL && i < state->target_count; i++) {
        struct notify_target *target = state->targets[i];
        if (address_same_host(&target->address, &message->peer)) {
            sync_notify_seen(message->zone, target, message->serial);
            target->is_ours = message->is_ours;
        }
    }
    sync_zone_step(message->sync, message->zone);
    message_free(message);
}

static void take_shown(struct server_zone *zone, const struct transfer_result *result,
                       struct instant now)
{
    if (result->has_fingerprint) {
        sync_proof_shown(zone, result->primary, &result->fingerprint, now);
    }
}

static void run_transfer_ended(void *context)
{
    struct sync_message *message = context;
    struct server_zone *zone = message->zone;
    const struct transfer_result *result = message->result;
    struct instant now = clock_now();
    if (sync_zone_refresh(zone) != NULL) {
        switch (result->outcome) {
        case TRANSFER_APPLIED:
            refresh_transferred(zone->sync->refresh, message->ticket, &result->soa,
                                &result->contact, now);
            sync_refresh_contacted(zone);
            sync_proof_replaced(zone, result->soa.serial, now);
            take_shown(zone, result, now);
            break;
        case TRANSFER_NOT_NEWER:
            refresh_transfer_not_newer(zone->sync->refresh, message->ticket, &result->contact, now);
            sync_refresh_contacted(zone);
            take_shown(zone, result, now);
            break;
        case TRANSFER_HELD:
            refresh_transfer_held(zone->sync->refresh, message->ticket, &result->contact,
                                  result->text, now);
            if (refresh_status(zone->sync->refresh).has_copy) {
                sync_refresh_contacted(zone);
            }
            break;
        case TRANSFER_FAILED:
            if (result->key_refused) {
                sync_refresh_key_refused(zone, &result->peer, result->key_at);
            }
            refresh_transfer_failed(zone->sync->refresh, message->ticket, result->failure,
                                    result->text, now);
            break;
        }
        sync_zone_step(message->sync, zone);
    }
    message_free(message);
}

static void run_zones_loaded(void *context)
{
    struct sync *sync = context;
    for (size_t i = 0; i < sync->zone_count; i++) {
        sync_notify_look_again(sync, sync->zones[i]);
    }
}

void sync_zones_loaded(struct sync *sync)
{
    if (!loop_post(sync->loop, run_zones_loaded, sync)) {
        /* the thread is ending */
    }
}

void sync_configure(struct sync *sync, struct server_zone *zone, int64_t expires_in_s,
                    int64_t refresh_in_s)
{
    struct sync_message *message = message_new(sync, zone);
    message->expires_in_s = expires_in_s;
    message->refresh_in_s = refresh_in_s;
    post_soon(message, run_configure);
}

void sync_configure_all(struct sync *sync, struct server_zone *const *zones, size_t count)
{
    struct configure_batch *batch = memory_new(sizeof(*batch) + count * sizeof(batch->zones[0]));
    *batch = (struct configure_batch){.sync = sync, .count = count};
    for (size_t i = 0; i < count; i++) {
        batch->zones[i] = server_zone_ref(zones[i]);
    }
    if (!loop_post(sync->loop, run_configure_batch, batch)) {
        configure_batch_free(batch);
    }
}

void sync_detach(struct sync *sync, struct server_zone *zone)
{
    post(message_new(sync, zone), run_detach);
}

void sync_published(struct sync *sync, struct server_zone *zone, struct serial serial,
                    bool may_wait)
{
    struct sync_message *message = message_new(sync, zone);
    message->serial = serial;
    if (may_wait) {
        post_soon(message, run_published);
    } else {
        post(message, run_published);
    }
}

void sync_renotify(struct sync *sync, struct server_zone *zone)
{
    struct zone_version *version = zone_acquire(zone->zone);
    if (version != NULL) {
        sync_published(sync, zone, zone_version_serial(version), false);
    }
    zone_version_unref(version);
}

bool sync_notified(struct sync *sync, struct server_zone *zone, const struct address *from,
                   const struct notify_in *notify, uint32_t quota)
{
    _Atomic uint32_t *waiting = &zone->server->counters.notifies_waiting;
    if (atomic_fetch_add_explicit(waiting, 1, memory_order_relaxed) >= quota) {
        atomic_fetch_sub_explicit(waiting, 1, memory_order_relaxed);
        return false;
    }
    struct sync_message *message = message_new(sync, zone);
    message->peer = *from;
    message->has_serial = notify->has_serial;
    message->serial = notify->serial;
    message->has_fingerprint = notify->has_fingerprint;
    message->fingerprint = notify->fingerprint;
    post(message, run_notified);
    return true;
}

void sync_refresh(struct sync *sync, struct server_zone *zone)
{
    post(message_new(sync, zone), run_refresh);
}

void sync_retransfer(struct sync *sync, struct server_zone *zone)
{
    post(message_new(sync, zone), run_retransfer);
}

void sync_replaced(struct sync *sync, struct server_zone *zone)
{
    post(message_new(sync, zone), run_replaced);
}

void sync_peer_has(struct sync *sync, struct server_zone *zone, const struct address *peer,
                   struct serial serial, bool is_ours)
{
    struct sync_message *message = message_new(sync, zone);
    message->peer = *peer;
    message->serial = serial;
    message->is_ours = is_ours;
    post(message, run_peer_has);
}

void sync_transfer_ended(struct sync *sync, struct server_zone *zone, uint32_t ticket,
                         const struct transfer_result *result, bool may_wait)
{
    struct sync_message *message = message_new(sync, zone);
    message->ticket = ticket;
    message->result = memory_new(sizeof(*result));
    *message->result = *result;
    if (may_wait) {
        post_soon(message, run_transfer_ended);
    } else {
        post(message, run_transfer_ended);
    }
}

/* ---- life ---- */

static void *sync_main(void *context)
{
    struct sync *sync = context;
    server_thread_begin("sync");
    rcu_thread_start();
    loop_run(sync->loop);
    struct sync_message *message = take_soon(sync, &soon_closed);
    while (message != NULL) {
        struct sync_message *next = message->next;
        message_free(message);
        message = next;
    }
    while (sync->zone_count != 0) {
        detach(sync, sync->zones[0]);
    }
    rcu_thread_stop();
    return NULL;
}

static const struct zone_follower follower = {
    .configure = sync_configure,
    .configure_all = sync_configure_all,
    .detach = sync_detach,
    .published = sync_published,
    .replaced = sync_replaced,
    .retransfer = sync_retransfer,
};

enum result sync_new(struct server *server, struct sync **out, struct error *err)
{
    struct sync *sync = memory_new_zeroed(1, sizeof(*sync));
    sync->server = server;
    server->follower = &follower;
    loop_timer_init(&sync->soon_timer, soon_due, sync);
    enum result result = loop_new(&sync->loop, err);
    if (result == OK) {
        server_set_rcu_hooks(sync->loop);
        sync->asker = asker_new(sync->server, sync->loop);
        sync->peers = peer_book_new();
        random_bytes(sync->cookie_secret, sizeof(sync->cookie_secret));
        sync->pace = notify_pace_new(sync_notify_turn);
        result = resolver_new(&sync->resolver, err);
    }
    if (result != OK) {
        sync_free(sync);
        return result;
    }
    *out = sync;
    return OK;
}

enum result sync_start(struct sync *sync, struct error *err)
{
    if (pthread_create(&sync->thread, NULL, sync_main, sync) != 0) {
        return error_set_os(err, ERR_IO, "cannot start the sync thread");
    }
    sync->running = true;
    return OK;
}

void sync_stop(struct sync *sync)
{
    if (sync != NULL && sync->running) {
        loop_stop(sync->loop);
        pthread_join(sync->thread, NULL);
        sync->running = false;
    }
}

void sync_free(struct sync *sync)
{
    if (sync == NULL) {
        return;
    }
    sync_stop(sync);
    resolver_free(sync->resolver);
    notify_pace_free(sync->pace);
    peer_book_free(sync->peers);
    asker_free(sync->asker);
    loop_free(sync->loop);
    memory_free(sync->zones);
    memory_free(sync);
}
