/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dynamic update (RFC 2136): from a request that an answer worker took to the reply that leaves
 * when the change is durable. The changes themselves are edit's, their order and safety the
 * ledger's.
 */
#ifndef UPDATE_UPDATE_H
#define UPDATE_UPDATE_H

#include "request/request.h"
#include "wire/tsig.h"

struct updates;

/* Starts its threads. */
MUST_CHECK enum result updates_new(struct server *server, struct updates **out, struct error *err);
/* Takes no more (SERVFAIL), and waits until every one that was taken has got its reply. Before the
 * workers whose sockets the replies use are freed. NULL is fine. */
void updates_stop(struct updates *updates);
/* After the workers have ended. NULL is fine. */
void updates_free(struct updates *updates);

/* Taken and not answered yet. Any thread. */
uint32_t updates_waiting(struct updates *updates);

/*
 * An UPDATE whose signature is good, in the thread of an answer or stream worker. The rcode of a
 * refusal, to be sent by the caller, or UPDATE_TAKEN: the reply, signed where `tsig` has a key,
 * goes out later by itself.
 */
enum { UPDATE_TAKEN = -1 };
int update_handle(const struct request_scope *scope, const struct answer_query *query,
                  const struct request_origin *origin, const struct tsig *tsig);

#endif
