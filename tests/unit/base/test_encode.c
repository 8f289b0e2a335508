/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/encode.h"

/* RFC 4648 10. */
static const struct {
    const char *bytes;
    const char *base64;
    const char *base32hex; /* without the padding */
    const char *hex;
} vectors[] = {
    {"", "", "", ""},
    {"f", "Zg==", "CO", "66"},
    {"fo", "Zm8=", "CPNG", "666F"},
    {"foo", "Zm9v", "CPNMU", "666F6F"},
    {"foob", "Zm9vYg==", "CPNMUOG", "666F6F62"},
    {"fooba", "Zm9vYmE=", "CPNMUOJ1", "666F6F6261"},
    {"foobar", "Zm9vYmFy", "CPNMUOJ1E8", "666F6F626172"},
};

static void check_text(const char *expected, size_t size, const char *text)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void encode_and_decode_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct slice bytes = slice_str(vectors[i].bytes);
        char text[64];
        uint8_t back[16];
        size_t size = 0;
        check_text(vectors[i].base64, base64_encode(bytes, text), text);
        assert_int_equal(base64_text_size(bytes.size), strlen(vectors[i].base64));
        assert_true(
            base64_decode(vectors[i].base64, strlen(vectors[i].base64), back, bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
        check_text(vectors[i].base32hex, base32hex_encode(bytes, text), text);
        assert_int_equal(base32hex_text_size(bytes.size), strlen(vectors[i].base32hex));
        assert_true(base32hex_decode(vectors[i].base32hex, strlen(vectors[i].base32hex), back,
                                     bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
        check_text(vectors[i].hex, hex_encode_upper(bytes, text), text);
        assert_int_equal(hex_text_size(bytes.size), strlen(vectors[i].hex));
        assert_true(hex_decode(vectors[i].hex, strlen(vectors[i].hex), back, bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
    }
}

static void decoders_take_either_case_where_the_alphabet_does(void **state)
{
    (void)state;
    uint8_t back[8];
    size_t size = 0;
    assert_true(hex_decode("aBcD", 4, back, sizeof(back), &size));
    assert_memory_equal(back, "\xab\xcd", 2);
    char text[8];
    check_text("abcd", hex_encode_lower(slice_of(back, 2), text), text);
    assert_true(base32hex_decode("cpnmuoj1", 8, back, sizeof(back), &size));
    assert_memory_equal(back, "fooba", 5);
}

static void every_octet_goes_through_every_encoding(void **state)
{
    (void)state;
    uint8_t all[256];
    uint8_t back[256];
    char text[512];
    size_t size = 0;
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)(i * 167);
    }
    for (size_t start = 0; start < 9; start++) {
        struct slice bytes = slice_of(all + start, sizeof(all) - start);
        size_t written = hex_encode_lower(bytes, text);
        assert_true(hex_decode(text, written, back, bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
        written = base64_encode(bytes, text);
        assert_true(base64_decode(text, written, back, bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
        written = base32hex_encode(bytes, text);
        assert_true(base32hex_decode(text, written, back, bytes.size, &size));
        assert_true(slice_equal(bytes, slice_of(back, size)));
    }
}

static void text_may_come_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const char base64[] = "VGhlIHF1aWNrIGJyb3duIGZveA==";
    static const char hex[] = "54686520717569636b";
    for (size_t piece = 1; piece < sizeof(base64); piece++) {
        struct base64_decoder decoder = {0};
        uint8_t out[32];
        size_t written = 0;
        for (size_t at = 0; at < sizeof(base64) - 1; at += piece) {
            size_t left = sizeof(base64) - 1 - at;
            assert_int_equal(base64_feed(&decoder, base64 + at, left < piece ? left : piece,
                                         out + written, 19 - written, &written),
                             DECODE_OK);
        }
        assert_true(base64_is_complete(&decoder));
        assert_int_equal(written, 19);
        assert_memory_equal(out, "The quick brown fox", 19);
    }
    for (size_t piece = 1; piece < sizeof(hex); piece++) {
        struct hex_decoder decoder = {0};
        uint8_t out[16];
        size_t written = 0;
        for (size_t at = 0; at < sizeof(hex) - 1; at += piece) {
            size_t left = sizeof(hex) - 1 - at;
            assert_int_equal(hex_feed(&decoder, hex + at, left < piece ? left : piece,
                                      out + written, 9 - written, &written),
                             DECODE_OK);
        }
        assert_true(hex_is_complete(&decoder));
        assert_memory_equal(out, "The quick", 9);
    }
}

static void decoders_refuse_what_is_not_well_formed(void **state)
{
    (void)state;
    static const char *const bad_base64[] = {
        "A",    "AQ",    "AQ=",  "AR==",     "AQE",  "A===",  "=AAA",
        "AQ=A", "AA==A", "AQ*=", "AQ==AQ==", "AQF=", "AQ== ", "===="};
    static const char *const bad_base32[] = {"C", "CPN", "CP", "W0", "CPNMUO", "C=", "CPNMUOJ1C"};
    static const char *const bad_hex[] = {"a", "0x", "abc", "g0", "0g", " 00"};
    uint8_t out[16];
    size_t size = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad_base64); i++) {
        assert_false(base64_decode(bad_base64[i], strlen(bad_base64[i]), out, sizeof(out), &size));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad_base32); i++) {
        assert_false(
            base32hex_decode(bad_base32[i], strlen(bad_base32[i]), out, sizeof(out), &size));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad_hex); i++) {
        assert_false(hex_decode(bad_hex[i], strlen(bad_hex[i]), out, sizeof(out), &size));
    }
    assert_int_equal(size, 77);
}

static void decoders_stop_at_the_room_they_have(void **state)
{
    (void)state;
    uint8_t out[4] = {0, 0, 0, 0xee};
    size_t size = 0;
    assert_false(base64_decode("AAAAAAAA", 8, out, 3, &size));
    assert_false(base64_decode("AAAAAA==", 8, out, 3, &size));
    assert_false(hex_decode("00000000", 8, out, 3, &size));
    assert_false(base32hex_decode("0000000", 7, out, 3, &size));
    assert_int_equal(out[3], 0xee);
    struct base64_decoder decoder = {0};
    size_t written = 0;
    assert_int_equal(base64_feed(&decoder, "AAAAAA==", 8, out, 3, &written), DECODE_NO_ROOM);
    assert_int_equal(written, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_and_decode_the_vectors_of_rfc_4648),
        cmocka_unit_test(decoders_take_either_case_where_the_alphabet_does),
        cmocka_unit_test(every_octet_goes_through_every_encoding),
        cmocka_unit_test(text_may_come_in_pieces_of_any_size),
        cmocka_unit_test(decoders_refuse_what_is_not_well_formed),
        cmocka_unit_test(decoders_stop_at_the_room_they_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
