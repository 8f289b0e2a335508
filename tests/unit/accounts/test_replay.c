/* SPDX-License-Identifier: BSD-3-Clause */
#include "accounts/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct slice mac_of(char out[32], unsigned number)
{
    /* As spread as a MAC is. */
    uint32_t mixed = number * 0x9e3779b9u;
    memset(out, 0, 32);
    memcpy(out, &mixed, sizeof(mixed));
    snprintf(out + 8, 24, "%u", number);
    return slice_of((const uint8_t *)out, 32);
}

static void replay_tells_a_copy_and_how_it_was_answered(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64);
    char bytes[32];
    struct slice mac = mac_of(bytes, 1);
    unsigned rcode = 99;
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_NEW);
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_PENDING);
    replay_end(replay, mac, 6, true);
    assert_int_equal(replay_begin(replay, mac, 1300, 1300, &rcode), REPLAY_DONE);
    assert_int_equal(rcode, 6);
    replay_free(replay);
}

static void replay_knows_a_copy_whose_mac_was_cut(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64);
    char bytes[32];
    struct slice mac = mac_of(bytes, 1);
    unsigned rcode = 99;
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_NEW);
    replay_end(replay, mac, 0, true);
    for (size_t size = 10; size < mac.size; size++) {
        assert_int_equal(replay_begin(replay, slice_of(mac.data, size), 1300, 1000, &rcode),
                         REPLAY_DONE);
    }
    replay_free(replay);
}

static void replay_of_what_changed_nothing_may_be_tried_again(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64);
    char bytes[32];
    struct slice mac = mac_of(bytes, 1);
    unsigned rcode = 99;
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_NEW);
    replay_end(replay, mac, 2, false);
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_NEW);
    replay_free(replay);
}

static void replay_forgets_what_would_no_longer_verify(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64);
    char bytes[32];
    struct slice mac = mac_of(bytes, 1);
    unsigned rcode;
    assert_int_equal(replay_begin(replay, mac, 1300, 1000, &rcode), REPLAY_NEW);
    replay_end(replay, mac, 0, true);
    assert_int_equal(replay_begin(replay, mac, 1600, 1301, &rcode), REPLAY_NEW);
    replay_free(replay);
}

static void replay_is_bounded_and_keeps_what_is_valid_longest(void **state)
{
    (void)state;
    struct replay *replay = replay_new(8); /* one row */
    char bytes[32];
    unsigned rcode;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(replay_begin(replay, mac_of(bytes, i), 1300 + i, 1000, &rcode),
                         REPLAY_NEW);
        replay_end(replay, mac_of(bytes, i), 0, true);
    }
    for (unsigned i = 93; i < 100; i++) {
        assert_int_equal(replay_begin(replay, mac_of(bytes, i), 1300 + i, 1000, &rcode),
                         REPLAY_DONE);
    }
    assert_int_equal(replay_begin(replay, mac_of(bytes, 1), 1301, 1000, &rcode), REPLAY_NEW);
    replay_free(replay);
}

static void replay_takes_short_macs(void **state)
{
    (void)state;
    struct replay *replay = replay_new(64);
    unsigned rcode;
    struct slice one = slice_of("0123456789", 10), other = slice_of("0123456780", 10);
    assert_int_equal(replay_begin(replay, one, 1300, 1000, &rcode), REPLAY_NEW);
    assert_int_equal(replay_begin(replay, other, 1300, 1000, &rcode), REPLAY_NEW);
    assert_int_equal(replay_begin(replay, one, 1300, 1000, &rcode), REPLAY_PENDING);
    replay_free(replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_tells_a_copy_and_how_it_was_answered),
        cmocka_unit_test(replay_knows_a_copy_whose_mac_was_cut),
        cmocka_unit_test(replay_of_what_changed_nothing_may_be_tried_again),
        cmocka_unit_test(replay_forgets_what_would_no_longer_verify),
        cmocka_unit_test(replay_is_bounded_and_keeps_what_is_valid_longest),
        cmocka_unit_test(replay_takes_short_macs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
