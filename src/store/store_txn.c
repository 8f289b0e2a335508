/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer's transactions: one group of the journal each.
 *
 * A group is a row of puts: table u8, 0 u8, key size u16, value size u32 (all ones: a delete), key,
 * value; the values in their final form with their checksums. Everything is put together in one
 * buffer, which after the commit lives on as the overlay of the database.
 */
#include "store/store.h"

#include "base/memory.h"
#include "store/number.h"
#include "store/store_impl.h"

struct store_txn {
    struct store *store;
    struct text payload;
    struct store_zone **zones; /* whose steps were given out */
    size_t zone_count;
    size_t zone_room;
    enum result failed; /* a zone's index could not be read; told by commit */
    struct error error;
};

struct store_txn *store_txn_begin(struct store *store)
{
    struct store_txn *txn = memory_new_zeroed(1, sizeof(*txn));
    txn->store = store;
    text_init(&txn->payload, 0);
    return txn;
}

/* A put whose value is begun; end_put fixes its size and checksum. */
struct open_put {
    size_t start; /* of the put */
    size_t value; /* of the value */
    struct slice key;
};

static struct open_put begin_put(struct store_txn *txn, enum database_table table, struct slice key,
                                 enum value_kind kind)
{
    uint8_t header[8] = {(uint8_t)table};
    struct open_put put = {.start = txn->payload.size, .key = key};
    put_u16(header + 2, (uint16_t)key.size);
    text_add(&txn->payload, header, sizeof(header));
    text_add(&txn->payload, key.data, key.size);
    put.value = value_begin(&txn->payload, kind);
    return put;
}

static void end_put(struct store_txn *txn, struct open_put put)
{
    value_end(&txn->payload, put.value, put.key);
    put_u32((uint8_t *)txn->payload.bytes + put.start + 4,
            (uint32_t)(txn->payload.size - put.value));
}

static struct slice data_key(uint8_t bytes[VALUE_KEY_SIZE], const struct store_zone *zone,
                             enum value_kind kind, uint64_t step, uint32_t part)
{
    value_key_write(&(struct value_key){zone->id, (uint8_t)kind, step, part}, bytes);
    return slice_of(bytes, VALUE_KEY_SIZE);
}

/* The zone's own entry, with the first thing that is stored of it. */
static void put_zone_once(struct store_txn *txn, struct store_zone *zone)
{
    uint8_t key[VALUE_ZONE_KEY_SIZE];
    uint8_t id[4];
    size_t size;
    pthread_mutex_lock(&txn->store->lock);
    bool is_on_disk = zone->is_on_disk;
    pthread_mutex_unlock(&txn->store->lock);
    if (is_on_disk) {
        return;
    }
    store_zone_key(zone, key, &size);
    struct open_put put = begin_put(txn, DATABASE_ZONES, slice_of(key, size), VALUE_ZONE);
    put_u32(id, zone->id);
    text_add(&txn->payload, id, sizeof(id));
    end_put(txn, put);
}

static uint64_t take_step(struct store_txn *txn, struct store_zone *zone)
{
    struct store *store = txn->store;
    put_zone_once(txn, zone);
    if (txn->failed == OK) {
        txn->failed = store_zone_load(store, zone, &txn->error);
    }
    pthread_mutex_lock(&store->lock);
    uint64_t step = zone->next_step++;
    pthread_mutex_unlock(&store->lock);
    if (txn->zone_count == txn->zone_room) {
        txn->zone_room = txn->zone_room == 0 ? 16 : 2 * txn->zone_room;
        txn->zones = memory_resize(txn->zones, txn->zone_room * sizeof(struct store_zone *));
    }
    txn->zones[txn->zone_count++] = zone;
    return step;
}

static void put_last(struct store_txn *txn, struct store_zone *zone,
                     const struct store_entry *entry)
{
    uint8_t key[VALUE_KEY_SIZE];
    uint8_t last[12];
    struct open_put put =
        begin_put(txn, DATABASE_DATA, data_key(key, zone, VALUE_LAST, 0, 0), VALUE_LAST);
    put_u64(last, entry->step);
    put_u32(last + 8, entry->to.value);
    text_add(&txn->payload, last, sizeof(last));
    end_put(txn, put);
}

