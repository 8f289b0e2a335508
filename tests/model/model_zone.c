/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything here is a walk over all records; a zone of this size has a few dozen. The only
 * functions taken from the program under test are those of `wire` for names and rdata.
 */
#include "model_zone.h"

#include <gnutls/crypto.h>

#include "base/memory.h"
#include "wire/rdata.h"

void model_set_deinit(struct model_set *set)
{
    memory_free(set->records);
    *set = (struct model_set){.records = NULL};
}

void model_set_append(struct model_set *set, const struct model_record *record)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 16 : set->capacity * 2;
        set->records = memory_resize(set->records, set->capacity * sizeof(*set->records));
    }
    set->records[set->count++] = *record;
}

bool model_record_equal(const struct model_record *a, const struct model_record *b)
{
    return a->type == b->type && a->ttl == b->ttl && name_equal(a->owner.wire, b->owner.wire) &&
           rdata_compare(a->type, slice_of(a->rdata, a->rdata_size),
                         slice_of(b->rdata, b->rdata_size)) == 0;
}

static size_t times(const struct model_set *set, const struct model_record *record)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        count += model_record_equal(&set->records[i], record);
    }
    return count;
}

void model_set_add(struct model_set *set, const struct model_record *record)
{
    if (times(set, record) == 0) {
        model_set_append(set, record);
    }
}

bool model_set_equal(const struct model_set *a, const struct model_set *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (times(a, &a->records[i]) != times(b, &a->records[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

const struct model_record *model_get(const struct model_zone *zone, const uint8_t *name,
                                     uint16_t type)
{
    for (size_t i = 0; i < zone->set.count; i++) {
        const struct model_record *record = &zone->set.records[i];
        if (record->type == type && name_equal(record->owner.wire, name)) {
            return record;
        }
    }
    return NULL;
}

bool model_has(const struct model_zone *zone, const uint8_t *name, uint16_t type)
{
    return model_get(zone, name, type) != NULL;
}

uint16_t model_covers(const struct model_record *record)
{
    return record->type == TYPE_RRSIG ? get_u16(record->rdata) : 0;
}

bool model_exists(const struct model_zone *zone, const uint8_t *name)
{
    for (size_t i = 0; i < zone->set.count; i++) {
        const struct model_record *record = &zone->set.records[i];
        if (record->type != TYPE_NSEC3 && model_covers(record) != TYPE_NSEC3 &&
            name_is_subdomain(record->owner.wire, name)) {
            return true;
        }
    }
    return false;
}

void model_nsec3_hash(const uint8_t *params, const uint8_t *name, uint8_t out[20])
{
    uint8_t input[NAME_MAX_SIZE + 255];
    size_t size = name_size(name);
    unsigned iterations = get_u16(params + 2);
    memcpy(input, name, size);
    name_lower(input);
    for (unsigned i = 0; i <= iterations; i++) {
        memcpy(input + size, params + 5, params[4]);
        REQUIRE(gnutls_hash_fast(GNUTLS_DIG_SHA1, input, size + params[4], out) == 0);
        memcpy(input, out, 20);
        size = 20;
    }
}

void model_zone_deinit(struct model_zone *zone)
{
    model_set_deinit(&zone->set);
}
