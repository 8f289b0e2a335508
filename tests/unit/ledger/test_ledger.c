/* SPDX-License-Identifier: BSD-3-Clause */
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
    _Atomic uint32_t last_from;
    _Atomic uint32_t last_to;
};

/* What done said. */
struct outcome {
    _Atomic unsigned ok;
    _Atomic unsigned failed;
    _Atomic int result;
};

static int fail_while_told(void *context, enum store_write what)
{
    struct scene *scene = context;
    (void)what;
    return atomic_load(&scene->fails);
}

static void on_event(void *context, const struct ledger_event *event)
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
    }
}

static void on_done(void *context, enum result result, const struct error *err)
{
    struct outcome *outcome = context;
    assert_non_null(err);
    atomic_store(&outcome->result, (int)result);
    atomic_fetch_add(result == OK ? &outcome->ok : &outcome->failed, 1);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void await(const _Atomic unsigned *value, unsigned at_least)
{
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && atomic_load(value) < at_least; ms++) {
        nap();
    }
    assert_true(atomic_load(value) >= at_least);
}

static void await_end(struct outcome *outcome, unsigned count)
{
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && outcome->ok + outcome->failed < count; ms++) {
        nap();
    }
    assert_int_equal(outcome->ok + outcome->failed, count);
}

static void start(struct scene *scene, bool with_store)
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

static void stop(struct scene *scene)
{
    ledger_remove(scene->in_ledger, false);
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

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->path, "/tmp/lockstep-ledger-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    assert_int_equal(name_parse_str("example.", &scene->apex, NULL), OK);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
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
    memset(s->rdata, 0, 22);
    put_u32(s->rdata + 2, serial);
    s->record = (struct record){s->owner.wire, TYPE_SOA, CLASS_IN, 60, slice_of(s->rdata, 22)};
    return &s->record;
}

static struct zone_version *version_of(const struct scene *scene, uint32_t serial, unsigned count)
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
static struct delta *delta_of(const struct scene *scene, uint32_t from, uint32_t to,
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

static enum result begin_zone(struct scene *scene, uint32_t serial, unsigned count,
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

static enum result make(void *context, struct zone_version *head, struct delta **out,
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

static enum result edit(struct scene *scene, unsigned number, struct outcome *outcome)
{
    struct wish wish = {.scene = scene, .number = number};
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    return ledger_edit(scene->in_ledger, make, &wish, &options, on_done, outcome, NULL);
}

static uint32_t served(struct scene *scene)
{
    struct zone_version *version = zone_acquire(scene->zone);
    uint32_t serial = version == NULL ? 0 : zone_version_serial(version).value;
    zone_version_unref(version);
    return serial;
}

static void assert_fingerprint_is_true(struct scene *scene)
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
static void await_shown_fingerprint(struct scene *scene)
{
    struct zone_fingerprint shown;
    for (unsigned ms = 0; ms < LONG_ENOUGH_MS && !zone_get_fingerprint(scene->zone, &shown); ms++) {
        nap();
    }
    assert_true(zone_get_fingerprint(scene->zone, &shown));
    assert_fingerprint_is_true(scene);
}

/* --- Tests; each with and without store where that makes sense. --- */

static void commit_publishes_and_keeps_history(struct scene *scene, bool with_store)
{
    struct outcome outcome = {0};
    struct ledger_chain chain;
    start(scene, with_store);
    assert_int_equal(begin_zone(scene, 10, 3, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    assert_int_equal(served(scene), 10);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(edit(scene, 100 + i, &outcome), OK);
    }
    await_end(&outcome, 21);
    assert_int_equal(outcome.failed, 0);
    assert_int_equal(served(scene), 30);
    assert_int_equal(scene->commits_published, 21);
    assert_int_equal(scene->last_to, 30);
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){10}, 0, &chain, NULL), OK);
    assert_int_equal(chain.count, 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(chain.chunks[i]->from.value, 10 + i);
        assert_int_equal(chain.chunks[i]->to.value, 11 + i);
    }
    ledger_chain_deinit(&chain);
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){28}, 0, &chain, NULL), OK);
    assert_int_equal(chain.count, 2);
    uint64_t bytes = chain.bytes;
    ledger_chain_deinit(&chain);
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){30}, 0, &chain, NULL), OK);
    assert_int_equal(chain.count, 0);
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){9}, 0, &chain, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){10}, bytes, &chain, NULL),
                     ERR_LIMIT);
    struct store_entry entries[32];
    assert_int_equal(ledger_entries(scene->in_ledger, entries, 32), 20);
    assert_true(entries[19].has_digest);
    assert_int_equal(entries[19].source, STORE_FROM_UPDATE);
    assert_fingerprint_is_true(scene);
}

