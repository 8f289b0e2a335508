/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP: batches in, batches out. Between receive and send the worker is an RCU reader: what it
 * loaded (settings, zone set, versions) stays until the turn is over, and the loop's hooks say so.
 *
 * What the queries of a batch are given beside their octets (where an answer goes, whose question it
 * is) are the same places batch after batch, and so is set once.
 *
 * A socket is drained for a bounded number of batches a turn, so that one busy address cannot
 * starve the others of the same thread.
 */
#include "server/udp_worker.h"

#include <pthread.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "net/loop.h"
#include "net/udp.h"
#if LOCKSTEP_XDP
#include "net/xdp.h"
#endif
#include "hub/server.h"
#include "server/answer_counts.h"
#include "server/dispatch.h"
#include "server/proxy.h"
#include "server/query_log.h"
#include "server/rate_limiter.h"

enum { BATCHES_PER_TURN = 8, DATAGRAM_SIZE = 4096, ANSWER_SIZE = 4096 + 512, COUNT_LOST_MS = 1000 };

struct udp_port {
    struct udp_port *next;
    struct udp_worker *worker;
    struct udp_socket socket;
    struct loop_watch watch;
    bool is_proxied;      /* a PROXY header comes first */
    struct xdp_port *xdp; /* instead of the socket; or NULL */
    struct loop_timer xdp_again;
    struct instant xdp_count_at; /* when xdp_lost is looked at next */
    uint64_t xdp_lost;
};

struct udp_worker {
    struct server *server;
    unsigned number;
    struct answer_counts *counts;
    struct loop *loop;
    struct udp_batch *batch;
    pthread_t thread;
    bool running;
    struct udp_port *ports; /* of the worker's thread once that runs */
    struct answer_query queries[UDP_BATCH];
    const struct udp_slot *set_for;    /* the slots that the queries are set for; or NULL */
    struct address proxies[UDP_BATCH]; /* where the answers of a proxied port go */
};

/* From here on the slots are the clients'; what is refused is empty. */
static void unwrap_slots(struct udp_worker *worker, const struct settings *settings,
                         struct udp_slot *slots, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        worker->proxies[i] = slots[i].peer;
        if (!proxy_unwrap(worker->server, settings, &slots[i])) {
            slots[i].in.size = 0;
        }
    }
}

/* All inputs but the message. */
static COLD void set_queries(struct udp_worker *worker, const struct udp_slot *slots)
{
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        struct answer_query *query = &worker->queries[i];
        query->peer = &slots[i].peer;
        query->local = &slots[i].local;
        query->key = NULL;
        query->transport = ANSWER_UDP;
        query->reserve = 0;
        query->out = slots[i].out;
        query->out_size = slots[i].out_capacity;
    }
    worker->set_for = slots;
}

/* What is refused is too short to be answered. */
static NOINLINE void blackhole_slots(const struct settings *settings, struct udp_slot *slots,
                                     unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (settings_blackholes(settings, &slots[i].peer, ANSWER_UDP)) {
            slots[i].in.size = 0;
        }
    }
}

/* Those of the batch that were not answered. */
static NOINLINE void handle_others(const struct request_scope *scope, struct udp_port *port,
                                   const struct udp_slot *slots, unsigned count)
{
    struct udp_worker *worker = port->worker;
    for (unsigned i = 0; i < count; i++) {
        struct answer_query *query = &worker->queries[i];
        if (query->disposition != ANSWER_SEND) {
            struct request_origin origin = {
                .peer = slots[i].peer,
                .reply_to = port->is_proxied ? worker->proxies[i] : slots[i].peer,
                .local = slots[i].local,
                .udp = &port->socket,
            };
            dispatch_request(scope, query, &origin);
        }
    }
    worker->set_for = NULL; /* a key may have been found, and room kept */
}

