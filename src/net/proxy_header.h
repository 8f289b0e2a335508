/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header of the PROXY protocol, version 2, which a load balancer puts before what it passes on
 * to say who asked. Pure.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include <stdbool.h>

#include "base/address.h"
#include "base/slice.h"

/* Of the fixed part; of the longest header that is taken. */
enum { PROXY_HEADER_MIN = 16, PROXY_HEADER_MAX = 2048 };

struct proxy_header {
    bool is_local;              /* the proxy speaks for itself: no addresses */
    struct address source;      /* the client, with port */
    struct address destination; /* where it asked, with port */
};

enum proxy_progress { PROXY_INCOMPLETE, PROXY_WHOLE, PROXY_BAD };

/*
 * Reads the header that `bytes` begins with.
 * out        written where it is WHOLE; IPv4-mapped IPv6 addresses are IPv4
 * out_size   WHOLE: octets of the header; INCOMPLETE: octets to come to, more than there are
 * out_why    BAD: what is wrong, a static sentence
 * Refused as soon as an octet is wrong: who speaks another protocol need not send a whole header.
 */
enum proxy_progress proxy_header_parse(struct slice bytes, struct proxy_header *out,
                                       size_t *out_size, const char **out_why);

#endif
