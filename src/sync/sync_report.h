/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sync thread knows of a zone, copied out: how the copy stands, what each primary showed,
 * what each server that is notified has. Values; times are wall-clock seconds, 0 where there is
 * none.
 */
#ifndef SYNC_SYNC_REPORT_H
#define SYNC_SYNC_REPORT_H

#include "base/address.h"
#include "sync/sync.h"
#include "wire/record.h"

struct server_zone;
struct sync;

enum sync_state {
    SYNC_PRIMARY,     /* nothing to be in step with */
    SYNC_STARTING,    /* the copy is still being read */
    SYNC_NO_COPY,     /* the first transfer has not come through */
    SYNC_UNCONFIRMED, /* a copy from before the start, not compared with a primary yet */
    SYNC_IN_SYNC,
    SYNC_BEHIND,   /* a newer serial is known to exist */
    SYNC_DIVERGED, /* the serial is the primary's, the records are not */
    SYNC_AHEAD,    /* the primary's serial is before ours: it went back there */
    SYNC_FAILING,  /* no primary could be asked; the copy serves on until it expires */
    SYNC_EXPIRED,
};

enum sync_activity { SYNC_IDLE, SYNC_WAITING_TO_RETRY, SYNC_QUERYING, SYNC_TRANSFERRING };

struct sync_primary_report {
    struct address address;
    const char *key; /* borrowed from the zone's settings, as `settings` below; or NULL */
    const char *tls; /* name of the `tls` block, likewise */
    bool has_serial;
    struct serial serial;
    int64_t answered_at_s, failed_at_s;
    int64_t avoided_until_s; /* it does not answer, and is asked last until then; 0: it is not */
    uint32_t failures;
    char *error; /* NULL: none since it answered */
};

enum sync_target_state {
    SYNC_TARGET_UNTOLD,  /* nothing was published since the start */
    SYNC_TARGET_PENDING, /* no acknowledgement yet; tries go on */
    SYNC_TARGET_REFUSED, /* it answers, with an error: `rcode`; tries go on */
    SYNC_TARGET_TOLD,    /* it acknowledged the newest serial, and did not show which it has */
    SYNC_TARGET_BEHIND,  /* it acknowledged, and showed an older one */
    SYNC_TARGET_IN_SYNC, /* it showed that it has the newest */
};

struct sync_target_report {
    struct address address;
    const char *key; /* as above */
    const char *tls;
    bool from_ns_set;
    enum sync_target_state state;
    struct serial announced, acked,
        known; /* where their times are not 0; announced: also pending */
    bool has_announced;
    int64_t acked_at_s, known_at_s, behind_since_s, next_try_at_s;
    uint32_t tries;
    uint8_t rcode;
};

struct sync_report {
    struct server_zone *zone; /* in: a reference of the asker's */
    enum sync_state state;
    enum sync_activity activity;
    bool wants_newer;
    struct serial wanted; /* where behind or ahead: the primary's */
    int64_t wanted_since_s, contacted_at_s, expires_at_s, next_refresh_at_s, error_at_s;
    uint32_t failed_rounds;
    enum proof_state proof; /* IDENTICAL, DIVERGED: as compared with proof_primary at proof_at_s */
    struct address proof_primary;
    int64_t proof_at_s;
    char *error; /* the last one since the last success, with its step; NULL: none */
    struct address error_primary;
    struct settings *settings; /* a reference; NULL without detail */
    struct sync_primary_report *primaries;
    struct sync_target_report *targets;
    size_t primary_count, target_count;
};

/*
 * Has `count` reports filled in by the sync thread, with primaries and targets where `detail`.
 * reports  borrowed until `done`; each has its zone, the rest zeroed.
 * done     called in the sync thread
 * False: the thread has ended, nothing will come. Any thread.
 */
MUST_CHECK bool sync_report_ask(struct sync *sync, struct sync_report *reports, size_t count,
                                bool detail, void (*done)(void *context), void *context);
/* Frees what the report holds; the zone is the asker's. Safe on a zeroed one. */
void sync_report_deinit(struct sync_report *report);

#endif
