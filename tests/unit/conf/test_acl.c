/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"
#include "wire/name.h"

/* allow-query of a configuration that has keys "k" and "l" and a list "partners". */
static struct conf *conf_with(const char *list)
{
    struct conf *conf = NULL;
    struct error err = {0};
    struct text text;
    text_init(&text, 0);
    text_printf(&text,
                "options { allow-query %s; allow-transfer port 853 transport tls { any; }; };\n"
                "acl partners { 192.0.2.0/24; !198.51.100.1; 198.51.100.0/24; };\n"
                "key k { algorithm hmac-sha256; secret AAAA; };\n"
                "key l { algorithm hmac-sha256; secret AAAA; };\n",
                list);
    if (conf_load_text("acl.conf", text_slice(&text), false, NULL, NULL, &conf, &err) != OK) {
        fail_msg("%s: %s", list, err.text);
    }
    text_deinit(&text);
    return conf;
}

static struct acl_verdict ask(const struct acl *acl, const char *peer, const char *key)
{
    struct address address;
    struct address local;
    struct prefix network;
    struct name name;
    assert_int_equal(address_parse(peer, &address, NULL), OK);
    assert_int_equal(address_parse("203.0.113.1", &local, NULL), OK);
    assert_int_equal(prefix_parse("203.0.113.0/24", &network, NULL), OK);
    if (key != NULL) {
        assert_int_equal(name_parse_str(key, &name, NULL), OK);
    }
    struct acl_subject subject = {
        .peer = &address,
        .key = key != NULL ? name.wire : NULL,
        .transport = ACL_TCP,
        .local_port = 53,
        .local_addresses = &local,
        .local_address_count = 1,
        .local_networks = &network,
        .local_network_count = 1,
    };
    return acl_match(acl, &subject);
}

static bool allowed(const char *list, const char *peer, const char *key);

static bool allowed_tls(const char *list, const char *peer, const char *key, const char *names,
                        size_t size)
{
    struct conf *conf = conf_with(list);
    struct address address;
    struct name name;
    assert_int_equal(address_parse(peer, &address, NULL), OK);
    if (key != NULL) {
        assert_int_equal(name_parse_str(key, &name, NULL), OK);
    }
    struct acl_subject subject = {.peer = &address,
                                  .key = key != NULL ? name.wire : NULL,
                                  .transport = ACL_TLS,
                                  .tls_names = slice_of(names, size),
                                  .local_port = 853};
    bool result = acl_match(conf_acl(conf, NULL, CONF_ALLOW_QUERY), &subject).allowed;
    conf_free(conf);
    return result;
}

static void acl_tls_client_is_a_name_of_the_certificate(void **state)
{
    (void)state;
    static const char names[] = "a.example\0NS2.example.";
    assert_true(allowed_tls("{ tls-client \"ns2.example\"; }", "192.0.2.1", NULL, names, 23));
    assert_true(allowed_tls("{ tls-client \"A.example.\"; }", "192.0.2.1", NULL, names, 23));
    assert_false(allowed_tls("{ tls-client \"b.example\"; }", "192.0.2.1", NULL, names, 23));
    assert_false(allowed_tls("{ tls-client \"*.example\"; }", "192.0.2.1", NULL, names, 23));
    assert_false(allowed_tls("{ tls-client \"example\"; }", "192.0.2.1", NULL, names, 23));
    assert_false(allowed_tls("{ tls-client \"ns2.example\"; }", "192.0.2.1", NULL, "", 0));
    assert_false(allowed("{ tls-client \"ns2.example\"; }", "192.0.2.1", NULL));
    assert_false(allowed_tls("{ !tls-client a.example; any; }", "192.0.2.1", NULL, names, 23));
    assert_true(allowed_tls("{ !tls-client c.example; any; }", "192.0.2.1", NULL, names, 23));
}

