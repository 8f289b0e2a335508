/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The query that nearly all are: opcode QUERY, one question, and nothing or an OPT record without
 * options behind it. Inline, as it is the first step of every answer; whatever it does not take,
 * query_parse() looks at from the start. Of what both take they make the same.
 */
#ifndef ANSWER_QUERY_PLAIN_H
#define ANSWER_QUERY_PLAIN_H

#include <endian.h>

#include "answer/query.h"

enum { QUERY_OPT_SIZE = 11, QUESTION_FIXED_SIZE = 4, UDP_SIZE_LEAST = 512 };

/* ID, flags, QDCOUNT and ANCOUNT as one number: QR and the opcode clear, one question, no answer. */
#define PLAIN_HEADER_MASK UINT64_C(0x0000f800ffffffff)
#define PLAIN_HEADER      UINT64_C(0x0000000000010000)

/* The first eight octets of a bare OPT: the root, type, size, extended RCODE, version, DO; what may
 * differ is masked out. The four that end it overlap in the octet with DO: flags, no RDATA. */
#define BARE_OPT_MASK     UINT64_C(0xffffff000000ff00)
#define BARE_OPT          UINT64_C(0x0000290000000000)
#define BARE_OPT_END_MASK 0x0000ffffu

static ALWAYS_INLINE uint64_t query_load_u64(const uint8_t *p)
{
    return be64toh(octets_load_u64(p));
}

/* The OPT record at `opt`, with nothing behind it. */
static ALWAYS_INLINE bool query_parse_bare_opt(const uint8_t *opt, struct query *out)
{
    uint64_t head = query_load_u64(opt);
    uint32_t tail = be32toh(octets_load_u32(opt + QUERY_OPT_SIZE - 4));
    if ((head & BARE_OPT_MASK) != BARE_OPT || (tail & BARE_OPT_END_MASK) != 0) {
        return false;
    }
    uint16_t udp_size = (uint16_t)(head >> 24);
    out->edns.present = true;
    out->edns.dnssec_ok = (head & 0x80) != 0;
    out->edns.version = 0;
    out->edns.extended_rcode = (uint8_t)(head >> 16);
    out->edns.udp_size = udp_size < UDP_SIZE_LEAST ? UDP_SIZE_LEAST : udp_size;
    out->edns.options = slice_of(opt + QUERY_OPT_SIZE, 0);
    return true;
}

/* False: not such a query, and `out` and `name` have no meaning. */
static ALWAYS_INLINE bool query_parse_plain(struct slice message, uint64_t hash_key,
                                            struct name_hashes *name, struct query *out)
{
    if (UNLIKELY(message.size <= MESSAGE_HEADER_SIZE + QUESTION_FIXED_SIZE)) {
        return false;
    }
    uint64_t header = query_load_u64(message.data);
    uint32_t others = be32toh(octets_load_u32(message.data + 8)); /* NSCOUNT and ARCOUNT */
    if (UNLIKELY((header & PLAIN_HEADER_MASK) != PLAIN_HEADER || others > 1)) {
        return false;
    }
    const uint8_t *qname = message.data + MESSAGE_HEADER_SIZE;
    size_t limit = message.size - MESSAGE_HEADER_SIZE - QUESTION_FIXED_SIZE;
    size_t size = name_hashes_check(hash_key, qname, limit, name);
    if (UNLIKELY(size == 0)) {
        return false;
    }
    size_t end = MESSAGE_HEADER_SIZE + size + QUESTION_FIXED_SIZE;
    uint32_t type_and_class = be32toh(octets_load_u32(qname + size));
    out->edns.present = false;
    out->edns.dnssec_ok = false;
    if (others != 0
            ? message.size - end != QUERY_OPT_SIZE || !query_parse_bare_opt(message.data + end, out)
            : message.size != end) {
        return false;
    }
    out->kind = QUERY_ASK;
    out->rcode = RCODE_NOERROR;
    out->has_question = true;
    out->wants = 0;
    out->flags = (uint16_t)(header >> 32);
    out->id = (uint16_t)(header >> 48);
    out->qname_size = (uint8_t)size;
    out->qclass = (uint16_t)type_and_class;
    out->qtype = (uint16_t)(type_and_class >> 16);
    out->qname = qname;
    out->question_end = end;
    out->tsig_offset = 0;
    out->cookie.data = NULL;
    return true;
}

#endif
