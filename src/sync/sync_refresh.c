/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The refresh machine of a secondary zone (xfr/refresh.h) carried out: it is made for a list of
 * primaries, asked what to do, and told what came of it. SOA queries leave from here; transfers are
 * handed to transfer_in.h, which answers through sync_transfer_ended.
 */
#include <stdio.h>

#include "accounts/key_usage.h"
#include "base/hash.h"
#include "base/memory.h"
#include "hub/server.h"
#include "sync/sync_impl.h"
#include "sync/sync_proof.h"
#include "sync/transfer_in.h"
#include "xfr/soa_query.h"
#include "zones/zone_copy.h"

enum { SOA_TCP_MS = 10000, COOKIE_ROOM = 40 };

/* A primary answered: how long the copy is good is to be known after a crash as well. */
void sync_refresh_contacted(struct server_zone *zone)
{
    int64_t left_ms = instant_ms_until(clock_now(), refresh_status(zone->sync->refresh).expires_at);
    int64_t now_s = clock_wall_s();
    struct zone_timers timers = {
        .contact_s = now_s, .expires_s = left_ms == INT64_MAX ? now_s : now_s + left_ms / 1000};
    zone_history_put_timers(zone, &timers);
    zone_copy_contacted(zone);
}

/* The answer was signed by it, or it would not have come this far. */
static void note_key(struct server_zone *zone, uint32_t primary)
{
    struct zone_settings *settings = server_zone_settings(zone);
    if (primary < settings->primary_count) {
        const struct remote *asked = &settings->primaries[primary];
        struct tsig_key *key =
            zone->sync->soa_key < asked->key_count ? asked->keys[zone->sync->soa_key] : NULL;
        key_usage_note(zone->server->key_usage, key == NULL ? NULL : tsig_key_name(key),
                       &asked->address, KEY_FOR_REFRESH, clock_wall_s());
    }
    settings_unref(settings->settings);
}

struct tsig_key *sync_key(struct sync *sync, const struct remote *remote, unsigned *out_which)
{
    *out_which =
        remote->key_count < 2
            ? 0
            : peer_health_key(peer_book_get(sync->peers, &remote->address), remote->key_count);
    return remote->key_count == 0 ? NULL : remote->keys[*out_which];
}

bool sync_key_refused(struct sync *sync, const struct remote *remote, unsigned which)
{
    if (remote->key_count < 2) {
        return false;
    }
    peer_health_key_refused(peer_book_get(sync->peers, &remote->address), which, remote->key_count);
    return true;
}

void sync_refresh_key_refused(struct server_zone *zone, const struct address *peer, unsigned which)
{
    struct zone_settings *settings = server_zone_settings(zone);
    for (size_t i = 0; i < settings->primary_count; i++) {
        if (address_equal(&settings->primaries[i].address, peer)) {
            (void)sync_key_refused(zone->server->sync, &settings->primaries[i], which);
            break;
        }
    }
    settings_unref(settings->settings);
}

/* Writes the cookie for a question to this primary (RFC 7873 4.1: by both addresses); returns its
 * size, 0 where it gets none. Over TCP and TLS nobody else could answer. */
static size_t make_cookie(struct sync *sync, struct server_zone *zone, const struct remote *primary,
                          bool over_udp, uint8_t out[COOKIE_ROOM])
{
    struct sync_zone *state = zone->sync;
    uint8_t addresses[2 * sizeof(primary->address.bytes)];
    state->soa_has_cookie = over_udp && state->soa_edns && !primary->no_cookie;
    if (!state->soa_has_cookie) {
        return 0;
    }
    memcpy(addresses, primary->source.bytes, sizeof(primary->source.bytes));
    memcpy(addresses + sizeof(primary->source.bytes), primary->address.bytes,
           sizeof(primary->address.bytes));
    siphash24(sync->cookie_secret, slice_of(addresses, sizeof(addresses)), state->soa_cookie);
    struct slice theirs = peer_health_cookie(peer_book_get(sync->peers, &primary->address));
    memcpy(out, state->soa_cookie, SIPHASH_SIZE);
    if (theirs.size != 0) {
        memcpy(out + SIPHASH_SIZE, theirs.data, theirs.size);
    }
    return SIPHASH_SIZE + theirs.size;
}

