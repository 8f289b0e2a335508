/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening the store, and its zones.
 *
 * A directory holds: "lock" (held with flock against other servers), "history.mdb" (the database)
 * and "journal-N" (the newest commits). Opening reads the table of zones and the journal; a zone's
 * own index is read when the zone is first asked about, so a start with many zones can read them in
 * parallel.
 *
 * The journal's groups are lists of puts, in the very form that the database gets; until then they
 * overlay it (pending_put). So recovery, checkpoint and reading know one format, and a start needs
 * no write: on a full or read-only disk everything acknowledged is served all the same.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "store/checksum.h"
#include "store/number.h"
#include "store/store_impl.h"

enum { FIRST_ZONE_ROOM = 64, TABLE_SPARE = 2 };

/* Numbers are given out in a row; a larger one is damage. */
static const uint32_t zone_id_max = 1u << 28;

static const uint64_t table_key = 0x6c6f636b73746570u;

const char *store_source_name(enum store_source source)
{
    switch (source) {
    case STORE_FROM_FILE:
        return "file";
    case STORE_FROM_TRANSFER:
        return "transfer";
    case STORE_FROM_UPDATE:
        return "update";
    case STORE_FROM_API:
        return "api";
    case STORE_FROM_FEED:
        return "feed";
    case STORE_FROM_OPERATOR:
        return "operator";
    }
    return "unknown";
}

/* --- The table of zones. --- */

const struct store_zone_rare store_nothing_rare;

struct store_zone_rare *store_zone_own(struct store_zone *zone)
{
    if (zone->rare == NULL) {
        zone->rare = memory_new_zeroed(1, sizeof(*zone->rare));
    }
    return zone->rare;
}

void store_zone_key(const struct store_zone *zone, uint8_t out[VALUE_ZONE_KEY_SIZE], size_t *size)
{
    put_u16(out, zone->class);
    memcpy(out + 2, zone->name, zone->name_size);
    *size = 2u + zone->name_size;
}

static uint64_t hash_of(const uint8_t *lower, size_t size, uint16_t class)
{
    return hash_bytes(table_key ^ class, lower, size);
}

static void table_add(struct store *store, const struct store_zone *zone)
{
    uint64_t at = hash_of(zone->name, zone->name_size, zone->class);
    while (store->table[at & (store->table_room - 1)] != 0) {
        at++;
    }
    store->table[at & (store->table_room - 1)] = zone->id + 1;
    store->table_used++;
}

static struct store_zone *table_find(struct store *store, const struct name *lower, uint16_t class)
{
    if (store->table_room == 0) {
        return NULL;
    }
    for (uint64_t at = hash_of(lower->wire, lower->size, class);; at++) {
        uint32_t id = store->table[at & (store->table_room - 1)];
        if (id == 0) {
            return NULL;
        }
        struct store_zone *zone = store->zones[id - 1];
        if (zone->class == class && name_equal_case(zone->name, lower->wire)) {
            return zone;
        }
    }
}

struct store_zone *store_zone_by_id(struct store *store, uint32_t id)
{
    return id < store->zone_room ? store->zones[id] : NULL;
}

struct store_zone *store_zone_insert(struct store *store, uint32_t id, const uint8_t *name,
                                     uint16_t class)
{
    size_t size = name_size(name);
    struct store_zone *zone = arena_alloc(&store->zone_arena, sizeof(*zone) + size);
    memset(zone, 0, sizeof(*zone));
    zone->id = id;
    zone->class = class;
    zone->next_step = 1;
    zone->name_size = (uint8_t)size;
    memcpy(zone->name, name, size);
    name_lower(zone->name);
    if (id >= store->zone_room) {
        uint32_t room = store->zone_room == 0 ? FIRST_ZONE_ROOM : store->zone_room;
        while (room <= id) {
            room *= 2;
        }
        store->zones = memory_resize(store->zones, room * sizeof(*store->zones));
        memset(store->zones + store->zone_room, 0,
               (room - store->zone_room) * sizeof(*store->zones));
        store->zone_room = room;
    }
    store->zones[id] = zone;
    if (id >= store->next_id) {
        store->next_id = id + 1;
    }
    if (store->table_used * TABLE_SPARE >= store->table_room) {
        store->table_room = store->table_room == 0 ? 2 * FIRST_ZONE_ROOM : 2 * store->table_room;
        memory_free(store->table);
        store->table = memory_new_zeroed(store->table_room, sizeof(*store->table));
        store->table_used = 0;
        for (uint32_t i = 0; i < store->zone_room; i++) {
            if (store->zones[i] != NULL && i != id) {
                table_add(store, store->zones[i]);
            }
        }
    }
    table_add(store, zone);
    return zone;
}

