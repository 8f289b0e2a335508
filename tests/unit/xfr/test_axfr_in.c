/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/axfr_in.h"
#include "xfr/xfr_request.h"

enum { ID = 4711 };

#define SOA_2    "@ 3600 SOA ns hostmaster 2 3600 900 1209600 300\n"
#define SOA_3    "@ 3600 SOA ns hostmaster 3 3600 900 1209600 300\n"
#define BODY     "@ 3600 NS ns\nns 3600 A 192.0.2.1\nwww 60 A 192.0.2.80\n"
#define OLD_ZONE "@ 3600 SOA ns hostmaster 1 3600 900 1209600 300\n" BODY "old 60 TXT \"old one\"\n"

static const struct instant start = {0};

struct fixture {
    struct zone_version *old;
    struct axfr_in *in;
    struct error err;
};

static struct fixture open_with(const struct xfr_in_limits *limits)
{
    struct fixture f = {.old = version_of("example.com", OLD_ZONE)};
    struct name zone = name_of("example.com");
    f.in = axfr_in_new(zone.wire, CLASS_IN, ID, f.old, limits, start, NULL, NULL);
    return f;
}

static struct fixture open_default(void)
{
    return open_with(NULL);
}

/* Whatever happened, the version that serves is what it was. */
static void close_fixture(struct fixture *f)
{
    axfr_in_free(f->in);
    struct zone_version *again = version_of("example.com", OLD_ZONE);
    assert_true(versions_equal(f->old, again));
    zone_version_unref(again);
    zone_version_unref(f->old);
}

static enum step give(struct fixture *f, struct slice message)
{
    enum step step = axfr_in_receive(f->in, message, start, &f->err);
    slice_free(message);
    return step;
}

static enum step give_lines(struct fixture *f, const char *lines)
{
    return give(f, reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", lines));
}

static void expect_text(const struct error *err, const char *part)
{
    if (strstr(err->text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err->text);
    }
}

static void expect_failure(struct fixture *f, enum step step, enum result code, const char *part)
{
    assert_int_equal(step, STEP_FAILED);
    assert_int_equal(f->err.code, code);
    expect_text(&f->err, part);
    close_fixture(f);
}

/* One message that must be refused. */
static void expect_refused(const char *lines, const char *part)
{
    struct fixture f = open_default();
    enum step step = give_lines(&f, lines);
    expect_failure(&f, step, ERR_FORMAT, part);
}

static void one_message_gives_the_zone_and_the_delta(void **state)
{
    (void)state;
    struct fixture f = open_default();
    assert_int_equal(give_lines(&f, SOA_2 BODY SOA_2), STEP_DONE);
    struct zone_version *got = NULL;
    struct delta *delta = NULL;
    axfr_in_take(f.in, &got, &delta);
    struct zone_version *want = version_of("example.com", SOA_2 BODY);
    assert_true(versions_equal(got, want));
    assert_non_null(delta);
    assert_int_equal(delta_from(delta).value, 1);
    assert_int_equal(delta_to(delta).value, 2);
    assert_int_equal(delta_count(delta), 3); /* two SOAs and old.example.com */
    assert_int_equal(axfr_in_stats(f.in).records, 5);
    struct serial serial;
    assert_true(axfr_in_serial(f.in, &serial));
    assert_int_equal(serial.value, 2);
    delta_free(delta);
    zone_version_unref(got);
    zone_version_unref(want);
    close_fixture(&f);
}

static void each_record_may_have_its_own_message(void **state)
{
    (void)state;
    struct fixture f = open_default();
    static const char *const messages[] = {SOA_2, "@ 3600 NS ns\n", "ns 3600 A 192.0.2.1\n",
                                           "www 60 A 192.0.2.80\n", SOA_2};
    for (unsigned i = 0; i < 5; i++) {
        /* RFC 5936 2.2.2: later messages may come without a question */
        struct slice message = reply_of(ID, 0, i == 0 || i == 3 ? "example.com" : NULL, TYPE_AXFR,
                                        "example.com", messages[i]);
        assert_int_equal(give(&f, message), i == 4 ? STEP_DONE : STEP_MORE);
    }
    struct zone_version *got = NULL;
    axfr_in_take(f.in, &got, NULL);
    assert_int_equal(zone_version_serial(got).value, 2);
    assert_int_equal(axfr_in_stats(f.in).messages, 5);
    zone_version_unref(got);
    close_fixture(&f);
}

static void stream_cut_anywhere_leaves_the_old_version(void **state)
{
    (void)state;
    static const char *const messages[] = {SOA_2, "@ 3600 NS ns\n", "ns 3600 A 192.0.2.1\n",
                                           "www 60 A 192.0.2.80\n"};
    for (unsigned cut = 0; cut <= 4; cut++) {
        struct fixture f = open_default();
        for (unsigned i = 0; i < cut; i++) {
            assert_int_equal(give_lines(&f, messages[i]), STEP_MORE);
        }
        close_fixture(&f);
    }
}

static void wrong_last_soa_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA_2 BODY SOA_3, "the last SOA has serial 3, the first had 2");
    expect_refused(SOA_2 BODY "@ 3600 SOA ns hostmaster 2 3600 900 1209600 301\n",
                   "the last SOA has the serial of the first but other data");
}

