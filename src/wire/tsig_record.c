/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TSIG record (RFC 8945 4.2) and the octets that a MAC is over (4.3).
 *
 *   owner      name of the key              fixed: type TSIG, class ANY, TTL 0
 *   rdata      name of the algorithm, not compressed
 *              time signed (48 bits), fudge (16)
 *              MAC size (16), MAC
 *              original ID (16), error (16)
 *              other size (16), other data
 *
 * Both names are signed in lower case (canonical form, RFC 4034 6.2), however they were sent; so
 * they are kept that way. The message is signed as it was before the record came: one fewer in
 * ARCOUNT, and the original ID, which a forwarder may have changed in the header.
 */
#include <string.h>

#include "wire/message.h"
#include "wire/tsig_impl.h"

enum { RECORD_FIXED_SIZE = 10, TIME_SIZE = 6 };

/* Behind a name: time, fudge, MAC size; behind the MAC: original ID, error, other size. */
enum { BEFORE_MAC = TIME_SIZE + 4, BEHIND_MAC = 6 };

size_t tsig_record_size(size_t key_name_size, size_t algorithm_size, size_t mac_size,
                        size_t other_size)
{
    return key_name_size + RECORD_FIXED_SIZE + algorithm_size + BEFORE_MAC + mac_size + BEHIND_MAC +
           other_size;
}

static uint64_t get_u48(const uint8_t *p)
{
    return (uint64_t)get_u16(p) << 32 | get_u32(p + 2);
}

static void put_u48(uint8_t *p, uint64_t v)
{
    put_u16(p, (uint16_t)(v >> 32));
    put_u32(p + 2, (uint32_t)v);
}

/* Behind the name at `at`, or 0. A pointer ends it; where it leads does not matter here. */
static size_t skip_name(struct slice message, size_t at)
{
    while (at < message.size) {
        uint8_t length = message.data[at];
        if (length == 0) {
            return at + 1;
        }
        if (length >= 0xc0) {
            return message.size - at >= 2 ? at + 2 : 0;
        }
        if (length > LABEL_MAX_SIZE) {
            return 0;
        }
        at += 1u + length;
    }
    return 0;
}

static COLD enum result malformed(struct error *err)
{
    return error_set(err, ERR_FORMAT, "the message has a malformed record");
}

HOT enum result tsig_record_find(struct slice message, size_t *out_offset, struct error *err)
{
    struct message_header header;
    if (message_header_read(message, &header) != OK) {
        return error_set(err, ERR_FORMAT, "the message is shorter than a header");
    }
    size_t at = MESSAGE_HEADER_SIZE;
    for (unsigned i = 0; i < header.counts[SECTION_QUESTION]; i++) {
        at = skip_name(message, at);
        if (at == 0 || message.size - at < 4) {
            return malformed(err);
        }
        at += 4;
    }
    unsigned additional = header.counts[SECTION_ADDITIONAL];
    unsigned left =
        header.counts[SECTION_ANSWER] + (unsigned)header.counts[SECTION_AUTHORITY] + additional;
    size_t found = 0;
    for (; left != 0; left--) {
        size_t begin = at;
        at = skip_name(message, at);
        if (at == 0 || message.size - at < RECORD_FIXED_SIZE) {
            return malformed(err);
        }
        const uint8_t *fixed = message.data + at;
        size_t size = get_u16(fixed + 8);
        at += RECORD_FIXED_SIZE;
        if (message.size - at < size) {
            return malformed(err);
        }
        at += size;
        if (get_u16(fixed) == TYPE_TSIG) {
            if (left != 1 || additional == 0) {
                return error_set(err, ERR_FORMAT, "the TSIG record is not the last one");
            }
            found = begin;
        }
    }
    if (at != message.size) {
        return error_set(err, ERR_FORMAT, "%zu octets follow the last record of the message",
                         message.size - at);
    }
    *out_offset = found;
    return OK;
}

static COLD enum result bad_record(struct error *err, const char *what)
{
    return error_set(err, ERR_FORMAT, "malformed TSIG record: %s", what);
}

