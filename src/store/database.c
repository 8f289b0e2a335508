/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LMDB, with its edges taken off.
 *
 * LMDB trusts what is in its pages, so those are looked at before it is (database_check.c). A map
 * that is too small is grown when it is met (writers abort, grow, and start again): growing needs
 * that no transaction is open in the process, so readers hold a read lock, and are meant to be
 * short. What stands in values is checked by their readers.
 *
 * Write transactions belong to the thread that begins them (LMDB's mutex is the thread's), read
 * transactions do not (MDB_NOTLS).
 */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/database_impl.h"

enum { MAX_READERS = 126 };

static const char *const table_names[DATABASE_TABLES] = {"meta", "zones", "data"};

struct database {
    MDB_env *env;
    MDB_dbi tables[DATABASE_TABLES];
    pthread_rwlock_t map_lock; /* read: a transaction is open; write: the map changes */
    uint64_t map_bytes;
    uint64_t max_bytes;
    struct store_hook hook;
};

static enum result fail(struct error *err, int code, const char *what)
{
    if (code > 0) {
        errno = code;
        return error_set_os(err, ERR_IO, "the store's database: %s failed", what);
    }
    enum result result = code == MDB_MAP_FULL ? ERR_LIMIT
                         : code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ||
                                 code == MDB_INVALID || code == MDB_VERSION_MISMATCH
                             ? ERR_CORRUPT
                             : ERR_IO;
    return error_set(err, result, "the store's database: %s failed: %s", what, mdb_strerror(code));
}

/*
 * LMDB maps its table of readers, a file made sparse: on a full disk the first touch is a SIGBUS.
 * So its room is taken beforehand.
 */
static enum result take_lock_room(const char *path, struct error *err)
{
    enum { LOCK_BYTES = 12288 };
    char name[512];
    snprintf(name, sizeof(name), "%s-lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return errno == EROFS || errno == EACCES
                   ? OK
                   : error_set_os(err, ERR_IO, "%s cannot be opened", name);
    }
    int failure = posix_fallocate(fd, 0, LOCK_BYTES);
    close(fd);
    errno = failure;
    return failure == 0 ? OK : error_set_os(err, ERR_IO, "%s cannot be made", name);
}

enum result database_set_aside(const char *path, char out_name[512], struct error *err)
{
    char lock_name[512];
    snprintf(out_name, 512, "%s.damaged-%lld", path, (long long)time(NULL));
    if (rename(path, out_name) != 0) {
        return error_set_os(err, ERR_IO, "%s cannot be renamed", path);
    }
    snprintf(lock_name, sizeof(lock_name), "%s-lock", path);
    unlink(lock_name);
    return OK;
}

enum result database_open(const struct database_options *options, struct database **out,
                          bool *out_mended, struct error *err)
{
    struct stat status;
    *out_mended = false;
    enum result result = database_check(options->path, out_mended, err);
    if (result == OK) {
        result = take_lock_room(options->path, err);
    }
    if (result != OK) {
        return result;
    }
    struct database *db = memory_new_zeroed(1, sizeof(*db));
    pthread_rwlock_init(&db->map_lock, NULL);
    db->hook = options->hook;
    db->max_bytes = options->max_bytes != 0 ? options->max_bytes : UINT64_C(1) << 40;
    db->map_bytes = options->map_bytes != 0 ? options->map_bytes : UINT64_C(1) << 30;
    if (stat(options->path, &status) == 0) {
        while (db->map_bytes < 2 * (uint64_t)status.st_size && db->map_bytes < db->max_bytes) {
            db->map_bytes *= 2;
        }
    }
    if (db->map_bytes > db->max_bytes) {
        db->map_bytes = db->max_bytes;
    }
    MDB_txn *txn = NULL;
    const char *what = "opening";
    int code = mdb_env_create(&db->env);
    if (code == 0) {
        mdb_env_set_maxdbs(db->env, DATABASE_TABLES);
        mdb_env_set_maxreaders(db->env, MAX_READERS);
        mdb_env_set_mapsize(db->env, db->map_bytes);
        code = mdb_env_open(db->env, options->path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, 0640);
    }
    /* Tables exist already in all but a new file; on a read-only or full disk that is what helps.
     */
    for (unsigned flags = MDB_RDONLY; code == 0; flags = 0) {
        code = mdb_txn_begin(db->env, NULL, flags, &txn);
        for (unsigned i = 0; code == 0 && i < DATABASE_TABLES; i++) {
            code = mdb_dbi_open(txn, table_names[i], flags == 0 ? MDB_CREATE : 0, &db->tables[i]);
        }
        if (code == 0) {
            code = mdb_txn_commit(txn);
            break;
        }
        mdb_txn_abort(txn);
        txn = NULL;
        if (code == MDB_NOTFOUND && flags != 0) {
            code = 0;
            what = "making its tables";
        }
    }
    if (code != 0) {
        result = fail(err, code, what);
        database_close(db);
        return result;
    }
    *out = db;
    return OK;
}

