/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control sockets and the thread that answers on them (docs/control.md tells the protocol).
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/error.h"

struct control;
struct server;

enum reload_what {
    RELOAD_ALL,           /* the configuration, and zone files that changed */
    RELOAD_CONFIGURATION, /* ... and only the files of zones that are new */
};

/* What concerns the server as a whole, carried out by who put it together. */
struct control_orders {
    /*
     * Main thread: configuration and zone files are read again; `why` is the log's phrase. OK: the configuration is taken, and `loaded` is called in the main thread when all
     * zones have been looked at. Otherwise nothing changed, and the log has the reason.
     */
    enum result (*reload)(struct server *server, enum reload_what what, const char *why,
                          void (*loaded)(void *context), void *context, struct error *err);
    /* Any thread, then: the log and the service manager hear of it. */
    void (*tell_reloaded)(struct server *server);
    /* Any thread: the server ends in order. */
    void (*stop)(struct server *server);
};

/*
 * Opens the sockets that the settings ask for, while the process may still do so; they are given to
 * the user and group that the server will run as (those of now where it stays). One that is named
 * in the configuration must come up; the default one is done without, with a warning.
 * orders  borrowed until control_free
 */
MUST_CHECK enum result control_open(struct server *server, const char *user,
                                    const struct control_orders *orders, struct control **out,
                                    struct error *err);
/* After everything that commands use has been made. */
MUST_CHECK enum result control_start(struct control *control, struct error *err);
/* Ends the thread, before anything that commands use goes. Connections stay open until
 * control_free, so that who waits for the end of the server sees it. NULL is fine. */
void control_stop(struct control *control);
/* After all other threads have ended and their loops are freed. NULL is fine. */
void control_free(struct control *control);

#endif
