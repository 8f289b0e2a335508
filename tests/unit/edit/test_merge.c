/* SPDX-License-Identifier: BSD-3-Clause */
#include "edit/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/zone_text.h"
#include "wire/rrtype.h"

/* A test spells what follows the SOA and the name servers; the serial is apart. */
static struct zone_version *zone(unsigned serial, const char *records)
{
    char text[2000];
    snprintf(text, sizeof(text), "@ 300 SOA ns1 host %u 2 3 4 5\n%s%s", serial,
             strstr(records, "@ ") == NULL ? "@ 300 NS ns1\n@ 300 NS ns2\n" : "", records);
    return version_from_text("example.", text);
}

static void note(void *context, const struct merge_conflict *conflict)
{
    char name[NAME_TEXT_SIZE], type[16];
    assert_true(strlen(conflict->what) > 10);
    text_printf(context, "%s %s\n", name_format(conflict->owner, name),
                rrtype_format(conflict->type, type));
}

/* Merges, applies, and compares with the zone that is wanted; all versions are released. */
static void check(struct zone_version *old, struct zone_version *file, struct zone_version *head,
                  struct zone_version *wanted, const char *conflicts)
{
    struct text told;
    struct error err = {0};
    struct delta *delta = NULL;
    text_init(&told, 0);
    struct merge_options options = {.report = note, .report_context = &told};
    if (merge_file(old, file, head, &options, &delta, &err) != OK) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(text_str(&told), conflicts);
    struct zone_version *result = zone_version_ref(head);
    if (delta != NULL) {
        zone_version_unref(result);
        if (delta_apply(head, delta, NULL, &result, &err) != OK) {
            fail_msg("%s", err.text);
        }
    }
    struct delta *difference = delta_diff(result, wanted);
    for (size_t i = 0; i < delta_count(difference); i++) {
        struct record record;
        bool removes;
        char name[NAME_TEXT_SIZE], type[16];
        delta_get(difference, i, &removes, &record);
        if (record.type != TYPE_SOA) {
            fail_msg("%s %s %s ttl %u",
                     removes ? "too much:" : "missing:", name_format(record.owner, name),
                     rrtype_format(record.type, type), record.ttl);
        }
    }
    assert_int_equal(zone_version_serial(result).value, zone_version_serial(wanted).value);
    delta_free(difference);
    delta_free(delta);
    text_deinit(&told);
    zone_version_unref(result);
    zone_version_unref(old);
    zone_version_unref(file);
    zone_version_unref(head);
    zone_version_unref(wanted);
}

static void edits_of_both_sides_live_together(void **state)
{
    (void)state;
    check(zone(1, "a 300 A 192.0.2.1\nb 300 A 192.0.2.2\nc 300 A 192.0.2.3\n"),
          zone(2, "a 300 A 192.0.2.1\nb 300 A 192.0.2.9\nnew 300 A 192.0.2.4\n"),
          zone(7, "a 300 A 192.0.2.8\nb 300 A 192.0.2.2\nc 300 A 192.0.2.3\ndyn 60 TXT x\n"),
          zone(8, "a 300 A 192.0.2.8\nb 300 A 192.0.2.9\nnew 300 A 192.0.2.4\ndyn 60 TXT x\n"), "");
}

static void records_of_one_set_are_independent(void **state)
{
    (void)state;
    check(zone(1, "a 300 A 192.0.2.1\na 300 A 192.0.2.2\n"),
          zone(2, "a 300 A 192.0.2.1\na 300 A 192.0.2.3\n"),
          zone(2, "a 300 A 192.0.2.2\na 300 A 192.0.2.4\n"),
          zone(3, "a 300 A 192.0.2.3\na 300 A 192.0.2.4\n"), "");
}

static void serial_of_the_author_is_used_when_ahead(void **state)
{
    (void)state;
    check(zone(1, ""), zone(100, "a 300 A 192.0.2.1\n"), zone(5, "dyn 60 TXT x\n"),
          zone(100, "a 300 A 192.0.2.1\ndyn 60 TXT x\n"), "");
    check(zone(1, ""), zone(100, ""), zone(5, "dyn 60 TXT x\n"), zone(100, "dyn 60 TXT x\n"), "");
}

static void serial_that_was_forgotten_is_advanced(void **state)
{
    (void)state;
    check(zone(1, ""), zone(1, "a 300 A 192.0.2.1\n"), zone(1, ""), zone(2, "a 300 A 192.0.2.1\n"),
          "");
}

static void serial_follows_the_method(void **state)
{
    (void)state;
    struct zone_version *old = zone(1, ""), *file = zone(1, "a 300 A 192.0.2.1\n");
    struct merge_options options = {.method = SERIAL_UNIXTIME, .now_s = 1800000000};
    struct delta *delta = NULL;
    assert_int_equal(merge_file(old, file, old, &options, &delta, NULL), OK);
    assert_int_equal(delta_to(delta).value, 1800000000);
    delta_free(delta);
    zone_version_unref(old);
    zone_version_unref(file);
}

