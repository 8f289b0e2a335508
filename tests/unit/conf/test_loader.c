/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"
#include "wire/name.h"

/* ---- golden files ------------------------------------------------------------------------ */

#define GOLDEN "tests/golden/conf/"

/* Findings as lines, without the folder in front of the file. */
static void add_line(void *context, const struct conf_finding *finding)
{
    char line[1024];
    conf_finding_format(finding, line, sizeof(line));
    bool prefixed = strncmp(line, GOLDEN, strlen(GOLDEN)) == 0;
    text_printf(context, "%s\n", line + (prefixed ? strlen(GOLDEN) : 0));
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    char *bytes = calloc(1, 1 << 16);
    size_t size = fread(bytes, 1, (1 << 16) - 1, file);
    bytes[size] = '\0';
    fclose(file);
    return bytes;
}

/* With LOCKSTEP_GOLDEN=write in the environment the expectations are written instead of compared.
 */
static bool golden_matches(const char *path)
{
    char expect_path[512];
    struct text found;
    struct conf *conf = NULL;
    text_init(&found, 0);
    if (conf_load(path, add_line, &found, &conf, NULL) == OK) {
        conf_report_unused(conf, add_line, &found);
        text_add_str(&found, "loaded\n");
        conf_free(conf);
    } else {
        text_add_str(&found, "refused\n");
    }
    snprintf(expect_path, sizeof(expect_path), "%.*s.expect", (int)(strlen(path) - 5), path);
    const char *mode = getenv("LOCKSTEP_GOLDEN");
    if (mode != NULL && strcmp(mode, "write") == 0) {
        FILE *file = fopen(expect_path, "w");
        assert_non_null(file);
        fputs(text_str(&found), file);
        fclose(file);
    }
    char *expected = read_file(expect_path);
    bool same = expected != NULL && strcmp(expected, text_str(&found)) == 0;
    if (!same) {
        print_error("%s\n--- expected\n%s--- found\n%s", path, expected, text_str(&found));
    }
    free(expected);
    text_deinit(&found);
    return same;
}

static void conf_load_reports_what_the_golden_files_say(void **state)
{
    (void)state;
    glob_t found;
    bool good = true;
    assert_int_equal(glob(GOLDEN "[0-9]*.conf", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 35);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        good = golden_matches(found.gl_pathv[i]) && good;
    }
    globfree(&found);
    assert_true(good);
}

/* ---- values ------------------------------------------------------------------------------ */

static void print_finding(void *context, const struct conf_finding *finding)
{
    char line[1024];
    (void)context;
    if (finding->severity == CONF_ERROR) {
        print_error("%s\n", conf_finding_format(finding, line, sizeof(line)));
    }
}

static struct conf *load_text(const char *text)
{
    struct conf *conf = NULL;
    struct error err = {0};
    if (conf_load_text("test.conf", slice_str(text), false, print_finding, NULL, &conf, &err) !=
        OK) {
        fail_msg("%s", err.text);
    }
    return conf;
}

static enum result load_result(const char *text, struct error *err)
{
    struct conf *conf = NULL;
    enum result result =
        conf_load_text("test.conf", slice_str(text), false, NULL, NULL, &conf, err);
    conf_free(conf);
    return result;
}

static const struct conf_zone *zone_of(const struct conf *conf, const char *text)
{
    struct name name;
    assert_int_equal(name_parse_str(text, &name, NULL), OK);
    return conf_zone_find(conf, name.wire);
}

