/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Start scripts look at the exit status of the command they ran, so the process that was started
 * waits until its child listens (as named's does); daemon(3) would end it well before anything was
 * tried. The pipe says it: an octet is good news, its end without one is not.
 */
#include "process/background.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static _Noreturn void wait_for_child(int fd)
{
    char octet;
    ssize_t got;
    do {
        got = read(fd, &octet, 1);
    } while (got < 0 && errno == EINTR);
    _exit(got == 1 ? 0 : 1);
}

enum result background_enter(int *out_fd, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_os(err, ERR_IO, "cannot make a pipe");
    }
    pid_t child = fork();
    if (child < 0) {
        error_set_os(err, ERR_IO, "cannot go into the background");
        close(ends[0]);
        close(ends[1]);
        return ERR_IO;
    }
    if (child > 0) {
        close(ends[1]);
        wait_for_child(ends[0]);
    }
    close(ends[0]);
    (void)setsid();
    *out_fd = ends[1];
    return OK;
}

void background_ready(int fd)
{
    if (fd < 0) {
        return;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i < 3; i++) {
        (void)dup2(null, i);
    }
    if (null > 2) {
        close(null);
    }
    /* a parent that was killed meanwhile does not matter */
    ssize_t ignored = write(fd, "", 1);
    (void)ignored;
    close(fd);
}
