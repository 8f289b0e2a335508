/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a datagram or a TCP message asks, as a plain struct: one pass over the bytes, nothing
 * copied, nothing allocated. Parsing decides only what can be said without knowing any zone.
 */
#ifndef ANSWER_QUERY_H
#define ANSWER_QUERY_H

#include "wire/message.h"
#include "wire/name_hashes.h"

enum query_kind {
    QUERY_DROP,   /* shorter than a header, or a response: never answered */
    QUERY_ERROR,  /* answered with `rcode` and nothing else */
    QUERY_ASK,    /* opcode QUERY, one question */
    QUERY_COOKIE, /* no question, but a COOKIE option: asks for a server cookie (RFC 7873 5.4) */
    QUERY_NOTIFY, /* these two: the records are stepped over, their contents not looked at */
    QUERY_UPDATE,
};

enum {
    QUERY_WANTS_NSID = 1,
    QUERY_WANTS_EXPIRE = 2,
    QUERY_WANTS_KEEPALIVE = 4,
    QUERY_WANTS_ZONEVERSION = 8,
    QUERY_WANTS_PADDING = 16, /* sent padding itself: may be padded to (RFC 7830) */
    QUERY_WANTS_FINGERPRINT = 32,
    QUERY_WANTS_COOKIE = 64, /* sent one: `cookie` */
};

/* In such an order that a plain query is few stores. */
struct query {
    enum query_kind kind;
    uint16_t rcode;    /* of QUERY_ERROR; may be above 15 */
    bool has_question; /* the question is well-formed; set for errors too, where that is so */
    uint8_t wants;     /* QUERY_WANTS_… */
    uint16_t flags;    /* as on the wire */
    uint16_t id;
    uint8_t qname_size;
    uint16_t qclass;
    uint16_t qtype;
    const uint8_t *qname; /* borrowed from the message, not compressed */
    size_t question_end;
    size_t tsig_offset;  /* of the TSIG record, always the last one; 0: none */
    struct slice cookie; /* EDNS COOKIE option (RFC 7873); data NULL: none */
    struct edns edns;    /* without meaning but for `dnssec_ok` where it is not `present` */
};

/* Any thread; O(size of the message). `name` is the question's, ready to be hashed with `hash_key`;
 * only where has_question. */
void query_parse(struct slice message, uint64_t hash_key, struct name_hashes *name,
                 struct query *out);

#endif
