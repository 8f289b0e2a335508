/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger: the one door through which a zone moves to a new serial.
 *
 * Every commit is checked, journaled durably (one sync for all that is waiting, whatever the zone),
 * published, and told to the watchers, in that order; a secondary's commits are published and told
 * first and journaled then. Without a store the ledger works in memory.
 *
 *     head        the newest version that was let in; what the next commit starts from
 *     durable     the newest version that is on disk
 *     published   what is answered with (struct zone); never ahead of durable on a primary
 *
 * Commits do not wait for those before them to be durable; when one fails, all that stood on it
 * fail with it, and the head goes back to what is durable.
 *
 * Threads: any may call, but where it says otherwise. With a store, two of the ledger's own: the
 * writer (group commit, publishing, watchers, done) and the keeper (checkpoints, images,
 * fingerprints of large zones, removal).
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/error.h"
#include "store/store.h"
#include "zone/delta.h"
#include "zone/version.h"
#include "zone/zone_set.h"

struct ledger;
struct ledger_zone;

enum ledger_event_kind {
    LEDGER_PUBLISHED,   /* from -> to is served now: NOTIFY, logs, file writer */
    LEDGER_NOT_SAVED,   /* served, but the disk refused it; tried again later (err says why) */
    LEDGER_SAVED,       /* ... and now it is on disk */
    LEDGER_STORE_FAILS, /* the store cannot be written: changes are refused (zone NULL) */
    LEDGER_STORE_WORKS, /* ... and is written again */
    LEDGER_FORGOTTEN,   /* history of a zone that was not in the ledger for long is off the disk */
};

struct ledger_event {
    enum ledger_event_kind kind;
    struct ledger_zone *zone;     /* NULL: not of one zone */
    struct zone_version *version; /* borrowed; of LEDGER_PUBLISHED */
    struct serial from;           /* as `to` where there was none */
    struct serial to;
    enum store_source source; /* 0: the zone was restored */
    bool is_first;            /* the zone had no version before */
    uint32_t commit_count;    /* how many commits became one event */
    const struct error *err;  /* borrowed, or NULL */
    const uint8_t *name;      /* borrowed; of LEDGER_FORGOTTEN, where `zone` is NULL ... */
    uint16_t class;           /* ... as is this */
};

/* On the writer, the keeper, or inside ledger_commit of the calling thread; must not call back into
 * the same zone. */
typedef void ledger_watcher(void *context, const struct ledger_event *event);

/*
 * What stands at the door: whoever makes a version, it is shown here before it becomes the head.
 * Anything but OK keeps it out, and is what ledger_commit or ledger_edit returns. Called under the
 * zone's edit lock, by the thread that commits; it may take long, but not commit to the same zone.
 * `version` may be kept (zone_version_ref). Not asked about what is restored from the store.
 */
struct ledger_candidate {
    struct ledger_zone *zone;
    const struct zone_version *head; /* what would be replaced; NULL: nothing */
    struct zone_version *version;
    enum store_source source;
};
typedef enum result ledger_guard(void *context, const struct ledger_candidate *candidate,
                                 struct error *err);

struct ledger_options {
    struct store *store; /* borrowed; NULL: in memory only */
    ledger_guard *guard; /* NULL: all that is in order is let in */
    void *guard_context;
    uint64_t memory_history_bytes;    /* a zone, without store; 0: 16 MiB */
    uint64_t checkpoint_bytes;        /* journal octets that make the keeper move them; 0: 4 MiB */
    int64_t (*wall_s)(void *context); /* NULL: clock_wall_s */
    void *wall_context;
};

struct ledger *ledger_new(const struct ledger_options *options);
/* Waits until everything that was let in is done, and said to be; every zone was removed before.
 * What `done` callbacks held of zones may be dropped after it. NULL is fine. */
void ledger_stop(struct ledger *ledger);
/* Stops it, if that is still to be done. Every handle was dropped before. NULL is fine. */
void ledger_free(struct ledger *ledger);
/* Before the first zone is added. */
void ledger_watch(struct ledger *ledger, ledger_watcher *watcher, void *context);

/* Takes a zone into the ledger; shares `zone` (a reference) and gives one to the handle. `context`
 * is the caller's. With a store, ledger_restore() comes before the first commit. */
