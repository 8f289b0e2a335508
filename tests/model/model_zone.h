/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A slow, obviously right zone: an array of records, looked through from end to end. What tests
 * compare the fast one with. Also what generates random zones, and signs them for show.
 */
#ifndef MODEL_MODEL_ZONE_H
#define MODEL_MODEL_ZONE_H

#include "wire/name.h"
#include "wire/record.h"

enum { MODEL_RDATA_MAX = 600 };

struct model_record {
    struct name owner;
    uint16_t type;
    uint32_t ttl;
    size_t rdata_size;
    uint8_t rdata[MODEL_RDATA_MAX];
};

/* A set of records: a zone, or a section of a response. */
struct model_set {
    struct model_record *records;
    size_t count;
    size_t capacity;
};

struct model_zone {
    struct name apex;
    struct model_set set;
};

void model_set_deinit(struct model_set *set);
/* A set: a record that is there already is not added again. */
void model_set_add(struct model_set *set, const struct model_record *record);
/* As model_set_add, but twice is twice. */
void model_set_append(struct model_set *set, const struct model_record *record);
bool model_record_equal(const struct model_record *a, const struct model_record *b);
/* The same records the same number of times. */
bool model_set_equal(const struct model_set *a, const struct model_set *b);

/* Is there a record of `type` at exactly `name`? */
bool model_has(const struct model_zone *zone, const uint8_t *name, uint16_t type);
/* The first record of `type` at `name`, or NULL. */
const struct model_record *model_get(const struct model_zone *zone, const uint8_t *name,
                                     uint16_t type);
/* Is there any record at `name` or below it? NSEC3 records and their signatures do not count. */
bool model_exists(const struct model_zone *zone, const uint8_t *name);
/* Type of the RRset a RRSIG record covers, 0 for other records. */
uint16_t model_covers(const struct model_record *record);
/* The hash of RFC 5155 5 with the parameters that stand at the head of `params` (NSEC3PARAM or
 * NSEC3 rdata). */
void model_nsec3_hash(const uint8_t *params, const uint8_t *name, uint8_t out[20]);

enum model_signing { MODEL_UNSIGNED, MODEL_NSEC, MODEL_NSEC3, MODEL_OPT_OUT, MODEL_SIGNINGS };

/* A zone made from `seed`: wildcards, empty non-terminals, cuts with and without glue, aliases and
 * loops of them, DNAME, occluded data. */
void model_zone_random(struct model_zone *zone, uint32_t seed, enum model_signing signing);
void model_zone_deinit(struct model_zone *zone);
/* A name that is worth asking that zone about. */
void model_random_name(const struct model_zone *zone, uint32_t *random, struct name *out);
uint32_t model_random(uint32_t *state, uint32_t below);

#endif
