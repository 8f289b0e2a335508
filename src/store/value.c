/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands in the database, octet by octet; numbers in network order.
 *
 *     key     zone u32, kind u8, step u64, part u32       (zones table: class u16, lower-case name)
 *     value   format u8 (1), kind u8, 0 u16, checksum u32, content
 *
 * The checksum is CRC-32C over the key, the first four octets of the value and the content: a value
 * that came to stand under another key is found out, too.
 *
 *     C  a delta: part 0 is an entry and the chunk's first octets, further parts the rest
 *     H  an image's head: an entry; the 1024 lanes of the fingerprint where flag 4 is set
 *     I  a part of an image: whole records
 *     L  the last commit: step u64, serial u32
 *     M  a meta value of the caller
 *     Z  a zone: its number u32
 *
 *     entry   step u64, from u32, to u32, source u8, flags u8 (1 digest, 2 restarts, 4 lanes),
 *             0 u16, parts u32, time i64, octets u64, records u64, digest 32, checksum of these u32
 */
#include "store/value.h"

#include "store/checksum.h"
#include "store/number.h"

enum { HAS_DIGEST = 1, ENTRY_CHECKSUM = 80 };

void value_key_write(const struct value_key *key, uint8_t out[VALUE_KEY_SIZE])
{
    put_u32(out, key->zone_id);
    out[4] = key->kind;
    put_u64(out + 5, key->step);
    put_u32(out + 13, key->part);
}

bool value_key_read(struct slice key, struct value_key *out)
{
    if (key.size != VALUE_KEY_SIZE) {
        return false;
    }
    *out = (struct value_key){get_u32(key.data), key.data[4], get_u64(key.data + 5),
                              get_u32(key.data + 13)};
    return true;
}

size_t value_begin(struct text *out, enum value_kind kind)
{
    size_t start = out->size;
    uint8_t header[VALUE_HEADER_SIZE] = {VALUE_FORMAT, (uint8_t)kind};
    text_add(out, header, sizeof(header));
    return start;
}

static uint32_t checksum_of(struct slice key, struct slice value)
{
    uint32_t sum = checksum_add(checksum_add(0, key.data, key.size), value.data, 4);
    return checksum_add(sum, value.data + VALUE_HEADER_SIZE, value.size - VALUE_HEADER_SIZE);
}

void value_end(struct text *out, size_t start, struct slice key)
{
    uint8_t *value = (uint8_t *)out->bytes + start;
    put_u32(value + 4, checksum_of(key, slice_of(value, out->size - start)));
}

enum result value_check(struct slice key, struct slice value, enum value_kind kind,
                        struct slice *out, struct error *err)
{
    if (value.size < VALUE_HEADER_SIZE || checksum_of(key, value) != get_u32(value.data + 4)) {
        return error_set(err, ERR_CORRUPT, "a stored value is damaged: its checksum is wrong");
    }
    if (value.data[0] != VALUE_FORMAT || value.data[1] != kind) {
        return error_set(err, ERR_CORRUPT, "a stored value has format %u, not %u", value.data[0],
                         (unsigned)VALUE_FORMAT);
    }
    *out = slice_of(value.data + VALUE_HEADER_SIZE, value.size - VALUE_HEADER_SIZE);
    return OK;
}

void value_entry_write(const struct value_entry *entry, uint8_t out[VALUE_ENTRY_SIZE])
{
    const struct store_entry *e = &entry->entry;
    memset(out, 0, VALUE_ENTRY_SIZE);
    put_u64(out, e->step);
    put_u32(out + 8, e->from.value);
    put_u32(out + 12, e->to.value);
    out[16] = (uint8_t)e->source;
    out[17] = (uint8_t)(entry->flags | (e->has_digest ? HAS_DIGEST : 0));
    put_u32(out + 20, entry->parts);
    put_u64(out + 24, (uint64_t)e->time_s);
    put_u64(out + 32, e->size_bytes);
    put_u64(out + 40, e->record_count);
    if (e->has_digest) {
        memcpy(out + 48, e->digest, FINGERPRINT_DIGEST_SIZE);
    }
    put_u32(out + ENTRY_CHECKSUM, checksum_add(0, out, ENTRY_CHECKSUM));
}

bool value_entry_read(const uint8_t in[VALUE_ENTRY_SIZE], struct value_entry *out)
{
    if (get_u32(in + ENTRY_CHECKSUM) != checksum_add(0, in, ENTRY_CHECKSUM)) {
        return false;
    }
    *out = (struct value_entry){
        .entry =
            {
                .step = get_u64(in),
                .from = {get_u32(in + 8)},
                .to = {get_u32(in + 12)},
                .source = (enum store_source)in[16],
                .time_s = (int64_t)get_u64(in + 24),
                .size_bytes = get_u64(in + 32),
                .record_count = get_u64(in + 40),
                .has_digest = (in[17] & HAS_DIGEST) != 0,
            },
        .parts = get_u32(in + 20),
        .flags = (uint8_t)(in[17] & ~HAS_DIGEST),
    };
    memcpy(out->entry.digest, in + 48, FINGERPRINT_DIGEST_SIZE);
    return true;
}

void value_lanes_write(const struct fingerprint *fp, uint8_t out[VALUE_LANES_SIZE])
{
    for (size_t i = 0; i < FINGERPRINT_LANES; i++) {
        put_u16(out + 2 * i, fp->lanes[i]);
    }
}

void value_lanes_read(const uint8_t in[VALUE_LANES_SIZE], struct fingerprint *fp)
{
    for (size_t i = 0; i < FINGERPRINT_LANES; i++) {
        fp->lanes[i] = get_u16(in + 2 * i);
    }
}
