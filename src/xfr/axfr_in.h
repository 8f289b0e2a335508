/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR in (RFC 5936): the request, and the machine that takes the messages of the reply, checks
 * all there is to check, and builds a version beside the one that serves. Nothing is changed
 * anywhere until the caller commits what axfr_in_take gives.
 * One thread at a time.
 */
#ifndef XFR_AXFR_IN_H
#define XFR_AXFR_IN_H

#include "base/clock.h"
#include "xfr/step.h"
#include "zone/builder.h"
#include "zone/zone_set.h"

/* Zeros mean the defaults given here. */
struct xfr_in_limits {
    uint64_t max_records;          /* of the zone; no limit */
    uint64_t max_bytes;            /* of all messages together; 4 GiB */
    uint32_t max_messages;         /* no limit */
    uint32_t max_empty_messages;   /* without a record, in all; 100 */
    uint32_t max_records_per_type; /* 65535 */
    uint32_t max_types_per_name;   /* no limit */
    uint32_t idle_ms;              /* without a record (max-transfer-idle-in); 60 minutes */
    uint32_t total_ms;             /* max-transfer-time-in; 120 minutes */
    bool no_expire;                /* the request does not ask for EXPIRE (request-expire) */
    bool only_newer;               /* AXFR with a base: ERR_STALE at the first SOA unless newer */
};

struct axfr_in;

/*
 * zone    copied.
 * base    shares, or NULL: the version that serves now; the new one will share with it what is
 *         equal, and the delta between them is given.
 * id      of the request; draw it at random.
 * report  findings of the builder; may be NULL.
 */
struct axfr_in *axfr_in_new(const uint8_t *zone, uint16_t class, uint16_t id,
                            struct zone_version *base, const struct xfr_in_limits *limits,
                            struct instant now, finding_report *report, void *report_context);
void axfr_in_free(struct axfr_in *in); /* NULL is fine; the base stays as it was */

/*
 * Writes the request into `buffer`. with_edns adds an OPT that asks for EXPIRE (RFC 7314); leave it
 * out for a primary that answered FORMERR to it. Returns the size, 0 where `limit` is too small.
 */
size_t axfr_in_request(const struct axfr_in *in, bool with_edns, uint8_t *buffer, size_t limit);

/*
 * message  borrowed for the call; one whole message whose TSIG, if any, the caller has verified.
 * STEP_MORE    the next message, please
 * STEP_DONE    complete and built; axfr_in_take
 * STEP_FAILED  ERR_FORMAT, ERR_LIMIT, ERR_STALE (only_newer; axfr_in_serial has theirs), or what
 *              peer_reply_refused gives; the text names the cause. When the code is ERR_FORMAT and
 *              axfr_in_dislikes_edns() is true, the same request without EDNS may do
 */
MUST_CHECK enum step axfr_in_receive(struct axfr_in *in, struct slice message, struct instant now,
                                     struct error *err);
/* When it has to be given up: max-transfer-idle-in, max-transfer-time-in. */
struct instant axfr_in_deadline(const struct axfr_in *in);
/* Sets ERR_TIMEOUT with which of the two it was and how far it had come. */
enum result axfr_in_timed_out(const struct axfr_in *in, struct instant now, struct error *err);

/*
 * After STEP_DONE, once: the version (one reference), and with a base the delta that leads to it
 * (delta_free), else NULL. Either out may be NULL.
 */
void axfr_in_take(struct axfr_in *in, struct zone_version **out_version, struct delta **out_delta);
/* Of the first SOA; false: none came yet. */
bool axfr_in_serial(const struct axfr_in *in, struct serial *out);
/* The primary answered FORMERR, NOTIMP or BADVERS: it may be the OPT. */
bool axfr_in_dislikes_edns(const struct axfr_in *in);
/* EXPIRE of the reply (RFC 7314). */
bool axfr_in_expire(const struct axfr_in *in, uint32_t *out_expire_s);
/* How long the primary keeps the connection when it is idle (RFC 7828), where it says so. */
bool axfr_in_keepalive(const struct axfr_in *in, uint32_t *out_ms);
/* What the primary says that the records of its version come to (docs/formats.md), where it does. */
bool axfr_in_fingerprint(const struct axfr_in *in, struct zone_fingerprint *out);
struct xfr_stats axfr_in_stats(const struct axfr_in *in);

#endif
