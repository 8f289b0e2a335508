/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the answer room hands up: NOTIFY, UPDATE, transfers over UDP, signed messages. Access is
 * decided here, the reply is written into the query's buffer, and what follows is left to others.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "answer/answer.h"
#include "net/tls.h"
#include "net/udp.h"
#include "xfr/xfr_request.h"

struct client;
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

/* Puts allow-query into the answer options of settings that are not in use yet. */
void request_prepare_settings(struct settings *settings);

/* Where a request came from. */
struct request_origin {
    struct address peer;     /* the client */
    struct address reply_to; /* UDP: where answers go, the client or the proxy before it */
    struct address local;
    const struct udp_socket *udp; /* NULL: a stream */
    struct client *client;        /* of the stream worker; NULL: UDP */
    const struct tls_info *tls;   /* NULL: not over TLS */
};

/*
 * Deals with a query whose disposition is not SEND; XFR over a stream is transfer_out.h's. Writes
 * the reply into query->out, signed where the query was, and sets query->response_size (0: no
 * reply).
 */
void request_handle(const struct request_scope *scope, struct answer_query *query,
                    const struct request_origin *origin);

#endif
