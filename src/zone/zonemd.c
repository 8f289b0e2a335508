/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ZONEMD, RFC 8976: the scheme SIMPLE with SHA-384 and SHA-512.
 *
 * The digest goes over all records of the zone in canonical order (RFC 4034 6, names within rdata
 * in lower case where 6.2 says so), each in its wire form: owner, type, class, TTL, rdlength,
 * rdata. Left out are the ZONEMD RRset of the apex and the RRSIG over it. Glue and what is
 * occluded are in. A version keeps its owners, types and rdata in that very order, so this is one
 * walk; it costs the whole zone, also after a transfer of one record, which is why the everyday
 * check of copies is the fingerprint (fingerprint.h) and this one is made only where the zone
 * carries the record.
 *
 * A record counts only where its serial is the zone's, its scheme and algorithm are known, and no
 * other record at the apex has the same two (RFC 8976 4). One that fits is enough.
 */
#include "zone/zonemd.h"

#include <nettle/sha2.h>

#include "base/memory.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"

enum { HEAD_SIZE = 6, SHA384_SIZE = 48, SHA512_SIZE = 64 };

static size_t digest_size(uint8_t algorithm)
{
    return algorithm == ZONEMD_SHA384 ? SHA384_SIZE : algorithm == ZONEMD_SHA512 ? SHA512_SIZE : 0;
}

/* Both algorithms run on the same state; only their beginning and their end differ. */
static void add_record(struct sha512_ctx *hash, const struct record *record)
{
    uint8_t head[NAME_MAX_SIZE + 10];
    size_t size = name_size(record->owner);
    memcpy(head, record->owner, size);
    name_lower(head);
    put_u16(head + size, record->type);
    put_u16(head + size + 2, record->class);
    put_u32(head + size + 4, record->ttl);
    put_u16(head + size + 8, (uint16_t)record->rdata.size);
    sha512_update(hash, size + 10, head);
    if (record->rdata.size == 0) {
        return;
    }
    if ((rrtype_get(record->type)->flags & RRTYPE_CANONICAL_NAMES) == 0) {
        sha512_update(hash, record->rdata.size, record->rdata.data);
        return;
    }
    uint8_t small[1024];
    uint8_t *copy = record->rdata.size <= sizeof(small) ? small : memory_new(record->rdata.size);
    memcpy(copy, record->rdata.data, record->rdata.size);
    rdata_canonicalize(record->type, copy, record->rdata.size);
    sha512_update(hash, record->rdata.size, copy);
    if (copy != small) {
        memory_free(copy);
    }
}

static bool is_left_out(const struct owner *owner, const struct record *record)
{
    return (owner->flags & OWNER_APEX) != 0 &&
           (record->type == TYPE_ZONEMD ||
            (record->type == TYPE_RRSIG && get_u16(record->rdata.data) == TYPE_ZONEMD));
}

size_t zonemd_compute(const struct zone_version *version, uint8_t algorithm,
                      uint8_t out[ZONEMD_DIGEST_MAX])
{
    struct sha512_ctx hash;
    struct zone_cursor cursor;
    size_t size = digest_size(algorithm);
    if (size == 0) {
        return 0;
    }
    if (algorithm == ZONEMD_SHA384) {
        sha384_init(&hash);
    } else {
        sha512_init(&hash);
    }
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            record.class = zone_version_class(version);
            if (!is_left_out(cursor.owner, &record)) {
                add_record(&hash, &record);
            }
        }
    }
    if (algorithm == ZONEMD_SHA384) {
        sha384_digest(&hash, size, out);
    } else {
        sha512_digest(&hash, size, out);
    }
    return size;
}

static bool is_known(struct slice rdata)
{
    return rdata.size >= HEAD_SIZE && rdata.data[4] == ZONEMD_SCHEME_SIMPLE &&
           digest_size(rdata.data[5]) != 0;
}

/* How many records of the set have this one's scheme and algorithm. */
static unsigned count_alike(const struct rrset *set, struct slice wanted)
{
    unsigned count = 0;
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(set, &offset, &rdata)) {
        count += rdata.size >= HEAD_SIZE && rdata.data[4] == wanted.data[4] &&
                 rdata.data[5] == wanted.data[5];
    }
    return count;
}

static enum zonemd_verdict judge(const struct zone_version *version, const struct rrset *set,
                                 struct slice rdata, struct error *err)
{
    uint8_t digest[ZONEMD_DIGEST_MAX];
    const char *name = rdata.data[5] == ZONEMD_SHA384 ? "SHA-384" : "SHA-512";
    struct serial serial = zone_version_serial(version);
    if (get_u32(rdata.data) != serial.value) {
        error_set(err, ERR_FORMAT,
                  "its ZONEMD record is of serial %u, the zone has %u: it was changed after the "
                  "digest was made",
                  get_u32(rdata.data), serial.value);
        return ZONEMD_WRONG;
    }
    if (count_alike(set, rdata) != 1) {
        error_set(err, ERR_FORMAT, "it has several ZONEMD records with scheme 1 and %s", name);
        return ZONEMD_WRONG;
    }
    size_t size = zonemd_compute(version, rdata.data[5], digest);
    if (rdata.size - HEAD_SIZE != size || memcmp(rdata.data + HEAD_SIZE, digest, size) != 0) {
        error_set(err, ERR_FORMAT,
                  "its records do not have the %s digest that its ZONEMD record states", name);
        return ZONEMD_WRONG;
    }
    return ZONEMD_VERIFIED;
}

enum zonemd_verdict zonemd_verify(const struct zone_version *version, struct error *err)
{
    struct rrset set;
    if (!owner_find_rrset(zone_version_apex(version), TYPE_ZONEMD, &set)) {
        return ZONEMD_ABSENT;
    }
    enum zonemd_verdict verdict = ZONEMD_UNSUPPORTED;
    struct error why = {0};
    size_t offset = 0;
    struct slice rdata;
    while (verdict != ZONEMD_VERIFIED && rrset_next_rdata(&set, &offset, &rdata)) {
        if (is_known(rdata)) {
            why = (struct error){0};
            verdict = judge(version, &set, rdata, &why);
        }
    }
    if (verdict == ZONEMD_WRONG && err != NULL) {
        *err = why;
    } else if (verdict == ZONEMD_UNSUPPORTED) {
        error_set(err, ERR_NOT_FOUND,
                  "its ZONEMD records have schemes or algorithms that are not known here (known: "
                  "scheme 1 with algorithm 1 or 2)");
    }
    return verdict;
}
