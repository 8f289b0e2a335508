/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and networks as values. Two spellings of one host must meet: a dual-stack socket
 * reports an IPv4 peer as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so such an address counts as the IPv4
 * one in every comparison, and is turned into it where it comes in from the system. The scope of a
 * link-local address (RFC 4007 11) is part of the host, but an address written without one, as
 * people do in access lists, is the same host on any link.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct address *a)
{
    return a->family == 6 && memcmp(a->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* The IPv4 address inside an IPv4-mapped one; any other as it is. */
static struct address unmapped(const struct address *a)
{
    if (!is_mapped(a)) {
        return *a;
    }
    struct address v4 = {.family = 4, .port = a->port};
    memcpy(v4.bytes, a->bytes + sizeof(mapped_prefix), 4);
    return v4;
}

static size_t bytes_size(const struct address *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

static bool scope_parse(const char *text, uint32_t *out)
{
    unsigned index = if_nametoindex(text);
    if (index == 0) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > UINT32_MAX) {
            return false;
        }
        index = (unsigned)number;
    }
    *out = index;
    return true;
}

enum result address_parse(const char *text, struct address *out, struct error *err)
{
    struct address address = {0};
    if (inet_pton(AF_INET, text, address.bytes) == 1) {
        address.family = 4;
        *out = address;
        return OK;
    }
    char host[INET6_ADDRSTRLEN];
    const char *percent = strchr(text, '%');
    size_t size = percent != NULL ? (size_t)(percent - text) : strlen(text);
    if (size < sizeof(host)) {
        memcpy(host, text, size);
        host[size] = '\0';
        if (inet_pton(AF_INET6, host, address.bytes) == 1) {
            address.family = 6;
            if (percent != NULL && !scope_parse(percent + 1, &address.scope)) {
                return error_set(err, ERR_FORMAT, "'%.64s' names no network interface",
                                 percent + 1);
            }
            *out = address;
            return OK;
        }
    }
    return error_set(err, ERR_FORMAT, "'%.80s' is not an IPv4 or IPv6 address", text);
}

/* The first one to four octets of an IPv4 address, dotted; the others are zero. */
static bool short_ipv4_parse(const char *text, struct address *out)
{
    unsigned octets = 0;
    *out = (struct address){.family = 4};
    for (;;) {
        unsigned value = 0;
        unsigned digits = 0;
        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++) {
            value = value * 10 + (unsigned)(*text - '0');
        }
        if (digits == 0 || value > 255) {
            return false;
        }
        out->bytes[octets++] = (uint8_t)value;
        if (*text == '\0') {
            return true;
        }
        if (*text++ != '.' || octets == 4) {
            return false;
        }
    }
}

static bool bits_parse(const char *text, unsigned max, uint8_t *out)
{
    unsigned value = 0;
    unsigned digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++) {
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (digits == 0 || *text != '\0' || value > max) {
        return false;
    }
    *out = (uint8_t)value;
    return true;
}

static void clear_host_bits(struct address *a, unsigned bits)
{
    for (unsigned i = 0; i < bytes_size(a); i++) {
        unsigned kept = bits <= i * 8 ? 0 : bits - i * 8;
        if (kept < 8) {
            a->bytes[i] &= (uint8_t)(0xff00u >> kept);
        }
    }
}

