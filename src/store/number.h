/* SPDX-License-Identifier: BSD-3-Clause */
/* 64-bit numbers at rest, in network order as everything at rest is. */
#ifndef STORE_NUMBER_H
#define STORE_NUMBER_H

#include "wire/record.h"

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)(v >> 32));
    put_u32(p + 4, (uint32_t)v);
}

#endif
