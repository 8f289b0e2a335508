/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all sockets here have in common: they never block, do not survive exec, and an IPv6 one
 * takes no IPv4 (IPV6_V6ONLY, RFC 3493 5.3), since listen-on and listen-on-v6 are configured apart
 * and both wildcards are to be bound.
 */
#include "net/socket_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum result socket_new(const struct address *address, int type, int *out_fd, struct error *err)
{
    int family = address->family == 6 ? AF_INET6 : AF_INET;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot make a socket");
    }
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) {
        enum result result = error_set_os(err, ERR_IO, "cannot keep an IPv6 socket to IPv6");
        close(fd);
        return result;
    }
    *out_fd = fd;
    return OK;
}

enum result socket_bind(int fd, const struct address *local, struct error *err)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(local, &storage);
    if (bind(fd, (struct sockaddr *)&storage, size) != 0) {
        char text[ADDRESS_TEXT_SIZE];
        return error_set_os(err, ERR_IO, "cannot bind to %s", address_format(local, true, text));
    }
    return OK;
}

struct address socket_local(int fd)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof(storage);
    struct address address = {0};
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0 ||
        !address_from_sockaddr((struct sockaddr *)&storage, &address)) {
        return (struct address){0};
    }
    return address;
}

void socket_wish(int fd, int level, int option, int value)
{
    int ignored = setsockopt(fd, level, option, &value, sizeof(value));
    (void)ignored;
}

void socket_wish_buffers(int fd, int receive_bytes, int send_bytes)
{
    if (receive_bytes > 0) {
        socket_wish(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes);
        socket_wish(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes);
    }
    if (send_bytes > 0) {
        socket_wish(fd, SOL_SOCKET, SO_SNDBUF, send_bytes);
        socket_wish(fd, SOL_SOCKET, SO_SNDBUFFORCE, send_bytes);
    }
}

void socket_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}
