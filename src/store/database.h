/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The database: ordered tables of octet strings, one file, read by mmap. A wrap of LMDB and the
 * only place that knows it.
 *
 * One thread writes at a time; any number read. A read sees the state of its begin.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include "base/error.h"
#include "base/slice.h"
#include "store/hook.h"

struct database;

enum database_table { DATABASE_META, DATABASE_ZONES, DATABASE_DATA, DATABASE_TABLES };

enum { DATABASE_KEY_SIZE = 511 };

struct database_options {
    const char *path;
    uint64_t map_bytes; /* first size of the map; it grows by itself. 0: 1 GiB */
    uint64_t max_bytes; /* of the file; 0: 1 TiB */
    struct store_hook hook;
};

/*
 * out_mended   the newest transaction was damaged; what is there is the state before it
 * ERR_CORRUPT  the file is cut, damaged or no database: safe to set aside (database_set_aside)
 * ERR_IO       it cannot be opened
 */
MUST_CHECK enum result database_open(const struct database_options *options, struct database **out,
                                     bool *out_mended, struct error *err);
void database_close(struct database *db); /* NULL is fine; no transaction may be open */
/* Renames the file at `path` to one that tells when, so that an operator can look at it.
 * `out_name` gets its path. */
MUST_CHECK enum result database_set_aside(const char *path, char out_name[512], struct error *err);

/* A transaction; lives on the caller's stack. */
struct database_txn {
    struct database *db;
    void *handle;
    bool writes;
    bool is_full; /* a put met the end of the map: abort, database_grow, again from the start */
};

/* Reads: ends with database_abort. May be held for the time of streaming a zone, not longer: the
 * map cannot grow meanwhile. */
MUST_CHECK enum result database_begin_read(struct database *db, struct database_txn *out,
                                           struct error *err);
MUST_CHECK enum result database_begin_write(struct database *db, struct database_txn *out,
                                            struct error *err);
/* Durable when OK. Ends the transaction in any case. ERR_IO; ERR_LIMIT as with put. */
MUST_CHECK enum result database_commit(struct database_txn *txn, struct error *err);
void database_abort(struct database_txn *txn); /* one that has ended is left alone */
/* After is_full. ERR_LIMIT where max_bytes is reached. */
MUST_CHECK enum result database_grow(struct database *db, struct error *err);

/* The value is borrowed from the map until the transaction ends. ERR_NOT_FOUND without a sentence.
 */
MUST_CHECK enum result database_get(struct database_txn *txn, enum database_table table,
                                    struct slice key, struct slice *out, struct error *err);
/* ERR_LIMIT: no room (is_full). The transaction can then only be aborted. */
MUST_CHECK enum result database_put(struct database_txn *txn, enum database_table table,
                                    struct slice key, struct slice value, struct error *err);
/* As put; `out` points to `size` octets to be filled in before the next call. */
MUST_CHECK enum result database_reserve(struct database_txn *txn, enum database_table table,
                                        struct slice key, size_t size, uint8_t **out,
                                        struct error *err);
/* OK also where it was not there. */
MUST_CHECK enum result database_delete(struct database_txn *txn, enum database_table table,
                                       struct slice key, struct error *err);

/* Goes through a table in the order of its keys. */
struct database_cursor {
    struct database_txn *txn;
    void *handle;
};
/* At the first key that is `from` or behind it. */
MUST_CHECK enum result database_cursor_open(struct database_txn *txn, enum database_table table,
                                            struct slice from, struct database_cursor *out,
                                            struct slice *key, struct slice *value,
                                            struct error *err);
MUST_CHECK enum result database_cursor_next(struct database_cursor *cursor, struct slice *key,
                                            struct slice *value, struct error *err);
MUST_CHECK enum result database_cursor_delete(struct database_cursor *cursor, struct error *err);
void database_cursor_close(struct database_cursor *cursor);

uint64_t database_size_bytes(struct database *db); /* of the file in use */

#endif
