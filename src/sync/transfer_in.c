/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Incoming transfers over TCP and TLS.
 *
 * A connection to a primary is kept and shared: requests of many zones are in flight on it at once,
 * told apart by their IDs. A connection proves itself with its first reply; until then it carries one
 * request, since an old primary may not take several. When a connection ends, transfers that have
 * not seen a single message yet are asked again once on a new one (the primary may have closed an
 * idle connection at the very moment we used it); the others fail, and the old version serves on.
 *
 * Where the primary has a key, every message is verified before its machine sees it, and nothing is
 * committed before the last signature was right.
 *
 * A request takes a place of its primary's (transfers-per-ns) and one of all (transfers-in); who
 * finds none waits in its primary's queue. A primary that never answers holds one place a connection,
 * since it has not proved itself.
 *
 * One thread owns everything about one primary, so no locks are needed.
 */
#include "sync/transfer_in.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "net/stream.h"
#include "sync/sync.h"
#include "sync/transfer_in_impl.h"
#include "zones/zones.h"

enum {
    MAX_THREADS = 8,
    CONNECT_MS = 5000,
    KEEP_IDLE_MS = 60000,
    TRANSFER_NICE = 2,
};

struct transfers {
    unsigned count;
    _Atomic bool starved; /* somebody found transfers-in used up */
    struct transfer_thread threads[MAX_THREADS];
};

/* ---- places ---- */

static void run_waiting(void *context)
{
    struct transfer_thread *thread = context;
    unsigned first = thread->turn++;
    for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
        struct primary *primary = thread->primaries[(first + i) % PRIMARY_BUCKETS];
        for (; primary != NULL; primary = primary->next) {
            if (primary->waiting != NULL) {
                transfer_start_waiting(primary);
            }
        }
    }
}

static bool take_place(struct transfer *transfer, const struct limits *limits)
{
    struct server *server = transfer->thread->server;
    _Atomic uint32_t *running = &server->counters.transfers_in_running;
    struct primary *primary = transfer->primary;
    if (primary->in_flight >=
        (transfer->at_once != 0 ? transfer->at_once : limits->transfers_per_ns)) {
        return false; /* one of its own that ends goes on from here */
    }
    for (unsigned n = 0; n < 2; n++) {
        if (atomic_fetch_add(running, 1) < limits->transfers_in) {
            primary->in_flight++;
            transfer->has_place = true;
            return true;
        }
        atomic_fetch_sub(running, 1);
        /* Said first and tried again, so that a place given back meanwhile is not missed. */
        atomic_store(&server->transfers->starved, true);
    }
    return false;
}

static void give_place(struct transfer *transfer)
{
    struct server *server = transfer->thread->server;
    struct transfers *transfers = server->transfers;
    if (!transfer->has_place) {
        return;
    }
    transfer->has_place = false;
    transfer->primary->in_flight--;
    atomic_fetch_sub(&server->counters.transfers_in_running, 1);
    if (atomic_exchange(&transfers->starved, false)) {
        for (unsigned i = 0; i < transfers->count; i++) {
            if (!loop_post(transfers->threads[i].loop, run_waiting, &transfers->threads[i])) {
                /* the thread is ending */
            }
        }
    }
}

void transfer_free(struct transfer *transfer)
{
    give_place(transfer);
    loop_timer_stop(transfer->thread->loop, &transfer->deadline);
    axfr_in_free(transfer->axfr);
    ixfr_in_free(transfer->ixfr);
    tsig_key_unref(transfer->key);
    tls_context_unref(transfer->tls);
    zone_version_unref(transfer->base);
    server_zone_unref(transfer->zone);
    memory_free(transfer);
}

void transfer_leave_connection(struct transfer *transfer)
{
    struct connection *connection = transfer->connection;
    if (connection == NULL) {
        return;
    }
    struct transfer **at = &connection->transfers;
    while (*at != transfer) {
        at = &(*at)->next;
    }
    *at = transfer->next;
    connection->in_flight--;
    transfer->connection = NULL;
    give_place(transfer);
    if (connection->stream != NULL) {
        stream_unhold(connection->stream);
    }
}

/* ---- connections ---- */

