/* SPDX-License-Identifier: BSD-3-Clause */
/* `lockstep check-conf --lint`: what is legal and probably a mistake. */
#ifndef CMD_LINT_COMMAND_H
#define CMD_LINT_COMMAND_H

#include "conf/conf.h"
#include "zone/finding.h"

/* Takes the configuration. Prints notices by `report`, findings of zone files by `zone_report`;
 * returns the exit status: 1 where a zone file does not load. */
int lint_conf(struct conf *conf, conf_report *report, finding_report *zone_report, void *context);

#endif