static void empty_text_has_all_defaults(void **state)
{
    (void)state;
    struct conf *conf = load_text("");
    assert_int_equal(conf->zone_count, 0);
    assert_true(acl_is_none(conf_acl(conf, NULL, CONF_ALLOW_TRANSFER)));
    assert_true(acl_is_any(conf_acl(conf, NULL, CONF_ALLOW_QUERY)));
    assert_true(acl_is_none(conf_acl(conf, NULL, CONF_ALLOW_NOTIFY)));
    assert_int_equal(conf_remotes(conf, NULL, CONF_ALSO_NOTIFY)->count, 0);
    assert_int_equal(conf_number(conf, NULL, CONF_NOTIFY), CONF_NOTIFY_YES);
    assert_int_equal(conf_number(conf, NULL, CONF_NOTIFY_DELAY), 0);
    assert_int_equal(conf_number(conf, NULL, CONF_PORT), 53);
    assert_int_equal(conf_number(conf, NULL, CONF_MIN_REFRESH_TIME), 20);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_REFRESH_TIME), 4 * 7 * 86400);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_TRANSFER_IDLE_IN), 30);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_TRANSFER_TIME_IN), 7200);
    assert_int_equal(conf_number(conf, NULL, CONF_TCP_IDLE_TIMEOUT), 10000);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_IXFR_RATIO), 100);
    assert_true(conf_number(conf, NULL, CONF_MAX_ZONE_TTL) == CONF_UNLIMITED);
    assert_true(conf_number(conf, NULL, CONF_MAX_JOURNAL_SIZE) == CONF_DEFAULT_SIZE);
    assert_true(conf_bool(conf, NULL, CONF_CHECK_INTEGRITY));
    assert_false(conf_bool(conf, NULL, CONF_HIDDEN_PRIMARY));
    assert_string_equal(conf_text(conf, NULL, CONF_PID_FILE), "/run/lockstep/lockstep.pid");
    assert_null(conf_text(conf, NULL, CONF_VERSION));
    assert_null(conf_find(conf, NULL, CONF_VERSION));
    assert_int_equal(conf_address(conf, NULL, CONF_NOTIFY_SOURCE).family, 0);
    assert_null(conf_rate_limit(conf));
    assert_false(conf_is_set(conf, NULL, CONF_PORT));
    assert_int_equal(conf->listen_count, 2);
    assert_true(conf->listens[0].v6 != conf->listens[1].v6);
    assert_true(acl_is_any(conf->listens[0].addresses));
    assert_false(conf->controls_given);
    conf_free(conf);
}

static void every_id_with_a_number_has_a_default(void **state)
{
    (void)state;
    struct conf *conf = load_text("");
    for (int id = CONF_CHECK_DUP_RECORDS; id <= CONF_UPDATE_QUOTA; id++) {
        if (id != CONF_EDNS_VERSION && id != CONF_PADDING && id != CONF_TRANSFERS) {
            if (conf_find(conf, NULL, (enum conf_id)id) == NULL) {
                fail_msg("%s", conf_id_name((enum conf_id)id));
            }
        }
    }
    conf_free(conf);
}

static void zone_goes_before_options_before_defaults(void **state)
{
    (void)state;
    struct conf *conf =
        load_text("options { notify no; max-records 7; check-names primary warn; };\n"
                  "zone a { type primary; file a; notify explicit; };\n"
                  "zone b { type secondary; primaries { 192.0.2.1; }; };\n");
    const struct conf_zone *a = zone_of(conf, "A.");
    const struct conf_zone *b = zone_of(conf, "b");
    assert_ptr_equal(a, &conf->zones[0]);
    assert_null(zone_of(conf, "c"));
    assert_int_equal(conf_number(conf, a, CONF_NOTIFY), CONF_NOTIFY_EXPLICIT);
    assert_int_equal(conf_number(conf, b, CONF_NOTIFY), CONF_NOTIFY_NO);
    assert_int_equal(conf_number(conf, NULL, CONF_NOTIFY), CONF_NOTIFY_NO);
    assert_int_equal(conf_number(conf, a, CONF_MAX_RECORDS), 7);
    assert_int_equal(conf_number(conf, b, CONF_MAX_RECORDS_PER_TYPE), 4096);
    assert_int_equal(conf_check_names(conf, a), CONF_CHECK_WARN);
    assert_int_equal(conf_check_names(conf, b), CONF_CHECK_WARN);
    const struct conf_setting *setting = conf_find(conf, a, CONF_NOTIFY);
    assert_int_equal(setting->where.line, 2);
    assert_int_equal(setting->where.column, 32);
    assert_string_equal(setting->where.file, "test.conf");
    assert_true(conf_is_set(conf, b, CONF_MAX_RECORDS));
    conf_free(conf);
}