static struct store_zone *zone_get(struct store *store, const uint8_t *name, uint16_t class,
                                   bool makes)
{
    struct name lower;
    name_copy(&lower, name);
    name_lower(lower.wire);
    pthread_mutex_lock(&store->lock);
    struct store_zone *zone = table_find(store, &lower, class);
    if (zone == NULL && makes) {
        zone = store_zone_insert(store, store->next_id, lower.wire, class);
        zone->is_loaded = true;
    }
    pthread_mutex_unlock(&store->lock);
    return zone;
}

struct store_zone *store_zone_find(struct store *store, const uint8_t *name, uint16_t class)
{
    return zone_get(store, name, class, false);
}

struct store_zone *store_zone_get(struct store *store, const uint8_t *name, uint16_t class)
{
    return zone_get(store, name, class, true);
}

const uint8_t *store_zone_name(const struct store_zone *zone)
{
    return zone->name;
}

uint16_t store_zone_class(const struct store_zone *zone)
{
    return zone->class;
}

void store_each_zone(struct store *store, bool (*visit)(void *context, struct store_zone *zone),
                     void *context)
{
    bool goes_on = true;
    for (uint32_t id = 0; goes_on; id++) {
        pthread_mutex_lock(&store->lock);
        struct store_zone *zone = store_zone_by_id(store, id);
        bool ends = id >= store->next_id;
        bool is_on_disk = zone != NULL && zone->is_on_disk;
        pthread_mutex_unlock(&store->lock);
        if (ends) {
            break;
        }
        goes_on = !is_on_disk || visit(context, zone);
    }
}

/* --- The overlay. --- */

struct pending_put *store_pending_find(const struct store_zone *zone, struct slice key)
{
    struct pending_put *found = NULL;
    for (struct pending_put *put = store_pending_first(zone); put != NULL;
         put = store_pending_next(zone, put)) {
        if (put->table == DATABASE_DATA && slice_equal(put->key, key)) {
            found = put;
        }
    }
    return found;
}

static void follow_put(struct store *store, struct store_zone *zone, struct pending_put *put)
{
    struct value_key key;
    struct value_entry entry;
    struct slice content;
    zone->is_on_disk = true;
    if (put->table != DATABASE_DATA || put->deletes || !zone->is_loaded ||
        !value_key_read(put->key, &key)) {
        return;
    }
    content = slice_of(put->value.data + VALUE_HEADER_SIZE, put->value.size - VALUE_HEADER_SIZE);
    if (key.kind == VALUE_CHUNK && key.part == 0 && value_entry_read(content.data, &entry)) {
        store_index_chunk(store, zone, &entry, put);
    } else if (key.kind == VALUE_IMAGE_HEAD && value_entry_read(content.data, &entry)) {
        store_index_image(store, zone, &entry);
    }
}

static struct store_zone *zone_of_put(struct store *store, const struct pending_put *put)
{
    struct value_key key;
    struct slice content;
    if (put->table == DATABASE_DATA) {
        return value_key_read(put->key, &key) ? store_zone_by_id(store, key.zone_id) : NULL;
    }
    if (put->table != DATABASE_ZONES || put->key.size < 3 ||
        name_check(slice_of(put->key.data + 2, put->key.size - 2)) != put->key.size - 2 ||
        value_check(put->key, put->value, VALUE_ZONE, &content, NULL) != OK || content.size != 4) {
        return NULL;
    }
    uint32_t id = get_u32(content.data);
    if (id > zone_id_max) {
        return NULL;
    }
    struct store_zone *zone = store_zone_by_id(store, id);
    return zone != NULL ? zone
                        : store_zone_insert(store, id, put->key.data + 2, get_u16(put->key.data));
}

