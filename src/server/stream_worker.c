/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP and TLS: questions are answered as they come, several may be waiting on a connection; transfers are
 * sent message by message whenever the connection's queue runs low, and questions that come
 * meanwhile are answered in between (RFC 7766 6.2.1, RFC 5936 4.1).
 */
#include "server/stream_worker.h"

#include <stdio.h>

#include "accounts/prefix_count.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"
#include "request/later_reply.h"
#include "server/answer_counts.h"
#include "server/dispatch.h"
#include "server/proxy.h"
#include "server/query_log.h"
#include "server/stream_worker_impl.h"
#include "server/transfer_out.h"
#include "wire/message.h"

enum { MESSAGES_PER_CALL = 4, CROWDED = 4 };

struct stream_answer {
    struct stream_answer *next, **link; /* in the client's list */
    struct stream_worker *worker;
    struct client *client; /* of the worker's thread; NULL: it is gone */
    uint8_t *message;      /* set by who sends */
    size_t size;
};

/* ---- clients ---- */

static void list_remove(struct client *client)
{
    struct stream_worker *worker = client->worker;
    *(client->older != NULL ? &client->older->newer : &worker->oldest) = client->newer;
    *(client->newer != NULL ? &client->newer->older : &worker->newest) = client->older;
}

void client_append(struct client *client)
{
    struct stream_worker *worker = client->worker;
    client->newer = NULL;
    client->older = worker->newest;
    *(worker->newest != NULL ? &worker->newest->newer : &worker->oldest) = client;
    worker->newest = client;
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
    door_left(client->door);
    if (!client->is_anonymous) {
        prefix_count_release(worker->server->tcp_networks, &client->network);
    }
    atomic_fetch_sub_explicit(&worker->server->counters.streams_open, 1, memory_order_relaxed);
    memory_free(client);
}

void client_close(struct client *client, const char *why)
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

uint32_t client_patience_ms(const struct server *server, const struct limits *limits, uint32_t ms)
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
    stream_set_idle_ms(
        client->stream,
        client_patience_ms(client->worker->server, limits,
                           client->keeps_alive ? limits->tcp_keepalive_ms : limits->tcp_idle_ms));
    if (client->newer != NULL) {
        list_remove(client);
        client_append(client);
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

const struct stream_callbacks client_callbacks = {.message = stream_message,
                                                  .introduced = client_introduced,
                                                  .want_more = want_more,
                                                  .closed = stream_closed};

/* ---- the thread ---- */

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

enum result stream_worker_start(struct stream_worker *worker, struct error *err)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
        return error_set_os(err, ERR_IO, "cannot start a stream worker");
    }
    worker->running = true;
    return OK;
}

void stream_worker_set_next(struct stream_worker *worker, struct stream_worker *next)
{
    worker->next = next;
}

void stream_worker_stop(struct stream_worker *worker)
{
    if (worker != NULL && worker->running) {
        loop_stop(worker->loop);
        pthread_join(worker->thread, NULL);
        worker->running = false;
    }
}

void stream_worker_free(struct stream_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    stream_worker_stop(worker);
    doors_free(worker);
    loop_free(worker->loop);
    memory_free(worker);
}