static void acl_tls_client_goes_with_address_and_key(void **state)
{
    (void)state;
    static const char names[] = "ns2.example";
    static const char list[] = "{ 192.0.2.0/24 key k tls-client \"ns2.example\"; }";
    assert_true(allowed_tls(list, "192.0.2.1", "k", names, sizeof(names)));
    assert_false(allowed_tls(list, "192.0.3.1", "k", names, sizeof(names)));
    assert_false(allowed_tls(list, "192.0.2.1", "l", names, sizeof(names)));
    assert_false(allowed_tls(list, "192.0.2.1", NULL, names, sizeof(names)));
    assert_false(allowed_tls(list, "192.0.2.1", "k", "ns3.example", 12));
    assert_true(
        allowed_tls("{ any tls-client ns2.example; }", "192.0.2.1", NULL, names, sizeof(names)));
    assert_true(
        allowed_tls("{ key k tls-client ns2.example; }", "192.0.2.1", "k", names, sizeof(names)));
    assert_false(allowed_tls("{ key k tls-client ns2.example; }", "192.0.2.1", "k", "", 0));
    struct conf *conf = conf_with("{ any tls-client ns2.example; }");
    assert_false(acl_is_any(conf_acl(conf, NULL, CONF_ALLOW_QUERY)));
    conf_free(conf);
}

static bool allowed(const char *list, const char *peer, const char *key)
{
    struct conf *conf = conf_with(list);
    bool result = ask(conf_acl(conf, NULL, CONF_ALLOW_QUERY), peer, key).allowed;
    conf_free(conf);
    return result;
}

static void acl_first_match_decides(void **state)
{
    (void)state;
    assert_true(allowed("{ 192.0.2.0/24; }", "192.0.2.9", NULL));
    assert_false(allowed("{ 192.0.2.0/24; }", "192.0.3.9", NULL));
    assert_false(allowed("{ !192.0.2.9; 192.0.2.0/24; }", "192.0.2.9", NULL));
    assert_true(allowed("{ 192.0.2.0/24; !192.0.2.9; }", "192.0.2.9", NULL));
    assert_true(allowed("{ 10 / 8; }", "10.1.2.3", NULL));
    assert_true(allowed("{ 2001:db8::/32; }", "2001:db8::5", NULL));
    assert_false(allowed("{ }", "192.0.2.1", NULL));
}

static void acl_words_mean_what_they_say(void **state)
{
    (void)state;
    assert_true(allowed("{ any; }", "192.0.2.1", NULL));
    assert_false(allowed("{ none; any; }", "192.0.2.1", NULL));
    assert_true(allowed("{ !none; }", "192.0.2.1", NULL));
    assert_true(allowed("{ localhost; }", "203.0.113.1", NULL));
    assert_false(allowed("{ localhost; }", "203.0.113.2", NULL));
    assert_true(allowed("{ localnets; }", "203.0.113.2", NULL));
    assert_false(allowed("{ localnets; }", "203.0.114.2", NULL));
}

static void acl_keys_match_without_case(void **state)
{
    (void)state;
    assert_true(allowed("{ key k; }", "192.0.2.1", "K."));
    assert_false(allowed("{ key k; }", "192.0.2.1", "l"));
    assert_false(allowed("{ key k; }", "192.0.2.1", NULL));
    assert_false(allowed("{ !key k; any; }", "192.0.2.1", "k"));
}

static void acl_prefix_and_key_are_both_needed(void **state)
{
    (void)state;
    assert_true(allowed("{ 192.0.2.0/24 key k; }", "192.0.2.1", "k"));
    assert_false(allowed("{ 192.0.2.0/24 key k; }", "192.0.2.1", NULL));
    assert_false(allowed("{ 192.0.2.0/24 key k; }", "192.0.3.1", "k"));
    /* BIND's way to say the same. */
    assert_true(allowed("{ !{ !192.0.2.0/24; any; }; key k; }", "192.0.2.1", "k"));
    assert_false(allowed("{ !{ !192.0.2.0/24; any; }; key k; }", "192.0.3.1", "k"));
    assert_false(allowed("{ !{ !192.0.2.0/24; any; }; key k; }", "192.0.2.1", NULL));
}

