/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing messages under a size limit, with name compression (RFC 1035 4.1.4).
 *
 * Compression remembers each tail of each name written: its place, and a hash in an open table with
 * linear probing. To write a name, the hashes of all its tails come in one pass from the right, and
 * the longest tail that is known becomes a pointer. A hash without case finds candidates, but only
 * a tail that is the same octet for octet is pointed at: every name is promised to leave in the
 * case its author wrote, and a pointer to another spelling would break that (RFC 4343 4.1).
 *
 * Names are remembered in the order of their places, and the table is filled in that order. So
 * taking back what was written last is exact: the newest names leave the table in reverse, which
 * linear probing allows without tombstones, and no pointer can lead to what is gone.
 *
 * Only names that RFC 1035 defined are compressed inside rdata (RFC 3597 4): fields of kind
 * FIELD_NAME_COMPRESS in the table of types. Places from 0x4000 on cannot be pointed at and are not
 * remembered.
 */
#include "wire/message.h"

#include <string.h>

enum { POINTER_LIMIT = 0x4000, RECORD_FIXED_SIZE = 10, RDATA_NAMES_MAX = 4 };

static const uint64_t tail_key = 0x2545f4914f6cdd1du;

void message_writer_init(struct message_writer *w, uint8_t *data, size_t limit, uint16_t id,
                         uint16_t flags)
{
    REQUIRE(limit >= MESSAGE_HEADER_SIZE && limit <= MESSAGE_MAX_SIZE);
    w->data = data;
    w->size = MESSAGE_HEADER_SIZE;
    w->limit = limit;
    w->reserved = 0;
    memset(w->counts, 0, sizeof(w->counts));
    w->name_count = 0;
    memset(w->table, 0, sizeof(w->table));
    put_u16(data, id);
    put_u16(data + 2, flags);
    memset(data + 4, 0, MESSAGE_HEADER_SIZE - 4);
}

static size_t room(const struct message_writer *w)
{
    size_t used = w->size + w->reserved;
    return used < w->limit ? w->limit - used : 0;
}

/* Whether the name written at `place` is `tail`, octet for octet. */
static bool written_equal(const struct message_writer *w, size_t place, const uint8_t *tail)
{
    for (;;) {
        uint8_t length = w->data[place];
        if (length > LABEL_MAX_SIZE) {
            place = get_u16(w->data + place) & 0x3fffu;
            continue;
        }
        if (length != *tail || memcmp(w->data + place + 1, tail + 1, length) != 0) {
            return false;
        }
        if (length == 0) {
            return true;
        }
        place += 1u + length;
        tail += 1u + length;
    }
}

/* The place of a written name that equals `tail`, or 0 (the header's own place) for none. */
static size_t find_tail(const struct message_writer *w, uint32_t hash, const uint8_t *tail)
{
    for (size_t slot = hash % WRITER_TABLE; w->table[slot] != 0; slot = (slot + 1) % WRITER_TABLE) {
        unsigned index = w->table[slot] - 1u;
        if (w->name_hashes[index] == hash && written_equal(w, w->name_offsets[index], tail)) {
            return w->name_offsets[index];
        }
    }
    return 0;
}

static void remember_tail(struct message_writer *w, uint32_t hash, size_t place)
{
    if (w->name_count == WRITER_NAMES || place >= POINTER_LIMIT) {
        return;
    }
    size_t slot = hash % WRITER_TABLE;
    while (w->table[slot] != 0) {
        slot = (slot + 1) % WRITER_TABLE;
    }
    w->name_offsets[w->name_count] = (uint16_t)place;
    w->name_hashes[w->name_count] = hash;
    w->name_count++;
    w->table[slot] = w->name_count;
}

/* Forgets names until `count` are left. */
static void forget_tails(struct message_writer *w, unsigned count)
{
    while (w->name_count > count) {
        size_t slot = w->name_hashes[w->name_count - 1] % WRITER_TABLE;
        while (w->table[slot] != w->name_count) {
            slot = (slot + 1) % WRITER_TABLE;
        }
        w->table[slot] = 0;
        w->name_count--;
    }
}

