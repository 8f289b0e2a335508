/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Domain names. A name in memory is always the uncompressed wire form of RFC 1035 3.1: labels with
 * a length octet, ended by the root label, at most 255 octets. It delimits itself, so a borrowed
 * name is a plain `const uint8_t *` to valid bytes; `struct name` owns a copy.
 *
 * Case is kept as written and ignored in every comparison (RFC 4343).
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    NAME_MAX_SIZE = 255,
    NAME_MAX_LABELS = 128, /* the root label included */
    LABEL_MAX_SIZE = 63,
    NAME_TEXT_SIZE = 1024, /* any name in presentation form with its NUL */
    NAME_KEY_SIZE = 512,   /* any canonical key (name_key) */
};

struct name {
    uint8_t size; /* octets in wire, the root label included; 1 for the root */
    uint8_t wire[NAME_MAX_SIZE];
};

/* Octets of a valid wire name, the root label included. O(labels). */
size_t name_size(const uint8_t *wire);
/* Labels without the root: 0 for ".", 2 for "example.com.". */
unsigned name_label_count(const uint8_t *wire);
/* Size of a valid name at the start of `bytes` without pointers, or 0 where it is not one. */
size_t name_check(struct slice bytes);
void name_copy(struct name *out, const uint8_t *wire);
/* Turns A-Z into a-z in place. */
void name_lower(uint8_t *wire);
/* `out` gets the offset of every label, the leftmost first, the root's last; returns the number of
 * labels with the root's. `out` has room for NAME_MAX_LABELS. */
unsigned name_label_offsets(const uint8_t *wire, uint8_t *out);
/* The name without its first `count` labels; borrowed from `wire`. */
const uint8_t *name_skip_labels(const uint8_t *wire, unsigned count);

bool name_equal(const uint8_t *a, const uint8_t *b);      /* without case */
bool name_equal_case(const uint8_t *a, const uint8_t *b); /* octet for octet */
/* RFC 4034 6.1 canonical order. */
int name_compare(const uint8_t *a, const uint8_t *b);
/* a is b or below it. The root holds everything. */
bool name_is_subdomain(const uint8_t *a, const uint8_t *b);
bool name_is_wildcard(const uint8_t *wire); /* the first label is "*" */

/*
 * The canonical key: memcmp of two keys (a shorter prefix first) is canonical order of the names.
 * Labels from the root towards the leaf, lower case, each ended by 0x00; octets 0x00 and 0x01 are
 * written as 01 01 and 01 02. `skip_labels` labels from the root are left out (an apex that all
 * share). Returns the size, at most NAME_KEY_SIZE.
 */
size_t name_key(const uint8_t *wire, unsigned skip_labels, uint8_t *out);
/* The key of one label: that of a name with all labels behind it left out. */
size_t name_key_label(const uint8_t *label, uint8_t *out);

/*
 * A keyed hash without case, one label longer at a time from the right: name_hash(key, n) is
 * name_hash_label() folded over the labels of n from the one next to the root to the leftmost,
 * starting with `key`. So the hashes of all ancestors come in one pass.
 */
uint64_t name_hash(uint64_t key, const uint8_t *wire);
/* `label` points at a length octet. */
uint64_t name_hash_label(uint64_t parent_hash, const uint8_t *label);

/*
 * Presentation form (RFC 1035 5.1, RFC 4343): `text` of `size` octets, "\." and "\DDD" escapes,
 * relative names completed by `origin` (NULL: they must be absolute, ERR_FORMAT otherwise).
 * "@" alone is NOT special here; the zone file parser handles it.
 */
MUST_CHECK enum result name_parse(const char *text, size_t size, const uint8_t *origin,
                                  struct name *out, struct error *err);
/* As name_parse, but a text without final dot is taken as absolute: what users type. */
MUST_CHECK enum result name_parse_str(const char *text, struct name *out, struct error *err);
/* Absolute, with final dot, escapes as name_parse reads them; `out` has NAME_TEXT_SIZE. Returns out. */
const char *name_format(const uint8_t *wire, char *out);
/* Without the final dot, except for the root: as BIND's logs print zones. */
const char *name_format_log(const uint8_t *wire, char *out);

#endif
