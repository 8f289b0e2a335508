/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TSIG from strangers. The first octet picks what the rest is:
 *
 *   even   a request, its TSIG record wherever the record walk finds it; it is verified, and
 *          refused or answered. Nobody but who knows the secret gets a MAC.
 *   odd    messages with a length of 16 bits before each: the response to a request of ours. Before
 *          them a real, signed response may go, so that the rest is a stream.
 *
 * An octet with the second bit set has the message signed by the key first, and one bit of it
 * flipped: the way into the code behind the comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"
#include "wire/tsig.h"
#include "wire/tsig_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1700000000, FLAG_STREAM = 1, FLAG_SIGN = 2, FLAG_SIGNED_FIRST = 4, FLAG_CUT = 8 };

static const uint8_t key_name[] = "\014transfer-key\007example";
static const uint8_t question[] = "\22\64\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\xfc\0\1";

static struct tsig_key *find_key(void *context, const uint8_t *name)
{
    return name_equal(name, key_name) ? context : NULL;
}

static struct slice exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    return slice_of(copy, size);
}

static void exact_free(struct slice slice)
{
    free((void *)(uintptr_t)slice.data);
}

static bool is_signed(const uint8_t *message, size_t size)
{
    size_t offset;
    struct tsig_record record;
    return tsig_record_find(slice_of(message, size), &offset, NULL) == OK && offset != 0 &&
           tsig_record_read(slice_of(message, size), offset, &record, NULL) == OK &&
           record.mac.size != 0;
}

static void answer(struct tsig_request *request, bool good)
{
    uint8_t buffer[1024];
    memcpy(buffer, question, sizeof(question) - 1);
    size_t size = sizeof(question) - 1;
    if (good) {
        for (unsigned i = 0; i < 2; i++) {
            put_u16(buffer + 10, 0);
            size_t more = tsig_sign_response(&request->tsig, buffer, size,
                                             size + tsig_key_room(request->tsig.key), NOW_S);
            REQUIRE(more > size && is_signed(buffer, more));
        }
        return;
    }
    size_t room = tsig_refusal_room(request);
    size_t more = tsig_sign_refusal(request, buffer, size, size + room, NOW_S);
    REQUIRE(more >= size && more <= size + room);
    bool may_sign = request->status == TSIG_BAD_TIME || request->status == TSIG_SHORT_MAC;
    REQUIRE(is_signed(buffer, more) == may_sign);
}

static void run_request(struct tsig_key *key, struct slice message)
{
    struct error err = {0};
    struct tsig_request request;
    size_t offset;
    if (tsig_record_find(message, &offset, &err) != OK) {
        REQUIRE(err.code == ERR_FORMAT && err.text[0] != '\0');
        /* As if another parser had thought otherwise. */
        offset = message.size / 2;
    }
    enum result result = tsig_verify_request(message, offset, find_key, key, NOW_S, &request, &err);
    REQUIRE((result == OK) == (request.status == TSIG_GOOD));
    REQUIRE(result == OK || err.text[0] != '\0');
    answer(&request, result == OK);
}

/* Signs what is there, where it is a message that can be, and flips a bit by its last octets. */
static struct slice signed_copy(struct tsig_key *key, const uint8_t *data, size_t size)
{
    static uint8_t buffer[MESSAGE_MAX_SIZE];
    struct tsig client;
    size_t offset;
    if (size > 32768 || tsig_record_find(slice_of(data, size), &offset, NULL) != OK ||
        offset != 0 || get_u16(data + 10) == UINT16_MAX) {
        return exact_copy(data, size);
    }
    memcpy(buffer, data, size);
    size_t more = tsig_sign_request(&client, key, buffer, size, sizeof(buffer), NOW_S);
    REQUIRE(more > size);
    size_t bit = get_u16(data + size - 2) % (16 * more);
    if (bit < 8 * more) {
        buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    return exact_copy(buffer, more);
}

static void run_stream(struct tsig_key *key, const uint8_t *data, size_t size, bool signed_first)
{
    uint8_t buffer[512];
    struct tsig client;
    struct error err = {0};
    struct tsig_request request;
    size_t length = sizeof(question) - 1;
    memcpy(buffer, question, length);
    size_t more = tsig_sign_request(&client, key, buffer, length, sizeof(buffer), NOW_S);
    REQUIRE(more != 0);
    if (signed_first) {
        enum result result = tsig_verify_request(slice_of(buffer, more), length, find_key, key,
                                                 NOW_S, &request, &err);
        REQUIRE(result == OK);
        put_u16(buffer + 10, 0);
        more = tsig_sign_response(&request.tsig, buffer, length, sizeof(buffer), NOW_S);
        result = tsig_verify_response(&client, slice_of(buffer, more), NOW_S, &err);
        REQUIRE(result == OK);
    }
    bool has_good = signed_first;
    while (size >= 2) {
        size_t one = get_u16(data);
        one = one > size - 2 ? size - 2 : one;
        struct slice message = exact_copy(data + 2, one);
        enum result result = tsig_verify_response(&client, message, NOW_S, &err);
        exact_free(message);
        if (result != OK) {
            REQUIRE(err.text[0] != '\0');
            return;
        }
        REQUIRE(has_good); /* a first message is never taken without a signature of the key */
        data += 2 + one;
        size -= 2 + one;
    }
    REQUIRE(has_good || tsig_verify_end(&client, &err) == ERR_BAD_AUTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > MESSAGE_MAX_SIZE) {
        return 0;
    }
    uint8_t flags = data[0];
    struct tsig_key *key =
        tsig_key_new(key_name, HMAC_SHA256, slice_str("0123456789abcdef0123456789abcdef"),
                     (flags & FLAG_CUT) != 0 ? 128 : 0);
    if ((flags & FLAG_STREAM) != 0) {
        run_stream(key, data + 1, size - 1, (flags & FLAG_SIGNED_FIRST) != 0);
    } else {
        struct slice message = (flags & FLAG_SIGN) != 0 ? signed_copy(key, data + 1, size - 1)
                                                        : exact_copy(data + 1, size - 1);
        run_request(key, message);
        exact_free(message);
    }
    tsig_key_unref(key);
    return 0;
}