static void query_soa(struct sync *sync, struct server_zone *zone,
                      const struct zone_settings *settings, const struct refresh_action *action);

/* The primary did not take the key of the SOA query. True: it is asked again with another one, and
 * the machine need not know. */
static bool ask_with_next_key(struct server_zone *zone)
{
    struct sync_zone *state = zone->sync;
    struct sync *sync = zone->server->sync;
    struct zone_settings *settings = server_zone_settings(zone);
    bool asks = false;
    if (state->soa_primary < settings->primary_count) {
        const struct remote *primary = &settings->primaries[state->soa_primary];
        asks = sync_key_refused(sync, primary, state->soa_key) &&
               ++state->soa_keys_tried < primary->key_count;
    }
    if (asks) {
        struct refresh_action again = {.kind = REFRESH_QUERY_SOA,
                                       .ticket = state->soa_ticket,
                                       .primary = state->soa_primary,
                                       .tcp = state->soa_tcp,
                                       .edns = state->soa_edns};
        query_soa(sync, zone, settings, &again);
    }
    settings_unref(settings->settings);
    return asks;
}

/* What the primary wants to see next time. */
static void note_cookie(struct server_zone *zone, const struct soa_answer *answer)
{
    struct zone_settings *settings = server_zone_settings(zone);
    uint32_t primary = zone->sync->soa_primary;
    if (answer->server_cookie.size != 0 && primary < settings->primary_count) {
        peer_health_note_cookie(
            peer_book_get(zone->server->sync->peers, &settings->primaries[primary].address),
            answer->server_cookie);
    }
    settings_unref(settings->settings);
}

static void soa_done(void *context, struct slice reply, const struct error *failure)
{
    struct server_zone *zone = context;
    struct sync *sync = zone->server->sync;
    struct sync_zone *state = zone->sync;
    struct instant now = clock_now();
    state->soa_ask = NULL;
    struct error err = {0};
    struct soa_answer answer = {0};
    struct soa_query query = {
        .zone = zone->zone->name,
        .class = zone->zone->class,
        .id = state->soa_id,
        .with_edns = state->soa_edns,
        .no_expire = state->soa_no_expire,
        .cookie = slice_of(state->soa_cookie, state->soa_has_cookie ? SIPHASH_SIZE : 0),
    };
    if (failure != NULL && failure->code == ERR_BAD_AUTH && ask_with_next_key(zone)) {
        return;
    }
    if (failure != NULL) {
        bool answered = failure->code == ERR_BAD_AUTH || failure->code == ERR_FORMAT;
        refresh_soa_failed(state->refresh, state->soa_ticket,
                           answered ? REFRESH_FAILED : REFRESH_UNREACHABLE, failure->text, now);
    } else if (soa_answer_read(&query, reply, &answer, &err) != OK) {
        note_cookie(zone, &answer);
        refresh_soa_failed(state->refresh, state->soa_ticket,
                           answer.truncated || answer.bad_cookie ? REFRESH_TRUNCATED
                           : answer.no_edns                      ? REFRESH_NO_EDNS
                           : answer.foreign_cookie               ? REFRESH_UNREACHABLE
                                                                 : REFRESH_FAILED,
                           err.text, now);
    } else {
        struct refresh_contact contact = {.serial = answer.serial,
                                          .has_expire = answer.has_expire_option,
                                          .expire_s = answer.expire_option_s};
        note_key(zone, state->soa_primary);
        note_cookie(zone, &answer);
        refresh_soa_answered(state->refresh, state->soa_ticket, &contact, now);
        sync_refresh_contacted(zone);
        if (answer.has_fingerprint) {
            sync_proof_shown(zone, state->soa_primary, &answer.fingerprint, now);
        }
    }
    sync_zone_step(sync, zone);
}

