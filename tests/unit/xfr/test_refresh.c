/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom the refresh machine asks for what, and what it makes of the answers. */
#include "refresh_fixture.h"

static void zone_without_copy_is_transferred_at_once(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 1);
    refresh_start(r, NULL, INSTANT_NEVER, INSTANT_NEVER, at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(0));
    assert_false(action.incremental);
    assert_true(action.any_serial);
    expect_step(r, REFRESH_WAIT, at_s(1));
    refresh_transferred(r, action.ticket, &soa42, NULL, at_s(2));
    expect_step(r, REFRESH_WAIT, at_s(2));
    struct refresh_status status = refresh_status(r);
    assert_int_equal(status.state, REFRESH_IDLE);
    assert_int_equal(status.serial.value, 42);
    assert_int_equal(status.expires_at.ns, at_s(2 + 1209600).ns);
    assert_in_range(status.next_at.ns, at_s(2 + 2700).ns, at_s(2 + 3600).ns);
    refresh_free(r);
}

static void bootstrap_backs_off_from_a_second_to_five_minutes(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 1);
    refresh_start(r, NULL, INSTANT_NEVER, INSTANT_NEVER, at_s(0));
    struct instant now = at_s(0);
    int64_t waits_ms[12];
    for (unsigned i = 0; i < 12; i++) {
        struct refresh_action action = expect_step(r, REFRESH_TRANSFER, now);
        refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "connection refused", now);
        waits_ms[i] = instant_ms_until(now, refresh_deadline(r));
        now = refresh_deadline(r);
    }
    assert_in_range(waits_ms[0], 750, 1000);
    assert_in_range(waits_ms[3], 6000, 8000);
    assert_in_range(waits_ms[11], 225000, 300000);
    expect_error(r, "AXFR: connection refused");
    refresh_free(r);
}

static void soa_query_waits_for_the_refresh_time(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    expect_step(r, REFRESH_WAIT, at_s(999));
    assert_int_equal(refresh_deadline(r).ns, at_s(1000).ns);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_false(action.tcp);
    assert_true(action.edns);
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1001));
    expect_step(r, REFRESH_WAIT, at_s(1001));
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(1001 + 1209600).ns);
    refresh_free(r);
}

static void tls_primary_is_never_asked_over_udp(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 2, 7);
    refresh_set_tls(r, 0);
    refresh_start(r, &soa42, at_s(1209600), at_s(1000), at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_true(action.tcp);
    assert_int_equal(action.primary, 0);
    refresh_soa_failed(r, action.ticket, REFRESH_UNREACHABLE, "timed out", at_s(1001));
    assert_string_equal(refresh_status(r).last_error, "SOA query over TLS: timed out");
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1001));
    assert_int_equal(action.primary, 1);
    assert_false(action.tcp);
    refresh_free(r);
}

static void newer_serial_starts_ixfr(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    action = expect_step(r, REFRESH_TRANSFER, at_s(1000));
    assert_true(action.incremental);
    refresh_transferred(r, action.ticket, &soa43, &contact, at_s(1001));
    assert_int_equal(refresh_status(r).serial.value, 43);
    assert_int_equal(refresh_status(r).state, REFRESH_IDLE);
    refresh_free(r);
}

static void unanswered_udp_is_tried_thrice_then_tcp_then_next_primary(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    struct instant now = at_s(1000);
    for (unsigned i = 0; i < 3; i++) {
        struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, now);
        assert_false(action.tcp);
        assert_int_equal(action.primary, 0);
        now = refresh_deadline(r);
    }
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, now);
    assert_true(action.tcp);
    now = refresh_deadline(r);
    action = expect_step(r, REFRESH_QUERY_SOA, now);
    assert_int_equal(action.primary, 1);
    assert_int_equal(refresh_status(r).last_error_primary, 0);
    expect_error(r, "unanswered over UDP, over TCP: no answer, timed out");
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, now);
    assert_string_equal(refresh_status(r).last_error, "");
    refresh_free(r);
}

