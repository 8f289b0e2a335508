/* SPDX-License-Identifier: BSD-3-Clause */
/* The short way from the inside (quick.c): one answer in the making, and how RRsets go into it. */
#ifndef ANSWER_QUICK_IMPL_H
#define ANSWER_QUICK_IMPL_H

#include <endian.h>

#include "answer/answer_impl.h"
#include "zone/owner_rrsets.h"

enum {
    OPT_BARE_SIZE = 11,
    NAMES_MAX = 13,   /* in an RRset, for the short way */
    NAMES_END = 8192, /* where the last RRset with names may begin: all can be pointed at */
    SOA_NUMBERS_SIZE = 20,
    TTL_TYPE_CLASS_SIZE = 8,
    POINTER_SIZE = 2,
    RECORD_HEAD_SIZE = POINTER_SIZE + TTL_TYPE_CLASS_SIZE + 2, /* with the size of its rdata */
    READY_MAX = 3,                                             /* SOA, encloser, wildcard */
};

struct quick {
    struct response response;
    const struct zone_version *version;
    const struct owner *apex;
    const struct answer_options *options;
    const struct query *query;
    struct denial_memo *memo;
    bool dnssec;
    bool knows_question; /* names are compared with it */
    bool starts_whole;   /* the RRset's first name was written whole, without a search */
    uint8_t searches;    /* names that did not end in the rest, so far */
    uint8_t ready_count; /* of what was copied (ready.c) and where it stands */
    uint8_t ready_known; /* whose names are known to the search */
    const struct ready *ready[READY_MAX];
    uint16_t ready_places[READY_MAX];
    /* A tail that stands in the message, in which names are likely to end; size 0: none. */
    const uint8_t *rest;
    size_t rest_size;
    uint16_t rest_place;
};

static ALWAYS_INLINE uint16_t question_place(const struct quick *q, const struct owner *ancestor)
{
    return response_question_owner(&q->response, owner_name(ancestor), ancestor->name_size).offset;
}

/* An RRset at its largest: every record with a pointer for its owner. */
static ALWAYS_INLINE size_t rrset_most(const struct rrset *rrset)
{
    return rrset->records.size + (size_t)rrset->count * (POINTER_SIZE + TTL_TYPE_CLASS_SIZE);
}

static ALWAYS_INLINE bool has_room(const struct quick *q, const struct rrset *rrset)
{
    return rrset_most(rrset) <= q->response.limit - q->response.size;
}

/* What all records of an RRset begin with: `owner` as pointer_to() gave it. */
static ALWAYS_INLINE uint8_t *put_fixed(uint8_t *p, uint16_t owner, uint64_t fixed)
{
    memcpy(p, &owner, sizeof(owner));
    memcpy(p + POINTER_SIZE, &fixed, sizeof(fixed));
    return p + POINTER_SIZE + TTL_TYPE_CLASS_SIZE;
}

static ALWAYS_INLINE uint16_t pointer_to(uint16_t place)
{
    return htobe16((uint16_t)(0xc000 | place));
}

/* Type, class IN and TTL, as they stand in a record. */
static ALWAYS_INLINE uint64_t fixed_octets(uint16_t type, uint32_t ttl)
{
    return htobe64((uint64_t)type << 48 | (uint64_t)CLASS_IN << 32 | ttl);
}

/* A word that no name begins with. */
#define NO_LABEL UINT32_MAX

/* How a name would begin that stands in the question of the message, one label above `place`. */
static ALWAYS_INLINE uint32_t label_above(const uint8_t *data, uint16_t place)
{
    size_t at = MESSAGE_HEADER_SIZE;
    size_t above = 0;
    while (at < place) {
        above = at;
        at += 1u + data[at];
    }
    return above == 0 ? NO_LABEL : octets_load_u32(data + above);
}

/* May `name` begin as the word does? Case does not count. */
static ALWAYS_INLINE bool may_begin(const uint8_t *name, uint32_t word)
{
    return ((octets_load_u32(name) ^ word) & 0xdfdfdfdfu) == 0;
}

/* The first label of a name, `label` octets with its length, then `pointer`, which points at a rest
 * of `rest_size` octets; there is room for the whole name. Returns the end. */
static ALWAYS_INLINE uint8_t *put_label(uint8_t *p, const uint8_t *name, size_t label,
                                        size_t rest_size, uint16_t pointer)
{
    if (LIKELY(label <= 8 && rest_size >= 6)) {
        memcpy(p, name, 8);
    } else {
        octets_copy(p, name, label);
    }
    memcpy(p + label, &pointer, sizeof(pointer));
    return p + label + POINTER_SIZE;
}

/* OPT without options, for rcodes below 16. */
static ALWAYS_INLINE uint8_t *put_bare_opt(uint8_t *p, uint16_t udp_size, bool dnssec_ok)
{
    memset(p, 0, OPT_BARE_SIZE);
    p[2] = TYPE_OPT;
    put_u16(p + 3, udp_size);
    p[7] = dnssec_ok ? 0x80 : 0;
    return p + OPT_BARE_SIZE;
}

