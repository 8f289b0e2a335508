/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking other servers. A few UDP sockets with random ports are shared by all questions from the
 * same source address, so that neither a hundred thousand zones nor a burst needs a descriptor
 * each; a reply counts only if it comes to the socket that asked, from the address that was asked,
 * with the random ID (about 28 bits to guess). A reply whose signature is wrong ends the question
 * as well: the operator wants to know at once which end has the wrong key, and who can guess 28
 * bits can just as well hinder unsigned questions. Over TCP each question has a connection of its
 * own: it is the rare way, for peers that did not answer over UDP. Over TLS questions share the
 * connections of transfers, in the threads of those.
 */
#include "sync/ask.h"

#include "base/hash.h"
#include "base/memory.h"
#include "hub/server.h"
#include "net/stream.h"
#include "net/udp.h"
#include "sync/transfer_in.h"
#include "wire/record.h"

enum {
    SOCKETS_PER_SOURCE = 4,
    MAX_SOCKETS = 64,
    MESSAGE_SIZE = 2048,
    REPLY_SIZE = 4096,
    MAX_UNDER_WAY = 32768,
    REAP_MS = 60000,
};

struct ask_socket {
    struct asker *asker;
    struct udp_socket socket;
    struct loop_watch watch;
    struct address source; /* as asked for; family 4 or 6 */
};

struct ask {
    struct asker *asker;
    struct address peer;
    uint16_t id;
    struct ask_socket *socket;          /* UDP */
    struct stream *stream;              /* TCP */
    struct transfer_question *question; /* TLS */
    struct loop_timer timer;
    ask_done *done;
    void *context;
    struct tsig tsig; /* with a reference on its key, or without one */
};

struct asker {
    struct server *server;
    struct loop *loop;
    struct udp_batch *batch;
    struct ask *by_id[65536];
    unsigned under_way;
    unsigned socket_count;
    unsigned turn; /* which of a source's sockets is next */
    struct ask_socket *sockets[MAX_SOCKETS];
};

struct asker *asker_new(struct server *server, struct loop *loop)
{
    struct asker *asker = memory_new_zeroed(1, sizeof(*asker));
    asker->server = server;
    asker->loop = loop;
    asker->batch = udp_batch_new(REPLY_SIZE, 1);
    return asker;
}

void asker_free(struct asker *asker)
{
    if (asker == NULL) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(asker->by_id); i++) {
        ask_cancel(asker->by_id[i]);
    }
    for (unsigned i = 0; i < asker->socket_count; i++) {
        loop_watch_remove(asker->loop, &asker->sockets[i]->watch);
        udp_close(&asker->sockets[i]->socket);
        memory_free(asker->sockets[i]);
    }
    udp_batch_free(asker->batch);
    memory_free(asker);
}

enum result asker_draw_id(struct asker *asker, uint16_t *out, struct error *err)
{
    if (asker->under_way >= MAX_UNDER_WAY) {
        return error_set(err, ERR_BUSY, "%u questions to other servers are under way already",
                         asker->under_way);
    }
    do {
        *out = (uint16_t)random_u64();
    } while (asker->by_id[*out] != NULL);
    return OK;
}

static void ask_forget(struct ask *ask)
{
    ask->asker->by_id[ask->id] = NULL;
    ask->asker->under_way--;
    loop_timer_stop(ask->asker->loop, &ask->timer);
    tsig_key_unref(ask->tsig.key);
    memory_free(ask);
}

static void ask_end(struct ask *ask, struct slice message, const struct error *err)
{
    ask_done *done = ask->done;
    void *context = ask->context;
    ask_forget(ask);
    done(context, message, err);
}

/* A reply came: it counts if it is signed as the question was. */
static void ask_answered(struct ask *ask, struct slice message)
{
    struct error err = {0};
    if (ask->tsig.key != NULL &&
        tsig_verify_response(&ask->tsig, message, clock_wall_s(), &err) != OK) {
        ask_end(ask, slice_of(NULL, 0), &err);
        return;
    }
    ask_end(ask, message, NULL);
}

void ask_cancel(struct ask *ask)
{
    if (ask != NULL) {
        stream_close(ask->stream);
        transfer_question_cancel(ask->question);
        ask_forget(ask);
    }
}

static void ask_overdue(void *context)
{
    struct ask *ask = context;
    struct error err = {0};
    error_set(&err, ERR_TIMEOUT, "timed out");
    stream_close(ask->stream);
    ask->stream = NULL;
    ask_end(ask, slice_of(NULL, 0), &err);
}

/* ---- UDP ---- */

static void socket_ready(void *context, unsigned events)
{
    (void)events;
    struct ask_socket *socket = context;
    struct asker *asker = socket->asker;
    unsigned count;
    if (udp_receive(&socket->socket, asker->batch, &count, NULL) != OK) {
        return;
    }
    struct udp_slot *slots = udp_batch_slots(asker->batch);
    for (unsigned i = 0; i < count; i++) {
        if (slots[i].in.size < 12 || slots[i].truncated) {
            continue;
        }
        struct ask *ask = asker->by_id[get_u16(slots[i].in.data)];
        if (ask != NULL && ask->socket == socket && address_equal(&ask->peer, &slots[i].peer)) {
            ask_answered(ask, slots[i].in);
        }
    }
}

