/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP and TLS: questions are answered as they come, several may be waiting on a connection; transfers are
 * sent message by message whenever the connection's queue runs low, and questions that come
 * meanwhile are answered in between (RFC 7766 6.2.1, RFC 5936 4.1).
 *
 * The number of connections is bounded, in all (tcp-clients) and for each network
 * (tcp-clients-per-prefix). When a bound is reached, one that is owed nothing makes room for the
 * newcomer, the one that has not asked anything for the longest: who opens connections and is
 * silent, or sends half a message, throws out his own kind. The list of clients is in the order of
 * their last questions; busy ones stand at its far end or are few (transfers), so the search is
 * short, and it is cut short where it is not.
 */
#include "server/answer_counts.h"
#include "server/stream_worker.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "accounts/prefix_count.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"
#include "request/later_reply.h"
#include "server/dispatch.h"
#include "server/proxy.h"
#include "server/query_log.h"
#include "server/transfer_out.h"
#include "wire/message.h"

enum { TRANSFERS_PER_CONNECTION = 16, MESSAGES_PER_CALL = 4, SEARCH = 512, CROWDED = 4 };

struct client {
    struct client *newer, *older; /* in the worker's list */
    struct stream_worker *worker;
    struct door *door;
    struct stream *stream;
    struct prefix network;      /* it is counted in, unless it is a proxy's that … */
    bool is_anonymous;          /* … has not said yet who its client is */
    struct stream_answer *owed; /* answers that come later */
    unsigned owed_count;
    bool keeps_alive; /* asked for it (RFC 7828) */
    unsigned transfer_count;
    unsigned turn; /* which transfer is next */
    struct transfer_out *transfers[TRANSFERS_PER_CONNECTION];
    struct transfer_out *ended; /* its last message is queued; or NULL */
};

struct stream_answer {
    struct stream_answer *next, **link; /* in the client's list */
    struct stream_worker *worker;
    struct client *client; /* of the worker's thread; NULL: it is gone */
    uint8_t *message;      /* set by who sends */
    size_t size;
};

/* Where connections come in. */
struct door {
    struct door *next; /* in the worker's list; not once it is closed */
    struct stream_worker *worker;
    struct listener listener;
    char *tls; /* name of the `tls` block; NULL: plain TCP */
    enum conf_proxy proxy;
    size_t client_count; /* that came in here and are still there: they outlive a closed door */
    bool is_closed;
};

struct stream_worker {
    struct server *server;
    unsigned number;
    struct answer_counts *counts;
    struct loop *loop;
    pthread_t thread;
    bool running;
    struct client *oldest, *newest;
    uint8_t buffer[STREAM_MESSAGE_MAX];
    struct door *doors; /* of the worker's thread once that runs */
};

/* ---- clients ---- */

static void list_remove(struct client *client)
{
    struct stream_worker *worker = client->worker;
    *(client->older != NULL ? &client->older->newer : &worker->oldest) = client->newer;
    *(client->newer != NULL ? &client->newer->older : &worker->newest) = client->older;
}

static void list_append(struct client *client)
{
    struct stream_worker *worker = client->worker;
    client->newer = NULL;
    client->older = worker->newest;
    *(worker->newest != NULL ? &worker->newest->newer : &worker->oldest) = client;
    worker->newest = client;
}

static void door_free(struct door *door)
{
    listener_close(&door->listener);
    memory_free(door->tls);
    memory_free(door);
}

static void client_forget(struct client *client, const char *why)
{
    struct stream_worker *worker = client->worker;
    for (unsigned i = 0; i < client->transfer_count; i++) {
        transfer_out_free(client->transfers[i], why);
    }
    transfer_out_free(client->ended, NULL);
    for (struct stream_answer *answer = client->owed; answer != NULL; answer = answer->next) {
        answer->client = NULL;
    }
    list_remove(client);
    if (--client->door->client_count == 0 && client->door->is_closed) {
        door_free(client->door);
    }
    if (!client->is_anonymous) {
        prefix_count_release(worker->server->tcp_networks, &client->network);
    }
    atomic_fetch_sub_explicit(&worker->server->counters.streams_open, 1, memory_order_relaxed);
    memory_free(client);
}

static void client_close(struct client *client, const char *why)
{
    stream_close(client->stream);
    client_forget(client, why);
}

