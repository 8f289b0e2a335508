/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* An Ethernet frame with "question" over UDP, padded to the least size of a frame. */
static const uint8_t v4[] = {2,   0,   0,   0,   0,    1,    2, 0,  0,  0,  0, 2,   8,   0,   0x45,
                             0,   0,   36,  0,   7,    0x40, 0, 64, 17, 0,  0, 192, 0,   2,   1,
                             192, 0,   2,   53,  0xc0, 1,    0, 53, 0,  16, 0, 0,   'q', 'u', 'e',
                             's', 't', 'i', 'o', 'n',  0,    0, 0,  0,  0,  0, 0,   0,   0,   0};
static const uint8_t v6[] = {2,    0,    0,    0, 0, 1,  2,  0,  0,  0,    0,   2,   0x86,
                             0xdd, 0x60, 0,    0, 0, 0,  11, 17, 64, 0x20, 1,   0xd, 0xb8,
                             0,    0,    0,    0, 0, 0,  0,  0,  0,  0,    0,   1,   0x20,
                             1,    0xd,  0xb8, 0, 0, 0,  0,  0,  0,  0,    0,   0,   0,
                             0,    53,   0xc0, 1, 0, 53, 0,  11, 0,  0,    'a', 's', 'k'};

static uint16_t sum_over(const uint8_t *data, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void datagrams_are_found_in_frames(void **state)
{
    (void)state;
    struct frame frame;
    char text[ADDRESS_TEXT_SIZE];
    assert_true(frame_read(slice_of(v4, sizeof(v4)), &frame));
    assert_int_equal(frame.datagram.size, 8);
    assert_memory_equal(frame.datagram.data, "question", 8);
    assert_string_equal(address_format(&frame.from, true, text), "192.0.2.1#49153");
    assert_string_equal(address_format(&frame.to, true, text), "192.0.2.53#53");
    assert_true(frame_read(slice_of(v6, sizeof(v6)), &frame));
    assert_memory_equal(frame.datagram.data, "ask", 3);
    assert_string_equal(address_format(&frame.to, true, text), "2001:db8::35#53");
}

static void answers_go_back_with_right_sums(void **state)
{
    (void)state;
    const uint8_t *const questions[] = {v4, v6};
    const size_t sizes[] = {sizeof(v4), sizeof(v6)};
    for (unsigned i = 0; i < 2; i++) {
        for (size_t size = 0; size < 600; size += 7) {
            struct frame question, answer;
            uint8_t room[FRAME_HEADERS_MAX + 600];
            uint8_t *datagram = room + FRAME_HEADERS_MAX;
            memset(datagram, (int)(0x80 + size), size);
            assert_true(frame_read(slice_of(questions[i], sizes[i]), &question));
            uint8_t *begin = frame_write_answer(&question, datagram, size);
            size_t whole = (size_t)(datagram + size - begin);
            assert_true(frame_read(slice_of(begin, whole), &answer));
            assert_int_equal(answer.datagram.size, size);
            assert_true(address_equal(&answer.from, &question.to));
            assert_true(address_equal(&answer.to, &question.from));
            assert_memory_equal(answer.to_mac, question.from_mac, 6);
            assert_memory_equal(answer.from_mac, question.to_mac, 6);
            const uint8_t *ip = begin + 14;
            size_t addresses = i == 0 ? 8 : 32;
            const uint8_t *from = ip + (i == 0 ? 12 : 8);
            if (i == 0) {
                assert_int_equal(sum_over(ip, 20, 0), 0xffff);
            }
            uint16_t pseudo = sum_over(from, addresses, (uint32_t)(17 + 8 + size));
            assert_int_equal(sum_over(from + addresses, 8 + size, pseudo), 0xffff);
        }
    }
}

/* Wherever carries come round, and where the sum is zero, which says "none" and so is sent as ~0. */
static void sums_are_right_for_all_that_a_word_can_say(void **state)
{
    (void)state;
    const uint8_t *const questions[] = {v4, v6};
    const size_t sizes[] = {sizeof(v4), sizeof(v6)};
    for (unsigned i = 0; i < 2; i++) {
        struct frame question;
        uint8_t room[FRAME_HEADERS_MAX + 15];
        uint8_t *datagram = room + FRAME_HEADERS_MAX;
        memset(datagram, 0xff, 15);
        assert_true(frame_read(slice_of(questions[i], sizes[i]), &question));
        unsigned of_ones = 0;
        for (uint32_t value = 0; value < 65536; value++) {
            datagram[9] = (uint8_t)(value >> 8);
            datagram[10] = (uint8_t)value;
            const uint8_t *from = frame_write_answer(&question, datagram, 15) + (i == 0 ? 26 : 22);
            assert_int_not_equal(datagram[-2] | datagram[-1], 0);
            of_ones += datagram[-2] == 0xff && datagram[-1] == 0xff;
            size_t addresses = i == 0 ? 8 : 32;
            uint16_t pseudo = sum_over(from, addresses, 17 + 8 + 15);
            assert_int_equal(sum_over(from + addresses, 8 + 15, pseudo), 0xffff);
        }
        assert_int_not_equal(of_ones, 0);
    }
}

static void other_frames_are_left_alone(void **state)
{
    (void)state;
    struct frame frame;
    uint8_t copy[sizeof(v4)];
    const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{12, 9}, {14, 0x46}, {14, 0x65}, {23, 6},  {20, 0x20},
                   {21, 1}, {17, 200},  {17, 20},   {39, 15}, {39, 200}};
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(copy, v4, sizeof(v4));
        copy[changes[i].at] = changes[i].value;
        assert_false(frame_read(slice_of(copy, sizeof(copy)), &frame));
    }
    memcpy(copy, v4, sizeof(v4));
    copy[34] = copy[35] = 0; /* from port 0 nobody waits for an answer */
    assert_false(frame_read(slice_of(copy, sizeof(copy)), &frame));
    for (size_t size = 0; size < sizeof(v6); size++) {
        assert_false(frame_read(slice_of(v6, size), &frame));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_are_found_in_frames),
        cmocka_unit_test(answers_go_back_with_right_sums),
        cmocka_unit_test(sums_are_right_for_all_that_a_word_can_say),
        cmocka_unit_test(other_frames_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
