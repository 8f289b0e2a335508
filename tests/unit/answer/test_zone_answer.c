/* SPDX-License-Identifier: BSD-3-Clause */
/* What one zone answers: types, chains, wildcards, DNAME. Negative answers without DNSSEC too. */
#include "support/ask.h"

static const char zone_text[] = "$TTL 3600\n@ 7200 SOA ns1 hostmaster 5 3600 600 86400 300\n"
                                "  7200 NS ns1\n"
                                "  7200 NS ns.other.test.\n"
                                "  MX 10 mail\n"
                                "  MX 20 mail.other.test.\n"
                                "ns1 A 192.0.2.1\n"
                                "  AAAA 2001:db8::1\n"
                                "mail A 192.0.2.25\n"
                                "www A 192.0.2.80\n"
                                "  A 192.0.2.81\n"
                                "  TXT \"hello\" \"world\"\n"
                                "Alias CNAME www\n"
                                "alias2 CNAME alias\n"
                                "out CNAME www.other.test.\n"
                                "gone CNAME nothing\n"
                                "empty CNAME b.a.ent\n"
                                "loop1 CNAME loop2\n"
                                "loop2 CNAME loop1\n"
                                "self CNAME self\n"
                                "into CNAME x.sub\n"
                                "c.b.a.ent A 192.0.2.3\n"
                                "*.wild TXT \"any\"\n"
                                "  MX 5 mail\n"
                                "host.wild A 192.0.2.4\n"
                                "*.cw CNAME www\n"
                                "wlead CNAME q.wild\n"
                                "sub NS ns.sub\n"
                                "ns.sub A 192.0.2.53\n"
                                "dn DNAME target\n"
                                "a.target A 192.0.2.9\n"
                                "dout DNAME other.test.\n"
                                "dself DNAME x.dself\n"
                                "long DNAME "
                                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
                                "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\n"
                                "_sip._tcp SRV 1 2 5060 mail\n"
                                "svc HTTPS 1 . alpn=h2\n"
                                "  A 192.0.2.90\n"
                                "svc2 SVCB 0 svc\n"
                                "svc3 HTTPS 0 svc\n";

#define SOA "ns1.example. hostmaster.example. 5 3600 600 86400 300"

struct fixture {
    struct zone_set *set;
    struct answer_options options;
};

static int setup(void **state)
{
    struct fixture *fixture = memory_new_zeroed(1, sizeof(*fixture));
    fixture->set = zone_set_new();
    fixture->options.minimal_any = true;
    zone_from_text(fixture->set, "example.", 0, zone_text);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    zone_set_unref(fixture->set);
    memory_free(fixture);
    return 0;
}

static void check(void **state, const char *question, const char *expected)
{
    struct fixture *fixture = *state;
    ask_expect(fixture->set, &fixture->options, ANSWER_UDP, question, expected);
}

static void answers_have_the_rrset_and_aa(void **state)
{
    check(state, "www.example. A +rd +cd",
          "NOERROR aa rd cd\n"
          "? www.example. IN A\n"
          "= www.example. 3600 IN A 192.0.2.80\n"
          "= www.example. 3600 IN A 192.0.2.81\n");
    check(state, "www.example. TXT",
          "NOERROR aa\n"
          "? www.example. IN TXT\n"
          "= www.example. 3600 IN TXT \"hello\" \"world\"\n");
    check(state, "example. SOA",
          "NOERROR aa\n"
          "? example. IN SOA\n"
          "= example. 7200 IN SOA " SOA "\n");
}

static void answers_keep_the_case_of_the_question(void **state)
{
    check(state, "wWw.ExAmple. TXT",
          "NOERROR aa\n"
          "? wWw.ExAmple. IN TXT\n"
          "= wWw.ExAmple. 3600 IN TXT \"hello\" \"world\"\n");
}

