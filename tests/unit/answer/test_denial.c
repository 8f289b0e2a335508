/* SPDX-License-Identifier: BSD-3-Clause */
/* Proofs with NSEC: the zone and the responses of RFC 4035 appendices A and B, signatures short. */
#include "support/ask.h"

#define SIG(type) "  RRSIG " type " 5 1 3600 20300101000000 20200101000000 38519 example. AAAA\n"

static const char zone_text[] = "@ SOA ns1 bugs.x.w 1081539377 3600 300 3600000 3600\n" SIG(
    "SOA") "  NS ns1\n"
           "  NS ns2\n" SIG(
               "NS") "  MX 1 xx\n"
                     "  NSEC a NS SOA MX RRSIG NSEC DNSKEY\n" SIG(
                         "NSEC") "  DNSKEY 256 3 5 AQOy1bZVvpPqhg4j7EJoM9rI3ZmyEx2O\n"
                                 "a NS ns1.a\n"
                                 "  NS ns2.a\n"
                                 "  DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B\n" SIG(
                                     "DS") "  NSEC ai NS DS RRSIG NSEC\n"
                                           "ns1.a A 192.0.2.5\n"
                                           "ns2.a A 192.0.2.6\n"
                                           "ai A 192.0.2.9\n"
                                           "  NSEC b A HINFO AAAA RRSIG NSEC\n"
                                           "b NS ns1.b\n"
                                           "  NS ns2.b\n"
                                           "  NSEC ns1 NS RRSIG NSEC\n" SIG(
                                               "NSEC") "ns1.b A 192.0.2.7\n"
                                                       "ns2.b A 192.0.2.8\n"
                                                       "ns1 A 192.0.2.1\n" SIG(
                                                           "A") "  NSEC ns2 A RRSIG NSEC\n"
                                                                "ns2 A 192.0.2.2\n"
                                                                "  NSEC *.w A RRSIG NSEC\n"
                                                                "*.w MX 1 ai\n" SIG(
                                                                    "MX") "  NSEC x.w MX RRSIG "
                                                                          "NSEC\n"
                                                                          "x.w MX 1 xx\n"
                                                                          "  NSEC x.y.w MX RRSIG "
                                                                          "NSEC\n"
                                                                          "x.y.w MX 1 xx\n"
                                                                          "  NSEC xx MX RRSIG "
                                                                          "NSEC\n"
                                                                          "xx A 192.0.2.10\n"
                                                                          "  NSEC example. A HINFO "
                                                                          "AAAA RRSIG NSEC\n";

#define SOA_LINE                                                                                   \
    "~ example. 3600 IN SOA ns1.example. bugs.x.w.example. 1081539377 3600 300 3600000 3600\n"     \
    "~ example. 3600 IN RRSIG SOA 5 1 3600 20300101000000 20200101000000 38519 example. AAAA\n"
#define APEX_NSEC                                                                                  \
    "~ example. 3600 IN NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY\n"                             \
    "~ example. 3600 IN RRSIG NSEC 5 1 3600 20300101000000 20200101000000 38519 example. AAAA\n"
#define B_NSEC                                                                                     \
    "~ b.example. 3600 IN NSEC ns1.example. NS RRSIG NSEC\n"                                       \
    "~ b.example. 3600 IN RRSIG NSEC 5 1 3600 20300101000000 20200101000000 38519 example. AAAA\n"

