/* SPDX-License-Identifier: BSD-3-Clause */
/* What check says about most things is in tests/golden/zonefile; here are its options and bounds.
 */
#include "zone/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/zone_text.h"
#include "base/memory.h"
#include "base/text.h"
#include "zone/host_name_impl.h"

#define HEAD                                                                                       \
    "$TTL 60\n@ SOA ns1 host 1 7200 900 1209600 300\n@ NS ns1\n@ NS ns2\n"                         \
    "ns1 A 192.0.2.1\nns2 A 192.0.2.2\n"

static struct zone_version *build(const char *text)
{
    return version_from_text("example.com.", text);
}

struct seen {
    struct text text;
    size_t count;
    size_t errors;
    enum finding_code last;
};

static void see(void *context, const struct finding *finding)
{
    static const char *const severities[] = {"info", "warning", "error"};
    struct seen *seen = context;
    seen->count++;
    seen->errors += finding->severity == FINDING_ERROR;
    seen->last = finding->code;
    text_printf(&seen->text, "%s:%u: %s: %s\n", finding->file == NULL ? "-" : finding->file,
                finding->line, severities[finding->severity], finding_code_name(finding->code));
}

/* The findings of `text` with `options`, as lines. */
static void expect(const char *text, const struct check_options *options, const char *expected)
{
    struct zone_version *version = build(text);
    struct seen seen = {0};
    struct error err = {0};
    enum result result = zone_check(version, options, see, &seen, &err);
    assert_string_equal(text_str(&seen.text), expected);
    assert_int_equal(result, seen.errors == 0 ? OK : ERR_FORMAT);
    assert_int_equal(err.code, result);
    text_deinit(&seen.text);
    zone_version_unref(version);
}

static void a_good_zone_has_no_findings(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    expect(HEAD "www CNAME ns1\nmail MX 10 ns1\nsub NS ns.sub\nns.sub A 192.0.2.3\n", &options, "");
}

static void without_integrity_only_names_are_checked(void **state)
{
    (void)state;
    struct check_options options = check_options_default(false);
    expect(HEAD "@ MX 10 none\nsub NS ns.sub\na_b A 192.0.2.3\n", &options,
           "-:0: warning: bad-host-name\n");
    options.names = CHECK_IGNORE;
    expect(HEAD "@ MX 10 none\nsub NS ns.sub\na_b A 192.0.2.3\n", &options, "");
    expect(HEAD "@ NS ns3\n", &options, "-:0: warning: ns-no-address\n");
}

static void a_mode_sets_the_severity(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    static const char text[] = HEAD "@ MX 10 c\n_x._tcp SRV 0 0 1 c\nc CNAME ns1\n"
                                    "x.*.y TXT z\n";
    expect(text, &options,
           "-:0: warning: mx-is-cname\n-:0: warning: srv-is-cname\n"
           "-:0: warning: wildcard-in-middle\n");
    options.mx_cname = CHECK_FAIL;
    options.srv_cname = CHECK_IGNORE;
    options.wildcard = CHECK_IGNORE;
    expect(text, &options, "-:0: error: mx-is-cname\n");
}

static void sibling_glue_can_be_left_unchecked(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    static const char text[] = HEAD "one NS ns.two\ntwo NS ns1\n";
    expect(text, &options, "-:0: warning: missing-glue\n");
    options.sibling = CHECK_IGNORE;
    expect(text, &options, "");
}

static void glue_is_found_wherever_it_stands_below_its_cut(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    expect(HEAD "sub NS b.sub\nsub NS A.sub\nsub NS deep.er.sub\nsub NS sub\na.sub A 192.0.2.3\n"
                "B.sub AAAA ::1\ndeep.er.sub A 192.0.2.4\nsub A 192.0.2.5\n",
           &options, "");
    /* rdata and names do not sort alike where labels differ in length */
    expect(HEAD "sub NS b.sub\nsub NS aa.sub\nsub NS x.b.sub\naa.sub A 192.0.2.3\n"
                "b.sub A 192.0.2.4\nx.b.sub A 192.0.2.5\n",
           &options, "");
    /* one is not there, one has no address, one only looks as if it were below */
    expect(HEAD "sub NS a.sub\nsub NS b.sub\nsub NS c.sub\nsub NS xsub\na.sub A 192.0.2.3\n"
                "c.sub TXT x\nxsub A 192.0.2.3\n",
           &options,
           "-:0: warning: missing-glue\n-:0: warning: missing-glue\n-:0: info: occluded\n");
    /* far behind the cut */
    struct text text = {0};
    text_printf(&text, HEAD "sub NS z.sub\nz.sub A 192.0.2.3\n");
    for (unsigned i = 0; i < 100; i++) {
        text_printf(&text, "h%u.sub A 192.0.2.%u\n", i, i);
    }
    expect(text_str(&text), &options, "");
    text_deinit(&text);
}

