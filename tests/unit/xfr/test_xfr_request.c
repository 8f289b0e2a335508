/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "xfr/xfr_request.h"

static const uint8_t zone[] = "\7example\3com";

struct draft {
    struct message_writer w;
    uint8_t buffer[1024];
};

static void draft_init(struct draft *draft, uint16_t flags, uint16_t type)
{
    message_writer_init(&draft->w, draft->buffer, sizeof(draft->buffer), 77, flags);
    assert_true(message_write_question(&draft->w, zone, type, CLASS_IN));
}

static void add_soa(struct draft *draft, const uint8_t *owner, size_t rdata_size)
{
    uint8_t rdata[64] = {0};
    put_u32(rdata + 2, 1234);
    struct record soa = {owner, 65000, CLASS_IN, 0, {rdata, rdata_size}};
    size_t type_at = draft->w.size;
    assert_true(message_write_record(&draft->w, SECTION_AUTHORITY, &soa));
    /* written as an unknown type, so that short data can be tried too */
    for (; get_u16(draft->buffer + type_at) != 65000; type_at++) {
    }
    put_u16(draft->buffer + type_at, TYPE_SOA);
}

static enum result read_draft(struct draft *draft, struct xfr_request *out, unsigned *rcode)
{
    struct slice message = message_writer_finish(&draft->w);
    uint8_t *copy = malloc(message.size);
    memcpy(copy, message.data, message.size);
    struct error err = {0};
    enum result result = xfr_request_read(slice_of(copy, message.size), out, rcode, &err);
    free(copy);
    return result;
}

static void axfr_request_is_read(void **state)
{
    (void)state;
    struct draft draft;
    struct xfr_request request;
    unsigned rcode = 1;
    draft_init(&draft, FLAG_RD, TYPE_AXFR);
    assert_int_equal(read_draft(&draft, &request, &rcode), OK);
    assert_int_equal(rcode, RCODE_NOERROR);
    assert_int_equal(request.id, 77);
    assert_int_equal(request.question.type, TYPE_AXFR);
    assert_false(request.has_edns);
    assert_int_equal(request.udp_size, 512);
}

static void ixfr_request_needs_the_soa_of_its_zone(void **state)
{
    (void)state;
    static const uint8_t other[] = "\7example\3org";
    struct draft draft;
    struct xfr_request request;
    unsigned rcode = 0;
    draft_init(&draft, 0, TYPE_IXFR);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    assert_int_equal(rcode, RCODE_FORMERR);

    draft_init(&draft, 0, TYPE_IXFR);
    add_soa(&draft, zone, 22);
    assert_int_equal(read_draft(&draft, &request, &rcode), OK);
    assert_true(request.has_serial);
    assert_int_equal(request.serial.value, 1234);

    draft_init(&draft, 0, TYPE_IXFR);
    add_soa(&draft, other, 22);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);

    for (size_t size = 0; size < 22; size++) {
        draft_init(&draft, 0, TYPE_IXFR);
        add_soa(&draft, zone, size);
        assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    }
    draft_init(&draft, 0, TYPE_IXFR);
    add_soa(&draft, zone, 23);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    struct draft draft;
    struct xfr_request request;
    unsigned rcode = 0;
    draft_init(&draft, FLAG_QR, TYPE_AXFR);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    assert_int_equal(request.question.name.size, 0); /* nothing will be answered */

    draft_init(&draft, OPCODE_UPDATE << 11, TYPE_AXFR);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    assert_int_equal(rcode, RCODE_NOTIMP);

    message_writer_init(&draft.w, draft.buffer, sizeof(draft.buffer), 77, 0);
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    assert_int_equal(request.question.name.size, 0);
}

static void edns_of_the_request_decides_on_the_opt_of_the_reply(void **state)
{
    (void)state;
    struct draft draft;
    struct xfr_request request;
    unsigned rcode = 0;
    uint8_t reply[512];
    draft_init(&draft, 0, TYPE_AXFR);
    assert_int_equal(read_draft(&draft, &request, &rcode), OK);
    size_t size =
        xfr_refusal_write(&request, RCODE_REFUSED, EDE_PROHIBITED, "no", reply, sizeof(reply), 0);
    assert_int_equal(size, 12 + sizeof(zone) + 4);
    assert_int_equal(get_u16(reply + 2), FLAG_QR | RCODE_REFUSED);

    draft_init(&draft, 0, TYPE_AXFR);
    assert_true(message_write_opt(&draft.w, 4096, 0, 0, false, slice_of(NULL, 0)));
    assert_int_equal(read_draft(&draft, &request, &rcode), OK);
    assert_true(request.has_edns);
    assert_int_equal(request.udp_size, 4096);
    size =
        xfr_refusal_write(&request, RCODE_REFUSED, EDE_PROHIBITED, "no", reply, sizeof(reply), 0);
    assert_int_equal(size, 12 + sizeof(zone) + 4 + 11 + 6 + 2);

    draft_init(&draft, 0, TYPE_AXFR);
    assert_true(message_write_opt(&draft.w, 4096, 0, 1, false, slice_of(NULL, 0)));
    assert_int_equal(read_draft(&draft, &request, &rcode), ERR_FORMAT);
    assert_int_equal(rcode, RCODE_BADVERS);
    size = xfr_refusal_write(&request, rcode, EDE_NONE, "", reply, sizeof(reply), 0);
    assert_int_equal(get_u16(reply + 2) & 15, 0);
    assert_int_equal(reply[12 + sizeof(zone) + 4 + 5], 1); /* the upper bits are in the OPT */
    assert_int_equal(
        xfr_refusal_write(&request, rcode, EDE_NONE, "", reply, sizeof(reply), sizeof(reply)), 0);
}

static void request_cut_at_any_octet_is_refused(void **state)
{
    (void)state;
    struct draft draft;
    draft_init(&draft, 0, TYPE_IXFR);
    add_soa(&draft, zone, 22);
    assert_true(message_write_opt(&draft.w, 4096, 0, 0, false, slice_of(NULL, 0)));
    struct slice message = message_writer_finish(&draft.w);
    for (size_t size = 0; size < message.size; size++) {
        uint8_t *copy = malloc(size == 0 ? 1 : size);
        memcpy(copy, message.data, size);
        struct xfr_request request;
        unsigned rcode = 0;
        struct error err = {0};
        assert_int_equal(xfr_request_read(slice_of(copy, size), &request, &rcode, &err),
                         ERR_FORMAT);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axfr_request_is_read),
        cmocka_unit_test(ixfr_request_needs_the_soa_of_its_zone),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(edns_of_the_request_decides_on_the_opt_of_the_reply),
        cmocka_unit_test(request_cut_at_any_octet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
