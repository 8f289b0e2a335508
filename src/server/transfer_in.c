/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Incoming transfers over TCP.
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
 * One thread owns everything about one primary, so no locks are needed.
 */
#include "server/transfer_in.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "net/stream.h"
#include "server/server_impl.h"
#include "server/sync.h"
#include "server/zones.h"
#include "xfr/axfr_in.h"
#include "xfr/ixfr_in.h"

enum {
    MAX_THREADS = 8,
    CONNECTIONS_PER_PRIMARY = 2, /* BIND's transfers-per-ns */
    IN_FLIGHT = 64,              /* on a connection that has proved itself */
    CONNECT_MS = 5000,
    KEEP_IDLE_MS = 60000,
    TRANSFER_NICE = 2,
};

struct connection {
    struct connection *next;
    struct transfer_thread *thread;
    struct address peer, source;
    struct stream *stream;
    struct transfer *transfers; /* in flight */
    unsigned in_flight;
    bool proved; /* a reply came */
};

struct transfer {
    struct transfer *next; /* in its connection's list, or in the thread's queue */
    struct transfer_thread *thread;
    struct server_zone *zone; /* a reference */
    struct refresh_action action;
    struct address peer, source;
    struct zone_version *base; /* a reference, or NULL */
    struct connection *connection;
    struct axfr_in *axfr; /* one of these two */
    struct ixfr_in *ixfr;
    struct tsig_key *key; /* a reference, or NULL */
    struct tsig tsig;     /* of the request that is under way */
    struct loop_timer deadline;
    struct instant started;
    uint16_t id;
    bool answered; /* a message came */
    bool retried;
    char address[ADDRESS_TEXT_SIZE];
};

struct transfer_thread {
    struct server *server;
    struct loop *loop;
    pthread_t thread;
    bool running;
    struct connection *connections;
    struct transfer *waiting; /* for a connection, in order */
    struct transfer **waiting_last;
};

struct transfers {
    unsigned count;
    struct transfer_thread threads[MAX_THREADS];
};

static void start_waiting(struct transfer_thread *thread);

/* ---- the end of a transfer ---- */

static void transfer_free(struct transfer *transfer)
{
    loop_timer_stop(transfer->thread->loop, &transfer->deadline);
    axfr_in_free(transfer->axfr);
    ixfr_in_free(transfer->ixfr);
    tsig_key_unref(transfer->key);
    zone_version_unref(transfer->base);
    server_zone_unref(transfer->zone);
    memory_free(transfer);
}

static void leave_connection(struct transfer *transfer)
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
    if (connection->stream != NULL) {
        stream_unhold(connection->stream);
    }
}

static struct xfr_stats stats_of(const struct transfer *transfer)
{
    return transfer->axfr != NULL ? axfr_in_stats(transfer->axfr) : ixfr_in_stats(transfer->ixfr);
}

static void log_end(const struct transfer *transfer, const char *status, const char *form,
                    const struct zone_version *version)
{
    struct xfr_stats stats = stats_of(transfer);
    double seconds = (double)(clock_now().ns - transfer->started.ns) / 1e9;
    uint32_t serial = version == NULL ? 0 : zone_version_serial(version).value;
    char phrase[1400];
    snprintf(phrase, sizeof(phrase), "transfer of '%s' from %s: Transfer status: %s",
             transfer->zone->label, transfer->address, status);
    LOG_EVENT(transfer->thread->server->logging, version == NULL ? LOG_WARNING : LOG_INFO,
              LOG_XFER_IN, "transfer_status", phrase, LOG_KEY("form", form));
    snprintf(phrase, sizeof(phrase),
             "transfer of '%s' from %s: Transfer completed: %llu messages, %llu records, %llu bytes, "
             "%.3f secs (%.0f bytes/sec) (serial %u)",
             transfer->zone->label, transfer->address, (unsigned long long)stats.messages,
             (unsigned long long)stats.records, (unsigned long long)stats.bytes, seconds,
             seconds > 0 ? (double)stats.bytes / seconds : 0.0, serial);
    if (version != NULL) {
        char from[16] = "none";
        if (transfer->base != NULL) {
            snprintf(from, sizeof(from), "%u", zone_version_serial(transfer->base).value);
        }
        char key[NAME_TEXT_SIZE] = "none";
        if (transfer->key != NULL) {
            name_format_log(tsig_key_name(transfer->key), key);
        }
        LOG_EVENT(transfer->thread->server->logging, LOG_INFO, LOG_XFER_IN, "transfer_applied",
                  phrase, LOG_KEY("form", form), LOG_KEY("from_serial", from),
                  LOG_KEY("transport", "tcp"), LOG_KEY("key", key));
    }
}

