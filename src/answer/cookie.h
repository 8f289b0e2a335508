/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS cookies (RFC 7873) with the server cookies that RFC 9018 defines, so that servers of any make
 * behind one address accept each other's as long as they share the secret. Pure functions.
 */
#ifndef ANSWER_COOKIE_H
#define ANSWER_COOKIE_H

#include "base/address.h"
#include "base/siphash.h"

enum {
    COOKIE_CLIENT_SIZE = 8,
    COOKIE_SERVER_SIZE = 16,
    COOKIE_SIZE = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE,
    COOKIE_SECRETS_MAX = 4,
};

/* What the servers of one address agree on. */
struct cookie_policy {
    uint8_t
        secret_count; /* the first makes cookies, all are accepted: that is how they roll over */
    uint8_t secrets[COOKIE_SECRETS_MAX][SIPHASH_KEY_SIZE];
    bool is_required;           /* over UDP, who sends a cookie must send a good one: BADCOOKIE */
    uint16_t nocookie_udp_size; /* largest UDP response without a good cookie; 0: no such bound */
};

enum cookie_state {
    COOKIE_NONE,   /* none came, or none are answered */
    COOKIE_CLIENT, /* a client cookie alone, or with a server cookie that is not ours or too old */
    COOKIE_GOOD,   /* ours, for this address, not older than half an hour */
    COOKIE_AGEING, /* likewise, but not older than an hour: answered with a new one */
};

/*
 * What the COOKIE option of a query says.
 * option  of 8 or 16 to 40 octets (query_parse has seen to that)
 * now_s   wall clock
 */
enum cookie_state cookie_check(const struct cookie_policy *policy, struct slice option,
                               const struct address *peer, int64_t now_s);

/* Writes the option of the response: the client's cookie and a server cookie of `now_s`. */
void cookie_make(const struct cookie_policy *policy, const uint8_t client[COOKIE_CLIENT_SIZE],
                 const struct address *peer, int64_t now_s, uint8_t out[COOKIE_SIZE]);

#endif
