/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is stored of a zone: its index in memory, and the reading of deltas and metadata.
 *
 * The index holds the newest image and an unbroken row of deltas, each beginning where the one
 * before it ended. What does not fit that row is damage: in front of the image it only shortens the
 * history; behind it, commits are missing, and status says so (ERR_CORRUPT) until history restarts.
 * The last commit's step and serial stand in a value of their own, so even a lost tail is noticed.
 */
#include "store/store.h"

#include <stdio.h>

#include "base/memory.h"
#include "store/number.h"
#include "store/store_impl.h"

static struct history_item *first_item(const struct store_zone *zone)
{
    const struct store_zone_rare *rare = store_rare(zone);
    return rare->item_first < rare->item_count ? &rare->items[rare->item_first] : NULL;
}

struct history_item *store_index_find(struct store_zone *zone, uint64_t step)
{
    struct history_item *first = first_item(zone);
    if (first == NULL || step < first->entry.step ||
        step - first->entry.step >= store_rare(zone)->item_count - store_rare(zone)->item_first) {
        return NULL;
    }
    return &first[step - first->entry.step];
}

void store_index_clear(struct store *store, struct store_zone *zone)
{
    struct store_zone_rare *rare = zone->rare;
    if (rare != NULL) {
        store->history_bytes -= rare->history_bytes;
        rare->history_bytes = 0;
        rare->since_image_bytes = 0;
        rare->item_first = 0;
        rare->item_count = 0;
    }
}

static void take_last(struct store_zone *zone, uint64_t step, struct serial serial)
{
    if (step >= zone->last_step) {
        zone->last_step = step;
        zone->last_serial = serial;
    }
    if (zone->next_step <= zone->last_step) {
        zone->next_step = zone->last_step + 1;
    }
}

void store_index_bound(struct store *store, struct store_zone *zone)
{
    struct store_zone_rare *rare = zone->rare;
    if (rare != NULL && rare->limit_bytes != 0 && rare->history_bytes > rare->limit_bytes &&
        !rare->is_long) {
        rare->is_long = true;
        rare->next_long = store->long_zones;
        store->long_zones = zone;
    }
}

void store_index_chunk(struct store *store, struct store_zone *zone,
                       const struct value_entry *entry, struct pending_put *put)
{
    struct store_zone_rare *rare = store_zone_own(zone);
    if (rare->item_first > 64 && rare->item_first > rare->item_count / 2) {
        rare->item_count -= rare->item_first;
        memmove(rare->items, rare->items + rare->item_first,
                rare->item_count * sizeof(*rare->items));
        rare->item_first = 0;
    }
    if (rare->item_count == rare->item_room) {
        rare->item_room = rare->item_room == 0 ? 4 : 2 * rare->item_room;
        rare->items = memory_resize(rare->items, rare->item_room * sizeof(*rare->items));
    }
    rare->items[rare->item_count++] = (struct history_item){entry->entry, entry->parts, put};
    rare->history_bytes += entry->entry.size_bytes;
    store->history_bytes += entry->entry.size_bytes;
    if (entry->entry.step > zone->image.step) {
        rare->since_image_bytes += entry->entry.size_bytes;
    }
    take_last(zone, entry->entry.step, entry->entry.to);
    store_index_bound(store, zone);
}

static void take_image(struct store_zone *zone, const struct value_entry *entry)
{
    const struct store_entry *e = &entry->entry;
    uint8_t *digest = zone->image.digest;
    if (!e->has_digest) {
        memory_free(digest);
        digest = NULL;
    } else {
        digest = digest != NULL ? digest : memory_new(sizeof(e->digest));
        memcpy(digest, e->digest, sizeof(e->digest));
    }
    zone->image = (struct store_zone_image){
        .step = e->step,
        .time_s = e->time_s,
        .size_bytes = e->size_bytes,
        .record_count = e->record_count,
        .digest = digest,
        .serial = e->to,
        .source = (uint8_t)e->source,
        .flags = entry->flags,
    };
}

static struct store_entry image_entry(const struct store_zone_image *image)
{
    struct store_entry entry = {
        .step = image->step,
        .from = image->serial,
        .to = image->serial,
        .source = (enum store_source)image->source,
        .time_s = image->time_s,
        .size_bytes = image->size_bytes,
        .record_count = image->record_count,
        .has_digest = image->digest != NULL,
    };
    if (image->digest != NULL) {
        memcpy(entry.digest, image->digest, sizeof(entry.digest));
    }
    return entry;
}

