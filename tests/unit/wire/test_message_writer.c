/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

static struct name name_of(const char *text)
{
    struct name name;
    assert_int_equal(name_parse_str(text, &name, NULL), OK);
    return name;
}

static bool write_text(struct message_writer *w, const char *owner, uint16_t type,
                       const void *rdata, size_t size)
{
    struct name name = name_of(owner);
    struct record record = {
        .owner = name.wire,
        .type = type,
        .class = CLASS_IN,
        .ttl = 3600,
        .rdata = slice_of(rdata, size),
    };
    return message_write_record(w, SECTION_ANSWER, &record);
}

static bool write_name_record(struct message_writer *w, const char *owner, uint16_t type,
                              const char *target)
{
    struct name name = name_of(target);
    return write_text(w, owner, type, name.wire, name.size);
}

static bool write_a(struct message_writer *w, const char *owner)
{
    return write_text(w, owner, TYPE_A, "\300\0\2\1", 4);
}

static void names_are_compressed_against_the_question(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 0x4711, FLAG_QR | FLAG_AA);
    struct name qname = name_of("www.example.com.");
    assert_true(message_write_question(&w, qname.wire, TYPE_A, CLASS_IN));
    assert_true(write_a(&w, "www.example.com."));
    assert_true(write_a(&w, "mail.example.com."));
    struct slice message = message_writer_finish(&w);
    assert_int_equal(message.size, 12 + 17 + 4 + (2 + 10 + 4) + (5 + 2 + 10 + 4));
    assert_int_equal(get_u16(message.data + 33), 0xc00c);
    assert_int_equal(get_u16(message.data + 33 + 16 + 5), 0xc010);
    struct message_header header;
    assert_int_equal(message_header_read(message, &header), OK);
    assert_int_equal(header.id, 0x4711);
    assert_int_equal(header.counts[SECTION_QUESTION], 1);
    assert_int_equal(header.counts[SECTION_ANSWER], 2);
}

static void another_spelling_is_not_pointed_at(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, FLAG_QR);
    struct name qname = name_of("WWW.example.com.");
    assert_true(message_write_question(&w, qname.wire, TYPE_A, CLASS_IN));
    assert_true(write_a(&w, "www.example.com."));
    assert_true(write_a(&w, "www.EXAMPLE.com."));
    assert_true(write_a(&w, "www.EXAMPLE.com."));
    struct slice message = message_writer_finish(&w);
    static const char *const spellings[] = {"www.example.com.", "www.EXAMPLE.com.",
                                            "www.EXAMPLE.com."};
    size_t at = 12 + 17 + 4;
    for (size_t i = 0; i < 3; i++) {
        struct message_record record;
        assert_int_equal(message_record_read(message, &at, &record, NULL), OK);
        struct name expected = name_of(spellings[i]);
        assert_true(name_equal_case(record.owner.wire, expected.wire));
    }
    /* What differs only in front still shares its tail. */
    assert_int_equal(message.size, 33 + (4 + 2 + 14) + (12 + 2 + 14) + (2 + 14));
}

static void rdata_names_of_old_types_only_are_compressed(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, FLAG_QR);
    assert_true(write_name_record(&w, "example.", TYPE_NS, "ns.example."));
    assert_int_equal(w.size, 12 + 9 + 10 + 5);
    size_t before = w.size;
    assert_true(write_text(&w, "example.", TYPE_MX, "\0\5\2ns\7example", 14));
    assert_int_equal(w.size - before, 2 + 10 + 2 + 2);
    assert_int_equal(get_u16(w.data + before + 10), 4);
    before = w.size;
    /* SRV came later (RFC 3597 4): its target stays as it is. */
    assert_true(write_text(&w, "example.", TYPE_SRV, "\0\1\0\2\0\65\2ns\7example", 18));
    assert_int_equal(w.size - before, 2 + 10 + 18);
    before = w.size;
    static const char soa[] = "\2ns\7example\0\4host\7example\0"
                              "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0";
    assert_true(write_text(&w, "example.", TYPE_SOA, soa, 12 + 14 + 20));
    assert_int_equal(w.size - before, 2 + 10 + 2 + 7 + 20);
    struct slice message = message_writer_finish(&w);
    uint8_t rdata[512];
    size_t size;
    struct message_record record = {0};
    size_t at = 12;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(message_record_read(message, &at, &record, NULL), OK);
        assert_int_equal(rdata_read(record.type, message, record.rdata_offset, record.rdata_size,
                                    rdata, &size, NULL),
                         OK);
    }
    assert_int_equal(size, 46);
    assert_memory_equal(rdata, soa, 46);
}

static void records_without_data_are_written(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, 0);
    assert_true(write_text(&w, "a.", TYPE_NS, NULL, 0));
    assert_int_equal(w.size, 12 + 3 + 10);
    assert_int_equal(get_u16(w.data + 23), 0);
}

