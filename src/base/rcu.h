/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read-copy-update: readers that never wait and never write shared memory, writers that free what
 * they replaced once no reader can still see it.
 *
 * Two kinds of reader. A worker that reads all the time calls rcu_thread_start() once and
 * rcu_quiescent() each loop turn: whatever it loaded stays valid from one such call to the next,
 * and rcu_offline()/rcu_online() stand around everything that may sleep. Any other thread puts
 * rcu_read_begin()/rcu_read_end() around its reads and need not be registered.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include "base/attr.h"

/* Registers the calling thread, online. Not twice. */
void rcu_thread_start(void);
/* The thread's last call here; it may start again later. */
void rcu_thread_stop(void);

/* "I hold nothing that I loaded before": once a batch. Only in a started, online thread. */
void rcu_quiescent(void);
/* From here on the thread holds nothing and delays nobody: before poll, futex, disk … */
void rcu_offline(void);
void rcu_online(void);

/*
 * A read section; sections nest. Free of cost in a started, online thread. Elsewhere the outermost
 * one brings the thread online (a barrier), or registers it for its length (a mutex).
 */
void rcu_read_begin(void);
void rcu_read_end(void);

/* Calls `callback(context)` on the reclaimer thread after all present readers have moved on, in the
 * order of the calls. Any thread; does not wait. */
void rcu_defer(void (*callback)(void *context), void *context);

/* Waits until all present readers have moved on. Not inside a read section. */
void rcu_synchronize(void);
/* Waits until everything deferred before has run: at shutdown and in tests. Not inside a read
 * section, nor in a deferred callback. */
void rcu_drain(void);

#endif