static void acl_no_inside_a_list_means_go_on(void **state)
{
    (void)state;
    assert_true(allowed("{ partners; }", "192.0.2.1", NULL));
    assert_false(allowed("{ partners; }", "198.51.100.1", NULL));
    assert_true(allowed("{ partners; any; }", "198.51.100.1", NULL));
    assert_false(allowed("{ !partners; any; }", "192.0.2.1", NULL));
    /* Two negations are no permission. */
    assert_false(allowed("{ !{ !192.0.2.1; }; }", "192.0.2.1", NULL));
}

static void acl_names_the_rule_that_decided(void **state)
{
    (void)state;
    struct conf *conf = conf_with("{ key l; ! partners; any; }");
    const struct acl *acl = conf_acl(conf, NULL, CONF_ALLOW_QUERY);
    char text[256];
    struct acl_verdict verdict = ask(acl, "198.51.100.2", NULL);
    assert_false(verdict.allowed);
    assert_string_equal(acl_verdict_format(&verdict, text, sizeof(text)),
                        "`!partners` at acl.conf:1, by `198.51.100.0/24` at acl.conf:2");
    verdict = ask(acl, "10.0.0.1", NULL);
    assert_true(verdict.allowed);
    assert_string_equal(acl_verdict_format(&verdict, text, sizeof(text)), "`any` at acl.conf:1");
    conf_free(conf);
    conf = conf_with("{ 192.0.2.1; }");
    verdict = ask(conf_acl(conf, NULL, CONF_ALLOW_QUERY), "10.0.0.1", NULL);
    assert_string_equal(acl_verdict_format(&verdict, text, sizeof(text)), "no element matches");
    verdict = ask(conf_acl(conf, NULL, CONF_ALLOW_NOTIFY), "10.0.0.1", NULL);
    assert_string_equal(acl_verdict_format(&verdict, text, sizeof(text)), "`none` by default");
    conf_free(conf);
}

static void acl_may_ask_for_port_and_transport(void **state)
{
    (void)state;
    struct conf *conf = conf_with("{ any; }");
    const struct acl *acl = conf_acl(conf, NULL, CONF_ALLOW_TRANSFER);
    struct address peer;
    assert_int_equal(address_parse("192.0.2.1", &peer, NULL), OK);
    struct acl_subject subject = {.peer = &peer, .transport = ACL_TLS, .local_port = 853};
    assert_true(acl_match(acl, &subject).allowed);
    subject.transport = ACL_TCP;
    assert_false(acl_match(acl, &subject).allowed);
    subject.transport = ACL_TLS;
    subject.local_port = 53;
    assert_false(acl_match(acl, &subject).allowed);
    conf_free(conf);
}

static void acl_knows_what_it_amounts_to(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool none, any, key;
    } cases[] = {
        {"{ none; }", true, false, false},
        {"{ }", true, false, false},
        {"{ any; }", false, true, false},
        {"{ 192.0.2.1; any; }", false, true, false},
        {"{ !192.0.2.1; any; }", false, false, false},
        {"{ { any; }; }", false, true, false},
        {"{ partners; }", false, false, false},
        {"{ { key k; }; }", false, false, true},
        {"{ 10/8 key k; }", false, false, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct conf *conf = conf_with(cases[i].list);
        const struct acl *acl = conf_acl(conf, NULL, CONF_ALLOW_QUERY);
        assert_int_equal(acl_is_none(acl), cases[i].none);
        assert_int_equal(acl_is_any(acl), cases[i].any);
        assert_int_equal(acl_has_key(acl), cases[i].key);
        conf_free(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acl_first_match_decides),
        cmocka_unit_test(acl_tls_client_is_a_name_of_the_certificate),
        cmocka_unit_test(acl_tls_client_goes_with_address_and_key),
        cmocka_unit_test(acl_words_mean_what_they_say),
        cmocka_unit_test(acl_keys_match_without_case),
        cmocka_unit_test(acl_prefix_and_key_are_both_needed),
        cmocka_unit_test(acl_no_inside_a_list_means_go_on),
        cmocka_unit_test(acl_names_the_rule_that_decided),
        cmocka_unit_test(acl_may_ask_for_port_and_transport),
        cmocka_unit_test(acl_knows_what_it_amounts_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
