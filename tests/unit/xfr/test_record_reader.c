/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of transfers against wire's: whatever the octets, both see the same records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/record_reader_impl.h"
#include "xfr/record_writer_impl.h"

enum { LINES_MAX = 64, MUTATIONS = 30000 };

static const char *const zone_lines[] = {
    "@ 60 SOA ns hostmaster 1 2 3 4 5",
    "@ 60 NS ns1.one.test.",
    "@ 60 NS ns2.one.test.",
    "@ 60 MX 10 mail.one.test.",
    "a 60 NS ns1.a",
    "a 60 NS ns2.a",
    "a 60 NS ns.elsewhere.test.",
    "ns1.a 60 A 192.0.2.1",
    "ns2.a 60 A 192.0.2.2",
    "ns2.a 60 AAAA 2001:db8::1",
    "b 60 NS ns1.one.test.",
    "b 60 NS ns2.one.test.",
    "b 60 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
    "c 60 CNAME b",
    "C 60 TXT \"case\"",
    "d.e.f 60 CNAME ns1.one.test.",
    "x.e.f 60 CNAME ns1.one.test.",
    "averyveryverylonglabelindeed.e.f 60 CNAME anotherveryverylonglabel.one.test.",
    "averyveryverylonglabelindeed.e.f 60 TXT \"x\"",
    "*.e.f 60 SRV 1 2 3 x.e.f",
    "e.f 60 PTR .",
    "f 60 PTR f",
    "g 60 NSEC h A NS",
    "@ 60 SOA ns hostmaster 1 2 3 4 5",
};

static uint64_t state_of_draw = 88172645463325252u;

static uint32_t draw(uint32_t bound)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return (uint32_t)((state_of_draw >> 32) * bound >> 32);
}

/* The zone as one message; `dense` says by which writer. */
static size_t write_zone(uint8_t *buffer, bool dense)
{
    struct name origin = name_of("example.com");
    struct line_record *lines[LINES_MAX];
    struct record_writer *writer = malloc(sizeof(*writer));
    struct message_writer plain;
    message_writer_init(&plain, buffer, 4096, 1, FLAG_QR);
    record_writer_init(writer, buffer, MESSAGE_HEADER_SIZE, 4096);
    for (size_t i = 0; i < ARRAY_SIZE(zone_lines); i++) {
        lines[i] = malloc(sizeof(*lines[i]));
        line_read(zone_lines[i], origin.wire, CLASS_IN, lines[i]);
        bool fits = dense ? record_writer_add(writer, &lines[i]->record)
                          : message_write_record(&plain, SECTION_ANSWER, &lines[i]->record);
        assert_true(fits);
    }
    size_t size = dense ? writer->size : plain.size;
    for (size_t i = 0; i < ARRAY_SIZE(zone_lines); i++) {
        free(lines[i]);
    }
    free(writer);
    return size;
}

/* Reads all records by both; returns how many there are. */
static unsigned compare(const uint8_t *bytes, size_t size, struct record_reader *reader)
{
    uint8_t *exact = malloc(size);
    memcpy(exact, bytes, size);
    struct slice message = slice_of(exact, size);
    struct name zone = name_of("example.com");
    uint8_t *rdata = malloc(RDATA_MAX_SIZE);
    record_reader_begin(reader, message, MESSAGE_HEADER_SIZE);
    struct name before = {0};
    unsigned count = 0;
    for (size_t offset = MESSAGE_HEADER_SIZE;; count++) {
        struct message_record head;
        size_t rdata_size = 0;
        enum result want = message_record_read(message, &offset, &head, NULL);
        struct error err = {0};
        enum result got = record_reader_next(reader, &err);
        if (want != OK) {
            assert_int_equal(got, ERR_FORMAT);
            assert_int_equal(err.code, ERR_FORMAT);
            break;
        }
        bool in_zone = name_is_subdomain(head.owner.wire, zone.wire);
        assert_int_equal(got, in_zone ? OK : ERR_NOT_FOUND);
        assert_int_equal(reader->offset, offset);
        assert_int_equal(reader->owner.name.size, head.owner.size);
        assert_memory_equal(reader->owner.name.wire, head.owner.wire, head.owner.size);
        if (reader->same_owner) {
            assert_int_equal(before.size, head.owner.size);
            assert_memory_equal(before.wire, head.owner.wire, head.owner.size);
        }
        assert_int_equal(reader->type, head.type);
        assert_int_equal(reader->class, head.class);
        assert_int_equal(reader->ttl, head.ttl);
        want = rdata_read(head.type, message, head.rdata_offset, head.rdata_size, rdata,
                          &rdata_size, NULL);
        struct slice read;
        got = record_reader_rdata(reader, &read, &err);
        assert_int_equal(got, want);
        if (want == OK) {
            assert_int_equal(read.size, rdata_size);
            assert_true(slice_equal(read, slice_of(rdata, rdata_size)));
        }
        before = head.owner;
    }
    free(rdata);
    free(exact);
    return count;
}

