/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was answered from one zone, where it has `zone-statistics`: a line for each worker, which
 * only it writes (server/answer_counts.h), summed by who wants to know.
 */
#ifndef ZONES_QUERY_COUNTS_H
#define ZONES_QUERY_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"

/* One zone's numbers, of one worker: a line. */
struct zone_counts_line {
    ALIGNED(64) _Atomic uint64_t queries;
    _Atomic uint64_t nxdomain;
    _Atomic uint64_t failed; /* any other rcode but NOERROR */
    _Atomic uint64_t truncated;
    _Atomic uint64_t streams; /* over TCP or TLS */
    _Atomic uint64_t octets_out;
};

struct zone_query_counts {
    unsigned workers;
    struct zone_counts_line lines[];
};

/* For `workers` writers; lives as long as its server_zone. free accepts NULL. */
struct zone_query_counts *zone_query_counts_new(unsigned workers);
void zone_query_counts_free(struct zone_query_counts *counts);

/* All workers' lines together; any thread. May be behind by what workers are doing just then. */
void zone_query_counts_sum(const struct zone_query_counts *counts, struct zone_counts_line *out);

#endif
