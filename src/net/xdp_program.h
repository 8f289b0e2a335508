/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program that an interface runs for every frame: questions to our addresses go to the AF_XDP
 * sockets, everything else goes on to the kernel.
 */
#ifndef NET_XDP_PROGRAM_H
#define NET_XDP_PROGRAM_H

#include "base/address.h"

struct xdp_program;

/*
 * Loads it and attaches it to the interface, in the driver where that can be, else behind it. Needs
 * CAP_NET_ADMIN and CAP_BPF.
 * addresses  with ports; not kept
 * ERR_IO     says what the kernel refused
 */
MUST_CHECK enum result xdp_program_new(unsigned interface, const struct address *addresses,
                                       size_t count, struct xdp_program **out, struct error *err);
/* Detaches it. NULL is fine. */
void xdp_program_free(struct xdp_program *program);
/* Frames of the queue go to the socket from now on. */
MUST_CHECK enum result xdp_program_add(struct xdp_program *program, unsigned queue, int fd,
                                       struct error *err);
bool xdp_program_in_driver(const struct xdp_program *program);

#endif
