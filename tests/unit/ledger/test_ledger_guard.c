/* SPDX-License-Identifier: BSD-3-Clause */
/* The guard at the door: no way of changing a zone goes round it. In memory, so all is immediate. */
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rcu.h"
#include "soa_record.h"
#include "wire/name.h"
#include "zone/builder.h"

struct scene {
    struct ledger *ledger;
    struct name apex;
    struct zone *zone;
    struct ledger_zone *in_ledger;
    enum result verdict;
    unsigned asked;
    uint32_t asked_head, asked_serial; /* head 0: none */
    enum store_source asked_source;
    unsigned told, done;
};

static enum result guard(void *context, const struct ledger_candidate *candidate, struct error *err)
{
    struct scene *scene = context;
    scene->asked++;
    scene->asked_head = candidate->head == NULL ? 0 : zone_version_serial(candidate->head).value;
    scene->asked_serial = zone_version_serial(candidate->version).value;
    scene->asked_source = candidate->source;
    assert_ptr_equal(ledger_zone_context(candidate->zone), scene);
    return scene->verdict == OK ? OK : error_set(err, scene->verdict, "not this one");
}

static void on_event(void *context, const struct ledger_event *event)
{
    struct scene *scene = context;
    scene->told += event->kind == LEDGER_PUBLISHED;
}

static void on_done(void *context, enum result result, const struct error *err)
{
    struct scene *scene = context;
    (void)err;
    scene->done += result == OK;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_int_equal(name_parse_str("example.", &scene->apex, NULL), OK);
    struct ledger_options options = {.guard = guard, .guard_context = scene};
    scene->ledger = ledger_new(&options);
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
    free(scene);
    return 0;
}

static enum result commit(struct scene *scene, uint32_t serial, enum store_source source,
                          struct error *err)
{
    uint8_t rdata[SOA_RECORD_SIZE];
    struct zone_version *version;
    struct builder *builder = builder_new(scene->apex.wire, CLASS_IN, NULL, NULL, NULL);
    struct record record = soa_record(scene->apex.wire, serial, rdata);
    assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    record.type = TYPE_NS;
    record.rdata = slice_of("\3ns1\0", 5);
    assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, NULL), OK);
    builder_free(builder);
    struct ledger_change change = {
        .version = version, .source = source, .order = LEDGER_PERSIST_FIRST};
    return ledger_commit(scene->in_ledger, &change, on_done, scene, err);
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

static enum result make_nothing(void *context, struct zone_version *head, struct delta **out,
                                struct error *err)
{
    (void)context, (void)head, (void)err;
    *out = NULL;
    return OK;
}

static uint32_t served(struct scene *scene)
{
    struct zone_version *version = zone_acquire(scene->zone);
    uint32_t serial = version == NULL ? 0 : zone_version_serial(version).value;
    zone_version_unref(version);
    return serial;
}

static void ledger_guard_is_asked_about_commits_and_edits(void **state)
{
    struct scene *scene = *state;
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    assert_int_equal(commit(scene, 1, STORE_FROM_FILE, NULL), OK);
    assert_int_equal(scene->asked, 1);
    assert_int_equal(scene->asked_head, 0);
    assert_int_equal(scene->asked_source, STORE_FROM_FILE);
    assert_int_equal(ledger_edit(scene->in_ledger, make, scene, &options, on_done, scene, NULL),
                     OK);
    assert_int_equal(scene->asked, 2);
    assert_int_equal(scene->asked_head, 1);
    assert_int_equal(scene->asked_serial, 2);
    assert_int_equal(scene->asked_source, STORE_FROM_UPDATE);
    assert_int_equal(served(scene), 2);
    assert_int_equal(scene->done, 2);
}

static void ledger_guard_keeps_a_version_out_and_the_old_one_serves(void **state)
{
    struct scene *scene = *state;
    struct ledger_edit_options options = {.source = STORE_FROM_FILE};
    struct error err = {0};
    assert_int_equal(commit(scene, 1, STORE_FROM_FILE, NULL), OK);
    scene->verdict = ERR_DENIED;
    assert_int_equal(commit(scene, 5, STORE_FROM_TRANSFER, &err), ERR_DENIED);
    assert_string_equal(err.text, "not this one");
    err = (struct error){0};
    assert_int_equal(ledger_edit(scene->in_ledger, make, scene, &options, on_done, scene, &err),
                     ERR_DENIED);
    assert_int_equal(served(scene), 1);
    assert_int_equal(scene->told, 1);
    assert_int_equal(scene->done, 1);
    scene->verdict = OK;
    assert_int_equal(commit(scene, 5, STORE_FROM_TRANSFER, NULL), OK);
    assert_int_equal(scene->asked_head, 1);
    assert_int_equal(served(scene), 5);
}

static void ledger_guard_is_not_asked_about_what_cannot_be_let_in(void **state)
{
    struct scene *scene = *state;
    struct ledger_edit_options options = {.source = STORE_FROM_UPDATE};
    assert_int_equal(commit(scene, 7, STORE_FROM_FILE, NULL), OK);
    assert_int_equal(commit(scene, 6, STORE_FROM_FILE, NULL), ERR_STALE);
    assert_int_equal(
        ledger_edit(scene->in_ledger, make_nothing, scene, &options, on_done, scene, NULL), OK);
    assert_int_equal(scene->asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ledger_guard_is_asked_about_commits_and_edits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ledger_guard_keeps_a_version_out_and_the_old_one_serves,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(ledger_guard_is_not_asked_about_what_cannot_be_let_in,
                                        set_up, tear_down),
    };
    rcu_thread_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_stop();
    return failed;
}
