/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IXFR in (RFC 1995): the request with our SOA, and the machine that takes the reply, whichever of
 * its forms it has. It collects deltas and applies none: the caller does, and asks for AXFR on the
 * same connection when anything at all went wrong (RFC 1995 4).
 * One thread at a time.
 */
#ifndef XFR_IXFR_IN_H
#define XFR_IXFR_IN_H

#include "xfr/axfr_in.h"

enum ixfr_outcome {
    IXFR_UP_TO_DATE,   /* the primary has our serial */
    IXFR_BEHIND,       /* the primary's serial is before ours: ixfr_in_serial */
    IXFR_DELTAS,       /* ixfr_in_take_deltas */
    IXFR_WHOLE,        /* the zone in AXFR form: ixfr_in_take_version */
    IXFR_NOT_OVER_UDP, /* newer, but it did not fit: ask again over TCP */
};

struct ixfr_in;

/*
 * base    shares: the version that serves now; its SOA goes into the request.
 * limits  max_bytes also bounds the memory of the deltas.
 * udp     one message is all that comes.
 * The rest as axfr_in_new.
 */
struct ixfr_in *ixfr_in_new(struct zone_version *base, uint16_t id, bool udp,
                            const struct xfr_in_limits *limits, struct instant now,
                            finding_report *report, void *report_context);
void ixfr_in_free(struct ixfr_in *in);

size_t ixfr_in_request(const struct ixfr_in *in, bool with_edns, uint8_t *buffer, size_t limit);
/* As axfr_in_receive; after STEP_DONE, ixfr_in_outcome tells which. */
MUST_CHECK enum step ixfr_in_receive(struct ixfr_in *in, struct slice message, struct instant now,
                                     struct error *err);
struct instant ixfr_in_deadline(const struct ixfr_in *in);
enum result ixfr_in_timed_out(const struct ixfr_in *in, struct instant now, struct error *err);

/* After STEP_DONE. */
enum ixfr_outcome ixfr_in_outcome(const struct ixfr_in *in);
struct serial ixfr_in_serial(const struct ixfr_in *in); /* the primary's */
/* IXFR_DELTAS: gives the chain, sealed, first to last; it starts at the base's serial and each
 * starts where the one before ends. The caller frees each with delta_free and the array with
 * memory_free. */
struct delta **ixfr_in_take_deltas(struct ixfr_in *in, size_t *out_count);
/* IXFR_WHOLE: as axfr_in_take. */
void ixfr_in_take_version(struct ixfr_in *in, struct zone_version **out_version,
                          struct delta **out_delta);
bool ixfr_in_dislikes_edns(const struct ixfr_in *in); /* as axfr_in_dislikes_edns */
bool ixfr_in_expire(const struct ixfr_in *in, uint32_t *out_expire_s);
bool ixfr_in_keepalive(const struct ixfr_in *in, uint32_t *out_ms); /* as axfr_in_keepalive */
/* What the primary says that the records of its version come to (docs/formats.md), where it does. */
bool ixfr_in_fingerprint(const struct ixfr_in *in, struct zone_fingerprint *out);
struct xfr_stats ixfr_in_stats(const struct ixfr_in *in);

#endif
