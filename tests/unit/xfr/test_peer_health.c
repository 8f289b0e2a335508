/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfr/peer_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "xfr/refresh.h"

static struct instant at_s(int64_t seconds)
{
    return (struct instant){seconds * 1000000000};
}

static struct address host(uint8_t number, uint16_t port)
{
    return (struct address){.family = 4, .port = port, .bytes = {192, 0, 2, number}};
}

static void peer_book_keeps_one_entry_for_each_address_and_port(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53), b = host(1, 54), c = host(2, 53);
    struct peer_health *first = peer_book_get(book, &a);
    assert_ptr_equal(peer_book_get(book, &a), first);
    assert_ptr_not_equal(peer_book_get(book, &b), first);
    assert_ptr_not_equal(peer_book_get(book, &c), first);
    peer_book_free(book);
}

static void peer_health_keeps_the_last_cookie_that_fits(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53), b = host(2, 53);
    static const uint8_t octets[33] = {1, 2, 3};
    struct peer_health *health = peer_book_get(book, &a);
    assert_int_equal(peer_health_cookie(health).size, 0);
    peer_health_note_cookie(health, slice_of(octets, 16));
    peer_health_note_cookie(health, slice_of(octets + 1, 32));
    peer_health_note_cookie(health, slice_of(octets, 33));
    assert_int_equal(peer_health_cookie(health).size, 32);
    assert_memory_equal(peer_health_cookie(health).data, octets + 1, 32);
    assert_int_equal(peer_health_cookie(peer_book_get(book, &b)).size, 0);
    assert_int_equal(peer_health_cookie(NULL).size, 0);
    peer_health_note_cookie(NULL, slice_of(octets, 16));
    peer_book_free(book);
}

static void peer_health_is_avoided_longer_each_time_and_forgiven_by_an_answer(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct peer_health *health = peer_book_get(book, &a);
    assert_false(peer_health_is_avoided(health, at_s(0)));
    peer_health_failed(health, at_s(0));
    peer_health_failed(health, at_s(1)); /* another zone found the same */
    assert_true(peer_health_is_avoided(health, at_s(29)));
    assert_false(peer_health_is_avoided(health, at_s(30)));
    peer_health_asked(health, at_s(31));
    assert_true(peer_health_is_avoided(health, at_s(32))); /* for the others */
    peer_health_failed(health, at_s(40));
    assert_true(peer_health_is_avoided(health, at_s(99)));
    assert_false(peer_health_is_avoided(health, at_s(100)));
    peer_health_asked(health, at_s(100));
    peer_health_answered(health);
    assert_false(peer_health_is_avoided(health, at_s(101)));
    peer_health_failed(health, at_s(101));
    assert_false(peer_health_is_avoided(health, at_s(131)));
    peer_book_free(book);
}

static void peer_health_back_off_ends_at_a_quarter_of_an_hour(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct peer_health *health = peer_book_get(book, &a);
    int64_t now_s = 0;
    for (unsigned i = 0; i < 50; i++) {
        peer_health_failed(health, at_s(now_s));
        int64_t wait_ms = instant_ms_until(at_s(now_s), peer_health_avoid_until(health));
        assert_in_range(wait_ms, 30000, 900000);
        now_s += wait_ms / 1000;
    }
    assert_true(peer_health_is_avoided(health, at_s(now_s - 1)));
    peer_book_free(book);
}

static void peer_health_knows_nothing_of_null(void **state)
{
    (void)state;
    peer_health_failed(NULL, at_s(0));
    peer_health_silent(NULL, at_s(0));
    peer_health_answered(NULL);
    peer_health_asked(NULL, at_s(0));
    peer_health_key_refused(NULL, 0, 2);
    peer_health_no_connection(NULL, "refused", at_s(0));
    peer_health_try_again(NULL);
    assert_null(peer_health_unreachable(NULL, at_s(0)));
    assert_false(peer_health_is_avoided(NULL, at_s(0)));
    assert_int_equal(peer_health_key(NULL, 3), 0);
}

static void peer_health_goes_to_the_next_key_once_for_each_refusal(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct peer_health *health = peer_book_get(book, &a);
    assert_int_equal(peer_health_key(health, 2), 0);
    peer_health_key_refused(health, 0, 2);
    peer_health_key_refused(health, 0, 2); /* of a question that was under way */
    assert_int_equal(peer_health_key(health, 2), 1);
    peer_health_key_refused(health, 1, 2);
    assert_int_equal(peer_health_key(health, 2), 0);
    peer_health_key_refused(health, 0, 1);
    assert_int_equal(peer_health_key(health, 1), 0);
    peer_book_free(book);
}