static ALWAYS_INLINE void count_records(struct quick *q, enum section section, unsigned count)
{
    q->response.counts[section] = (uint16_t)(q->response.counts[section] + count);
}

/* Records as they are. The owner is a name of the message. */
static ALWAYS_INLINE bool put_plain(struct quick *q, enum section section, uint16_t owner,
                                    const struct rrset *rrset, uint32_t ttl)
{
    if (UNLIKELY(!has_room(q, rrset))) {
        return false;
    }
    uint64_t fixed = fixed_octets(rrset->type, ttl);
    uint16_t pointer = pointer_to(owner);
    const uint8_t *in = rrset->records.data;
    const uint8_t *end = in + rrset->records.size;
    uint8_t *p = q->response.data + q->response.size;
    while (in != end) {
        size_t size = 2 + (size_t)get_u16(in);
        p = put_fixed(p, pointer, fixed);
        octets_copy(p, in, size);
        p += size;
        in += size;
    }
    q->response.size = (size_t)(p - q->response.data);
    count_records(q, section, rrset->count);
    return true;
}

/* The search is about to be used for the first time. */
static ALWAYS_INLINE void know_question(struct quick *q)
{
    if (!q->knows_question) { /* there is one, and it is not the root */
        q->knows_question = true;
        response_know_question(&q->response);
    }
}

/* The signatures of an RRset that was just written. */
static ALWAYS_INLINE bool put_signatures(struct quick *q, enum section section, uint16_t owner,
                                         uint32_t ttl, const struct rrset *signatures)
{
    return signatures->count == 0 ||
           put_plain(q, section, owner, signatures, ttl < signatures->ttl ? ttl : signatures->ttl);
}

/* The RRset of a type, and with DO its signatures; their count is 0 where there are none. */
static ALWAYS_INLINE bool find_signed(const struct quick *q, const struct owner *owner,
                                      uint16_t type, struct rrset *out, struct rrset *signatures)
{
    if (q->dnssec) {
        return owner_find_signed(owner, type, out, signatures);
    }
    signatures->count = 0;
    return owner_find(owner, type, out);
}

/* No proof follows a "no". */
static ALWAYS_INLINE bool is_unsigned(const struct quick *q)
{
    if (!q->dnssec) {
        return true;
    }
    denial_memo_version(q->memo, q->version);
    return denial_memo_denial(q->memo) == DENIAL_NONE && !q->memo->too_many_iterations;
}

/* Whether the name of `size` octets ends the question's name. */
static ALWAYS_INLINE bool ends_question(const struct response *r, const uint8_t *name, size_t size)
{
    const uint8_t *end = r->data + MESSAGE_HEADER_SIZE + r->qname_size;
    return r->qname_size >= size && octets_equal(end - size, name, size);
}

/*
 * ready.c: keeps the record that was written to the authority section from `begin` on, with its
 * signatures where `is_signed`; all names in it are known to the search.
 */
void ready_keep(struct ready *ready, const struct quick *q, size_t begin, bool is_signed);
/* ready.c: writes them again, behind the proof of `before` (NULL: there is none). False: they are
 * not kept, or have to be written as any other. */
MUST_CHECK bool ready_put(const struct ready *ready, struct quick *q, const struct owner *before);
/* ready.c: the question's name and those in what was copied are known to the search. */
void ready_know(struct quick *q);

/* The name of `size` octets, one label below the apex, ends one that was copied. */
static ALWAYS_INLINE bool is_in_ready(const struct quick *q, const uint8_t *name, size_t size)
{
    for (unsigned i = 0; i < q->ready_count; i++) {
        for (unsigned n = 0; n < q->ready[i]->name_count; n++) {
            const struct ready_name *other = &q->ready[i]->names[n];
            if ((size_t)other->size - other->tail == size &&
                octets_equal(other->wire + other->tail, name, size)) {
                return true;
            }
        }
    }
    return false;
}

/* The name without the labels before the last that its encloser, of `encloser_size` octets, has not. */
static ALWAYS_INLINE const uint8_t *next_closer(const uint8_t *name, size_t size,
                                                size_t encloser_size)
{
    const uint8_t *end = name + size - encloser_size;
    while (name + 1 + name[0] != end) {
        name += 1 + name[0];
    }
    return name;
}

/* What a proof says of a name. `owner` is the name's own where it exists (DENIED_TYPE), else that of
 * its closest encloser. */
enum denied { DENIED_NAME, DENIED_TYPE, DENIED_WILDCARD_TYPE, DENIED_CLOSER_MATCH };
struct denied_name {
    const uint8_t *wire;
    size_t size;
    uint16_t place; /* of the name in the message */
    const struct owner *owner;
};

/* quick_denial.c: the proof, as denial.c writes it; the version has proofs. Names of the message are
 * known to the search. False: not by this way. */
bool quick_denial(struct quick *q, enum denied what, const struct denied_name *name);

#endif
