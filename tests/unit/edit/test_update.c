/* SPDX-License-Identifier: BSD-3-Clause */
#include "edit/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/message.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/builder.h"

/*
 * Zone: one record a line, "owner TTL type data".
 * Update: one record a line, "owner TTL class type [data]"; prerequisites begin with '?'.
 * The zone after it is printed the same way as the zone.
 */
#define ZONE                                                                                       \
    "example. 300 SOA ns1.example. host.example. 10 2 3 4 5\n"                                     \
    "example. 300 NS ns1.example.\n"                                                               \
    "example. 300 NS ns2.example.\n"                                                               \
    "alias.example. 300 CNAME www.example.\n"                                                      \
    "www.example. 300 A 192.0.2.1\n"                                                               \
    "www.example. 300 A 192.0.2.2\n"                                                               \
    "www.example. 300 TXT hello\n"                                                                 \
    "below.empty.example. 300 A 192.0.2.3\n"

static size_t split(char *line, char **words)
{
    size_t count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    return count;
}

static size_t data_of(uint16_t type, char **words, size_t count, uint8_t *out)
{
    struct token tokens[16];
    size_t size = 0;
    size_t bad;
    for (size_t i = 0; i < count; i++) {
        tokens[i] = (struct token){.data = words[i], .size = (uint32_t)strlen(words[i])};
    }
    assert_int_equal(rdata_parse(type, tokens, count, NULL, out, &size, &bad, NULL), OK);
    return size;
}

static struct zone_version *zone_of(const char *text)
{
    struct name apex;
    struct zone_version *version;
    struct error err = {0};
    char line[512];
    assert_int_equal(name_parse_str("example.", &apex, NULL), OK);
    struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1) {
        char *words[16];
        uint8_t rdata[512];
        struct name owner;
        struct record record = {.owner = owner.wire, .class = CLASS_IN};
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
        size_t count = split(line, words);
        assert_int_equal(name_parse_str(words[0], &owner, NULL), OK);
        record.ttl = (uint32_t)atoi(words[1]);
        assert_true(rrtype_parse(words[2], strlen(words[2]), &record.type));
        record.rdata = slice_of(rdata, data_of(record.type, words + 3, count - 3, rdata));
        assert_int_equal(builder_add(builder, &record, NULL, 0, &err), OK);
    }
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, &err), OK);
    builder_free(builder);
    return version;
}

static void print_zone(const struct zone_version *version, struct text *out)
{
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            char name[NAME_TEXT_SIZE];
            char type[16];
            text_printf(out, "%s %u %s ", name_format(record.owner, name), record.ttl,
                        rrtype_format(record.type, type));
            rdata_format(record.type, record.rdata, out);
            text_add_char(out, '\n');
        }
    }
}

static size_t message_of(const char *zone, uint16_t zone_type, const char *text, uint8_t *out)
{
    struct name name;
    uint16_t counts[4] = {1, 0, 0, 0};
    size_t size = MESSAGE_HEADER_SIZE;
    char line[512];
    assert_int_equal(name_parse_str(zone, &name, NULL), OK);
    memcpy(out + size, name.wire, name.size);
    put_u16(out + size + name.size, zone_type);
    put_u16(out + size + name.size + 2, CLASS_IN);
    size += name.size + 4u;
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1) {
        char *words[16];
        uint16_t type;
        uint16_t class;
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
        bool is_prerequisite = line[0] == '?';
        counts[is_prerequisite ? SECTION_ANSWER : SECTION_AUTHORITY]++;
        size_t count = split(line + is_prerequisite, words);
        assert_int_equal(name_parse_str(words[0], &name, NULL), OK);
        assert_true(rrclass_parse(words[2], strlen(words[2]), &class));
        assert_true(rrtype_parse(words[3], strlen(words[3]), &type));
        memcpy(out + size, name.wire, name.size);
        size += name.size;
        put_u16(out + size, type);
        put_u16(out + size + 2, class);
        put_u32(out + size + 4, (uint32_t)strtoul(words[1], NULL, 10));
        size_t data = count > 4 ? data_of(type, words + 4, count - 4, out + size + 10) : 0;
        put_u16(out + size + 8, (uint16_t)data);
        size += 10 + data;
    }
    memset(out, 0, MESSAGE_HEADER_SIZE);
    put_u16(out + 2, OPCODE_UPDATE << 11);
    for (unsigned i = 0; i < 4; i++) {
        put_u16(out + 4 + 2 * i, counts[i]);
    }
    return size;
}

