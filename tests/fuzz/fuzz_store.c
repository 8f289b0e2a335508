/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store, opened on a directory that anybody may have written: whatever stands in the journal is
 * recovered, read, moved to the database and read again, and ends in sound values or errors.
 *
 *     first octet even   the rest is the file journal-0, as it is
 *     first octet odd    the rest is puts, made into groups with good checksums, so that what is
 *                        behind the checksums is met: table u8 (255: the group ends here), kind u8
 *                        ('-': a delete), key size u8, key, content size u16, content
 *
 * An entry at the start of a chunk or an image's head gets its checksum, too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "store/checksum.h"
#include "store/database.h"
#include "store/journal.h"
#include "store/store.h"
#include "store/value.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT_BYTES = 64 << 10, ENTRIES = 32, CHECKED = VALUE_ENTRY_SIZE - 4, GROUP_ENDS = 255 };

static char directory[64];

static void remove_directory(void)
{
    DIR *files = opendir(directory);
    for (struct dirent *entry; files != NULL && (entry = readdir(files)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(files), entry->d_name, 0);
        }
    }
    if (files != NULL) {
        closedir(files);
    }
    rmdir(directory);
}

static void make_directory(void)
{
    snprintf(directory, sizeof(directory), "/dev/shm/fuzz-store-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        snprintf(directory, sizeof(directory), "/tmp/fuzz-store-XXXXXX");
        REQUIRE(mkdtemp(directory) != NULL);
    }
}

/* ---- what is written ---- */

static void write_segment(struct slice bytes)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/journal-0", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    close(fd);
}

static struct slice take(struct slice *rest, size_t size)
{
    size = size < rest->size ? size : rest->size;
    struct slice taken = slice_of(rest->data, size);
    *rest = slice_of(rest->data + size, rest->size - size);
    return taken;
}

static size_t take_number(struct slice *rest, size_t octets)
{
    size_t number = 0;
    struct slice taken = take(rest, octets);
    for (size_t i = 0; i < taken.size; i++) {
        number = number << 8 | taken.data[i];
    }
    return number;
}

static void add_content(struct text *group, uint8_t kind, struct slice content)
{
    size_t start = group->size;
    text_add(group, content.data, content.size);
    if ((kind == VALUE_CHUNK || kind == VALUE_IMAGE_HEAD) && content.size >= VALUE_ENTRY_SIZE) {
        uint8_t *entry = (uint8_t *)group->bytes + start;
        put_u32(entry + CHECKED, checksum_add(0, entry, CHECKED));
    }
    if (kind == VALUE_ZONE && content.size >= 2) { /* a large number is a large table, no more */
        group->bytes[start] = 0;
        group->bytes[start + 1] &= 1;
    }
}

static void add_put(struct text *group, uint8_t table, struct slice *rest)
{
    uint8_t kind = (uint8_t)take_number(rest, 1);
    struct slice key = take(rest, take_number(rest, 1));
    struct slice content = take(rest, take_number(rest, 2));
    uint8_t header[8] = {table};
    size_t at = group->size;
    put_u16(header + 2, (uint16_t)key.size);
    put_u32(header + 4, UINT32_MAX);
    text_add(group, header, sizeof(header));
    text_add(group, key.data, key.size);
    if (kind != '-') {
        size_t value = value_begin(group, kind);
        add_content(group, kind, content);
        value_end(group, value, key);
        put_u32((uint8_t *)group->bytes + at + 4, (uint32_t)(group->size - value));
    }
}

static void append(struct journal *journal, struct text *group)
{
    struct slice payload = text_slice(group);
    uint64_t sequence;
    if (payload.size != 0) {
        (void)!journal_append(journal, &payload, 1, &sequence, NULL); /* full: no more room */
    }
    text_reset(group);
}

