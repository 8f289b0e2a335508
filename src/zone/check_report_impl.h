/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about whole zones, gathered until their lines are known. */
#ifndef ZONE_CHECK_REPORT_IMPL_H
#define ZONE_CHECK_REPORT_IMPL_H

#include "base/memory.h"
#include "zone/check.h"

enum { CHECK_REPORT_MAX = 10000 }; /* findings kept; the others are counted */

/* Zeroed to start with. One thread. */
struct check_report {
    const uint8_t *name; /* the zone's, borrowed */
    uint16_t class;
    struct check_noted *noted;
    size_t count;
    size_t room;
    uint64_t left_out;
    size_t first_error; /* 1 + index of the first with FINDING_ERROR; 0: none */
    struct arena arena; /* texts and file names */
};

void check_report_init(struct check_report *report, const uint8_t *name, uint16_t class);
void check_report_deinit(struct check_report *report);
/* About `record` (its rdata with size 0: about any of that owner and type), whose parts stay
 * borrowed until deinit; NULL: about the zone as a whole. An error is kept whatever the bound. */
void check_report_note(struct check_report *report, enum finding_code code,
                       enum finding_severity severity, const struct record *record,
                       const char *format, ...) PRINTF_LIKE(5, 6);
/* Hands everything on, in the order noted; with a file, after reading it again for the lines.
 * ERR_FORMAT with the first error, where there is one. `to` may be NULL. */
MUST_CHECK enum result check_report_send(struct check_report *report, const char *file,
                                         const char *directory, finding_report *to, void *context,
                                         struct error *err);

#endif
