/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IXFR in (RFC 1995 4). The reply tells its form by its first two records:
 *
 *   SOA(n)                                   n is ours: up to date; n is newer, over UDP: too big
 *   SOA(n) SOA(ours) - - SOA(a) + + SOA(a) - - SOA(n) + + SOA(n)    differences
 *   SOA(n) anything else … SOA(n)            the whole zone, in AXFR form
 *
 *   FIRST ──> SECOND ──> REMOVING <──> ADDING ──> OVER
 *                  └───> WHOLE ─────────────────> OVER
 *
 * The chain must begin at our serial, have no gap, lead forward at every step (RFC 1982) and end at
 * the SOA it began with; all strictly, since whatever is doubtful is settled by AXFR. That the
 * removed records exist and the added ones do not is for delta_apply() to see.
 *
 * Over TCP a first message with a newer SOA alone only means that more messages come.
 */
#include "xfr/ixfr_in.h"

#include <inttypes.h>

#include "base/memory.h"
#include "xfr/packer_impl.h"
#include "xfr/stream_impl.h"
#include "zone/delta.h"

enum ixfr_state { FIRST, SECOND, NOTHING_NEW, REMOVING, ADDING, COMPLETE, WHOLE, OVER };

enum { MAX_CHAIN = 100000 };

struct ixfr_in {
    enum ixfr_state state;
    enum ixfr_outcome outcome;
    struct zone_version *base;
    struct serial ours;
    finding_report *report;
    void *report_context;
    struct soa_copy first; /* the newest SOA, with its TTL */
    uint32_t first_ttl;
    struct serial reached; /* where the chain has come to: the SOA of the step at hand */
    struct delta *open;    /* the step at hand */
    struct delta **chain;
    size_t chain_count;
    size_t chain_capacity;
    bool has_body;
    struct axfr_body body;
    struct xfr_stream stream;
};

struct ixfr_in *ixfr_in_new(struct zone_version *base, uint16_t id, bool udp,
                            const struct xfr_in_limits *limits, struct instant now,
                            finding_report *report, void *report_context)
{
    struct ixfr_in *in = memory_new(sizeof(*in));
    /* Room for the largest rdata stands at the end: most transfers never touch most of it. */
    memset(in, 0, offsetof(struct ixfr_in, stream.reader.rdata));
    in->base = zone_version_ref(base);
    in->ours = zone_version_serial(base);
    in->report = report;
    in->report_context = report_context;
    xfr_stream_init(&in->stream, zone_version_name(base), zone_version_class(base), TYPE_IXFR, id,
                    udp, limits, now);
    in->stream.limits.only_newer = false; /* said by the outcome here */
    return in;
}

void ixfr_in_free(struct ixfr_in *in)
{
    if (in == NULL) {
        return;
    }
    for (size_t i = 0; i < in->chain_count; i++) {
        delta_free(in->chain[i]);
    }
    memory_free(in->chain);
    delta_free(in->open);
    if (in->has_body) {
        axfr_body_deinit(&in->body);
    }
    zone_version_unref(in->base);
    memory_free(in);
}

size_t ixfr_in_request(const struct ixfr_in *in, bool with_edns, uint8_t *buffer, size_t limit)
{
    struct record soa = version_soa_record(in->base);
    return xfr_stream_request(&in->stream, &soa, with_edns, buffer, limit);
}

static enum step fail(const char *text, struct error *err)
{
    error_set(err, ERR_FORMAT, "%s", text);
    return STEP_FAILED;
}

static enum step done(struct ixfr_in *in, enum ixfr_outcome outcome)
{
    in->outcome = outcome;
    return STEP_DONE;
}

/* ---- differences ---- */

static enum step begin_step(struct ixfr_in *in, const struct record *old_soa, struct error *err)
{
    uint64_t budget = in->stream.limits.max_bytes;
    in->open = delta_new(in->stream.zone.wire, in->stream.class);
    delta_set_budget(in->open, budget > SIZE_MAX ? SIZE_MAX : (size_t)budget);
    in->reached = soa_read(old_soa->rdata).serial;
    in->state = REMOVING;
    return delta_remove(in->open, old_soa, err) == OK ? STEP_MORE : STEP_FAILED;
}

static enum step end_step(struct ixfr_in *in, struct error *err)
{
    if (delta_seal(in->open, err) != OK) {
        return STEP_FAILED;
    }
    if (in->chain_count == MAX_CHAIN) {
        error_set(err, ERR_LIMIT, "the differences have more than %d steps", MAX_CHAIN);
        return STEP_FAILED;
    }
    if (in->chain_count == in->chain_capacity) {
        in->chain_capacity = in->chain_capacity == 0 ? 8 : in->chain_capacity * 2;
        in->chain = memory_resize(in->chain, in->chain_capacity * sizeof(in->chain[0]));
    }
    in->chain[in->chain_count++] = in->open;
    in->open = NULL;
    return STEP_MORE;
}

