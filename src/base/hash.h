/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A keyed 64-bit hash for tables: fast, good in all bits, not a cryptographic one. The key is drawn
 * at start, so an outsider cannot prepare collisions.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <string.h>

#include "base/attr.h"

static ALWAYS_INLINE uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Any thread. About 1 ns for 16 bytes. */
static inline uint64_t hash_bytes(uint64_t key, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t state = key ^ (size * 0x9e3779b97f4a7c15u);
    uint64_t word;
    while (size >= 8) {
        memcpy(&word, p, 8);
        state = hash_mix(state ^ word, 0xa0761d6478bd642fu);
        p += 8;
        size -= 8;
    }
    word = 0;
    if (size != 0) {
        memcpy(&word, p, size);
    }
    return hash_mix(state ^ word, 0xe7037ed1a0b428dbu ^ key);
}

/* Bytes from the system's generator; aborts where there is none. */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void);

#endif
