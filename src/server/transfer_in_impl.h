/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by transfer_in.c (connections, requests) and transfer_end.c. All of one primary is in one
 * thread. */
#ifndef SERVER_TRANSFER_IN_IMPL_H
#define SERVER_TRANSFER_IN_IMPL_H

#include <pthread.h>

#include "net/loop.h"
#include "wire/tsig.h"
#include "xfr/axfr_in.h"
#include "xfr/ixfr_in.h"
#include "xfr/refresh.h"

enum { PRIMARY_BUCKETS = 256 };

struct connection {
    struct connection *next;
    struct primary *primary;
    struct stream *stream;
    struct transfer *transfers; /* in flight */
    unsigned in_flight;
    bool proved; /* a reply came */
};

/* One address that is asked from one address: its connections, and who waits for them. Lives as
 * long as the thread does. */
struct primary {
    struct primary *next; /* in its bucket */
    struct transfer_thread *thread;
    struct address peer, source;
    struct connection *connections;
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
    struct zone_version *base; /* a reference, or NULL */
    struct connection *connection;
    struct axfr_in *axfr; /* one of these two */
    struct ixfr_in *ixfr;
    struct tsig_key *key; /* a reference, or NULL */
    struct tsig tsig;     /* of the request that is under way */
    struct loop_timer deadline;
    struct instant started;
    uint32_t at_once; /* `transfers` for this primary, or 0 */
    uint16_t id;
    bool has_place; /* counted in transfers-in and transfers-per-ns */
    bool answered;  /* a message came */
    bool retried;
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

void transfer_free(struct transfer *transfer);
void transfer_leave_connection(struct transfer *transfer);
/* Requests of the primary's queue leave while its connections take them. */
void transfer_start_waiting(struct primary *primary);
/* Both end the transfer: its memory is gone when they return. finish: its machine is through. */
void transfer_fail(struct transfer *transfer, const struct error *err);
void transfer_finish(struct transfer *transfer);

#endif
