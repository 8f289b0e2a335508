/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where TCP and TLS connections come in, and who is let in.
 *
 * The number of connections is bounded, in all (tcp-clients) and for each network
 * (tcp-clients-per-prefix). When a bound is reached, one that is owed nothing makes room for the
 * newcomer, the one that has not asked anything for the longest: who opens connections and is
 * silent, or sends half a message, throws out his own kind. The list of clients is in the order of
 * their last questions; busy ones stand at its far end or are few (transfers), so the search is
 * short, and it is cut short where it is not.
 *
 * The kernel deals connections out to the workers, and each has only its own to close. A newcomer
 * for whom the first has no room is passed on to the next, round the ring, and turned away by the
 * last; the bounds hold at every moment. Who a proxy speaks for is known when the connection is a
 * worker's already, and is let in or turned away there.
 */
#include <stdio.h>
#include <unistd.h>

#include "accounts/prefix_count.h"
#include "base/memory.h"
#include "hub/server.h"
#include "server/proxy.h"
#include "server/stream_worker_impl.h"

enum { SEARCH = 512 };

enum verdict { LET_IN, NO_ROOM_IN_NETWORK, NO_ROOM, NOT_WANTED };

/* A connection that is not let in yet. */
struct newcomer {
    int fd;
    struct address peer, local;
    struct stream_worker *first; /* that accepted it */
    struct stream_worker *turn;  /* passed on: who looks now, for a door like that it came by */
    struct address listens;
    bool is_tls;
};

static void door_free(struct door *door)
{
    listener_close(&door->listener);
    memory_free(door->tls);
    memory_free(door);
}

void door_left(struct door *door)
{
    if (--door->client_count == 0 && door->is_closed) {
        door_free(door);
    }
}

void doors_free(struct stream_worker *worker)
{
    while (worker->doors != NULL) {
        struct door *door = worker->doors;
        worker->doors = door->next;
        door_free(door);
    }
}

/* ---- places ---- */

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

static void turn_away(struct server *server, const struct address *peer, enum verdict verdict,
                      const struct limits *limits)
{
    bool is_network = verdict == NO_ROOM_IN_NETWORK;
    char phrase[200], from[ADDRESS_TEXT_SIZE];
    atomic_fetch_add_explicit(&server->counters.tcp_refused, 1, memory_order_relaxed);
    snprintf(phrase, sizeof(phrase), "client %s: no more TCP clients: quota reached",
             address_format(peer, true, from));
    LOG_EVENT_LIMITED(
        server->logging, LOG_WARNING, LOG_NETWORK, "tcp_quota", phrase,
        LOG_KEY("limit", is_network ? "tcp-clients-per-prefix" : "tcp-clients"),
        LOG_NUM("value", is_network ? limits->tcp_clients_per_prefix : limits->tcp_clients));
}

static bool take_place_in_network(struct stream_worker *worker, const struct limits *limits,
                                  const struct prefix *network)
{
    struct prefix_count *networks = worker->server->tcp_networks;
    uint32_t share = limits->tcp_clients_per_prefix;
    return prefix_count_take(networks, network, share) ||
           (make_room(worker, network) && prefix_count_take(networks, network, share));
}

static bool take_place_in_all(struct stream_worker *worker, const struct limits *limits)
{
    struct server *server = worker->server;
    if (atomic_load_explicit(&server->counters.streams_open, memory_order_relaxed) >=
            limits->tcp_clients &&
        !make_room(worker, NULL)) {
        return false;
    }
    atomic_fetch_add_explicit(&server->counters.streams_open, 1, memory_order_relaxed);
    return true;
}

/* The proxy has said who its client is, who is let in now like any other. */
void client_introduced(void *context)
{
    struct client *client = context;
    struct server *server = client->worker->server;
    const struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    const struct limits *limits = &settings->limits;
    const struct address *peer = stream_peer(client->stream);
    struct prefix network = prefix_of(peer, limits->tcp_ipv4_bits, limits->tcp_ipv6_bits);
    if (settings_blackholes(settings, peer, client->door->tls != NULL ? ANSWER_TLS : ANSWER_TCP)) {
        client_close(client, "blackhole");
    } else if (!take_place_in_network(client->worker, limits, &network)) {
        turn_away(server, peer, NO_ROOM_IN_NETWORK, limits);
        client_close(client, "quota reached");
    } else {
        client->network = network;
        client->is_anonymous = false;
    }
}

/* May it come in at all? It takes its places, but in a network only where it speaks for itself. */
static enum verdict let_in(struct door *door, const struct settings *settings,
                           const struct newcomer *newcomer, const struct prefix *network)
{
    struct stream_worker *worker = door->worker;
    const struct limits *limits = &settings->limits;
    const struct address *peer = &newcomer->peer;
    enum answer_transport transport = door->tls != NULL ? ANSWER_TLS : ANSWER_TCP;
    if (door->proxy != CONF_PROXY_NO) {
        if (!settings_trusts_proxy(settings, peer, &newcomer->local, transport)) {
            proxy_refuse(worker->server, peer, transport, proxy_not_listed);
            return NOT_WANTED;
        }
        return take_place_in_all(worker, limits) ? LET_IN : NO_ROOM;
    }
    if (settings_blackholes(settings, peer, transport)) {
        return NOT_WANTED;
    }
    if (!take_place_in_network(worker, limits, network)) {
        return NO_ROOM_IN_NETWORK;
    }
    if (!take_place_in_all(worker, limits)) {
        prefix_count_release(worker->server->tcp_networks, network);
        return NO_ROOM;
    }
    return LET_IN;
}

