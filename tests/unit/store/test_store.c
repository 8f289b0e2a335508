/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "wire/name.h"

enum { SMALL_SEGMENT = 1 << 20, ALL_KINDS = -1 };

struct scene {
    char path[64];
    struct store *store;
    struct store_options options;
    unsigned reports;
    int fail_at; /* the n-th write of any kind fails; 0: none */
    int fail_errno;
    int fail_kind; /* enum store_write or ALL_KINDS */
    bool fail_onwards;
    struct error err;
};

static int fail_by_number(void *context, enum store_write what)
{
    struct scene *scene = context;
    if (scene->fail_at == 0 || (scene->fail_kind != ALL_KINDS && scene->fail_kind != (int)what)) {
        return 0;
    }
    if (scene->fail_at > 1) {
        scene->fail_at--;
        return 0;
    }
    if (!scene->fail_onwards) {
        scene->fail_at = 0;
    }
    return scene->fail_errno;
}

static void on_report(void *context, const uint8_t *zone, const char *text)
{
    struct scene *scene = context;
    (void)zone;
    assert_true(strlen(text) > 10);
    scene->reports++;
}

static void open_store(struct scene *scene)
{
    store_close(scene->store);
    scene->store = NULL;
    scene->reports = 0;
    assert_int_equal(store_open(&scene->options, on_report, scene, &scene->store, &scene->err), OK);
}

