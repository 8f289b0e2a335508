/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Update forwarding (RFC 2136 6): a secondary passes an UPDATE on to the zone's primary, and the
 * primary's answer back.
 */
#ifndef SERVER_UPDATE_FORWARD_H
#define SERVER_UPDATE_FORWARD_H

#include "server/request.h"
#include "wire/tsig.h"

struct forwards;

/* Main thread. */
struct forwards *forwards_new(struct server *server);
/* The main loop has ended: what is under way is answered with SERVFAIL. Before the workers whose
 * sockets the replies use are freed. NULL is fine. */
void forwards_stop(struct forwards *forwards);
/* After the workers have ended. NULL is fine. */
void forwards_free(struct forwards *forwards);

/* Whether a request for this zone may be signed with a key that is not known here: it is the
 * primary's to know. Any thread that holds the settings. */
bool update_forward_is_near(const struct answer_query *query);

/*
 * An UPDATE for a secondary zone, in the thread of a worker; in `tsig` a key where it is known here.
 * The rcode of a refusal, or UPDATE_TAKEN (update.h).
 */
int update_forward_handle(const struct request_scope *scope, const struct answer_query *query,
                          const struct request_origin *origin, const struct tsig *tsig);

#endif
