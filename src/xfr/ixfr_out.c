/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IXFR out (RFC 1995 4): the newest SOA, then for each delta the old SOA, what is removed, the new
 * SOA, what is added, and the newest SOA again. A chunk of the journal is just such a piece in wire
 * form, so an answer is its records one after the other. With no chunks the newest SOA alone says
 * "you are up to date". Nothing is copied: the records are the chunks' own.
 */
#include "xfr/ixfr_out.h"

#include "base/memory.h"
#include "xfr/packer_impl.h"

enum phase { FIRST_SOA, CHUNKS, FINISHED };

struct ixfr_out {
    struct zone_version *version;
    struct chunk *const *chunks;
    size_t count;
    struct record soa;
    enum phase phase;
    size_t at;     /* which chunk */
    size_t offset; /* within it */
    struct packer packer;
};

static bool next_record(void *context, struct record *record)
{
    struct ixfr_out *out = context;
    switch (out->phase) {
    case FIRST_SOA:
        out->phase = out->count != 0 ? CHUNKS : FINISHED;
        *record = out->soa;
        return true;
    case CHUNKS:
        while (out->at < out->count) {
            const struct chunk *chunk = out->chunks[out->at];
            if (wire_records_next(slice_of(chunk->data, chunk->size), &out->offset, record)) {
                return true;
            }
            out->at++;
            out->offset = 0;
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
            i + 1 < out->count ? out->chunks[i + 1]->from : zone_version_serial(out->version);
        REQUIRE(serial_equal(out->chunks[i]->to, end));
    }
}

struct ixfr_out *ixfr_out_new(struct zone_version *version, struct chunk *const *chunks,
                              size_t count, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size)
{
    struct ixfr_out *out = memory_new_zeroed(1, sizeof(*out));
    out->version = zone_version_ref(version);
    out->chunks = chunks;
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
    out->offset = 0;
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
