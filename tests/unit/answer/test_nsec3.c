/* SPDX-License-Identifier: BSD-3-Clause */
#include "answer/nsec3.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/zone_text.h"

/* Base32hex in lower case, as owner names have it. */
static void check_hash(const struct nsec3_params *params, const char *name, const char *expected)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t hash[NSEC3_HASH_SIZE];
    char text[33] = {0};
    struct name wire = name_from_text(name);
    nsec3_hash(params, wire.wire, hash);
    for (unsigned bit = 0; bit < 160; bit += 5) {
        unsigned digit = 0;
        for (unsigned i = bit; i < bit + 5; i++) {
            digit = digit << 1 | (hash[i / 8] >> (7 - i % 8) & 1u);
        }
        text[bit / 5] = digits[digit];
    }
    assert_string_equal(text, expected);
}

static void nsec3_hash_gives_the_vectors_of_rfc_5155(void **state)
{
    (void)state;
    static const uint8_t rdata[] = {1, 0, 0, 12, 4, 0xaa, 0xbb, 0xcc, 0xdd};
    struct nsec3_params params = nsec3_params_read(slice_of(rdata, sizeof(rdata)));
    assert_int_equal(params.iterations, 12);
    assert_int_equal(params.salt.size, 4);
    check_hash(&params, "example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
    check_hash(&params, "A.Example.", "35mthgpgcu1qg68fab165klnsnk3dpvl");
    check_hash(&params, "*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en");
    check_hash(&params, "x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s");
}

static void nsec3_hash_without_salt_and_iterations_is_plain_sha1(void **state)
{
    (void)state;
    static const uint8_t rdata[] = {1, 0, 0, 0, 0};
    struct nsec3_params params = nsec3_params_read(slice_of(rdata, sizeof(rdata)));
    /* SHA-1 of one zero octet: 5ba93c9db0cff93f52b521d7420e43f6eda2784f */
    check_hash(&params, ".", "bekjp7dgpvsjukll47bk43i3urmq4u2f");
}

static void nsec3_params_compare_without_flags(void **state)
{
    (void)state;
    static const uint8_t a[] = {1, 0, 0, 12, 1, 0xaa};
    static const uint8_t b[] = {1, 1, 0, 12, 1, 0xaa};
    static const uint8_t c[] = {1, 0, 0, 12, 1, 0xab};
    struct nsec3_params pa = nsec3_params_read(slice_of(a, sizeof(a)));
    struct nsec3_params pb = nsec3_params_read(slice_of(b, sizeof(b)));
    struct nsec3_params pc = nsec3_params_read(slice_of(c, sizeof(c)));
    assert_true(nsec3_params_equal(&pa, &pb));
    assert_false(nsec3_params_equal(&pa, &pc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nsec3_hash_gives_the_vectors_of_rfc_5155),
        cmocka_unit_test(nsec3_hash_without_salt_and_iterations_is_plain_sha1),
        cmocka_unit_test(nsec3_params_compare_without_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
