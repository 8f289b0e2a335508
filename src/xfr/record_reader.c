/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the messages of a transfer fast.
 *
 * A zone repeats itself: the records of an owner follow each other, so do the names below one
 * parent, and so do the name servers of one provider; and what repeats, a sender writes as a
 * pointer to the same place. A pointer to a place that was expanded just before needs no second
 * expanding: within one message equal places are equal names. So the reader remembers where the
 * last owner and the last name in rdata stand, and the rest of each behind its first label. "This
 * very owner", "one label and then what followed the last first label" and "one label and then the
 * owner" are most names there are, and cost a comparison and a copy. Anything else goes through
 * wire's reader.
 *
 * This trusts no more than wire does: what is remembered came through there, its place lies before
 * the name at hand, and a name grows by a label at a time within its 255 octets. An owner's tail is
 * only remembered where it is in the zone, so that what stands below it is, too.
 *
 * Rdata without names is checked where it lies and handed on from there.
 */
#include "xfr/record_reader_impl.h"

#include "wire/rrtype.h"

enum { RECORD_FIXED_SIZE = 10, POINTER_SIZE = 2, POINTER_LIMIT = 0x4000, COPY_SIZE = 16 };

void record_reader_init(struct record_reader *r, const uint8_t *zone)
{
    name_copy(&r->zone, zone);
    r->owner.name.size = 1;
    r->owner.name.wire[0] = 0;
    record_reader_begin(r, slice_of(NULL, 0), 0);
}

void record_reader_begin(struct record_reader *r, struct slice message, size_t offset)
{
    r->message = message;
    r->offset = offset;
    r->owner.place = 0;
    r->owner_tail.place = 0;
    r->target.place = 0;
    r->target_tail.place = 0;
}

static ALWAYS_INLINE void copy_octets(uint8_t *to, const uint8_t *from, size_t size)
{
    if (LIKELY(size <= COPY_SIZE)) {
        /* `from` is a struct name's, and `to` has as much room behind it as the caller saw to. */
        memcpy(to, from, COPY_SIZE);
    } else {
        memcpy(to, from, size);
    }
}

static ALWAYS_INLINE size_t place_of(size_t at)
{
    return at < POINTER_LIMIT ? at : 0;
}

/* The name behind the first label of `name`, which stands literally at `at` in the message. */
static void remember_tail(const struct record_reader *r, const struct placed_name *name, size_t at,
                          struct placed_name *tail)
{
    const uint8_t *m = r->message.data;
    size_t label_size = 1u + m[at];
    size_t next = at + label_size;
    tail->place = place_of(next);
    if (m[next] > LABEL_MAX_SIZE) {
        tail->place = get_u16(m + next) % POINTER_LIMIT;
    }
    tail->name.size = (uint8_t)(name->name.size - label_size);
    memcpy(tail->name.wire, name->name.wire + label_size, tail->name.size);
}

/* One label and a pointer to a name that is known: true, and `out` is the name. */
static ALWAYS_INLINE bool read_below(const struct record_reader *r, size_t at,
                                     const struct name *known, struct name *out)
{
    size_t label_size = 1u + r->message.data[at];
    size_t size = label_size + known->size;
    if (UNLIKELY(size > NAME_MAX_SIZE)) {
        return false; /* wire has the words for it */
    }
    if (LIKELY(label_size <= COPY_SIZE && size + COPY_SIZE <= NAME_MAX_SIZE &&
               r->message.size - at >= COPY_SIZE)) {
        memcpy(out->wire, r->message.data + at, COPY_SIZE);
        copy_octets(out->wire + label_size, known->wire, known->size);
    } else {
        memcpy(out->wire, r->message.data + at, label_size);
        memcpy(out->wire + label_size, known->wire, known->size);
    }
    out->size = (uint8_t)size;
    return true;
}

/* The place that a label at `at` is followed by a pointer to; 0: something else stands there. */
static ALWAYS_INLINE size_t label_and_pointer(struct slice message, size_t at)
{
    size_t length = message.data[at];
    if (length == 0 || length > LABEL_MAX_SIZE || message.size - at < 1 + length + POINTER_SIZE) {
        return 0;
    }
    unsigned pointer = get_u16(message.data + at + 1 + length);
    return pointer >= 0xc000 ? pointer - 0xc000 : 0;
}

static enum result read_any_owner(struct record_reader *r, struct error *err)
{
    size_t at = r->offset;
    struct name name;
    enum result result = message_name_read(r->message, &r->offset, &name, err);
    if (result != OK) {
        return result;
    }
    const uint8_t *m = r->message.data;
    r->same_owner = false;
    r->owner.name.size = name.size;
    memcpy(r->owner.name.wire, name.wire, name.size);
    r->owner_tail.place = 0;
    if (m[at] > LABEL_MAX_SIZE) {
        r->owner.place = get_u16(m + at) % POINTER_LIMIT;
    } else {
        r->owner.place = place_of(at);
    }
    if (!name_is_subdomain(name.wire, r->zone.wire)) {
        r->owner.place = 0;
        return ERR_NOT_FOUND;
    }
    if (m[at] <= LABEL_MAX_SIZE && name.size > r->zone.size) {
        remember_tail(r, &r->owner, at, &r->owner_tail);
    }
    return OK;
}

