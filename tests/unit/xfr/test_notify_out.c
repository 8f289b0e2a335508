/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "xfr/notify_in.h"
#include "xfr/notify_out.h"

static struct instant at_ms(int64_t ms)
{
    return (struct instant){ms * 1000000};
}

static void published_serial_is_sent_at_once(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    assert_false(notify_out_step(&n, at_ms(0), &send));
    assert_int_equal(notify_out_deadline(&n).ns, INSTANT_NEVER.ns);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    assert_true(notify_out_step(&n, at_ms(0), &send));
    assert_false(send.tcp);
    assert_true(send.with_soa);
    assert_int_equal(send.serial.value, 5);
    assert_false(notify_out_step(&n, at_ms(0), &send));
    notify_out_answer(&n, RCODE_NOERROR, at_ms(1));
    assert_false(notify_out_is_pending(&n));
    assert_false(notify_out_step(&n, at_ms(100000), &send));
    assert_int_equal(notify_out_deadline(&n).ns, INSTANT_NEVER.ns);
}

static void newer_serial_waits_for_the_one_in_flight(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    assert_true(notify_out_step(&n, at_ms(0), &send));
    for (uint32_t serial = 6; serial < 50; serial++) {
        notify_out_publish(&n, (struct serial){serial}, at_ms(1));
        assert_false(notify_out_step(&n, at_ms(1), &send));
    }
    notify_out_answer(&n, RCODE_NOERROR, at_ms(2));
    assert_true(notify_out_is_pending(&n));
    assert_true(notify_out_step(&n, at_ms(2), &send));
    assert_int_equal(send.serial.value, 49);
    notify_out_answer(&n, RCODE_NOERROR, at_ms(3));
    assert_false(notify_out_is_pending(&n));
}

static void tls_target_is_told_over_its_stream_alone(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 99);
    n.is_tls = true;
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    struct instant now = at_ms(0);
    int64_t most_ms = 1000; /* of the pause behind a failure */
    for (unsigned tries = 0; tries < 40; tries++) {
        assert_true(notify_out_step(&n, now, &send));
        assert_true(send.tcp);
        notify_out_failed(&n, now);
        assert_false(notify_out_step(&n, now, &send));
        int64_t pause_ms = instant_ms_until(now, notify_out_deadline(&n));
        assert_true(pause_ms <= most_ms && pause_ms >= most_ms * 3 / 4);
        now = notify_out_deadline(&n);
        most_ms = most_ms * 2 < 15 * 60000 ? most_ms * 2 : 15 * 60000;
    }
    assert_true(notify_out_step(&n, now, &send));
    notify_out_answer(&n, RCODE_NOERROR, now);
    assert_false(notify_out_is_pending(&n));
}

static void tries_back_off_and_never_end(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 99);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    struct instant now = at_ms(0);
    unsigned tries = 0;
    unsigned tcp = 0;
    struct instant month = at_ms((int64_t)30 * 86400 * 1000);
    struct instant last = now;
    while (instant_before(now, month)) {
        if (notify_out_step(&n, now, &send)) {
            tries++;
            tcp += send.tcp;
            assert_int_equal(send.tcp, tries >= 4 && tries % 2 == 0);
            last = now;
        }
        struct instant next = notify_out_deadline(&n);
        assert_true(instant_before(now, next));
        assert_true(instant_ms_until(now, next) <= 15 * 60 * 1000);
        now = next;
    }
    /* 30 days in quarters of an hour, two tries each, and jitter */
    assert_in_range(tries, 5700, 7800);
    assert_in_range(tcp, tries / 2 - 2, tries / 2 + 2);
    assert_true(instant_ms_until(last, now) <= 16 * 60 * 1000);
    assert_true(notify_out_is_pending(&n));
}

