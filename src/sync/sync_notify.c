/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOTIFY out, for real (RFC 1996): who is to be told, and the sending of what notify_out says.
 *
 * Targets are the configured ones (also-notify) and, with `notify yes`, the addresses of the zone's
 * NS names, less the MNAME and ourselves (3.5). Those addresses come from our own zones where they
 * are there, else from the system's resolver in the background. All targets go at the same time,
 * each with its own state, so a dead one delays nobody.
 */
#include <pthread.h>
#include <stdio.h>

#include "accounts/key_usage.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "settings/access.h"
#include "sync/resolver.h"
#include "sync/sync_impl.h"

enum {
    DNS_PORT = 53,
    NOTIFY_TCP_MS = 5000,
    RESOLVE_AGAIN_MS = 600000,
    MAX_TARGETS = 1000,
    TELL_FIRST = 3
};

/* ---- the list of targets ---- */

struct target_list {
    struct notify_target **targets;
    size_t count, room;
};

/* Adds a target; one that the zone has already is kept as it is, a NOTIFY in flight included. */
static void list_add(struct target_list *list, struct server_zone *zone,
                     const struct notify_target *wanted)
{
    for (size_t i = 0; i < list->count; i++) {
        if (address_equal(&list->targets[i]->address, &wanted->address)) {
            return;
        }
    }
    if (list->count == MAX_TARGETS) {
        return;
    }
    if (list->count == list->room) {
        list->room = list->room == 0 ? 4 : list->room * 2;
        list->targets = memory_resize(list->targets, list->room * sizeof(list->targets[0]));
    }
    struct notify_target *target = NULL;
    for (size_t i = 0; i < zone->sync->target_count && target == NULL; i++) {
        if (address_equal(&zone->sync->targets[i]->address, &wanted->address)) {
            target = zone->sync->targets[i];
        }
    }
    if (target == NULL) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(&wanted->address, true, text);
        target = memory_new(sizeof(*target));
        *target = *wanted;
        target->zone = zone;
        tsig_key_ref(target->key);
        tls_context_ref(target->tls);
        notify_slot_attach(zone->server->sync->pace, &target->slot, &target->address, target);
        notify_out_init(&target->machine, hash_bytes(zone->zone->hash, text, strlen(text)));
        target->machine.is_tls = target->tls != NULL;
    } else if (target != wanted) {
        target->source = wanted->source;
        tsig_key_ref(wanted->key);
        tsig_key_unref(target->key);
        target->key = wanted->key;
        tls_context_ref(wanted->tls);
        tls_context_unref(target->tls);
        target->tls = wanted->tls;
        target->padding = wanted->padding;
        target->machine.is_tls = target->tls != NULL;
        target->from_ns_set = wanted->from_ns_set;
    }
    target->kept = true;
    list->targets[list->count++] = target;
}

static void list_add_host(struct target_list *list, struct server_zone *zone,
                          const struct zone_settings *settings, struct address address)
{
    address.port = DNS_PORT;
    if (!own_addresses_listen(settings_own(settings->settings), &address, false)) {
        list_add(list, zone,
                 &(struct notify_target){.address = address,
                                         .source = address.family == 6 ? settings->notify_source6
                                                                       : settings->notify_source4,
                                         .key = settings_peer_key(settings->settings, &address),
                                         .from_ns_set = true});
    }
}

/* The addresses of `host` in our own zones; false where none of them holds the name. */
static bool add_own_addresses(struct target_list *list, struct server_zone *zone,
                              const struct zone_settings *settings, const uint8_t *host)
{
    bool held = false;
    rcu_read_begin();
    struct zone_set *zones = atomic_load_explicit(&zone->server->zone_set, memory_order_acquire);
    struct zone *holder = zone_set_find(zones, host, zone->zone->class);
    struct zone_version *version =
        holder == NULL ? NULL : atomic_load_explicit(&holder->current, memory_order_acquire);
    const struct owner *owner = version == NULL ? NULL : zone_version_find(version, host);
    for (unsigned n = 0; owner != NULL && n < 2; n++) {
        struct rrset rrset;
        size_t offset = 0;
        struct slice rdata;
        if (!owner_find_rrset(owner, n == 0 ? TYPE_A : TYPE_AAAA, &rrset)) {
            continue;
        }
        held = true;
        while (rrset_next_rdata(&rrset, &offset, &rdata)) {
            struct address address = {.family = n == 0 ? 4 : 6};
            memcpy(address.bytes, rdata.data, rdata.size);
            list_add_host(list, zone, settings, address);
        }
    }
    rcu_read_end();
    return held;
}