/* Answers the `count` datagrams in the batch; the slots' out_size is set. */
HOT static void answer_slots(struct udp_worker *worker, struct udp_port *port,
                             struct udp_slot *slots, unsigned count)
{
    struct request_scope scope = request_scope_begin(worker->server);
    if (UNLIKELY(port->is_proxied)) {
        unwrap_slots(worker, scope.settings, slots, count);
    }
    if (UNLIKELY(scope.settings->blackhole != NULL)) {
        blackhole_slots(scope.settings, slots, count);
    }
    if (UNLIKELY(worker->set_for != slots)) {
        set_queries(worker, slots);
    }
    for (unsigned i = 0; i < count; i++) {
        worker->queries[i].message = slots[i].in;
    }
    if (UNLIKELY(answer_batch(scope.answer, scope.zones, scope.wall_s, worker->queries, count) !=
                 count)) {
        handle_others(&scope, port, slots, count);
    }
    if (UNLIKELY(scope.settings->rates != NULL)) {
        rate_limiter_apply(&scope, worker->queries, count);
    }
    for (unsigned i = 0; i < count; i++) {
        slots[i].out_size = worker->queries[i].response_size;
    }
    answer_counts_add_batch(worker->counts, worker->number, worker->queries, count);
    if (UNLIKELY(query_log_is_on(worker->server->query_log))) {
        query_log_add(worker->server->query_log, worker->number, worker->queries, count);
    }
}

static void port_ready(void *context, unsigned events)
{
    (void)events;
    struct udp_port *port = context;
    struct udp_worker *worker = port->worker;
    for (unsigned n = 0; n < BATCHES_PER_TURN; n++) {
        unsigned count;
        if (udp_receive(&port->socket, worker->batch, &count, NULL) != OK) {
            return; /* an ICMP error about an earlier answer; nothing to do about it */
        }
        if (count == 0) {
            return;
        }
        answer_slots(worker, port, udp_batch_slots(worker->batch), count);
        unsigned dropped = udp_send(&port->socket, worker->batch, count);
        if (UNLIKELY(dropped != 0)) {
            atomic_fetch_add_explicit(&worker->server->counters.udp_send_dropped, dropped,
                                      memory_order_relaxed);
        }
        if (count < UDP_BATCH) {
            return;
        }
        rcu_quiescent();
    }
}

#if LOCKSTEP_XDP
static void xdp_turn(struct udp_port *port)
{
    struct udp_worker *worker = port->worker;
    struct server_counters *counters = &worker->server->counters;
    for (unsigned n = 0; n < BATCHES_PER_TURN; n++) {
        struct udp_slot *slots;
        unsigned count = xdp_receive(port->xdp, &slots);
        if (count != 0) {
            worker->set_for = NULL; /* their answers go elsewhere each time */
            answer_slots(worker, port, slots, count);
            atomic_fetch_add_explicit(&counters->xdp_questions, count, memory_order_relaxed);
        }
        unsigned dropped = xdp_send(port->xdp);
        if (UNLIKELY(dropped != 0)) {
            atomic_fetch_add_explicit(&counters->udp_send_dropped, dropped, memory_order_relaxed);
        }
        if (count < UDP_BATCH) {
            return;
        }
        rcu_quiescent();
    }
}

/* Busy or not, at most once a second. */
static void count_lost(struct udp_port *port)
{
    struct instant now = loop_now(port->worker->loop);
    if (instant_before(now, port->xdp_count_at)) {
        return;
    }
    uint64_t lost = xdp_lost(port->xdp);
    atomic_fetch_add_explicit(&port->worker->server->counters.xdp_lost, lost - port->xdp_lost,
                              memory_order_relaxed);
    port->xdp_lost = lost;
    port->xdp_count_at = instant_add_ms(now, COUNT_LOST_MS);
}

/* Answers that an interface has no room for go after the next batch, or after a millisecond. */
static void xdp_due(void *context)
{
    struct udp_port *port = context;
    xdp_turn(port);
    count_lost(port);
    if (UNLIKELY(xdp_is_behind(port->xdp))) {
        loop_timer_set(port->worker->loop, &port->xdp_again, instant_add_ms(clock_now(), 1));
    }
}

static void xdp_ready(void *context, unsigned events)
{
    (void)events;
    xdp_due(context);
}
#endif

static void *worker_main(void *context)
{
    struct udp_worker *worker = context;
    server_thread_begin("answer");
    rcu_thread_start();
    loop_run(worker->loop);
    rcu_thread_stop();
    return NULL;
}

enum result udp_worker_new(struct server *server, const struct settings *settings, unsigned number,
                           struct udp_worker **out, struct error *err)
{
    struct udp_worker *worker = memory_new_zeroed(1, sizeof(*worker));
    worker->server = server;
    worker->number = number;
    worker->counts = &server->answer_counts[number];
    worker->batch = udp_batch_new(DATAGRAM_SIZE, ANSWER_SIZE);
    enum result result = loop_new(&worker->loop, err);
    if (result != OK) {
        udp_worker_free(worker);
        return result;
    }
    server_set_rcu_hooks(worker->loop);
    loop_set_spin(worker->loop, settings->limits.udp_spin_us);
    *out = worker;
    return OK;
}

