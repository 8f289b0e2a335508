/* SPDX-License-Identifier: BSD-3-Clause */
/* The disk behind the door: one part of it that fails, and bounds that are smaller than an image. */
#include "ledger/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rcu.h"
#include "soa_record.h"
#include "wire/name.h"
#include "zone/builder.h"

enum { SEGMENT = 1 << 20, LONG_ENOUGH_MS = 20000, LIMIT = 4096 };

struct scene {
    char path[64];
    struct store *store;
    struct ledger *ledger;
    struct name apex;
    struct zone *zone;
    struct ledger_zone *in_ledger;
    _Atomic int database_fails; /* errno of every commit of the database; 0: none */
    _Atomic unsigned failures;  /* commits of the database that failed */
    _Atomic unsigned fails, works, done;
    _Atomic bool is_slow;       /* every sync takes 30 ms */
    _Atomic unsigned done_here; /* by the test's own thread */
    pthread_t test;
};

static int before_write(void *context, enum store_write what)
{
    struct scene *scene = context;
    if (what == STORE_WRITE_SYNC && atomic_load(&scene->is_slow)) {
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    }
    int error = what == STORE_WRITE_COMMIT ? atomic_load(&scene->database_fails) : 0;
    atomic_fetch_add(&scene->failures, error != 0);
    return error;
}

static void on_event(void *context, const struct ledger_event *event)
{
    struct scene *scene = context;
    atomic_fetch_add(&scene->fails, event->kind == LEDGER_STORE_FAILS);
    atomic_fetch_add(&scene->works, event->kind == LEDGER_STORE_WORKS);
}

static void on_done(void *context, enum result result, const struct error *err)
{
    struct scene *scene = context;
    (void)err;
    assert_int_equal(result, OK);
    atomic_fetch_add(&scene->done_here, pthread_equal(pthread_self(), scene->test) != 0);
    atomic_fetch_add(&scene->done, 1);
}

static void await(const _Atomic unsigned *value, unsigned at_least)
{
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && atomic_load(value) < at_least; ms++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(atomic_load(value) >= at_least);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->path, "/tmp/lockstep-ledger-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    assert_int_equal(name_parse_str("example.", &scene->apex, NULL), OK);
    struct store_options options = {
        .directory = scene->path, .journal_segment_bytes = SEGMENT, .hook = {before_write, scene}};
    assert_int_equal(store_open(&options, NULL, NULL, &scene->store, NULL), OK);
    /* The keeper moves every commit into the database as soon as it takes its turn. */
    scene->ledger =
        ledger_new(&(struct ledger_options){.store = scene->store, .checkpoint_bytes = 1});
    ledger_watch(scene->ledger, on_event, scene);
    scene->zone = zone_new(scene->apex.wire, CLASS_IN, 0);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    ledger_remove(scene->in_ledger);
    ledger_free(scene->ledger);
    zone_publish(scene->zone, NULL);
    rcu_drain();
    zone_unref(scene->zone);
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

/* An apex and `count` names of 200 octets. */
static void begin_zone(struct scene *scene, unsigned count)
{
    uint8_t rdata[SOA_RECORD_SIZE];
    uint8_t text[201] = {200};
    struct ledger_change change = {.source = STORE_FROM_FILE, .order = LEDGER_PERSIST_FIRST};
    struct builder *builder = builder_new(scene->apex.wire, CLASS_IN, NULL, NULL, NULL);
    struct record record = soa_record(scene->apex.wire, 1, rdata);
    assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    record.type = TYPE_NS;
    record.rdata = slice_of("\3ns1\0", 5);
    assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    for (unsigned i = 0; i < count; i++) {
        char owner[64];
        struct name name;
        snprintf(owner, sizeof(owner), "h%u.example.", i);
        assert_int_equal(name_parse_str(owner, &name, NULL), OK);
        record = (struct record){name.wire, TYPE_TXT, CLASS_IN, 60, slice_of(text, sizeof(text))};
        assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    }
    assert_int_equal(builder_finish(builder, NULL, &change.version, NULL, NULL), OK);
    builder_free(builder);
    assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, scene, NULL), OK);
    await(&scene->done, 1);
}

static enum result make(void *context, struct zone_version *head, struct delta **out,
                        struct error *err)
{
    struct scene *scene = context;
    uint8_t rdata[SOA_RECORD_SIZE];
    uint32_t serial = zone_version_serial(head).value;
    struct delta *delta = delta_new(scene->apex.wire, CLASS_IN);
    struct record record = soa_record(scene->apex.wire, serial, rdata);
    (void)err;
    assert_int_equal(delta_remove(delta, &record, NULL), OK);
    record = soa_record(scene->apex.wire, serial + 1, rdata);
    assert_int_equal(delta_add(delta, &record, NULL), OK);
    assert_int_equal(delta_seal(delta, NULL), OK);
    *out = delta;
    return OK;
}