/* As after kill -9: what is in memory is gone without a checkpoint. */
static void crash(struct scene *scene)
{
    scene->fail_at = 1;
    scene->fail_kind = ALL_KINDS;
    scene->fail_errno = EIO;
    scene->fail_onwards = true;
    store_close(scene->store);
    scene->store = NULL;
    scene->fail_at = 0;
    scene->fail_onwards = false;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->path, "/tmp/lockstep-store-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->options = (struct store_options){
        .directory = scene->path,
        .journal_segment_bytes = SMALL_SEGMENT,
        .map_bytes = 1 << 20,
        .hook = {fail_by_number, scene},
    };
    open_store(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    store_close(scene->store);
    DIR *directory = opendir(scene->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    rmdir(scene->path);
    free(scene);
    return 0;
}

static struct store_zone *zone_named(struct scene *scene, const char *name)
{
    struct name wire;
    assert_int_equal(name_parse_str(name, &wire, NULL), OK);
    return store_zone_get(scene->store, wire.wire, CLASS_IN);
}

/* SOA with that serial in `zone`, into `out`. */
static size_t soa_at(struct store_zone *zone, uint32_t serial, uint8_t out[300])
{
    uint8_t rdata[22] = {0};
    put_u32(rdata + 2, serial);
    struct record record = {store_zone_name(zone), TYPE_SOA, CLASS_IN, 60, slice_of(rdata, 22)};
    return wire_record_write(&record, out);
}

static size_t txt_of(struct store_zone *zone, unsigned size, uint8_t *out)
{
    static uint8_t rdata[65536];
    size_t length = 0;
    while (length + 256 <= size) {
        rdata[length] = 255;
        length += 256;
    }
    rdata[length] = 1;
    rdata[length + 1] = 'x';
    struct record record = {store_zone_name(zone), TYPE_TXT, CLASS_IN, 60,
                            slice_of(rdata, length + 2)};
    return wire_record_write(&record, out);
}

/* A delta of one TXT record of about `size` octets. */
static struct chunk *chunk_between(struct store_zone *zone, uint32_t from, uint32_t to,
                                   unsigned size)
{
    struct chunk *chunk;
    uint8_t *bytes = malloc(size + 2000);
    size_t length = soa_at(zone, from, bytes);
    length += soa_at(zone, to, bytes + length);
    length += txt_of(zone, size < 65000 ? size : 65000, bytes + length);
    while (length + 66000 < size) {
        length += txt_of(zone, 65000, bytes + length);
    }
    assert_int_equal(chunk_of_bytes(slice_of(bytes, length), &chunk, NULL), OK);
    free(bytes);
    return chunk;
}

static struct store_entry entry_of(uint32_t from, uint32_t to, int64_t time_s)
{
    return (struct store_entry){.from = {from},
                                .to = {to},
                                .source = STORE_FROM_UPDATE,
                                .time_s = time_s,
                                .record_count = 7,
                                .has_digest = true,
                                .digest = {1, 2, 3}};
}

static enum result begin_zone(struct scene *scene, struct store_zone *zone, uint32_t serial)
{
    uint8_t bytes[300];
    struct store_entry entry = entry_of(serial, serial, 1000);
    struct store_txn *txn = store_txn_begin(scene->store);
    store_txn_image(txn, zone, &entry, slice_of(bytes, soa_at(zone, serial, bytes)));
    return store_txn_commit(txn, &scene->err);
}

static enum result step_zone(struct scene *scene, struct store_zone *zone, uint32_t from,
                             uint32_t to, unsigned size)
{
    struct chunk *chunk = chunk_between(zone, from, to, size);
    struct store_entry entry = entry_of(from, to, 1000 + to);
    struct store_txn *txn = store_txn_begin(scene->store);
    store_txn_delta(txn, zone, &entry, chunk);
    enum result result = store_txn_commit(txn, &scene->err);
    chunk_unref(chunk);
    return result;
}

static enum result count_octets(void *context, struct slice records, struct error *err)
{
    (void)err;
    *(size_t *)context += records.size;
    return OK;
}

/* The zone is restorable: image, then deltas without a gap up to `serial`. Returns the deltas. */
static unsigned assert_zone_reaches(struct scene *scene, struct store_zone *zone, uint32_t serial)
{
    struct store_status status;
    struct store_entry image;
    size_t size = 0;
    unsigned count = 0;
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_int_equal(status.last_serial.value, serial);
    assert_int_equal(
        store_read_image(scene->store, zone, count_octets, &size, &image, NULL, NULL, &scene->err),
        OK);
    assert_int_equal(size, image.size_bytes);
    struct serial at = image.to;
    for (uint64_t step = image.step + 1; step <= status.last_step; step++) {
        struct chunk *chunk;
        assert_int_equal(store_read_chunk(scene->store, zone, step, &chunk, &scene->err), OK);
        assert_int_equal(chunk->from.value, at.value);
        at = chunk->to;
        chunk_unref(chunk);
        count++;
    }
    assert_int_equal(at.value, serial);
    return count;
}

static void store_has_committed_zones_after_close_and_after_a_crash(void **state)
{
    struct scene *scene = *state;
    for (unsigned how = 0; how < 2; how++) {
        char name[32];
        snprintf(name, sizeof(name), "z%u.example.", how);
        struct store_zone *zone = zone_named(scene, name);
        assert_int_equal(begin_zone(scene, zone, 10), OK);
        assert_int_equal(step_zone(scene, zone, 10, 11, 100), OK);
        assert_int_equal(step_zone(scene, zone, 11, 15, 100), OK);
        assert_int_equal(assert_zone_reaches(scene, zone, 15), 2);
        if (how == 1) {
            crash(scene);
        }
        open_store(scene);
        assert_int_equal(scene->reports, 0);
        zone = zone_named(scene, how == 0 ? "Z0.EXAMPLE." : "Z1.example.");
        assert_int_equal(assert_zone_reaches(scene, zone, 15), 2);
        struct store_entry entries[4];
        assert_int_equal(store_history(scene->store, zone, 0, entries, 4), 2);
        assert_int_equal(entries[0].from.value, 10);
        assert_int_equal(entries[1].to.value, 15);
        assert_int_equal(entries[1].source, STORE_FROM_UPDATE);
        assert_int_equal(entries[1].time_s, 1015);
        assert_int_equal(entries[1].record_count, 7);
        assert_true(entries[1].has_digest);
        assert_int_equal(entries[1].digest[2], 3);
        assert_int_equal(step_zone(scene, zone, 15, 16, 100), OK);
        assert_int_equal(assert_zone_reaches(scene, zone, 16), 3);
    }
}

static void store_commits_several_zones_with_one_sync(void **state)
{
    struct scene *scene = *state;
    struct store_statistics before;
    struct store_statistics after;
    struct store_zone *zones[3] = {zone_named(scene, "a."), zone_named(scene, "b."),
                                   zone_named(scene, "c.")};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(begin_zone(scene, zones[i], 1), OK);
    }
    store_statistics(scene->store, &before);
    struct store_txn *txn = store_txn_begin(scene->store);
    assert_true(store_txn_is_empty(txn));
    for (unsigned i = 0; i < 3; i++) {
        struct chunk *chunk = chunk_between(zones[i], 1, 2, 10);
        struct store_entry entry = entry_of(1, 2, 5);
        store_txn_delta(txn, zones[i], &entry, chunk);
        assert_int_equal(entry.step, 2);
        chunk_unref(chunk);
    }
    assert_int_equal(store_txn_commit(txn, &scene->err), OK);
    store_statistics(scene->store, &after);
    assert_int_equal(after.syncs, before.syncs + 1);
    assert_int_equal(after.commits, before.commits + 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_zone_reaches(scene, zones[i], 2);
    }
}