struct ledger_zone *ledger_add(struct ledger *ledger, struct zone *zone, void *context);
/* The zone leaves: nothing is let in (ERR_CLOSED) or published any more. Its history stays on disk
 * (ledger_keep_absent). Drops the caller's reference. Call ledger_restore() for a zone added under the
 * same name later. */
void ledger_remove(struct ledger_zone *zone);
/* For how long the history of zones that are not in the ledger stays: `keep_s` seconds in which it ran
 * without them; UINT64_MAX: for ever. Called when all zones have been added;
 * looked at a moment later and once an hour, by the keeper, which tells LEDGER_FORGOTTEN. */
void ledger_keep_absent(struct ledger *ledger, uint64_t keep_s);
struct ledger_zone *ledger_zone_ref(struct ledger_zone *zone);
void ledger_zone_unref(struct ledger_zone *zone);
struct zone *ledger_zone_get(const struct ledger_zone *zone); /* borrowed */
void *ledger_zone_context(const struct ledger_zone *zone);
/* Of the deltas kept. 0: none but the store's own. */
void ledger_zone_set_history_limit(struct ledger_zone *zone, uint64_t bytes);
/* The newest version let in, with a reference; NULL: none yet. */
struct zone_version *ledger_zone_head(struct ledger_zone *zone);

/*
 * How a commit ended: OK when it is durable (in memory without a store) and published. Exactly once
 * for every commit that was let in; on the writer, or before the call returns.
 */
typedef void ledger_done(void *context, enum result result, const struct error *err);

/* Takes the history of one of them off the disk now. `done`, which may be NULL, is called once, on the
 * keeper or before the call returns: ERR_NOT_FOUND nothing is stored of it; ERR_BUSY it is in the
 * ledger, or what was is not done yet. */
void ledger_forget(struct ledger *ledger, const uint8_t *name, uint16_t class, ledger_done *done,
                   void *done_context);

enum ledger_order {
    LEDGER_PERSIST_FIRST, /* a primary: what is acknowledged and seen is on disk */
    LEDGER_PUBLISH_FIRST, /* a secondary: seen at once; the primary has it anyway */
};

struct ledger_change {
    struct zone_version *version; /* takes one reference, also on error */
    struct delta *const *deltas;  /* borrowed for the call: the chain from the head to version */
    size_t delta_count;           /* 0: history starts anew with `version` */
    enum store_source source;
    enum ledger_order order;
    bool adopts; /* the operator said that the serial may go back */
};

/*
 * Lets one change in.
 * done   may be NULL. Not called unless OK is returned.
 * ERR_STALE   the chain does not start at the head, or the serial does not advance
 * ERR_CLOSED  the zone was removed
 * What the guard returns.
 */
MUST_CHECK enum result ledger_commit(struct ledger_zone *zone, const struct ledger_change *change,
                                     ledger_done *done, void *done_context, struct error *err);

/*
 * Lets in what `make` says, under the zone's edit lock: nobody else changes the head meanwhile.
 * make   gives a sealed delta from the head, or NULL for "nothing to change" (done comes all the
 *        same, after everything the head stands on is durable). Its error is returned.
 * limits borrowed; NULL: none.
 * ERR_NOT_FOUND  the zone has no version yet.   ERR_STALE, ERR_CLOSED: as ledger_commit
 * What delta_apply and the guard return. Persists first, always.
 * may_write: the caller has time, so where nothing else is waiting for the disk it makes its commit
 * durable itself, and `done` comes before the return: one thread less to wake.
 */
typedef enum result ledger_make(void *context, struct zone_version *head, struct delta **out,
                                struct error *err);
struct ledger_edit_options {
    const struct delta_limits *limits;
    enum store_source source;
    bool adopts;
    bool may_write;
};
MUST_CHECK enum result ledger_edit(struct ledger_zone *zone, ledger_make *make, void *context,
                                   const struct ledger_edit_options *options, ledger_done *done,
                                   void *done_context, struct error *err);

