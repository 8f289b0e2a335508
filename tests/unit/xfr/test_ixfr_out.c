/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "unit/xfr/zone_text.h"
#include "xfr/ixfr_condense.h"
#include "xfr/ixfr_in.h"
#include "xfr/ixfr_out.h"

#define SOA(serial) "@ 3600 SOA ns hostmaster " #serial " 3600 900 1209600 300\n"
#define BODY        "@ 3600 NS ns\nns 3600 A 192.0.2.1\n"

struct history {
    struct zone_version *versions[3];
    struct chunk *chunks[2];
};

static struct history make_history(void)
{
    struct history h;
    h.versions[0] = version_of("example.com", SOA(1) BODY "a 60 A 192.0.2.10\n");
    h.versions[1] = version_of("example.com", SOA(2) BODY "a 60 A 192.0.2.20\nb 60 A 192.0.2.2\n");
    h.versions[2] = version_of("example.com", SOA(3) BODY "b 60 A 192.0.2.2\n");
    for (unsigned i = 0; i < 2; i++) {
        struct delta *delta = delta_diff(h.versions[i], h.versions[i + 1]);
        h.chunks[i] = chunk_of_delta(delta);
        delta_free(delta);
    }
    return h;
}

static void free_history(struct history *h)
{
    for (unsigned i = 0; i < 3; i++) {
        zone_version_unref(h->versions[i]);
    }
    chunk_unref(h->chunks[0]);
    chunk_unref(h->chunks[1]);
}

static struct xfr_request ixfr_request(void)
{
    struct xfr_request request = {.id = 513, .udp_size = 512, .has_serial = true};
    request.question.name = name_of("example.com");
    request.question.type = TYPE_IXFR;
    request.question.class = CLASS_IN;
    request.serial.value = 1;
    return request;
}

static void chain_is_written_as_rfc_1995_says(void **state)
{
    (void)state;
    struct history h = make_history();
    struct xfr_request request = ixfr_request();
    struct ixfr_out *out = ixfr_out_new(h.versions[2], h.chunks, 2, &request, slice_of(NULL, 0), 0);
    uint8_t *buffer = malloc(MESSAGE_MAX_SIZE);
    size_t size = 0;
    struct error err = {0};
    assert_int_equal(ixfr_out_next(out, buffer, MESSAGE_MAX_SIZE, 0, &size, &err), STEP_DONE);
    struct text lines;
    text_init(&lines, 0);
    message_print_answers(slice_of(buffer, size), &lines);
#define SOA_LINE(serial)                                                                           \
    "example.com. 3600 SOA ns.example.com. hostmaster.example.com. " #serial                       \
    " 3600 900 1209600 300\n"
    assert_string_equal(text_str(&lines),
                        SOA_LINE(3) SOA_LINE(1) "a.example.com. 60 A 192.0.2.10\n" SOA_LINE(
                            2) "a.example.com. 60 A 192.0.2.20\nb.example.com. 60 A "
                               "192.0.2.2\n" SOA_LINE(2) "a.example.com. 60 A "
                                                         "192.0.2.20\n" SOA_LINE(3) SOA_LINE(3));
    text_deinit(&lines);
    free(buffer);
    ixfr_out_free(out);
    free_history(&h);
}

static void chain_arrives_at_ixfr_in_whatever_the_message_size(void **state)
{
    (void)state;
    struct history h = make_history();
    struct xfr_request request = ixfr_request();
    static const size_t limits[] = {110, 200, 512, MESSAGE_MAX_SIZE};
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        struct ixfr_out *out =
            ixfr_out_new(h.versions[2], h.chunks, 2, &request, slice_of(NULL, 0), 0);
        struct instant now = {0};
        struct ixfr_in *in = ixfr_in_new(h.versions[0], request.id, false, NULL, now, NULL, NULL);
        enum step sent = STEP_MORE;
        enum step received = STEP_MORE;
        uint8_t *buffer = malloc(limits[i]);
        struct error err = {0};
        while (sent == STEP_MORE) {
            size_t size = 0;
            sent = ixfr_out_next(out, buffer, limits[i], 0, &size, &err);
            assert_int_not_equal(sent, STEP_FAILED);
            assert_int_equal(received, STEP_MORE);
            received = ixfr_in_receive(in, slice_of(buffer, size), now, &err);
        }
        assert_int_equal(received, STEP_DONE);
        assert_int_equal(ixfr_in_outcome(in), IXFR_DELTAS);
        size_t count = 0;
        struct delta **chain = ixfr_in_take_deltas(in, &count);
        assert_int_equal(count, 2);
        struct zone_version *middle = NULL;
        struct zone_version *end = NULL;
        assert_int_equal(delta_apply(h.versions[0], chain[0], NULL, &middle, &err), OK);
        assert_int_equal(delta_apply(middle, chain[1], NULL, &end, &err), OK);
        assert_true(versions_equal(end, h.versions[2]));
        zone_version_unref(middle);
        zone_version_unref(end);
        delta_free(chain[0]);
        delta_free(chain[1]);
        memory_free(chain);
        free(buffer);
        ixfr_in_free(in);
        ixfr_out_free(out);
    }
    free_history(&h);
}