static void edit(struct scene *scene)
{
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    unsigned before = atomic_load(&scene->done);
    assert_int_equal(ledger_edit(scene->in_ledger, make, scene, &options, on_done, scene, NULL),
                     OK);
    await(&scene->done, before + 1);
}

static void ledger_says_once_that_the_database_fails_and_once_that_it_works(void **state)
{
    struct scene *scene = *state;
    begin_zone(scene, 0);
    atomic_store(&scene->database_fails, ENOSPC);
    /* Commits are taken, the journal has room; each turn of the keeper fails. */
    for (unsigned turn = 1; turn <= 3; turn++) {
        edit(scene);
        await(&scene->failures, turn);
        edit(scene);
    }
    await(&scene->fails, 1);
    assert_int_equal(scene->fails, 1);
    assert_int_equal(scene->works, 0);
    atomic_store(&scene->database_fails, 0);
    await(&scene->works, 1);
    assert_int_equal(scene->fails, 1);
    assert_int_equal(scene->works, 1);
}

/* The writer may still be ending the group before, so not every one finds its place free. */
static void ledger_lets_an_edit_that_is_alone_write_itself(void **state)
{
    struct scene *scene = *state;
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE, .may_write = true};
    scene->test = pthread_self();
    begin_zone(scene, 0);
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && atomic_load(&scene->done_here) < 3; ms++) {
        unsigned before = atomic_load(&scene->done);
        struct zone_version *served = zone_acquire(scene->zone);
        struct serial serial = zone_version_serial(served);
        zone_version_unref(served);
        assert_int_equal(ledger_edit(scene->in_ledger, make, scene, &options, on_done, scene, NULL),
                         OK);
        await(&scene->done, before + 1);
        served = zone_acquire(scene->zone);
        assert_int_equal(zone_version_serial(served).value, serial.value + 1);
        zone_version_unref(served);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(atomic_load(&scene->done_here), 3);
    edit(scene); /* and the writer is back in its place */
    assert_int_equal(atomic_load(&scene->done_here), 3);
}

static void ledger_keeps_to_a_bound_that_is_smaller_than_the_image(void **state)
{
    struct scene *scene = *state;
    struct ledger_zone_status status = {0};
    begin_zone(scene, 200); /* some 45 KB */
    ledger_zone_set_history_limit(scene->in_ledger, LIMIT);
    for (unsigned i = 0; i < 200; i++) {
        edit(scene);
    }
    ledger_zone_status(scene->in_ledger, &status);
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && status.history_bytes > LIMIT; ms++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        ledger_zone_status(scene->in_ledger, &status);
    }
    assert_true(status.history_bytes <= LIMIT);
    assert_true(status.history_count > 1);
    assert_int_equal(status.serial.value, 201);
}

/* As a secondary's zone that becomes a primary's: taken out, and put in again under the same name. */
static void ledger_restores_what_a_removed_zone_has_shown(void **state)
{
    struct scene *scene = *state;
    struct ledger_restored restored;
    begin_zone(scene, 0);
    atomic_store(&scene->is_slow, true);
    for (uint32_t serial = 1; serial <= 5; serial++) {
        struct zone_version *head = ledger_zone_head(scene->in_ledger);
        struct delta *delta;
        assert_int_equal(make(scene, head, &delta, NULL), OK);
        struct ledger_change change = {.deltas = &delta,
                                       .delta_count = 1,
                                       .source = STORE_FROM_TRANSFER,
                                       .order = LEDGER_PUBLISH_FIRST};
        assert_int_equal(delta_apply(head, delta, NULL, &change.version, NULL), OK);
        zone_version_unref(head);
        assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, scene, NULL), OK);
        delta_free(delta);
    }
    ledger_remove(scene->in_ledger);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    assert_int_equal(restored.serial.value, 6);
    await(&scene->done, 6); /* the last is told a moment after it is there */
    assert_int_equal(scene->done, 6);
    edit(scene);
    struct zone_version *version = ledger_zone_head(scene->in_ledger);
    assert_int_equal(zone_version_serial(version).value, 7);
    zone_version_unref(version);
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(ledger_says_once_that_the_database_fails_and_once_that_it_works),
        SCENE(ledger_lets_an_edit_that_is_alone_write_itself),
        SCENE(ledger_keeps_to_a_bound_that_is_smaller_than_the_image),
        SCENE(ledger_restores_what_a_removed_zone_has_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