void store_index_image(struct store *store, struct store_zone *zone,
                       const struct value_entry *entry)
{
    struct store_zone_rare *rare = zone->rare;
    take_image(zone, entry);
    if (rare != NULL) {
        if ((entry->flags & VALUE_RESTARTS) != 0) {
            store_index_clear(store, zone);
            rare->damage = NULL;
        }
        rare->since_image_bytes = 0;
        for (size_t i = rare->item_first; i < rare->item_count; i++) {
            if (rare->items[i].entry.step > entry->entry.step) {
                rare->since_image_bytes += rare->items[i].entry.size_bytes;
            }
        }
    }
    take_last(zone, entry->entry.step, entry->entry.to);
}

/* --- Loading. --- */

/* `text` lives for ever. */
static void damaged(struct store_zone *zone, const char *text)
{
    if (store_rare(zone)->damage == NULL) {
        store_zone_own(zone)->damage = text;
    }
}

/* A delta's head in ascending order of steps. */
static void load_chunk(struct store *store, struct store_zone *zone,
                       const struct value_entry *entry, struct pending_put *put)
{
    struct history_item *item = store_index_find(zone, entry->entry.step);
    if (item != NULL) {
        item->pending = put; /* moved to the database while we read */
        return;
    }
    uint64_t image = zone->image.step;
    if ((zone->image.flags & VALUE_RESTARTS) != 0 && entry->entry.step <= image) {
        return; /* not tidied up yet */
    }
    if (store_rare(zone)->item_count > store_rare(zone)->item_first) {
        const struct store_entry *last =
            &store_rare(zone)->items[store_rare(zone)->item_count - 1].entry;
        if (entry->entry.step == last->step + 1 && serial_equal(last->to, entry->entry.from)) {
            store_index_chunk(store, zone, entry, put);
            return;
        }
        if (last->step >= image) {
            damaged(zone, "a stored delta is damaged or missing");
            return;
        }
        store_index_clear(store, zone);
    }
    if (entry->entry.step > image + 1) {
        damaged(zone, image == 0 ? "the stored image is damaged or missing"
                                 : "a stored delta is damaged or missing");
        return;
    }
    store_index_chunk(store, zone, entry, put);
}

static bool chunk_head(const struct store_zone *zone, struct slice key, struct slice value,
                       enum value_kind kind, struct value_entry *out)
{
    struct value_key k;
    return value_key_read(key, &k) && k.zone_id == zone->id && k.kind == kind && k.part == 0 &&
           value.size >= VALUE_HEADER_SIZE + VALUE_ENTRY_SIZE &&
           value_entry_read(value.data + VALUE_HEADER_SIZE, out) && out->entry.step == k.step;
}

/* What the database has of the zone; it is copied, since the lock is not held meanwhile. */
struct found {
    struct value_entry *heads; /* images, then chunks */
    size_t image_count;
    size_t chunk_count;
    size_t room;
    bool is_damaged;
    bool has_last;
    uint64_t last_step;
    struct serial last_serial;
};

static void found_add(struct found *found, const struct value_entry *entry)
{
    size_t count = found->image_count + found->chunk_count;
    if (count == found->room) {
        found->room = found->room == 0 ? 16 : 2 * found->room;
        found->heads = memory_resize(found->heads, found->room * sizeof(*found->heads));
    }
    found->heads[count] = *entry;
}

