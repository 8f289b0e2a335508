/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of one message of a transfer, written one behind the other with names compressed as
 * far as pointers reach. What record_writer.c opens with says how.
 */
#ifndef XFR_RECORD_WRITER_IMPL_H
#define XFR_RECORD_WRITER_IMPL_H

#include "wire/message.h"

enum { RECORD_WRITER_SLOTS = 4096, RECORD_WRITER_NAMES = 3072 };

/* Where names in rdata may be compressed (RFC 3597 4). */
enum rdata_shape { RDATA_PLAIN, RDATA_IS_NAME, RDATA_HAS_NAMES };

/* A name that stands in the message. */
struct known_tail {
    const uint8_t *bytes; /* borrowed from a record; NULL: none */
    size_t size;
    unsigned place; /* where a pointer to it leads */
};

/* One thread. Its memory is the caller's: about 24 KiB, not for the stack of deep calls. */
struct record_writer {
    uint8_t *data; /* the message from its header on */
    size_t size;   /* octets of it that are written */
    size_t limit;  /* never passed */
    unsigned record_count;
    struct known_tail name;       /* the last record's owner */
    struct known_tail owner_tail; /* behind the first label of an owner, and of a name in rdata */
    struct known_tail target_tail;
    uint16_t type; /* of the last record, and its shape */
    enum rdata_shape shape;
    unsigned name_count;
    uint16_t taken[RECORD_WRITER_NAMES]; /* slots in the order they were filled */
    uint32_t slots[RECORD_WRITER_SLOTS]; /* 0: free */
};

/* `size` octets of the message stand or will stand there already; no name in them is pointed at
 * unless record_writer_know says so. */
void record_writer_init(struct record_writer *writer, uint8_t *data, size_t size, size_t limit);
/* The uncompressed name at `place` may be pointed at. */
void record_writer_know(struct record_writer *writer, size_t place);
/* False, with nothing written, where the record does not fit under the limit, or where a message
 * has as many as it can count. What the record points to stays as it is until the writer is
 * initialized again; records of one owner best have its very address. */
MUST_CHECK bool record_writer_add(struct record_writer *writer, const struct record *record);

#endif
