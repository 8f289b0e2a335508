/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "unit/xfr/zone_text.h"
#include "xfr/ixfr_in.h"
#include "xfr/xfr_request.h"

enum { ID = 99 };

#define SOA(serial) "@ 3600 SOA ns hostmaster " #serial " 3600 900 1209600 300\n"
#define BODY        "@ 3600 NS ns\nns 3600 A 192.0.2.1\n"
#define ZONE_1      SOA(1) BODY "a 60 A 192.0.2.10\n"
#define A_1         "a 60 A 192.0.2.10\n"
#define A_2         "a 60 A 192.0.2.20\n"
#define A_3         "a 60 A 192.0.2.30\n"
#define CHAIN       SOA(3) SOA(1) A_1 SOA(2) A_2 SOA(2) A_2 SOA(3) A_3 SOA(3)

static const struct instant start = {0};

struct fixture {
    struct zone_version *old;
    struct ixfr_in *in;
    struct error err;
};

static struct fixture open_with(bool udp, const struct xfr_in_limits *limits)
{
    struct fixture f = {.old = version_of("example.com", ZONE_1)};
    f.in = ixfr_in_new(f.old, ID, udp, limits, start, NULL, NULL);
    return f;
}

static struct fixture open_tcp(void)
{
    return open_with(false, NULL);
}

static void close_fixture(struct fixture *f)
{
    ixfr_in_free(f->in);
    struct zone_version *again = version_of("example.com", ZONE_1);
    assert_true(versions_equal(f->old, again));
    zone_version_unref(again);
    zone_version_unref(f->old);
}

static enum step give(struct fixture *f, struct slice message)
{
    enum step step = ixfr_in_receive(f->in, message, start, &f->err);
    slice_free(message);
    return step;
}

static enum step give_lines(struct fixture *f, const char *lines)
{
    return give(f, reply_of(ID, 0, "example.com", TYPE_IXFR, "example.com", lines));
}

static void expect_refused(const char *lines, const char *part)
{
    struct fixture f = open_tcp();
    assert_int_equal(give_lines(&f, lines), STEP_FAILED);
    assert_int_equal(f.err.code, ERR_FORMAT);
    if (strstr(f.err.text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, f.err.text);
    }
    close_fixture(&f);
}

static void expect_outcome(const char *lines, enum ixfr_outcome outcome)
{
    struct fixture f = open_tcp();
    assert_int_equal(give_lines(&f, lines), STEP_DONE);
    assert_int_equal(ixfr_in_outcome(f.in), outcome);
    close_fixture(&f);
}

/* Applies the chain and compares with the zone of `lines`. */
static void expect_chain(struct fixture *f, size_t count, const char *lines)
{
    assert_int_equal(ixfr_in_outcome(f->in), IXFR_DELTAS);
    size_t got = 0;
    struct delta **chain = ixfr_in_take_deltas(f->in, &got);
    assert_int_equal(got, count);
    struct zone_version *version = zone_version_ref(f->old);
    for (size_t i = 0; i < got; i++) {
        struct zone_version *next = NULL;
        assert_int_equal(delta_apply(version, chain[i], NULL, &next, &f->err), OK);
        zone_version_unref(version);
        version = next;
        delta_free(chain[i]);
    }
    memory_free(chain);
    struct zone_version *want = version_of("example.com", lines);
    assert_true(versions_equal(version, want));
    zone_version_unref(want);
    zone_version_unref(version);
}

static void single_soa_of_our_serial_means_up_to_date(void **state)
{
    (void)state;
    expect_outcome(SOA(1), IXFR_UP_TO_DATE);
    /* a server without history may send the whole zone in spite of that */
    expect_outcome(SOA(1) BODY SOA(1), IXFR_UP_TO_DATE);
}

static void older_soa_means_the_primary_is_behind(void **state)
{
    (void)state;
    struct fixture f = open_tcp();
    assert_int_equal(give_lines(&f, SOA(4294967295)), STEP_DONE);
    assert_int_equal(ixfr_in_outcome(f.in), IXFR_BEHIND);
    assert_int_equal(ixfr_in_serial(f.in).value, 4294967295);
    close_fixture(&f);
}