static void additional_addresses_come_with_ns_mx_srv_and_svcb(void **state)
{
    check(state, "example. NS",
          "NOERROR aa\n"
          "? example. IN NS\n"
          "= example. 7200 IN NS ns.other.test.\n"
          "= example. 7200 IN NS ns1.example.\n"
          "+ ns1.example. 3600 IN A 192.0.2.1\n"
          "+ ns1.example. 3600 IN AAAA 2001:db8::1\n");
    check(state, "example. MX",
          "NOERROR aa\n"
          "? example. IN MX\n"
          "= example. 3600 IN MX 10 mail.example.\n"
          "= example. 3600 IN MX 20 mail.other.test.\n"
          "+ mail.example. 3600 IN A 192.0.2.25\n");
    check(state, "_sip._tcp.example. SRV",
          "NOERROR aa\n"
          "? _sip._tcp.example. IN SRV\n"
          "= _sip._tcp.example. 3600 IN SRV 1 2 5060 mail.example.\n"
          "+ mail.example. 3600 IN A 192.0.2.25\n");
    check(state, "svc.example. HTTPS",
          "NOERROR aa\n"
          "? svc.example. IN HTTPS\n"
          "= svc.example. 3600 IN HTTPS 1 . alpn=\"h2\"\n"
          "+ svc.example. 3600 IN A 192.0.2.90\n");
    check(state, "svc2.example. SVCB",
          "NOERROR aa\n"
          "? svc2.example. IN SVCB\n"
          "= svc2.example. 3600 IN SVCB 0 svc.example.\n"
          "+ svc.example. 3600 IN A 192.0.2.90\n");
}

/* RFC 9460 4.1 */
static void service_bindings_bring_those_of_their_target(void **state)
{
    check(state, "svc3.example. HTTPS",
          "NOERROR aa\n"
          "? svc3.example. IN HTTPS\n"
          "= svc3.example. 3600 IN HTTPS 0 svc.example.\n"
          "+ svc.example. 3600 IN A 192.0.2.90\n"
          "+ svc.example. 3600 IN HTTPS 1 . alpn=\"h2\"\n");
}

static void extras_are_as_the_options_say(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.extras = ANSWER_MINIMAL;
    check(state, "example. MX",
          "NOERROR aa\n"
          "? example. IN MX\n"
          "= example. 3600 IN MX 10 mail.example.\n"
          "= example. 3600 IN MX 20 mail.other.test.\n");
    fixture->options.extras = ANSWER_FULL;
    check(state, "mail.example. A",
          "NOERROR aa\n"
          "? mail.example. IN A\n"
          "= mail.example. 3600 IN A 192.0.2.25\n"
          "~ example. 7200 IN NS ns.other.test.\n"
          "~ example. 7200 IN NS ns1.example.\n"
          "+ ns1.example. 3600 IN A 192.0.2.1\n"
          "+ ns1.example. 3600 IN AAAA 2001:db8::1\n");
    fixture->options.extras = ANSWER_ADDITIONAL;
}

