/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is to say about a configuration: how bad, where, and a sentence. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include "base/attr.h"

/* A place in a configuration file. `file` lives as long as the struct conf it belongs to. */
struct conf_where {
    const char *file; /* NULL: none (a default) */
    uint32_t line;    /* the first is 1 */
    uint32_t column;  /* in octets; the first is 1 */
};

enum conf_severity { CONF_ERROR, CONF_WARNING, CONF_NOTICE };

struct conf_finding {
    enum conf_severity severity;
    struct conf_where where; /* line 0: about the file as a whole */
    const char *text;        /* one sentence without a final stop; no secrets */
};

/* Called once a finding, by file (in the order they were opened), line and column; everything is
 * borrowed for the call. */
typedef void conf_report(void *context, const struct conf_finding *finding);

const char *conf_severity_name(enum conf_severity severity); /* "error", "warning", "notice" */
/* "file:line:column: severity: text", cut to `size`. Returns out. */
const char *conf_finding_format(const struct conf_finding *finding, char *out, size_t size);

#endif
