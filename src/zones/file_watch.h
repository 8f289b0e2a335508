/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `auto-reload yes`: zone files, and the files they include, are read when they change (inotify).
 */
#ifndef ZONES_FILE_WATCH_H
#define ZONES_FILE_WATCH_H

#include "base/error.h"

struct file_watch;
struct server;
struct server_zone;

/* Main thread, as all that does not say otherwise. One descriptor for all zones. ERR_IO. */
MUST_CHECK enum result file_watch_new(struct server *server, struct file_watch **out,
                                      struct error *err);
/* The main loop has ended. NULL is fine. */
void file_watch_free(struct file_watch *watch);

/* The zone's settings are new, or it is: watched or not, as they say. Files that it was known to
 * include go on being watched. */
void file_watch_configure(struct file_watch *watch, struct server_zone *zone);
void file_watch_forget(struct file_watch *watch, struct server_zone *zone);

/* The loader that has the zone: its file was read, with what it includes now. */
void file_watch_loaded(struct server_zone *zone);

#endif
