/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal: the newest commits, in preallocated segment files that are overwritten in place, so
 * that a commit costs one fdatasync of a few blocks. The database takes them over in the
 * background.
 *
 * A group is what one commit wrote: opaque octets with a sequence number, wholly there after a
 * crash or not at all. Every group stands twice (mirrored halves of the segment), so one damaged
 * place loses nothing.
 *
 * One thread appends; journal_release may come from another.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/error.h"
#include "base/slice.h"
#include "store/hook.h"

struct journal;

enum { JOURNAL_SEGMENT_BYTES = 16 << 20, JOURNAL_MAX_SEGMENTS = 16 };

struct journal_options {
    int directory_fd;
    size_t segment_bytes;  /* of a file, both halves; 0: JOURNAL_SEGMENT_BYTES */
    unsigned max_segments; /* 0: JOURNAL_MAX_SEGMENTS */
    struct store_hook hook;
};

/* What recovery meets. Everything borrowed for the call. */
struct journal_recovery {
    void *context;
    /* Each group after `applied`, in order. */
    void (*group)(void *context, uint64_t sequence, struct slice payload);
    /* A sentence: what was damaged and healed from the mirror, or (lost) is gone for good. */
    void (*damage)(void *context, bool lost, const char *text);
    /* Groups after `applied` that are gone for good, before the call for the next one that is there.
     * May be NULL. */
    void (*lost)(void *context, uint64_t first, uint64_t last);
};

/*
 * Reads what the segments hold and is ready to append.
 * applied  sequence number of the last group that the database has.
 * ERR_IO   a segment cannot be read. Not being able to write is no error here, only in append.
 */
MUST_CHECK enum result journal_open(const struct journal_options *options, uint64_t applied,
                                    const struct journal_recovery *recovery, struct journal **out,
                                    struct error *err);
void journal_close(struct journal *journal); /* NULL is fine */

/*
 * Makes one group of the pieces durable; on OK it is on stable storage.
 * ERR_IO     the disk refused; the group is void. The next append starts in another segment, so a
 *            sync that failed is never trusted again.
 * ERR_LIMIT  max_segments are full: the database does not keep up
 */
MUST_CHECK enum result journal_append(struct journal *journal, const struct slice *pieces,
                                      size_t count, uint64_t *out_sequence, struct error *err);

/* The database has everything up to `sequence`: segments that hold nothing newer are free again. */
void journal_release(struct journal *journal, uint64_t sequence);

/* The sequence number of the last durable group. */
uint64_t journal_last(struct journal *journal);

/* How often the disk was synced since it was opened, for the benchmark and metrics. */
uint64_t journal_sync_count(struct journal *journal);

#endif
