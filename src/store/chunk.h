/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A chunk: one delta in the wire form of IXFR (RFC 1995 4), a run of uncompressed records:
 *
 *     old SOA, removed records, new SOA, added records
 *
 * This is what the store keeps and what goes to a peer: an answer is header, question, newest SOA,
 * chunks one after the other, newest SOA, cut into messages between records. Immutable and counted.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include <stdatomic.h>

#include "base/error.h"
#include "wire/record.h"
#include "zone/delta.h"
#include "zone/fingerprint.h"

struct chunk {
    _Atomic(uint32_t) references;
    struct serial from;
    struct serial to;
    size_t size;
    uint8_t data[];
};

/* Counted, any thread; unref accepts NULL. */
struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk *chunk);

/* From a sealed delta; gives one reference. O(k). */
struct chunk *chunk_of_delta(const struct delta *delta);
/*
 * From bytes that come from a disk: copied, and walked once, so that every later reader can trust
 * the bounds of records and the validity of rdata. ERR_CORRUPT says what is wrong.
 */
MUST_CHECK enum result chunk_of_bytes(struct slice bytes, struct chunk **out, struct error *err);
/* Back to a delta, sealed; the caller frees it. ERR_CORRUPT: not one of this zone. */
MUST_CHECK enum result chunk_to_delta(const struct chunk *chunk, const uint8_t *zone_name,
                                      uint16_t class, struct delta **out, struct error *err);

/* The records of a run of wire records in order: start with *offset = 0; false at the end. The
 * run is trusted (of a chunk, or checked by wire_records_check). Borrowed. */
bool wire_records_next(struct slice run, size_t *offset, struct record *out);
/* Whole, uncompressed, valid records to the last octet; their number. ERR_CORRUPT. */
MUST_CHECK enum result wire_records_check(struct slice run, uint64_t *out_count, struct error *err);
/* Octets of `record` in such a run, and the writing of it; returns the octets written. */
size_t wire_record_size(const struct record *record);
size_t wire_record_write(const struct record *record, uint8_t *out);

/* As fingerprint_apply_delta. */
void chunk_apply_fingerprint(const struct chunk *chunk, struct fingerprint *fp);

#endif