static void query_soa(struct sync *sync, struct server_zone *zone,
                      const struct zone_settings *settings, const struct refresh_action *action)
{
    struct sync_zone *state = zone->sync;
    const struct remote *primary = &settings->primaries[action->primary];
    ask_cancel(state->soa_ask);
    state->soa_ask = NULL;
    state->soa_keys_tried = state->soa_ticket == action->ticket ? state->soa_keys_tried : 0;
    state->soa_ticket = action->ticket;
    state->soa_tcp = action->tcp;
    state->soa_edns = action->edns && !primary->no_edns;
    state->soa_no_expire = primary->no_expire;
    state->soa_primary = action->primary;
    uint8_t buffer[600];
    unsigned which = 0;
    struct error err = {0};
    if (asker_draw_id(sync->asker, &state->soa_id, &err) == OK) {
        struct soa_query query = {.zone = zone->zone->name,
                                  .class = zone->zone->class,
                                  .id = state->soa_id,
                                  .with_edns = state->soa_edns,
                                  .no_expire = state->soa_no_expire,
                                  .udp_size = primary->udp_size};
        uint8_t cookie[COOKIE_ROOM];
        bool over_udp = primary->tls == NULL && !action->tcp && !primary->tcp_only;
        query.cookie = slice_of(cookie, make_cookie(sync, zone, primary, over_udp, cookie));
        size_t size = soa_query_write(&query, buffer, sizeof(buffer));
        struct ask_target target = {
            .peer = &primary->address,
            .source = &primary->source,
            .way = primary->tls != NULL               ? ASK_TLS
                   : action->tcp || primary->tcp_only ? ASK_TCP
                                                      : ASK_UDP,
            .tls = primary->tls,
            .padding = primary->padding,
            .key = sync_key(sync, primary, &which),
            .stream_ms = SOA_TCP_MS,
        };
        state->soa_key = (uint8_t)which;
        if (ask_start(sync->asker, &target, state->soa_id, slice_of(buffer, size), soa_done, zone,
                      &state->soa_ask, &err) == OK) {
            return;
        }
    }
    refresh_soa_failed(state->refresh, action->ticket, REFRESH_UNREACHABLE, err.text, clock_now());
}

static void expire(struct server_zone *zone)
{
    atomic_store_explicit(&zone->zone->state, ZONE_EXPIRED, memory_order_release);
    char phrase[1200];
    snprintf(phrase, sizeof(phrase), "zone %s: expired", zone->label);
    LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_GENERAL, "zone_expired", phrase,
              LOG_KEY("action", "answering SERVFAIL until a primary is reached"));
}

/* A primary was reached and has what we have: the copy is good again. */
static void revive(struct server_zone *zone)
{
    uint8_t expired = ZONE_EXPIRED;
    if (atomic_compare_exchange_strong(&zone->zone->state, &expired, ZONE_SERVING)) {
        char phrase[1200];
        snprintf(phrase, sizeof(phrase), "zone %s: no longer expired", zone->label);
        LOG_EVENT(zone->server->logging, LOG_INFO, LOG_GENERAL, "zone_revived", phrase,
                  LOG_KEY("action", "answering again"));
    }
}

/* Rounds fail inside events (a reply, a time-out), so what was told before is kept beside. */
static void log_failure(struct server_zone *zone, const struct zone_settings *settings)
{
    struct refresh_status after = refresh_status(zone->sync->refresh);
    bool is_known = after.failed_rounds == zone->sync->told_rounds;
    zone->sync->told_rounds = after.failed_rounds;
    if (after.last_error[0] == '\0' || after.failed_rounds == 0 || is_known) {
        return;
    }
    char address[ADDRESS_TEXT_SIZE], phrase[1200];
    uint32_t primary =
        after.last_error_primary < settings->primary_count ? after.last_error_primary : 0;
    address_format(&settings->primaries[primary].address, true, address);
    int64_t next_ms = instant_ms_until(clock_now(), after.next_at);
    snprintf(phrase, sizeof(phrase), "zone %s: refresh: failure trying primary %s: %s", zone->label,
             address, after.last_error);
    LOG_EVENT_LIMITED(zone->server->logging, LOG_WARNING, LOG_GENERAL, "refresh_failed", phrase,
                      LOG_NUM("failed_rounds", after.failed_rounds),
                      LOG_NUM("next_try_s", next_ms == INT64_MAX ? -1 : next_ms / 1000));
}

static void start_transfer(struct sync *sync, struct server_zone *zone,
                           const struct zone_settings *settings,
                           const struct refresh_action *action)
{
    unsigned which;
    struct tsig_key *key = sync_key(sync, &settings->primaries[action->primary], &which);
    transfer_in_start(sync->server->transfers, zone, action, key, which);
}

