/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One question to another server and its one reply, over UDP, TCP or TLS: refresh queries and NOTIFY.
 * Replies are matched by socket, address and a random ID, and verified where the question was signed;
 * the machines above do the rest.
 * Everything in one loop's thread; what goes over TLS is handed to the transfer threads, which have
 * the connections (transfer_in.h).
 */
#ifndef SYNC_ASK_H
#define SYNC_ASK_H

#include "base/address.h"
#include "base/error.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"
#include "wire/tsig.h"

struct asker;
struct ask;
struct server;

struct asker *asker_new(struct server *server, struct loop *loop);
void asker_free(struct asker *asker);

/* An ID that no question under way has. ERR_BUSY where there are too many. */
MUST_CHECK enum result asker_draw_id(struct asker *asker, uint16_t *out, struct error *err);

/*
 * The reply, or a failure of the connection; ERR_BAD_AUTH or ERR_FORMAT: a reply came, but its
 * signature is missing or wrong. Called at most once; the ask is gone after it.
 * message  borrowed; empty on error
 */
typedef void ask_done(void *context, struct slice message, const struct error *err);

enum ask_way { ASK_UDP, ASK_TCP, ASK_TLS };

/* Who is asked, and how. All borrowed for the call. */
struct ask_target {
    const struct address *peer, *source; /* source family 0: any */
    enum ask_way way;
    struct tls_context *tls; /* ASK_TLS */
    uint16_t padding;        /* ASK_TLS */
    struct tsig_key *key;    /* NULL: not signed */
    uint32_t stream_ms;      /* TCP, TLS: how long to wait */
};

/*
 * Sends `message`, whose first two octets are the `id` drawn, signed where the target has a key. UDP:
 * waits for a reply until ask_cancel or a minute has passed (the machine above knows when to try
 * again). ERR_IO where it cannot be sent; `done` is not called then.
 * A datagram from the peer that is not the reply (other ID) is not handed up.
 */
MUST_CHECK enum result ask_start(struct asker *asker, const struct ask_target *target, uint16_t id,
                                 struct slice message, ask_done *done, void *context,
                                 struct ask **out, struct error *err);
/* No callback follows. NULL is fine. */
void ask_cancel(struct ask *ask);

#endif