void transfer_connection_free(struct connection *connection)
{
    struct connection **at = &connection->primary->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    memory_free(connection);
}

static void wait_for_connection(struct transfer *transfer)
{
    transfer->next = NULL;
    *transfer->primary->waiting_last = transfer;
    transfer->primary->waiting_last = &transfer->next;
}

static struct transfer *take_waiting(struct primary *primary)
{
    struct transfer *transfer = primary->waiting;
    primary->waiting = transfer->next;
    if (primary->waiting == NULL) {
        primary->waiting_last = &primary->waiting;
    }
    return transfer;
}

static void requeue(struct transfer *transfer)
{
    transfer->retried = true;
    loop_timer_stop(transfer->thread->loop, &transfer->deadline);
    axfr_in_free(transfer->axfr);
    ixfr_in_free(transfer->ixfr);
    transfer->axfr = NULL;
    transfer->ixfr = NULL;
    wait_for_connection(transfer);
}

/* Fails before it was asked for. */
static void fail_waiting(struct transfer *transfer, const struct error *err)
{
    if (transfer->axfr == NULL && transfer->ixfr == NULL) {
        transfer->axfr = axfr_in_new(transfer->zone->zone->name, transfer->zone->zone->class, 0,
                                     NULL, NULL, clock_now(), NULL, NULL);
    }
    transfer_fail(transfer, err);
}

/* The stream is gone: what was in flight fails or is asked again. */
static void connection_ended(struct connection *connection, const struct error *err)
{
    struct primary *primary = connection->primary;
    bool reused = connection->proved;
    bool was_up = connection->is_up;
    /* Who waits behind a connection that could not be made would only wait for the same. */
    bool unreachable = !reused && err->code != ERR_CLOSED;
    connection->stream = NULL;
    struct transfer *transfer = connection->transfers;
    connection->transfers = NULL;
    connection->in_flight = 0;
    struct transfer_question *questions = connection->questions;
    transfer_connection_free(connection);
    bool starting = primary->starting;
    primary->starting = true;
    while (transfer != NULL) {
        struct transfer *next = transfer->next;
        transfer->connection = NULL;
        give_place(transfer);
        if (reused && !transfer->answered && !transfer->retried) {
            requeue(transfer);
        } else {
            struct error told = *err;
            if (told.code == ERR_CLOSED && was_up) {
                told = (struct error){0};
                error_set(&told, ERR_CLOSED,
                          transfer->answered
                              ? "the primary closed the connection in mid-transfer"
                              : "the primary closed the connection without an answer");
            }
            transfer->not_connected = !reused;
            transfer_fail(transfer, &told);
        }
        transfer = next;
    }
    questions_lost(questions, reused, err);
    if (unreachable && primary->connections == NULL) {
        questions_fail_waiting(primary, err);
    }
    struct transfer *behind = NULL;
    if (unreachable && primary->connections == NULL && primary->waiting != NULL) {
        behind = primary->waiting;
        primary->waiting = NULL;
        primary->waiting_last = &primary->waiting;
    }
    while (behind != NULL) {
        struct transfer *next = behind->next;
        behind->not_connected = true;
        fail_waiting(behind, err);
        behind = next;
    }
    primary->starting = starting;
    transfer_start_waiting(primary);
}

static void stream_closed(void *context, const struct error *err)
{
    connection_ended(context, err);
}

static void log_secured(const struct connection *connection)
{
    const struct tls_info *tls = stream_tls(connection->stream);
    char address[ADDRESS_TEXT_SIZE], phrase[200];
    if (tls != NULL) {
        snprintf(phrase, sizeof(phrase), "connected to %s by TLS",
                 address_format(&connection->primary->peer, true, address));
        LOG_EVENT(connection->primary->thread->server->logging, LOG_INFO, LOG_XFER_IN,
                  "tls_connected", phrase, LOG_KEY("tls", tls_context_name(connection->tls)),
                  LOG_KEY("protocol", tls->protocol), LOG_KEY("cipher", tls->cipher),
                  LOG_KEY("certificate", tls->verified ? "verified" : "not checked"),
                  LOG_KEY("resumed", tls->resumed ? "yes" : "no"));
    }
}