struct instant sync_refresh_step(struct sync *sync, struct server_zone *zone,
                                 const struct zone_settings *settings)
{
    struct refresh *refresh = zone->sync->refresh;
    struct instant later;
    for (;;) {
        struct refresh_action action = refresh_step(refresh, clock_now());
        switch (action.kind) {
        case REFRESH_WAIT: {
            log_failure(zone, settings);
            struct refresh_status status = refresh_status(refresh);
            if (status.has_copy && !status.expired) {
                revive(zone);
            }
            int64_t left_ms = instant_ms_until(clock_now(), status.expires_at);
            atomic_store_explicit(
                &zone->zone->expires_at_s,
                left_ms == INT64_MAX ? 0 : (uint64_t)(clock_wall_s() + left_ms / 1000),
                memory_order_relaxed);
            return refresh_deadline(refresh);
        }
        case REFRESH_QUERY_SOA:
            if (!send_rate_take(&sync->soa_queries, settings->settings->serial_query_rate,
                                clock_now(), &later)) {
                refresh_put_off(refresh, action.ticket);
                return instant_min(later, refresh_status(refresh).expires_at);
            }
            query_soa(sync, zone, settings, &action);
            break;
        case REFRESH_TRANSFER:
            start_transfer(sync, zone, settings, &action);
            break;
        case REFRESH_EXPIRE:
            expire(zone);
            break;
        }
    }
}

uint64_t sync_primaries_mark(const struct zone_settings *settings)
{
    uint64_t mark = hash_bytes(1, &settings->refresh, sizeof(settings->refresh));
    for (size_t i = 0; i < settings->primary_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(&settings->primaries[i].address, true, text);
        mark = hash_bytes(mark, text, strlen(text));
        address_format(&settings->primaries[i].source, true, text);
        mark = hash_bytes(mark, text, strlen(text));
        const char *key = settings->primaries[i].key;
        mark = key == NULL ? mark : hash_bytes(mark, key, strlen(key));
        const char *tls =
            settings->primaries[i].tls == NULL ? "" : tls_context_name(settings->primaries[i].tls);
        mark = hash_bytes(mark, tls, strlen(tls));
    }
    return mark;
}

struct refresh_soa sync_refresh_soa(struct zone_version *version)
{
    struct soa soa = zone_version_soa(version);
    return (struct refresh_soa){.serial = soa.serial,
                                .refresh_s = soa.refresh_s,
                                .retry_s = soa.retry_s,
                                .expire_s = soa.expire_s};
}

void sync_refresh_configure(struct server_zone *zone, const struct zone_settings *settings,
                            int64_t expires_in_s, int64_t refresh_in_s)
{
    struct sync_zone *state = zone->sync;
    uint64_t mark = sync_primaries_mark(settings);
    struct instant now = clock_now();
    struct instant expires_at = instant_add_ms(now, expires_in_s * 1000);
    struct instant refresh_at = instant_add_ms(now, refresh_in_s * 1000);
    if (state->refresh != NULL) {
        if (state->primaries_mark == mark) {
            return;
        }
        expires_at = refresh_status(state->refresh).expires_at;
        refresh_at = now;
        ask_cancel(state->soa_ask);
        state->soa_ask = NULL;
        refresh_free(state->refresh);
    }
    memory_free(state->proof);
    state->proof = NULL;
    state->refresh = refresh_new(&settings->refresh, (uint32_t)settings->primary_count,
                                 hash_bytes(zone->zone->hash, "refresh", 7));
    state->primaries_mark = mark;
    for (size_t i = 0; i < settings->primary_count; i++) {
        refresh_set_health(
            state->refresh, (uint32_t)i,
            peer_book_get(zone->server->sync->peers, &settings->primaries[i].address));
        if (settings->primaries[i].tls != NULL) {
            refresh_set_tls(state->refresh, (uint32_t)i);
        }
    }
    struct zone_version *version = zone_acquire(zone->zone);
    if (version != NULL) {
        struct refresh_soa soa = sync_refresh_soa(version);
        refresh_start(state->refresh, &soa, expires_at, refresh_at, now);
    } else {
        refresh_start(state->refresh, NULL, now, now, now);
    }
    zone_version_unref(version);
}