static void status_keeps_what_each_primary_showed(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    assert_false(refresh_status(r).confirmed);
    assert_false(refresh_primary_status(r, 0).has_serial);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    refresh_soa_failed(r, action.ticket, REFRESH_FAILED, "answered REFUSED", at_s(1001));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1001));
    struct refresh_contact contact = serial(44);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1002));
    struct refresh_primary_status first = refresh_primary_status(r, 0);
    assert_string_equal(first.last_error, "SOA query over UDP: answered REFUSED");
    assert_true(first.failed_at.ns == at_s(1001).ns);
    assert_int_equal(first.failures, 1);
    assert_false(first.has_serial);
    struct refresh_primary_status second = refresh_primary_status(r, 1);
    assert_true(second.has_serial);
    assert_int_equal(second.serial.value, 44);
    assert_string_equal(second.last_error, "");
    struct refresh_status status = refresh_status(r);
    assert_true(status.wants_newer);
    assert_true(status.wanted_since.ns == at_s(1002).ns);
    /* The one that answers and cannot be transferred from keeps its error over the next answer. */
    action = expect_step(r, REFRESH_TRANSFER, at_s(1002));
    refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "connection refused",
                            at_s(1003));
    struct instant next = refresh_deadline(r);
    while ((action = refresh_step(r, next)).kind == REFRESH_TRANSFER && action.primary == 0) {
        refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "no", next);
    }
    assert_string_equal(refresh_primary_status(r, 1).last_error,
                        "the SOA query was answered, but then IXFR: connection refused");
    refresh_free(r);
}

static void late_answer_to_an_earlier_try_counts_and_an_older_one_does_not(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    struct refresh_action first = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct instant now = refresh_deadline(r);
    expect_step(r, REFRESH_QUERY_SOA, now);
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, first.ticket, &contact, now);
    struct refresh_action transfer = expect_step(r, REFRESH_TRANSFER, now);
    refresh_transfer_failed(r, transfer.ticket, REFRESH_UNREACHABLE, "timed out", now);
    struct refresh_action other = expect_step(r, REFRESH_QUERY_SOA, now);
    assert_int_equal(other.primary, 1);
    refresh_soa_answered(r, first.ticket, &contact, now);
    assert_int_equal(refresh_status(r).state, REFRESH_QUERYING);
    refresh_transfer_failed(r, transfer.ticket, REFRESH_FAILED, "late", now);
    assert_int_equal(refresh_status(r).primary, 1);
    refresh_free(r);
}

static void blocked_tcp_is_told_from_a_dead_primary(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    action = expect_step(r, REFRESH_TRANSFER, at_s(1000));
    refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "TCP connect timed out",
                            at_s(1010));
    expect_error(r, "the SOA query was answered, but then IXFR: TCP connect timed out");
    refresh_free(r);
}

static void failed_ixfr_is_followed_by_axfr_in_the_same_session(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    assert_int_equal(refresh_notified(r, 0, true, (struct serial){43}, at_s(10)),
                     REFRESH_NOTIFY_STARTED);
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_true(action.incremental);
    refresh_transfer_failed(r, action.ticket, REFRESH_FAILED, "primary answered SERVFAIL",
                            at_s(10));
    action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_int_equal(action.primary, 0);
    assert_false(action.incremental);
    assert_false(action.any_serial);
    assert_true(action.same_session);
    refresh_transfer_failed(r, action.ticket, REFRESH_FAILED, "primary answered REFUSED", at_s(10));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(10));
    assert_int_equal(action.primary, 1);
    refresh_free(r);
}

static void notify_with_newer_serial_skips_the_soa_query(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(3);
    assert_int_equal(refresh_notified(r, 2, true, (struct serial){43}, at_s(10)),
                     REFRESH_NOTIFY_STARTED);
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_int_equal(action.primary, 2);
    assert_true(action.incremental);
    refresh_free(r);
}

