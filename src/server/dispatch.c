/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOTIFY is answered at once and handed to the sync thread. UPDATE is refused at once or answered
 * later (update.c). A signed message is verified before anything else is done, and what answers it is signed.
 * Transfers over UDP: AXFR is FORMERR (RFC 5936 4.2). IXFR gets its differences where they are at
 * hand in memory and fit the datagram, else the one SOA that sends the client to TCP (RFC 1995 2).
 *
 * Refusals name the rule that decided, in the log, at a bounded rate.
 */
#include "server/dispatch.h"

#include <stdio.h>

#include "accounts/replay.h"
#include "base/clock.h"
#include "hub/server.h"
#include "request/signature.h"
#include "settings/access.h"
#include "sync/sync.h"
#include "update/update.h"
#include "xfr/fingerprint_option.h"
#include "xfr/ixfr_condense.h"
#include "xfr/ixfr_out.h"
#include "xfr/notify_in.h"
#include "zones/zones.h"

/* Somebody who has the zone's copy, or is told of its changes. */
static bool is_peer(const struct zone_settings *settings, const struct access_subject *subject)
{
    for (size_t i = 0; i < settings->notify_count; i++) {
        if (address_same_host(&settings->notify[i].address, subject->peer)) {
            return true;
        }
    }
    return access_allowed(settings, ACCESS_TRANSFER, subject, NULL, 0);
}

/* hidden-primary: secondaries ask for the SOA before they transfer; nobody else asks here. */
static bool is_refresh(const struct zone *zone, const struct answer_query *query)
{
    return query->query.qtype == TYPE_SOA && name_equal(query->query.qname, zone->name);
}

static bool may_query(void *context, const struct zone *zone, const struct answer_query *query)
{
    (void)context;
    const struct server_zone *own = zone->context;
    struct access_subject subject = {.peer = query->peer,
                                     .key = query->key,
                                     .transport = query->transport,
                                     .tls_names = query->tls_names};
    const struct zone_settings *settings =
        atomic_load_explicit(&own->settings, memory_order_acquire);
    return access_allowed(settings, ACCESS_QUERY, &subject, NULL, 0) &&
           (settings->allow_query_on == NULL || access_allowed_on(settings, query->local)) &&
           (!settings->is_hidden || (is_refresh(zone, query) && is_peer(settings, &subject)));
}

/* Whoever may have the records may know what they come to; others could test guesses by it. */
static bool may_know_fingerprint(void *context, const struct zone *zone,
                                 const struct answer_query *query)
{
    (void)context;
    const struct server_zone *own = zone->context;
    struct access_subject subject = {.peer = query->peer,
                                     .key = query->key,
                                     .transport = query->transport,
                                     .tls_names = query->tls_names,
                                     .local_port = query->local == NULL ? 0 : query->local->port};
    return access_allowed(atomic_load_explicit(&own->settings, memory_order_acquire),
                          ACCESS_TRANSFER, &subject, NULL, 0);
}

void dispatch_prepare_settings(struct settings *settings)
{
    settings->answer.allow_fingerprint = may_know_fingerprint;
    settings->answer.allow_query = settings->anybody_may_query ? NULL : may_query;
}

static struct access_subject subject_of(const struct answer_query *query,
                                        const struct request_origin *origin)
{
    return (struct access_subject){.peer = &origin->peer,
                                   .key = query->key,
                                   .transport = query->transport,
                                   .tls_names = query->tls_names,
                                   .local_port = origin->local.port};
}

static void reply_rcode(struct answer_query *query, unsigned rcode)
{
    struct xfr_request request = request_echo(query);
    query->rcode = (uint16_t)rcode;
    query->response_size = xfr_refusal_write(&request, rcode, EDE_NONE, "", query->out,
                                             query->out_size, query->reserve);
}

/* A copy of a signed NOTIFY that was acted upon. */
static bool is_replay(const struct request_scope *scope, const struct tsig *tsig, const char *label,
                      const char *from)
{
    unsigned rcode;
    char phrase[1400];
    if (tsig->key == NULL ||
        replay_begin(scope->server->replay, slice_of(tsig->mac, tsig->mac_size),
                     (int64_t)tsig->time_s + tsig->fudge_s, scope->wall_s, &rcode) == REPLAY_NEW) {
        return false;
    }
    snprintf(phrase, sizeof(phrase),
             "zone %s: notify from %s: a copy of a message that came before: not acted upon again",
             label, from);
    LOG_EVENT_LIMITED(scope->server->logging, LOG_INFO, LOG_NOTIFY, "message_replayed", phrase,
                      LOG_KEY("first", "answered"));
    return true;
}

