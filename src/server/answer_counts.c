/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting answers. Every number has one writer, so adding is a plain load and store that the
 * compiler may not tear (relaxed atomics), never a locked instruction. A worker's numbers stand in
 * lines of their own.
 *
 * One table has rcodes and sizes, so that an answer is one addition there; they are told apart when
 * somebody reads. What a whole batch adds to one number is added once.
 *
 * A zone is counted only where it has `zone-statistics yes` or `full`: its line is one more that an
 * answer touches, which in a server of a hundred thousand zones is a miss.
 */
#include "server/answer_counts.h"

#include "base/memory.h"
#include "hub/server.h"

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

/* Of a response, which has an octet at least: 0 for up to 2 octets, and one more for each doubling. */
static ALWAYS_INLINE unsigned size_bits(size_t size)
{
    return (63u - (unsigned)__builtin_clzll((uint64_t)(size - 1) | 1)) % COUNTED_SIZE_BITS;
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
    uint64_t edns = 0;
    uint64_t dnssec_ok = 0;
    for (const struct answer_query *query = queries; query != queries + count; query++) {
        unsigned type = query->query.qtype;
        unsigned rcode = query->rcode;
        size_t size = query->response_size;
        octets_in += query->message.size;
        octets_out += size;
        edns += query->query.edns.present;
        dnssec_ok += query->query.edns.present & query->query.edns.dnssec_ok;
        type = LIKELY(type <= COUNTED_TYPE_CAA) ? type : COUNTED_TYPE_OTHER;
        add(&mine->types[LIKELY(query->query.has_question) ? type : COUNTED_TYPE_NONE], 1);
        if (UNLIKELY(size == 0)) {
            add(&mine->unanswered, 1);
            continue;
        }
        rcode = LIKELY(rcode < COUNTED_RCODES) ? rcode : COUNTED_RCODES - 1;
        add(&mine->responses[rcode][size_bits(size)], 1);
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
    if (count != 0) {
        add(&mine->transports[queries[0].transport], count);
        add(&mine->octets_in, octets_in);
        add(&mine->octets_out, octets_out);
        add(&mine->edns, edns);
        add(&mine->dnssec_ok, dnssec_ok);
    }
}

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static unsigned size_slot(unsigned bits)
{
    enum { FIRST = 4 };
    unsigned slot = bits <= FIRST ? 0 : bits - FIRST;
    return slot < COUNTED_SIZES ? slot : COUNTED_SIZES - 1;
}

static void sum_one(const struct answer_counts *counts, struct answer_sums *out)
{
    for (unsigned i = 0; i < COUNTED_TRANSPORTS; i++) {
        out->transports[i] += load(&counts->transports[i]);
    }
    out->unanswered += load(&counts->unanswered);
    out->truncated += load(&counts->truncated);
    out->edns += load(&counts->edns);
    out->dnssec_ok += load(&counts->dnssec_ok);
    out->octets_in += load(&counts->octets_in);
    out->octets_out += load(&counts->octets_out);
    for (unsigned i = 0; i < COUNTED_TYPES; i++) {
        out->types[i] += load(&counts->types[i]);
    }
    for (unsigned rcode = 0; rcode < COUNTED_RCODES; rcode++) {
        for (unsigned bits = 0; bits < COUNTED_SIZE_BITS; bits++) {
            uint64_t number = load(&counts->responses[rcode][bits]);
            out->rcodes[rcode] += number;
            out->sizes[size_slot(bits)] += number;
        }
    }
}

void answer_counts_sum(const struct server *server, struct answer_sums *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < 2 * server->worker_count; i++) {
        sum_one(&server->answer_counts[i], out);
    }
}