/* What restoring found. */
struct ledger_restored {
    struct serial serial;      /* of the version that was published */
    struct serial last_serial; /* the highest that was ever acknowledged, as far as is known */
    enum store_source source;  /* of the last commit */
    int64_t time_s;            /* of the last commit */
    bool is_published;
    bool has_last_digest; /* of damaged history: that of the version with last_serial */
    uint8_t last_digest[FINGERPRINT_DIGEST_SIZE];
};
/*
 * At start: the zone as the store has it, published. Zones may be restored side by side. Waits until
 * the commits of a zone of the same name that was removed before have ended.
 * takes_sound  of damaged history, publish the version before the damage (a secondary); otherwise
 *              publish nothing (a primary must not go back silently).
 * ERR_NOT_FOUND  nothing is stored (or no store).
 * ERR_CORRUPT    damage; *out tells. The next commit starts history anew; serials up to last_serial
 *                are not let in again unless it adopts.
 */
MUST_CHECK enum result ledger_restore(struct ledger_zone *zone, bool takes_sound,
                                      struct ledger_restored *out, struct error *err);

/* Small values beside the zone (timers, the file as last read): durable when done says so; several
 * put before the writer comes round share its sync. No store: OK, and forgotten. */
void ledger_put_meta(struct ledger_zone *zone, uint32_t number, struct slice value,
                     ledger_done *done, void *done_context);
MUST_CHECK enum result ledger_get_meta(struct ledger_zone *zone, uint32_t number, uint8_t *out,
                                       size_t room, size_t *out_size, struct error *err);
enum ledger_meta {
    LEDGER_META_TIMERS = 1,  /* refresh state and expiry of a secondary */
    LEDGER_META_FILE = 2,    /* serial, hash, size, time of the zone file as last read */
    LEDGER_META_USER = 1000, /* free for others */
};

/* --- Reading. --- */

/* The deltas that lead from a serial to the published version, oldest first, ready to be sent. */
struct ledger_chain {
    struct chunk **chunks; /* counted references */
    size_t count;
    uint64_t bytes; /* of all chunks */
    struct serial from;
    struct serial to;
};
/*
 * ERR_NOT_FOUND  history does not reach back to `from`: answer with AXFR
 * ERR_LIMIT      more than `max_bytes` (0: none): the same
 * ERR_CORRUPT    damaged: the same, and worth a log line
 * count 0 with OK: `from` is the published serial.
 */
MUST_CHECK enum result ledger_history(struct ledger_zone *zone, struct serial from,
                                      uint64_t max_bytes, struct ledger_chain *out,
                                      struct error *err);
/* The same from memory alone, for threads that must not wait for a disk: the newest few deltas are
 * at hand. ERR_NOT_FOUND also where it would have to be read. */
MUST_CHECK enum result ledger_history_at_hand(struct ledger_zone *zone, struct serial from,
                                              uint64_t max_bytes, struct ledger_chain *out,
                                              struct error *err);
void ledger_chain_deinit(struct ledger_chain *chain);

/* Versions for people: entries of the deltas, oldest first, up to `count`; returns how many. */
size_t ledger_entries(struct ledger_zone *zone, struct store_entry *out, size_t count);
/* The zone as it was at an older serial, rebuilt backwards from the head; one reference.
 * ERR_NOT_FOUND  history does not reach back to it. O(changes since); holds up the zone's commits
 * only for what they come to. */
MUST_CHECK enum result ledger_version_at(struct ledger_zone *zone, struct serial serial,
                                         struct zone_version **out, struct error *err);

/*
 * The fingerprint's digest and the serial it belongs to.
 * ERR_BUSY       of a large zone, being computed in the background; ask again
 * ERR_NOT_FOUND  no version yet
 */
MUST_CHECK enum result ledger_fingerprint(struct ledger_zone *zone, struct serial *out_serial,
                                          uint8_t out[FINGERPRINT_DIGEST_SIZE], struct error *err);

struct ledger_zone_status {
    bool has_version;
    struct serial serial;   /* durable */
    uint32_t pending_count; /* commits under way */
    bool is_saved;          /* what is served is on disk, or will be by commits under way */
    uint64_t history_bytes;
    uint64_t history_count;
};
void ledger_zone_status(struct ledger_zone *zone, struct ledger_zone_status *out);

struct ledger_statistics {
    uint64_t commits;
    uint64_t groups; /* durable transactions; commits / groups is the batching */
};
void ledger_statistics(struct ledger *ledger, struct ledger_statistics *out);

#endif
