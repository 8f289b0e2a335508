/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HMAC (RFC 2104) with the hashes of RFC 8945: a key is prepared once, so that a message costs the
 * hash of its own octets and two blocks.
 */
#ifndef WIRE_HMAC_H
#define WIRE_HMAC_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

enum hmac_algorithm {
    HMAC_MD5,
    HMAC_SHA1,
    HMAC_SHA224,
    HMAC_SHA256,
    HMAC_SHA384,
    HMAC_SHA512,
};

enum { HMAC_MAX_SIZE = 64, HMAC_STATE_WORDS = 28 };

/* As good as the secret itself: hmac_key_deinit wipes it. Read-only once made, any thread. */
struct hmac_key {
    enum hmac_algorithm algorithm;
    uint64_t inner[HMAC_STATE_WORDS]; /* the hash behind its first, keyed block */
    uint64_t outer[HMAC_STATE_WORDS];
};

/* One computation; borrows its key. */
struct hmac {
    const struct hmac_key *key;
    uint64_t state[HMAC_STATE_WORDS];
};

/* Octets of the whole MAC: 16 to 64. */
size_t hmac_size(enum hmac_algorithm algorithm);

/* `secret` of any length; not kept. */
void hmac_key_init(struct hmac_key *key, enum hmac_algorithm algorithm, struct slice secret);
void hmac_key_deinit(struct hmac_key *key);

void hmac_begin(struct hmac *hmac, const struct hmac_key *key);
void hmac_add(struct hmac *hmac, struct slice bytes);
/* The first `size` octets of the MAC, at most hmac_size; `hmac` is begun anew. */
void hmac_end(struct hmac *hmac, uint8_t *out, size_t size);

/* Compares in a time that does not depend on the contents. */
bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t size);

#endif