static void negative_answers_carry_the_soa_with_the_negative_ttl(void **state)
{
    check(state, "www.example. AAAA",
          "NOERROR aa\n"
          "? www.example. IN AAAA\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "none.example. A",
          "NXDOMAIN aa\n"
          "? none.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "a.www.example. A",
          "NXDOMAIN aa\n"
          "? a.www.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
}

static void empty_non_terminals_exist(void **state)
{
    check(state, "a.ent.example. A",
          "NOERROR aa\n"
          "? a.ent.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "wild.example. ANY",
          "NOERROR aa\n"
          "? wild.example. IN ANY\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "x.ent.example. A",
          "NXDOMAIN aa\n"
          "? x.ent.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
}

static void cname_chains_are_followed_inside_the_zone(void **state)
{
    check(state, "alias2.example. A",
          "NOERROR aa\n"
          "? alias2.example. IN A\n"
          "= alias2.example. 3600 IN CNAME alias.example.\n"
          "= alias.example. 3600 IN CNAME www.example.\n"
          "= www.example. 3600 IN A 192.0.2.80\n"
          "= www.example. 3600 IN A 192.0.2.81\n");
    check(state, "alias.example. CNAME",
          "NOERROR aa\n"
          "? alias.example. IN CNAME\n"
          "= alias.example. 3600 IN CNAME www.example.\n");
    check(state, "alias.example. ANY",
          "NOERROR aa\n"
          "? alias.example. IN ANY\n"
          "= alias.example. 3600 IN CNAME www.example.\n");
    check(state, "out.example. A",
          "NOERROR aa\n"
          "? out.example. IN A\n"
          "= out.example. 3600 IN CNAME www.other.test.\n");
}

static void the_rcode_is_that_of_the_end_of_the_chain(void **state)
{
    check(state, "gone.example. A",
          "NXDOMAIN aa\n"
          "? gone.example. IN A\n"
          "= gone.example. 3600 IN CNAME nothing.example.\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "empty.example. A",
          "NOERROR aa\n"
          "? empty.example. IN A\n"
          "= empty.example. 3600 IN CNAME b.a.ent.example.\n"
          "~ example. 300 IN SOA " SOA "\n");
}

static void cname_loops_end(void **state)
{
    check(state, "loop1.example. A",
          "NOERROR aa\n"
          "? loop1.example. IN A\n"
          "= loop1.example. 3600 IN CNAME loop2.example.\n"
          "= loop2.example. 3600 IN CNAME loop1.example.\n");
    check(state, "self.example. A",
          "NOERROR aa\n"
          "? self.example. IN A\n"
          "= self.example. 3600 IN CNAME self.example.\n");
}

static void a_chain_into_a_child_ends_in_a_referral_with_aa(void **state)
{
    check(state, "into.example. A",
          "NOERROR aa\n"
          "? into.example. IN A\n"
          "= into.example. 3600 IN CNAME x.sub.example.\n"
          "~ sub.example. 3600 IN NS ns.sub.example.\n"
          "+ ns.sub.example. 3600 IN A 192.0.2.53\n");
}

static void wildcards_answer_for_names_that_do_not_exist(void **state)
{
    check(state, "x.wild.example. TXT",
          "NOERROR aa\n"
          "? x.wild.example. IN TXT\n"
          "= x.wild.example. 3600 IN TXT \"any\"\n");
    check(state, "a.b.c.wild.example. MX",
          "NOERROR aa\n"
          "? a.b.c.wild.example. IN MX\n"
          "= a.b.c.wild.example. 3600 IN MX 5 mail.example.\n"
          "+ mail.example. 3600 IN A 192.0.2.25\n");
    check(state, "x.wild.example. A",
          "NOERROR aa\n"
          "? x.wild.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "*.wild.example. TXT",
          "NOERROR aa\n"
          "? *.wild.example. IN TXT\n"
          "= *.wild.example. 3600 IN TXT \"any\"\n");
}

static void wildcards_do_not_reach_below_names_that_exist(void **state)
{
    check(state, "host.wild.example. TXT",
          "NOERROR aa\n"
          "? host.wild.example. IN TXT\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "x.host.wild.example. TXT",
          "NXDOMAIN aa\n"
          "? x.host.wild.example. IN TXT\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "x.*.wild.example. TXT",
          "NXDOMAIN aa\n"
          "? x.*.wild.example. IN TXT\n"
          "~ example. 300 IN SOA " SOA "\n");
}

static void wildcards_take_part_in_chains(void **state)
{
    check(state, "q.cw.example. A",
          "NOERROR aa\n"
          "? q.cw.example. IN A\n"
          "= q.cw.example. 3600 IN CNAME www.example.\n"
          "= www.example. 3600 IN A 192.0.2.80\n"
          "= www.example. 3600 IN A 192.0.2.81\n");
    check(state, "wlead.example. TXT",
          "NOERROR aa\n"
          "? wlead.example. IN TXT\n"
          "= wlead.example. 3600 IN CNAME q.wild.example.\n"
          "= q.wild.example. 3600 IN TXT \"any\"\n");
}

static void dname_is_answered_with_a_synthesized_cname(void **state)
{
    check(state, "a.dn.example. A",
          "NOERROR aa\n"
          "? a.dn.example. IN A\n"
          "= dn.example. 3600 IN DNAME target.example.\n"
          "= a.dn.example. 3600 IN CNAME a.target.example.\n"
          "= a.target.example. 3600 IN A 192.0.2.9\n");
    check(state, "x.y.dout.example. A",
          "NOERROR aa\n"
          "? x.y.dout.example. IN A\n"
          "= dout.example. 3600 IN DNAME other.test.\n"
          "= x.y.dout.example. 3600 IN CNAME x.y.other.test.\n");
    check(state, "dn.example. A",
          "NOERROR aa\n"
          "? dn.example. IN A\n"
          "~ example. 300 IN SOA " SOA "\n");
    check(state, "dn.example. DNAME",
          "NOERROR aa\n"
          "? dn.example. IN DNAME\n"
          "= dn.example. 3600 IN DNAME target.example.\n");
    check(state, "b.dn.example. A",
          "NXDOMAIN aa\n"
          "? b.dn.example. IN A\n"
          "= dn.example. 3600 IN DNAME target.example.\n"
          "= b.dn.example. 3600 IN CNAME b.target.example.\n"
          "~ example. 300 IN SOA " SOA "\n");
}

static void dname_that_makes_too_long_a_name_is_yxdomain(void **state)
{
    struct fixture *fixture = *state;
    struct text text =
        ask_text(fixture->set, &fixture->options, ANSWER_UDP,
                 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.long.example. A");
    const char *shown = text_str(&text);
    assert_int_equal(strncmp(shown, "YXDOMAIN aa\n", 12), 0);
    assert_non_null(strstr(shown, "= long.example. 3600 IN DNAME "));
    assert_null(strstr(shown, "CNAME"));
    text_deinit(&text);
}

static void dname_loops_end(void **state)
{
    struct fixture *fixture = *state;
    struct text text = ask_text(fixture->set, &fixture->options, ANSWER_TCP, "a.dself.example. A");
    const char *shown = text_str(&text);
    unsigned dnames = 0;
    unsigned cnames = 0;
    for (const char *p = shown; (p = strstr(p, " IN DNAME ")) != NULL; p++) {
        dnames++;
    }
    for (const char *p = shown; (p = strstr(p, " IN CNAME ")) != NULL; p++) {
        cnames++;
    }
    assert_int_equal(strncmp(shown, "NOERROR aa\n", 11), 0);
    assert_int_equal(dnames, 1);
    assert_in_range(cnames, 2, 16);
    text_deinit(&text);
}

static void any_is_one_rrset_over_udp_and_all_over_tcp(void **state)
{
    struct fixture *fixture = *state;
    check(state, "www.example. ANY",
          "NOERROR aa\n"
          "? www.example. IN ANY\n"
          "= www.example. 3600 IN A 192.0.2.80\n"
          "= www.example. 3600 IN A 192.0.2.81\n");
    ask_expect(fixture->set, &fixture->options, ANSWER_TCP, "www.example. ANY",
               "NOERROR aa\n"
               "? www.example. IN ANY\n"
               "= www.example. 3600 IN A 192.0.2.80\n"
               "= www.example. 3600 IN A 192.0.2.81\n"
               "= www.example. 3600 IN TXT \"hello\" \"world\"\n");
    check(state, "x.wild.example. ANY",
          "NOERROR aa\n"
          "? x.wild.example. IN ANY\n"
          "= x.wild.example. 3600 IN MX 5 mail.example.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_have_the_rrset_and_aa),
        cmocka_unit_test(answers_keep_the_case_of_the_question),
        cmocka_unit_test(additional_addresses_come_with_ns_mx_srv_and_svcb),
        cmocka_unit_test(service_bindings_bring_those_of_their_target),
        cmocka_unit_test(extras_are_as_the_options_say),
        cmocka_unit_test(negative_answers_carry_the_soa_with_the_negative_ttl),
        cmocka_unit_test(empty_non_terminals_exist),
        cmocka_unit_test(cname_chains_are_followed_inside_the_zone),
        cmocka_unit_test(the_rcode_is_that_of_the_end_of_the_chain),
        cmocka_unit_test(cname_loops_end),
        cmocka_unit_test(a_chain_into_a_child_ends_in_a_referral_with_aa),
        cmocka_unit_test(wildcards_answer_for_names_that_do_not_exist),
        cmocka_unit_test(wildcards_do_not_reach_below_names_that_exist),
        cmocka_unit_test(wildcards_take_part_in_chains),
        cmocka_unit_test(dname_is_answered_with_a_synthesized_cname),
        cmocka_unit_test(dname_that_makes_too_long_a_name_is_yxdomain),
        cmocka_unit_test(dname_loops_end),
        cmocka_unit_test(any_is_one_rrset_over_udp_and_all_over_tcp),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
