/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void checksum_matches_the_vectors_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t bytes[32];
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(checksum_add(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(checksum_add(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(checksum_add(0, bytes, 32), 0x46dd794e);
    assert_int_equal(checksum_add(0, "123456789", 9), 0xe3069283);
    assert_int_equal(checksum_add(0, NULL, 0), 0);
}

static void checksum_can_be_taken_in_parts_and_both_forms_agree(void **state)
{
    (void)state;
    uint8_t bytes[257];
    random_bytes(bytes, sizeof(bytes));
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        uint32_t whole = checksum_add(0, bytes, size);
        assert_int_equal(whole, checksum_add_portable(0, bytes, size));
        size_t cut = size / 3;
        assert_int_equal(whole, checksum_add(checksum_add(0, bytes, cut), bytes + cut, size - cut));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_matches_the_vectors_of_rfc_3720),
        cmocka_unit_test(checksum_can_be_taken_in_parts_and_both_forms_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