static struct zone_set *set;
static struct answer_options options = {.minimal_any = true};

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    zone_from_text(set, "example.", 0, zone_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

static void check(const char *question, const char *expected)
{
    ask_expect(set, &options, ANSWER_UDP, question, expected);
}

static void answers_carry_signatures_only_when_asked(void **state)
{
    (void)state;
    check("ns1.example. A +do",
          "NOERROR aa\n"
          "? ns1.example. IN A\n"
          "= ns1.example. 3600 IN A 192.0.2.1\n"
          "= ns1.example. 3600 IN RRSIG A 5 1 3600 20300101000000 20200101000000 38519 example. "
          "AAAA\n"
          "opt 1232 do\n");
    check("ns1.example. A +edns", "NOERROR aa\n"
                                  "? ns1.example. IN A\n"
                                  "= ns1.example. 3600 IN A 192.0.2.1\n"
                                  "opt 1232\n");
    check("ns1.example. NSEC", "NOERROR aa\n"
                               "? ns1.example. IN NSEC\n"
                               "= ns1.example. 3600 IN NSEC ns2.example. A RRSIG NSEC\n");
    check("ns1.example. RRSIG",
          "NOERROR aa\n"
          "? ns1.example. IN RRSIG\n"
          "= ns1.example. 3600 IN RRSIG A 5 1 3600 20300101000000 20200101000000 38519 example. "
          "AAAA\n");
}

static void name_error_proves_name_and_wildcard(void **state)
{
    (void)state;
    check("ml.example. A +do", "NXDOMAIN aa\n"
                               "? ml.example. IN A\n" SOA_LINE B_NSEC APEX_NSEC "opt 1232 do\n");
    check("ml.example. A", "NXDOMAIN aa\n"
                           "? ml.example. IN A\n"
                           "~ example. 3600 IN SOA ns1.example. bugs.x.w.example. 1081539377 3600 "
                           "300 3600000 3600\n");
}

static void name_error_writes_a_record_that_proves_both_once(void **state)
{
    (void)state;
    check("0.example. A +do", "NXDOMAIN aa\n"
                              "? 0.example. IN A\n" SOA_LINE APEX_NSEC "opt 1232 do\n");
}

static void no_data_proves_the_types_of_the_name(void **state)
{
    (void)state;
    check("ns1.example. MX +do", "NOERROR aa\n"
                                 "? ns1.example. IN MX\n" SOA_LINE
                                 "~ ns1.example. 3600 IN NSEC ns2.example. A RRSIG NSEC\n"
                                 "opt 1232 do\n");
}

static void no_data_at_an_empty_non_terminal_uses_the_record_before_it(void **state)
{
    (void)state;
    check("y.w.example. A +do", "NOERROR aa\n"
                                "? y.w.example. IN A\n" SOA_LINE
                                "~ x.w.example. 3600 IN NSEC x.y.w.example. MX RRSIG NSEC\n"
                                "opt 1232 do\n");
}

static void referral_to_a_signed_zone_has_ds(void **state)
{
    (void)state;
    check("mc.a.example. MX +do",
          "NOERROR\n"
          "? mc.a.example. IN MX\n"
          "~ a.example. 3600 IN NS ns1.a.example.\n"
          "~ a.example. 3600 IN NS ns2.a.example.\n"
          "~ a.example. 3600 IN DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B\n"
          "~ a.example. 3600 IN RRSIG DS 5 1 3600 20300101000000 20200101000000 38519 example. "
          "AAAA\n"
          "+ ns1.a.example. 3600 IN A 192.0.2.5\n"
          "+ ns2.a.example. 3600 IN A 192.0.2.6\n"
          "opt 1232 do\n");
}

static void referral_to_an_unsigned_zone_proves_that_there_is_no_ds(void **state)
{
    (void)state;
    check("mc.b.example. MX +do",
          "NOERROR\n"
          "? mc.b.example. IN MX\n"
          "~ b.example. 3600 IN NS ns1.b.example.\n"
          "~ b.example. 3600 IN NS ns2.b.example.\n" B_NSEC "+ ns1.b.example. 3600 IN A 192.0.2.7\n"
          "+ ns2.b.example. 3600 IN A 192.0.2.8\n"
          "opt 1232 do\n");
    check("b.example. DS +do", "NOERROR aa\n"
                               "? b.example. IN DS\n" SOA_LINE B_NSEC "opt 1232 do\n");
}

static void wildcard_answer_proves_that_nothing_is_closer(void **state)
{
    (void)state;
    check("a.z.w.example. MX +do",
          "NOERROR aa\n"
          "? a.z.w.example. IN MX\n"
          "= a.z.w.example. 3600 IN MX 1 ai.example.\n"
          "= a.z.w.example. 3600 IN RRSIG MX 5 1 3600 20300101000000 20200101000000 38519 "
          "example. AAAA\n"
          "~ x.y.w.example. 3600 IN NSEC xx.example. MX RRSIG NSEC\n"
          "+ ai.example. 3600 IN A 192.0.2.9\n"
          "opt 1232 do\n");
}

static void wildcard_no_data_proves_name_and_type(void **state)
{
    (void)state;
    check("a.z.w.example. AAAA +do", "NOERROR aa\n"
                                     "? a.z.w.example. IN AAAA\n" SOA_LINE
                                     "~ x.y.w.example. 3600 IN NSEC xx.example. MX RRSIG NSEC\n"
                                     "~ *.w.example. 3600 IN NSEC x.w.example. MX RRSIG NSEC\n"
                                     "opt 1232 do\n");
}

static void ds_of_the_child_asked_for_at_its_apex_is_no_data(void **state)
{
    (void)state;
    check("example. DS +do", "NOERROR aa\n"
                             "? example. IN DS\n" SOA_LINE APEX_NSEC "opt 1232 do\n");
}

static void the_signature_of_a_lowered_soa_has_its_ttl(void **state)
{
    (void)state;
    struct zone_set *other = zone_set_new();
    zone_from_text(other, "example.", 0,
                   "@ SOA ns bugs 1 3600 300 3600000 60\n" SIG("SOA") "  NS ns.other.test.\n");
    ask_expect(other, &options, ANSWER_UDP, "example. A +do",
               "NOERROR aa\n"
               "? example. IN A\n"
               "~ example. 60 IN SOA ns.example. bugs.example. 1 3600 300 3600000 60\n"
               "~ example. 60 IN RRSIG SOA 5 1 3600 20300101000000 20200101000000 38519 example. "
               "AAAA\n"
               "opt 1232 do\n");
    zone_set_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_carry_signatures_only_when_asked),
        cmocka_unit_test(name_error_proves_name_and_wildcard),
        cmocka_unit_test(name_error_writes_a_record_that_proves_both_once),
        cmocka_unit_test(no_data_proves_the_types_of_the_name),
        cmocka_unit_test(no_data_at_an_empty_non_terminal_uses_the_record_before_it),
        cmocka_unit_test(referral_to_a_signed_zone_has_ds),
        cmocka_unit_test(referral_to_an_unsigned_zone_proves_that_there_is_no_ds),
        cmocka_unit_test(wildcard_answer_proves_that_nothing_is_closer),
        cmocka_unit_test(wildcard_no_data_proves_name_and_type),
        cmocka_unit_test(ds_of_the_child_asked_for_at_its_apex_is_no_data),
        cmocka_unit_test(the_signature_of_a_lowered_soa_has_its_ttl),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
