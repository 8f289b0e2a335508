/* SPDX-License-Identifier: BSD-3-Clause */
/* The batch: which zone answers, what is handed up, errors, limits of size. */
#include "answer/answer.h"

#include "support/ask.h"

static const char zone_text[] = "@ SOA ns hostmaster 1 3600 600 86400 300\n"
                                "  NS ns\n"
                                "ns A 192.0.2.1\n"
                                "www A 192.0.2.80\n";

static struct zone_set *set;
static struct answer_options options;

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    options = (struct answer_options){.says_why = true};
    zone_from_text(set, "example.", 0, zone_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

static void check(const char *question, const char *expected)
{
    ask_expect(set, &options, ANSWER_UDP, question, expected);
}

static void what_is_not_ours_is_refused(void **state)
{
    (void)state;
    check("www.other.test. A +rd", "REFUSED rd\n"
                                   "? www.other.test. IN A\n");
    check("www.other.test. A +edns", "REFUSED\n"
                                     "? www.other.test. IN A\n"
                                     "opt 1232 ede=20\n");
    check("www.example. A ANY", "REFUSED\n"
                                "? www.example. ANY A\n");
    check("www.example. A HS", "REFUSED\n"
                               "? www.example. HS A\n");
    check(". NS", "REFUSED\n"
                  "? . IN NS\n");
}

static void zones_that_cannot_answer_are_servfail(void **state)
{
    (void)state;
    struct name name = name_from_text("empty.test.");
    struct zone *zone = zone_new(name.wire, CLASS_IN, ZONE_SECONDARY);
    assert_true(zone_set_insert(set, zone));
    check("a.empty.test. A +edns", "SERVFAIL\n"
                                   "? a.empty.test. IN A\n"
                                   "opt 1232 ede=14\n");
    zone_publish(zone, version_from_text("empty.test.", zone_text));
    check("www.empty.test. A", "NOERROR aa\n"
                               "? www.empty.test. IN A\n"
                               "= www.empty.test. 3600 IN A 192.0.2.80\n");
    atomic_store(&zone->state, ZONE_EXPIRED);
    check("a.empty.test. A +edns", "SERVFAIL\n"
                                   "? a.empty.test. IN A\n"
                                   "opt 1232 ede=24\n");
    zone_unref(zone);
}

static void opcodes_and_types_without_meaning_here_are_refused_in_the_right_way(void **state)
{
    (void)state;
    check("www.example. A +opcode=2", "NOTIMP\n");
    check("www.example. A +opcode=6", "NOTIMP\n");
    check("www.example. MAILB", "NOTIMP\n"
                                "? www.example. IN MAILB\n");
    check("www.example. TKEY", "NOTIMP\n"
                               "? www.example. IN TKEY\n");
    check("www.example. OPT", "FORMERR\n"
                              "? www.example. IN OPT\n");
    check("www.example. TYPE128", "FORMERR\n"
                                  "? www.example. IN TYPE128\n");
    check("www.example. A +version=1", "BADVERS\n"
                                       "? www.example. IN A\n"
                                       "opt 1232\n");
    check("www.example. TYPE65280", "NOERROR aa\n"
                                    "? www.example. IN TYPE65280\n"
                                    "~ example. 300 IN SOA ns.example. hostmaster.example. 1 3600 "
                                    "600 86400 300\n");
}

static struct answer_query ask_of(const char *question, enum answer_transport transport)
{
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text(question, message);
    return ask_bytes(set, &options, transport, slice_of(message, size), 65535);
}

static void transfers_notify_and_update_are_handed_up_with_the_exact_zone(void **state)
{
    (void)state;
    static const struct {
        const char *question;
        enum answer_transport transport;
        enum answer_disposition disposition;
        bool has_zone;
    } table[] = {
        {"example. AXFR", ANSWER_TCP, ANSWER_XFR, true},
        {"example. IXFR", ANSWER_TLS, ANSWER_XFR, true},
        {"example. IXFR", ANSWER_UDP, ANSWER_XFR, true},
        {"www.example. AXFR", ANSWER_TCP, ANSWER_XFR, false},
        {"example. SOA +opcode=4", ANSWER_UDP, ANSWER_NOTIFY, true},
        {"example. SOA +opcode=5", ANSWER_UDP, ANSWER_UPDATE, true},
        {"other.test. SOA +opcode=5", ANSWER_UDP, ANSWER_UPDATE, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct answer_query asked = ask_of(table[i].question, table[i].transport);
        assert_int_equal(asked.disposition, table[i].disposition);
        assert_int_equal(asked.zone != NULL, table[i].has_zone);
        assert_int_equal(asked.response_size, 0);
        ask_free(&asked);
    }
    check("example. AXFR", "FORMERR\n"
                           "? example. IN AXFR\n");
}

static void signed_questions_wait_for_their_key(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    uint8_t out[600];
    size_t size = query_from_text("www.example. A", message);
    static const uint8_t tsig[] = {1, 'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0};
    memcpy(message + size, tsig, sizeof(tsig));
    put_u16(message + 10, 1);
    struct answer_query asked = {
        .message = slice_of(message, size + sizeof(tsig)), .out = out, .out_size = sizeof(out)};
    answer_batch(&options, set, 0, &asked, 1);
    assert_int_equal(asked.disposition, ANSWER_TSIG);
    assert_int_equal(asked.query.tsig_offset, size);
    asked.key = message + size;
    asked.reserve = 80;
    answer_batch(&options, set, 0, &asked, 1);
    assert_int_equal(asked.disposition, ANSWER_SEND);
    assert_int_equal(asked.rcode, RCODE_NOERROR);
}

static bool only_keyed(void *context, const struct zone *zone, const struct answer_query *query)
{
    assert_ptr_equal(context, &options);
    assert_int_equal(zone->class, CLASS_IN);
    return query->key != NULL;
}

static void queries_that_are_not_allowed_are_refused(void **state)
{
    (void)state;
    options.allow_query = only_keyed;
    options.allow_context = &options;
    check("www.example. A +edns", "REFUSED\n"
                                  "? www.example. IN A\n"
                                  "opt 1232 ede=18\n");
    options.allow_query = NULL;
}

static void garbage_gets_no_more_than_it_sent(void **state)
{
    (void)state;
    uint32_t random = 7;
    uint8_t message[QUERY_TEXT_SIZE];
    for (unsigned round = 0; round < 30000; round++) {
        size_t size = query_from_text("www.example. A +do +nsid +expire", message);
        random = random * 1664525 + 1013904223;
        for (unsigned flips = random >> 29; flips != 0; flips--) {
            random = random * 1664525 + 1013904223;
            message[(random >> 8) % size] = (uint8_t)random;
        }
        random = random * 1664525 + 1013904223;
        if (random >> 31) {
            size = (random >> 8) % (size + 1);
        }
        struct answer_query asked =
            ask_bytes(set, &options, ANSWER_UDP, slice_of(message, size), 512);
        if (size < 12 || (message[2] & 0x80) != 0) {
            assert_int_equal(asked.disposition, ANSWER_DROP);
        }
        if (asked.disposition == ANSWER_SEND) {
            assert_in_range(asked.response_size, 12, 512);
            assert_true((asked.out[2] & 0x80) != 0);
            assert_memory_equal(asked.out, message, 2);
            if (asked.rcode == RCODE_FORMERR || asked.rcode == RCODE_NOTIMP) {
                assert_true(asked.response_size <= size);
            }
            struct text text;
            text_init(&text, 0);
            message_to_text(slice_of(asked.out, asked.response_size), &text);
            text_deinit(&text);
        } else {
            assert_int_equal(asked.response_size, 0);
        }
        ask_free(&asked);
    }
}

static void every_limit_of_size_is_kept(void **state)
{
    (void)state;
    struct zone_set *big = zone_set_new();
    struct text zone;
    text_init(&zone, 0);
    text_add_str(&zone, zone_text);
    for (unsigned i = 0; i < 60; i++) {
        text_printf(&zone, "many AAAA 2001:db8::%x\nmx MX %u m%u\nm%u A 192.0.2.%u\n", i, i, i, i,
                    i);
        text_printf(&zone, "sub NS n%u.sub\nn%u.sub A 192.0.2.%u\n", i, i, i);
    }
    zone_from_text(big, "example.", 0, text_str(&zone));
    text_deinit(&zone);
    static const char *const names[] = {"many.example. AAAA", "mx.example. MX", "a.sub.example. A"};
    options.udp_size = 4096;
    for (unsigned limit = 512; limit <= 4096; limit += 7) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            char question[64];
            uint8_t message[QUERY_TEXT_SIZE];
            snprintf(question, sizeof(question), "%s +size=%u", names[i], limit);
            size_t size = query_from_text(question, message);
            struct answer_query asked =
                ask_bytes(big, &options, ANSWER_UDP, slice_of(message, size), limit);
            struct text text;
            text_init(&text, 0);
            assert_true(asked.response_size <= limit);
            message_to_text(slice_of(asked.out, asked.response_size), &text);
            assert_int_equal(strstr(text_str(&text), " tc\n") != NULL, asked.truncated);
            if (i == 0 && limit < 60 * 28) {
                assert_true(asked.truncated);
            }
            text_deinit(&text);
            ask_free(&asked);
        }
    }
    options.udp_size = 0;
    struct text text = ask_text(big, &options, ANSWER_TCP, "many.example. AAAA");
    assert_null(strstr(text_str(&text), " tc"));
    text_deinit(&text);
    zone_set_unref(big);
}

static void the_limit_is_the_smaller_of_both_sides(void **state)
{
    (void)state;
    struct zone_set *big = zone_set_new();
    struct text zone;
    text_init(&zone, 0);
    text_add_str(&zone, zone_text);
    for (unsigned i = 0; i < 45; i++) { /* 28 octets each: 1260 */
        text_printf(&zone, "many AAAA 2001:db8::%x\n", i);
    }
    zone_from_text(big, "example.", 0, text_str(&zone));
    text_deinit(&zone);
    ask_expect(big, &options, ANSWER_UDP, "many.example. AAAA +size=4096",
               "NOERROR aa tc\n? many.example. IN AAAA\nopt 1232\n");
    options.udp_size = 4096;
    struct text text = ask_text(big, &options, ANSWER_UDP, "many.example. AAAA +size=4096");
    assert_null(strstr(text_str(&text), " tc"));
    text_deinit(&text);
    ask_expect(big, &options, ANSWER_UDP, "many.example. AAAA +size=1232",
               "NOERROR aa tc\n? many.example. IN AAAA\nopt 4096\n");
    options.udp_size = 0;
    zone_set_unref(big);
}

static void a_batch_answers_each_query_as_alone(void **state)
{
    (void)state;
    enum { COUNT = 75 };
    static uint8_t messages[COUNT][QUERY_TEXT_SIZE];
    static uint8_t outs[COUNT][1232];
    struct answer_query queries[COUNT] = {{.message = {NULL, 0}}};
    static const char *const texts[] = {"www.example. A", "none.example. A +do", "a.b.c. A",
                                        "example. IXFR",  "example. DS",         "ns.example. ANY",
                                        "a. A +opcode=4", "www.example. A CH"};
    for (unsigned i = 0; i < COUNT; i++) {
        queries[i].message =
            slice_of(messages[i], query_from_text(texts[i % ARRAY_SIZE(texts)], messages[i]));
        queries[i].out = outs[i];
        queries[i].out_size = sizeof(outs[i]);
    }
    size_t sent = answer_batch(&options, set, 0, queries, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        struct answer_query alone =
            ask_bytes(set, &options, ANSWER_UDP, queries[i].message, sizeof(outs[i]));
        sent -= alone.disposition == ANSWER_SEND;
        assert_int_equal(queries[i].disposition, alone.disposition);
        assert_int_equal(queries[i].response_size, alone.response_size);
        assert_memory_equal(outs[i], alone.out, alone.response_size);
        ask_free(&alone);
    }
    assert_int_equal(sent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_ours_is_refused),
        cmocka_unit_test(zones_that_cannot_answer_are_servfail),
        cmocka_unit_test(opcodes_and_types_without_meaning_here_are_refused_in_the_right_way),
        cmocka_unit_test(transfers_notify_and_update_are_handed_up_with_the_exact_zone),
        cmocka_unit_test(signed_questions_wait_for_their_key),
        cmocka_unit_test(queries_that_are_not_allowed_are_refused),
        cmocka_unit_test(garbage_gets_no_more_than_it_sent),
        cmocka_unit_test(every_limit_of_size_is_kept),
        cmocka_unit_test(the_limit_is_the_smaller_of_both_sides),
        cmocka_unit_test(a_batch_answers_each_query_as_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