static void handle_notify(const struct request_scope *scope, struct answer_query *query,
                          const struct request_origin *origin, const struct tsig *tsig)
{
    struct server *server = scope->server;
    struct notify_in notify;
    struct error err = {0};
    unsigned rcode = RCODE_NOERROR;
    char from[ADDRESS_TEXT_SIZE], phrase[1400], name[NAME_TEXT_SIZE];
    address_format(&origin->peer, true, from);
    if (notify_in_read(query->message, &notify, &rcode, &err) != OK) {
        query->response_size =
            notify_in_reply(&notify, rcode, query->out, query->out_size, query->reserve);
        return;
    }
    struct server_zone *zone = query->zone == NULL ? NULL : query->zone->context;
    if (zone == NULL || !name_equal(query->zone->name, notify.question.name.wire)) {
        snprintf(phrase, sizeof(phrase), "received notify for zone '%s': not authoritative",
                 name_format_log(notify.question.name.wire, name));
        LOG_EVENT_LIMITED(server->logging, LOG_INFO, LOG_NOTIFY, "notify_unknown_zone", phrase,
                          LOG_KEY("peer", from));
        query->response_size =
            notify_in_reply(&notify, RCODE_NOTAUTH, query->out, query->out_size, query->reserve);
        return;
    }
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    struct access_subject subject = subject_of(query, origin);
    char rule[300];
    if (settings->role != ROLE_SECONDARY ||
        !access_allowed(settings, ACCESS_NOTIFY, &subject, rule, sizeof(rule))) {
        if (settings->role != ROLE_SECONDARY) {
            snprintf(rule, sizeof(rule), "this server is the primary");
        }
        atomic_fetch_add_explicit(&server->counters.notifies_refused, 1, memory_order_relaxed);
        snprintf(phrase, sizeof(phrase), "zone %s: refused notify from non-primary: %s",
                 zone->label, from);
        LOG_EVENT_LIMITED(server->logging, LOG_INFO, LOG_NOTIFY, "notify_refused", phrase,
                          LOG_KEY("rule", rule));
        query->response_size =
            notify_in_reply(&notify, RCODE_REFUSED, query->out, query->out_size, query->reserve);
        return;
    }
    if (is_replay(scope, tsig, zone->label, from)) {
        query->response_size =
            notify_in_reply(&notify, RCODE_NOERROR, query->out, query->out_size, query->reserve);
        return;
    }
    if (notify.has_serial) {
        snprintf(phrase, sizeof(phrase), "zone %s: notify from %s: serial %u", zone->label, from,
                 notify.serial.value);
    } else {
        snprintf(phrase, sizeof(phrase), "zone %s: notify from %s: no serial", zone->label, from);
    }
    LOG_EVENT_LIMITED(server->logging, LOG_INFO, LOG_NOTIFY, "notify_received", phrase,
                      LOG_KEY("rule", rule));
    uint32_t quota = settings->settings->limits.notify_quota;
    bool taken = sync_notified(server->sync, zone, &origin->peer, &notify, quota);
    if (tsig->key != NULL) {
        replay_end(server->replay, slice_of(tsig->mac, tsig->mac_size), RCODE_NOERROR, taken);
    }
    if (!taken) {
        atomic_fetch_add_explicit(&server->counters.notifies_limited, 1, memory_order_relaxed);
        snprintf(phrase, sizeof(phrase),
                 "zone %s: notify from %s: too many NOTIFYs queued (SERVFAIL)", zone->label, from);
        LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_NOTIFY, "notify_quota", phrase,
                          LOG_NUM("notify-quota", quota));
    }
    query->response_size = notify_in_reply(&notify, taken ? RCODE_NOERROR : RCODE_SERVFAIL,
                                           query->out, query->out_size, query->reserve);
}

static void handle_update(const struct request_scope *scope, struct answer_query *query,
                          const struct request_origin *origin, const struct tsig *tsig)
{
    int rcode = update_handle(scope, query, origin, tsig);
    if (rcode != UPDATE_TAKEN) {
        reply_rcode(query, (unsigned)rcode);
    }
}

/* IXFR over UDP: a chain that weighs more than this would not fit, however it is compressed. */
enum { DATAGRAM_CHAIN_BYTES = 16384 };

static size_t datagram_size(const struct request_scope *scope, const struct answer_query *query,
                            const struct xfr_request *request)
{
    size_t ours = scope->answer->udp_size == 0 ? 1232 : scope->answer->udp_size;
    size_t size = request->udp_size < ours ? request->udp_size : ours;
    size = size < 512 ? 512 : size;
    return size < query->out_size ? size : query->out_size;
}

