/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records into a message, dense and fast: what the sender of whole zones does with its time.
 *
 * message_writer (wire) is made for answers: small, cleared for each, with room for the names of
 * one answer. A message of a transfer has a thousand names, and how well they are compressed
 * decides how many octets a zone is. So here every tail of every name is remembered, in a table of
 * edges: from a place in the message that a name's tail stands at, by the label in front of it, to
 * the place where label and tail stand. A name is looked up from its root: as far as edges lead, it
 * is known, and its pointer goes to where they end. An edge is two places of fourteen bits, which
 * is how far pointers reach (RFC 1035 4.1.4), and four bits of hash; the label is compared in the
 * message itself.
 *
 * Labels are compared octet for octet: a name leaves in the case its author wrote (RFC 4343 4.1).
 * Records of one owner come one after the other and share the owner's address, so that all but the
 * first cost no look-up; most other names share all but their first label with the one before them.
 * A probe ends after a few steps, which costs a pointer now and then and bounds the time whatever
 * the names are.
 *
 * A record that does not fit is taken back, edges in the reverse order of their making, which
 * linear probing allows without tombstones.
 */
#include "xfr/record_writer_impl.h"

#include "wire/name_octets.h"
#include "wire/rrtype.h"

enum {
    PLACE_BITS = 14,
    PLACE_LIMIT = 1 << PLACE_BITS,
    ROOT_PLACE = 0, /* the header stands there, no name does */
    TAG_SHIFT = 2 * PLACE_BITS,
    PROBES_MAX = 24,
    RECORD_FIXED_SIZE = 10,
    RDATA_NAMES_MAX = 4,
};

static ALWAYS_INLINE bool label_equal(const uint8_t *a, const uint8_t *b)
{
    size_t size = 1u + *a;
    if (size >= 8) {
        if (octets_load_u64(a) != octets_load_u64(b)) { /* the length is among them */
            return false;
        }
        return size <= 16 ? octets_load_u64(a + size - 8) == octets_load_u64(b + size - 8)
                          : memcmp(a + 8, b + 8, size - 8) == 0;
    }
    if (size >= 4) {
        return octets_load_u32(a) == octets_load_u32(b) &&
               octets_load_u32(a + size - 4) == octets_load_u32(b + size - 4);
    }
    return *a == *b && a[1] == b[1] && a[size - 1] == b[size - 1];
}

static ALWAYS_INLINE uint64_t edge_hash(unsigned from, const uint8_t *label)
{
    const uint64_t multiplier = 0x9e3779b97f4a7c15u;
    size_t size = 1u + *label;
    uint64_t hash = from * 0xd1b54a32d192ed03u;
    if (size >= 8) {
        for (size_t at = 0; at + 8 < size; at += 8) {
            hash = (hash ^ octets_load_u64(label + at)) * multiplier;
            hash ^= hash >> 32;
        }
        hash ^= octets_load_u64(label + size - 8);
    } else if (size >= 4) {
        hash ^= octets_load_u32(label) | (uint64_t)octets_load_u32(label + size - 4) << 32;
    } else {
        hash ^= label[0] | (uint64_t)label[1] << 8 | (uint64_t)label[size - 1] << 16;
    }
    hash *= multiplier;
    return hash ^ hash >> 32;
}

static ALWAYS_INLINE uint32_t edge(uint64_t hash, unsigned from, unsigned place)
{
    return (uint32_t)(hash >> 28) << TAG_SHIFT | from << PLACE_BITS | place;
}

/* Where `label` in front of what stands at `from` stands; 0: nowhere. */
static ALWAYS_INLINE unsigned find(const struct record_writer *w, uint64_t hash, unsigned from,
                                   const uint8_t *label)
{
    uint32_t wanted = edge(hash, from, 0);
    for (unsigned probe = 0; probe < PROBES_MAX; probe++) {
        uint32_t slot = w->slots[(hash + probe) % RECORD_WRITER_SLOTS];
        if (slot == 0) {
            break;
        }
        unsigned place = slot % PLACE_LIMIT;
        if (slot - place == wanted && label_equal(label, w->data + place)) {
            return place;
        }
    }
    return 0;
}

/* False where it cannot be remembered. */
static ALWAYS_INLINE bool remember(struct record_writer *w, uint64_t hash, unsigned from,
                                   size_t place)
{
    if (UNLIKELY(place >= PLACE_LIMIT || w->name_count == RECORD_WRITER_NAMES)) {
        return false;
    }
    for (unsigned probe = 0; probe < PROBES_MAX; probe++) {
        unsigned at = (unsigned)((hash + probe) % RECORD_WRITER_SLOTS);
        if (w->slots[at] == 0) {
            w->slots[at] = edge(hash, from, (unsigned)place);
            w->taken[w->name_count++] = (uint16_t)at;
            return true;
        }
    }
    return false;
}

