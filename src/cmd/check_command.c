/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks as named-checkconf and named-checkzone do them, with the very code that the server runs:
 * what passes here is what a reload takes. Findings go to standard output, one a line.
 */
#include "cmd/check_command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lint_command.h"
#include "conf/conf.h"
#include "zone/check.h"
#include "zone/master.h"
#include "zone/zonemd.h"

/* ---- check-conf ---- */

struct conf_tally {
    unsigned errors;
    bool quiet; /* errors only */
};

static void print_conf_finding(void *context, const struct conf_finding *finding)
{
    struct conf_tally *tally = context;
    char line[1400];
    tally->errors += finding->severity == CONF_ERROR;
    if (!tally->quiet || finding->severity == CONF_ERROR) {
        printf("%s\n", conf_finding_format(finding, line, sizeof(line)));
    }
}

static int print_conf(const char *path)
{
    struct text text;
    text_init(&text, 0);
    struct conf_tally tally = {.quiet = true};
    struct error err = {0};
    enum result result = conf_print(path, &text, print_conf_finding, &tally, &err);
    if (result == OK) {
        fputs(text_str(&text), stdout);
    } else if (tally.errors == 0) {
        char line[1024];
        fprintf(stderr, "%s\n", error_format(&err, line, sizeof(line)));
    }
    text_deinit(&text);
    return result == OK ? 0 : 1;
}

static void print_zone_finding(void *context, const struct finding *finding);

/* As the server's guard takes it. */
static enum result check_zonemd(const struct zone_version *version, int64_t mode, struct error *err)
{
    struct error why = {0};
    if (mode == CONF_ZONEMD_NO) {
        return OK;
    }
    enum zonemd_verdict verdict = zonemd_verify(version, &why);
    if (verdict == ZONEMD_WRONG ||
        (verdict == ZONEMD_UNSUPPORTED && mode == CONF_ZONEMD_REQUIRED)) {
        return error_set(err, ERR_FORMAT, "%s", why.text);
    }
    if (verdict == ZONEMD_ABSENT && mode == CONF_ZONEMD_REQUIRED) {
        return error_set(err, ERR_FORMAT,
                         "it has no ZONEMD record, and zonemd-check says `required`");
    }
    return OK;
}

/* Loads every primary zone of the configuration, as named-checkconf -z. */
static int check_zones(const struct conf *conf)
{
    int status = 0;
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        const struct conf_zone *zone = &conf->zones[i];
        if (zone->type != CONF_ZONE_PRIMARY || zone->file == NULL) {
            continue;
        }
        struct zone_load_options options = {.path = zone->file,
                                            .directory = conf_text(conf, NULL, CONF_DIRECTORY),
                                            .name = zone->wire,
                                            .class = zone->class,
                                            .check = check_options_default(true)};
        struct zone_version *version = NULL;
        struct error err = {0};
        char line[1024];
        if (zone_load_file(&options, NULL, &version, NULL, print_zone_finding, NULL, &err) == OK &&
            check_zonemd(version, conf_number(conf, zone, CONF_ZONEMD_CHECK), &err) == OK) {
            printf("zone %s/IN: loaded serial %u\n", zone->name,
                   zone_version_serial(version).value);
        } else {
            printf("zone %s/IN: not loaded: %s\n", zone->name,
                   error_format(&err, line, sizeof(line)));
            status = 1;
        }
        zone_version_unref(version);
    }
    return status;
}

int check_conf_command(int argc, char **argv)
{
    static const struct option longs[] = {{"lint", no_argument, NULL, 'l'}, {0}};
    bool print = false, zones = false, lint = false;
    int flag;
    while ((flag = getopt_long(argc, argv, "lpz", longs, NULL)) != -1) {
        if (flag == 'l') {
            lint = true;
        } else if (flag == 'p') {
            print = true;
        } else if (flag == 'z') {
            zones = true;
        } else {
            fprintf(stderr, "usage: lockstep check-conf [-l | --lint] [-p] [-z] [FILE]\n");
            return 2;
        }
    }
    const char *path = optind < argc ? argv[optind] : "/etc/lockstep/named.conf";
    if (print) {
        return print_conf(path);
    }
    struct conf_tally tally = {0};
    struct conf *conf;
    struct error err = {0};
    if (conf_load(path, print_conf_finding, &tally, &conf, &err) != OK) {
        char line[1024];
        if (tally.errors == 0) {
            fprintf(stderr, "%s\n", error_format(&err, line, sizeof(line)));
        }
        return 1;
    }
    if (lint) {
        return lint_conf(conf, print_conf_finding, print_zone_finding, &tally);
    }
    int status = zones ? check_zones(conf) : 0;
    conf_free(conf);
    return status;
}

/* ---- check-zone ---- */

static void print_zone_finding(void *context, const struct finding *finding)
{
    static const char *const severities[] = {"info", "warning", "error"};
    (void)context;
    if (finding->file != NULL && finding->column != 0) {
        printf("%s:%u:%u: ", finding->file, finding->line, finding->column);
    } else if (finding->file != NULL && finding->line != 0) {
        printf("%s:%u: ", finding->file, finding->line);
    }
    printf("%s: %s: %s\n", severities[finding->severity], finding_code_name(finding->code),
           finding->text);
}

static int write_zone(const struct zone_version *version, const char *path)
{
    struct error err = {0};
    char line[1024];
    if (master_write_file(version, MASTER_RELATIVE, path, &err) != OK) {
        fprintf(stderr, "%s\n", error_format(&err, line, sizeof(line)));
        return 1;
    }
    return 0;
}

int check_zone_command(int argc, char **argv)
{
    const char *output = NULL;
    bool secondary = false;
    int flag;
    while ((flag = getopt(argc, argv, "o:s")) != -1) {
        if (flag == 'o') {
            output = optarg;
        } else if (flag == 's') {
            secondary = true;
        } else {
            optind = argc;
        }
    }
    if (argc - optind != 2) {
        fprintf(stderr, "usage: lockstep check-zone [-s] [-o FILE] ZONE FILE\n"
                        "  -s  with a secondary's rules;  -o  write the zone in canonical order\n");
        return 2;
    }
    struct name name;
    struct error err = {0};
    char line[1024];
    if (name_parse_str(argv[optind], &name, &err) != OK) {
        fprintf(stderr, "lockstep: %s\n", error_format(&err, line, sizeof(line)));
        return 2;
    }
    struct zone_load_options options = {.path = argv[optind + 1],
                                        .name = name.wire,
                                        .class = CLASS_IN,
                                        .check = check_options_default(!secondary)};
    struct zone_version *version = NULL;
    if (zone_load_file(&options, NULL, &version, NULL, print_zone_finding, NULL, &err) != OK ||
        check_zonemd(version, CONF_ZONEMD_YES, &err) != OK) {
        printf("zone %s/IN: not loaded due to errors: %s\n", argv[optind],
               error_format(&err, line, sizeof(line)));
        zone_version_unref(version);
        return 1;
    }
    printf("zone %s/IN: loaded serial %u (%llu records, %llu names)\nOK\n", argv[optind],
           zone_version_serial(version).value,
           (unsigned long long)zone_version_record_count(version),
           (unsigned long long)zone_version_owner_count(version));
    int status = output == NULL ? 0 : write_zone(version, output);
    zone_version_unref(version);
    return status;
}
