/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An address that is listened on with `proxy` takes nothing but what listed proxies pass on, each
 * datagram or connection behind a PROXY header (net/proxy_header.h). The client named there is who
 * asks, for access, limits, rates and logs; where it asked is the local address, for access by that.
 * Believing a header from anybody else would let him be whom he likes, and taking a question without
 * one would make every client the proxy, so both are dropped.
 *
 * Over UDP the answer goes to the proxy, from where it asked, without a header; over streams, the
 * stream itself takes the header off (net/stream.h).
 */
#include "server/proxy.h"

#include <stdio.h>

#include "hub/server.h"

const char proxy_not_listed[] = "it is not in allow-proxy, or asks where allow-proxy-on has no "
                                "address";

void proxy_refuse(struct server *server, const struct address *peer,
                  enum answer_transport transport, const char *why)
{
    static const char *const transports[] = {"udp", "tcp", "tls"};
    char phrase[700], from[ADDRESS_TEXT_SIZE];
    atomic_fetch_add_explicit(&server->counters.proxy_refused, 1, memory_order_relaxed);
    snprintf(phrase, sizeof(phrase), "proxy %s: not taken: %s", address_format(peer, true, from),
             why);
    LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_NETWORK, "proxy_refused", phrase,
                      LOG_KEY("transport", transports[transport]));
}

bool proxy_unwrap(struct server *server, const struct settings *settings, struct udp_slot *slot)
{
    struct proxy_header header;
    size_t size;
    const char *why = NULL;
    if (slot->in.size == 0) {
        why = "an empty datagram";
    } else if (!settings_trusts_proxy(settings, &slot->peer, &slot->local, ANSWER_UDP)) {
        why = proxy_not_listed;
    } else if (proxy_header_parse(slot->in, &header, &size, &why) == PROXY_INCOMPLETE) {
        why = "the datagram ends within the header";
    }
    if (why != NULL) {
        proxy_refuse(server, &slot->peer, ANSWER_UDP, why);
        return false;
    }
    slot->in = slice_of(slot->in.data + size, slot->in.size - size);
    if (!header.is_local) {
        slot->peer = header.source;
        slot->local = header.destination;
    }
    return true;
}
