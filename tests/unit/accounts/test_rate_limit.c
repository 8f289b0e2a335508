/* SPDX-License-Identifier: BSD-3-Clause */
/* Response rate limiting: what is counted together, when it is limited, when it is free again. */
#include "accounts/rate_limit.h"

#include <pthread.h>

#include "support/ask.h"

static const char zone_text[] = "@ SOA ns hostmaster 77 3600 600 86400 300\n"
                                "  NS ns.other.test.\n"
                                "www A 192.0.2.1\n"
                                "*.w A 192.0.2.2\n"
                                "sub NS ns.sub\n"
                                "ns.sub A 192.0.2.3\n";

static struct zone_set *set;
static const struct answer_options options = {.udp_size = 0};
static struct address peer;

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    zone_from_text(set, "a.example.", 0, zone_text);
    return address_parse("198.51.100.7", &peer, &(struct error){0});
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

/* 5 a second, window 4 s, every second one slips. */
static struct conf_rate_limit limits_of(uint32_t per_second, uint32_t slip)
{
    return (struct conf_rate_limit){.responses = per_second,
                                    .referrals = per_second,
                                    .nodata = per_second,
                                    .nxdomains = per_second,
                                    .errors = per_second,
                                    .window_s = 4,
                                    .slip = slip,
                                    .ipv4_prefix = 24,
                                    .ipv6_prefix = 56,
                                    .max_table = 1000};
}

static enum rate_verdict take(struct rate_limit *rates, uint64_t hash, uint32_t now_s)
{
    bool begun;
    return rate_limit_take(rates, &peer, RATE_RESPONSE, hash, now_s, &begun);
}

/* How many of `count` responses are sent, slipped and dropped. */
static void expect_row(struct rate_limit *rates, unsigned count, uint32_t now_s, unsigned sent,
                       unsigned slipped)
{
    unsigned seen[3] = {0};
    for (unsigned i = 0; i < count; i++) {
        seen[take(rates, 1, now_s)]++;
    }
    assert_int_equal(seen[RATE_SEND], sent);
    assert_int_equal(seen[RATE_SLIP], slipped);
    assert_int_equal(seen[RATE_DROP], count - sent - slipped);
}

static void a_network_is_told_the_same_as_often_as_the_rate_says(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(5, 2);
    struct rate_limit *rates = rate_limit_new(&limits);
    expect_row(rates, 5, 100, 5, 0);
    expect_row(rates, 10, 100, 0, 5);
    assert_int_equal(take(rates, 2, 100), RATE_SEND); /* something else */
    rate_limit_free(rates);
}

static void a_debt_is_paid_by_time_and_forgotten_after_the_window(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(5, 0);
    struct rate_limit *rates = rate_limit_new(&limits);
    expect_row(rates, 1000, 100, 5, 0); /* owes four seconds' worth, no more */
    expect_row(rates, 1, 103, 0, 0);
    rate_limit_free(rates);
    rates = rate_limit_new(&limits);
    expect_row(rates, 10, 100, 5, 0);
    expect_row(rates, 5, 102, 5, 0);
    expect_row(rates, 1000, 102, 0, 0);
    expect_row(rates, 10, 107, 5, 0);
    expect_row(rates, 10, 107 + 0x10000 + 100, 5, 0); /* seconds wrap */
    rate_limit_free(rates);
}

static void slip_says_which_of_the_limited_are_cut_short(void **state)
{
    (void)state;
    static const unsigned slipped[] = {0, 100, 50, 34, 25};
    for (uint32_t slip = 0; slip < 5; slip++) {
        struct conf_rate_limit limits = limits_of(5, slip);
        limits.window_s = 100;
        struct rate_limit *rates = rate_limit_new(&limits);
        expect_row(rates, 105, 100, 5, slipped[slip]);
        rate_limit_free(rates);
    }
}

static void networks_are_apart_and_hosts_of_one_are_not(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(1, 0);
    struct rate_limit *rates = rate_limit_new(&limits);
    struct address neighbour = peer, stranger = peer;
    bool begun;
    neighbour.bytes[3] = 200;
    stranger.bytes[2]++;
    assert_int_equal(take(rates, 1, 5), RATE_SEND);
    assert_int_equal(rate_limit_take(rates, &neighbour, RATE_RESPONSE, 1, 5, &begun), RATE_DROP);
    assert_true(begun);
    assert_int_equal(rate_limit_take(rates, &neighbour, RATE_RESPONSE, 1, 5, &begun), RATE_DROP);
    assert_false(begun);
    assert_int_equal(rate_limit_take(rates, &stranger, RATE_RESPONSE, 1, 5, &begun), RATE_SEND);
    assert_int_equal(rate_limit_take(rates, &peer, RATE_NODATA, 1, 5, &begun), RATE_SEND);
    rate_limit_free(rates);
}

static void all_per_second_never_slips(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(0, 1);
    limits.all = 3;
    struct rate_limit *rates = rate_limit_new(&limits);
    bool begun;
    assert_int_equal(take(rates, 1, 5), RATE_SEND);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rate_limit_take(rates, &peer, RATE_ALL, 0, 5, &begun),
                         i < 3 ? RATE_SEND : RATE_DROP);
    }
    rate_limit_free(rates);
}

