/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers go back the way the question came: the Ethernet addresses swapped, so that no route or
 * neighbour has to be looked up. UDP checksums are always made; over IPv6 they are a must (RFC 8200
 * 8.1). Answers say "do not fragment": they are never larger than what Ethernet carries.
 */
#include "net/frame.h"

#include <arpa/inet.h>
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

static uint32_t fold(uint64_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    return (uint32_t)sum;
}

/*
 * RFC 1071, without the last complement. Its section 2 is why this may go by words of eight octets in
 * the machine's order: carries come round, and the order of octets is that of the result.
 */
static uint32_t sum_of(const uint8_t *data, size_t size)
{
    uint64_t wide = 0, word;
    for (; size >= sizeof(word); data += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        wide += word;
        wide += wide < word;
    }
    uint64_t rest = (wide >> 32) + (uint32_t)wide;
    if ((size & 4) != 0) {
        uint32_t part;
        memcpy(&part, data, sizeof(part));
        rest += part;
        data += sizeof(part);
    }
    uint16_t last;
    if ((size & 2) != 0) {
        memcpy(&last, data, sizeof(last));
        rest += last;
        data += sizeof(last);
    }
    if ((size & 1) != 0) {
        rest += htons((uint16_t)(data[0] << 8));
    }
    return ntohs((uint16_t)fold(rest));
}

/* The headers' sums are made of what goes into them: reading them back right after they were
 * written in pieces would be the slowest part. */
uint8_t *frame_write_answer(const struct frame *question, uint8_t *datagram, size_t size)
{
    bool v4 = question->from.family == 4;
    size_t address_size = v4 ? 4 : 16;
    uint8_t *udp = datagram - UDP;
    uint8_t *ip = udp - (v4 ? IP4 : IP6);
    uint8_t *ether = ip - ETHER;
    uint8_t *from = ip + (v4 ? 12 : 8);
    size_t length = UDP + size;
    uint32_t addresses =
        sum_of(question->from.bytes, address_size) + sum_of(question->to.bytes, address_size);
    memcpy(ether, question->from_mac, 6);
    memcpy(ether + 6, question->to_mac, 6);
    put_u16(ether + 12, v4 ? 0x0800 : 0x86dd);
    if (v4) {
        enum {
            VERSION = 0x4500,
            DO_NOT_FRAGMENT = 0x4000,
            HOPS_AND_UDP = HOPS << 8 | PROTOCOL_UDP
        };
        put_u16(ip, VERSION);
        put_u16(ip + 2, IP4 + length);
        put_u16(ip + 4, 0);
        put_u16(ip + 6, DO_NOT_FRAGMENT);
        put_u16(ip + 8, HOPS_AND_UDP);
        put_u16(ip + 10,
                ~fold(VERSION + IP4 + length + DO_NOT_FRAGMENT + HOPS_AND_UDP + addresses));
    } else {
        static const uint8_t fixed[8] = {0x60, 0, 0, 0, 0, 0, PROTOCOL_UDP, HOPS};
        memcpy(ip, fixed, sizeof(fixed));
        put_u16(ip + 4, length);
    }
    memcpy(from, question->to.bytes, address_size);
    memcpy(from + address_size, question->from.bytes, address_size);
    put_u16(udp, question->to.port);
    put_u16(udp + 2, question->from.port);
    put_u16(udp + 4, length);
    uint64_t sum = addresses + PROTOCOL_UDP + 2 * length + question->to.port + question->from.port;
    sum = ~fold(sum + sum_of(datagram, size)) & 0xffff;
    put_u16(udp + 6, sum == 0 ? 0xffff : sum);
    return ether;
}
