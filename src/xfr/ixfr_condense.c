/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Condensing (RFC 1995 4 lets a server leave out versions). A zone with many small changes has two
 * SOAs for each of them in its history, and often the same records again and again; whoever was
 * away for a while wants only what it comes to. The client applies one step instead of many, too.
 *
 * The work is done anew for each client that is behind. So it is bounded, and only done where there
 * is more than one step: whoever keeps up gets the journal's chunk as it lies.
 */
#include "xfr/ixfr_condense.h"

#include "zone/delta.h"

static enum result put_chunk(struct delta *delta, const struct chunk *chunk)
{
    struct slice run = slice_of(chunk->data, chunk->size);
    struct record record;
    struct error err = {0};
    unsigned soa_count = 0;
    size_t offset = 0;
    enum result result = OK;
    while (result == OK && wire_records_next(run, &offset, &record)) {
        soa_count += record.type == TYPE_SOA;
        result =
            soa_count == 1 ? delta_remove(delta, &record, &err) : delta_add(delta, &record, &err);
    }
    return result;
}

struct chunk *ixfr_condense(const uint8_t *zone_name, uint16_t class, struct chunk *const *chunks,
                            size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += chunks[i]->size;
    }
    if (count < 2 || bytes > IXFR_CONDENSE_MAX) {
        return NULL;
    }
    struct delta *delta = delta_new(zone_name, class);
    struct error err = {0};
    struct chunk *condensed = NULL;
    enum result result = OK;
    for (size_t i = 0; i < count && result == OK; i++) {
        result = put_chunk(delta, chunks[i]);
    }
    if (result == OK && delta_compose(delta, &err) == OK) {
        condensed = chunk_of_delta(delta);
    }
    delta_free(delta);
    if (condensed != NULL && condensed->size >= bytes) {
        chunk_unref(condensed);
        condensed = NULL;
    }
    return condensed;
}
