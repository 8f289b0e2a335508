/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records into messages.
 *
 * A record that does not fit the message at hand is held and begins the next one, so a source never
 * steps back. Messages end at soft_size: that is where compression stops to pay (pointers reach
 * 16 KiB) and the receiver can start to work early. A record that alone is larger gets a message of
 * its own, up to the caller's limit. The question stands in the first message only (RFC 5936
 * 2.2.2), the OPT too (2.2.5).
 */
#include "xfr/packer_impl.h"

#include "wire/rrtype.h"
#include "xfr/axfr_out.h"

void packer_init(struct packer *packer, const struct xfr_request *request,
                 struct slice edns_options, size_t soft_size, packer_source *source, void *context)
{
    packer->request = *request;
    packer->edns_options = edns_options;
    packer->soft_size = soft_size == 0 ? AXFR_OUT_SOFT_SIZE : soft_size;
    packer->source = source;
    packer->context = context;
    packer->stats = (struct xfr_stats){0};
    packer->has_held = source(context, &packer->held);
    REQUIRE(packer->has_held);
}

static enum step no_room(size_t limit, struct error *err)
{
    error_set(err, ERR_LIMIT, "a message of %zu octets leaves no room for records", limit);
    return STEP_FAILED;
}

static enum step too_large(const struct packer *packer, struct error *err)
{
    char owner[NAME_TEXT_SIZE], type[16];
    error_set(err, ERR_LIMIT, "record %.300s %s with %zu octets of data does not fit a message",
              name_format(packer->held.owner, owner), rrtype_format(packer->held.type, type),
              packer->held.rdata.size);
    return STEP_FAILED;
}

enum step packer_next(struct packer *packer, uint8_t *buffer, size_t limit, size_t reserved,
                      size_t *out_size, struct error *err)
{
    REQUIRE(packer->has_held);
    const struct xfr_request *request = &packer->request;
    bool first = packer->stats.messages == 0;
    size_t opt_size =
        first && request->has_edns ? PACKER_OPT_FIXED_SIZE + packer->edns_options.size : 0;
    if (limit < MESSAGE_HEADER_SIZE + reserved + opt_size) {
        return no_room(limit, err);
    }
    struct message_writer frame;
    message_writer_init(&frame, buffer, limit, request->id,
                        (uint16_t)(FLAG_QR | FLAG_AA | (request->flags & FLAG_RD)));
    frame.reserved = reserved + opt_size;
    const struct question *question = &request->question;
    if (first &&
        !message_write_question(&frame, question->name.wire, question->type, question->class)) {
        return no_room(limit, err);
    }
    struct record_writer *writer = &packer->writer;
    size_t full = limit - frame.reserved;
    size_t soft = packer->soft_size < limit ? packer->soft_size : limit;
    record_writer_init(writer, buffer, frame.size, full);
    if (first) {
        record_writer_know(writer, MESSAGE_HEADER_SIZE);
    }
    while (packer->has_held) {
        if (!record_writer_add(writer, &packer->held)) {
            if (writer->record_count == 0) {
                return too_large(packer, err);
            }
            break;
        }
        /* The first record may be as large as it likes. */
        writer->limit = soft > frame.reserved + writer->size ? soft - frame.reserved : writer->size;
        packer->has_held = packer->source(packer->context, &packer->held);
    }
    packer->stats.records += writer->record_count;
    frame.size = writer->size;
    frame.counts[SECTION_ANSWER] = (uint16_t)writer->record_count;
    frame.reserved = 0;
    bool wrote =
        !first || xfr_request_write_opt(request, &frame, RCODE_NOERROR, packer->edns_options);
    REQUIRE(wrote);
    *out_size = message_writer_finish(&frame).size;
    packer->stats.messages++;
    packer->stats.bytes += *out_size;
    return packer->has_held ? STEP_MORE : STEP_DONE;
}