/* As RFC 952 and RFC 1123 2.1 say it, octet by octet. */
static bool plainly_a_host_name(const uint8_t *wire)
{
    for (; *wire != 0; wire += 1 + *wire) {
        for (unsigned i = 1; i <= *wire; i++) {
            uint8_t c = wire[i];
            bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (!alnum && (c != '-' || i == 1 || i == *wire)) {
                return false;
            }
        }
    }
    return true;
}

static void host_names_are_told_alike_at_any_length(void **state)
{
    (void)state;
    static const uint8_t odd[] = {0,    '-',  '_',  '*',  '.',  '/',  ':',  '@', '[', '`', '{',
                                  0x10, 0x19, 0x7f, 0x80, 0xad, 0xb0, 0xe1, 'A', 'Z', '0', '9'};
    uint64_t random = 11;
    for (unsigned repeat = 0; repeat < 40000; repeat++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t limit = 1 + (random >> 33) % 90;
        size_t longest = 1 + (random >> 45) % 63;
        uint8_t wire[NAME_MAX_SIZE];
        size_t size = 0;
        while (size + 3 < limit) {
            size_t label = 1 + (random >> 40) % longest;
            label = size + label + 2 > limit ? limit - size - 2 : label;
            wire[size++] = (uint8_t)label;
            for (size_t i = 0; i < label; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                wire[size++] = (uint8_t)('a' + (random >> 35) % 26);
            }
        }
        wire[size++] = 0;
        uint8_t *exact = memory_new(size);
        memcpy(exact, wire, size);
        assert_true(host_name_is_valid(exact, false));
        for (unsigned changes = 0; changes < 3 && size > 1; changes++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = (random >> 33) % (size - 1);
            size_t label = 0;
            while (label + 1u + wire[label] <= at) {
                label += 1u + wire[label];
            }
            if (at != label) { /* length octets stay */
                exact[at] = odd[(random >> 50) % sizeof(odd)];
            }
            assert_int_equal(host_name_is_valid(exact, false), plainly_a_host_name(exact));
        }
        memory_free(exact);
    }
}

static void an_address_of_a_wildcard_is_an_address(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    expect(HEAD "@ MX 10 x.w\n*.w A 192.0.2.3\n", &options, "");
}

static void a_ttl_above_the_limit_is_an_error(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    options.max_ttl = 60;
    expect(HEAD, &options, "");
    options.max_ttl = 59;
    expect(HEAD "x 59 TXT x\n", &options,
           "-:0: error: ttl-too-large\n-:0: error: ttl-too-large\n-:0: error: ttl-too-large\n"
           "-:0: error: ttl-too-large\n");
}

static void an_rrset_that_no_message_holds_is_told(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    struct text text;
    text_init(&text, 200000);
    text_printf(&text, "%s", HEAD);
    for (unsigned i = 0; i < 4200; i++) {
        text_printf(&text, "big A 10.0.%u.%u\n", i / 256, i % 256);
    }
    expect(text_str(&text), &options, "-:0: warning: rrset-too-large\n");
    text_deinit(&text);
    text_init(&text, 200000);
    text_printf(&text, "%s", HEAD);
    for (unsigned i = 0; i < 4000; i++) {
        text_printf(&text, "big A 10.0.%u.%u\n", i / 256, i % 256);
    }
    expect(text_str(&text), &options, "");
    text_deinit(&text);
}

static void lines_come_from_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/test_check_XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = HEAD "mail MX 10 ns1\n MX (\n 20 none )\n";
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct check_options options = check_options_default(true);
    options.file = path;
    char expected[128];
    snprintf(expected, sizeof(expected), "%s:8: warning: mx-no-address\n", path);
    expect(text, &options, expected);
    unlink(path);
    /* Gone by now: the finding stays, without its line. */
    snprintf(expected, sizeof(expected), "%s:0: warning: mx-no-address\n", path);
    expect(text, &options, expected);
}

