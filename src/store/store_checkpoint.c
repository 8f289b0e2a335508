/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's work: moving the journal into the database, tidying up behind images, trimming.
 *
 * A checkpoint is one database transaction: all puts of all groups, and the number of the last
 * group
 * ("applied"), so recovery never applies a group twice nor leaves one out. Only after its commit
 * are the journal's segments free and the overlay gone.
 *
 * History is trimmed where a zone passes its bound, or all zones together pass theirs (oldest
 * first, whatever the zone), down to seven eighths, so that it happens in batches. Deltas behind
 * the image are never trimmed: they are needed to restore the zone. Where the database is full,
 * history is given up first: a commit is worth more than the past.
 */
#include "store/store.h"

#include <stdlib.h>

#include "base/memory.h"
#include "store/checksum.h"
#include "store/number.h"
#include "store/store_impl.h"

/* A transaction of LMDB holds its pages in memory, and keeps the memory. */
enum { GROW_TRIES = 24, TXN_BYTES = 2 << 20 };

enum result store_write_database(struct store *store, store_write_step *write, void *context,
                                 struct error *err)
{
    for (unsigned i = 0; i < GROW_TRIES; i++) {
        struct database_txn txn;
        struct error inner = {0};
        enum result result = database_begin_write(store->database, &txn, &inner);
        if (result == OK) {
            result = write(store, &txn, context, &inner);
            if (result == OK) {
                result = database_commit(&txn, &inner);
            }
            bool is_full = txn.is_full;
            database_abort(&txn);
            if (is_full && database_grow(store->database, err) == OK) {
                continue;
            }
            if (is_full) {
                return ERR_LIMIT;
            }
        }
        if (result != OK && err != NULL) {
            *err = inner;
        }
        return result;
    }
    return error_set(err, ERR_LIMIT, "the store's database cannot grow any further");
}

/* Deletes the zone's values of one kind with steps below `below`. */
static enum result sweep(struct database_txn *txn, uint32_t zone_id, enum value_kind kind,
                         uint64_t below, struct error *err)
{
    struct database_cursor cursor;
    uint8_t bytes[VALUE_KEY_SIZE];
    struct slice key;
    struct slice value;
    struct value_key k;
    value_key_write(&(struct value_key){zone_id, (uint8_t)kind, 0, 0}, bytes);
    enum result result = database_cursor_open(txn, DATABASE_DATA, slice_of(bytes, sizeof(bytes)),
                                              &cursor, &key, &value, err);
    for (; result == OK; result = database_cursor_next(&cursor, &key, &value, err)) {
        if (!value_key_read(key, &k) || k.zone_id != zone_id || k.kind != kind || k.step >= below) {
            break;
        }
        result = database_cursor_delete(&cursor, err);
        if (result != OK) {
            break;
        }
    }
    database_cursor_close(&cursor);
    return result == ERR_NOT_FOUND ? OK : result;
}

enum result store_tidy_images(struct database_txn *txn, uint32_t zone_id, uint64_t step,
                              bool restarts, struct error *err)
{
    enum result result = sweep(txn, zone_id, VALUE_IMAGE_HEAD, step, err);
    if (result == OK) {
        result = sweep(txn, zone_id, VALUE_IMAGE_PART, step, err);
    }
    if (result == OK && restarts) {
        result = sweep(txn, zone_id, VALUE_CHUNK, step + 1, err);
    }
    return result;
}

static enum result put_one(struct database_txn *txn, const struct pending_put *put,
                           struct error *err)
{
    struct value_key key;
    struct value_entry entry;
    if (put->key.size == 0) {
        return OK;
    }
    if (put->deletes) {
        return database_delete(txn, put->table, put->key, err);
    }
    enum result result = database_put(txn, put->table, put->key, put->value, err);
    if (result == OK && put->table == DATABASE_DATA && value_key_read(put->key, &key) &&
        key.kind == VALUE_IMAGE_HEAD && key.step > 1 && /* nothing is older than the first step */
        value_entry_read(put->value.data + VALUE_HEADER_SIZE, &entry)) {
        result =
            store_tidy_images(txn, key.zone_id, key.step, (entry.flags & VALUE_RESTARTS) != 0, err);
    }
    return result;
}