static void end_transfer(struct transfer *transfer, const struct transfer_result *result)
{
    struct transfer_thread *thread = transfer->thread;
    leave_connection(transfer);
    sync_transfer_ended(thread->server->sync, transfer->zone, transfer->action.ticket, result);
    transfer_free(transfer);
    start_waiting(thread);
}

static void fail(struct transfer *transfer, const struct error *err)
{
    struct transfer_result result = {.outcome = TRANSFER_FAILED};
    result.failure = err->code == ERR_TIMEOUT || err->code == ERR_CLOSED || err->code == ERR_IO
                         ? REFRESH_UNREACHABLE
                         : REFRESH_FAILED;
    snprintf(result.text, sizeof(result.text), "%s", err->text);
    log_end(transfer, err->text, transfer->ixfr != NULL ? "IXFR" : "AXFR", NULL);
    end_transfer(transfer, &result);
}

static void not_newer(struct transfer *transfer, struct serial serial, bool has_expire,
                      uint32_t expire_s)
{
    struct transfer_result result = {.outcome = TRANSFER_NOT_NEWER,
                                     .contact = {.serial = serial,
                                                 .has_expire = has_expire,
                                                 .expire_s = expire_s}};
    end_transfer(transfer, &result);
}

/* The new version goes through the commit door; `deltas` lead to it from the base, or are none. */
static void applied(struct transfer *transfer, struct zone_version *version, struct delta **deltas,
                    size_t count, const char *form, bool has_expire, uint32_t expire_s)
{
    struct soa soa = zone_version_soa(version);
    struct transfer_result result = {
        .outcome = TRANSFER_APPLIED,
        .contact = {.serial = soa.serial, .has_expire = has_expire, .expire_s = expire_s},
        .soa = {.serial = soa.serial,
                .refresh_s = soa.refresh_s,
                .retry_s = soa.retry_s,
                .expire_s = soa.expire_s},
    };
    struct error err = {0};
    if (zones_commit(transfer->zone, zone_version_ref(version), deltas, count, SOURCE_TRANSFER,
                     &err) != OK) {
        zone_version_unref(version);
        fail(transfer, &err);
        return;
    }
    log_end(transfer, "success", form, version);
    zone_version_unref(version);
    end_transfer(transfer, &result);
}

static void finish_axfr(struct transfer *transfer)
{
    struct zone_version *version;
    struct delta *delta = NULL;
    axfr_in_take(transfer->axfr, &version, &delta);
    uint32_t expire_s = 0;
    bool has_expire = axfr_in_expire(transfer->axfr, &expire_s);
    struct serial serial = zone_version_serial(version);
    if (transfer->base != NULL && !transfer->action.any_serial &&
        !serial_before(zone_version_serial(transfer->base), serial)) {
        zone_version_unref(version);
        delta_free(delta);
        not_newer(transfer, serial, has_expire, expire_s);
        return;
    }
    struct delta **deltas = NULL;
    if (delta != NULL) {
        deltas = memory_new(sizeof(delta));
        deltas[0] = delta;
    }
    applied(transfer, version, deltas, delta != NULL, "AXFR", has_expire, expire_s);
}

static void deltas_free(struct delta **deltas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        delta_free(deltas[i]);
    }
    memory_free(deltas);
}

static void apply_deltas(struct transfer *transfer, bool has_expire, uint32_t expire_s)
{
    size_t count;
    struct delta **deltas = ixfr_in_take_deltas(transfer->ixfr, &count);
    struct zone_settings *settings = server_zone_settings(transfer->zone);
    struct delta_limits limits = {.max_records = settings->max_records,
                                  .max_records_per_type = settings->max_records_per_type,
                                  .max_types_per_name = settings->max_types_per_name};
    settings_unref(settings->settings);
    struct zone_version *version = zone_version_ref(transfer->base);
    struct error err = {0};
    for (size_t i = 0; i < count; i++) {
        struct zone_version *next;
        if (delta_apply(version, deltas[i], &limits, &next, &err) != OK) {
            zone_version_unref(version);
            deltas_free(deltas, count);
            fail(transfer, &err);
            return;
        }
        zone_version_unref(version);
        version = next;
    }
    applied(transfer, version, deltas, count, "IXFR", has_expire, expire_s);
}

