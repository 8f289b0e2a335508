/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/hash.h"

static void random_bytes_fills_every_octet(void **state)
{
    (void)state;
    uint8_t seen[64] = {0};
    for (int round = 0; round < 16; round++) {
        uint8_t bytes[64] = {0};
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seen[i] |= bytes[i];
        }
    }
    for (size_t i = 0; i < sizeof(seen); i++) {
        assert_int_not_equal(seen[i], 0);
    }
}

static void random_bytes_takes_more_than_one_system_call_gives(void **state)
{
    (void)state;
    static uint8_t big[100000];
    random_bytes(big, sizeof(big));
    uint8_t any = 0;
    for (size_t i = sizeof(big) - 64; i < sizeof(big); i++) {
        any |= big[i];
    }
    assert_int_not_equal(any, 0);
    random_bytes(big, 0);
}

static void random_u64_does_not_repeat(void **state)
{
    (void)state;
    uint64_t first = random_u64();
    assert_true(first != random_u64());
}

static void hash_bytes_depends_on_key_size_and_every_octet(void **state)
{
    (void)state;
    uint8_t data[24] = {0};
    for (size_t size = 0; size < sizeof(data); size++) {
        uint64_t plain = hash_bytes(1, data, size);
        assert_true(plain != hash_bytes(2, data, size));
        assert_true(plain != hash_bytes(1, data, size + 1));
        for (size_t i = 0; i < size; i++) {
            data[i] = 1;
            assert_true(plain != hash_bytes(1, data, size));
            data[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_fills_every_octet),
        cmocka_unit_test(random_bytes_takes_more_than_one_system_call_gives),
        cmocka_unit_test(random_u64_does_not_repeat),
        cmocka_unit_test(hash_bytes_depends_on_key_size_and_every_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
