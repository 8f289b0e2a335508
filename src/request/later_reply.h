/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reply that is given later than the worker which took the request waits for: by another thread,
 * when a change is durable or a primary has answered.
 */
#ifndef REQUEST_LATER_REPLY_H
#define REQUEST_LATER_REPLY_H

#include "request/request.h"

struct stream_answer;

/* How the streams of a worker take an answer that they are owed. */
struct request_stream {
    /* In the worker's thread, for a client that is there: its connection is not idle until then. */
    struct stream_answer *(*owe)(struct client *client);
    /* Any thread, once; takes the answer. An empty message: nothing is sent. The client may be gone
     * by then, the worker not. */
    void (*give)(struct stream_answer *answer, struct slice message);
};

struct later_reply {
    const struct udp_socket *udp; /* NULL: a stream */
    struct address to;            /* UDP: the client or the proxy before it */
    const struct request_stream *stream;
    struct stream_answer *answer;
};

/* The way back of a request, in the thread of the worker that took it. What it is sent by must live
 * until later_reply_send, which has to be called once. */
struct later_reply later_reply_begin(const struct request_origin *origin);
/* Any thread. An empty message: the client gets none. A datagram that cannot be sent is counted. */
void later_reply_send(struct later_reply *reply, struct server *server, struct slice message);

#endif