/* The whole way; `out` gets the zone afterwards where the rcode is NOERROR ("" without change). */
static unsigned run(const char *zone_text, const char *update_text, struct text *out)
{
    static uint8_t message[65536];
    struct arena arena = {0};
    struct update update;
    struct error err = {0};
    struct delta *delta = NULL;
    struct zone_version *version = zone_of(zone_text);
    size_t size = message_of("example.", TYPE_SOA, update_text, message);
    arena_init(&arena, 0);
    uint8_t *exact = malloc(size);
    memcpy(exact, message, size);
    unsigned rcode = update_parse(slice_of(exact, size), &arena, &update, &err);
    free(exact);
    if (rcode == RCODE_NOERROR) {
        rcode = update_prescan(&update, &err);
    }
    if (rcode == RCODE_NOERROR) {
        rcode = update_check_prerequisites(&update, version, &err);
    }
    if (rcode == RCODE_NOERROR) {
        rcode = update_make_delta(&update, version, SERIAL_INCREMENT, 0, &delta, &err);
    }
    if (rcode != RCODE_NOERROR) {
        assert_true(err.code != OK && err.text[0] != '\0');
    } else if (delta != NULL && out != NULL) {
        struct zone_version *after;
        assert_int_equal(delta_apply(version, delta, NULL, &after, &err), OK);
        print_zone(after, out);
        zone_version_unref(after);
    }
    delta_free(delta);
    arena_deinit(&arena);
    zone_version_unref(version);
    return rcode;
}

/* `change` leads from `zone` (without SOA lines) to `expected`; the serial goes from 10 to
 * `serial`. */
static void assert_becomes(const char *change, const char *expected, unsigned serial)
{
    struct text out;
    char soa[128];
    text_init(&out, 0);
    assert_int_equal(run(ZONE, change, &out), RCODE_NOERROR);
    snprintf(soa, sizeof(soa), "example. 300 SOA ns1.example. host.example. %u 2 3 4 5\n", serial);
    /* Both sides through the same printer. */
    struct text wanted;
    text_init(&wanted, 0);
    char zone[4096];
    snprintf(zone, sizeof(zone), "%s%s", soa, expected);
    struct zone_version *version = zone_of(zone);
    print_zone(version, &wanted);
    zone_version_unref(version);
    assert_string_equal(text_str(&out), text_str(&wanted));
    text_deinit(&out);
    text_deinit(&wanted);
}

static void assert_unchanged(const char *change)
{
    struct text out;
    text_init(&out, 0);
    assert_int_equal(run(ZONE, change, &out), RCODE_NOERROR);
    assert_string_equal(text_str(&out), "");
    text_deinit(&out);
}

#define NS_BOTH "example. 300 NS ns1.example.\nexample. 300 NS ns2.example.\n"
#define ALIAS   "alias.example. 300 CNAME www.example.\n"
#define WWW_A   "www.example. 300 A 192.0.2.1\nwww.example. 300 A 192.0.2.2\n"
#define WWW_TXT "www.example. 300 TXT hello\n"
#define BELOW   "below.empty.example. 300 A 192.0.2.3\n"

