/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/store/store_scene.h"

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
    assert_int_equal(store_txn_commit(txn, fresh(scene)), OK);
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
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &before, fresh(scene)), OK);
    assert_true(store_journal_bytes(scene->store) > 800000);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_int_equal(store_journal_bytes(scene->store), 0);
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &after, fresh(scene)), OK);
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
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, fresh(scene)),
            ERR_NOT_FOUND);
        struct store_txn *txn = store_txn_begin(scene->store);
        store_txn_meta(txn, zone, 3, slice_str("contact"));
        store_txn_meta(txn, zone, 4, slice_str("other"));
        assert_int_equal(store_txn_commit(txn, fresh(scene)), OK);
        assert_int_equal(
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, fresh(scene)), OK);
        assert_int_equal(size, 7);
        assert_memory_equal(out, "contact", 7);
        assert_int_equal(store_read_meta(scene->store, zone, 3, out, 6, &size, fresh(scene)),
                         ERR_LIMIT);
        if (round == 0) {
            crash(scene);
        }
        open_store(scene);
        zone = zone_named(scene, "meta.example.");
        assert_int_equal(
            store_read_meta(scene->store, zone, 4, out, sizeof(out), &size, fresh(scene)), OK);
        assert_memory_equal(out, "other", 5);
        txn = store_txn_begin(scene->store);
        store_txn_meta(txn, zone, 3, slice_of(NULL, 0));
        assert_int_equal(store_txn_commit(txn, fresh(scene)), OK);
        assert_int_equal(
            store_read_meta(scene->store, zone, 3, out, sizeof(out), &size, fresh(scene)),
            ERR_NOT_FOUND);
        assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    }
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
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
    assert_int_equal(status.since_image_bytes, status.history_bytes);
    assert_int_equal(write_image(scene, zone, 7, 7, false, 12000), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
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
                                          &has_lanes, fresh(scene)),
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
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
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
    store_zone_set_limit(scene->store, zone, 20000);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
    assert_int_equal(status.history_count, 40); /* all are needed */
    assert_int_equal(write_image(scene, zone, 31, 31, false, 10), OK);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
    assert_true(status.history_bytes <= 20000);
    assert_true(status.history_count >= 10 && status.history_count < 20);
    assert_int_equal(store_read_chunk(scene->store, zone, 3, &chunk, fresh(scene)), ERR_NOT_FOUND);
    assert_int_equal(assert_zone_reaches(scene, zone, 41), 10);
    open_store(scene);
    zone = zone_named(scene, "trim.example.");
    assert_int_equal(assert_zone_reaches(scene, zone, 41), 10);
    struct store_status again;
    assert_int_equal(store_zone_status(scene->store, zone, &again, fresh(scene)), OK);
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
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_int_equal(store_zone_status(scene->store, zones[0], &status, fresh(scene)), OK);
    assert_true(status.history_count < 12);
    assert_int_equal(store_zone_status(scene->store, zones[1], &status, fresh(scene)), OK);
    assert_int_equal(status.history_count, 20);
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
        assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
        assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), OK);
        assert_int_equal(write_image(scene, zone, status.last_step, serial, false, 1), OK);
    }
    assert_zone_reaches(scene, zone, serial);
}

static void store_directory_belongs_to_one_process(void **state)
{
    struct scene *scene = *state;
    struct store *other = NULL;
    assert_int_equal(store_open(&scene->options, NULL, NULL, &other, fresh(scene)), ERR_BUSY);
    assert_null(other);
}

static void store_removes_a_zone_and_all_of_it(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "gone.example.");
    struct store_status status;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 10), OK);
    assert_int_equal(store_zone_remove(scene->store, zone, fresh(scene)), OK);
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), ERR_NOT_FOUND);
    crash(scene);
    open_store(scene);
    struct name wire;
    assert_int_equal(name_parse_str("gone.example.", &wire, NULL), OK);
    assert_null(store_zone_find(scene->store, wire.wire, CLASS_IN));
    zone = zone_named(scene, "gone.example.");
    assert_int_equal(begin_zone(scene, zone, 50), OK);
    assert_zone_reaches(scene, zone, 50);
}

static void note_forgotten(void *context, const uint8_t *name, uint16_t class)
{
    assert_int_equal(class, CLASS_IN);
    assert_memory_equal(name, "\4left", 5);
    ++*(unsigned *)context;
}

static unsigned tend(struct scene *scene, uint64_t elapsed_s, uint64_t keep_s)
{
    unsigned forgotten = 0;
    assert_int_equal(store_tend_absent(scene->store, elapsed_s, keep_s, note_forgotten, &forgotten,
                                       fresh(scene)),
                     OK);
    return forgotten;
}

