/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copy of a secondary zone in its `file`: readable text, replaced whole, used at the next start.
 * Its modification time is the time of the last contact with a primary, so that expiry goes on
 * counting over a restart (as BIND does it).
 */
#ifndef SERVER_ZONE_COPY_H
#define SERVER_ZONE_COPY_H

struct server_zone;

/* Any thread: has the present version written by a loader; several calls in a row write once. */
void zone_copy_write(struct server_zone *zone);
/* Any thread: a primary answered just now. */
void zone_copy_contacted(struct server_zone *zone);

#endif
