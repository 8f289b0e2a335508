/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS cookies: the vectors of RFC 9018, and what a response says. */
#include "answer/cookie.h"

#include "support/ask.h"

static const char zone_text[] =
    "@ SOA ns hostmaster 77 3600 600 86400 300\n"
    "  NS ns.other.test.\n"
    "big TXT " /* 600 octets and more */
    "\"0123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678901234567890123456789\" "
    "\"1123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678901234567890123456789\" "
    "\"2123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678901234567890123456789\" "
    "\"3123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678901234567890123456789\" "
    "\"4123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678901234567890123456789\"\n";

static struct zone_set *set;
static struct address peer;

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    zone_from_text(set, "a.example.", 0, zone_text);
    return address_parse("198.51.100.100", &peer, &(struct error){0});
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

static struct cookie_policy policy_of(const char *first, const char *second)
{
    const char *const texts[] = {first, second};
    struct cookie_policy policy = {0};
    for (unsigned i = 0; i < 2 && texts[i] != NULL; i++) {
        for (unsigned n = 0; n < SIPHASH_KEY_SIZE; n++) {
            unsigned octet;
            assert_int_equal(sscanf(texts[i] + 2 * n, "%2x", &octet), 1);
            policy.secrets[i][n] = (uint8_t)octet;
        }
        policy.secret_count++;
    }
    return policy;
}