static void peer_health_lets_nobody_connect_for_a_while_after_a_refusal(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct peer_health *health = peer_book_get(book, &a);
    int64_t now_ms = 0, longest_ms = 0;
    for (unsigned i = 0; i < 40; i++) {
        struct instant now = instant_add_ms(at_s(0), now_ms);
        assert_null(peer_health_unreachable(health, now));
        peer_health_no_connection(health, "connection refused", now);
        peer_health_no_connection(health, "another zone's", now);
        assert_string_equal(peer_health_unreachable(health, now), "connection refused");
        int64_t wait_ms = 1;
        while (peer_health_unreachable(health, instant_add_ms(now, wait_ms)) != NULL) {
            wait_ms++;
        }
        assert_true(wait_ms == (i == 0 ? 500 : longest_ms == 8000 ? 8000 : 2 * longest_ms));
        longest_ms = wait_ms;
        now_ms += wait_ms;
    }
    struct instant now = instant_add_ms(at_s(0), now_ms);
    peer_health_no_connection(health, "connection refused", now);
    peer_health_try_again(health);
    assert_null(peer_health_unreachable(health, now));
    peer_health_no_connection(health, "connection refused", now);
    peer_health_answered(health);
    assert_null(peer_health_unreachable(health, now));
    peer_health_no_connection(health, "connection refused", now);
    assert_null(peer_health_unreachable(health, instant_add_ms(now, 500)));
    peer_book_free(book);
}

/* ---- with refresh machines ---- */

static const struct refresh_soa soa42 = {{42}, 3600, 900, 1209600};

/* Runs zones without copies against a primary that takes no connection; how many were tried. */
static unsigned count_connections(struct refresh **zones, unsigned count, int64_t from_ms,
                                  int64_t until_ms)
{
    unsigned tries = 0;
    for (int64_t ms = from_ms; ms < until_ms; ms += 20) {
        struct instant now = instant_add_ms(at_s(0), ms);
        for (unsigned i = 0; i < count; i++) {
            struct refresh_action action = refresh_step(zones[i], now);
            if (action.kind == REFRESH_TRANSFER) {
                tries++;
                refresh_transfer_failed(zones[i], action.ticket, REFRESH_NO_CONNECTION,
                                        "connection refused", now);
                assert_int_equal(refresh_step(zones[i], now).kind, REFRESH_WAIT);
            }
        }
    }
    return tries;
}

static void zones_without_copies_share_the_attempts_at_a_primary_that_takes_none(void **state)
{
    (void)state;
    enum { ZONES = 500 };
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct refresh *zones[ZONES];
    for (unsigned i = 0; i < ZONES; i++) {
        zones[i] = refresh_new(NULL, 1, i);
        refresh_set_health(zones[i], 0, peer_book_get(book, &a));
        refresh_start(zones[i], NULL, at_s(0), at_s(0), at_s(0));
    }
    /* Alone each would try eight times: 4,000 and more. One try in eight seconds, at most, is for all. */
    assert_in_range(count_connections(zones, ZONES, 0, 300000), 8, 45);
    struct refresh_status status = refresh_status(zones[7]);
    assert_string_equal(status.last_error, "AXFR: connection refused");
    assert_true(status.state == REFRESH_BACKING_OFF);
    /* The operator need not wait, and when one got through, the way is free for all. */
    struct instant now = at_s(301);
    refresh_now(zones[7], now);
    struct refresh_action action = refresh_step(zones[7], now);
    assert_int_equal(action.kind, REFRESH_TRANSFER);
    struct refresh_contact contact = {.serial = {42}};
    refresh_transferred(zones[7], action.ticket, &soa42, &contact, now);
    unsigned asking = 0;
    for (int64_t ms = 301000; ms < 301000 + 300000; ms += 20) {
        for (unsigned i = 0; i < ZONES; i++) {
            asking += i != 7 &&
                      refresh_step(zones[i], instant_add_ms(at_s(0), ms)).kind == REFRESH_TRANSFER;
        }
    }
    assert_int_equal(asking, ZONES - 1);
    for (unsigned i = 0; i < ZONES; i++) {
        refresh_free(zones[i]);
    }
    peer_book_free(book);
}

static void a_zone_alone_is_never_kept_from_its_own_attempts(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address a = host(1, 53);
    struct refresh *zone = refresh_new(NULL, 1, 1);
    refresh_set_health(zone, 0, peer_book_get(book, &a));
    refresh_start(zone, NULL, at_s(0), at_s(0), at_s(0));
    unsigned tries = count_connections(&zone, 1, 0, 3600000);
    assert_int_equal(tries, refresh_status(zone).failed_rounds);
    refresh_free(zone);
    peer_book_free(book);
}