static void enter(struct door *door, const struct newcomer *newcomer);

/* The next worker's turn. */
static void run_enter(void *context)
{
    struct newcomer *newcomer = context;
    struct door *door = newcomer->turn->doors;
    while (door != NULL && !(address_equal(&door->listener.local, &newcomer->listens) &&
                             (door->tls != NULL) == newcomer->is_tls)) {
        door = door->next;
    }
    if (door != NULL) {
        enter(door, newcomer);
    } else {
        close(newcomer->fd); /* it was closed meanwhile */
    }
    memory_free(newcomer);
}

/* False: all workers have looked, or the next one is ending. */
static bool pass_on(const struct door *door, const struct newcomer *newcomer)
{
    struct stream_worker *next = door->worker->next;
    if (next == NULL || next == newcomer->first) {
        return false;
    }
    struct newcomer *passed = memory_new(sizeof(*passed));
    *passed = *newcomer;
    passed->turn = next;
    passed->listens = door->listener.local;
    passed->is_tls = door->tls != NULL;
    if (!loop_post(next->loop, run_enter, passed)) {
        memory_free(passed);
        return false;
    }
    return true;
}

static bool begin(struct door *door, const struct settings *settings, struct tls_context *tls,
                  const struct newcomer *newcomer, const struct prefix *network)
{
    static const enum stream_proxy proxies[] = {STREAM_PROXY_NO, STREAM_PROXY_PLAIN,
                                                STREAM_PROXY_ENCRYPTED};
    struct stream_worker *worker = door->worker;
    const struct limits *limits = &settings->limits;
    struct stream_options options = stream_defaults;
    options.idle_ms = client_patience_ms(worker->server, limits, limits->tcp_initial_ms);
    options.queue_max_bytes = limits->tcp_queue_bytes;
    options.pause_messages = limits->tcp_queries_per_client;
    options.tls = tls;
    options.proxy = proxies[door->proxy];
    struct client *client = memory_new_zeroed(1, sizeof(*client));
    client->worker = worker;
    client->door = door;
    client->network = *network;
    client->is_anonymous = door->proxy != CONF_PROXY_NO;
    if (stream_accept(worker->loop, newcomer->fd, &newcomer->peer, &newcomer->local, &options,
                      &client_callbacks, client, &client->stream, NULL) != OK) {
        memory_free(client);
        return false;
    }
    door->client_count++;
    client_append(client);
    return true;
}

static void enter(struct door *door, const struct newcomer *newcomer)
{
    struct server *server = door->worker->server;
    const struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    const struct limits *limits = &settings->limits;
    struct prefix network =
        prefix_of(&newcomer->peer, limits->tcp_ipv4_bits, limits->tcp_ipv6_bits);
    /* As the last reload read it. */
    struct tls_context *tls =
        door->tls == NULL ? NULL : tls_table_find_server(&settings->tls, door->tls);
    enum verdict verdict =
        door->tls != NULL && tls == NULL ? NOT_WANTED : let_in(door, settings, newcomer, &network);
    switch (verdict) {
    case LET_IN:
        if (!begin(door, settings, tls, newcomer, &network)) {
            if (door->proxy == CONF_PROXY_NO) {
                prefix_count_release(server->tcp_networks, &network);
            }
            atomic_fetch_sub_explicit(&server->counters.streams_open, 1, memory_order_relaxed);
        }
        return;
    case NO_ROOM_IN_NETWORK:
    case NO_ROOM:
        if (pass_on(door, newcomer)) {
            return;
        }
        turn_away(server, &newcomer->peer, verdict, limits);
        break;
    case NOT_WANTED:
        break;
    }
    close(newcomer->fd);
}

static void accepted(void *context, int fd, const struct address *peer, const struct address *local)
{
    struct door *door = context;
    struct newcomer newcomer = {.fd = fd, .peer = *peer, .local = *local, .first = door->worker};
    enter(door, &newcomer);
}

static void accept_failed(void *context, const struct error *err)
{
    const struct door *door = context;
    LOG_EVENT_LIMITED(door->worker->server->logging, LOG_ERROR, LOG_NETWORK, "accept_failed",
                      err->text, LOG_KEY("action", "trying again"));
}

/* ---- opening and closing ---- */

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
                                       .backlog = (int)settings->limits.tcp_listen_queue,
                                       .receive_buffer_bytes = settings->limits.tcp_receive_bytes,
                                       .send_buffer_bytes = settings->limits.tcp_send_bytes};
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