void database_close(struct database *db)
{
    if (db == NULL) {
        return;
    }
    if (db->env != NULL) {
        mdb_env_close(db->env);
    }
    pthread_rwlock_destroy(&db->map_lock);
    memory_free(db);
}

static enum result begin(struct database *db, unsigned flags, struct database_txn *out,
                         struct error *err)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&db->map_lock);
    int code = mdb_txn_begin(db->env, NULL, flags, &txn);
    if (code != 0) {
        pthread_rwlock_unlock(&db->map_lock);
        return fail(err, code, "a transaction");
    }
    *out = (struct database_txn){.db = db, .handle = txn, .writes = flags == 0};
    return OK;
}

enum result database_begin_read(struct database *db, struct database_txn *out, struct error *err)
{
    return begin(db, MDB_RDONLY, out, err);
}

enum result database_begin_write(struct database *db, struct database_txn *out, struct error *err)
{
    return begin(db, 0, out, err);
}

enum result database_commit(struct database_txn *txn, struct error *err)
{
    uint8_t mark[DATABASE_MARK_SIZE];
    struct slice key = slice_str("txn");
    database_mark_write(mdb_txn_id(txn->handle), mark);
    enum result result = database_put(txn, DATABASE_META, key, slice_of(mark, sizeof(mark)), err);
    if (result != OK) {
        bool is_full = txn->is_full;
        database_abort(txn);
        txn->is_full = is_full;
        return result;
    }
    int code = store_hook_call(&txn->db->hook, STORE_WRITE_COMMIT);
    if (code != 0) {
        mdb_txn_abort(txn->handle);
    } else {
        code = mdb_txn_commit(txn->handle);
    }
    txn->handle = NULL;
    pthread_rwlock_unlock(&txn->db->map_lock);
    if (code != 0) {
        txn->is_full = code == MDB_MAP_FULL;
        return fail(err, code, "a commit");
    }
    return OK;
}

void database_abort(struct database_txn *txn)
{
    if (txn->handle != NULL) {
        mdb_txn_abort(txn->handle);
        txn->handle = NULL;
        pthread_rwlock_unlock(&txn->db->map_lock);
    }
}

enum result database_grow(struct database *db, struct error *err)
{
    if (db->map_bytes >= db->max_bytes) {
        return error_set(err, ERR_LIMIT, "the store is full: %llu octets",
                         (unsigned long long)db->max_bytes);
    }
    pthread_rwlock_wrlock(&db->map_lock);
    uint64_t bytes = db->map_bytes * 2 < db->max_bytes ? db->map_bytes * 2 : db->max_bytes;
    int code = mdb_env_set_mapsize(db->env, bytes);
    if (code == 0) {
        db->map_bytes = bytes;
    }
    pthread_rwlock_unlock(&db->map_lock);
    return code == 0 ? OK : fail(err, code, "growing");
}

/* LMDB's values have no const; it does not write through them. */
static MDB_val value_of(struct slice bytes)
{
    union {
        const uint8_t *in;
        void *out;
    } data = {.in = bytes.data};
    return (MDB_val){bytes.size, data.out};
}