static void stream_connected(void *context)
{
    struct connection *connection = context;
    connection->is_up = true;
    log_secured(connection);
}

void transfer_abandon(struct connection *connection, const char *why)
{
    struct stream *stream = connection->stream;
    struct error err = {0};
    error_set(&err, ERR_CLOSED, "%s", why);
    stream_close(stream);
    connection_ended(connection, &err);
}

/* A transfer that failed in the middle leaves a stream of its messages behind: drop it all. */
static void abandon(struct connection *connection)
{
    transfer_abandon(connection, "closed after another transfer on it failed");
}

static void set_deadline(struct transfer *transfer)
{
    loop_timer_set(transfer->thread->loop, &transfer->deadline,
                   transfer->axfr != NULL ? axfr_in_deadline(transfer->axfr)
                                          : ixfr_in_deadline(transfer->ixfr));
}

/* The primary may have said how long it keeps the connection when it is idle (RFC 7828 3.4): so long
 * we keep it, too. */
static void keep_as_told(const struct transfer *transfer)
{
    uint32_t ms;
    if (transfer->axfr != NULL ? axfr_in_keepalive(transfer->axfr, &ms)
                               : ixfr_in_keepalive(transfer->ixfr, &ms)) {
        stream_set_idle_ms(transfer->connection->stream, ms == 0 ? 1 : ms);
    }
}

/* Verified first, then handed to the machine; and what is complete must have ended signed, since
 * that is what proves the unsigned messages before (RFC 8945 5.3.1). */
static enum step receive(struct transfer *transfer, struct slice message, struct instant now,
                         struct error *err)
{
    bool is_signed = transfer->key != NULL;
    if (is_signed && tsig_verify_response(&transfer->tsig, message, clock_wall_s(), err) != OK) {
        return STEP_FAILED;
    }
    enum step step = transfer->axfr != NULL ? axfr_in_receive(transfer->axfr, message, now, err)
                                            : ixfr_in_receive(transfer->ixfr, message, now, err);
    if (step == STEP_DONE && is_signed && tsig_verify_end(&transfer->tsig, err) != OK) {
        return STEP_FAILED;
    }
    return step;
}

static void stream_message(void *context, struct slice message)
{
    struct connection *connection = context;
    if (message.size < 2) {
        return;
    }
    struct transfer *transfer = connection->transfers;
    while (transfer != NULL && transfer->id != get_u16(message.data)) {
        transfer = transfer->next;
    }
    connection->heard_at = clock_now();
    if (transfer == NULL) {
        question_answered(connection, message);
        return;
    }
    connection->proved = true;
    bool first = !transfer->answered;
    transfer->answered = true;
    struct error err = {0};
    struct instant now = clock_now();
    enum step step = receive(transfer, message, now, &err);
    switch (step) {
    case STEP_MORE:
        set_deadline(transfer);
        return;
    case STEP_DONE:
        keep_as_told(transfer);
        transfer_finish(transfer);
        return;
    case STEP_FAILED:
        transfer_fail(transfer, &err);
        if (!first || err.code == ERR_FORMAT || err.code == ERR_LIMIT || err.code == ERR_BAD_AUTH) {
            abandon(connection);
        }
        return;
    }
}

static void transfer_overdue(void *context)
{
    struct transfer *transfer = context;
    struct connection *connection = transfer->connection;
    struct error err = {0};
    if (transfer->axfr != NULL) {
        (void)axfr_in_timed_out(transfer->axfr, clock_now(), &err);
    } else {
        (void)ixfr_in_timed_out(transfer->ixfr, clock_now(), &err);
    }
    if (err.code == OK) {
        set_deadline(transfer);
        return;
    }
    transfer_fail(transfer, &err);
    abandon(connection);
}

