/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of one message of a transfer, read one behind the other: what message_record_read and
 * rdata_read (wire) do, but remembering the names that stand closely before. What record_reader.c
 * opens with says how.
 */
#ifndef XFR_RECORD_READER_IMPL_H
#define XFR_RECORD_READER_IMPL_H

#include "wire/message.h"

/* A name of the message, expanded. */
struct placed_name {
    size_t place; /* pointers there mean it; 0: nothing is known */
    struct name name;
};

/* One thread; about 67 KB. */
struct record_reader {
    struct slice message;
    size_t offset; /* of the next record */
    struct name zone;
    struct placed_name owner;
    struct placed_name owner_tail;  /* behind an owner's first label; in the zone */
    struct placed_name target;      /* a name as rdata */
    struct placed_name target_tail; /* behind its first label */
    bool same_owner;                /* as that of the record before, octet for octet */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    size_t rdata_offset;
    uint16_t rdata_size; /* as it stands in the message */
    uint8_t rdata[RDATA_MAX_SIZE];
};

void record_reader_init(struct record_reader *reader, const uint8_t *zone);
/* `message` is borrowed until the next begin; its records begin at `offset`. */
void record_reader_begin(struct record_reader *reader, struct slice message, size_t offset);
/*
 * Owner, header and bounds of the next record.
 * ERR_FORMAT  malformed, with reader->owner as it was
 * ERR_NOT_FOUND  the owner is not in the zone; all is read
 */
MUST_CHECK enum result record_reader_next(struct record_reader *reader, struct error *err);
/* Its rdata, uncompressed and valid for its type; borrowed until the next call. ERR_FORMAT. */
MUST_CHECK enum result record_reader_rdata(struct record_reader *reader, struct slice *out,
                                           struct error *err);

#endif
