/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fingerprint of a set of records: LtHash (Bellare-Micciancio; Lewi and others 2019) with 1024
 * lanes of 16 bits, each record's lanes drawn from a wide hash of its canonical form. Equal sets
 * have equal fingerprints whatever path led there; adding and removing cost O(1) a record.
 * docs/formats.md spells it out with test vectors.
 */
#ifndef ZONE_FINGERPRINT_H
#define ZONE_FINGERPRINT_H

#include "base/attr.h"
#include "wire/record.h"

struct delta;
struct zone_version;

enum { FINGERPRINT_LANES = 1024, FINGERPRINT_DIGEST_SIZE = 32 };

struct fingerprint {
    ALIGNED(64) uint16_t lanes[FINGERPRINT_LANES];
};

void fingerprint_init(struct fingerprint *fp); /* of the empty set */
void fingerprint_add(struct fingerprint *fp, const struct record *record);
void fingerprint_remove(struct fingerprint *fp, const struct record *record);
void fingerprint_combine(struct fingerprint *fp, const struct fingerprint *other); /* lane sums */
/* SHA-256 of the lanes in network order: what is shown and compared. */
void fingerprint_digest(const struct fingerprint *fp, uint8_t out[FINGERPRINT_DIGEST_SIZE]);
/* Lane by lane; true where the two stand for the same set. */
bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);

/* Of all records of `version`, by walking it. Any thread; O(n), about 0.5 us a record. */
void fingerprint_of_version(struct fingerprint *out, const struct zone_version *version);
/* From that of delta_from() to that of delta_to(); `delta` is sealed. O(k). */
void fingerprint_apply_delta(struct fingerprint *fp, const struct delta *delta);

#endif