static void store_reads_the_same_before_and_after_a_checkpoint(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "big.example.");
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 900000), OK); /* several parts, a segment alone */
    assert_int_equal(step_zone(scene, zone, 2, 3, 10), OK);
    struct chunk *before;
    struct chunk *after;
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &before, &scene->err), OK);
    assert_true(store_journal_bytes(scene->store) > 800000);
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    assert_int_equal(store_journal_bytes(scene->store), 0);
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &after, &scene->err), OK);
    assert_int_equal(before->size, after->size);
    assert_memory_equal(before->data, after->data, after->size);
    chunk_unref(before);
    chunk_unref(after);
    assert_zone_reaches(scene, zone, 3);
    crash(scene);
    open_store(scene);
    assert_int_equal(assert_zone_reaches(scene, zone_named(scene, "big.example."), 3), 2);
}

static void store_keeps_metadata_and_takes_it_away(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "meta.example.");
    uint8_t out[16];
    size_t size;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, &scene->err),
            ERR_NOT_FOUND);
        struct store_txn *txn = store_txn_begin(scene->store);
        store_txn_meta(txn, zone, 3, slice_str("contact"));
        store_txn_meta(txn, zone, 4, slice_str("other"));
        assert_int_equal(store_txn_commit(txn, &scene->err), OK);
        assert_int_equal(
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, &scene->err), OK);
        assert_int_equal(size, 7);
        assert_memory_equal(out, "contact", 7);
        assert_int_equal(store_read_meta(scene->store, zone, 3, out, 6, &size, &scene->err),
                         ERR_LIMIT);
        if (round == 0) {
            crash(scene);
        }
        open_store(scene);
        zone = zone_named(scene, "meta.example.");
        assert_int_equal(
            store_read_meta(scene->store, zone, 4, out, sizeof(out), &size, &scene->err), OK);
        assert_memory_equal(out, "other", 5);
        txn = store_txn_begin(scene->store);
        store_txn_meta(txn, zone, 3, slice_of(NULL, 0));
        assert_int_equal(store_txn_commit(txn, &scene->err), OK);
        assert_int_equal(
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, &scene->err),
            ERR_NOT_FOUND);
        assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    }
}

/* A large image of `count` TXT records. */
static enum result write_image(struct scene *scene, struct store_zone *zone, uint64_t step,
                               uint32_t serial, bool restarts, unsigned count)
{
    static uint8_t rdata[1001];
    struct store_image *image;
    struct store_entry entry = entry_of(serial, serial, 77);
    uint8_t soa[22] = {0};
    struct record record = {store_zone_name(zone), TYPE_SOA, CLASS_IN, 60, slice_of(soa, 22)};
    struct fingerprint lanes;
    fingerprint_init(&lanes);
    lanes.lanes[1000] = 4321;
    memset(rdata, 'a', sizeof(rdata));
    for (unsigned i = 0; i < 1000; i += 250) {
        rdata[i] = 249;
    }
    entry.step = step;
    put_u32(soa + 2, serial);
    enum result result =
        store_image_begin(scene->store, zone, &entry, restarts, &image, &scene->err);
    if (result != OK) {
        return result;
    }
    result = store_image_add(image, &record, &scene->err);
    record.type = TYPE_TXT;
    record.rdata = slice_of(rdata, 1000);
    for (unsigned i = 0; result == OK && i < count; i++) {
        result = store_image_add(image, &record, &scene->err);
    }
    if (result != OK) {
        store_image_abort(image);
        return result;
    }
    return store_image_commit(image, &lanes, &scene->err);
}

