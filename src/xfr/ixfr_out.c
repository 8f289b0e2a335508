/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IXFR out (RFC 1995 4): the newest SOA, then for each delta the old SOA, what is removed, the new
 * SOA, what is added, and the newest SOA again. With no deltas the newest SOA alone says "you are
 * up to date". Nothing is copied: the records are the deltas' own.
 */
#include "xfr/ixfr_out.h"

#include "base/memory.h"
#include "xfr/packer_impl.h"

enum phase { FIRST_SOA, OLD_SOA, REMOVALS, ADDITIONS, FINISHED };

struct ixfr_out {
    struct zone_version *version;
    const struct delta *const *deltas;
    size_t count;
    struct record soa;
    enum phase phase;
    size_t at;    /* which delta */
    size_t index; /* within its removals or additions */
    struct packer packer;
};

/* Removals and additions of a delta without the SOAs. */
static size_t removal_count(const struct delta *delta)
{
    return delta_removed_count(delta) - 1;
}

static size_t addition_count(const struct delta *delta)
{
    return delta_count(delta) - delta_removed_count(delta) - 1;
}

static bool next_record(void *context, struct record *record)
{
    struct ixfr_out *out = context;
    const struct delta *delta = out->at < out->count ? out->deltas[out->at] : NULL;
    switch (out->phase) {
    case FIRST_SOA:
        out->phase = delta != NULL ? OLD_SOA : FINISHED;
        *record = out->soa;
        return true;
    case OLD_SOA:
        out->phase = REMOVALS;
        out->index = 0;
        delta_get_soa(delta, true, record);
        return true;
    case REMOVALS:
        if (out->index < removal_count(delta)) {
            delta_get_ixfr(delta, true, out->index++, record);
            return true;
        }
        out->phase = ADDITIONS;
        out->index = 0;
        delta_get_soa(delta, false, record);
        return true;
    case ADDITIONS:
        if (out->index < addition_count(delta)) {
            delta_get_ixfr(delta, false, out->index++, record);
            return true;
        }
        out->at++;
        if (out->at < out->count) {
            out->phase = OLD_SOA;
            return next_record(out, record);
        }
        out->phase = FINISHED;
        *record = out->soa;
        return true;
    case FINISHED:
        break;
    }
    return false;
}

static void require_chain(const struct ixfr_out *out)
{
    for (size_t i = 0; i < out->count; i++) {
        struct serial end =
            i + 1 < out->count ? delta_from(out->deltas[i + 1]) : zone_version_serial(out->version);
        REQUIRE(serial_equal(delta_to(out->deltas[i]), end));
    }
}

struct ixfr_out *ixfr_out_new(struct zone_version *version, const struct delta *const *deltas,
                              size_t count, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size)
{
    struct ixfr_out *out = memory_new_zeroed(1, sizeof(*out));
    out->version = zone_version_ref(version);
    out->deltas = deltas;
    out->count = count;
    out->soa = version_soa_record(version);
    require_chain(out);
    packer_init(&out->packer, request, edns_options, soft_size, next_record, out);
    return out;
}

void ixfr_out_free(struct ixfr_out *out)
{
    if (out != NULL) {
        zone_version_unref(out->version);
        memory_free(out);
    }
}

enum step ixfr_out_next(struct ixfr_out *out, uint8_t *buffer, size_t limit, size_t reserved,
                        size_t *out_size, struct error *err)
{
    return packer_next(&out->packer, buffer, limit, reserved, out_size, err);
}

size_t ixfr_out_datagram(struct ixfr_out *out, uint8_t *buffer, size_t limit, size_t reserved,
                         bool *out_fits)
{
    size_t size = 0;
    out->packer.soft_size = limit;
    *out_fits = packer_next(&out->packer, buffer, limit, reserved, &size, NULL) == STEP_DONE;
    if (*out_fits) {
        return size;
    }
    /* Start over with the SOA alone. */
    struct xfr_request request = out->packer.request;
    struct slice edns_options = out->packer.edns_options;
    out->count = 0;
    out->at = 0;
    out->phase = FIRST_SOA;
    packer_init(&out->packer, &request, edns_options, limit, next_record, out);
    if (packer_next(&out->packer, buffer, limit, reserved, &size, NULL) != STEP_DONE) {
        return 0;
    }
    put_u16(buffer + 2, get_u16(buffer + 2) | FLAG_TC);
    return size;
}

struct xfr_stats ixfr_out_stats(const struct ixfr_out *out)
{
    return out->packer.stats;
}

static uint64_t record_bytes(const struct record *record)
{
    return name_size(record->owner) + 10 + record->rdata.size;
}

uint64_t ixfr_chain_bytes(const struct delta *const *deltas, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < delta_count(deltas[i]); n++) {
            bool removes;
            struct record record;
            delta_get(deltas[i], n, &removes, &record);
            bytes += record_bytes(&record);
        }
    }
    return bytes;
}
