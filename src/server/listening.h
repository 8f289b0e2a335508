/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workers that answer, and the sockets they answer on: a set of its own for each worker. The
 * sockets follow the configuration and the interfaces while the workers run.
 */
#ifndef SERVER_LISTENING_H
#define SERVER_LISTENING_H

#include "settings/settings.h"

struct server;
struct listening;

/* No workers yet. Never NULL. */
struct listening *listening_new(struct server *server);
/* Before privileges are dropped: a socket for every address, or an error that names the one that
 * cannot be had. */
MUST_CHECK enum result listening_open(struct listening *listening, const struct settings *settings,
                                      struct error *err);
/* Starts the workers, and the watch over the interfaces in the main loop. */
MUST_CHECK enum result listening_start(struct listening *listening, struct error *err);
/* Opens what the settings have and is not open, closes what they no longer have, and says so; what
 * cannot be opened is tried again with the next look at the interfaces. Connections that are there
 * stay. Main thread. */
void listening_follow(struct listening *listening, const struct settings *settings);
/* Ends the workers. NULL is fine. */
void listening_free(struct listening *listening);

#endif
