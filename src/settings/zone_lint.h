/* SPDX-License-Identifier: BSD-3-Clause */
/* What only a zone's content shows of the configuration's mistakes (the others: conf_lint). */
#ifndef SETTINGS_ZONE_LINT_H
#define SETTINGS_ZONE_LINT_H

#include "conf/report.h"
#include "settings/settings.h"
#include "zone/version.h"

/*
 * Looks at the SOA and the NS set of a primary zone beside what its settings say of hiding,
 * transferring, notifying; `zone` is its statement. Notices as conf_lint gives them. Any thread. O(name servers x addresses).
 */
void zone_lint(const struct zone_settings *settings, const struct conf_zone *zone,
               const struct zone_version *version, conf_report *report, void *context);

#endif