/* A zone with three primaries that is due at 0. */
static struct refresh *zone_of(struct peer_book *book, uint64_t seed)
{
    struct refresh *r = refresh_new(NULL, 3, seed);
    for (uint8_t i = 0; i < 3; i++) {
        struct address address = host(i, 53);
        refresh_set_health(r, i, peer_book_get(book, &address));
    }
    refresh_start(r, &soa42, at_s(1209600), at_s(10), at_s(0));
    return r;
}

/* Runs until the zone is confirmed, the first primary being dead; the time that took, in ms. */
static int64_t refresh_with_dead_first(struct refresh *r, struct instant now)
{
    struct instant begin = now;
    for (unsigned i = 0; i < 20; i++) {
        struct refresh_action action = refresh_step(r, now);
        if (action.kind == REFRESH_QUERY_SOA && action.primary != 0) {
            struct refresh_contact contact = {.serial = {42}};
            refresh_soa_answered(r, action.ticket, &contact, now);
            return instant_ms_until(begin, now);
        }
        if (action.kind == REFRESH_WAIT) {
            now = refresh_deadline(r);
        }
    }
    fail_msg("never refreshed");
    return -1;
}

static void peer_health_spares_other_zones_the_dead_primary(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct refresh *first = zone_of(book, 1);
    assert_in_range(refresh_with_dead_first(first, at_s(10)), 6000, 17000);
    for (uint64_t i = 2; i < 100; i++) {
        struct refresh *r = zone_of(book, i);
        assert_int_equal(refresh_with_dead_first(r, at_s(27)), 0);
        refresh_free(r);
    }
    refresh_free(first);
    peer_book_free(book);
}

static void peer_health_ends_the_wait_of_zones_that_asked_together(void **state)
{
    (void)state;
    enum { ZONES = 50 };
    struct peer_book *book = peer_book_new();
    struct refresh *zones[ZONES];
    unsigned done = 0;
    for (unsigned i = 0; i < ZONES; i++) {
        zones[i] = zone_of(book, i);
        assert_int_equal(refresh_step(zones[i], at_s(10)).primary, 0);
    }
    /* A second later nobody had an answer: all but the first few turn to another one at once. */
    for (unsigned i = 0; i < ZONES; i++) {
        struct refresh_action action = refresh_step(zones[i], at_s(11));
        assert_int_equal(action.kind, REFRESH_QUERY_SOA);
        done += action.primary == 1;
    }
    assert_true(done >= ZONES - 4);
    for (unsigned i = 0; i < ZONES; i++) {
        refresh_free(zones[i]);
    }
    peer_book_free(book);
}

static void peer_health_does_not_hinder_asking_the_only_one(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct address address = host(0, 53);
    struct peer_health *health = peer_book_get(book, &address);
    struct refresh *r = refresh_new(NULL, 1, 7);
    refresh_set_health(r, 0, health);
    refresh_start(r, &soa42, at_s(1209600), at_s(10), at_s(0));
    peer_health_failed(health, at_s(5));
    for (unsigned i = 0; i < 3; i++) { /* all tries over UDP */
        struct refresh_action action = refresh_step(r, i == 0 ? at_s(10) : refresh_deadline(r));
        assert_int_equal(action.kind, REFRESH_QUERY_SOA);
        assert_false(action.tcp);
    }
    refresh_free(r);
    peer_book_free(book);
}

static void peer_health_of_who_notifies_is_good(void **state)
{
    (void)state;
    struct peer_book *book = peer_book_new();
    struct refresh *r = zone_of(book, 1);
    struct address address = host(0, 53);
    struct peer_health *health = peer_book_get(book, &address);
    peer_health_failed(health, at_s(1));
    (void)refresh_notified(r, 0, true, (struct serial){43}, at_s(2));
    assert_false(peer_health_is_avoided(health, at_s(3)));
    refresh_free(r);
    peer_book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_book_keeps_one_entry_for_each_address_and_port),
        cmocka_unit_test(peer_health_is_avoided_longer_each_time_and_forgiven_by_an_answer),
        cmocka_unit_test(peer_health_back_off_ends_at_a_quarter_of_an_hour),
        cmocka_unit_test(peer_health_knows_nothing_of_null),
        cmocka_unit_test(peer_health_goes_to_the_next_key_once_for_each_refusal),
        cmocka_unit_test(peer_health_lets_nobody_connect_for_a_while_after_a_refusal),
        cmocka_unit_test(zones_without_copies_share_the_attempts_at_a_primary_that_takes_none),
        cmocka_unit_test(a_zone_alone_is_never_kept_from_its_own_attempts),
        cmocka_unit_test(peer_health_spares_other_zones_the_dead_primary),
        cmocka_unit_test(peer_health_ends_the_wait_of_zones_that_asked_together),
        cmocka_unit_test(peer_health_does_not_hinder_asking_the_only_one),
        cmocka_unit_test(peer_health_of_who_notifies_is_good),
        cmocka_unit_test(peer_health_keeps_the_last_cookie_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