static void prerequisites_follow_section_3_2(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rcode;
    } cases[] = {
        /* 2.4.1 RRset exists, value independent */
        {"?www.example. 0 ANY A\n", RCODE_NOERROR},
        {"?WWW.example. 0 ANY MX\n", RCODE_NXRRSET},
        {"?nothing.example. 0 ANY A\n", RCODE_NXRRSET},
        /* 2.4.2 value dependent: all records, any order, TTL and case do not count */
        {"?www.example. 0 IN A 192.0.2.2\n?www.example. 0 IN A 192.0.2.1\n", RCODE_NOERROR},
        {"?www.example. 0 IN A 192.0.2.1\n", RCODE_NXRRSET},
        {"?www.example. 0 IN A 192.0.2.1\n?www.example. 0 IN A 192.0.2.2\n"
         "?www.example. 0 IN A 192.0.2.3\n",
         RCODE_NXRRSET},
        {"?alias.example. 0 IN CNAME WWW.Example.\n", RCODE_NOERROR},
        {"?www.example. 0 IN A 192.0.2.1\n?www.example. 0 IN A 192.0.2.1\n"
         "?www.example. 0 IN A 192.0.2.2\n",
         RCODE_NOERROR},
        {"?nothing.example. 0 IN A 192.0.2.1\n", RCODE_NXRRSET},
        /* 2.4.3 RRset does not exist */
        {"?www.example. 0 NONE MX\n", RCODE_NOERROR},
        {"?www.example. 0 NONE A\n", RCODE_YXRRSET},
        /* 2.4.4 and 2.4.5 name in use, not in use; an empty non-terminal is not */
        {"?www.example. 0 ANY ANY\n", RCODE_NOERROR},
        {"?nothing.example. 0 ANY ANY\n", RCODE_NXDOMAIN},
        {"?empty.example. 0 ANY ANY\n", RCODE_NXDOMAIN},
        {"?nothing.example. 0 NONE ANY\n", RCODE_NOERROR},
        {"?empty.example. 0 NONE ANY\n", RCODE_NOERROR},
        {"?www.example. 0 NONE ANY\n", RCODE_YXDOMAIN},
        /* 3.2.1 to 3.2.3 what is not well-formed */
        {"?www.example. 1 ANY A\n", RCODE_FORMERR},
        {"?www.other. 0 ANY A\n", RCODE_NOTZONE},
        {"?www.example. 0 ANY A 192.0.2.1\n", RCODE_FORMERR},
        {"?www.example. 0 NONE A 192.0.2.1\n", RCODE_FORMERR},
        {"?www.example. 0 CH A 192.0.2.1\n", RCODE_FORMERR},
        {"?www.example. 0 ANY AXFR\n", RCODE_FORMERR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned rcode = run(ZONE, cases[i].text, NULL);
        if (rcode != cases[i].rcode) {
            fail_msg("%s: %s, not %s", cases[i].text, rcode_name(rcode),
                     rcode_name(cases[i].rcode));
        }
    }
}

static void prescan_follows_section_3_4_1(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rcode;
    } cases[] = {
        {"new.other. 60 IN A 192.0.2.1\n", RCODE_NOTZONE},
        {"new.example. 60 CH A 192.0.2.1\n", RCODE_FORMERR},
        {"new.example. 60 IN ANY\n", RCODE_FORMERR},
        {"new.example. 60 IN AXFR\n", RCODE_FORMERR},
        {"new.example. 2147483648 IN A 192.0.2.1\n", RCODE_FORMERR},
        {"new.example. 60 IN A\n", RCODE_FORMERR}, /* an address of no octets */
        {"www.example. 1 ANY A\n", RCODE_FORMERR},
        {"www.example. 0 ANY A 192.0.2.1\n", RCODE_FORMERR},
        {"www.example. 0 ANY MAILB\n", RCODE_FORMERR},
        {"www.example. 1 NONE A 192.0.2.1\n", RCODE_FORMERR},
        {"www.example. 0 NONE ANY\n", RCODE_FORMERR},
        {"www.example. 0 ANY ANY\n", RCODE_NOERROR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned rcode = run(ZONE, cases[i].text, NULL);
        if (rcode != cases[i].rcode) {
            fail_msg("%s: %s, not %s", cases[i].text, rcode_name(rcode),
                     rcode_name(cases[i].rcode));
        }
    }
}

static void update_adds_records_and_rrsets(void **state)
{
    (void)state;
    assert_becomes("new.example. 60 IN A 192.0.2.9\n",
                   NS_BOTH ALIAS WWW_A WWW_TXT BELOW "new.example. 60 A 192.0.2.9\n", 11);
    assert_becomes("www.example. 300 IN A 192.0.2.9\n",
                   NS_BOTH ALIAS WWW_A "www.example. 300 A 192.0.2.9\n" WWW_TXT BELOW, 11);
    assert_unchanged("www.example. 300 IN A 192.0.2.1\n");
    assert_unchanged("");
}

static void update_gives_its_ttl_to_the_whole_rrset(void **state)
{
    (void)state;
    assert_becomes("www.example. 60 IN A 192.0.2.1\n",
                   NS_BOTH ALIAS
                   "www.example. 60 A 192.0.2.1\nwww.example. 60 A 192.0.2.2\n" WWW_TXT BELOW,
                   11);
}

