/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The response that is being written: header, question, whole RRsets, OPT, with name compression.
 *
 * Not wire/message.h's writer: this one writes RRsets as they lie in an owner, knows that most
 * owner names are the question's name or its tail, and remembers a name by where it was read, so
 * every name given to it stays as it is until the response is finished. Lives on the stack of one
 * batch; one thread.
 */
#ifndef ANSWER_RESPONSE_H
#define ANSWER_RESPONSE_H

#include "answer/query.h"
#include "zone/owner.h"

enum { RESPONSE_NAMES = 64 };

/* A name, some labels of which were written out. */
struct response_name {
    const uint8_t *wire; /* borrowed */
    uint16_t place;      /* of its first label in the message */
    uint16_t ending;     /* its last two octets before the root label, folded */
    uint8_t size;
    uint8_t literal; /* octets written out; what follows points elsewhere, or is the root */
};

struct response {
    uint8_t *data;
    size_t size;
    size_t limit; /* what OPT and TSIG need is already taken off */
    uint16_t counts[4];
    uint16_t last_name; /* where the last name was written or found; 0: not to be pointed at */
    uint8_t qname_size; /* 0: no question in this response */
    uint8_t name_count;
    struct response_name names[RESPONSE_NAMES];
};

/* How an RRset's owner is written. `offset`: where that name stands in the message already; 0: not
 * known, and `name` is compressed as any other. */
struct response_owner {
    const uint8_t *name;
    uint16_t offset;
};

/* A place to come back to. */
struct response_mark {
    size_t size;
    uint16_t counts[4];
};

/* Room for the header and a copy of the query's question, where it has one. `limit` covers both. */
void response_begin(struct response *r, uint8_t *data, size_t limit, const struct query *query);

/* The owner reference of the question's name, or of an ancestor of it. */
static inline struct response_owner response_question_owner(const struct response *r,
                                                            const uint8_t *ancestor, size_t size)
{
    return (struct response_owner){
        ancestor, size == 1 ? 0 : (uint16_t)(MESSAGE_HEADER_SIZE + r->qname_size - size)};
}

/* The whole RRset with `ttl`, or nothing and false where it does not fit. */
MUST_CHECK bool response_write_rrset(struct response *r, enum section section,
                                     struct response_owner owner, const struct rrset *rrset,
                                     uint16_t class, uint32_t ttl);

struct response_mark response_mark(const struct response *r);
void response_rewind(struct response *r, const struct response_mark *mark);

/* Where the name read from exactly there was written (RDATA of this response, or a name in it), or
 * 0 where that is not known. */
static inline uint16_t response_place(const struct response *r, const uint8_t *name)
{
    for (unsigned i = r->name_count; i-- != 0;) {
        if (r->names[i].wire == name) {
            return r->names[i].place;
        }
    }
    return 0;
}

/* Fills in the header; returns the size. */
size_t response_finish(struct response *r, uint16_t id, uint16_t flags);

#endif
