/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the ledger share.
 *
 * Locks, in the order in which they may be taken:
 *     a zone's edit  held by whoever makes the next head: one at a time, may be long
 *     a zone's lock  the zone's state; short; shared by many zones, so never two at once
 *     ledger->lock   queues; short
 * The store is called with none of them but a zone's edit held.
 */
#ifndef LEDGER_LEDGER_IMPL_H
#define LEDGER_LEDGER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "ledger/ledger.h"

enum {
    MEMORY_HISTORY_BYTES = 16 << 20,
    CHECKPOINT_BYTES = 4 << 20,
    CHECKPOINT_IDLE_MS = 10000,
    RUSH_BYTES = 4 << 20, /* through the journal: memory is given back when it is over */
    KEEPER_TURN_MS = 1000,
    RETRY_MS = 2000,
    ABSENT_TURN_MS = 3600 * 1000,
    ABSENT_SETTLE_MS = 500,        /* zones that leave with a reload are let go by all who read */
    GROUP_REST_MS = 10,            /* from one group to the next, where nobody waits for it … */
    GROUP_FULL = 1024,             /* … and it has no more commits than this */
    IMAGE_RENEWAL_BYTES = 1 << 20, /* deltas behind the image, at least, before it is renewed */
    FINGERPRINT_AT_ONCE = 4096,    /* records; larger zones are the keeper's */
    LANES_WORTH_STORING = 1024,    /* records; smaller zones are walked again */
    MAX_WATCHERS = 8,
    ZONE_STRIPES = 64,
    RECENT_CHUNKS = 4,
    RECENT_CHUNK_BYTES = 16 << 20, /* a larger one is read from the store again */
    RECENT_BYTES = 256 << 20,      /* of all zones together */
};

enum commit_kind {
    COMMIT_DELTAS,
    COMMIT_RESTART, /* history starts anew with the version */
    COMMIT_BARRIER, /* nothing to change: only waits for what is before it */
    COMMIT_META,
};

/* One thing that waits for the writer; owned by the queue it is in. */
struct commit {
    struct commit *next;
    struct ledger_zone *zone; /* a reference */
    enum commit_kind kind;
    enum ledger_order order;
    enum store_source source;
    bool is_published; /* the committing thread did it */
    bool is_first;
    bool mends;     /* took restarts_next upon itself */
    uint32_t epoch; /* of the zone's head when it was let in */
    struct {        /* of the last of a zone in a group, while that is published */
        struct serial from;
        bool is_first;
        uint32_t count;
    } group;
    struct zone_version *version; /* a reference; NULL with meta and barrier */
    struct serial from;
    struct serial to;
    struct chunk **chunks; /* references */
    size_t chunk_count;
    uint64_t step; /* the last one that the store gave it */
    ledger_done *done;
    void *done_context;
    uint32_t meta_number;
    uint32_t meta_size;
    uint8_t meta[];
};

struct commit_queue {
    struct commit *first;
    struct commit *last;
};

enum fingerprint_state { FINGERPRINT_NONE, FINGERPRINT_COMPUTING, FINGERPRINT_READY };

/* A delta kept in memory: the history of a zone without store, else the newest ones. */
struct kept_delta {
    struct store_entry entry;
    struct chunk *chunk;
};

/*
 * What most of a hundred thousand zones at rest have nothing of: allocated when the first of it comes,
 * and then there until the zone goes. Under the zone's lock.
 */
struct ledger_zone_rare {
    struct commit_queue parked;
    struct fingerprint *lanes; /* of `fingerprint_serial`, while READY */
    struct serial fingerprint_serial;
    struct serial digest_serial;
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    struct kept_delta *kept; /* oldest first */
    size_t kept_count;
    size_t kept_room;
    uint64_t kept_bytes;
    struct chunk **early; /* published and not yet durable, oldest first: what a secondary's own
                           * secondaries ask for at once */
    size_t early_count;
    struct ledger_zone *next_leaving; /* under the ledger's lock */
};

