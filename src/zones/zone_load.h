/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loader jobs of a zone: a primary's file read and committed where it changed; a secondary's copy
 * read at start, then handed to the sync thread.
 */
#ifndef ZONES_ZONE_LOAD_H
#define ZONES_ZONE_LOAD_H

#include <stddef.h>

struct loader;
struct server_zone;
struct load_round;

/* How many loads of one start or reload are still to end; posts `done` to the main loop at the last. */
struct loop;
struct load_round *load_round_new(struct loop *main_loop, void (*done)(void *context),
                                  void *context);
/* The round's own hold; call after the last zone_load_start. */
void load_round_release(struct load_round *round);

/* Any thread. While a load of the zone is under way, it is done once more after that. round: NULL, or
 * held until this load has ended. */
void zone_load_start(struct server_zone *zone, struct load_round *round);
/* The same for all of them (takes references of its own), by as many jobs as there are threads. */
void zone_load_all(struct loader *loader, struct server_zone **zones, size_t count,
                   struct load_round *round);

#endif