static void records_are_those_that_wire_reads(void **state)
{
    (void)state;
    struct record_reader *reader = malloc(sizeof(*reader));
    struct name zone = name_of("example.com");
    record_reader_init(reader, zone.wire);
    uint8_t buffer[4096];
    for (unsigned dense = 0; dense < 2; dense++) {
        size_t size = write_zone(buffer, dense == 1);
        assert_int_equal(compare(buffer, size, reader), ARRAY_SIZE(zone_lines));
        for (size_t cut = MESSAGE_HEADER_SIZE; cut < size; cut++) {
            compare(buffer, cut, reader);
        }
    }
    free(reader);
}

static void damaged_messages_are_seen_as_wire_sees_them(void **state)
{
    (void)state;
    struct record_reader *reader = malloc(sizeof(*reader));
    struct name zone = name_of("example.com");
    record_reader_init(reader, zone.wire);
    uint8_t buffer[2][4096];
    size_t sizes[2] = {write_zone(buffer[0], false), write_zone(buffer[1], true)};
    for (unsigned i = 0; i < MUTATIONS; i++) {
        uint8_t damaged[4096];
        unsigned which = i % 2;
        size_t size = sizes[which];
        memcpy(damaged, buffer[which], size);
        for (unsigned n = 1 + draw(3); n > 0; n--) {
            size_t at = MESSAGE_HEADER_SIZE + draw((uint32_t)size - MESSAGE_HEADER_SIZE - 2);
            switch (draw(4)) {
            case 0:
                damaged[at] = (uint8_t)draw(256);
                break;
            case 1:
                damaged[at] ^= (uint8_t)(1u << draw(8));
                break;
            case 2: /* a pointer somewhere */
                put_u16(damaged + at, (uint16_t)(0xc000 + draw((uint32_t)size)));
                break;
            case 3:
                damaged[at] = (uint8_t)draw(70);
                break;
            }
        }
        compare(damaged, size, reader);
    }
    free(reader);
}

static void name_that_grows_too_long_is_refused(void **state)
{
    (void)state;
    struct record_reader *reader = malloc(sizeof(*reader));
    struct name zone = name_of("example.com");
    record_reader_init(reader, zone.wire);
    uint8_t buffer[8192];
    memset(buffer, 0, MESSAGE_HEADER_SIZE);
    size_t size = MESSAGE_HEADER_SIZE;
    memcpy(buffer + size, zone.wire, zone.size);
    size_t place = size;
    size += zone.size;
    /* Each owner is a label longer than the one before. */
    for (unsigned i = 0; i < 30; i++) {
        memcpy(buffer + size, "\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 14);
        size += 14;
        size_t here = size;
        unsigned length = 1 + i % 20;
        buffer[size++] = (uint8_t)length;
        memset(buffer + size, 'x', length);
        size += length;
        put_u16(buffer + size, (uint16_t)(0xc000 + place));
        size += 2;
        place = here;
    }
    memcpy(buffer + size, "\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 14);
    size += 14;
    unsigned read = compare(buffer, size, reader);
    assert_in_range(read, 15, 29);
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_those_that_wire_reads),
        cmocka_unit_test(damaged_messages_are_seen_as_wire_sees_them),
        cmocka_unit_test(name_that_grows_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
