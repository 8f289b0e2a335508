/* SPDX-License-Identifier: BSD-3-Clause */
/* A request that is more than a question: what it is judged by, and where it came from. */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include "answer/answer.h"
#include "net/tls.h"
#include "net/udp.h"
#include "xfr/xfr_request.h"

struct client;
struct request_stream;
struct server;
struct settings;

/* What a batch of questions is answered with; valid until the thread's next quiescent state. */
struct request_scope {
    struct server *server;
    const struct settings *settings;
    const struct zone_set *zones;
    const struct answer_options *answer;
    int64_t wall_s;
};

struct request_scope request_scope_begin(struct server *server);

/* What a reply without records echoes of a query: header, question, that there was EDNS. */
struct xfr_request request_echo(const struct answer_query *query);

/* Where a request came from. */
struct request_origin {
    struct address peer;     /* the client */
    struct address reply_to; /* UDP: where answers go, the client or the proxy before it */
    struct address local;
    const struct udp_socket *udp;        /* NULL: a stream */
    struct client *client;               /* of `stream`; NULL: UDP */
    const struct request_stream *stream; /* likewise */
    const struct tls_info *tls;          /* NULL: not over TLS */
};

#endif
