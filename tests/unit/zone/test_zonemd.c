/* SPDX-License-Identifier: BSD-3-Clause */
/* The first zone is that of RFC 8976 A.1; the digests of the second come from another program. */
#include "zone/zonemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/zone_text.h"
#define SIMPLE_384                                                                                 \
    "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730" \
    "0"                                                                                            \
    "44c"
#define HEAD                                                                                       \
    "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n"                           \
    "example. 86400 IN NS ns1\nexample. 86400 IN NS ns2\n"                                         \
    "ns1 3600 IN A 203.0.113.63\nns2 3600 IN AAAA 2001:db8::63\n"
#define ZONEMD(scheme, algorithm, digest)                                                          \
    "example. 86400 IN ZONEMD 2018031900 " scheme " " algorithm " " digest "\n"
#define TIMES " 300 20300101000000 20200101000000 1 Example. AAAA\n"
/* All that canonical form has rules for: case, wildcards, glue, signatures, unknown types. */
#define MIXED                                                                                      \
    HEAD ZONEMD("1", "1", SIMPLE_384) "Mixed.Case 3600 IN MX 10 MAIL.Example.\n"                   \
                                      "*.wild 300 IN TXT \"a\" \"b\"\n"                            \
                                      "sub 3600 IN NS ns.sub\n"                                    \
                                      "sub 3600 IN DS 1 8 2 " ZEROS "\n"                           \
                                      "ns.sub 3600 IN A 192.0.2.9\n"                               \
                                      "www 300 IN A 192.0.2.1\n"                                   \
                                      "www 300 IN RRSIG A 8 2" TIMES                               \
                                      "www 300 IN RRSIG NSEC 8 2" TIMES                            \
                                      "www 300 IN NSEC Xyz.Example. A RRSIG NSEC\n"                \
                                      "www 300 IN TLSA 3 1 1 " ZEROS "\n"                          \
                                      "www 300 IN SRV 0 0 1 Target.EXAMPLE.\n"                     \
                                      "example. 86400 IN RRSIG ZONEMD 8 1" TIMES                   \
                                      "example. 86400 IN RRSIG SOA 8 1" TIMES                      \
                                      "example. 86400 IN TYPE65400 \\# 3 010203\n"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct zone_version *build(const char *text)
{
    return version_from_text("example.", text);
}

static enum zonemd_verdict verify(const char *text, struct error *err)
{
    struct zone_version *version = build(text);
    *err = (struct error){0};
    enum zonemd_verdict verdict = zonemd_verify(version, err);
    zone_version_unref(version);
    return verdict;
}

static void assert_digest(const struct zone_version *version, uint8_t algorithm,
                          const char *expected)
{
    uint8_t digest[ZONEMD_DIGEST_MAX];
    char text[2 * ZONEMD_DIGEST_MAX + 1] = "";
    size_t size = zonemd_compute(version, algorithm, digest);
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(text, expected);
}

static void the_simple_zone_of_the_rfc_is_verified(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD ZONEMD("1", "1", SIMPLE_384), &err), ZONEMD_VERIFIED);
    assert_int_equal(err.code, OK);
}

static void digests_of_a_zone_with_everything_in_it_are_those_of_others(void **state)
{
    (void)state;
    struct zone_version *version = build(MIXED);
    assert_digest(version, ZONEMD_SHA384,
                  "94492ad526b85cf82b3546c079a06f9d243e782fa89f508cb2cc9375abbc6c2a3b49103b374fac78"
                  "ea0038b809b79caa");
    assert_digest(version, ZONEMD_SHA512,
                  "7d6898c59b9b4ed8c689689e917c6d34f94d39ae503f3488ba890665e20510b0404dd3e8cfddb034"
                  "608cb64e4d6b2fa26a97b1fafc502fb318af1151ccce3073");
    assert_digest(version, 3, "");
    zone_version_unref(version);
}

static void a_changed_record_is_found(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD ZONEMD("1", "1", SIMPLE_384) "x 60 IN A 192.0.2.1\n", &err),
                     ZONEMD_WRONG);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(strstr(err.text, "SHA-384"));
}

static void a_record_of_another_serial_does_not_count(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD "example. 86400 IN ZONEMD 2018031901 1 1 " SIMPLE_384 "\n", &err),
                     ZONEMD_WRONG);
    assert_non_null(strstr(err.text, "2018031901"));
}

static void two_records_with_one_algorithm_do_not_count(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD ZONEMD("1", "1", SIMPLE_384)
                                ZONEMD("1", "1", ZEROS "00000000000000000000000000000000"),
                            &err),
                     ZONEMD_WRONG);
    assert_non_null(strstr(err.text, "several"));
}

static void what_is_not_known_is_no_verdict(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD, &err), ZONEMD_ABSENT);
    assert_int_equal(err.code, OK);
    assert_int_equal(verify(HEAD ZONEMD("240", "1", SIMPLE_384) ZONEMD("1", "241", ZEROS), &err),
                     ZONEMD_UNSUPPORTED);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void one_that_fits_beside_unknown_and_wrong_ones_is_enough(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(verify(HEAD ZONEMD("240", "1", SIMPLE_384) ZONEMD("1", "1", SIMPLE_384)
                                ZONEMD("1", "2", ZEROS ZEROS),
                            &err),
                     ZONEMD_VERIFIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_simple_zone_of_the_rfc_is_verified),
        cmocka_unit_test(digests_of_a_zone_with_everything_in_it_are_those_of_others),
        cmocka_unit_test(a_changed_record_is_found),
        cmocka_unit_test(a_record_of_another_serial_does_not_count),
        cmocka_unit_test(two_records_with_one_algorithm_do_not_count),
        cmocka_unit_test(what_is_not_known_is_no_verdict),
        cmocka_unit_test(one_that_fits_beside_unknown_and_wrong_ones_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
