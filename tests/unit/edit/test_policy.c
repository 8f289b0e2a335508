/* SPDX-License-Identifier: BSD-3-Clause */
#include "edit/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Wire names from text, a few at a time. */
static const uint8_t *wire(const char *text)
{
    static struct name names[16];
    static unsigned next;
    struct name *name = &names[next++ % 16];
    assert_int_equal(name_parse_str(text, name, NULL), OK);
    return name->wire;
}

static bool allows(enum policy_match match, const char *identity, const char *rule_name,
                   const char *signer, const char *name, uint16_t type)
{
    struct policy_rule rule = {
        true, match, wire(identity), rule_name == NULL ? NULL : wire(rule_name), NULL, 0, NULL};
    struct update_policy policy = {&rule, 1};
    struct policy_client client = {.signer = signer == NULL ? NULL : wire(signer)};
    return policy_allows(&policy, wire("example."), &client, wire(name), type, NULL);
}

static void policy_matches_names_as_bind_does(void **state)
{
    (void)state;
    assert_true(allows(POLICY_NAME, "k.", "a.example.", "K.", "A.example.", TYPE_A));
    assert_false(allows(POLICY_NAME, "k.", "a.example.", "k.", "b.a.example.", TYPE_A));
    assert_true(allows(POLICY_SUBDOMAIN, "k.", "a.example.", "k.", "a.example.", TYPE_A));
    assert_true(allows(POLICY_SUBDOMAIN, "k.", "a.example.", "k.", "b.a.example.", TYPE_A));
    assert_false(allows(POLICY_SUBDOMAIN, "k.", "a.example.", "k.", "ba.example.", TYPE_A));
    assert_false(allows(POLICY_SUBDOMAIN, "k.", "a.example.", "k.", "example.", TYPE_A));
    assert_true(allows(POLICY_ZONESUB, "k.", NULL, "k.", "x.y.example.", TYPE_A));
    assert_true(allows(POLICY_WILDCARD, "k.", "*.a.example.", "k.", "b.a.example.", TYPE_A));
    assert_true(allows(POLICY_WILDCARD, "k.", "*.a.example.", "k.", "c.b.a.example.", TYPE_A));
    assert_false(allows(POLICY_WILDCARD, "k.", "*.a.example.", "k.", "a.example.", TYPE_A));
    assert_false(allows(POLICY_WILDCARD, "k.", "a.example.", "k.", "a.example.", TYPE_A));
}

static void policy_self_means_the_signer(void **state)
{
    (void)state;
    assert_true(allows(POLICY_SELF, "*.", NULL, "h.example.", "h.example.", TYPE_A));
    assert_false(allows(POLICY_SELF, "*.", NULL, "h.example.", "x.h.example.", TYPE_A));
    assert_true(allows(POLICY_SELFSUB, "*.", NULL, "h.example.", "x.h.example.", TYPE_A));
    assert_true(allows(POLICY_SELFSUB, "*.example.", NULL, "h.example.", "h.example.", TYPE_A));
    assert_true(allows(POLICY_SELFWILD, "*.", NULL, "h.example.", "x.h.example.", TYPE_A));
    assert_false(allows(POLICY_SELFWILD, "*.", NULL, "h.example.", "h.example.", TYPE_A));
}

static void policy_holds_the_signer_against_the_identity(void **state)
{
    (void)state;
    assert_false(allows(POLICY_ZONESUB, "k.", NULL, "other.", "a.example.", TYPE_A));
    assert_false(allows(POLICY_ZONESUB, "*.", NULL, NULL, "a.example.", TYPE_A));
    assert_true(allows(POLICY_ZONESUB, "*.keys.", NULL, "a.keys.", "a.example.", TYPE_A));
    assert_false(allows(POLICY_ZONESUB, "*.keys.", NULL, "keys.", "a.example.", TYPE_A));
}

