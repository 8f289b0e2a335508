/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store: the history of every zone, durable, in one directory.
 *
 * A zone at rest is an image (all its records at one step, as AXFR sends them) and the deltas since
 * and before (chunks, as IXFR sends them). Every commit of a zone has a step number, one higher
 * than the last; the image says after which step it stands.
 *
 * What is on disk after a crash: every commit for which store_txn_commit returned OK, whole. A
 * commit that failed, or was under way, is there whole or not at all. New commits stand in the
 * journal (journal.h), from where store_checkpoint moves them to the database (database.h).
 *
 * Threads: one writer (store_txn_*), one keeper (checkpoint, large images, trimming, removal), any
 * number of readers (store_zone_*, store_read_*). They may all be the same.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"
#include "store/chunk.h"
#include "store/hook.h"
#include "wire/name.h"
#include "zone/fingerprint.h"

struct store;
struct store_zone;

struct store_options {
    const char *directory;        /* made where it is missing, its parents too */
    size_t journal_segment_bytes; /* 0: default */
    uint64_t map_bytes;           /* of the database at first; 0: default */
    uint64_t max_bytes;           /* of the database file; 0: 1 TiB */
    uint64_t max_history_bytes;   /* of the deltas of all zones; 0: 1/4 of max_bytes */
    struct store_hook hook;
};

/* What opening and reading meet. `zone` NULL: not of one zone. Borrowed for the call. */
typedef void store_report(void *context, const uint8_t *zone, const char *text);

/*
 * Opens, recovers, and holds the directory against any other process.
 * A database that is cut or no database is renamed (kept for the operator) and a new one begun;
 * `report` says so.
 * ERR_BUSY  another process has it.   ERR_IO
 */
MUST_CHECK enum result store_open(const struct store_options *options, store_report *report,
                                  void *context, struct store **out, struct error *err);
/* Tries a last checkpoint. NULL is fine. */
void store_close(struct store *store);

/* Zones. Handles live as long as the store. Any thread. */
struct store_zone *store_zone_find(struct store *store, const uint8_t *name, uint16_t class);
/* As find; one that is not there is made (on disk with its first commit). */
struct store_zone *store_zone_get(struct store *store, const uint8_t *name, uint16_t class);
const uint8_t *store_zone_name(const struct store_zone *zone);
uint16_t store_zone_class(const struct store_zone *zone);
/* Each zone with anything stored, in no order. */
void store_each_zone(struct store *store, bool (*visit)(void *context, struct store_zone *zone),
                     void *context);

enum store_source {
    STORE_FROM_FILE = 1,
    STORE_FROM_TRANSFER = 2,
    STORE_FROM_UPDATE = 3,
    STORE_FROM_API = 4,
    STORE_FROM_FEED = 5,
    STORE_FROM_OPERATOR = 6,
};
const char *store_source_name(enum store_source source); /* "file" … "unknown" */

/* One commit of a zone, or an image of it. */
struct store_entry {
    uint64_t step;      /* given by the store, but for images written by store_image_begin */
    struct serial from; /* an image: as `to` */
    struct serial to;
    enum store_source source;
    int64_t time_s;        /* wall clock */
    uint64_t size_bytes;   /* of the records in wire form; given by the store */
    uint64_t record_count; /* of the zone afterwards */
    bool has_digest;
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
};

/* --- The writer: several zones' changes in one durable transaction. --- */

struct store_txn;
struct store_txn *store_txn_begin(struct store *store);
/* A step of the zone. `chunk` shared; entry->step and size are given out. */
void store_txn_delta(struct store_txn *txn, struct store_zone *zone, struct store_entry *entry,
                     struct chunk *chunk);
/* A new beginning of the zone's history: `records`, SOA first, at most STORE_SMALL_IMAGE octets
 * (larger ones: store_image_begin). What was stored of it before goes. */
enum { STORE_SMALL_IMAGE = 256 << 10 };
void store_txn_image(struct store_txn *txn, struct store_zone *zone, struct store_entry *entry,
                     struct slice records);
/* A small value under a number of the caller's choice; one of size 0 takes it away. */
enum { STORE_META_MAX = 4096 };
void store_txn_meta(struct store_txn *txn, struct store_zone *zone, uint32_t number,
                    struct slice value);
bool store_txn_is_empty(const struct store_txn *txn);
/*
 * Ends the transaction. OK: on stable storage, all of it. Otherwise none of it counts:
 * ERR_IO     the disk refused (full, broken)
 * ERR_LIMIT  the journal is full, the keeper does not keep up
 */
MUST_CHECK enum result store_txn_commit(struct store_txn *txn, struct error *err);
void store_txn_abort(struct store_txn *txn); /* NULL is fine */

/* --- The keeper. --- */

/* Octets in the journal that the database does not have. Any thread. */
uint64_t store_journal_bytes(struct store *store);
/*
 * Moves what the journal holds into the database and trims history to its bounds.
 * ERR_IO, ERR_LIMIT: as with commit; nothing is lost, it may be tried again.
 */
MUST_CHECK enum result store_checkpoint(struct store *store, struct error *err);

