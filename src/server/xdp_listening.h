/* SPDX-License-Identifier: BSD-3-Clause */
/* The AF_XDP side of listening: programs on interfaces, and a port for each of their queues. */
#ifndef SERVER_XDP_LISTENING_H
#define SERVER_XDP_LISTENING_H

#include "settings/own_addresses.h"

struct server;
struct udp_worker;
struct xdp_listening;

/*
 * Gives the workers, which do not run yet, ports for all addresses that are wanted by AF_XDP. An
 * address that cannot be had so is told of in the log: its socket serves. Before privileges are
 * dropped. Never NULL.
 */
struct xdp_listening *xdp_listening_new(struct server *server, const struct own_addresses *own,
                                        struct udp_worker *const *workers, unsigned count);
/* After the workers have ended. NULL is fine. */
void xdp_listening_free(struct xdp_listening *listening);

#endif
