/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration's own mistakes, then each primary zone's file loaded as the server would, and
 * looked at beside what the configuration says of it.
 */
#include "cmd/lint_command.h"

#include <stdio.h>

#include "settings/settings.h"
#include "settings/zone_lint.h"
#include "zone/check.h"
#include "zone/zonemd.h"

static void print_zonemd(const char *zone, const struct zone_version *version)
{
    struct error err = {0};
    enum zonemd_verdict verdict = zonemd_verify(version, &err);
    if (verdict == ZONEMD_WRONG || verdict == ZONEMD_UNSUPPORTED) {
        printf("zone %s/IN: %s [zonemd]\n", zone, err.text);
    }
}

static int lint_zone(const struct zone_settings *settings, const struct conf_zone *zone,
                     conf_report *report, finding_report *zone_report, void *context)
{
    struct zone_load_options options = {
        .path = zone->file,
        .directory = settings->settings->directory,
        .name = zone->wire,
        .class = zone->class,
        .check = settings->check,
        .max_records = settings->max_records,
        .max_records_per_type = settings->max_records_per_type,
        .max_types_per_name = settings->max_types_per_name,
    };
    struct zone_version *version = NULL;
    struct error err = {0};
    if (zone_load_file(&options, NULL, &version, NULL, zone_report, context, &err) != OK) {
        char line[1024];
        printf("zone %s/IN: not loaded: %s\n", zone->name, error_format(&err, line, sizeof(line)));
        return 1;
    }
    zone_lint(settings, zone, version, report, context);
    print_zonemd(zone->name, version);
    zone_version_unref(version);
    return 0;
}

int lint_conf(struct conf *conf, conf_report *report, finding_report *zone_report, void *context)
{
    struct settings_input input = {.conf = conf, .default_port = 53, .ipv4 = true, .ipv6 = true};
    struct settings *settings;
    struct error err = {0};
    int status = 0;
    conf_lint(conf, report, context);
    if (settings_new(&input, &settings, &err) != OK) {
        char line[1024];
        fprintf(stderr, "%s\n", error_format(&err, line, sizeof(line)));
        return 1;
    }
    for (size_t i = 0; i < settings->zone_count; i++) {
        const struct conf_zone *zone = &conf->zones[i];
        if (zone->type == CONF_ZONE_PRIMARY && zone->file != NULL &&
            lint_zone(settings->zones[i], zone, report, zone_report, context) != 0) {
            status = 1;
        }
    }
    settings_unref(settings);
    return status;
}
