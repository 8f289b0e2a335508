/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/axfr_in.h"
#include "xfr/axfr_out.h"

#define SOA "@ 3600 SOA ns hostmaster 7 3600 900 1209600 300\n"
#define BODY                                                                                       \
    "@ 3600 NS ns\n@ 3600 TXT \"z\"\nns 3600 A 192.0.2.1\nWWW 60 A 192.0.2.80\na.b 60 A "          \
    "192.0.2.2\n"

static struct xfr_request request_for(const char *zone, uint16_t type)
{
    struct xfr_request request = {.id = 513, .udp_size = 512};
    request.question.name = name_of(zone);
    request.question.type = type;
    request.question.class = CLASS_IN;
    return request;
}

static void expect_lines(struct text *got, const char *want)
{
    assert_string_equal(text_str(got), want);
    text_deinit(got);
}

static void zone_that_fits_is_one_message_between_two_soas(void **state)
{
    (void)state;
    struct zone_version *version = version_of("example.com", SOA BODY);
    struct xfr_request request = request_for("eXample.COM", TYPE_AXFR);
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 0);
    uint8_t *buffer = malloc(MESSAGE_MAX_SIZE);
    size_t size = 0;
    struct error err = {0};
    assert_int_equal(axfr_out_next(out, buffer, MESSAGE_MAX_SIZE, 0, &size, &err), STEP_DONE);
    struct slice message = slice_of(buffer, size);
    struct message_header header;
    assert_int_equal(message_header_read(message, &header), OK);
    assert_int_equal(header.id, 513);
    assert_int_equal(header.flags, FLAG_QR | FLAG_AA);
    assert_int_equal(header.counts[SECTION_QUESTION], 1);
    assert_int_equal(header.counts[SECTION_ADDITIONAL], 0); /* no OPT unless asked */
    assert_memory_equal(buffer + 12, "\7eXample\3COM", 13);
    struct text lines;
    text_init(&lines, 0);
    message_print_answers(message, &lines);
    expect_lines(&lines, "example.com. 3600 SOA ns.example.com. hostmaster.example.com. 7 3600 900 "
                         "1209600 300\n"
                         "example.com. 3600 NS ns.example.com.\n"
                         "example.com. 3600 TXT \"z\"\n"
                         "a.b.example.com. 60 A 192.0.2.2\n"
                         "ns.example.com. 3600 A 192.0.2.1\n"
                         "WWW.example.com. 60 A 192.0.2.80\n"
                         "example.com. 3600 SOA ns.example.com. hostmaster.example.com. 7 3600 900 "
                         "1209600 300\n");
    assert_int_equal(axfr_out_stats(out).records, 7);
    assert_int_equal(axfr_out_stats(out).messages, 1);
    assert_int_equal(axfr_out_stats(out).bytes, size);
    free(buffer);
    axfr_out_free(out);
    zone_version_unref(version);
}

/* Sends `version` to an axfr_in and compares what comes out. Returns the number of messages. */
static uint64_t round_trip(struct zone_version *version, size_t limit, size_t reserved, size_t soft)
{
    struct xfr_request request = request_for("example.com", TYPE_AXFR);
    request.has_edns = true;
    uint8_t option[EXPIRE_OPTION_SIZE];
    struct slice options = expire_option_write(option, 777);
    struct axfr_out *out = axfr_out_new(version, &request, options, soft);
    struct name zone = name_of("example.com");
    struct instant now = {0};
    struct axfr_in *in = axfr_in_new(zone.wire, CLASS_IN, request.id, NULL, NULL, now, NULL, NULL);
    enum step sent = STEP_MORE;
    enum step received = STEP_MORE;
    while (sent == STEP_MORE && received == STEP_MORE) {
        uint8_t *buffer = malloc(limit);
        size_t size = 0;
        struct error err = {0};
        sent = axfr_out_next(out, buffer, limit, reserved, &size, &err);
        assert_int_not_equal(sent, STEP_FAILED);
        assert_true(size + reserved <= limit);
        buffer = realloc(buffer, size);
        received = axfr_in_receive(in, slice_of(buffer, size), now, &err);
        if (received == STEP_FAILED) {
            fail_msg("%s", err.text);
        }
        free(buffer);
    }
    assert_int_equal(sent, STEP_DONE);
    assert_int_equal(received, STEP_DONE);
    uint32_t expire_s = 0;
    assert_true(axfr_in_expire(in, &expire_s));
    assert_int_equal(expire_s, 777);
    struct zone_version *got = NULL;
    axfr_in_take(in, &got, NULL);
    assert_true(versions_equal(version, got));
    assert_int_equal(axfr_in_stats(in).records, zone_version_record_count(version) + 1);
    uint64_t messages = axfr_out_stats(out).messages;
    zone_version_unref(got);
    axfr_in_free(in);
    axfr_out_free(out);
    return messages;
}

