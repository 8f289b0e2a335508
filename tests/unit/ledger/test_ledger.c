/* SPDX-License-Identifier: BSD-3-Clause */
/* Commits, history and fingerprints; each with and without store where that makes sense. */
#include "ledger_fixture.h"

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

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(ledger_publishes_and_keeps_history_in_memory),
        SCENE(ledger_publishes_and_keeps_history_on_disk),
        SCENE(ledger_refuses_what_does_not_advance),
        SCENE(ledger_answers_an_edit_without_change_after_what_it_stands_on),
        SCENE(ledger_has_the_history_of_a_version_as_soon_as_it_is_seen),
        SCENE(ledger_keeps_the_history_of_a_large_zone_in_memory_too),
        SCENE(ledger_lets_edits_wait_for_a_large_image),
        SCENE(ledger_commits_together_what_arrives_together),
        SCENE(ledger_shows_the_fingerprint_of_a_small_zone),
        SCENE(ledger_shows_the_fingerprint_of_a_large_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
