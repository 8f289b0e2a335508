/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domain names as uncompressed wire form (RFC 1035 3.1), compared without case (RFC 4343).
 *
 * Comparing, ordering and hashing stand on the path of every answer, so they work on eight octets
 * at a time (name_octets.h). Letters are folded inside a 64-bit word: no table, no branch, no
 * alignment. Octets that are seen twice do not change order either, because the second look happens
 * only where the first found them equal.
 *
 * Parsing and printing, which are not hot, live in name_text.c.
 */
#include "wire/name.h"

#include <endian.h>
#include <string.h>

#include "wire/name_hashes.h"

/* As octets_load_short, and the numeric order of two such words is the memcmp order of the runs. */
static ALWAYS_INLINE uint64_t load_short_ordered(const uint8_t *p, size_t size)
{
    if (size >= 4) {
        return (uint64_t)be32toh(octets_load_u32(p)) << 32 | be32toh(octets_load_u32(p + size - 4));
    }
    return (uint64_t)p[0] << 16 | (uint64_t)p[size >> 1] << 8 | (uint64_t)p[size - 1];
}

static ALWAYS_INLINE uint8_t lower_u8(uint8_t c)
{
    return (uint8_t)(c | ((unsigned)(c - 'A') < 26u) << 5);
}

static ALWAYS_INLINE int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static ALWAYS_INLINE int run_compare(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size < 8) {
        return size == 0 ? 0
                         : order_u64(octets_lower(load_short_ordered(a, size)),
                                     octets_lower(load_short_ordered(b, size)));
    }
    for (size_t at = 0;; at += 8) {
        if (at + 8 > size) {
            at = size - 8;
        }
        uint64_t wa = octets_lower(octets_load_u64(a + at));
        uint64_t wb = octets_lower(octets_load_u64(b + at));
        if (wa != wb) {
            return order_u64(be64toh(wa), be64toh(wb));
        }
        if (at + 8 == size) {
            return 0;
        }
    }
}

size_t name_size(const uint8_t *wire)
{
    size_t at = 0;
    while (wire[at] != 0) {
        at += 1u + wire[at];
    }
    return at + 1;
}

unsigned name_label_count(const uint8_t *wire)
{
    unsigned count = 0;
    for (; *wire != 0; wire += 1u + *wire) {
        count++;
    }
    return count;
}

size_t name_check(struct slice bytes)
{
    size_t at = 0;
    while (at < bytes.size && at < NAME_MAX_SIZE) {
        uint8_t length = bytes.data[at];
        if (length == 0) {
            return at + 1;
        }
        if (length > LABEL_MAX_SIZE) {
            return 0;
        }
        at += 1u + length;
    }
    return 0;
}

void name_copy(struct name *out, const uint8_t *wire)
{
    size_t size = name_size(wire);
    REQUIRE(size <= NAME_MAX_SIZE);
    out->size = (uint8_t)size;
    memcpy(out->wire, wire, size);
}

void name_lower(uint8_t *wire)
{
    size_t size = name_size(wire);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word = octets_lower(octets_load_u64(wire + at));
        memcpy(wire + at, &word, sizeof(word));
    }
    for (; at < size; at++) {
        wire[at] = lower_u8(wire[at]);
    }
}

unsigned name_label_offsets(const uint8_t *wire, uint8_t *out)
{
    unsigned count = 0;
    size_t at = 0;
    for (; wire[at] != 0; at += 1u + wire[at]) {
        out[count++] = (uint8_t)at;
    }
    out[count++] = (uint8_t)at;
    return count;
}

const uint8_t *name_skip_labels(const uint8_t *wire, unsigned count)
{
    for (; count > 0; count--) {
        REQUIRE(*wire != 0);
        wire += 1u + *wire;
    }
    return wire;
}

HOT bool name_equal(const uint8_t *a, const uint8_t *b)
{
    for (;;) {
        size_t length = *a;
        if (length != *b) {
            return false;
        }
        if (length == 0) {
            return true;
        }
        if (!octets_equal(a + 1, b + 1, length)) {
            return false;
        }
        a += 1 + length;
        b += 1 + length;
    }
}