enum result store_put_pending(struct store *store, struct database_txn *txn, uint64_t max_bytes,
                              uint64_t *out_sequence, struct error *err)
{
    uint8_t number[12];
    uint64_t bytes = 0;
    pthread_mutex_lock(&store->lock);
    const struct pending_group *group = store->first_group;
    uint64_t last = store->last_group == NULL ? 0 : store->last_group->sequence;
    pthread_mutex_unlock(&store->lock);
    if (last == 0) {
        *out_sequence = 0;
        return OK;
    }
    /* Groups up to `last` are not changed by anybody until the keeper, which is us, drops them. */
    for (bool goes_on = true; goes_on; group = group->next) {
        for (size_t i = 0; i < group->put_count; i++) {
            enum result result = put_one(txn, &group->puts[i], err);
            if (result != OK) {
                return result;
            }
        }
        bytes += group->payload.size;
        goes_on = group->sequence != last && (max_bytes == 0 || bytes < max_bytes);
        *out_sequence = group->sequence;
    }
    last = *out_sequence;
    put_u32(number, VALUE_FORMAT);
    enum result result =
        database_put(txn, DATABASE_META, slice_str("format"), slice_of(number, 4), err);
    if (result != OK) {
        return result;
    }
    put_u64(number, last);
    put_u32(number + 8, checksum_add(0, number, 8));
    return database_put(txn, DATABASE_META, slice_str("applied"), slice_of(number, 12), err);
}

void store_drop_pending(struct store *store, uint64_t sequence)
{
    struct pending_group *dropped = NULL;
    if (sequence == 0) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    store->generation++;
    store->statistics.checkpoints++;
    while (store->first_group != NULL && store->first_group->sequence <= sequence) {
        struct pending_group *group = store->first_group;
        for (size_t i = 0; i < group->put_count; i++) {
            struct pending_put *put = &group->puts[i];
            struct value_key key;
            struct store_zone *zone = NULL;
            if (put->key.size == 0) {
                continue;
            }
            if (put->table == DATABASE_DATA && value_key_read(put->key, &key)) {
                zone = store_zone_by_id(store, key.zone_id);
            } else if (put->table == DATABASE_ZONES) {
                zone = store_zone_by_id(store, get_u32(put->value.data + VALUE_HEADER_SIZE));
            }
            REQUIRE(zone != NULL && store_pending_first(zone) == put);
            if (put == zone->last_pending) {
                zone->last_pending = NULL;
            } else {
                zone->last_pending->next = put->next;
            }
            struct history_item *item =
                put->table == DATABASE_DATA && key.kind == VALUE_CHUNK && key.part == 0
                    ? store_index_find(zone, key.step)
                    : NULL;
            if (item != NULL) {
                item->pending = NULL;
            }
        }
        store->pending_bytes -= group->payload.size;
        store->first_group = group->next;
        if (group->next == NULL) {
            store->last_group = NULL;
        }
        group->next = dropped;
        dropped = group;
    }
    pthread_mutex_unlock(&store->lock);
    while (dropped != NULL) {
        struct pending_group *group = dropped;
        dropped = group->next;
        text_deinit(&group->payload);
        memory_free(group->puts);
        memory_free(group);
    }
    /* One checkpoint late: should the database's newest state be found damaged, the one before it
     * and the journal are still everything. */
    journal_release(store->journal, store->released);
    store->released = sequence;
}

/* --- Trimming. --- */

/* Deltas to be given up: the oldest of a zone, up to and with `step`. */
struct trim {
    struct store_zone *zone;
    uint64_t step;
    int64_t time_s; /* of that delta */
};

struct trim_list {
    struct trim *trims;
    size_t count;
    size_t room;
};

static void trim_add(struct trim_list *list, struct store_zone *zone, uint64_t step, int64_t time_s)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 16 : 2 * list->room;
        list->trims = memory_resize(list->trims, list->room * sizeof(*list->trims));
    }
    list->trims[list->count++] = (struct trim){zone, step, time_s};
}

