/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings as text. The form "file:line:column: severity: text" is that of compilers, so editors
 * find their way to the place. */
#include "conf/report.h"

#include <stdio.h>

const char *conf_severity_name(enum conf_severity severity)
{
    switch (severity) {
    case CONF_ERROR:
        return "error";
    case CONF_WARNING:
        return "warning";
    case CONF_NOTICE:
        return "notice";
    }
    return "unknown";
}

const char *conf_finding_format(const struct conf_finding *finding, char *out, size_t size)
{
    const char *file = finding->where.file != NULL ? finding->where.file : "(built in)";
    const char *severity = conf_severity_name(finding->severity);
    if (finding->where.line == 0) {
        snprintf(out, size, "%s: %s: %s", file, severity, finding->text);
    } else {
        snprintf(out, size, "%s:%u:%u: %s: %s", file, finding->where.line, finding->where.column,
                 severity, finding->text);
    }
    return out;
}