static void policy_without_types_leaves_out_the_zone_s_own(void **state)
{
    (void)state;
    static const uint16_t left_out[] = {TYPE_NS, TYPE_SOA, TYPE_RRSIG, TYPE_NSEC, TYPE_NSEC3};
    for (unsigned i = 0; i < 5; i++) {
        assert_false(allows(POLICY_ZONESUB, "k.", NULL, "k.", "example.", left_out[i]));
    }
    uint16_t any = TYPE_ANY;
    uint16_t txt = TYPE_TXT;
    struct policy_rule rules[2] = {{true, POLICY_ZONESUB, wire("k."), NULL, &any, 1, NULL},
                                   {true, POLICY_ZONESUB, wire("t."), NULL, &txt, 1, NULL}};
    struct update_policy policy = {rules, 2};
    struct policy_client k = {.signer = wire("k.")};
    struct policy_client t = {.signer = wire("t.")};
    assert_true(policy_allows(&policy, wire("example."), &k, wire("example."), TYPE_NS, NULL));
    assert_false(policy_allows(&policy, wire("example."), &k, wire("example."), TYPE_NSEC3, NULL));
    assert_true(policy_allows(&policy, wire("example."), &t, wire("example."), TYPE_TXT, NULL));
    assert_false(policy_allows(&policy, wire("example."), &t, wire("example."), TYPE_A, NULL));
}

static void policy_first_rule_that_matches_decides(void **state)
{
    (void)state;
    struct policy_rule rules[3] = {
        {false, POLICY_NAME, wire("k."), wire("www.example."), NULL, 0, NULL},
        {true, POLICY_SUBDOMAIN, wire("k."), wire("example."), NULL, 0, NULL},
        {false, POLICY_ZONESUB, wire("*."), NULL, NULL, 0, NULL},
    };
    struct update_policy policy = {rules, 3};
    struct policy_client k = {.signer = wire("k.")};
    struct policy_client other = {.signer = wire("other.")};
    size_t rule = 9;
    assert_false(policy_allows(&policy, wire("example."), &k, wire("www.example."), TYPE_A, &rule));
    assert_int_equal(rule, 0);
    assert_true(policy_allows(&policy, wire("example."), &k, wire("x.example."), TYPE_A, &rule));
    assert_int_equal(rule, 1);
    assert_false(
        policy_allows(&policy, wire("example."), &other, wire("x.example."), TYPE_A, &rule));
    assert_int_equal(rule, 2);
    policy.rule_count = 2;
    assert_false(
        policy_allows(&policy, wire("example."), &other, wire("x.example."), TYPE_A, &rule));
    assert_int_equal(rule, 2);
}

static void policy_tcp_self_asks_for_the_address(void **state)
{
    (void)state;
    struct policy_rule rule = {true, POLICY_TCP_SELF, wire("*.in-addr.arpa."), NULL, NULL, 0, NULL};
    struct update_policy policy = {&rule, 1};
    struct policy_client client = {.reverse = wire("1.2.0.192.in-addr.arpa.")};
    const uint8_t *zone = wire("192.in-addr.arpa.");
    assert_true(
        policy_allows(&policy, zone, &client, wire("1.2.0.192.in-addr.arpa."), TYPE_PTR, NULL));
    assert_false(
        policy_allows(&policy, zone, &client, wire("2.2.0.192.in-addr.arpa."), TYPE_PTR, NULL));
    client.reverse = NULL;
    assert_false(
        policy_allows(&policy, zone, &client, wire("1.2.0.192.in-addr.arpa."), TYPE_PTR, NULL));
}