void store_txn_delta(struct store_txn *txn, struct store_zone *zone, struct store_entry *entry,
                     struct chunk *chunk)
{
    uint8_t key[VALUE_KEY_SIZE];
    uint8_t head[VALUE_ENTRY_SIZE];
    uint64_t step = take_step(txn, zone);
    uint32_t parts = (uint32_t)((chunk->size + VALUE_PART_BYTES - 1) / VALUE_PART_BYTES);
    entry->step = step;
    entry->size_bytes = chunk->size;
    value_entry_write(&(struct value_entry){.entry = *entry, .parts = parts}, head);
    for (uint32_t part = 0; part < parts; part++) {
        size_t offset = (size_t)part * VALUE_PART_BYTES;
        size_t size =
            chunk->size - offset < VALUE_PART_BYTES ? chunk->size - offset : VALUE_PART_BYTES;
        struct open_put put = begin_put(txn, DATABASE_DATA,
                                        data_key(key, zone, VALUE_CHUNK, step, part), VALUE_CHUNK);
        if (part == 0) {
            text_add(&txn->payload, head, sizeof(head));
        }
        text_add(&txn->payload, chunk->data + offset, size);
        end_put(txn, put);
    }
    put_last(txn, zone, entry);
}

void store_txn_image(struct store_txn *txn, struct store_zone *zone, struct store_entry *entry,
                     struct slice records)
{
    uint8_t key[VALUE_KEY_SIZE];
    uint8_t head[VALUE_ENTRY_SIZE];
    REQUIRE(records.size <= STORE_SMALL_IMAGE);
    entry->step = take_step(txn, zone);
    entry->from = entry->to;
    entry->size_bytes = records.size;
    struct open_put put =
        begin_put(txn, DATABASE_DATA, data_key(key, zone, VALUE_IMAGE_PART, entry->step, 0),
                  VALUE_IMAGE_PART);
    text_add(&txn->payload, records.data, records.size);
    end_put(txn, put);
    value_entry_write(&(struct value_entry){.entry = *entry, .parts = 1, .flags = VALUE_RESTARTS},
                      head);
    put = begin_put(txn, DATABASE_DATA, data_key(key, zone, VALUE_IMAGE_HEAD, entry->step, 0),
                    VALUE_IMAGE_HEAD);
    text_add(&txn->payload, head, sizeof(head));
    end_put(txn, put);
    put_last(txn, zone, entry);
}

void store_txn_meta(struct store_txn *txn, struct store_zone *zone, uint32_t number,
                    struct slice value)
{
    uint8_t key[VALUE_KEY_SIZE];
    REQUIRE(value.size <= STORE_META_MAX);
    put_zone_once(txn, zone);
    data_key(key, zone, VALUE_META, 0, number);
    if (value.size == 0) {
        uint8_t header[8] = {DATABASE_DATA};
        put_u16(header + 2, VALUE_KEY_SIZE);
        put_u32(header + 4, UINT32_MAX);
        text_add(&txn->payload, header, sizeof(header));
        text_add(&txn->payload, key, sizeof(key));
        return;
    }
    struct open_put put = begin_put(txn, DATABASE_DATA, slice_of(key, sizeof(key)), VALUE_META);
    text_add(&txn->payload, value.data, value.size);
    end_put(txn, put);
}

bool store_txn_is_empty(const struct store_txn *txn)
{
    return txn->payload.size == 0;
}

enum result store_txn_commit(struct store_txn *txn, struct error *err)
{
    struct store *store = txn->store;
    struct slice payload = text_slice(&txn->payload);
    uint64_t sequence;
    if (txn->failed != OK) {
        enum result result = txn->failed;
        if (err != NULL) {
            *err = txn->error;
        }
        store_txn_abort(txn);
        return result;
    }
    if (payload.size != 0) {
        store_note_write(store, &txn->payload);
        payload = text_slice(&txn->payload);
        enum result result = journal_append(store->journal, &payload, 1, &sequence, err);
        if (result != OK) {
            store_txn_abort(txn);
            return result;
        }
        pthread_mutex_lock(&store->lock);
        store->statistics.commits++;
        store_take_group(store, sequence, &txn->payload);
        pthread_mutex_unlock(&store->lock);
    }
    text_deinit(&txn->payload);
    memory_free(txn->zones);
    memory_free(txn);
    return OK;
}

void store_txn_abort(struct store_txn *txn)
{
    if (txn == NULL) {
        return;
    }
    pthread_mutex_lock(&txn->store->lock);
    for (size_t i = 0; i < txn->zone_count; i++) {
        txn->zones[i]->next_step = txn->zones[i]->last_step + 1;
    }
    pthread_mutex_unlock(&txn->store->lock);
    text_deinit(&txn->payload);
    memory_free(txn->zones);
    memory_free(txn);
}
