/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of the ledger: one zone in a ledger, with and without a store. */
#ifndef TEST_LEDGER_LEDGER_FIXTURE_H
#define TEST_LEDGER_LEDGER_FIXTURE_H

#include "ledger/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "wire/rdata.h"
#include "zone/builder.h"

enum { SEGMENT = 1 << 20, LONG_ENOUGH_MS = 20000 };

struct scene {
    char path[64];
    struct store *store;
    struct ledger *ledger;
    struct name apex;
    struct zone *zone;
    struct ledger_zone *in_ledger;
    _Atomic int fails; /* errno of every write; 0: none */
    _Atomic unsigned published;
    _Atomic unsigned commits_published;
    _Atomic unsigned not_saved;
    _Atomic unsigned saved;
    _Atomic unsigned store_fails;
    _Atomic unsigned forgotten;
    _Atomic uint32_t last_from;
    _Atomic uint32_t last_to;
};

/* What done said. */
struct outcome {
    _Atomic unsigned ok;
    _Atomic unsigned failed;
    _Atomic int result;
};

static inline int fail_while_told(void *context, enum store_write what)
{
    struct scene *scene = context;
    (void)what;
    return atomic_load(&scene->fails);
}

static inline void on_event(void *context, const struct ledger_event *event)
{
    struct scene *scene = context;
    switch (event->kind) {
    case LEDGER_PUBLISHED:
        atomic_fetch_add(&scene->published, 1);
        atomic_fetch_add(&scene->commits_published, event->commit_count);
        atomic_store(&scene->last_from, event->from.value);
        atomic_store(&scene->last_to, event->to.value);
        break;
    case LEDGER_NOT_SAVED:
        atomic_fetch_add(&scene->not_saved, 1);
        break;
    case LEDGER_SAVED:
        atomic_fetch_add(&scene->saved, 1);
        break;
    case LEDGER_STORE_FAILS:
        atomic_fetch_add(&scene->store_fails, 1);
        break;
    case LEDGER_STORE_WORKS:
        break;
    case LEDGER_FORGOTTEN:
        assert_true(name_equal(event->name, scene->apex.wire));
        atomic_fetch_add(&scene->forgotten, 1);
        break;
    }
}

static inline void on_done(void *context, enum result result, const struct error *err)
{
    struct outcome *outcome = context;
    assert_non_null(err);
    atomic_store(&outcome->result, (int)result);
    atomic_fetch_add(result == OK ? &outcome->ok : &outcome->failed, 1);
}

static inline void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static inline void await(const _Atomic unsigned *value, unsigned at_least)
{
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && atomic_load(value) < at_least; ms++) {
        nap();
    }
    assert_true(atomic_load(value) >= at_least);
}

static inline void await_end(struct outcome *outcome, unsigned count)
{
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && outcome->ok + outcome->failed < count; ms++) {
        nap();
    }
    assert_int_equal(outcome->ok + outcome->failed, count);
}

static inline void start(struct scene *scene, bool with_store)
{
    if (with_store) {
        struct store_options options = {.directory = scene->path,
                                        .journal_segment_bytes = SEGMENT,
                                        .hook = {fail_while_told, scene}};
        assert_int_equal(store_open(&options, NULL, NULL, &scene->store, NULL), OK);
    }
    scene->ledger = ledger_new(&(struct ledger_options){.store = scene->store});
    ledger_watch(scene->ledger, on_event, scene);
    scene->zone = zone_new(scene->apex.wire, CLASS_IN, 0);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
}

static inline void stop(struct scene *scene)
{
    ledger_remove(scene->in_ledger);
    ledger_free(scene->ledger);
    zone_publish(scene->zone, NULL);
    rcu_drain();
    zone_unref(scene->zone);
    store_close(scene->store);
    scene->ledger = NULL;
    scene->in_ledger = NULL;
    scene->zone = NULL;
    scene->store = NULL;
}

static inline int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->path, "/tmp/lockstep-ledger-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    assert_int_equal(name_parse_str("example.", &scene->apex, NULL), OK);
    *state = scene;
    return 0;
}

