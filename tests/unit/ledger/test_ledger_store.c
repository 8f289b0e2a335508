/* SPDX-License-Identifier: BSD-3-Clause */
/* What is on disk: restored, rolled back, saved late, forgotten, damaged. */
#include "ledger_fixture.h"

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

static enum result forget(struct scene *scene, unsigned nth, struct outcome *outcome)
{
    ledger_forget(scene->ledger, scene->apex.wire, CLASS_IN, on_done, outcome);
    await_end(outcome, nth);
    return (enum result)atomic_load(&outcome->result);
}

static void ledger_forgets_a_zone_that_left_and_no_other(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0}, end = {0};
    struct ledger_restored restored;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 5, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    assert_int_equal(forget(scene, 1, &end), ERR_BUSY);
    struct ledger_zone *held = ledger_zone_ref(scene->in_ledger);
    ledger_remove(scene->in_ledger);
    assert_int_equal(forget(scene, 2, &end), ERR_BUSY); /* somebody is not done with it */
    ledger_zone_unref(held);
    assert_int_equal(atomic_load(&scene->forgotten), 0);
    assert_int_equal(forget(scene, 3, &end), OK);
    assert_int_equal(atomic_load(&scene->forgotten), 1);
    assert_int_equal(forget(scene, 4, &end), ERR_NOT_FOUND);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
    stop(scene);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), ERR_NOT_FOUND);
    assert_int_equal(begin_zone(scene, 1, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 2);
}

static void ledger_keeps_the_history_of_a_zone_that_left_for_a_while(void **state)
{
    struct scene *scene = *state;
    struct outcome outcome = {0};
    struct ledger_restored restored;
    start(scene, true);
    assert_int_equal(begin_zone(scene, 5, 0, LEDGER_PERSIST_FIRST, &outcome), OK);
    await_end(&outcome, 1);
    ledger_keep_absent(scene->ledger, 0); /* what is there is not absent, however short the time */
    for (unsigned ms = 0; ms < 2000; ms++) {
        nap(); /* so long that the keeper looks */
    }
    ledger_keep_absent(scene->ledger, 3600);
    ledger_remove(scene->in_ledger);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
    stop(scene);
    assert_int_equal(atomic_load(&scene->forgotten), 0);
    start(scene, true);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), OK);
    ledger_remove(scene->in_ledger);
    ledger_keep_absent(scene->ledger, 0);
    await(&scene->forgotten, 1);
    scene->in_ledger = ledger_add(scene->ledger, scene->zone, scene);
    assert_int_equal(ledger_restore(scene->in_ledger, false, &restored, NULL), ERR_NOT_FOUND);
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
        SCENE(ledger_restores_what_was_acknowledged),
        SCENE(ledger_rolls_back_what_could_not_be_saved),
        SCENE(ledger_serves_a_secondary_first_and_saves_it_when_the_disk_can),
        SCENE(ledger_rebuilds_an_older_version),
        SCENE(ledger_keeps_metadata),
        SCENE(ledger_forgets_a_zone_that_left_and_no_other),
        SCENE(ledger_keeps_the_history_of_a_zone_that_left_for_a_while),
        SCENE(ledger_says_what_is_damaged_and_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
