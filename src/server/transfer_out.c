/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outgoing transfers. The decision (address, key, rule) comes before any quota is used, so that
 * strangers cannot starve partners. A transfer holds its version until it ends: a newer one that is
 * published meanwhile does not disturb it. Nor does a reload: a transfer that was asked for with a
 * key is signed with it to the end, every message (RFC 8945 5.3.1).
 *
 * What clients of one version have in common is rendered once (xfr/axfr_cache.h) and goes out from
 * where it lies; only messages that are signed are put together in memory first.
 */
#include "server/transfer_out.h"

#include <stdio.h>

#include "accounts/prefix_count.h"
#include "base/memory.h"
#include "hub/server.h"
#include "request/signature.h"
#include "settings/access.h"
#include "sync/sync.h"
#include "xfr/axfr_out.h"
#include "xfr/fingerprint_option.h"
#include "xfr/ixfr_condense.h"
#include "xfr/ixfr_out.h"
#include "zones/zones.h"

enum { CHAIN_TRIES = 4 };

struct transfer_out {
    struct server *server;
    struct server_zone *zone; /* a reference */
    struct axfr_out *axfr;    /* one of these two */
    bool is_shared;           /* axfr: its records are those of other clients too */
    struct ixfr_out *ixfr;
    struct ledger_chain chain;       /* what ixfr borrows */
    struct instant started, ends_at; /* max-transfer-time-out */
    uint32_t idle_ms;
    struct serial serial;
    bool shows_serial; /* the client told what it has, and sync does not know yet */
    struct serial shown;
    bool is_ours; /* the client asked for the fingerprint */
    uint8_t options[FINGERPRINT_OPTION_WIRE_SIZE + KEEPALIVE_OPTION_SIZE];
    const char *form;
    struct address peer;
    bool is_tls;
    uint16_t padding; /* of messages that are this client's alone; 0: none */
    struct tsig tsig; /* with a reference on its key, or without one */
    char client[ADDRESS_TEXT_SIZE + SIGNER_TEXT_SIZE];
};

static void refuse(const struct request_scope *scope, struct answer_query *query,
                   const struct request_origin *origin, const struct xfr_request *request,
                   unsigned rcode, int ede, const char *why)
{
    char from[ADDRESS_TEXT_SIZE], signer[SIGNER_TEXT_SIZE], name[NAME_TEXT_SIZE], phrase[3700];
    name_format_log(request->question.name.wire, name);
    snprintf(phrase, sizeof(phrase), "client %s%s (%s): zone transfer '%s/%s/IN' denied",
             address_format(&origin->peer, true, from), signer_format(query->key, signer), name,
             name, request->question.type == TYPE_IXFR ? "IXFR" : "AXFR");
    atomic_fetch_add_explicit(&scope->server->counters.transfers_refused, 1, memory_order_relaxed);
    LOG_EVENT_LIMITED(scope->server->logging, LOG_ERROR, LOG_SECURITY, "transfer_refused", phrase,
                      LOG_KEY("rcode", rcode_name(rcode)), LOG_KEY("rule", why));
    query->rcode = (uint16_t)rcode;
    query->response_size =
        xfr_refusal_write(request, rcode, ede, "", query->out, query->out_size, query->reserve);
}

/* Places are taken once the rule has said yes; which limit stood in the way, or NULL. */
static const char *take_places(struct server *server, const struct limits *limits,
                               struct server_zone *zone, const struct prefix *client)
{
    _Atomic uint32_t *running = &server->counters.transfers_out_running;
    if (atomic_fetch_add(running, 1) >= limits->transfers_out) {
        atomic_fetch_sub(running, 1);
        return "transfers-out is reached";
    }
    if (atomic_fetch_add(&zone->transfers_out, 1) >= limits->transfers_out_per_zone) {
        atomic_fetch_sub(&zone->transfers_out, 1);
        atomic_fetch_sub(running, 1);
        return "transfers-out-per-zone is reached";
    }
    if (!prefix_count_take(server->transfer_clients, client, limits->transfers_out_per_client)) {
        atomic_fetch_sub(&zone->transfers_out, 1);
        atomic_fetch_sub(running, 1);
        return "transfers-out-per-client is reached";
    }
    return NULL;
}

static void give_places(struct server *server, struct server_zone *zone,
                        const struct prefix *client)
{
    prefix_count_release(server->transfer_clients, client);
    atomic_fetch_sub(&zone->transfers_out, 1);
    atomic_fetch_sub(&server->counters.transfers_out_running, 1);
}

