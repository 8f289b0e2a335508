/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signing and verifying (RFC 8945 5). What each MAC is over, in order (4.3):
 *
 *   request           the message, the variables (names, time, fudge, error, other data)
 *   first response    the MAC of the request, the message, the variables
 *   further ones      the MAC of the signed message before, every message since then that was not
 *                     signed, this message, time and fudge
 *
 * A MAC that is part of another one goes in as it went over the wire: cut, and with its size before
 * it. We sign every message; from others we take up to 99 unsigned ones in between (5.3.1).
 *
 * A request is judged in the order of 5.2: key, MAC, time, truncation. So nothing of it but two
 * names has been believed, and no MAC has been computed, when an unknown key is refused; and only
 * who knows the secret ever gets a signature, BADTIME and BADTRUNC included. A MAC from an
 * unverified request is never fed to a key that signs: otherwise a stranger could have us sign what
 * he likes (CVE-2017-3142 and 3143 of another server were that).
 *
 * Times are compared by their distance, so a clock that is off by years is an error like any other.
 */
#include "wire/tsig.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "base/secret.h"
#include "wire/message.h"
#include "wire/tsig_impl.h"

enum { OTHER_TIME_SIZE = 6, MAC_MIN_SIZE = 10, KEY_SHOWN = 160 };

struct tsig_key {
    _Atomic uint32_t references;
    struct name name;      /* lower case */
    struct name algorithm; /* lower case */
    struct hmac_key hmac;
    uint8_t mac_size; /* octets sent, and least octets taken */
};

static const struct {
    const char *name;
    const char *wire;
} algorithms[] = {
    [HMAC_MD5] = {"hmac-md5", "\x08hmac-md5\x07sig-alg\x03reg\x03int"},
    [HMAC_SHA1] = {"hmac-sha1", "\x09hmac-sha1"},
    [HMAC_SHA224] = {"hmac-sha224", "\x0bhmac-sha224"},
    [HMAC_SHA256] = {"hmac-sha256", "\x0bhmac-sha256"},
    [HMAC_SHA384] = {"hmac-sha384", "\x0bhmac-sha384"},
    [HMAC_SHA512] = {"hmac-sha512", "\x0bhmac-sha512"},
};

const char *hmac_algorithm_name(enum hmac_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

/* ---- keys ---- */

/* RFC 8945 5.2.2.1: never fewer octets than these. */
static size_t mac_min_size(enum hmac_algorithm algorithm)
{
    size_t half = hmac_size(algorithm) / 2;
    return half > MAC_MIN_SIZE ? half : MAC_MIN_SIZE;
}

struct tsig_key *tsig_key_new(const uint8_t *name, enum hmac_algorithm algorithm,
                              struct slice secret, unsigned digest_bits)
{
    struct tsig_key *key = secret_new(sizeof(*key));
    size_t mac_size = digest_bits == 0 ? hmac_size(algorithm) : digest_bits / 8;
    REQUIRE(digest_bits % 8 == 0 && mac_size <= hmac_size(algorithm) &&
            mac_size >= mac_min_size(algorithm));
    atomic_init(&key->references, 1);
    name_copy(&key->name, name);
    name_lower(key->name.wire);
    name_copy(&key->algorithm, slice_str(algorithms[algorithm].wire).data);
    hmac_key_init(&key->hmac, algorithm, secret);
    key->mac_size = (uint8_t)mac_size;
    return key;
}

struct tsig_key *tsig_key_ref(struct tsig_key *key)
{
    if (key != NULL) {
        atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    }
    return key;
}

void tsig_key_unref(struct tsig_key *key)
{
    if (key != NULL && atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) == 1) {
        hmac_key_deinit(&key->hmac);
        secret_free(key);
    }
}

const uint8_t *tsig_key_name(const struct tsig_key *key)
{
    return key->name.wire;
}

enum hmac_algorithm tsig_key_algorithm(const struct tsig_key *key)
{
    return key->hmac.algorithm;
}

unsigned tsig_key_digest_bits(const struct tsig_key *key)
{
    return key->mac_size == hmac_size(key->hmac.algorithm) ? 0 : key->mac_size * 8u;
}

