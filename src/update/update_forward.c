/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding, in the main thread:
 *
 *     worker   allow-update-forwarding by address (and key, where it is one of ours); at most
 *              update-quota are under way; the message is copied
 *     main     goes to the primaries in turn, over TCP or TLS as transfers do: the message as it
 *              came, TSIG included, under an ID of our own; the first answer goes back as it came,
 *              under the requester's ID
 *
 * The signature stays good: TSIG keeps the requester's ID in the record (RFC 8945 5.1), so both
 * ends put it back before they compute. The key need not be known here; what a request that only
 * the primary can judge may do is decided by the primary.
 *
 * A primary that cannot be reached, or says SERVFAIL, NOTIMP or NOTAUTH, is followed by the next.
 * When none is left, or after 15 seconds, the requester gets SERVFAIL. One that repeats itself over
 * UDP meanwhile is not forwarded twice.
 */
#include "update/update_forward.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "hub/server.h"
#include "net/stream.h"
#include "request/later_reply.h"
#include "update/update.h"
#include "wire/message.h"
#include "xfr/xfr_request.h"
#include "zones/zones.h"

enum {
    CONNECTIONS_MAX = 64,
    TOTAL_MS = 15000,
    CONNECT_MS = 5000,
    REPLY_SIZE = 2048, /* of our own SERVFAIL */
};

struct forward {
    struct forward *next, **at; /* of the list it is in */
    struct forwards *forwards;
    struct server_zone *zone;       /* a reference */
    struct zone_settings *settings; /* a reference on the whole */
    struct xfr_request request;     /* what a reply of our own echoes */
    struct tsig tsig;               /* ... and signs with; with a reference, or without a key */
    struct address peer;
    struct later_reply reply; /* what it is sent by lives until forwards_stop has returned */
    struct stream *stream;    /* to the primary; NULL: none yet */
    struct loop_timer timer;
    size_t primary; /* index */
    bool is_running;
    uint16_t id; /* under which the primary knows it */
    size_t size;
    uint8_t message[];
};

struct forwards {
    struct server *server;
    _Atomic uint32_t count; /* taken and not answered */
    struct forward *waiting, **last, *running;
    unsigned running_count;
    bool is_beginning;
};

/* ---- lists ---- */

static void enter(struct forward **list, struct forward *forward)
{
    forward->next = *list;
    forward->at = list;
    if (forward->next != NULL) {
        forward->next->at = &forward->next;
    }
    *list = forward;
}

static void leave(struct forward *forward)
{
    struct forwards *forwards = forward->forwards;
    if (forwards->last == &forward->next) {
        forwards->last = forward->at;
    }
    *forward->at = forward->next;
    if (forward->next != NULL) {
        forward->next->at = forward->at;
    }
    forward->at = NULL;
}

/* ---- the end of one ---- */

static void forward_free(struct forward *forward)
{
    atomic_fetch_sub(&forward->forwards->count, 1);
    tsig_key_unref(forward->tsig.key);
    settings_unref(forward->settings->settings);
    server_zone_unref(forward->zone);
    memory_free(forward);
}

static void begin_next(struct forwards *forwards);

/* Replies, and forgets it. */
static void end(struct forward *forward, struct slice reply)
{
    struct forwards *forwards = forward->forwards;
    loop_timer_stop(forwards->server->main_loop, &forward->timer);
    stream_close(forward->stream);
    leave(forward);
    forwards->running_count -= forward->is_running;
    later_reply_send(&forward->reply, forwards->server, reply);
    forward_free(forward);
}

static void fail(struct forward *forward)
{
    uint8_t buffer[REPLY_SIZE];
    struct tsig_key *key = forward->tsig.key;
    size_t size = xfr_refusal_write(&forward->request, RCODE_SERVFAIL, EDE_NONE, "", buffer,
                                    sizeof(buffer), tsig_key_room(key));
    if (size != 0 && key != NULL) {
        size = tsig_sign_response(&forward->tsig, buffer, size, sizeof(buffer), clock_wall_s());
    }
    end(forward, slice_of(buffer, size));
}

static const struct remote *primary_of(const struct forward *forward)
{
    return &forward->settings->primaries[forward->primary];
}