/*
 * Writes a large image in pieces of one database transaction each.
 * restarts  history begins anew with it: entry->step is given out, and until it is committed no
 *           later step of the zone may be. Otherwise it stands after entry->step, a step that is
 *           committed, and replaces the older image.
 */
struct store_image;
MUST_CHECK enum result store_image_begin(struct store *store, struct store_zone *zone,
                                         struct store_entry *entry, bool restarts,
                                         struct store_image **out, struct error *err);
MUST_CHECK enum result store_image_add(struct store_image *image, const struct record *record,
                                       struct error *err);
/* Ends it in any case. `lanes` (borrowed, or NULL) is the zone's fingerprint. */
MUST_CHECK enum result store_image_commit(struct store_image *image,
                                          const struct fingerprint *lanes, struct error *err);
void store_image_abort(struct store_image *image); /* NULL is fine */

/*
 * Zones that nobody uses. A zone is in use while somebody holds it; holding waits where the zone is
 * just being taken off the disk. Any thread.
 */
void store_zone_hold(struct store *store, struct store_zone *zone);
void store_zone_let_go(struct store *store, struct store_zone *zone);
/* `name` borrowed for the call. */
typedef void store_forgotten(void *context, const uint8_t *name, uint16_t class);
/*
 * Counts `elapsed_s`, the seconds since the last call, for zones that are absent since, and takes those
 * off the disk that have been for `keep_s` (UINT64_MAX: none). A zone that is held again starts anew.
 * The keeper's. O(zones). ERR_IO, ERR_LIMIT: tried again with the next call.
 */
MUST_CHECK enum result store_tend_absent(struct store *store, uint64_t elapsed_s, uint64_t keep_s,
                                         store_forgotten *forgotten, void *context,
                                         struct error *err);
/* One of them at once. The keeper's. ERR_NOT_FOUND: nothing is stored of it. ERR_BUSY: it is held. */
MUST_CHECK enum result store_zone_forget(struct store *store, const uint8_t *name, uint16_t class,
                                         struct error *err);
struct store_absent_zone {
    struct name name;
    uint16_t class;
};
/* Up to `room` of them; returns how many there are. Any thread. O(zones). */
size_t store_absent(struct store *store, struct store_absent_zone *out, size_t room);

/* Takes the zone and all its history off the disk; the handle stays good and empty. */
MUST_CHECK enum result store_zone_remove(struct store *store, struct store_zone *zone,
                                         struct error *err);
/* Bound of the octets of its deltas; those newer than the image are never trimmed. 0: none. */
void store_zone_set_limit(struct store *store, struct store_zone *zone, uint64_t history_bytes);

/* --- Readers. --- */

struct store_status {
    bool has_image;
    struct store_entry image;
    uint64_t last_step; /* of the last commit; 0: none */
    struct serial last_serial;
    uint64_t history_bytes; /* of all deltas */
    uint64_t history_count;
    uint64_t since_image_bytes; /* of those after the image: due for renewal when large */
};
/*
 * What is stored of the zone. The first call reads the zone's index from the database.
 * ERR_NOT_FOUND  nothing is stored
 * ERR_CORRUPT    something is damaged; *out tells what is sound
 */
MUST_CHECK enum result store_zone_status(struct store *store, struct store_zone *zone,
                                         struct store_status *out, struct error *err);

/* The image's records, a run of whole ones at a time; `records` borrowed for the call and checked.
 * ERR_NOT_FOUND, ERR_CORRUPT, or what `add` returned. `out_entry`, `out_lanes` may be NULL. */
typedef enum result store_records(void *context, struct slice records, struct error *err);
MUST_CHECK enum result store_read_image(struct store *store, struct store_zone *zone,
                                        store_records *add, void *context,
                                        struct store_entry *out_entry,
                                        struct fingerprint *out_lanes, bool *out_has_lanes,
                                        struct error *err);

/* The entry of one delta, wherever it is: behind damage, too, where store_history() does not reach.
 * ERR_NOT_FOUND, ERR_CORRUPT */
MUST_CHECK enum result store_read_entry(struct store *store, struct store_zone *zone, uint64_t step,
                                        struct store_entry *out, struct error *err);

/* Entries of the deltas with steps from `first` on, oldest first, up to `count`; returns how many.
 */
size_t store_history(struct store *store, struct store_zone *zone, uint64_t first,
                     struct store_entry *out, size_t count);
/* The delta of one step; gives a reference. ERR_NOT_FOUND: trimmed. ERR_CORRUPT. */
MUST_CHECK enum result store_read_chunk(struct store *store, struct store_zone *zone, uint64_t step,
                                        struct chunk **out, struct error *err);
/* Copies the value to `out`. ERR_NOT_FOUND, ERR_CORRUPT, ERR_LIMIT: does not fit. */
MUST_CHECK enum result store_read_meta(struct store *store, struct store_zone *zone,
                                       uint32_t number, uint8_t *out, size_t room, size_t *out_size,
                                       struct error *err);

struct store_statistics {
    uint64_t commits; /* transactions */
    uint64_t syncs;   /* of the journal */
    uint64_t checkpoints;
    uint64_t journal_bytes;  /* waiting for the database */
    uint64_t database_bytes; /* in use */
};
void store_statistics(struct store *store, struct store_statistics *out);

#endif