void store_take_group(struct store *store, uint64_t sequence, struct text *payload)
{
    struct pending_group *group = memory_new_zeroed(1, sizeof(*group));
    group->sequence = sequence;
    group->payload = *payload;
    text_init(payload, 0);
    const uint8_t *p = (const uint8_t *)text_str(&group->payload); /* may be empty */
    const uint8_t *end = p + group->payload.size;
    size_t room = 0;
    for (const uint8_t *q = p; q < end;) {
        uint32_t size = get_u32(q + 4);
        q += 8 + get_u16(q + 2) + (size == UINT32_MAX ? 0 : size);
        room++;
    }
    group->puts = memory_new_zeroed(room == 0 ? 1 : room, sizeof(*group->puts));
    while (p < end) {
        struct pending_put *put = &group->puts[group->put_count++];
        uint16_t key_size = get_u16(p + 2);
        uint32_t value_size = get_u32(p + 4);
        put->sequence = sequence;
        put->table = p[0] == DATABASE_ZONES ? DATABASE_ZONES : DATABASE_DATA;
        put->deletes = value_size == UINT32_MAX;
        put->key = slice_of(p + 8, key_size);
        put->value = slice_of(p + 8 + key_size, put->deletes ? 0 : value_size);
        p += 8 + key_size + put->value.size;
        struct store_zone *zone = zone_of_put(store, put);
        if (zone == NULL) {
            /* Of a zone whose entry is lost: the database keeps it from nobody's sight. */
            put->key.size = 0;
            continue;
        }
        if (zone->last_pending == NULL) {
            put->next = put;
        } else {
            put->next = zone->last_pending->next;
            zone->last_pending->next = put;
        }
        zone->last_pending = put;
        follow_put(store, zone, put);
    }
    if (store->last_group == NULL) {
        store->first_group = group;
    } else {
        store->last_group->next = group;
    }
    store->last_group = group;
    store->pending_bytes += group->payload.size;
    store_note_group(store, group);
}

/* --- Opening. --- */

static void report(struct store *store, const uint8_t *zone, const char *text)
{
    if (store->report != NULL) {
        store->report(store->report_context, zone, text);
    }
}

static void on_damage(void *context, bool lost, const char *text)
{
    (void)lost;
    report(context, NULL, text);
}

/* The journal's checksums have been checked; the puts inside must be whole all the same. */
static bool group_is_whole(struct slice payload)
{
    size_t offset = 0;
    while (offset < payload.size) {
        if (payload.size - offset < 8) {
            return false;
        }
        uint64_t key_size = get_u16(payload.data + offset + 2);
        uint64_t value_size = get_u32(payload.data + offset + 4);
        value_size = value_size == UINT32_MAX ? 0 : value_size;
        if (payload.data[offset] >= DATABASE_TABLES || key_size == 0 ||
            key_size > DATABASE_KEY_SIZE || key_size + value_size > payload.size - offset - 8) {
            return false;
        }
        offset += 8 + key_size + value_size;
    }
    return true;
}

static void on_lost(void *context, uint64_t first, uint64_t last)
{
    struct store *store = context;
    store->lost_first = first;
    store->lost_last = last;
}

/* The group behind a hole: its note says whose commits are gone. */
static void tell_lost(struct store *store, struct slice payload)
{
    char text[200];
    size_t zones = 0;
    uint64_t unknown = store_note_mark(store, store->lost_first, store->lost_last, payload, &zones);
    snprintf(text, sizeof(text),
             "of %zu zones the newest commits are lost with the journal's groups", zones);
    if (zones != 0) {
        report(store, NULL, text);
    }
    snprintf(text, sizeof(text), "whose commits %llu of the lost groups held is not known",
             (unsigned long long)unknown);
    if (unknown != 0) {
        report(store, NULL, text);
    }
}

static void on_group(void *context, uint64_t sequence, struct slice payload)
{
    struct store *store = context;
    struct text copy;
    bool is_behind_hole = store->lost_last != 0 && sequence == store->lost_last + 1;
    if (is_behind_hole && group_is_whole(payload)) {
        tell_lost(store, payload);
    }
    store->lost_first = store->lost_last = 0;
    if (!group_is_whole(payload)) {
        report(store, NULL, "a group of the journal is not in our format and was left out");
        return;
    }
    text_init(&copy, 0);
    text_add(&copy, payload.data, payload.size);
    store_take_group(store, sequence, &copy);
}

/* A zone whose entry is damaged still has a name: it is there, and damaged. */
static void keep_lost(struct store *store, struct slice key)
{
    store->has_lost_zones = true;
    if (key.size >= 3 && name_check(slice_of(key.data + 2, key.size - 2)) == key.size - 2) {
        text_add(&store->lost_zones, key.data, key.size);
    }
}

