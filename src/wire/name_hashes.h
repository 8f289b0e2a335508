/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A name taken apart once for all that look it up, and its hashes (name_hash()) as far as they were
 * needed. Inline, as it stands on the path of every question, in three rooms.
 */
#ifndef WIRE_NAME_HASHES_H
#define WIRE_NAME_HASHES_H

#include "wire/name.h"
#include "wire/name_hash.h"

/* A table that knows the hash of a tail sets it; those of shorter tails are then without meaning. */
struct name_hashes {
    uint8_t size;                      /* of the name, the root label included */
    uint8_t labels;                    /* without the root */
    uint8_t hashed;                    /* hashes[] is filled in up to this */
    uint8_t offsets[NAME_MAX_LABELS];  /* of each label, the leftmost first, the root's last */
    uint8_t folded[NAME_MAX_SIZE + 9]; /* the name in lower case, then octets without meaning */
    uint64_t hashes[NAME_MAX_LABELS];  /* [n]: name_hash() of the last n labels */
};

/* As name_check() and name_hashes_begin() together, for what stands in the first `limit` octets: the
 * size of the name, or 0 and nothing in `out` that means anything. */
static ALWAYS_INLINE size_t name_hashes_check(uint64_t key, const uint8_t *wire, size_t limit,
                                              struct name_hashes *out)
{
    uint8_t *offset = out->offsets;
    size_t at = 0;
    if (limit > NAME_MAX_SIZE) {
        limit = NAME_MAX_SIZE;
    }
    for (;;) {
        if (UNLIKELY(at >= limit)) {
            return 0;
        }
        size_t length = wire[at];
        *offset = (uint8_t)at;
        if (length - 1 >= LABEL_MAX_SIZE) {
            if (UNLIKELY(length != 0)) {
                return 0;
            }
            break;
        }
        at += 1 + length;
        offset++;
    }
    octets_copy_lower(out->folded, wire, at + 1);
    out->size = (uint8_t)(at + 1);
    out->labels = (uint8_t)(offset - out->offsets);
    out->hashed = 0;
    out->hashes[0] = key;
    return at + 1;
}

/* `wire` is a name. */
void name_hashes_begin(uint64_t key, const uint8_t *wire, struct name_hashes *out);

/* Fills in hashes[labels] and those before; at most all of the name's. */
static ALWAYS_INLINE void name_hashes_need(struct name_hashes *hashes, unsigned labels)
{
    size_t n = hashes->hashed;
    if (n < labels) {
        const uint8_t *offset = hashes->offsets + hashes->labels - n;
        uint64_t hash = hashes->hashes[n];
        do {
            hash = name_label_hash_folded(hash, hashes->folded + *--offset);
            hashes->hashes[++n] = hash;
        } while (n < labels);
        hashes->hashed = (uint8_t)n;
    }
}

#endif
