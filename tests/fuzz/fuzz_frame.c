/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as an Ethernet frame: not for us, or a datagram that lies within; and then the frame of an
 * answer is one too, goes the other way, and has right sums. */
#include <stdlib.h>
#include <string.h>

#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 1071, the plain way. */
static uint16_t sum_over(const uint8_t *data, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* What was asked goes back as it is. */
static void answer(const struct frame *question)
{
    size_t size = question->datagram.size;
    uint8_t *room = malloc(FRAME_HEADERS_MAX + size);
    uint8_t *datagram = room + FRAME_HEADERS_MAX;
    memcpy(datagram, question->datagram.data, size);
    const uint8_t *begin = frame_write_answer(question, datagram, size);
    size_t whole = (size_t)(datagram + size - begin);
    REQUIRE(begin >= room);
    struct frame back;
    if (question->to.port != 0) {
        REQUIRE(frame_read(slice_of(begin, whole), &back));
        REQUIRE(address_equal(&back.from, &question->to) &&
                address_equal(&back.to, &question->from));
        REQUIRE(back.datagram.size == size && memcmp(back.datagram.data, datagram, size) == 0);
        REQUIRE(memcmp(back.from_mac, question->to_mac, 6) == 0);
        REQUIRE(memcmp(back.to_mac, question->from_mac, 6) == 0);
    }
    bool v4 = question->from.family == 4;
    size_t addresses = v4 ? 8 : 32;
    REQUIRE(!v4 || sum_over(begin + 14, 20, 0) == 0xffff);
    const uint8_t *from = datagram - 8 - addresses;
    uint16_t pseudo = sum_over(from, addresses, (uint32_t)(17 + 8 + size));
    REQUIRE(sum_over(from + addresses, 8 + size, pseudo) == 0xffff);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    if (size > 2048) {
        return 0;
    }
    uint8_t *copy = malloc(size + (size == 0));
    if (size != 0) {
        memcpy(copy, data, size);
    }
    if (frame_read(slice_of(copy, size), &frame)) {
        REQUIRE(frame.datagram.data >= copy && frame.datagram.size <= size);
        REQUIRE(frame.datagram.data + frame.datagram.size <= copy + size);
        REQUIRE(frame.from.port != 0 && frame.from.family == frame.to.family);
        answer(&frame);
    }
    free(copy);
    return 0;
}
