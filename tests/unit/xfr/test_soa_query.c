/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/soa_query.h"
#include "xfr/xfr_request.h"

enum { ID = 300 };

#define SOA "@ 3600 SOA ns hostmaster 2026031802 3600 900 1209600 300\n"

static const uint8_t zone[] = "\7example\3com";
static const struct soa_query query = {zone, CLASS_IN, ID, true};

/* Reads and frees `message`. */
static enum result read_answer(struct slice message, struct soa_answer *out, struct error *err)
{
    enum result result = soa_answer_read(&query, message, out, err);
    slice_free(message);
    return result;
}

static void expect_refused(struct slice message, enum result code, const char *part)
{
    struct soa_answer answer;
    struct error err = {0};
    assert_int_equal(read_answer(message, &answer, &err), code);
    if (strstr(err.text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.text);
    }
}

static struct slice reply_lines(const char *lines)
{
    return reply_of(ID, 0, "example.com", TYPE_SOA, "example.com", lines);
}

static void query_asks_for_soa_and_expire(void **state)
{
    (void)state;
    uint8_t buffer[512];
    size_t size = soa_query_write(&query, buffer, sizeof(buffer));
    struct xfr_request request;
    unsigned rcode = 0;
    struct error err = {0};
    assert_int_equal(xfr_request_read(slice_of(buffer, size), &request, &rcode, &err), OK);
    assert_int_equal(request.id, ID);
    assert_int_equal(request.question.type, TYPE_SOA);
    assert_true(request.wants_expire);
    static const uint8_t fingerprint[] = {EDNS_FINGERPRINT >> 8, EDNS_FINGERPRINT & 0xff, 0, 0};
    assert_memory_equal(buffer + size - 4 - sizeof(fingerprint), fingerprint, sizeof(fingerprint));
    struct soa_query plain = query;
    plain.no_expire = true;
    size = soa_query_write(&plain, buffer, sizeof(buffer));
    assert_int_equal(xfr_request_read(slice_of(buffer, size), &request, &rcode, &err), OK);
    assert_true(request.has_edns && request.wants_fingerprint && !request.wants_expire);
    plain.with_edns = false;
    size = soa_query_write(&plain, buffer, sizeof(buffer));
    assert_int_equal(size, 12 + sizeof(zone) + 4);
}

static void good_answer_gives_serial_and_timers(void **state)
{
    (void)state;
    struct soa_answer answer;
    struct error err = {0};
    assert_int_equal(read_answer(reply_lines(SOA), &answer, &err), OK);
    assert_int_equal(answer.serial.value, 2026031802);
    assert_int_equal(answer.refresh_s, 3600);
    assert_int_equal(answer.retry_s, 900);
    assert_int_equal(answer.expire_s, 1209600);
    assert_int_equal(answer.minimum_s, 300);
    assert_false(answer.truncated);
    assert_false(answer.has_expire_option);
}

/* An answer with SOA and `options` in its OPT. */
static struct slice reply_options(struct slice options)
{
    uint8_t *buffer = malloc(512);
    struct message_writer w;
    message_writer_init(&w, buffer, 512, ID, FLAG_QR | FLAG_AA);
    struct line_record *line = malloc(sizeof(*line));
    line_read(SOA, zone, CLASS_IN, line);
    assert_true(message_write_question(&w, zone, TYPE_SOA, CLASS_IN));
    assert_true(message_write_record(&w, SECTION_ANSWER, &line->record));
    assert_true(message_write_opt(&w, 1232, 0, 0, false, options));
    free(line);
    size_t size = message_writer_finish(&w).size;
    return slice_of(realloc(buffer, size), size);
}

static void expire_option_is_read(void **state)
{
    (void)state;
    uint8_t option[EXPIRE_OPTION_SIZE];
    struct soa_answer answer;
    struct error err = {0};
    assert_int_equal(read_answer(reply_options(expire_option_write(option, 4242)), &answer, &err),
                     OK);
    assert_true(answer.has_expire_option);
    assert_int_equal(answer.expire_option_s, 4242);
    assert_false(answer.has_fingerprint);
}

enum { FINGERPRINT_SIZE = 5 + FINGERPRINT_DIGEST_SIZE };

/* Whether an option of `size` octets with this beginning is taken for a fingerprint. */
static bool takes_fingerprint(uint8_t format, uint32_t serial, size_t size, struct soa_answer *out)
{
    uint8_t options[4 + FINGERPRINT_SIZE + 1] = {EDNS_FINGERPRINT >> 8, EDNS_FINGERPRINT & 0xff};
    struct error err = {0};
    put_u16(options + 2, (uint16_t)size);
    options[4] = format;
    put_u32(options + 5, serial);
    for (size_t i = 0; i < FINGERPRINT_DIGEST_SIZE; i++) {
        options[9 + i] = (uint8_t)(i * 7);
    }
    assert_int_equal(read_answer(reply_options(slice_of(options, 4 + size)), out, &err), OK);
    assert_int_equal(out->serial.value, 2026031802);
    return out->has_fingerprint;
}

