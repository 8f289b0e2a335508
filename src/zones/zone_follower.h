/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who keeps the zones in step with other servers, as this room sees it: told what becomes of them.
 * The sync room is the one in the server; it puts itself in server.follower before the zones are
 * configured. All functions: any thread, they return at once, in the order of the calls for each
 * zone; a zone is borrowed for the call.
 */
#ifndef ZONES_ZONE_FOLLOWER_H
#define ZONES_ZONE_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/record.h"

struct server_zone;
struct sync;

struct zone_follower {
    /* The zone's settings are new or changed; the first time, it is to be followed. A secondary with
     * a copy: how long it is good, when it is to be refreshed, from now (0 or less: at once). */
    void (*configure)(struct sync *sync, struct server_zone *zone, int64_t expires_in_s,
                      int64_t refresh_in_s);
    /* The same for many zones, without those times. */
    void (*configure_all)(struct sync *sync, struct server_zone *const *zones, size_t count);
    /* It is not followed any more. */
    void (*detach)(struct sync *sync, struct server_zone *zone);
    /* A version is served. `may_wait`: nobody waits for it, it may be told with others. */
    void (*published)(struct sync *sync, struct server_zone *zone, struct serial serial,
                      bool may_wait);
    /* What is served is another version than the one that was transferred last. */
    void (*replaced)(struct sync *sync, struct server_zone *zone);
    /* The copy is not to be trusted: it is to be transferred anew. */
    void (*retransfer)(struct sync *sync, struct server_zone *zone);
};

#endif