static void notify_without_serial_asks_the_sender_first(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(3);
    assert_int_equal(refresh_notified(r, 1, false, (struct serial){0}, at_s(10)),
                     REFRESH_NOTIFY_STARTED);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(10));
    assert_int_equal(action.primary, 1);
    refresh_free(r);
}

static void notify_with_known_serial_changes_nothing(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    assert_int_equal(refresh_notified(r, 0, true, (struct serial){42}, at_s(10)),
                     REFRESH_NOTIFY_KNOWN);
    assert_int_equal(refresh_notified(r, 0, true, (struct serial){41}, at_s(10)),
                     REFRESH_NOTIFY_KNOWN);
    expect_step(r, REFRESH_WAIT, at_s(10));
    refresh_free(r);
}

static void notify_during_a_transfer_is_looked_at_after_it(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    refresh_notified(r, 0, true, (struct serial){43}, at_s(10));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_int_equal(refresh_notified(r, 0, true, (struct serial){44}, at_s(10)),
                     REFRESH_NOTIFY_QUEUED);
    assert_int_equal(refresh_notified(r, 0, true, (struct serial){45}, at_s(10)),
                     REFRESH_NOTIFY_QUEUED);
    refresh_transferred(r, action.ticket, &soa43, NULL, at_s(11));
    action = expect_step(r, REFRESH_TRANSFER, at_s(11));
    assert_int_equal(refresh_status(r).wanted_serial.value, 45);
    struct refresh_soa soa45 = soa43;
    soa45.serial.value = 45;
    refresh_notified(r, 0, true, (struct serial){45}, at_s(11));
    refresh_transferred(r, action.ticket, &soa45, NULL, at_s(12));
    expect_step(r, REFRESH_WAIT, at_s(12));
    refresh_free(r);
}

static void flood_of_notifies_is_spaced(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_contact contact = serial(42);
    unsigned rounds = 0;
    for (unsigned ms = 0; ms < 10000; ms++) {
        struct instant now = instant_add_ms(at_s(0), ms);
        refresh_notified(r, 0, true, (struct serial){1000 + ms}, now);
        struct refresh_action action = refresh_step(r, now);
        if (action.kind == REFRESH_TRANSFER) {
            rounds++;
            refresh_transfer_not_newer(r, action.ticket, &contact, now);
        }
    }
    assert_in_range(rounds, 20, 26);
    refresh_free(r);
}

static void truncated_answer_leads_to_tcp(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    refresh_soa_failed(r, action.ticket, REFRESH_TRUNCATED, "truncated", at_s(1000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_true(action.tcp);
    assert_int_equal(action.primary, 0);
    refresh_free(r);
}

static void failed_primary_comes_last_for_a_while(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_int_equal(action.primary, 0);
    refresh_soa_failed(r, action.ticket, REFRESH_FAILED, "SERVFAIL", at_s(1000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    refresh_now(r, at_s(1010));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1010));
    assert_int_equal(action.primary, 1);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1010));
    refresh_now(r, at_s(1100));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1100));
    assert_int_equal(action.primary, 0);
    refresh_free(r);
}

static void lagging_primary_does_not_hide_a_notified_serial(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    refresh_notified(r, 1, true, (struct serial){43}, at_s(10));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_int_equal(action.primary, 1);
    refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "refused", at_s(10));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(10));
    assert_int_equal(action.primary, 0);
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, at_s(10));
    struct refresh_status status = refresh_status(r);
    assert_int_equal(status.state, REFRESH_BACKING_OFF);
    assert_true(status.wants_newer);
    assert_in_range(instant_ms_until(at_s(10), status.next_at), 700, 1000);
    refresh_free(r);
}

static void retransfer_takes_any_serial(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    refresh_retransfer(r, at_s(10));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_true(action.any_serial);
    assert_false(action.incremental);
    refresh_transferred(r, action.ticket, &soa42, NULL, at_s(11));
    refresh_now(r, at_s(20));
    expect_step(r, REFRESH_QUERY_SOA, at_s(20));
    refresh_free(r);
}