static void ledger_publishes_and_keeps_history_in_memory(void **state)
{
    commit_publishes_and_keeps_history(*state, false);
}

static void ledger_publishes_and_keeps_history_on_disk(void **state)
{
    commit_publishes_and_keeps_history(*state, true);
}

static void ledger_refuses_what_does_not_advance(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(begin_zone(scene, 10, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    assert_int_equal(begin_zone(scene, 10, 0, LEDGER_PERSIST_FIRST, &outcome), ERR_STALE);
    assert_int_equal(begin_zone(scene, 9, 0, LEDGER_PERSIST_FIRST, &outcome), ERR_STALE);
    struct wish back = {.scene = scene, .number = 1, .serial = 5};
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    assert_int_equal(ledger_edit(scene->in_ledger, make, &back, &options, on_done, &outcome, NULL),
                     ERR_STALE);
    /* A chain that starts elsewhere. */
    struct delta *delta = delta_of(scene, 11, 12, 1);
    struct ledger_change change = {.version = version_of(scene, 12, 0),
                                   .deltas = &delta,
                                   .delta_count = 1,
                                   .source = STORE_FROM_TRANSFER,
                                   .order = LEDGER_PUBLISH_FIRST};
    assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, &outcome, NULL), ERR_STALE);
    delta_free(delta);
    await_end(&outcome, 1);
    options.adopts = true;
    assert_int_equal(ledger_edit(scene->in_ledger, make, &back, &options, on_done, &outcome, NULL),
                     OK);
    await_end(&outcome, 2);
    assert_int_equal(served(scene), 5);
    struct wish wrong = {.scene = scene, .number = 1, .serial = 6};
    options.adopts = false;
    assert_int_equal(ledger_edit(scene->in_ledger, make, &wrong, &options, on_done, &outcome, NULL),
                     ERR_FORMAT); /* h1 is there already */
    assert_int_equal(served(scene), 5);
}

static void ledger_answers_an_edit_without_change_after_what_it_stands_on(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct wish wish = {.scene = scene, .nothing = true};
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    start(scene, true);
    assert_int_equal(ledger_edit(scene->in_ledger, make, &wish, &options, on_done, &outcome, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    assert_int_equal(ledger_edit(scene->in_ledger, make, &wish, &options, on_done, &outcome, NULL),
                     OK);
    await_end(&outcome, 2);
    assert_int_equal(outcome.ok, 2);
    assert_int_equal(scene->published, 1);
}

static void ledger_restores_what_was_acknowledged(void **state)
{
    struct scene *scene = *state;
    struct ledger_restored restored;
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), ERR_NOT_FOUND);
    assert_int_equal(begin_zone(scene, 1, 50, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(edit(scene, 1000 + i, &outcome), OK);
    }
    await_end(&outcome, 31);
    struct zone_version *before = zone_acquire(scene->zone);
    struct fingerprint expected;
    fingerprint_of_version(&expected, before);
    zone_version_unref(before);
    for (unsigned round = 0; round < 2; round++) {
        stop(scene);
        start(scene, true);
        assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
        assert_true(restored.is_published);
        assert_int_equal(restored.serial.value, 31 + round);
        assert_int_equal(restored.source, STORE_FROM_UPDATE);
        assert_int_equal(served(scene), 31 + round);
        if (round == 0) {
            struct zone_version *after = zone_acquire(scene->zone);
            struct fingerprint found;
            fingerprint_of_version(&found, after);
            zone_version_unref(after);
            assert_true(fingerprint_equal(&expected, &found));
            /* An older serial than the acknowledged one is not let in. */
            assert_int_equal(begin_zone(scene, 31, 0, LEDGER_PERSIST_FIRST, &outcome), ERR_STALE);
            assert_int_equal(edit(scene, 5000, &outcome), OK);
            await_end(&outcome, 32);
        }
    }
    struct ledger_chain chain;
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){1}, 0, &chain, NULL), OK);
    assert_int_equal(chain.count, 31);
    ledger_chain_deinit(&chain);
}

