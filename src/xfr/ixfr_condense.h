/* SPDX-License-Identifier: BSD-3-Clause */
/* Several steps of an IXFR answer as one (RFC 1995 4), where that is less to send. */
#ifndef XFR_IXFR_CONDENSE_H
#define XFR_IXFR_CONDENSE_H

#include "store/chunk.h"

enum { IXFR_CONDENSE_MAX = 4 << 20 }; /* octets of chunks; more are not worth the work */

/*
 * A row of `count` chunks of the zone, each starting where the one before ends, as one chunk: gives a
 * reference, or NULL where sending them as they are is as good (one chunk, more than are worth the
 * work, or nothing gained).
 * Any thread. O(k log k) for k records, at most some ten milliseconds.
 */
struct chunk *ixfr_condense(const uint8_t *zone_name, uint16_t class, struct chunk *const *chunks,
                            size_t count);

#endif
