/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scheduler: one thread that keeps every copy up to date. It runs the refresh machine of each
 * secondary zone and the NOTIFY machines of each zone's targets; their timers share one heap, their
 * questions a few sockets. Transfers themselves run elsewhere (transfer_in.h).
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "base/address.h"
#include "base/error.h"
#include "net/loop.h"
#include "wire/record.h"
#include "xfr/refresh.h"
#include "zone/zone_set.h"

struct server;
struct server_zone;
struct sync;
struct ask;
struct notify_target;

/* Whether a copy is its primary's, record for record (sync_proof.h). */
enum proof_state {
    PROOF_NONE,      /* no primary showed a fingerprint of the serial that we have */
    PROOF_WAITING,   /* one did; ours is not known yet, or its serial is still to come */
    PROOF_IDENTICAL, /* at the serial shown */
    PROOF_DIVERGED,
};
struct sync_proof {
    enum proof_state state;
    uint32_t primary; /* index of who showed it */
    struct zone_fingerprint shown;
    struct zone_fingerprint
        healed; /* what the zone was last transferred anew for, where has_healed */
    bool has_healed;
    uint32_t wait_ms; /* until ours is looked for again */
    struct instant look_at;
    int64_t compared_at_s;
};

MUST_CHECK enum result sync_new(struct server *server, struct sync **out, struct error *err);
MUST_CHECK enum result sync_start(struct sync *sync, struct error *err);
/* Ends the thread; forgets all zones. Others may go on calling the functions below, without effect,
 * until sync_free. NULL is fine for both. */
void sync_stop(struct sync *sync);
void sync_free(struct sync *sync);

/* --- any thread; each is carried out in the sync thread --- */

/* The zone's settings are new or changed; a first call attaches it. For a secondary with a copy:
 * `expires_in_s`, `refresh_in_s` from now (0 or less: at once). */
void sync_configure(struct sync *sync, struct server_zone *zone, int64_t expires_in_s,
                    int64_t refresh_in_s);
/* The same for many zones, without those times; takes references of its own. */
void sync_configure_all(struct sync *sync, struct server_zone *const *zones, size_t count);
/* Forgets the zone; its reference is dropped. */
void sync_detach(struct sync *sync, struct server_zone *zone);
/* A new version is published: tell the targets. `may_wait`: some milliseconds, with others. */
void sync_published(struct sync *sync, struct server_zone *zone, struct serial serial,
                    bool may_wait);
/* All zones of a start or reload are loaded: NS sets may find addresses in zones that came later. */
void sync_zones_loaded(struct sync *sync);
/* An allowed NOTIFY came in. False: `quota` of them wait already, it was not taken. */
struct notify_in;
bool sync_notified(struct sync *sync, struct server_zone *zone, const struct address *from,
                   const struct notify_in *notify, uint32_t quota);
/* The operator's words. */
void sync_refresh(struct sync *sync, struct server_zone *zone);
void sync_retransfer(struct sync *sync, struct server_zone *zone);
void sync_renotify(struct sync *sync, struct server_zone *zone);
/* What is served of a secondary zone is another version than the one that was transferred last. */
void sync_replaced(struct sync *sync, struct server_zone *zone);
/* A peer showed which serial it has by asking for a transfer from it; `is_ours`: and that it
 * understands fingerprints. */
void sync_peer_has(struct sync *sync, struct server_zone *zone, const struct address *peer,
                   struct serial serial, bool is_ours);

/* How a transfer ended (from transfer_in.h). */
enum transfer_outcome {
    TRANSFER_APPLIED,
    TRANSFER_NOT_NEWER,
    TRANSFER_HELD, /* it came, and a guard holds it */
    TRANSFER_FAILED
};
struct transfer_result {
    enum transfer_outcome outcome;
    enum refresh_failure failure;
    struct refresh_contact contact;
    struct refresh_soa soa;
    bool has_fingerprint; /* the primary showed what its version comes to */
    struct zone_fingerprint fingerprint;
    uint32_t primary;
    struct address peer; /* who was asked */
    unsigned key_at;     /* with which of its keys (struct remote) */
    bool key_refused;    /* which it did not take */
    char text[512];
};
/* `may_wait`: some milliseconds, with others. */
void sync_transfer_ended(struct sync *sync, struct server_zone *zone, uint32_t ticket,
                         const struct transfer_result *result, bool may_wait);

#endif