static ALWAYS_INLINE enum result read_owner(struct record_reader *r, struct error *err)
{
    size_t at = r->offset;
    struct slice message = r->message;
    if (LIKELY(message.size > at && message.size - at >= POINTER_SIZE)) {
        unsigned word = get_u16(message.data + at);
        if (word >= 0xc000 && word - 0xc000 == r->owner.place && r->owner.place != 0) {
            r->same_owner = true;
            r->offset = at + POINTER_SIZE;
            return OK;
        }
        size_t target = label_and_pointer(message, at);
        if (target != 0) {
            if (target == r->owner.place) {
                r->owner_tail.place = target;
                r->owner_tail.name.size = r->owner.name.size;
                copy_octets(r->owner_tail.name.wire, r->owner.name.wire, r->owner.name.size);
            }
            if (target == r->owner_tail.place &&
                read_below(r, at, &r->owner_tail.name, &r->owner.name)) {
                r->same_owner = false;
                r->owner.place = place_of(at);
                r->offset = at + 1 + message.data[at] + POINTER_SIZE;
                return OK;
            }
        }
    }
    return read_any_owner(r, err);
}

static COLD enum result cut_off(size_t offset, struct error *err)
{
    return error_set(err, ERR_FORMAT, "record at octet %zu runs past the message's end", offset);
}

HOT enum result record_reader_next(struct record_reader *r, struct error *err)
{
    size_t start = r->offset;
    enum result result = read_owner(r, err);
    if (UNLIKELY(result == ERR_FORMAT)) {
        return result;
    }
    size_t at = r->offset;
    if (UNLIKELY(r->message.size - at < RECORD_FIXED_SIZE)) {
        return cut_off(start, err);
    }
    const uint8_t *fixed = r->message.data + at;
    at += RECORD_FIXED_SIZE;
    r->type = get_u16(fixed);
    r->class = get_u16(fixed + 2);
    r->ttl = get_u32(fixed + 4);
    r->rdata_size = get_u16(fixed + 8);
    r->rdata_offset = at;
    if (UNLIKELY(r->message.size - at < r->rdata_size)) {
        return error_set(
            err, ERR_FORMAT,
            "record at octet %zu has %u octets of data, but the message ends after %zu", start,
            (unsigned)r->rdata_size, r->message.size - at);
    }
    r->offset = at + r->rdata_size;
    return result;
}

static ALWAYS_INLINE const struct name *known_name(const struct record_reader *r, size_t place)
{
    return place == r->target_tail.place  ? &r->target_tail.name
           : place == r->owner.place      ? &r->owner.name
           : place == r->owner_tail.place ? &r->owner_tail.name
                                          : NULL;
}

/* Rdata that is one name. It may lead anywhere before it, but what stands here ends with the rdata.
 */
static enum result read_target(struct record_reader *r, struct slice *out, struct error *err)
{
    size_t at = r->rdata_offset;
    struct slice up_to_end = slice_of(r->message.data, r->offset);
    if (r->rdata_size == POINTER_SIZE && r->target.place != 0 &&
        get_u16(r->message.data + at) == 0xc000 + r->target.place) {
        *out = slice_of(r->target.name.wire, r->target.name.size);
        return OK;
    }
    size_t place = r->rdata_size != 0 ? label_and_pointer(up_to_end, at) : 0;
    if (place != 0 && r->rdata_size == 1u + r->message.data[at] + POINTER_SIZE) {
        const struct name *known = known_name(r, place);
        if (known != NULL && read_below(r, at, known, &r->target.name)) {
            r->target.place = place_of(at);
            *out = slice_of(r->target.name.wire, r->target.name.size);
            return OK;
        }
    }
    size_t end = at;
    if (message_name_read(up_to_end, &end, &r->target.name, NULL) != OK || end != r->offset) {
        r->target.place = 0;
        return rdata_read(r->type, r->message, at, r->rdata_size, r->rdata, &(size_t){0}, err);
    }
    uint8_t first = r->message.data[at];
    r->target.place = place_of(at);
    if (first > LABEL_MAX_SIZE) {
        r->target.place = get_u16(r->message.data + at) % POINTER_LIMIT;
    } else if (first != 0) {
        remember_tail(r, &r->target, at, &r->target_tail);
    }
    *out = slice_of(r->target.name.wire, r->target.name.size);
    return OK;
}

static enum result check_in_place(struct record_reader *r, struct slice *out, struct error *err)
{
    *out = slice_of(r->message.data + r->rdata_offset, r->rdata_size);
    return rdata_check(r->type, *out, err);
}

HOT enum result record_reader_rdata(struct record_reader *r, struct slice *out, struct error *err)
{
    switch (r->type) {
    case TYPE_A:
        *out = slice_of(r->message.data + r->rdata_offset, r->rdata_size);
        return LIKELY(r->rdata_size == 4) ? OK : rdata_check(r->type, *out, err);
    case TYPE_AAAA:
        *out = slice_of(r->message.data + r->rdata_offset, r->rdata_size);
        return LIKELY(r->rdata_size == 16) ? OK : rdata_check(r->type, *out, err);
    case TYPE_DS:
    case TYPE_TXT:
    case TYPE_RRSIG:
    case TYPE_NSEC:
    case TYPE_NSEC3:
    case TYPE_DNSKEY:
        return check_in_place(r, out, err);
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        return read_target(r, out, err);
    default:
        break;
    }
    size_t size = 0;
    enum result result =
        rdata_read(r->type, r->message, r->rdata_offset, r->rdata_size, r->rdata, &size, err);
    *out = slice_of(r->rdata, size);
    return result;
}
