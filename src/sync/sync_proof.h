/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proof that a copy is its primary's: fingerprints compared at equal serials, and what follows
 * where they differ. All in the sync thread, for secondaries.
 */
#ifndef SYNC_SYNC_PROOF_H
#define SYNC_SYNC_PROOF_H

#include "sync/sync.h"
#include "zone/zone_set.h"

struct zone_settings;

/* The primary showed what its records come to, in an answer to a question of ours: compared when
 * the copy has that serial and ours is known. */
void sync_proof_shown(struct server_zone *zone, uint32_t primary,
                      const struct zone_fingerprint *shown, struct instant now);
/* The same in a NOTIFY, which nobody asked for. True: it is not ours, so the primary should be
 * asked. */
bool sync_proof_doubts(struct server_zone *zone, const struct zone_fingerprint *shown);
/* A transfer brought a version with `serial`, maybe in place of one with the same serial. */
void sync_proof_replaced(struct server_zone *zone, struct serial serial, struct instant now);
/* Compares where there is something to compare; the zone's refresh machine may have something to do
 * then. Returns when to call again, INSTANT_NEVER: after the next event. */
struct instant sync_proof_step(struct server_zone *zone, const struct zone_settings *settings,
                               struct instant now);
/* As it holds for the version that is served now. */
enum proof_state sync_proof_state(struct server_zone *zone);

#endif
