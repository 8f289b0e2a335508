/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copy of a secondary zone in its `file`: readable text, replaced whole, used at the next start.
 * Its modification time is the time of the last contact with a primary, so that expiry goes on
 * counting over a restart (as BIND does it).
 */
#ifndef ZONES_ZONE_COPY_H
#define ZONES_ZONE_COPY_H

#include "base/clock.h"

struct server;
struct server_zone;

/* Any thread: has the present version written by a loader; several calls in a row write once, and
 * what takes long to write is written seldom. Whoever calls this has zone_copy_step called soon. */
void zone_copy_write(struct server_zone *zone);
/* Sync thread: has a copy written that waited for its time; when to look again. */
struct instant zone_copy_step(struct server_zone *zone, struct instant now);
/* The end of the server begins: where there is a store, copies are written for two seconds more. */
void zone_copies_end(struct server *server);
/* ... and is over: how many were not. */
void zone_copies_report(struct server *server);
/* At the end of the server, before its loader ends: what waits is written now. */
void zone_copy_finish(struct server_zone *zone);
/* Any thread: a primary answered just now. */
void zone_copy_contacted(struct server_zone *zone);

#endif
