/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading messages (RFC 1035 4.1), one field after the other, every bound checked before the octet
 * is touched. Nothing is kept between calls: the caller holds the message and an offset into it.
 *
 * Compressed names are where servers have died (RFC 9267 2). The rules here: a pointer leads before
 * the start of the run of labels it ends, so places strictly decrease and no loop is possible; the
 * name put together never passes 255 octets; and a name has no more pointers than a name can have
 * labels, since a sane compressor puts a label before each. The work for one name is thus bounded
 * by a constant, whatever the other 64 KB hold.
 *
 * Writing is in message_writer.c, EDNS in edns.c.
 */
#include "wire/message.h"

#include <string.h>

enum {
    POINTERS_MAX = NAME_MAX_LABELS - 1,
    RECORD_FIXED_SIZE = 10,
    SHORT_COPY = 16, /* copied whole where there is room, since that takes no call */
};

enum result message_header_read(struct slice message, struct message_header *out)
{
    if (message.size < MESSAGE_HEADER_SIZE) {
        return ERR_FORMAT;
    }
    out->id = get_u16(message.data);
    out->flags = get_u16(message.data + 2);
    for (unsigned section = 0; section < 4; section++) {
        out->counts[section] = get_u16(message.data + 4 + 2 * section);
    }
    return OK;
}

static COLD enum result bad_name(struct error *err, size_t offset, const char *why)
{
    return error_set(err, ERR_FORMAT, "name at octet %zu of the message %s", offset, why);
}

HOT enum result message_name_read(struct slice message, size_t *offset, struct name *out,
                                  struct error *err)
{
    size_t at = *offset;
    size_t run_start = at; /* pointers must lead before this */
    size_t after = 0;      /* behind the first pointer, where there was one */
    size_t size = 0;
    unsigned pointers = 0;
    for (;;) {
        if (at >= message.size) {
            return bad_name(err, *offset, "runs past its end");
        }
        uint8_t length = message.data[at];
        if (length <= LABEL_MAX_SIZE) {
            if (message.size - at <= length) {
                return bad_name(err, *offset, "runs past its end");
            }
            if (size + 1u + length > NAME_MAX_SIZE - (length != 0)) {
                return bad_name(err, *offset, "is longer than 255 octets");
            }
            if (LIKELY(length < SHORT_COPY && message.size - at >= SHORT_COPY &&
                       size <= NAME_MAX_SIZE - SHORT_COPY)) {
                memcpy(out->wire + size, message.data + at, SHORT_COPY);
            } else {
                memcpy(out->wire + size, message.data + at, 1u + length);
            }
            size += 1u + length;
            at += 1u + length;
            if (length == 0) {
                break;
            }
            continue;
        }
        if (length < 0xc0) {
            return bad_name(err, *offset, "has a label of an unknown kind");
        }
        if (message.size - at < 2) {
            return bad_name(err, *offset, "ends within a pointer");
        }
        size_t target = get_u16(message.data + at) & 0x3fffu;
        if (target >= run_start) {
            return bad_name(err, *offset, "has a pointer that does not lead backward");
        }
        if (++pointers > POINTERS_MAX) {
            return bad_name(err, *offset, "has too many pointers");
        }
        if (after == 0) {
            after = at + 2;
        }
        run_start = target;
        at = target;
    }
    out->size = (uint8_t)size;
    *offset = after != 0 ? after : at;
    return OK;
}

enum result message_question_read(struct slice message, size_t *offset, struct question *out,
                                  struct error *err)
{
    size_t at = *offset;
    enum result result = message_name_read(message, &at, &out->name, err);
    if (result != OK) {
        return result;
    }
    if (message.size - at < 4) {
        return error_set(err, ERR_FORMAT, "question at octet %zu runs past the message's end",
                         *offset);
    }
    out->type = get_u16(message.data + at);
    out->class = get_u16(message.data + at + 2);
    *offset = at + 4;
    return OK;
}

enum result message_record_read(struct slice message, size_t *offset, struct message_record *out,
                                struct error *err)
{
    size_t at = *offset;
    enum result result = message_name_read(message, &at, &out->owner, err);
    if (result != OK) {
        return result;
    }
    if (message.size - at < RECORD_FIXED_SIZE) {
        return error_set(err, ERR_FORMAT, "record at octet %zu runs past the message's end",
                         *offset);
    }
    const uint8_t *fixed = message.data + at;
    at += RECORD_FIXED_SIZE;
    uint16_t rdata_size = get_u16(fixed + 8);
    if (message.size - at < rdata_size) {
        return error_set(
            err, ERR_FORMAT,
            "record at octet %zu has %u octets of data, but the message ends after %zu", *offset,
            (unsigned)rdata_size, message.size - at);
    }
    out->type = get_u16(fixed);
    out->class = get_u16(fixed + 2);
    out->ttl = get_u32(fixed + 4);
    out->rdata_offset = at;
    out->rdata_size = rdata_size;
    *offset = at + rdata_size;
    return OK;
}
