/* SPDX-License-Identifier: BSD-3-Clause */
/* An Ethernet frame with a UDP datagram in it, taken apart and made. Pure. */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <stdbool.h>

#include "base/address.h"
#include "base/slice.h"

/* Ethernet, IPv6 and UDP headers; with IPv4 a datagram begins 20 octets earlier. */
enum { FRAME_HEADERS_MAX = 14 + 40 + 8 };

struct frame {
    struct address from, to;
    struct slice datagram; /* borrowed from the frame */
    uint8_t from_mac[6], to_mac[6];
};

/* IPv4 without options or IPv6 without extension headers, not a fragment, lengths that agree; else
 * false. Checksums are the interface's to check. */
bool frame_read(struct slice bytes, struct frame *out);

/*
 * Writes the headers of the answer to `question` right before its datagram, checksums included.
 * datagram  has FRAME_HEADERS_MAX writable octets before it
 * Returns where the frame begins; it ends with the datagram.
 */
uint8_t *frame_write_answer(const struct frame *question, uint8_t *datagram, size_t size);

#endif
