/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOTIFY in (RFC 1996 3). The question names the zone with type SOA; the answer section may hold
 * the new SOA (3.7), whose serial lets a secondary skip the SOA query. An SOA of another zone, a
 * short or malformed one, or a class that no zone has (ANY, NONE; they have crashed servers) is
 * FORMERR and has no effect.
 */
#include "xfr/notify_in.h"

#include "wire/rdata.h"
#include "xfr/fingerprint_option.h"

enum { OUR_UDP_SIZE = 1232 };

static enum result refuse(unsigned *rcode, unsigned value, struct error *err, const char *text)
{
    *rcode = value;
    return error_set(err, ERR_FORMAT, "%s", text);
}

static enum result take_answer(struct slice message, const struct message_record *record,
                               struct notify_in *out, struct error *err)
{
    if (record->type != TYPE_SOA) {
        return OK; /* RFC 1996 3.7: unknown hints are ignored */
    }
    if (out->has_serial || record->class != out->question.class ||
        !name_equal(record->owner.wire, out->question.name.wire)) {
        return error_set(err, ERR_FORMAT, "NOTIFY with an SOA that is not the zone's only one");
    }
    uint8_t rdata[RDATA_MAX_SIZE];
    size_t size = 0;
    enum result result =
        rdata_read(TYPE_SOA, message, record->rdata_offset, record->rdata_size, rdata, &size, err);
    if (result == OK) {
        out->has_serial = true;
        out->serial = soa_read(slice_of(rdata, size)).serial;
    }
    return result;
}

enum result notify_in_read(struct slice message, struct notify_in *out, unsigned *rcode,
                           struct error *err)
{
    *out = (struct notify_in){0};
    *rcode = RCODE_FORMERR;
    struct message_header header;
    if (message_header_read(message, &header) != OK || (header.flags & FLAG_QR) != 0) {
        return error_set(err, ERR_FORMAT, "not a request");
    }
    out->id = header.id;
    out->flags = header.flags;
    if (header_opcode(header.flags) != OPCODE_NOTIFY) {
        return refuse(rcode, RCODE_NOTIMP, err, "request with another opcode than NOTIFY");
    }
    size_t offset = MESSAGE_HEADER_SIZE;
    if (header.counts[SECTION_QUESTION] != 1 ||
        message_question_read(message, &offset, &out->question, err) != OK) {
        out->question.name.size = 0;
        return refuse(rcode, RCODE_FORMERR, err, "NOTIFY without exactly one readable question");
    }
    if (out->question.type != TYPE_SOA) {
        return refuse(rcode, RCODE_FORMERR, err, "NOTIFY for another type than SOA");
    }
    if (out->question.class == CLASS_ANY || out->question.class == CLASS_NONE ||
        out->question.class == 0) {
        return refuse(rcode, RCODE_FORMERR, err, "NOTIFY for a class that no zone has");
    }
    unsigned answers = header.counts[SECTION_ANSWER];
    unsigned additional_from = answers + header.counts[SECTION_AUTHORITY];
    unsigned count = additional_from + header.counts[SECTION_ADDITIONAL];
    for (unsigned i = 0; i < count; i++) {
        struct message_record record;
        enum result result = message_record_read(message, &offset, &record, err);
        if (result == OK && i < answers) {
            result = take_answer(message, &record, out, err);
        } else if (result == OK && i >= additional_from && record.type == TYPE_OPT) {
            struct edns edns;
            result = out->has_edns ? ERR_FORMAT : edns_read(message, &record, &edns, err);
            out->has_edns = true;
            out->has_fingerprint =
                result == OK && fingerprint_option_read(&edns, &out->fingerprint);
            if (result == OK && edns.version != 0) {
                return refuse(rcode, RCODE_BADVERS, err, "NOTIFY with an unknown EDNS version");
            }
        }
        if (result != OK) {
            out->has_serial = false;
            return refuse(rcode, RCODE_FORMERR, err, "NOTIFY with a malformed record");
        }
    }
    if (offset != message.size) {
        out->has_serial = false;
        return refuse(rcode, RCODE_FORMERR, err, "NOTIFY with octets behind its last record");
    }
    *rcode = RCODE_NOERROR;
    return OK;
}

size_t notify_in_reply(const struct notify_in *notify, unsigned rcode, uint8_t *buffer,
                       size_t limit, size_t reserved)
{
    if (notify->question.name.size == 0 || limit < MESSAGE_HEADER_SIZE + reserved) {
        return 0;
    }
    uint16_t flags = (uint16_t)(FLAG_QR | (notify->flags & 0x7800u) | (rcode & 15u));
    if (rcode == RCODE_NOERROR) {
        flags |= FLAG_AA;
    }
    struct message_writer w;
    message_writer_init(&w, buffer, limit, notify->id, flags);
    w.reserved = reserved;
    if (!message_write_question(&w, notify->question.name.wire, notify->question.type,
                                notify->question.class) ||
        (notify->has_edns && !message_write_opt(&w, OUR_UDP_SIZE, (uint8_t)(rcode >> 4), 0, false,
                                                slice_of(NULL, 0)))) {
        return 0;
    }
    return message_writer_finish(&w).size;
}
