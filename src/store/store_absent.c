/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zones that nobody uses: whoever works with a zone holds its handle (store_zone_hold), and what no
 * handle is held of is absent. How long it has been so is kept in the database, in the table of the
 * store's own values, under "absent" and the zone's number: the seconds for which somebody looked and
 * found it absent. They are counted, not told from a wall clock: a clock that jumps by years, as one
 * does that starts in 1970, must not cost anybody the history of a zone. For the same reason the time
 * in which the store is not open does not count.
 *
 * A zone that is taken off the disk is claimed first, under the lock, so that nobody holds it; whoever
 * wants to meanwhile waits for the end of it.
 */
#include "base/memory.h"
#include "store/checksum.h"
#include "store/number.h"
#include "store/store_impl.h"

enum { MARK_PREFIX = 6, MARK_KEY_SIZE = MARK_PREFIX + 4, MARK_SIZE = 12, REMOVED_AT_ONCE = 256 };

static const char mark_prefix[MARK_PREFIX + 1] = "absent";

struct absence {
    uint32_t zone_id;
    uint64_t absent_s;
};

struct absences {
    struct absence *items; /* ascending ids */
    size_t count;
    size_t room;
};

static void absences_add(struct absences *list, uint32_t zone_id, uint64_t absent_s)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : 2 * list->room;
        list->items = memory_resize(list->items, list->room * sizeof(*list->items));
    }
    list->items[list->count++] = (struct absence){zone_id, absent_s};
}

void store_zone_hold(struct store *store, struct store_zone *zone)
{
    pthread_mutex_lock(&store->lock);
    while (zone->is_going) {
        pthread_cond_wait(&store->removed, &store->lock);
    }
    zone->holders++;
    pthread_mutex_unlock(&store->lock);
}

void store_zone_let_go(struct store *store, struct store_zone *zone)
{
    pthread_mutex_lock(&store->lock);
    REQUIRE(zone->holders > 0);
    zone->holders--;
    pthread_mutex_unlock(&store->lock);
}

/* --- The marks. --- */

static struct slice mark_key(uint32_t zone_id, uint8_t bytes[MARK_KEY_SIZE])
{
    memcpy(bytes, mark_prefix, MARK_PREFIX);
    put_u32(bytes + MARK_PREFIX, zone_id);
    return slice_of(bytes, MARK_KEY_SIZE);
}

/* One that is damaged begins anew. */
static enum result read_marks(struct store *store, struct absences *out, struct error *err)
{
    struct database_txn txn;
    struct database_cursor cursor;
    struct slice key;
    struct slice value;
    enum result result = database_begin_read(store->database, &txn, err);
    if (result != OK) {
        return result;
    }
    result = database_cursor_open(&txn, DATABASE_META, slice_of(mark_prefix, MARK_PREFIX), &cursor,
                                  &key, &value, err);
    for (; result == OK; result = database_cursor_next(&cursor, &key, &value, err)) {
        if (key.size != MARK_KEY_SIZE || memcmp(key.data, mark_prefix, MARK_PREFIX) != 0) {
            break;
        }
        bool is_sound =
            value.size == MARK_SIZE && get_u32(value.data + 8) == checksum_add(0, value.data, 8);
        absences_add(out, get_u32(key.data + MARK_PREFIX), is_sound ? get_u64(value.data) : 0);
    }
    database_cursor_close(&cursor);
    database_abort(&txn);
    return result == ERR_NOT_FOUND ? OK : result;
}

struct marking {
    const struct absences *before;
    const struct absences *after;
};

static enum result write_marks(struct store *store, struct database_txn *txn, void *context,
                               struct error *err)
{
    const struct marking *marking = context;
    const struct absences *after = marking->after;
    uint8_t key[MARK_KEY_SIZE];
    uint8_t value[MARK_SIZE];
    enum result result = OK;
    size_t at = 0;
    (void)store;
    for (size_t i = 0; result == OK && i < marking->before->count; i++) {
        uint32_t zone_id = marking->before->items[i].zone_id;
        while (at < after->count && after->items[at].zone_id < zone_id) {
            at++;
        }
        if (at == after->count || after->items[at].zone_id != zone_id) {
            result = database_delete(txn, DATABASE_META, mark_key(zone_id, key), err);
        }
    }
    for (size_t i = 0; result == OK && i < after->count; i++) {
        put_u64(value, after->items[i].absent_s);
        put_u32(value + 8, checksum_add(0, value, 8));
        result = database_put(txn, DATABASE_META, mark_key(after->items[i].zone_id, key),
                              slice_of(value, sizeof(value)), err);
    }
    return result;
}

