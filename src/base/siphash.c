/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): four words of state, two rounds for each eight octets
 * of input, four at the end; the last word carries what is left over and the length modulo 256.
 * Little-endian throughout, whatever the machine.
 */
#include "base/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static uint64_t load(const uint8_t *from, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)from[i] << (8 * i);
    }
    return word;
}

static void rounds(struct state *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

void siphash24(const uint8_t key[SIPHASH_KEY_SIZE], struct slice data, uint8_t out[SIPHASH_SIZE])
{
    uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
    struct state s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                      k1 ^ 0x7465646279746573u};
    size_t whole = data.size & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) {
        absorb(&s, load(data.data + at, 8));
    }
    absorb(&s, (uint64_t)data.size << 56 | load(data.data + whole, data.size - whole));
    s.v2 ^= 0xff;
    rounds(&s, 4);
    uint64_t word = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    for (unsigned i = 0; i < SIPHASH_SIZE; i++) {
        out[i] = (uint8_t)(word >> (8 * i));
    }
}
