/* SPDX-License-Identifier: BSD-3-Clause */
/* What `check-conf --lint` says, once at start in the log, where who never runs that finds it. */
#ifndef DAEMON_START_LINT_H
#define DAEMON_START_LINT_H

#include "conf/conf.h"

struct server;

/* Of the configuration; then, when they are loaded, of the zones beside it. Main thread. */
void start_lint_configuration(struct server *server, const struct conf *conf);
void start_lint_zones(struct server *server);

#endif
