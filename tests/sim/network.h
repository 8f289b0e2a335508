/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The world of the simulation: a virtual clock, a queue of events, and a network that loses,
 * doubles, delays and reorders datagrams and breaks connections, all from one seed.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "base/clock.h"
#include "base/slice.h"

enum event_kind {
    EVENT_DATAGRAM,    /* bytes from a node to another */
    EVENT_TCP_REQUEST, /* the first bytes of a connection, with its token */
    EVENT_TCP_REPLY,   /* one message back to whoever opened the connection `token` */
    EVENT_TCP_CLOSED,
    EVENT_CHANGE, /* the primary publishes a new version */
    EVENT_CRASH,
    EVENT_RESTART,
};

struct event {
    struct instant at;
    uint64_t order; /* of equal times: first made, first served */
    enum event_kind kind;
    unsigned from;
    unsigned to;
    uint64_t token;
    uint8_t *bytes; /* owned */
    size_t size;
};

struct network {
    struct instant now;
    uint64_t random;
    bool faulty; /* false: everything arrives, once, in order */
    uint64_t next_token;
    uint64_t next_order;
    struct event *queue; /* a heap */
    size_t count;
    size_t capacity;
    bool trace;
    uint64_t lost;
    uint64_t doubled;
    uint64_t cut;
};

void network_init(struct network *network, uint64_t seed, bool trace);
void network_deinit(struct network *network);
uint64_t network_draw(struct network *network);
/* True with a chance of `percent`, never when nothing is faulty. */
bool network_fails(struct network *network, unsigned percent);
/* 0 … below - 1 */
unsigned network_below(struct network *network, unsigned below);

/* Bytes are copied. */
void network_datagram(struct network *network, unsigned from, unsigned to, struct slice bytes);
/* Returns the token under which replies, or the close, will come. */
uint64_t network_connect(struct network *network, unsigned from, unsigned to, struct slice bytes);
/*
 * What a server sends on a connection: `count` messages in order, which may be cut anywhere, or
 * stall. Takes no ownership.
 */
void network_reply(struct network *network, unsigned to, uint64_t token,
                   const struct slice *messages, size_t count);
void network_refuse(struct network *network, unsigned to, uint64_t token);
void network_schedule(struct network *network, int64_t delay_ms, enum event_kind kind, unsigned to);

/* The time of the next event, or INSTANT_NEVER. */
struct instant network_next(const struct network *network);
/* Takes it; the caller frees event.bytes. */
struct event network_take(struct network *network);

#endif