static void store_renews_an_image_behind_the_deltas(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "image.example.");
    struct store_status status;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (uint32_t i = 1; i < 9; i++) {
        assert_int_equal(step_zone(scene, zone, i, i + 1, 1000), OK);
    }
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_int_equal(status.since_image_bytes, status.history_bytes);
    assert_int_equal(write_image(scene, zone, 7, 7, false, 12000), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_int_equal(status.since_image_bytes, status.history_bytes / 4);
    assert_int_equal(status.image.step, 7);
    assert_int_equal(status.history_count, 8);
    for (unsigned i = 0; i < 2; i++) {
        struct fingerprint lanes;
        bool has_lanes = false;
        size_t size = 0;
        zone = zone_named(scene, "image.example.");
        assert_int_equal(assert_zone_reaches(scene, zone, 9), 2);
        assert_int_equal(store_read_image(scene->store, zone, count_octets, &size, NULL, &lanes,
                                          &has_lanes, &scene->err),
                         OK);
        assert_true(size > 12000000);
        assert_true(has_lanes);
        assert_int_equal(lanes.lanes[1000], 4321);
        crash(scene);
        open_store(scene);
    }
}

static void store_starts_history_anew_with_a_large_image(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "anew.example.");
    struct store_status status;
    assert_int_equal(write_image(scene, zone, 0, 5, true, 3000), OK);
    assert_int_equal(step_zone(scene, zone, 5, 6, 10), OK);
    assert_int_equal(write_image(scene, zone, 0, 90, true, 3000), OK);
    assert_int_equal(step_zone(scene, zone, 90, 91, 10), OK);
    crash(scene);
    open_store(scene);
    zone = zone_named(scene, "anew.example.");
    assert_int_equal(assert_zone_reaches(scene, zone, 91), 1);
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_int_equal(status.history_count, 1);
    assert_int_equal(status.last_step, 4);
}

static void store_trims_the_oldest_deltas_that_the_image_does_not_need(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "trim.example.");
    struct store_status status;
    struct chunk *chunk;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (uint32_t i = 1; i < 41; i++) {
        assert_int_equal(step_zone(scene, zone, i, i + 1, 1000), OK);
    }
    store_zone_set_limit(zone, 20000);
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_int_equal(status.history_count, 40); /* all are needed */
    assert_int_equal(write_image(scene, zone, 31, 31, false, 10), OK);
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
    assert_true(status.history_bytes <= 20000);
    assert_true(status.history_count >= 10 && status.history_count < 20);
    assert_int_equal(store_read_chunk(scene->store, zone, 3, &chunk, &scene->err), ERR_NOT_FOUND);
    assert_int_equal(assert_zone_reaches(scene, zone, 41), 10);
    open_store(scene);
    zone = zone_named(scene, "trim.example.");
    assert_int_equal(assert_zone_reaches(scene, zone, 41), 10);
    struct store_status again;
    assert_int_equal(store_zone_status(scene->store, zone, &again, &scene->err), OK);
    assert_int_equal(again.history_count, status.history_count);
}

static void store_bounds_the_history_of_all_zones_together(void **state)
{
    struct scene *scene = *state;
    struct store_status status;
    scene->options.max_history_bytes = 30000;
    open_store(scene);
    struct store_zone *zones[2] = {zone_named(scene, "old."), zone_named(scene, "new.")};
    for (unsigned z = 0; z < 2; z++) {
        assert_int_equal(begin_zone(scene, zones[z], 1), OK);
        for (uint32_t i = 1; i < 21; i++) {
            assert_int_equal(step_zone(scene, zones[z], i + 1000 * z, i + 1 + 1000 * z, 1000), OK);
        }
        assert_int_equal(write_image(scene, zones[z], 21, 21 + 1000 * z, false, 1), OK);
    }
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    assert_int_equal(store_zone_status(scene->store, zones[0], &status, &scene->err), OK);
    assert_true(status.history_count < 12);
    assert_int_equal(store_zone_status(scene->store, zones[1], &status, &scene->err), OK);
    assert_int_equal(status.history_count, 20);
}