enum result tsig_record_read(struct slice message, size_t offset, struct tsig_record *out,
                             struct error *err)
{
    struct message_record raw;
    size_t end = offset;
    if (message.size < MESSAGE_HEADER_SIZE || offset < MESSAGE_HEADER_SIZE ||
        get_u16(message.data + 10) == 0 || message_record_read(message, &end, &raw, err) != OK ||
        end != message.size || raw.type != TYPE_TSIG) {
        return bad_record(err, "it is not the last record of the message");
    }
    if (raw.class != CLASS_ANY || raw.ttl != 0) {
        return bad_record(err, "its class is not ANY or its TTL not 0");
    }
    struct slice rdata = slice_of(message.data + raw.rdata_offset, raw.rdata_size);
    size_t at = name_check(rdata);
    if (at == 0) {
        return bad_record(err, "the name of the algorithm");
    }
    const uint8_t *p = rdata.data;
    if (rdata.size - at < BEFORE_MAC) {
        return bad_record(err, "it is too short");
    }
    size_t mac_size = get_u16(p + at + TIME_SIZE + 2);
    if (rdata.size - at - BEFORE_MAC < mac_size + BEHIND_MAC) {
        return bad_record(err, "the MAC runs past its end");
    }
    size_t behind = at + BEFORE_MAC + mac_size;
    size_t other_size = get_u16(p + behind + 4);
    if (rdata.size - behind - BEHIND_MAC != other_size) {
        return bad_record(err, "the size of the other data");
    }
    out->offset = offset;
    out->key_name = raw.owner;
    name_lower(out->key_name.wire);
    name_copy(&out->algorithm, p);
    name_lower(out->algorithm.wire);
    out->time_s = get_u48(p + at);
    out->fudge_s = get_u16(p + at + TIME_SIZE);
    out->mac = slice_of(p + at + BEFORE_MAC, mac_size);
    out->original_id = get_u16(p + behind);
    out->error = get_u16(p + behind + 2);
    out->other = slice_of(p + behind + BEHIND_MAC, other_size);
    return OK;
}

size_t tsig_record_append(const struct tsig_record *record, uint8_t *message, size_t size,
                          size_t limit)
{
    size_t more = tsig_record_size(record->key_name.size, record->algorithm.size, record->mac.size,
                                   record->other.size);
    REQUIRE(size >= MESSAGE_HEADER_SIZE);
    if (limit > MESSAGE_MAX_SIZE) {
        limit = MESSAGE_MAX_SIZE;
    }
    if (size > limit || limit - size < more) {
        return 0;
    }
    uint8_t *p = message + size;
    memcpy(p, record->key_name.wire, record->key_name.size);
    p += record->key_name.size;
    put_u16(p, TYPE_TSIG);
    put_u16(p + 2, CLASS_ANY);
    put_u32(p + 4, 0);
    put_u16(p + 8, (uint16_t)(more - record->key_name.size - RECORD_FIXED_SIZE));
    p += RECORD_FIXED_SIZE;
    memcpy(p, record->algorithm.wire, record->algorithm.size);
    p += record->algorithm.size;
    put_u48(p, record->time_s);
    put_u16(p + TIME_SIZE, record->fudge_s);
    put_u16(p + TIME_SIZE + 2, (uint16_t)record->mac.size);
    p += BEFORE_MAC;
    if (record->mac.size != 0) {
        memcpy(p, record->mac.data, record->mac.size);
        p += record->mac.size;
    }
    put_u16(p, record->original_id);
    put_u16(p + 2, record->error);
    put_u16(p + 4, (uint16_t)record->other.size);
    if (record->other.size != 0) {
        memcpy(p + BEHIND_MAC, record->other.data, record->other.size);
    }
    put_u16(message + 10, (uint16_t)(get_u16(message + 10) + 1));
    return size + more;
}

void tsig_add_mac(struct hmac *hmac, struct slice mac)
{
    uint8_t size[2];
    put_u16(size, (uint16_t)mac.size);
    hmac_add(hmac, slice_of(size, sizeof(size)));
    hmac_add(hmac, mac);
}

void tsig_add_message(struct hmac *hmac, struct slice message, const struct tsig_record *record)
{
    uint8_t header[MESSAGE_HEADER_SIZE];
    memcpy(header, message.data, sizeof(header));
    put_u16(header, record->original_id);
    put_u16(header + 10, (uint16_t)(get_u16(header + 10) - 1));
    hmac_add(hmac, slice_of(header, sizeof(header)));
    hmac_add(hmac,
             slice_of(message.data + MESSAGE_HEADER_SIZE, record->offset - MESSAGE_HEADER_SIZE));
}

void tsig_add_variables(struct hmac *hmac, const struct tsig_record *record)
{
    uint8_t bytes[2 * NAME_MAX_SIZE + 6 + TIME_SIZE + 6];
    uint8_t *p = bytes;
    memcpy(p, record->key_name.wire, record->key_name.size);
    p += record->key_name.size;
    put_u16(p, CLASS_ANY);
    put_u32(p + 2, 0);
    p += 6;
    memcpy(p, record->algorithm.wire, record->algorithm.size);
    p += record->algorithm.size;
    put_u48(p, record->time_s);
    put_u16(p + TIME_SIZE, record->fudge_s);
    put_u16(p + TIME_SIZE + 2, record->error);
    put_u16(p + TIME_SIZE + 4, (uint16_t)record->other.size);
    p += TIME_SIZE + 6;
    hmac_add(hmac, slice_of(bytes, (size_t)(p - bytes)));
    hmac_add(hmac, record->other);
}

void tsig_add_timers(struct hmac *hmac, const struct tsig_record *record)
{
    uint8_t bytes[TIME_SIZE + 2];
    put_u48(bytes, record->time_s);
    put_u16(bytes + TIME_SIZE, record->fudge_s);
    hmac_add(hmac, slice_of(bytes, sizeof(bytes)));
}
