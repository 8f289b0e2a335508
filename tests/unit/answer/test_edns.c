/* SPDX-License-Identifier: BSD-3-Clause */
/* OPT of responses: there when asked for, with the options that were asked for. */
#include "support/ask.h"

#include "base/rcu.h"

static const char zone_text[] = "@ SOA ns hostmaster 77 3600 600 86400 300\n"
                                "  NS ns.other.test.\n";

#define ANSWER                                                                                     \
    "NOERROR aa\n"                                                                                 \
    "? a.example. IN SOA\n"                                                                        \
    "= a.example. 3600 IN SOA ns.a.example. hostmaster.a.example. 77 3600 600 86400 300\n"

static struct zone_set *set;
static struct zone *zone;

static int setup(void **state)
{
    (void)state;
    set = zone_set_new();
    zone = zone_from_text(set, "a.example.", ZONE_SECONDARY, zone_text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zone_set_unref(set);
    return 0;
}

static const struct answer_options plain = {.udp_size = 0};

static void opt_is_there_only_when_the_query_has_one(void **state)
{
    (void)state;
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA", ANSWER);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +edns", ANSWER "opt 1232\n");
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +do", ANSWER "opt 1232 do\n");
    struct answer_options options = {.udp_size = 1400};
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +edns", ANSWER "opt 1400\n");
}

static void nsid_is_said_when_configured_and_asked_for(void **state)
{
    (void)state;
    struct answer_options options = {.nsid = slice_str("ns7")};
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +nsid", ANSWER "opt 1232\n");
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +edns", ANSWER "opt 1232\n");
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +nsid", ANSWER "opt 1232 nsid=6e7337\n");
    ask_expect(set, &options, ANSWER_UDP, "b.other. SOA +nsid",
               "REFUSED\n? b.other. IN SOA\nopt 1232 nsid=6e7337\n");
}

static void expire_is_what_is_left_on_a_secondary(void **state)
{
    (void)state;
    atomic_store(&zone->expires_at_s, ASK_NOW_S + 1000);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +expire", ANSWER "opt 1232 expire=1000\n");
    atomic_store(&zone->expires_at_s, ASK_NOW_S - 5);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +expire", ANSWER "opt 1232 expire=0\n");
    atomic_store(&zone->expires_at_s, 0);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +expire", ANSWER "opt 1232 expire=86400\n");
    ask_expect(set, &plain, ANSWER_UDP, "a.example. A +expire",
               "NOERROR aa\n? a.example. IN A\n~ a.example. 300 IN SOA ns.a.example. "
               "hostmaster.a.example. 77 3600 600 86400 300\nopt 1232\n");
}

static void expire_of_a_primary_is_the_field_of_its_soa(void **state)
{
    (void)state;
    struct zone_set *primary = zone_set_new();
    zone_from_text(primary, "a.example.", 0, zone_text);
    ask_expect(primary, &plain, ANSWER_UDP, "a.example. SOA +expire",
               ANSWER "opt 1232 expire=86400\n");
    zone_set_unref(primary);
}

static void keepalive_is_said_over_tcp_only(void **state)
{
    (void)state;
    struct answer_options options = {.tcp_keepalive = 300};
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +keepalive", ANSWER "opt 1232\n");
    ask_expect(set, &options, ANSWER_TCP, "a.example. SOA +keepalive",
               ANSWER "opt 1232 keepalive=300\n");
    ask_expect(set, &plain, ANSWER_TLS, "a.example. SOA +keepalive", ANSWER "opt 1232\n");
}

static void zoneversion_is_the_serial(void **state)
{
    (void)state;
    struct answer_options options = {.says_zoneversion = true};
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +zoneversion",
               ANSWER "opt 1232 zoneversion=2/0/77\n");
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +zoneversion", ANSWER "opt 1232\n");
}

static bool refuse(void *context, const struct zone *refused, const struct answer_query *query)
{
    assert_ptr_equal(refused, zone);
    assert_ptr_equal(context, set);
    assert_int_equal(query->query.qtype, TYPE_SOA);
    return false;
}

static void fingerprint_is_said_for_the_serial_it_belongs_to(void **state)
{
    (void)state;
    static const char known[] =
        ANSWER "opt 1232 65242=010000004dab000000000000000000000000000000000000000000000000000000"
               "000000cd\n";
    /* Of a zone of few records, whoever asks has it computed. */
    static const char computed[] =
        ANSWER "opt 1232 65242=010000004d8baade0d6081e2304c81d9fe21dadf619d257bec25a5a55dcd538ca5f7"
               "f2348a\n";
    struct zone_fingerprint fingerprint = {.serial = {77}, .digest = {[0] = 0xab, [31] = 0xcd}};
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +fingerprint", computed);
    zone_publish_fingerprint(zone, &fingerprint);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +fingerprint", known);
    ask_expect(set, &plain, ANSWER_TCP, "a.example. SOA +fingerprint", known);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +edns", ANSWER "opt 1232\n");
    ask_expect(set, &plain, ANSWER_UDP, "a.example. NS +fingerprint",
               "NOERROR aa\n? a.example. IN NS\n= a.example. 3600 IN NS ns.other.test.\n"
               "opt 1232\n");
    struct answer_options options = {.allow_fingerprint = refuse, .allow_context = set};
    ask_expect(set, &options, ANSWER_UDP, "a.example. SOA +fingerprint", ANSWER "opt 1232\n");
    fingerprint.serial.value = 76;
    zone_publish_fingerprint(zone, &fingerprint);
    ask_expect(set, &plain, ANSWER_UDP, "a.example. SOA +fingerprint", computed);
    zone_publish_fingerprint(zone, NULL);
    rcu_drain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opt_is_there_only_when_the_query_has_one),
        cmocka_unit_test(nsid_is_said_when_configured_and_asked_for),
        cmocka_unit_test(expire_is_what_is_left_on_a_secondary),
        cmocka_unit_test(expire_of_a_primary_is_the_field_of_its_soa),
        cmocka_unit_test(keepalive_is_said_over_tcp_only),
        cmocka_unit_test(zoneversion_is_the_serial),
        cmocka_unit_test(fingerprint_is_said_for_the_serial_it_belongs_to),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
