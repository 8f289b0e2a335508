/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Images: a whole zone at one step, in the wire form of AXFR: whole, uncompressed records, the SOA
 * first, the others in the zone's order, in parts of a quarter of a megabyte.
 *
 * A large one is written in several database transactions, so that neither memory nor the time in
 * which the database is held grows with the zone. Its parts stand under its own step and count for
 * nothing until its head is there; the head comes last, together with the removal of what it
 * replaces, so an image is there whole or not at all. What a crash left of one is swept away by the
 * next image of the zone.
 */
#include "store/store.h"

#include "base/memory.h"
#include "store/number.h"
#include "store/store_impl.h"

enum { FLUSH_BYTES = 1 << 20 };

struct store_image {
    struct store *store;
    struct store_zone *zone;
    struct store_entry *entry; /* the caller's: told its step and size */
    bool restarts;
    struct text parts; /* values, ready to be put, one after the other */
    size_t ends[FLUSH_BYTES / VALUE_PART_BYTES * 2 + 2]; /* of the values */
    uint32_t part_count;                                 /* in `parts` */
    uint32_t first_part;                                 /* number of the first of them */
    bool is_open; /* the last value in `parts` is not ended */
    size_t open_start;
    uint64_t size_bytes;
    const struct fingerprint *lanes;
    uint64_t sequence;
};

static struct slice image_key(const struct store_image *image, enum value_kind kind, uint32_t part,
                              uint8_t bytes[VALUE_KEY_SIZE])
{
    value_key_write(&(struct value_key){image->zone->id, (uint8_t)kind, image->entry->step, part},
                    bytes);
    return slice_of(bytes, VALUE_KEY_SIZE);
}

enum result store_image_begin(struct store *store, struct store_zone *zone,
                              struct store_entry *entry, bool restarts, struct store_image **out,
                              struct error *err)
{
    enum result result = store_zone_load(store, zone, err);
    if (result != OK) {
        return result;
    }
    struct store_image *image = memory_new_zeroed(1, sizeof(*image));
    image->store = store;
    image->zone = zone;
    image->entry = entry;
    image->restarts = restarts;
    text_init(&image->parts, 0);
    pthread_mutex_lock(&store->lock);
    if (restarts) {
        entry->step = zone->next_step++;
    }
    REQUIRE(restarts || entry->step <= zone->last_step);
    pthread_mutex_unlock(&store->lock);
    *out = image;
    return OK;
}

static void end_part(struct store_image *image)
{
    if (image->is_open) {
        uint8_t key[VALUE_KEY_SIZE];
        value_end(&image->parts, image->open_start,
                  image_key(image, VALUE_IMAGE_PART, image->first_part + image->part_count, key));
        image->ends[image->part_count++] = image->parts.size;
        image->is_open = false;
    }
}

static enum result write_parts(struct store *store, struct database_txn *txn, void *context,
                               struct error *err)
{
    const struct store_image *image = context;
    enum result result = OK;
    size_t start = 0;
    (void)store;
    for (uint32_t i = 0; result == OK && i < image->part_count; i++) {
        uint8_t key[VALUE_KEY_SIZE];
        struct slice value = slice_of(image->parts.bytes + start, image->ends[i] - start);
        result = database_put(txn, DATABASE_DATA,
                              image_key(image, VALUE_IMAGE_PART, image->first_part + i, key), value,
                              err);
        start = image->ends[i];
    }
    return result;
}

enum result store_image_add(struct store_image *image, const struct record *record,
                            struct error *err)
{
    size_t size = wire_record_size(record);
    uint8_t head[NAME_MAX_SIZE + 10];
    struct record without_data = *record;
    if (image->is_open && image->parts.size - image->open_start + size > VALUE_PART_BYTES) {
        end_part(image);
    }
    if (!image->is_open && image->parts.size >= FLUSH_BYTES) {
        enum result result = store_write_database(image->store, write_parts, image, err);
        if (result != OK) {
            return result;
        }
        image->first_part += image->part_count;
        image->part_count = 0;
        text_reset(&image->parts);
    }
    if (!image->is_open) {
        image->open_start = value_begin(&image->parts, VALUE_IMAGE_PART);
        image->is_open = true;
    }
    without_data.rdata.size = 0;
    size_t head_size = wire_record_write(&without_data, head);
    put_u16(head + head_size - 2, (uint16_t)record->rdata.size);
    text_add(&image->parts, head, head_size);
    text_add(&image->parts, record->rdata.data, record->rdata.size);
    image->size_bytes += size;
    return OK;
}

/* The last parts, the head, and what goes with it; the journal's puts first, since the head may
 * make some of them superfluous. */
