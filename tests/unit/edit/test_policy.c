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
        true, match, wire(identity), rule_name == NULL ? NULL : wire(rule_name), NULL, 0};
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
    struct policy_rule rules[2] = {{true, POLICY_ZONESUB, wire("k."), NULL, &any, 1},
                                   {true, POLICY_ZONESUB, wire("t."), NULL, &txt, 1}};
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
        {false, POLICY_NAME, wire("k."), wire("www.example."), NULL, 0},
        {true, POLICY_SUBDOMAIN, wire("k."), wire("example."), NULL, 0},
        {false, POLICY_ZONESUB, wire("*."), NULL, NULL, 0},
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
    struct policy_rule rule = {true, POLICY_TCP_SELF, wire("*.in-addr.arpa."), NULL, NULL, 0};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_matches_names_as_bind_does),
        cmocka_unit_test(policy_self_means_the_signer),
        cmocka_unit_test(policy_holds_the_signer_against_the_identity),
        cmocka_unit_test(policy_without_types_leaves_out_the_zone_s_own),
        cmocka_unit_test(policy_first_rule_that_matches_decides),
        cmocka_unit_test(policy_tcp_self_asks_for_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