/* One for each zone there is, so it is small: two cache lines. */
struct ledger_zone {
    _Atomic(uint32_t) references;
    uint32_t pending_count;
    struct ledger *ledger;
    struct zone *zone;
    void *context;
    struct store_zone *stored; /* NULL: no store */
    /* Under the lock: */
    struct zone_version *head; /* references */
    struct zone_version *durable;
    uint64_t durable_step;
    uint64_t stored_limit;         /* of the history on disk; 0: none of its own */
    struct ledger_zone_rare *rare; /* NULL: nothing; ledger_rare(), ledger_zone_own() */
    /* Of whoever is in the writer's place, while a group is published: its last commit of the zone. */
    struct commit *group_last;
    uint32_t epoch;      /* counts rollbacks */
    struct serial floor; /* the highest serial acknowledged, known from the store */
    bool has_floor;
    bool is_edited; /* somebody makes the next head: ledger_zone_edit_begin() */
    bool is_removed;
    bool is_leaving;    /* in the ledger's list */
    bool restarts_next; /* history on disk is broken: the next commit is an image */
    bool is_unsaved;    /* published, but the disk refused it */
    bool has_digest;    /* of `digest_serial`; also where the lanes are not kept */
    /* The writer's and keeper's, under the lock where both look: */
    bool image_running;        /* a restart image is being written; later commits are parked */
    bool image_wanted;         /* in the keeper's queue */
    uint8_t fingerprint_state; /* enum fingerprint_state */
    uint8_t stripe;            /* its lock in the ledger */
};

/* What the keeper is asked to do with a zone. */
/* What of the store fails by itself: the journal of commits, the database behind it. */
enum ledger_disk { DISK_JOURNAL = 1, DISK_DATABASE = 2 };

enum keeper_job_kind { KEEPER_RESTART, KEEPER_RENEW, KEEPER_FINGERPRINT, KEEPER_FORGET };

/* A zone that is not in the ledger. */
struct forget_wish {
    struct name name;
    uint16_t class;
    ledger_done *done;
    void *done_context;
};

struct keeper_job {
    struct keeper_job *next;
    enum keeper_job_kind kind;
    struct ledger_zone *zone; /* a reference; NULL with KEEPER_FORGET */
    struct commit *commit;    /* KEEPER_RESTART: owned; NULL: a retry with what is published */
    struct forget_wish *wish; /* KEEPER_FORGET: owned */
};

/* Zones share locks, many of them one, since each is held for moments: docs/decisions/locks.md. */
struct ledger_stripe {
    pthread_mutex_t mutex;
    pthread_cond_t edit_ends;
};

struct ledger {
    struct store *store;
    uint64_t memory_history_bytes;
    uint64_t checkpoint_bytes;
    _Atomic(uint32_t) zones_added; /* ever: zones get their locks in turn */
    int64_t (*wall_s)(void *context);
    void *wall_context;
    ledger_guard *guard;
    void *guard_context;
    struct {
        ledger_watcher *call;
        void *context;
    } watchers[MAX_WATCHERS];
    unsigned watcher_count;
    _Atomic(uint64_t) recent_bytes;
    struct ledger_stripe stripes[ZONE_STRIPES];
    pthread_mutex_t lock;
    pthread_cond_t writer_wakes;
    pthread_cond_t keeper_wakes;
    struct commit_queue queue;
    uint32_t queued_count;
    struct ledger_zone *leaving; /* removed, with commits under way; a reference each */
    pthread_cond_t left;         /* one of them has no more */
    bool
        is_awaited; /* something in the queue is not seen, or not acknowledged, until it is on disk */
    bool is_writing; /* the writer, or a committing thread in its place, has a group in hand */
    struct keeper_job *first_job;
    struct keeper_job *last_job;
    uint32_t restarts_running;      /* commits parked at the keeper */
    uint64_t absent_keep_s;         /* ledger_keep_absent() */
    struct instant absent_asked_at; /* the keeper is to look a moment later; 0: it has */
    bool absent_is_set;
    bool stops;
    bool writer_stopped;
    unsigned store_fails; /* bits of enum ledger_disk */
    struct ledger_statistics statistics;
    pthread_t writer;
    pthread_t keeper;
};

static inline void ledger_zone_lock(struct ledger_zone *zone)
{
    pthread_mutex_lock(&zone->ledger->stripes[zone->stripe].mutex);
}

static inline void ledger_zone_unlock(struct ledger_zone *zone)
{
    pthread_mutex_unlock(&zone->ledger->stripes[zone->stripe].mutex);
}

