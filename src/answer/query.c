/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsing queries. Nearly every query is a header, one question and perhaps an OPT record without
 * options, which query_plain.h takes by itself; here is everything else.
 *
 * - QR set or fewer than 12 octets: dropped, or two servers could answer each other for ever.
 * - QDCOUNT other than 1 is FORMERR (RFC 9619; RFC 1996 and 2136 ask for one as well).
 * - The question's name cannot be compressed: nothing but the header stands before it.
 * - Records behind the question are stepped over by their lengths, pointers not followed. What is
 *   cut short, or has octets behind its last record, is FORMERR.
 * - OPT: once, in the additional section, owned by the root (RFC 6891 6.1.1), else FORMERR. An
 *   unknown version is BADVERS, decided last so that a broken message stays FORMERR. Errors too are
 *   answered with OPT where one was found, also where its options are what is wrong (RFC 6891 7),
 *   and where the opcode is not ours.
 * - A COOKIE option has 8 octets, or 16 to 40, else FORMERR (RFC 7873 5.2.2).
 * - TSIG must be the last record (RFC 8945 5.1); checking it is the caller's.
 * - An error carries the question back only where that could be read; so an error is never longer
 *   than what it answers.
 */
#include "answer/query.h"

#include "answer/cookie.h"
#include "answer/query_plain.h"

enum { RECORD_FIXED_SIZE = 10, OPT_DO = 0x8000 };

/* Where the name at `at` ends, or 0. A pointer ends it. */
static size_t skip_name(struct slice message, size_t at)
{
    while (at < message.size) {
        uint8_t length = message.data[at];
        if (length == 0) {
            return at + 1;
        }
        if (length >= 0xc0) {
            return at + 2 <= message.size ? at + 2 : 0;
        }
        if (length > LABEL_MAX_SIZE) {
            return 0;
        }
        at += 1 + (size_t)length;
    }
    return 0;
}

static bool read_question(struct slice message, uint64_t hash_key, struct name_hashes *name,
                          struct query *q)
{
    const uint8_t *qname = message.data + MESSAGE_HEADER_SIZE;
    size_t size = name_hashes_check(hash_key, qname, message.size - MESSAGE_HEADER_SIZE, name);
    size_t end = MESSAGE_HEADER_SIZE + size + QUESTION_FIXED_SIZE;
    if (size == 0 || end > message.size) {
        return false;
    }
    q->has_question = true;
    q->qname = qname;
    q->qname_size = (uint8_t)size;
    q->qtype = get_u16(message.data + end - 4);
    q->qclass = get_u16(message.data + end - 2);
    q->question_end = end;
    return true;
}

static NOINLINE bool read_options(struct slice options, struct query *q)
{
    size_t at = 0;
    while (at < options.size) {
        if (options.size - at < 4) {
            return false;
        }
        uint16_t code = get_u16(options.data + at);
        uint16_t size = get_u16(options.data + at + 2);
        at += 4;
        if (size > options.size - at) {
            return false;
        }
        switch (code) {
        case EDNS_NSID:
            q->wants |= QUERY_WANTS_NSID;
            break;
        case EDNS_EXPIRE:
            q->wants |= QUERY_WANTS_EXPIRE;
            break;
        case EDNS_TCP_KEEPALIVE:
            q->wants |= QUERY_WANTS_KEEPALIVE;
            break;
        case EDNS_ZONEVERSION:
            q->wants |= QUERY_WANTS_ZONEVERSION;
            break;
        case EDNS_FINGERPRINT:
            q->wants |= QUERY_WANTS_FINGERPRINT;
            break;
        case EDNS_PADDING:
            q->wants |= QUERY_WANTS_PADDING;
            break;
        case EDNS_COOKIE:
            if (size != COOKIE_CLIENT_SIZE && (size < 2 * COOKIE_CLIENT_SIZE || size > 40)) {
                return false;
            }
            if (q->cookie.data == NULL) {
                q->cookie = slice_of(options.data + at, size);
                q->wants |= QUERY_WANTS_COOKIE;
            }
            break;
        }
        at += size;
    }
    return true;
}