static void ledger_rolls_back_what_could_not_be_saved(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    atomic_store(&scene->fails, ENOSPC);
    unsigned let_in = 1;
    for (unsigned i = 0; i < 10; i++) {
        let_in += edit(scene, i, &outcome) == OK;
    }
    await_end(&outcome, let_in);
    assert_int_equal(outcome.ok, 1);
    assert_int_equal(outcome.result, ERR_IO);
    assert_int_equal(served(scene), 1);
    assert_int_equal(scene->store_fails, 1);
    assert_int_equal(scene->published, 1);
    atomic_store(&scene->fails, 0);
    assert_int_equal(edit(scene, 3, &outcome), OK); /* the same name again: nothing stayed */
    await_end(&outcome, let_in + 1);
    assert_int_equal(outcome.ok, 2);
    assert_int_equal(served(scene), 2);
    assert_fingerprint_is_true(scene);
    struct ledger_restored restored;
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    assert_int_equal(restored.serial.value, 2);
}

static void ledger_serves_a_secondary_first_and_saves_it_when_the_disk_can(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct ledger_zone_status status;
    start(scene, true);
    atomic_store(&scene->fails, ENOSPC);
    assert_int_equal(begin_zone(scene, 7, 2000, LEDGER_PUBLISH_FIRST, &outcome), OK);
    assert_int_equal(served(scene), 7);
    await_end(&outcome, 1);
    assert_int_equal(outcome.failed, 1);
    await(&scene->not_saved, 1);
    assert_int_equal(served(scene), 7);
    ledger_zone_status(scene->in_ledger, &status);
    assert_false(status.is_saved);
    /* The next version meets the same disk. */
    struct delta *delta = delta_of(scene, 7, 8, 5000);
    struct ledger_change change = {.deltas = &delta,
                                   .delta_count = 1,
                                   .order = LEDGER_PUBLISH_FIRST,
                                   .source = STORE_FROM_TRANSFER};
    struct zone_version *head = ledger_zone_head(scene->in_ledger);
    assert_int_equal(delta_apply(head, delta, NULL, &change.version, NULL), OK);
    zone_version_unref(head);
    assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, &outcome, NULL), OK);
    delta_free(delta);
    assert_int_equal(served(scene), 8);
    await_end(&outcome, 2);
    atomic_store(&scene->fails, 0);
    await(&scene->saved, 1);
    ledger_zone_status(scene->in_ledger, &status);
    assert_true(status.is_saved);
    assert_int_equal(status.serial.value, 8);
    struct ledger_restored restored;
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, true, &restored, NULL), OK);
    assert_int_equal(restored.serial.value, 8);
}

static void ledger_has_the_history_of_a_version_as_soon_as_it_is_seen(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 5, LEDGER_PUBLISH_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    for (uint32_t serial = 1; serial <= 100; serial++) {
        struct delta *delta = delta_of(scene, serial, serial + 1, 100 + serial);
        struct zone_version *head = ledger_zone_head(scene->in_ledger);
        struct ledger_change change = {.deltas = &delta,
                                       .delta_count = 1,
                                       .source = STORE_FROM_TRANSFER,
                                       .order = LEDGER_PUBLISH_FIRST};
        assert_int_equal(delta_apply(head, delta, NULL, &change.version, NULL), OK);
        assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, &outcome, NULL), OK);
        assert_int_equal(served(scene), serial + 1);
        /* The writer may or may not have come to it: both from the disk's past and the last step. */
        struct ledger_chain chain;
        assert_int_equal(ledger_history(scene->in_ledger, (struct serial){1}, 0, &chain, NULL), OK);
        assert_int_equal(chain.to.value, serial + 1);
        assert_int_equal(chain.count, serial);
        ledger_chain_deinit(&chain);
        assert_int_equal(
            ledger_history_at_hand(scene->in_ledger, (struct serial){serial}, 0, &chain, NULL), OK);
        assert_int_equal(chain.to.value, serial + 1);
        assert_int_equal(chain.count, 1);
        ledger_chain_deinit(&chain);
        zone_version_unref(head);
        delta_free(delta);
    }
    await_end(&outcome, 101);
    assert_fingerprint_is_true(scene);
}