static void add_lost_zones(struct store *store)
{
    struct slice rest = text_slice(&store->lost_zones);
    while (rest.size != 0) {
        struct name name;
        uint16_t class = get_u16(rest.data);
        size_t size = name_size(rest.data + 2);
        name_copy(&name, rest.data + 2);
        name_lower(name.wire);
        if (table_find(store, &name, class) == NULL) {
            struct store_zone *zone = store_zone_insert(store, store->next_id, name.wire, class);
            zone->is_on_disk = true;
            zone->is_loaded = true;
            store_zone_own(zone)->damage = "the zone's entry in the store is damaged";
        }
        rest = slice_of(rest.data + 2 + size, rest.size - 2 - size);
    }
    text_deinit(&store->lost_zones);
}

/* What the lost zones have in the data table must never become another zone's. */
static enum result skip_used_ids(struct store *store, struct database_txn *txn, struct error *err)
{
    for (;;) {
        struct database_cursor cursor;
        struct slice key;
        struct slice value;
        struct value_key k = {.zone_id = store->next_id};
        uint8_t from[VALUE_KEY_SIZE];
        value_key_write(&k, from);
        enum result result = database_cursor_open(txn, DATABASE_DATA, slice_of(from, sizeof(from)),
                                                  &cursor, &key, &value, err);
        bool ends = result != OK || !value_key_read(key, &k) || k.zone_id > (1u << 28);
        database_cursor_close(&cursor);
        if (ends) {
            return result == ERR_NOT_FOUND ? OK : result;
        }
        store->next_id = k.zone_id + 1;
    }
}

static enum result read_zones(struct store *store, uint64_t *applied, struct error *err)
{
    struct database_txn txn;
    struct database_cursor cursor;
    struct slice key;
    struct slice value;
    enum result result = database_begin_read(store->database, &txn, err);
    if (result != OK) {
        return result;
    }
    *applied = 0;
    result = database_get(&txn, DATABASE_META, slice_str("format"), &value, err);
    if (result == OK && (value.size != 4 || get_u32(value.data) != VALUE_FORMAT)) {
        database_abort(&txn);
        return error_set(err, ERR_CORRUPT, "the store has a format this version does not know");
    }
    result = database_get(&txn, DATABASE_META, slice_str("applied"), &value, err);
    if (result == OK && value.size == 12 &&
        get_u32(value.data + 8) == checksum_add(0, value.data, 8)) {
        *applied = get_u64(value.data);
    } else if (result == OK) {
        /* Reading a group again that the database has changes nothing. */
        report(store, NULL, "what the database has of the journal is damaged; all of it is read");
    }
    result =
        database_cursor_open(&txn, DATABASE_ZONES, slice_of(NULL, 0), &cursor, &key, &value, err);
    for (; result == OK; result = database_cursor_next(&cursor, &key, &value, err)) {
        struct slice content;
        if (key.size < 3 || name_check(slice_of(key.data + 2, key.size - 2)) != key.size - 2 ||
            value_check(key, value, VALUE_ZONE, &content, NULL) != OK || content.size != 4 ||
            get_u32(content.data) > zone_id_max ||
            store_zone_by_id(store, get_u32(content.data)) != NULL) {
            report(store, NULL, "the entry of a zone in the store is damaged");
            keep_lost(store, key);
            continue;
        }
        store_zone_insert(store, get_u32(content.data), key.data + 2, get_u16(key.data))
            ->is_on_disk = true;
    }
    database_cursor_close(&cursor);
    if (result == ERR_NOT_FOUND) {
        result = store->has_lost_zones ? skip_used_ids(store, &txn, err) : OK;
    }
    database_abort(&txn);
    return result;
}

static enum result make_directory(const char *path, struct error *err)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof(part)) {
        return error_set(err, ERR_IO, "the path of the store is too long");
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0750) != 0 && errno != EEXIST && errno != EROFS) {
                return error_set_os(err, ERR_IO, "the store's directory %s cannot be made", part);
            }
        }
    }
    return OK;
}