/* `fixed` points behind the owner of the OPT record. */
static ALWAYS_INLINE bool read_opt(const uint8_t *fixed, uint16_t size, struct query *q)
{
    struct edns edns = {
        .present = true,
        .dnssec_ok = (get_u16(fixed + 6) & OPT_DO) != 0,
        .version = fixed[5],
        .extended_rcode = fixed[4],
        .udp_size = get_u16(fixed + 2),
        .options = slice_of(fixed + RECORD_FIXED_SIZE, size),
    };
    if (edns.udp_size < UDP_SIZE_LEAST) {
        edns.udp_size = UDP_SIZE_LEAST;
    }
    q->edns = edns;
    return size == 0 || read_options(edns.options, q);
}

/* The records from `at` to the end; `counts` are those of the three sections. */
static bool read_records(struct slice message, size_t at, const uint16_t counts[3], struct query *q)
{
    size_t left = (size_t)counts[0] + counts[1] + counts[2];
    for (; left != 0; left--) {
        size_t begin = at;
        at = skip_name(message, at);
        if (at == 0 || message.size - at < RECORD_FIXED_SIZE) {
            return false;
        }
        const uint8_t *fixed = message.data + at;
        uint16_t type = get_u16(fixed);
        uint16_t size = get_u16(fixed + 8);
        at += RECORD_FIXED_SIZE;
        if (size > message.size - at) {
            return false;
        }
        at += size;
        bool additional = left <= counts[2];
        if (type == TYPE_OPT) {
            if (!additional || q->edns.present || message.data[begin] != 0 ||
                !read_opt(fixed, size, q)) {
                return false;
            }
        } else if (type == TYPE_TSIG) {
            if (!additional || left != 1) {
                return false;
            }
            q->tsig_offset = begin;
        }
    }
    return at == message.size;
}

static void fail(struct query *q, uint16_t rcode)
{
    q->kind = QUERY_ERROR;
    q->rcode = rcode;
}

/* Without a question only a cookie can be asked for. */
static COLD bool asks_for_cookie(struct slice message, unsigned opcode, const uint16_t counts[3],
                                 struct query *q)
{
    return read_records(message, MESSAGE_HEADER_SIZE, counts, q) && opcode == OPCODE_QUERY &&
           q->edns.present && q->edns.version == 0 && q->cookie.data != NULL && q->tsig_offset == 0;
}

/* The OPT record of a message whose opcode is not ours; whether it is laid out as a question, who
 * knows. */
static COLD void look_for_opt(struct slice message, uint16_t question_count,
                              const uint16_t counts[3], struct query *q)
{
    size_t at = MESSAGE_HEADER_SIZE;
    if (question_count == 1) {
        at = skip_name(message, at);
        at = at == 0 || message.size - at < 4 ? 0 : at + 4;
    }
    if (question_count <= 1 && at != 0) {
        (void)read_records(message, at, counts, q);
    }
}

/* Whatever is not plain; id and flags are known. */
static void parse_at_length(struct slice message, uint64_t hash_key, struct name_hashes *name,
                            struct query *out)
{
    uint16_t question_count = get_u16(message.data + 4);
    const uint16_t counts[3] = {get_u16(message.data + 6), get_u16(message.data + 8),
                                get_u16(message.data + 10)};
    unsigned opcode = header_opcode(out->flags);
    if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY && opcode != OPCODE_UPDATE) {
        fail(out, RCODE_NOTIMP);
        look_for_opt(message, question_count, counts, out);
    } else if (UNLIKELY(question_count == 0) && asks_for_cookie(message, opcode, counts, out)) {
        out->kind = QUERY_COOKIE;
    } else if (question_count != 1 || !read_question(message, hash_key, name, out) ||
               !read_records(message, out->question_end, counts, out)) {
        fail(out, RCODE_FORMERR);
    } else if (out->edns.present && out->edns.version != 0) {
        fail(out, RCODE_BADVERS);
    } else if (opcode == OPCODE_QUERY) {
        out->kind = QUERY_ASK;
    } else {
        out->kind = opcode == OPCODE_NOTIFY ? QUERY_NOTIFY : QUERY_UPDATE;
    }
}

void query_parse(struct slice message, uint64_t hash_key, struct name_hashes *name,
                 struct query *out)
{
    if (query_parse_plain(message, hash_key, name, out)) {
        return;
    }
    *out = (struct query){.kind = QUERY_DROP};
    if (message.size < MESSAGE_HEADER_SIZE) {
        return;
    }
    out->id = get_u16(message.data);
    out->flags = get_u16(message.data + 2);
    if ((out->flags & FLAG_QR) == 0) {
        parse_at_length(message, hash_key, name, out);
    }
}