static void ledger_keeps_the_history_of_a_large_zone_in_memory_too(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct ledger_chain chain;
    start(scene, false);
    assert_int_equal(begin_zone(scene, 1, 6000, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(edit(scene, 10000 + i, &outcome), OK);
        assert_int_equal(ledger_history(scene->in_ledger, (struct serial){1}, 0, &chain, NULL), OK);
        assert_int_equal(chain.count, i + 1);
        assert_int_equal(chain.to.value, i + 2);
        ledger_chain_deinit(&chain);
    }
    assert_int_equal(outcome.ok, 21);
    assert_fingerprint_is_true(scene);
}

static void ledger_lets_edits_wait_for_a_large_image(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 8000, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(edit(scene, 10000 + i, &outcome), OK);
    }
    await_end(&outcome, 11);
    assert_int_equal(outcome.failed, 0);
    assert_int_equal(served(scene), 11);
    assert_fingerprint_is_true(scene);
    struct ledger_restored restored;
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    assert_int_equal(restored.serial.value, 11);
    struct ledger_chain chain;
    assert_int_equal(ledger_history(scene->in_ledger, (struct serial){1}, 0, &chain, NULL), OK);
    assert_int_equal(chain.count, 10);
    ledger_chain_deinit(&chain);
}

struct client {
    struct scene *scene;
    unsigned first;
    unsigned count;
};

static void shows_fingerprints(struct scene *scene, unsigned count)
{
    struct outcome outcome = {0};
    start(scene, true);
    assert_int_equal(begin_zone(scene, 10, count, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 100; i++) {
        while (i == 0 && served(scene) == 0) {
            nap();
        }
        assert_int_equal(edit(scene, 100000 + i, &outcome), OK);
    }
    await_end(&outcome, 101);
    assert_int_equal(outcome.failed, 0);
    await_shown_fingerprint(scene);
    stop(scene);
    start(scene, true);
    struct ledger_restored restored;
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    await_shown_fingerprint(scene);
    /* Other records under the serial that is served: what was shown is not true of them. */
    struct ledger_change change = {.version = version_of(scene, 110, count + 1),
                                   .source = STORE_FROM_TRANSFER,
                                   .order = LEDGER_PUBLISH_FIRST,
                                   .adopts = true};
    assert_int_equal(ledger_commit(scene->in_ledger, &change, on_done, &outcome, NULL), OK);
    await_end(&outcome, 102);
    await_shown_fingerprint(scene);
}

static void ledger_shows_the_fingerprint_of_a_small_zone(void **state)
{
    shows_fingerprints(*state, 30);
}

static void ledger_shows_the_fingerprint_of_a_large_zone(void **state)
{
    shows_fingerprints(*state, 20000);
}

static void *run_client(void *context)
{
    struct client *client = context;
    for (unsigned i = 0; i < client->count; i++) {
        struct outcome outcome = {0};
        assert_int_equal(edit(client->scene, client->first + i, &outcome), OK);
        await_end(&outcome, 1);
        assert_int_equal(outcome.ok, 1);
    }
    return NULL;
}

static void ledger_commits_together_what_arrives_together(void **state)
{
    struct scene *scene = *state;
    enum { CLIENTS = 8, EDITS = 25 };
    pthread_t threads[CLIENTS];
    struct client clients[CLIENTS];
    struct outcome outcome = {0};
    struct ledger_statistics statistics;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){scene, 1000 * (i + 1), EDITS};
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    ledger_statistics(scene->ledger, &statistics);
    assert_int_equal(statistics.commits, 1 + CLIENTS * EDITS);
    assert_true(statistics.groups < statistics.commits);
    assert_int_equal(served(scene), 1 + CLIENTS * EDITS);
    assert_fingerprint_is_true(scene);
}

