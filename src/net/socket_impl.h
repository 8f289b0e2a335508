/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and binding sockets; shared by udp, listener and stream. Non-blocking, close-on-exec. */
#ifndef NET_SOCKET_IMPL_H
#define NET_SOCKET_IMPL_H

#include "base/address.h"

/* `type` is SOCK_DGRAM or SOCK_STREAM. An IPv6 socket takes IPv6 only. */
MUST_CHECK enum result socket_new(const struct address *address, int type, int *out_fd,
                                  struct error *err);
/* ERR_IO names the address. */
MUST_CHECK enum result socket_bind(int fd, const struct address *local, struct error *err);
/* What the kernel bound it to; family 0 where it cannot tell. */
struct address socket_local(int fd);
/* An integer option that helps but is not needed: failure does not matter. */
void socket_wish(int fd, int level, int option, int value);
/* Sizes of the kernel's buffers, beyond the system's bound where we may; 0: as they are. */
void socket_wish_buffers(int fd, int receive_bytes, int send_bytes);
/* Closes it where it is open (>= 0) and sets -1. */
void socket_close(int *fd);

#endif