static void nothing_is_left_of_what_does_not_fit(void **state)
{
    (void)state;
    uint8_t whole[512];
    struct message_writer full;
    message_writer_init(&full, whole, sizeof(whole), 1, 0);
    assert_true(write_name_record(&full, "a.example.", TYPE_NS, "b.c.example."));
    size_t needed = full.size;
    for (size_t limit = MESSAGE_HEADER_SIZE; limit <= needed; limit++) {
        uint8_t *buffer = malloc(limit);
        struct message_writer w;
        message_writer_init(&w, buffer, limit, 1, 0);
        bool written = write_name_record(&w, "a.example.", TYPE_NS, "b.c.example.");
        assert_int_equal(written, limit == needed);
        if (!written) {
            assert_int_equal(w.size, MESSAGE_HEADER_SIZE);
            assert_int_equal(w.name_count, 0);
            assert_int_equal(w.counts[SECTION_ANSWER], 0);
            for (size_t i = 0; i < WRITER_TABLE; i++) {
                assert_int_equal(w.table[i], 0);
            }
        }
        free(buffer);
    }
}

static void reserved_octets_are_kept_free(void **state)
{
    (void)state;
    uint8_t buffer[12 + 3 + 4 + 11];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, 0);
    w.reserved = 12;
    struct name name = name_of("a.");
    assert_false(message_write_question(&w, name.wire, TYPE_A, CLASS_IN));
    w.reserved = 11;
    assert_true(message_write_question(&w, name.wire, TYPE_A, CLASS_IN));
    assert_true(message_write_opt(&w, 1232, 0, 0, false, slice_of(NULL, 0)));
    assert_int_equal(w.size, sizeof(buffer));
}

static void rewind_leaves_no_pointer_to_what_is_gone(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, 0);
    assert_true(write_a(&w, "a.example."));
    size_t size = w.size;
    uint16_t counts[4];
    memcpy(counts, w.counts, sizeof(counts));
    assert_true(write_a(&w, "x.other."));
    assert_true(write_a(&w, "y.x.other."));
    message_writer_rewind(&w, size, counts);
    assert_int_equal(w.size, size);
    assert_true(write_a(&w, "z.other."));
    assert_int_equal(w.size - size, 9 + 14);
    assert_true(write_a(&w, "b.a.example."));
    struct slice message = message_writer_finish(&w);
    assert_int_equal(get_u16(message.data + 4 + 2), 3);
    size_t at = 12;
    struct message_record record;
    static const char *const owners[] = {"a.example.", "z.other.", "b.a.example."};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(message_record_read(message, &at, &record, NULL), OK);
        struct name owner = name_of(owners[i]);
        assert_true(name_equal_case(record.owner.wire, owner.wire));
    }
    assert_int_equal(at, message.size);
}

static void a_full_message_of_64_kb_reads_back(void **state)
{
    (void)state;
    static uint8_t buffer[MESSAGE_MAX_SIZE];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, 0);
    unsigned written = 0;
    char owner[64];
    for (;; written++) {
        snprintf(owner, sizeof(owner), "host-%u.zone-%u.Example.", written, written / 3);
        if (!write_a(&w, owner)) {
            break;
        }
    }
    assert_true(written > 1500);
    assert_int_equal(w.counts[SECTION_ANSWER], written);
    struct slice message = message_writer_finish(&w);
    assert_in_range(message.size, MESSAGE_MAX_SIZE - 64, MESSAGE_MAX_SIZE);
    size_t at = MESSAGE_HEADER_SIZE;
    for (unsigned i = 0; i < written; i++) {
        struct message_record record;
        assert_int_equal(message_record_read(message, &at, &record, NULL), OK);
        snprintf(owner, sizeof(owner), "host-%u.zone-%u.Example.", i, i / 3);
        struct name expected = name_of(owner);
        assert_true(name_equal_case(record.owner.wire, expected.wire));
    }
    assert_int_equal(at, message.size);
}

static void the_root_is_one_octet(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), 1, FLAG_RD);
    struct name root = name_of(".");
    assert_true(message_write_question(&w, root.wire, TYPE_SOA, CLASS_IN));
    assert_int_equal(w.size, 12 + 1 + 4);
    message_writer_set_flags(&w, FLAG_QR | RCODE_REFUSED);
    struct slice message = message_writer_finish(&w);
    assert_int_equal(get_u16(message.data + 2), 0x8005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_compressed_against_the_question),
        cmocka_unit_test(another_spelling_is_not_pointed_at),
        cmocka_unit_test(rdata_names_of_old_types_only_are_compressed),
        cmocka_unit_test(records_without_data_are_written),
        cmocka_unit_test(nothing_is_left_of_what_does_not_fit),
        cmocka_unit_test(reserved_octets_are_kept_free),
        cmocka_unit_test(rewind_leaves_no_pointer_to_what_is_gone),
        cmocka_unit_test(a_full_message_of_64_kb_reads_back),
        cmocka_unit_test(the_root_is_one_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