static const char secret[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";
static const char next_secret[] = "dd3bdf9344b678b185a6f5cb60fca715";

/* RFC 9018 appendix A.1: made for 198.51.100.100 at 1559731985. */
static const uint8_t vector[COOKIE_SIZE] = {0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57,
                                            0x01, 0x00, 0x00, 0x00, 0x5c, 0xf7, 0x9f, 0x11,
                                            0x1f, 0x81, 0x30, 0xc3, 0xee, 0xe2, 0x94, 0x80};
enum { VECTOR_AT_S = 1559731985 };

static enum cookie_state check_at(const struct cookie_policy *policy, int64_t now_s)
{
    return cookie_check(policy, slice_of(vector, sizeof(vector)), &peer, now_s);
}

static void makes_the_cookie_of_the_rfc(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    uint8_t made[COOKIE_SIZE];
    cookie_make(&policy, vector, &peer, VECTOR_AT_S, made);
    assert_memory_equal(made, vector, sizeof(vector));
}

static void accepts_for_an_hour_and_renews_after_half_of_it(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    assert_int_equal(check_at(&policy, VECTOR_AT_S), COOKIE_GOOD);
    assert_int_equal(check_at(&policy, VECTOR_AT_S + 1800), COOKIE_GOOD);
    assert_int_equal(check_at(&policy, VECTOR_AT_S + 1801), COOKIE_AGEING);
    assert_int_equal(check_at(&policy, VECTOR_AT_S + 3600), COOKIE_AGEING);
    assert_int_equal(check_at(&policy, VECTOR_AT_S + 3601), COOKIE_CLIENT);
    assert_int_equal(check_at(&policy, VECTOR_AT_S - 300), COOKIE_GOOD);
    assert_int_equal(check_at(&policy, VECTOR_AT_S - 301), COOKIE_CLIENT);
}

static void accepts_the_old_secret_and_renews_with_the_new(void **state)
{
    (void)state;
    struct cookie_policy rolled = policy_of(next_secret, secret);
    assert_int_equal(check_at(&rolled, VECTOR_AT_S), COOKIE_AGEING);
    struct cookie_policy other = policy_of(next_secret, NULL);
    assert_int_equal(check_at(&other, VECTOR_AT_S), COOKIE_CLIENT);
}

static void is_bound_to_the_address_and_every_octet(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    struct address stranger = peer;
    stranger.bytes[3]++;
    assert_int_equal(
        cookie_check(&policy, slice_of(vector, sizeof(vector)), &stranger, VECTOR_AT_S),
        COOKIE_CLIENT);
    for (size_t i = 0; i < sizeof(vector); i++) {
        uint8_t other[COOKIE_SIZE];
        memcpy(other, vector, sizeof(other));
        other[i] ^= 1;
        assert_int_equal(cookie_check(&policy, slice_of(other, sizeof(other)), &peer, VECTOR_AT_S),
                         COOKIE_CLIENT);
    }
    assert_int_equal(cookie_check(&policy, slice_of(vector, 8), &peer, VECTOR_AT_S), COOKIE_CLIENT);
}

/* ---- in responses ---- */

/* Asks with a COOKIE option of `size` octets; the response is in `out`. */
static struct answer_query ask(const struct answer_options *options, const char *question,
                               enum answer_transport transport, const uint8_t *cookie,
                               uint16_t size)
{
    uint8_t message[QUERY_TEXT_SIZE];
    size_t at = query_from_text(question, message);
    put_u16(message + at - 2, (uint16_t)(size + 4));
    put_u16(message + at, EDNS_COOKIE);
    put_u16(message + at + 2, size);
    memcpy(message + at + 4, cookie, size);
    struct answer_query asked = {.transport = transport, .out_size = 4096, .peer = &peer};
    asked.message = slice_of(message, at + 4 + size);
    asked.out = memory_new(asked.out_size);
    answer_batch(options, set, VECTOR_AT_S, &asked, 1);
    assert_int_equal(asked.disposition, ANSWER_SEND);
    asked.message = slice_of(NULL, 0);
    return asked;
}

static void expect(const struct answer_options *options, const char *question,
                   enum answer_transport transport, const uint8_t *cookie, uint16_t size,
                   uint16_t rcode, bool truncated, bool has_cookie)
{
    struct answer_query asked = ask(options, question, transport, cookie, size);
    assert_int_equal(asked.rcode, rcode);
    assert_int_equal(asked.truncated, truncated);
    bool found = asked.response_size >= COOKIE_SIZE &&
                 memcmp(asked.out + asked.response_size - COOKIE_SIZE, vector, COOKIE_SIZE) == 0;
    assert_int_equal(found, has_cookie);
    memory_free(asked.out);
}

static void a_client_cookie_gets_a_server_cookie(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    struct answer_options options = {.cookies = &policy};
    struct answer_options without = {.udp_size = 0};
    expect(&options, "a.example. SOA +edns", ANSWER_UDP, vector, 8, RCODE_NOERROR, false, true);
    expect(&options, "a.example. SOA +edns", ANSWER_UDP, vector, 24, RCODE_NOERROR, false, true);
    expect(&options, "b.other. SOA +edns", ANSWER_UDP, vector, 8, RCODE_REFUSED, false, true);
    expect(&without, "a.example. SOA +edns", ANSWER_UDP, vector, 8, RCODE_NOERROR, false, false);
}

static void cookies_of_wrong_size_are_formerr(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    struct answer_options options = {.cookies = &policy};
    static const uint8_t zeros[41];
    for (uint16_t size = 0; size <= 41; size++) {
        bool is_sound = size == 8 || (size >= 16 && size <= 40);
        struct answer_query asked = ask(&options, "a.example. SOA +edns", ANSWER_UDP, zeros, size);
        assert_int_equal(asked.rcode, is_sound ? RCODE_NOERROR : RCODE_FORMERR);
        memory_free(asked.out);
    }
}

/* A header, an OPT record with the COOKIE option, and no question. */
static void a_cookie_can_be_asked_for_without_a_question(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    struct answer_options options = {.cookies = &policy};
    struct answer_options without = {.udp_size = 0};
    uint8_t message[64] = {0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 16, 0};
    message[22] = 12;
    message[24] = EDNS_COOKIE;
    message[26] = COOKIE_CLIENT_SIZE;
    memcpy(message + 27, vector, COOKIE_CLIENT_SIZE);
    struct answer_query asked = {.transport = ANSWER_UDP, .out_size = 4096, .peer = &peer};
    asked.message = slice_of(message, 27 + COOKIE_CLIENT_SIZE);
    asked.out = memory_new(asked.out_size);
    answer_batch(&options, set, VECTOR_AT_S, &asked, 1);
    assert_int_equal(asked.disposition, ANSWER_SEND);
    assert_int_equal(asked.rcode, RCODE_NOERROR);
    assert_int_equal(asked.response_size, 12 + 11 + 4 + COOKIE_SIZE);
    assert_memory_equal(asked.out + asked.response_size - COOKIE_SIZE, vector, COOKIE_SIZE);
    answer_batch(&without, set, VECTOR_AT_S, &asked, 1);
    assert_int_equal(asked.rcode, RCODE_FORMERR);
    assert_true(asked.response_size <= asked.message.size);
    message[24] = EDNS_NSID;
    answer_batch(&options, set, VECTOR_AT_S, &asked, 1);
    assert_int_equal(asked.rcode, RCODE_FORMERR);
    memory_free(asked.out);
}

static void a_required_cookie_is_asked_for_over_udp_only(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    policy.is_required = true;
    struct answer_options options = {.cookies = &policy};
    expect(&options, "a.example. SOA +edns", ANSWER_UDP, vector, 8, RCODE_BADCOOKIE, false, true);
    expect(&options, "a.example. SOA +edns", ANSWER_UDP, vector, 24, RCODE_NOERROR, false, true);
    expect(&options, "a.example. SOA +edns", ANSWER_TCP, vector, 8, RCODE_NOERROR, false, true);
    ask_expect(set, &options, ANSWER_UDP, "a.example. NS",
               "NOERROR aa\n? a.example. IN NS\n= a.example. 3600 IN NS ns.other.test.\n");
}

static void answers_without_a_good_cookie_can_be_kept_small(void **state)
{
    (void)state;
    struct cookie_policy policy = policy_of(secret, NULL);
    policy.nocookie_udp_size = 512;
    struct answer_options options = {.cookies = &policy};
    expect(&options, "big.a.example. TXT +edns", ANSWER_UDP, vector, 8, RCODE_NOERROR, true, true);
    expect(&options, "big.a.example. TXT +edns", ANSWER_UDP, vector, 24, RCODE_NOERROR, false,
           true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_cookie_of_the_rfc),
        cmocka_unit_test(accepts_for_an_hour_and_renews_after_half_of_it),
        cmocka_unit_test(accepts_the_old_secret_and_renews_with_the_new),
        cmocka_unit_test(is_bound_to_the_address_and_every_octet),
        cmocka_unit_test(a_client_cookie_gets_a_server_cookie),
        cmocka_unit_test(cookies_of_wrong_size_are_formerr),
        cmocka_unit_test(a_cookie_can_be_asked_for_without_a_question),
        cmocka_unit_test(a_required_cookie_is_asked_for_over_udp_only),
        cmocka_unit_test(answers_without_a_good_cookie_can_be_kept_small),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
