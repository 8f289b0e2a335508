/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Equal serials say little: a lost delta, a primary that was edited without a new serial, a flipped
 * bit, and two servers answer differently for ever, in step by all that a secondary is used to look
 * at. So a primary of our kind tells in its SOA answers and transfers what all its records come to,
 * in one digest (docs/formats.md), and each refresh and each transfer is a proof. It tells in NOTIFY,
 * too; but a NOTIFY is easily forged, so one that differs only makes us ask.
 *
 *     NONE ──shown──> WAITING ──equal──> IDENTICAL
 *                        │  ^
 *                 differ │  │ transferred anew
 *                        v  │
 *                      DIVERGED
 *
 * Ours may not be known yet, since large zones are walked in the background, and a copy is
 * published before it is journaled; and what was shown may be of a serial that is still on its way.
 * Then it waits. What was shown for a serial that we are past says nothing any more.
 *
 * A copy that differs is transferred anew, whole, from the primary that showed it: once for what
 * was shown. If it differs still, one of the two counts wrongly; transferring it again would only
 * load both, so it is logged as an error, and looked at again with the next refresh.
 */
#include "sync/sync_proof.h"

#include <stdio.h>

#include "base/memory.h"
#include "hub/server.h"
#include "sync/sync_impl.h"
#include "zones/zones.h"

enum { FIRST_LOOK_MS = 10, LAST_LOOK_MS = 2000 };

static void wait_for_ours(struct sync_proof *proof, struct instant now)
{
    proof->state = PROOF_WAITING;
    proof->wait_ms = FIRST_LOOK_MS;
    proof->look_at = now;
}

static bool is_same(const struct zone_fingerprint *a, const struct zone_fingerprint *b)
{
    return serial_equal(a->serial, b->serial) &&
           memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

void sync_proof_shown(struct server_zone *zone, uint32_t primary,
                      const struct zone_fingerprint *shown, struct instant now)
{
    if (zone->sync->proof == NULL) {
        zone->sync->proof = memory_new_zeroed(1, sizeof(*zone->sync->proof));
    }
    struct sync_proof *proof = zone->sync->proof;
    proof->primary = primary;
    proof->shown = *shown;
    wait_for_ours(proof, now);
}

bool sync_proof_doubts(struct server_zone *zone, const struct zone_fingerprint *shown)
{
    struct zone_fingerprint ours;
    return zone_get_fingerprint(zone->zone, &ours) && serial_equal(ours.serial, shown->serial) &&
           !is_same(&ours, shown);
}

void sync_proof_replaced(struct server_zone *zone, struct serial serial, struct instant now)
{
    struct sync_proof *proof = zone->sync->proof;
    if (proof != NULL && serial_equal(proof->shown.serial, serial)) {
        wait_for_ours(proof, now);
    }
}

static void log_verdict(struct server_zone *zone, const struct zone_settings *settings,
                        enum log_level level, const char *event, const char *words,
                        const char *action)
{
    const struct sync_proof *proof = zone->sync->proof;
    char address[ADDRESS_TEXT_SIZE], phrase[1400];
    address_format(&settings->primaries[proof->primary].address, true, address);
    snprintf(phrase, sizeof(phrase), "zone %s: copy %s primary %s at serial %u%s%s", zone->label,
             words, address, proof->shown.serial.value, action[0] == '\0' ? "" : ": ", action);
    LOG_EVENT_LIMITED(zone->server->logging, level, LOG_GENERAL, event, phrase,
                      LOG_KEY("peer", address), LOG_NUM("serial", proof->shown.serial.value));
}

static void diverged(struct server_zone *zone, const struct zone_settings *settings,
                     struct instant now)
{
    struct sync_proof *proof = zone->sync->proof;
    proof->state = PROOF_DIVERGED;
    if (refresh_is_retransfer_due(zone->sync->refresh)) {
        return; /* known, and about to be healed */
    }
    atomic_fetch_add_explicit(&zone->server->counters.copies_diverged, 1, memory_order_relaxed);
    if (proof->has_healed && is_same(&proof->healed, &proof->shown)) {
        log_verdict(zone, settings, LOG_ERROR, "copy_differs_still", "still differs from",
                    "transferring it anew did not help, next look at the next refresh");
        return;
    }
    proof->has_healed = true;
    proof->healed = proof->shown;
    log_verdict(zone, settings, LOG_WARNING, "copy_diverged", "differs from", "transferring anew");
    refresh_retransfer_from(zone->sync->refresh, proof->primary, now);
}

static void identical(struct server_zone *zone, const struct zone_settings *settings)
{
    struct sync_proof *proof = zone->sync->proof;
    proof->state = PROOF_IDENTICAL;
    if (proof->has_healed && is_same(&proof->healed, &proof->shown)) {
        log_verdict(zone, settings, LOG_NOTICE, "copy_healed", "is identical again to", "");
    }
    proof->has_healed = false;
}

/* The serial that is served. False: none. */
static bool current_serial(struct server_zone *zone, struct serial *out)
{
    struct zone_version *version = zone_acquire(zone->zone);
    if (version != NULL) {
        *out = zone_version_serial(version);
    }
    zone_version_unref(version);
    return version != NULL;
}

struct instant sync_proof_step(struct server_zone *zone, const struct zone_settings *settings,
                               struct instant now)
{
    struct sync_proof *proof = zone->sync->proof;
    struct zone_fingerprint ours;
    struct serial serial;
    if (proof == NULL || proof->state != PROOF_WAITING) {
        return INSTANT_NEVER;
    }
    if (!current_serial(zone, &serial) || !serial_equal(serial, proof->shown.serial)) {
        return INSTANT_NEVER;
    }
    if (instant_before(now, proof->look_at)) {
        return proof->look_at;
    }
    if (!zone_get_fingerprint(zone->zone, &ours)) {
        proof->look_at = instant_add_ms(now, proof->wait_ms);
        proof->wait_ms = proof->wait_ms * 2 > LAST_LOOK_MS ? LAST_LOOK_MS : proof->wait_ms * 2;
        return proof->look_at;
    }
    proof->compared_at_s = clock_wall_s();
    if (is_same(&ours, &proof->shown)) {
        identical(zone, settings);
    } else if (serial_equal(ours.serial, proof->shown.serial)) {
        diverged(zone, settings, now);
    }
    return INSTANT_NEVER;
}

enum proof_state sync_proof_state(struct server_zone *zone)
{
    const struct sync_proof *proof = zone->sync->proof;
    struct serial serial;
    bool holds =
        proof != NULL && current_serial(zone, &serial) && serial_equal(serial, proof->shown.serial);
    return holds ? proof->state : PROOF_NONE;
}
