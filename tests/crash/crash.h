/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world to crash: a store with a ledger and a few zones in one directory, a load of commits, and
 * the checks of what must be there afterwards. What was promised stands in memory shared with the
 * parent, so it outlives the process that is ended.
 */
#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H

#include <stdatomic.h>
#include <stdio.h>

#include "ledger/ledger.h"
#include "wire/name.h"

enum { ZONES = 4, FIRST_SERIAL = 100, META_NUMBER = LEDGER_META_USER + 7 };

/* One role a zone; the last one is large enough for an image of its own. */
enum crash_role { ROLE_FILE, ROLE_TRANSFER, ROLE_UPDATE, ROLE_LARGE };

/* Shared between the processes. */
struct promises {
    _Atomic uint32_t acknowledged[ZONES]; /* serials; 0: none */
    _Atomic uint32_t tried[ZONES];
    _Atomic uint32_t meta_acknowledged[ZONES];
    _Atomic uint32_t meta_tried[ZONES];
    _Atomic uint32_t writes; /* that the hook saw */
    _Atomic uint32_t refused;
    _Atomic uint32_t damaged_zones; /* told by a damage check */
    _Atomic uint32_t reports;
};

/* What the hook does, from the write `at` on, `length` times. */
enum crash_act { ACT_NOTHING, ACT_END, ACT_FAIL };

struct world {
    const char *directory;
    uint64_t seed;
    uint64_t random;
    const char *what; /* said when a check fails */
    unsigned point;
    struct promises *promises;
    enum crash_act act;
    uint32_t at;
    uint32_t length;
    int failure;        /* errno */
    _Atomic bool quiet; /* no more failures */
    unsigned reports;
    struct store *store;
    struct ledger *ledger;
    struct name names[ZONES];
    struct zone *zones[ZONES];
    struct ledger_zone *in_ledger[ZONES];
    enum result restored[ZONES];
    struct ledger_restored found[ZONES];
    _Atomic unsigned waiting;
    uint32_t newest[ZONES]; /* the last one asked for */
};

void world_init(struct world *world, const char *directory, uint64_t seed,
                struct promises *promises);
uint32_t world_random(struct world *world, uint32_t below);

/* Opens, adds the zones, restores them. */
void world_open(struct world *world);
void world_close(struct world *world);

/* A round: each zone gets a commit or several; returns when all have ended. */
void world_round(struct world *world, bool must_succeed);
/* Sessions of rounds, closed in between. */
void world_load(struct world *world, unsigned sessions, unsigned rounds);

/* After a stop: everything acknowledged is there, whole, and nothing was damaged. */
void world_check(struct world *world);
/* After damage: what is served is right; what is missing is told; a commit heals it. */
void world_check_damaged(struct world *world);

/* Runs `body` in a process of its own: its exit status, or 128 + signal. */
int run_apart(void (*body)(void *context), void *context);

enum { EXIT_KILLED = 77, EXIT_WRONG = 3 };

#define CHECK(world, condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            crash_failed((world), __FILE__, __LINE__, #condition, __VA_ARGS__);                    \
        }                                                                                          \
    } while (0)
_Noreturn void crash_failed(const struct world *world, const char *file, int line,
                            const char *condition, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
