/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tsig_vectors.h"
#include "wire/message.h"
#include "wire/tsig.h"

enum { ROOM = 2048 };

struct message {
    size_t size;
    uint8_t bytes[ROOM];
};

static struct message message_of(const char *hex)
{
    struct message message;
    assert_true(hex_decode(hex, strlen(hex), message.bytes, ROOM, &message.size));
    return message;
}

/* Memory of the exact size, so that the sanitizer sees a stray read. */
static struct slice exact_copy(const struct message *message)
{
    uint8_t *copy = malloc(message->size);
    assert_non_null(copy);
    memcpy(copy, message->bytes, message->size);
    return slice_of(copy, message->size);
}

static void exact_free(struct slice message)
{
    free((void *)(uintptr_t)message.data);
}

static struct tsig_key *key_of(const char *name, enum hmac_algorithm algorithm, unsigned bits,
                               uint8_t secret_xor)
{
    struct name wire;
    uint8_t secret[32];
    for (uint8_t i = 0; i < sizeof(secret); i++) {
        secret[i] = i ^ secret_xor;
    }
    assert_int_equal(name_parse_str(name, &wire, NULL), OK);
    return tsig_key_new(wire.wire, algorithm, slice_of(secret, sizeof(secret)), bits);
}

static struct tsig_key *sha256_key(void)
{
    return key_of("TRANSFER-key.example", HMAC_SHA256, 0, 0);
}

static struct tsig_key *find_key(void *context, const uint8_t *name)
{
    struct tsig_key *key = context;
    return name_equal(tsig_key_name(key), name) ? key : NULL;
}

/* The TSIG record of every query vector begins behind the question. */
enum { QUERY_SIZE = 29 };

static enum result verify(struct tsig_key *key, const struct message *message, int64_t now_s,
                          struct tsig_request *out, struct error *err)
{
    struct slice copy = exact_copy(message);
    *err = (struct error){0};
    enum result result = tsig_verify_request(copy, QUERY_SIZE, find_key, key, now_s, out, err);
    exact_free(copy);
    assert_int_equal(result == OK, out->status == TSIG_GOOD);
    return result;
}

static enum result verify_response(struct tsig *tsig, const struct message *message, int64_t now_s,
                                   struct error *err)
{
    struct slice copy = exact_copy(message);
    *err = (struct error){0};
    enum result result = tsig_verify_response(tsig, copy, now_s, err);
    exact_free(copy);
    return result;
}

static const struct {
    enum hmac_algorithm algorithm;
    const char *name;
    const char *query;
    const char *response;
} algorithms[] = {
    {HMAC_MD5, "hmac-md5", query_md5, response_md5},
    {HMAC_SHA1, "hmac-sha1", query_sha1, response_sha1},
    {HMAC_SHA224, "hmac-sha224", query_sha224, response_sha224},
    {HMAC_SHA256, "hmac-sha256", query_sha256, response_sha256},
    {HMAC_SHA384, "hmac-sha384", query_sha384, response_sha384},
    {HMAC_SHA512, "hmac-sha512", query_sha512, response_sha512},
};

static void tsig_agrees_with_dnspython_in_every_algorithm(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        struct tsig_key *key = key_of("Transfer-KEY.example", algorithms[i].algorithm, 0, 0);
        struct message theirs = message_of(algorithms[i].query);
        struct message ours = message_of(query);
        struct tsig client;
        struct tsig_request request;
        struct error err = {0};
        assert_string_equal(hmac_algorithm_name(tsig_key_algorithm(key)), algorithms[i].name);
        ours.size = tsig_sign_request(&client, key, ours.bytes, ours.size, ROOM, VECTOR_TIME);
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.bytes, theirs.bytes, ours.size);
        assert_int_equal(verify(key, &theirs, VECTOR_TIME, &request, &err), OK);

        theirs = message_of(algorithms[i].response);
        ours = message_of(response);
        ours.size = tsig_sign_response(&request.tsig, ours.bytes, ours.size, ROOM, VECTOR_TIME + 1);
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.bytes, theirs.bytes, ours.size);
        assert_int_equal(verify_response(&client, &theirs, VECTOR_TIME + 2, &err), OK);
        assert_int_equal(tsig_verify_end(&client, &err), OK);
        tsig_key_unref(key);
    }
}

