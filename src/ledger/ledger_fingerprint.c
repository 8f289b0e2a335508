/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fingerprints of zones: computed once by walking a version, then followed delta by delta.
 *
 * A small zone is walked on the way of its first commit, or when somebody asks. A large one is
 * walked by the keeper: it takes the durable version and its lanes, and then follows the deltas
 * that were kept since; where those are not all there any more, it walks again. So no commit ever
 * waits for a walk.
 */
#include "base/memory.h"
#include "ledger/ledger_impl.h"

/* Under the lock. */
static void set_lanes(struct ledger_zone *zone, const struct fingerprint *lanes,
                      struct serial serial)
{
    if (zone->lanes == NULL) {
        zone->lanes = memory_new(sizeof(*zone->lanes));
    }
    *zone->lanes = *lanes;
    zone->fingerprint_serial = serial;
    zone->fingerprint_state = FINGERPRINT_READY;
}

void ledger_follow_fingerprint(struct ledger_zone *zone, const struct commit *commit,
                               struct store_entry *entries)
{
    bool restarts = commit->kind == COMMIT_RESTART || commit->mends;
    bool is_small = zone_version_record_count(commit->version) <= FINGERPRINT_AT_ONCE;
    struct fingerprint lanes;
    struct fingerprint *followed = NULL;
    pthread_mutex_lock(&zone->lock);
    if (zone->fingerprint_state == FINGERPRINT_READY && !restarts &&
        serial_equal(zone->fingerprint_serial, commit->from)) {
        lanes = *zone->lanes;
        followed = &lanes;
    } else if (zone->fingerprint_state == FINGERPRINT_READY) {
        zone->fingerprint_state = FINGERPRINT_NONE;
    }
    pthread_mutex_unlock(&zone->lock);
    if (followed != NULL) {
        for (size_t i = 0; i < commit->chunk_count; i++) {
            chunk_apply_fingerprint(commit->chunks[i], &lanes);
            fingerprint_digest(&lanes, entries[i].digest);
            entries[i].has_digest = true;
        }
    } else if (is_small) {
        size_t last = restarts ? 0 : commit->chunk_count - 1;
        fingerprint_of_version(&lanes, commit->version);
        fingerprint_digest(&lanes, entries[last].digest);
        entries[last].has_digest = true;
    } else {
        return;
    }
    /* Of many small zones most never change, and the lanes would weigh more than the zone. */
    bool keeps = !restarts || zone_version_record_count(commit->version) > LANES_WORTH_KEEPING;
    pthread_mutex_lock(&zone->lock);
    if (keeps && commit->epoch == zone->epoch) {
        set_lanes(zone, &lanes, commit->to);
    }
    pthread_mutex_unlock(&zone->lock);
}

/* Under the lock: the kept deltas that lead from `at` to the durable version, shared. NULL: not all
 * of them are kept. */
static struct chunk **chunks_since(struct ledger_zone *zone, struct serial at, size_t *count)
{
    struct serial end = zone_version_serial(zone->durable);
    size_t first = zone->kept_count;
    size_t last = zone->kept_count;
    *count = 0;
    for (size_t i = 0; i < zone->kept_count; i++) {
        if (serial_equal(zone->kept[i].entry.from, at)) {
            first = i;
        }
        if (serial_equal(zone->kept[i].entry.to, end)) {
            last = i + 1;
        }
    }
    if (first >= last) {
        return NULL;
    }
    struct chunk **chunks = memory_new((last - first) * sizeof(struct chunk *));
    for (size_t i = first; i < last; i++) {
        if (zone->kept[i].chunk == NULL) {
            while (*count > 0) {
                chunk_unref(chunks[--*count]);
            }
            memory_free(chunks);
            return NULL;
        }
        chunks[(*count)++] = chunk_ref(zone->kept[i].chunk);
    }
    return chunks;
}

void ledger_compute_fingerprint(struct ledger_zone *zone)
{
    struct fingerprint lanes;
    struct zone_version *version = NULL;
    for (;;) {
        size_t count = 0;
        struct chunk **chunks = NULL;
        pthread_mutex_lock(&zone->lock);
        bool is_done = zone->durable == NULL || zone->is_removed ||
                       zone->fingerprint_state == FINGERPRINT_READY;
        if (!is_done && version != NULL) {
            struct serial at = zone_version_serial(version);
            if (version == zone->durable) {
                set_lanes(zone, &lanes, at);
                is_done = true;
            } else {
                chunks = chunks_since(zone, at, &count);
            }
        }
        if (is_done && zone->fingerprint_state == FINGERPRINT_COMPUTING) {
            zone->fingerprint_state = FINGERPRINT_NONE;
        }
        struct zone_version *next = is_done ? NULL : zone_version_ref(zone->durable);
        pthread_mutex_unlock(&zone->lock);
        zone_version_unref(version);
        version = next;
        if (is_done) {
            return;
        }
        if (chunks == NULL) {
            fingerprint_of_version(&lanes, version);
        }
        for (size_t i = 0; i < count; i++) {
            chunk_apply_fingerprint(chunks[i], &lanes);
            chunk_unref(chunks[i]);
        }
        memory_free(chunks);
    }
}

enum result ledger_fingerprint(struct ledger_zone *zone, struct serial *out_serial,
                               uint8_t out[FINGERPRINT_DIGEST_SIZE], struct error *err)
{
    struct fingerprint lanes;
    bool is_ready = false;
    bool asks = false;
    bool is_small = true;
    pthread_mutex_lock(&zone->lock);
    bool has_version = zone->durable != NULL;
    if (has_version) {
        is_ready = zone->fingerprint_state == FINGERPRINT_READY;
        is_small =
            zone_version_record_count(zone->durable) <= FINGERPRINT_AT_ONCE || zone->stored == NULL;
        asks = !is_small && zone->fingerprint_state == FINGERPRINT_NONE;
        if (is_ready) {
            lanes = *zone->lanes;
            *out_serial = zone->fingerprint_serial;
        } else if (asks) {
            zone->fingerprint_state = FINGERPRINT_COMPUTING;
        }
    }
    pthread_mutex_unlock(&zone->lock);
    if (!has_version) {
        return error_set(err, ERR_NOT_FOUND, "the zone has no version yet");
    }
    if (asks) {
        ledger_ask_keeper(zone->ledger, KEEPER_FINGERPRINT, zone, NULL);
    }
    if (!is_ready && is_small) {
        ledger_compute_fingerprint(zone);
        pthread_mutex_lock(&zone->lock);
        is_ready = zone->fingerprint_state == FINGERPRINT_READY;
        if (is_ready) {
            lanes = *zone->lanes;
            *out_serial = zone->fingerprint_serial;
        }
        pthread_mutex_unlock(&zone->lock);
    }
    if (!is_ready) {
        return error_set(err, ERR_BUSY, "the fingerprint is being computed");
    }
    fingerprint_digest(&lanes, out);
    return OK;
}