static void fingerprint_option_is_read(void **state)
{
    (void)state;
    struct soa_answer answer;
    assert_true(takes_fingerprint(1, 2026031802, FINGERPRINT_SIZE, &answer));
    for (size_t i = 0; i < FINGERPRINT_DIGEST_SIZE; i++) {
        assert_int_equal(answer.fingerprint.digest[i], (uint8_t)(i * 7));
    }
}

static void fingerprint_option_that_is_none_is_passed_over(void **state)
{
    (void)state;
    struct soa_answer answer;
    for (size_t size = 0; size <= FINGERPRINT_SIZE + 1; size++) {
        assert_int_equal(takes_fingerprint(1, 2026031802, size, &answer), size == FINGERPRINT_SIZE);
    }
    assert_false(takes_fingerprint(0, 2026031802, FINGERPRINT_SIZE, &answer));
    assert_false(takes_fingerprint(2, 2026031802, FINGERPRINT_SIZE, &answer));
    assert_false(takes_fingerprint(1, 2026031801, FINGERPRINT_SIZE, &answer));
}

static void truncated_answer_says_so(void **state)
{
    (void)state;
    struct soa_answer answer;
    struct error err = {0};
    struct slice message = reply_of(ID, FLAG_TC, "example.com", TYPE_SOA, "example.com", "");
    assert_int_equal(read_answer(message, &answer, &err), OK);
    assert_true(answer.truncated);
}

static void every_other_answer_is_told_apart(void **state)
{
    (void)state;
    expect_refused(reply_lines(""), ERR_FORMAT, "NOERROR without an SOA record");
    expect_refused(reply_lines("@ 60 CNAME a\n"), ERR_FORMAT, "a CNAME record");
    expect_refused(reply_lines("sub 3600 SOA ns h 1 2 3 4 5\n"), ERR_FORMAT, "not asked for");
    expect_refused(reply_lines(SOA SOA), ERR_FORMAT, "more than one SOA");
    expect_refused(reply_of(ID, RCODE_REFUSED, "example.com", TYPE_SOA, "example.com", ""),
                   ERR_DENIED, "primary answered REFUSED to the SOA query");
    expect_refused(reply_of(ID, RCODE_SERVFAIL, "example.com", TYPE_SOA, "example.com", ""),
                   ERR_BUSY, "SERVFAIL");
    expect_refused(reply_of(ID, RCODE_NOTAUTH, NULL, TYPE_SOA, "example.com", ""), ERR_NOT_FOUND,
                   "NOTAUTH");
    expect_refused(reply_of(ID + 1, 0, "example.com", TYPE_SOA, "example.com", SOA), ERR_FORMAT,
                   "ID");
    expect_refused(reply_of(ID, 0, "example.net", TYPE_SOA, "example.com", SOA), ERR_FORMAT,
                   "example.net");
    expect_refused(slice_of(calloc(1, 5), 5), ERR_FORMAT, "5 octets, shorter than a header");
}

static void answer_must_be_authoritative(void **state)
{
    (void)state;
    struct slice message = reply_lines(SOA);
    ((uint8_t *)(uintptr_t)message.data)[2] &= 0xfb;
    expect_refused(message, ERR_FORMAT, "AA is not set");
}

static void formerr_hints_at_edns(void **state)
{
    (void)state;
    struct soa_answer answer;
    struct error err = {0};
    struct slice message = reply_of(ID, RCODE_FORMERR, "example.com", TYPE_SOA, "example.com", "");
    assert_int_equal(read_answer(message, &answer, &err), ERR_FORMAT);
    assert_true(answer.no_edns);
}

static void answer_cut_at_any_octet_is_refused(void **state)
{
    (void)state;
    struct slice whole = reply_lines(SOA);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *part = malloc(size == 0 ? 1 : size);
        memcpy(part, whole.data, size);
        struct soa_answer answer;
        struct error err = {0};
        assert_int_equal(read_answer(slice_of(part, size), &answer, &err), ERR_FORMAT);
    }
    slice_free(whole);
}

/* ---- cookies ---- */

static const uint8_t our_cookie[] = {1, 2, 3, 4, 5, 6, 7, 8};