static struct zone_version *big_zone(unsigned hosts)
{
    struct text lines;
    text_init(&lines, 0);
    text_add_str(&lines, SOA BODY);
    for (unsigned i = 0; i < hosts; i++) {
        text_printf(&lines, "h%u 300 A 10.0.%u.%u\nh%u 300 MX 10 h%u\n", i, i / 250, i % 250, i,
                    i * 7 % hosts);
    }
    struct zone_version *version = version_of("example.com", text_str(&lines));
    text_deinit(&lines);
    return version;
}

static void zone_is_the_same_at_both_ends_whatever_the_message_size(void **state)
{
    (void)state;
    struct zone_version *version = big_zone(700);
    assert_true(round_trip(version, 512, 0, 0) > 50);
    assert_true(round_trip(version, 1232, 200, 0) > 20);
    uint64_t at_16k = round_trip(version, MESSAGE_MAX_SIZE, 200, 0);
    assert_in_range(at_16k, 2, 8);
    assert_true(round_trip(version, MESSAGE_MAX_SIZE, 0, MESSAGE_MAX_SIZE) <= at_16k);
    zone_version_unref(version);
}

static void record_larger_than_the_soft_size_gets_a_message_of_its_own(void **state)
{
    (void)state;
    struct text lines;
    text_init(&lines, 0);
    text_add_str(&lines, SOA BODY "big 60 TXT");
    for (unsigned i = 0; i < 200; i++) {
        text_add_str(&lines, " ");
        for (unsigned n = 0; n < 200; n++) {
            text_add_char(&lines, (char)('a' + i % 26));
        }
        if (i % 50 == 49) {
            text_printf(&lines, "\nbig%u 60 TXT", i);
        }
    }
    text_add_str(&lines, " end\n");
    struct zone_version *version = version_of("example.com", text_str(&lines));
    text_deinit(&lines);
    assert_true(round_trip(version, MESSAGE_MAX_SIZE, 100, 1000) >= 5);
    zone_version_unref(version);
}

/* The largest record that a builder takes cannot stand in a message with a header and an owner. */
static void record_that_fits_no_message_fails_the_transfer(void **state)
{
    (void)state;
    struct name zone = name_of("example.com");
    struct builder *builder = builder_new(zone.wire, CLASS_IN, NULL, NULL, NULL);
    struct error err = {0};
    struct line_record *line = malloc(sizeof(*line));
    const char *p = SOA BODY;
    while (*p != '\0') {
        p = line_read(p, zone.wire, CLASS_IN, line);
        assert_int_equal(builder_add(builder, &line->record, NULL, 0, &err), OK);
    }
    struct name owner = name_of("huge.example.com");
    memset(line->rdata, 0, sizeof(line->rdata));
    struct record huge = {owner.wire, 65280, CLASS_IN, 60, {line->rdata, 65530}};
    assert_int_equal(builder_add(builder, &huge, NULL, 0, &err), OK);
    struct zone_version *version = NULL;
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, &err), OK);
    builder_free(builder);
    free(line);

    struct xfr_request request = request_for("example.com", TYPE_AXFR);
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 0);
    uint8_t *buffer = malloc(MESSAGE_MAX_SIZE);
    size_t size = 0;
    enum step step = STEP_MORE;
    for (unsigned i = 0; i < 5 && step == STEP_MORE; i++) {
        step = axfr_out_next(out, buffer, MESSAGE_MAX_SIZE, 0, &size, &err);
    }
    assert_int_equal(step, STEP_FAILED);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "huge.example.com. TYPE65280"));
    free(buffer);
    axfr_out_free(out);
    zone_version_unref(version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zone_that_fits_is_one_message_between_two_soas),
        cmocka_unit_test(zone_is_the_same_at_both_ends_whatever_the_message_size),
        cmocka_unit_test(record_larger_than_the_soft_size_gets_a_message_of_its_own),
        cmocka_unit_test(record_that_fits_no_message_fails_the_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