static void ledger_rebuilds_an_older_version(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct zone_version *old;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 5, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(edit(scene, 100 + i, &outcome), OK);
    }
    await_end(&outcome, 7);
    assert_int_equal(ledger_version_at(scene->in_ledger, (struct serial){4}, &old, NULL), OK);
    assert_int_equal(zone_version_serial(old).value, 4);
    assert_int_equal(zone_version_record_count(old), 2 + 5 + 3);
    zone_version_unref(old);
    assert_int_equal(ledger_version_at(scene->in_ledger, (struct serial){0}, &old, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(served(scene), 7);
}

static void ledger_keeps_metadata(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    uint8_t out[16];
    size_t size;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    ledger_put_meta(scene->in_ledger, LEDGER_META_TIMERS, slice_str("soon"), on_done, &outcome);
    await_end(&outcome, 2);
    stop(scene);
    start(scene, true);
    assert_int_equal(
        ledger_get_meta(scene->in_ledger, LEDGER_META_TIMERS, out, sizeof(out), &size, NULL), OK);
    assert_int_equal(size, 4);
    assert_memory_equal(out, "soon", 4);
}

static void ledger_forgets_a_removed_zone(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct ledger_restored restored;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 5, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    struct ledger_zone *held = ledger_zone_ref(scene->in_ledger);
    ledger_remove(scene->in_ledger, true);
    scene->in_ledger = held;
    assert_int_equal(edit(scene, 1, &outcome), ERR_CLOSED);
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), ERR_NOT_FOUND);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 2);
}

static void ledger_says_what_is_damaged_and_starts_anew(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct ledger_restored restored;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 100, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(edit(scene, i, &outcome), OK);
    }
    await_end(&outcome, 5);
    struct serial serial;
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    assert_int_equal(ledger_fingerprint(scene->in_ledger, &serial, digest, NULL), OK);
    assert_int_equal(serial.value, 104);
    stop(scene);
    char path[128];
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    int fd = open(path, O_RDWR);
    static uint8_t bytes[4 << 20];
    ssize_t size = read(fd, bytes, sizeof(bytes));
    const uint8_t pattern[] = {0, 0, 0, 102, 0, 0, 0, 103, STORE_FROM_UPDATE};
    unsigned found = 0;
    for (ssize_t i = 0; i + (ssize_t)sizeof(pattern) < size; i++) {
        if (memcmp(bytes + i, pattern, sizeof(pattern)) == 0) {
            assert_int_equal(pwrite(fd, "\xff", 1, i + 3), 1);
            found++;
        }
    }
    close(fd);
    assert_true(found > 0);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), ERR_CORRUPT);
    assert_false(restored.is_published);
    assert_int_equal(restored.last_serial.value, 104);
    assert_true(restored.has_last_digest);
    assert_memory_equal(restored.last_digest, digest, sizeof(digest));
    assert_int_equal(served(scene), 0);
    assert_int_equal(begin_zone(scene, 104, 0, LEDGER_PERSIST_FIRST, &outcome), ERR_STALE);
    assert_int_equal(begin_zone(scene, 105, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 6);
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    assert_int_equal(restored.serial.value, 105);
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(ledger_publishes_and_keeps_history_in_memory),
        SCENE(ledger_publishes_and_keeps_history_on_disk),
        SCENE(ledger_refuses_what_does_not_advance),
        SCENE(ledger_answers_an_edit_without_change_after_what_it_stands_on),
        SCENE(ledger_restores_what_was_acknowledged),
        SCENE(ledger_rolls_back_what_could_not_be_saved),
        SCENE(ledger_serves_a_secondary_first_and_saves_it_when_the_disk_can),
        SCENE(ledger_has_the_history_of_a_version_as_soon_as_it_is_seen),
        SCENE(ledger_keeps_the_history_of_a_large_zone_in_memory_too),
        SCENE(ledger_lets_edits_wait_for_a_large_image),
        SCENE(ledger_commits_together_what_arrives_together),
        SCENE(ledger_rebuilds_an_older_version),
        SCENE(ledger_keeps_metadata),
        SCENE(ledger_shows_the_fingerprint_of_a_small_zone),
        SCENE(ledger_shows_the_fingerprint_of_a_large_zone),
        SCENE(ledger_forgets_a_removed_zone),
        SCENE(ledger_says_what_is_damaged_and_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