static void paths_are_relative_to_the_directory_wherever_it_stands(void **state)
{
    (void)state;
    struct conf *conf = load_text("zone a { type primary; file a; };\n"
                                  "zone B { type primary; };\n"
                                  "zone c { type secondary; primaries { 192.0.2.1; }; };\n"
                                  "zone . { type primary; };\n"
                                  "zone d { type primary; file \"/d\"; };\n"
                                  "tls t { cert-file c; key-file k; };\n"
                                  "options { pid-file p; directory \"/var/d/\"; dump-file x; };\n");
    assert_string_equal(conf->zones[0].file, "/var/d/a");
    assert_string_equal(conf->zones[1].file, "/var/d/b.zone");
    assert_null(conf->zones[2].file);
    assert_string_equal(conf->zones[3].file, "/var/d/root.zone");
    assert_string_equal(conf->zones[4].file, "/d");
    assert_string_equal(conf_text(conf, NULL, CONF_PID_FILE), "/var/d/p");
    assert_string_equal(conf_text(conf, NULL, CONF_DIRECTORY), "/var/d/");
    assert_string_equal(conf_text(conf, NULL, CONF_STATISTICS_FILE), "/var/d/named.stats");
    assert_int_equal(conf->tls_count, 2); /* with ephemeral */
    assert_string_equal(conf->tls[1]->cert_file, "/var/d/c");
    conf_free(conf);
}

static void times_and_sizes_are_read_in_all_their_forms(void **state)
{
    (void)state;
    struct conf *conf =
        load_text("options { min-refresh-time 1h30m; max-refresh-time P1DT2H; min-retry-time 90;\n"
                  "max-transfer-time-in 5; max-transfer-idle-in 45s; tcp-idle-timeout 25s;\n"
                  "tcp-initial-timeout 105; max-journal-size 3M; udp-send-buffer 12k;\n"
                  "max-ixfr-ratio 250%; max-zone-ttl 2W; edns-udp-size 100; };\n");
    assert_int_equal(conf_number(conf, NULL, CONF_MIN_REFRESH_TIME), 5400);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_REFRESH_TIME), 86400 + 7200);
    assert_int_equal(conf_number(conf, NULL, CONF_MIN_RETRY_TIME), 90);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_TRANSFER_TIME_IN), 300);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_TRANSFER_IDLE_IN), 45);
    assert_int_equal(conf_number(conf, NULL, CONF_TCP_IDLE_TIMEOUT), 25000);
    assert_int_equal(conf_number(conf, NULL, CONF_TCP_INITIAL_TIMEOUT), 10500);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_JOURNAL_SIZE), 3 << 20);
    assert_int_equal(conf_number(conf, NULL, CONF_UDP_SEND_BUFFER), 12 << 10);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_IXFR_RATIO), 250);
    assert_int_equal(conf_number(conf, NULL, CONF_MAX_ZONE_TTL), 14 * 86400);
    assert_int_equal(conf_number(conf, NULL, CONF_EDNS_UDP_SIZE), 512);
    conf_free(conf);
}