static COLD void forget(struct record_writer *w, unsigned kept)
{
    while (w->name_count > kept) {
        w->slots[w->taken[--w->name_count]] = 0;
    }
}

/* What is remembered of a name's labels in front of what is known of it. */
static ALWAYS_INLINE void remember_labels(struct record_writer *w, const uint8_t *name,
                                          const uint8_t *offsets, unsigned count, unsigned from,
                                          uint64_t hash, size_t place)
{
    while (count > 0) {
        count--;
        if (!remember(w, hash, from, place + offsets[count])) {
            return;
        }
        from = (unsigned)(place + offsets[count]);
        if (count > 0) {
            hash = edge_hash(from, name + offsets[count - 1]);
        }
    }
}

static ALWAYS_INLINE bool run_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size < 8) {
        return memcmp(a, b, size) == 0;
    }
    for (size_t at = 0; at + 8 < size; at += 8) {
        if (octets_load_u64(a + at) != octets_load_u64(b + at)) {
            return false;
        }
    }
    return octets_load_u64(a + size - 8) == octets_load_u64(b + size - 8);
}

static ALWAYS_INLINE bool write_pointer(struct record_writer *w, unsigned place)
{
    if (UNLIKELY(w->limit - w->size < 2)) {
        return false;
    }
    put_u16(w->data + w->size, (uint16_t)(0xc000u | place));
    w->size += 2;
    return true;
}

/* One label in front of a tail that stands at `from`. */
static ALWAYS_INLINE bool write_label(struct record_writer *w, const uint8_t *label, unsigned from,
                                      unsigned *out_place)
{
    uint64_t hash = edge_hash(from, label);
    unsigned known = find(w, hash, from, label);
    if (known != 0) {
        *out_place = known;
        return write_pointer(w, known);
    }
    size_t size = 1u + *label;
    size_t place = w->size;
    if (UNLIKELY(w->limit - place < size + 2)) {
        return false;
    }
    octets_copy(w->data + place, label, size);
    put_u16(w->data + place + size, (uint16_t)(0xc000u | from));
    w->size = place + size + 2;
    *out_place = place < PLACE_LIMIT ? (unsigned)place : 0;
    remember(w, hash, from, place);
    return true;
}

/* Any name, from the root on. */
static bool write_labels(struct record_writer *w, const uint8_t *name, size_t size,
                         struct known_tail *tail, unsigned *out_place)
{
    uint8_t offsets[NAME_MAX_LABELS];
    unsigned count = 0;
    size_t at = 0;
    for (; name[at] != 0; at += 1u + name[at]) {
        offsets[count++] = (uint8_t)at;
    }
    offsets[count] = (uint8_t)at;
    bool has_tail = count > 1;
    unsigned known = ROOT_PLACE;
    unsigned tail_place = ROOT_PLACE;
    uint64_t hash = 0;
    while (count > 0) {
        const uint8_t *label = name + offsets[count - 1];
        hash = edge_hash(known, label);
        unsigned place = find(w, hash, known, label);
        tail_place = known;
        if (place == 0) {
            break;
        }
        known = place;
        count--;
    }
    size_t literal = offsets[count];
    size_t place = w->size;
    if (UNLIKELY(w->limit - place < literal + (known != ROOT_PLACE ? 2 : 1))) {
        return false;
    }
    octets_copy(w->data + place, name, literal);
    w->size = place + literal;
    if (known != ROOT_PLACE) {
        put_u16(w->data + w->size, (uint16_t)(0xc000u | known));
        w->size += 2;
    } else {
        w->data[w->size++] = 0;
    }
    if (count > 1) {
        size_t stands = place + offsets[1];
        tail_place = stands < PLACE_LIMIT ? (unsigned)stands : 0;
    }
    if (has_tail && tail_place != 0) {
        *tail = (struct known_tail){name + 1 + name[0], size - 1 - name[0], tail_place};
    }
    if (count == 0) {
        *out_place = known;
        return true;
    }
    *out_place = place < PLACE_LIMIT ? (unsigned)place : 0;
    remember_labels(w, name, offsets, count, known, hash, place);
    return true;
}

/*
 * Most names have all but their first label in common with the name before them in the same part,
 * or with the owner: what `tail` and `w->name` save is the way from the root.
 * False where it does not fit. *out_place: what a pointer to the whole name says; 0: none can.
 */
static ALWAYS_INLINE bool write_name(struct record_writer *w, const uint8_t *name, size_t size,
                                     struct known_tail *tail, unsigned *out_place)
{
    size_t label_size = 1u + *name;
    size_t rest = size - label_size; /* 0: it is the root */
    if (rest == tail->size && rest != 0 && run_equal(name + label_size, tail->bytes, rest)) {
        return write_label(w, name, tail->place, out_place);
    }
    if (rest == w->name.size && rest != 0 && run_equal(name + label_size, w->name.bytes, rest)) {
        return write_label(w, name, w->name.place, out_place);
    }
    return write_labels(w, name, size, tail, out_place);
}