static void log_started(const struct transfer_out *transfer)
{
    char phrase[2600];
    snprintf(phrase, sizeof(phrase), "client %s: transfer of '%s': %s started (serial %u)",
             transfer->client, transfer->zone->label, transfer->form, transfer->serial.value);
    LOG_EVENT(transfer->server->logging, LOG_DEBUG, LOG_XFER_OUT, "transfer_out_started", phrase,
              LOG_KEY("form", transfer->form));
}

/* Whoever is several versions behind gets one step, where that is less. */
static void condense(const struct zone *zone, struct ledger_chain *chain)
{
    struct chunk *condensed = ixfr_condense(zone->name, zone->class, chain->chunks, chain->count);
    if (condensed != NULL) {
        struct chunk **chunks = memory_new(sizeof(struct chunk *));
        chunks[0] = condensed;
        ledger_chain_deinit(chain);
        *chain = (struct ledger_chain){.chunks = chunks,
                                       .count = 1,
                                       .bytes = condensed->size,
                                       .from = condensed->from,
                                       .to = condensed->to};
    }
}

/*
 * The differences from the client's serial to *version, where history reaches back and they are not
 * larger than max-ixfr-ratio of the zone. The chain may end at a version that was published after
 * ours was taken: then ours is taken again.
 */
static bool find_differences(struct server_zone *zone, struct zone_version **version,
                             const struct zone_settings *settings, struct serial from,
                             struct ledger_chain *out)
{
    uint64_t limit = settings->max_ixfr_percent == UINT32_MAX
                         ? 0
                         : zone_version_bytes(*version) / 100 * settings->max_ixfr_percent + 4096;
    /* What is too much as it lies may come to little. */
    uint64_t looks_at = limit != 0 && limit < IXFR_CONDENSE_MAX ? IXFR_CONDENSE_MAX : limit;
    for (unsigned n = 0; n < CHAIN_TRIES; n++) {
        struct ledger_chain chain;
        if (ledger_history(zone->history, from, looks_at, &chain, NULL) != OK) {
            return false;
        }
        if (serial_equal(chain.to, zone_version_serial(*version))) {
            condense(zone->zone, &chain);
            if (limit == 0 || chain.bytes <= limit) {
                *out = chain;
                return true;
            }
            ledger_chain_deinit(&chain);
            return false;
        }
        ledger_chain_deinit(&chain);
        struct zone_version *newer = zone_acquire(zone->zone);
        if (newer == NULL) {
            return false; /* the zone is going */
        }
        zone_version_unref(*version);
        *version = newer;
    }
    return false;
}

/* What the version comes to, for a secondary that wants to know whether its own does; how long the
 * connection is kept, for one that wants to know that. */
static struct slice options_for(struct transfer_out *transfer, const struct zone_version *version,
                                const struct xfr_request *request, uint16_t keepalive)
{
    struct zone_fingerprint fingerprint;
    bool knows =
        transfer->is_ours && zone_fingerprint_of(transfer->zone->zone, version, &fingerprint);
    size_t size = knows ? fingerprint_option_write(transfer->options, &fingerprint).size : 0;
    if (request->wants_keepalive && keepalive != 0) {
        size += keepalive_option_write(transfer->options + size, keepalive).size;
    }
    return slice_of(transfer->options, size);
}

/* IXFR, one SOA of it for who is up to date; else the whole zone. */
static void choose_form(struct transfer_out *transfer, struct zone_version **version,
                        const struct zone_settings *settings, const struct xfr_request *request)
{
    /* Beyond our own soft size more does not help; below it messages are this client's alone. */
    uint32_t bytes = settings->settings->limits.transfer_message_bytes;
    size_t soft_size = bytes < AXFR_OUT_SOFT_SIZE ? bytes : 0;
    uint16_t keepalive = settings->settings->answer.tcp_keepalive;
    transfer->form = "AXFR";
    if (request->question.type == TYPE_IXFR) {
        bool current = !serial_before(request->serial, zone_version_serial(*version));
        if (current ||
            (settings->provide_ixfr && find_differences(transfer->zone, version, settings,
                                                        request->serial, &transfer->chain))) {
            struct slice options = options_for(transfer, *version, request, keepalive);
            transfer->ixfr = ixfr_out_new(*version, transfer->chain.chunks, transfer->chain.count,
                                          request, options, soft_size);
            transfer->form = "IXFR";
            return;
        }
        transfer->form = "AXFR-style IXFR";
    }
    struct slice options = options_for(transfer, *version, request, keepalive);
    transfer->axfr = axfr_out_new(*version, request, options, soft_size);
    transfer->is_shared =
        soft_size == 0 && axfr_out_share(transfer->axfr, transfer->server->axfr_cache);
}

