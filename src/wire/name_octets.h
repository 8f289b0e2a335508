/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs of a name's octets compared without case (RFC 4343), eight at a time; for what stands on the
 * path of every answer. Never reads past the run: one of eight or more octets ends with a word that
 * overlaps the one before, a shorter one is put together from overlapping parts. Octets that are
 * seen twice do not change equality.
 *
 * Length octets are at most 63 and so lie below 'A': folding leaves them alone, and a whole name
 * may be compared as one run.
 */
#ifndef WIRE_NAME_OCTETS_H
#define WIRE_NAME_OCTETS_H

#include <stdbool.h>
#include <string.h>

#include "base/attr.h"

typedef uint8_t octets_16 VECTOR(16);
typedef uint64_t words_2 VECTOR(16);

static ALWAYS_INLINE uint64_t octets_load_u64(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static ALWAYS_INLINE uint32_t octets_load_u32(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* A run of 1 to 7 octets as a word; different runs of one length give different words. */
static ALWAYS_INLINE uint64_t octets_load_short(const uint8_t *p, size_t size)
{
    if (size >= 4) {
        return (uint64_t)octets_load_u32(p) | (uint64_t)octets_load_u32(p + size - 4) << 32;
    }
    return (uint64_t)p[0] | (uint64_t)p[size >> 1] << 8 | (uint64_t)p[size - 1] << 16;
}

/* A-Z to a-z in each of eight octets. Adding to the low seven bits carries into the top bit exactly
 * where the octet is at least 'A', or past 'Z'; no carry crosses octets. */
static ALWAYS_INLINE uint64_t octets_lower(uint64_t word)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t low = word & (0x7f * each);
    uint64_t from_a = low + (0x80 - 'A') * each;
    uint64_t past_z = low + (0x7f - 'Z') * each;
    uint64_t upper = ~word & (from_a ^ past_z) & (0x80 * each);
    return word | upper >> 2;
}

/* Nearly always the octets are the same ones, or differ in more than case. */
static ALWAYS_INLINE bool octets_words_equal(uint64_t a, uint64_t b)
{
    return a == b || (((a ^ b) & ~0x2020202020202020u) == 0 && octets_lower(a) == octets_lower(b));
}

static ALWAYS_INLINE octets_16 octets_lower_16(octets_16 octets)
{
    return octets + ((octets_16)((octets_16)(octets - 'A') < 26) & 0x20);
}

static ALWAYS_INLINE void octets_move_lower_16(uint8_t *out, const uint8_t *in)
{
    octets_16 octets;
    COPY_FEW(&octets, in, 16);
    octets = octets_lower_16(octets);
    COPY_FEW(out, &octets, 16);
}

/* Copies in lower case; sixteen at a time, as vectors, which every compiler we use knows. `out` does
 * not overlap `in`. */
static ALWAYS_INLINE void octets_copy_lower(uint8_t *out, const uint8_t *in, size_t size)
{
    if (LIKELY(size >= 16)) {
        octets_move_lower_16(out, in);
        for (size_t at = 16; UNLIKELY(at + 16 < size); at += 16) {
            octets_move_lower_16(out + at, in + at);
        }
        octets_move_lower_16(out + size - 16, in + size - 16);
    } else if (size >= 8) {
        words_2 words = {octets_load_u64(in), octets_load_u64(in + size - 8)};
        words = (words_2)octets_lower_16((octets_16)words);
        uint64_t first = words[0];
        uint64_t last = words[1];
        COPY_FEW(out, &first, 8);
        COPY_FEW(out + size - 8, &last, 8);
    } else {
        for (size_t at = 0; at < size; at++) {
            out[at] = (uint8_t)(in[at] | ((unsigned)(in[at] - 'A') < 26u) << 5);
        }
    }
}

/* `size` is at least 1. */
static ALWAYS_INLINE bool octets_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size < 8) {
        return octets_words_equal(octets_load_short(a, size), octets_load_short(b, size));
    }
    for (size_t at = 0; at + 8 < size; at += 8) {
        if (!octets_words_equal(octets_load_u64(a + at), octets_load_u64(b + at))) {
            return false;
        }
    }
    return octets_words_equal(octets_load_u64(a + size - 8), octets_load_u64(b + size - 8));
}

static ALWAYS_INLINE uint64_t octets_differ_16(const uint8_t *a, const uint8_t *b)
{
    return (octets_load_u64(a) ^ octets_load_u64(b)) |
           (octets_load_u64(a + 8) ^ octets_load_u64(b + 8));
}

/* The same for runs that nearly always are equal to the last bit: sixteen octets at a time, and
 * what case makes of it only where they are not. `size` is at least 1. */
static ALWAYS_INLINE bool octets_equal_likely(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (LIKELY(size >= 16)) {
        uint64_t different =
            octets_differ_16(a, b) | octets_differ_16(a + size - 16, b + size - 16);
        for (size_t at = 16; UNLIKELY(at + 16 < size); at += 16) {
            different |= octets_differ_16(a + at, b + at);
        }
        if (LIKELY(different == 0)) {
            return true;
        }
    }
    return octets_equal(a, b, size);
}

/* Most copies are of a few octets, where a call costs more than the copy: eight or more are moved as
 * two words that overlap, and so on down. */
static ALWAYS_INLINE void octets_copy(uint8_t *out, const uint8_t *in, size_t size)
{
    struct pair {
        uint64_t words[2];
    } first, second, last;
    if (size > 48) {
        memcpy(out, in, size);
    } else if (size >= 16) {
        COPY_FEW(&first, in, 16);
        COPY_FEW(&last, in + size - 16, 16);
        if (size > 32) {
            COPY_FEW(&second, in + 16, 16);
            COPY_FEW(out + 16, &second, 16);
        }
        COPY_FEW(out, &first, 16);
        COPY_FEW(out + size - 16, &last, 16);
    } else if (size >= 8) {
        uint64_t low = octets_load_u64(in);
        uint64_t high = octets_load_u64(in + size - 8);
        COPY_FEW(out, &low, 8);
        COPY_FEW(out + size - 8, &high, 8);
    } else if (size >= 4) {
        uint32_t low = octets_load_u32(in);
        uint32_t high = octets_load_u32(in + size - 4);
        COPY_FEW(out, &low, 4);
        COPY_FEW(out + size - 4, &high, 4);
    } else if (size != 0) {
        out[0] = in[0];
        out[size / 2] = in[size / 2];
        out[size - 1] = in[size - 1];
    }
}

#endif
