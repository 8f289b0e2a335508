/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `querylog`: a line for each question, in the category `queries` and in BIND's form. The threads
 * that answer only copy what a line needs into a ring of their own; one thread makes the lines.
 * Off, it costs the worker one look at a flag for each batch.
 */
#ifndef SERVER_QUERY_LOG_H
#define SERVER_QUERY_LOG_H

#include <stdatomic.h>

#include "answer/answer.h"
#include "logging/logging.h"

struct query_log;
struct server;

/* Off. `logging` is borrowed and outlives it; `writers` threads may add. */
struct query_log *query_log_new(struct logging *logging, unsigned writers);
/* Nobody adds any more. What was added is logged, within a second. NULL is fine. */
void query_log_free(struct query_log *log);

/* Any thread. The first time it is switched on memory is taken and a thread started; ERR_IO where
 * that cannot be. */
MUST_CHECK enum result query_log_switch(struct query_log *log, bool on, struct error *err);
bool query_log_is_on(const struct query_log *log);
/* Questions that were not logged since the start, because they came faster than lines are written.
 */
uint64_t query_log_lost(struct query_log *log);

/*
 * Those of a batch that ask something and were not refused for their signature. `writer` is the
 * thread's own number, below `writers`. Never waits: what finds no room is counted instead.
 */
void query_log_add(struct query_log *log, unsigned writer, const struct answer_query *queries,
                   size_t count);

/* The same for the server's own, at the word of `asked_by`; the log tells. Any thread. */
void query_log_turn(struct server *server, bool on, const char *asked_by);

#endif
