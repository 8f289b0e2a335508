/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of versions as they go out in AXFR, rendered once and shared by all who ask while the
 * version lives. What is shared is a piece: the answer section of one message. Header, question,
 * OPT and TSIG are each client's own (axfr_out).
 *
 * Any thread may use a cache, one thread at a time each reader of it.
 */
#ifndef XFR_AXFR_CACHE_H
#define XFR_AXFR_CACHE_H

#include "base/clock.h"
#include "xfr/step.h"
#include "zone/version.h"

struct axfr_cache;
struct axfr_reader;

/* Zeros mean the defaults given here. */
struct axfr_cache_options {
    uint64_t max_bytes;   /* of all pieces that are kept; 256 MiB */
    uint64_t trail_bytes; /* of those behind the only reader of a version; 8 MiB */
    uint32_t sweep_ms;    /* what nobody used for once to twice as long is dropped; 5 s */
    size_t soft_size;     /* messages end at about this size; a little below AXFR_OUT_SOFT_SIZE */
};

struct axfr_cache *axfr_cache_new(const struct axfr_cache_options *options); /* NULL: defaults */
/* NULL is fine. All readers are closed and all pieces given back (REQUIREd). */
void axfr_cache_free(struct axfr_cache *cache);
/* Call now and then, at least every sweep_ms; does nothing more often than that. */
void axfr_cache_sweep(struct axfr_cache *cache, struct instant now);

struct axfr_cache_stats {
    uint64_t bytes;      /* kept */
    uint64_t rendered;   /* pieces made so far */
    uint64_t shared;     /* pieces given to a reader without being made for it */
    uint32_t renderings; /* versions of which something is kept or read */
};
struct axfr_cache_stats axfr_cache_stats(struct axfr_cache *cache);

/*
 * The answer section of one message, compressed for its place: behind the header, and in the first
 * message behind a question whose name has the size of the zone's. Names in it never point before
 * itself.
 */
struct axfr_piece {
    struct axfr_cache *cache;
    uint32_t references;
    uint32_t room;         /* octets of `message` */
    uint32_t offset;       /* of the first record in its message */
    uint32_t size;         /* of the records */
    uint32_t record_count; /* at most 65535 */
    uint32_t index;        /* the rest is the cache's */
    uint64_t epoch;
    struct axfr_rendering *rendering;
    struct axfr_piece *newer, *older;
    uint8_t message[];
};

static inline struct slice axfr_piece_records(const struct axfr_piece *piece)
{
    return slice_of(piece->message + piece->offset, piece->size);
}

/* `piece` is a struct axfr_piece: made to be given to stream_send_parts. */
void axfr_piece_unref(void *piece);

/* A reader at the first piece. `version`: shares. */
struct axfr_reader *axfr_cache_open(struct axfr_cache *cache, struct zone_version *version);
void axfr_cache_close(struct axfr_reader *reader); /* NULL is fine; its pieces may live on */
/*
 * Gives the next piece, one reference.
 * STEP_MORE, STEP_DONE  as axfr_out_next
 * STEP_FAILED           ERR_LIMIT: a record does not fit a message
 * Waits while another reader of the version renders a piece, some tens of microseconds.
 */
MUST_CHECK enum step axfr_cache_next(struct axfr_reader *reader, struct axfr_piece **out,
                                     struct error *err);

#endif