/* As transfer_out_begin, once the request is known to be unsigned or well signed. */
static struct transfer_out *begin(const struct request_scope *scope, struct answer_query *query,
                                  const struct request_origin *origin)
{
    struct server *server = scope->server;
    struct xfr_request request;
    struct error err = {0};
    unsigned rcode = RCODE_FORMERR;
    query->response_size = 0;
    if (xfr_request_read(query->message, &request, &rcode, &err) != OK) {
        query->response_size = xfr_refusal_write(&request, rcode, EDE_NONE, "", query->out,
                                                 query->out_size, query->reserve);
        return NULL;
    }
    struct server_zone *zone = query->zone == NULL ? NULL : query->zone->context;
    if (zone == NULL || !name_equal(query->zone->name, request.question.name.wire)) {
        refuse(scope, query, origin, &request, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE,
               "not a zone of this server");
        return NULL;
    }
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    struct access_subject subject = {.peer = &origin->peer,
                                     .key = query->key,
                                     .transport = query->transport,
                                     .tls_names = query->tls_names,
                                     .local_port = origin->local.port};
    char rule[300];
    if (!access_allowed(settings, ACCESS_TRANSFER, &subject, rule, sizeof(rule))) {
        refuse(scope, query, origin, &request, RCODE_REFUSED, EDE_PROHIBITED, rule);
        return NULL;
    }
    if (origin->tls != NULL && !origin->tls->is_dot) {
        refuse(scope, query, origin, &request, RCODE_REFUSED, EDE_PROHIBITED,
               "transfers over TLS need ALPN `dot` (RFC 9103 7.1)");
        return NULL;
    }
    struct zone_version *version = zone_acquire(zone->zone);
    if (version == NULL || atomic_load(&zone->zone->state) != ZONE_SERVING) {
        zone_version_unref(version);
        refuse(scope, query, origin, &request, RCODE_SERVFAIL, EDE_INVALID_DATA,
               "the zone is not loaded, or expired");
        return NULL;
    }
    struct prefix place = prefix_of(&origin->peer, 32, 128);
    const char *limited = take_places(server, &scope->settings->limits, zone, &place);
    if (limited != NULL) {
        zone_version_unref(version);
        atomic_fetch_add_explicit(&server->counters.transfers_limited, 1, memory_order_relaxed);
        refuse(scope, query, origin, &request, RCODE_SERVFAIL, EDE_OTHER, limited);
        return NULL;
    }
    struct transfer_out *transfer = memory_new_zeroed(1, sizeof(*transfer));
    transfer->server = server;
    transfer->zone = server_zone_ref(zone);
    transfer->started = clock_now();
    transfer->idle_ms = settings->idle_out_ms;
    transfer->ends_at = settings->total_out_ms == 0
                            ? INSTANT_NEVER
                            : instant_add_ms(transfer->started, settings->total_out_ms);
    transfer->serial = zone_version_serial(version);
    transfer->peer = origin->peer;
    transfer->is_tls = origin->tls != NULL;
    transfer->padding = query->padding;
    char address[ADDRESS_TEXT_SIZE], signer[SIGNER_TEXT_SIZE];
    snprintf(transfer->client, sizeof(transfer->client), "%s%s",
             address_format(&origin->peer, true, address), signer_format(query->key, signer));
    transfer->shows_serial = request.question.type == TYPE_IXFR;
    transfer->shown = request.serial;
    transfer->is_ours = request.wants_fingerprint;
    choose_form(transfer, &version, settings, &request);
    transfer->serial = zone_version_serial(version);
    zone_version_unref(version);
    log_started(transfer);
    return transfer;
}

struct transfer_out *transfer_out_begin(const struct request_scope *scope,
                                        struct answer_query *query,
                                        const struct request_origin *origin)
{
    struct tsig tsig;
    if (!signature_verify(scope, query, origin, &tsig)) {
        return NULL;
    }
    struct transfer_out *transfer = begin(scope, query, origin);
    if (transfer == NULL) {
        signature_add(scope, query, &tsig);
        return NULL;
    }
    transfer->tsig = tsig;
    tsig_key_ref(tsig.key);
    return transfer;
}

/* A message of this client alone, in `buffer`. */
static enum step write_message(struct transfer_out *transfer, uint8_t *buffer, size_t *out_size,
                               struct error *err)
{
    struct tsig *tsig = &transfer->tsig;
    size_t reserved = tsig_key_room(tsig->key);
    enum step step =
        transfer->axfr != NULL
            ? axfr_out_next(transfer->axfr, buffer, MESSAGE_MAX_SIZE, reserved, out_size, err)
            : ixfr_out_next(transfer->ixfr, buffer, MESSAGE_MAX_SIZE, reserved, out_size, err);
    if (step != STEP_FAILED && transfer->padding != 0) {
        *out_size = message_pad(buffer, *out_size, MESSAGE_MAX_SIZE,
                                tsig_key_record_size(tsig->key), transfer->padding);
    }
    if (step != STEP_FAILED && tsig->key != NULL) {
        *out_size = tsig_sign_response(tsig, buffer, *out_size, MESSAGE_MAX_SIZE, clock_wall_s());
        REQUIRE(*out_size != 0); /* room was reserved */
    }
    return step;
}