struct connection *transfer_connect(struct primary *primary, struct error *err)
{
    static const struct stream_callbacks callbacks = {
        .message = stream_message, .connected = stream_connected, .closed = stream_closed};
    struct stream_options options = stream_defaults;
    options.tls = primary->tls;
    options.tls_memory = &primary->tls_memory;
    options.connect_ms = CONNECT_MS;
    options.idle_ms = KEEP_IDLE_MS;
    options.message_ms = 0; /* the machines' deadlines hold for transfers */
    options.in_first_bytes = 65536 + 2;
    struct settings *settings = server_settings(primary->thread->server);
    options.receive_buffer_bytes = settings->limits.tcp_receive_bytes;
    options.send_buffer_bytes = settings->limits.tcp_send_bytes;
    settings_unref(settings);
    struct connection *connection = memory_new_zeroed(1, sizeof(*connection));
    connection->primary = primary;
    connection->tls = primary->tls;
    if (stream_connect(primary->thread->loop, &primary->peer,
                       primary->source.family == primary->peer.family ? &primary->source : NULL,
                       &options, &callbacks, connection, &connection->stream, err) != OK) {
        memory_free(connection);
        return NULL;
    }
    connection->next = primary->connections;
    primary->connections = connection;
    return connection;
}

/* Draws an ID that is free on the connection, makes the machine, sends the request. */
static enum result send_request(struct transfer *transfer, struct connection *connection,
                                struct error *err)
{
    do {
        transfer->id = (uint16_t)random_u64();
    } while (transfer_id_is_taken(connection, transfer->id));
    zone_version_unref(transfer->base);
    transfer->base = zone_acquire(transfer->zone->zone);
    struct zone_settings *settings = server_zone_settings(transfer->zone);
    struct xfr_in_limits limits = settings->transfer_limits;
    limits.no_expire = transfer->no_expire;
    settings_unref(settings->settings);
    struct instant now = clock_now();
    transfer->started = now;
    uint8_t buffer[2048];
    size_t size;
    if (transfer->action.incremental && transfer->base != NULL) {
        transfer->ixfr = ixfr_in_new(transfer->base, transfer->id, false, &limits, now, NULL, NULL);
        size = ixfr_in_request(transfer->ixfr, transfer->action.edns, buffer, sizeof(buffer));
    } else {
        const struct zone *zone = transfer->zone->zone;
        transfer->axfr = axfr_in_new(zone->name, zone->class, transfer->id, transfer->base, &limits,
                                     now, NULL, NULL);
        size = axfr_in_request(transfer->axfr, transfer->action.edns, buffer, sizeof(buffer));
    }
    size = transfer_dress_request(connection, buffer, size, sizeof(buffer), transfer->key,
                                  transfer->tcp_keepalive, transfer->padding);
    if (transfer->key != NULL) {
        size = tsig_sign_request(&transfer->tsig, transfer->key, buffer, size, sizeof(buffer),
                                 clock_wall_s());
    }
    enum result result = stream_send(connection->stream, slice_of(buffer, size));
    if (result != OK) {
        return error_set(err, result, "the connection does not take another request");
    }
    transfer->connection = connection;
    transfer->next = connection->transfers;
    connection->transfers = transfer;
    connection->in_flight++;
    stream_hold(connection->stream);
    set_deadline(transfer);
    return OK;
}

static bool find_place(struct transfer *transfer)
{
    struct settings *settings = server_settings(transfer->thread->server);
    bool found = take_place(transfer, &settings->limits);
    settings_unref(settings);
    return found;
}

void transfer_start_waiting(struct primary *primary)
{
    if (primary->starting) {
        return; /* a failure below led back here; the loop goes on */
    }
    primary->starting = true;
    questions_start_waiting(primary);
    while (primary->waiting != NULL) {
        struct error err = {0};
        struct connection *connection = transfer_find_connection(primary, false, &err);
        if (connection == NULL && err.code == OK) {
            break;
        }
        if (connection != NULL && !find_place(primary->waiting)) {
            break;
        }
        struct transfer *transfer = take_waiting(primary);
        transfer->not_connected = connection == NULL;
        if (connection == NULL || send_request(transfer, connection, &err) != OK) {
            fail_waiting(transfer, &err);
        }
    }
    primary->starting = false;
}

/* ---- from the sync thread ---- */

struct transfer_thread *transfer_thread_for(struct transfers *transfers, const struct address *peer)
{
    char text[ADDRESS_TEXT_SIZE];
    address_format(peer, true, text);
    uint64_t hash = hash_bytes(7, text, strlen(text));
    return &transfers->threads[hash % transfers->count];
}

