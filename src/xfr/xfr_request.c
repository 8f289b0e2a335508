/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests for transfers, read strictly: one question, opcode QUERY, for IXFR an SOA of the same
 * zone in the authority section (RFC 1995 3). TSIG in the additional section is the caller's
 * matter and has been looked at before.
 */
#include "xfr/xfr_request.h"

static enum result refuse(unsigned *rcode, unsigned value, struct error *err, const char *text)
{
    *rcode = value;
    return error_set(err, ERR_FORMAT, "%s", text);
}

static enum result read_authority(struct slice message, const struct message_record *record,
                                  struct xfr_request *out, unsigned *rcode, struct error *err)
{
    if (out->question.type != TYPE_IXFR || record->type != TYPE_SOA) {
        return OK;
    }
    if (out->has_serial || record->class != out->question.class ||
        !name_equal(record->owner.wire, out->question.name.wire)) {
        return refuse(rcode, RCODE_FORMERR, err, "IXFR request with a wrong SOA in it");
    }
    /* Only the serial counts, and some clients send nothing else that makes sense: the five
     * numbers are the last 20 octets, behind two names of at least one octet. */
    if (record->rdata_size < 22) {
        return refuse(rcode, RCODE_FORMERR, err, "IXFR request whose SOA is too short");
    }
    size_t at = record->rdata_offset;
    struct name name;
    /* NOLINTNEXTLINE(misc-redundant-expression): two names, each call moves `at` */
    if (message_name_read(message, &at, &name, err) != OK ||
        message_name_read(message, &at, &name, err) != OK ||
        at + 20 != record->rdata_offset + record->rdata_size) {
        return refuse(rcode, RCODE_FORMERR, err, "IXFR request whose SOA is malformed");
    }
    out->has_serial = true;
    out->serial.value = get_u32(message.data + at);
    return OK;
}

static enum result read_opt(struct slice message, const struct message_record *record,
                            struct xfr_request *out, unsigned *rcode, struct error *err)
{
    struct edns edns;
    if (out->has_edns || edns_read(message, record, &edns, err) != OK) {
        return refuse(rcode, RCODE_FORMERR, err, "request with a second or malformed OPT record");
    }
    out->has_edns = true;
    out->dnssec_ok = edns.dnssec_ok;
    out->udp_size = edns.udp_size;
    struct slice option;
    out->wants_expire = edns_find_option(&edns, EDNS_EXPIRE, &option);
    out->wants_keepalive = edns_find_option(&edns, EDNS_TCP_KEEPALIVE, &option);
    out->wants_fingerprint = edns_find_option(&edns, EDNS_FINGERPRINT, &option) && option.size == 0;
    if (edns.version != 0) {
        return refuse(rcode, RCODE_BADVERS, err, "request with an unknown EDNS version");
    }
    return OK;
}

enum result xfr_request_read(struct slice message, struct xfr_request *out, unsigned *rcode,
                             struct error *err)
{
    *out = (struct xfr_request){.udp_size = 512};
    *rcode = RCODE_FORMERR;
    struct message_header header;
    if (message_header_read(message, &header) != OK || (header.flags & FLAG_QR) != 0) {
        return error_set(err, ERR_FORMAT, "not a request");
    }
    out->id = header.id;
    out->flags = header.flags;
    if (header_opcode(header.flags) != OPCODE_QUERY) {
        return refuse(rcode, RCODE_NOTIMP, err, "request with another opcode than QUERY");
    }
    size_t offset = MESSAGE_HEADER_SIZE;
    if (header.counts[SECTION_QUESTION] != 1 ||
        message_question_read(message, &offset, &out->question, err) != OK) {
        out->question.name.size = 0;
        return refuse(rcode, RCODE_FORMERR, err, "request without exactly one readable question");
    }
    if (header.counts[SECTION_ANSWER] != 0) {
        return refuse(rcode, RCODE_FORMERR, err, "request with records in its answer section");
    }
    unsigned authority = header.counts[SECTION_AUTHORITY];
    unsigned count = authority + header.counts[SECTION_ADDITIONAL];
    for (unsigned i = 0; i < count; i++) {
        struct message_record record;
        if (message_record_read(message, &offset, &record, err) != OK) {
            return refuse(rcode, RCODE_FORMERR, err, "request with a malformed record");
        }
        enum result result = OK;
        if (i < authority) {
            result = read_authority(message, &record, out, rcode, err);
        } else if (record.type == TYPE_OPT) {
            result = read_opt(message, &record, out, rcode, err);
        }
        if (result != OK) {
            return result;
        }
    }
    if (offset != message.size) {
        return refuse(rcode, RCODE_FORMERR, err, "request with octets behind its last record");
    }
    if (out->question.type == TYPE_IXFR && !out->has_serial) {
        return refuse(rcode, RCODE_FORMERR, err, "IXFR request without an SOA");
    }
    *rcode = RCODE_NOERROR;
    return OK;
}