static void retransfer_from_asks_that_primary_first(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(3);
    refresh_retransfer_from(r, 2, at_s(10));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    assert_true(action.any_serial);
    assert_int_equal(action.primary, 2);
    refresh_retransfer_from(r, 1, at_s(11)); /* while busy: after that */
    refresh_transferred(r, action.ticket, &soa42, NULL, at_s(12));
    action = refresh_step(r, at_s(20));
    assert_int_equal(action.primary, 1);
    refresh_free(r);
}

static void query_that_may_not_leave_yet_is_given_out_again(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 1);
    struct refresh_soa soa = {{7}, 3600, 600, 86400};
    refresh_start(r, &soa, at_s(86400), at_s(10), at_s(0));
    struct refresh_action action = refresh_step(r, at_s(20));
    assert_int_equal(action.kind, REFRESH_QUERY_SOA);
    refresh_put_off(r, action.ticket);
    /* Long after its wait would have ended: it is the first query still. */
    struct refresh_action again = refresh_step(r, at_s(100));
    assert_int_equal(again.kind, REFRESH_QUERY_SOA);
    assert_int_equal(again.ticket, action.ticket);
    assert_false(again.tcp);
    assert_int_equal(refresh_step(r, at_s(100)).kind, REFRESH_WAIT);
    assert_int_equal(refresh_status(r).failed_rounds, 0);
    refresh_put_off(r, action.ticket + 1);
    assert_int_equal(refresh_step(r, at_s(100)).kind, REFRESH_WAIT);
    refresh_free(r);
}

static void without_tcp_a_silent_primary_has_failed(void **state)
{
    (void)state;
    struct refresh_options options = {.no_tcp = true};
    struct refresh *r = refresh_new(&options, 1, 1);
    struct refresh_soa soa = {{7}, 3600, 600, 86400};
    refresh_start(r, &soa, at_s(86400), at_s(0), at_s(0));
    unsigned queries = 0;
    for (int64_t s = 1; s < 100; s++) {
        struct refresh_action action = refresh_step(r, at_s(s));
        if (action.kind == REFRESH_QUERY_SOA) {
            assert_false(action.tcp);
            queries++;
        }
    }
    assert_in_range(refresh_status(r).failed_rounds, 1, queries);
    refresh_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_that_may_not_leave_yet_is_given_out_again),
        cmocka_unit_test(without_tcp_a_silent_primary_has_failed),
        cmocka_unit_test(tls_primary_is_never_asked_over_udp),
        cmocka_unit_test(zone_without_copy_is_transferred_at_once),
        cmocka_unit_test(bootstrap_backs_off_from_a_second_to_five_minutes),
        cmocka_unit_test(soa_query_waits_for_the_refresh_time),
        cmocka_unit_test(newer_serial_starts_ixfr),
        cmocka_unit_test(unanswered_udp_is_tried_thrice_then_tcp_then_next_primary),
        cmocka_unit_test(late_answer_to_an_earlier_try_counts_and_an_older_one_does_not),
        cmocka_unit_test(blocked_tcp_is_told_from_a_dead_primary),
        cmocka_unit_test(failed_ixfr_is_followed_by_axfr_in_the_same_session),
        cmocka_unit_test(notify_with_newer_serial_skips_the_soa_query),
        cmocka_unit_test(notify_without_serial_asks_the_sender_first),
        cmocka_unit_test(notify_with_known_serial_changes_nothing),
        cmocka_unit_test(notify_during_a_transfer_is_looked_at_after_it),
        cmocka_unit_test(flood_of_notifies_is_spaced),
        cmocka_unit_test(truncated_answer_leads_to_tcp),
        cmocka_unit_test(failed_primary_comes_last_for_a_while),
        cmocka_unit_test(lagging_primary_does_not_hide_a_notified_serial),
        cmocka_unit_test(status_keeps_what_each_primary_showed),
        cmocka_unit_test(retransfer_takes_any_serial),
        cmocka_unit_test(retransfer_from_asks_that_primary_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
