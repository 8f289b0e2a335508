/* SPDX-License-Identifier: BSD-3-Clause */
/* Proofs with NSEC3: the zone and the responses of RFC 5155 appendices A and B, without signatures.
 */
#include "support/ask.h"

#define DATA_TEXT                                                                                  \
    "@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n"                                                 \
    "  NS ns1\n"                                                                                   \
    "  NS ns2\n"                                                                                   \
    "  MX 1 xx\n"                                                                                  \
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127\n"                                             \
    "a NS ns1.a\n"                                                                                 \
    "  NS ns2.a\n"                                                                                 \
    "  DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n"                                    \
    "ns1.a A 192.0.2.5\n"                                                                          \
    "ns2.a A 192.0.2.6\n"                                                                          \
    "ai A 192.0.2.9\n"                                                                             \
    "c NS ns1.c\n"                                                                                 \
    "  NS ns2.c\n"                                                                                 \
    "ns1.c A 192.0.2.7\n"                                                                          \
    "ns2.c A 192.0.2.8\n"                                                                          \
    "ns1 A 192.0.2.1\n"                                                                            \
    "ns2 A 192.0.2.2\n"                                                                            \
    "*.w MX 1 ai\n"                                                                                \
    "x.w MX 1 xx\n"                                                                                \
    "x.y.w MX 1 xx\n"                                                                              \
    "xx A 192.0.2.10\n"

#define P      "1 1 12 AABBCCDD "
#define N_APEX "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
#define N_NS1  "2t7b4g4vsa5smi47k61mv5bv1a22bojr"
#define N_XYW  "2vptu5timamqttgl4luu9kg21e0aor3s"
#define N_A    "35mthgpgcu1qg68fab165klnsnk3dpvl"
#define N_XW   "b4um86eghhds6nea196smvmlo4ors995"
#define N_AI   "gjeqe526plbf1g8mklp59enfd789njgi"
#define N_YW   "ji6neoaepv8b5o6k4ev33abha8ht9fgc"
#define N_W    "k8udemvp1j2f7eg6jebps17vp3n8i58h"
#define N_HASH "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"
#define N_NS2  "q04jkcevqvmu85r014c7dkba38o0ji5r"
#define N_WILD "r53bq7cc2uvmubfu5ocmm6pers9tk9en"
#define N_XX   "t644ebqk9bibcna874givr6joj62mlhv"

static const char zone_text[] =
    DATA_TEXT "@ NSEC3PARAM 1 0 12 aabbccdd\n" N_APEX " NSEC3 " P N_NS1
              " MX DNSKEY NS SOA NSEC3PARAM RRSIG\n" N_NS1 " NSEC3 " P N_XYW " A RRSIG\n" N_XYW
              " NSEC3 " P N_A " MX RRSIG\n" N_A " NSEC3 " P N_XW " NS DS RRSIG\n" N_XW
              " NSEC3 " P N_AI " MX RRSIG\n" N_AI " NSEC3 " P N_YW " HINFO A AAAA RRSIG\n" N_YW
              " NSEC3 " P N_W "\n" N_W " NSEC3 " P N_HASH "\n" N_HASH " NSEC3 " P N_NS2
              " A RRSIG\n" N_NS2 " NSEC3 " P N_WILD " A RRSIG\n" N_WILD " NSEC3 " P N_XX
              " MX RRSIG\n" N_XX " NSEC3 " P N_APEX " HINFO A AAAA RRSIG\n";

#define SOA_LINE                 "~ example. 3600 IN SOA ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600\n"
#define SHOW(owner, next, types) "~ " owner ".example. 3600 IN NSEC3 " P next types "\n"
#define SHOW_APEX                SHOW(N_APEX, N_NS1, " NS SOA MX RRSIG DNSKEY NSEC3PARAM")
#define SHOW_A                   SHOW(N_A, N_XW, " NS DS RRSIG")

static struct zone_set *set;
static struct answer_options options = {.says_why = true};

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

/* Hashes are compared without case, as printing them is not this room's. */
static void check_in(struct zone_set *zones, const char *question, const char *expected)
{
    struct text text = ask_text(zones, &options, ANSWER_UDP, question);
    if (strcasecmp(text_str(&text), expected) != 0) {
        print_error("question: %s\nexpected:\n%s\ngot:\n%s\n", question, expected, text_str(&text));
        fail();
    }
    text_deinit(&text);
}

static void check(const char *question, const char *expected)
{
    check_in(set, question, expected);
}

static void name_error_proves_encloser_next_closer_and_wildcard(void **state)
{
    (void)state;
    check("a.c.x.w.example. A +do",
          "NXDOMAIN aa\n"
          "? a.c.x.w.example. IN A\n" SOA_LINE SHOW(N_XW, N_AI, " MX RRSIG") SHOW_APEX SHOW_A
          "opt 1232 do\n");
}

static void no_data_has_the_matching_record(void **state)
{
    (void)state;
    check("ns1.example. MX +do",
          "NOERROR aa\n"
          "? ns1.example. IN MX\n" SOA_LINE SHOW(N_NS1, N_XYW, " A RRSIG") "opt 1232 do\n");
    check("y.w.example. A +do",
          "NOERROR aa\n"
          "? y.w.example. IN A\n" SOA_LINE SHOW(N_YW, N_W, "") "opt 1232 do\n");
}

