/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the answer room hands up: NOTIFY, UPDATE, transfers over UDP, signed messages. Access is
 * decided here, the reply is written into the query's buffer, and what follows is left to others.
 */
#ifndef SERVER_DISPATCH_H
#define SERVER_DISPATCH_H

#include "request/request.h"

/* Puts allow-query into the answer options of settings that are not in use yet. */
void dispatch_prepare_settings(struct settings *settings);

/*
 * Deals with a query whose disposition is not SEND; XFR over a stream is transfer_out.h's. Writes
 * the reply into query->out, signed where the query was, and sets query->response_size (0: no
 * reply).
 */
void dispatch_request(const struct request_scope *scope, struct answer_query *query,
                      const struct request_origin *origin);

#endif
