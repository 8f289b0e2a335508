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

#include <endian.h>

#include "answer/query.h"
#include "wire/name_octets.h"
#include "zone/owner.h"

enum { RESPONSE_NAMES = 64, RESPONSE_POINTER_LIMIT = 0x4000 };

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

/* Room for the header and a copy of the query's question, where it has one. `limit` covers both.
 * Names are not compared with it before response_know_question(). */
static ALWAYS_INLINE void response_begin(struct response *r, uint8_t *data, size_t limit,
                                         const struct query *query)
{
    static const uint16_t none[4] = {0};
    r->data = data;
    r->size = MESSAGE_HEADER_SIZE;
    r->limit = limit;
    memcpy(r->counts, none, sizeof(r->counts));
    r->last_name = 0;
    r->qname_size = 0;
    r->name_count = 0;
    if (LIKELY(query->has_question)) {
        size_t size = query->question_end - MESSAGE_HEADER_SIZE;
        octets_copy(data + MESSAGE_HEADER_SIZE, query->qname, size);
        r->size += size;
        r->counts[SECTION_QUESTION] = 1;
        r->qname_size = query->qname_size;
    }
    REQUIRE(r->size <= limit);
}

/* Equal for names whose last labels are; `size` is that of a name longer than the root. */
static ALWAYS_INLINE uint16_t response_name_ending(const uint8_t *name, size_t size)
{
    uint16_t ending;
    memcpy(&ending, name + size - 3, 2);
    return ending | 0x2020;
}

/* The name was written at `place`, `literal` octets of it before a pointer or the root. */
static ALWAYS_INLINE void response_know_name(struct response *r, const uint8_t *name, size_t size,
                                             size_t literal, size_t place)
{
    if (LIKELY(place + literal <= RESPONSE_POINTER_LIMIT && r->name_count < RESPONSE_NAMES)) {
        r->names[r->name_count++] = (struct response_name){
            .wire = name,
            .place = (uint16_t)place,
            .ending = response_name_ending(name, size),
            .size = (uint8_t)size,
            .literal = (uint8_t)literal,
        };
    }
}

static ALWAYS_INLINE void response_know_question(struct response *r)
{
    if (r->qname_size > 1) {
        response_know_name(r, r->data + MESSAGE_HEADER_SIZE, r->qname_size, r->qname_size - 1u,
                           MESSAGE_HEADER_SIZE);
    }
}

/* The name of `size` octets, compressed, at the end, where there is room for all of it. Returns the
 * octets written before a pointer or the root. */
size_t response_put_name(struct response *r, const uint8_t *name, size_t size);

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
/* The same; on success `owner` tells where its name stands, for what follows under it. */
MUST_CHECK bool response_write_first(struct response *r, enum section section,
                                     struct response_owner *owner, const struct rrset *rrset,
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
static ALWAYS_INLINE size_t response_finish(struct response *r, uint16_t id, uint16_t flags)
{
    uint32_t head = htobe32((uint32_t)id << 16 | flags);
    uint64_t counts = (uint64_t)r->counts[0] << 48 | (uint64_t)r->counts[1] << 32 |
                      (uint64_t)r->counts[2] << 16 | r->counts[3];
    counts = htobe64(counts);
    memcpy(r->data, &head, sizeof(head));
    memcpy(r->data + sizeof(head), &counts, sizeof(counts));
    return r->size;
}

#endif