static void finish_ixfr(struct transfer *transfer)
{
    uint32_t expire_s = 0;
    bool has_expire = ixfr_in_expire(transfer->ixfr, &expire_s);
    struct error err = {0};
    switch (ixfr_in_outcome(transfer->ixfr)) {
    case IXFR_UP_TO_DATE:
    case IXFR_BEHIND:
        not_newer(transfer, ixfr_in_serial(transfer->ixfr), has_expire, expire_s);
        return;
    case IXFR_DELTAS:
        apply_deltas(transfer, has_expire, expire_s);
        return;
    case IXFR_WHOLE: {
        struct zone_version *version;
        struct delta *delta = NULL;
        ixfr_in_take_version(transfer->ixfr, &version, &delta);
        struct delta **deltas = NULL;
        if (delta != NULL) {
            deltas = memory_new(sizeof(delta));
            deltas[0] = delta;
        }
        applied(transfer, version, deltas, delta != NULL, "AXFR-style IXFR", has_expire, expire_s);
        return;
    }
    case IXFR_NOT_OVER_UDP:
        error_set(&err, ERR_FORMAT, "primary answered IXFR over TCP with its SOA alone");
        fail(transfer, &err);
        return;
    }
}

/* ---- connections ---- */

static void connection_free(struct connection *connection)
{
    struct connection **at = &connection->thread->connections;
    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    memory_free(connection);
}

static void requeue(struct transfer *transfer)
{
    transfer->retried = true;
    transfer->next = NULL;
    loop_timer_stop(transfer->thread->loop, &transfer->deadline);
    axfr_in_free(transfer->axfr);
    ixfr_in_free(transfer->ixfr);
    transfer->axfr = NULL;
    transfer->ixfr = NULL;
    *transfer->thread->waiting_last = transfer;
    transfer->thread->waiting_last = &transfer->next;
}

/* The stream is gone: what was in flight fails or is asked again. */
static void connection_ended(struct connection *connection, const struct error *err)
{
    struct transfer_thread *thread = connection->thread;
    bool reused = connection->proved;
    connection->stream = NULL;
    struct transfer *transfer = connection->transfers;
    connection->transfers = NULL;
    connection->in_flight = 0;
    connection_free(connection);
    while (transfer != NULL) {
        struct transfer *next = transfer->next;
        transfer->connection = NULL;
        if (reused && !transfer->answered && !transfer->retried) {
            requeue(transfer);
        } else {
            struct error told = *err;
            if (told.code == ERR_CLOSED) {
                told = (struct error){0};
                error_set(&told, ERR_CLOSED, transfer->answered
                                                 ? "the primary closed the connection in mid-transfer"
                                                 : "the primary closed the connection without an answer");
            }
            fail(transfer, &told);
        }
        transfer = next;
    }
    start_waiting(thread);
}

static void stream_closed(void *context, const struct error *err)
{
    connection_ended(context, err);
}

/* A transfer that failed in the middle leaves a stream of its messages behind: drop it all. */
static void abandon(struct connection *connection)
{
    struct stream *stream = connection->stream;
    struct error err = {0};
    error_set(&err, ERR_CLOSED, "closed after another transfer on it failed");
    stream_close(stream);
    connection_ended(connection, &err);
}

