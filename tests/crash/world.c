/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The content of a zone is a function of its name and serial alone: an SOA, an NS, and a window of
 * TXT records numbered by serials, some of them long. So whoever finds a serial after a crash knows
 * every record that has to stand under it, and no list of what was committed is needed.
 */
#include "crash/crash.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rcu.h"
#include "crash/content.h"
#include "zone/delta.h"

enum { SEGMENT = 128 << 10, LONG_ENOUGH_MS = 20000, MAX_STEP = 3 };

static const char *const zone_names[ZONES] = {"file.example.", "transfer.example.",
                                              "update.example.", "large.example."};

void crash_failed(const struct world *world, const char *file, int line, const char *condition,
                  const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s, seed %llu, point %u: %s:%d: %s: %s\n", world->what,
            (unsigned long long)world->seed, world->point, file, line, condition, text);
    fflush(stderr);
    _exit(EXIT_WRONG);
}

void world_init(struct world *world, const char *directory, uint64_t seed,
                struct promises *promises)
{
    memset(world, 0, sizeof(*world));
    world->directory = directory;
    world->seed = seed;
    world->random = seed * 2 + 1;
    world->what = "";
    world->promises = promises;
    for (unsigned i = 0; i < ZONES; i++) {
        enum result result = name_parse_str(zone_names[i], &world->names[i], NULL);
        CHECK(world, result == OK, "%s", zone_names[i]);
    }
}

uint32_t world_random(struct world *world, uint32_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random >> 16) % below;
}

static int on_write(void *context, enum store_write what)
{
    struct world *world = context;
    (void)what;
    uint32_t number = atomic_fetch_add(&world->promises->writes, 1) + 1;
    if (world->quiet || number < world->at || number - world->at >= world->length) {
        return 0;
    }
    switch (world->act) {
    case ACT_NOTHING:
        return 0;
    case ACT_END:
        _exit(EXIT_KILLED);
    case ACT_FAIL:
        return world->failure;
    }
    return 0;
}

static void on_report(void *context, const uint8_t *zone, const char *text)
{
    struct world *world = context;
    (void)zone;
    CHECK(world, strlen(text) > 10, "a report without words");
    world->reports++;
    if (getenv("CRASH_VERBOSE") != NULL) {
        fprintf(stderr, "point %u: %s\n", world->point, text);
    }
}

void world_open(struct world *world)
{
    struct error err = {0};
    struct store_options options = {
        .directory = world->directory,
        .journal_segment_bytes = SEGMENT,
        .map_bytes = 256 << 10,
        .hook = {on_write, world},
    };
    world->reports = 0;
    enum result result = store_open(&options, on_report, world, &world->store, &err);
    CHECK(world, result == OK, "%s", err.text);
    world->ledger =
        ledger_new(&(struct ledger_options){.store = world->store, .checkpoint_bytes = 20000});
    for (unsigned i = 0; i < ZONES; i++) {
        world->zones[i] = zone_new(world->names[i].wire, CLASS_IN, 0);
        world->in_ledger[i] = ledger_add(world->ledger, world->zones[i], world);
        err = (struct error){0};
        world->restored[i] =
            ledger_restore(world->in_ledger[i], i == ROLE_TRANSFER, &world->found[i], &err);
        if (world->restored[i] == ERR_CORRUPT && getenv("CRASH_VERBOSE") != NULL) {
            fprintf(stderr, "point %u: %s %s\n", world->point, zone_names[i], err.text);
        }
    }
}

void world_close(struct world *world)
{
    for (unsigned i = 0; i < ZONES; i++) {
        ledger_remove(world->in_ledger[i]);
    }
    ledger_free(world->ledger);
    for (unsigned i = 0; i < ZONES; i++) {
        zone_publish(world->zones[i], NULL);
    }
    rcu_drain();
    for (unsigned i = 0; i < ZONES; i++) {
        zone_unref(world->zones[i]);
    }
    store_close(world->store);
}

/* --- Commits. --- */

struct asked {
    struct world *world;
    unsigned zone;
    uint32_t serial; /* 0: a meta value */
    uint32_t meta;
    bool must_succeed;
};

