/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server cookie of RFC 9018 section 4:
 *
 *     version (1), reserved (3 octets of 0), timestamp (4 octets, seconds), hash (8 octets)
 *     hash = SipHash-2-4(secret, client cookie | version | reserved | timestamp | client's address)
 *
 * Nothing is kept about a client: whoever can show the hash got it at that address, so an answer to
 * it goes to who asked. Timestamps are compared as serial numbers (section 4.3): up to an hour old
 * and five minutes ahead of us are accepted, and past half an hour a new cookie is given.
 *
 * The hashes are compared in constant time, since a guess could else be made octet by octet.
 */
#include "answer/cookie.h"

#include <string.h>

#include "wire/record.h"

enum {
    VERSION = 1,
    HASH_AT = COOKIE_CLIENT_SIZE + 8, /* what stands before the hash in an option */
    TIME_AT = COOKIE_CLIENT_SIZE + 4,
    RENEW_AFTER_S = 1800,
    ACCEPT_S = 3600,
    AHEAD_S = 300,
};

/* `head` is an option up to its hash. */
static void hash_of(const uint8_t secret[SIPHASH_KEY_SIZE], const uint8_t head[HASH_AT],
                    const struct address *peer, uint8_t out[SIPHASH_SIZE])
{
    uint8_t input[HASH_AT + 16];
    size_t address_size = peer->family == 4 ? 4 : 16;
    memcpy(input, head, HASH_AT);
    memcpy(input + HASH_AT, peer->bytes, address_size);
    siphash24(secret, slice_of(input, HASH_AT + address_size), out);
}

static bool is_equal(const uint8_t *a, const uint8_t *b)
{
    unsigned difference = 0;
    for (unsigned i = 0; i < SIPHASH_SIZE; i++) {
        difference |= (unsigned)(a[i] ^ b[i]);
    }
    return difference == 0;
}

enum cookie_state cookie_check(const struct cookie_policy *policy, struct slice option,
                               const struct address *peer, int64_t now_s)
{
    /* The reserved octets are hashed as they came, and may be anything (RFC 9018 4.2). */
    if (option.size != COOKIE_SIZE || option.data[COOKIE_CLIENT_SIZE] != VERSION) {
        return COOKIE_CLIENT;
    }
    int32_t age_s = (int32_t)((uint32_t)now_s - get_u32(option.data + TIME_AT));
    if (age_s > ACCEPT_S || age_s < -AHEAD_S) {
        return COOKIE_CLIENT;
    }
    bool good = false;
    for (unsigned i = 0; i < policy->secret_count; i++) {
        uint8_t hash[SIPHASH_SIZE];
        hash_of(policy->secrets[i], option.data, peer, hash);
        /* An old secret's cookie is good, and replaced by one that the new secret makes. */
        if (is_equal(hash, option.data + HASH_AT)) {
            good = true;
            age_s = i == 0 ? age_s : ACCEPT_S;
            break;
        }
    }
    return !good ? COOKIE_CLIENT : age_s > RENEW_AFTER_S ? COOKIE_AGEING : COOKIE_GOOD;
}

void cookie_make(const struct cookie_policy *policy, const uint8_t client[COOKIE_CLIENT_SIZE],
                 const struct address *peer, int64_t now_s, uint8_t out[COOKIE_SIZE])
{
    memcpy(out, client, COOKIE_CLIENT_SIZE);
    put_u32(out + COOKIE_CLIENT_SIZE, (uint32_t)VERSION << 24);
    put_u32(out + TIME_AT, (uint32_t)now_s);
    hash_of(policy->secrets[0], out, peer, out + HASH_AT);
}
