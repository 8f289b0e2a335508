/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One datagram with a few lines to the socket that NOTIFY_SOCKET names: a path, or "@" and a name
 * in the abstract space. The protocol is that simple and promised to stay, so no library is needed.
 * What cannot be told is not: the service manager will see that for itself.
 */
#include "process/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static void tell(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path == NULL ? 0 : strlen(path);
    if (size < 2 || size >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
        close(fd);
    }
}

void service_ready(const char *status)
{
    char lines[200];
    snprintf(lines, sizeof(lines), "READY=1\nSTATUS=%s\nMAINPID=%d\n", status, (int)getpid());
    tell(lines);
}

void service_reloading(void)
{
    char lines[100];
    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld\n",
             (long long)(clock_now().ns / 1000));
    tell(lines);
}

void service_stopping(void)
{
    tell("STOPPING=1\n");
}
