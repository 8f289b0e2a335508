/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `listen-on { any; }` means every address that an interface has, each with a socket of its own, so
 * that answers leave from where the question went. Single addresses that are asked for by name are
 * listened on even where no interface shows them. What no longer is the newest look is kept until
 * all of it goes: readers look without a lock, and interfaces change rarely.
 */
#include "settings/own_addresses.h"

#include "base/memory.h"
#include "net/interfaces.h"

void own_addresses_describe(const struct own_addresses *own, struct acl_subject *subject)
{
    subject->local_addresses = own->local;
    subject->local_address_count = own->local_count;
    subject->local_networks = own->networks;
    subject->local_network_count = own->local_count;
}

static bool is_same(const struct address *a, const struct address *b, bool any_port)
{
    return any_port ? address_same_host(a, b) : address_equal(a, b);
}

bool own_addresses_listen(const struct own_addresses *own, const struct address *address,
                          bool any_port)
{
    for (size_t i = 0; i < own->listen_count; i++) {
        if (is_same(&own->listen[i], address, any_port)) {
            return true;
        }
    }
    for (size_t i = 0; i < own->special_count; i++) {
        if (is_same(&own->special[i].address, address, any_port)) {
            return true;
        }
    }
    return false;
}

static bool same_name(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool special_listen_is(const struct special_listen *a, const struct special_listen *b)
{
    return address_equal(&a->address, &b->address) && same_name(a->tls, b->tls) &&
           a->proxy == b->proxy;
}

/* The first statement that names an address says by which `tls` block; refuse_both does the rest. */
static void add_special(struct own_addresses *own, const struct special_listen *special)
{
    for (size_t i = 0; i < own->special_count; i++) {
        const struct special_listen *other = &own->special[i];
        if (address_equal(&other->address, &special->address) && other->proxy == special->proxy &&
            (other->tls == NULL) == (special->tls == NULL)) {
            return;
        }
    }
    size_t size = (own->special_count + 1) * sizeof(own->special[0]);
    own->special = memory_resize(own->special, size);
    own->special[own->special_count++] = *special;
}

static void add_xdp(struct own_addresses *own, const struct address *address)
{
    for (size_t i = 0; i < own->xdp_count; i++) {
        if (address_equal(&own->xdp[i], address)) {
            return;
        }
    }
    own->xdp = memory_resize(own->xdp, (own->xdp_count + 1) * sizeof(own->xdp[0]));
    own->xdp[own->xdp_count++] = *address;
}

static void add_listen(struct own_addresses *own, size_t *room, const struct address *address,
                       const struct conf_listen *listen)
{
    if (listen->tls != NULL || listen->proxy != CONF_PROXY_NO) {
        struct special_listen special = {.address = *address,
                                         .tls = listen->tls == NULL ? NULL : listen->tls->name,
                                         .proxy = listen->proxy};
        add_special(own, &special);
        return;
    }
    if (listen->xdp) {
        add_xdp(own, address);
    }
    for (size_t i = 0; i < own->listen_count; i++) {
        if (address_equal(&own->listen[i], address)) {
            return;
        }
    }
    if (own->listen_count == *room) {
        *room = *room == 0 ? 8 : *room * 2;
        own->listen = memory_resize(own->listen, *room * sizeof(own->listen[0]));
    }
    own->listen[own->listen_count++] = *address;
}

/* Single addresses that are asked for by name are listened on even where no interface shows them
 * (all of 127.0.0.0/8, and addresses routed here). */
static void add_named_hosts(struct own_addresses *own, size_t *room, const struct acl *acl,
                            const struct conf_listen *listen, uint16_t port)
{
    uint8_t family = listen->v6 ? 6 : 4;
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_element *element = &acl->elements[i];
        if (element->negated) {
            continue;
        }
        if (element->kind == ACL_LIST) {
            add_named_hosts(own, room, element->list, listen, port);
        } else if (element->kind == ACL_PREFIX && element->prefix.address.family == family &&
                   element->prefix.bits == (family == 4 ? 32 : 128)) {
            struct address address = element->prefix.address;
            address.port = port;
            add_listen(own, room, &address, listen);
        }
    }
}