struct resolved {
    struct sync *sync;
    struct server_zone *zone; /* a reference */
    struct resolver_answer answer;
};

static void replace_targets(struct server_zone *zone, struct target_list *list)
{
    for (size_t i = 0; i < zone->sync->target_count; i++) {
        struct notify_target *target = zone->sync->targets[i];
        if (!target->kept) {
            ask_cancel(target->ask);
            notify_slot_detach(zone->server->sync->pace, &target->slot);
            tsig_key_unref(target->key);
            tls_context_unref(target->tls);
            memory_free(target);
        }
    }
    memory_free(zone->sync->targets);
    zone->sync->targets = list->targets;
    zone->sync->target_count = (uint32_t)list->count;
    for (size_t i = 0; i < list->count; i++) {
        list->targets[i]->kept = false;
    }
}

static void mark_behind(struct notify_target *target, struct serial serial)
{
    if (target->known_at_s != 0 && !serial_before(target->known, serial)) {
        target->behind_since_s = 0;
    } else if (target->behind_since_s == 0) {
        target->behind_since_s = clock_wall_s();
    }
}

static struct instant notify_at(const struct zone_settings *settings)
{
    return instant_add_ms(clock_now(), (int64_t)settings->notify_delay_s * 1000);
}

static void publish_to_fresh(struct server_zone *zone, const struct zone_settings *settings)
{
    struct zone_version *version = zone_acquire(zone->zone);
    for (size_t i = 0; version != NULL && i < zone->sync->target_count; i++) {
        struct notify_target *target = zone->sync->targets[i];
        if (target->fresh) {
            target->fresh = false;
            target->is_first = true;
            mark_behind(target, zone_version_serial(version));
            notify_out_publish(&target->machine, zone_version_serial(version), notify_at(settings));
        }
    }
    zone_version_unref(version);
}

static void run_resolved(void *context)
{
    struct resolved *resolved = context;
    struct server_zone *zone = resolved->zone;
    if (zone->sync != NULL) {
        zone->sync->ns_resolving = false;
        zone->sync->ns_resolved_at = clock_now();
        struct zone_settings *settings = server_zone_settings(zone);
        struct target_list list = {0};
        for (size_t i = 0; i < zone->sync->target_count; i++) {
            list_add(&list, zone, zone->sync->targets[i]);
        }
        for (size_t i = 0; i < resolved->answer.count; i++) {
            list_add_host(&list, zone, settings, resolved->answer.addresses[i]);
        }
        replace_targets(zone, &list);
        publish_to_fresh(zone, settings);
        settings_unref(settings->settings);
        sync_zone_step(resolved->sync, zone);
    }
    server_zone_unref(zone);
    memory_free(resolved);
}

/* In the resolver's thread. */
static void names_resolved(void *context, const struct resolver_answer *answer)
{
    struct resolved *resolved = context;
    if (answer != NULL) {
        resolved->answer = *answer;
        if (loop_post(resolved->sync->loop, run_resolved, resolved)) {
            return;
        }
    }
    server_zone_unref(resolved->zone);
    memory_free(resolved);
}

