/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a label, inline, for the answer path: its octets with the length octet in front, in
 * lower case, eight at a time; the last word has its octets at the top and zeroes below. Three ways
 * to the same words: from a name in lower case with room behind it, which is how questions are
 * hashed; from the first label of a name of eight octets or more; and from any name.
 */
#ifndef WIRE_NAME_HASH_H
#define WIRE_NAME_HASH_H

#include <endian.h>

#include "base/hash.h"
#include "wire/name_octets.h"

#define NAME_HASH_MORE 0xa0761d6478bd642fu
#define NAME_HASH_LAST 0xe7037ed1a0b428dbu

static ALWAYS_INLINE uint64_t name_load_u64(const uint8_t *p)
{
    return le64toh(octets_load_u64(p));
}

/* In lower case, with eight octets to read from wherever a label begins. */
static ALWAYS_INLINE uint64_t name_label_hash_folded(uint64_t parent_hash, const uint8_t *label)
{
    size_t size = 1u + *label;
    uint64_t state = parent_hash;
    for (; UNLIKELY(size > 8); size -= 8) {
        state = hash_mix(state ^ name_load_u64(label), NAME_HASH_MORE);
        label += 8;
    }
    uint64_t last = name_load_u64(label) << (64 - 8 * size);
    return hash_mix(state ^ last, NAME_HASH_LAST ^ parent_hash);
}

/* A run of 2 to 7 octets, at the top of a word. */
static ALWAYS_INLINE uint64_t name_load_top(const uint8_t *p, size_t size)
{
    uint64_t word;
    if (size >= 4) {
        uint64_t end = le32toh(octets_load_u32(p + size - 4));
        word = (uint64_t)le32toh(octets_load_u32(p)) | end << (8 * (size - 4));
    } else {
        word = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[size - 1] << (8 * (size - 1));
    }
    return word << (64 - 8 * size);
}

/* Reads nothing but the label. */
static ALWAYS_INLINE uint64_t name_label_hash(uint64_t parent_hash, const uint8_t *label)
{
    size_t size = 1u + *label;
    uint64_t state = parent_hash;
    uint64_t last;
    if (LIKELY(size < 8)) {
        last = size == 1 ? 0 : octets_lower(name_load_top(label, size));
    } else {
        for (; size > 8; size -= 8) {
            state = hash_mix(state ^ octets_lower(name_load_u64(label)), NAME_HASH_MORE);
            label += 8;
        }
        size_t drop = 64 - 8 * size;
        last = octets_lower(name_load_u64(label + size - 8)) >> drop << drop;
    }
    return hash_mix(state ^ last, NAME_HASH_LAST ^ parent_hash);
}

/* `label` begins a name of `name_size` octets. */
static ALWAYS_INLINE uint64_t name_label_hash_first(uint64_t parent_hash, const uint8_t *label,
                                                    size_t name_size)
{
    size_t size = 1u + *label;
    if (LIKELY(size <= 8 && name_size >= 8)) {
        uint64_t last = octets_lower(name_load_u64(label) << (64 - 8 * size));
        return hash_mix(parent_hash ^ last, NAME_HASH_LAST ^ parent_hash);
    }
    return name_label_hash(parent_hash, label);
}

#endif