static void first_four_tries_take_seconds(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 3);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    static const int64_t expected_ms[] = {0, 500, 1500, 3500};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(notify_out_step(&n, at_ms(expected_ms[i]), &send));
        assert_int_equal(send.tcp, i == 3);
        if (i < 3) {
            assert_int_equal(notify_out_deadline(&n).ns, at_ms(expected_ms[i + 1]).ns);
        }
    }
    notify_out_failed(&n, at_ms(3600)); /* connection refused */
    assert_false(notify_out_step(&n, at_ms(3600), &send));
    assert_in_range(notify_out_deadline(&n).ns, at_ms(3600 + 22500).ns, at_ms(3600 + 30000).ns);
}

static void formerr_is_answered_without_soa_at_once(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    assert_true(notify_out_step(&n, at_ms(0), &send));
    notify_out_answer(&n, RCODE_FORMERR, at_ms(1));
    assert_true(notify_out_step(&n, at_ms(1), &send));
    assert_false(send.with_soa);
    notify_out_answer(&n, RCODE_NOERROR, at_ms(2));
    assert_false(notify_out_is_pending(&n));
    notify_out_publish(&n, (struct serial){6}, at_ms(3));
    assert_true(notify_out_step(&n, at_ms(3), &send));
    assert_false(send.with_soa);
    notify_out_answer(&n, RCODE_FORMERR, at_ms(4));
    assert_false(notify_out_step(&n, at_ms(4), &send));
    assert_true(notify_out_is_pending(&n));
}

static void refusal_leads_to_long_pauses_that_messages_do_not_shorten(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    assert_true(notify_out_step(&n, at_ms(0), &send));
    notify_out_answer(&n, RCODE_REFUSED, at_ms(1));
    assert_int_equal(n.last_rcode, RCODE_REFUSED);
    notify_out_alive(&n, at_ms(2));
    assert_false(notify_out_step(&n, at_ms(20000), &send));
    assert_true(notify_out_step(&n, at_ms(30001), &send));
    assert_false(send.tcp);
}

static void target_that_comes_back_is_notified_at_once(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    struct instant now = at_ms(0);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(notify_out_step(&n, now, &send) || n.pending);
        now = notify_out_deadline(&n);
    }
    while (n.waiting) {
        notify_out_step(&n, now, &send);
        now = instant_add_ms(now, 100);
    }
    notify_out_alive(&n, now);
    assert_true(notify_out_step(&n, now, &send));
    assert_false(send.tcp);
}

static void serial_shown_otherwise_settles_it(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(0));
    assert_true(notify_out_step(&n, at_ms(0), &send));
    notify_out_seen(&n, (struct serial){4});
    assert_true(notify_out_is_pending(&n));
    notify_out_seen(&n, (struct serial){5});
    assert_false(notify_out_is_pending(&n));
    assert_false(notify_out_step(&n, at_ms(1000000), &send));
}

static void message_is_what_notify_in_reads_and_the_reply_acknowledges(void **state)
{
    (void)state;
    static const uint8_t zone[] = "\7Example\3com";
    uint8_t soa_rdata[2 + 20] = {0, 0};
    put_u32(soa_rdata + 2, 2026031802);
    struct record soa = {zone, TYPE_SOA, CLASS_IN, 3600, {soa_rdata, sizeof(soa_rdata)}};
    uint8_t message[512];
    size_t size = notify_write(zone, CLASS_IN, 4711, &soa, NULL, message, sizeof(message), 0);
    assert_true(size > 0);
    struct notify_in in;
    unsigned rcode = 0;
    struct error err = {0};
    assert_int_equal(notify_in_read(slice_of(message, size), &in, &rcode, &err), OK);
    assert_int_equal(in.id, 4711);
    assert_true(in.has_serial);
    assert_int_equal(in.serial.value, 2026031802);
    assert_true(name_equal_case(in.question.name.wire, zone));

    uint8_t reply[512];
    size_t reply_size = notify_in_reply(&in, RCODE_NOERROR, reply, sizeof(reply), 0);
    struct slice ack = slice_of(reply, reply_size);
    assert_int_equal(notify_ack_read(ack, zone, CLASS_IN, 4711, &rcode, &err), OK);
    assert_int_equal(rcode, RCODE_NOERROR);
    struct error other = {0};
    assert_int_equal(notify_ack_read(ack, zone, CLASS_IN, 4712, &rcode, &other), ERR_FORMAT);
    struct error not_reply = {0};
    assert_int_equal(
        notify_ack_read(slice_of(message, size), zone, CLASS_IN, 4711, &rcode, &not_reply),
        ERR_FORMAT);
    static const uint8_t elsewhere[] = "\7example\3org";
    struct error wrong_zone = {0};
    assert_int_equal(notify_ack_read(ack, elsewhere, CLASS_IN, 4711, &rcode, &wrong_zone),
                     ERR_FORMAT);
}

