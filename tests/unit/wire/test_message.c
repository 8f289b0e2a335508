/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

/* Reads a name from a copy of exactly `size` octets, so that a sanitizer sees the first stray one.
 */
static enum result read_name(const void *bytes, size_t size, size_t *offset, struct name *out,
                             struct error *err)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum result result = message_name_read(slice_of(copy, size), offset, out, err);
    free(copy);
    return result;
}

static void expect_bad_name(const void *bytes, size_t size, size_t offset, const char *part)
{
    struct name name;
    struct error err = {0};
    size_t at = offset;
    assert_int_equal(read_name(bytes, size, &at, &name, &err), ERR_FORMAT);
    assert_int_equal(at, offset);
    if (strstr(err.text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.text);
    }
}

static void header_read_needs_twelve_octets(void **state)
{
    (void)state;
    static const uint8_t bytes[12] = {0x12, 0x34, 0xa8, 0x05, 0, 1, 0, 2, 0, 3, 0xff, 0xff};
    struct message_header header;
    assert_int_equal(message_header_read(slice_of(bytes, 11), &header), ERR_FORMAT);
    assert_int_equal(message_header_read(slice_of(bytes, 12), &header), OK);
    assert_int_equal(header.id, 0x1234);
    assert_int_equal(header.flags, 0xa805);
    assert_int_equal(header_opcode(header.flags), OPCODE_UPDATE);
    assert_int_equal(header.counts[SECTION_QUESTION], 1);
    assert_int_equal(header.counts[SECTION_ANSWER], 2);
    assert_int_equal(header.counts[SECTION_AUTHORITY], 3);
    assert_int_equal(header.counts[SECTION_ADDITIONAL], 0xffff);
}

static void name_read_follows_pointers_backward(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {3,    'c', 'o',  'm',  0, /* 0 */
                                    2,    'E', 'x',  0xc0, 0, /* 5 */
                                    1,    'a', 0xc0, 5,       /* 10 */
                                    0xc0, 10,                 /* 14 */
                                    0xff};
    struct name name;
    struct error err = {0};
    size_t at = 14;
    assert_int_equal(read_name(bytes, sizeof(bytes), &at, &name, &err), OK);
    assert_int_equal(at, 16);
    assert_int_equal(name.size, 10);
    assert_memory_equal(name.wire, "\1a\2Ex\3com", 10);
    at = 0;
    assert_int_equal(read_name(bytes, sizeof(bytes), &at, &name, &err), OK);
    assert_int_equal(at, 5);
    assert_int_equal(name.size, 5);
}

static void name_read_refuses_loops_and_forward_pointers(void **state)
{
    (void)state;
    static const uint8_t self[] = {0xc0, 0};
    expect_bad_name(self, sizeof(self), 0, "backward");
    static const uint8_t own_label[] = {1, 'a', 0xc0, 0};
    expect_bad_name(own_label, sizeof(own_label), 0, "backward");
    static const uint8_t into_own_run[] = {0, 1, 'a', 1, 'b', 0xc0, 3};
    expect_bad_name(into_own_run, sizeof(into_own_run), 1, "backward");
    static const uint8_t forward[] = {0xc0, 2, 0};
    expect_bad_name(forward, sizeof(forward), 0, "backward");
    static const uint8_t pair[] = {1, 'x', 0xc0, 4, 1, 'y', 0xc0, 0};
    expect_bad_name(pair, sizeof(pair), 4, "backward");
    static const uint8_t beyond[] = {0xff, 0xff};
    expect_bad_name(beyond, sizeof(beyond), 0, "backward");
}

static void name_read_refuses_truncation_everywhere(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 3, 'a', 'b', 'c', 2, 'd', 'e', 0xc0, 0};
    for (size_t size = 1; size < sizeof(bytes); size++) {
        struct name name;
        struct error err = {0};
        size_t at = 1;
        assert_int_equal(read_name(bytes, size, &at, &name, &err), ERR_FORMAT);
        assert_int_equal(at, 1);
    }
    struct name name;
    struct error err = {0};
    size_t at = 1;
    assert_int_equal(read_name(bytes, sizeof(bytes), &at, &name, &err), OK);
    assert_int_equal(at, sizeof(bytes));
    at = sizeof(bytes) + 100;
    assert_int_equal(read_name(bytes, sizeof(bytes), &at, &name, &err), ERR_FORMAT);
}

static void name_read_refuses_unknown_label_kinds(void **state)
{
    (void)state;
    static const uint8_t extended[] = {0x41, 'a', 0};
    expect_bad_name(extended, sizeof(extended), 0, "unknown kind");
    static const uint8_t reserved[] = {0x80, 'a', 0};
    expect_bad_name(reserved, sizeof(reserved), 0, "unknown kind");
}