size_t tsig_key_room(const struct tsig_key *key)
{
    return key == NULL ? 0
                       : tsig_record_size(key->name.size, key->algorithm.size, key->mac_size,
                                          OTHER_TIME_SIZE);
}

size_t tsig_key_record_size(const struct tsig_key *key)
{
    return key == NULL ? 0
                       : tsig_record_size(key->name.size, key->algorithm.size, key->mac_size, 0);
}

/* ---- signing ---- */

static struct tsig_record record_of(const struct tsig_key *key, const uint8_t *message,
                                    int64_t now_s)
{
    struct tsig_record record = {
        .time_s = (uint64_t)now_s & 0xffffffffffffu,
        .fudge_s = TSIG_FUDGE_S,
        .original_id = get_u16(message),
    };
    name_copy(&record.key_name, key->name.wire);
    name_copy(&record.algorithm, key->algorithm.wire);
    return record;
}

/* Ends `hmac` into the exchange's MAC and appends the record. */
static size_t finish(struct tsig *tsig, struct hmac *hmac, struct tsig_record *record,
                     uint8_t *message, size_t size, size_t limit)
{
    tsig->mac_size = tsig->key->mac_size;
    hmac_end(hmac, tsig->mac, tsig->mac_size);
    record->mac = slice_of(tsig->mac, tsig->mac_size);
    return tsig_record_append(record, message, size, limit);
}

size_t tsig_sign_request(struct tsig *tsig, struct tsig_key *key, uint8_t *message, size_t size,
                         size_t limit, int64_t now_s)
{
    struct hmac hmac;
    struct tsig_record record = record_of(key, message, now_s);
    *tsig = (struct tsig){.key = key, .time_s = record.time_s, .fudge_s = record.fudge_s};
    hmac_begin(&hmac, &key->hmac);
    hmac_add(&hmac, slice_of(message, size));
    tsig_add_variables(&hmac, &record);
    return finish(tsig, &hmac, &record, message, size, limit);
}

static size_t sign_response(struct tsig *tsig, struct tsig_record *record, uint8_t *message,
                            size_t size, size_t limit)
{
    struct hmac hmac;
    hmac_begin(&hmac, &tsig->key->hmac);
    tsig_add_mac(&hmac, slice_of(tsig->mac, tsig->mac_size));
    hmac_add(&hmac, slice_of(message, size));
    if (tsig->continued) {
        tsig_add_timers(&hmac, record);
    } else {
        tsig_add_variables(&hmac, record);
    }
    tsig->continued = true;
    return finish(tsig, &hmac, record, message, size, limit);
}

size_t tsig_sign_response(struct tsig *tsig, uint8_t *message, size_t size, size_t limit,
                          int64_t now_s)
{
    struct tsig_record record = record_of(tsig->key, message, now_s);
    return sign_response(tsig, &record, message, size, limit);
}

size_t tsig_refusal_room(const struct tsig_request *request)
{
    switch (request->status) {
    case TSIG_GOOD:
    case TSIG_BAD_TIME:
    case TSIG_SHORT_MAC:
        return tsig_key_room(request->tsig.key);
    case TSIG_UNKNOWN_KEY:
    case TSIG_OTHER_ALGORITHM:
    case TSIG_BAD_SIGNATURE:
        return tsig_record_size(request->key_name.size, request->algorithm.size, 0, 0);
    case TSIG_MALFORMED:
        return 0;
    }
    return 0;
}

size_t tsig_sign_refusal(struct tsig_request *request, uint8_t *message, size_t size, size_t limit,
                         int64_t now_s)
{
    struct tsig *tsig = &request->tsig;
    struct tsig_record record;
    uint8_t our_time[OTHER_TIME_SIZE];
    switch (request->status) {
    case TSIG_MALFORMED:
        return size;
    case TSIG_UNKNOWN_KEY:
    case TSIG_OTHER_ALGORITHM:
    case TSIG_BAD_SIGNATURE:
        record = (struct tsig_record){
            .key_name = request->key_name,
            .algorithm = request->algorithm,
            .time_s = (uint64_t)now_s & 0xffffffffffffu,
            .fudge_s = TSIG_FUDGE_S,
            .original_id = get_u16(message),
            .error = (uint16_t)tsig_status_error(request->status),
        };
        return tsig_record_append(&record, message, size, limit);
    case TSIG_GOOD:
    case TSIG_BAD_TIME:
    case TSIG_SHORT_MAC:
        break;
    }
    record = record_of(tsig->key, message, now_s);
    record.error = (uint16_t)tsig_status_error(request->status);
    if (request->status == TSIG_BAD_TIME) {
        /* RFC 8945 5.2.3: the client's time, or it could not verify this very answer; ours beside.
         */
        record.time_s = tsig->time_s;
        record.fudge_s = tsig->fudge_s;
        put_u16(our_time, (uint16_t)((uint64_t)now_s >> 32));
        put_u32(our_time + 2, (uint32_t)now_s);
        record.other = slice_of(our_time, sizeof(our_time));
    }
    return sign_response(tsig, &record, message, size, limit);
}

