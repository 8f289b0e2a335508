/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control sockets and the thread that answers on them (docs/control.md tells the protocol).
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "base/error.h"

struct control;
struct server;

/*
 * Opens the sockets that the settings ask for, while the process may still do so; they are given to
 * the user and group that the server will run as (those of now where it stays). One that is named
 * in the configuration must come up; the default one is done without, with a warning.
 */
MUST_CHECK enum result control_open(struct server *server, const char *user, struct control **out,
                                    struct error *err);
/* After everything that commands use has been made. */
MUST_CHECK enum result control_start(struct control *control, struct error *err);
/* Ends the thread, before anything that commands use goes. Connections stay open until
 * control_free, so that who waits for the end of the server sees it. NULL is fine. */
void control_stop(struct control *control);
/* After all other threads have ended and their loops are freed. NULL is fine. */
void control_free(struct control *control);

#endif