static enum result scan(struct database_txn *txn, const struct store_zone *zone,
                        enum value_kind kind, struct found *found, struct error *err)
{
    struct database_cursor cursor;
    struct value_key from = {zone->id, (uint8_t)kind, 0, 0};
    uint8_t bytes[VALUE_KEY_SIZE];
    struct slice key;
    struct slice value;
    struct value_key k;
    value_key_write(&from, bytes);
    enum result result = database_cursor_open(txn, DATABASE_DATA, slice_of(bytes, sizeof(bytes)),
                                              &cursor, &key, &value, err);
    for (; result == OK; result = database_cursor_next(&cursor, &key, &value, err)) {
        struct value_entry entry;
        if (!value_key_read(key, &k) || k.zone_id != zone->id || k.kind != kind) {
            result = ERR_NOT_FOUND;
            break;
        }
        if (k.part != 0) {
            continue;
        }
        if (!chunk_head(zone, key, value, kind, &entry)) {
            found->is_damaged = found->is_damaged || kind == VALUE_IMAGE_HEAD;
            continue; /* the gap it leaves is what tells */
        }
        found_add(found, &entry);
        if (kind == VALUE_IMAGE_HEAD) {
            found->image_count++;
        } else {
            found->chunk_count++;
        }
    }
    database_cursor_close(&cursor);
    return result == ERR_NOT_FOUND ? OK : result;
}

static void found_last(struct found *found, struct slice key, struct slice value)
{
    struct slice content;
    if (value_check(key, value, VALUE_LAST, &content, NULL) == OK && content.size == 12) {
        found->has_last = true;
        found->last_step = get_u64(content.data);
        found->last_serial = (struct serial){get_u32(content.data + 8)};
    }
}

static enum result read_index(struct store *store, struct store_zone *zone, struct found *found,
                              struct error *err)
{
    struct database_txn txn;
    struct value_key last = {zone->id, VALUE_LAST, 0, 0};
    uint8_t bytes[VALUE_KEY_SIZE];
    struct slice value;
    enum result result = database_begin_read(store->database, &txn, err);
    if (result != OK) {
        return result;
    }
    result = scan(&txn, zone, VALUE_IMAGE_HEAD, found, err);
    if (result == OK) {
        result = scan(&txn, zone, VALUE_CHUNK, found, err);
    }
    value_key_write(&last, bytes);
    if (result == OK) {
        result = database_get(&txn, DATABASE_DATA, slice_of(bytes, sizeof(bytes)), &value, err);
        if (result == OK) {
            found_last(found, slice_of(bytes, sizeof(bytes)), value);
        }
        result = result == ERR_NOT_FOUND ? OK : result;
    }
    database_abort(&txn);
    return result;
}

/* Under the lock. The database's part first, then what the journal lays over it. */
static void build_index(struct store *store, struct store_zone *zone, struct found *found)
{
    struct value_entry entry;
    for (size_t i = 0; i < found->image_count; i++) {
        if (found->heads[i].entry.step >= zone->image.step) {
            store_index_image(store, zone, &found->heads[i]);
        }
    }
    for (struct pending_put *put = store_pending_first(zone); put != NULL;
         put = store_pending_next(zone, put)) {
        if (put->table == DATABASE_DATA && !put->deletes &&
            chunk_head(zone, put->key, put->value, VALUE_IMAGE_HEAD, &entry) &&
            entry.entry.step >= zone->image.step) {
            store_index_image(store, zone, &entry);
        }
    }
    for (size_t i = 0; i < found->chunk_count; i++) {
        load_chunk(store, zone, &found->heads[found->image_count + i], NULL);
    }
    for (struct pending_put *put = store_pending_first(zone); put != NULL;
         put = store_pending_next(zone, put)) {
        struct value_key key;
        if (put->table != DATABASE_DATA || put->deletes || !value_key_read(put->key, &key)) {
            continue;
        }
        if (key.kind == VALUE_LAST) {
            found_last(found, put->key, put->value);
        } else if (chunk_head(zone, put->key, put->value, VALUE_CHUNK, &entry)) {
            load_chunk(store, zone, &entry, put);
        }
    }
    if (found->is_damaged && zone->image.step == 0) {
        damaged(zone, "the stored image is damaged");
    }
    if (found->has_last && found->last_step > zone->last_step) {
        damaged(zone, "the newest stored deltas are damaged or missing");
        take_last(zone, found->last_step, found->last_serial);
    }
    if (!found->has_last && zone->last_step != 0) {
        damaged(zone, "the record of the last commit is damaged");
    }
    zone->is_loaded = true;
}

