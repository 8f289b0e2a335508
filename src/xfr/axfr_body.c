/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A zone in AXFR form (RFC 5936 2.2): the apex SOA, every other record once, the same SOA. The
 * second SOA must equal the first in all its fields, not only in serial: a stream that ends
 * otherwise was cut together from two versions, or is not what it seems. Records go straight into
 * the builder; nothing else is kept.
 */
#include "xfr/stream_impl.h"

#include <inttypes.h>

void axfr_body_init(struct axfr_body *body, const struct xfr_stream *stream,
                    struct zone_version *base, finding_report *report, void *report_context)
{
    struct builder_options options = {
        .max_records = stream->limits.max_records,
        .max_records_per_type = stream->limits.max_records_per_type,
        .max_types_per_name = stream->limits.max_types_per_name,
    };
    *body = (struct axfr_body){.stream = stream};
    body->base = base != NULL ? zone_version_ref(base) : NULL;
    body->builder = builder_new(stream->zone.wire, stream->class, &options, report, report_context);
    if (base != NULL) {
        builder_set_base(body->builder, base);
    }
}

void axfr_body_deinit(struct axfr_body *body)
{
    builder_free(body->builder);
    zone_version_unref(body->base);
    zone_version_unref(body->version);
    delta_free(body->delta);
    *body = (struct axfr_body){0};
}

static enum step fail(enum result code, const char *text, struct error *err)
{
    error_set(err, code, "%s", text);
    return STEP_FAILED;
}

static enum step add_last_soa(struct axfr_body *body, const struct record *record,
                              struct error *err)
{
    uint32_t first = soa_copy_serial(&body->first).value;
    uint32_t last = soa_read(record->rdata).serial.value;
    if (first != last) {
        error_set(err, ERR_FORMAT,
                  "the last SOA has serial %" PRIu32 ", the first had %" PRIu32
                  ": the zone changed while it was sent, or the stream is damaged",
                  last, first);
        return STEP_FAILED;
    }
    if (!soa_copy_equal(&body->first, record)) {
        return fail(ERR_FORMAT, "the last SOA has the serial of the first but other data", err);
    }
    body->complete = true;
    return STEP_DONE;
}

static enum step add_to_builder(struct axfr_body *body, const struct record *record,
                                struct error *err)
{
    uint64_t limit = body->stream->limits.max_records;
    if (limit != 0 && body->stream->stats.records > limit) {
        error_set(err, ERR_LIMIT, "the zone has more than %" PRIu64 " records (max-records)",
                  limit);
        return STEP_FAILED;
    }
    /* Every record of the stream comes here in turn, so the one before is the builder's last. */
    enum result added = body->has_any && body->stream->reader.same_owner
                            ? builder_add_same(body->builder, record, err)
                            : builder_add(body->builder, record, NULL, 0, err);
    body->has_any = true;
    return added == OK ? STEP_MORE : STEP_FAILED;
}

enum step axfr_body_add(struct axfr_body *body, const struct record *record, struct error *err)
{
    if (body->complete) {
        return fail(ERR_FORMAT,
                    "records follow the second SOA: an SOA in the middle of the zone, or data "
                    "behind its end",
                    err);
    }
    bool at_apex = is_apex_soa(body->stream, record);
    if (!body->has_first) {
        if (!at_apex) {
            return fail(ERR_FORMAT, "the first record is not the SOA of the zone", err);
        }
        body->has_first = true;
        soa_copy_set(&body->first, record);
        uint32_t serial = soa_copy_serial(&body->first).value;
        if (body->stream->limits.only_newer && body->base != NULL &&
            !serial_before(zone_version_serial(body->base), (struct serial){serial})) {
            error_set(err, ERR_STALE,
                      "the primary's serial %" PRIu32 " is not newer than ours, %" PRIu32, serial,
                      zone_version_serial(body->base).value);
            return STEP_FAILED;
        }
        return add_to_builder(body, record, err);
    }
    if (at_apex) {
        return add_last_soa(body, record, err);
    }
    if (record->type == TYPE_SOA) {
        char owner[NAME_TEXT_SIZE];
        error_set(err, ERR_FORMAT, "an SOA at %.300s, which is not the zone's name",
                  name_format(record->owner, owner));
        return STEP_FAILED;
    }
    return add_to_builder(body, record, err);
}

enum step axfr_body_finish(struct axfr_body *body, struct error *err)
{
    REQUIRE(body->complete);
    enum result result =
        builder_finish(body->builder, body->base, &body->version, &body->delta, err);
    builder_free(body->builder);
    body->builder = NULL;
    return result == OK ? STEP_DONE : STEP_FAILED;
}

void axfr_body_take(struct axfr_body *body, struct zone_version **out_version,
                    struct delta **out_delta)
{
    REQUIRE(body->version != NULL);
    if (out_version != NULL) {
        *out_version = body->version;
        body->version = NULL;
    }
    if (out_delta != NULL) {
        *out_delta = body->delta;
        body->delta = NULL;
    }
}