static void delay_is_not_prolonged_by_more_versions(void **state)
{
    (void)state;
    struct notify_out n;
    struct notify_send send;
    notify_out_init(&n, 1);
    notify_out_publish(&n, (struct serial){5}, at_ms(5000));
    assert_false(notify_out_step(&n, at_ms(0), &send));
    notify_out_publish(&n, (struct serial){6}, at_ms(9000));
    assert_int_equal(notify_out_deadline(&n).ns, at_ms(5000).ns);
    assert_false(notify_out_step(&n, at_ms(4999), &send));
    assert_true(notify_out_step(&n, at_ms(5000), &send));
    assert_int_equal(send.serial.value, 6);
}

static void fingerprint_is_carried_to_notify_in(void **state)
{
    (void)state;
    static const uint8_t zone[] = "\7example\3com";
    struct zone_fingerprint fingerprint = {.serial = {7}};
    for (unsigned i = 0; i < FINGERPRINT_DIGEST_SIZE; i++) {
        fingerprint.digest[i] = (uint8_t)(i * 5);
    }
    uint8_t message[512];
    size_t size = notify_write(zone, CLASS_IN, 1, NULL, &fingerprint, message, sizeof(message), 0);
    struct notify_in in;
    unsigned rcode = 0;
    struct error err = {0};
    assert_int_equal(notify_in_read(slice_of(message, size), &in, &rcode, &err), OK);
    assert_true(in.has_edns);
    assert_true(in.has_fingerprint);
    assert_int_equal(in.fingerprint.serial.value, 7);
    assert_memory_equal(in.fingerprint.digest, fingerprint.digest, FINGERPRINT_DIGEST_SIZE);
    /* Another format is somebody else's. */
    message[size - 5 - FINGERPRINT_DIGEST_SIZE] = 2;
    assert_int_equal(notify_in_read(slice_of(message, size), &in, &rcode, &err), OK);
    assert_false(in.has_fingerprint);
    for (size_t room = 0; room < size; room++) {
        assert_int_equal(notify_write(zone, CLASS_IN, 1, NULL, &fingerprint, message, room, 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delay_is_not_prolonged_by_more_versions),
        cmocka_unit_test(tls_target_is_told_over_its_stream_alone),
        cmocka_unit_test(published_serial_is_sent_at_once),
        cmocka_unit_test(newer_serial_waits_for_the_one_in_flight),
        cmocka_unit_test(tries_back_off_and_never_end),
        cmocka_unit_test(first_four_tries_take_seconds),
        cmocka_unit_test(formerr_is_answered_without_soa_at_once),
        cmocka_unit_test(refusal_leads_to_long_pauses_that_messages_do_not_shorten),
        cmocka_unit_test(target_that_comes_back_is_notified_at_once),
        cmocka_unit_test(serial_shown_otherwise_settles_it),
        cmocka_unit_test(fingerprint_is_carried_to_notify_in),
        cmocka_unit_test(message_is_what_notify_in_reads_and_the_reply_acknowledges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