static void name_read_holds_255_octets_over_pointers(void **state)
{
    (void)state;
    uint8_t bytes[512] = {0};
    for (size_t i = 0; i < 252; i += 2) {
        bytes[i] = 1;
        bytes[i + 1] = 'x';
    }
    /* 252 octets of labels, the root at 252; one more label in front makes 255. */
    bytes[253] = 1;
    bytes[254] = 'y';
    bytes[255] = 0xc0;
    bytes[256] = 0;
    struct name name;
    struct error err = {0};
    size_t at = 253;
    assert_int_equal(read_name(bytes, 257, &at, &name, &err), OK);
    assert_int_equal(name.size, 255);
    assert_int_equal(name_check(slice_of(name.wire, 255)), 255);
    bytes[253] = 2;
    bytes[255] = 'z';
    bytes[256] = 0xc0;
    bytes[257] = 0;
    expect_bad_name(bytes, 258, 253, "255 octets");
}

static void name_read_bounds_chains_of_pointers(void **state)
{
    (void)state;
    uint8_t bytes[1 + 2 * 200] = {0};
    for (size_t i = 0; i < 200; i++) {
        size_t target = i == 0 ? 0 : 2 * i - 1;
        put_u16(bytes + 1 + 2 * i, (uint16_t)(0xc000u | target));
    }
    struct name name;
    struct error err = {0};
    size_t at = 1 + 2 * 126;
    assert_int_equal(read_name(bytes, sizeof(bytes), &at, &name, &err), OK);
    assert_int_equal(name.size, 1);
    expect_bad_name(bytes, sizeof(bytes), 1 + 2 * 127, "too many pointers");
}

static void question_and_record_read_check_every_bound(void **state)
{
    (void)state;
    static const uint8_t question[] = {1, 'a', 0, 0, 6, 0, 1};
    struct question q;
    struct error err = {0};
    for (size_t size = 0; size < sizeof(question); size++) {
        size_t at = 0;
        err = (struct error){0};
        assert_int_equal(message_question_read(slice_of(question, size), &at, &q, &err),
                         ERR_FORMAT);
        assert_int_equal(at, 0);
    }
    size_t at = 0;
    assert_int_equal(message_question_read(slice_of(question, 7), &at, &q, NULL), OK);
    assert_int_equal(at, 7);
    assert_int_equal(q.type, TYPE_SOA);
    assert_int_equal(q.class, CLASS_IN);

    static const uint8_t record[] = {0, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4, 192, 0, 2, 1};
    struct message_record r;
    for (size_t size = 0; size < sizeof(record); size++) {
        at = 0;
        err = (struct error){0};
        assert_int_equal(message_record_read(slice_of(record, size), &at, &r, &err), ERR_FORMAT);
        assert_int_equal(at, 0);
    }
    at = 0;
    assert_int_equal(message_record_read(slice_of(record, sizeof(record)), &at, &r, NULL), OK);
    assert_int_equal(at, sizeof(record));
    assert_int_equal(r.ttl, 86400);
    assert_int_equal(r.rdata_offset, 11);
    assert_int_equal(r.rdata_size, 4);
}

static void name_work_is_bounded_in_a_full_message(void **state)
{
    (void)state;
    /* 64 KB of the worst names: each one a pointer into a name of 127 labels. */
    static uint8_t bytes[MESSAGE_MAX_SIZE];
    for (size_t i = 0; i < 254; i += 2) {
        bytes[i] = 1;
        bytes[i + 1] = 'x';
    }
    size_t names = 0;
    for (size_t i = 255; i + 2 <= sizeof(bytes); i += 2) {
        put_u16(bytes + i, 0xc000);
        names++;
    }
    size_t at = 255;
    struct name name;
    for (size_t i = 0; i < names; i++) {
        assert_int_equal(message_name_read(slice_of(bytes, sizeof(bytes)), &at, &name, NULL), OK);
        assert_int_equal(name.size, 255);
    }
    assert_int_equal(message_name_read(slice_of(bytes, sizeof(bytes)), &at, &name, NULL),
                     at == sizeof(bytes) ? ERR_FORMAT : OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_read_needs_twelve_octets),
        cmocka_unit_test(name_read_follows_pointers_backward),
        cmocka_unit_test(name_read_refuses_loops_and_forward_pointers),
        cmocka_unit_test(name_read_refuses_truncation_everywhere),
        cmocka_unit_test(name_read_refuses_unknown_label_kinds),
        cmocka_unit_test(name_read_holds_255_octets_over_pointers),
        cmocka_unit_test(name_read_bounds_chains_of_pointers),
        cmocka_unit_test(question_and_record_read_check_every_bound),
        cmocka_unit_test(name_work_is_bounded_in_a_full_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