/* ---- verifying ---- */

unsigned tsig_status_rcode(enum tsig_status status)
{
    return status == TSIG_GOOD        ? RCODE_NOERROR
           : status == TSIG_MALFORMED ? RCODE_FORMERR
                                      : RCODE_NOTAUTH;
}

unsigned tsig_status_error(enum tsig_status status)
{
    switch (status) {
    case TSIG_GOOD:
    case TSIG_MALFORMED:
        return 0;
    case TSIG_UNKNOWN_KEY:
    case TSIG_OTHER_ALGORITHM:
        return RCODE_BADKEY;
    case TSIG_BAD_SIGNATURE:
        return RCODE_BADSIG;
    case TSIG_BAD_TIME:
        return RCODE_BADTIME;
    case TSIG_SHORT_MAC:
        return RCODE_BADTRUNC;
    }
    return 0;
}

/* A name for an error's sentence, never too long for it. */
static const char *shown(const uint8_t *name, char out[NAME_TEXT_SIZE])
{
    name_format_log(name, out);
    out[KEY_SHOWN] = '\0';
    return out;
}

/* What came ends in `record` and is in `hmac`; compares. */
static bool mac_is_right(struct hmac *hmac, const struct tsig_record *record)
{
    uint8_t mac[HMAC_MAX_SIZE];
    hmac_end(hmac, mac, record->mac.size);
    return hmac_equal(mac, record->mac.data, record->mac.size);
}

static bool mac_size_is_possible(const struct tsig_key *key, size_t size)
{
    return size <= hmac_size(key->hmac.algorithm) && size >= mac_min_size(key->hmac.algorithm);
}

static bool is_outside(int64_t clock_off_s, uint16_t fudge_s)
{
    return clock_off_s > fudge_s || clock_off_s < -(int64_t)fudge_s;
}

static COLD enum result clock_differs(struct error *err, const char *whose, int64_t off_s,
                                      uint16_t fudge_s)
{
    return error_set(err, ERR_BAD_AUTH,
                     "the clock differs: %s is %lld s %s ours, %u s are allowed (BADTIME)", whose,
                     (long long)(off_s < 0 ? -off_s : off_s), off_s < 0 ? "behind" : "ahead of",
                     (unsigned)fudge_s);
}

static COLD enum result secret_differs(struct error *err, const char *what,
                                       const struct tsig_key *key)
{
    char name[NAME_TEXT_SIZE];
    return error_set(err, ERR_BAD_AUTH,
                     "the signature of the %s is wrong: the secret of key '%s' differs, or the "
                     "message was changed on its way (BADSIG)",
                     what, shown(key->name.wire, name));
}

static COLD enum result mac_is_short(struct error *err, const struct tsig_key *key, size_t size)
{
    char name[NAME_TEXT_SIZE];
    return error_set(err, ERR_BAD_AUTH,
                     "the MAC is cut to %zu octets, key '%s' asks for %u (BADTRUNC)", size,
                     shown(key->name.wire, name), (unsigned)key->mac_size);
}

static enum result refuse_key(struct tsig_request *out, const struct tsig_key *key,
                              struct error *err)
{
    char name[NAME_TEXT_SIZE], theirs[NAME_TEXT_SIZE];
    shown(out->key_name.wire, name);
    if (key == NULL) {
        out->status = TSIG_UNKNOWN_KEY;
        return error_set(err, ERR_BAD_AUTH, "unknown key name: there is no key '%s' here (BADKEY)",
                         name);
    }
    out->status = TSIG_OTHER_ALGORITHM;
    return error_set(err, ERR_BAD_AUTH,
                     "the algorithm differs: key '%s' is %s here, the request has %s (BADKEY)",
                     name, hmac_algorithm_name(key->hmac.algorithm),
                     shown(out->algorithm.wire, theirs));
}

