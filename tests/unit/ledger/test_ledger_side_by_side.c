/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the server does to one zone at the same time: a loader builds a version from a file that
 * changed, on the base of the one that is served, while updates go through the door, secondaries
 * ask for what changed, and somebody looks at an old version. Meant for the thread sanitizer; the
 * assertions are those that hold whatever the order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/rcu.h"
#include "ledger/ledger.h"
#include "zone/builder.h"

enum { UPDATES = 300, LOADS = 20, RECORDS = 2000 };

struct scene {
    struct name apex;
    struct ledger *ledger;
    struct zone *zone;
    struct ledger_zone *in_ledger;
    _Atomic unsigned done;
    _Atomic bool is_over;
};

struct sample {
    struct name owner;
    uint8_t rdata[32];
    struct record record;
};

static const struct record *address(struct sample *s, unsigned number, uint32_t value)
{
    char owner[64];
    snprintf(owner, sizeof(owner), "h%u.example.", number);
    assert_int_equal(name_parse_str(owner, &s->owner, NULL), OK);
    put_u32(s->rdata, value);
    s->record = (struct record){s->owner.wire, TYPE_A, CLASS_IN, 60, slice_of(s->rdata, 4)};
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

/* As a loader reads a file: mostly what `base` has, every record of it given anew. */
static struct zone_version *build(const struct scene *scene, struct zone_version *base,
                                  uint32_t serial, uint32_t edition)
{
    struct sample s;
    struct zone_version *version = NULL;
    struct builder *builder = builder_new(scene->apex.wire, CLASS_IN, NULL, NULL, NULL);
    if (base != NULL) {
        builder_set_base(builder, base);
    }
    assert_int_equal(builder_add(builder, soa(&s, scene, serial), NULL, 0, NULL), OK);
    s.record.type = TYPE_NS;
    s.record.rdata = slice_of("\3ns1\0", 5);
    assert_int_equal(builder_add(builder, &s.record, NULL, 0, NULL), OK);
    for (unsigned i = 0; i < RECORDS; i++) {
        uint32_t value = i % 100 == 0 ? edition : 1;
        assert_int_equal(builder_add(builder, address(&s, i, value), NULL, 0, NULL), OK);
    }
    assert_int_equal(builder_finish(builder, base, &version, NULL, NULL), OK);
    builder_free(builder);
    return version;
}

static void on_done(void *context, enum result result, const struct error *err)
{
    struct scene *scene = context;
    (void)err;
    if (result == OK) {
        atomic_fetch_add(&scene->done, 1);
    }
}

struct wish {
    const struct scene *scene;
    unsigned number; /* of the update; or */
    struct zone_version *file;
};

static enum result make_update(void *context, struct zone_version *head, struct delta **out,
                               struct error *err)
{
    const struct wish *wish = context;
    struct sample s;
    uint32_t serial = zone_version_serial(head).value;
    *out = delta_new(wish->scene->apex.wire, CLASS_IN);
    enum result result = delta_remove(*out, soa(&s, wish->scene, serial), err);
    if (result == OK) {
        result = delta_add(*out, soa(&s, wish->scene, serial + 1), err);
    }
    if (result == OK) {
        result = delta_add(*out, address(&s, RECORDS + wish->number, 7), err);
    }
    return result == OK ? delta_seal(*out, err) : result;
}

/* The file's addresses over the head's, as a merge does it, with the head's next serial. */
static enum result make_merge(void *context, struct zone_version *head, struct delta **out,
                              struct error *err)
{
    const struct wish *wish = context;
    struct sample s;
    uint32_t serial = zone_version_serial(head).value;
    struct delta *difference = delta_diff(head, wish->file);
    struct delta *delta = delta_new(wish->scene->apex.wire, CLASS_IN);
    enum result result = delta_remove(delta, soa(&s, wish->scene, serial), err);
    if (result == OK) {
        result = delta_add(delta, soa(&s, wish->scene, serial + 1), err);
    }
    for (size_t i = 0; i < delta_count(difference) && result == OK; i++) {
        struct record record;
        bool removes;
        delta_get(difference, i, &removes, &record);
        const struct owner *in_file = zone_version_find(wish->file, record.owner);
        if (record.type == TYPE_A && in_file != NULL) { /* what updates added stays */
            result = removes ? delta_remove(delta, &record, err) : delta_add(delta, &record, err);
        }
    }
    delta_free(difference);
    *out = delta;
    return result == OK ? delta_seal(delta, err) : result;
}

static void *run_updates(void *context)
{
    struct scene *scene = context;
    for (unsigned i = 0; i < UPDATES; i++) {
        struct wish wish = {.scene = scene, .number = i};
        struct ledger_edit_options options = {.source = STORE_FROM_UPDATE, .may_write = i % 3 != 0};
        if (ledger_edit(scene->in_ledger, make_update, &wish, &options, on_done, scene, NULL) !=
            OK) {
            break; /* the count tells */
        }
    }
    return NULL;
}

static void *run_loads(void *context)
{
    struct scene *scene = context;
    for (uint32_t i = 0; i < LOADS; i++) {
        struct zone_version *present = ledger_zone_head(scene->in_ledger);
        struct wish wish = {.scene = scene, .file = build(scene, present, 1, 100 + i)};
        struct ledger_edit_options options = {.source = STORE_FROM_FILE};
        zone_version_unref(present);
        enum result result =
            ledger_edit(scene->in_ledger, make_merge, &wish, &options, on_done, scene, NULL);
        zone_version_unref(wish.file);
        if (result != OK) {
            break;
        }
    }
    return NULL;
}

static void *run_readers(void *context)
{
    struct scene *scene = context;
    struct serial last = {1};
    while (!atomic_load(&scene->is_over)) {
        struct ledger_chain chain;
        if (ledger_history(scene->in_ledger, last, 0, &chain, NULL) == OK) {
            struct zone_version *old = NULL;
            if (ledger_version_at(scene->in_ledger, last, &old, NULL) == OK) {
                assert_int_equal(zone_version_serial(old).value, last.value);
            }
            zone_version_unref(old);
            last = chain.to;
            ledger_chain_deinit(&chain);
        }
    }
    return NULL;
}

static void a_zone_is_built_updated_and_read_side_by_side(void **state)
{
    (void)state;
    struct scene scene = {0};
    static void *(*const runs[])(void *) = {run_updates, run_loads, run_readers};
    pthread_t threads[ARRAY_SIZE(runs)];
    assert_int_equal(name_parse_str("example.", &scene.apex, NULL), OK);
    scene.ledger = ledger_new(&(struct ledger_options){0});
    scene.zone = zone_new(scene.apex.wire, CLASS_IN, 0);
    scene.in_ledger = ledger_add(scene.ledger, scene.zone, NULL);
    struct ledger_change first = {.version = build(&scene, NULL, 1, 1), .source = STORE_FROM_FILE};
    assert_int_equal(ledger_commit(scene.in_ledger, &first, on_done, &scene, NULL), OK);
    for (unsigned i = 0; i < ARRAY_SIZE(runs); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &scene), 0);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    atomic_store(&scene.is_over, true);
    pthread_join(threads[2], NULL);
    assert_int_equal(scene.done, 1 + UPDATES + LOADS);
    struct zone_version *end = ledger_zone_head(scene.in_ledger);
    assert_int_equal(zone_version_serial(end).value, 1 + UPDATES + LOADS);
    assert_int_equal(zone_version_record_count(end), 2 + RECORDS + UPDATES);
    zone_version_unref(end);
    ledger_remove(scene.in_ledger);
    ledger_free(scene.ledger);
    zone_publish(scene.zone, NULL);
    rcu_drain();
    zone_unref(scene.zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_is_built_updated_and_read_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