void sync_notify_targets(struct sync *sync, struct server_zone *zone,
                         const struct zone_settings *settings)
{
    struct target_list list = {0};
    struct name unknown[RESOLVER_NAMES];
    size_t unknown_count = 0;
    if (settings->notify_mode != NOTIFY_OFF &&
        !(settings->notify_mode == NOTIFY_PRIMARY_ONLY && settings->role != ROLE_PRIMARY)) {
        for (size_t i = 0; i < settings->notify_count; i++) {
            const struct remote *remote = &settings->notify[i];
            unsigned which;
            list_add(&list, zone,
                     &(struct notify_target){.address = remote->address,
                                             .source = remote->source,
                                             .key = sync_key(sync, remote, &which),
                                             .tls = remote->tls,
                                             .padding = remote->padding});
        }
    }
    struct zone_version *version = zone_acquire(zone->zone);
    struct rrset ns;
    if (version != NULL && settings->notify_mode != NOTIFY_OFF &&
        settings->notify_mode != NOTIFY_EXPLICIT &&
        !(settings->notify_mode == NOTIFY_PRIMARY_ONLY && settings->role != ROLE_PRIMARY) &&
        owner_find_rrset(zone_version_apex(version), TYPE_NS, &ns)) {
        struct soa soa = zone_version_soa(version);
        size_t offset = 0;
        struct slice rdata;
        while (rrset_next_rdata(&ns, &offset, &rdata)) {
            if (!settings->notify_to_soa && name_equal(rdata.data, soa.mname)) {
                continue; /* RFC 1996 2.1: the MNAME is the primary itself */
            }
            if (!add_own_addresses(&list, zone, settings, rdata.data) &&
                unknown_count < RESOLVER_NAMES) {
                name_copy(&unknown[unknown_count++], rdata.data);
            }
        }
    }
    zone_version_unref(version);
    /* What the resolver said before stays until it is asked again. */
    bool fresh =
        zone->sync->ns_resolved_at.ns != 0 &&
        instant_before(clock_now(), instant_add_ms(zone->sync->ns_resolved_at, RESOLVE_AGAIN_MS));
    for (size_t i = 0; i < zone->sync->target_count && unknown_count != 0; i++) {
        if (zone->sync->targets[i]->from_ns_set) {
            list_add_host(&list, zone, settings, zone->sync->targets[i]->address);
        }
    }
    replace_targets(zone, &list);
    if (unknown_count != 0 && !fresh && !zone->sync->ns_resolving) {
        struct resolved *resolved = memory_new_zeroed(1, sizeof(*resolved));
        resolved->sync = sync;
        resolved->zone = server_zone_ref(zone);
        zone->sync->ns_resolving = true;
        resolver_ask(sync->resolver, unknown, unknown_count, names_resolved, resolved);
    }
}

/* ---- sending ---- */

static void tell(struct notify_target *target, enum log_level level, const char *what)
{
    char address[ADDRESS_TEXT_SIZE], phrase[1200];
    address_format(&target->address, true, address);
    snprintf(phrase, sizeof(phrase), "zone %s: notify to %s: %s", target->zone->label, address,
             what);
    LOG_EVENT_LIMITED(target->zone->server->logging, level, LOG_NOTIFY, "notify_failed", phrase,
                      LOG_NUM("serial", target->machine.serial.value),
                      LOG_NUM("tries", target->machine.tries));
}

static void failed(struct notify_target *target, const char *why)
{
    notify_out_failed(&target->machine, clock_now());
    notify_slot_lost(&target->slot);
    if (target->told++ < TELL_FIRST) {
        tell(target, LOG_INFO, why);
    }
}

/* The target did not take the key; where `server` gives it several, the next try has the next. */
static void turn_key(struct notify_target *target)
{
    struct sync *sync = target->zone->server->sync;
    struct zone_settings *settings = server_zone_settings(target->zone);
    for (size_t i = 0; i < settings->notify_count; i++) {
        const struct remote *remote = &settings->notify[i];
        unsigned which = 0;
        if (!address_equal(&remote->address, &target->address) || remote->key_count < 2) {
            continue;
        }
        while (which < remote->key_count && target->key != NULL &&
               !name_equal(tsig_key_name(remote->keys[which]), tsig_key_name(target->key))) {
            which++;
        }
        (void)sync_key_refused(sync, remote, which);
        tsig_key_unref(target->key);
        target->key = tsig_key_ref(sync_key(sync, remote, &which));
        break;
    }
    settings_unref(settings->settings);
}

