/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer worker: one thread with a UDP socket of its own for every listening address
 * (SO_REUSEPORT). It takes what has arrived in batches, lets the answer room answer the batch
 * together, and sends it in one call. It takes no lock and allocates nothing for a question.
 */
#ifndef SERVER_UDP_WORKER_H
#define SERVER_UDP_WORKER_H

#include "base/address.h"
#include "base/error.h"

struct server;
struct settings;
struct udp_worker;

/* Without sockets; the thread does not run yet. `number` is whose answer_counts it has. */
MUST_CHECK enum result udp_worker_new(struct server *server, const struct settings *settings,
                                      unsigned number, struct udp_worker **out, struct error *err);
/* A socket for one more address, as the settings (borrowed for the call) want it. Main thread, also
 * while the worker runs. ERR_IO names it.
 * is_proxied  it takes nothing without a PROXY header */
MUST_CHECK enum result udp_worker_open(struct udp_worker *worker, const struct settings *settings,
                                       const struct address *address, bool is_proxied,
                                       struct error *err);
/* Likewise; what has come in is answered first. Harmless where it has none for that address. */
void udp_worker_close(struct udp_worker *worker, const struct address *address);
#if LOCKSTEP_XDP
/* Takes the port, also on error. Before the worker is started. */
struct xdp_port;
MUST_CHECK enum result udp_worker_add_xdp(struct udp_worker *worker, struct xdp_port *xdp,
                                          struct error *err);
#endif
MUST_CHECK enum result udp_worker_start(struct udp_worker *worker, struct error *err);
/* Ends the thread, closes the sockets. NULL is fine. */
void udp_worker_free(struct udp_worker *worker);

#endif