static void tsig_verify_request_names_an_unknown_key(void **state)
{
    (void)state;
    struct tsig_key *key = key_of("other.example", HMAC_SHA256, 0, 0);
    struct message message = message_of(query_sha256);
    struct tsig_request request;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.status, TSIG_UNKNOWN_KEY);
    assert_int_equal(tsig_status_rcode(request.status), RCODE_NOTAUTH);
    assert_int_equal(tsig_status_error(request.status), RCODE_BADKEY);
    assert_string_equal(err.text,
                        "unknown key name: there is no key 'transfer-key.example' here (BADKEY)");
    tsig_key_unref(key);
}

static void tsig_verify_request_names_another_algorithm(void **state)
{
    (void)state;
    struct tsig_key *key = key_of("transfer-key.example", HMAC_SHA512, 0, 0);
    struct message message = message_of(query_sha256);
    struct tsig_request request;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.status, TSIG_OTHER_ALGORITHM);
    assert_int_equal(tsig_status_error(request.status), RCODE_BADKEY);
    assert_string_equal(err.text, "the algorithm differs: key 'transfer-key.example' is "
                                  "hmac-sha512 here, the request has hmac-sha256 (BADKEY)");
    tsig_key_unref(key);
}

static void tsig_verify_request_names_another_secret(void **state)
{
    (void)state;
    struct tsig_key *key = key_of("transfer-key.example", HMAC_SHA256, 0, 1);
    struct message message = message_of(query_sha256);
    struct tsig_request request;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.status, TSIG_BAD_SIGNATURE);
    assert_int_equal(tsig_status_error(request.status), RCODE_BADSIG);
    assert_non_null(strstr(err.text, "the secret of key 'transfer-key.example' differs"));
    tsig_key_unref(key);
}

static void tsig_verify_request_says_how_far_the_clock_is_off(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message message = message_of(query_sha256);
    struct tsig_request request;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME + 300, &request, &err), OK);
    assert_int_equal(request.clock_off_s, -300);
    assert_int_equal(verify(key, &message, VECTOR_TIME - 300, &request, &err), OK);
    assert_int_equal(verify(key, &message, VECTOR_TIME + 301, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.status, TSIG_BAD_TIME);
    assert_int_equal(tsig_status_error(request.status), RCODE_BADTIME);
    assert_string_equal(err.text, "the clock differs: the client's is 301 s behind ours, 300 s "
                                  "are allowed (BADTIME)");
    assert_int_equal(verify(key, &message, VECTOR_TIME - 86400, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.clock_off_s, 86400);
    assert_non_null(strstr(err.text, "the client's is 86400 s ahead of ours"));
    assert_int_equal(verify(key, &message, 0, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(verify(key, &message, (int64_t)1 << 40, &request, &err), ERR_BAD_AUTH);
    tsig_key_unref(key);
}

/* Not one octet but those of the MAC's own record that are not signed (none) may change. */
static void tsig_verify_request_sees_every_changed_bit(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message good = message_of(query_sha256);
    for (size_t bit = 0; bit < 8 * good.size; bit++) {
        struct message message = good;
        struct tsig_request request;
        struct error err;
        message.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum result result = verify(key, &message, VECTOR_TIME, &request, &err);
        if (bit / 8 < 2) {
            assert_int_equal(result, OK); /* the ID: the original one counts */
            continue;
        }
        /* Case of the names of key and algorithm does not count either. */
        bool letter = (message.bytes[bit / 8] ^ good.bytes[bit / 8]) == 0x20 &&
                      (good.bytes[bit / 8] | 0x20) >= 'a' && (good.bytes[bit / 8] | 0x20) <= 'z';
        if (result == OK) {
            assert_true(letter && bit / 8 > QUERY_SIZE);
            continue;
        }
        assert_true(result == ERR_BAD_AUTH || result == ERR_FORMAT);
        assert_true(err.text[0] != '\0');
    }
    tsig_key_unref(key);
}

static void tsig_verify_request_takes_a_changed_id(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message message = message_of(query_forwarded);
    struct tsig_request request;
    struct error err;
    assert_int_equal(get_u16(message.bytes), 0xabcd);
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), OK);
    tsig_key_unref(key);
}

static void tsig_verify_request_refuses_malformed_records(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message good = message_of(query_sha256);
    struct tsig_request request;
    struct error err;
    enum {
        CLASS = QUERY_SIZE + 22 + 2,
        TTL = CLASS + 2,
        RDATA_SIZE = TTL + 4,
        ALGORITHM = RDATA_SIZE + 2,
        MAC_SIZE = ALGORITHM + 13 + 8,
    };
    static const struct {
        size_t at;
        uint8_t octet;
    } changes[] = {
        {10, 1}, /* fewer additional records: there is none */
        {CLASS + 1, CLASS_IN},
        {TTL + 3, 1},
        {RDATA_SIZE + 1, 60}, /* shorter than the message */
        {ALGORITHM, 0xc0},    /* a pointer */
        {ALGORITHM, 63},      /* past the end */
        {MAC_SIZE + 1, 33},   /* past the end */
        {MAC_SIZE + 1, 31},   /* the rest does not add up */
        {MAC_SIZE, 0xff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct message message = good;
        message.bytes[changes[i].at] = changes[i].octet;
        if (changes[i].at == 10) {
            message.bytes[11] = 0;
            message.bytes[10] = 0;
        }
        assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_FORMAT);
        assert_int_equal(request.status, TSIG_MALFORMED);
        assert_int_equal(tsig_status_rcode(request.status), RCODE_FORMERR);
        assert_int_equal(tsig_refusal_room(&request), 0);
        assert_int_equal(tsig_sign_refusal(&request, message.bytes, 12, 12, VECTOR_TIME), 12);
    }
    for (size_t size = QUERY_SIZE; size < good.size; size++) {
        struct message message = good;
        message.size = size;
        assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_FORMAT);
    }
    tsig_key_unref(key);
}

