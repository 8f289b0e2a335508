/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells when addresses of this machine come or go. */
#ifndef NET_INTERFACE_WATCH_H
#define NET_INTERFACE_WATCH_H

#include "base/error.h"
#include "net/loop.h"

struct interface_watch;

/*
 * changed  called in the loop's thread, once for as many changes as were waiting
 * ERR_IO   the system does not tell; *out is NULL then
 */
MUST_CHECK enum result interface_watch_new(struct loop *loop, void (*changed)(void *context),
                                           void *context, struct interface_watch **out,
                                           struct error *err);
/* In the loop's thread, or when the loop does not run. NULL is fine. */
void interface_watch_free(struct interface_watch *watch);

#endif
