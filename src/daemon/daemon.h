/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon: start, run until told to stop, end. Once per process (signals). */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "hub/server.h"

/* Runs until SIGTERM or SIGINT. The exit status of the process: 0 after a clean end, 1 where it
 * could not start (the reason has been logged or written to standard error). */
int daemon_run(const struct server_options *options);

#endif