static void notify_done(void *context, struct slice reply, const struct error *failure)
{
    struct notify_target *target = context;
    struct server_zone *zone = target->zone;
    target->ask = NULL;
    unsigned rcode;
    struct error err = {0};
    if (failure != NULL) {
        if (failure->code == ERR_BAD_AUTH) {
            turn_key(target);
        }
        failed(target, failure->text);
    } else if (notify_ack_read(reply, zone->zone->name, zone->zone->class, target->id, &rcode,
                               &err) != OK) {
        failed(target, err.text);
    } else {
        struct serial announced = target->machine.in_flight;
        if (target->key != NULL) {
            key_usage_note(zone->server->key_usage, tsig_key_name(target->key), &target->address,
                           KEY_FOR_NOTIFY_OUT, clock_wall_s());
        }
        notify_out_answer(&target->machine, rcode, clock_now());
        notify_slot_answered(zone->server->sync->pace, &target->slot);
        if (rcode == RCODE_NOERROR) {
            target->told = 0;
            target->acked = announced;
            target->acked_at_s = clock_wall_s();
        } else if (target->told++ < TELL_FIRST) {
            char text[80];
            snprintf(text, sizeof(text), "answered %s; trying on", rcode_name(rcode));
            tell(target, LOG_INFO, text);
        }
    }
    sync_zone_step(zone->server->sync, zone);
}

/* Who may transfer the zone may know what its records come to. */
static bool may_know_fingerprint(const struct notify_target *target)
{
    struct zone_settings *settings = server_zone_settings(target->zone);
    struct access_subject subject = {.peer = &target->address,
                                     .key = target->key == NULL ? NULL : tsig_key_name(target->key),
                                     .transport = ANSWER_TCP};
    bool may = access_allowed(settings, ACCESS_TRANSFER, &subject, NULL, 0);
    settings_unref(settings->settings);
    return may;
}

static void send_notify(struct sync *sync, struct notify_target *target,
                        struct zone_version *version, const struct notify_send *what)
{
    ask_cancel(target->ask);
    target->ask = NULL;
    struct server_zone *zone = target->zone;
    const struct owner *apex = zone_version_apex(version);
    struct rrset rrset;
    REQUIRE(owner_find_rrset(apex, TYPE_SOA, &rrset));
    size_t offset = 0;
    struct record soa = {
        .owner = owner_name(apex), .type = TYPE_SOA, .class = zone->zone->class, .ttl = rrset.ttl};
    (void)rrset_next_rdata(&rrset, &offset, &soa.rdata);
    uint8_t buffer[1232];
    struct error err = {0};
    struct zone_fingerprint fingerprint;
    bool has_fingerprint = target->is_ours && may_know_fingerprint(target) &&
                           zone_get_fingerprint(zone->zone, &fingerprint) &&
                           serial_equal(fingerprint.serial, zone_version_serial(version));
    if (asker_draw_id(sync->asker, &target->id, &err) == OK) {
        size_t size = notify_write(
            zone->zone->name, zone->zone->class, target->id, what->with_soa ? &soa : NULL,
            has_fingerprint ? &fingerprint : NULL, buffer, sizeof(buffer), 0);
        struct ask_target to = {
            .peer = &target->address,
            .source = &target->source,
            .way = target->tls != NULL ? ASK_TLS
                   : what->tcp         ? ASK_TCP
                                       : ASK_UDP,
            .tls = target->tls,
            .padding = target->padding,
            .key = target->key,
            .stream_ms = NOTIFY_TCP_MS,
        };
        if (ask_start(sync->asker, &to, target->id, slice_of(buffer, size), notify_done, target,
                      &target->ask, &err) == OK) {
            return;
        }
    }
    failed(target, err.text);
}

