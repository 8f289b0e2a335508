/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transfers from primaries: a few threads with connections, over TCP or TLS, that are kept open and
 * shared by all zones of a primary (RFC 7766, 9103). A request goes out on an open connection, replies are matched
 * by ID, the machines of xfr build the new version, and the ledger makes it the current one.
 */
#ifndef SYNC_TRANSFER_IN_H
#define SYNC_TRANSFER_IN_H

#include "base/address.h"
#include "base/error.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"
#include "wire/tsig.h"
#include "xfr/refresh.h"

struct server;
struct server_zone;
struct transfers;

MUST_CHECK enum result transfers_new(struct server *server, unsigned threads,
                                     struct transfers **out, struct error *err);
/* Ends the threads; transfers under way are dropped. NULL is fine. */
void transfers_free(struct transfers *transfers);

/* Sync thread: carries out a REFRESH_TRANSFER; ends with one sync_transfer_ended. `key` is shared, or
 * NULL; `key_at` is its number among the primary's. */
void transfer_in_start(struct transfers *transfers, struct server_zone *zone,
                       const struct refresh_action *action, struct tsig_key *key, unsigned key_at);

/*
 * A question to a server over TLS, on the connection that transfers from it use, and its reply with
 * the ID of the question; or an error. In the thread of `home`; the question is gone then.
 */
struct transfer_question;
typedef void transfer_answered(void *context, struct slice reply, const struct error *err);
struct transfer_ask {
    const struct address *peer, *source; /* source family 0: any */
    struct tls_context *tls;             /* shared */
    struct tsig_key *key;                /* shared; NULL: not signed */
    struct slice message;                /* borrowed */
    uint16_t padding;                    /* RFC 7830: block of octets; 0: none */
    uint32_t wait_ms;                    /* the connection included */
    struct loop *home;
    transfer_answered *done;
    void *context;
};
/* NULL where the server is ending. */
struct transfer_question *transfer_in_ask(struct transfers *transfers,
                                          const struct transfer_ask *ask);
/* In the thread of `home`: no callback follows. NULL is fine. */
void transfer_question_cancel(struct transfer_question *question);

#endif
