/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Update forwarding (RFC 2136 6): a secondary passes an UPDATE on to the zone's primary, and the
 * primary's answer back.
 */
#ifndef UPDATE_UPDATE_FORWARD_H
#define UPDATE_UPDATE_FORWARD_H

#include "request/request.h"
#include "wire/tsig.h"

struct forwards;

/* Main thread. */
struct forwards *forwards_new(struct server *server);
/* The main loop has ended: what is under way is answered with SERVFAIL. Before the workers whose
 * sockets the replies use are freed. NULL is fine. */
void forwards_stop(struct forwards *forwards);
/* After the workers have ended. NULL is fine. */
void forwards_free(struct forwards *forwards);

/*
 * An UPDATE for a secondary zone, in the thread of a worker; in `tsig` a key where it is known here.
 * The rcode of a refusal, or UPDATE_TAKEN (update.h).
 */
int update_forward_handle(const struct request_scope *scope, const struct answer_query *query,
                          const struct request_origin *origin, const struct tsig *tsig);

#endif