static enum step soa_while_removing(struct ixfr_in *in, const struct record *soa, struct error *err)
{
    struct serial next = soa_read(soa->rdata).serial;
    if (!serial_before(in->reached, next)) {
        error_set(err, ERR_FORMAT,
                  "a step of the differences leads from serial %" PRIu32 " back to %" PRIu32,
                  in->reached.value, next.value);
        return STEP_FAILED;
    }
    in->reached = next;
    in->state = ADDING;
    return delta_add(in->open, soa, err) == OK ? STEP_MORE : STEP_FAILED;
}

static enum step soa_while_adding(struct ixfr_in *in, const struct record *soa, struct error *err)
{
    struct serial serial = soa_read(soa->rdata).serial;
    struct serial newest = soa_copy_serial(&in->first);
    if (!serial_equal(serial, in->reached)) {
        error_set(err, ERR_FORMAT,
                  "the differences have a gap: a step led to serial %" PRIu32
                  ", the next starts at %" PRIu32,
                  in->reached.value, serial.value);
        return STEP_FAILED;
    }
    if (end_step(in, err) == STEP_FAILED) {
        return STEP_FAILED;
    }
    if (!serial_equal(serial, newest)) {
        return begin_step(in, soa, err);
    }
    struct record reached;
    delta_get_soa(in->chain[in->chain_count - 1], false, &reached);
    if (!soa_copy_equal(&in->first, soa) || !soa_copy_equal(&in->first, &reached)) {
        return fail("the last SOA has the serial of the first but other data", err);
    }
    in->state = COMPLETE;
    return STEP_MORE;
}

static enum step add_difference(struct ixfr_in *in, const struct record *record, struct error *err)
{
    uint64_t limit = in->stream.limits.max_records;
    if (limit != 0 && in->stream.stats.records / 2 > limit) {
        error_set(err, ERR_LIMIT,
                  "the differences have more than twice %" PRIu64 " records (max-records)", limit);
        return STEP_FAILED;
    }
    if (record->type == TYPE_SOA) {
        if (!is_apex_soa(&in->stream, record)) {
            return fail("the differences have an SOA that is not at the zone's name", err);
        }
        return in->state == REMOVING ? soa_while_removing(in, record, err)
                                     : soa_while_adding(in, record, err);
    }
    enum result result = in->state == REMOVING ? delta_remove(in->open, record, err)
                                               : delta_add(in->open, record, err);
    return result == OK ? STEP_MORE : STEP_FAILED;
}

/* ---- the first two records ---- */

static enum step take_first(struct ixfr_in *in, const struct record *record, struct error *err)
{
    if (!is_apex_soa(&in->stream, record)) {
        return fail("the first record is not the SOA of the zone", err);
    }
    soa_copy_set(&in->first, record);
    in->first_ttl = record->ttl;
    struct serial theirs = soa_copy_serial(&in->first);
    if (serial_before(in->ours, theirs)) {
        in->state = SECOND;
        return STEP_MORE;
    }
    /* The rest of the message is of no use, but for the OPT. */
    in->state = NOTHING_NEW;
    in->outcome = serial_equal(theirs, in->ours) ? IXFR_UP_TO_DATE : IXFR_BEHIND;
    return STEP_MORE;
}

static enum step begin_whole(struct ixfr_in *in, const struct record *second, struct error *err)
{
    in->state = WHOLE;
    in->has_body = true;
    axfr_body_init(&in->body, &in->stream, in->base, in->report, in->report_context);
    struct record first = {
        .owner = in->stream.zone.wire,
        .type = TYPE_SOA,
        .class = in->stream.class,
        .ttl = in->first_ttl,
        .rdata = slice_of(in->first.rdata, in->first.size),
    };
    if (axfr_body_add(&in->body, &first, err) == STEP_FAILED) {
        return STEP_FAILED;
    }
    return axfr_body_add(&in->body, second, err);
}