static void raise_to(_Atomic uint32_t *value, uint32_t to)
{
    uint32_t now = atomic_load(value);
    while (now < to && !atomic_compare_exchange_weak(value, &now, to)) {
    }
}

static void on_done(void *context, enum result result, const struct error *err)
{
    struct asked *asked = context;
    struct world *world = asked->world;
    struct promises *promises = world->promises;
    if (result == OK) {
        raise_to(asked->serial != 0 ? &promises->acknowledged[asked->zone]
                                    : &promises->meta_acknowledged[asked->zone],
                 asked->serial != 0 ? asked->serial : asked->meta);
    } else {
        CHECK(world, !asked->must_succeed, "zone %u serial %u: %s", asked->zone, asked->serial,
              err == NULL ? "" : err->text);
        CHECK(world, result == ERR_IO || result == ERR_LIMIT || result == ERR_STALE, "%d %s",
              (int)result, err == NULL ? "" : err->text);
        atomic_fetch_add(&promises->refused, 1);
    }
    free(asked);
    atomic_fetch_sub(&world->waiting, 1);
}

static struct asked *ask(struct world *world, unsigned zone, uint32_t serial, bool must_succeed)
{
    struct asked *asked = malloc(sizeof(*asked));
    *asked = (struct asked){world, zone, serial, 0, must_succeed};
    atomic_fetch_add(&world->waiting, 1);
    return asked;
}

static void not_let_in(struct asked *asked, enum result result, const struct error *err)
{
    CHECK(asked->world, result == ERR_STALE && !asked->must_succeed, "%d %s", (int)result,
          err->text);
    atomic_fetch_sub(&asked->world->waiting, 1);
    free(asked);
}

struct wish {
    struct world *world;
    unsigned zone;
    uint32_t to;
};

static enum result make(void *context, struct zone_version *head, struct delta **out,
                        struct error *err)
{
    const struct wish *wish = context;
    (void)err;
    *out =
        content_delta(&wish->world->names[wish->zone], zone_version_serial(head).value, wish->to);
    return OK;
}

/* One delta through ledger_edit, or a chain through ledger_commit, or a new beginning. */
static void commit(struct world *world, unsigned zone, bool must_succeed)
{
    struct error err = {0};
    struct zone_version *head = ledger_zone_head(world->in_ledger[zone]);
    uint32_t from = head == NULL ? 0 : zone_version_serial(head).value;
    uint32_t step = 1 + world_random(world, MAX_STEP);
    uint32_t floor = atomic_load(&world->promises->tried[zone]);
    uint32_t to = head != NULL ? from + step : (floor != 0 ? floor : FIRST_SERIAL) + step;
    bool restarts = head == NULL || (zone == ROLE_TRANSFER && world_random(world, 6) == 0);
    struct asked *asked = ask(world, zone, to, must_succeed);
    enum result result;
    raise_to(&world->promises->tried[zone], to);
    world->newest[zone] = to;
    if (!restarts && zone == ROLE_UPDATE) {
        struct wish wish = {world, zone, to};
        struct ledger_edit_options options = {.source = STORE_FROM_UPDATE,
                                              .may_write = to % 2 == 0};
        result = ledger_edit(world->in_ledger[zone], make, &wish, &options, on_done, asked, &err);
    } else {
        struct delta *deltas[MAX_STEP];
        struct ledger_change change = {
            .source = zone == ROLE_TRANSFER ? STORE_FROM_TRANSFER : STORE_FROM_FILE,
            .order = zone == ROLE_TRANSFER ? LEDGER_PUBLISH_FIRST : LEDGER_PERSIST_FIRST,
            .deltas = deltas,
        };
        if (restarts) {
            change.version = content_version(&world->names[zone], to, zone == ROLE_LARGE);
        } else {
            /* A transfer brings a chain, of which each serial is one of ours. */
            uint32_t stride = zone == ROLE_TRANSFER ? 1 : step;
            change.version = zone_version_ref(head);
            for (uint32_t at = from; at != to; at += stride) {
                struct delta *delta = content_delta(&world->names[zone], at, at + stride);
                struct zone_version *next;
                enum result applied = delta_apply(change.version, delta, NULL, &next, &err);
                CHECK(world, applied == OK, "%s", err.text);
                zone_version_unref(change.version);
                change.version = next;
                deltas[change.delta_count++] = delta;
            }
        }
        result = ledger_commit(world->in_ledger[zone], &change, on_done, asked, &err);
        for (size_t i = 0; i < change.delta_count; i++) {
            delta_free(deltas[i]);
        }
    }
    if (result != OK) {
        not_let_in(asked, result, &err);
    }
    zone_version_unref(head);
}

