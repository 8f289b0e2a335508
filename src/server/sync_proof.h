/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proof that a copy is its primary's: fingerprints compared at equal serials, and what follows
 * where they differ. All in the sync thread, for secondaries.
 */
#ifndef SERVER_SYNC_PROOF_H
#define SERVER_SYNC_PROOF_H

#include "server/sync.h"
#include "xfr/soa_query.h"

struct zone_settings;

/* The primary answered the SOA query; where it showed its fingerprint, that is compared soon. */
void sync_proof_shown(struct server_zone *zone, uint32_t primary, const struct soa_answer *answer,
                      struct instant now);
/* A transfer brought a version with `serial`, maybe in place of one with the same serial. */
void sync_proof_replaced(struct server_zone *zone, struct serial serial, struct instant now);
/* Compares where there is something to compare; the zone's refresh machine may have something to do
 * then. Returns when to call again, INSTANT_NEVER: after the next event. */
struct instant sync_proof_step(struct server_zone *zone, const struct zone_settings *settings,
                               struct instant now);
/* As it holds for the version that is served now. */
enum proof_state sync_proof_state(struct server_zone *zone);

#endif