static void tsig_takes_cut_macs_by_the_rules(void **state)
{
    (void)state;
    struct tsig_key *whole = sha256_key();
    struct tsig_key *cut = key_of("transfer-key.example", HMAC_SHA256, 128, 0);
    struct message message = message_of(query_cut_128);
    struct message ours = message_of(query);
    struct tsig client;
    struct tsig_request request;
    struct error err;
    /* Half of the hash is the least; a key asks for whole MACs unless it says otherwise. */
    assert_int_equal(verify(whole, &message, VECTOR_TIME, &request, &err), ERR_BAD_AUTH);
    assert_int_equal(request.status, TSIG_SHORT_MAC);
    assert_int_equal(tsig_status_error(request.status), RCODE_BADTRUNC);
    assert_non_null(strstr(err.text, "cut to 16 octets, key 'transfer-key.example' asks for 32"));
    assert_int_equal(verify(cut, &message, VECTOR_TIME, &request, &err), OK);
    ours.size = tsig_sign_request(&client, cut, ours.bytes, ours.size, ROOM, VECTOR_TIME);
    assert_int_equal(ours.size, message.size);
    assert_memory_equal(ours.bytes, message.bytes, ours.size);

    struct message theirs = message_of(response_cut_128);
    ours = message_of(response);
    ours.size = tsig_sign_response(&request.tsig, ours.bytes, ours.size, ROOM, VECTOR_TIME + 1);
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.bytes, theirs.bytes, ours.size);
    assert_int_equal(verify_response(&client, &theirs, VECTOR_TIME, &err), OK);

    message = message_of(query_cut_96);
    assert_int_equal(verify(cut, &message, VECTOR_TIME, &request, &err), ERR_FORMAT);
    assert_int_equal(request.status, TSIG_MALFORMED);
    tsig_key_unref(whole);
    tsig_key_unref(cut);
}

