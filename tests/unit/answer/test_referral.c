/* SPDX-License-Identifier: BSD-3-Clause */
/* Delegations: NS, glue, DS at the parent, truncation. */
#include "support/ask.h"

static const char parent_text[] =
    "@ SOA ns hostmaster 1 3600 600 86400 300\n"
    "  NS ns\n"
    "ns A 192.0.2.1\n"
    "child NS ns1.child\n"
    "  NS ns2.sister\n"
    "  NS ns\n"
    "  NS ns.elsewhere.test.\n"
    "  DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000001\n"
    "ns1.child A 192.0.2.11\n"
    "  AAAA 2001:db8::11\n"
    "sister NS ns2.sister\n"
    "ns2.sister A 192.0.2.22\n"
    "lame NS ns.lame\n"
    "deep.inner.child TXT \"occluded\"\n"
    "cut.below.child NS ns.elsewhere.test.\n";

static const char grandchild_text[] = "@ SOA ns hostmaster 1 3600 600 86400 300\n"
                                      "  NS ns\n"
                                      "ns A 192.0.2.99\n";

#define SOA "ns.example. hostmaster.example. 1 3600 600 86400 300"

static struct zone_set *set;
static struct answer_options options;

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    zone_from_text(set, "example.", 0, parent_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

static const char referral[] = "~ child.example. 3600 IN NS ns.example.\n"
                               "~ child.example. 3600 IN NS ns1.child.example.\n"
                               "~ child.example. 3600 IN NS ns2.sister.example.\n"
                               "~ child.example. 3600 IN NS ns.elsewhere.test.\n"
                               "+ ns1.child.example. 3600 IN A 192.0.2.11\n"
                               "+ ns1.child.example. 3600 IN AAAA 2001:db8::11\n"
                               "+ ns.example. 3600 IN A 192.0.2.1\n"
                               "+ ns2.sister.example. 3600 IN A 192.0.2.22\n";

/* The lines of both, in any order, are the same. */
static void check_lines(const char *question, const char *head, const char *lines)
{
    struct text text = ask_text(set, &options, ANSWER_UDP, question);
    const char *shown = text_str(&text);
    assert_int_equal(strncmp(shown, head, strlen(head)), 0);
    assert_int_equal(strlen(shown), strlen(head) + strlen(lines));
    for (const char *line = lines; *line != '\0'; line = strchr(line, '\n') + 1) {
        char one[300];
        snprintf(one, sizeof(one), "%.*s", (int)(strchr(line, '\n') - line + 1), line);
        if (strstr(shown, one) == NULL) {
            fail_msg("missing: %sin:\n%s", one, shown);
        }
    }
    text_deinit(&text);
}

static void referrals_have_ns_and_glue_and_no_aa(void **state)
{
    (void)state;
    check_lines("www.child.example. A", "NOERROR\n? www.child.example. IN A\n", referral);
    check_lines("child.example. NS", "NOERROR\n? child.example. IN NS\n", referral);
    check_lines("child.example. ANY", "NOERROR\n? child.example. IN ANY\n", referral);
    check_lines("ns1.child.example. A", "NOERROR\n? ns1.child.example. IN A\n", referral);
}

static void data_below_a_cut_is_not_seen(void **state)
{
    (void)state;
    check_lines("deep.inner.child.example. TXT", "NOERROR\n? deep.inner.child.example. IN TXT\n",
                referral);
    check_lines("x.cut.below.child.example. A", "NOERROR\n? x.cut.below.child.example. IN A\n",
                referral);
}

static void glue_that_is_missing_is_no_reason_to_fail(void **state)
{
    (void)state;
    ask_expect(set, &options, ANSWER_UDP, "a.lame.example. A",
               "NOERROR\n"
               "? a.lame.example. IN A\n"
               "~ lame.example. 3600 IN NS ns.lame.example.\n");
}

static void minimal_referrals_have_all_glue(void **state)
{
    (void)state;
    options.extras = ANSWER_MINIMAL;
    struct text text = ask_text(set, &options, ANSWER_UDP, "www.child.example. A");
    assert_non_null(strstr(text_str(&text), "+ ns1.child.example. 3600 IN AAAA 2001:db8::11\n"));
    assert_non_null(strstr(text_str(&text), "+ ns.example."));
    assert_non_null(strstr(text_str(&text), "+ ns2.sister.example."));
    text_deinit(&text);
    options.extras = ANSWER_ADDITIONAL;
}

static void ds_is_answered_at_the_parent(void **state)
{
    (void)state;
    ask_expect(set, &options, ANSWER_UDP, "child.example. DS",
               "NOERROR aa\n"
               "? child.example. IN DS\n"
               "= child.example. 3600 IN DS 1 8 2 "
               "0000000000000000000000000000000000000000000000000000000000000001\n");
    ask_expect(set, &options, ANSWER_UDP, "sister.example. DS",
               "NOERROR aa\n"
               "? sister.example. IN DS\n"
               "~ example. 300 IN SOA " SOA "\n");
}

static void ds_comes_from_the_parent_where_both_are_ours(void **state)
{
    (void)state;
    struct zone_set *alone = set;
    set = zone_set_new();
    zone_from_text(set, "example.", 0, parent_text);
    zone_from_text(set, "child.example.", 0, grandchild_text);
    zone_from_text(set, "below.sister.example.", 0, grandchild_text);
    ask_expect(set, &options, ANSWER_UDP, "child.example. DS",
               "NOERROR aa\n"
               "? child.example. IN DS\n"
               "= child.example. 3600 IN DS 1 8 2 "
               "0000000000000000000000000000000000000000000000000000000000000001\n");
    ask_expect(set, &options, ANSWER_UDP, "child.example. NS",
               "NOERROR aa\n"
               "? child.example. IN NS\n"
               "= child.example. 3600 IN NS ns.child.example.\n"
               "+ ns.child.example. 3600 IN A 192.0.2.99\n");
    /* Its parent is delegated to others: all we know is the child's side. */
    ask_expect(set, &options, ANSWER_UDP, "below.sister.example. DS",
               "NOERROR aa\n"
               "? below.sister.example. IN DS\n"
               "~ below.sister.example. 300 IN SOA ns.below.sister.example. "
               "hostmaster.below.sister.example. 1 3600 600 86400 300\n");
    ask_expect(set, &options, ANSWER_UDP, "x.sister.example. DS",
               "NOERROR\n"
               "? x.sister.example. IN DS\n"
               "~ sister.example. 3600 IN NS ns2.sister.example.\n"
               "+ ns2.sister.example. 3600 IN A 192.0.2.22\n");
    zone_set_unref(set);
    set = alone;
}

static void ds_at_an_apex_without_parent_is_no_data(void **state)
{
    (void)state;
    ask_expect(set, &options, ANSWER_UDP, "example. DS",
               "NOERROR aa\n"
               "? example. IN DS\n"
               "~ example. 300 IN SOA " SOA "\n");
}

/* A delegation with so much glue that it never fits into 512 octets. */
static struct zone_set *big_set(bool in_domain)
{
    struct zone_set *big = zone_set_new();
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, "@ SOA ns hostmaster 1 3600 600 86400 300\n  NS ns\nns A 192.0.2.1\n");
    for (unsigned i = 0; i < 8; i++) {
        const char *where = in_domain ? "child" : "sister";
        text_printf(&text, "child NS ns%u.%s\nns%u.%s A 192.0.2.%u\n", i, where, i, where, i);
        text_printf(&text, "ns%u.%s AAAA 2001:db8::%u\n", i, where, i);
    }
    text_add_str(&text, in_domain ? "" : "sister NS ns0.sister\n");
    zone_from_text(big, "example.", 0, text_str(&text));
    text_deinit(&text);
    return big;
}

