/* SPDX-License-Identifier: BSD-3-Clause */
/* An IPv4 or IPv6 address with a port, and a network prefix of one. Values. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/error.h"

struct address {
    uint8_t family;    /* 0: none, 4, 6 */
    uint16_t port;     /* host order; 0: not given */
    uint8_t bytes[16]; /* network order; 4 or 16 of them count */
    uint32_t scope;    /* IPv6 interface index of a link-local address, else 0 */
};

struct prefix {
    struct address address; /* host bits zero, port 0 */
    uint8_t bits;           /* 0..32 or 0..128 */
};

enum { ADDRESS_TEXT_SIZE = 64 };

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; no port. ERR_FORMAT names what was found. */
MUST_CHECK enum result address_parse(const char *text, struct address *out, struct error *err);
/* "192.0.2.0/24", BIND's short forms "10/8" and "192.168/16", or an address alone (all bits).
 * Host bits that are set are an ERR_FORMAT that says which network was meant. */
MUST_CHECK enum result prefix_parse(const char *text, struct prefix *out, struct error *err);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct address *address);
/* The same host; ports are not compared. IPv4-mapped IPv6 equals the IPv4. */
bool address_same_host(const struct address *a, const struct address *b);
bool address_equal(const struct address *a, const struct address *b); /* host and port */
bool address_is_wildcard(const struct address *address);              /* 0.0.0.0 or :: */
/* Loopback, link-local, or of networks that are not routed between parties (RFC 1918, 4193, 6598). */
bool address_is_private(const struct address *address);
/* Total order over host and port, for sorting. */
int address_compare(const struct address *a, const struct address *b);
/* "192.0.2.1" / with_port: "192.0.2.1#53" as BIND's logs print it. Returns out. */
const char *address_format(const struct address *a, bool with_port, char out[ADDRESS_TEXT_SIZE]);
/* Returns the length of the socket address. IPv4-mapped IPv6 becomes IPv4 on the way in. */
socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *out);
bool address_from_sockaddr(const struct sockaddr *sa,
                           struct address *out); /* false: other family */

#endif
