/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Whether the mapping that holds the address has the flag, by what the kernel says of it. */
static bool has_flag(const void *address, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[1024];
    bool is_here = false, found = false;
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            is_here = (uintptr_t)address >= from && (uintptr_t)address < to;
        } else if (is_here && strncmp(line, "VmFlags:", 8) == 0) {
            found = strstr(line, flag) != NULL;
        }
    }
    fclose(maps);
    return found;
}

static void secret_is_left_out_of_core_dumps(void **state)
{
    (void)state;
    char *secret = secret_new(5000);
    char beside = 0;
    memset(secret, 'x', 5000);
    assert_true(has_flag(secret, " dd"));
    assert_true(has_flag(secret + 4999, " dd"));
    assert_false(has_flag(&beside, " dd"));
    secret_free(secret);
}

static void secret_is_zeroed_and_aligned(void **state)
{
    (void)state;
    static const char zeros[300];
    char *secrets[50];
    for (unsigned i = 0; i < 50; i++) {
        secrets[i] = secret_new(300);
        assert_memory_equal(secrets[i], zeros, 300);
        assert_int_equal((uintptr_t)secrets[i] % 16, 0);
        memset(secrets[i], 'x', 300);
    }
    for (unsigned i = 0; i < 50; i++) {
        secret_free(secrets[i]);
    }
    secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_is_left_out_of_core_dumps),
        cmocka_unit_test(secret_is_zeroed_and_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
