/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP in batches: up to UDP_BATCH datagrams by one system call, answered in place, sent by another.
 * A socket and a batch belong to one thread. The bytes are nobody's business here.
 */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <stdbool.h>

#include "base/address.h"
#include "base/slice.h"

enum { UDP_BATCH = 32 };

struct udp_socket {
    int fd; /* for loop_watch_add; -1: closed */
    struct address local;
    bool connected;
    bool packet_info; /* the local address comes with each datagram (wildcard bind) */
};

struct udp_options {
    struct address local;     /* port 0: one the kernel chooses, to be found in socket->local */
    bool reuse_port;          /* several sockets share the address, one a thread (SO_REUSEPORT) */
    int receive_buffer_bytes; /* 0: the system's; more than the system allows is cut */
    int send_buffer_bytes;
};

/* Bound, non-blocking. Path MTU reports of strangers are not believed: large answers are
 * fragmented rather than refused. ERR_IO names the address. */
MUST_CHECK enum result udp_open(const struct udp_options *options, struct udp_socket *out,
                                struct error *err);

/*
 * For asking others.
 * source  NULL or family 0: any address; port 0: a random port, drawn from the whole range
 * peer    NULL: unconnected, `family` of source counts; else connected, so the kernel drops
 *         what others send, and a refusal comes back as an error of udp_receive
 */
MUST_CHECK enum result udp_open_client(const struct address *source, const struct address *peer,
                                       struct udp_socket *out, struct error *err);

/* Safe on a closed one and on {.fd = -1}. */
void udp_close(struct udp_socket *socket);

/* One datagram; `peer` is NULL on a connected socket. ERR_BUSY: no room now; ERR_IO. */
MUST_CHECK enum result udp_send_one(const struct udp_socket *socket, const struct address *peer,
                                    struct slice bytes, struct error *err);

struct udp_slot {
    struct address peer;
    struct address local; /* where it was sent to; what answers leave from */
    struct slice in;      /* borrowed until the next receive */
    bool truncated;       /* it was longer than `in` */
    uint8_t *out;         /* the caller writes the answer here … */
    size_t out_capacity;
    size_t out_size; /* … and its size here; 0: no answer (as after receive) */
};

struct udp_batch;

/* in_size, out_size: octets for a datagram that comes in, and for its answer. */
struct udp_batch *udp_batch_new(size_t in_size, size_t out_size);
void udp_batch_free(struct udp_batch *batch);
/* UDP_BATCH slots; those below the count of the last receive are filled. */
struct udp_slot *udp_batch_slots(struct udp_batch *batch);

/*
 * Takes what has arrived, without waiting; *out_count is 0 where there is nothing. A datagram
 * from port 0 cannot be answered: its `in` is empty. ERR_IO: an error of the socket, reported once
 * (on a connected one usually that the peer refused); receiving may go on.
 */
MUST_CHECK enum result udp_receive(struct udp_socket *socket, struct udp_batch *batch,
                                   unsigned *out_count, struct error *err);
/* Sends the slots' answers to where they came from; returns how many were dropped because the
 * system did not take them. */
unsigned udp_send(struct udp_socket *socket, struct udp_batch *batch, unsigned count);

#endif
