/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing a response.
 *
 * Compression. Every tail of every name written is remembered (its offset and 16 bits of a hash of
 * its labels without case) in a small chained table; a name is written as its labels up to the
 * longest tail that is there already. Matching ignores case, so a name may take over the case of
 * the question: it is equal by RFC 4343, and the densest. Offsets from 0x4000 on cannot be pointed
 * at and are not remembered. When the table is full, later names only use what is in it.
 *
 * The table is made when the first name is compressed, and filled with the question's tails then:
 * an answer that needs only pointers to the question, such as any with addresses alone, never pays
 * for it. Entries are taken back in the order they were made (response_rewind), since the newest of
 * a bucket is its head.
 *
 * Which rdata is compressed follows from the table of record types: only names that RFC 3597 4
 * allows, and those stand in the first two fields of a type (CNAME, NS, PTR, MX, SOA …).
 */
#include "answer/response.h"

#include "base/hash.h"
#include "wire/rrtype.h"

enum { RECORD_FIXED_SIZE = 10, POINTER_LIMIT = 0x4000 };

#define FOLD 0x2020202020202020u

/* The hash of a label put before a tail. Folding by OR makes some different labels equal; the
 * comparison that follows tells them apart. */
static ALWAYS_INLINE uint64_t tail_hash(uint64_t tail, const uint8_t *label)
{
    size_t size = *label;
    const uint8_t *p = label + 1;
    uint64_t word;
    uint32_t low;
    uint32_t high;
    tail ^= size;
    while (size > 8) {
        memcpy(&word, p, 8);
        tail = hash_mix(tail ^ (word | FOLD), 0xa0761d6478bd642fu);
        p += 8;
        size -= 8;
    }
    if (size == 8) {
        memcpy(&word, p, 8);
    } else if (size >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + size - 4, 4);
        word = (uint64_t)high << 32 | low;
    } else {
        word = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
    }
    return hash_mix(tail ^ (word | FOLD), 0xe7037ed1a0b428dbu);
}