bool name_equal_case(const uint8_t *a, const uint8_t *b)
{
    size_t size = name_size(a);
    return size == name_size(b) && memcmp(a, b, size) == 0;
}

HOT int name_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t offsets_a[NAME_MAX_LABELS];
    uint8_t offsets_b[NAME_MAX_LABELS];
    unsigned left_a = name_label_offsets(a, offsets_a) - 1;
    unsigned left_b = name_label_offsets(b, offsets_b) - 1;
    while (left_a > 0 && left_b > 0) {
        const uint8_t *label_a = a + offsets_a[--left_a];
        const uint8_t *label_b = b + offsets_b[--left_b];
        size_t shorter = *label_a < *label_b ? *label_a : *label_b;
        int order = run_compare(label_a + 1, label_b + 1, shorter);
        if (order != 0) {
            return order;
        }
        if (*label_a != *label_b) {
            return *label_a < *label_b ? -1 : 1;
        }
    }
    return (left_a > left_b) - (left_a < left_b);
}

bool name_is_subdomain(const uint8_t *a, const uint8_t *b)
{
    unsigned count_a = name_label_count(a);
    unsigned count_b = name_label_count(b);
    return count_a >= count_b && name_equal(name_skip_labels(a, count_a - count_b), b);
}

bool name_is_wildcard(const uint8_t *wire)
{
    return wire[0] == 1 && wire[1] == '*';
}

/* True where one of the eight octets is 0 or 1 (or, harmlessly, looks so by a borrow). */
static ALWAYS_INLINE bool may_need_escape(uint64_t word)
{
    const uint64_t each = 0x0101010101010101u;
    return ((word - 2 * each) & ~word & (0x80 * each)) != 0;
}

/* The label's octets, escaped and in lower case, then zero; returns the end. */
static ALWAYS_INLINE uint8_t *key_label(const uint8_t *label, uint8_t *p)
{
    size_t length = *label++;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word = octets_load_u64(label + at);
        if (UNLIKELY(may_need_escape(word))) {
            break;
        }
        word = octets_lower(word);
        memcpy(p, &word, sizeof(word));
        p += 8;
    }
    if (length >= 8 && at + 8 > length && at < length) { /* the rest, with octets seen before */
        uint64_t word = octets_load_u64(label + length - 8);
        if (LIKELY(!may_need_escape(word))) {
            word = octets_lower(word);
            p += length - at;
            memcpy(p - 8, &word, sizeof(word));
            at = length;
        }
    }
    for (; at < length; at++) {
        if (UNLIKELY(label[at] <= 1)) {
            *p++ = 1;
            *p++ = (uint8_t)(label[at] + 1);
        } else {
            *p++ = lower_u8(label[at]);
        }
    }
    *p++ = 0;
    return p;
}

HOT size_t name_key(const uint8_t *wire, unsigned skip_labels, uint8_t *out)
{
    uint8_t offsets[NAME_MAX_LABELS];
    unsigned count = name_label_offsets(wire, offsets) - 1;
    REQUIRE(skip_labels <= count);
    uint8_t *p = out;
    for (unsigned left = count - skip_labels; left > 0; left--) {
        p = key_label(wire + offsets[left - 1], p);
    }
    return (size_t)(p - out);
}

HOT size_t name_key_label(const uint8_t *label, uint8_t *out)
{
    return (size_t)(key_label(label, out) - out);
}

HOT uint64_t name_hash_label(uint64_t parent_hash, const uint8_t *label)
{
    return name_label_hash(parent_hash, label);
}

HOT void name_hashes_begin(uint64_t key, const uint8_t *wire, struct name_hashes *out)
{
    (void)name_hashes_check(key, wire, NAME_MAX_SIZE, out);
}

HOT uint64_t name_hash(uint64_t key, const uint8_t *wire)
{
    uint8_t offsets[NAME_MAX_LABELS];
    unsigned count = name_label_offsets(wire, offsets) - 1;
    uint64_t hash = key;
    while (count > 0) {
        hash = name_hash_label(hash, wire + offsets[--count]);
    }
    return hash;
}
