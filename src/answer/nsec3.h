/* SPDX-License-Identifier: BSD-3-Clause */
/* Hashed owner names (RFC 5155 5), and the parameters a zone hashes with. */
#ifndef ANSWER_NSEC3_H
#define ANSWER_NSEC3_H

#include "base/slice.h"
#include "wire/record.h"

enum {
    NSEC3_HASH_SIZE = 20,
    NSEC3_ALGORITHM_SHA1 = 1,
    NSEC3_MAX_ITERATIONS = 150, /* more: no proofs are made (RFC 9276 3.2) */
    NSEC3_OPT_OUT = 1,
};

struct nsec3_params {
    uint8_t algorithm;
    uint8_t flags;
    uint16_t iterations;
    struct slice salt; /* borrowed from the rdata */
};

/* From valid NSEC3PARAM rdata, or from the same fields at the head of NSEC3 rdata. */
static inline struct nsec3_params nsec3_params_read(struct slice rdata)
{
    return (struct nsec3_params){
        .algorithm = rdata.data[0],
        .flags = rdata.data[1],
        .iterations = get_u16(rdata.data + 2),
        .salt = slice_of(rdata.data + 5, rdata.data[4]),
    };
}

/* The same chain: everything but the flags is equal. */
static inline bool nsec3_params_equal(const struct nsec3_params *a, const struct nsec3_params *b)
{
    return a->algorithm == b->algorithm && a->iterations == b->iterations &&
           slice_equal(a->salt, b->salt);
}

/* Of NSEC3 rdata: the next hashed owner. */
static inline struct slice nsec3_next(struct slice rdata)
{
    size_t at = 5 + (size_t)rdata.data[4];
    return slice_of(rdata.data + at + 1, rdata.data[at]);
}

/* `name` in any case; algorithm is SHA-1 (REQUIREd). About 0.2 us for each iteration. */
void nsec3_hash(const struct nsec3_params *params, const uint8_t *name,
                uint8_t out[NSEC3_HASH_SIZE]);

#endif