static void log_failure(const struct forward *forward, const char *why)
{
    char to[ADDRESS_TEXT_SIZE], from[ADDRESS_TEXT_SIZE], phrase[1600];
    snprintf(phrase, sizeof(phrase),
             "zone %s: could not forward dynamic update of client %s to %s: %s",
             forward->zone->label, address_format(&forward->peer, true, from),
             address_format(&primary_of(forward)->address, true, to), why);
    LOG_EVENT_LIMITED(forward->zone->server->logging, LOG_WARNING, LOG_UPDATE,
                      "update_not_forwarded", phrase,
                      LOG_KEY("action", forward->primary + 1 < forward->settings->primary_count
                                            ? "trying the next primary"
                                            : "answering SERVFAIL"));
}

/* ---- one primary ---- */

static void ask_primary(struct forward *forward);

static void try_next(struct forward *forward, const char *why)
{
    log_failure(forward, why);
    forward->stream = NULL;
    if (++forward->primary < forward->settings->primary_count) {
        ask_primary(forward);
        return;
    }
    struct forwards *forwards = forward->forwards;
    fail(forward);
    begin_next(forwards);
}

static void stream_ended(void *context, const struct error *err)
{
    try_next(context, err->text);
}

static void log_forwarded(const struct forward *forward, unsigned rcode)
{
    char to[ADDRESS_TEXT_SIZE], from[ADDRESS_TEXT_SIZE], phrase[1600];
    snprintf(phrase, sizeof(phrase), "client %s: forwarding update for zone '%s': primary %s: %s",
             address_format(&forward->peer, true, from), forward->zone->label,
             address_format(&primary_of(forward)->address, true, to), rcode_name(rcode));
    LOG_EVENT_LIMITED(forward->zone->server->logging, LOG_INFO, LOG_UPDATE, "update_forwarded",
                      phrase, LOG_NUM("rcode", rcode));
}

static void stream_message(void *context, struct slice message)
{
    struct forward *forward = context;
    uint8_t reply[STREAM_MESSAGE_MAX];
    if (message.size < 12 || get_u16(message.data) != forward->id ||
        (message.data[2] & 0x80) == 0) {
        return; /* the time will end it */
    }
    unsigned rcode = message.data[3] & 15;
    bool is_last = forward->primary + 1 == forward->settings->primary_count;
    if (!is_last && (rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_NOTAUTH)) {
        stream_close(forward->stream);
        try_next(forward, rcode_name(rcode));
        return;
    }
    log_forwarded(forward, rcode);
    memcpy(reply, message.data, message.size);
    put_u16(reply, forward->request.id);
    struct forwards *forwards = forward->forwards;
    end(forward, slice_of(reply, message.size));
    begin_next(forwards);
}

static void ask_primary(struct forward *forward)
{
    static const struct stream_callbacks callbacks = {.message = stream_message,
                                                      .closed = stream_ended};
    const struct remote *primary = primary_of(forward);
    struct stream_options options = stream_defaults;
    struct error err = {0};
    options.connect_ms = CONNECT_MS;
    options.idle_ms = TOTAL_MS;
    options.tls = primary->tls;
    forward->id = (uint16_t)random_u64();
    put_u16(forward->message, forward->id);
    const struct address *source =
        primary->source.family == primary->address.family ? &primary->source : NULL;
    enum result result =
        stream_connect(forward->forwards->server->main_loop, &primary->address, source, &options,
                       &callbacks, forward, &forward->stream, &err);
    if (result == OK) {
        result = stream_send(forward->stream, slice_of(forward->message, forward->size));
        if (result != OK) {
            stream_close(forward->stream);
        }
    }
    if (result != OK) {
        try_next(forward, err.text);
    }
}

static void overdue(void *context)
{
    struct forward *forward = context;
    struct forwards *forwards = forward->forwards;
    forward->primary = forward->settings->primary_count - 1;
    log_failure(forward, "no answer in time");
    fail(forward);
    begin_next(forwards);
}

static void begin_next(struct forwards *forwards)
{
    if (forwards->is_beginning) {
        return; /* called from below: the loop goes on there */
    }
    forwards->is_beginning = true;
    while (forwards->waiting != NULL && forwards->running_count < CONNECTIONS_MAX) {
        struct forward *forward = forwards->waiting;
        leave(forward);
        enter(&forwards->running, forward);
        forward->is_running = true;
        forwards->running_count++;
        ask_primary(forward); /* ends it where no primary can be asked */
    }
    forwards->is_beginning = false;
}

