/* SPDX-License-Identifier: BSD-3-Clause */
/* When the refresh machine acts: retries, expiry, the EXPIRE option, bounds of its timers. */
#include "refresh_fixture.h"

static void known_newer_serial_is_retried_within_seconds(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    refresh_notified(r, 0, true, (struct serial){43}, at_s(10));
    struct instant now = at_s(10);
    for (unsigned i = 0; i < 4; i++) {
        struct refresh_action action = expect_step(r, REFRESH_TRANSFER, now);
        refresh_transfer_failed(r, action.ticket, REFRESH_UNREACHABLE, "refused", now);
        assert_in_range(instant_ms_until(now, refresh_deadline(r)), 700, 8000);
        now = refresh_deadline(r);
    }
    refresh_free(r);
}

static void failed_refresh_without_news_waits_for_retry(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    refresh_now(r, at_s(2000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(2000));
    refresh_soa_failed(r, action.ticket, REFRESH_FAILED, "primary answered REFUSED", at_s(2000));
    expect_step(r, REFRESH_WAIT, at_s(2000));
    struct refresh_status status = refresh_status(r);
    assert_int_equal(status.state, REFRESH_BACKING_OFF);
    assert_in_range(status.next_at.ns, at_s(2000 + 675).ns, at_s(2000 + 900).ns);
    assert_int_equal(status.expires_at.ns, at_s(1000 + 1209600).ns);
    refresh_free(r);
}

static void first_contact_after_a_start_is_sought_with_short_waits(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct instant now = at_s(1000);
    for (unsigned i = 0; i < 20; i++) {
        struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, now);
        refresh_soa_failed(r, action.ticket, REFRESH_FAILED, "primary answered SERVFAIL", now);
        int64_t wait_ms = instant_ms_until(now, refresh_deadline(r));
        assert_in_range(wait_ms, i < 9 ? 750 << i : 384000, i < 9 ? 1000 << i : 900000);
        now = refresh_deadline(r);
    }
    refresh_free(r);
}

static void short_expire_option_brings_the_next_look_forward(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    refresh_notified(r, 0, true, (struct serial){43}, at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(0));
    struct refresh_contact contact = {{43}, true, 200};
    refresh_transferred(r, action.ticket, &soa43, &contact, at_s(0));
    assert_in_range(refresh_deadline(r).ns, at_s(75).ns, at_s(100).ns);
    refresh_free(r);
}

static void primary_whose_copy_is_expired_too_is_no_recovery(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 3);
    refresh_start(r, &soa42, at_s(0), at_s(0), at_s(0));
    expect_step(r, REFRESH_EXPIRE, at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(0));
    struct refresh_contact contact = {{42}, true, 0};
    refresh_soa_answered(r, action.ticket, &contact, at_s(0));
    assert_true(refresh_status(r).expired);
    assert_in_range(refresh_deadline(r).ns, at_s(0).ns + 750000000, at_s(1).ns);
    expect_error(r, "EXPIRE is 0");
    refresh_free(r);
}

static void zone_expires_once_and_recovers_on_equal_serial(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 3);
    refresh_start(r, &soa42, at_s(100), at_s(5000), at_s(0));
    expect_step(r, REFRESH_WAIT, at_s(99));
    assert_int_equal(refresh_deadline(r).ns, at_s(100).ns);
    expect_step(r, REFRESH_EXPIRE, at_s(100));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(100));
    assert_true(refresh_status(r).expired);
    struct refresh_contact contact = serial(42);
    refresh_soa_answered(r, action.ticket, &contact, at_s(101));
    assert_false(refresh_status(r).expired);
    expect_step(r, REFRESH_WAIT, at_s(101));
    refresh_free(r);
}

static void copy_that_expired_while_we_were_down_is_not_served(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 3);
    refresh_start(r, &soa42, at_s(-5), at_s(-100), at_s(0));
    expect_step(r, REFRESH_EXPIRE, at_s(0));
    expect_step(r, REFRESH_QUERY_SOA, at_s(0));
    refresh_free(r);
}

static void lower_serial_is_no_contact_and_has_its_own_words(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(2);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = serial(41);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_int_equal(action.primary, 1);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    struct refresh_status status = refresh_status(r);
    assert_true(status.behind);
    assert_int_equal(status.behind_serial.value, 41);
    assert_int_equal(status.state, REFRESH_BACKING_OFF);
    assert_int_equal(status.expires_at.ns, at_s(1209600).ns);
    expect_error(r, "its serial 41 is before ours, 42");
    refresh_free(r);
}

