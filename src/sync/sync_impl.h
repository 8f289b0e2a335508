/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by sync.c (the thread, refresh) and sync_notify.c (NOTIFY out). All in the sync thread. */
#ifndef SYNC_SYNC_IMPL_H
#define SYNC_SYNC_IMPL_H

#include "accounts/notify_pace.h"
#include "accounts/send_rate.h"
#include "base/siphash.h"
#include "sync/ask.h"
#include "sync/sync.h"
#include "xfr/notify_out.h"
#include "xfr/peer_health.h"
#include "zones/zones.h"

struct resolver;

struct sync {
    struct server *server;
    struct loop *loop;
    struct asker *asker;
    struct resolver *resolver;
    struct notify_pace *pace;
    struct peer_book *peers;                 /* who is alive, which key each takes */
    uint8_t cookie_secret[SIPHASH_KEY_SIZE]; /* of our half of DNS cookies */
    struct send_rate notifies, first_notifies, soa_queries;
    pthread_t thread;
    bool running;
    _Atomic(struct sync_message *) soon; /* messages that may wait, newest first */
    struct loop_timer soon_timer;
    uint32_t configuring;       /* batches of zones under way: what may wait waits for them */
    struct server_zone **zones; /* attached; each holds a reference */
    size_t zone_count, zone_room;
};

/* One server that is told of new versions of one zone. */
struct notify_target {
    struct address address, source;
    struct tsig_key *key;    /* a reference, or NULL */
    struct tls_context *tls; /* a reference, or NULL */
    uint16_t padding;
    bool from_ns_set; /* found through the NS records, not configured */
    bool kept;        /* while the list is made anew */
    bool fresh;       /* was told of no version yet */
    bool is_first;    /* the version it is told of now is the first */
    bool is_ours;     /* asked for a transfer in a way that only our kind does */
    struct notify_out machine;
    struct notify_slot slot; /* held while `machine` has one in flight */
    struct ask *ask;
    struct server_zone *zone; /* borrowed */
    uint16_t id;
    uint32_t told; /* how often a failure was logged for this serial */
    /* For status; wall clock, 0: never. */
    struct serial acked, known; /* announced and acknowledged; shown to be there */
    int64_t acked_at_s, known_at_s;
    int64_t behind_since_s; /* first publication that it has not shown since */
};

/* What the sync thread has of a zone that is attached (server_zone.sync). */
struct sync_zone {
    struct loop_timer timer;
    struct refresh *refresh; /* secondaries */
    uint64_t primaries_mark; /* of the list of primaries that `refresh` was made for */
    struct ask *soa_ask;
    struct sync_proof *proof; /* secondaries of which a fingerprint was shown; or NULL */
    struct notify_target **targets;
    struct instant ns_resolved_at; /* when the names of the NS set were last resolved */
    uint32_t target_count;
    uint32_t at; /* in the thread's list of zones */
    uint32_t soa_ticket;
    uint32_t soa_primary;
    uint32_t told_rounds; /* failed rounds in a row that the log knows of */
    uint16_t soa_id;
    uint8_t soa_key;        /* which of its keys */
    uint8_t soa_keys_tried; /* for this question, those refused */
    bool soa_edns, soa_tcp, soa_no_expire, soa_has_cookie;
    bool ns_resolving;
    uint8_t soa_cookie[SIPHASH_SIZE]; /* our half of it */
};

/* The zone's refresh machine; NULL: it is not attached, or has no primary to ask. */
static inline struct refresh *sync_zone_refresh(const struct server_zone *zone)
{
    return zone->sync == NULL ? NULL : zone->sync->refresh;
}

/* Brings the target list in step with the settings and the NS set; keeps the state of those that
 * stay. */
void sync_notify_targets(struct sync *sync, struct server_zone *zone,
                         const struct zone_settings *settings);
void sync_notify_publish(struct sync *sync, struct server_zone *zone, struct serial serial);
/* Other zones, which may hold addresses of the NS set, have changed: new targets are told. */
void sync_notify_look_again(struct sync *sync, struct server_zone *zone);
/* Sends what is due; the earliest deadline of the zone's targets. */
struct instant sync_notify_step(struct sync *sync, struct server_zone *zone, struct instant now);
void sync_notify_forget(struct server_zone *zone);
/* A target of this zone has its turn (notify_pace.h). */
void sync_notify_turn(void *target);
/* The target showed that it has `serial`. */
void sync_notify_seen(struct server_zone *zone, struct notify_target *target, struct serial serial);
/* sync_refresh.c: the machine is made, or made anew where the list of primaries changed. */
void sync_refresh_configure(struct server_zone *zone, const struct zone_settings *settings,
                            int64_t expires_in_s, int64_t refresh_in_s);
/* Does what the machine says; when it wants to be asked again. */
struct instant sync_refresh_step(struct sync *sync, struct server_zone *zone,
                                 const struct zone_settings *settings);
/* A primary answered: how long the copy is good is to be known after a crash as well. */
void sync_refresh_contacted(struct server_zone *zone);
/* A primary at this address did not take the key that a transfer was asked for with. */
void sync_refresh_key_refused(struct server_zone *zone, const struct address *peer, unsigned which);
struct refresh_soa sync_refresh_soa(struct zone_version *version);
/* The key to sign with for this server, borrowed from the settings; NULL: none. `out_which`: its
 * number, for sync_key_refused. */
struct tsig_key *sync_key(struct sync *sync, const struct remote *remote, unsigned *out_which);
/* It did not take that key: where there are several, the next one is tried. True: there is one. */
bool sync_key_refused(struct sync *sync, const struct remote *remote, unsigned which);
/* Tells whether the list of primaries, or what governs asking them, changed. */
uint64_t sync_primaries_mark(const struct zone_settings *settings);
/* Runs the zone's machines and sets its timer. */
void sync_zone_step(struct sync *sync, struct server_zone *zone);

#endif