static void required_glue_that_does_not_fit_sets_tc(void **state)
{
    (void)state;
    struct zone_set *big = big_set(true);
    struct text text = ask_text(big, &options, ANSWER_UDP, "www.child.example. A");
    assert_int_equal(strncmp(text_str(&text), "NOERROR tc\n", 11), 0);
    assert_non_null(strstr(text_str(&text), "~ child.example. 3600 IN NS ns7.child.example.\n"));
    assert_non_null(strstr(text_str(&text), "+ ns0.child.example."));
    text_deinit(&text);
    text = ask_text(big, &options, ANSWER_UDP, "www.child.example. A +edns");
    assert_int_equal(strncmp(text_str(&text), "NOERROR\n", 8), 0);
    assert_non_null(strstr(text_str(&text), "+ ns7.child.example. 3600 IN AAAA"));
    text_deinit(&text);
    zone_set_unref(big);
}

/* RFC 9471 3.1: all of it or TC, however many name servers there are. */
static void glue_of_very_many_servers_is_whole(void **state)
{
    (void)state;
    enum { SERVERS = 300 };
    struct zone_set *many = zone_set_new();
    struct text zone, shown;
    text_init(&zone, 0);
    text_add_str(&zone, "@ SOA ns hostmaster 1 3600 600 86400 300\n  NS ns\nns A 192.0.2.1\n");
    for (unsigned i = 0; i < SERVERS; i++) {
        text_printf(&zone, "child NS n%u.child\nn%u.child A 192.0.2.%u\n", i, i, i % 250);
    }
    zone_from_text(many, "example.", 0, text_str(&zone));
    static const char *const questions[] = {"www.child.example. A", "www.child.example. A +nsid"};
    for (unsigned n = 0; n < 2; n++) { /* the short way, and the long one */
        shown = ask_text(many, &options, ANSWER_TCP, questions[n]);
        assert_int_equal(strncmp(text_str(&shown), "NOERROR\n", 8), 0);
        for (unsigned i = 0; i < SERVERS; i++) {
            char line[80];
            snprintf(line, sizeof(line), "+ n%u.child.example. 3600 IN A 192.0.2.%u\n", i, i % 250);
            assert_non_null(strstr(text_str(&shown), line));
        }
        text_deinit(&shown);
    }
    text_deinit(&zone);
    zone_set_unref(many);
}

static void sibling_glue_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    struct zone_set *big = big_set(false);
    struct text text = ask_text(big, &options, ANSWER_UDP, "www.child.example. A");
    assert_int_equal(strncmp(text_str(&text), "NOERROR\n", 8), 0);
    assert_non_null(strstr(text_str(&text), "+ ns0.sister.example."));
    assert_null(strstr(text_str(&text), "+ ns7.sister.example. 3600 IN AAAA"));
    text_deinit(&text);
    zone_set_unref(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(referrals_have_ns_and_glue_and_no_aa),
        cmocka_unit_test(data_below_a_cut_is_not_seen),
        cmocka_unit_test(glue_that_is_missing_is_no_reason_to_fail),
        cmocka_unit_test(minimal_referrals_have_all_glue),
        cmocka_unit_test(ds_is_answered_at_the_parent),
        cmocka_unit_test(ds_comes_from_the_parent_where_both_are_ours),
        cmocka_unit_test(ds_at_an_apex_without_parent_is_no_data),
        cmocka_unit_test(required_glue_that_does_not_fit_sets_tc),
        cmocka_unit_test(glue_of_very_many_servers_is_whole),
        cmocka_unit_test(sibling_glue_that_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