static void soa_in_the_middle_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA_2 "@ 3600 NS ns\n" SOA_2 "ns 3600 A 192.0.2.1\n" SOA_2,
                   "records follow the second SOA");
    expect_refused(SOA_2 "sub 3600 SOA ns hostmaster 2 3600 900 1209600 300\n" BODY SOA_2,
                   "an SOA at sub.example.com., which is not the zone's name");
}

static void stream_must_begin_with_the_soa(void **state)
{
    (void)state;
    expect_refused(BODY SOA_2, "the first record is not the SOA");
    expect_refused("sub 3600 SOA ns hostmaster 2 3600 900 1209600 300\n",
                   "the first record is not the SOA");
}

static void foreign_names_refuse_the_transfer(void **state)
{
    (void)state;
    expect_refused(SOA_2 "www.example.org. 60 A 192.0.2.1\n" SOA_2,
                   "record www.example.org. A: it is not in the zone");
    expect_refused(SOA_2 "com. 60 A 192.0.2.1\n" SOA_2, "it is not in the zone");
}

static void zone_without_ns_is_refused(void **state)
{
    (void)state;
    struct fixture f = open_default();
    enum step step = give_lines(&f, SOA_2 "www 60 A 192.0.2.1\n" SOA_2);
    assert_int_equal(step, STEP_FAILED);
    assert_true(f.err.text[0] != '\0');
    close_fixture(&f);
}

static void other_class_is_refused(void **state)
{
    (void)state;
    struct fixture f = open_default();
    struct slice message =
        reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2 "www 60 A 192.0.2.1\n");
    uint8_t *bytes = (uint8_t *)(uintptr_t)message.data;
    /* class of the last record: A rdata 4, rdlength 2, ttl 4, class 2 */
    bytes[message.size - 11] = CLASS_CH;
    enum step step = give(&f, message);
    expect_failure(&f, step, ERR_FORMAT, "another class");
}

static void meta_types_are_refused(void **state)
{
    (void)state;
    static const uint16_t types[] = {TYPE_OPT, TYPE_TSIG, TYPE_ANY, TYPE_AXFR, 0};
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        struct fixture f = open_default();
        struct slice message =
            reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2 "www 60 A 192.0.2.1\n");
        put_u16((uint8_t *)(uintptr_t)message.data + message.size - 14, types[i]);
        enum step step = give(&f, message);
        expect_failure(&f, step, ERR_FORMAT, "no zone has records of this type");
    }
}

