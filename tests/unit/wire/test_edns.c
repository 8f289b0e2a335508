/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "wire/message.h"
#include "wire/rrtype.h"

static const uint8_t options_wire[] = {0,   EDNS_NSID, 0,   0, 0,           EDNS_COOKIE, 0, 3,
                                       'c', 'k',       'e', 0, EDNS_EXPIRE, 0,           0};

static struct message_record opt_record(size_t offset, size_t size)
{
    return (struct message_record){
        .owner = {.size = 1},
        .type = TYPE_OPT,
        .class = 1232,
        .ttl = 0x01008000,
        .rdata_offset = offset,
        .rdata_size = (uint16_t)size,
    };
}

static void edns_read_gives_every_field(void **state)
{
    (void)state;
    struct message_record opt = opt_record(0, sizeof(options_wire));
    opt.ttl = 0xab028000;
    struct edns edns;
    assert_int_equal(edns_read(slice_of(options_wire, sizeof(options_wire)), &opt, &edns, NULL),
                     OK);
    assert_true(edns.present);
    assert_true(edns.dnssec_ok);
    assert_int_equal(edns.version, 2);
    assert_int_equal(edns.extended_rcode, 0xab);
    assert_int_equal(edns.udp_size, 1232);
    assert_int_equal(edns.options.size, sizeof(options_wire));
}

static void edns_read_raises_small_sizes_to_512(void **state)
{
    (void)state;
    struct message_record opt = opt_record(0, 0);
    opt.class = 0;
    opt.ttl = 0;
    struct edns edns;
    assert_int_equal(edns_read(slice_of(options_wire, 1), &opt, &edns, NULL), OK);
    assert_int_equal(edns.udp_size, 512);
    assert_false(edns.dnssec_ok);
}

static void edns_read_refuses_bad_owner_and_cut_options(void **state)
{
    (void)state;
    struct slice message = slice_of(options_wire, sizeof(options_wire));
    struct edns edns;
    struct error err = {0};
    for (size_t size = 1; size < sizeof(options_wire); size++) {
        struct message_record opt = opt_record(0, size);
        bool whole = size == 4 || size == 11;
        assert_int_equal(edns_read(message, &opt, &edns, &err), whole ? OK : ERR_FORMAT);
    }
    struct message_record opt = opt_record(0, 0);
    opt.owner = (struct name){.size = 3, .wire = {1, 'a', 0}};
    assert_int_equal(edns_read(message, &opt, &edns, &err), ERR_FORMAT);
}

static void edns_find_option_finds_the_first(void **state)
{
    (void)state;
    struct message_record opt = opt_record(0, sizeof(options_wire));
    struct edns edns;
    assert_int_equal(edns_read(slice_of(options_wire, sizeof(options_wire)), &opt, &edns, NULL),
                     OK);
    struct slice value;
    assert_true(edns_find_option(&edns, EDNS_COOKIE, &value));
    assert_int_equal(value.size, 3);
    assert_memory_equal(value.data, "cke", 3);
    assert_true(edns_find_option(&edns, EDNS_EXPIRE, &value));
    assert_int_equal(value.size, 0);
    assert_false(edns_find_option(&edns, EDNS_PADDING, &value));
    struct edns none = {0};
    assert_false(edns_find_option(&none, EDNS_COOKIE, &value));
}

static void written_opt_reads_back_and_uses_what_was_reserved(void **state)
{
    (void)state;
    uint8_t buffer[12 + 11 + sizeof(options_wire) + 20];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, FLAG_QR);
    w.reserved = 11 + sizeof(options_wire) + 20;
    struct slice options = slice_of(options_wire, sizeof(options_wire));
    assert_true(message_write_opt(&w, 4096, 1, 0, true, options));
    assert_int_equal(w.reserved, 20);
    /* The rest is kept for TSIG: a second one does not fit. */
    assert_false(message_write_opt(&w, 4096, 1, 0, true, options));
    struct slice message = message_writer_finish(&w);
    struct message_header header;
    assert_int_equal(message_header_read(message, &header), OK);
    assert_int_equal(header.counts[SECTION_ADDITIONAL], 1);
    size_t at = MESSAGE_HEADER_SIZE;
    struct message_record opt;
    assert_int_equal(message_record_read(message, &at, &opt, NULL), OK);
    assert_int_equal(at, message.size);
    assert_int_equal(opt.type, TYPE_OPT);
    struct edns edns;
    assert_int_equal(edns_read(message, &opt, &edns, NULL), OK);
    assert_int_equal(edns.udp_size, 4096);
    assert_int_equal(edns.extended_rcode, 1);
    assert_true(edns.dnssec_ok);
    assert_true(slice_equal(edns.options, options));
}