static void tsig_sign_refusal_signs_nothing_for_strangers(void **state)
{
    (void)state;
    struct tsig_key *other = key_of("other.example", HMAC_SHA256, 0, 0);
    struct tsig_key *wrong = key_of("transfer-key.example", HMAC_SHA256, 0, 1);
    struct message message = message_of(query_sha256);
    static const char *const expected[] = {notauth_badkey, notauth_badsig};
    for (unsigned i = 0; i < 2; i++) {
        struct tsig_request request;
        struct error err;
        struct message ours = message_of(notauth);
        struct message theirs = message_of(expected[i]);
        assert_int_equal(verify(i == 0 ? other : wrong, &message, VECTOR_TIME, &request, &err),
                         ERR_BAD_AUTH);
        assert_int_equal(tsig_sign_refusal(&request, ours.bytes, ours.size, ours.size, VECTOR_TIME),
                         0); /* no room */
        size_t limit = ours.size + tsig_refusal_room(&request);
        ours.size = tsig_sign_refusal(&request, ours.bytes, ours.size, limit, VECTOR_TIME + 5);
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.bytes, theirs.bytes, ours.size);
        assert_true(ours.size <= message.size); /* no amplification */
    }
    tsig_key_unref(other);
    tsig_key_unref(wrong);
}

static void tsig_sign_refusal_tells_our_time_signed(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message message = message_of(query_sha256);
    struct message ours = message_of(notauth);
    struct message theirs = message_of(notauth_badtime);
    struct tsig_request request;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME + 5000, &request, &err), ERR_BAD_AUTH);
    size_t limit = ours.size + tsig_refusal_room(&request);
    ours.size = tsig_sign_refusal(&request, ours.bytes, ours.size, limit, VECTOR_TIME + 5000);
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.bytes, theirs.bytes, ours.size);

    struct tsig client;
    ours = message_of(query);
    assert_true(tsig_sign_request(&client, key, ours.bytes, ours.size, ROOM, VECTOR_TIME) != 0);
    assert_int_equal(verify_response(&client, &theirs, VECTOR_TIME, &err), ERR_BAD_AUTH);
    assert_string_equal(err.text, "the clock differs: the other side's is 5000 s ahead of ours, "
                                  "300 s are allowed (BADTIME)");
    tsig_key_unref(key);
}

static void tsig_sign_refusal_signs_badtrunc(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct tsig_key *cut = key_of("transfer-key.example", HMAC_SHA256, 128, 0);
    struct message message = message_of(query_cut_128);
    struct message reply = message_of(notauth);
    struct tsig_request request;
    struct tsig client;
    struct error err;
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, &err), ERR_BAD_AUTH);
    size_t limit = reply.size + tsig_refusal_room(&request);
    reply.size = tsig_sign_refusal(&request, reply.bytes, reply.size, limit, VECTOR_TIME);
    assert_true(reply.size > 0);
    struct message ours = message_of(query);
    assert_true(tsig_sign_request(&client, cut, ours.bytes, ours.size, ROOM, VECTOR_TIME) != 0);
    assert_int_equal(verify_response(&client, &reply, VECTOR_TIME, &err), ERR_BAD_AUTH);
    assert_non_null(strstr(err.text, "BADTRUNC"));
    tsig_key_unref(key);
    tsig_key_unref(cut);
}

static void tsig_sign_request_needs_its_room(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct tsig client;
    struct message message = message_of(query);
    size_t room = tsig_key_room(key) - 6; /* without our time in it */
    assert_int_equal(tsig_sign_request(&client, key, message.bytes, message.size,
                                       message.size + room - 1, VECTOR_TIME),
                     0);
    assert_int_equal(get_u16(message.bytes + 10), 0); /* left as it was */
    assert_int_equal(tsig_sign_request(&client, key, message.bytes, message.size,
                                       message.size + room, VECTOR_TIME),
                     message.size + room);
    tsig_key_unref(key);
}

/* ---- what a client makes of responses ---- */

static struct tsig client_of(struct tsig_key *key)
{
    struct tsig client;
    struct message message = message_of(query);
    assert_true(tsig_sign_request(&client, key, message.bytes, message.size, ROOM, VECTOR_TIME) !=
                0);
    return client;
}