/* What more it asks for waits in its own buffers while it is owed as much as it may be. */
static void pause_or_resume(struct client *client)
{
    const struct settings *settings =
        atomic_load_explicit(&client->worker->server->settings, memory_order_acquire);
    if (client->transfer_count == TRANSFERS_PER_CONNECTION ||
        client->owed_count >= settings->limits.tcp_queries_per_client) {
        stream_pause(client->stream);
    } else {
        stream_resume(client->stream);
    }
}

/* Where connections become scarce, silence is borne a quarter as long. */
static uint32_t patience_ms(const struct server *server, const struct limits *limits, uint32_t ms)
{
    uint32_t open = atomic_load_explicit(&server->counters.streams_open, memory_order_relaxed);
    return open > limits->tcp_clients - limits->tcp_clients / CROWDED ? ms / CROWDED : ms;
}

/* A client that could not be talked to says nothing else that anybody could look at. */
static void log_tls_failure(const struct client *client, const struct error *err)
{
    char phrase[700];
    snprintf(phrase, sizeof(phrase), "client %s: %s", err->peer, err->text);
    LOG_EVENT_LIMITED(client->worker->server->logging, LOG_INFO, LOG_NETWORK, "tls_failed", phrase,
                      LOG_KEY("tls", client->door->tls));
}

static void stream_closed(void *context, const struct error *err)
{
    struct client *client = context;
    bool is_secured = client->door->tls != NULL && stream_tls(client->stream) != NULL;
    if (client->is_anonymous && (client->door->proxy == CONF_PROXY_PLAIN || is_secured)) {
        proxy_refuse(client->worker->server, stream_peer(client->stream),
                     client->door->tls != NULL ? ANSWER_TLS : ANSWER_TCP, err->text);
    } else if (client->door->tls != NULL &&
               (stream_tls(client->stream) == NULL || err->code == ERR_BAD_AUTH ||
                err->code == ERR_FORMAT)) {
        log_tls_failure(client, err);
    }
    client_forget(client, err->text);
}

/* The end of a transfer is told and logged when its last message has left: the next call of
 * want_more comes right after. */
static void end_transfer(struct client *client, struct transfer_out *transfer)
{
    transfer_out_free(client->ended, NULL);
    client->ended = transfer;
}

/* Sends what is next of the connection's transfers, one message of each in turn. */
static void want_more(void *context)
{
    struct client *client = context;
    struct stream_worker *worker = client->worker;
    end_transfer(client, NULL);
    for (unsigned n = 0; n < MESSAGES_PER_CALL && client->transfer_count != 0; n++) {
        client->turn = (client->turn + 1) % client->transfer_count;
        struct transfer_out *transfer = client->transfers[client->turn];
        const char *why = NULL;
        enum step step = transfer_out_send(transfer, client->stream, worker->buffer, &why);
        if (step == STEP_FAILED) {
            client_close(client, why);
            return;
        }
        if (step == STEP_DONE) {
            client->transfers[client->turn] = client->transfers[--client->transfer_count];
            end_transfer(client, transfer);
            stream_unhold(client->stream);
            pause_or_resume(client);
        }
    }
    if (client->transfer_count == 0 && client->ended == NULL) {
        stream_set_producing(client->stream, false);
    }
}

static void take_transfer(struct client *client, struct transfer_out *transfer)
{
    client->transfers[client->transfer_count++] = transfer;
    pause_or_resume(client);
    stream_hold(client->stream);
    stream_set_write_ms(client->stream, transfer_out_idle_ms(transfer));
    stream_set_producing(client->stream, true);
}

/* ---- answers that come later ---- */

static struct stream_answer *owe_answer(struct client *client)
{
    struct stream_answer *answer = memory_new(sizeof(*answer));
    *answer = (struct stream_answer){
        .next = client->owed, .link = &client->owed, .worker = client->worker, .client = client};
    if (client->owed != NULL) {
        client->owed->link = &answer->next;
    }
    client->owed = answer;
    client->owed_count++;
    pause_or_resume(client);
    stream_hold(client->stream);
    return answer;
}

static void deliver(void *context)
{
    struct stream_answer *answer = context;
    struct client *client = answer->client;
    if (client != NULL) {
        *answer->link = answer->next;
        if (answer->next != NULL) {
            answer->next->link = answer->link;
        }
        client->owed_count--;
        if (answer->size != 0 &&
            stream_send(client->stream, slice_of(answer->message, answer->size)) == ERR_LIMIT) {
            client_close(client, "the client does not read its answers");
        } else {
            stream_unhold(client->stream);
            pause_or_resume(client);
        }
    }
    memory_free(answer->message);
    memory_free(answer);
}