static void write_opt_refuses_past_the_limit(void **state)
{
    (void)state;
    uint8_t buffer[22];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, 0);
    assert_false(message_write_opt(&w, 512, 0, 0, false, slice_of(NULL, 0)));
    assert_int_equal(w.size, MESSAGE_HEADER_SIZE);
    assert_int_equal(w.counts[SECTION_ADDITIONAL], 0);
}

/* ---- options added to a complete message ---- */

static size_t write_query(uint8_t *out, size_t limit, bool with_opt)
{
    static const uint8_t name[] = "\3www\7example";
    struct message_writer w;
    message_writer_init(&w, out, limit, 7, 0);
    assert_true(message_write_question(&w, name, TYPE_SOA, CLASS_IN));
    if (with_opt) {
        assert_true(
            message_write_opt(&w, 1232, 0, 0, true, slice_of(options_wire, sizeof(options_wire))));
    }
    return message_writer_finish(&w).size;
}

/* The options of the one record that the message has behind its question. */
static struct edns opt_of(const uint8_t *message, size_t size)
{
    struct slice bytes = slice_of(message, size);
    struct message_header header;
    struct question question;
    struct message_record record;
    struct edns edns;
    size_t offset = MESSAGE_HEADER_SIZE;
    assert_int_equal(message_header_read(bytes, &header), OK);
    assert_int_equal(header.counts[SECTION_ADDITIONAL], 1);
    assert_int_equal(message_question_read(bytes, &offset, &question, NULL), OK);
    assert_int_equal(message_record_read(bytes, &offset, &record, NULL), OK);
    assert_int_equal(offset, size);
    assert_int_equal(edns_read(bytes, &record, &edns, NULL), OK);
    return edns;
}

static void message_pad_fills_up_to_a_multiple(void **state)
{
    (void)state;
    for (size_t behind = 0; behind < 300; behind += 7) {
        uint8_t message[1024];
        size_t size = write_query(message, sizeof(message), true);
        size = message_pad(message, size, sizeof(message), behind, 128);
        assert_int_equal((size + behind) % 128, 0);
        struct edns edns = opt_of(message, size);
        struct slice value;
        assert_true(edns_find_option(&edns, EDNS_PADDING, &value));
        assert_true(value.size < 128);
        for (size_t i = 0; i < value.size; i++) {
            assert_int_equal(value.data[i], 0);
        }
        assert_true(edns_find_option(&edns, EDNS_COOKIE, &value));
    }
}

static void message_pad_stays_within_the_limit(void **state)
{
    (void)state;
    uint8_t message[1024];
    size_t bare = write_query(message, sizeof(message), true);
    for (size_t limit = bare; limit < bare + 200; limit++) {
        size_t size = write_query(message, sizeof(message), true);
        memset(message + limit, 0xee, sizeof(message) - limit);
        size = message_pad(message, size, limit, 20, 468);
        assert_true(size + 20 <= limit || size == bare);
        assert_int_equal(size == bare, limit < bare + 24);
        assert_int_equal(message[limit], 0xee);
        (void)opt_of(message, size);
    }
}

static void messages_without_opt_stay_as_they_are(void **state)
{
    (void)state;
    uint8_t message[256];
    size_t size = write_query(message, sizeof(message), false);
    assert_int_equal(message_pad(message, size, sizeof(message), 0, 128), size);
    size = write_query(message, sizeof(message), true);
    assert_int_equal(message_pad(message, size, sizeof(message), 0, 0), size);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(message_pad(message, cut, sizeof(message), 0, 128), cut);
    }
}

static void message_add_option_appends(void **state)
{
    (void)state;
    uint8_t message[256];
    size_t size = write_query(message, sizeof(message), true);
    size_t longer =
        message_add_option(message, size, sizeof(message), EDNS_TCP_KEEPALIVE, slice_of("ab", 2));
    assert_int_equal(longer, size + 6);
    struct edns edns = opt_of(message, longer);
    struct slice value;
    assert_true(edns_find_option(&edns, EDNS_TCP_KEEPALIVE, &value));
    assert_true(slice_equal(value, slice_of("ab", 2)));
    assert_int_equal(
        message_add_option(message, longer, longer + 3, EDNS_TCP_KEEPALIVE, slice_of(NULL, 0)),
        longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_pad_fills_up_to_a_multiple),
        cmocka_unit_test(message_pad_stays_within_the_limit),
        cmocka_unit_test(messages_without_opt_stay_as_they_are),
        cmocka_unit_test(message_add_option_appends),
        cmocka_unit_test(edns_read_gives_every_field),
        cmocka_unit_test(edns_read_raises_small_sizes_to_512),
        cmocka_unit_test(edns_read_refuses_bad_owner_and_cut_options),
        cmocka_unit_test(edns_find_option_finds_the_first),
        cmocka_unit_test(written_opt_reads_back_and_uses_what_was_reserved),
        cmocka_unit_test(write_opt_refuses_past_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
