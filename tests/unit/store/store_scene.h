/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the store share: a directory, a store whose writes fail by number, zones. */
#ifndef TESTS_STORE_SCENE_H
#define TESTS_STORE_SCENE_H

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

static inline struct error *fresh(struct scene *scene)
{
    scene->err = (struct error){0};
    return &scene->err;
}

static inline int fail_by_number(void *context, enum store_write what)
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

static inline void on_report(void *context, const uint8_t *zone, const char *text)
{
    struct scene *scene = context;
    (void)zone;
    assert_true(strlen(text) > 10);
    scene->reports++;
}

static inline void open_store(struct scene *scene)
{
    store_close(scene->store);
    scene->store = NULL;
    scene->reports = 0;
    assert_int_equal(store_open(&scene->options, on_report, scene, &scene->store, fresh(scene)),
                     OK);
}

/* As after kill -9: what is in memory is gone without a checkpoint. */
static inline void crash(struct scene *scene)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

static inline struct store_zone *zone_named(struct scene *scene, const char *name)
{
    struct name wire;
    assert_int_equal(name_parse_str(name, &wire, NULL), OK);
    return store_zone_get(scene->store, wire.wire, CLASS_IN);
}

/* SOA with that serial in `zone`, into `out`. */
static inline size_t soa_at(struct store_zone *zone, uint32_t serial, uint8_t out[300])
{
    uint8_t rdata[22] = {0};
    put_u32(rdata + 2, serial);
    struct record record = {store_zone_name(zone), TYPE_SOA, CLASS_IN, 60, slice_of(rdata, 22)};
    return wire_record_write(&record, out);
}

static inline size_t txt_of(struct store_zone *zone, unsigned size, uint8_t *out)
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
static inline struct chunk *chunk_between(struct store_zone *zone, uint32_t from, uint32_t to,
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

static inline struct store_entry entry_of(uint32_t from, uint32_t to, int64_t time_s)
{
    return (struct store_entry){.from = {from},
                                .to = {to},
                                .source = STORE_FROM_UPDATE,
                                .time_s = time_s,
                                .record_count = 7,
                                .has_digest = true,
                                .digest = {1, 2, 3}};
}

static inline enum result begin_zone(struct scene *scene, struct store_zone *zone, uint32_t serial)
{
    uint8_t bytes[300];
    struct store_entry entry = entry_of(serial, serial, 1000);
    struct store_txn *txn = store_txn_begin(scene->store);
    store_txn_image(txn, zone, &entry, slice_of(bytes, soa_at(zone, serial, bytes)));
    return store_txn_commit(txn, fresh(scene));
}

static inline enum result step_zone(struct scene *scene, struct store_zone *zone, uint32_t from,
                                    uint32_t to, unsigned size)
{
    struct chunk *chunk = chunk_between(zone, from, to, size);
    struct store_entry entry = entry_of(from, to, 1000 + to);
    struct store_txn *txn = store_txn_begin(scene->store);
    store_txn_delta(txn, zone, &entry, chunk);
    enum result result = store_txn_commit(txn, fresh(scene));
    chunk_unref(chunk);
    return result;
}

static inline enum result count_octets(void *context, struct slice records, struct error *err)
{
    (void)err;
    *(size_t *)context += records.size;
    return OK;
}

/* The zone is restorable: image, then deltas without a gap up to `serial`. Returns the deltas. */
static inline unsigned assert_zone_reaches(struct scene *scene, struct store_zone *zone,
                                           uint32_t serial)
{
    struct store_status status;
    struct store_entry image;
    size_t size = 0;
    unsigned count = 0;
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
    assert_int_equal(status.last_serial.value, serial);
    assert_int_equal(
        store_read_image(scene->store, zone, count_octets, &size, &image, NULL, NULL, fresh(scene)),
        OK);
    assert_int_equal(size, image.size_bytes);
    struct serial at = image.to;
    for (uint64_t step = image.step + 1; step <= status.last_step; step++) {
        struct chunk *chunk;
        assert_int_equal(store_read_chunk(scene->store, zone, step, &chunk, fresh(scene)), OK);
        assert_int_equal(chunk->from.value, at.value);
        at = chunk->to;
        chunk_unref(chunk);
        count++;
    }
    assert_int_equal(at.value, serial);
    return count;
}

/* A large image of `count` TXT records. */
static inline enum result write_image(struct scene *scene, struct store_zone *zone, uint64_t step,
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
        store_image_begin(scene->store, zone, &entry, restarts, &image, fresh(scene));
    if (result != OK) {
        return result;
    }
    result = store_image_add(image, &record, fresh(scene));
    record.type = TYPE_TXT;
    record.rdata = slice_of(rdata, 1000);
    for (unsigned i = 0; result == OK && i < count; i++) {
        result = store_image_add(image, &record, fresh(scene));
    }
    if (result != OK) {
        store_image_abort(image);
        return result;
    }
    return store_image_commit(image, &lanes, fresh(scene));
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
