/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fingerprints of zones: computed once by walking a version, then followed delta by delta.
 *
 * A zone of a few records is walked when somebody asks (zone_fingerprint_of) and on the way of its
 * first delta, a small one on the way of its first commit. A large one is walked by the keeper: it
 * takes the durable version and its lanes, and then follows the deltas that were kept since; where
 * those are not all there any more, it walks again. So no commit ever waits for a walk.
 *
 * What is known is shown in struct zone, for whoever asks whether two copies are the same. It is
 * told apart by its serial there; so it is shown only while no other version with that serial is on
 * its way (a copy that is replaced because it is not its primary's).
 */
#include "base/memory.h"
#include "ledger/ledger_impl.h"

/* Under the lock. */
static void set_digest(struct ledger_zone *zone, const uint8_t digest[FINGERPRINT_DIGEST_SIZE],
                       struct serial serial)
{
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    memcpy(rare->digest, digest, sizeof(rare->digest));
    rare->digest_serial = serial;
    zone->has_digest = true;
}

/* Under the lock. */
static void set_lanes(struct ledger_zone *zone, const struct fingerprint *lanes,
                      struct serial serial)
{
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    if (rare->lanes == NULL) {
        rare->lanes = memory_new(sizeof(*rare->lanes));
    }
    *rare->lanes = *lanes;
    rare->fingerprint_serial = serial;
    zone->fingerprint_state = FINGERPRINT_READY;
}

/* Under the lock: the digest is that of the durable version, and no other one has its serial. */
static bool is_of_durable(const struct ledger_zone *zone)
{
    if (!zone->has_digest || zone->durable == NULL ||
        !serial_equal(zone_version_serial(zone->durable), ledger_rare(zone)->digest_serial)) {
        return false;
    }
    return zone->head == zone->durable || zone->head == NULL ||
           !serial_equal(zone_version_serial(zone->head), ledger_rare(zone)->digest_serial);
}

/* Under the lock. */
static void show(struct ledger_zone *zone)
{
    struct zone_fingerprint shown = {.serial = ledger_rare(zone)->digest_serial};
    memcpy(shown.digest, ledger_rare(zone)->digest, sizeof(shown.digest));
    zone_publish_fingerprint(zone->zone, &shown);
}

void ledger_show_fingerprint(struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    bool asks = false;
    if (is_of_durable(zone)) {
        show(zone);
    } else if (!zone->has_digest && zone->fingerprint_state == FINGERPRINT_NONE) {
        asks = zone->stored != NULL && !zone->is_removed && zone->durable != NULL &&
               zone_version_record_count(zone->durable) > ZONE_FINGERPRINT_ON_ASKING;
    }
    if (asks) {
        zone->fingerprint_state = FINGERPRINT_COMPUTING;
    }
    ledger_zone_unlock(zone);
    if (asks) {
        ledger_ask_keeper(zone->ledger, KEEPER_FINGERPRINT, zone, NULL);
    }
}

/* Under the lock: the kept deltas that lead from `at` to `end`, shared. NULL: not all of them are
 * kept. */
static struct chunk **kept_chunks(struct ledger_zone *zone, struct serial at, struct serial end,
                                  size_t *count)
{
    size_t first = ledger_rare(zone)->kept_count;
    size_t last = ledger_rare(zone)->kept_count;
    *count = 0;
    for (size_t i = 0; i < ledger_rare(zone)->kept_count; i++) {
        if (serial_equal(ledger_rare(zone)->kept[i].entry.from, at)) {
            first = i;
        }
        if (serial_equal(ledger_rare(zone)->kept[i].entry.to, end)) {
            last = i + 1;
        }
    }
    if (first >= last) {
        return NULL;
    }
    struct chunk **chunks = memory_new((last - first) * sizeof(struct chunk *));
    for (size_t i = first; i < last; i++) {
        if (ledger_rare(zone)->kept[i].chunk == NULL) {
            while (*count > 0) {
                chunk_unref(chunks[--*count]);
            }
            memory_free(chunks);
            return NULL;
        }
        chunks[(*count)++] = chunk_ref(ledger_rare(zone)->kept[i].chunk);
    }
    return chunks;
}

static void apply_chunks(struct chunk **chunks, size_t count, struct fingerprint *lanes)
{
    for (size_t i = 0; i < count; i++) {
        chunk_apply_fingerprint(chunks[i], lanes);
        chunk_unref(chunks[i]);
    }
    memory_free(chunks);
}

void ledger_follow_fingerprint(struct ledger_zone *zone, const struct commit *commit,
                               struct store_entry *entries)
{
    bool restarts = commit->kind == COMMIT_RESTART || commit->mends;
    uint64_t record_count = zone_version_record_count(commit->version);
    bool is_small = record_count <= FINGERPRINT_AT_ONCE;
    bool waits = restarts && record_count <= ZONE_FINGERPRINT_ON_ASKING;
    struct fingerprint lanes;
    bool follows = false;
    struct chunk **missed = NULL;
    size_t missed_count = 0;
    ledger_zone_lock(zone);
    zone->has_digest = false;
    if (zone->fingerprint_state == FINGERPRINT_READY) {
        follows = !restarts && serial_equal(ledger_rare(zone)->fingerprint_serial, commit->from);
        if (!restarts && !follows) {
            /* The keeper was done while commits that it did not know of were under way. */
            missed = kept_chunks(zone, ledger_rare(zone)->fingerprint_serial, commit->from,
                                 &missed_count);
            follows = missed != NULL;
        }
        if (follows) {
            lanes = *ledger_rare(zone)->lanes;
        } else {
            zone->fingerprint_state = FINGERPRINT_NONE;
        }
    }
    ledger_zone_unlock(zone);
    apply_chunks(missed, missed_count, &lanes);
    size_t last = restarts ? 0 : commit->chunk_count - 1;
    if (follows) {
        for (size_t i = 0; i < commit->chunk_count; i++) {
            chunk_apply_fingerprint(commit->chunks[i], &lanes);
            fingerprint_digest(&lanes, entries[i].digest);
            entries[i].has_digest = true;
        }
    } else if (is_small && !waits) {
        fingerprint_of_version(&lanes, commit->version);
        fingerprint_digest(&lanes, entries[last].digest);
        entries[last].has_digest = true;
    } else {
        return;
    }
    ledger_zone_lock(zone);
    if (commit->epoch == zone->epoch) {
        set_digest(zone, entries[last].digest, commit->to);
        set_lanes(zone, &lanes, commit->to);
    }
    ledger_zone_unlock(zone);
}

void ledger_compute_fingerprint(struct ledger_zone *zone)
{
    struct fingerprint lanes;
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    struct zone_version *version = NULL;
    for (;;) {
        size_t count = 0;
        struct chunk **chunks = NULL;
        ledger_zone_lock(zone);
        bool is_done = zone->durable == NULL || zone->is_removed ||
                       zone->fingerprint_state == FINGERPRINT_READY;
        if (!is_done && version != NULL) {
            if (version == zone->durable) {
                set_lanes(zone, &lanes, zone_version_serial(version));
                set_digest(zone, digest, zone_version_serial(version));
                is_done = true;
                if (is_of_durable(zone)) {
                    show(zone);
                }
            } else {
                chunks = kept_chunks(zone, zone_version_serial(version),
                                     zone_version_serial(zone->durable), &count);
            }
        }
        if (is_done && zone->fingerprint_state == FINGERPRINT_COMPUTING) {
            zone->fingerprint_state = FINGERPRINT_NONE;
        }
        struct zone_version *next = is_done ? NULL : zone_version_ref(zone->durable);
        ledger_zone_unlock(zone);
        zone_version_unref(version);
        version = next;
        if (is_done) {
            return;
        }
        if (chunks == NULL) {
            fingerprint_of_version(&lanes, version);
        }
        apply_chunks(chunks, count, &lanes);
        fingerprint_digest(&lanes, digest);
    }
}

void ledger_restore_digest(struct ledger_zone *zone, const uint8_t digest[FINGERPRINT_DIGEST_SIZE],
                           struct serial serial)
{
    ledger_zone_lock(zone);
    set_digest(zone, digest, serial);
    ledger_zone_unlock(zone);
}

/* Under the lock. */
static bool is_known(const struct ledger_zone *zone)
{
    return zone->has_digest &&
           (zone->fingerprint_state == FINGERPRINT_READY || is_of_durable(zone));
}

enum result ledger_fingerprint(struct ledger_zone *zone, struct serial *out_serial,
                               uint8_t out[FINGERPRINT_DIGEST_SIZE], struct error *err)
{
    bool is_ready = false;
    bool asks = false;
    bool is_small = true;
    ledger_zone_lock(zone);
    bool has_version = zone->durable != NULL;
    if (has_version) {
        is_ready = is_known(zone);
        is_small =
            zone_version_record_count(zone->durable) <= FINGERPRINT_AT_ONCE || zone->stored == NULL;
        asks = !is_ready && !is_small && zone->fingerprint_state == FINGERPRINT_NONE;
        if (is_ready) {
            memcpy(out, ledger_rare(zone)->digest, FINGERPRINT_DIGEST_SIZE);
            *out_serial = ledger_rare(zone)->digest_serial;
        } else if (asks) {
            zone->fingerprint_state = FINGERPRINT_COMPUTING;
        }
    }
    ledger_zone_unlock(zone);
    if (!has_version) {
        return error_set(err, ERR_NOT_FOUND, "the zone has no version yet");
    }
    if (asks) {
        ledger_ask_keeper(zone->ledger, KEEPER_FINGERPRINT, zone, NULL);
    }
    if (!is_ready && is_small) {
        ledger_compute_fingerprint(zone);
        ledger_zone_lock(zone);
        is_ready = is_known(zone);
        if (is_ready) {
            memcpy(out, ledger_rare(zone)->digest, FINGERPRINT_DIGEST_SIZE);
            *out_serial = ledger_rare(zone)->digest_serial;
        }
        ledger_zone_unlock(zone);
    }
    if (!is_ready) {
        return error_set(err, ERR_BUSY, "the fingerprint is being computed");
    }
    return OK;
}