static void give_answer(struct stream_answer *answer, struct slice message)
{
    answer->message = memory_new(message.size + 1);
    memcpy(answer->message, message.data, message.size);
    answer->size = message.size;
    /* The loop runs as long as answers are owed, and they are bounded far below its queue. */
    REQUIRE(loop_post(answer->worker->loop, deliver, answer));
}

static const struct request_stream request_stream = {.owe = owe_answer, .give = give_answer};

/* The client has asked something: it goes to the end of the row, and its time begins anew. */
static void client_asked(struct client *client, const struct limits *limits,
                         const struct query *query)
{
    client->keeps_alive = client->keeps_alive || (query->wants & QUERY_WANTS_KEEPALIVE) != 0;
    stream_set_idle_ms(client->stream, patience_ms(client->worker->server, limits,
                                                   client->keeps_alive ? limits->tcp_keepalive_ms
                                                                       : limits->tcp_idle_ms));
    if (client->newer != NULL) {
        list_remove(client);
        list_append(client);
    }
}

static void note_answer(struct stream_worker *worker, const struct answer_query *query)
{
    answer_counts_add(worker->counts, worker->number, query);
    if (UNLIKELY(query_log_is_on(worker->server->query_log))) {
        query_log_add(worker->server->query_log, worker->number, query, 1);
    }
}

static void stream_message(void *context, struct slice message)
{
    struct client *client = context;
    struct stream_worker *worker = client->worker;
    struct request_scope scope = request_scope_begin(worker->server);
    const struct tls_info *tls = stream_tls(client->stream);
    struct answer_query query = {
        .message = message,
        .peer = stream_peer(client->stream),
        .local = stream_local(client->stream),
        .transport = tls != NULL ? ANSWER_TLS : ANSWER_TCP,
        .tls_names = tls != NULL ? tls->names : slice_of(NULL, 0),
        .out = worker->buffer,
        .out_size = sizeof(worker->buffer),
    };
    answer_batch(scope.answer, scope.zones, scope.wall_s, &query, 1);
    client_asked(client, &scope.settings->limits, &query.query);
    if (tls != NULL && (query.query.wants & QUERY_WANTS_PADDING) != 0) {
        query.padding = settings_response_padding(scope.settings, query.peer, tls->names);
    }
    if (query.disposition == ANSWER_SEND) {
        query.response_size =
            message_pad(query.out, query.response_size, query.out_size, 0, query.padding);
        note_answer(worker, &query);
    } else {
        struct request_origin origin = {.peer = *stream_peer(client->stream),
                                        .local = *stream_local(client->stream),
                                        .client = client,
                                        .stream = &request_stream,
                                        .tls = tls};
        if (query.disposition == ANSWER_XFR) {
            struct transfer_out *transfer = transfer_out_begin(&scope, &query, &origin);
            if (transfer != NULL) {
                note_answer(worker, &query);
                take_transfer(client, transfer);
                return;
            }
        } else {
            dispatch_request(&scope, &query, &origin);
        }
        note_answer(worker, &query);
    }
    if (query.response_size != 0 &&
        stream_send(client->stream, slice_of(worker->buffer, query.response_size)) == ERR_LIMIT) {
        client_close(client, "the client does not read its answers");
    }
}

/* Room for one more, in the network (NULL: any): who asked nothing for the longest goes. */
static bool make_room(struct stream_worker *worker, const struct prefix *network)
{
    struct client *client = worker->oldest;
    for (unsigned n = 0; n < SEARCH && client != NULL; n++, client = client->newer) {
        if (client->transfer_count == 0 && stream_owes_nothing(client->stream) &&
            (network == NULL ||
             (!client->is_anonymous && prefix_equal(&client->network, network)))) {
            atomic_fetch_add_explicit(&worker->server->counters.tcp_evicted, 1,
                                      memory_order_relaxed);
            client_close(client, "idle when another needed the room");
            return true;
        }
    }
    return false;
}

static void turn_away(struct server *server, const struct address *peer, const char *statement,
                      uint32_t limit)
{
    char phrase[200], from[ADDRESS_TEXT_SIZE];
    atomic_fetch_add_explicit(&server->counters.tcp_refused, 1, memory_order_relaxed);
    snprintf(phrase, sizeof(phrase), "client %s: no more TCP clients: quota reached",
             address_format(peer, true, from));
    LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_NETWORK, "tcp_quota", phrase,
                      LOG_KEY("limit", statement), LOG_NUM("value", limit));
}

