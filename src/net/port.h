/* SPDX-License-Identifier: BSD-3-Clause */
/* Is an address still to be had? Our own sockets share it between threads, which hides others. */
#ifndef NET_PORT_H
#define NET_PORT_H

#include "base/address.h"

/* ERR_IO, naming the address: somebody listens there, for UDP or TCP, or it is not ours to bind.
 * Ask before the first socket with reuse_port is opened. */
MUST_CHECK enum result port_check_free(const struct address *local, struct error *err);

#endif
