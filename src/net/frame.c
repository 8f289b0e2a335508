/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers go back the way the question came: the Ethernet addresses swapped, so that no route or
 * neighbour has to be looked up. UDP checksums are always made; over IPv6 they are a must (RFC 8200
 * 8.1). Answers say "do not fragment": they are never larger than what Ethernet carries.
 */
#include "net/frame.h"

#include <string.h>

enum {
    ETHER = 14,
    IP4 = 20,
    IP6 = 40,
    UDP = 8,
    PROTOCOL_UDP = 17,
    HOPS = 64,
};

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static struct address address_of(uint8_t family, const uint8_t *bytes, uint16_t port)
{
    struct address address = {.family = family, .port = port};
    memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
    return address;
}

bool frame_read(struct slice bytes, struct frame *out)
{
    const uint8_t *data = bytes.data;
    if (bytes.size < ETHER + IP4 + UDP) {
        return false;
    }
    uint16_t type = get_u16(data + 12);
    const uint8_t *ip = data + ETHER;
    size_t room = bytes.size - ETHER; /* short frames are padded: the IP header has the length */
    size_t header, length;
    uint8_t family = 4;
    if (type == 0x0800) {
        header = IP4;
        length = get_u16(ip + 2);
        if (ip[0] != 0x45 || ip[9] != PROTOCOL_UDP || (get_u16(ip + 6) & 0x3fff) != 0) {
            return false;
        }
    } else if (type == 0x86dd && room >= IP6 + UDP) {
        header = IP6;
        length = IP6 + (size_t)get_u16(ip + 4);
        family = 6;
        if (ip[0] >> 4 != 6 || ip[6] != PROTOCOL_UDP) {
            return false;
        }
    } else {
        return false;
    }
    const uint8_t *udp = ip + header;
    if (length > room || length < header + UDP || get_u16(udp + 4) != length - header) {
        return false;
    }
    const uint8_t *from = ip + (family == 4 ? 12 : 8);
    out->from = address_of(family, from, get_u16(udp));
    out->to = address_of(family, from + (family == 4 ? 4 : 16), get_u16(udp + 2));
    out->datagram = slice_of(udp + UDP, length - header - UDP);
    memcpy(out->to_mac, data, 6);
    memcpy(out->from_mac, data + 6, 6);
    return out->from.port != 0;
}

/* RFC 1071, without the last complement. */
static uint32_t sum_of(uint32_t sum, const uint8_t *data, size_t size)
{
    uint64_t wide = sum;
    size_t i = 0;
    for (; i + 2 <= size; i += 2) {
        wide += get_u16(data + i);
    }
    if (i < size) {
        wide += (uint64_t)data[i] << 8;
    }
    while (wide >> 16 != 0) {
        wide = (wide & 0xffff) + (wide >> 16);
    }
    return (uint32_t)wide;
}

uint8_t *frame_write_answer(const struct frame *question, uint8_t *datagram, size_t size)
{
    bool v4 = question->from.family == 4;
    size_t address_size = v4 ? 4 : 16;
    uint8_t *udp = datagram - UDP;
    uint8_t *ip = udp - (v4 ? IP4 : IP6);
    uint8_t *ether = ip - ETHER;
    memcpy(ether, question->from_mac, 6);
    memcpy(ether + 6, question->to_mac, 6);
    put_u16(ether + 12, v4 ? 0x0800 : 0x86dd);
    uint8_t *from = ip + (v4 ? 12 : 8);
    memcpy(from, question->to.bytes, address_size);
    memcpy(from + address_size, question->from.bytes, address_size);
    if (v4) {
        static const uint8_t fixed[12] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, HOPS, PROTOCOL_UDP, 0, 0};
        memcpy(ip, fixed, sizeof(fixed));
        put_u16(ip + 2, IP4 + UDP + size);
        put_u16(ip + 10, ~sum_of(0, ip, IP4) & 0xffff);
    } else {
        static const uint8_t fixed[8] = {0x60, 0, 0, 0, 0, 0, PROTOCOL_UDP, HOPS};
        memcpy(ip, fixed, sizeof(fixed));
        put_u16(ip + 4, UDP + size);
    }
    put_u16(udp, question->to.port);
    put_u16(udp + 2, question->from.port);
    put_u16(udp + 4, UDP + size);
    put_u16(udp + 6, 0);
    uint32_t sum = sum_of((uint32_t)(PROTOCOL_UDP + UDP + size), from, 2 * address_size);
    sum = ~sum_of(sum, udp, UDP + size) & 0xffff;
    put_u16(udp + 6, sum == 0 ? 0xffff : sum);
    return ether;
}
