/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR in: the stream's records go into the body; when the body has seen the second SOA and the
 * message holds nothing more, the version is built. Until then and whenever anything fails, all
 * there is can be dropped, and the version that serves has not been touched.
 */
#include "xfr/axfr_in.h"

#include "base/memory.h"
#include "xfr/stream_impl.h"

struct axfr_in {
    bool over; /* STEP_DONE or STEP_FAILED was said */
    struct axfr_body body;
    struct xfr_stream stream;
};

struct axfr_in *axfr_in_new(const uint8_t *zone, uint16_t class, uint16_t id,
                            struct zone_version *base, const struct xfr_in_limits *limits,
                            struct instant now, finding_report *report, void *report_context)
{
    struct axfr_in *in = memory_new(sizeof(*in));
    /* Room for the largest rdata stands at the end: most transfers never touch most of it. */
    memset(in, 0, offsetof(struct axfr_in, stream.reader.rdata));
    xfr_stream_init(&in->stream, zone, class, TYPE_AXFR, id, false, limits, now);
    axfr_body_init(&in->body, &in->stream, base, report, report_context);
    return in;
}

void axfr_in_free(struct axfr_in *in)
{
    if (in != NULL) {
        axfr_body_deinit(&in->body);
        memory_free(in);
    }
}

size_t axfr_in_request(const struct axfr_in *in, bool with_edns, uint8_t *buffer, size_t limit)
{
    return xfr_stream_request(&in->stream, NULL, with_edns, buffer, limit);
}

static enum step receive(struct axfr_in *in, struct slice message, struct instant now,
                         struct error *err)
{
    if (xfr_stream_open(&in->stream, message, now, err) != OK) {
        return STEP_FAILED;
    }
    struct record record;
    enum step step;
    while ((step = xfr_stream_next(&in->stream, &record, err)) == STEP_MORE) {
        if (axfr_body_add(&in->body, &record, err) == STEP_FAILED) {
            return STEP_FAILED;
        }
    }
    if (step == STEP_FAILED) {
        return STEP_FAILED;
    }
    return in->body.complete ? axfr_body_finish(&in->body, err) : STEP_MORE;
}

enum step axfr_in_receive(struct axfr_in *in, struct slice message, struct instant now,
                          struct error *err)
{
    REQUIRE(!in->over);
    enum step step = receive(in, message, now, err);
    in->over = step != STEP_MORE;
    return step;
}

struct instant axfr_in_deadline(const struct axfr_in *in)
{
    return xfr_stream_deadline(&in->stream);
}

enum result axfr_in_timed_out(const struct axfr_in *in, struct instant now, struct error *err)
{
    return xfr_stream_timed_out(&in->stream, now, err);
}

void axfr_in_take(struct axfr_in *in, struct zone_version **out_version, struct delta **out_delta)
{
    axfr_body_take(&in->body, out_version, out_delta);
}

bool axfr_in_serial(const struct axfr_in *in, struct serial *out)
{
    if (in->body.has_first) {
        *out = soa_copy_serial(&in->body.first);
    }
    return in->body.has_first;
}

bool axfr_in_dislikes_edns(const struct axfr_in *in)
{
    return in->stream.dislikes_edns;
}

bool axfr_in_expire(const struct axfr_in *in, uint32_t *out_expire_s)
{
    *out_expire_s = in->stream.expire_s;
    return in->stream.has_expire;
}

bool axfr_in_keepalive(const struct axfr_in *in, uint32_t *out_ms)
{
    *out_ms = in->stream.keepalive_ms;
    return in->stream.has_keepalive;
}

bool axfr_in_fingerprint(const struct axfr_in *in, struct zone_fingerprint *out)
{
    *out = in->stream.fingerprint;
    return in->stream.has_fingerprint;
}

struct xfr_stats axfr_in_stats(const struct axfr_in *in)
{
    return in->stream.stats;
}
