/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of syslog facilities. Apart, since <syslog.h> and base/log.h use the same words. */
#ifndef CONF_FACILITY_IMPL_H
#define CONF_FACILITY_IMPL_H

#include <stdbool.h>

bool facility_parse(const char *word, int *out);
int facility_daemon(void);

#endif