static void handle_transfer_datagram(const struct request_scope *scope, struct answer_query *query,
                                     const struct request_origin *origin)
{
    struct xfr_request request;
    struct error err = {0};
    unsigned rcode = RCODE_FORMERR;
    if (query->query.qtype == TYPE_AXFR ||
        xfr_request_read(query->message, &request, &rcode, &err) != OK) {
        reply_rcode(query, rcode);
        return;
    }
    struct server_zone *zone = query->zone == NULL ? NULL : query->zone->context;
    struct zone_version *version =
        zone == NULL ? NULL : atomic_load_explicit(&zone->zone->current, memory_order_acquire);
    if (version == NULL || atomic_load(&zone->zone->state) != ZONE_SERVING) {
        reply_rcode(query, zone == NULL ? RCODE_NOTAUTH : RCODE_SERVFAIL);
        return;
    }
    struct access_subject subject = subject_of(query, origin);
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    char rule[300];
    if (!access_allowed(settings, ACCESS_TRANSFER, &subject, rule, sizeof(rule))) {
        char phrase[1400], from[ADDRESS_TEXT_SIZE], name[NAME_TEXT_SIZE];
        atomic_fetch_add_explicit(&scope->server->counters.transfers_refused, 1,
                                  memory_order_relaxed);
        snprintf(phrase, sizeof(phrase), "client %s (%s): zone transfer '%s/IXFR/IN' denied",
                 address_format(&origin->peer, true, from),
                 name_format_log(query->zone->name, name), name);
        LOG_EVENT_LIMITED(scope->server->logging, LOG_ERROR, LOG_SECURITY, "transfer_refused",
                          phrase, LOG_KEY("rule", rule));
        reply_rcode(query, RCODE_REFUSED);
        return;
    }
    struct ledger_chain chain = {0};
    struct chunk *condensed = NULL;
    bool is_behind = serial_before(request.serial, zone_version_serial(version));
    bool has_chain = is_behind && settings->provide_ixfr &&
                     ledger_history_at_hand(zone->history, request.serial, DATAGRAM_CHAIN_BYTES,
                                            &chain, NULL) == OK;
    if (has_chain && !serial_equal(chain.to, zone_version_serial(version))) {
        ledger_chain_deinit(&chain); /* the zone has just moved on */
        has_chain = false;
    }
    if (has_chain) {
        condensed = ixfr_condense(zone->zone->name, zone->zone->class, chain.chunks, chain.count);
    }
    uint8_t option[FINGERPRINT_OPTION_WIRE_SIZE];
    struct zone_fingerprint fingerprint;
    struct slice options = slice_of(NULL, 0);
    if (request.wants_fingerprint && zone_fingerprint_of(zone->zone, version, &fingerprint)) {
        options = fingerprint_option_write(option, &fingerprint);
    }
    struct ixfr_out *out =
        condensed != NULL ? ixfr_out_new(version, &condensed, 1, &request, options, 0)
                          : ixfr_out_new(version, chain.chunks, chain.count, &request, options, 0);
    bool fits;
    query->response_size = ixfr_out_datagram(out, query->out, datagram_size(scope, query, &request),
                                             query->reserve, &fits);
    ixfr_out_free(out);
    chunk_unref(condensed);
    ledger_chain_deinit(&chain);
    if (is_behind && !has_chain && query->response_size >= 4) {
        query->out[2] |= FLAG_TC >> 8; /* there is more, over TCP */
    }
}

/* What is left once the request is known to be unsigned or well signed. */
static void handle(const struct request_scope *scope, struct answer_query *query,
                   const struct request_origin *origin, const struct tsig *tsig)
{
    switch (query->disposition) {
    case ANSWER_NOTIFY:
        handle_notify(scope, query, origin, tsig);
        return;
    case ANSWER_UPDATE:
        handle_update(scope, query, origin, tsig);
        return;
    case ANSWER_TSIG:
        answer_batch(scope->answer, scope->zones, scope->wall_s, query, 1);
        return;
    case ANSWER_XFR:
        handle_transfer_datagram(scope, query, origin);
        return;
    case ANSWER_SEND:
    case ANSWER_DROP:
        return;
    }
}

/* For those who count: NOTIFY and IXFR are answered by writers that know no query. */
static void note_response(struct answer_query *query)
{
    if (query->response_size >= MESSAGE_HEADER_SIZE && query->disposition != ANSWER_SEND) {
        uint16_t flags = get_u16(query->out + 2);
        query->rcode = flags & 15;
        query->truncated = (flags & FLAG_TC) != 0;
    }
}

void dispatch_request(const struct request_scope *scope, struct answer_query *query,
                      const struct request_origin *origin)
{
    struct tsig tsig;
    query->response_size = 0;
    if (signature_verify(scope, query, origin, &tsig)) {
        handle(scope, query, origin, &tsig);
        note_response(query);
        signature_add(scope, query, &tsig);
    }
}