enum result prefix_parse(const char *text, struct prefix *out, struct error *err)
{
    char host[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct prefix prefix = {0};
    if (size >= sizeof(host)) {
        return error_set(err, ERR_FORMAT, "'%.80s' is not an address or a network", text);
    }
    memcpy(host, text, size);
    host[size] = '\0';
    if (slash == NULL || !short_ipv4_parse(host, &prefix.address)) {
        if (address_parse(host, &prefix.address, NULL) != OK) {
            return error_set(err, ERR_FORMAT, "'%.80s' is not an address or a network", text);
        }
    }
    unsigned max = prefix.address.family == 4 ? 32 : 128;
    prefix.bits = (uint8_t)max;
    if (slash != NULL && !bits_parse(slash + 1, max, &prefix.bits)) {
        return error_set(err, ERR_FORMAT, "'%.80s': the prefix length must be 0 to %u", text, max);
    }
    struct address network = prefix.address;
    clear_host_bits(&network, prefix.bits);
    if (address_compare(&network, &prefix.address) != 0) {
        char meant[ADDRESS_TEXT_SIZE];
        return error_set(err, ERR_FORMAT,
                         "'%.80s' has bits set behind the prefix; the network is %s/%u", text,
                         address_format(&network, false, meant), (unsigned)prefix.bits);
    }
    *out = prefix;
    return OK;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    size_t size = a->address.family == 4 ? 4 : 16;
    return a->bits == b->bits && a->address.family == b->address.family &&
           memcmp(a->address.bytes, b->address.bytes, size) == 0;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    struct address network = prefix->address;
    unsigned bits = prefix->bits;
    if (is_mapped(&network) && bits >= 96) {
        network = unmapped(&network);
        bits -= 96;
    }
    struct address host = network.family == 4 ? unmapped(address) : *address;
    if (host.family != network.family || host.family == 0) {
        return false;
    }
    if (network.scope != 0 && host.scope != 0 && network.scope != host.scope) {
        return false;
    }
    unsigned whole = bits / 8;
    if (memcmp(host.bytes, network.bytes, whole) != 0) {
        return false;
    }
    unsigned rest = bits % 8;
    return rest == 0 ||
           ((host.bytes[whole] ^ network.bytes[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

bool address_same_host(const struct address *a, const struct address *b)
{
    struct address one = unmapped(a);
    struct address two = unmapped(b);
    if (one.family != two.family || memcmp(one.bytes, two.bytes, bytes_size(&one)) != 0) {
        return false;
    }
    return one.scope == two.scope || one.scope == 0 || two.scope == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return address_compare(a, b) == 0;
}

bool address_is_wildcard(const struct address *address)
{
    static const uint8_t zero[16];
    return address->family != 0 && memcmp(address->bytes, zero, bytes_size(address)) == 0;
}

bool address_is_private(const struct address *address)
{
    const uint8_t *b = address->bytes;
    if (address->family == 6) {
        static const uint8_t loopback[16] = {[15] = 1};
        return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
               memcmp(b, loopback, sizeof(loopback)) == 0;
    }
    return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
           (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64);
}

int address_compare(const struct address *a, const struct address *b)
{
    struct address one = unmapped(a);
    struct address two = unmapped(b);
    if (one.family != two.family) {
        return one.family < two.family ? -1 : 1;
    }
    int order = memcmp(one.bytes, two.bytes, bytes_size(&one));
    if (order != 0) {
        return order;
    }
    if (one.scope != two.scope) {
        return one.scope < two.scope ? -1 : 1;
    }
    return (one.port > two.port) - (one.port < two.port);
}

const char *address_format(const struct address *a, bool with_port, char out[ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "unknown";
    char scope[IF_NAMESIZE + 1] = "";
    char port[8] = "";
    if (a->family != 0) {
        inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, host, sizeof(host));
    }
    if (a->scope != 0) {
        char interface[IF_NAMESIZE];
        if (if_indextoname(a->scope, interface) != NULL) {
            snprintf(scope, sizeof(scope), "%%%s", interface);
        } else {
            snprintf(scope, sizeof(scope), "%%%u", (unsigned)a->scope);
        }
    }
    if (with_port) {
        snprintf(port, sizeof(port), "#%u", (unsigned)a->port);
    }
    snprintf(out, ADDRESS_TEXT_SIZE, "%.39s%s%s", host, scope, port);
    return out;
}

socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *out)
{
    REQUIRE(a->family == 4 || a->family == 6);
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->bytes, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(a->port),
        .sin6_scope_id = a->scope,
    };
    memcpy(&in6.sin6_addr, a->bytes, 16);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

bool address_from_sockaddr(const struct sockaddr *sa, struct address *out)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        *out = (struct address){.family = 4, .port = ntohs(in.sin_port)};
        memcpy(out->bytes, &in.sin_addr, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        struct address address = {
            .family = 6,
            .port = ntohs(in6.sin6_port),
            .scope = in6.sin6_scope_id,
        };
        memcpy(address.bytes, &in6.sin6_addr, 16);
        *out = unmapped(&address);
        return true;
    }
    return false;
}
