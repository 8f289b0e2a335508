/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which addresses this machine has, and which of them are listened on. Of one moment: interfaces
 * come and go while a configuration stays.
 */
#ifndef SETTINGS_OWN_ADDRESSES_H
#define SETTINGS_OWN_ADDRESSES_H

#include "base/address.h"
#include "conf/conf.h"

/* An address for DNS over TLS, or behind a proxy. */
struct special_listen {
    struct address address;
    const char *tls; /* the block whose certificate is shown, borrowed from the configuration; NULL:
                      * UDP and TCP */
    enum conf_proxy proxy;
};

struct own_addresses {
    struct own_addresses *older; /* what was known before, for readers that still look at it */
    struct address *local;       /* of the interfaces: localhost, and localnets with the next */
    struct prefix *networks;
    size_t local_count;
    struct address *listen; /* for UDP and TCP, as they come */
    size_t listen_count;
    struct special_listen *special;
    size_t special_count;
    struct address *xdp; /* of `listen`: those that are to be had by AF_XDP as well */
    size_t xdp_count;
};

/*
 * Looks at the interfaces and at `listen-on` and its kin.
 * default_port  53, or what -p says
 * ERR_FORMAT  an address is asked for in two ways at the same port, as with TLS and without
 */
MUST_CHECK enum result own_addresses_new(const struct conf *conf, uint16_t default_port, bool ipv4,
                                         bool ipv6, struct own_addresses **out, struct error *err);
/* The older ones as well. NULL is fine. */
void own_addresses_free(struct own_addresses *own);
bool own_addresses_equal(const struct own_addresses *a, const struct own_addresses *b);
/* The same address, listened on in the same way. */
bool special_listen_is(const struct special_listen *a, const struct special_listen *b);
/* Whether one of ours, at that port or with `any_port` at whatever port, is listened on: plainly, with
 * TLS, or behind a proxy. */
bool own_addresses_listen(const struct own_addresses *own, const struct address *address,
                          bool any_port);
/* Sets what the lists localhost and localnets mean. */
void own_addresses_describe(const struct own_addresses *own, struct acl_subject *subject);

#endif
