/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys and values of the database: their layout, their checksums. docs/formats.md, "Store". */
#ifndef STORE_VALUE_H
#define STORE_VALUE_H

#include "base/text.h"
#include "store/store.h"

enum {
    VALUE_FORMAT = 1,
    VALUE_HEADER_SIZE = 8,
    VALUE_ENTRY_SIZE = 84,
    VALUE_KEY_SIZE = 17,
    VALUE_ZONE_KEY_SIZE = 257,            /* class and name */
    VALUE_PART_BYTES = (256 << 10) - 128, /* of a chunk or an image in one value */
    VALUE_LANES_SIZE = 2 * FINGERPRINT_LANES,
};

/* The kinds of values in the data table, in the order in which they stand in a zone. */
enum value_kind {
    VALUE_CHUNK = 'C',
    VALUE_IMAGE_HEAD = 'H',
    VALUE_IMAGE_PART = 'I',
    VALUE_LAST = 'L',
    VALUE_META = 'M',
    VALUE_ZONE = 'Z', /* in the zones table */
};

struct value_key {
    uint32_t zone_id;
    uint8_t kind;
    uint64_t step;
    uint32_t part; /* of a meta value: its number */
};

void value_key_write(const struct value_key *key, uint8_t out[VALUE_KEY_SIZE]);
bool value_key_read(struct slice key, struct value_key *out); /* false: not one */

/* Begins a value at the end of `out` and ends it: its header stands at `start`. */
size_t value_begin(struct text *out, enum value_kind kind);
void value_end(struct text *out, size_t start, struct slice key);
/* The content behind the header. ERR_CORRUPT: checksum, format or kind are not what they must be.
 */
MUST_CHECK enum result value_check(struct slice key, struct slice value, enum value_kind kind,
                                   struct slice *out, struct error *err);

enum { VALUE_RESTARTS = 2, VALUE_HAS_LANES = 4 };

/* An entry and what only the store knows of it. */
struct value_entry {
    struct store_entry entry;
    uint32_t parts;
    uint8_t flags; /* VALUE_… */
};
void value_entry_write(const struct value_entry *entry, uint8_t out[VALUE_ENTRY_SIZE]);
/* False: damaged. An entry has a checksum of its own, so an index is read without the records. */
bool value_entry_read(const uint8_t in[VALUE_ENTRY_SIZE], struct value_entry *out);

void value_lanes_write(const struct fingerprint *fp, uint8_t out[VALUE_LANES_SIZE]);
void value_lanes_read(const uint8_t in[VALUE_LANES_SIZE], struct fingerprint *fp);

#endif
