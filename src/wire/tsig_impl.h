/* SPDX-License-Identifier: BSD-3-Clause */
/* The TSIG record itself: reading it, writing it, and what of it is signed. */
#ifndef WIRE_TSIG_IMPL_H
#define WIRE_TSIG_IMPL_H

#include "wire/tsig.h"

struct tsig_record {
    size_t offset;         /* in the message: where what is signed ends */
    struct name key_name;  /* lower case */
    struct name algorithm; /* lower case */
    uint64_t time_s;       /* 48 bits */
    uint16_t fudge_s;
    uint16_t original_id;
    uint16_t error;
    struct slice mac;   /* borrowed from the message */
    struct slice other; /* likewise */
};

/* Octets of a record with names of these sizes; `mac_size` and `other_size` of data. */
size_t tsig_record_size(size_t key_name_size, size_t algorithm_size, size_t mac_size,
                        size_t other_size);

/*
 * Where the TSIG record of a message begins; 0: it has none.
 * ERR_FORMAT  a record runs past the end, or TSIG is not the last record of the additional section
 * (RFC 8945 5.1). O(octets), names are stepped over.
 */
MUST_CHECK enum result tsig_record_find(struct slice message, size_t *out_offset,
                                        struct error *err);
/* The record at `offset`, the last of the message. ERR_FORMAT says what is wrong with it. */
MUST_CHECK enum result tsig_record_read(struct slice message, size_t offset,
                                        struct tsig_record *out, struct error *err);
/* Appends and counts it; the new size, or 0 where it does not fit. Its offset is not used. */
size_t tsig_record_append(const struct tsig_record *record, uint8_t *message, size_t size,
                          size_t limit);

/* What is signed (RFC 8945 4.3), one part at a time. */
void tsig_add_mac(struct hmac *hmac, struct slice mac);
/* A message that has the TSIG record: as it was before the record came to it. */
void tsig_add_message(struct hmac *hmac, struct slice message, const struct tsig_record *record);
void tsig_add_variables(struct hmac *hmac, const struct tsig_record *record);
void tsig_add_timers(struct hmac *hmac, const struct tsig_record *record);

#endif
