/* SPDX-License-Identifier: BSD-3-Clause */
/* The findings of one load: gathered while reading, handed on in the order of the text. */
#ifndef CONF_FINDINGS_IMPL_H
#define CONF_FINDINGS_IMPL_H

#include "base/error.h"
#include "base/memory.h"
#include "conf/report.h"

enum { FINDINGS_MAX = 2000 }; /* kept; more are only counted */

struct findings {
    struct arena *names; /* borrowed: file names outlive the findings */
    struct arena arena;
    struct noted *noted;
    unsigned count, capacity;
    unsigned errors;    /* all of them, also those not kept */
    unsigned left_out;  /* errors not kept */
    const char **files; /* in the order opened; what the findings are sorted by */
    unsigned file_count, file_capacity;
};

void findings_init(struct findings *findings, struct arena *names);
void findings_deinit(struct findings *findings);
/* The name is copied to `names` and returned; NULL (the defaults) stays NULL. */
const char *findings_add_file(struct findings *findings, const char *name);
void findings_note(struct findings *findings, enum conf_severity severity, struct conf_where where,
                   const char *format, ...) PRINTF_LIKE(4, 5);
/* Hands on what was noted, the first `errors_max` errors of it, and a last one that counts the
 * others. The first error goes into `err` too. Returns whether there were errors. */
bool findings_send(struct findings *findings, unsigned errors_max, conf_report *report,
                   void *context, struct error *err);

/* Foreign text for a message: at most 60 octets, nothing unprintable. Returns `out`. */
enum { QUOTED_TEXT_SIZE = 80 };
const char *quoted_text(const char *text, char out[QUOTED_TEXT_SIZE]);

#endif
