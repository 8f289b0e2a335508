/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's use of the ledger: the store opened, zones restored, versions committed, and what
 * follows when one is published. Also the small durable values beside a zone.
 */
#ifndef ZONES_ZONE_HISTORY_H
#define ZONES_ZONE_HISTORY_H

#include <stdbool.h>

#include "base/error.h"
#include "ledger/ledger.h"

struct server;
struct server_zone;
struct settings;

/*
 * Opens the store where the settings say, and the ledger on it. A store directory that is named in
 * the configuration must open; the default one is done without, with a warning (history is then kept
 * in memory only).
 */
MUST_CHECK enum result zone_history_open(struct server *server, const struct settings *settings,
                                         struct error *err);
/* After all zones have gone. */
void zone_history_close(struct server *server);

/* Loader: publishes what the store has of the zone. False: nothing (sound) is there. */
bool zone_history_restore(struct server_zone *zone, bool is_secondary);

/* When a secondary last heard from a primary, and until when its copy is good; wall clock. */
struct zone_timers {
    int64_t contact_s;
    int64_t expires_s;
};
/* Any thread; durable soon. */
void zone_history_put_timers(struct server_zone *zone, const struct zone_timers *timers);
bool zone_history_get_timers(struct server_zone *zone, struct zone_timers *out);
/* The zone is a primary's: timers of a time when it was a copy no longer count. */
void zone_history_end_timers(struct server_zone *zone);

/* Which zone file the zone was last read from. */
struct file_mark {
    int64_t modified_ns;
    uint64_t size, inode;
    uint32_t serial; /* that stood in it; what is served may have been advanced */
    uint32_t served; /* under which the zone was served, right after it was read */
    uint64_t path;   /* which file, as file_path_hash() has it; 0: not known */
    uint32_t pure;   /* the last version that was a file and nothing else; `served` unless merged */
    bool known;      /* it was read without error, and is served */
    bool serial_known, served_known;
    bool is_merged; /* what was served had other changes beside the file's */
};
uint64_t file_path_hash(const char *path);
/* path  of the file; stored with the mark. */
void zone_history_put_file(struct server_zone *zone, const struct file_mark *mark,
                           const char *path);
/* out->known tells. */
void zone_history_get_file(struct server_zone *zone, struct file_mark *out);
/* The path that was stored with it, to be freed by the caller; NULL: none was. */
char *zone_history_get_path(struct server_zone *zone);

#endif