static bool take_place_in_network(struct stream_worker *worker, const struct address *peer,
                                  const struct limits *limits, const struct prefix *network)
{
    struct server *server = worker->server;
    uint32_t share = limits->tcp_clients_per_prefix;
    if (prefix_count_take(server->tcp_networks, network, share) ||
        (make_room(worker, network) && prefix_count_take(server->tcp_networks, network, share))) {
        return true;
    }
    turn_away(server, peer, "tcp-clients-per-prefix", share);
    return false;
}

static bool take_place_in_all(struct stream_worker *worker, const struct address *peer,
                              const struct limits *limits)
{
    struct server *server = worker->server;
    if (atomic_load_explicit(&server->counters.streams_open, memory_order_relaxed) >=
            limits->tcp_clients &&
        !make_room(worker, NULL)) {
        turn_away(server, peer, "tcp-clients", limits->tcp_clients);
        return false;
    }
    atomic_fetch_add_explicit(&server->counters.streams_open, 1, memory_order_relaxed);
    return true;
}

/* The proxy has said who its client is, who is let in now like any other. */
static void introduced(void *context)
{
    struct client *client = context;
    struct server *server = client->worker->server;
    const struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    const struct limits *limits = &settings->limits;
    const struct address *peer = stream_peer(client->stream);
    struct prefix network = prefix_of(peer, limits->tcp_ipv4_bits, limits->tcp_ipv6_bits);
    if (settings_blackholes(settings, peer, client->door->tls != NULL ? ANSWER_TLS : ANSWER_TCP)) {
        client_close(client, "blackhole");
    } else if (!take_place_in_network(client->worker, peer, limits, &network)) {
        client_close(client, "quota reached");
    } else {
        client->network = network;
        client->is_anonymous = false;
    }
}

/* May it come in at all? It takes its places, but in a network only where it speaks for itself. */
static bool let_in(struct door *door, const struct settings *settings, const struct address *peer,
                   const struct address *local, const struct prefix *network)
{
    struct stream_worker *worker = door->worker;
    enum answer_transport transport = door->tls != NULL ? ANSWER_TLS : ANSWER_TCP;
    if (door->proxy != CONF_PROXY_NO) {
        if (!settings_trusts_proxy(settings, peer, local, transport)) {
            proxy_refuse(worker->server, peer, transport, proxy_not_listed);
            return false;
        }
        return take_place_in_all(worker, peer, &settings->limits);
    }
    if (settings_blackholes(settings, peer, transport) ||
        !take_place_in_network(worker, peer, &settings->limits, network)) {
        return false;
    }
    if (!take_place_in_all(worker, peer, &settings->limits)) {
        prefix_count_release(worker->server->tcp_networks, network);
        return false;
    }
    return true;
}

static void accepted(void *context, int fd, const struct address *peer, const struct address *local)
{
    static const struct stream_callbacks callbacks = {.message = stream_message,
                                                      .introduced = introduced,
                                                      .want_more = want_more,
                                                      .closed = stream_closed};
    static const enum stream_proxy proxies[] = {STREAM_PROXY_NO, STREAM_PROXY_PLAIN,
                                                STREAM_PROXY_ENCRYPTED};
    struct door *door = context;
    struct stream_worker *worker = door->worker;
    struct server *server = worker->server;
    const struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    const struct limits *limits = &settings->limits;
    struct prefix network = prefix_of(peer, limits->tcp_ipv4_bits, limits->tcp_ipv6_bits);
    /* As the last reload read it. */
    struct tls_context *tls =
        door->tls == NULL ? NULL : tls_table_find_server(&settings->tls, door->tls);
    if ((door->tls != NULL && tls == NULL) || !let_in(door, settings, peer, local, &network)) {
        close(fd);
        return;
    }
    struct stream_options options = stream_defaults;
    options.idle_ms = patience_ms(server, limits, limits->tcp_initial_ms);
    options.queue_max_bytes = limits->tcp_queue_bytes;
    options.pause_messages = limits->tcp_queries_per_client;
    options.tls = tls;
    options.proxy = proxies[door->proxy];
    struct client *client = memory_new_zeroed(1, sizeof(*client));
    client->worker = worker;
    client->door = door;
    client->network = network;
    client->is_anonymous = door->proxy != CONF_PROXY_NO;
    if (stream_accept(worker->loop, fd, peer, local, &options, &callbacks, client, &client->stream,
                      NULL) != OK) {
        if (!client->is_anonymous) {
            prefix_count_release(server->tcp_networks, &network);
        }
        atomic_fetch_sub_explicit(&server->counters.streams_open, 1, memory_order_relaxed);
        memory_free(client);
        return;
    }
    door->client_count++;
    list_append(client);
}