static inline int tear_down(void **state)
{
    struct scene *scene = *state;
    if (scene->ledger != NULL) {
        stop(scene);
    }
    DIR *directory = opendir(scene->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    rmdir(scene->path);
    free(scene);
    return 0;
}

/* --- Zones and deltas. --- */

struct sample {
    struct name owner;
    uint8_t rdata[300];
    struct record record;
};

static const struct record *txt(struct sample *s, unsigned number, char letter)
{
    char owner[64];
    snprintf(owner, sizeof(owner), "h%u.example.", number);
    assert_int_equal(name_parse_str(owner, &s->owner, NULL), OK);
    s->rdata[0] = 200;
    memset(s->rdata + 1, letter, 200);
    s->record = (struct record){s->owner.wire, TYPE_TXT, CLASS_IN, 60, slice_of(s->rdata, 201)};
    return &s->record;
}

static const struct record *soa(struct sample *s, const struct scene *scene, uint32_t serial)
{
    name_copy(&s->owner, scene->apex.wire);
    s->record = soa_record(s->owner.wire, serial, s->rdata);
    return &s->record;
}

static inline struct zone_version *version_of(const struct scene *scene, uint32_t serial,
                                              unsigned count)
{
    struct sample s;
    struct zone_version *version;
    struct builder *builder = builder_new(scene->apex.wire, CLASS_IN, NULL, NULL, NULL);
    assert_int_equal(builder_add(builder, soa(&s, scene, serial), NULL, 0, NULL), OK);
    s.record.type = TYPE_NS;
    s.record.rdata = slice_of("\3ns1\0", 5);
    assert_int_equal(builder_add(builder, &s.record, NULL, 0, NULL), OK);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(builder_add(builder, txt(&s, i, 'z'), NULL, 0, NULL), OK);
    }
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, NULL), OK);
    builder_free(builder);
    return version;
}

/* Adds h<number> TXT with a letter; the serial goes from `from` to `to`. */
static inline struct delta *delta_of(const struct scene *scene, uint32_t from, uint32_t to,
                                     unsigned number)
{
    struct sample s;
    struct delta *delta = delta_new(scene->apex.wire, CLASS_IN);
    assert_int_equal(delta_remove(delta, soa(&s, scene, from), NULL), OK);
    assert_int_equal(delta_add(delta, soa(&s, scene, to), NULL), OK);
    assert_int_equal(delta_add(delta, txt(&s, number, 'a'), NULL), OK);
    assert_int_equal(delta_seal(delta, NULL), OK);
    return delta;
}

static inline enum result begin_zone(struct scene *scene, uint32_t serial, unsigned count,
                                     enum ledger_order order, struct outcome *outcome)
{
    struct ledger_change change = {
        .version = version_of(scene, serial, count), .source = STORE_FROM_FILE, .order = order};
    return ledger_commit(scene->in_ledger, &change, on_done, outcome, NULL);
}

struct wish {
    struct scene *scene;
    unsigned number;
    bool nothing;
    uint32_t serial; /* the next; 0: one more */
};

static inline enum result make(void *context, struct zone_version *head, struct delta **out,
                               struct error *err)
{
    const struct wish *wish = context;
    uint32_t serial = zone_version_serial(head).value;
    (void)err;
    if (!wish->nothing) {
        *out = delta_of(wish->scene, serial, wish->serial != 0 ? wish->serial : serial + 1,
                        wish->number);
    }
    return OK;
}

static inline enum result edit(struct scene *scene, unsigned number, struct outcome *outcome)
{
    struct wish wish = {.scene = scene, .number = number};
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    return ledger_edit(scene->in_ledger, make, &wish, &options, on_done, outcome, NULL);
}

static inline uint32_t served(struct scene *scene)
{
    struct zone_version *version = zone_acquire(scene->zone);
    uint32_t serial = version == NULL ? 0 : zone_version_serial(version).value;
    zone_version_unref(version);
    return serial;
}

static inline void assert_fingerprint_is_true(struct scene *scene)
{
    struct fingerprint walked;
    uint8_t expected[FINGERPRINT_DIGEST_SIZE];
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    struct serial serial;
    enum result result = ERR_BUSY;
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && result == ERR_BUSY; ms++) {
        result = ledger_fingerprint(scene->in_ledger, &serial, digest, NULL);
        if (result == ERR_BUSY) {
            nap();
        }
    }
    assert_int_equal(result, OK);
    struct zone_version *version = zone_acquire(scene->zone);
    assert_int_equal(serial.value, zone_version_serial(version).value);
    fingerprint_of_version(&walked, version);
    fingerprint_digest(&walked, expected);
    zone_version_unref(version);
    assert_memory_equal(digest, expected, sizeof(digest));
    struct zone_fingerprint shown;
    assert_true(zone_get_fingerprint(scene->zone, &shown));
    assert_int_equal(shown.serial.value, serial.value);
    assert_memory_equal(shown.digest, expected, sizeof(expected));
}

/* Shown without anybody asking for it, and true. */
static inline void await_shown_fingerprint(struct scene *scene)
{
    struct zone_fingerprint shown;
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && !zone_get_fingerprint(scene->zone, &shown); ms++) {
        nap();
    }
    assert_true(zone_get_fingerprint(scene->zone, &shown));
    assert_fingerprint_is_true(scene);
}

#endif
