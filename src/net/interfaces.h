/* SPDX-License-Identifier: BSD-3-Clause */
/* The addresses of this machine: for `listen-on { any; }`, and the lists localhost and localnets.
 */
#ifndef NET_INTERFACES_H
#define NET_INTERFACES_H

#include <stdbool.h>

#include "base/address.h"

struct interface_address {
    struct address address; /* port 0; a link-local one has its scope */
    struct prefix network;  /* of the link it is on */
    unsigned interface;     /* its index */
    bool is_loopback;       /* the interface is */
};

/*
 * Addresses of interfaces that are up, loopback included, sorted, each once.
 * out  given; release with memory_free (NULL where there are none).
 */
MUST_CHECK enum result interfaces_list(struct interface_address **out, size_t *out_count,
                                       struct error *err);

#endif
