/* SPDX-License-Identifier: BSD-3-Clause */
/* The layout of a segment file, shared by the writer and the recovery of the journal. */
#ifndef STORE_JOURNAL_IMPL_H
#define STORE_JOURNAL_IMPL_H

#include "store/journal.h"

enum {
    SEGMENT_FORMAT = 1,
    SEGMENT_HEADER_SIZE = 48,
    SEGMENT_FIRST_GROUP = 4096, /* offset in a half */
    GROUP_HEADER_SIZE = 32,
    GROUP_ALIGN = 8,
    GROUP_MAX_BYTES = 1 << 30,
};

/* A segment file; the caller's lock. */
struct segment {
    int fd;       /* -1: no such file */
    bool is_used; /* holds, or may hold, groups that the database does not have */
    uint64_t half_bytes;
    uint64_t file_bytes; /* as found at the start */
    uint64_t number;
    uint64_t first_sequence;
    uint64_t last_sequence; /* below first_sequence: none */
};

struct segment_header {
    uint64_t number;
    uint64_t first_sequence;
    uint64_t half_bytes;
};

struct group_header {
    uint64_t sequence;
    uint64_t segment_number;
    uint32_t size_bytes;
    uint32_t checksum;
};

void segment_header_write(const struct segment_header *header, uint8_t out[SEGMENT_HEADER_SIZE]);
/* False: not a header, or damaged. */
bool segment_header_read(const uint8_t in[SEGMENT_HEADER_SIZE], struct segment_header *out);
/* `payload_checksum` is that of the octets that follow. */
void group_header_write(const struct group_header *header, uint8_t out[GROUP_HEADER_SIZE]);
bool group_header_read(const uint8_t in[GROUP_HEADER_SIZE], struct group_header *out);

static inline uint64_t group_bytes(uint64_t payload_bytes)
{
    return (GROUP_HEADER_SIZE + payload_bytes + GROUP_ALIGN - 1) / GROUP_ALIGN * GROUP_ALIGN;
}

/*
 * Goes through the segments in order of their numbers and calls `recovery`. Fills in what each
 * segment holds. *last is `applied` or the last group found.
 */
MUST_CHECK enum result journal_recover(struct segment *segments, unsigned count, uint64_t applied,
                                       const struct journal_recovery *recovery, uint64_t *last,
                                       struct error *err);

#endif
