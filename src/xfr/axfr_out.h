/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR out (RFC 5936 2.2): a version as a row of messages. The first SOA, every record in canonical
 * order, the SOA again. Also the AXFR form of an answer to IXFR (RFC 1995 4): the question is
 * echoed as it came.
 * One thread at a time; the version may be shared with others.
 */
#ifndef XFR_AXFR_OUT_H
#define XFR_AXFR_OUT_H

#include "xfr/axfr_cache.h"
#include "xfr/step.h"
#include "xfr/xfr_request.h"
#include "zone/version.h"

enum { AXFR_OUT_SOFT_SIZE = 16384 }; /* where compression pointers reach; a good size to write */

struct axfr_out;

/*
 * version       shares: takes a reference of its own.
 * request       copied.
 * edns_options  borrowed until the first message is made; a wire run for the OPT, which is only
 *               written where the request had one. May be empty.
 * soft_size     messages are ended at about this size; 0: AXFR_OUT_SOFT_SIZE.
 */
struct axfr_out *axfr_out_new(struct zone_version *version, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size);
void axfr_out_free(struct axfr_out *out); /* NULL is fine */

/*
 * Before the first message: the records of each message come from the cache, which others read too,
 * and messages end where the cache says. A small version stays as it is: to render it costs less
 * than to find it. True where it is shared now.
 */
bool axfr_out_share(struct axfr_out *out, struct axfr_cache *cache);

/*
 * Makes the next message.
 * buffer    room for `limit` octets; give MESSAGE_MAX_SIZE, so that any record fits that can.
 * reserved  kept free at the end for the TSIG that the caller appends.
 * STEP_MORE    a message of *out_size octets; there is another one
 * STEP_DONE    a message of *out_size octets; it was the last
 * STEP_FAILED  ERR_LIMIT: a record does not fit a message of `limit` by itself; the transfer cannot
 *              be completed (close the connection, RFC 5936 2.2)
 */
MUST_CHECK enum step axfr_out_next(struct axfr_out *out, uint8_t *buffer, size_t limit,
                                   size_t reserved, size_t *out_size, struct error *err);

/* A message in three parts, one behind the other. */
struct axfr_out_parts {
    struct slice head; /* header and question; borrowed until the next call */
    struct slice body; /* shared, until axfr_piece_unref(piece) is called once */
    struct slice tail; /* OPT or nothing; borrowed until the next call */
    struct axfr_piece *piece;
};

/* As axfr_out_next, of a shared one, for a message that is not signed: nothing is copied. */
MUST_CHECK enum step axfr_out_next_parts(struct axfr_out *out, struct axfr_out_parts *parts,
                                         struct error *err);

struct xfr_stats axfr_out_stats(const struct axfr_out *out);

#endif