enum { OUR_UDP_SIZE = 1232 };

bool xfr_request_write_opt(const struct xfr_request *request, struct message_writer *w,
                           unsigned rcode, struct slice options)
{
    return !request->has_edns || message_write_opt(w, OUR_UDP_SIZE, (uint8_t)(rcode >> 4), 0,
                                                   request->dnssec_ok, options);
}

size_t xfr_refusal_write(const struct xfr_request *request, unsigned rcode, int ede,
                         const char *text, uint8_t *buffer, size_t limit, size_t reserved)
{
    if (request->question.name.size == 0 || limit < MESSAGE_HEADER_SIZE + reserved) {
        return 0;
    }
    uint16_t flags = (uint16_t)(FLAG_QR | (request->flags & (0x7800u | FLAG_RD)) | (rcode & 15u));
    struct message_writer w;
    message_writer_init(&w, buffer, limit, request->id, flags);
    w.reserved = reserved;
    if (!message_write_question(&w, request->question.name.wire, request->question.type,
                                request->question.class)) {
        return 0;
    }
    uint8_t option[6 + 128];
    size_t size = 0;
    if (ede != EDE_NONE) {
        size_t length = strlen(text);
        if (length > 128) {
            length = 128;
        }
        put_u16(option, EDNS_EDE);
        put_u16(option + 2, (uint16_t)(2 + length));
        put_u16(option + 4, (uint16_t)ede);
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a length stands before it */
        memcpy(option + 6, text, length);
        size = 6 + length;
    }
    /* The extended error is the first to go where room is short. */
    if (!xfr_request_write_opt(request, &w, rcode, slice_of(option, size)) &&
        !xfr_request_write_opt(request, &w, rcode, slice_of(option, 0))) {
        return 0;
    }
    return message_writer_finish(&w).size;
}

struct slice expire_option_write(uint8_t out[EXPIRE_OPTION_SIZE], uint32_t expire_s)
{
    put_u16(out, EDNS_EXPIRE);
    put_u16(out + 2, 4);
    put_u32(out + 4, expire_s);
    return slice_of(out, EXPIRE_OPTION_SIZE);
}

bool expire_option_read(const struct edns *edns, uint32_t *out_expire_s)
{
    struct slice option;
    if (!edns->present || !edns_find_option(edns, EDNS_EXPIRE, &option) || option.size != 4) {
        return false;
    }
    *out_expire_s = get_u32(option.data);
    return true;
}

struct slice keepalive_option_write(uint8_t out[KEEPALIVE_OPTION_SIZE], uint16_t tenths)
{
    put_u16(out, EDNS_TCP_KEEPALIVE);
    put_u16(out + 2, 2);
    put_u16(out + 4, tenths);
    return slice_of(out, KEEPALIVE_OPTION_SIZE);
}

bool keepalive_option_read(const struct edns *edns, uint32_t *out_ms)
{
    struct slice option;
    if (!edns->present || !edns_find_option(edns, EDNS_TCP_KEEPALIVE, &option) ||
        option.size != 2) {
        return false;
    }
    *out_ms = get_u16(option.data) * 100u;
    return true;
}