/* ---- its sockets ---- */

static void port_free(struct udp_port *port)
{
    udp_close(&port->socket);
#if LOCKSTEP_XDP
    xdp_close(port->xdp);
#endif
    memory_free(port);
}

static enum result port_add(struct udp_port *port, struct error *err)
{
    struct udp_worker *worker = port->worker;
    enum result result = loop_watch_add(worker->loop, &port->watch, port->socket.fd, LOOP_READ,
                                        port_ready, port, err);
    if (result == OK) {
        port->next = worker->ports;
        worker->ports = port;
    }
    return result;
}

static void run_add(void *context)
{
    struct udp_port *port = context;
    struct error err = {0};
    if (!port->worker->running) {
        port_free(port);
    } else if (port_add(port, &err) != OK) {
        LOG_EVENT(port->worker->server->logging, LOG_ERROR, LOG_NETWORK, "listen_failed", err.text,
                  LOG_KEY("action", "one thread does not listen there"));
        port_free(port);
    }
}

enum result udp_worker_open(struct udp_worker *worker, const struct settings *settings,
                            const struct address *address, bool is_proxied, struct error *err)
{
    struct udp_port *port = memory_new_zeroed(1, sizeof(*port));
    port->worker = worker;
    port->is_proxied = is_proxied;
    port->socket.fd = -1;
    struct udp_options options = {
        .local = *address,
        .reuse_port = true,
        .receive_buffer_bytes = settings->limits.udp_receive_bytes,
        .send_buffer_bytes = settings->limits.udp_send_bytes,
    };
    enum result result = udp_open(&options, &port->socket, err);
    if (result == OK && !worker->running) {
        result = port_add(port, err);
    } else if (result == OK && !loop_post(worker->loop, run_add, port)) {
        result = error_set(err, ERR_BUSY, "the server is ending");
    }
    if (result != OK) {
        port_free(port);
    }
    return result;
}

#if LOCKSTEP_XDP
enum result udp_worker_add_xdp(struct udp_worker *worker, struct xdp_port *xdp, struct error *err)
{
    struct udp_port *port = memory_new_zeroed(1, sizeof(*port));
    *port = (struct udp_port){.worker = worker, .socket = {.fd = -1}, .xdp = xdp};
    loop_timer_init(&port->xdp_again, xdp_due, port);
    enum result result =
        loop_watch_add(worker->loop, &port->watch, xdp_fd(xdp), LOOP_READ, xdp_ready, port, err);
    if (result != OK) {
        port_free(port);
        return result;
    }
    port->next = worker->ports;
    worker->ports = port;
    return OK;
}
#endif

struct closing {
    struct udp_worker *worker;
    struct address address;
};

static void run_close(void *context)
{
    struct closing *closing = context;
    struct udp_worker *worker = closing->worker;
    for (struct udp_port **link = &worker->ports; *link != NULL;) {
        struct udp_port *port = *link;
        if (port->xdp != NULL || !address_equal(&port->socket.local, &closing->address)) {
            link = &port->next;
            continue;
        }
        port_ready(port, LOOP_READ); /* what came in before gets its answers */
        *link = port->next;
        loop_watch_remove(worker->loop, &port->watch);
        port_free(port);
    }
    memory_free(closing);
}

void udp_worker_close(struct udp_worker *worker, const struct address *address)
{
    struct closing *closing = memory_new(sizeof(*closing));
    *closing = (struct closing){.worker = worker, .address = *address};
    if (!worker->running) {
        run_close(closing);
    } else if (!loop_post(worker->loop, run_close, closing)) {
        memory_free(closing); /* it ends and closes all of them */
    }
}

enum result udp_worker_start(struct udp_worker *worker, struct error *err)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
        return error_set_os(err, ERR_IO, "cannot start an answer worker");
    }
    worker->running = true;
    return OK;
}

void udp_worker_free(struct udp_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->running) {
        loop_stop(worker->loop);
        pthread_join(worker->thread, NULL);
        worker->running = false;
    }
    while (worker->ports != NULL) {
        struct udp_port *port = worker->ports;
        worker->ports = port->next;
        loop_watch_remove(worker->loop, &port->watch);
        if (port->xdp != NULL) {
            loop_timer_stop(worker->loop, &port->xdp_again);
        }
        port_free(port);
    }
    loop_free(worker->loop);
    udp_batch_free(worker->batch);
    memory_free(worker);
}