static enum result find_socket(struct asker *asker, const struct address *source, uint8_t family,
                               struct ask_socket **out, struct error *err)
{
    struct address wanted =
        source != NULL && source->family == family ? *source : (struct address){.family = family};
    unsigned limit = wanted.port != 0 ? 1 : SOCKETS_PER_SOURCE;
    unsigned found = 0;
    struct ask_socket *same[SOCKETS_PER_SOURCE];
    for (unsigned i = 0; i < asker->socket_count && found < limit; i++) {
        if (address_equal(&asker->sockets[i]->source, &wanted)) {
            same[found++] = asker->sockets[i];
        }
    }
    if (found == limit || (found != 0 && asker->socket_count == MAX_SOCKETS)) {
        *out = same[asker->turn++ % found];
        return OK;
    }
    if (asker->socket_count == MAX_SOCKETS) {
        return error_set(err, ERR_LIMIT, "more than %d source addresses for questions",
                         MAX_SOCKETS);
    }
    struct ask_socket *socket = memory_new_zeroed(1, sizeof(*socket));
    socket->asker = asker;
    socket->source = wanted;
    enum result result = udp_open_client(&wanted, NULL, &socket->socket, err);
    if (result == OK) {
        result = loop_watch_add(asker->loop, &socket->watch, socket->socket.fd, LOOP_READ,
                                socket_ready, socket, err);
    }
    if (result != OK) {
        udp_close(&socket->socket);
        memory_free(socket);
        return result;
    }
    asker->sockets[asker->socket_count++] = socket;
    *out = socket;
    return OK;
}

/* ---- TCP ---- */

static void stream_message(void *context, struct slice message)
{
    struct ask *ask = context;
    if (message.size < 12 || get_u16(message.data) != ask->id) {
        return;
    }
    struct stream *stream = ask->stream;
    ask->stream = NULL;
    ask_answered(ask, message);
    stream_close(stream);
}

static void stream_closed(void *context, const struct error *err)
{
    struct ask *ask = context;
    ask->stream = NULL;
    ask_end(ask, slice_of(NULL, 0), err);
}

static enum result start_tcp(struct ask *ask, const struct address *source, uint32_t stream_ms,
                             struct slice message, struct error *err)
{
    static const struct stream_callbacks callbacks = {.message = stream_message,
                                                      .closed = stream_closed};
    struct stream_options options = stream_defaults;
    options.connect_ms = stream_ms;
    options.idle_ms = stream_ms;
    enum result result = stream_connect(ask->asker->loop, &ask->peer, source, &options, &callbacks,
                                        ask, &ask->stream, err);
    if (result == OK) {
        result = stream_send(ask->stream, message);
    }
    return result;
}

/* ---- TLS ---- */

/* The signature was verified in the thread that signed. */
static void question_done(void *context, struct slice reply, const struct error *err)
{
    struct ask *ask = context;
    ask->question = NULL;
    ask_end(ask, reply, err);
}

static enum result start_tls(struct ask *ask, const struct ask_target *target, struct slice message,
                             struct error *err)
{
    struct transfer_ask question = {
        .peer = target->peer,
        .source = target->source,
        .tls = target->tls,
        .key = target->key,
        .message = message,
        .padding = target->padding,
        .wait_ms = target->stream_ms,
        .home = ask->asker->loop,
        .done = question_done,
        .context = ask,
    };
    ask->question = transfer_in_ask(ask->asker->server->transfers, &question);
    return ask->question != NULL ? OK : error_set(err, ERR_BUSY, "the server is ending");
}

enum result ask_start(struct asker *asker, const struct ask_target *target, uint16_t id,
                      struct slice message, ask_done *done, void *context, struct ask **out,
                      struct error *err)
{
    uint8_t buffer[MESSAGE_SIZE];
    const struct address *peer = target->peer;
    REQUIRE(asker->by_id[id] == NULL &&
            message.size + tsig_key_room(target->key) <= sizeof(buffer));
    struct ask *ask = memory_new_zeroed(1, sizeof(*ask));
    *ask = (struct ask){.asker = asker, .peer = *peer, .id = id, .done = done, .context = context};
    loop_timer_init(&ask->timer, ask_overdue, ask);
    asker->by_id[id] = ask;
    asker->under_way++;
    if (target->key != NULL && target->way != ASK_TLS) {
        memcpy(buffer, message.data, message.size);
        message.size = tsig_sign_request(&ask->tsig, tsig_key_ref(target->key), buffer,
                                         message.size, sizeof(buffer), clock_wall_s());
        message.data = buffer;
    }
    const struct address *from = target->source->family == peer->family ? target->source : NULL;
    enum result result = OK;
    switch (target->way) {
    case ASK_UDP:
        result = find_socket(asker, from, peer->family, &ask->socket, err);
        if (result == OK) {
            result = udp_send_one(&ask->socket->socket, peer, message, err);
        }
        break;
    case ASK_TCP:
        result = start_tcp(ask, from, target->stream_ms, message, err);
        break;
    case ASK_TLS:
        result = start_tls(ask, target, message, err);
        break;
    }
    if (result != OK) {
        ask_cancel(ask);
        return result;
    }
    if (target->way != ASK_TLS) { /* its own end comes in any case */
        uint32_t wait_ms = target->way == ASK_TCP ? target->stream_ms : REAP_MS;
        loop_timer_set(asker->loop, &ask->timer, instant_add_ms(clock_now(), wait_ms));
    }
    *out = ask;
    return OK;
}
