/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was answered, counted: each worker has its own numbers, which only it writes, so that
 * counting costs a few additions and no cache line is shared. Whoever wants to know sums them
 * (status, metrics): answer_counts_sum(). A sum may be behind by what workers are doing just then;
 * it never goes back.
 */
#ifndef SERVER_ANSWER_COUNTS_H
#define SERVER_ANSWER_COUNTS_H

#include <stdatomic.h>

#include "answer/answer.h"
#include "zones/query_counts.h"

struct server;

enum {
    COUNTED_TRANSPORTS = 3, /* enum answer_transport */
    COUNTED_RCODES = 24,    /* the last: all above */
    COUNTED_TYPES = 260,    /* 0 to 255; the last: all above, but those below */
    COUNTED_TYPE_URI = 256,
    COUNTED_TYPE_CAA = 257,
    COUNTED_TYPE_NONE = 258, /* no question was read */
    COUNTED_TYPE_OTHER = 259,
    COUNTED_SIZES = 12,     /* responses up to 32 << n octets; the last: all above */
    COUNTED_SIZE_BITS = 16, /* the same as a worker counts them: up to 2 << n */
};

/* The numbers of one worker. */
struct answer_counts {
    ALIGNED(64) _Atomic uint64_t transports[COUNTED_TRANSPORTS]; /* messages that came */
    _Atomic uint64_t unanswered; /* dropped, handed on, or answered later */
    _Atomic uint64_t truncated;
    _Atomic uint64_t edns;
    _Atomic uint64_t dnssec_ok;
    _Atomic uint64_t octets_in, octets_out;
    _Atomic uint64_t types[COUNTED_TYPES];
    _Atomic uint64_t responses[COUNTED_RCODES][COUNTED_SIZE_BITS];
};

/* Those of all workers together. */
struct answer_sums {
    uint64_t transports[COUNTED_TRANSPORTS];
    uint64_t unanswered;
    uint64_t truncated;
    uint64_t edns;
    uint64_t dnssec_ok;
    uint64_t octets_in, octets_out;
    uint64_t types[COUNTED_TYPES];
    uint64_t rcodes[COUNTED_RCODES];
    uint64_t sizes[COUNTED_SIZES];
};

/* For `workers` writers. free accepts NULL. */
struct answer_counts *answer_counts_new(unsigned workers);
void answer_counts_free(struct answer_counts *counts);

/* Adds one message that was dealt with; the worker's own thread. `worker` is its number. */
void answer_counts_add(struct answer_counts *mine, unsigned worker,
                       const struct answer_query *query);

/* The same for all of a batch, which came by one transport. */
void answer_counts_add_batch(struct answer_counts *mine, unsigned worker,
                             const struct answer_query *queries, size_t count);

/* All workers' numbers together; any thread. */
void answer_counts_sum(const struct server *server, struct answer_sums *out);

#endif
