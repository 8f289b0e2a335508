/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The zones of this server: what the configuration wants of each, its struct zone, and who works on
 * it. Follows the settings at start and reload: new zones are loaded, gone ones end, changed ones
 * get their new rules, zone files that changed are read again.
 */
#ifndef ZONES_ZONES_H
#define ZONES_ZONES_H

#include <stdatomic.h>

#include "net/loop.h"
#include "settings/settings.h"
#include "zone/zone_set.h"
#include "zones/included_files.h"
#include "zones/watch_table.h"
#include "zones/zone_history.h"

struct server;
struct sync_zone;
struct zone_held;

/*
 * One zone. Shared by counted references between threads; each part has one owner.
 */
struct server_zone {
    _Atomic uint32_t references;
    _Atomic uint32_t place; /* in the list of zones of the newest settings */
    struct server *server;
    struct zone *zone;
    struct ledger_zone *history;              /* a reference */
    _Atomic(struct zone_settings *) settings; /* RCU; lives in the settings it points to */
    struct sync_zone *sync;         /* of the sync thread; NULL: it has not heard of the zone */
    _Atomic uint32_t transfers_out; /* that are under way */
    _Atomic bool gone;              /* no longer configured: drop what is under way */
    bool sync_begun;                /* main thread: sync knows it, or will */
    bool told_early;                /* sync thread: of news, before it had heard of the zone */

    /* Of whoever holds load_busy: one loader job at a time. */
    _Atomic bool load_busy;
    _Atomic bool load_again;           /* asked for while busy */
    bool copy_loaded;                  /* a secondary reads its copy once */
    bool is_lent;                      /* serves what it had in another role, until it is loaded */
    bool restored;                     /* the store was asked */
    _Atomic bool file_lost;            /* the ledger could not keep what the file made */
    _Atomic bool watch_told;           /* file_watch.c: the load was asked for by a change seen */
    struct file_mark file;             /* as the zone file was last read */
    struct zone_version *file_version; /* what it said, where the zone is merged; or NULL */
    struct included_files included;    /* ... and what it included */
    struct file_mark *file_before;     /* ... and the time before that; NULL: there was none */
    struct ledger_restored *lost;      /* zone_mend.c: what of a damaged history; or NULL */

    /* What status tells; written by zone_history.c and by the loader, read by anybody. */
    _Atomic(char *) load_error;      /* RCU; NULL: the zone file was read without error */
    _Atomic(int64_t) committed_at_s; /* when it was made; 0: there is none */
    _Atomic(uint8_t) source;         /* enum store_source of the present version */

    /* zone_copy.c: the copy of a secondary */
    _Atomic bool copy_busy; /* a loader writes it */
    _Atomic bool copy_again;
    _Atomic bool copy_touch; /* ... or only its time of last contact */

    /* write_back.c */
    _Atomic bool write_queued;       /* the timer runs or is about to */
    _Atomic bool write_wanted;       /* the loader that looks at the file writes it then */
    bool write_timed;                /* main thread: the timer runs, with a reference */
    bool watch_pending;              /* main thread: waits for the end of a burst, likewise */
    _Atomic uint32_t write_delay_ms; /* of the timer */
    _Atomic uint32_t write_took_ms;  /* the last time */
    struct loop_timer *write_timer;  /* main thread; NULL: never needed */

    _Atomic(int64_t) copy_rests_until_ns; /* zone_copy.c */
    struct zone_held *held;               /* zone_guard.c, under its lock; NULL: nothing is held */
    struct watched_list watched;          /* file_watch.c, main thread */
    char label[];                         /* "example.com/IN", as logs name it */
};

/* A zone found in the server's zone set may be referenced while that read section lasts. */
struct server_zone *server_zone_ref(struct server_zone *zone);
void server_zone_unref(struct server_zone *zone);
/* The zone's present settings with a reference on the whole; settings_unref(x->settings). */
struct zone_settings *server_zone_settings(struct server_zone *zone);
/* The zone's file as `settings` (held by the caller) say, borrowed from them; NULL: none. */
const char *server_zone_file(const struct server_zone *zone, const struct zone_settings *settings);

/* The mark of the file is about to be replaced: this one counts again should the change be lost. Of
 * whoever holds load_busy. */
void server_zone_keep_mark(struct server_zone *zone);

/* What is wrong with the zone's file; NULL: nothing. One thread at a time per zone. */
void server_zone_set_load_error(struct server_zone *zone, const char *text);

struct zones;
struct zones *zones_new(struct server *server);
/* At the end, when nothing changes zones any more: files that wait to be written are. NULL is fine. */
void zones_finish(struct zones *zones);
void zones_free(struct zones *zones);

/* Main thread: makes the zones what the server's present settings say; files of primary zones that
 * changed are read again, without `with_files` only those of zones that are new. `loaded` (may be
 * NULL) is posted to the main loop when everything that was started here has ended. */
void zones_configure(struct zones *zones, bool with_files, void (*loaded)(void *context),
                     void *context);
size_t zones_count(const struct zones *zones);

/* Where a version comes from. */
enum zone_source {
    SOURCE_FILE,
    SOURCE_FILE_AGAIN, /* proved to be what was served before, with its serial */
    SOURCE_TRANSFER,
    SOURCE_COPY,
    SOURCE_COPY_AGAIN, /* what was served before, with its serial */
};

/*
 * The next version of a zone, from any thread: through the ledger's door (zone_history.c), from where
 * it is published, told to sync, copied to the zone's file.
 * version  takes the reference, also on error.
 * deltas   what leads there from the head, `count` of them; takes them and the array. None: history
 *          starts anew.
 * ERR_STALE   the head is another one meanwhile, or the serial does not advance
 * ERR_DENIED  it is held (zone_guard.h)
 * ERR_LIMIT, ERR_FORMAT  a guard refuses it
 */
struct delta;
MUST_CHECK enum result zones_commit(struct server_zone *zone, struct zone_version *version,
                                    struct delta **deltas, size_t count, enum zone_source source,
                                    struct error *err);

#endif