static void set_deadline(struct transfer *transfer)
{
    loop_timer_set(transfer->thread->loop, &transfer->deadline,
                   transfer->axfr != NULL ? axfr_in_deadline(transfer->axfr)
                                          : ixfr_in_deadline(transfer->ixfr));
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
    if (transfer == NULL) {
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
        if (transfer->axfr != NULL) {
            finish_axfr(transfer);
        } else {
            finish_ixfr(transfer);
        }
        return;
    case STEP_FAILED:
        fail(transfer, &err);
        if (!first || err.code == ERR_FORMAT || err.code == ERR_LIMIT ||
            err.code == ERR_BAD_AUTH) {
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
    fail(transfer, &err);
    abandon(connection);
}

static struct connection *connect_to(struct transfer_thread *thread, const struct transfer *transfer,
                                     struct error *err)
{
    static const struct stream_callbacks callbacks = {.message = stream_message,
                                                      .closed = stream_closed};
    struct stream_options options = stream_defaults;
    options.connect_ms = CONNECT_MS;
    options.idle_ms = KEEP_IDLE_MS;
    options.message_ms = 0; /* the machines' deadlines hold for transfers */
    options.in_first_bytes = 65536 + 2;
    struct connection *connection = memory_new_zeroed(1, sizeof(*connection));
    connection->thread = thread;
    connection->peer = transfer->peer;
    connection->source = transfer->source;
    if (stream_connect(thread->loop, &transfer->peer,
                       transfer->source.family == transfer->peer.family ? &transfer->source : NULL,
                       &options, &callbacks, connection, &connection->stream, err) != OK) {
        memory_free(connection);
        return NULL;
    }
    connection->next = thread->connections;
    thread->connections = connection;
    return connection;
}

/* A connection that can take one more request; NULL with err->code OK: wait for one. */
static struct connection *find_connection(struct transfer_thread *thread,
                                          const struct transfer *transfer, struct error *err)
{
    unsigned found = 0;
    struct connection *best = NULL;
    for (struct connection *one = thread->connections; one != NULL; one = one->next) {
        if (!address_equal(&one->peer, &transfer->peer) ||
            !address_equal(&one->source, &transfer->source)) {
            continue;
        }
        found++;
        unsigned room = one->proved ? IN_FLIGHT : 1;
        if (one->in_flight < room && (best == NULL || one->in_flight < best->in_flight)) {
            best = one;
        }
    }
    if (best != NULL || found >= CONNECTIONS_PER_PRIMARY) {
        return best;
    }
    return connect_to(thread, transfer, err);
}

/* Draws an ID that is free on the connection, makes the machine, sends the request. */
static enum result send_request(struct transfer *transfer, struct connection *connection,
                                struct error *err)
{
    bool taken;
    do {
        transfer->id = (uint16_t)random_u64();
        taken = false;
        for (struct transfer *one = connection->transfers; one != NULL; one = one->next) {
            taken = taken || one->id == transfer->id;
        }
    } while (taken);
    zone_version_unref(transfer->base);
    transfer->base = zone_acquire(transfer->zone->zone);
    struct zone_settings *settings = server_zone_settings(transfer->zone);
    struct xfr_in_limits limits = settings->transfer_limits;
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

static void start_waiting(struct transfer_thread *thread)
{
    struct transfer **at = &thread->waiting;
    while (*at != NULL) {
        struct transfer *transfer = *at;
        struct error err = {0};
        struct connection *connection = find_connection(thread, transfer, &err);
        if (connection == NULL && err.code == OK) {
            at = &transfer->next;
            continue;
        }
        *at = transfer->next;
        if (*at == NULL) {
            thread->waiting_last = at;
        }
        if (connection == NULL || send_request(transfer, connection, &err) != OK) {
            if (transfer->axfr == NULL && transfer->ixfr == NULL) {
                transfer->axfr = axfr_in_new(transfer->zone->zone->name, transfer->zone->zone->class,
                                             0, NULL, NULL, clock_now(), NULL, NULL);
            }
            fail(transfer, &err); /* comes back here for the others */
            return;
        }
    }
}

/* ---- from the sync thread ---- */

static void run_start(void *context)
{
    struct transfer *transfer = context;
    struct transfer_thread *thread = transfer->thread;
    loop_timer_init(&transfer->deadline, transfer_overdue, transfer);
    *thread->waiting_last = transfer;
    thread->waiting_last = &transfer->next;
    start_waiting(thread);
}

void transfer_in_start(struct transfers *transfers, struct server_zone *zone,
                       const struct refresh_action *action)
{
    struct zone_settings *settings = server_zone_settings(zone);
    const struct remote *primary = &settings->primaries[action->primary];
    struct transfer *transfer = memory_new_zeroed(1, sizeof(*transfer));
    transfer->zone = server_zone_ref(zone);
    transfer->action = *action;
    transfer->peer = primary->address;
    transfer->source = primary->source;
    transfer->key = tsig_key_ref(primary->tsig);
    address_format(&primary->address, true, transfer->address);
    settings_unref(settings->settings);
    uint64_t hash = hash_bytes(7, transfer->address, strlen(transfer->address));
    transfer->thread = &transfers->threads[hash % transfers->count];
    if (!loop_post(transfer->thread->loop, run_start, transfer)) {
        server_zone_unref(transfer->zone);
        tsig_key_unref(transfer->key);
        memory_free(transfer);
    }
}

/* ---- life ---- */

static void *thread_main(void *context)
{
    struct transfer_thread *thread = context;
    server_thread_begin("transfer");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), TRANSFER_NICE);
    loop_run(thread->loop);
    while (thread->connections != NULL) {
        struct connection *connection = thread->connections;
        stream_close(connection->stream);
        connection->stream = NULL;
        while (connection->transfers != NULL) {
            struct transfer *transfer = connection->transfers;
            leave_connection(transfer);
            transfer_free(transfer);
        }
        connection_free(connection);
    }
    while (thread->waiting != NULL) {
        struct transfer *transfer = thread->waiting;
        thread->waiting = transfer->next;
        transfer_free(transfer);
    }
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
        thread->waiting_last = &thread->waiting;
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
        loop_free(thread->loop);
    }
    memory_free(transfers);
}
