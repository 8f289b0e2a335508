/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/encode.h"
#include "wire/hmac.h"

/* From the openssl command; the cases are those of RFC 2202 and RFC 4231, test case 2 and 6. */
static const struct {
    enum hmac_algorithm algorithm;
    const char *short_key;
    const char *long_key;
} vectors[] = {
    {HMAC_MD5, "750c783e6ab0b503eaa86e310a5db738", "bfecaf4efff90a3a668f3922fec3762d"},
    {HMAC_SHA1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
     "90d0dace1c1bdc957339307803160335bde6df2b"},
    {HMAC_SHA224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
     "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e"},
    {HMAC_SHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {HMAC_SHA384,
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21"
     "649",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44"
     "952"},
    {HMAC_SHA512,
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e"
     "6fdcaeab1a34d4a6b4b636e070a38bce737",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1"
     "e5295e64f73f63f0aec8b915a985d786598"},
};

static const char text[] = "what do ya want for nothing?";
static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";

static void check(enum hmac_algorithm algorithm, struct slice secret, struct slice message,
                  const char *hex)
{
    struct hmac_key key;
    struct hmac hmac;
    uint8_t mac[HMAC_MAX_SIZE], expected[HMAC_MAX_SIZE];
    size_t size;
    assert_true(hex_decode(hex, strlen(hex), expected, sizeof(expected), &size));
    assert_int_equal(size, hmac_size(algorithm));
    hmac_key_init(&key, algorithm, secret);
    hmac_begin(&hmac, &key);
    hmac_add(&hmac, message);
    hmac_end(&hmac, mac, size);
    assert_memory_equal(mac, expected, size);
    /* The end begins anew; pieces and empty pieces make no difference; a cut MAC is its front. */
    for (size_t i = 0; i < message.size; i++) {
        hmac_add(&hmac, slice_of(message.data + i, 1));
        hmac_add(&hmac, slice_of(NULL, 0));
    }
    memset(mac, 0, sizeof(mac));
    hmac_end(&hmac, mac, 10);
    assert_memory_equal(mac, expected, 10);
    assert_int_equal(mac[10], 0);
    hmac_key_deinit(&key);
    for (size_t i = 0; i < sizeof(key); i++) {
        assert_int_equal(((const uint8_t *)&key)[i], 0);
    }
}

static void hmac_agrees_with_published_vectors(void **state)
{
    (void)state;
    uint8_t long_secret[131];
    memset(long_secret, 0xaa, sizeof(long_secret));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        check(vectors[i].algorithm, slice_str("Jefe"), slice_str(text), vectors[i].short_key);
        check(vectors[i].algorithm, slice_of(long_secret, sizeof(long_secret)),
              slice_str(long_text), vectors[i].long_key);
    }
}

static void hmac_equal_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    memset(a, 0x5a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(hmac_equal(a, b, sizeof(a)));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(hmac_equal(a, b, sizeof(a)));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_agrees_with_published_vectors),
        cmocka_unit_test(hmac_equal_sees_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