static void update_deletes_records_rrsets_and_names(void **state)
{
    (void)state;
    assert_becomes("www.example. 0 NONE A 192.0.2.1\n",
                   NS_BOTH ALIAS "www.example. 300 A 192.0.2.2\n" WWW_TXT BELOW, 11);
    assert_becomes("WWW.example. 0 ANY A\n", NS_BOTH ALIAS WWW_TXT BELOW, 11);
    assert_becomes("www.example. 0 ANY ANY\n", NS_BOTH ALIAS BELOW, 11);
    assert_becomes("alias.example. 0 NONE CNAME WWW.EXAMPLE.\n", NS_BOTH WWW_A WWW_TXT BELOW, 11);
    assert_unchanged("www.example. 0 NONE A 192.0.2.77\n");
    assert_unchanged("nothing.example. 0 ANY ANY\n");
    assert_unchanged("www.example. 0 ANY MX\n");
}

static void update_changes_take_effect_in_their_order(void **state)
{
    (void)state;
    assert_unchanged("new.example. 60 IN A 192.0.2.9\nnew.example. 0 ANY ANY\n");
    assert_becomes("www.example. 0 ANY ANY\nwww.example. 60 IN A 192.0.2.9\n",
                   NS_BOTH ALIAS "www.example. 60 A 192.0.2.9\n" BELOW, 11);
    /* Taken out and put back as it was: nothing changed. */
    assert_unchanged("www.example. 0 ANY TXT\nwww.example. 300 IN TXT hello\n");
    assert_becomes("alias.example. 0 ANY CNAME\nalias.example. 60 IN A 192.0.2.9\n",
                   NS_BOTH "alias.example. 60 A 192.0.2.9\n" WWW_A WWW_TXT BELOW, 11);
}

static void update_protects_soa_and_ns_of_the_apex(void **state)
{
    (void)state;
    assert_unchanged("example. 0 ANY SOA\n");
    assert_unchanged("example. 0 ANY NS\n");
    assert_unchanged("example. 0 ANY ANY\n");
    assert_unchanged("example. 0 NONE SOA ns1.example. host.example. 10 2 3 4 5\n");
    assert_becomes("example. 0 NONE NS ns1.example.\nexample. 0 NONE NS ns2.example.\n",
                   "example. 300 NS ns2.example.\n" ALIAS WWW_A WWW_TXT BELOW, 11);
    /* Elsewhere NS is like any other. */
    assert_unchanged("sub.example. 60 IN NS ns1.example.\nsub.example. 0 NONE NS ns1.example.\n");
}

static void update_takes_only_a_newer_soa(void **state)
{
    (void)state;
    assert_unchanged("example. 300 IN SOA ns1.example. host.example. 10 9 9 9 9\n");
    assert_unchanged("example. 300 IN SOA ns1.example. host.example. 9 9 9 9 9\n");
    assert_unchanged("www.example. 300 IN SOA ns1.example. host.example. 50 9 9 9 9\n");
    assert_becomes("example. 300 IN SOA ns1.example. host.example. 50 2 3 4 5\n",
                   NS_BOTH ALIAS WWW_A WWW_TXT BELOW, 50);
    assert_becomes("example. 300 IN SOA ns1.example. host.example. 50 2 3 4 5\n"
                   "www.example. 0 ANY TXT\n",
                   NS_BOTH ALIAS WWW_A BELOW, 50);
}

static void update_keeps_cname_and_other_data_apart(void **state)
{
    (void)state;
    assert_unchanged("www.example. 60 IN CNAME other.example.\n");
    assert_unchanged("alias.example. 60 IN A 192.0.2.9\n");
    assert_unchanged("example. 60 IN CNAME other.example.\n");
    assert_becomes("alias.example. 300 IN CNAME other.example.\n",
                   NS_BOTH "alias.example. 300 CNAME other.example.\n" WWW_A WWW_TXT BELOW, 11);
    assert_becomes("dname.example. 60 IN DNAME a.\ndname.example. 60 IN DNAME b.\n",
                   NS_BOTH ALIAS WWW_A WWW_TXT BELOW "dname.example. 60 DNAME b.\n", 11);
}

static void update_replaces_wks_by_address_and_protocol(void **state)
{
    (void)state;
    struct text out;
    text_init(&out, 0);
    assert_int_equal(run(ZONE,
                         "www.example. 60 IN TYPE11 \\# 6 C000020106FF\n"
                         "www.example. 60 IN TYPE11 \\# 6 C000020106AA\n"
                         "www.example. 60 IN TYPE11 \\# 6 C000020111AA\n",
                         &out),
                     RCODE_NOERROR);
    unsigned found = 0;
    for (const char *p = text_str(&out); (p = strstr(p, "WKS")) != NULL; p++) {
        found++;
    }
    assert_int_equal(found, 2);
    text_deinit(&out);
}

