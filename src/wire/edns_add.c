/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options added to a message that is complete but for its signature: what depends on the way it
 * takes (RFC 7828, RFC 7830) and is none of the business of who wrote it. The OPT record must be the
 * last; where it is not, the message stays as it is.
 */
#include "wire/message.h"

#include <string.h>

enum { OPT_FIXED_SIZE = 11, OPTION_HEADER_SIZE = 4 };

/* Where the last record begins, if that is an OPT; 0: it is not. */
static size_t find_opt(struct slice message)
{
    struct message_header header;
    struct question question;
    struct message_record record = {0};
    size_t offset = MESSAGE_HEADER_SIZE, begin = 0;
    if (message_header_read(message, &header) != OK || header.counts[SECTION_ADDITIONAL] == 0) {
        return 0;
    }
    for (unsigned i = 0; i < header.counts[SECTION_QUESTION]; i++) {
        if (message_question_read(message, &offset, &question, NULL) != OK) {
            return 0;
        }
    }
    unsigned records = (unsigned)header.counts[SECTION_ANSWER] + header.counts[SECTION_AUTHORITY] +
                       header.counts[SECTION_ADDITIONAL];
    for (unsigned i = 0; i < records; i++) {
        begin = offset;
        if (message_record_read(message, &offset, &record, NULL) != OK) {
            return 0;
        }
    }
    return record.type == TYPE_OPT && record.owner.size == 1 && offset == message.size ? begin : 0;
}

static uint8_t *add(uint8_t *message, size_t opt, size_t *size, uint16_t code, size_t value_size)
{
    uint8_t *out = message + *size;
    uint8_t *rdata_size = message + opt + OPT_FIXED_SIZE - 2;
    put_u16(out, code);
    put_u16(out + 2, (uint16_t)value_size);
    put_u16(rdata_size, (uint16_t)(get_u16(rdata_size) + OPTION_HEADER_SIZE + value_size));
    *size += OPTION_HEADER_SIZE + value_size;
    return out + OPTION_HEADER_SIZE;
}

size_t message_add_option(uint8_t *message, size_t size, size_t limit, uint16_t code,
                          struct slice value)
{
    size_t opt = find_opt(slice_of(message, size));
    if (opt != 0 && limit >= size + OPTION_HEADER_SIZE + value.size) {
        uint8_t *out = add(message, opt, &size, code, value.size);
        if (value.size != 0) {
            memcpy(out, value.data, value.size);
        }
    }
    return size;
}

size_t message_pad(uint8_t *message, size_t size, size_t limit, size_t behind, size_t block)
{
    size_t opt = block == 0 ? 0 : find_opt(slice_of(message, size));
    if (opt == 0 || limit < size + OPTION_HEADER_SIZE + behind) {
        return size;
    }
    size_t bare = size + OPTION_HEADER_SIZE + behind;
    size_t wanted = (bare + block - 1) / block * block - bare;
    size_t room = limit - bare;
    size_t fill = wanted < room ? wanted : room;
    memset(add(message, opt, &size, EDNS_PADDING, fill), 0, fill);
    return size;
}
