/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accepting TCP connections, a bounded number at a time so that a flood of them leaves the loop's
 * other work its turn (the watch is level-triggered: the rest comes next turn).
 *
 * Running out of descriptors is the one error that must not be answered by trying again at once:
 * the connection stays in the queue and the socket stays readable, so the loop would spin. The
 * listener then looks away for a moment. Errors of a single connection that died in the queue
 * (accept(2) lists them) are nobody's concern.
 */
#include "net/listener.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/socket_impl.h"

enum { ACCEPT_BATCH = 64, PAUSE_MS = 100, BACKLOG = 511 };

enum result listener_open(const struct listener_options *options, struct listener *out,
                          struct error *err)
{
    int fd;
    enum result result = socket_new(&options->local, SOCK_STREAM, &fd, err);
    if (result != OK) {
        return result;
    }
    int on = 1;
    /* A restart must not wait for connections of the last run (TIME_WAIT). */
    socket_wish(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    /* Connections inherit them; the window is agreed on before anybody could set their own. */
    socket_wish_buffers(fd, options->receive_buffer_bytes, options->send_buffer_bytes);
    if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
        result = error_set_os(err, ERR_IO, "cannot share a TCP port between threads");
    }
    if (result == OK) {
        result = socket_bind(fd, &options->local, err);
    }
    if (result == OK && listen(fd, options->backlog > 0 ? options->backlog : BACKLOG) != 0) {
        char text[ADDRESS_TEXT_SIZE];
        result = error_set_os(err, ERR_IO, "cannot listen on %s",
                              address_format(&options->local, true, text));
    }
    if (result != OK) {
        socket_close(&fd);
        return result;
    }
    *out = (struct listener){
        .fd = fd,
        .local = socket_local(fd),
        .wildcard = address_is_wildcard(&options->local),
    };
    return OK;
}

static bool out_of_resources(int os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE || os_errno == ENOBUFS || os_errno == ENOMEM;
}

static void pause_accepting(struct listener *l)
{
    struct error err = {0};
    error_set_os(&err, ERR_IO, "cannot accept a connection on TCP port %u",
                 (unsigned)l->local.port);
    loop_watch_set(l->loop, &l->watch, 0);
    loop_timer_set(l->loop, &l->pause, instant_add_ms(loop_now(l->loop), PAUSE_MS));
    if (l->failed != NULL) {
        l->failed(l->context, &err);
    }
}

static void accept_ready(void *context, unsigned events)
{
    struct listener *l = context;
    (void)events;
    for (unsigned left = ACCEPT_BATCH; left > 0; left--) {
        struct sockaddr_storage storage;
        socklen_t size = sizeof(storage);
        int fd = accept4(l->fd, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                return;
            }
            if (out_of_resources(errno)) {
                pause_accepting(l);
                return;
            }
            continue;
        }
        struct address peer;
        if (!address_from_sockaddr((struct sockaddr *)&storage, &peer)) {
            socket_close(&fd);
            continue;
        }
        struct address local = l->wildcard ? socket_local(fd) : l->local;
        l->accepted(l->context, fd, &peer, &local);
        if (l->loop == NULL) {
            return;
        }
    }
}

static void pause_over(void *context)
{
    struct listener *l = context;
    loop_watch_set(l->loop, &l->watch, LOOP_READ);
}

enum result listener_start(struct listener *listener, struct loop *loop,
                           void (*accepted)(void *context, int fd, const struct address *peer,
                                            const struct address *local),
                           void (*failed)(void *context, const struct error *err), void *context,
                           struct error *err)
{
    REQUIRE(listener->fd >= 0 && listener->loop == NULL);
    listener->accepted = accepted;
    listener->failed = failed;
    listener->context = context;
    loop_timer_init(&listener->pause, pause_over, listener);
    enum result result = loop_watch_add(loop, &listener->watch, listener->fd, LOOP_READ,
                                        accept_ready, listener, err);
    if (result == OK) {
        listener->loop = loop;
    }
    return result;
}

void listener_stop(struct listener *listener)
{
    if (listener->loop != NULL) {
        loop_watch_remove(listener->loop, &listener->watch);
        loop_timer_stop(listener->loop, &listener->pause);
        listener->loop = NULL;
    }
}

void listener_close(struct listener *listener)
{
    listener_stop(listener);
    socket_close(&listener->fd);
}
