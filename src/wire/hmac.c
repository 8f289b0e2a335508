/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HMAC by nettle, the only file of this room that knows nettle.
 *
 * H(K ^ opad, H(K ^ ipad, text)): both hashes begin with one block that depends on the key alone.
 * Their states behind that block are kept, so a message of one block costs three compressions
 * instead of five. States are kept in plain words, large enough for the largest hash; only as many
 * octets as the hash has are ever copied.
 */
#include "wire/hmac.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

_Static_assert(sizeof(struct md5_ctx) <= sizeof(uint64_t[HMAC_STATE_WORDS]), "md5 fits");
_Static_assert(sizeof(struct sha1_ctx) <= sizeof(uint64_t[HMAC_STATE_WORDS]), "sha1 fits");
_Static_assert(sizeof(struct sha256_ctx) <= sizeof(uint64_t[HMAC_STATE_WORDS]), "sha256 fits");
_Static_assert(sizeof(struct sha512_ctx) <= sizeof(uint64_t[HMAC_STATE_WORDS]), "sha512 fits");

static const struct nettle_hash *hash_of(enum hmac_algorithm algorithm)
{
    switch (algorithm) {
    case HMAC_MD5:
        return &nettle_md5;
    case HMAC_SHA1:
        return &nettle_sha1;
    case HMAC_SHA224:
        return &nettle_sha224;
    case HMAC_SHA256:
        return &nettle_sha256;
    case HMAC_SHA384:
        return &nettle_sha384;
    case HMAC_SHA512:
        return &nettle_sha512;
    }
    require_failed("a known algorithm", __FILE__, __LINE__);
}

size_t hmac_size(enum hmac_algorithm algorithm)
{
    return hash_of(algorithm)->digest_size;
}

void hmac_key_init(struct hmac_key *key, enum hmac_algorithm algorithm, struct slice secret)
{
    uint64_t unused[HMAC_STATE_WORDS];
    memset(key, 0, sizeof(*key));
    key->algorithm = algorithm;
    nettle_hmac_set_key(key->outer, key->inner, unused, hash_of(algorithm), secret.size,
                        secret.data);
    explicit_bzero(unused, sizeof(unused));
}

void hmac_key_deinit(struct hmac_key *key)
{
    explicit_bzero(key, sizeof(*key));
}

void hmac_begin(struct hmac *hmac, const struct hmac_key *key)
{
    hmac->key = key;
    memcpy(hmac->state, key->inner, hash_of(key->algorithm)->context_size);
}

void hmac_add(struct hmac *hmac, struct slice bytes)
{
    if (bytes.size != 0) {
        hash_of(hmac->key->algorithm)->update(hmac->state, bytes.size, bytes.data);
    }
}

void hmac_end(struct hmac *hmac, uint8_t *out, size_t size)
{
    const struct hmac_key *key = hmac->key;
    nettle_hmac_digest(key->outer, key->inner, hmac->state, hash_of(key->algorithm), size, out);
}

bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    return memeql_sec(a, b, size) != 0;
}