static enum result write_end(struct store *store, struct database_txn *txn, void *context,
                             struct error *err)
{
    struct store_image *image = context;
    struct text head;
    uint8_t key[VALUE_KEY_SIZE];
    uint8_t bytes[VALUE_ENTRY_SIZE];
    uint8_t lanes[VALUE_LANES_SIZE];
    enum result result = store_put_pending(store, txn, 0, &image->sequence, err);
    if (result == OK) {
        result = write_parts(store, txn, image, err);
    }
    if (result != OK) {
        return result;
    }
    text_init(&head, 0);
    size_t start = value_begin(&head, VALUE_IMAGE_HEAD);
    struct value_entry entry = {
        .entry = *image->entry,
        .parts = image->first_part + image->part_count,
        .flags = (uint8_t)((image->restarts ? VALUE_RESTARTS : 0) |
                           (image->lanes != NULL ? VALUE_HAS_LANES : 0)),
    };
    value_entry_write(&entry, bytes);
    text_add(&head, bytes, sizeof(bytes));
    if (image->lanes != NULL) {
        value_lanes_write(image->lanes, lanes);
        text_add(&head, lanes, sizeof(lanes));
    }
    struct slice head_key = image_key(image, VALUE_IMAGE_HEAD, 0, key);
    value_end(&head, start, head_key);
    result = database_put(txn, DATABASE_DATA, head_key, text_slice(&head), err);
    if (result == OK) {
        result = store_tidy_images(txn, image->zone->id, image->entry->step, image->restarts, err);
    }
    if (result == OK && image->restarts) {
        uint8_t zone_key[VALUE_ZONE_KEY_SIZE];
        size_t size;
        text_reset(&head);
        start = value_begin(&head, VALUE_LAST);
        put_u64(bytes, image->entry->step);
        put_u32(bytes + 8, image->entry->to.value);
        text_add(&head, bytes, 12);
        value_key_write(&(struct value_key){image->zone->id, VALUE_LAST, 0, 0}, key);
        value_end(&head, start, slice_of(key, sizeof(key)));
        result =
            database_put(txn, DATABASE_DATA, slice_of(key, sizeof(key)), text_slice(&head), err);
        store_zone_key(image->zone, zone_key, &size);
        text_reset(&head);
        start = value_begin(&head, VALUE_ZONE);
        put_u32(bytes, image->zone->id);
        text_add(&head, bytes, 4);
        value_end(&head, start, slice_of(zone_key, size));
        if (result == OK) {
            result =
                database_put(txn, DATABASE_ZONES, slice_of(zone_key, size), text_slice(&head), err);
        }
    }
    text_deinit(&head);
    return result;
}

enum result store_image_commit(struct store_image *image, const struct fingerprint *lanes,
                               struct error *err)
{
    struct store *store = image->store;
    struct store_zone *zone = image->zone;
    end_part(image);
    image->lanes = lanes;
    image->entry->from = image->entry->to;
    image->entry->size_bytes = image->size_bytes;
    enum result result = store_write_database(store, write_end, image, err);
    if (result != OK) {
        store_image_abort(image);
        return result;
    }
    store_drop_pending(store, image->sequence);
    struct value_entry entry = {
        .entry = *image->entry,
        .parts = image->first_part + image->part_count,
        .flags = (uint8_t)((image->restarts ? VALUE_RESTARTS : 0) |
                           (lanes != NULL ? VALUE_HAS_LANES : 0)),
    };
    pthread_mutex_lock(&store->lock);
    zone->is_on_disk = true;
    store_index_image(store, zone, &entry);
    pthread_mutex_unlock(&store->lock);
    text_deinit(&image->parts);
    memory_free(image);
    return OK;
}

void store_image_abort(struct store_image *image)
{
    if (image == NULL) {
        return;
    }
    if (image->restarts) {
        pthread_mutex_lock(&image->store->lock);
        image->zone->next_step = image->zone->last_step + 1;
        pthread_mutex_unlock(&image->store->lock);
    }
    text_deinit(&image->parts);
    memory_free(image);
}

/* --- Reading. --- */

/* Where the values of an image come from: copies out of the journal's overlay (small images, one
 * part), or a snapshot of the database. */
struct reading {
    struct store *store;
    struct store_zone *zone;
    bool is_pending;
    struct text head_copy;
    struct text part_copy;
    struct database_txn txn;
    struct value_entry head;
};

static struct slice reading_key(const struct reading *r, enum value_kind kind, uint32_t part,
                                uint8_t bytes[VALUE_KEY_SIZE])
{
    value_key_write(&(struct value_key){r->zone->id, (uint8_t)kind, r->head.entry.step, part},
                    bytes);
    return slice_of(bytes, VALUE_KEY_SIZE);
}

/* Under the lock. */
static void copy_pending(struct reading *r)
{
    uint8_t key[VALUE_KEY_SIZE];
    const struct pending_put *head =
        store_pending_find(r->zone, reading_key(r, VALUE_IMAGE_HEAD, 0, key));
    const struct pending_put *part =
        store_pending_find(r->zone, reading_key(r, VALUE_IMAGE_PART, 0, key));
    r->is_pending = head != NULL && part != NULL;
    if (r->is_pending) {
        text_add(&r->head_copy, head->value.data, head->value.size);
        text_add(&r->part_copy, part->value.data, part->value.size);
    }
}