static void tsig_verify_response_names_what_the_other_side_found(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct error err;
    static const struct {
        const char *message;
        const char *says;
    } cases[] = {
        {notauth_badkey, "has no key 'transfer-key.example' with hmac-sha256"},
        {notauth_badsig, "the secret of key 'transfer-key.example' differs there"},
        {notauth, "the reply (NOTAUTH) is not signed"},
        {response, "the reply (NOERROR) is not signed"},
        {response_sha512, "another key, 'transfer-key.example' with another algorithm"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct tsig client = client_of(key);
        struct message message = message_of(cases[i].message);
        assert_int_equal(verify_response(&client, &message, VECTOR_TIME, &err), ERR_BAD_AUTH);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_int_equal(tsig_verify_end(&client, &err), ERR_BAD_AUTH);
    }
    tsig_key_unref(key);
}

static void tsig_verify_response_refuses_a_clock_that_is_off(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message message = message_of(response_sha256);
    struct error err;
    struct tsig client = client_of(key);
    assert_int_equal(verify_response(&client, &message, VECTOR_TIME + 302, &err), ERR_BAD_AUTH);
    assert_non_null(strstr(err.text, "the other side's is 301 s behind ours"));
    tsig_key_unref(key);
}

static void tsig_verify_response_wants_the_answer_to_this_request(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct message message = message_of(query);
    struct message reply = message_of(response_sha256);
    struct tsig client;
    struct error err;
    assert_true(
        tsig_sign_request(&client, key, message.bytes, message.size, ROOM, VECTOR_TIME + 1) != 0);
    assert_int_equal(verify_response(&client, &reply, VECTOR_TIME, &err), ERR_BAD_AUTH);
    assert_non_null(strstr(err.text, "the signature of the reply is wrong"));
    tsig_key_unref(key);
}

/* ---- responses of several messages ---- */

static const char *const stream[] = {stream_0, stream_1, stream_2, stream_3, stream_4};

static void tsig_stream_agrees_with_dnspython(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct tsig client = client_of(key);
    struct error err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(stream); i++) {
        struct message message = message_of(stream[i]);
        assert_int_equal(verify_response(&client, &message, VECTOR_TIME + 4, &err), OK);
        assert_int_equal(tsig_verify_end(&client, &err), i == 1 || i == 2 ? ERR_BAD_AUTH : OK);
    }
    tsig_key_unref(key);
}

/* Verifies the messages in the order given, by index; the number of those that were taken. */
static size_t run_stream(struct tsig_key *key, const unsigned *order, size_t count,
                         struct error *err)
{
    struct tsig client = client_of(key);
    for (size_t i = 0; i < count; i++) {
        struct message message = message_of(stream[order[i]]);
        if (verify_response(&client, &message, VECTOR_TIME, err) != OK) {
            return i;
        }
    }
    return tsig_verify_end(&client, err) == OK ? count : count - 1;
}

static void tsig_stream_sees_lost_and_reordered_messages(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct error err;
    /* What is not signed is believed until the next signature, not beyond. */
    assert_int_equal(run_stream(key, (const unsigned[]){0, 1, 2, 3, 4}, 5, &err), 5);
    assert_int_equal(run_stream(key, (const unsigned[]){0, 2, 1, 3, 4}, 5, &err), 3);
    assert_int_equal(run_stream(key, (const unsigned[]){0, 1, 3, 4}, 4, &err), 2);
    assert_int_equal(run_stream(key, (const unsigned[]){0, 1, 2, 4}, 4, &err), 3);
    assert_non_null(strstr(err.text, "signature of message 4 of the reply is wrong"));
    assert_int_equal(run_stream(key, (const unsigned[]){0, 1, 2}, 3, &err), 2);
    assert_string_equal(err.text, "the last message of the reply is not signed");
    assert_int_equal(run_stream(key, (const unsigned[]){1, 0}, 2, &err), 0);
    assert_int_equal(run_stream(key, (const unsigned[]){3, 4}, 2, &err), 0);
    assert_int_equal(run_stream(key, (const unsigned[]){0, 1, 2, 3, 3}, 5, &err), 4);
    tsig_key_unref(key);
}

static void tsig_stream_sees_a_wrong_mac_at_any_message(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    for (size_t bad = 0; bad < ARRAY_SIZE(stream); bad++) {
        struct tsig client = client_of(key);
        struct error err = {0};
        enum result result = OK;
        for (size_t i = 0; i < ARRAY_SIZE(stream) && result == OK; i++) {
            struct message message = message_of(stream[i]);
            if (i == bad) {
                message.bytes[2] ^= FLAG_TC >> 8;
            }
            result = verify_response(&client, &message, VECTOR_TIME, &err);
            assert_int_equal(result, i < (bad == 1 || bad == 2 ? 3 : bad) ? OK : ERR_BAD_AUTH);
        }
        assert_int_equal(result, ERR_BAD_AUTH);
    }
    tsig_key_unref(key);
}

