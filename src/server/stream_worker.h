/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream worker: one thread that accepts TCP and TLS connections, answers questions on them and
 * sends transfers. Apart from the answer workers, so that no transfer delays a UDP answer.
 */
#ifndef SERVER_STREAM_WORKER_H
#define SERVER_STREAM_WORKER_H

#include "base/address.h"
#include "base/error.h"
#include "base/slice.h"

struct server;
struct settings;
struct special_listen;
struct stream_worker;

/* Without listeners; the thread does not run yet. `number` is whose answer_counts it has. */
MUST_CHECK enum result stream_worker_new(struct server *server, unsigned number,
                                         struct stream_worker **out, struct error *err);
/*
 * A listener for one more address. Main thread, also while the worker runs. ERR_IO names it.
 * settings  borrowed for the call
 * place     borrowed for the call
 */
MUST_CHECK enum result stream_worker_open(struct stream_worker *worker,
                                          const struct settings *settings,
                                          const struct special_listen *place, struct error *err);
/* Likewise; its connections stay. Harmless where it has no listener for that address. */
void stream_worker_close(struct stream_worker *worker, const struct address *address);
MUST_CHECK enum result stream_worker_start(struct stream_worker *worker, struct error *err);
/* Who looks for room where this one has none for a newcomer; a ring. Before any of them starts. */
void stream_worker_set_next(struct stream_worker *worker, struct stream_worker *next);
/* Ends the thread: of all that are in a ring before one of them is freed. NULL is fine. */
void stream_worker_stop(struct stream_worker *worker);
/* Stops it and closes everything. NULL is fine. */
void stream_worker_free(struct stream_worker *worker);

#endif
