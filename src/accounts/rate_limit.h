/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Response rate limiting: how often one network is told the same over UDP, since a datagram's
 * source address is anybody's to write. A table of fixed size that all answer workers share without
 * locks; nothing is allocated for a packet.
 */
#ifndef ACCOUNTS_RATE_LIMIT_H
#define ACCOUNTS_RATE_LIMIT_H

#include "answer/answer.h"
#include "conf/conf.h"

/* What is counted apart, as BIND's `rate-limit` does. */
enum rate_kind { RATE_RESPONSE, RATE_REFERRAL, RATE_NODATA, RATE_NXDOMAIN, RATE_ERROR, RATE_ALL };
enum { RATE_KINDS = RATE_ALL + 1 };

enum rate_verdict {
    RATE_SEND,
    RATE_SLIP, /* send it cut short: who is real asks again over TCP */
    RATE_DROP,
};

struct rate_limit;

/* limits  borrowed, for as long as this lives. */
struct rate_limit *rate_limit_new(const struct conf_rate_limit *limits);
void rate_limit_free(struct rate_limit *rates); /* NULL is fine */

/* "response", "referral" … for logs. */
const char *rate_kind_name(enum rate_kind kind);

/* Which of them this answer is, and a hash of what it is the same as. */
enum rate_kind rate_limit_kind(const struct answer_query *answered, uint64_t *out_hash);

/*
 * Counts one response.
 * now_s      a monotonic clock
 * out_begun  true for the first of a row that is limited
 * Any thread; O(1).
 */
enum rate_verdict rate_limit_take(struct rate_limit *rates, const struct address *peer,
                                  enum rate_kind kind, uint64_t hash, uint32_t now_s,
                                  bool *out_begun);
/* For qps-scale: so many responses more, limited or not. */
void rate_limit_count(struct rate_limit *rates, unsigned responses, uint32_t now_s);

#endif