static void texts_may_be_none_or_the_host_name(void **state)
{
    (void)state;
    struct conf *conf = load_text("options { version none; hostname \"a \\\"b\\\" \\c\"; "
                                  "server-id hostname; pid-file none; };");
    assert_null(conf_text(conf, NULL, CONF_VERSION));
    assert_int_equal(conf_find(conf, NULL, CONF_VERSION)->special, CONF_SPECIAL_NONE);
    assert_string_equal(conf_text(conf, NULL, CONF_HOSTNAME), "a \"b\" \\c");
    assert_int_equal(conf_find(conf, NULL, CONF_SERVER_ID)->special, CONF_SPECIAL_HOSTNAME);
    assert_null(conf_text(conf, NULL, CONF_PID_FILE));
    conf_free(conf);
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void lists_of_servers_take_the_place_of_their_names(void **state)
{
    (void)state;
    struct conf *conf =
        load_text("zone z { type secondary; primaries port 99 { 192.0.2.9; two key k; "
                  "2001:db8::1 port 7 tls ephemeral; }; };\n"
                  "primaries one { 192.0.2.1 port 5; 192.0.2.2 key j; };\n"
                  "masters two port 6 { 192.0.2.3; one; 192.0.2.4; };\n"
                  "key k { algorithm hmac-sha256; secret AAAA; };\n"
                  "key j. { algorithm hmac-sha512; secret AAAA; };\n");
    const struct conf_remotes *list = conf_remotes(conf, &conf->zones[0], CONF_PRIMARIES);
    static const char *const expected[] = {"192.0.2.9#99", "192.0.2.3#6", "192.0.2.1#5",
                                           "192.0.2.2#6",  "192.0.2.4#6", "2001:db8::1#7"};
    static const char *const keys[] = {NULL, "k", "k", "j.", "k", NULL};
    assert_int_equal(list->count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        char text[ADDRESS_TEXT_SIZE];
        assert_string_equal(address_format(&list->servers[i].address, true, text), expected[i]);
        if (keys[i] == NULL) {
            assert_null(list->servers[i].key);
        } else {
            assert_string_equal(list->servers[i].key->name, keys[i]);
        }
    }
    assert_string_equal(list->servers[5].tls->name, "ephemeral");
    assert_int_equal(conf->remotes_count, 2);
    assert_string_equal(conf->remotes[0]->name, "one");
    conf_free(conf);
}

static void tls_blocks_and_their_short_forms(void **state)
{
    (void)state;
    struct conf *conf =
        load_text("tls a { ca-file \"/ca\"; remote-hostname ns1.example; "
                  "pin \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; "
                  "pin \"/////////////////////////////////////////w8=\"; };\n"
                  "tls b { protocols { TLSv1.2; TLSv1.3; }; session-tickets no; };\n"
                  "zone z { type secondary; primaries { 192.0.2.1 tls a; 192.0.2.2 tls hostname "
                  "\"ns2.example\"; 192.0.2.3 tls pin "
                  "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\" port 7; 192.0.2.4 tls hostname "
                  "\"ns2.example\"; 192.0.2.5 tls none; }; };\n"
                  "options { response-padding { 192.0.2.0/24; } block-size 128; };\n"
                  "server 192.0.2.1 { padding 64; };\n");
    const struct conf_remotes *list = conf_remotes(conf, &conf->zones[0], CONF_PRIMARIES);
    assert_int_equal(list->count, 5);
    const struct conf_tls *a = list->servers[0].tls;
    assert_int_equal(a->pin_count, 2);
    assert_int_equal(a->pins[0][31], 0);
    assert_int_equal(a->pins[1][0], 0xff);
    assert_int_equal(a->pins[1][31], 0x0f);
    assert_true(a->tls13 && !a->tls12);
    assert_string_equal(list->servers[1].tls->remote_hostname, "ns2.example");
    assert_int_equal(list->servers[2].tls->pin_count, 1);
    assert_null(list->servers[2].tls->remote_hostname);
    assert_int_equal(list->servers[2].address.port, 7);
    assert_ptr_equal(list->servers[1].tls, list->servers[3].tls);
    assert_null(list->servers[4].tls);
    assert_int_equal(conf->tls_count, 5); /* a, b, ephemeral, and two short forms */
    assert_true(conf->tls[1]->tls12 && conf->tls[1]->tls13 && !conf->tls[1]->session_tickets);
    assert_int_equal(conf_response_padding(conf)->block, 128);
    assert_int_equal(
        conf_server_setting(conf_server_find(conf, &list->servers[0].address), CONF_PADDING)
            ->number,
        64);
    conf_free(conf);
}

static void servers_may_have_several_keys(void **state)
{
    (void)state;
    struct conf *conf = load_text(
        "zone z { type secondary; primaries { 192.0.2.9 key j port 5 key k; two key k key j; "
        "192.0.2.8 key j; }; };\n"
        "zone y { type secondary; primaries { 192.0.2.9 key j port 5; two key k key j; "
        "192.0.2.8 key j; }; };\n"
        "zone x { type secondary; primaries { 192.0.2.9 port 5 key j key k; two key k key j; "
        "192.0.2.8 key j; }; };\n"
        "primaries two { 192.0.2.1; 192.0.2.2 key j; };\n"
        "key k { algorithm hmac-sha256; secret AAAA; };\n"
        "key j { algorithm hmac-sha512; secret AAAA; };\n");
    const struct conf_remotes *list = conf_remotes(conf, &conf->zones[0], CONF_PRIMARIES);
    assert_int_equal(list->count, 4);
    static const char *const first[] = {"j", "k", "j", "j"}, *const second[] = {"k", "j", NULL,
                                                                                NULL};
    for (uint32_t i = 0; i < list->count; i++) {
        const struct conf_remote *server = &list->servers[i];
        assert_string_equal(server->key->name, first[i]);
        assert_int_equal(server->keys != NULL, second[i] != NULL);
        if (second[i] != NULL) {
            assert_ptr_equal(server->keys[0], server->key);
            assert_string_equal(server->keys[1]->name, second[i]);
            assert_null(server->keys[2]);
        }
    }
    assert_false(conf_zones_alike(&conf->zones[0], &conf->zones[1]));
    assert_true(conf_zones_alike(&conf->zones[0], &conf->zones[2]));
    conf_free(conf);
}

static void keys_have_their_secret_decoded(void **state)
{
    (void)state;
    struct conf *conf = load_text("key \"Transfer-Key\" { algorithm HMAC-SHA384-192; "
                                  "secret \"AAECAw==\"; };");
    struct name name;
    assert_int_equal(name_parse_str("transfer-key.", &name, NULL), OK);
    const struct conf_key *key = conf_key_find(conf, name.wire);
    assert_non_null(key);
    assert_string_equal(key->name, "Transfer-Key");
    assert_int_equal(key->algorithm, CONF_HMAC_SHA384);
    assert_int_equal(key->digest_bits, 192);
    assert_int_equal(key->secret_size, 4);
    assert_memory_equal(key->secret, "\0\1\2\3", 4);
    conf_free(conf);
}

static void the_narrowest_server_statement_counts(void **state)
{
    (void)state;
    struct conf *conf = load_text("server 192.0.2.0/24 { transfers 3; };\n"
                                  "server 192.0.2.7 { keys { k; }; request-ixfr no; };\n"
                                  "key k { algorithm hmac-sha256; secret AAAA; };\n");
    struct address address;
    assert_int_equal(address_parse("192.0.2.7", &address, NULL), OK);
    const struct conf_server *server = conf_server_find(conf, &address);
    assert_int_equal(server->prefix.bits, 32);
    assert_string_equal(server->key->name, "k");
    assert_int_equal(conf_server_setting(server, CONF_REQUEST_IXFR)->number, 0);
    assert_null(conf_server_setting(server, CONF_TRANSFERS));
    assert_int_equal(address_parse("192.0.2.8", &address, NULL), OK);
    assert_int_equal(conf_server_setting(conf_server_find(conf, &address), CONF_TRANSFERS)->number,
                     3);
    assert_int_equal(address_parse("198.51.100.1", &address, NULL), OK);
    assert_null(conf_server_find(conf, &address));
    conf_free(conf);
}

static void logging_resolves_channels_and_categories(void **state)
{
    (void)state;
    struct conf *conf = load_text(
        "logging { category notify { mine; null; }; category default { mine; };\n"
        "category resolver { null; }; channel mine { file \"l\" versions unlimited size 1m;\n"
        "severity debug 7; format keyvalue; print-time iso8601; }; };\n"
        "options { directory \"/d\"; };\n");
    const struct conf_logging *logging = &conf->logging;
    assert_int_equal(logging->channel_count, 5);
    const struct conf_channel *mine = &logging->channels[4];
    assert_string_equal(mine->path, "/d/l");
    assert_true(mine->versions == UINT32_MAX);
    assert_int_equal(mine->max_size_bytes, 1 << 20);
    assert_int_equal(mine->level, LOG_DEBUG);
    assert_int_equal(mine->debug_level, 7);
    assert_int_equal(mine->format, CONF_LOG_KEYVALUE);
    assert_int_equal(mine->print_time, CONF_TIME_ISO8601);
    assert_int_equal(logging->categories[LOG_NOTIFY], 1 << 4 | 1 << 3);
    assert_int_equal(logging->categories[LOG_XFER_IN], 1 << 4);
    conf_free(conf);
    conf = load_text("");
    assert_int_equal(conf->logging.categories[LOG_GENERAL], 3); /* syslog and the debug file */
    conf_free(conf);
}

static void controls_and_statistics_are_structs(void **state)
{
    (void)state;
    struct conf *conf = load_text("controls { inet 127.0.0.1 allow { 192.0.2.1; } keys { k; l; };\n"
                                  "unix \"/s\" perm 0640 owner 3 group 4 read-only yes; };\n"
                                  "statistics-channels { inet *; };\n"
                                  "key l { algorithm hmac-sha256; secret AAAA; };\n"
                                  "key k { algorithm hmac-sha256; secret AAAA; };\n");
    assert_true(conf->controls_given);
    assert_int_equal(conf->control_count, 2);
    assert_int_equal(conf->controls[0].address.port, 953);
    assert_int_equal(conf->controls[0].key_count, 2);
    assert_string_equal(conf->controls[0].keys[1]->name, "l");
    assert_true(conf->controls[1].is_unix && conf->controls[1].read_only);
    assert_int_equal(conf->controls[1].mode, 0640);
    assert_int_equal(conf->controls[1].group, 4);
    assert_int_equal(conf->statistics_channels[0].address.port, 80);
    assert_true(acl_is_any(conf->statistics_channels[0].allow));
    conf_free(conf);
}

static void update_policy_becomes_rules(void **state)
{
    (void)state;
    struct conf *conf = load_text("zone a { type primary; file a; update-policy {\n"
                                  "grant k subdomain h.a A TXT(3); deny *.b zonesub; }; };\n"
                                  "zone b { type primary; file b; update-policy local; };\n");
    const struct conf_update_policy *policy = conf_update_policy(conf, &conf->zones[0]);
    char text[NAME_TEXT_SIZE];
    assert_int_equal(policy->rule_count, 2);
    assert_true(policy->rules[0].grant);
    assert_int_equal(policy->rules[0].match, CONF_UPDATE_SUBDOMAIN);
    assert_string_equal(name_format(policy->rules[0].name, text), "h.a.");
    assert_int_equal(policy->rules[0].type_count, 2);
    assert_int_equal(policy->rules[0].types[1].type, 16);
    assert_int_equal(policy->rules[0].types[1].max, 3);
    assert_false(policy->rules[1].grant);
    assert_true(name_is_wildcard(policy->rules[1].identity_name));
    assert_int_equal(policy->rules[1].type_count, 0);
    assert_true(conf_update_policy(conf, &conf->zones[1])->local);
    conf_free(conf);
}

static void rate_limits_follow_the_one_for_responses(void **state)
{
    (void)state;
    struct conf *conf = load_text("options { rate-limit { responses-per-second 9; "
                                  "errors-per-second 4; exempt-clients { any; }; }; };");
    const struct conf_rate_limit *limit = conf_rate_limit(conf);
    assert_int_equal(limit->nxdomains, 9);
    assert_int_equal(limit->errors, 4);
    assert_int_equal(limit->all, 0);
    assert_int_equal(limit->slip, 2);
    assert_true(acl_is_any(limit->exempt));
    conf_free(conf);
}

static void listens_keep_port_and_family(void **state)
{
    (void)state;
    struct conf *conf = load_text("options { listen-on port 5300 { 127.0.0.1; };\n"
                                  "listen-on { 127.0.0.2; }; listen-on-v6 { none; }; };");
    assert_int_equal(conf->listen_count, 3);
    assert_int_equal(conf->listens[0].port, 5300);
    assert_int_equal(conf->listens[1].port, 0);
    assert_true(conf->listens[2].v6);
    assert_true(acl_is_none(conf->listens[2].addresses));
    conf_free(conf);
}

static void listens_know_their_proxies(void **state)
{
    (void)state;
    struct conf *conf = load_text(
        "options { listen-on port 5300 proxy plain { 127.0.0.1; };\n"
        "listen-on port 5301 proxy plain tls ephemeral { 127.0.0.1; };\n"
        "listen-on tls ephemeral port 5302 proxy encrypted { 127.0.0.1; }; listen-on { any; }; };");
    static const enum conf_proxy expected[] = {CONF_PROXY_PLAIN, CONF_PROXY_PLAIN,
                                               CONF_PROXY_ENCRYPTED, CONF_PROXY_NO};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(conf->listens[i].proxy, expected[i]);
    }
    assert_true(acl_is_none(conf_acl(conf, NULL, CONF_ALLOW_PROXY)));
    assert_true(acl_is_any(conf_acl(conf, NULL, CONF_ALLOW_PROXY_ON)));
    conf_free(conf);
}

