/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k-1) || salt), with H = SHA-1 and x
 * the owner in lower case wire form (RFC 5155 5). SHA-1 is nettle's.
 */
#include "answer/nsec3.h"

#include <nettle/sha1.h>

#include "wire/name.h"
#include "wire/record.h"

struct nsec3_params nsec3_params_read(struct slice rdata)
{
    return (struct nsec3_params){
        .algorithm = rdata.data[0],
        .flags = rdata.data[1],
        .iterations = get_u16(rdata.data + 2),
        .salt = slice_of(rdata.data + 5, rdata.data[4]),
    };
}

bool nsec3_params_equal(const struct nsec3_params *a, const struct nsec3_params *b)
{
    return a->algorithm == b->algorithm && a->iterations == b->iterations &&
           slice_equal(a->salt, b->salt);
}

struct slice nsec3_next(struct slice rdata)
{
    size_t at = 5 + (size_t)rdata.data[4];
    return slice_of(rdata.data + at + 1, rdata.data[at]);
}

void nsec3_hash(const struct nsec3_params *params, const uint8_t *name,
                uint8_t out[NSEC3_HASH_SIZE])
{
    REQUIRE(params->algorithm == NSEC3_ALGORITHM_SHA1);
    struct name lower;
    struct sha1_ctx sha1;
    name_copy(&lower, name);
    name_lower(lower.wire);
    sha1_init(&sha1);
    sha1_update(&sha1, lower.size, lower.wire);
    for (unsigned left = params->iterations;; left--) {
        sha1_update(&sha1, params->salt.size, params->salt.data);
        sha1_digest(&sha1, NSEC3_HASH_SIZE, out); /* resets sha1 */
        if (left == 0) {
            return;
        }
        sha1_update(&sha1, NSEC3_HASH_SIZE, out);
    }
}
