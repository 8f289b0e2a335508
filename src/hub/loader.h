/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few threads for work that takes long and may wait for the disk: zone files, copies, restores.
 * Jobs run in the order they came, several at a time, at a lower priority than answering.
 */
#ifndef HUB_LOADER_H
#define HUB_LOADER_H

#include "base/error.h"

struct loader;

MUST_CHECK enum result loader_new(unsigned threads, struct loader **out, struct error *err);
/* Any thread. The job is run exactly once, unless loader_free comes before it: then `drop` (may be
 * NULL) gets the context. */
void loader_submit(struct loader *loader, void (*run)(void *context), void (*drop)(void *context),
                   void *context);
/* How many jobs can run at once. */
unsigned loader_thread_count(const struct loader *loader);
/* Waits for running jobs, drops waiting ones. NULL is fine. */
void loader_free(struct loader *loader);

#endif
