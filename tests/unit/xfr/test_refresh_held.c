/* SPDX-License-Identifier: BSD-3-Clause */
/* What the refresh machine does about a version that came and is held back, or wanted whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "xfr/refresh.h"

#define SECOND ((int64_t)1000000000)

static const struct refresh_soa soa42 = {{42}, 3600, 900, 1209600};
static const struct refresh_soa soa43 = {{43}, 3600, 900, 1209600};

static struct instant at_s(int64_t seconds)
{
    return (struct instant){seconds * SECOND};
}

static struct refresh_contact serial(uint32_t value)
{
    return (struct refresh_contact){.serial = {value}};
}

static struct refresh_action expect_step(struct refresh *r, enum refresh_action_kind kind,
                                         struct instant now)
{
    struct refresh_action action = refresh_step(r, now);
    assert_int_equal(action.kind, kind);
    return action;
}

/* Has 42; 43 came at 1000 s and is held. */
static struct refresh *start_held(void)
{
    struct refresh *r = refresh_new(NULL, 2, 7);
    struct refresh_contact contact = serial(43);
    refresh_start(r, &soa42, at_s(1209600), at_s(1000), at_s(0));
    (void)refresh_notified(r, 0, true, (struct serial){43}, at_s(1000));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(1000));
    refresh_transfer_held(r, action.ticket, &contact, "held: too small", at_s(1000));
    return r;
}

static void refresh_held_is_a_contact_and_no_failure(void **state)
{
    (void)state;
    struct refresh *r = start_held();
    expect_step(r, REFRESH_WAIT, at_s(1000));
    struct refresh_status status = refresh_status(r);
    assert_int_equal(status.state, REFRESH_IDLE);
    assert_int_equal(status.serial.value, 42);
    assert_int_equal(status.failed_rounds, 0);
    assert_int_equal(status.expires_at.ns, at_s(1000 + 1209600).ns);
    assert_in_range(status.next_at.ns, at_s(1000 + 2700).ns, at_s(1000 + 3600).ns);
    refresh_free(r);
}

static void refresh_held_is_not_fetched_again_and_a_newer_one_is(void **state)
{
    (void)state;
    struct refresh *r = start_held();
    assert_int_equal(refresh_notified(r, 1, true, (struct serial){43}, at_s(1100)),
                     REFRESH_NOTIFY_KNOWN);
    refresh_now(r, at_s(1200));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1200));
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1200));
    expect_step(r, REFRESH_WAIT, at_s(1200));
    refresh_now(r, at_s(1300));
    action = expect_step(r, REFRESH_QUERY_SOA, at_s(1300));
    contact = serial(44);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1300));
    action = expect_step(r, REFRESH_TRANSFER, at_s(1300));
    assert_true(action.incremental);
    refresh_free(r);
}

static void refresh_retransfer_fetches_what_is_held(void **state)
{
    (void)state;
    struct refresh *r = start_held();
    refresh_retransfer(r, at_s(1100));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(1100));
    assert_false(action.incremental);
    struct refresh_contact contact = serial(43);
    refresh_transfer_held(r, action.ticket, &contact, "held: too small", at_s(1101));
    expect_step(r, REFRESH_WAIT, at_s(1101));
    assert_int_equal(refresh_status(r).state, REFRESH_IDLE);
    refresh_free(r);
}

static void refresh_replaced_goes_on_from_the_version_let_in(void **state)
{
    (void)state;
    struct refresh *r = start_held();
    refresh_replaced(r, &soa43, at_s(1100));
    struct refresh_status status = refresh_status(r);
    assert_int_equal(status.serial.value, 43);
    assert_int_equal(status.state, REFRESH_IDLE);
    assert_false(status.wants_newer);
    refresh_now(r, at_s(1200));
    struct refresh_action action = expect_step(r, REFRESH_QUERY_SOA, at_s(1200));
    struct refresh_contact contact = serial(43);
    refresh_soa_answered(r, action.ticket, &contact, at_s(1200));
    expect_step(r, REFRESH_WAIT, at_s(1200));
    refresh_free(r);
}

static void refresh_without_a_copy_goes_on_asking(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 7);
    struct refresh_contact contact = serial(43);
    refresh_start(r, NULL, INSTANT_NEVER, INSTANT_NEVER, at_s(0));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(0));
    refresh_transfer_held(r, action.ticket, &contact, "held: the checker said no", at_s(0));
    expect_step(r, REFRESH_WAIT, at_s(0));
    assert_int_equal(refresh_status(r).state, REFRESH_BACKING_OFF);
    assert_non_null(strstr(refresh_status(r).last_error, "the checker said no"));
    refresh_replaced(r, &soa43, at_s(1));
    assert_true(refresh_status(r).has_copy);
    assert_int_equal(refresh_status(r).state, REFRESH_IDLE);
    refresh_free(r);
}

static void refresh_held_of_an_older_ticket_is_ignored(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 1, 7);
    struct refresh_contact contact = serial(43);
    refresh_start(r, &soa42, at_s(1209600), at_s(1000), at_s(0));
    (void)refresh_notified(r, 0, true, (struct serial){43}, at_s(1));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(1));
    refresh_transfer_held(r, action.ticket - 1, &contact, "held", at_s(1));
    assert_int_equal(refresh_status(r).state, REFRESH_TRANSFERRING);
    refresh_free(r);
}

static void refresh_retransfer_asked_for_during_a_transfer_follows_it(void **state)
{
    (void)state;
    struct refresh *r = refresh_new(NULL, 2, 7);
    refresh_start(r, &soa42, at_s(1209600), at_s(1000), at_s(0));
    (void)refresh_notified(r, 1, true, (struct serial){43}, at_s(1));
    struct refresh_action action = expect_step(r, REFRESH_TRANSFER, at_s(1));
    assert_true(action.incremental);
    refresh_retransfer_from(r, 1, at_s(1));
    assert_true(refresh_is_retransfer_due(r));
    refresh_transferred(r, action.ticket, &soa43, NULL, at_s(2));
    action = expect_step(r, REFRESH_TRANSFER, refresh_deadline(r));
    assert_false(action.incremental);
    assert_int_equal(action.primary, 1);
    refresh_transferred(r, action.ticket, &soa43, NULL, at_s(5));
    assert_false(refresh_is_retransfer_due(r));
    expect_step(r, REFRESH_WAIT, at_s(5));
    refresh_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refresh_held_is_a_contact_and_no_failure),
        cmocka_unit_test(refresh_held_is_not_fetched_again_and_a_newer_one_is),
        cmocka_unit_test(refresh_retransfer_fetches_what_is_held),
        cmocka_unit_test(refresh_replaced_goes_on_from_the_version_let_in),
        cmocka_unit_test(refresh_without_a_copy_goes_on_asking),
        cmocka_unit_test(refresh_retransfer_asked_for_during_a_transfer_follows_it),
        cmocka_unit_test(refresh_held_of_an_older_ticket_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