static enum result find_listens(struct own_addresses *own, const struct conf *conf,
                                uint16_t default_port, bool ipv4, bool ipv6, struct error *err)
{
    struct interface_address *interfaces;
    size_t count;
    enum result result = interfaces_list(&interfaces, &count, err);
    if (result != OK) {
        return result;
    }
    own->local = memory_new_zeroed(count, sizeof(own->local[0]));
    own->networks = memory_new_zeroed(count, sizeof(own->networks[0]));
    own->local_count = count;
    for (size_t i = 0; i < count; i++) {
        own->local[i] = interfaces[i].address;
        own->networks[i] = interfaces[i].network;
    }
    memory_free(interfaces);
    size_t room = 0;
    for (uint32_t l = 0; l < conf->listen_count; l++) {
        const struct conf_listen *listen = &conf->listens[l];
        uint8_t family = listen->v6 ? 6 : 4;
        if (listen->v6 ? !ipv6 : !ipv4) {
            continue;
        }
        uint16_t port = listen->port != 0 ? listen->port : default_port;
        if (listen->tls != NULL && listen->port == 0) {
            port = (uint16_t)conf_number(conf, NULL, CONF_TLS_PORT);
        }
        for (size_t i = 0; i < count; i++) {
            struct address address = own->local[i];
            struct acl_subject subject = {.peer = &address, .transport = ACL_UDP};
            own_addresses_describe(own, &subject);
            if (address.family == family && acl_match(listen->addresses, &subject).allowed) {
                address.port = port;
                add_listen(own, &room, &address, listen);
            }
        }
        add_named_hosts(own, &room, listen->addresses, listen, port);
    }
    return OK;
}

static enum result refuse_both(const struct own_addresses *own, struct error *err)
{
    for (size_t i = 0; i < own->special_count; i++) {
        const struct special_listen *special = &own->special[i];
        const char *ways =
            special->tls != NULL ? "with TLS and without" : "with `proxy` and without";
        bool twice = false;
        for (size_t j = 0; j < own->listen_count && !twice; j++) {
            twice = address_equal(&special->address, &own->listen[j]);
        }
        for (size_t j = 0; j < i && !twice; j++) {
            twice = address_equal(&special->address, &own->special[j].address);
            ways = "in two ways, with other `tls` or `proxy`";
        }
        if (twice) {
            char text[ADDRESS_TEXT_SIZE];
            return error_set(err, ERR_FORMAT,
                             "listen-on asks for %s %s; give one of them another port",
                             address_format(&special->address, true, text), ways);
        }
    }
    return OK;
}

enum result own_addresses_new(const struct conf *conf, uint16_t default_port, bool ipv4, bool ipv6,
                              struct own_addresses **out, struct error *err)
{
    struct own_addresses *own = memory_new_zeroed(1, sizeof(*own));
    enum result result = find_listens(own, conf, default_port, ipv4, ipv6, err);
    if (result == OK) {
        result = refuse_both(own, err);
    }
    if (result != OK) {
        own_addresses_free(own);
        return result;
    }
    *out = own;
    return OK;
}

void own_addresses_free(struct own_addresses *own)
{
    while (own != NULL) {
        struct own_addresses *older = own->older;
        memory_free(own->local);
        memory_free(own->networks);
        memory_free(own->listen);
        memory_free(own->special);
        memory_free(own->xdp);
        memory_free(own);
        own = older;
    }
}

bool own_addresses_equal(const struct own_addresses *a, const struct own_addresses *b)
{
    bool same = a->local_count == b->local_count && a->listen_count == b->listen_count &&
                a->special_count == b->special_count;
    for (size_t i = 0; same && i < a->local_count; i++) {
        same =
            address_equal(&a->local[i], &b->local[i]) && a->networks[i].bits == b->networks[i].bits;
    }
    for (size_t i = 0; same && i < a->listen_count; i++) {
        same = address_equal(&a->listen[i], &b->listen[i]);
    }
    for (size_t i = 0; same && i < a->special_count; i++) {
        same = special_listen_is(&a->special[i], &b->special[i]);
    }
    return same;
}