static enum result lock_directory(struct store *store, const char *path, struct error *err)
{
    enum result result = make_directory(path, err);
    if (result != OK) {
        return result;
    }
    store->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory_fd < 0) {
        return error_set_os(err, ERR_IO, "the store's directory %s cannot be opened", path);
    }
    store->lock_fd =
        openat(store->directory_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (store->lock_fd < 0 && errno == EROFS) {
        store->lock_fd = openat(store->directory_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (store->lock_fd < 0) {
        return error_set_os(err, ERR_IO, "%s/lock cannot be opened", path);
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? error_set(err, ERR_BUSY, "another process has the store %s open", path)
                   : error_set_os(err, ERR_IO, "%s/lock cannot be locked", path);
    }
    return OK;
}

static enum result open_database(struct store *store, const struct store_options *options,
                                 struct error *err)
{
    char path[PATH_MAX];
    char aside[512];
    char text[1200];
    struct error inner = {0};
    if ((size_t)snprintf(path, sizeof(path), "%s/history.mdb", options->directory) >= 480) {
        return error_set(err, ERR_IO, "the path of the store is too long");
    }
    struct database_options database = {path, options->map_bytes, options->max_bytes,
                                        options->hook};
    bool is_mended = false;
    enum result result = database_open(&database, &store->database, &is_mended, &inner);
    if (is_mended) {
        report(store, NULL,
               "the newest state of history.mdb was damaged, the one before it is used");
    }
    if (result != ERR_CORRUPT) {
        if (result != OK && err != NULL) {
            *err = inner;
        }
        return result;
    }
    result = database_set_aside(path, aside, err);
    if (result != OK) {
        return result;
    }
    snprintf(text, sizeof(text), "%s; it is kept as %s and a new one is begun", inner.text, aside);
    report(store, NULL, text);
    return database_open(&database, &store->database, &is_mended, err);
}

enum result store_open(const struct store_options *options, store_report *on_report, void *context,
                       struct store **out, struct error *err)
{
    struct store *store = memory_new_zeroed(1, sizeof(*store));
    uint64_t applied = 0;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->removed, NULL);
    text_init(&store->lost_zones, 0);
    arena_init(&store->zone_arena, 0);
    store->directory_fd = store->lock_fd = -1;
    store->report = on_report;
    store->report_context = context;
    uint64_t max_bytes = options->max_bytes != 0 ? options->max_bytes : UINT64_C(1) << 40;
    store->max_history_bytes =
        options->max_history_bytes != 0 ? options->max_history_bytes : max_bytes / 4;
    enum result result = lock_directory(store, options->directory, err);
    if (result == OK) {
        result = open_database(store, options, err);
    }
    if (result == OK) {
        result = read_zones(store, &applied, err);
    }
    if (result == OK) {
        struct journal_options journal = {store->directory_fd, options->journal_segment_bytes, 0,
                                          options->hook};
        struct journal_recovery recovery = {store, on_group, on_damage, on_lost};
        result = journal_open(&journal, applied, &recovery, &store->journal, err);
    }
    if (result == OK) {
        add_lost_zones(store);
    }
    if (result != OK) {
        store_close(store);
        return result;
    }
    store->report = NULL;
    *out = store;
    return OK;
}

static void zone_deinit(struct store_zone *zone)
{
    if (zone != NULL) {
        memory_free(store_rare(zone)->items);
        memory_free(zone->rare);
        memory_free(zone->image.digest);
    }
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->journal != NULL) {
        struct error ignored = {0};
        enum result result = store_checkpoint(store, &ignored);
        (void)result; /* what stays in the journal is found there at the next start */
    }
    while (store->first_group != NULL) {
        struct pending_group *group = store->first_group;
        store->first_group = group->next;
        text_deinit(&group->payload);
        memory_free(group->puts);
        memory_free(group);
    }
    journal_close(store->journal);
    database_close(store->database);
    for (uint32_t i = 0; i < store->zone_room; i++) {
        zone_deinit(store->zones[i]);
    }
    arena_deinit(&store->zone_arena);
    memory_free(store->zones);
    memory_free(store->table);
    text_deinit(&store->lost_zones);
    store_note_deinit(store);
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
    }
    if (store->directory_fd >= 0) {
        close(store->directory_fd);
    }
    pthread_cond_destroy(&store->removed);
    pthread_mutex_destroy(&store->lock);
    memory_free(store);
}

void store_statistics(struct store *store, struct store_statistics *out)
{
    pthread_mutex_lock(&store->lock);
    *out = store->statistics;
    out->journal_bytes = store->pending_bytes;
    pthread_mutex_unlock(&store->lock);
    out->syncs = journal_sync_count(store->journal);
    out->database_bytes = database_size_bytes(store->database);
}
