/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a new version must pass before it is served (docs/decisions/guards.md). The ledger asks here
 * about every version, whoever made it. What breaks a rule is refused; what is merely suspicious is
 * held: the old version goes on serving until the operator says `release` or `discard`.
 */
#ifndef ZONES_ZONE_GUARD_H
#define ZONES_ZONE_GUARD_H

#include "ledger/ledger.h"
#include "zones/zones.h"

struct zone_guards;

/* Before the ledger is opened; freed after it. NULL is fine for stop and free. */
struct zone_guards *zone_guards_new(struct server *server);
/* Ends a checker that runs, and lets none begin. */
void zone_guards_stop(struct zone_guards *guards);
void zone_guards_free(struct zone_guards *guards);

/* The ledger's guard; the context is the struct zone_guards. ERR_DENIED: held. ERR_LIMIT,
 * ERR_FORMAT: refused. */
enum result zone_guard_judge(void *context, const struct ledger_candidate *candidate,
                             struct error *err);

enum held_cause {
    HELD_SHRINK,   /* max-shrink */
    HELD_GROWTH,   /* max-growth */
    HELD_CHECKING, /* the checker looks at it */
    HELD_VETO,     /* ... and said no */
};

struct held_report {
    enum held_cause cause;
    enum store_source source;
    struct serial serial;
    uint64_t record_count;
    int64_t since_s;
    char text[400];
};
const char *held_cause_word(enum held_cause cause); /* "shrink" … */
/* False: nothing is held. Any thread. */
bool zone_guard_report(struct server_zone *zone, struct held_report *out);

/* Something is held. Any thread. */
bool zone_guard_holds(struct server_zone *zone);

/*
 * Has the checker look at what is held for it, in the calling thread, which waits (a loader's).
 * OK: it has nothing against it; the same content is let in now. ERR_DENIED: nothing waits for it,
 * or it said no, and the version stays held.
 */
MUST_CHECK enum result zone_guard_check(struct server_zone *zone, struct error *err);

/* The operator's word: the content that is held will be let in. False: nothing is held. */
bool zone_guard_approve(struct server_zone *zone, struct held_report *out);
/* A transfer's version that was approved becomes what is served. Loader thread. */
MUST_CHECK enum result zone_guard_commit(struct server_zone *zone, struct error *err);
/* The operator's word: what is held is forgotten. False: nothing is held. */
bool zone_guard_discard(struct server_zone *zone, struct held_report *out);
/* What was held of this source is no longer wanted: the file is again as what is served. */
void zone_guard_drop(struct server_zone *zone, enum store_source source);
/* The zone is being freed. */
void zone_guard_forget(struct server_zone *zone);

#endif