/* Every kind of rule of BIND's grammar that this server has, held against names of each kind. */
static void policy_kinds_hold_as_a_table(void **state)
{
    (void)state;
    enum { APEX, NAME, BELOW, BESIDE, SIGNER, UNDER_SIGNER, REVERSE, SIX, ASKED };
    static const char *const names[ASKED] = {
        [APEX] = "example.",
        [NAME] = "a.example.",
        [BELOW] = "x.a.example.",
        [BESIDE] = "b.example.",
        [SIGNER] = "host.example.",
        [UNDER_SIGNER] = "x.host.example.",
        [REVERSE] = "1.2.0.192.in-addr.arpa.",
        [SIX] = "1.0.2.0.0.0.0.c.2.0.0.2.ip6.arpa.",
    };
    static const struct {
        enum policy_match match;
        const char *identity, *name;
        const char *yes; /* one character for each of the names */
    } cases[] = {
        {POLICY_NAME, "host.example.", "a.example.", "-y------"},
        {POLICY_SUBDOMAIN, "host.example.", "a.example.", "-yy-----"},
        {POLICY_SUBDOMAIN, "host.example.", "example.", "yyyyyy--"},
        {POLICY_ZONESUB, "host.example.", NULL, "yyyyyy--"},
        {POLICY_WILDCARD, "host.example.", "*.a.example.", "--y-----"},
        {POLICY_WILDCARD, "host.example.", "*.example.", "-yyyyy--"},
        {POLICY_SELF, "host.example.", NULL, "----y---"},
        {POLICY_SELF, "*.example.", NULL, "----y---"},
        {POLICY_SELFSUB, "*.", NULL, "----yy--"},
        {POLICY_SELFWILD, "*.", NULL, "-----y--"},
        {POLICY_TCP_SELF, "*.arpa.", NULL, "------y-"},
        {POLICY_TCP_SELF, "1.2.0.192.in-addr.arpa.", NULL, "------y-"},
        {POLICY_TCP_SELF, "*.ip6.arpa.", NULL, "--------"},
        {POLICY_6TO4_SELF, "*.ip6.arpa.", NULL, "-------y"},
        {POLICY_NAME, "stranger.", "a.example.", "--------"},
        {POLICY_SELFSUB, "*.stranger.", NULL, "--------"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int asked = 0; asked < ASKED; asked++) {
            struct policy_client client = {.signer = wire("host.example."),
                                           .reverse = wire(names[REVERSE]),
                                           .six_to_four = wire(names[SIX])};
            struct policy_rule rule = {true,
                                       cases[i].match,
                                       wire(cases[i].identity),
                                       cases[i].name == NULL ? NULL : wire(cases[i].name),
                                       NULL,
                                       0,
                                       NULL};
            struct update_policy policy = {&rule, 1};
            bool expected = cases[i].yes[asked] == 'y';
            if (policy_allows(&policy, wire("example."), &client, wire(names[asked]), TYPE_A,
                              NULL) != expected) {
                fail_msg("rule %zu, %s: not %s", i, names[asked], expected ? "granted" : "denied");
            }
            rule.grants = false;
            assert_false(policy_allows(&policy, wire("example."), &client, wire(names[asked]),
                                       TYPE_A, NULL));
        }
    }
}

static void policy_bound_is_that_of_the_type(void **state)
{
    (void)state;
    static const uint16_t types[] = {TYPE_TXT, TYPE_A, TYPE_ANY};
    static const uint16_t bounds[] = {3, 0, 7};
    struct policy_rule rule = {true, POLICY_ZONESUB, wire("k."), NULL, types, 3, bounds};
    assert_int_equal(policy_bound(&rule, TYPE_TXT), 3);
    assert_int_equal(policy_bound(&rule, TYPE_A), 0);
    assert_int_equal(policy_bound(&rule, TYPE_MX), 7);
    assert_int_equal(policy_bound(&rule, TYPE_NSEC), 0);
    rule.bounds = NULL;
    assert_int_equal(policy_bound(&rule, TYPE_TXT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_matches_names_as_bind_does),
        cmocka_unit_test(policy_self_means_the_signer),
        cmocka_unit_test(policy_holds_the_signer_against_the_identity),
        cmocka_unit_test(policy_without_types_leaves_out_the_zone_s_own),
        cmocka_unit_test(policy_first_rule_that_matches_decides),
        cmocka_unit_test(policy_tcp_self_asks_for_the_address),
        cmocka_unit_test(policy_kinds_hold_as_a_table),
        cmocka_unit_test(policy_bound_is_that_of_the_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