static void findings_are_bounded(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, HEAD);
    for (int i = 0; i < 10007; i++) {
        text_printf(&text, "x%d MX 10 none\n", i);
    }
    struct zone_version *version = build(text_str(&text));
    struct check_options options = check_options_default(true);
    struct seen seen = {0};
    struct error err = {0};
    assert_int_equal(zone_check(version, &options, see, &seen, &err), OK);
    assert_int_equal(seen.count, 10001);
    assert_int_equal(seen.last, FINDING_LIMIT);
    text_deinit(&seen.text);
    text_deinit(&text);
    zone_version_unref(version);
}

static void an_exchange_that_is_an_address_is_told(void **state)
{
    (void)state;
    static const char told[] = "-:0: warning: mx-is-address\n";
    static const struct {
        const char *record;
        bool is_told;
    } cases[] = {
        {"a MX 1 192.0.2.1\n", true},
        {"a MX 1 192.0.2.1.\n", true},
        {"a MX 1 2001:db8::1.\n", true},
        {"a MX 1 fe80::1\n", true},
        {"a MX 1 1.2.3.400.net.\n", false},
        {"a MX 1 1.2.3.net.\n", false},
        {"a MX 1 1.2.3.4.net.\n", false},
        {"a MX 1 1.2.3.4.5.\n", false},
        {"a MX 0 .\n", false},
    };
    struct check_options options = check_options_default(true);
    options.names = CHECK_IGNORE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2000];
        snprintf(text, sizeof(text), "%s%s", HEAD, cases[i].record);
        expect(text, &options, cases[i].is_told ? told : "");
    }
    options.mx = CHECK_FAIL;
    expect(HEAD "a MX 1 192.0.2.1\n", &options, "-:0: error: mx-is-address\n");
    options.mx = CHECK_IGNORE;
    options.integrity = false;
    expect(HEAD "a MX 1 192.0.2.1\n", &options, "");
}

static void a_policy_of_type_spf_wants_one_of_type_txt(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    static const char alone[] = HEAD "a SPF \"v=spf1 -all\"\na TXT v=spf\n";
    expect(alone, &options, "-:0: warning: spf-without-txt\n");
    expect(HEAD "a SPF \"v=spf1 -all\"\na TXT other\na TXT \"V=spf1 -all\"\n", &options, "");
    options.spf = CHECK_IGNORE;
    expect(alone, &options, "");
}

static void records_that_only_case_tells_apart_are_noted_once(void **state)
{
    (void)state;
    struct check_options options = check_options_default(true);
    static const char alike[] =
        HEAD "a LP 10 Foo.example.\na LP 10 foo.example.\na LP 10 FOO.example.\n";
    expect(alike, &options, "-:0: warning: alike\n");
    expect(HEAD "a HTTPS 1 Foo.example. alpn=h2\na HTTPS 1 foo.example. alpn=h2\n", &options,
           "-:0: warning: alike\n");
    expect(HEAD "a HTTPS 1 Foo.example. alpn=h2\na HTTPS 1 foo.example. alpn=H2\n"
                "b LP 10 Foo.example.\nb LP 11 foo.example.\nb LP 12 bar.example.\n"
                "c AMTRELAY 10 0 3 Foo.example.\nc AMTRELAY 10 1 3 foo.example.\n"
                "d TXT a\nd TXT A\n",
           &options, "");
    options.alike = CHECK_FAIL;
    expect(alike, &options, "-:0: error: alike\n");
    options.alike = CHECK_IGNORE;
    expect(alike, &options, "");
    options = check_options_default(false);
    expect(alike, &options, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_zone_has_no_findings),
        cmocka_unit_test(without_integrity_only_names_are_checked),
        cmocka_unit_test(a_mode_sets_the_severity),
        cmocka_unit_test(sibling_glue_can_be_left_unchecked),
        cmocka_unit_test(glue_is_found_wherever_it_stands_below_its_cut),
        cmocka_unit_test(host_names_are_told_alike_at_any_length),
        cmocka_unit_test(an_address_of_a_wildcard_is_an_address),
        cmocka_unit_test(a_ttl_above_the_limit_is_an_error),
        cmocka_unit_test(an_rrset_that_no_message_holds_is_told),
        cmocka_unit_test(lines_come_from_the_file),
        cmocka_unit_test(findings_are_bounded),
        cmocka_unit_test(an_exchange_that_is_an_address_is_told),
        cmocka_unit_test(a_policy_of_type_spf_wants_one_of_type_txt),
        cmocka_unit_test(records_that_only_case_tells_apart_are_noted_once),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
