/* SPDX-License-Identifier: BSD-3-Clause */
/* The server as a whole: start, run until told to stop, end. Once per process (signals). */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "hub/server.h"

/* Runs until SIGTERM or SIGINT. The exit status of the process: 0 after a clean end, 1 where it
 * could not start (the reason has been logged or written to standard error). */
int server_run(const struct server_options *options);

enum reload_what {
    RELOAD_ALL,           /* the configuration, and zone files that changed */
    RELOAD_CONFIGURATION, /* ... and only the files of zones that are new */
};

/*
 * Main thread: reads configuration and zone files again; `why` is the log's phrase. OK: the
 * configuration is taken, and `loaded` is called in the main thread when all zones have been looked
 * at, server_log_reloaded says so. Otherwise nothing changed, and the log has the reason.
 */
MUST_CHECK enum result server_reload(struct server *server, enum reload_what what, const char *why,
                                     void (*loaded)(void *context), void *context,
                                     struct error *err);
void server_log_reloaded(struct server *server);
/* Any thread: questions are logged or not, until the configuration says otherwise anew. The log
 * tells. */
void server_switch_query_log(struct server *server, bool on, const char *asked_by);
/* Any thread: the server ends in order. */
void server_stop(struct server *server);

#endif