static void store_refuses_and_recovers_whichever_write_fails(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "full.example.");
    uint32_t serial = 1;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (int number = 1; number <= 20; number++) {
        scene->fail_at = number;
        scene->fail_kind = ALL_KINDS;
        scene->fail_errno = ENOSPC;
        for (unsigned i = 0; i < 4; i++) {
            enum result result = step_zone(scene, zone, serial, serial + 1, 1000);
            if (result == OK) {
                serial++;
            } else {
                assert_int_equal(result, ERR_IO);
                assert_int_equal(scene->err.os_errno, ENOSPC);
                scene->err = (struct error){0};
            }
            if (i == 2 && store_checkpoint(scene->store, &scene->err) != OK) {
                scene->err = (struct error){0};
            }
        }
        scene->fail_at = 0;
        assert_int_equal(step_zone(scene, zone, serial, serial + 1, 10), OK);
        serial++;
        assert_zone_reaches(scene, zone, serial);
        crash(scene);
        open_store(scene);
        assert_int_equal(scene->reports, 0);
        zone = zone_named(scene, "full.example.");
        assert_zone_reaches(scene, zone, serial);
    }
}

static void store_serves_everything_from_a_disk_that_takes_no_write(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "readonly.example.");
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 10), OK);
    crash(scene);
    scene->fail_at = 1;
    scene->fail_kind = ALL_KINDS;
    scene->fail_errno = EROFS;
    scene->fail_onwards = true;
    open_store(scene);
    zone = zone_named(scene, "readonly.example.");
    assert_zone_reaches(scene, zone, 2);
    assert_int_equal(step_zone(scene, zone, 2, 3, 10), ERR_IO);
    scene->err = (struct error){0};
    assert_int_equal(store_checkpoint(scene->store, &scene->err), ERR_IO);
    scene->err = (struct error){0};
    assert_zone_reaches(scene, zone, 2);
    scene->fail_at = 0;
    assert_int_equal(step_zone(scene, zone, 2, 3, 10), OK);
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    assert_zone_reaches(scene, zone, 3);
}

static void store_gives_history_up_where_the_database_is_full(void **state)
{
    struct scene *scene = *state;
    scene->options.max_bytes = 4 << 20;
    open_store(scene);
    struct store_zone *zone = zone_named(scene, "small.example.");
    uint32_t serial = 1;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (unsigned round = 0; round < 60; round++) {
        struct store_status status;
        for (unsigned i = 0; i < 10; i++, serial++) {
            assert_int_equal(step_zone(scene, zone, serial, serial + 1, 20000), OK);
        }
        assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
        assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), OK);
        assert_int_equal(write_image(scene, zone, status.last_step, serial, false, 1), OK);
    }
    assert_zone_reaches(scene, zone, serial);
}

static void store_directory_belongs_to_one_process(void **state)
{
    struct scene *scene = *state;
    struct store *other = NULL;
    assert_int_equal(store_open(&scene->options, NULL, NULL, &other, &scene->err), ERR_BUSY);
    assert_null(other);
}

static void store_sets_a_cut_database_aside(void **state)
{
    struct scene *scene = *state;
    char path[128];
    struct stat status;
    struct store_zone *zone = zone_named(scene, "cut.example.");
    assert_int_equal(write_image(scene, zone, 0, 5, true, 3000), OK);
    store_close(scene->store);
    scene->store = NULL;
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size / 2), 0);
    open_store(scene);
    assert_int_equal(scene->reports, 1);
    zone = zone_named(scene, "cut.example.");
    assert_int_equal(begin_zone(scene, zone, 9), OK);
    assert_zone_reaches(scene, zone, 9);
    unsigned kept = 0;
    DIR *directory = opendir(scene->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        kept += strstr(entry->d_name, "damaged") != NULL;
    }
    closedir(directory);
    assert_int_equal(kept, 1);
    store_close(scene->store);
    scene->store = NULL;
    assert_int_equal(truncate(path, 100), 0);
    open_store(scene);
    assert_int_equal(scene->reports, 1);
}

/* Flips a bit in the n-th place where `pattern` stands in the database file. */
static bool damage_database(struct scene *scene, const void *pattern, size_t size, unsigned skip)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    int fd = open(path, O_RDWR);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = malloc((size_t)status.st_size);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    bool found = false;
    for (off_t at = 0; at + (off_t)size < status.st_size && !found; at++) {
        if (memcmp(bytes + at, pattern, size) == 0 && skip-- == 0) {
            uint8_t flipped = bytes[at] ^ 4;
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            found = true;
        }
    }
    free(bytes);
    close(fd);
    return found;
}

