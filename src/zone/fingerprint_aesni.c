/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fingerprint's kernel on x86-64 processors with AES instructions.
 *
 * One record asks for 128 blocks of AES-256. The blocks are independent, so eight run side by side
 * and the cipher's latency is hidden; the counters are 0 to 127, so only the last octet of a
 * counter block ever differs from zero. Blocks become lanes in registers: octets swapped in pairs,
 * then added to the sums.
 *
 * Compiled for its targets function by function and chosen at run time; no other file needs flags.
 */
#include "zone/fingerprint_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

enum { ROUND_KEYS = 15, BLOCKS = FINGERPRINT_LANES / 8 };

/* The blocks must live in registers, so loops over them are unrolled; clang does it unasked. */
#if defined(__clang__)
#define UNROLLED
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

#define TARGET_AESNI __attribute__((target("aes,avx2")))

/* FIPS 197 5.2 for 256 bits: the words of an even round key come from the last word of the one
 * before, rotated, substituted and with the round constant; those of an odd one substituted only.
 */
TARGET_AESNI static inline __m128i spread(__m128i previous)
{
    previous = _mm_xor_si128(previous, _mm_slli_si128(previous, 4));
    return _mm_xor_si128(previous, _mm_slli_si128(previous, 8));
}

#define EXPAND_EVEN(keys, i, constant)                                                             \
    (keys)[i] =                                                                                    \
        _mm_xor_si128(spread((keys)[(i)-2]),                                                       \
                      _mm_shuffle_epi32(_mm_aeskeygenassist_si128((keys)[(i)-1], constant), 0xff))
#define EXPAND_ODD(keys, i)                                                                        \
    (keys)[i] =                                                                                    \
        _mm_xor_si128(spread((keys)[(i)-2]),                                                       \
                      _mm_shuffle_epi32(_mm_aeskeygenassist_si128((keys)[(i)-1], 0), 0xaa))

TARGET_AESNI static inline void expand_key(const uint8_t *key, __m128i keys[ROUND_KEYS])
{
    keys[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
    keys[1] = _mm_loadu_si128((const __m128i *)(const void *)(key + 16));
    EXPAND_EVEN(keys, 2, 0x01);
    EXPAND_ODD(keys, 3);
    EXPAND_EVEN(keys, 4, 0x02);
    EXPAND_ODD(keys, 5);
    EXPAND_EVEN(keys, 6, 0x04);
    EXPAND_ODD(keys, 7);
    EXPAND_EVEN(keys, 8, 0x08);
    EXPAND_ODD(keys, 9);
    EXPAND_EVEN(keys, 10, 0x10);
    EXPAND_ODD(keys, 11);
    EXPAND_EVEN(keys, 12, 0x20);
    EXPAND_ODD(keys, 13);
    EXPAND_EVEN(keys, 14, 0x40);
}

TARGET_AESNI static void kernel_aesni(uint16_t lanes[FINGERPRINT_LANES],
                                      const uint8_t key[FINGERPRINT_KEY_SIZE], bool removes)
{
    enum { SIDE_BY_SIDE = 8 };
    const __m128i swap = _mm_set_epi8(14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1);
    __m128i keys[ROUND_KEYS];
    expand_key(key, keys);
    for (unsigned first = 0; first < BLOCKS; first += SIDE_BY_SIDE) {
        __m128i block[SIDE_BY_SIDE];
        UNROLLED
        for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
            __m128i counter = _mm_slli_si128(_mm_cvtsi32_si128((int)(first + i)), 15);
            block[i] = _mm_xor_si128(counter, keys[0]);
        }
        UNROLLED
        for (unsigned round = 1; round < ROUND_KEYS - 1; round++) {
            UNROLLED
            for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
                block[i] = _mm_aesenc_si128(block[i], keys[round]);
            }
        }
        UNROLLED
        for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
            __m128i *sums = (__m128i *)(void *)(lanes + (size_t)8 * (first + i));
            __m128i value =
                _mm_shuffle_epi8(_mm_aesenclast_si128(block[i], keys[ROUND_KEYS - 1]), swap);
            __m128i sum = _mm_loadu_si128(sums);
            sum = removes ? _mm_sub_epi16(sum, value) : _mm_add_epi16(sum, value);
            _mm_storeu_si128(sums, sum);
        }
    }
}

fingerprint_kernel *fingerprint_kernel_aesni(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx2") ? kernel_aesni : NULL;
}

#else

fingerprint_kernel *fingerprint_kernel_aesni(void)
{
    return NULL;
}

#endif
