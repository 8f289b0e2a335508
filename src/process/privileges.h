/* SPDX-License-Identifier: BSD-3-Clause */
/* What the process may still do once its sockets are open: as little as it needs. */
#ifndef PROCESS_PRIVILEGES_H
#define PROCESS_PRIVILEGES_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Main thread, once, when everything is open that needs privileges.
 * user  NULL: stays who it is; else the process becomes that user, where it is root
 * ERR_NOT_FOUND  there is no such user
 * ERR_IO         the system refuses a step; nothing may go on then
 */
MUST_CHECK enum result privileges_drop(const char *user, struct error *err);

/* First thing of a thread that starts before privileges_drop: none of its own are needed. */
void privileges_limit_thread(void);

/* First thing of a thread that starts later: the right to bind low ports is the main thread's. */
void privileges_limit_worker(void);

/* Main thread: takes up that right, and puts it down. */
void privileges_bind(bool may);

#endif