enum result store_zone_load(struct store *store, struct store_zone *zone, struct error *err)
{
    for (;;) {
        struct found found = {0};
        pthread_mutex_lock(&store->lock);
        bool is_loaded = zone->is_loaded;
        uint64_t generation = store->generation;
        pthread_mutex_unlock(&store->lock);
        if (is_loaded) {
            return OK;
        }
        enum result result = read_index(store, zone, &found, err);
        if (result == OK) {
            pthread_mutex_lock(&store->lock);
            /* What moved to the database meanwhile would be missing in both. */
            bool is_current = generation == store->generation;
            if (is_current && !zone->is_loaded) {
                build_index(store, zone, &found);
            }
            pthread_mutex_unlock(&store->lock);
            memory_free(found.heads);
            if (!is_current) {
                continue;
            }
            return OK;
        }
        memory_free(found.heads);
        return result;
    }
}

enum result store_zone_status(struct store *store, struct store_zone *zone,
                              struct store_status *out, struct error *err)
{
    enum result result = store_zone_load(store, zone, err);
    if (result != OK) {
        return result;
    }
    pthread_mutex_lock(&store->lock);
    *out = (struct store_status){
        .has_image = zone->image.step != 0,
        .image = image_entry(&zone->image),
        .last_step = zone->last_step,
        .last_serial = zone->last_serial,
        .history_bytes = store_rare(zone)->history_bytes,
        .history_count = store_rare(zone)->item_count - store_rare(zone)->item_first,
        .since_image_bytes = store_rare(zone)->since_image_bytes,
    };
    if (store_rare(zone)->damage != NULL) {
        char text[NAME_TEXT_SIZE];
        result = error_set(err, ERR_CORRUPT, "%s", store_rare(zone)->damage);
        error_zone(err, name_format_log(zone->name, text));
    } else if (zone->last_step == 0) {
        result = ERR_NOT_FOUND;
    }
    pthread_mutex_unlock(&store->lock);
    return result;
}

