/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EDNS(0), RFC 6891: the OPT pseudo-record at the root, whose class is the offered UDP size and
 * whose TTL holds the upper bits of the response code, the version and the flags (6.1.3). Options
 * are a run of code, length, data (6.1.2); they are checked once, when the record is read, so that
 * looking for one needs no further checks.
 */
#include "wire/message.h"

#include <string.h>

enum { OPT_FIXED_SIZE = 11, OPTION_HEADER_SIZE = 4, UDP_SIZE_MIN = 512 };

static bool options_well_formed(struct slice options)
{
    size_t at = 0;
    while (at < options.size) {
        if (options.size - at < OPTION_HEADER_SIZE) {
            return false;
        }
        size_t size = get_u16(options.data + at + 2);
        at += OPTION_HEADER_SIZE;
        if (options.size - at < size) {
            return false;
        }
        at += size;
    }
    return true;
}

enum result edns_read(struct slice message, const struct message_record *opt, struct edns *out,
                      struct error *err)
{
    REQUIRE(opt->rdata_offset + opt->rdata_size <= message.size);
    if (opt->owner.size != 1) {
        return error_set(err, ERR_FORMAT, "OPT record whose owner is not the root");
    }
    struct slice options = slice_of(message.data + opt->rdata_offset, opt->rdata_size);
    if (!options_well_formed(options)) {
        return error_set(err, ERR_FORMAT, "EDNS option runs past the OPT record");
    }
    *out = (struct edns){
        .present = true,
        .dnssec_ok = (opt->ttl & 0x8000u) != 0,
        .version = (uint8_t)(opt->ttl >> 16),
        .extended_rcode = (uint8_t)(opt->ttl >> 24),
        .udp_size = opt->class < UDP_SIZE_MIN ? UDP_SIZE_MIN : opt->class,
        .options = options,
    };
    return OK;
}

bool edns_find_option(const struct edns *edns, uint16_t code, struct slice *out)
{
    const uint8_t *options = edns->options.data;
    size_t at = 0;
    while (at < edns->options.size) {
        size_t size = get_u16(options + at + 2);
        if (get_u16(options + at) == code) {
            *out = slice_of(options + at + OPTION_HEADER_SIZE, size);
            return true;
        }
        at += OPTION_HEADER_SIZE + size;
    }
    return false;
}

bool message_write_opt(struct message_writer *w, uint16_t udp_size, uint8_t extended_rcode,
                       uint8_t version, bool dnssec_ok, struct slice options)
{
    size_t size = OPT_FIXED_SIZE + options.size;
    size_t reserved = w->reserved > size ? w->reserved - size : 0;
    if (w->size + size + reserved > w->limit) {
        return false;
    }
    uint8_t *p = w->data + w->size;
    p[0] = 0;
    put_u16(p + 1, TYPE_OPT);
    put_u16(p + 3, udp_size);
    p[5] = extended_rcode;
    p[6] = version;
    put_u16(p + 7, dnssec_ok ? 0x8000u : 0);
    put_u16(p + 9, (uint16_t)options.size);
    if (options.size != 0) {
        memcpy(p + OPT_FIXED_SIZE, options.data, options.size);
    }
    w->size += size;
    w->reserved = reserved;
    w->counts[SECTION_ADDITIONAL]++;
    return true;
}