static void several_steps_are_condensed_into_one(void **state)
{
    (void)state;
    struct history h = make_history();
    struct name zone = name_of("example.com");
    struct error err = {0};
    assert_null(ixfr_condense(zone.wire, CLASS_IN, h.chunks, 0));
    assert_null(ixfr_condense(zone.wire, CLASS_IN, h.chunks, 1));
    struct chunk *condensed = ixfr_condense(zone.wire, CLASS_IN, h.chunks, 2);
    assert_non_null(condensed);
    assert_int_equal(condensed->from.value, 1);
    assert_int_equal(condensed->to.value, 3);
    assert_true(condensed->size < h.chunks[0]->size + h.chunks[1]->size);
    struct xfr_request request = ixfr_request();
    struct ixfr_out *out =
        ixfr_out_new(h.versions[2], &condensed, 1, &request, slice_of(NULL, 0), 0);
    struct instant now = {0};
    struct ixfr_in *in = ixfr_in_new(h.versions[0], request.id, false, NULL, now, NULL, NULL);
    uint8_t buffer[512];
    size_t size = 0;
    assert_int_equal(ixfr_out_next(out, buffer, sizeof(buffer), 0, &size, &err), STEP_DONE);
    assert_int_equal(ixfr_in_receive(in, slice_of(buffer, size), now, &err), STEP_DONE);
    size_t count = 0;
    struct delta **chain = ixfr_in_take_deltas(in, &count);
    assert_int_equal(count, 1);
    assert_int_equal(delta_count(chain[0]), 4); /* two SOAs, a gone, b come */
    struct zone_version *end = NULL;
    assert_int_equal(delta_apply(h.versions[0], chain[0], NULL, &end, &err), OK);
    assert_true(versions_equal(end, h.versions[2]));
    zone_version_unref(end);
    delta_free(chain[0]);
    memory_free(chain);
    ixfr_in_free(in);
    ixfr_out_free(out);
    chunk_unref(condensed);
    free_history(&h);
}

static void no_deltas_mean_up_to_date(void **state)
{
    (void)state;
    struct history h = make_history();
    struct xfr_request request = ixfr_request();
    struct ixfr_out *out = ixfr_out_new(h.versions[0], NULL, 0, &request, slice_of(NULL, 0), 0);
    uint8_t buffer[512];
    size_t size = 0;
    struct error err = {0};
    assert_int_equal(ixfr_out_next(out, buffer, sizeof(buffer), 0, &size, &err), STEP_DONE);
    assert_int_equal(ixfr_out_stats(out).records, 1);
    struct ixfr_in *in =
        ixfr_in_new(h.versions[0], request.id, true, NULL, (struct instant){0}, NULL, NULL);
    assert_int_equal(ixfr_in_receive(in, slice_of(buffer, size), (struct instant){0}, &err),
                     STEP_DONE);
    assert_int_equal(ixfr_in_outcome(in), IXFR_UP_TO_DATE);
    ixfr_in_free(in);
    ixfr_out_free(out);
    free_history(&h);
}

static void datagram_holds_all_or_the_soa_with_tc(void **state)
{
    (void)state;
    struct history h = make_history();
    struct xfr_request request = ixfr_request();
    uint8_t buffer[512];
    bool fits = false;
    struct ixfr_out *out = ixfr_out_new(h.versions[2], h.chunks, 2, &request, slice_of(NULL, 0), 0);
    size_t size = ixfr_out_datagram(out, buffer, sizeof(buffer), 0, &fits);
    assert_true(fits);
    struct message_header header;
    assert_int_equal(message_header_read(slice_of(buffer, size), &header), OK);
    assert_int_equal(header.counts[SECTION_ANSWER], 10);
    assert_int_equal(header.flags & FLAG_TC, 0);
    ixfr_out_free(out);

    out = ixfr_out_new(h.versions[2], h.chunks, 2, &request, slice_of(NULL, 0), 0);
    size = ixfr_out_datagram(out, buffer, size - 1, 0, &fits);
    assert_false(fits);
    assert_int_equal(message_header_read(slice_of(buffer, size), &header), OK);
    assert_int_equal(header.counts[SECTION_ANSWER], 1);
    assert_int_equal(header.flags & FLAG_TC, FLAG_TC);
    ixfr_out_free(out);
    free_history(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_is_written_as_rfc_1995_says),
        cmocka_unit_test(chain_arrives_at_ixfr_in_whatever_the_message_size),
        cmocka_unit_test(several_steps_are_condensed_into_one),
        cmocka_unit_test(no_deltas_mean_up_to_date),
        cmocka_unit_test(datagram_holds_all_or_the_soa_with_tc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