static void expired_zone_takes_an_older_serial(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 3);
    refresh_start(r, &soa42, at_s(0), at_s(0), at_s(0));
    expect_step(r, REFRESH_EXPIRE, at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(0));
    struct refresh_contact contact = serial(7);
    refresh_soa_answered(r, action.ticket, &contact, at_s(0));
    action = expect_step(r, REFRESH_TRANSFER, at_s(0));
    assert_false(action.incremental);
    assert_true(action.any_serial);
    struct refresh_soa soa7 = soa42;
    soa7.serial.value = 7;
    refresh_transferred(r, action.ticket, &soa7, NULL, at_s(1));
    assert_false(refresh_status(r).expired);
    assert_int_equal(refresh_status(r).serial.value, 7);
    refresh_free(r);
}

static void expire_option_prolongs_but_not_beyond_the_soa(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 3);
    refresh_start(r, &soa42, at_s(10000), at_s(1000), at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    struct refresh_contact contact = {{42}, true, 5000};
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(10000).ns); /* 6000 would be sooner */
    refresh_now(r, at_s(2000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(2000));
    contact.expire_s = 20000;
    refresh_soa_answered(r, action.ticket, &contact, at_s(2000));
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(22000).ns);
    refresh_now(r, at_s(3000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(3000));
    contact.expire_s = 4000000;
    refresh_soa_answered(r, action.ticket, &contact, at_s(3000));
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(3000 + 1209600).ns);
    refresh_free(r);
}

static void expire_option_of_a_transfer_sets_the_timer(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    refresh_notified(r, 0, true, (struct serial){43}, at_s(10));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(10));
    struct refresh_contact contact = {{43}, true, 600};
    refresh_transferred(r, action.ticket, &soa43, &contact, at_s(10));
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(610).ns);
    refresh_free(r);
}

static void primary_that_dislikes_edns_is_asked_without(void **state)
{
    (void)state;
    struct refresh *r = start_loaded(1);
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    refresh_soa_failed(r, action.ticket, REFRESH_NO_EDNS, "FORMERR", at_s(1000));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1000));
    assert_false(action.edns);
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1000));
    action = expect_step(r, REFRESH_TRANSFER, at_s(1000));
    assert_false(action.edns);
    refresh_free(r);
}

static void jitter_follows_from_the_seed(void **state)
{
    (void)state;
    int64_t first = 0;
    bool differs = false;
    for (uint64_t seed = 0; seed < 8; seed++) {
        int64_t next[2];
        for (unsigned i = 0; i < 2; i++) {
            struct refresh *r = refresh_new(NULL, 1, seed);
            refresh_start(r, NULL, INSTANT_NEVER, INSTANT_NEVER, at_s(0));
            struct refresh_action action = refresh_step(r, at_s(0));
            refresh_transferred(r, action.ticket, &soa42, NULL, at_s(0));
            next[i] = refresh_deadline(r).ns;
            refresh_free(r);
        }
        assert_int_equal(next[0], next[1]);
        differs = differs || (seed > 0 && next[0] != first);
        first = next[0];
    }
    assert_true(differs);
}

static void timers_are_clamped(void **state)
{
    (void)state;
    struct refresh_options options = {.min_refresh_s = 60, .max_refresh_s = 120};
    struct refresh *r = refresh_new(&options, 1, 1);
    refresh_start(r, NULL, INSTANT_NEVER, INSTANT_NEVER, at_s(0));
    struct refresh_action action = refresh_step(r, at_s(0));
    struct refresh_soa soa = {{1}, 1, 1, 1};
    refresh_transferred(r, action.ticket, &soa, NULL, at_s(0));
    assert_in_range(refresh_deadline(r).ns, at_s(45).ns, at_s(60).ns);
    /* expire is at least refresh and retry */
    assert_int_equal(refresh_status(r).expires_at.ns, at_s(60 + 300).ns);
    refresh_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_newer_serial_is_retried_within_seconds),
        cmocka_unit_test(failed_refresh_without_news_waits_for_retry),
        cmocka_unit_test(first_contact_after_a_start_is_sought_with_short_waits),
        cmocka_unit_test(short_expire_option_brings_the_next_look_forward),
        cmocka_unit_test(primary_whose_copy_is_expired_too_is_no_recovery),
        cmocka_unit_test(zone_expires_once_and_recovers_on_equal_serial),
        cmocka_unit_test(copy_that_expired_while_we_were_down_is_not_served),
        cmocka_unit_test(lower_serial_is_no_contact_and_has_its_own_words),
        cmocka_unit_test(expired_zone_takes_an_older_serial),
        cmocka_unit_test(expire_option_prolongs_but_not_beyond_the_soa),
        cmocka_unit_test(expire_option_of_a_transfer_sets_the_timer),
        cmocka_unit_test(primary_that_dislikes_edns_is_asked_without),
        cmocka_unit_test(jitter_follows_from_the_seed),
        cmocka_unit_test(timers_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
