/* SPDX-License-Identifier: BSD-3-Clause */
/* Response rate limiting applied to a batch of answers over UDP. */
#ifndef SERVER_RATE_LIMITER_H
#define SERVER_RATE_LIMITER_H

#include "request/request.h"

/*
 * Counts `count` answers that are about to leave, and drops (response_size 0) or cuts short those
 * of networks that were told the same too often. For settings with a rate-limit; answer workers.
 */
void rate_limiter_apply(const struct request_scope *scope, struct answer_query *queries,
                        size_t count);

#endif