/* Waits until nobody else makes the zone's next head. */
void ledger_zone_edit_begin(struct ledger_zone *zone);
void ledger_zone_edit_end(struct ledger_zone *zone);
/* Under the lock: what few zones have, to be looked at; all zeroes where it has nothing … */
extern const struct ledger_zone_rare ledger_nothing_rare;
static inline const struct ledger_zone_rare *ledger_rare(const struct ledger_zone *zone)
{
    return zone->rare != NULL ? zone->rare : &ledger_nothing_rare;
}
/* … and to be changed. */
struct ledger_zone_rare *ledger_zone_own(struct ledger_zone *zone);

void commit_queue_add(struct commit_queue *queue, struct commit *commit);
/* `meta_size`: room for the value of a COMMIT_META. */
struct commit *commit_new(struct ledger_zone *zone, enum commit_kind kind, size_t meta_size);
void commit_free(struct commit *commit);
/* Calls done, counts it off, frees. */
void commit_end(struct commit *commit, enum result result, const struct error *err);

void ledger_tell(struct ledger *ledger, const struct ledger_event *event);
/* The writer's work on one row of commits; the calling thread's where there is no store. */
void ledger_process(struct ledger *ledger, struct commit_queue *queue);
void *ledger_writer_run(void *context);
void *ledger_keeper_run(void *context);
/* ledger_absent.c, on the keeper: looks for zones that are not in the ledger where that is due. Returns
 * when it looked last. */
struct instant ledger_look_for_absent(struct ledger *ledger, struct instant last);
void ledger_run_forget(struct ledger *ledger, struct forget_wish *wish);
/* Puts a job in the keeper's queue; takes it. */
void ledger_give_keeper(struct ledger *ledger, struct keeper_job *job);
void ledger_ask_keeper(struct ledger *ledger, enum keeper_job_kind kind, struct ledger_zone *zone,
                       struct commit *commit);
/* A removed zone's last commit has ended; a zone of the same name may be read from the store. */
void ledger_leave(struct ledger_zone *zone);
/* Puts commits back in front of the writer's queue. */
void ledger_requeue(struct ledger *ledger, struct commit_queue *commits);
/* Whether a part of the store can be written. Told once when the first fails, and once when all work
 * again: a disk that is full for the database has room in the journal's segments still. */
void ledger_note_store(struct ledger *ledger, enum ledger_disk part, enum result result,
                       const struct error *err);
int64_t ledger_wall_s(const struct ledger *ledger);

/* The head goes back to what is durable, and with it falls everything that was let in on top. */
void ledger_zone_roll_back(struct ledger_zone *zone);
/* `version` (borrowed) is on disk after `step`; publishes it where that was not done before. */
void ledger_zone_settle(struct ledger_zone *zone, struct zone_version *version, uint64_t step);

/* The records of a version one after the other, the SOA first. Stops at the first result not OK. */
typedef enum result record_visit(void *context, const struct record *record, struct error *err);
MUST_CHECK enum result ledger_each_record(const struct zone_version *version, record_visit *visit,
                                          void *context, struct error *err);

/* Kept deltas. Under the zone's lock; `chunk` gets a reference of its own. */
void ledger_keep(struct ledger_zone *zone, const struct store_entry *entry, struct chunk *chunk);
void ledger_drop_kept(struct ledger_zone *zone);
/* Deltas that are published before they are durable; those up to `serial` are, now; or none is any
 * more. Under the zone's lock. */
void ledger_put_early(struct ledger_zone *zone, const struct commit *commit);
void ledger_end_early(struct ledger_zone *zone, struct serial serial);
void ledger_drop_early(struct ledger_zone *zone);

/* Follows the fingerprint through a commit, and fills the digests of its entries where it is known.
 * `entries` has one for each chunk, or one for a restart. */
void ledger_follow_fingerprint(struct ledger_zone *zone, const struct commit *commit,
                               struct store_entry *entries);
void ledger_compute_fingerprint(struct ledger_zone *zone);
/* The digest that was stored with the version that was restored. */
void ledger_restore_digest(struct ledger_zone *zone, const uint8_t digest[FINGERPRINT_DIGEST_SIZE],
                           struct serial serial);
/* After a version became durable and published: shows its fingerprint in struct zone; has the
 * keeper find it out where it is not known. */
void ledger_show_fingerprint(struct ledger_zone *zone);

#endif