static void run_start(void *context)
{
    struct transfer *transfer = context;
    loop_timer_init(&transfer->deadline, transfer_overdue, transfer);
    transfer->primary =
        transfer_find_primary(transfer->thread, &transfer->peer, &transfer->source, transfer->tls);
    wait_for_connection(transfer);
    transfer_start_waiting(transfer->primary);
}

void transfer_in_start(struct transfers *transfers, struct server_zone *zone,
                       const struct refresh_action *action, struct tsig_key *key, unsigned key_at)
{
    struct zone_settings *settings = server_zone_settings(zone);
    const struct remote *primary = &settings->primaries[action->primary];
    struct transfer *transfer = memory_new_zeroed(1, sizeof(*transfer));
    transfer->zone = server_zone_ref(zone);
    transfer->action = *action;
    transfer->peer = primary->address;
    transfer->at_once = primary->transfers;
    transfer->source = primary->source;
    transfer->key = tsig_key_ref(key);
    transfer->key_at = key_at;
    transfer->tls = tls_context_ref(primary->tls);
    transfer->padding = primary->padding;
    transfer->tcp_keepalive = primary->tcp_keepalive;
    transfer->no_expire = primary->no_expire;
    address_format(&primary->address, true, transfer->address);
    settings_unref(settings->settings);
    transfer->thread = transfer_thread_for(transfers, &transfer->peer);
    if (!loop_post(transfer->thread->loop, run_start, transfer)) {
        server_zone_unref(transfer->zone);
        tsig_key_unref(transfer->key);
        tls_context_unref(transfer->tls);
        memory_free(transfer);
    }
}

/* ---- life ---- */

static void primary_free(struct primary *primary)
{
    struct error ending = {0};
    error_set(&ending, ERR_CLOSED, "the server is ending");
    while (primary->connections != NULL) {
        struct connection *connection = primary->connections;
        stream_close(connection->stream);
        connection->stream = NULL;
        while (connection->transfers != NULL) {
            struct transfer *transfer = connection->transfers;
            transfer_leave_connection(transfer);
            transfer_free(transfer);
        }
        questions_lost(connection->questions, false, &ending);
        transfer_connection_free(connection);
    }
    while (primary->waiting != NULL) {
        transfer_free(take_waiting(primary));
    }
    questions_fail_waiting(primary, &ending);
    tls_memory_clear(&primary->tls_memory);
    tls_context_unref(primary->tls);
    memory_free(primary);
}

static void *thread_main(void *context)
{
    struct transfer_thread *thread = context;
    server_thread_begin("transfer");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), TRANSFER_NICE);
    rcu_thread_start();
    rcu_offline(); /* on line only in sections: applying a large transfer takes long */
    loop_run(thread->loop);
    for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
        while (thread->primaries[i] != NULL) {
            struct primary *primary = thread->primaries[i];
            thread->primaries[i] = primary->next;
            primary_free(primary);
        }
    }
    rcu_thread_stop();
    return NULL;
}

enum result transfers_new(struct server *server, unsigned threads, struct transfers **out,
                          struct error *err)
{
    struct transfers *transfers = memory_new_zeroed(1, sizeof(*transfers));
    enum result result = OK;
    for (unsigned i = 0; i < threads && i < MAX_THREADS && result == OK; i++) {
        struct transfer_thread *thread = &transfers->threads[i];
        thread->server = server;
        transfers->count++;
        result = loop_new(&thread->loop, err);
        if (result == OK && pthread_create(&thread->thread, NULL, thread_main, thread) != 0) {
            result = error_set_os(err, ERR_IO, "cannot start a transfer thread");
        }
        thread->running = result == OK;
    }
    if (result != OK) {
        transfers_free(transfers);
        return result;
    }
    *out = transfers;
    return OK;
}

void transfers_free(struct transfers *transfers)
{
    if (transfers == NULL) {
        return;
    }
    for (unsigned i = 0; i < transfers->count; i++) {
        struct transfer_thread *thread = &transfers->threads[i];
        if (thread->running) {
            loop_stop(thread->loop);
            pthread_join(thread->thread, NULL);
        }
    }
    for (unsigned i = 0; i < transfers->count; i++) {
        loop_free(transfers->threads[i].loop);
    }
    memory_free(transfers);
}