enum result tsig_verify_request(struct slice message, size_t offset, tsig_find_key *find,
                                void *find_context, int64_t now_s, struct tsig_request *out,
                                struct error *err)
{
    struct tsig_record record;
    out->status = TSIG_MALFORMED;
    out->clock_off_s = 0;
    out->tsig.key = NULL;
    enum result result = tsig_record_read(message, offset, &record, err);
    if (result != OK) {
        return result;
    }
    name_copy(&out->key_name, record.key_name.wire);
    name_copy(&out->algorithm, record.algorithm.wire);
    struct tsig_key *key = find(find_context, record.key_name.wire);
    if (key == NULL || !name_equal(key->algorithm.wire, record.algorithm.wire)) {
        return refuse_key(out, key, err);
    }
    if (!mac_size_is_possible(key, record.mac.size)) {
        return error_set(err, ERR_FORMAT, "malformed TSIG record: a MAC of %zu octets for %s",
                         record.mac.size, hmac_algorithm_name(key->hmac.algorithm));
    }
    struct hmac hmac;
    hmac_begin(&hmac, &key->hmac);
    tsig_add_message(&hmac, message, &record);
    tsig_add_variables(&hmac, &record);
    if (!mac_is_right(&hmac, &record)) {
        out->status = TSIG_BAD_SIGNATURE;
        return secret_differs(err, "request", key);
    }
    struct tsig *tsig = &out->tsig;
    tsig->key = key;
    tsig->time_s = record.time_s;
    tsig->messages = 0;
    tsig->fudge_s = record.fudge_s;
    tsig->unsigned_count = 0;
    tsig->continued = false;
    tsig->mac_size = (uint8_t)record.mac.size;
    memcpy(tsig->mac, record.mac.data, record.mac.size);
    out->clock_off_s = (int64_t)record.time_s - now_s;
    if (is_outside(out->clock_off_s, record.fudge_s)) {
        out->status = TSIG_BAD_TIME;
        return clock_differs(err, "the client's", out->clock_off_s, record.fudge_s);
    }
    if (record.mac.size < key->mac_size) {
        out->status = TSIG_SHORT_MAC;
        return mac_is_short(err, key, record.mac.size);
    }
    out->status = TSIG_GOOD;
    return OK;
}

/* A message of the response without a signature. */
static enum result take_unsigned(struct tsig *tsig, struct slice message, struct error *err)
{
    char name[NAME_TEXT_SIZE];
    if (!tsig->continued) {
        return error_set(
            err, ERR_BAD_AUTH, "the reply (%s) is not signed, the request was, with key '%s'",
            rcode_name(get_u16(message.data + 2) & 15u), shown(tsig->key->name.wire, name));
    }
    if (tsig->unsigned_count == TSIG_UNSIGNED_MAX) {
        return error_set(err, ERR_BAD_AUTH, "more than %d messages in a row are not signed",
                         TSIG_UNSIGNED_MAX);
    }
    tsig->unsigned_count++;
    hmac_add(&tsig->running, message);
    return OK;
}

/* Errors that come without a signature: nothing of them is proved, but they name the cause. */
static enum result refused_unsigned(const struct tsig *tsig, const struct tsig_record *record,
                                    struct error *err)
{
    char name[NAME_TEXT_SIZE];
    shown(tsig->key->name.wire, name);
    if (record->error == RCODE_BADKEY) {
        return error_set(err, ERR_BAD_AUTH,
                         "the other side has no key '%s' with %s: the name of the key or the "
                         "algorithm differs there (BADKEY)",
                         name, hmac_algorithm_name(tsig->key->hmac.algorithm));
    }
    if (record->error == RCODE_BADSIG) {
        return error_set(err, ERR_BAD_AUTH,
                         "the other side finds our signature wrong: the secret of key '%s' differs "
                         "there (BADSIG)",
                         name);
    }
    return error_set(err, ERR_BAD_AUTH, "the other side refuses key '%s' (TSIG error %u, unsigned)",
                     name, (unsigned)record->error);
}

