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

/* ---- with refresh machines ---- */

static const struct refresh_soa soa42 = {{42}, 3600, 900, 1209600};

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
        cmocka_unit_test(peer_health_spares_other_zones_the_dead_primary),
        cmocka_unit_test(peer_health_ends_the_wait_of_zones_that_asked_together),
        cmocka_unit_test(peer_health_does_not_hinder_asking_the_only_one),
        cmocka_unit_test(peer_health_of_who_notifies_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