static void wrong_header_is_refused(void **state)
{
    (void)state;
    struct fixture f = open_default();
    enum step step =
        give(&f, reply_of(ID + 1, 0, "example.com", TYPE_AXFR, "example.com", SOA_2 BODY SOA_2));
    expect_failure(&f, step, ERR_FORMAT, "the reply has ID 4712, the request had 4711");

    f = open_default();
    struct slice message = reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2);
    ((uint8_t *)(uintptr_t)message.data)[2] &= 0x7f;
    step = give(&f, message);
    expect_failure(&f, step, ERR_FORMAT, "QR is not set");

    f = open_default();
    step = give(&f, reply_of(ID, OPCODE_NOTIFY << 11, "example.com", TYPE_AXFR, "example.com", ""));
    expect_failure(&f, step, ERR_FORMAT, "opcode");

    f = open_default();
    step = give(&f, reply_of(ID, FLAG_TC, "example.com", TYPE_AXFR, "example.com", SOA_2));
    expect_failure(&f, step, ERR_FORMAT, "TC set");

    f = open_default();
    step = give(&f, reply_of(ID, 0, "example.org", TYPE_AXFR, "example.com", SOA_2));
    expect_failure(&f, step, ERR_FORMAT, "the reply is about 'example.org'");

    f = open_default();
    step = give(&f, reply_of(ID, 0, "example.com", TYPE_SOA, "example.com", SOA_2));
    expect_failure(&f, step, ERR_FORMAT, "type SOA");

    f = open_default();
    step = give(&f, reply_of(ID, 0, NULL, 0, "example.com", SOA_2));
    expect_failure(&f, step, ERR_FORMAT, "no question");
}

static void rcode_and_extended_error_are_named(void **state)
{
    (void)state;
    struct fixture f = open_default();
    struct xfr_request request = {.id = ID, .has_edns = true, .udp_size = 1232};
    request.question.name = name_of("example.com");
    request.question.type = TYPE_AXFR;
    request.question.class = CLASS_IN;
    uint8_t *reply = malloc(512);
    size_t size = xfr_refusal_write(&request, RCODE_REFUSED, EDE_PROHIBITED,
                                    "not in 'allow-transfer' \n.", reply, 512, 0);
    enum step step = give(&f, slice_of(realloc(reply, size), size));
    expect_failure(&f, step, ERR_DENIED,
                   "primary answered REFUSED to AXFR (EDE 18 Prohibited: 'not in "
                   "?allow-transfer? ?.')");

    f = open_default();
    step = give(&f, reply_of(ID, RCODE_FORMERR, "example.com", TYPE_AXFR, "example.com", ""));
    assert_true(axfr_in_dislikes_edns(f.in));
    expect_failure(&f, step, ERR_FORMAT, "primary answered FORMERR to AXFR");

    f = open_default();
    assert_int_equal(give_lines(&f, SOA_2 BODY), STEP_MORE);
    step = give(&f, reply_of(ID, RCODE_SERVFAIL, NULL, 0, "example.com", ""));
    expect_failure(&f, step, ERR_BUSY, "primary answered SERVFAIL");
}

static void garbage_rdata_is_refused(void **state)
{
    (void)state;
    struct fixture f = open_default();
    struct slice message =
        reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2 "www 60 A 192.0.2.1\n");
    put_u16((uint8_t *)(uintptr_t)message.data + message.size - 14, TYPE_AAAA);
    enum step step = give(&f, message);
    expect_failure(&f, step, ERR_FORMAT, "record www.example.com. AAAA");
}