/* Errors whose signature was right. */
static enum result refused_signed(const struct tsig *tsig, const struct tsig_record *record,
                                  struct error *err)
{
    if (record->error == RCODE_BADTIME && record->other.size == OTHER_TIME_SIZE) {
        uint64_t theirs =
            (uint64_t)get_u16(record->other.data) << 32 | get_u32(record->other.data + 2);
        return clock_differs(err, "the other side's", (int64_t)(theirs - tsig->time_s),
                             tsig->fudge_s);
    }
    char name[NAME_TEXT_SIZE];
    shown(tsig->key->name.wire, name);
    if (record->error == RCODE_BADTRUNC) {
        return error_set(
            err, ERR_BAD_AUTH,
            "the other side wants a longer MAC than %u octets with key '%s' (BADTRUNC)",
            (unsigned)tsig->key->mac_size, name);
    }
    return error_set(err, ERR_BAD_AUTH, "the other side refuses key '%s' (TSIG error %u)", name,
                     (unsigned)record->error);
}

enum result tsig_verify_response(struct tsig *tsig, struct slice message, int64_t now_s,
                                 struct error *err)
{
    const struct tsig_key *key = tsig->key;
    char theirs[NAME_TEXT_SIZE];
    size_t offset;
    struct tsig_record record;
    enum result result = tsig_record_find(message, &offset, err);
    if (result != OK) {
        return result;
    }
    tsig->messages++;
    if (offset == 0) {
        return take_unsigned(tsig, message, err);
    }
    result = tsig_record_read(message, offset, &record, err);
    if (result != OK) {
        return result;
    }
    if (record.mac.size == 0 && record.error != 0) {
        return refused_unsigned(tsig, &record, err);
    }
    if (!name_equal(record.key_name.wire, key->name.wire) ||
        !name_equal(record.algorithm.wire, key->algorithm.wire)) {
        return error_set(
            err, ERR_BAD_AUTH, "the reply is signed with another key, '%s'%s",
            shown(record.key_name.wire, theirs),
            name_equal(record.key_name.wire, key->name.wire) ? " with another algorithm" : "");
    }
    if (!mac_size_is_possible(key, record.mac.size)) {
        return error_set(err, ERR_FORMAT, "malformed TSIG record: a MAC of %zu octets for %s",
                         record.mac.size, hmac_algorithm_name(key->hmac.algorithm));
    }
    if (!tsig->continued) {
        hmac_begin(&tsig->running, &key->hmac);
        tsig_add_mac(&tsig->running, slice_of(tsig->mac, tsig->mac_size));
    }
    tsig_add_message(&tsig->running, message, &record);
    if (tsig->continued) {
        tsig_add_timers(&tsig->running, &record);
    } else {
        tsig_add_variables(&tsig->running, &record);
    }
    if (!mac_is_right(&tsig->running, &record)) {
        return !tsig->continued
                   ? secret_differs(err, "reply", key)
                   : error_set(err, ERR_BAD_AUTH,
                               "the signature of message %llu of the reply is wrong: messages were "
                               "changed, lost or added on their way (BADSIG)",
                               (unsigned long long)tsig->messages);
    }
    if (record.error != 0) {
        return refused_signed(tsig, &record, err);
    }
    int64_t off_s = (int64_t)record.time_s - now_s;
    if (is_outside(off_s, record.fudge_s)) {
        return clock_differs(err, "the other side's", off_s, record.fudge_s);
    }
    if (record.mac.size < key->mac_size) {
        return mac_is_short(err, key, record.mac.size);
    }
    tsig->continued = true;
    tsig->unsigned_count = 0;
    tsig->mac_size = (uint8_t)record.mac.size;
    memcpy(tsig->mac, record.mac.data, record.mac.size);
    tsig_add_mac(&tsig->running, record.mac); /* begun anew by the comparison */
    return OK;
}

enum result tsig_verify_end(const struct tsig *tsig, struct error *err)
{
    if (!tsig->continued || tsig->unsigned_count != 0) {
        return error_set(err, ERR_BAD_AUTH, "the last message of the reply is not signed");
    }
    return OK;
}
