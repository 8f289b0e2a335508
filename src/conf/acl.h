/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address match lists: who may do something. The first element that matches decides; a "!" before
 * it makes that a no; where none matches, it is a no.
 *
 * A list within a list (written out or by name) matches only where it says yes: a no inside it
 * means "go on", so that two negations never add up to a permission.
 */
#ifndef CONF_ACL_H
#define CONF_ACL_H

#include <stdbool.h>

#include "base/address.h"
#include "base/slice.h"
#include "conf/report.h"

enum acl_kind {
    ACL_ANY,
    ACL_LOCALHOST, /* an address of this host */
    ACL_LOCALNETS, /* an address of a network this host is on */
    ACL_PREFIX,
    ACL_KEY,
    ACL_PREFIX_KEY, /* both at once: `192.0.2.0/24 key k`; ours, not BIND's */
    ACL_LIST,
    ACL_TLS_CLIENT, /* `tls-client "NAME"`; ours */
};

struct acl_element {
    enum acl_kind kind;
    bool negated;
    struct prefix prefix;    /* ACL_PREFIX, ACL_PREFIX_KEY */
    const char *key;         /* ACL_KEY, ACL_PREFIX_KEY: its name as text */
    const uint8_t *key_name; /* … and as wire name */
    /* Any kind but a list: the client's certificate, verified, must have this name too. NULL: none.
     */
    const char *tls_client;
    const struct acl *list; /* ACL_LIST */
    const char *text;       /* as written: "!192.0.2.0/24" */
    struct conf_where where;
};

enum acl_transport { ACL_UDP = 1, ACL_TCP = 2, ACL_TLS = 4 };

struct acl {
    const char *name; /* of an `acl` statement, or NULL */
    struct conf_where where;
    const struct acl_element *elements;
    uint32_t count;
    /* Of `allow-transfer port N transport T { … }`: nothing matches elsewhere. */
    uint16_t port;      /* the port of ours the request came to; 0: any */
    uint8_t transports; /* enum acl_transport; 0: any */
};

/* Who asks, and where. All borrowed. */
struct acl_subject {
    const struct address *peer;
    const uint8_t *key; /* wire name of the key whose signature was good, or NULL */
    enum acl_transport transport;
    struct slice tls_names; /* of its verified certificate, each with a NUL behind it */
    uint16_t local_port;
    const struct address *local_addresses; /* for localhost */
    size_t local_address_count;
    const struct prefix *local_networks; /* for localnets */
    size_t local_network_count;
};

struct acl_verdict {
    bool allowed;
    const struct acl_element *rule;  /* of the list itself; NULL: nothing matched */
    const struct acl_element *inner; /* where `rule` is a list: what matched at the bottom of it */
};

/* Any thread; O(elements). The list is one of a loaded configuration, so without loops. */
struct acl_verdict acl_match(const struct acl *acl, const struct acl_subject *subject);
/* "`192.0.2.0/24` at named.conf:12", or "no element matches", for logs. Returns out. */
const char *acl_verdict_format(const struct acl_verdict *verdict, char *out, size_t size);

/* Nobody can match: no elements, or "none" first. */
bool acl_is_none(const struct acl *acl);
/* Everybody matches, with or without a key, wherever they come from. */
bool acl_is_any(const struct acl *acl);
/* Some element asks for a key (in nested lists too): then a request must be verified first. */
bool acl_has_key(const struct acl *acl);

/* Each element that can say yes, those of nested lists too, but no list itself. A "!" in front of it
 * or of a list that it stands in takes it out. */
void acl_each_yes(const struct acl *acl,
                  void (*visit)(void *context, const struct acl_element *element), void *context);

#endif
