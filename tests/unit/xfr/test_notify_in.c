/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/xfr/zone_text.h"
#include "xfr/notify_in.h"

#define SOA "@ 3600 SOA ns hostmaster 9 3600 900 1209600 300\n"

/* A NOTIFY made from a reply: QR is taken off. */
static struct slice notify_of(uint16_t flags, uint16_t qtype, const char *lines)
{
    struct slice message = reply_of(5, (uint16_t)(OPCODE_NOTIFY << 11 | flags), "Example.com",
                                    qtype, "example.com", lines);
    ((uint8_t *)(uintptr_t)message.data)[2] &= 0x7f;
    return message;
}

static enum result read_notify(struct slice message, struct notify_in *out, unsigned *rcode)
{
    struct error err = {0};
    enum result result = notify_in_read(message, out, rcode, &err);
    slice_free(message);
    return result;
}

static void serial_is_carried_or_not(void **state)
{
    (void)state;
    struct notify_in in;
    unsigned rcode = 0;
    assert_int_equal(read_notify(notify_of(0, TYPE_SOA, SOA), &in, &rcode), OK);
    assert_true(in.has_serial);
    assert_int_equal(in.serial.value, 9);
    assert_int_equal(read_notify(notify_of(0, TYPE_SOA, ""), &in, &rcode), OK);
    assert_false(in.has_serial);
    assert_int_equal(read_notify(notify_of(0, TYPE_SOA, "www 60 A 192.0.2.1\n"), &in, &rcode), OK);
    assert_false(in.has_serial);
}

static void malformed_ones_are_formerr_and_have_no_serial(void **state)
{
    (void)state;
    struct notify_in in;
    unsigned rcode = 0;
    assert_int_equal(read_notify(notify_of(0, TYPE_A, SOA), &in, &rcode), ERR_FORMAT);
    assert_int_equal(rcode, RCODE_FORMERR);
    assert_int_equal(read_notify(notify_of(0, TYPE_SOA, SOA SOA), &in, &rcode), ERR_FORMAT);
    assert_false(in.has_serial);
    assert_int_equal(
        read_notify(notify_of(0, TYPE_SOA, "sub 60 SOA ns h 1 2 3 4 5\n"), &in, &rcode),
        ERR_FORMAT);
    struct slice whole = notify_of(0, TYPE_SOA, SOA);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *part = malloc(size == 0 ? 1 : size);
        memcpy(part, whole.data, size);
        assert_int_equal(read_notify(slice_of(part, size), &in, &rcode), ERR_FORMAT);
        assert_false(in.has_serial);
    }
    slice_free(whole);
}

static void classes_that_no_zone_has_are_formerr(void **state)
{
    (void)state;
    static const uint16_t classes[] = {CLASS_ANY, CLASS_NONE, 0};
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
        struct slice message = notify_of(0, TYPE_SOA, "");
        put_u16((uint8_t *)(uintptr_t)message.data + message.size - 2, classes[i]);
        struct notify_in in;
        unsigned rcode = 0;
        assert_int_equal(read_notify(message, &in, &rcode), ERR_FORMAT);
        assert_int_equal(rcode, RCODE_FORMERR);
    }
}

static void reply_echoes_id_opcode_and_question(void **state)
{
    (void)state;
    struct notify_in in;
    unsigned rcode = 0;
    assert_int_equal(read_notify(notify_of(0, TYPE_SOA, SOA), &in, &rcode), OK);
    uint8_t reply[512];
    size_t size = notify_in_reply(&in, RCODE_NOTAUTH, reply, sizeof(reply), 0);
    assert_int_equal(size, 12 + 13 + 4);
    assert_int_equal(get_u16(reply), 5);
    assert_int_equal(get_u16(reply + 2), FLAG_QR | OPCODE_NOTIFY << 11 | RCODE_NOTAUTH);
    assert_memory_equal(reply + 12, "\7Example\3com", 13);
    in.question.name.size = 0;
    assert_int_equal(notify_in_reply(&in, RCODE_FORMERR, reply, sizeof(reply), 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_is_carried_or_not),
        cmocka_unit_test(malformed_ones_are_formerr_and_have_no_serial),
        cmocka_unit_test(classes_that_no_zone_has_are_formerr),
        cmocka_unit_test(reply_echoes_id_opcode_and_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