HOT static bool write_name(struct message_writer *w, const uint8_t *name)
{
    uint8_t offsets[NAME_MAX_LABELS];
    uint32_t hashes[NAME_MAX_LABELS];
    unsigned labels = name_label_offsets(name, offsets) - 1;
    uint64_t hash = tail_key;
    for (unsigned i = labels; i > 0; i--) {
        hash = name_hash_label(hash, name + offsets[i - 1]);
        hashes[i - 1] = (uint32_t)hash;
    }
    unsigned fresh = 0; /* labels in front of the known tail */
    size_t known = 0;
    for (; fresh < labels; fresh++) {
        known = find_tail(w, hashes[fresh], name + offsets[fresh]);
        if (known != 0) {
            break;
        }
    }
    size_t literal = offsets[fresh];
    size_t size = literal + (known != 0 ? 2 : 1);
    if (size > room(w)) {
        return false;
    }
    size_t place = w->size;
    memcpy(w->data + place, name, literal);
    if (known != 0) {
        put_u16(w->data + place + literal, (uint16_t)(0xc000u | known));
    } else {
        w->data[place + literal] = 0;
    }
    w->size += size;
    for (unsigned i = 0; i < fresh; i++) {
        remember_tail(w, hashes[i], place + offsets[i]);
    }
    return true;
}

static bool write_bytes(struct message_writer *w, const uint8_t *bytes, size_t size)
{
    if (size > room(w)) {
        return false;
    }
    if (size != 0) {
        memcpy(w->data + w->size, bytes, size);
        w->size += size;
    }
    return true;
}

static bool type_compresses(uint16_t type)
{
    const struct rrtype *rrtype = rrtype_get(type);
    for (size_t i = 0; i < ARRAY_SIZE(rrtype->fields) && rrtype->fields[i] != FIELD_END; i++) {
        if (rrtype->fields[i] == FIELD_NAME_COMPRESS) {
            return true;
        }
    }
    return false;
}

static bool write_rdata(struct message_writer *w, uint16_t type, struct slice rdata)
{
    size_t done = 0;
    /* Records without data stand in UPDATE messages (RFC 2136 2.4). */
    if (rdata.size != 0 && type_compresses(type)) {
        uint16_t places[RDATA_NAMES_MAX];
        size_t count = rdata_name_offsets(type, rdata, places);
        for (size_t i = 0; i < count; i++) {
            if (!write_bytes(w, rdata.data + done, places[i] - done) ||
                !write_name(w, rdata.data + places[i])) {
                return false;
            }
            done = places[i] + name_size(rdata.data + places[i]);
        }
    }
    return write_bytes(w, rdata.data + done, rdata.size - done);
}

bool message_write_question(struct message_writer *w, const uint8_t *name, uint16_t type,
                            uint16_t class)
{
    size_t start = w->size;
    uint8_t fixed[4];
    put_u16(fixed, type);
    put_u16(fixed + 2, class);
    if (!write_name(w, name) || !write_bytes(w, fixed, sizeof(fixed))) {
        message_writer_rewind(w, start, w->counts);
        return false;
    }
    w->counts[SECTION_QUESTION]++;
    return true;
}

HOT bool message_write_record(struct message_writer *w, enum section section,
                              const struct record *record)
{
    REQUIRE(section != SECTION_QUESTION);
    size_t start = w->size;
    uint8_t fixed[RECORD_FIXED_SIZE];
    put_u16(fixed, record->type);
    put_u16(fixed + 2, record->class);
    put_u32(fixed + 4, record->ttl);
    put_u16(fixed + 8, 0);
    if (!write_name(w, record->owner) || !write_bytes(w, fixed, sizeof(fixed))) {
        message_writer_rewind(w, start, w->counts);
        return false;
    }
    size_t rdata_start = w->size;
    if (!write_rdata(w, record->type, record->rdata)) {
        message_writer_rewind(w, start, w->counts);
        return false;
    }
    put_u16(w->data + rdata_start - 2, (uint16_t)(w->size - rdata_start));
    w->counts[section]++;
    return true;
}

void message_writer_rewind(struct message_writer *w, size_t size, const uint16_t counts[4])
{
    REQUIRE(size >= MESSAGE_HEADER_SIZE && size <= w->size);
    unsigned kept = w->name_count;
    while (kept > 0 && w->name_offsets[kept - 1] >= size) {
        kept--;
    }
    forget_tails(w, kept);
    w->size = size;
    memmove(w->counts, counts, sizeof(w->counts));
}

void message_writer_set_flags(struct message_writer *w, uint16_t flags)
{
    put_u16(w->data + 2, flags);
}

struct slice message_writer_finish(struct message_writer *w)
{
    for (unsigned section = 0; section < 4; section++) {
        put_u16(w->data + 4 + 2 * section, w->counts[section]);
    }
    return slice_of(w->data, w->size);
}