static ALWAYS_INLINE uint8_t fold(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

/* The name at `at` in the message (written by us: its pointers lead backward) is `name`. */
static bool name_stands_at(const struct response *r, size_t at, const uint8_t *name)
{
    for (;;) {
        while (r->data[at] >= 0xc0) {
            at = get_u16(r->data + at) & (POINTER_LIMIT - 1);
        }
        unsigned size = r->data[at];
        if (size != *name) {
            return false;
        }
        if (size == 0) {
            return true;
        }
        for (unsigned i = 1; i <= size; i++) {
            if (r->data[at + i] != name[i] && fold(r->data[at + i]) != fold(name[i])) {
                return false;
            }
        }
        at += 1 + size;
        name += 1 + size;
    }
}

static void remember(struct response *r, size_t offset, uint64_t hash)
{
    if (offset >= POINTER_LIMIT || r->name_count == RESPONSE_NAMES) {
        return;
    }
    uint8_t *head = &r->heads[hash % RESPONSE_BUCKETS];
    r->names[r->name_count].offset = (uint16_t)offset;
    r->names[r->name_count].tag = (uint16_t)(hash >> 16);
    r->names[r->name_count].next = *head;
    *head = ++r->name_count;
}

static uint16_t recall(const struct response *r, const uint8_t *name, uint64_t hash)
{
    for (unsigned i = r->heads[hash % RESPONSE_BUCKETS]; i != 0; i = r->names[i - 1].next) {
        if (r->names[i - 1].tag == (uint16_t)(hash >> 16) &&
            name_stands_at(r, r->names[i - 1].offset, name)) {
            return r->names[i - 1].offset;
        }
    }
    return 0;
}

/* Label starts and the hashes of the tails that begin there; the root is left out. */
struct tails {
    unsigned count;
    size_t size; /* of the name */
    uint8_t offsets[NAME_MAX_LABELS];
    uint64_t hashes[NAME_MAX_LABELS];
};

static void find_tails(struct tails *tails, const uint8_t *name)
{
    size_t at = 0;
    unsigned count = 0;
    for (; name[at] != 0; at += 1 + (size_t)name[at]) {
        tails->offsets[count++] = (uint8_t)at;
    }
    tails->count = count;
    tails->size = at + 1;
    uint64_t hash = 0;
    while (count-- != 0) {
        hash = tail_hash(hash, name + tails->offsets[count]);
        tails->hashes[count] = hash;
    }
}

static void remember_question(struct response *r)
{
    struct tails tails;
    memset(r->heads, 0, sizeof(r->heads));
    r->name_count = 0;
    r->table_ready = true;
    if (r->qname_size != 0) {
        find_tails(&tails, r->data + MESSAGE_HEADER_SIZE);
        for (unsigned i = tails.count; i-- != 0;) {
            remember(r, MESSAGE_HEADER_SIZE + (size_t)tails.offsets[i], tails.hashes[i]);
        }
    }
}

static bool fits(const struct response *r, size_t size)
{
    return size <= r->limit - r->size;
}

static bool write_name(struct response *r, const uint8_t *name)
{
    if (*name == 0) {
        if (!fits(r, 1)) {
            return false;
        }
        r->data[r->size++] = 0;
        r->last_name = 0;
        return true;
    }
    if (!r->table_ready) {
        remember_question(r);
    }
    struct tails tails;
    find_tails(&tails, name);
    uint16_t target = 0;
    unsigned fresh = 0;
    while (fresh < tails.count &&
           (target = recall(r, name + tails.offsets[fresh], tails.hashes[fresh])) == 0) {
        fresh++;
    }
    size_t literal = fresh == tails.count ? tails.size : tails.offsets[fresh];
    if (!fits(r, literal + (target != 0 ? 2 : 0))) {
        return false;
    }
    uint8_t *out = r->data + r->size;
    memcpy(out, name, literal);
    for (unsigned i = fresh; i-- != 0;) {
        remember(r, r->size + tails.offsets[i], tails.hashes[i]);
    }
    r->last_name = literal == 0 ? target : (uint16_t)(r->size < POINTER_LIMIT ? r->size : 0);
    r->size += literal;
    if (target != 0) {
        put_u16(out + literal, 0xc000 | target);
        r->size += 2;
    }
    return true;
}

static bool write_owner(struct response *r, struct response_owner *owner)
{
    if (owner->offset != 0) {
        if (!fits(r, 2)) {
            return false;
        }
        put_u16(r->data + r->size, 0xc000 | owner->offset);
        r->size += 2;
        return true;
    }
    if (!write_name(r, owner->name)) {
        return false;
    }
    owner->offset = r->last_name;
    return true;
}

static bool write_bytes(struct response *r, const uint8_t *bytes, size_t size)
{
    if (!fits(r, size)) {
        return false;
    }
    memcpy(r->data + r->size, bytes, size);
    r->size += size;
    return true;
}

/* Rdata that begins `before` octets before its first compressible name. */
static bool write_compressed_rdata(struct response *r, const struct rrtype *rrtype,
                                   struct slice rdata)
{
    size_t length_at = r->size;
    size_t at = 0;
    if (!fits(r, 2)) {
        return false;
    }
    r->size += 2;
    for (const uint8_t *field = rrtype->fields; at < rdata.size; field++) {
        if (*field == FIELD_NAME_COMPRESS) {
            if (!write_name(r, rdata.data + at)) {
                return false;
            }
            at += name_size(rdata.data + at);
        } else if (*field == FIELD_U16) {
            if (!write_bytes(r, rdata.data + at, 2)) {
                return false;
            }
            at += 2;
        } else {
            if (!write_bytes(r, rdata.data + at, rdata.size - at)) {
                return false;
            }
            at = rdata.size;
        }
    }
    put_u16(r->data + length_at, (uint16_t)(r->size - length_at - 2));
    return true;
}

static bool write_records(struct response *r, struct response_owner owner,
                          const struct rrset *rrset, uint16_t class, uint32_t ttl)
{
    const struct rrtype *rrtype = rrtype_get(rrset->type);
    bool compresses =
        rrtype->fields[0] == FIELD_NAME_COMPRESS || rrtype->fields[1] == FIELD_NAME_COMPRESS;
    const uint8_t *p = rrset->records.data;
    const uint8_t *end = p + rrset->records.size;
    while (p != end) {
        size_t with_length = 2 + (size_t)get_u16(p);
        if (!write_owner(r, &owner) || !fits(r, 8)) {
            return false;
        }
        uint8_t *out = r->data + r->size;
        put_u16(out, rrset->type);
        put_u16(out + 2, class);
        put_u32(out + 4, ttl);
        r->size += 8;
        if (!(compresses ? write_compressed_rdata(r, rrtype, slice_of(p + 2, with_length - 2))
                         : write_bytes(r, p, with_length))) {
            return false;
        }
        p += with_length;
    }
    return true;
}

void response_begin(struct response *r, uint8_t *data, size_t limit, const struct query *query)
{
    r->data = data;
    r->size = MESSAGE_HEADER_SIZE;
    r->limit = limit;
    memset(r->counts, 0, sizeof(r->counts));
    r->last_name = 0;
    r->qname_size = 0;
    r->name_count = 0;
    r->table_ready = false;
    if (query->has_question) {
        size_t size = query->question_end - MESSAGE_HEADER_SIZE;
        memcpy(data + MESSAGE_HEADER_SIZE, query->qname, size);
        r->size += size;
        r->counts[SECTION_QUESTION] = 1;
        r->qname_size = query->qname_size;
    }
    REQUIRE(r->size <= limit);
}

bool response_write_rrset(struct response *r, enum section section, struct response_owner owner,
                          const struct rrset *rrset, uint16_t class, uint32_t ttl)
{
    struct response_mark mark = response_mark(r);
    if (!write_records(r, owner, rrset, class, ttl) ||
        r->counts[section] + rrset->count > UINT16_MAX) {
        response_rewind(r, &mark);
        return false;
    }
    r->counts[section] = (uint16_t)(r->counts[section] + rrset->count);
    return true;
}

struct response_mark response_mark(const struct response *r)
{
    struct response_mark mark = {.size = r->size};
    memcpy(mark.counts, r->counts, sizeof(mark.counts));
    return mark;
}

void response_rewind(struct response *r, const struct response_mark *mark)
{
    r->size = mark->size;
    memcpy(r->counts, mark->counts, sizeof(r->counts));
    r->last_name = 0;
    /* The newest first, so each is the head of its bucket. Buckets are found by their heads. */
    while (r->name_count != 0 && r->names[r->name_count - 1].offset >= mark->size) {
        unsigned bucket = 0;
        while (r->heads[bucket] != r->name_count) {
            bucket++;
        }
        r->heads[bucket] = r->names[r->name_count - 1].next;
        r->name_count--;
    }
}

size_t response_finish(struct response *r, uint16_t id, uint16_t flags)
{
    put_u16(r->data, id);
    put_u16(r->data + 2, flags);
    for (unsigned i = 0; i < 4; i++) {
        put_u16(r->data + 4 + 2 * (size_t)i, r->counts[i]);
    }
    return r->size;
}
