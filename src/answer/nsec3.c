/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k-1) || salt), with H = SHA-1 and x
 * the owner in lower case wire form (RFC 5155 5).
 *
 * SHA-1 is nettle's, which chooses the processor's own instructions for it where there are some. Names
 * are short: with salt and padding nearly all of them fit into one block, as all hashes do, so the
 * block is put together here and compressed directly. What is longer goes by nettle's stream.
 */
#include "answer/nsec3.h"

#include <endian.h>
#include <nettle/sha1.h>

#include "wire/name.h"
#include "wire/name_octets.h"
#include "wire/record.h"

enum { ONE_BLOCK = SHA1_BLOCK_SIZE - 9 /* the mark and the length */ };

/* What stands in the block, at most ONE_BLOCK octets with zeroes behind them. */
static ALWAYS_INLINE void hash_block(uint8_t block[SHA1_BLOCK_SIZE], size_t size,
                                     uint8_t out[NSEC3_HASH_SIZE])
{
    uint32_t state[] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    block[size] = 0x80;
    put_u16(block + SHA1_BLOCK_SIZE - 2, (uint16_t)(8 * size));
    nettle_sha1_compress(state, block);
    for (unsigned i = 0; i < ARRAY_SIZE(state); i++) {
        state[i] = htobe32(state[i]);
    }
    memcpy(out, state, NSEC3_HASH_SIZE);
}

/* Any number of octets. */
static void hash_salted(const uint8_t *octets, size_t size, struct slice salt,
                        uint8_t out[NSEC3_HASH_SIZE])
{
    struct sha1_ctx sha1;
    sha1_init(&sha1);
    sha1_update(&sha1, size, octets);
    sha1_update(&sha1, salt.size, salt.data);
    sha1_digest(&sha1, NSEC3_HASH_SIZE, out);
}

HOT void nsec3_hash(const struct nsec3_params *params, const uint8_t *name,
                    uint8_t out[NSEC3_HASH_SIZE])
{
    REQUIRE(params->algorithm == NSEC3_ALGORITHM_SHA1);
    struct slice salt = params->salt;
    size_t size = name_size(name);
    unsigned left = params->iterations;
    if (LIKELY(size + salt.size <= ONE_BLOCK)) {
        uint8_t block[SHA1_BLOCK_SIZE] = {0};
        octets_copy_lower(block, name, size);
        octets_copy(block + size, salt.data, salt.size);
        hash_block(block, size + salt.size, out);
    } else {
        struct name lower;
        octets_copy_lower(lower.wire, name, size);
        hash_salted(lower.wire, size, salt, out);
    }
    if (LIKELY(left == 0)) {
        return;
    }
    if (salt.size <= ONE_BLOCK - NSEC3_HASH_SIZE) {
        uint8_t block[SHA1_BLOCK_SIZE] = {0};
        octets_copy(block + NSEC3_HASH_SIZE, salt.data, salt.size);
        for (; left != 0; left--) {
            memcpy(block, out, NSEC3_HASH_SIZE);
            hash_block(block, NSEC3_HASH_SIZE + salt.size, out);
        }
    }
    for (; left != 0; left--) {
        hash_salted(out, NSEC3_HASH_SIZE, salt, out);
    }
}
