/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transfers from primaries: a few threads with connections that are kept open and shared by all
 * zones of a primary (RFC 7766, 9103). A request goes out on an open connection, replies are matched
 * by ID, the machines of xfr build the new version, and the ledger makes it the current one.
 */
#ifndef SERVER_TRANSFER_IN_H
#define SERVER_TRANSFER_IN_H

#include "base/error.h"
#include "xfr/refresh.h"

struct server;
struct server_zone;
struct transfers;

MUST_CHECK enum result transfers_new(struct server *server, unsigned threads,
                                     struct transfers **out, struct error *err);
/* Ends the threads; transfers under way are dropped. NULL is fine. */
void transfers_free(struct transfers *transfers);

/* Sync thread: carries out a REFRESH_TRANSFER; ends with one sync_transfer_ended. */
void transfer_in_start(struct transfers *transfers, struct server_zone *zone,
                       const struct refresh_action *action);

#endif
