/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP socket that listens and gives its connections away. Opened by whoever may bind (before
 * privileges are dropped), then started in the loop of the thread that serves it.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/address.h"
#include "net/loop.h"

struct listener_options {
    struct address local; /* port 0: one the kernel chooses, to be found in listener->local */
    bool reuse_port;      /* several listeners share the address, one a thread */
    int backlog;          /* 0: 511 */
    /* The kernel's buffers of each connection that comes; 0: as the system has them. */
    int receive_buffer_bytes, send_buffer_bytes;
};

struct listener {
    int fd; /* -1: closed */
    struct address local;
    bool wildcard;
    struct loop *loop; /* NULL: not started */
    struct loop_watch watch;
    struct loop_timer pause;
    void (*accepted)(void *context, int fd, const struct address *peer,
                     const struct address *local);
    void (*failed)(void *context, const struct error *err);
    void *context;
};

/* Bound and listening, not yet served. ERR_IO names the address. */
MUST_CHECK enum result listener_open(const struct listener_options *options, struct listener *out,
                                     struct error *err);

/*
 * Serves it in `loop`; `listener` stays where it is until listener_stop.
 * accepted  takes the descriptor (non-blocking); may stop the listener
 * failed    the process or the system is out of descriptors or memory; accepting goes on after
 *           a tenth of a second. May be NULL.
 */
MUST_CHECK enum result listener_start(struct listener *listener, struct loop *loop,
                                      void (*accepted)(void *context, int fd,
                                                       const struct address *peer,
                                                       const struct address *local),
                                      void (*failed)(void *context, const struct error *err),
                                      void *context, struct error *err);
/* In the loop's thread; harmless where it is not started. Connections that wait stay in the queue.
 */
void listener_stop(struct listener *listener);
/* Stops and closes; safe on a closed one and on {.fd = -1}. */
void listener_close(struct listener *listener);

#endif
