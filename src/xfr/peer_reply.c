/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies from peers. Whatever a reply is for, the same things can be wrong with it before its
 * records matter, and an operator needs the same words for them: which rcode, which extended error
 * (RFC 8914) with the peer's own text, which field is not an echo of the request.
 *
 * A name in the question is compared without case (RFC 4343): some peers lower it.
 */
#include "xfr/peer_reply.h"

#include <stdio.h>

enum { EDE_TEXT_SHOWN = 120 };

static enum result check_question(struct slice message, const struct peer_reply_expect *expect,
                                  struct peer_reply *out, struct error *err)
{
    uint16_t count = out->header.counts[SECTION_QUESTION];
    if (count == 0) {
        /* Errors from old servers come as a bare header. */
        if (expect->question_optional || out->rcode != RCODE_NOERROR) {
            return OK;
        }
        return error_set(err, ERR_FORMAT, "the reply has no question section");
    }
    if (count != 1) {
        return error_set(err, ERR_FORMAT, "the reply has %u questions, expected one", count);
    }
    struct question question;
    enum result result = message_question_read(message, &out->answers_offset, &question, err);
    if (result != OK) {
        return result;
    }
    if (!name_equal(question.name.wire, expect->name)) {
        char got[NAME_TEXT_SIZE];
        return error_set(err, ERR_FORMAT, "the reply is about '%.200s', not about what was asked",
                         name_format_log(question.name.wire, got));
    }
    if (question.type != expect->type || question.class != expect->class) {
        char got[16], want[16];
        return error_set(err, ERR_FORMAT,
                         "the reply's question has type %s and class %u, sent: %s, %u",
                         rrtype_format(question.type, got), question.class,
                         rrtype_format(expect->type, want), expect->class);
    }
    return OK;
}

enum result peer_reply_open_head(struct slice message, const struct peer_reply_expect *expect,
                                 struct peer_reply *out, struct error *err)
{
    *out = (struct peer_reply){.message = message, .answers_offset = MESSAGE_HEADER_SIZE};
    if (message_header_read(message, &out->header) != OK) {
        return error_set(err, ERR_FORMAT, "the reply has %zu octets, shorter than a header",
                         message.size);
    }
    uint16_t flags = out->header.flags;
    if (out->header.id != expect->id) {
        return error_set(err, ERR_FORMAT, "the reply has ID %u, the request had %u", out->header.id,
                         expect->id);
    }
    if ((flags & FLAG_QR) == 0) {
        return error_set(err, ERR_FORMAT, "the message is a request, not a reply (QR is not set)");
    }
    if (header_opcode(flags) != expect->opcode) {
        return error_set(err, ERR_FORMAT, "the reply has opcode %u, the request had %u",
                         header_opcode(flags), expect->opcode);
    }
    out->rcode = flags & 15u;
    return check_question(message, expect, out, err);
}

enum result peer_reply_read_rest(struct peer_reply *reply, size_t offset, struct error *err)
{
    const uint16_t *counts = reply->header.counts;
    unsigned authority = counts[SECTION_AUTHORITY];
    unsigned rest = authority + counts[SECTION_ADDITIONAL];
    struct message_record record;
    for (unsigned i = 0; i < rest; i++) {
        enum result result = message_record_read(reply->message, &offset, &record, err);
        if (result != OK) {
            return result;
        }
        if (i < authority || record.type != TYPE_OPT) {
            continue;
        }
        if (reply->edns.present) {
            return error_set(err, ERR_FORMAT, "the reply has two OPT records");
        }
        result = edns_read(reply->message, &record, &reply->edns, err);
        if (result != OK) {
            return result;
        }
        reply->rcode = (reply->header.flags & 15u) | (unsigned)reply->edns.extended_rcode << 4;
    }
    if (offset != reply->message.size) {
        return error_set(err, ERR_FORMAT, "%zu octets follow the last record of the message",
                         reply->message.size - offset);
    }
    return OK;
}

enum result peer_reply_open(struct slice message, const struct peer_reply_expect *expect,
                            struct peer_reply *out, struct error *err)
{
    enum result result = peer_reply_open_head(message, expect, out, err);
    if (result != OK) {
        return result;
    }
    size_t offset = out->answers_offset;
    struct message_record record;
    for (unsigned i = 0; i < out->header.counts[SECTION_ANSWER]; i++) {
        result = message_record_read(message, &offset, &record, err);
        if (result != OK) {
            return result;
        }
    }
    return peer_reply_read_rest(out, offset, err);
}

static const char *ede_name(unsigned code)
{
    static const char *const names[] = {
        "Other Error",
        "Unsupported DNSKEY Algorithm",
        "Unsupported DS Digest Type",
        "Stale Answer",
        "Forged Answer",
        "DNSSEC Indeterminate",
        "DNSSEC Bogus",
        "Signature Expired",
        "Signature Not Yet Valid",
        "DNSKEY Missing",
        "RRSIGs Missing",
        "No Zone Key Bit Set",
        "NSEC Missing",
        "Cached Error",
        "Not Ready",
        "Blocked",
        "Censored",
        "Filtered",
        "Prohibited",
        "Stale NXDOMAIN Answer",
        "Not Authoritative",
        "Not Supported",
        "No Reachable Authority",
        "Network Error",
        "Invalid Data",
    };
    return code < ARRAY_SIZE(names) ? names[code] : "extended error";
}

/* " (EDE 18 Prohibited: 'text')", the peer's text made harmless for a log; "" without one. */
static void format_ede(const struct edns *edns, char *out, size_t size)
{
    struct slice option;
    out[0] = '\0';
    if (!edns->present || !edns_find_option(edns, EDNS_EDE, &option) || option.size < 2) {
        return;
    }
    char text[EDE_TEXT_SHOWN + 1];
    size_t length = option.size - 2;
    if (length > EDE_TEXT_SHOWN) {
        length = EDE_TEXT_SHOWN;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t c = option.data[2 + i];
        text[i] = (char)(c < 0x20 || c > 0x7e || c == '\'' ? '?' : c);
    }
    text[length] = '\0';
    unsigned code = get_u16(option.data);
    if (length == 0) {
        snprintf(out, size, " (EDE %u %s)", code, ede_name(code));
    } else {
        snprintf(out, size, " (EDE %u %s: '%s')", code, ede_name(code), text);
    }
}

enum result peer_reply_refused(const struct peer_reply *reply, const char *who, const char *what,
                               struct error *err)
{
    REQUIRE(reply->rcode != RCODE_NOERROR);
    enum result code = ERR_FORMAT;
    if (reply->rcode == RCODE_REFUSED) {
        code = ERR_DENIED;
    } else if (reply->rcode == RCODE_NOTAUTH || reply->rcode == RCODE_NXDOMAIN) {
        code = ERR_NOT_FOUND;
    } else if (reply->rcode == RCODE_SERVFAIL) {
        code = ERR_BUSY;
    }
    char ede[EDE_TEXT_SHOWN + 64];
    format_ede(&reply->edns, ede, sizeof(ede));
    return error_set(err, code, "%s answered %s to %s%s", who, rcode_name(reply->rcode), what, ede);
}