static void chain_of_two_steps_applies(void **state)
{
    (void)state;
    struct fixture f = open_tcp();
    assert_int_equal(give_lines(&f, CHAIN), STEP_DONE);
    assert_int_equal(ixfr_in_serial(f.in).value, 3);
    expect_chain(&f, 2, SOA(3) BODY A_3);
    close_fixture(&f);
}

static void chain_may_be_cut_into_messages_anywhere(void **state)
{
    (void)state;
    static const char *const records[] = {SOA(3), SOA(1), A_1,    SOA(2), A_2,
                                          SOA(2), A_2,    SOA(3), A_3,    SOA(3)};
    struct fixture f = open_tcp();
    for (unsigned i = 0; i < ARRAY_SIZE(records); i++) {
        enum step step = give_lines(&f, records[i]);
        assert_int_equal(step, i + 1 == ARRAY_SIZE(records) ? STEP_DONE : STEP_MORE);
    }
    expect_chain(&f, 2, SOA(3) BODY A_3);
    close_fixture(&f);
    for (unsigned cut = 0; cut < ARRAY_SIZE(records); cut++) {
        f = open_tcp();
        for (unsigned i = 0; i < cut; i++) {
            assert_int_equal(give_lines(&f, records[i]), STEP_MORE);
        }
        close_fixture(&f);
    }
}

static void axfr_form_is_seen_by_the_second_record(void **state)
{
    (void)state;
    struct fixture f = open_tcp();
    assert_int_equal(give_lines(&f, SOA(5)), STEP_MORE);
    assert_int_equal(give_lines(&f, BODY A_3), STEP_MORE);
    assert_int_equal(give_lines(&f, SOA(5)), STEP_DONE);
    assert_int_equal(ixfr_in_outcome(f.in), IXFR_WHOLE);
    struct zone_version *got = NULL;
    struct delta *delta = NULL;
    ixfr_in_take_version(f.in, &got, &delta);
    struct zone_version *want = version_of("example.com", SOA(5) BODY A_3);
    assert_true(versions_equal(got, want));
    assert_non_null(delta);
    assert_int_equal(delta_count(delta), 4);
    delta_free(delta);
    zone_version_unref(got);
    zone_version_unref(want);
    close_fixture(&f);
}

static void axfr_form_is_as_strict_as_axfr(void **state)
{
    (void)state;
    expect_refused(SOA(5) BODY SOA(6), "the last SOA has serial 6, the first had 5");
    expect_refused(SOA(5) BODY SOA(5) A_1, "records follow the second SOA");
}

static void wrong_start_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA(3) SOA(2) A_2 SOA(3) A_3 SOA(3), "start at serial 2, not at ours, 1");
    expect_refused(A_1 SOA(3), "the first record is not the SOA");
    expect_refused(SOA(3) SOA(3), "start at serial 3, not at ours, 1");
}

static void gap_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA(4) SOA(1) A_1 SOA(2) A_2 SOA(3) A_2 SOA(4) A_3 SOA(4),
                   "a step led to serial 2, the next starts at 3");
    expect_refused(SOA(4) SOA(1) A_1 SOA(2) A_2 SOA(4),
                   "a step led to serial 2, the next starts at 4");
}

static void step_that_leads_back_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA(3) SOA(1) A_1 SOA(1) A_2 SOA(3), "leads from serial 1 back to 1");
    expect_refused(SOA(3) SOA(1) A_1 SOA(4294967290) A_2 SOA(3), "back to 4294967290");
}

static void wrong_end_is_refused(void **state)
{
    (void)state;
    expect_refused(CHAIN A_1, "records follow the last SOA");
    expect_refused(SOA(2) SOA(1) A_1 SOA(2) A_2 "@ 3600 SOA ns hostmaster 2 1 2 3 4\n",
                   "the last SOA has the serial of the first but other data");
    expect_refused(SOA(2) SOA(1) A_1 "@ 3600 SOA ns hostmaster 2 1 2 3 4\n" A_2 SOA(2),
                   "the last SOA has the serial of the first but other data");
}

static void soa_elsewhere_is_refused(void **state)
{
    (void)state;
    expect_refused(SOA(3) "sub 60 SOA ns hostmaster 1 3600 900 1209600 300\n",
                   "an SOA that is not at the zone's name");
    expect_refused(SOA(3) SOA(1) A_1 "sub 60 SOA ns hostmaster 3 3600 900 1209600 300\n",
                   "an SOA that is not at the zone's name");
}