static void accept_failed(void *context, const struct error *err)
{
    const struct door *door = context;
    LOG_EVENT_LIMITED(door->worker->server->logging, LOG_ERROR, LOG_NETWORK, "accept_failed",
                      err->text, LOG_KEY("action", "trying again"));
}

static void *worker_main(void *context)
{
    struct stream_worker *worker = context;
    server_thread_begin("stream");
    rcu_thread_start();
    loop_run(worker->loop);
    while (worker->oldest != NULL) {
        client_close(worker->oldest, "the server is ending");
    }
    rcu_thread_stop();
    return NULL;
}

enum result stream_worker_new(struct server *server, unsigned number, struct stream_worker **out,
                              struct error *err)
{
    struct stream_worker *worker = memory_new_zeroed(1, sizeof(*worker));
    worker->server = server;
    worker->number = number;
    worker->counts = &server->answer_counts[number];
    enum result result = loop_new(&worker->loop, err);
    if (result != OK) {
        stream_worker_free(worker);
        return result;
    }
    server_set_rcu_hooks(worker->loop);
    *out = worker;
    return OK;
}

/* ---- its doors ---- */

static enum result door_add(struct door *door, struct error *err)
{
    struct stream_worker *worker = door->worker;
    enum result result =
        listener_start(&door->listener, worker->loop, accepted, accept_failed, door, err);
    if (result == OK) {
        door->next = worker->doors;
        worker->doors = door;
    }
    return result;
}

static void run_add(void *context)
{
    struct door *door = context;
    struct error err = {0};
    if (!door->worker->running) {
        door_free(door);
    } else if (door_add(door, &err) != OK) {
        LOG_EVENT(door->worker->server->logging, LOG_ERROR, LOG_NETWORK, "listen_failed", err.text,
                  LOG_KEY("action", "one thread does not listen there"));
        door_free(door);
    }
}

enum result stream_worker_open(struct stream_worker *worker, const struct settings *settings,
                               const struct special_listen *place, struct error *err)
{
    struct door *door = memory_new_zeroed(1, sizeof(*door));
    *door = (struct door){.worker = worker, .listener = {.fd = -1}};
    door->tls = place->tls == NULL ? NULL : memory_strdup(place->tls);
    door->proxy = place->proxy;
    struct listener_options options = {.local = place->address,
                                       .reuse_port = true,
                                       .backlog = (int)settings->limits.tcp_listen_queue};
    enum result result = listener_open(&options, &door->listener, err);
    if (result == OK && !worker->running) {
        result = door_add(door, err);
    } else if (result == OK && !loop_post(worker->loop, run_add, door)) {
        result = error_set(err, ERR_BUSY, "the server is ending");
    }
    if (result != OK) {
        door_free(door);
    }
    return result;
}

struct closing {
    struct stream_worker *worker;
    struct address address;
};

static void run_close(void *context)
{
    struct closing *closing = context;
    for (struct door **link = &closing->worker->doors; *link != NULL;) {
        struct door *door = *link;
        if (!address_equal(&door->listener.local, &closing->address)) {
            link = &door->next;
            continue;
        }
        *link = door->next;
        listener_close(&door->listener);
        door->is_closed = true;
        if (door->client_count == 0) {
            door_free(door);
        }
    }
    memory_free(closing);
}

void stream_worker_close(struct stream_worker *worker, const struct address *address)
{
    struct closing *closing = memory_new(sizeof(*closing));
    *closing = (struct closing){.worker = worker, .address = *address};
    if (!worker->running) {
        run_close(closing);
    } else if (!loop_post(worker->loop, run_close, closing)) {
        memory_free(closing); /* it ends and closes all of them */
    }
}

enum result stream_worker_start(struct stream_worker *worker, struct error *err)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
        return error_set_os(err, ERR_IO, "cannot start a stream worker");
    }
    worker->running = true;
    return OK;
}

void stream_worker_free(struct stream_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->running) {
        loop_stop(worker->loop);
        pthread_join(worker->thread, NULL);
        worker->running = false;
    }
    while (worker->doors != NULL) {
        struct door *door = worker->doors;
        worker->doors = door->next;
        door_free(door);
    }
    loop_free(worker->loop);
    memory_free(worker);
}