/* Our own streams: every message signed; or, as others may, with gaps of `gap`. */
static enum result own_stream(struct tsig_key *key, unsigned messages, unsigned gap,
                              struct error *err)
{
    struct tsig client = client_of(key);
    struct tsig_request request;
    struct message message = message_of(query_sha256);
    struct tsig gaps; /* as a server that leaves gaps does it: only what it signs goes in */
    assert_int_equal(verify(key, &message, VECTOR_TIME, &request, err), OK);
    gaps = request.tsig;
    for (unsigned i = 0; i < messages; i++) {
        message = message_of(response);
        message.bytes[3] = (uint8_t)(i & 0xf0);
        if (gap == 0) {
            message.size =
                tsig_sign_response(&gaps, message.bytes, message.size, ROOM, VECTOR_TIME + i / 4);
        } else if (i == 0) {
            message.size =
                tsig_sign_response(&gaps, message.bytes, message.size, ROOM, VECTOR_TIME);
        }
        enum result result = verify_response(&client, &message, VECTOR_TIME, err);
        if (result != OK) {
            return result;
        }
    }
    return tsig_verify_end(&client, err);
}

static void tsig_stream_of_ours_is_signed_throughout(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct error err = {0};
    assert_int_equal(own_stream(key, 1000, 0, &err), OK);
    tsig_key_unref(key);
}

static void tsig_stream_ends_at_100_unsigned_messages(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    struct error err = {0};
    assert_int_equal(own_stream(key, 100, 1, &err), ERR_BAD_AUTH);
    assert_string_equal(err.text, "the last message of the reply is not signed");
    assert_int_equal(own_stream(key, 101, 1, &err), ERR_BAD_AUTH);
    assert_string_equal(err.text, "more than 99 messages in a row are not signed");
    tsig_key_unref(key);
}

static void tsig_key_lives_as_long_as_its_references(void **state)
{
    (void)state;
    struct tsig_key *key = sha256_key();
    assert_ptr_equal(tsig_key_ref(key), key);
    tsig_key_unref(key);
    assert_int_equal(tsig_key_name(key)[0], 12);
    assert_memory_equal(tsig_key_name(key) + 1, "transfer-key", 12);
    tsig_key_unref(key);
    tsig_key_unref(NULL);
    assert_null(tsig_key_ref(NULL));
    assert_int_equal(tsig_key_room(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsig_agrees_with_dnspython_in_every_algorithm),
        cmocka_unit_test(tsig_verify_request_names_an_unknown_key),
        cmocka_unit_test(tsig_verify_request_names_another_algorithm),
        cmocka_unit_test(tsig_verify_request_names_another_secret),
        cmocka_unit_test(tsig_verify_request_says_how_far_the_clock_is_off),
        cmocka_unit_test(tsig_verify_request_sees_every_changed_bit),
        cmocka_unit_test(tsig_verify_request_takes_a_changed_id),
        cmocka_unit_test(tsig_verify_request_refuses_malformed_records),
        cmocka_unit_test(tsig_takes_cut_macs_by_the_rules),
        cmocka_unit_test(tsig_sign_refusal_signs_nothing_for_strangers),
        cmocka_unit_test(tsig_sign_refusal_tells_our_time_signed),
        cmocka_unit_test(tsig_sign_refusal_signs_badtrunc),
        cmocka_unit_test(tsig_sign_request_needs_its_room),
        cmocka_unit_test(tsig_verify_response_names_what_the_other_side_found),
        cmocka_unit_test(tsig_verify_response_refuses_a_clock_that_is_off),
        cmocka_unit_test(tsig_verify_response_wants_the_answer_to_this_request),
        cmocka_unit_test(tsig_stream_agrees_with_dnspython),
        cmocka_unit_test(tsig_stream_sees_lost_and_reordered_messages),
        cmocka_unit_test(tsig_stream_sees_a_wrong_mac_at_any_message),
        cmocka_unit_test(tsig_stream_of_ours_is_signed_throughout),
        cmocka_unit_test(tsig_stream_ends_at_100_unsigned_messages),
        cmocka_unit_test(tsig_key_lives_as_long_as_its_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