static void await_all(struct world *world)
{
    for (unsigned i = 0; i < LONG_ENOUGH_MS * 5 && atomic_load(&world->waiting) != 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    CHECK(world, atomic_load(&world->waiting) == 0, "a commit does not end");
}

void world_round(struct world *world, bool must_succeed)
{
    for (unsigned zone = 0; zone < ZONES; zone++) {
        unsigned count = must_succeed ? 1 : 1 + world_random(world, 3);
        for (unsigned i = 0; i < count; i++) {
            commit(world, zone, must_succeed);
        }
        uint32_t meta = atomic_fetch_add(&world->promises->meta_tried[zone], 1) + 1;
        uint8_t bytes[4];
        struct asked *asked = ask(world, zone, 0, must_succeed);
        asked->meta = meta;
        put_u32(bytes, meta);
        ledger_put_meta(world->in_ledger[zone], META_NUMBER, slice_of(bytes, 4), on_done, asked);
    }
    await_all(world);
}

void world_load(struct world *world, unsigned sessions, unsigned rounds)
{
    for (unsigned session = 0; session < sessions; session++) {
        world_open(world);
        for (unsigned round = 0; round < rounds; round++) {
            world_round(world, false);
        }
        if (world->act == ACT_FAIL) {
            /* The disk is sound again: everything must go on in this very process. */
            atomic_store(&world->quiet, true);
            world_round(world, true);
            atomic_store(&world->quiet, false);
        }
        world_close(world);
    }
}

/* --- Checks. --- */

static void check_content(struct world *world, unsigned zone, struct zone_version *version)
{
    uint32_t serial = zone_version_serial(version).value;
    struct zone_version *expected =
        content_version(&world->names[zone], serial, zone == ROLE_LARGE);
    CHECK(world, content_equal(version, expected), "zone %u is not what serial %u stands for", zone,
          serial);
    zone_version_unref(expected);
}

/* From every serial that history goes back to, the chain leads to exactly what is served. */
static void check_history(struct world *world, unsigned zone, bool damaged)
{
    struct store_entry entries[64];
    size_t count = ledger_entries(world->in_ledger[zone], entries, ARRAY_SIZE(entries));
    struct zone_version *served = zone_acquire(world->zones[zone]);
    for (size_t i = 0; i < (zone == ROLE_LARGE && count != 0 ? 1 : count); i++) {
        struct ledger_chain chain;
        struct error err = {0};
        enum result result =
            ledger_history(world->in_ledger[zone], entries[i].from, 0, &chain, &err);
        if (result != OK) {
            CHECK(world, damaged || result == ERR_NOT_FOUND, "history from %u: %s",
                  entries[i].from.value, err.text);
            continue;
        }
        struct zone_version *version =
            content_version(&world->names[zone], entries[i].from.value, zone == ROLE_LARGE);
        for (size_t k = 0; k < chain.count; k++) {
            struct delta *delta;
            struct zone_version *next;
            result =
                chunk_to_delta(chain.chunks[k], world->names[zone].wire, CLASS_IN, &delta, &err);
            CHECK(world, result == OK, "%s", err.text);
            result = delta_apply(version, delta, NULL, &next, &err);
            CHECK(world, result == OK, "zone %u from %u: %s", zone, entries[i].from.value,
                  err.text);
            zone_version_unref(version);
            version = next;
            delta_free(delta);
        }
        CHECK(world, content_equal(version, served), "zone %u from %u", zone,
              entries[i].from.value);
        zone_version_unref(version);
        ledger_chain_deinit(&chain);
    }
    zone_version_unref(served);
}

static void check_meta(struct world *world, unsigned zone, bool damaged)
{
    uint8_t bytes[4];
    size_t size = 0;
    uint32_t at_least = atomic_load(&world->promises->meta_acknowledged[zone]);
    uint32_t at_most = atomic_load(&world->promises->meta_tried[zone]);
    enum result result =
        ledger_get_meta(world->in_ledger[zone], META_NUMBER, bytes, sizeof(bytes), &size, NULL);
    if (result == OK) {
        CHECK(world, size == 4 && get_u32(bytes) <= at_most, "zone %u: %u", zone, get_u32(bytes));
        CHECK(world, damaged || get_u32(bytes) >= at_least, "zone %u: %u, not %u", zone,
              get_u32(bytes), at_least);
    } else {
        CHECK(world, damaged || at_least == 0, "zone %u: %d", zone, (int)result);
    }
}

static void check_zone(struct world *world, unsigned zone)
{
    uint32_t at_least = atomic_load(&world->promises->acknowledged[zone]);
    uint32_t at_most = atomic_load(&world->promises->tried[zone]);
    struct zone_version *version = zone_acquire(world->zones[zone]);
    CHECK(world, world->restored[zone] == OK || world->restored[zone] == ERR_NOT_FOUND,
          "zone %u: %d", zone, (int)world->restored[zone]);
    CHECK(world, (version != NULL) == (world->restored[zone] == OK), "zone %u", zone);
    CHECK(world, version != NULL || at_least == 0, "zone %u: %u was acknowledged", zone, at_least);
    if (version != NULL) {
        uint32_t serial = zone_version_serial(version).value;
        CHECK(world, serial >= at_least && serial <= at_most, "zone %u: %u, not %u to %u", zone,
              serial, at_least, at_most);
        check_content(world, zone, version);
        check_history(world, zone, false);
    }
    zone_version_unref(version);
    check_meta(world, zone, false);
}

void world_check(struct world *world)
{
    world->act = ACT_NOTHING;
    world_open(world);
    CHECK(world, world->reports == 0, "%u reports of damage", world->reports);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        check_zone(world, zone);
    }
    world_round(world, true);
    world_close(world);
    world_open(world);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        check_zone(world, zone);
    }
    world_close(world);
}

