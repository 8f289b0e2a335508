/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR out: the SOA, the owners in canonical order without the SOA, the SOA. The version is
 * immutable and referenced, so it may take as long as the client needs. How records become messages
 * is the packer's business.
 */
#include "xfr/axfr_out.h"

#include "base/memory.h"
#include "xfr/packer_impl.h"

enum phase { FIRST_SOA, OWNERS, FINISHED };

struct axfr_out {
    struct zone_version *version;
    struct record soa;
    enum phase phase;
    struct zone_cursor cursor;
    struct owner_walk walk;
    struct packer packer;
};

static bool next_record(void *context, struct record *record)
{
    struct axfr_out *out = context;
    switch (out->phase) {
    case FIRST_SOA:
        out->phase = OWNERS;
        *record = out->soa;
        return true;
    case OWNERS:
        while (out->cursor.owner != NULL) {
            while (owner_next_record(out->cursor.owner, &out->walk, record)) {
                if (record->type != TYPE_SOA) {
                    record->class = out->soa.class;
                    return true;
                }
            }
            out->walk = (struct owner_walk){0};
            zone_cursor_next(&out->cursor);
        }
        out->phase = FINISHED;
        *record = out->soa;
        return true;
    case FINISHED:
        break;
    }
    return false;
}

struct axfr_out *axfr_out_new(struct zone_version *version, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size)
{
    struct axfr_out *out = memory_new_zeroed(1, sizeof(*out));
    out->version = zone_version_ref(version);
    out->soa = version_soa_record(version);
    zone_cursor_first(&out->cursor, version);
    packer_init(&out->packer, request, edns_options, soft_size, next_record, out);
    return out;
}

void axfr_out_free(struct axfr_out *out)
{
    if (out != NULL) {
        zone_version_unref(out->version);
        memory_free(out);
    }
}

enum step axfr_out_next(struct axfr_out *out, uint8_t *buffer, size_t limit, size_t reserved,
                        size_t *out_size, struct error *err)
{
    return packer_next(&out->packer, buffer, limit, reserved, out_size, err);
}

struct xfr_stats axfr_out_stats(const struct axfr_out *out)
{
    return out->packer.stats;
}