/* Under the lock: what of the zone goes, so that `bytes` are freed, as far as that is possible. */
static void trim_zone(struct trim_list *list, struct store_zone *zone, uint64_t bytes)
{
    const struct history_item *last = NULL;
    for (size_t i = store_rare(zone)->item_first; i < store_rare(zone)->item_count && bytes > 0;
         i++) {
        const struct history_item *item = &store_rare(zone)->items[i];
        if (item->entry.step > zone->image.step || item->pending != NULL) {
            break;
        }
        last = item;
        bytes -= item->entry.size_bytes < bytes ? item->entry.size_bytes : bytes;
    }
    if (last != NULL) {
        trim_add(list, zone, last->entry.step, last->entry.time_s);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct trim *x = a;
    const struct trim *y = b;
    if (x->time_s != y->time_s) {
        return x->time_s < y->time_s ? -1 : 1;
    }
    return x->step < y->step ? -1 : x->step > y->step;
}

/* Under the lock: the oldest deltas of all zones, so that `bytes` are freed. */
static void trim_all(struct store *store, struct trim_list *list, uint64_t bytes)
{
    struct trim_list every = {0};
    for (uint32_t id = 0; id < store->next_id; id++) {
        struct store_zone *zone = store_zone_by_id(store, id);
        for (size_t i = zone == NULL ? 0 : store_rare(zone)->item_first;
             zone != NULL && i < store_rare(zone)->item_count; i++) {
            const struct history_item *item = &store_rare(zone)->items[i];
            if (item->entry.step > zone->image.step || item->pending != NULL) {
                break;
            }
            trim_add(&every, zone, item->entry.step, item->entry.time_s);
        }
    }
    if (every.count != 0) {
        qsort(every.trims, every.count, sizeof(*every.trims), by_time);
    }
    for (size_t i = 0; i < every.count && bytes > 0; i++) {
        uint64_t size =
            store_index_find(every.trims[i].zone, every.trims[i].step)->entry.size_bytes;
        trim_add(list, every.trims[i].zone, every.trims[i].step, 0);
        bytes -= size < bytes ? size : bytes;
    }
    memory_free(every.trims);
}

static enum result write_trims(struct store *store, struct database_txn *txn, void *context,
                               struct error *err)
{
    const struct trim_list *list = context;
    enum result result = OK;
    (void)store;
    for (size_t i = 0; result == OK && i < list->count; i++) {
        result = sweep(txn, list->trims[i].zone->id, VALUE_CHUNK, list->trims[i].step + 1, err);
    }
    return result;
}

/* Under the lock. A zone of which not enough can go yet stays in the list. */
static void trim_long_zones(struct store *store, struct trim_list *list)
{
    struct store_zone **at = &store->long_zones;
    while (*at != NULL) {
        struct store_zone *zone = *at;
        if (store_rare(zone)->limit_bytes == 0 ||
            store_rare(zone)->history_bytes <= store_rare(zone)->limit_bytes) {
            store_zone_own(zone)->is_long = false;
            *at = store_rare(zone)->next_long;
            continue;
        }
        trim_zone(list, zone,
                  store_rare(zone)->history_bytes - store_rare(zone)->limit_bytes / 8 * 7);
        at = &store_zone_own(zone)->next_long;
    }
}

/* `pressing`: the database is full, an eighth of all history goes. */
static enum result trim(struct store *store, bool pressing, bool *trimmed, struct error *err)
{
    struct trim_list list = {0};
    pthread_mutex_lock(&store->lock);
    trim_long_zones(store, &list);
    if (pressing) {
        trim_all(store, &list, store->history_bytes / 8 + 1);
    } else if (store->history_bytes > store->max_history_bytes) {
        trim_all(store, &list, store->history_bytes - store->max_history_bytes / 8 * 7);
    }
    pthread_mutex_unlock(&store->lock);
    *trimmed = list.count != 0;
    enum result result =
        list.count == 0 ? OK : store_write_database(store, write_trims, &list, err);
    if (result == OK) {
        pthread_mutex_lock(&store->lock);
        for (size_t i = 0; i < list.count; i++) {
            struct store_zone *zone = list.trims[i].zone;
            struct store_zone_rare *rare = store_zone_own(zone);
            while (rare->item_first < rare->item_count &&
                   rare->items[rare->item_first].entry.step <= list.trims[i].step) {
                uint64_t size = rare->items[rare->item_first++].entry.size_bytes;
                rare->history_bytes -= size;
                store->history_bytes -= size;
            }
        }
        pthread_mutex_unlock(&store->lock);
    }
    memory_free(list.trims);
    return result;
}

/* --- The checkpoint itself, and removal. --- */

static enum result write_pending(struct store *store, struct database_txn *txn, void *context,
                                 struct error *err)
{
    return store_put_pending(store, txn, TXN_BYTES, context, err);
}

/* Under no lock: the oldest group that is still to be moved; 0: none up to `end`. */
static uint64_t first_pending(struct store *store, uint64_t end)
{
    pthread_mutex_lock(&store->lock);
    uint64_t first = store->first_group == NULL ? 0 : store->first_group->sequence;
    pthread_mutex_unlock(&store->lock);
    return first <= end ? first : 0;
}

/* Moves some of the groups, from the oldest on. */
static enum result move_groups(struct store *store, struct error *err)
{
    uint64_t sequence = 0;
    struct error inner = {0};
    bool trimmed = false;
    enum result result = store_write_database(store, write_pending, &sequence, &inner);
    if (result == ERR_LIMIT) {
        struct error ignored = {0};
        if (trim(store, true, &trimmed, &ignored) == OK && trimmed) {
            inner = (struct error){0};
            result = store_write_database(store, write_pending, &sequence, &inner);
        }
    }
    if (result == OK) {
        store_drop_pending(store, sequence);
    } else if (err != NULL) {
        *err = inner;
    }
    return result;
}

enum result store_checkpoint(struct store *store, struct error *err)
{
    enum result result = OK;
    bool trimmed = false;
    pthread_mutex_lock(&store->lock);
    uint64_t end = store->last_group == NULL ? 0 : store->last_group->sequence;
    pthread_mutex_unlock(&store->lock);
    while (result == OK && first_pending(store, end) != 0) {
        result = move_groups(store, err);
    }
    return result != OK ? result : trim(store, false, &trimmed, err);
}

uint64_t store_journal_bytes(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    uint64_t bytes = store->pending_bytes;
    pthread_mutex_unlock(&store->lock);
    return bytes;
}

void store_zone_set_limit(struct store *store, struct store_zone *zone, uint64_t history_bytes)
{
    pthread_mutex_lock(&store->lock);
    if (history_bytes != store_rare(zone)->limit_bytes) {
        store_zone_own(zone)->limit_bytes = history_bytes;
        store_index_bound(store, zone);
    }
    pthread_mutex_unlock(&store->lock);
}

struct removal {
    struct store_zone *const *zones;
    size_t count;
    uint64_t sequence;
};

static enum result write_removal(struct store *store, struct database_txn *txn, void *context,
                                 struct error *err)
{
    static const enum value_kind kinds[] = {VALUE_CHUNK, VALUE_IMAGE_HEAD, VALUE_IMAGE_PART,
                                            VALUE_LAST, VALUE_META};
    struct removal *removal = context;
    enum result result = store_put_pending(store, txn, 0, &removal->sequence, err);
    for (size_t at = 0; result == OK && at < removal->count; at++) {
        const struct store_zone *zone = removal->zones[at];
        uint8_t key[VALUE_ZONE_KEY_SIZE];
        size_t size;
        for (size_t i = 0; result == OK && i < ARRAY_SIZE(kinds); i++) {
            result = sweep(txn, zone->id, kinds[i], UINT64_MAX, err);
        }
        store_zone_key(zone, key, &size);
        if (result == OK) {
            result = database_delete(txn, DATABASE_ZONES, slice_of(key, size), err);
        }
    }
    return result;
}

enum result store_zones_remove(struct store *store, struct store_zone *const *zones, size_t count,
                               struct error *err)
{
    struct removal removal = {zones, count, 0};
    enum result result = store_write_database(store, write_removal, &removal, err);
    if (result != OK) {
        return result;
    }
    store_drop_pending(store, removal.sequence);
    pthread_mutex_lock(&store->lock);
    store->generation++;
    for (size_t at = 0; at < count; at++) {
        struct store_zone *zone = zones[at];
        store_index_clear(store, zone);
        memory_free(zone->image.digest);
        zone->image = (struct store_zone_image){0};
        zone->is_on_disk = false;
        zone->is_loaded = true;
        if (zone->rare != NULL) {
            zone->rare->damage = NULL;
        }
        zone->last_step = 0;
        zone->next_step = 1;
        zone->last_serial = (struct serial){0};
    }
    pthread_mutex_unlock(&store->lock);
    return OK;
}

enum result store_zone_remove(struct store *store, struct store_zone *zone, struct error *err)
{
    return store_zones_remove(store, &zone, 1, err);
}
