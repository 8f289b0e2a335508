/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of an incoming transfer as a stream of checked records: what AXFR in and IXFR in
 * share. And the body of a zone in AXFR form, which both may receive.
 */
#ifndef XFR_STREAM_IMPL_H
#define XFR_STREAM_IMPL_H

#include "wire/rdata.h"
#include "xfr/axfr_in.h"
#include "xfr/peer_reply.h"
#include "xfr/record_reader_impl.h"
#include "xfr/xfr_request.h"
#include "zone/zone_set.h"

struct xfr_stream {
    struct name zone;
    uint16_t class;
    uint16_t type; /* of the question: AXFR or IXFR */
    uint16_t id;
    bool udp;
    struct xfr_in_limits limits;
    struct instant started_at;
    struct instant progress_at; /* when the last message with a record came */
    struct xfr_stats stats;
    uint64_t empty_messages;
    bool has_expire;
    bool dislikes_edns;
    bool truncated; /* TC over UDP */
    uint32_t expire_s;
    bool has_keepalive;
    uint32_t keepalive_ms;
    bool has_fingerprint;
    struct zone_fingerprint fingerprint;

    struct peer_reply reply; /* the message at hand ... */
    unsigned left;           /* ... and how many of its records were not read */
    struct record_reader reader;
};

void xfr_stream_init(struct xfr_stream *stream, const uint8_t *zone, uint16_t class, uint16_t type,
                     uint16_t id, bool udp, const struct xfr_in_limits *limits, struct instant now);
/* The request; soa NULL for AXFR. */
size_t xfr_stream_request(const struct xfr_stream *stream, const struct record *soa, bool with_edns,
                          uint8_t *buffer, size_t limit);
/* Opens the next message. Not OK: the transfer has failed. */
MUST_CHECK enum result xfr_stream_open(struct xfr_stream *stream, struct slice message,
                                       struct instant now, struct error *err);
/* STEP_MORE: a record, borrowed until the next call. STEP_DONE: the message has no more. */
MUST_CHECK enum step xfr_stream_next(struct xfr_stream *stream, struct record *out,
                                     struct error *err);
struct instant xfr_stream_deadline(const struct xfr_stream *stream);
enum result xfr_stream_timed_out(const struct xfr_stream *stream, struct instant now,
                                 struct error *err);
bool is_apex_soa(const struct xfr_stream *stream, const struct record *record);

/* A copy of an SOA's rdata: two names and twenty octets. */
struct soa_copy {
    size_t size;
    uint8_t rdata[2 * NAME_MAX_SIZE + 20];
};
void soa_copy_set(struct soa_copy *copy, const struct record *soa);
bool soa_copy_equal(const struct soa_copy *copy, const struct record *soa);
struct serial soa_copy_serial(const struct soa_copy *copy);

/* A zone in AXFR form: SOA, records, the same SOA. */
struct axfr_body {
    const struct xfr_stream *stream; /* borrowed */
    struct zone_version *base;       /* one reference, or NULL */
    struct builder *builder;         /* NULL once finished */
    bool has_first;
    bool has_any; /* in the builder */
    bool complete;
    struct soa_copy first;
    struct zone_version *version; /* built */
    struct delta *delta;
};
void axfr_body_init(struct axfr_body *body, const struct xfr_stream *stream,
                    struct zone_version *base, finding_report *report, void *report_context);
void axfr_body_deinit(struct axfr_body *body);
/* STEP_DONE: this was the last SOA; any further record fails. */
MUST_CHECK enum step axfr_body_add(struct axfr_body *body, const struct record *record,
                                   struct error *err);
/* After the last SOA: builds. */
MUST_CHECK enum step axfr_body_finish(struct axfr_body *body, struct error *err);
void axfr_body_take(struct axfr_body *body, struct zone_version **out_version,
                    struct delta **out_delta);

#endif