static void store_counts_for_how_long_nobody_held_a_zone(void **state)
{
    struct scene *scene = *state;
    struct store_zone *left = zone_named(scene, "left.example.");
    struct store_zone *here = zone_named(scene, "here.example.");
    struct store_absent_zone listed[2];
    store_zone_hold(scene->store, here);
    assert_int_equal(begin_zone(scene, left, 1), OK);
    assert_int_equal(begin_zone(scene, here, 1), OK);
    assert_int_equal(tend(scene, 1000000, 100), 0); /* it was not seen absent before */
    assert_int_equal(tend(scene, 60, 100), 0);
    store_zone_hold(scene->store, left);
    assert_int_equal(store_absent(scene->store, listed, 2), 0);
    assert_int_equal(tend(scene, 60, 100), 0); /* back: it begins anew */
    store_zone_let_go(scene->store, left);
    assert_int_equal(tend(scene, 60, 100), 0);
    assert_int_equal(tend(scene, 60, 100), 0);
    crash(scene); /* what was counted is durable */
    open_store(scene);
    left = zone_named(scene, "left.example.");
    here = zone_named(scene, "here.example.");
    store_zone_hold(scene->store, here);
    assert_int_equal(store_absent(scene->store, listed, 2), 1);
    assert_memory_equal(listed[0].name.wire, "\4left", 5);
    assert_int_equal(tend(scene, 0, 100), 0);
    assert_int_equal(tend(scene, 60, UINT64_MAX), 0);
    assert_zone_reaches(scene, left, 1);
    assert_int_equal(tend(scene, 0, 100), 1);
    assert_int_equal(tend(scene, 1000, 0), 0);
    assert_int_equal(store_absent(scene->store, listed, 2), 0);
    struct store_status status;
    assert_int_equal(store_zone_status(scene->store, left, &status, fresh(scene)), ERR_NOT_FOUND);
    assert_zone_reaches(scene, here, 1);
}

static void store_takes_off_the_disk_hundreds_that_nobody_holds(void **state)
{
    enum { MANY = 600 }; /* more than go in one transaction */
    struct scene *scene = *state;
    struct store_absent_zone listed[1];
    for (unsigned i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "left.z%u.example.", i);
        assert_int_equal(begin_zone(scene, zone_named(scene, name), 1), OK);
    }
    assert_int_equal(store_absent(scene->store, listed, 1), MANY);
    assert_int_equal(tend(scene, 0, 0), MANY);
    assert_int_equal(store_absent(scene->store, listed, 1), 0);
    crash(scene);
    open_store(scene);
    assert_int_equal(store_absent(scene->store, listed, 1), 0);
    assert_int_equal(scene->reports, 0);
}

static void store_forgets_one_zone_that_nobody_holds(void **state)
{
    struct scene *scene = *state;
    struct name name;
    struct store_zone *zone = zone_named(scene, "left.example.");
    assert_int_equal(name_parse_str("LEFT.example.", &name, NULL), OK);
    assert_int_equal(store_zone_forget(scene->store, name.wire, CLASS_IN, fresh(scene)),
                     ERR_NOT_FOUND);
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    store_zone_hold(scene->store, zone);
    assert_int_equal(store_zone_forget(scene->store, name.wire, CLASS_IN, fresh(scene)), ERR_BUSY);
    assert_zone_reaches(scene, zone, 1);
    store_zone_let_go(scene->store, zone);
    assert_int_equal(store_zone_forget(scene->store, name.wire, CLASS_IN, fresh(scene)), OK);
    store_zone_hold(scene->store, zone); /* it may come back */
    assert_int_equal(begin_zone(scene, zone, 7), OK);
    assert_zone_reaches(scene, zone, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(store_has_committed_zones_after_close_and_after_a_crash),
        SCENE(store_commits_several_zones_with_one_sync),
        SCENE(store_reads_the_same_before_and_after_a_checkpoint),
        SCENE(store_keeps_metadata_and_takes_it_away),
        SCENE(store_renews_an_image_behind_the_deltas),
        SCENE(store_starts_history_anew_with_a_large_image),
        SCENE(store_trims_the_oldest_deltas_that_the_image_does_not_need),
        SCENE(store_bounds_the_history_of_all_zones_together),
        SCENE(store_gives_history_up_where_the_database_is_full),
        SCENE(store_directory_belongs_to_one_process),
        SCENE(store_removes_a_zone_and_all_of_it),
        SCENE(store_counts_for_how_long_nobody_held_a_zone),
        SCENE(store_takes_off_the_disk_hundreds_that_nobody_holds),
        SCENE(store_forgets_one_zone_that_nobody_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