static enum step take_second(struct ixfr_in *in, const struct record *record, struct error *err)
{
    if (record->type != TYPE_SOA) {
        return begin_whole(in, record, err);
    }
    if (!is_apex_soa(&in->stream, record)) {
        return fail("the differences have an SOA that is not at the zone's name", err);
    }
    struct serial start = soa_read(record->rdata).serial;
    if (!serial_equal(start, in->ours)) {
        error_set(err, ERR_FORMAT,
                  "the differences start at serial %" PRIu32 ", not at ours, %" PRIu32, start.value,
                  in->ours.value);
        return STEP_FAILED;
    }
    return begin_step(in, record, err);
}

static enum step take_record(struct ixfr_in *in, const struct record *record, struct error *err)
{
    enum step step = STEP_FAILED;
    switch (in->state) {
    case FIRST:
        return take_first(in, record, err);
    case SECOND:
        return take_second(in, record, err);
    case NOTHING_NEW:
        return STEP_MORE;
    case REMOVING:
    case ADDING:
        return add_difference(in, record, err);
    case COMPLETE:
        return fail("records follow the last SOA", err);
    case WHOLE:
        /* DONE of the body waits for the end of the message. */
        step = axfr_body_add(&in->body, record, err);
        return step == STEP_FAILED ? STEP_FAILED : STEP_MORE;
    case OVER:
        break;
    }
    return step;
}

static enum step end_message(struct ixfr_in *in, struct error *err)
{
    if (in->state == NOTHING_NEW) {
        return STEP_DONE;
    }
    if (in->state == COMPLETE) {
        return done(in, IXFR_DELTAS);
    }
    if (in->state == WHOLE && in->body.complete) {
        in->outcome = IXFR_WHOLE;
        return axfr_body_finish(&in->body, err);
    }
    if (!in->stream.udp) {
        return STEP_MORE;
    }
    if (in->stream.truncated || in->state == SECOND) {
        return done(in, IXFR_NOT_OVER_UDP);
    }
    return fail("the answer over UDP is not complete", err);
}

static enum step receive(struct ixfr_in *in, struct slice message, struct instant now,
                         struct error *err)
{
    if (xfr_stream_open(&in->stream, message, now, err) != OK) {
        return STEP_FAILED;
    }
    if (in->stream.truncated) {
        return done(in, IXFR_NOT_OVER_UDP);
    }
    struct record record;
    enum step step;
    while ((step = xfr_stream_next(&in->stream, &record, err)) == STEP_MORE) {
        step = take_record(in, &record, err);
        if (step != STEP_MORE) {
            return step;
        }
    }
    return step == STEP_FAILED ? STEP_FAILED : end_message(in, err);
}

enum step ixfr_in_receive(struct ixfr_in *in, struct slice message, struct instant now,
                          struct error *err)
{
    REQUIRE(in->state != OVER);
    enum step step = receive(in, message, now, err);
    if (step != STEP_MORE) {
        in->state = OVER;
    }
    return step;
}

struct instant ixfr_in_deadline(const struct ixfr_in *in)
{
    return xfr_stream_deadline(&in->stream);
}

enum result ixfr_in_timed_out(const struct ixfr_in *in, struct instant now, struct error *err)
{
    return xfr_stream_timed_out(&in->stream, now, err);
}

enum ixfr_outcome ixfr_in_outcome(const struct ixfr_in *in)
{
    return in->outcome;
}

struct serial ixfr_in_serial(const struct ixfr_in *in)
{
    return in->first.size != 0 ? soa_copy_serial(&in->first) : in->ours;
}

struct delta **ixfr_in_take_deltas(struct ixfr_in *in, size_t *out_count)
{
    struct delta **chain = in->chain;
    *out_count = in->chain_count;
    in->chain = NULL;
    in->chain_count = 0;
    in->chain_capacity = 0;
    return chain;
}

void ixfr_in_take_version(struct ixfr_in *in, struct zone_version **out_version,
                          struct delta **out_delta)
{
    REQUIRE(in->has_body);
    axfr_body_take(&in->body, out_version, out_delta);
}

bool ixfr_in_dislikes_edns(const struct ixfr_in *in)
{
    return in->stream.dislikes_edns;
}

bool ixfr_in_expire(const struct ixfr_in *in, uint32_t *out_expire_s)
{
    *out_expire_s = in->stream.expire_s;
    return in->stream.has_expire;
}

bool ixfr_in_keepalive(const struct ixfr_in *in, uint32_t *out_ms)
{
    *out_ms = in->stream.keepalive_ms;
    return in->stream.has_keepalive;
}

bool ixfr_in_fingerprint(const struct ixfr_in *in, struct zone_fingerprint *out)
{
    *out = in->stream.fingerprint;
    return in->stream.has_fingerprint;
}

struct xfr_stats ixfr_in_stats(const struct ixfr_in *in)
{
    return in->stream.stats;
}
