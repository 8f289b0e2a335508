/* SPDX-License-Identifier: BSD-3-Clause */
/* Into the background, with an exit status that tells whether the server came up. */
#ifndef PROCESS_BACKGROUND_H
#define PROCESS_BACKGROUND_H

#include "base/error.h"

/*
 * Before any thread exists. Goes on in a child that has left the terminal's session, and gives the
 * descriptor for background_ready. The parent never returns: it ends with status 0 once the child
 * is ready, with 1 where the child ends before that. Standard error stays open until then.
 */
MUST_CHECK enum result background_enter(int *out_fd, struct error *err);
/* The server is up: the parent ends well, and the standard descriptors become /dev/null. fd: -1 in
 * the foreground, then nothing happens. */
void background_ready(int fd);

#endif