/* ---- taking one ---- */

/* A client that did not wait long enough says the same again, by the same way: another proxy before
 * it, and who asked at another address of ours, wait for an answer of their own. */
static bool is_repeated(const struct forward *list, const struct forward *forward)
{
    for (; list != NULL; list = list->next) {
        if (list->reply.udp != NULL && list->reply.udp == forward->reply.udp &&
            address_equal(&list->reply.to, &forward->reply.to) &&
            list->request.id == forward->request.id && list->size == forward->size &&
            address_equal(&list->peer, &forward->peer) &&
            memcmp(list->message + 2, forward->message + 2, forward->size - 2) == 0) {
            return true;
        }
    }
    return false;
}

/* Main thread. */
static void take(void *context)
{
    struct forward *forward = context;
    struct forwards *forwards = forward->forwards;
    struct loop *loop = forwards->server->main_loop;
    if (forward->reply.udp != NULL &&
        (is_repeated(forwards->waiting, forward) || is_repeated(forwards->running, forward))) {
        forward_free(forward);
        return;
    }
    loop_timer_init(&forward->timer, overdue, forward);
    loop_timer_set(loop, &forward->timer, instant_add_ms(loop_now(loop), TOTAL_MS));
    enter(forwards->last, forward);
    forwards->last = &forward->next;
    begin_next(forwards);
}

static struct forward *forward_new(struct forwards *forwards, struct server_zone *zone,
                                   const struct answer_query *query,
                                   const struct request_origin *origin, const struct tsig *tsig)
{
    struct forward *forward = memory_new(sizeof(*forward) + query->message.size);
    *forward = (struct forward){
        .forwards = forwards,
        .zone = server_zone_ref(zone),
        .settings = server_zone_settings(zone),
        .request = request_echo(query),
        .tsig = *tsig,
        .peer = origin->peer,
        .reply = later_reply_begin(origin),
        .size = query->message.size,
    };
    if (tsig->key != NULL) {
        tsig_key_ref(tsig->key);
    }
    memcpy(forward->message, query->message.data, query->message.size);
    return forward;
}

int update_forward_handle(const struct request_scope *scope, const struct answer_query *query,
                          const struct request_origin *origin, const struct tsig *tsig)
{
    struct server *server = scope->server;
    struct forwards *forwards = server->forwards;
    struct server_zone *zone = query->zone->context;
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    uint32_t quota = settings->settings->limits.update_quota;
    if (settings->primary_count == 0) {
        return RCODE_SERVFAIL;
    }
    if (atomic_fetch_add(&forwards->count, 1) >= quota) {
        char from[ADDRESS_TEXT_SIZE], phrase[1400];
        atomic_fetch_sub(&forwards->count, 1);
        atomic_fetch_add_explicit(&server->counters.updates_limited, 1, memory_order_relaxed);
        snprintf(phrase, sizeof(phrase),
                 "client %s: forwarding update for zone '%s': too many DNS UPDATEs queued "
                 "(SERVFAIL)",
                 address_format(&origin->peer, true, from), zone->label);
        LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_UPDATE, "update_quota", phrase,
                          LOG_NUM("update-quota", quota));
        return RCODE_SERVFAIL;
    }
    struct forward *forward = forward_new(forwards, zone, query, origin, tsig);
    if (!loop_post(server->main_loop, take, forward)) {
        later_reply_send(&forward->reply, forwards->server,
                         slice_of(NULL, 0)); /* the server is ending */
        forward_free(forward);
    }
    return UPDATE_TAKEN;
}

/* ---- start and end ---- */

struct forwards *forwards_new(struct server *server)
{
    struct forwards *forwards = memory_new_zeroed(1, sizeof(*forwards));
    forwards->server = server;
    forwards->last = &forwards->waiting;
    return forwards;
}

void forwards_stop(struct forwards *forwards)
{
    if (forwards == NULL) {
        return;
    }
    while (forwards->running != NULL) {
        fail(forwards->running);
    }
    while (forwards->waiting != NULL) {
        fail(forwards->waiting);
    }
}

void forwards_free(struct forwards *forwards)
{
    memory_free(forwards);
}
