/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chunks: a delta at rest, as it travels (RFC 1995 4; records as in RFC 1035 3.2.1, uncompressed).
 *
 * Uncompressed, because then any row of chunks can be sent by copying, cut anywhere between two
 * records, whatever stands before it in the message. Where a chunk divides into its two halves is
 * found by the second SOA, as a peer finds it.
 */
#include "store/chunk.h"

#include "base/memory.h"
#include "wire/name.h"
#include "wire/rdata.h"

enum { FIXED_SIZE = 10 }; /* type, class, TTL, rdlength */

struct chunk *chunk_ref(struct chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->references, 1, memory_order_relaxed);
    return chunk;
}

void chunk_unref(struct chunk *chunk)
{
    if (chunk != NULL &&
        atomic_fetch_sub_explicit(&chunk->references, 1, memory_order_acq_rel) == 1) {
        memory_free(chunk);
    }
}

size_t wire_record_size(const struct record *record)
{
    return name_size(record->owner) + FIXED_SIZE + record->rdata.size;
}

size_t wire_record_write(const struct record *record, uint8_t *out)
{
    size_t size = name_size(record->owner);
    memcpy(out, record->owner, size);
    put_u16(out + size, record->type);
    put_u16(out + size + 2, record->class);
    put_u32(out + size + 4, record->ttl);
    put_u16(out + size + 8, (uint16_t)record->rdata.size);
    size += FIXED_SIZE;
    if (record->rdata.size != 0) {
        memcpy(out + size, record->rdata.data, record->rdata.size);
    }
    return size + record->rdata.size;
}

bool wire_records_next(struct slice run, size_t *offset, struct record *out)
{
    if (*offset >= run.size) {
        return false;
    }
    const uint8_t *p = run.data + *offset;
    size_t size = name_size(p);
    out->owner = p;
    out->type = get_u16(p + size);
    out->class = get_u16(p + size + 2);
    out->ttl = get_u32(p + size + 4);
    out->rdata = slice_of(p + size + FIXED_SIZE, get_u16(p + size + 8));
    *offset += size + FIXED_SIZE + out->rdata.size;
    return true;
}

enum result wire_records_check(struct slice run, uint64_t *out_count, struct error *err)
{
    uint64_t count = 0;
    size_t offset = 0;
    while (offset < run.size) {
        struct slice rest = slice_of(run.data + offset, run.size - offset);
        size_t size = name_check(rest);
        struct record record;
        if (size == 0 || rest.size - size < FIXED_SIZE ||
            rest.size - size - FIXED_SIZE < get_u16(rest.data + size + 8)) {
            return error_set(err, ERR_CORRUPT, "stored record %llu is cut or has a bad name",
                             (unsigned long long)count);
        }
        (void)wire_records_next(run, &offset, &record);
        struct error inner = {0};
        if (rdata_check(record.type, record.rdata, &inner) != OK) {
            return error_set(err, ERR_CORRUPT, "stored record %llu has bad data: %s",
                             (unsigned long long)count, inner.text);
        }
        count++;
    }
    if (out_count != NULL) {
        *out_count = count;
    }
    return OK;
}

static struct chunk *chunk_new(size_t size)
{
    struct chunk *chunk = memory_new(sizeof(*chunk) + size);
    atomic_init(&chunk->references, 1);
    chunk->size = size;
    return chunk;
}

static size_t delta_half(const struct delta *delta, bool removes, uint8_t *out)
{
    size_t removed = delta_removed_count(delta);
    size_t count = (removes ? removed : delta_count(delta) - removed) - 1;
    struct record record;
    size_t size = 0;
    delta_get_soa(delta, removes, &record);
    size += out == NULL ? wire_record_size(&record) : wire_record_write(&record, out);
    for (size_t i = 0; i < count; i++) {
        delta_get_ixfr(delta, removes, i, &record);
        size += out == NULL ? wire_record_size(&record) : wire_record_write(&record, out + size);
    }
    return size;
}

struct chunk *chunk_of_delta(const struct delta *delta)
{
    struct chunk *chunk = chunk_new(delta_half(delta, true, NULL) + delta_half(delta, false, NULL));
    size_t half = delta_half(delta, true, chunk->data);
    (void)delta_half(delta, false, chunk->data + half);
    chunk->from = delta_from(delta);
    chunk->to = delta_to(delta);
    return chunk;
}

enum result chunk_of_bytes(struct slice bytes, struct chunk **out, struct error *err)
{
    struct serial serials[2];
    unsigned soa_count = 0;
    struct record record;
    size_t offset = 0;
    enum result result = wire_records_check(bytes, NULL, err);
    if (result != OK) {
        return result;
    }
    while (wire_records_next(bytes, &offset, &record)) {
        if (record.type == TYPE_SOA) {
            if (soa_count == 2) {
                return error_set(err, ERR_CORRUPT, "a stored delta has more than two SOA records");
            }
            serials[soa_count++] = soa_read(record.rdata).serial;
        } else if (soa_count == 0) {
            return error_set(err, ERR_CORRUPT, "a stored delta does not begin with a SOA record");
        }
    }
    if (soa_count != 2) {
        return error_set(err, ERR_CORRUPT, "a stored delta has %u SOA records, not two", soa_count);
    }
    struct chunk *chunk = chunk_new(bytes.size);
    memcpy(chunk->data, bytes.data, bytes.size);
    chunk->from = serials[0];
    chunk->to = serials[1];
    *out = chunk;
    return OK;
}

enum result chunk_to_delta(const struct chunk *chunk, const uint8_t *zone_name, uint16_t class,
                           struct delta **out, struct error *err)
{
    struct delta *delta = delta_new(zone_name, class);
    struct slice run = slice_of(chunk->data, chunk->size);
    struct record record;
    struct error inner = {0};
    unsigned soa_count = 0;
    size_t offset = 0;
    enum result result = OK;
    while (result == OK && wire_records_next(run, &offset, &record)) {
        soa_count += record.type == TYPE_SOA;
        if (record.class != class || !name_is_subdomain(record.owner, zone_name)) {
            result = error_set(&inner, ERR_CORRUPT, "it holds a record of another zone");
        } else if (soa_count == 1) {
            result = delta_remove(delta, &record, &inner);
        } else {
            result = delta_add(delta, &record, &inner);
        }
    }
    if (result == OK) {
        result = delta_seal(delta, &inner);
    }
    if (result != OK) {
        delta_free(delta);
        return error_set(err, ERR_CORRUPT, "the stored delta from serial %u to %u is not valid: %s",
                         chunk->from.value, chunk->to.value, inner.text);
    }
    *out = delta;
    return OK;
}

void chunk_apply_fingerprint(const struct chunk *chunk, struct fingerprint *fp)
{
    struct slice run = slice_of(chunk->data, chunk->size);
    struct record record;
    unsigned soa_count = 0;
    size_t offset = 0;
    while (wire_records_next(run, &offset, &record)) {
        soa_count += record.type == TYPE_SOA;
        if (soa_count == 1) {
            fingerprint_remove(fp, &record);
        } else {
            fingerprint_add(fp, &record);
        }
    }
}
