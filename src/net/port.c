/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SO_REUSEPORT lets several sockets of one user share a port, which is what threads want, and what
 * makes a second server that is started by mistake take half of the first one's queries without a
 * word. So the address is bound once without it and let go. What stands between that and the
 * real sockets is a moment, and the mistake is a human one. For TCP, SO_REUSEADDR stays:
 * connections of the last run (TIME_WAIT) do not count, a socket that listens does.
 */
#include "net/port.h"

#include <sys/socket.h>

#include "net/socket_impl.h"

enum result port_check_free(const struct address *local, struct error *err)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int fd;
        enum result result = socket_new(local, types[i], &fd, err);
        if (result != OK) {
            return result;
        }
        if (types[i] == SOCK_STREAM) {
            socket_wish(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        }
        result = socket_bind(fd, local, err);
        socket_close(&fd);
        if (result != OK) {
            return result;
        }
    }
    return OK;
}
