/* SPDX-License-Identifier: BSD-3-Clause */
/* The test vectors of the reference implementation. */
#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(size_t size, const uint8_t expected[SIPHASH_SIZE])
{
    uint8_t key[SIPHASH_KEY_SIZE], data[64], out[SIPHASH_SIZE];
    for (uint8_t i = 0; i < sizeof(key); i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < sizeof(data); i++) {
        data[i] = i;
    }
    siphash24(key, slice_of(data, size), out);
    assert_memory_equal(out, expected, SIPHASH_SIZE);
}

static void hashes_as_the_reference_does(void **state)
{
    (void)state;
    expect(0, (const uint8_t[]){0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72});
    expect(1, (const uint8_t[]){0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74});
    expect(8, (const uint8_t[]){0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93});
    expect(15, (const uint8_t[]){0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_as_the_reference_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
