/* SPDX-License-Identifier: BSD-3-Clause */
/* Our levels, from debug up, as the system's priorities. */
#include "logging/syslog_sink.h"

#include <syslog.h>

void syslog_sink_write(int facility, int level, const char *line, int size)
{
    static const int priorities[] = {LOG_DEBUG,   LOG_INFO, LOG_NOTICE,
                                     LOG_WARNING, LOG_ERR,  LOG_CRIT};
    syslog(facility | priorities[level], "%.*s", size, line);
}
