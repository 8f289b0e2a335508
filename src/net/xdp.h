/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One AF_XDP socket: the questions that one queue of one interface takes past the kernel's stack,
 * in batches like those of udp.h. Belongs to one thread.
 */
#ifndef NET_XDP_H
#define NET_XDP_H

#include "net/udp.h"
#include "net/xdp_program.h"

struct xdp_port;

/* Needs CAP_NET_RAW. The program outlives the port. ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum result xdp_open(struct xdp_program *program, unsigned interface, unsigned queue,
                                struct xdp_port **out, struct error *err);
void xdp_close(struct xdp_port *port);
/* For loop_watch_add: readable when questions wait. */
int xdp_fd(const struct xdp_port *port);
/* Takes up to UDP_BATCH questions; `slots` is set to them, until xdp_send. What cannot be read is
 * left out. Never waits. */
unsigned xdp_receive(struct xdp_port *port, struct udp_slot **slots);
/* Sends the answers of all slots that xdp_receive gave, and gives their frames back; returns how
 * many were dropped. To be called after each xdp_receive. */
unsigned xdp_send(struct xdp_port *port);
/* The interface had no room for all: xdp_receive and xdp_send are to be called again soon, whether
 * questions come or not. */
bool xdp_is_behind(struct xdp_port *port);
/* Questions that the kernel dropped since the port was opened, since 2,048 others were waiting. One
 * system call. */
uint64_t xdp_lost(const struct xdp_port *port);

#endif