static void update_keeps_the_case_of_names_that_are_there(void **state)
{
    (void)state;
    struct text out;
    text_init(&out, 0);
    assert_int_equal(
        run(ZONE, "WWW.EXAMPLE. 300 IN A 192.0.2.9\nNeW.example. 60 IN A 192.0.2.1\n", &out),
        RCODE_NOERROR);
    assert_null(strstr(text_str(&out), "WWW"));
    assert_non_null(strstr(text_str(&out), "NeW.example."));
    text_deinit(&out);
}

static void update_takes_thousands_of_records_at_one_name(void **state)
{
    (void)state;
    static char text[200000];
    size_t size = 0;
    for (unsigned i = 0; i < 1500; i++) {
        size +=
            (size_t)snprintf(text + size, sizeof(text) - size, "many.example. 60 IN A 10.0.%u.%u\n",
                             (i * 7 % 1500) / 250, (i * 7 % 1500) % 250);
    }
    struct text out;
    text_init(&out, 0);
    assert_int_equal(run(ZONE, text, &out), RCODE_NOERROR);
    unsigned found = 0;
    for (const char *p = text_str(&out); (p = strstr(p, "many.")) != NULL; p++) {
        found++;
    }
    assert_int_equal(found, 1500);
    text_deinit(&out);
}

static void parse_refuses_what_is_no_update(void **state)
{
    (void)state;
    static uint8_t message[65536];
    struct update update;
    struct arena arena;
    struct error err = {0};
    arena_init(&arena, 0);
    size_t size = message_of("example.", TYPE_SOA, "www.example. 60 IN A 192.0.2.1\n", message);
    assert_int_equal(update_parse(slice_of(message, size), &arena, &update, &err), RCODE_NOERROR);
    assert_int_equal(update.change_count, 1);
    /* Cut anywhere: FORMERR, and no octet beyond is touched. */
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, message, cut);
        err = (struct error){0};
        assert_int_equal(update_parse(slice_of(exact, cut), &arena, &update, &err), RCODE_FORMERR);
        assert_int_not_equal(err.code, OK);
        free(exact);
    }
    put_u16(message + 4, 2);
    assert_int_equal(update_parse(slice_of(message, size), &arena, &update, NULL), RCODE_FORMERR);
    size = message_of("example.", TYPE_A, "", message);
    assert_int_equal(update_parse(slice_of(message, size), &arena, &update, NULL), RCODE_FORMERR);
    put_u16(message + 2, 0);
    assert_int_equal(update_parse(slice_of(message, size), &arena, &update, NULL), RCODE_FORMERR);
    arena_deinit(&arena);
    /* A budget is a limit, not a crash. */
    arena_init(&arena, 64);
    size = message_of("example.", TYPE_SOA,
                      "www.example. 60 IN A 192.0.2.1\nwww.example. 60 IN A 192.0.2.2\n", message);
    assert_int_equal(update_parse(slice_of(message, size), &arena, &update, NULL), RCODE_SERVFAIL);
    arena_deinit(&arena);
}