/* Finds the head's value; a transaction is open afterwards where it is not pending. */
static enum result find_head(struct reading *r, struct slice *out, struct error *err)
{
    uint8_t key[VALUE_KEY_SIZE];
    for (;;) {
        uint64_t before = r->head.entry.step;
        pthread_mutex_lock(&r->store->lock);
        r->head.entry.step = r->zone->image.step;
        copy_pending(r);
        pthread_mutex_unlock(&r->store->lock);
        if (r->head.entry.step == 0) {
            return ERR_NOT_FOUND;
        }
        if (r->is_pending) {
            *out = text_slice(&r->head_copy);
            return OK;
        }
        if (r->head.entry.step == before) {
            return error_set(err, ERR_CORRUPT, "the head of the stored image is missing");
        }
        enum result result = database_begin_read(r->store->database, &r->txn, err);
        if (result == OK) {
            result = database_get(&r->txn, DATABASE_DATA, reading_key(r, VALUE_IMAGE_HEAD, 0, key),
                                  out, err);
        }
        if (result != ERR_NOT_FOUND) {
            return result;
        }
        database_abort(&r->txn); /* replaced by a newer image meanwhile, or damaged */
    }
}

static enum result read_head(struct reading *r, struct fingerprint *out_lanes, bool *out_has_lanes,
                             struct error *err)
{
    uint8_t key[VALUE_KEY_SIZE];
    struct slice value;
    struct slice content;
    enum result result = find_head(r, &value, err);
    if (result == OK) {
        result = value_check(reading_key(r, VALUE_IMAGE_HEAD, 0, key), value, VALUE_IMAGE_HEAD,
                             &content, err);
    }
    if (result != OK) {
        return result;
    }
    if (content.size < VALUE_ENTRY_SIZE || !value_entry_read(content.data, &r->head)) {
        return error_set(err, ERR_CORRUPT, "the head of the stored image is damaged");
    }
    bool has_lanes = out_lanes != NULL && (r->head.flags & VALUE_HAS_LANES) != 0 &&
                     content.size == VALUE_ENTRY_SIZE + VALUE_LANES_SIZE;
    if (has_lanes) {
        value_lanes_read(content.data + VALUE_ENTRY_SIZE, out_lanes);
    }
    if (out_has_lanes != NULL) {
        *out_has_lanes = has_lanes;
    }
    return OK;
}

static enum result read_parts(struct reading *r, store_records *add, void *context,
                              struct error *err)
{
    enum result result = OK;
    uint64_t size = 0;
    for (uint32_t part = 0; result == OK && part < r->head.parts; part++) {
        uint8_t bytes[VALUE_KEY_SIZE];
        struct slice key = reading_key(r, VALUE_IMAGE_PART, part, bytes);
        struct slice value = text_slice(&r->part_copy);
        struct slice records = {NULL, 0};
        if (!r->is_pending) {
            result = database_get(&r->txn, DATABASE_DATA, key, &value, err);
        } else if (part != 0) {
            result = ERR_NOT_FOUND;
        }
        if (result == ERR_NOT_FOUND) {
            return error_set(err, ERR_CORRUPT, "part %u of %u of the stored image is missing", part,
                             r->head.parts);
        }
        if (result == OK) {
            result = value_check(key, value, VALUE_IMAGE_PART, &records, err);
        }
        if (result == OK) {
            result = wire_records_check(records, NULL, err);
        }
        size += records.size;
        if (result == OK) {
            result = add(context, records, err);
        }
    }
    if (result == OK && size != r->head.entry.size_bytes) {
        result = error_set(err, ERR_CORRUPT, "the stored image is not what its head says");
    }
    return result;
}

enum result store_read_image(struct store *store, struct store_zone *zone, store_records *add,
                             void *context, struct store_entry *out_entry,
                             struct fingerprint *out_lanes, bool *out_has_lanes, struct error *err)
{
    struct reading r = {.store = store, .zone = zone};
    enum result result = store_zone_load(store, zone, err);
    if (result != OK) {
        return result;
    }
    text_init(&r.head_copy, 0);
    text_init(&r.part_copy, 0);
    result = read_head(&r, out_lanes, out_has_lanes, err);
    if (result == OK) {
        result = read_parts(&r, add, context, err);
    }
    if (result == OK && out_entry != NULL) {
        *out_entry = r.head.entry;
    }
    text_deinit(&r.head_copy);
    text_deinit(&r.part_copy);
    database_abort(&r.txn);
    if (result == ERR_CORRUPT) {
        char text[NAME_TEXT_SIZE];
        error_zone(err, name_format_log(zone->name, text));
    }
    return result;
}