static void what_is_not_used_is_listed_once(void **state)
{
    (void)state;
    struct conf *conf = load_text("options { dnssec-validation auto; dnstap-identity none; };\n"
                                  "zone . { type hint; file h; };\n"
                                  "server 192.0.2.1 { }; server 192.0.2.2 { };\n");
    assert_int_equal(conf->zone_count, 0);
    assert_int_equal(conf->unused_count, 3);
    assert_string_equal(conf->unused[0].name, "dnssec-validation");
    assert_false(conf->unused[0].later);
    assert_string_equal(conf->unused[1].name, "dnstap-identity");
    assert_true(conf->unused[1].later);
    conf_free(conf);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void lists_that_double_are_bounded(void **state)
{
    (void)state;
    struct text text;
    struct error err = {0};
    text_init(&text, 0);
    text_add_str(&text, "acl l0 { 192.0.2.1; };\nprimaries p0 { 192.0.2.1; };\n");
    for (int i = 1; i < 40; i++) {
        text_printf(&text, "acl l%d { l%d; l%d; };\n", i, i - 1, i - 1);
        text_printf(&text, "primaries p%d { p%d; p%d; };\n", i, i - 1, i - 1);
    }
    assert_int_equal(load_result(text_str(&text), &err), ERR_FORMAT);
    text_deinit(&text);
}

static void long_chains_of_lists_are_bounded(void **state)
{
    (void)state;
    struct text text;
    struct error err = {0};
    text_init(&text, 0);
    text_add_str(&text, "acl l0 { 192.0.2.1; };\n");
    for (int i = 1; i < 5000; i++) {
        text_printf(&text, "acl l%d { l%d; };\n", i, i - 1);
    }
    assert_int_equal(load_result(text_str(&text), &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "nested too deep"));
    text_deinit(&text);
}

static void a_hundred_thousand_zones_load(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 0);
    for (int i = 0; i < 100000; i++) {
        text_printf(&text, "zone \"z%d.example\" { type primary; file \"z%d\"; };\n", i, i);
    }
    struct conf *conf = load_text(text_str(&text));
    assert_int_equal(conf->zone_count, 100000);
    assert_ptr_equal(zone_of(conf, "z77777.example"), &conf->zones[77777]);
    text_deinit(&text);
    conf_free(conf);
}