static void store_finds_damage_and_leaves_other_zones_alone(void **state)
{
    struct scene *scene = *state;
    struct store_zone *sound = zone_named(scene, "sound.example.");
    struct store_zone *hurt = zone_named(scene, "hurt.example.");
    struct store_status status;
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 0) {
            assert_int_equal(begin_zone(scene, sound, 1), OK);
            assert_int_equal(begin_zone(scene, hurt, 1), OK);
        } else {
            assert_int_equal(step_zone(scene, sound, i, i + 1, 10), OK);
            assert_int_equal(step_zone(scene, hurt, 100 * i - 99, 100 * i + 1, 10), OK);
        }
    }
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    store_close(scene->store);
    scene->store = NULL;
    /* The entry of the delta 101 -> 201, inside its value. */
    const uint8_t pattern[] = {0, 0, 0, 101, 0, 0, 0, 201, STORE_FROM_UPDATE};
    assert_true(damage_database(scene, pattern, sizeof(pattern), 0));
    open_store(scene);
    assert_zone_reaches(scene, zone_named(scene, "sound.example."), 4);
    hurt = zone_named(scene, "hurt.example.");
    assert_int_equal(store_zone_status(scene->store, hurt, &status, &scene->err), ERR_CORRUPT);
    assert_string_equal(scene->err.zone, "hurt.example");
    assert_int_equal(status.last_serial.value, 301); /* is known all the same */
    assert_int_equal(status.history_count, 1);       /* what is sound in front of the damage */
    scene->err = (struct error){0};
    /* A new beginning heals it. */
    assert_int_equal(begin_zone(scene, hurt, 302), OK);
    assert_zone_reaches(scene, hurt, 302);
    open_store(scene);
    assert_zone_reaches(scene, zone_named(scene, "hurt.example."), 302);
}

static void store_finds_damage_inside_records(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "inside.example.");
    struct chunk *chunk;
    size_t size = 0;
    assert_int_equal(write_image(scene, zone, 0, 1, true, 2000), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 3000), OK);
    assert_int_equal(store_checkpoint(scene->store, &scene->err), OK);
    store_close(scene->store);
    scene->store = NULL;
    uint8_t letters[200];
    memset(letters, 'a', sizeof(letters));
    assert_true(damage_database(scene, letters, sizeof(letters), 5000));
    memset(letters, 0, sizeof(letters));
    letters[0] = 255; /* in the delta's TXT */
    assert_true(damage_database(scene, letters, 100, 3));
    open_store(scene);
    zone = zone_named(scene, "inside.example.");
    assert_int_equal(
        store_read_image(scene->store, zone, count_octets, &size, NULL, NULL, NULL, &scene->err),
        ERR_CORRUPT);
    scene->err = (struct error){0};
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &chunk, &scene->err), ERR_CORRUPT);
}

static void store_removes_a_zone_and_all_of_it(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "gone.example.");
    struct store_status status;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 10), OK);
    assert_int_equal(store_zone_remove(scene->store, zone, &scene->err), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, &scene->err), ERR_NOT_FOUND);
    crash(scene);
    open_store(scene);
    struct name wire;
    assert_int_equal(name_parse_str("gone.example.", &wire, NULL), OK);
    assert_null(store_zone_find(scene->store, wire.wire, CLASS_IN));
    zone = zone_named(scene, "gone.example.");
    assert_int_equal(begin_zone(scene, zone, 50), OK);
    assert_zone_reaches(scene, zone, 50);
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(store_has_committed_zones_after_close_and_after_a_crash),
        SCENE(store_commits_several_zones_with_one_sync),
        SCENE(store_reads_the_same_before_and_after_a_checkpoint),
        SCENE(store_keeps_metadata_and_takes_it_away),
        SCENE(store_renews_an_image_behind_the_deltas),
        SCENE(store_starts_history_anew_with_a_large_image),
        SCENE(store_trims_the_oldest_deltas_that_the_image_does_not_need),
        SCENE(store_bounds_the_history_of_all_zones_together),
        SCENE(store_refuses_and_recovers_whichever_write_fails),
        SCENE(store_serves_everything_from_a_disk_that_takes_no_write),
        SCENE(store_gives_history_up_where_the_database_is_full),
        SCENE(store_directory_belongs_to_one_process),
        SCENE(store_sets_a_cut_database_aside),
        SCENE(store_finds_damage_and_leaves_other_zones_alone),
        SCENE(store_finds_damage_inside_records),
        SCENE(store_removes_a_zone_and_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
