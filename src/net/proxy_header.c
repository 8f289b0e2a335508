/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PROXY protocol, version 2 (haproxy.org, doc/proxy-protocol.txt, section 2.2), as it is on the wire:
 *
 *     0   12  signature
 *     12  1   version (2) in the high half, command in the low: 0 LOCAL, 1 PROXY
 *     13  1   family in the high half: 1 IPv4, 2 IPv6; transport in the low: 1 stream, 2 datagram
 *     14  2   octets that follow
 *     16      source and destination address, source and destination port
 *             then extensions: type in one octet, length in two, as many octets
 *
 * LOCAL stands for the proxy itself, a health check say; whatever else its header has is passed
 * over, as the protocol demands. PROXY must give an IPv4 or IPv6 address with a port. The protocol
 * leaves the other families to the receiver; using the proxy's own address for them would lend its
 * rights to a client nobody has named, so they are refused.
 *
 * The transport is not held against the one that the header came by: proxies turn UDP into TCP. An
 * extension is not looked into, but the lengths must come out even: a header that is cut otherwise
 * than its proxy meant has its client wrong, too.
 */
#include "net/proxy_header.h"

#include <string.h>

enum { SIGNATURE = 12, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

static const uint8_t signature[SIGNATURE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                             0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static size_t get_u16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static struct address address_of(bool v4, const uint8_t *bytes, const uint8_t *port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address address = {.family = v4 ? 4 : 6, .port = (uint16_t)get_u16(port)};
    memcpy(address.bytes, bytes, v4 ? 4 : 16);
    if (!v4 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        address = (struct address){.family = 4, .port = address.port};
        memcpy(address.bytes, bytes + sizeof(mapped), 4);
    }
    return address;
}

static bool extensions_add_up(const uint8_t *at, size_t size)
{
    while (size >= 3 && get_u16(at + 1) <= size - 3) {
        size_t whole = 3 + get_u16(at + 1);
        at += whole;
        size -= whole;
    }
    return size == 0;
}

/* What is wrong, or NULL. `at` has the `size` octets behind the fixed part. */
static const char *read_addresses(unsigned family, const uint8_t *at, size_t size,
                                  struct proxy_header *out)
{
    if (family != FAMILY_IPV4 && family != FAMILY_IPV6) {
        return "the header gives no IPv4 or IPv6 address of the client";
    }
    bool v4 = family == FAMILY_IPV4;
    size_t one = v4 ? 4 : 16;
    size_t both = 2 * one + 4;
    if (size < both) {
        return "the header is too short for its addresses";
    }
    if (!extensions_add_up(at + both, size - both)) {
        return "the lengths of the header's extensions do not add up";
    }
    out->is_local = false;
    out->source = address_of(v4, at, at + 2 * one);
    out->destination = address_of(v4, at + one, at + 2 * one + 2);
    if (address_is_wildcard(&out->source) || out->source.port == 0 ||
        address_is_wildcard(&out->destination) || out->destination.port == 0) {
        return "an address or a port in the header is zero";
    }
    return NULL;
}

enum proxy_progress proxy_header_parse(struct slice bytes, struct proxy_header *out,
                                       size_t *out_size, const char **out_why)
{
    const uint8_t *at = bytes.data;
    size_t known = bytes.size < SIGNATURE ? bytes.size : SIGNATURE;
    if (known != 0 && memcmp(at, signature, known) != 0) {
        *out_why = "no PROXY header, version 2, at the front";
        return PROXY_BAD;
    }
    if (bytes.size > 12 && (at[12] >> 4 != 2 || (at[12] & 0xf) > COMMAND_PROXY)) {
        *out_why = "version or command of the header is unknown";
        return PROXY_BAD;
    }
    if (bytes.size < PROXY_HEADER_MIN) {
        *out_size = PROXY_HEADER_MIN;
        return PROXY_INCOMPLETE;
    }
    size_t behind = get_u16(at + 14);
    if (behind > PROXY_HEADER_MAX - PROXY_HEADER_MIN) {
        *out_why = "the header is longer than 2048 octets";
        return PROXY_BAD;
    }
    *out_size = PROXY_HEADER_MIN + behind;
    if (bytes.size < *out_size) {
        return PROXY_INCOMPLETE;
    }
    struct proxy_header header = {.is_local = true};
    if ((at[12] & 0xf) != COMMAND_LOCAL) {
        const char *why = read_addresses(at[13] >> 4, at + PROXY_HEADER_MIN, behind, &header);
        if (why != NULL) {
            *out_why = why;
            return PROXY_BAD;
        }
    }
    *out = header;
    return PROXY_WHOLE;
}
