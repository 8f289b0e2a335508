/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting from the store: the image through the builder, the deltas behind it through apply, in
 * other words the way every version comes to be, with the disk as the peer.
 *
 * What is damaged is never passed over: the caller is told, nothing newer than the damage is
 * served, the zone's next commit starts its history anew, and no serial that was acknowledged comes
 * back.
 */
#include "base/memory.h"
#include "ledger/ledger_impl.h"
#include "zone/builder.h"

static enum result add_records(void *context, struct slice records, struct error *err)
{
    struct builder *builder = context;
    struct record record;
    size_t offset = 0;
    while (wire_records_next(records, &offset, &record)) {
        enum result result = builder_add(builder, &record, NULL, 0, err);
        if (result != OK) {
            return error_set(err, ERR_CORRUPT, "the stored image does not belong to this zone");
        }
    }
    return OK;
}

struct restoring {
    struct zone_version *version;
    uint64_t step;
    struct fingerprint *lanes;
    bool has_lanes;
    struct store_entry last; /* of the version */
};

static enum result read_image(struct ledger_zone *zone, struct restoring *r,
                              struct ledger_restored *out, struct error *err)
{
    struct store_entry entry;
    struct error inner = {0};
    struct builder *builder = builder_new(zone->zone->name, zone->zone->class, NULL, NULL, NULL);
    enum result result = store_read_image(zone->ledger->store, zone->stored, add_records, builder,
                                          &entry, r->lanes, &r->has_lanes, err);
    if (result == OK) {
        result = builder_finish(builder, NULL, &r->version, NULL, &inner);
        if (result != OK) {
            result = error_set(err, ERR_CORRUPT, "the stored image is no zone: %s", inner.text);
        }
    }
    builder_free(builder);
    if (result == OK) {
        r->step = entry.step;
        r->last = entry;
        out->source = entry.source;
        out->time_s = entry.time_s;
    }
    return result;
}

static enum result apply_step(struct ledger_zone *zone, struct restoring *r,
                              const struct store_entry *entry, struct error *err)
{
    struct chunk *chunk = NULL;
    struct delta *delta = NULL;
    struct zone_version *next = NULL;
    struct error inner = {0};
    enum result result =
        store_read_chunk(zone->ledger->store, zone->stored, entry->step, &chunk, err);
    if (result == OK) {
        result = chunk_to_delta(chunk, zone->zone->name, zone->zone->class, &delta, err);
    }
    if (result == OK) {
        result = delta_apply(r->version, delta, NULL, &next, &inner);
        if (result != OK) {
            result = error_set(err, ERR_CORRUPT, "the stored delta to serial %u does not fit: %s",
                               entry->to.value, inner.text);
        }
    }
    if (result == OK) {
        zone_version_unref(r->version);
        r->version = next;
        r->step = entry->step;
        r->last = *entry;
        if (r->has_lanes) {
            chunk_apply_fingerprint(chunk, r->lanes);
        }
    }
    delta_free(delta);
    chunk_unref(chunk);
    return result;
}

static enum result apply_deltas(struct ledger_zone *zone, struct restoring *r,
                                struct ledger_restored *out, struct error *err)
{
    struct store_entry entries[64];
    enum result result = OK;
    for (;;) {
        size_t count = store_history(zone->ledger->store, zone->stored, r->step + 1, entries,
                                     ARRAY_SIZE(entries));
        if (count == 0 || result != OK) {
            return result;
        }
        for (size_t i = 0; result == OK && i < count; i++) {
            result = apply_step(zone, r, &entries[i], err);
            if (result == OK) {
                out->source = entries[i].source;
                out->time_s = entries[i].time_s;
            }
        }
    }
}

