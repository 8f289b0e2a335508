/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer worker: one thread with a UDP socket of its own for every listening address
 * (SO_REUSEPORT). It takes what has arrived in batches, lets the answer room answer the batch
 * together, and sends it in one call. It takes no lock and allocates nothing for a question.
 */
#ifndef SERVER_UDP_WORKER_H
#define SERVER_UDP_WORKER_H

#include "base/error.h"

struct server;
struct settings;
struct udp_worker;

/* Opens the sockets that the settings ask for, borrowed for the call; the thread does not run yet.
 * `number` is whose answer_counts it has. ERR_IO names the address. */
MUST_CHECK enum result udp_worker_new(struct server *server, const struct settings *settings,
                                      unsigned number, struct udp_worker **out, struct error *err);
MUST_CHECK enum result udp_worker_start(struct udp_worker *worker, struct error *err);
/* Ends the thread, closes the sockets. NULL is fine. */
void udp_worker_free(struct udp_worker *worker);

#endif