/* A good answer with a COOKIE option of `size` octets that begins with ours, but for `flip`. */
static enum result answer_with_cookie(const struct soa_query *asked, unsigned rcode, size_t size,
                                      uint8_t flip, struct soa_answer *out, uint8_t *buffer)
{
    struct message_writer w;
    uint8_t option[4 + 64];
    put_u16(option, EDNS_COOKIE);
    put_u16(option + 2, (uint16_t)size);
    for (size_t i = 0; i < size; i++) {
        option[4 + i] = (uint8_t)(i + 1);
    }
    option[4] ^= flip;
    message_writer_init(&w, buffer, 512, ID, FLAG_QR | FLAG_AA | (rcode & 15));
    assert_true(message_write_question(&w, zone, TYPE_SOA, CLASS_IN));
    if (rcode == 0) {
        struct line_record *line = malloc(sizeof(*line));
        (void)line_read(SOA, zone, CLASS_IN, line);
        assert_true(message_write_record(&w, SECTION_ANSWER, &line->record));
        free(line);
    }
    assert_true(message_write_opt(&w, 1232, (uint8_t)(rcode >> 4), 0, false,
                                  slice_of(option, size == 0 ? 0 : 4 + size)));
    return soa_answer_read(asked, message_writer_finish(&w), out, NULL);
}

static void cookie_is_shown_whole(void **state)
{
    (void)state;
    uint8_t buffer[512], cookie[40];
    memset(cookie, 0xc0, sizeof(cookie));
    struct soa_query asked = query;
    asked.cookie = slice_of(cookie, sizeof(cookie));
    size_t size = soa_query_write(&asked, buffer, sizeof(buffer));
    assert_memory_equal(buffer + size - 40, cookie, 40);
    assert_int_equal(buffer[size - 44 + 1], EDNS_COOKIE);
    assert_int_equal(buffer[size - 42 + 1], 40);
    asked.with_edns = false;
    assert_true(soa_query_write(&asked, buffer, sizeof(buffer)) < 40);
}

static void answer_is_believed_with_our_cookie_or_none(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct soa_answer answer;
    struct soa_query asked = query;
    asked.cookie = slice_of(our_cookie, sizeof(our_cookie));
    assert_int_equal(answer_with_cookie(&asked, 0, 24, 0, &answer, buffer), OK);
    assert_int_equal(answer.server_cookie.size, 16);
    assert_int_equal(answer.server_cookie.data[0], 9);
    assert_int_equal(answer_with_cookie(&asked, 0, 8, 0, &answer, buffer), OK);
    assert_int_equal(answer.server_cookie.size, 0);
    assert_int_equal(answer_with_cookie(&asked, 0, 0, 0, &answer, buffer), OK);
    static const size_t sizes[] = {8, 24, 40};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(answer_with_cookie(&asked, 0, sizes[i], 1, &answer, buffer), ERR_FORMAT);
        assert_true(answer.foreign_cookie);
    }
    assert_int_equal(answer_with_cookie(&asked, 0, 7, 0, &answer, buffer), ERR_FORMAT);
    assert_int_equal(answer_with_cookie(&asked, 0, 41, 0, &answer, buffer), ERR_FORMAT);
    assert_int_equal(answer_with_cookie(&query, 0, 24, 1, &answer, buffer), OK); /* none was sent */
    assert_null(answer.server_cookie.data);
}

static void badcookie_brings_the_cookie_to_ask_again_with(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct soa_answer answer;
    struct soa_query asked = query;
    asked.cookie = slice_of(our_cookie, sizeof(our_cookie));
    assert_int_not_equal(answer_with_cookie(&asked, RCODE_BADCOOKIE, 24, 0, &answer, buffer), OK);
    assert_true(answer.bad_cookie);
    assert_int_equal(answer.server_cookie.size, 16);
    assert_int_not_equal(answer_with_cookie(&query, RCODE_BADCOOKIE, 24, 0, &answer, buffer), OK);
    assert_false(answer.bad_cookie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_asks_for_soa_and_expire),
        cmocka_unit_test(good_answer_gives_serial_and_timers),
        cmocka_unit_test(expire_option_is_read),
        cmocka_unit_test(fingerprint_option_is_read),
        cmocka_unit_test(fingerprint_option_that_is_none_is_passed_over),
        cmocka_unit_test(truncated_answer_says_so),
        cmocka_unit_test(every_other_answer_is_told_apart),
        cmocka_unit_test(answer_must_be_authoritative),
        cmocka_unit_test(formerr_hints_at_edns),
        cmocka_unit_test(answer_cut_at_any_octet_is_refused),
        cmocka_unit_test(cookie_is_shown_whole),
        cmocka_unit_test(answer_is_believed_with_our_cookie_or_none),
        cmocka_unit_test(badcookie_brings_the_cookie_to_ask_again_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
