/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings of zone_check, gathered until their lines are known. */
#ifndef ZONE_CHECK_REPORT_IMPL_H
#define ZONE_CHECK_REPORT_IMPL_H

#include "base/memory.h"
#include "zone/check.h"

enum { CHECK_REPORT_MAX = 10000 }; /* findings kept; the others are counted */

/* Zeroed to start with. One thread. */
struct check_report {
    const struct zone_version *version; /* borrowed, and its records with it */
    struct check_noted *noted;
    size_t count;
    size_t room;
    uint64_t left_out;
    bool has_error;
    char first_error[512];
    struct arena arena; /* texts and file names */
};

void check_report_init(struct check_report *report, const struct zone_version *version);
void check_report_deinit(struct check_report *report);
/* About `record` (its rdata with size 0: about the first record of that owner and type), which is
 * borrowed from the version; NULL: about the zone as a whole. */
void check_report_note(struct check_report *report, enum finding_code code,
                       enum finding_severity severity, const struct record *record,
                       const char *format, ...) PRINTF_LIKE(5, 6);
/* Hands everything on, in the order noted; with a file, after reading it again for the lines. */
void check_report_send(struct check_report *report, const char *file, const char *directory,
                       finding_report *to, void *context);

#endif
