/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by transfer_in.c (connections, requests), transfer_ask.c and transfer_end.c. All of one primary is in one
 * thread. */
#ifndef SYNC_TRANSFER_IN_IMPL_H
#define SYNC_TRANSFER_IN_IMPL_H

#include <pthread.h>

#include "net/loop.h"
#include "net/stream.h"
#include "wire/tsig.h"
#include "xfr/axfr_in.h"
#include "xfr/ixfr_in.h"
#include "xfr/refresh.h"

struct transfers;
struct transfer_question;

enum { PRIMARY_BUCKETS = 256 };

struct connection {
    struct connection *next;
    struct primary *primary;
    struct stream *stream;
    struct transfer *transfers; /* in flight */
    unsigned in_flight;
    struct transfer_question *questions; /* in flight */
    unsigned question_count;
    struct tls_context *tls; /* borrowed from its stream; NULL: plain */
    struct instant heard_at; /* of the last message */
    bool proved;             /* a reply came */
    bool is_up;              /* connected, TLS agreed on */
};

/* One address that is asked from one address, with TLS by one block or without: its connections, and
 * who waits for them. Lives as long as the thread does. */
struct primary {
    struct primary *next; /* in its bucket */
    struct transfer_thread *thread;
    struct address peer, source;
    struct tls_context *tls; /* a reference: of the block as it is now; NULL: plain */
    struct tls_memory tls_memory;
    struct connection *connections;
    struct transfer_question *questions; /* that wait, in order */
    struct transfer_question **questions_last;
    struct transfer *waiting; /* in order */
    struct transfer **waiting_last;
    unsigned in_flight;
    bool starting; /* start_waiting is under way */
};

struct transfer {
    struct transfer *next; /* in its connection's list, or in its primary's queue */
    struct transfer_thread *thread;
    struct primary *primary;
    struct server_zone *zone; /* a reference */
    struct refresh_action action;
    struct address peer, source;
    struct tls_context *tls; /* a reference, or NULL */
    uint16_t padding;
    bool tcp_keepalive, no_expire; /* as the struct remote */
    struct zone_version *base;     /* a reference, or NULL */
    struct connection *connection;
    struct axfr_in *axfr; /* one of these two */
    struct ixfr_in *ixfr;
    struct tsig_key *key; /* a reference, or NULL */
    unsigned key_at;      /* which of the primary's keys (struct remote) */
    struct tsig tsig;     /* of the request that is under way */
    struct loop_timer deadline;
    struct instant started;
    uint32_t at_once; /* `transfers` for this primary, or 0 */
    uint16_t id;
    bool has_place; /* counted in transfers-in and transfers-per-ns */
    bool answered;  /* a message came */
    bool retried;
    bool not_connected; /* what it fails with: no connection, or one that ended without a word */
    char address[ADDRESS_TEXT_SIZE];
};

struct transfer_thread {
    struct server *server;
    struct loop *loop;
    pthread_t thread;
    bool running;
    unsigned turn; /* the bucket that is served first when places come free */
    struct primary *primaries[PRIMARY_BUCKETS];
};

struct transfer_thread *transfer_thread_for(struct transfers *transfers,
                                            const struct address *peer);
/* A new connection, in the primary's list; NULL: see err. */
struct connection *transfer_connect(struct primary *primary, struct error *err);
void transfer_connection_free(struct connection *connection);

/* transfer_primary.c */

/* The primary, made where it is the first to be asked for; `tls` as it is now. */
struct primary *transfer_find_primary(struct transfer_thread *thread, const struct address *peer,
                                      const struct address *source, struct tls_context *tls);
/* A connection that can take one more request; NULL with err->code OK: wait for one. */
struct connection *transfer_find_connection(struct primary *primary, bool for_question,
                                            struct error *err);
bool transfer_id_is_taken(const struct connection *connection, uint16_t id);
/* Options that go with the connection, added to a request before it is signed with `key`. */
size_t transfer_dress_request(const struct connection *connection, uint8_t *buffer, size_t size,
                              size_t limit, const struct tsig_key *key, bool tcp_keepalive,
                              uint16_t padding);

/* Ends the connection and what is in flight on it. */
void transfer_abandon(struct connection *connection, const char *why);

/* transfer_ask.c */
void questions_start_waiting(struct primary *primary);
void questions_fail_waiting(struct primary *primary, const struct error *err);
/* Where the message answers a question, that is through. */
void question_answered(struct connection *connection, struct slice message);
/* Their connection is gone. */
void questions_lost(struct transfer_question *questions, bool ask_again, const struct error *err);

void transfer_free(struct transfer *transfer);
void transfer_leave_connection(struct transfer *transfer);
/* Requests of the primary's queue leave while its connections take them. */
void transfer_start_waiting(struct primary *primary);
/* Both end the transfer: its memory is gone when they return. finish: its machine is through. */
void transfer_fail(struct transfer *transfer, const struct error *err);
void transfer_finish(struct transfer *transfer);

#endif
