/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions that a proxy passes on: who may say who the client is, and what is refused. */
#ifndef SERVER_PROXY_H
#define SERVER_PROXY_H

#include "net/proxy_header.h"
#include "net/udp.h"
#include "settings/settings.h"

struct server;

/*
 * Takes the header off a datagram: `in`, `peer` and `local` of the slot become the client's.
 * False: it is not to be answered; that is counted and logged. Worker's thread.
 */
bool proxy_unwrap(struct server *server, const struct settings *settings, struct udp_slot *slot);

/* Counts and logs (rate-limited) a datagram or connection that is dropped. `why` is a sentence. */
void proxy_refuse(struct server *server, const struct address *peer,
                  enum answer_transport transport, const char *why);
/* The sentence for a peer that settings_trusts_proxy does not. */
extern const char proxy_not_listed[];

#endif
