/* SPDX-License-Identifier: BSD-3-Clause */
/* Each line is one cache line of one worker, so that counting shares nothing. */
#include "zones/query_counts.h"

#include <string.h>

#include "base/memory.h"

struct zone_query_counts *zone_query_counts_new(unsigned workers)
{
    size_t size = sizeof(struct zone_query_counts) + workers * sizeof(struct zone_counts_line);
    struct zone_query_counts *counts = memory_new_aligned(_Alignof(struct zone_query_counts), size);
    memset(counts, 0, size);
    counts->workers = workers;
    return counts;
}

void zone_query_counts_free(struct zone_query_counts *counts)
{
    memory_free(counts);
}

static void add(_Atomic uint64_t *sum, const _Atomic uint64_t *number)
{
    uint64_t more = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void zone_query_counts_sum(const struct zone_query_counts *counts, struct zone_counts_line *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < counts->workers; i++) {
        const struct zone_counts_line *line = &counts->lines[i];
        add(&out->queries, &line->queries);
        add(&out->nxdomain, &line->nxdomain);
        add(&out->failed, &line->failed);
        add(&out->truncated, &line->truncated);
        add(&out->streams, &line->streams);
        add(&out->octets_out, &line->octets_out);
    }
}
