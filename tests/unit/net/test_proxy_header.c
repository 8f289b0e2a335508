/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t v4[12] = {192, 0, 2, 7, 192, 0, 2, 53, 0x12, 0x67, 0, 53};

struct sample {
    uint8_t bytes[PROXY_HEADER_MAX + 64];
    size_t size;
};

static void make(struct sample *sample, uint8_t command, uint8_t family, const void *body,
                 size_t size)
{
    memcpy(sample->bytes, signature, 12);
    sample->bytes[12] = command;
    sample->bytes[13] = family;
    sample->bytes[14] = (uint8_t)(size >> 8);
    sample->bytes[15] = (uint8_t)size;
    if (size != 0) {
        memcpy(sample->bytes + 16, body, size);
    }
    sample->size = 16 + size;
}

/* From a copy of its exact size. The sentence, or NULL. */
static const char *parse(const struct sample *sample, enum proxy_progress expected,
                         struct proxy_header *out, size_t *out_size)
{
    uint8_t *copy = malloc(sample->size + 1);
    memcpy(copy, sample->bytes, sample->size);
    const char *why = NULL;
    uint8_t *exact = realloc(copy, sample->size == 0 ? 1 : sample->size);
    assert_int_equal(proxy_header_parse(slice_of(exact, sample->size), out, out_size, &why),
                     expected);
    free(exact);
    return why;
}

static void addresses_of_the_client_are_read(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    char text[ADDRESS_TEXT_SIZE];
    make(&sample, 0x21, 0x11, v4, sizeof(v4));
    memcpy(sample.bytes + sample.size, "question", 8);
    sample.size += 8;
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_int_equal(size, 28);
    assert_false(header.is_local);
    assert_string_equal(address_format(&header.source, true, text), "192.0.2.7#4711");
    assert_string_equal(address_format(&header.destination, true, text), "192.0.2.53#53");
    static const uint8_t v6[36] = {0x20, 1, 0xd, 0xb8, 0,    0, 0,   0,    0,    0,    0, 0,
                                   0,    0, 0,   7,    0x20, 1, 0xd, 0xb8, 0,    0,    0, 0,
                                   0,    0, 0,   0,    0,    0, 0,   53,   0x12, 0x67, 0, 53};
    make(&sample, 0x21, 0x22, v6, sizeof(v6));
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_string_equal(address_format(&header.source, true, text), "2001:db8::7#4711");
}

static void mapped_addresses_are_ipv4(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    char text[ADDRESS_TEXT_SIZE];
    static const uint8_t mapped[36] = {0,   0, 0,    0,    0,   0, 0, 0,  0,    0,    0xff, 0xff,
                                       192, 0, 2,    7,    0,   0, 0, 0,  0,    0,    0,    0,
                                       0,   0, 0xff, 0xff, 192, 0, 2, 53, 0x12, 0x67, 0,    53};
    make(&sample, 0x21, 0x21, mapped, sizeof(mapped));
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_string_equal(address_format(&header.source, true, text), "192.0.2.7#4711");
    assert_string_equal(address_format(&header.destination, true, text), "192.0.2.53#53");
}

static void local_is_the_proxy_itself_whatever_follows(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header = {0};
    size_t size;
    make(&sample, 0x20, 0x00, NULL, 0);
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_true(header.is_local);
    assert_int_equal(header.source.family, 0);
    make(&sample, 0x20, 0x11, "anything", 8);
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_true(header.is_local);
    assert_int_equal(size, 24);
}

static void each_cut_asks_for_more(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    make(&sample, 0x21, 0x11, v4, sizeof(v4));
    for (size_t whole = sample.size, n = 0; n < whole; n++) {
        sample.size = n;
        assert_null(parse(&sample, PROXY_INCOMPLETE, &header, &size));
        assert_int_equal(size, n < 16 ? 16 : whole);
    }
}

static void wrong_octets_are_refused_at_once(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    for (size_t i = 0; i < 13; i++) {
        make(&sample, 0x21, 0x11, v4, sizeof(v4));
        sample.bytes[i] ^= 0x40;
        sample.size = i + 1;
        const char *why = parse(&sample, PROXY_BAD, &header, &size);
        assert_non_null(strstr(why, i < 12 ? "no PROXY header" : "version or command"));
    }
    make(&sample, 0x22, 0x11, v4, sizeof(v4));
    assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "version or command"));
}

static void a_client_without_an_address_is_refused(void **state)
{
    (void)state;
    static const uint8_t families[] = {0x00, 0x01, 0x31, 0x32, 0x41, 0xf1};
    static const uint8_t body[216] = {0};
    struct sample sample;
    struct proxy_header header;
    size_t size;
    for (size_t i = 0; i < sizeof(families); i++) {
        make(&sample, 0x21, families[i], body, sizeof(body));
        assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "no IPv4 or IPv6"));
    }
    make(&sample, 0x21, 0x11, v4, 11);
    assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "too short"));
    make(&sample, 0x21, 0x21, v4, 12);
    assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "too short"));
    for (size_t zero = 0; zero < 4; zero++) {
        static const struct {
            size_t at, size;
        } parts[] = {{0, 4}, {4, 4}, {8, 2}, {10, 2}};
        uint8_t copy[12];
        memcpy(copy, v4, sizeof(copy));
        memset(copy + parts[zero].at, 0, parts[zero].size);
        make(&sample, 0x21, 0x11, copy, sizeof(copy));
        assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "is zero"));
    }
}

static void extensions_are_passed_over_if_they_add_up(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    uint8_t body[12 + 9];
    memcpy(body, v4, 12);
    memcpy(body + 12, "\x04\x00\x03www\x20\x00\x00", 9);
    make(&sample, 0x21, 0x11, body, sizeof(body));
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_int_equal(size, 16 + sizeof(body));
    for (size_t cut = 1; cut < 9; cut++) {
        if (cut == 3) {
            continue; /* the last one is gone as a whole */
        }
        make(&sample, 0x21, 0x11, body, sizeof(body) - cut);
        assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "add up"));
    }
}

static void headers_end_at_2048_octets(void **state)
{
    (void)state;
    struct sample sample;
    struct proxy_header header;
    size_t size;
    uint8_t body[PROXY_HEADER_MAX] = {0};
    size_t most = PROXY_HEADER_MAX - PROXY_HEADER_MIN;
    memcpy(body, v4, 12);
    body[12] = 4;
    body[13] = (uint8_t)((most - 15) >> 8);
    body[14] = (uint8_t)(most - 15);
    make(&sample, 0x21, 0x11, body, most);
    assert_null(parse(&sample, PROXY_WHOLE, &header, &size));
    assert_int_equal(size, PROXY_HEADER_MAX);
    make(&sample, 0x21, 0x11, body, most + 1);
    sample.size = 16;
    assert_non_null(strstr(parse(&sample, PROXY_BAD, &header, &size), "longer than 2048"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_client_are_read),
        cmocka_unit_test(mapped_addresses_are_ipv4),
        cmocka_unit_test(local_is_the_proxy_itself_whatever_follows),
        cmocka_unit_test(each_cut_asks_for_more),
        cmocka_unit_test(wrong_octets_are_refused_at_once),
        cmocka_unit_test(a_client_without_an_address_is_refused),
        cmocka_unit_test(extensions_are_passed_over_if_they_add_up),
        cmocka_unit_test(headers_end_at_2048_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