size_t store_history(struct store *store, struct store_zone *zone, uint64_t first,
                     struct store_entry *out, size_t count)
{
    size_t copied = 0;
    pthread_mutex_lock(&store->lock);
    for (size_t i = store_rare(zone)->item_first;
         i < store_rare(zone)->item_count && copied < count; i++) {
        if (store_rare(zone)->items[i].entry.step >= first) {
            out[copied++] = store_rare(zone)->items[i].entry;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return copied;
}

enum result store_read_entry(struct store *store, struct store_zone *zone, uint64_t step,
                             struct store_entry *out, struct error *err)
{
    struct value_key key = {zone->id, VALUE_CHUNK, step, 0};
    uint8_t bytes[VALUE_KEY_SIZE];
    struct database_txn txn;
    struct slice value;
    struct value_entry entry;
    bool is_there = false;
    value_key_write(&key, bytes);
    pthread_mutex_lock(&store->lock);
    for (struct pending_put *put = store_pending_first(zone); put != NULL;
         put = store_pending_next(zone, put)) {
        if (put->table == DATABASE_DATA && !put->deletes &&
            slice_equal(put->key, slice_of(bytes, sizeof(bytes))) &&
            chunk_head(zone, put->key, put->value, VALUE_CHUNK, &entry)) {
            is_there = true;
        }
    }
    pthread_mutex_unlock(&store->lock);
    enum result result = OK;
    if (!is_there) {
        result = database_begin_read(store->database, &txn, err);
        if (result != OK) {
            return result;
        }
        result = database_get(&txn, DATABASE_DATA, slice_of(bytes, sizeof(bytes)), &value, err);
        if (result == OK &&
            !chunk_head(zone, slice_of(bytes, sizeof(bytes)), value, VALUE_CHUNK, &entry)) {
            result = error_set(err, ERR_CORRUPT, "the entry of a stored delta is damaged");
        }
        database_abort(&txn);
    }
    if (result == OK) {
        *out = entry.entry;
    }
    return result;
}

/* --- Deltas and metadata. --- */

/* One part of a chunk: its octets behind the header (and, in part 0, behind the entry). */
static enum result add_part(struct slice key, struct slice value, uint32_t part, struct text *out,
                            struct error *err)
{
    struct slice content;
    size_t skip = part == 0 ? VALUE_ENTRY_SIZE : 0;
    enum result result = value_check(key, value, VALUE_CHUNK, &content, err);
    if (result == OK && content.size < skip) {
        result = error_set(err, ERR_CORRUPT, "a stored delta is cut");
    }
    if (result == OK) {
        text_add(out, content.data + skip, content.size - skip);
    }
    return result;
}

/* Under the lock. */
static enum result read_pending(const struct history_item *item, struct text *out,
                                struct error *err)
{
    enum result result = OK;
    const struct pending_put *put = item->pending;
    for (uint32_t part = 0; result == OK && part < item->parts; part++) {
        if (put == NULL) {
            return error_set(err, ERR_CORRUPT, "a stored delta is cut");
        }
        result = add_part(put->key, put->value, part, out, err);
        put = put->next;
    }
    return result;
}

static enum result read_stored(struct store *store, const struct store_zone *zone, uint64_t step,
                               uint32_t parts, struct text *out, struct error *err)
{
    struct database_txn txn;
    enum result result = database_begin_read(store->database, &txn, err);
    if (result != OK) {
        return result;
    }
    for (uint32_t part = 0; result == OK && part < parts; part++) {
        uint8_t bytes[VALUE_KEY_SIZE];
        struct slice key = slice_of(bytes, sizeof(bytes));
        struct slice value;
        value_key_write(&(struct value_key){zone->id, VALUE_CHUNK, step, part}, bytes);
        result = database_get(&txn, DATABASE_DATA, key, &value, err);
        if (result == OK) {
            result = add_part(key, value, part, out, err);
        }
    }
    database_abort(&txn);
    return result;
}

enum result store_read_chunk(struct store *store, struct store_zone *zone, uint64_t step,
                             struct chunk **out, struct error *err)
{
    struct text bytes;
    struct store_entry entry = {0};
    uint32_t parts = 0;
    bool is_pending = false;
    enum result result = ERR_NOT_FOUND;
    text_init(&bytes, 0);
    pthread_mutex_lock(&store->lock);
    const struct history_item *item = store_index_find(zone, step);
    if (item != NULL) {
        entry = item->entry;
        parts = item->parts;
        is_pending = item->pending != NULL;
        result = is_pending ? read_pending(item, &bytes, err) : OK;
    }
    pthread_mutex_unlock(&store->lock);
    if (result == OK && !is_pending) {
        result = read_stored(store, zone, step, parts, &bytes, err);
    }
    if (result == OK) {
        result = chunk_of_bytes(text_slice(&bytes), out, err);
    }
    if (result == OK && (!serial_equal((*out)->from, entry.from) ||
                         !serial_equal((*out)->to, entry.to) || bytes.size != entry.size_bytes)) {
        chunk_unref(*out);
        result = error_set(err, ERR_CORRUPT, "a stored delta is not what its entry says");
    }
    text_deinit(&bytes);
    if (result == ERR_CORRUPT) {
        char text[NAME_TEXT_SIZE];
        error_zone(err, name_format_log(zone->name, text));
    }
    return result;
}

enum result store_read_meta(struct store *store, struct store_zone *zone, uint32_t number,
                            uint8_t *out, size_t room, size_t *out_size, struct error *err)
{
    uint8_t bytes[VALUE_KEY_SIZE] = {0};
    struct slice key = slice_of(bytes, sizeof(bytes));
    struct slice value = {NULL, 0};
    struct slice content = {NULL, 0};
    struct database_txn txn = {0};
    value_key_write(&(struct value_key){zone->id, VALUE_META, 0, number}, bytes);
    pthread_mutex_lock(&store->lock);
    const struct pending_put *put = store_pending_find(zone, key);
    bool is_pending = put != NULL;
    enum result result;
    if (is_pending) {
        value = put->value;
        result = put->deletes ? ERR_NOT_FOUND : OK;
    } else {
        /* What is pending no longer is in the database by now. */
        pthread_mutex_unlock(&store->lock);
        result = database_begin_read(store->database, &txn, err);
        if (result != OK) {
            return result;
        }
        result = database_get(&txn, DATABASE_DATA, key, &value, err);
    }
    if (result == OK) {
        result = value_check(key, value, VALUE_META, &content, err);
    }
    if (result == OK && content.size > room) {
        result =
            error_set(err, ERR_LIMIT, "a stored value of %zu octets does not fit", content.size);
    }
    if (result == OK) {
        memcpy(out, content.data, content.size);
        *out_size = content.size;
    }
    if (is_pending) {
        pthread_mutex_unlock(&store->lock);
    } else {
        database_abort(&txn);
    }
    return result;
}
