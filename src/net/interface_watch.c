/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A netlink socket that is a member of the kernel's groups for addresses and links (rtnetlink(7)).
 * What changed is not read out: whoever is told looks at the interfaces anyhow, and messages that
 * were lost for want of room (ENOBUFS) count as a change.
 */
#include "net/interface_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

enum { READS_PER_TURN = 64 };

struct interface_watch {
    struct loop *loop;
    struct loop_watch watch;
    int fd;
    void (*changed)(void *context);
    void *context;
};

static void readable(void *context, unsigned events)
{
    (void)events;
    struct interface_watch *watch = context;
    uint8_t buffer[8192];
    bool is_change = false;
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        ssize_t size = recv(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (size < 0 && errno != ENOBUFS && errno != EINTR) {
            break;
        }
        is_change = true;
    }
    if (is_change) {
        watch->changed(watch->context);
    }
}

enum result interface_watch_new(struct loop *loop, void (*changed)(void *context), void *context,
                                struct interface_watch **out, struct error *err)
{
    *out = NULL;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups =
                                     RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) != 0) {
        enum result result = error_set_os(err, ERR_IO, "cannot watch the interfaces");
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    struct interface_watch *watch = memory_new_zeroed(1, sizeof(*watch));
    watch->loop = loop;
    watch->fd = fd;
    watch->changed = changed;
    watch->context = context;
    enum result result = loop_watch_add(loop, &watch->watch, fd, LOOP_READ, readable, watch, err);
    if (result != OK) {
        close(fd);
        memory_free(watch);
        return result;
    }
    *out = watch;
    return OK;
}

void interface_watch_free(struct interface_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    loop_watch_remove(watch->loop, &watch->watch);
    close(watch->fd);
    memory_free(watch);
}
