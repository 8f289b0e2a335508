/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of BIND's rndc: what it really sends is read, what is wrong in any octet is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "control/rndc_message.h"

/* As rndc 9.18 sends it: key secretsecretsecretsecret, sha256, _ser=1 _tim=1700000000 type=null;
 * without the length before it. */
static const char vector[] =
    "00000001055f61757468020000006304687368610100000059a3"
    "4c6b62776d413447724c2b5457466551626857456d354379776c774c377363415172354453566645594e493d"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "055f6374726c0200000033045f736572010000000131045f74696d010000000a31373030303030303030"
    "045f657870010000000a31373030303030303630055f64617461020000000e047479706501000000046e756c6c";

static const char secret[] = "secretsecretsecretsecret";

static uint8_t *vector_octets(size_t *size)
{
    uint8_t *octets = malloc(sizeof(vector) / 2);
    assert_true(hex_decode(vector, sizeof(vector) - 1, octets, sizeof(vector) / 2, size));
    return octets;
}

static bool equals(struct slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static void what_rndc_sends_is_read_and_its_signature_fits_one_key(void **state)
{
    (void)state;
    size_t size;
    uint8_t *octets = vector_octets(&size);
    struct rndc_message message;
    struct hmac_key key;
    assert_int_equal(rndc_message_read(slice_of(octets, size), &message, &(struct error){0}), OK);
    assert_true(equals(message.command, "null"));
    assert_true(equals(message.serial, "1"));
    assert_true(equals(message.time, "1700000000"));
    assert_true(equals(message.expiry, "1700000060"));
    assert_null(message.nonce.data);
    assert_null(message.is_reply.data);
    hmac_key_init(&key, HMAC_SHA256, slice_str(secret));
    assert_true(rndc_message_is_signed(&message, &key));
    hmac_key_deinit(&key);
    hmac_key_init(&key, HMAC_SHA256, slice_str("another"));
    assert_false(rndc_message_is_signed(&message, &key));
    hmac_key_deinit(&key);
    hmac_key_init(&key, HMAC_SHA512, slice_str(secret));
    assert_false(rndc_message_is_signed(&message, &key));
    hmac_key_deinit(&key);
    free(octets);
}

static void no_octet_may_be_another(void **state)
{
    (void)state;
    size_t size;
    uint8_t *octets = vector_octets(&size);
    struct hmac_key key;
    hmac_key_init(&key, HMAC_SHA256, slice_str(secret));
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct rndc_message message;
            octets[i] ^= (uint8_t)(1u << bit);
            bool good = rndc_message_read(slice_of(octets, size), &message, NULL) == OK &&
                        rndc_message_is_signed(&message, &key);
            if (good) {
                fail_msg("bit %u of octet %zu makes no difference", bit, i);
            }
            octets[i] ^= (uint8_t)(1u << bit);
        }
    }
    hmac_key_deinit(&key);
    free(octets);
}

static void what_is_cut_anywhere_is_not_read(void **state)
{
    (void)state;
    size_t size;
    uint8_t *octets = vector_octets(&size);
    struct hmac_key key;
    hmac_key_init(&key, HMAC_SHA256, slice_str(secret));
    for (size_t cut = 0; cut < size; cut++) {
        struct rndc_message message;
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, octets, cut);
        if (rndc_message_read(slice_of(exact, cut), &message, NULL) == OK) {
            assert_false(rndc_message_is_signed(&message, &key));
        }
        free(exact);
    }
    hmac_key_deinit(&key);
    free(octets);
}

static void an_answer_can_be_read_again_with_every_algorithm(void **state)
{
    (void)state;
    size_t size;
    uint8_t *octets = vector_octets(&size);
    struct rndc_message request, answer;
    assert_int_equal(rndc_message_read(slice_of(octets, size), &request, NULL), OK);
    for (enum hmac_algorithm algorithm = HMAC_MD5; algorithm <= HMAC_SHA512; algorithm++) {
        struct hmac_key key;
        struct text out;
        text_init(&out, 0);
        hmac_key_init(&key, algorithm, slice_str(secret));
        struct rndc_reply reply = {.nonce = 4294967295u,
                                   .now_s = 1700000001,
                                   .result = 25,
                                   .failure = "failure",
                                   .text = "because"};
        rndc_reply_write(&reply, &request, &key, &out);
        const uint8_t *bytes = (const uint8_t *)out.bytes;
        assert_int_equal(out.size - 4, bytes[2] << 8 | bytes[3]);
        assert_int_equal(rndc_message_read(slice_of(bytes + 4, out.size - 4), &answer, NULL), OK);
        assert_true(rndc_message_is_signed(&answer, &key));
        assert_int_equal(answer.algorithm, algorithm);
        assert_true(equals(answer.is_reply, "1"));
        assert_true(equals(answer.serial, "1"));
        assert_true(equals(answer.nonce, "4294967295"));
        assert_true(equals(answer.expiry, "1700000061"));
        hmac_key_deinit(&key);
        text_deinit(&out);
    }
    free(octets);
}

static void numbers_are_decimal_and_of_a_length(void **state)
{
    (void)state;
    uint64_t number = 7;
    assert_true(rndc_number(slice_str("0"), &number));
    assert_int_equal(number, 0);
    assert_true(rndc_number(slice_str("123456789012345678"), &number));
    assert_int_equal(number, 123456789012345678);
    assert_false(rndc_number(slice_str("1234567890123456789"), &number));
    assert_false(rndc_number(slice_str(""), &number));
    assert_false(rndc_number(slice_str("-1"), &number));
    assert_false(rndc_number(slice_str("1 "), &number));
    assert_false(rndc_number(slice_of(NULL, 0), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rndc_sends_is_read_and_its_signature_fits_one_key),
        cmocka_unit_test(no_octet_may_be_another),
        cmocka_unit_test(what_is_cut_anywhere_is_not_read),
        cmocka_unit_test(an_answer_can_be_read_again_with_every_algorithm),
        cmocka_unit_test(numbers_are_decimal_and_of_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