static bool write_bytes(struct record_writer *w, const uint8_t *bytes, size_t size)
{
    if (size > w->limit - w->size) {
        return false;
    }
    if (size != 0) {
        memcpy(w->data + w->size, bytes, size);
        w->size += size;
    }
    return true;
}

static bool write_names(struct record_writer *w, uint16_t type, struct slice rdata)
{
    uint16_t places[RDATA_NAMES_MAX];
    size_t count = rdata_name_offsets(type, rdata, places);
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned place;
        size_t size = name_size(rdata.data + places[i]);
        if (!write_bytes(w, rdata.data + done, places[i] - done) ||
            !write_name(w, rdata.data + places[i], size, &w->target_tail, &place)) {
            return false;
        }
        done = places[i] + size;
    }
    return write_bytes(w, rdata.data + done, rdata.size - done);
}

static enum rdata_shape shape_of(uint16_t type)
{
    const uint8_t *fields = rrtype_get(type)->fields;
    if (fields[0] == FIELD_NAME_COMPRESS && fields[1] == FIELD_END) {
        return RDATA_IS_NAME;
    }
    for (; *fields != FIELD_END; fields++) {
        if (*fields == FIELD_NAME_COMPRESS) {
            return RDATA_HAS_NAMES;
        }
    }
    return RDATA_PLAIN;
}

void record_writer_init(struct record_writer *w, uint8_t *data, size_t size, size_t limit)
{
    REQUIRE(size >= MESSAGE_HEADER_SIZE && size <= limit);
    w->data = data;
    w->size = size;
    w->limit = limit;
    w->record_count = 0;
    w->name = w->owner_tail = w->target_tail = (struct known_tail){0};
    w->type = 0;
    w->shape = RDATA_PLAIN;
    w->name_count = 0;
    memset(w->slots, 0, sizeof(w->slots));
}

void record_writer_know(struct record_writer *w, size_t place)
{
    const uint8_t *name = w->data + place;
    uint8_t offsets[NAME_MAX_LABELS];
    unsigned count = name_label_offsets(name, offsets) - 1;
    if (count > 0) {
        remember_labels(w, name, offsets, count, ROOT_PLACE,
                        edge_hash(ROOT_PLACE, name + offsets[count - 1]), place);
    }
}

static ALWAYS_INLINE bool write_owner(struct record_writer *w, const uint8_t *owner)
{
    if (LIKELY(owner == w->name.bytes)) {
        return write_pointer(w, w->name.place);
    }
    size_t size = name_size(owner);
    if (size == w->name.size && run_equal(owner, w->name.bytes, size)) {
        return write_pointer(w, w->name.place);
    }
    unsigned place;
    if (!write_name(w, owner, size, &w->owner_tail, &place)) {
        return false;
    }
    w->name = place != 0 ? (struct known_tail){owner, size, place} : (struct known_tail){0};
    return true;
}

static ALWAYS_INLINE bool write_record(struct record_writer *w, const struct record *record)
{
    if (!write_owner(w, record->owner)) {
        return false;
    }
    size_t plain = w->shape == RDATA_PLAIN ? record->rdata.size : 0;
    if (UNLIKELY(w->limit - w->size < RECORD_FIXED_SIZE + plain)) {
        return false;
    }
    uint8_t *fixed = w->data + w->size;
    put_u16(fixed, record->type);
    put_u16(fixed + 2, record->class);
    put_u32(fixed + 4, record->ttl);
    w->size += RECORD_FIXED_SIZE;
    unsigned place;
    switch (w->shape) {
    case RDATA_PLAIN:
        octets_copy(w->data + w->size, record->rdata.data, plain);
        w->size += plain;
        break;
    case RDATA_IS_NAME:
        if (!write_name(w, record->rdata.data, record->rdata.size, &w->target_tail, &place)) {
            return false;
        }
        break;
    case RDATA_HAS_NAMES:
        if (!write_names(w, record->type, record->rdata)) {
            return false;
        }
        break;
    }
    put_u16(fixed + 8, (uint16_t)(w->data + w->size - fixed - RECORD_FIXED_SIZE));
    return true;
}

HOT bool record_writer_add(struct record_writer *w, const struct record *record)
{
    if (UNLIKELY(w->record_count == UINT16_MAX)) {
        return false;
    }
    if (record->type != w->type) {
        w->type = record->type;
        w->shape = shape_of(record->type);
    }
    size_t size = w->size;
    unsigned names = w->name_count;
    if (UNLIKELY(!write_record(w, record))) {
        forget(w, names);
        w->size = size;
        w->name = w->owner_tail = w->target_tail = (struct known_tail){0};
        return false;
    }
    w->record_count++;
    return true;
}
