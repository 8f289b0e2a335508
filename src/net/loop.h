/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An event loop: one thread, its descriptors, its timers, and the tasks others hand to it.
 *
 * A turn is: wait, descriptors that are ready, timers that are due, posted tasks, turn hook. All
 * functions belong to the loop's thread (the one in loop_run; before that, the one that builds it),
 * except loop_post and loop_stop.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/heap.h"

struct loop;

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_ERROR = 4, /* reported unasked: an error, or both directions closed */
};

/* Never NULL on OK. ERR_IO: no descriptors left. */
MUST_CHECK enum result loop_new(struct loop **out, struct error *err);
/* The thread has left loop_run. Runs tasks that are still queued; watches and timers that are left
 * are forgotten. NULL is allowed. */
void loop_free(struct loop *loop);

/* Turns until loop_stop, then runs the tasks that were posted before it returns. May be called
 * again. */
void loop_run(struct loop *loop);
/* The present turn is the last. Any thread, and signal handlers. */
void loop_stop(struct loop *loop);

/* The time at which the present turn woke up; the present time outside of loop_run. */
struct instant loop_now(const struct loop *loop);

/* A descriptor that is watched; lives in the caller's struct, zeroed while unused. */
struct loop_watch {
    int fd;
    unsigned events; /* LOOP_READ, LOOP_WRITE wanted */
    bool active;
    void (*ready)(void *context, unsigned events);
    void *context;
};

/* Level-triggered. `watch` and `fd` are borrowed until loop_watch_remove. ERR_IO where the kernel
 * refuses another watch. */
MUST_CHECK enum result loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd,
                                      unsigned events,
                                      void (*ready)(void *context, unsigned events), void *context,
                                      struct error *err);
/* No system call where nothing changes. */
void loop_watch_set(struct loop *loop, struct loop_watch *watch, unsigned events);
/* Before the descriptor is closed. It is not called again, not even in this turn. Harmless on one
 * that is not active. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* A timer; lives in the caller's struct. */
struct loop_timer {
    struct heap_node node;
    void (*due)(void *context);
    void *context;
};

void loop_timer_init(struct loop_timer *timer, void (*due)(void *context), void *context);
/* (Re)starts it, once; INSTANT_NEVER stops it. Never early, late by up to a millisecond. O(log n).
 */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, struct instant at);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/* Tasks that may wait in one loop. */
enum { LOOP_TASKS_MAX = 1 << 20 };

/*
 * Runs `run(context)` in the loop's thread, in the order of the calls of one thread. A task that
 * was taken is run exactly once, at the latest by loop_free. False, and nothing taken: the bound is
 * reached, or the loop has stopped. Any thread; lock-free.
 */
MUST_CHECK bool loop_post(struct loop *loop, void (*run)(void *context), void *context);

/* Called in the loop's thread; each may be NULL. */
struct loop_hooks {
    void (*turn_done)(void *context);   /* after each turn: nothing of it is held any more */
    void (*before_wait)(void *context); /* around every wait that may sleep */
    void (*after_wait)(void *context);
    void *context;
};

void loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks);

/* Before it waits, a turn looks for events again and again for so many microseconds; 0, as at first:
 * it does not. */
void loop_set_spin(struct loop *loop, unsigned us);

#endif
