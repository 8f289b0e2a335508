/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datagram leaves by the socket that the request came by, from whichever thread: sending is safe
 * beside the worker. A stream belongs to its worker, so that one is told.
 */
#include "request/later_reply.h"

#include "hub/server.h"

struct later_reply later_reply_begin(const struct request_origin *origin)
{
    struct later_reply reply = {
        .udp = origin->udp, .to = origin->reply_to, .stream = origin->stream};
    if (origin->stream != NULL) {
        reply.answer = origin->stream->owe(origin->client);
    }
    return reply;
}

void later_reply_send(struct later_reply *reply, struct server *server, struct slice message)
{
    if (reply->stream != NULL) {
        reply->stream->give(reply->answer, message);
    } else if (message.size != 0 && udp_send_one(reply->udp, &reply->to, message, NULL) != OK) {
        atomic_fetch_add_explicit(&server->counters.udp_send_dropped, 1, memory_order_relaxed);
    }
}