static void publish(struct ledger_zone *zone, struct restoring *r, bool is_broken)
{
    zone_publish(zone->zone, zone_version_ref(r->version));
    ledger_zone_settle(zone, r->version, r->step);
    ledger_zone_lock(zone);
    struct zone_version *before = zone->head;
    zone->head = zone_version_ref(r->version);
    zone->restarts_next = is_broken;
    if (r->has_lanes) {
        struct ledger_zone_rare *rare = ledger_zone_own(zone);
        memory_free(rare->lanes);
        rare->lanes = r->lanes;
        r->lanes = NULL;
        fingerprint_digest(rare->lanes, r->last.digest);
        r->last.has_digest = true;
        rare->fingerprint_serial = zone_version_serial(r->version);
        zone->fingerprint_state = FINGERPRINT_READY;
    }
    ledger_zone_unlock(zone);
    zone_version_unref(before);
    if (r->last.has_digest) {
        ledger_restore_digest(zone, r->last.digest, zone_version_serial(r->version));
    }
    ledger_show_fingerprint(zone);
    ledger_tell(zone->ledger, &(struct ledger_event){.kind = LEDGER_PUBLISHED,
                                                     .zone = zone,
                                                     .version = r->version,
                                                     .from = zone_version_serial(r->version),
                                                     .to = zone_version_serial(r->version),
                                                     .is_first = true});
}

/* What is still known of the last version that was acknowledged. */
static void find_last_digest(struct ledger_zone *zone, const struct store_status *status,
                             struct ledger_restored *out)
{
    struct store_entry last = status->image;
    bool is_there =
        store_read_entry(zone->ledger->store, zone->stored, status->last_step, &last, NULL) == OK ||
        status->has_image;
    if (is_there && last.has_digest && serial_equal(last.to, status->last_serial)) {
        out->has_last_digest = true;
        memcpy(out->last_digest, last.digest, sizeof(out->last_digest));
    }
}

/* Until what a removed zone of the same name had let in is on disk. A copy is served before that: read
 * any earlier, the zone would come back with a serial before the one that was seen. */
static void await_predecessor(const struct ledger_zone *zone)
{
    struct ledger *ledger = zone->ledger;
    pthread_mutex_lock(&ledger->lock);
    for (const struct ledger_zone *at = ledger->leaving; at != NULL;) {
        if (at->stored != zone->stored) {
            at = ledger_rare(at)->next_leaving;
            continue;
        }
        ledger->is_awaited = true;
        pthread_cond_signal(&ledger->writer_wakes);
        pthread_cond_wait(&ledger->left, &ledger->lock);
        at = ledger->leaving;
    }
    pthread_mutex_unlock(&ledger->lock);
}

enum result ledger_restore(struct ledger_zone *zone, bool takes_sound, struct ledger_restored *out,
                           struct error *err)
{
    struct restoring r = {0};
    struct store_status status = {0};
    *out = (struct ledger_restored){0};
    if (zone->stored == NULL) {
        return ERR_NOT_FOUND;
    }
    await_predecessor(zone);
    enum result damage = store_zone_status(zone->ledger->store, zone->stored, &status, err);
    if (damage != OK && damage != ERR_CORRUPT) {
        return damage;
    }
    r.lanes = memory_new(sizeof(*r.lanes));
    out->last_serial = status.last_serial;
    enum result result = read_image(zone, &r, out, err);
    if (result == OK) {
        result = apply_deltas(zone, &r, out, err);
    }
    result = result == OK || result == ERR_NOT_FOUND ? damage : result;
    if (result == ERR_CORRUPT) {
        find_last_digest(zone, &status, out);
    }
    if (r.version != NULL && (result == OK || (result == ERR_CORRUPT && takes_sound))) {
        out->serial = zone_version_serial(r.version);
        out->is_published = true;
        publish(zone, &r, result != OK);
    }
    ledger_zone_lock(zone);
    zone->has_floor = true;
    zone->floor = status.last_serial;
    zone->restarts_next = result != OK;
    ledger_zone_unlock(zone);
    zone_version_unref(r.version);
    memory_free(r.lanes);
    return result;
}