static void permission_is_asked_for_every_change(void **state)
{
    (void)state;
    static uint8_t message[65536];
    struct name key;
    struct name www;
    struct update update;
    struct arena arena;
    uint16_t types[] = {TYPE_A};
    assert_int_equal(name_parse_str("key.", &key, NULL), OK);
    assert_int_equal(name_parse_str("www.example.", &www, NULL), OK);
    struct policy_rule rule = {true, POLICY_SUBDOMAIN, key.wire, www.wire, types, 1, NULL};
    struct update_policy policy = {&rule, 1};
    struct policy_client client = {.signer = key.wire};
    struct zone_version *version = zone_of(ZONE);
    static const struct {
        const char *text;
        bool permitted;
    } cases[] = {
        {"www.example. 60 IN A 192.0.2.1\n", true},
        {"www.example. 60 IN A 192.0.2.1\nwww.example. 60 IN TXT x\n", false},
        {"new.example. 60 IN A 192.0.2.1\n", false},
        {"www.example. 0 ANY ANY\n", false},  /* there is a TXT, too */
        {"x.www.example. 0 ANY ANY\n", true}, /* nothing is there */
        {"www.example. 0 ANY A\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        size_t size = message_of("example.", TYPE_SOA, cases[i].text, message);
        arena_init(&arena, 0);
        assert_int_equal(update_parse(slice_of(message, size), &arena, &update, &err),
                         RCODE_NOERROR);
        assert_int_equal(update_is_permitted(&update, version, &policy, &client, &err),
                         cases[i].permitted);
        assert_int_equal(err.code, cases[i].permitted ? OK : ERR_DENIED);
        arena_deinit(&arena);
    }
    zone_version_unref(version);
}

/* As BIND 9.18 does it: what goes beyond is left out, the rest of the update is done. */
static void update_leaves_out_what_goes_beyond_the_policy_s_bound(void **state)
{
    (void)state;
    static uint8_t message[65536];
    struct name key;
    assert_int_equal(name_parse_str("key.", &key, NULL), OK);
    static const uint16_t types[] = {TYPE_A, TYPE_TXT};
    static const uint16_t maxima[] = {0, 2};
    struct policy_rule rule = {true, POLICY_ZONESUB, key.wire, NULL, types, 2, maxima};
    struct update_policy policy = {&rule, 1};
    struct policy_client client = {.signer = key.wire};
    static const struct {
        const char *text;
        size_t added, reached; /* without the SOA */
    } cases[] = {
        {"b.example. 60 IN TXT 1\nb.example. 60 IN TXT 2\n", 2, 0},
        {"b.example. 60 IN TXT 1\nb.example. 60 IN TXT 2\nb.example. 60 IN TXT 3\n", 2, 1},
        {"b.example. 60 IN TXT 1\nb.example. 60 IN TXT 2\nb.example. 60 IN TXT 2\n", 2, 0},
        {"b.example. 60 IN A 192.0.2.1\nb.example. 60 IN A 192.0.2.2\n"
         "b.example. 60 IN A 192.0.2.3\n",
         3, 0},
        {"b.example. 60 IN TXT 1\nb.example. 60 IN TXT 2\nb.example. 0 NONE TXT 1\n"
         "b.example. 60 IN TXT 3\n",
         2, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct update update;
        struct arena arena;
        struct error err = {0};
        struct delta *delta = NULL;
        struct update_bound bounds[8] = {0};
        struct zone_version *version = zone_of(ZONE);
        size_t size = message_of("example.", TYPE_SOA, cases[i].text, message), reached = 0;
        arena_init(&arena, 0);
        assert_int_equal(update_parse(slice_of(message, size), &arena, &update, &err),
                         RCODE_NOERROR);
        update.bounds = bounds;
        assert_true(update_is_permitted(&update, version, &policy, &client, &err));
        assert_int_equal(update_make_delta(&update, version, SERIAL_INCREMENT, 0, &delta, &err),
                         RCODE_NOERROR);
        for (size_t b = 0; b < 8; b++) {
            reached += bounds[b].reached;
        }
        assert_int_equal(delta_count(delta) - delta_removed_count(delta) - 1, cases[i].added);
        assert_int_equal(reached, cases[i].reached);
        delta_free(delta);
        arena_deinit(&arena);
        zone_version_unref(version);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prerequisites_follow_section_3_2),
        cmocka_unit_test(prescan_follows_section_3_4_1),
        cmocka_unit_test(update_adds_records_and_rrsets),
        cmocka_unit_test(update_gives_its_ttl_to_the_whole_rrset),
        cmocka_unit_test(update_deletes_records_rrsets_and_names),
        cmocka_unit_test(update_changes_take_effect_in_their_order),
        cmocka_unit_test(update_protects_soa_and_ns_of_the_apex),
        cmocka_unit_test(update_takes_only_a_newer_soa),
        cmocka_unit_test(update_keeps_cname_and_other_data_apart),
        cmocka_unit_test(update_replaces_wks_by_address_and_protocol),
        cmocka_unit_test(update_keeps_the_case_of_names_that_are_there),
        cmocka_unit_test(update_takes_thousands_of_records_at_one_name),
        cmocka_unit_test(parse_refuses_what_is_no_update),
        cmocka_unit_test(permission_is_asked_for_every_change),
        cmocka_unit_test(update_leaves_out_what_goes_beyond_the_policy_s_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
