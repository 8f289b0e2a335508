/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IXFR out (RFC 1995): a chain of chunks, as the journal keeps deltas, as messages. An answer in
 * AXFR form is axfr_out's, with the same request.
 * One thread at a time.
 */
#ifndef XFR_IXFR_OUT_H
#define XFR_IXFR_OUT_H

#include "store/chunk.h"
#include "xfr/axfr_out.h"

struct ixfr_out;

/*
 * version       shares: where the chain ends.
 * chunks        the array and what it points to are borrowed until ixfr_out_free; each
 *               starts where the one before ends, the last ends at version (REQUIREd). None: the
 *               answer is the single SOA that says "up to date".
 * request       copied. edns_options, soft_size  as axfr_out_new.
 */
struct ixfr_out *ixfr_out_new(struct zone_version *version, struct chunk *const *chunks,
                              size_t count, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size);
void ixfr_out_free(struct ixfr_out *out);

/* As axfr_out_next. */
MUST_CHECK enum step ixfr_out_next(struct ixfr_out *out, uint8_t *buffer, size_t limit,
                                   size_t reserved, size_t *out_size, struct error *err);
/*
 * The whole answer as one datagram of at most `limit` (the request's udp_size, or less), or the SOA
 * alone with TC where it does not fit (RFC 1995 2: the client comes again over TCP). Sets
 * *out_fits. Returns the size, 0 where not even the SOA fits.
 */
size_t ixfr_out_datagram(struct ixfr_out *out, uint8_t *buffer, size_t limit, size_t reserved,
                         bool *out_fits);
struct xfr_stats ixfr_out_stats(const struct ixfr_out *out);

#endif