enum result database_get(struct database_txn *txn, enum database_table table, struct slice key,
                         struct slice *out, struct error *err)
{
    MDB_val k = value_of(key);
    MDB_val v;
    int code = mdb_get(txn->handle, txn->db->tables[table], &k, &v);
    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (code != 0) {
        return fail(err, code, "reading");
    }
    *out = slice_of(v.mv_data, v.mv_size);
    return OK;
}

static enum result put(struct database_txn *txn, enum database_table table, struct slice key,
                       MDB_val *value, unsigned flags, struct error *err)
{
    MDB_val k = value_of(key);
    REQUIRE(key.size != 0 && key.size <= DATABASE_KEY_SIZE);
    int code = mdb_put(txn->handle, txn->db->tables[table], &k, value, flags);
    if (code != 0) {
        txn->is_full = code == MDB_MAP_FULL;
        return fail(err, code, "writing");
    }
    return OK;
}

enum result database_put(struct database_txn *txn, enum database_table table, struct slice key,
                         struct slice value, struct error *err)
{
    MDB_val v = value_of(value);
    return put(txn, table, key, &v, 0, err);
}

enum result database_reserve(struct database_txn *txn, enum database_table table, struct slice key,
                             size_t size, uint8_t **out, struct error *err)
{
    MDB_val v = {size, NULL};
    enum result result = put(txn, table, key, &v, MDB_RESERVE, err);
    if (result == OK) {
        *out = v.mv_data;
    }
    return result;
}

enum result database_delete(struct database_txn *txn, enum database_table table, struct slice key,
                            struct error *err)
{
    MDB_val k = value_of(key);
    int code = mdb_del(txn->handle, txn->db->tables[table], &k, NULL);
    if (code != 0 && code != MDB_NOTFOUND) {
        txn->is_full = code == MDB_MAP_FULL;
        return fail(err, code, "deleting");
    }
    return OK;
}

static enum result cursor_get(struct database_cursor *cursor, MDB_cursor_op op, MDB_val *k,
                              struct slice *key, struct slice *value, struct error *err)
{
    MDB_val v;
    int code = mdb_cursor_get(cursor->handle, k, &v, op);
    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (code != 0) {
        return fail(err, code, "reading");
    }
    *key = slice_of(k->mv_data, k->mv_size);
    *value = slice_of(v.mv_data, v.mv_size);
    return OK;
}

enum result database_cursor_open(struct database_txn *txn, enum database_table table,
                                 struct slice from, struct database_cursor *out, struct slice *key,
                                 struct slice *value, struct error *err)
{
    MDB_cursor *handle;
    MDB_val k = value_of(from);
    *out = (struct database_cursor){.txn = txn};
    int code = mdb_cursor_open(txn->handle, txn->db->tables[table], &handle);
    if (code != 0) {
        return fail(err, code, "reading");
    }
    out->handle = handle;
    return cursor_get(out, from.size == 0 ? MDB_FIRST : MDB_SET_RANGE, &k, key, value, err);
}

enum result database_cursor_next(struct database_cursor *cursor, struct slice *key,
                                 struct slice *value, struct error *err)
{
    MDB_val k;
    return cursor_get(cursor, MDB_NEXT, &k, key, value, err);
}

enum result database_cursor_delete(struct database_cursor *cursor, struct error *err)
{
    int code = mdb_cursor_del(cursor->handle, 0);
    if (code != 0) {
        cursor->txn->is_full = code == MDB_MAP_FULL;
        return fail(err, code, "deleting");
    }
    return OK;
}

void database_cursor_close(struct database_cursor *cursor)
{
    if (cursor->handle != NULL) {
        mdb_cursor_close(cursor->handle);
        cursor->handle = NULL;
    }
}

uint64_t database_size_bytes(struct database *db)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(db->env, &info) != 0 || mdb_env_stat(db->env, &stat) != 0) {
        return 0;
    }
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}