static void nothing_new_is_no_change(void **state)
{
    (void)state;
    /* Also where the zone has the file's change already. */
    check(zone(1, "a 300 A 192.0.2.1\n"), zone(1, "a 300 A 192.0.2.1\n"),
          zone(9, "b 300 A 192.0.2.1\n"), zone(9, "b 300 A 192.0.2.1\n"), "");
    check(zone(1, ""), zone(2, "a 300 A 192.0.2.1\n"), zone(2, "a 300 A 192.0.2.1\n"),
          zone(2, "a 300 A 192.0.2.1\n"), "");
}

static void ttl_of_the_file_wins(void **state)
{
    (void)state;
    check(zone(1, "a 300 A 192.0.2.1\n"), zone(2, "a 60 A 192.0.2.1\n"),
          zone(3, "a 300 A 192.0.2.1\na 300 A 192.0.2.2\n"),
          zone(4, "a 60 A 192.0.2.1\na 60 A 192.0.2.2\n"), "");
    check(zone(1, "a 300 A 192.0.2.1\n"), zone(2, "a 60 A 192.0.2.1\n"),
          zone(3, "a 900 A 192.0.2.1\n"), zone(4, "a 60 A 192.0.2.1\n"), "a.example. A\n");
    /* Changed by the update alone: it stays, for what the file adds as well. */
    check(zone(1, "a 300 A 192.0.2.1\n"), zone(2, "a 300 A 192.0.2.1\na 300 A 192.0.2.2\n"),
          zone(3, "a 900 A 192.0.2.1\n"), zone(4, "a 900 A 192.0.2.1\na 900 A 192.0.2.2\n"), "");
}

static void alias_changed_by_both_is_the_file_s(void **state)
{
    (void)state;
    check(zone(1, "a 300 CNAME x\n"), zone(2, "a 300 CNAME y\n"), zone(3, "a 300 CNAME z\n"),
          zone(4, "a 300 CNAME y\n"), "a.example. CNAME\n");
    check(zone(1, "a 300 CNAME x\n"), zone(2, ""), zone(3, "a 300 CNAME z\n"), zone(4, ""),
          "a.example. CNAME\n");
    check(zone(1, "a 300 CNAME x\n"), zone(2, "a 300 CNAME y\n"), zone(3, "a 300 CNAME x\n"),
          zone(4, "a 300 CNAME y\n"), "");
}

static void alias_of_the_file_takes_the_place_of_data(void **state)
{
    (void)state;
    check(zone(1, ""), zone(2, "a 300 CNAME x\n"), zone(3, "a 300 A 192.0.2.1\na 300 TXT t\n"),
          zone(4, "a 300 CNAME x\n"), "a.example. A\na.example. TXT\n");
    check(zone(1, "a 300 A 192.0.2.1\n"), zone(2, "a 300 CNAME x\n"),
          zone(3, "a 300 A 192.0.2.1\n"), zone(4, "a 300 CNAME x\n"), "");
}

static void data_of_the_file_takes_the_place_of_an_alias(void **state)
{
    (void)state;
    check(zone(1, ""), zone(2, "a 300 A 192.0.2.1\n"), zone(3, "a 300 CNAME x\n"),
          zone(4, "a 300 A 192.0.2.1\n"), "a.example. CNAME\n");
}

static void name_servers_never_run_out(void **state)
{
    (void)state;
    check(zone(1, "@ 300 NS ns1\n@ 300 NS ns2\n"), zone(2, "@ 300 NS ns2\n"),
          zone(3, "@ 300 NS ns1\n"), zone(4, "@ 300 NS ns2\n"), "example. NS\n");
}

static void values_of_the_soa_are_merged(void **state)
{
    (void)state;
    static const char *const soas[] = {
        "@ 300 SOA ns1 host 1 2 3 4 5\n@ 300 NS ns1\n",
        "@ 300 SOA ns1 host 2 9 3 4 5\n@ 300 NS ns1\n",
        "@ 300 SOA ns1 host 3 2 3 4 5\n@ 300 NS ns1\nb 300 A 192.0.2.1\n",
    };
    struct zone_version *versions[3];
    struct delta *delta = NULL;
    struct record soa;
    struct merge_options options = {0};
    for (unsigned i = 0; i < 3; i++) {
        versions[i] = version_from_text("example.", soas[i]);
    }
    assert_int_equal(merge_file(versions[0], versions[1], versions[2], &options, &delta, NULL), OK);
    delta_get_soa(delta, false, &soa);
    assert_int_equal(delta_count(delta), 2);
    assert_int_equal(soa_read(soa.rdata).refresh_s, 9);
    assert_int_equal(soa_read(soa.rdata).serial.value, 4);
    delta_free(delta);
    for (unsigned i = 0; i < 3; i++) {
        zone_version_unref(versions[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_of_both_sides_live_together),
        cmocka_unit_test(records_of_one_set_are_independent),
        cmocka_unit_test(serial_of_the_author_is_used_when_ahead),
        cmocka_unit_test(serial_that_was_forgotten_is_advanced),
        cmocka_unit_test(serial_follows_the_method),
        cmocka_unit_test(nothing_new_is_no_change),
        cmocka_unit_test(ttl_of_the_file_wins),
        cmocka_unit_test(alias_changed_by_both_is_the_file_s),
        cmocka_unit_test(alias_of_the_file_takes_the_place_of_data),
        cmocka_unit_test(data_of_the_file_takes_the_place_of_an_alias),
        cmocka_unit_test(name_servers_never_run_out),
        cmocka_unit_test(values_of_the_soa_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
