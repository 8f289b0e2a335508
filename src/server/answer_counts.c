/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting answers. Every number has one writer, so adding is a plain load and store that the
 * compiler may not tear (relaxed atomics), never a locked instruction. A worker's numbers stand in
 * lines of their own.
 *
 * A zone is counted only where it has `zone-statistics yes` or `full`: its line is one more that an
 * answer touches, which in a server of a hundred thousand zones is a miss.
 */
#include "server/answer_counts.h"

#include "base/memory.h"
#include "hub/server.h"

enum { SIZE_FIRST_BITS = 5 };

static ALWAYS_INLINE void add(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

struct answer_counts *answer_counts_new(unsigned workers)
{
    struct answer_counts *counts =
        memory_new_aligned(_Alignof(struct answer_counts), workers * sizeof(*counts));
    memset(counts, 0, workers * sizeof(*counts));
    return counts;
}

void answer_counts_free(struct answer_counts *counts)
{
    memory_free(counts);
}

static ALWAYS_INLINE unsigned type_slot(const struct query *query)
{
    if (UNLIKELY(!query->has_question)) {
        return COUNTED_TYPE_NONE;
    }
    return LIKELY(query->qtype <= COUNTED_TYPE_CAA) ? query->qtype : COUNTED_TYPE_OTHER;
}

/* 0 for up to 32 octets, and one more for each doubling. */
static ALWAYS_INLINE unsigned size_slot(size_t size)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll((uint64_t)(size - 1) | 1);
    unsigned slot = bits <= SIZE_FIRST_BITS ? 0 : bits - SIZE_FIRST_BITS;
    return slot < COUNTED_SIZES ? slot : COUNTED_SIZES - 1;
}

static NOINLINE void add_to_zone(struct zone_counts_line *line, const struct answer_query *query)
{
    add(&line->queries, 1);
    if (query->rcode != RCODE_NOERROR) {
        add(query->rcode == RCODE_NXDOMAIN ? &line->nxdomain : &line->failed, 1);
    }
    add(&line->truncated, query->truncated);
    add(&line->streams, query->transport != ANSWER_UDP);
    add(&line->octets_out, query->response_size);
}

/* All but the octets and the transport. */
static ALWAYS_INLINE void add_one(struct answer_counts *mine, unsigned worker,
                                  const struct answer_query *query)
{
    add(&mine->types[type_slot(&query->query)], 1);
    if (query->query.edns.present) {
        add(&mine->edns, 1);
        add(&mine->dnssec_ok, query->query.edns.dnssec_ok);
    }
    if (UNLIKELY(query->response_size == 0)) {
        add(&mine->unanswered, 1);
        return;
    }
    unsigned rcode = query->rcode;
    add(&mine->rcodes[LIKELY(rcode < COUNTED_RCODES) ? rcode : COUNTED_RCODES - 1], 1);
    add(&mine->sizes[size_slot(query->response_size)], 1);
    if (UNLIKELY(query->truncated)) {
        add(&mine->truncated, 1);
    }
    if (LIKELY(query->zone != NULL)) {
        struct zone_query_counts *zone =
            atomic_load_explicit(&query->zone->query_counts, memory_order_acquire);
        if (UNLIKELY(zone != NULL)) {
            add_to_zone(&zone->lines[worker], query);
        }
    }
}

void answer_counts_add(struct answer_counts *mine, unsigned worker,
                       const struct answer_query *query)
{
    answer_counts_add_batch(mine, worker, query, 1);
}

HOT void answer_counts_add_batch(struct answer_counts *mine, unsigned worker,
                                 const struct answer_query *queries, size_t count)
{
    uint64_t octets_in = 0;
    uint64_t octets_out = 0;
    for (size_t i = 0; i < count; i++) {
        octets_in += queries[i].message.size;
        octets_out += queries[i].response_size;
        add_one(mine, worker, &queries[i]);
    }
    if (count != 0) {
        add(&mine->transports[queries[0].transport], count);
        add(&mine->octets_in, octets_in);
        add(&mine->octets_out, octets_out);
    }
}

void answer_counts_sum(const struct server *server, struct answer_counts *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < 2 * server->worker_count; i++) {
        /* The struct is a row of numbers. */
        const _Atomic uint64_t *from = &server->answer_counts[i].transports[0];
        _Atomic uint64_t *to = &out->transports[0];
        for (size_t n = 0; n < sizeof(*out) / sizeof(*to); n++) {
            add(&to[n], atomic_load_explicit(&from[n], memory_order_relaxed));
        }
    }
}
