/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream worker from within: its connections (stream_worker.c) and its doors (stream_door.c). */
#ifndef SERVER_STREAM_WORKER_IMPL_H
#define SERVER_STREAM_WORKER_IMPL_H

#include <pthread.h>

#include "base/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"
#include "server/stream_worker.h"
#include "settings/limits.h"
#include "settings/own_addresses.h"

enum { TRANSFERS_PER_CONNECTION = 16 };

struct server;
struct stream_answer;
struct transfer_out;

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
    struct door *doors;         /* of the worker's thread once that runs */
    struct stream_worker *next; /* in the ring; outlives this worker's thread */
};

/* stream_worker.c: what becomes of a connection once it is let in. */
extern const struct stream_callbacks client_callbacks;
/* At the end of the row of those who asked something. */
void client_append(struct client *client);
void client_close(struct client *client, const char *why);
/* Where connections become scarce, silence is borne a quarter as long. */
uint32_t client_patience_ms(const struct server *server, const struct limits *limits, uint32_t ms);

/* stream_door.c: the proxy has said who its client is, who is let in now like any other. */
void client_introduced(void *context);
/* One of its connections has ended; a door that is closed goes with the last. */
void door_left(struct door *door);
/* All of a worker whose thread has ended. */
void doors_free(struct stream_worker *worker);

#endif
