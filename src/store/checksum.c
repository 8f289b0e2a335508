/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CRC-32C. Where the processor has the instruction (SSE 4.2), eight octets a step; elsewhere four
 * bits a step from a table of sixteen, which is slow and needs no start-up work.
 */
#include "store/checksum.h"

#include <string.h>

uint32_t checksum_add_portable(uint32_t before, const void *data, size_t size)
{
    static const uint32_t nibbles[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *p = data;
    uint32_t crc = ~before;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ nibbles[crc & 15u];
        crc = crc >> 4 ^ nibbles[crc & 15u];
    }
    return ~crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t add_sse42(uint32_t before, const void *data,
                                                            size_t size)
{
    const uint8_t *p = data;
    uint64_t crc = ~before;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    uint32_t rest = (uint32_t)crc;
    for (; size > 0; size--, p++) {
        rest = _mm_crc32_u8(rest, *p);
    }
    return ~rest;
}

uint32_t checksum_add(uint32_t before, const void *data, size_t size)
{
    return __builtin_cpu_supports("sse4.2") ? add_sse42(before, data, size)
                                            : checksum_add_portable(before, data, size);
}

#else

uint32_t checksum_add(uint32_t before, const void *data, size_t size)
{
    return checksum_add_portable(before, data, size);
}

#endif
