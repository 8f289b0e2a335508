/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fingerprint: LtHash16 over canonical records.
 *
 * A record becomes 32 octets (SHA-256 of its canonical form: owner in lower case, type, class, TTL,
 * rdlength, canonical rdata of RFC 4034 6.2), these become 2048 octets (the AES-256-CTR keystream
 * under that key, counter from zero), and these are 1024 numbers of 16 bits in network order, which
 * are added lane by lane modulo 2^16. The fingerprint of a set is the sum over its records.
 *
 * Why lanes and not a sum of 256-bit hashes: with plain sums modulo 2^256 a second set with the
 * same sum is found by the generalized birthday attack (Wagner 2002) in about 2^(2 sqrt 256) = 2^32
 * steps. With 1024 lanes of 16 bits a collision is a short vector in a random lattice (Bellare and
 * Micciancio 1997; Lewi and others 2019), estimated at 200 bits of work or more.
 * Why AES to widen: it is the fastest wide generator that today's processors have, and needs from
 * AES only that its keystream looks random under a key that is itself a hash.
 *
 * Adding commutes, so the path that led to a set does not matter, and a delta of k changes costs k
 * expansions. A record is counted as often as it is added; sets with unique records are the
 * caller's business (a version has them).
 */
#include "zone/fingerprint.h"

#include <nettle/aes.h>
#include <nettle/ctr.h>
#include <nettle/sha2.h>

#include "base/memory.h"
#include "wire/name.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/delta.h"
#include "zone/fingerprint_impl.h"
#include "zone/version.h"

void fingerprint_record_key(const struct record *record, uint8_t out[FINGERPRINT_KEY_SIZE])
{
    struct sha256_ctx hash;
    uint8_t head[NAME_MAX_SIZE + 10];
    size_t size = name_size(record->owner);
    memcpy(head, record->owner, size);
    name_lower(head);
    put_u16(head + size, record->type);
    put_u16(head + size + 2, record->class);
    put_u32(head + size + 4, record->ttl);
    put_u16(head + size + 8, (uint16_t)record->rdata.size);
    sha256_init(&hash);
    sha256_update(&hash, size + 10, head);
    if (record->rdata.size == 0) {
        sha256_digest(&hash, FINGERPRINT_KEY_SIZE, out);
        return;
    }
    if ((rrtype_get(record->type)->flags & RRTYPE_CANONICAL_NAMES) == 0) {
        sha256_update(&hash, record->rdata.size, record->rdata.data);
    } else {
        uint8_t small[1024];
        uint8_t *copy =
            record->rdata.size <= sizeof(small) ? small : memory_new(record->rdata.size);
        memcpy(copy, record->rdata.data, record->rdata.size);
        rdata_canonicalize(record->type, copy, record->rdata.size);
        sha256_update(&hash, record->rdata.size, copy);
        if (copy != small) {
            memory_free(copy);
        }
    }
    sha256_digest(&hash, FINGERPRINT_KEY_SIZE, out);
}

void fingerprint_kernel_portable(uint16_t lanes[FINGERPRINT_LANES],
                                 const uint8_t key[FINGERPRINT_KEY_SIZE], bool removes)
{
    static const uint8_t zeros[2 * FINGERPRINT_LANES];
    uint8_t stream[2 * FINGERPRINT_LANES];
    uint8_t counter[AES_BLOCK_SIZE] = {0};
    struct aes256_ctx cipher;
    aes256_set_encrypt_key(&cipher, key);
    ctr_crypt(&cipher, (nettle_cipher_func *)aes256_encrypt, AES_BLOCK_SIZE, counter,
              sizeof(stream), stream, zeros);
    for (unsigned i = 0; i < FINGERPRINT_LANES; i++) {
        unsigned value = get_u16(stream + (size_t)2 * i);
        lanes[i] = (uint16_t)(removes ? lanes[i] - value : lanes[i] + value);
    }
}

static fingerprint_kernel *best_kernel(void)
{
    fingerprint_kernel *kernel = fingerprint_kernel_aesni();
    return kernel != NULL ? kernel : fingerprint_kernel_portable;
}

static void change(struct fingerprint *fp, const struct record *record, bool removes)
{
    uint8_t key[FINGERPRINT_KEY_SIZE];
    fingerprint_record_key(record, key);
    best_kernel()(fp->lanes, key, removes);
}

void fingerprint_init(struct fingerprint *fp)
{
    memset(fp, 0, sizeof(*fp));
}

void fingerprint_add(struct fingerprint *fp, const struct record *record)
{
    change(fp, record, false);
}

void fingerprint_remove(struct fingerprint *fp, const struct record *record)
{
    change(fp, record, true);
}

void fingerprint_combine(struct fingerprint *fp, const struct fingerprint *other)
{
    for (unsigned i = 0; i < FINGERPRINT_LANES; i++) {
        fp->lanes[i] = (uint16_t)(fp->lanes[i] + other->lanes[i]);
    }
}

void fingerprint_digest(const struct fingerprint *fp, uint8_t out[FINGERPRINT_DIGEST_SIZE])
{
    uint8_t bytes[2 * FINGERPRINT_LANES];
    struct sha256_ctx hash;
    for (unsigned i = 0; i < FINGERPRINT_LANES; i++) {
        put_u16(bytes + (size_t)2 * i, fp->lanes[i]);
    }
    sha256_init(&hash);
    sha256_update(&hash, sizeof(bytes), bytes);
    sha256_digest(&hash, FINGERPRINT_DIGEST_SIZE, out);
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->lanes, b->lanes, sizeof(a->lanes)) == 0;
}

void fingerprint_of_version(struct fingerprint *out, const struct zone_version *version)
{
    struct zone_cursor cursor;
    uint16_t class = zone_version_class(version);
    fingerprint_init(out);
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            record.class = class;
            fingerprint_add(out, &record);
        }
    }
}

void fingerprint_apply_delta(struct fingerprint *fp, const struct delta *delta)
{
    for (size_t i = 0; i < delta_count(delta); i++) {
        struct record record;
        bool removes;
        delta_get(delta, i, &removes, &record);
        change(fp, &record, removes);
    }
}