static void foreign_names_are_refused(void **state)
{
    (void)state;
    expect_refused(SOA(3) SOA(1) "a.example.org. 60 A 192.0.2.1\n", "it is not in the zone");
}

static void udp_answer_is_whole_or_sends_us_to_tcp(void **state)
{
    (void)state;
    struct fixture f = open_with(true, NULL);
    assert_int_equal(give_lines(&f, CHAIN), STEP_DONE);
    expect_chain(&f, 2, SOA(3) BODY A_3);
    close_fixture(&f);

    f = open_with(true, NULL);
    assert_int_equal(give_lines(&f, SOA(3)), STEP_DONE);
    assert_int_equal(ixfr_in_outcome(f.in), IXFR_NOT_OVER_UDP);
    close_fixture(&f);

    f = open_with(true, NULL);
    struct slice truncated = reply_of(ID, FLAG_TC, "example.com", TYPE_IXFR, "example.com", SOA(3));
    assert_int_equal(give(&f, truncated), STEP_DONE);
    assert_int_equal(ixfr_in_outcome(f.in), IXFR_NOT_OVER_UDP);
    close_fixture(&f);

    f = open_with(true, NULL);
    assert_int_equal(give_lines(&f, SOA(3) SOA(1) A_1), STEP_FAILED);
    close_fixture(&f);
}

static void endless_differences_stop_at_the_limit(void **state)
{
    (void)state;
    struct xfr_in_limits limits = {.max_records = 10};
    struct fixture f = open_with(false, &limits);
    enum step step = give_lines(&f, SOA(3) SOA(1));
    unsigned messages = 0;
    for (; step == STEP_MORE && messages < 1000; messages++) {
        char line[64];
        snprintf(line, sizeof(line), "a 60 A 192.0.2.%u\n", messages % 250);
        step = give_lines(&f, line);
    }
    assert_int_equal(step, STEP_FAILED);
    assert_int_equal(f.err.code, ERR_LIMIT);
    assert_true(messages < 30);
    close_fixture(&f);
}

static void refusal_is_named(void **state)
{
    (void)state;
    struct fixture f = open_tcp();
    assert_int_equal(
        give(&f, reply_of(ID, RCODE_NOTIMP, "example.com", TYPE_IXFR, "example.com", "")),
        STEP_FAILED);
    assert_string_equal(f.err.text, "primary answered NOTIMP to IXFR");
    assert_true(ixfr_in_dislikes_edns(f.in));
    close_fixture(&f);
}

static void request_carries_our_soa(void **state)
{
    (void)state;
    struct fixture f = open_tcp();
    uint8_t buffer[512];
    size_t size = ixfr_in_request(f.in, true, buffer, sizeof(buffer));
    struct xfr_request request;
    unsigned rcode = 0;
    assert_int_equal(xfr_request_read(slice_of(buffer, size), &request, &rcode, &f.err), OK);
    assert_int_equal(request.question.type, TYPE_IXFR);
    assert_true(request.has_serial);
    assert_int_equal(request.serial.value, 1);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_soa_of_our_serial_means_up_to_date),
        cmocka_unit_test(older_soa_means_the_primary_is_behind),
        cmocka_unit_test(chain_of_two_steps_applies),
        cmocka_unit_test(chain_may_be_cut_into_messages_anywhere),
        cmocka_unit_test(axfr_form_is_seen_by_the_second_record),
        cmocka_unit_test(axfr_form_is_as_strict_as_axfr),
        cmocka_unit_test(wrong_start_is_refused),
        cmocka_unit_test(gap_is_refused),
        cmocka_unit_test(step_that_leads_back_is_refused),
        cmocka_unit_test(wrong_end_is_refused),
        cmocka_unit_test(soa_elsewhere_is_refused),
        cmocka_unit_test(foreign_names_are_refused),
        cmocka_unit_test(udp_answer_is_whole_or_sends_us_to_tcp),
        cmocka_unit_test(endless_differences_stop_at_the_limit),
        cmocka_unit_test(refusal_is_named),
        cmocka_unit_test(request_carries_our_soa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
