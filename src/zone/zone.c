/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A zone: the fixed point that its versions pass through. One allocation with the name behind it,
 * no lock, no timer, no file name: a server may have a million of them.
 *
 * `current` owns one reference to the version. Publishing exchanges the pointer and leaves the old
 * reference to RCU, so a reader that loaded the old version may use it until its next quiescent
 * state, and may take a reference of its own until then (zone_acquire): the count cannot have
 * reached zero before. A fingerprint is told apart by its serial; publishing forgets it first,
 * since a version may be replaced by another one with the same serial (a copy transferred anew).
 */
#include "zone/zone_set.h"

#include "base/memory.h"
#include "base/rcu.h"

struct zone *zone_new(const uint8_t *name, uint16_t class, uint8_t flags)
{
    size_t size = name_size(name);
    struct zone *zone = memory_new(sizeof(*zone) + size);
    *zone = (struct zone){
        .state = ZONE_EMPTY,
        .class = class,
        .flags = flags,
        .name_size = (uint8_t)size,
        .hash = name_hash(zone_hash_key(), name),
        .references = 1,
    };
    memcpy(zone->name, name, size);
    return zone;
}

struct zone *zone_ref(struct zone *zone)
{
    atomic_fetch_add_explicit(&zone->references, 1, memory_order_relaxed);
    return zone;
}

void zone_unref(struct zone *zone)
{
    if (zone != NULL &&
        atomic_fetch_sub_explicit(&zone->references, 1, memory_order_acq_rel) == 1) {
        zone_version_unref(atomic_load_explicit(&zone->current, memory_order_relaxed));
        memory_free(atomic_load_explicit(&zone->fingerprint, memory_order_relaxed));
        memory_free(zone);
    }
}

static void drop_version(void *context)
{
    zone_version_unref(context);
}

void zone_publish_fingerprint(struct zone *zone, const struct zone_fingerprint *fingerprint)
{
    struct zone_fingerprint *copy = NULL;
    if (fingerprint != NULL) {
        copy = memory_new(sizeof(*copy));
        *copy = *fingerprint;
    }
    struct zone_fingerprint *old =
        atomic_exchange_explicit(&zone->fingerprint, copy, memory_order_acq_rel);
    if (old != NULL) {
        rcu_defer(memory_free, old);
    }
}

const struct zone_fingerprint *zone_find_fingerprint(const struct zone *zone, struct serial serial)
{
    const struct zone_fingerprint *found =
        atomic_load_explicit(&zone->fingerprint, memory_order_acquire);
    return found != NULL && serial_equal(found->serial, serial) ? found : NULL;
}

bool zone_fingerprint_of(const struct zone *zone, const struct zone_version *version,
                         struct zone_fingerprint *out)
{
    struct fingerprint lanes;
    const struct zone_fingerprint *found =
        zone_find_fingerprint(zone, zone_version_serial(version));
    if (found != NULL) {
        *out = *found;
        return true;
    }
    if (zone_version_record_count(version) > ZONE_FINGERPRINT_ON_ASKING) {
        return false;
    }
    fingerprint_of_version(&lanes, version);
    fingerprint_digest(&lanes, out->digest);
    out->serial = zone_version_serial(version);
    return true;
}

bool zone_get_fingerprint(struct zone *zone, struct zone_fingerprint *out)
{
    rcu_read_begin();
    const struct zone_version *version = atomic_load_explicit(&zone->current, memory_order_acquire);
    bool is_known = version != NULL && zone_fingerprint_of(zone, version, out);
    rcu_read_end();
    return is_known;
}

void zone_publish(struct zone *zone, struct zone_version *version)
{
    zone_publish_fingerprint(zone, NULL);
    struct zone_version *old =
        atomic_exchange_explicit(&zone->current, version, memory_order_acq_rel);
    atomic_store_explicit(&zone->state, version == NULL ? ZONE_EMPTY : ZONE_SERVING,
                          memory_order_release);
    if (old != NULL) {
        rcu_defer(drop_version, old);
    }
}

struct zone_version *zone_acquire(struct zone *zone)
{
    rcu_read_begin();
    struct zone_version *version = atomic_load_explicit(&zone->current, memory_order_acquire);
    if (version != NULL) {
        zone_version_ref(version);
    }
    rcu_read_end();
    return version;
}
