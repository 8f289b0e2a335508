/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records that many answers of a batch have in common, written once and copied: the SOA of a "no",
 * and the proofs about an encloser and its wildcard.
 *
 * They are not the same octets in every answer, since names are compressed against what stands
 * before them. But the question ends with the names of the apex and of all above it, so nearly
 * always their pointers lead there or into these records themselves, and what changes is by how
 * much the question is longer. Records are kept only where that is so; then their names were
 * written out down to there, nothing longer having stood in that message. In another message
 * something longer can stand only as the end of a name that has the label before the apex in common
 * with one of these: the question, or a proof that stands before. Both are looked at, and where they
 * have, the records are written as any other.
 *
 * What is kept is a copy in the memo of the batch, with names that are borrowed from the version.
 */
#include "answer/quick_impl.h"

/* Notes the pointer that ends the name at `at` and where it leads; returns where the name ends, 0:
 * not to be kept. */
static size_t note_name(struct ready *ready, const struct quick *q, size_t begin, size_t at)
{
    const struct response *r = &q->response;
    size_t question_end = MESSAGE_HEADER_SIZE + r->qname_size;
    while (r->data[at] != 0 && r->data[at] < 0xc0) {
        at += 1u + r->data[at];
    }
    if (r->data[at] == 0) {
        return at + 1;
    }
    size_t to = get_u16(r->data + at) & 0x3fff;
    bool is_inside = to >= begin;
    bool is_common = to < question_end && to >= question_end - q->apex->name_size;
    if ((!is_inside && !is_common) || ready->pointer_count == READY_POINTERS) {
        return 0;
    }
    ready->pointers[ready->pointer_count++] = (struct ready_pointer){
        .at = (uint16_t)(at - begin),
        .is_inside = is_inside,
        .to = (int16_t)((int)to - (int)(is_inside ? begin : question_end)),
    };
    return at + 2;
}

/* Of the record at `at`; returns where it ends, 0: not to be kept. */
static size_t note_record(struct ready *ready, const struct quick *q, size_t begin, size_t at)
{
    const uint8_t *data = q->response.data;
    at = note_name(ready, q, begin, at);
    if (at == 0) {
        return 0;
    }
    size_t rdata = at + TTL_TYPE_CLASS_SIZE + 2;
    if (get_u16(data + at) == TYPE_SOA) {
        size_t rname = note_name(ready, q, begin, rdata);
        if (rname == 0 || note_name(ready, q, begin, rname) == 0) {
            return 0;
        }
    }
    return rdata + get_u16(data + rdata - 2);
}

/* Octets before the ancestor of the name that is one label below the apex, or all of them. */
static uint8_t tail_of(const struct owner *apex, const uint8_t *name, size_t size)
{
    size_t at = 0;
    size_t last = size;
    if (!name_is_below(slice_of(name, size), owner_name(apex), apex->name_size)) {
        return (uint8_t)size;
    }
    while (at != size - apex->name_size) {
        last = at;
        at += 1u + name[at];
    }
    return (uint8_t)last;
}

static bool note_names(struct ready *ready, const struct quick *q, size_t begin)
{
    const struct response *r = &q->response;
    for (unsigned i = 0; i < r->name_count; i++) {
        const struct response_name *name = &r->names[i];
        if (name->place < begin) {
            continue;
        }
        if (ready->name_count == READY_NAMES) {
            return false;
        }
        ready->names[ready->name_count++] = (struct ready_name){
            .wire = name->wire,
            .at = (uint16_t)(name->place - begin),
            .size = name->size,
            .literal = name->literal,
            .tail = tail_of(q->apex, name->wire, name->size),
        };
    }
    return true;
}

void ready_keep(struct ready *ready, const struct quick *q, size_t begin, bool is_signed)
{
    const struct response *r = &q->response;
    size_t size = r->size - begin;
    size_t at = begin;
    ready->size = 0;
    ready->is_refused = true;
    ready->pointer_count = 0;
    ready->name_count = 0;
    if (size > READY_SIZE || !note_names(ready, q, begin)) {
        return;
    }
    for (unsigned count = 1; at != r->size; count++) {
        at = note_record(ready, q, begin, at);
        if (at == 0) {
            return;
        }
        if (count == 1) {
            ready->plain_size = (uint16_t)(at - begin);
        }
        ready->count = (uint8_t)count;
    }
    memcpy(ready->octets, r->data + begin, size);
    ready->is_signed = is_signed;
    ready->size = (uint16_t)size;
    ready->is_refused = false;
}

/* A name that stands in the message may end in more of one of these than is assumed. */
static ALWAYS_INLINE bool may_be_longer(const struct ready *ready, const struct quick *q,
                                        const struct owner *before)
{
    const struct owner *apex = q->apex;
    bool is_below = before != NULL && before != apex;
    if (is_below && before->name_size != 1u + owner_name(before)[0] + apex->name_size) {
        return true;
    }
    for (unsigned i = 0; i < ready->name_count; i++) {
        const struct ready_name *name = &ready->names[i];
        const uint8_t *tail = name->wire + name->tail;
        size_t size = (size_t)name->size - name->tail;
        if (size != 0 && (ends_question(&q->response, tail, size) ||
                          (is_below && before->name_size == size &&
                           octets_equal(owner_name(before), tail, size)))) {
            return true;
        }
    }
    return false;
}

HOT bool ready_put(const struct ready *ready, struct quick *q, const struct owner *before)
{
    struct response *r = &q->response;
    if (ready->size == 0 || (q->dnssec && !ready->is_signed) || ready->size > r->limit - r->size ||
        r->size > NAMES_END || may_be_longer(ready, q, before)) {
        return false;
    }
    const uint16_t origins[2] = {(uint16_t)(0xc000 + MESSAGE_HEADER_SIZE + r->qname_size),
                                 (uint16_t)(0xc000 + r->size)};
    uint8_t *out = r->data + r->size;
    memcpy(out, ready->octets, ready->size);
    for (unsigned i = 0; i < ready->pointer_count; i++) {
        const struct ready_pointer *pointer = &ready->pointers[i];
        put_u16(out + pointer->at, (uint16_t)(origins[pointer->is_inside] + pointer->to));
    }
    if (!q->dnssec) {
        r->size += ready->plain_size;
        count_records(q, SECTION_AUTHORITY, 1);
        return true;
    }
    q->ready[q->ready_count] = ready;
    q->ready_places[q->ready_count++] = (uint16_t)r->size;
    r->size += ready->size;
    count_records(q, SECTION_AUTHORITY, ready->count);
    return true;
}

COLD void ready_know(struct quick *q)
{
    know_question(q);
    for (; q->ready_known < q->ready_count; q->ready_known++) {
        const struct ready *ready = q->ready[q->ready_known];
        for (unsigned i = 0; i < ready->name_count; i++) {
            const struct ready_name *name = &ready->names[i];
            response_know_name(&q->response, name->wire, name->size, name->literal,
                               (size_t)q->ready_places[q->ready_known] + name->at);
        }
    }
}