static void find_absent(struct store *store, const struct absences *before, uint64_t elapsed_s,
                        struct absences *out)
{
    size_t at = 0;
    pthread_mutex_lock(&store->lock);
    for (uint32_t id = 0; id < store->next_id; id++) {
        const struct store_zone *zone = store_zone_by_id(store, id);
        while (at < before->count && before->items[at].zone_id < id) {
            at++;
        }
        if (zone != NULL && zone->is_on_disk && zone->holders == 0) {
            bool is_known = at < before->count && before->items[at].zone_id == id;
            absences_add(out, id, is_known ? before->items[at].absent_s + elapsed_s : 0);
        }
    }
    pthread_mutex_unlock(&store->lock);
}

/* --- Removal. --- */

/* Those of which nobody holds a handle are ours from here on. */
static size_t claim(struct store *store, const struct absence *wanted, size_t count,
                    struct store_zone **out)
{
    size_t claimed = 0;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        struct store_zone *zone = store_zone_by_id(store, wanted[i].zone_id);
        if (zone != NULL && zone->holders == 0) {
            zone->is_going = true;
            out[claimed++] = zone;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return claimed;
}

static void end_claim(struct store *store, struct store_zone *const *zones, size_t count)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        zones[i]->is_going = false;
    }
    pthread_cond_broadcast(&store->removed);
    pthread_mutex_unlock(&store->lock);
}

static enum result remove_some(struct store *store, const struct absence *wanted, size_t count,
                               store_forgotten *forgotten, void *context, struct error *err)
{
    struct store_zone *zones[REMOVED_AT_ONCE];
    size_t claimed = claim(store, wanted, count, zones);
    enum result result = claimed == 0 ? OK : store_zones_remove(store, zones, claimed, err);
    end_claim(store, zones, claimed);
    for (size_t i = 0; result == OK && forgotten != NULL && i < claimed; i++) {
        forgotten(context, zones[i]->name, zones[i]->class);
    }
    return result;
}

enum result store_tend_absent(struct store *store, uint64_t elapsed_s, uint64_t keep_s,
                              store_forgotten *forgotten, void *context, struct error *err)
{
    struct absences before = {0};
    struct absences absent = {0};
    struct absences over = {0};
    enum result result = read_marks(store, &before, err);
    if (result == OK) {
        find_absent(store, &before, elapsed_s, &absent);
        struct marking marking = {&before, &absent};
        if (before.count != 0 || absent.count != 0) {
            result = store_write_database(store, write_marks, &marking, err);
        }
        for (size_t i = 0; i < absent.count; i++) {
            if (keep_s != UINT64_MAX && absent.items[i].absent_s >= keep_s) {
                absences_add(&over, absent.items[i].zone_id, 0);
            }
        }
    }
    for (size_t at = 0; result == OK && at < over.count; at += REMOVED_AT_ONCE) {
        size_t count = over.count - at < REMOVED_AT_ONCE ? over.count - at : REMOVED_AT_ONCE;
        result = remove_some(store, over.items + at, count, forgotten, context, err);
    }
    memory_free(before.items);
    memory_free(absent.items);
    memory_free(over.items);
    return result;
}

enum result store_zone_forget(struct store *store, const uint8_t *name, uint16_t class,
                              struct error *err)
{
    char text[NAME_TEXT_SIZE];
    struct store_zone *zone = store_zone_find(store, name, class);
    pthread_mutex_lock(&store->lock);
    bool is_there = zone != NULL && zone->is_on_disk;
    bool is_held = is_there && zone->holders != 0;
    zone = is_held ? NULL : zone;
    if (is_there && !is_held) {
        zone->is_going = true;
    }
    pthread_mutex_unlock(&store->lock);
    if (!is_there) {
        return error_set(err, ERR_NOT_FOUND, "nothing is stored of %s",
                         name_format_log(name, text));
    }
    if (is_held) {
        return error_set(err, ERR_BUSY, "%s is in use", name_format_log(name, text));
    }
    enum result result = store_zones_remove(store, &zone, 1, err);
    end_claim(store, &zone, 1);
    return result;
}

size_t store_absent(struct store *store, struct store_absent_zone *out, size_t room)
{
    size_t count = 0;
    pthread_mutex_lock(&store->lock);
    for (uint32_t id = 0; id < store->next_id; id++) {
        const struct store_zone *zone = store_zone_by_id(store, id);
        if (zone != NULL && zone->is_on_disk && zone->holders == 0) {
            if (count < room) {
                name_copy(&out[count].name, zone->name);
                out[count].class = zone->class;
            }
            count++;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return count;
}