void world_check_damaged(struct world *world)
{
    unsigned damaged = 0;
    world->act = ACT_NOTHING;
    world_open(world);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        uint32_t last = atomic_load(&world->promises->acknowledged[zone]);
        struct zone_version *version = zone_acquire(world->zones[zone]);
        bool told = world->restored[zone] != OK || world->reports != 0;
        if (version == NULL || zone_version_serial(version).value != last) {
            CHECK(world, told, "zone %u is at %u, not %u, and nothing was said", zone,
                  version == NULL ? 0 : zone_version_serial(version).value, last);
        }
        CHECK(world, world->restored[zone] != ERR_NOT_FOUND || world->reports != 0,
              "zone %u is gone and nothing was said", zone);
        damaged += world->restored[zone] != OK;
        if (version != NULL) {
            CHECK(world, zone_version_serial(version).value <= last, "zone %u is ahead", zone);
            check_content(world, zone, version);
            check_history(world, zone, true);
        }
        check_meta(world, zone, true);
        zone_version_unref(version);
    }
    atomic_fetch_add(&world->promises->damaged_zones, damaged);
    atomic_fetch_add(&world->promises->reports, world->reports != 0);
    CHECK(world, damaged <= 1 || world->reports != 0, "one place damaged, %u zones", damaged);
    /* Healing: whatever it was, the next commit counts and stays. */
    world_round(world, true);
    world_close(world);
    world_open(world);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        struct zone_version *version = zone_acquire(world->zones[zone]);
        CHECK(world, version != NULL && world->restored[zone] == OK, "zone %u is not healed: %d",
              zone, (int)world->restored[zone]);
        CHECK(world, zone_version_serial(version).value == world->newest[zone],
              "zone %u: %u, not %u", zone, zone_version_serial(version).value, world->newest[zone]);
        check_content(world, zone, version);
        zone_version_unref(version);
    }
    world_close(world);
}

int run_apart(void (*body)(void *context), void *context)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body(context);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return EXIT_WRONG;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