static void referral_by_opt_out_has_the_closest_provable_encloser(void **state)
{
    (void)state;
    check("mc.c.example. MX +do", "NOERROR\n"
                                  "? mc.c.example. IN MX\n"
                                  "~ c.example. 3600 IN NS ns1.c.example.\n"
                                  "~ c.example. 3600 IN NS ns2.c.example.\n" SHOW_APEX SHOW_A
                                  "+ ns1.c.example. 3600 IN A 192.0.2.7\n"
                                  "+ ns2.c.example. 3600 IN A 192.0.2.8\n"
                                  "opt 1232 do\n");
    check("c.example. DS +do", "NOERROR aa\n"
                               "? c.example. IN DS\n" SOA_LINE SHOW_APEX SHOW_A "opt 1232 do\n");
}

static void wildcard_answer_covers_the_next_closer_name(void **state)
{
    (void)state;
    check("a.z.w.example. MX +do",
          "NOERROR aa\n"
          "? a.z.w.example. IN MX\n"
          "= a.z.w.example. 3600 IN MX 1 ai.example.\n" SHOW(
              N_NS2, N_WILD, " A RRSIG") "+ ai.example. 3600 IN A 192.0.2.9\n"
                                         "opt 1232 do\n");
}

static void wildcard_no_data_has_the_wildcards_record_too(void **state)
{
    (void)state;
    check("a.z.w.example. AAAA +do",
          "NOERROR aa\n"
          "? a.z.w.example. IN AAAA\n" SOA_LINE SHOW(N_W, N_HASH, "")
              SHOW(N_NS2, N_WILD, " A RRSIG") SHOW(N_WILD, N_XX, " MX RRSIG") "opt 1232 do\n");
}

static void names_that_only_nsec3_records_own_do_not_exist(void **state)
{
    (void)state;
    struct text text = ask_text(set, &options, ANSWER_UDP, N_XX ".example. NSEC3 +do");
    assert_int_equal(strncmp(text_str(&text), "NXDOMAIN aa\n", 12), 0);
    text_deinit(&text);
    check(N_NS1 ".example. A", "NOERROR aa\n"
                               "? " N_NS1 ".example. IN A\n"
                               "= " N_NS1 ".example. 3600 IN A 192.0.2.127\n");
}

static void nothing_is_proved_where_do_is_clear(void **state)
{
    (void)state;
    check("none.example. A", "NXDOMAIN aa\n"
                             "? none.example. IN A\n" SOA_LINE);
}

static void a_chain_with_too_many_iterations_gives_no_proof_and_says_so(void **state)
{
    (void)state;
    struct zone_set *other = zone_set_new();
    zone_from_text(other, "example.", 0,
                   DATA_TEXT "@ NSEC3PARAM 1 0 151 aabbccdd\n" N_APEX
                             " NSEC3 1 0 151 aabbccdd " N_APEX " NS SOA\n");
    check_in(other, "none.example. A +do",
             "NXDOMAIN aa\n"
             "? none.example. IN A\n" SOA_LINE "opt 1232 do ede=27\n");
    zone_set_unref(other);
}

static void the_records_of_another_chain_are_passed_over(void **state)
{
    (void)state;
    struct zone_set *other = zone_set_new();
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, zone_text);
    /* Another chain's records just before each of ours, in hash order. */
    static const char *const near[] = {
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tol", "0p9mhaveqvm6t7vbl5lop2u3t2rp3ton",
        "35mthgpgcu1qg68fab165klnsnk3dpvm", "35mthgpgcu1qg68fab165klnsnk3dqvm",
        "b4um86eghhds6nea196smvmlo4ors996"};
    for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
        text_printf(&text, "%s NSEC3 1 0 1 ee %s A\n", near[i], near[(i + 1) % ARRAY_SIZE(near)]);
    }
    zone_from_text(other, "example.", 0, text_str(&text));
    check_in(other, "a.c.x.w.example. A +do",
             "NXDOMAIN aa\n"
             "? a.c.x.w.example. IN A\n" SOA_LINE SHOW(N_XW, N_AI, " MX RRSIG") SHOW_APEX SHOW_A
             "opt 1232 do\n");
    text_deinit(&text);
    zone_set_unref(other);
}

static void the_parameter_set_that_can_be_used_is_used(void **state)
{
    (void)state;
    struct zone_set *other = zone_set_new();
    struct text text;
    text_init(&text, 0);
    text_printf(&text, "%s%s", zone_text, "@ NSEC3PARAM 1 0 500 00\n@ NSEC3PARAM 2 0 0 -\n");
    zone_from_text(other, "example.", 0, text_str(&text));
    check_in(other, "ns1.example. MX +do",
             "NOERROR aa\n"
             "? ns1.example. IN MX\n" SOA_LINE SHOW(N_NS1, N_XYW, " A RRSIG") "opt 1232 do\n");
    text_deinit(&text);
    zone_set_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_error_proves_encloser_next_closer_and_wildcard),
        cmocka_unit_test(no_data_has_the_matching_record),
        cmocka_unit_test(referral_by_opt_out_has_the_closest_provable_encloser),
        cmocka_unit_test(wildcard_answer_covers_the_next_closer_name),
        cmocka_unit_test(wildcard_no_data_has_the_wildcards_record_too),
        cmocka_unit_test(names_that_only_nsec3_records_own_do_not_exist),
        cmocka_unit_test(nothing_is_proved_where_do_is_clear),
        cmocka_unit_test(a_chain_with_too_many_iterations_gives_no_proof_and_says_so),
        cmocka_unit_test(the_records_of_another_chain_are_passed_over),
        cmocka_unit_test(the_parameter_set_that_can_be_used_is_used),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