static void zones_set_alike_are_known_by_all_but_name_and_file(void **state)
{
    (void)state;
    struct conf *conf = load_text(
        "acl friends { 192.0.2.0/24; };\n"
        "zone \"p1.test\" { type primary; file \"1\"; allow-transfer { friends; }; };\n"
        "zone \"p2.test\" { type primary; file \"2\"; };\n"
        "zone \"p3.test\" { type primary; file \"3\"; };\n"
        "zone \"p4.test\" { type primary; file \"4\"; notify no; };\n"
        "zone \"p5.test\" { type primary; file \"5\"; notify no; };\n"
        "zone \"p6.test\" { type primary; file \"6\"; notify explicit; };\n"
        "zone \"s1.test\" { type secondary; primaries { 192.0.2.1; 192.0.2.2; }; };\n"
        "zone \"s2.test\" { type secondary; primaries { 192.0.2.1; 192.0.2.2; }; };\n"
        "zone \"s3.test\" { type secondary; primaries { 192.0.2.2; 192.0.2.1; }; };\n"
        "zone \"s4.test\" { type secondary; primaries { 192.0.2.1; }; };\n"
        "zone \"s5.test\" { type secondary; primaries port 54 { 192.0.2.1; 192.0.2.2; }; };\n"
        "zone \"a1.test\" { type primary; file \"a1\"; allow-transfer { 192.0.2.1; friends; }; };\n"
        "zone \"a2.test\" { type primary; file \"a2\"; allow-transfer { 192.0.2.1; friends; }; };\n"
        "zone \"a3.test\" { type primary; file \"a3\"; allow-transfer { 192.0.2.2; friends; }; };\n"
        "zone \"a4.test\" { type primary; file \"a4\"; allow-transfer { !192.0.2.1; friends; }; "
        "};\n"
        "zone \"a5.test\" { type primary; file \"a5\"; allow-transfer { !192.0.2.1; friends; }; "
        "};\n"
        "zone \"a6.test\" { type primary; file \"a6\"; allow-query { 192.0.2.1; friends; }; };\n");
    static const struct {
        const char *a, *b;
        bool alike;
    } pairs[] = {
        {"p2.test", "p3.test", true},  {"p1.test", "p2.test", false}, {"p2.test", "p4.test", false},
        {"p4.test", "p5.test", true},  {"p5.test", "p6.test", false}, {"p2.test", "s1.test", false},
        {"s1.test", "s2.test", true},  {"s1.test", "s3.test", false}, {"s1.test", "s4.test", false},
        {"s1.test", "s5.test", false}, {"a1.test", "a2.test", true},  {"a1.test", "a3.test", false},
        {"a1.test", "a4.test", false}, {"a4.test", "a5.test", false}, {"a1.test", "a6.test", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const struct conf_zone *a = zone_of(conf, pairs[i].a), *b = zone_of(conf, pairs[i].b);
        if (conf_zones_alike(a, b) != pairs[i].alike || conf_zones_alike(b, a) != pairs[i].alike) {
            fail_msg("%s and %s: expected %d", pairs[i].a, pairs[i].b, pairs[i].alike);
        }
    }
    conf_free(conf);
}

static void a_file_that_is_not_there_is_an_io_error(void **state)
{
    (void)state;
    struct conf *conf = NULL;
    struct error err = {0};
    assert_int_equal(conf_load("tests/golden/conf/none", NULL, NULL, &conf, &err), ERR_IO);
    assert_null(conf);
    assert_int_equal(conf_load("/dev/null", NULL, NULL, &conf, &err), ERR_IO);
}

static void errors_never_hold_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "key k { secret \"c2VjcmV0\" \"c2VjcmV0\"; algorithm hmac-sha256; };",
        "key k { algorithm hmac-sha256 secret \"c2VjcmV0\" more \"c2VjcmV0\"; };",
        "key k { algorithm hmac-sha256; secret { c2VjcmV0; }; };",
        "key k { algorithm hmac-sha256; secret c2VjcmV0c2; };",
        "key k { algorithm c2VjcmV0; secret hmac-sha256; };",
        "secret \"c2VjcmV0\";",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct text lines;
        struct conf *conf = NULL;
        text_init(&lines, 0);
        assert_int_equal(
            conf_load_text("t", slice_str(texts[i]), false, add_line, &lines, &conf, NULL),
            ERR_FORMAT);
        assert_true(lines.size > 0);
        assert_null(strstr(text_str(&lines), "c2Vj"));
        text_deinit(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conf_load_reports_what_the_golden_files_say),
        cmocka_unit_test(empty_text_has_all_defaults),
        cmocka_unit_test(every_id_with_a_number_has_a_default),
        cmocka_unit_test(zone_goes_before_options_before_defaults),
        cmocka_unit_test(paths_are_relative_to_the_directory_wherever_it_stands),
        cmocka_unit_test(times_and_sizes_are_read_in_all_their_forms),
        cmocka_unit_test(texts_may_be_none_or_the_host_name),
        cmocka_unit_test(lists_of_servers_take_the_place_of_their_names),
        cmocka_unit_test(tls_blocks_and_their_short_forms),
        cmocka_unit_test(servers_may_have_several_keys),
        cmocka_unit_test(keys_have_their_secret_decoded),
        cmocka_unit_test(the_narrowest_server_statement_counts),
        cmocka_unit_test(logging_resolves_channels_and_categories),
        cmocka_unit_test(controls_and_statistics_are_structs),
        cmocka_unit_test(update_policy_becomes_rules),
        cmocka_unit_test(rate_limits_follow_the_one_for_responses),
        cmocka_unit_test(listens_keep_port_and_family),
        cmocka_unit_test(listens_know_their_proxies),
        cmocka_unit_test(what_is_not_used_is_listed_once),
        cmocka_unit_test(lists_that_double_are_bounded),
        cmocka_unit_test(long_chains_of_lists_are_bounded),
        cmocka_unit_test(a_hundred_thousand_zones_load),
        cmocka_unit_test(zones_set_alike_are_known_by_all_but_name_and_file),
        cmocka_unit_test(a_file_that_is_not_there_is_an_io_error),
        cmocka_unit_test(errors_never_hold_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