static void message_cut_at_any_octet_is_refused(void **state)
{
    (void)state;
    struct slice whole = reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2 BODY SOA_2);
    for (size_t size = 0; size < whole.size; size++) {
        struct fixture f = open_default();
        uint8_t *part = malloc(size == 0 ? 1 : size);
        memcpy(part, whole.data, size);
        assert_int_equal(give(&f, slice_of(part, size)), STEP_FAILED);
        close_fixture(&f);
    }
    struct fixture f = open_default();
    uint8_t *longer = malloc(whole.size + 1);
    memcpy(longer, whole.data, whole.size);
    longer[whole.size] = 0;
    enum step step = give(&f, slice_of(longer, whole.size + 1));
    expect_failure(&f, step, ERR_FORMAT, "octets follow the last record");
    slice_free(whole);
}

static void endless_records_stop_at_the_limit(void **state)
{
    (void)state;
    struct xfr_in_limits limits = {.max_records = 10};
    struct fixture f = open_with(&limits);
    enum step step = give_lines(&f, SOA_2);
    unsigned messages = 1;
    while (step == STEP_MORE && messages < 100) {
        step = give_lines(&f, "dup 60 A 192.0.2.1\n"); /* duplicates count too */
        messages++;
    }
    assert_int_equal(messages, 11);
    expect_failure(&f, step, ERR_LIMIT, "max-records");
}

static void endless_octets_and_messages_stop_at_the_limit(void **state)
{
    (void)state;
    struct xfr_in_limits limits = {.max_bytes = 1000};
    struct fixture f = open_with(&limits);
    enum step step = give_lines(&f, SOA_2);
    for (unsigned i = 0; step == STEP_MORE && i < 100; i++) {
        step = give_lines(&f, "big 60 TXT \"0123456789012345678901234567890123456789\"\n");
    }
    expect_failure(&f, step, ERR_LIMIT, "1000 octets");

    limits = (struct xfr_in_limits){.max_messages = 3};
    f = open_with(&limits);
    step = give_lines(&f, SOA_2);
    for (unsigned i = 0; step == STEP_MORE && i < 100; i++) {
        step = give_lines(&f, "a 60 A 192.0.2.1\n");
    }
    expect_failure(&f, step, ERR_LIMIT, "3 messages");
}

static void empty_messages_are_borne_up_to_a_limit(void **state)
{
    (void)state;
    struct fixture f = open_default();
    enum step step = give_lines(&f, SOA_2);
    unsigned count = 0;
    while (step == STEP_MORE && count < 1000) {
        step = give_lines(&f, "");
        count++;
    }
    assert_int_equal(count, 101);
    expect_failure(&f, step, ERR_LIMIT, "without a record");
}

static void duplicate_records_are_merged(void **state)
{
    (void)state;
    struct fixture f = open_default();
    assert_int_equal(give_lines(&f, SOA_2 BODY BODY SOA_2), STEP_DONE);
    struct zone_version *got = NULL;
    axfr_in_take(f.in, &got, NULL);
    struct zone_version *want = version_of("example.com", SOA_2 BODY);
    assert_true(versions_equal(got, want));
    zone_version_unref(got);
    zone_version_unref(want);
    close_fixture(&f);
}

static void serial_that_is_not_newer_ends_it_at_the_first_record(void **state)
{
    (void)state;
    struct xfr_in_limits limits = {.only_newer = true};
    struct fixture f = open_with(&limits);
    enum step step = give_lines(&f, "@ 3600 SOA ns hostmaster 1 3600 900 1209600 300\n");
    struct serial serial;
    assert_true(axfr_in_serial(f.in, &serial));
    assert_int_equal(serial.value, 1);
    expect_failure(&f, step, ERR_STALE, "serial 1 is not newer than ours, 1");
}