static enum step send_shared(struct transfer_out *transfer, struct stream *stream,
                             enum result *sent, struct error *err)
{
    struct axfr_out_parts parts;
    enum step step = axfr_out_next_parts(transfer->axfr, &parts, err);
    if (step != STEP_FAILED) {
        struct stream_parts message = {parts.head, parts.body, parts.tail};
        *sent = stream_send_parts(stream, &message, axfr_piece_unref, parts.piece);
        if (*sent != OK) {
            axfr_piece_unref(parts.piece);
        }
    }
    return step;
}

uint32_t transfer_out_idle_ms(const struct transfer_out *transfer)
{
    return transfer->idle_ms;
}

enum step transfer_out_send(struct transfer_out *transfer, struct stream *stream, uint8_t *buffer,
                            const char **why)
{
    struct error err = {0};
    enum result sent = OK;
    enum step step;
    if (!instant_before(clock_now(), transfer->ends_at)) {
        *why = "it takes longer than max-transfer-time-out";
        return STEP_FAILED;
    }
    if (transfer->is_shared && transfer->tsig.key == NULL) {
        step = send_shared(transfer, stream, &sent, &err);
    } else {
        size_t size = 0;
        step = write_message(transfer, buffer, &size, &err);
        sent = step == STEP_FAILED ? OK : stream_send(stream, slice_of(buffer, size));
    }
    if (step == STEP_FAILED) {
        char phrase[3200];
        snprintf(phrase, sizeof(phrase), "client %s: transfer of '%s': %s failed: %s",
                 transfer->client, transfer->zone->label, transfer->form, err.text);
        LOG_EVENT(transfer->server->logging, LOG_ERROR, LOG_XFER_OUT, "transfer_out_failed", phrase,
                  LOG_NUM("serial", transfer->serial.value));
        *why = "it cannot be written";
    } else if (sent != OK) {
        *why = "the queue is full";
        step = STEP_FAILED;
    } else if (step == STEP_MORE && transfer->shows_serial) {
        /* It takes a while: until the end, that is what the client has. */
        transfer->shows_serial = false;
        sync_peer_has(transfer->server->sync, transfer->zone, &transfer->peer, transfer->shown,
                      transfer->is_ours);
    }
    return step;
}

void transfer_out_free(struct transfer_out *transfer, const char *why)
{
    if (transfer == NULL) {
        return;
    }
    struct xfr_stats stats =
        transfer->axfr != NULL ? axfr_out_stats(transfer->axfr) : ixfr_out_stats(transfer->ixfr);
    double seconds = (double)(clock_now().ns - transfer->started.ns) / 1e9;
    char phrase[3000];
    if (why == NULL) {
        sync_peer_has(transfer->server->sync, transfer->zone, &transfer->peer, transfer->serial,
                      transfer->is_ours);
        snprintf(phrase, sizeof(phrase),
                 "client %s: transfer of '%s': %s ended: %llu messages, %llu records, %llu bytes, "
                 "%.3f secs (%.0f bytes/sec) (serial %u)",
                 transfer->client, transfer->zone->label, transfer->form,
                 (unsigned long long)stats.messages, (unsigned long long)stats.records,
                 (unsigned long long)stats.bytes, seconds,
                 seconds > 0 ? (double)stats.bytes / seconds : 0.0, transfer->serial.value);
        LOG_EVENT(transfer->server->logging, LOG_INFO, LOG_XFER_OUT, "transfer_out_ended", phrase,
                  LOG_KEY("form", transfer->form),
                  LOG_KEY("transport", transfer->is_tls ? "tls" : "tcp"));
    } else {
        snprintf(phrase, sizeof(phrase),
                 "client %s: transfer of '%s': %s cut after %llu messages: %s", transfer->client,
                 transfer->zone->label, transfer->form, (unsigned long long)stats.messages, why);
        LOG_EVENT_LIMITED(transfer->server->logging, LOG_WARNING, LOG_XFER_OUT, "transfer_out_cut",
                          phrase, LOG_KEY("form", transfer->form));
    }
    axfr_out_free(transfer->axfr);
    ixfr_out_free(transfer->ixfr);
    ledger_chain_deinit(&transfer->chain);
    struct prefix place = prefix_of(&transfer->peer, 32, 128);
    give_places(transfer->server, transfer->zone, &place);
    tsig_key_unref(transfer->tsig.key);
    server_zone_unref(transfer->zone);
    memory_free(transfer);
}