static void a_busy_server_lowers_the_rates(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(10, 0);
    limits.qps_scale = 100;
    struct rate_limit *rates = rate_limit_new(&limits);
    rate_limit_count(rates, 500, 99);
    rate_limit_count(rates, 1, 100);
    expect_row(rates, 10, 100, 2, 0);
    rate_limit_free(rates);
}

static void many_accounts_do_not_grow_the_table(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(1, 0);
    struct rate_limit *rates = rate_limit_new(&limits);
    for (uint64_t i = 0; i < 100000; i++) {
        (void)take(rates, i, 5);
    }
    assert_int_equal(take(rates, 99999, 5), RATE_DROP); /* the newest is still known */
    rate_limit_free(rates);
}

static void other_names_do_not_wash_away_who_is_limited(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(2, 0);
    struct rate_limit *rates = rate_limit_new(&limits);
    for (unsigned i = 0; i < 10; i++) {
        (void)take(rates, 1, 5);
    }
    for (uint64_t i = 2; i < 100000; i++) {
        (void)take(rates, i, 5);
    }
    assert_int_equal(take(rates, 1, 5), RATE_DROP);
    rate_limit_free(rates);
}

/* ---- several threads ---- */

enum { THREADS = 4, EACH = 20000 };

struct row {
    struct rate_limit *rates;
    unsigned sent;
};

static void *take_many(void *context)
{
    struct row *row = context;
    for (unsigned i = 0; i < EACH; i++) {
        row->sent += take(row->rates, 1, 5) == RATE_SEND;
    }
    return NULL;
}

static void threads_share_one_account(void **state)
{
    (void)state;
    struct conf_rate_limit limits = limits_of(1000, 0);
    struct rate_limit *rates = rate_limit_new(&limits);
    pthread_t threads[THREADS];
    struct row rows[THREADS];
    unsigned sent = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        rows[i] = (struct row){.rates = rates};
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &rows[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sent += rows[i].sent;
    }
    assert_true(sent <= 1000 && sent > 500);
    rate_limit_free(rates);
}

/* ---- kinds ---- */

struct kind_of {
    enum rate_kind kind;
    uint64_t hash;
    bool by_wildcard;
};

static struct kind_of kind_of(const char *question)
{
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text(question, message);
    struct answer_query asked = ask_bytes(set, &options, ANSWER_UDP, slice_of(message, size), 4096);
    struct kind_of found = {.by_wildcard = asked.by_wildcard};
    found.kind = rate_limit_kind(&asked, &found.hash);
    ask_free(&asked);
    return found;
}

static void expect_kind(enum rate_kind kind, const char *one, const char *other, bool is_same)
{
    struct kind_of a = kind_of(one), b = kind_of(other);
    assert_int_equal(a.kind, kind);
    if (b.kind == kind) {
        assert_int_equal(a.hash == b.hash, is_same);
    } else {
        assert_false(is_same);
    }
}

static void answers_are_the_same_as_bind_counts_them(void **state)
{
    (void)state;
    expect_kind(RATE_RESPONSE, "www.a.example. A", "WWW.a.example. A", true);
    expect_kind(RATE_RESPONSE, "www.a.example. A", "www.a.example. AAAA", false);
    expect_kind(RATE_RESPONSE, "www.a.example. A", "a.example. SOA", false);
    expect_kind(RATE_RESPONSE, "r1.w.a.example. A", "r2.w.a.example. A", true);
    expect_kind(RATE_NODATA, "www.a.example. TXT", "www.a.example. AAAA", true);
    expect_kind(RATE_NXDOMAIN, "x1.a.example. A", "x2.y.a.example. TXT", true);
    expect_kind(RATE_REFERRAL, "h1.sub.a.example. A", "h2.x.sub.a.example. TXT", true);
    expect_kind(RATE_ERROR, "b.other. A", "c.other. A", true);
    assert_true(kind_of("r1.w.a.example. A").by_wildcard);
    assert_false(kind_of("www.a.example. A").by_wildcard);
}

static void what_is_cut_short_says_tc_and_nothing_else(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("www.a.example. A +edns", message);
    struct answer_query asked = ask_bytes(set, &options, ANSWER_UDP, slice_of(message, size), 4096);
    answer_cut(&options, ASK_NOW_S, &asked);
    struct text text;
    text_init(&text, 0);
    message_to_text(slice_of(asked.out, asked.response_size), &text);
    assert_string_equal(text_str(&text), "NOERROR tc\n? www.a.example. IN A\nopt 1232\n");
    assert_true(asked.response_size <= size);
    text_deinit(&text);
    ask_free(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_is_told_the_same_as_often_as_the_rate_says),
        cmocka_unit_test(a_debt_is_paid_by_time_and_forgotten_after_the_window),
        cmocka_unit_test(slip_says_which_of_the_limited_are_cut_short),
        cmocka_unit_test(networks_are_apart_and_hosts_of_one_are_not),
        cmocka_unit_test(all_per_second_never_slips),
        cmocka_unit_test(a_busy_server_lowers_the_rates),
        cmocka_unit_test(many_accounts_do_not_grow_the_table),
        cmocka_unit_test(other_names_do_not_wash_away_who_is_limited),
        cmocka_unit_test(threads_share_one_account),
        cmocka_unit_test(answers_are_the_same_as_bind_counts_them),
        cmocka_unit_test(what_is_cut_short_says_tc_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
