/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `write-back yes`: what changed a primary zone otherwise than by its file is written into the file,
 * a moment later and gathered. The author's text is kept where possible (zone/master_rewrite.h).
 */
#ifndef ZONES_WRITE_BACK_H
#define ZONES_WRITE_BACK_H

#include <stdbool.h>

struct server;
struct server_zone;
struct zone_settings;

/* Any thread: a version is served that the file may not have. Nothing unless the zone wants it. */
void write_back_note(struct server_zone *zone);
/* The loader that has the zone, when it has seen that the file is as it was read: writes it where it
 * is time to, or sees to it that it will be. */
void write_back_run(struct server_zone *zone, const struct zone_settings *settings);
/* Main thread, at the end, before loader_free: files that wait to be written are written now. */
void write_back_flush(struct server *server);

#endif
