/* SPDX-License-Identifier: BSD-3-Clause */
/* The scope is what one RCU read section sees: settings and zones that belong together. */
#include "request/request.h"

#include "base/clock.h"
#include "hub/server.h"

struct request_scope request_scope_begin(struct server *server)
{
    const struct settings *settings = atomic_load_explicit(&server->settings, memory_order_acquire);
    return (struct request_scope){
        .server = server,
        .settings = settings,
        .zones = atomic_load_explicit(&server->zone_set, memory_order_acquire),
        .answer = &settings->answer,
        .wall_s = clock_wall_s(),
    };
}

struct xfr_request request_echo(const struct answer_query *query)
{
    const struct query *read = &query->query;
    struct xfr_request request = {.id = read->id,
                                  .flags = read->flags,
                                  .has_edns = read->edns.present,
                                  .dnssec_ok = read->edns.dnssec_ok,
                                  .udp_size = read->edns.udp_size};
    if (read->has_question) {
        name_copy(&request.question.name, read->qname);
        request.question.type = read->qtype;
        request.question.class = read->qclass;
    }
    return request;
}