static void write_groups(struct slice rest)
{
    struct journal *journal;
    struct text group;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct journal_options options = {.directory_fd = fd, .segment_bytes = SEGMENT_BYTES};
    struct journal_recovery nothing = {0};
    text_init(&group, 0);
    REQUIRE(journal_open(&options, 0, &nothing, &journal, NULL) == OK);
    while (rest.size != 0) {
        uint8_t table = (uint8_t)take_number(&rest, 1);
        if (table == GROUP_ENDS) {
            append(journal, &group);
        } else {
            add_put(&group, table % DATABASE_TABLES, &rest);
        }
    }
    append(journal, &group);
    text_deinit(&group);
    journal_close(journal);
    close(fd);
}

/* ---- what is read ---- */

static void report(void *context, const uint8_t *zone, const char *text)
{
    (void)context;
    (void)zone;
    REQUIRE(text[0] != '\0');
}

static enum result count_records(void *context, struct slice records, struct error *err)
{
    struct record record;
    size_t offset = 0;
    (void)err;
    while (wire_records_next(records, &offset, &record)) {
        ++*(uint64_t *)context;
    }
    return OK;
}

static void read_chunk(struct store *store, struct store_zone *zone, uint64_t step)
{
    struct chunk *chunk = NULL;
    struct delta *delta = NULL;
    struct error err = {0};
    enum result result = store_read_chunk(store, zone, step, &chunk, &err);
    if (result != OK) {
        REQUIRE(err.code != OK || result == ERR_NOT_FOUND); /* trimmed: nothing to say */
        return;
    }
    if (chunk_to_delta(chunk, store_zone_name(zone), store_zone_class(zone), &delta, &err) == OK) {
        REQUIRE(delta_count(delta) >= 2);
        delta_free(delta);
    }
    chunk_unref(chunk);
}

static bool read_zone(void *context, struct store_zone *zone)
{
    struct store *store = context;
    struct store_status status = {0};
    struct store_entry entries[ENTRIES], entry;
    struct fingerprint lanes;
    uint8_t meta[STORE_META_MAX];
    uint64_t records = 0;
    size_t size = 0;
    bool has_lanes;
    struct error err = {0};
    (void)!store_zone_status(store, zone, &status, &err);
    (void)!store_read_image(store, zone, count_records, &records, &entry, &lanes, &has_lanes, &err);
    size_t count = store_history(store, zone, 0, entries, ENTRIES);
    REQUIRE(count <= ENTRIES);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(i == 0 || entries[i].step > entries[i - 1].step);
        read_chunk(store, zone, entries[i].step);
        (void)!store_read_entry(store, zone, entries[i].step, &entry, &err);
    }
    (void)!store_read_entry(store, zone, status.last_step, &entry, &err);
    for (uint32_t number = 0; number < 3; number++) {
        (void)!store_read_meta(store, zone, number, meta, sizeof(meta), &size, &err);
    }
    return true;
}

/* A store that was recovered takes changes, whatever was in it. */
static void change(struct store *store)
{
    struct name name;
    struct store_txn *txn = store_txn_begin(store);
    REQUIRE(name_parse_str("fuzz.example.", &name, NULL) == OK);
    store_txn_meta(txn, store_zone_get(store, name.wire, CLASS_IN), 1, slice_str("x"));
    (void)!store_txn_commit(txn, &(struct error){0});
}

static void open_and_read(void)
{
    struct store_options options = {.directory = directory,
                                    .journal_segment_bytes = SEGMENT_BYTES,
                                    .map_bytes = 1 << 20,
                                    .max_bytes = 64 << 20};
    struct store *store;
    struct error err = {0};
    if (store_open(&options, report, NULL, &store, &err) != OK) {
        REQUIRE(err.code != OK);
        return;
    }
    store_each_zone(store, read_zone, store);
    change(store);
    (void)!store_checkpoint(store, &err);
    store_each_zone(store, read_zone, store);
    store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    make_directory();
    if (data[0] % 2 == 0) {
        write_segment(slice_of(data + 1, size - 1));
    } else {
        write_groups(slice_of(data + 1, size - 1));
    }
    open_and_read();
    open_and_read();
    remove_directory();
    return 0;
}