void sync_notify_seen(struct server_zone *zone, struct notify_target *target, struct serial serial)
{
    notify_out_seen(&target->machine, serial);
    target->known = serial;
    target->known_at_s = clock_wall_s();
    struct zone_version *version = zone_acquire(zone->zone);
    if (version != NULL) {
        mark_behind(target, zone_version_serial(version));
    }
    zone_version_unref(version);
}

void sync_notify_publish(struct sync *sync, struct server_zone *zone, struct serial serial)
{
    struct zone_settings *settings = server_zone_settings(zone);
    sync_notify_targets(sync, zone, settings); /* the NS set may have changed with the version */
    struct instant at = notify_at(settings);
    settings_unref(settings->settings);
    if (zone->sync->target_count == 0) {
        return;
    }
    char phrase[1200];
    snprintf(phrase, sizeof(phrase), "zone %s: sending notifies (serial %u)", zone->label,
             serial.value);
    LOG_EVENT(zone->server->logging, LOG_INFO, LOG_NOTIFY, "notify_sending", phrase,
              LOG_NUM("targets", zone->sync->target_count));
    for (size_t i = 0; i < zone->sync->target_count; i++) {
        zone->sync->targets[i]->told = 0;
        zone->sync->targets[i]->is_first = zone->sync->targets[i]->fresh;
        zone->sync->targets[i]->fresh = false;
        mark_behind(zone->sync->targets[i], serial);
        notify_out_publish(&zone->sync->targets[i]->machine, serial, at);
    }
}

void sync_notify_look_again(struct sync *sync, struct server_zone *zone)
{
    struct zone_settings *settings = server_zone_settings(zone);
    if (settings->notify_mode == NOTIFY_ON || settings->notify_mode == NOTIFY_PRIMARY_ONLY) {
        sync_notify_targets(sync, zone, settings);
        publish_to_fresh(zone, settings);
        sync_zone_step(sync, zone);
    }
    settings_unref(settings->settings);
}

/* notify-rate and startup-notify-rate, which a message that waits in line already paid. */
static bool may_send(struct sync *sync, struct notify_target *target, struct instant now,
                     struct instant *out_later)
{
    if (target->slot.is_held || target->slot.is_queued) {
        return true;
    }
    struct zone_settings *settings = server_zone_settings(target->zone);
    bool may =
        target->is_first
            ? send_rate_take(&sync->first_notifies, settings->settings->startup_notify_rate, now,
                             out_later)
            : send_rate_take(&sync->notifies, settings->settings->notify_rate, now, out_later);
    settings_unref(settings->settings);
    return may;
}

struct instant sync_notify_step(struct sync *sync, struct server_zone *zone, struct instant now)
{
    struct instant next = INSTANT_NEVER;
    struct zone_version *version = NULL;
    for (size_t i = 0; i < zone->sync->target_count; i++) {
        struct notify_target *target = zone->sync->targets[i];
        struct notify_send what;
        bool due = !instant_before(now, notify_out_deadline(&target->machine));
        struct instant later;
        if (due && !target->machine.waiting && !may_send(sync, target, now, &later)) {
            next = instant_min(next, later);
            continue;
        }
        if (due && target->machine.waiting) {
            notify_slot_lost(&target->slot);
        } else if (due && !notify_slot_take(&target->slot)) {
            continue; /* its turn comes by sync_notify_turn */
        }
        while (notify_out_step(&target->machine, now, &what)) {
            if (version == NULL) {
                version = zone_acquire(zone->zone);
            }
            if (version == NULL) {
                break; /* expired or never loaded: nothing to tell of */
            }
            send_notify(sync, target, version, &what);
        }
        if (!target->machine.waiting) {
            notify_slot_release(sync->pace, &target->slot);
        }
        next = instant_min(next, notify_out_deadline(&target->machine));
    }
    zone_version_unref(version);
    return next;
}

void sync_notify_turn(void *context)
{
    struct notify_target *target = context;
    struct server_zone *zone = target->zone;
    loop_timer_set(zone->server->sync->loop, &zone->sync->timer, clock_now());
}

void sync_notify_forget(struct server_zone *zone)
{
    struct target_list none = {0};
    replace_targets(zone, &none);
}