static void deadlines_are_idle_and_total(void **state)
{
    (void)state;
    struct xfr_in_limits limits = {.idle_ms = 30000, .total_ms = 100000};
    struct fixture f = open_with(&limits);
    assert_int_equal(axfr_in_deadline(f.in).ns, 30000 * INT64_C(1000000));
    struct error err = {0};
    assert_int_equal(axfr_in_timed_out(f.in, instant_add_ms(start, 30000), &err), ERR_TIMEOUT);
    expect_text(&err, "no answer to AXFR within 30 s");

    struct slice message = reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", SOA_2);
    assert_int_equal(axfr_in_receive(f.in, message, instant_add_ms(start, 20000), &f.err),
                     STEP_MORE);
    slice_free(message);
    assert_int_equal(axfr_in_deadline(f.in).ns, 50000 * INT64_C(1000000));
    /* an empty message is no progress */
    message = reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", "");
    assert_int_equal(axfr_in_receive(f.in, message, instant_add_ms(start, 45000), &f.err),
                     STEP_MORE);
    slice_free(message);
    assert_int_equal(axfr_in_deadline(f.in).ns, 50000 * INT64_C(1000000));
    struct error idle = {0};
    assert_int_equal(axfr_in_timed_out(f.in, instant_add_ms(start, 50000), &idle), ERR_TIMEOUT);
    expect_text(&idle, "max-transfer-idle-in");

    message = reply_of(ID, 0, "example.com", TYPE_AXFR, "example.com", "@ 3600 NS ns\n");
    assert_int_equal(axfr_in_receive(f.in, message, instant_add_ms(start, 90000), &f.err),
                     STEP_MORE);
    slice_free(message);
    assert_int_equal(axfr_in_deadline(f.in).ns, 100000 * INT64_C(1000000));
    struct error total = {0};
    assert_int_equal(axfr_in_timed_out(f.in, instant_add_ms(start, 100000), &total), ERR_TIMEOUT);
    expect_text(&total, "max-transfer-time-in");
    close_fixture(&f);
}

static void request_is_what_a_server_reads(void **state)
{
    (void)state;
    struct fixture f = open_default();
    uint8_t buffer[512];
    size_t size = axfr_in_request(f.in, true, buffer, sizeof(buffer));
    struct xfr_request request;
    unsigned rcode = 0;
    assert_int_equal(xfr_request_read(slice_of(buffer, size), &request, &rcode, &f.err), OK);
    assert_int_equal(request.id, ID);
    assert_int_equal(request.question.type, TYPE_AXFR);
    assert_true(request.has_edns);
    assert_true(request.wants_expire);
    size = axfr_in_request(f.in, false, buffer, sizeof(buffer));
    assert_int_equal(xfr_request_read(slice_of(buffer, size), &request, &rcode, &f.err), OK);
    assert_false(request.has_edns);
    assert_int_equal(axfr_in_request(f.in, true, buffer, 20), 0);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_message_gives_the_zone_and_the_delta),
        cmocka_unit_test(each_record_may_have_its_own_message),
        cmocka_unit_test(stream_cut_anywhere_leaves_the_old_version),
        cmocka_unit_test(wrong_last_soa_is_refused),
        cmocka_unit_test(soa_in_the_middle_is_refused),
        cmocka_unit_test(stream_must_begin_with_the_soa),
        cmocka_unit_test(foreign_names_refuse_the_transfer),
        cmocka_unit_test(zone_without_ns_is_refused),
        cmocka_unit_test(other_class_is_refused),
        cmocka_unit_test(meta_types_are_refused),
        cmocka_unit_test(wrong_header_is_refused),
        cmocka_unit_test(rcode_and_extended_error_are_named),
        cmocka_unit_test(garbage_rdata_is_refused),
        cmocka_unit_test(message_cut_at_any_octet_is_refused),
        cmocka_unit_test(endless_records_stop_at_the_limit),
        cmocka_unit_test(endless_octets_and_messages_stop_at_the_limit),
        cmocka_unit_test(empty_messages_are_borne_up_to_a_limit),
        cmocka_unit_test(duplicate_records_are_merged),
        cmocka_unit_test(serial_that_is_not_newer_ends_it_at_the_first_record),
        cmocka_unit_test(deadlines_are_idle_and_total),
        cmocka_unit_test(request_is_what_a_server_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
