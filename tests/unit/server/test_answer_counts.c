/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting answers: every message in one place of each table, zones apart, workers summed. */
#include "server/answer_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hub/server.h"

static struct answer_query query_of(uint16_t qtype, uint16_t rcode, size_t response_size)
{
    return (struct answer_query){
        .message = slice_of("message", 7),
        .rcode = rcode,
        .response_size = response_size,
        .query = {.has_question = true, .qtype = qtype},
    };
}

static void numbers_of_all_workers_are_summed(void **state)
{
    (void)state;
    struct server server = {.worker_count = 1};
    struct answer_sums sum;
    server.answer_counts = answer_counts_new(2);
    struct answer_query one = query_of(TYPE_SOA, RCODE_NOERROR, 100);
    struct answer_query two = query_of(TYPE_SOA, RCODE_NXDOMAIN, 90);
    two.transport = ANSWER_TCP;
    two.query.edns = (struct edns){.present = true, .dnssec_ok = true};
    answer_counts_add(&server.answer_counts[0], 0, &one);
    answer_counts_add(&server.answer_counts[0], 0, &one);
    answer_counts_add(&server.answer_counts[1], 1, &two);
    answer_counts_sum(&server, &sum);
    assert_int_equal(sum.transports[ANSWER_UDP], 2);
    assert_int_equal(sum.transports[ANSWER_TCP], 1);
    assert_int_equal(sum.types[TYPE_SOA], 3);
    assert_int_equal(sum.rcodes[RCODE_NOERROR], 2);
    assert_int_equal(sum.rcodes[RCODE_NXDOMAIN], 1);
    assert_int_equal(sum.edns, 1);
    assert_int_equal(sum.dnssec_ok, 1);
    assert_int_equal(sum.octets_in, 21);
    assert_int_equal(sum.octets_out, 290);
    assert_int_equal(sum.unanswered, 0);
    answer_counts_free(server.answer_counts);
}

static void whatever_comes_has_a_place(void **state)
{
    (void)state;
    static const struct {
        uint16_t qtype;
        unsigned slot;
    } types[] = {{0, 0},
                 {TYPE_ANY, TYPE_ANY},
                 {256, COUNTED_TYPE_URI},
                 {257, COUNTED_TYPE_CAA},
                 {258, COUNTED_TYPE_OTHER},
                 {65535, COUNTED_TYPE_OTHER}};
    static const struct {
        size_t size;
        unsigned slot;
    } sizes[] = {{1, 0},  {12, 0},   {32, 0},     {33, 1},     {64, 1},
                 {65, 2}, {1232, 6}, {32768, 10}, {32769, 11}, {65535, 11}};
    struct server server = {.worker_count = 1, .answer_counts = answer_counts_new(2)};
    struct answer_counts *counts = server.answer_counts;
    struct answer_sums before, sum;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        answer_counts_sum(&server, &before);
        struct answer_query query = query_of(types[i].qtype, (uint16_t)(4095 - i), 50);
        answer_counts_add(counts, 0, &query);
        answer_counts_sum(&server, &sum);
        assert_int_equal(sum.types[types[i].slot], before.types[types[i].slot] + 1);
    }
    assert_int_equal(sum.rcodes[COUNTED_RCODES - 1], ARRAY_SIZE(types));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        answer_counts_sum(&server, &before);
        struct answer_query query = query_of(1, 0, sizes[i].size);
        answer_counts_add(counts, 0, &query);
        answer_counts_sum(&server, &sum);
        assert_int_equal(sum.sizes[sizes[i].slot], before.sizes[sizes[i].slot] + 1);
    }
    struct answer_query none = {.message = slice_of("x", 1)};
    answer_counts_add(counts, 0, &none);
    answer_counts_sum(&server, &sum);
    assert_int_equal(sum.types[COUNTED_TYPE_NONE], 1);
    assert_int_equal(sum.unanswered, 1);
    answer_counts_free(counts);
}

static void a_zone_is_counted_where_it_wants_to_be(void **state)
{
    (void)state;
    struct answer_counts *counts = answer_counts_new(2);
    struct zone *zone = zone_new((const uint8_t *)"\4test", CLASS_IN, 0);
    struct answer_query query = query_of(TYPE_A, RCODE_NXDOMAIN, 80);
    struct zone_counts_line sum;
    query.zone = zone;
    answer_counts_add(&counts[0], 0, &query); /* nobody wants it */
    struct zone_query_counts *own = zone_query_counts_new(2);
    atomic_store(&zone->query_counts, own);
    answer_counts_add(&counts[0], 0, &query);
    query.rcode = RCODE_SERVFAIL;
    query.truncated = true;
    query.transport = ANSWER_TLS;
    answer_counts_add(&counts[1], 1, &query);
    zone_query_counts_sum(own, &sum);
    assert_int_equal(sum.queries, 2);
    assert_int_equal(sum.nxdomain, 1);
    assert_int_equal(sum.failed, 1);
    assert_int_equal(sum.truncated, 1);
    assert_int_equal(sum.streams, 1);
    assert_int_equal(sum.octets_out, 160);
    zone_query_counts_free(own);
    zone_unref(zone);
    answer_counts_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_all_workers_are_summed),
        cmocka_unit_test(whatever_comes_has_a_place),
        cmocka_unit_test(a_zone_is_counted_where_it_wants_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
