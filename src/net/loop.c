/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop over epoll, level-triggered: a callback that leaves data behind is called again, so a
 * batch bound in a callback needs no bookkeeping.
 *
 * - A callback may remove any watch, also one whose event lies further back in the batch the kernel
 *   gave: its entry is struck out, so no freed watch is ever called.
 * - Posted tasks form a lock-free stack: a push links itself in front, the loop takes the whole
 *   stack with one exchange and runs it from the back. Only the push that finds the stack empty
 *   writes to the eventfd, so a burst of posts costs one wakeup. A closed loop has a marker in place
 *   of the stack, which makes "taken means run" exact: the marker is set only in exchange for
 *   emptiness.
 * - The hooks stand around a wait only if it may sleep; a loop that is busy stays on line.
 */
#include "net/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

enum { BATCH = 64, WAIT_MAX_MS = 60000 };

struct task {
    struct task *next;
    void (*run)(void *context);
    void *context;
};

struct loop {
    unsigned spin_us;
    int epoll_fd;
    int event_fd;
    struct loop_watch wakeup;
    struct instant now; /* of the present turn */
    bool running;
    struct heap timers;
    struct loop_hooks hooks;
    struct epoll_event batch[BATCH];
    int batch_count;              /* of the present turn; entries of removed watches have NULL */
    _Atomic(struct task *) tasks; /* newest first, or &tasks_closed */
    atomic_uint task_count;
    atomic_bool stopping;
};

static struct task tasks_closed;

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(loop->event_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the loop is about to wake anyway. */
}

static void drain_wakeup(void *context, unsigned events)
{
    struct loop *loop = context;
    (void)events;
    uint64_t count;
    ssize_t got = read(loop->event_fd, &count, sizeof(count));
    (void)got;
}

enum result loop_new(struct loop **out, struct error *err)
{
    struct loop *loop = memory_new_zeroed(1, sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    heap_init(&loop->timers);
    if (loop->epoll_fd < 0 || loop->event_fd < 0) {
        enum result result = error_set_os(err, ERR_IO, "cannot make an event loop");
        loop_free(loop);
        return result;
    }
    enum result result =
        loop_watch_add(loop, &loop->wakeup, loop->event_fd, LOOP_READ, drain_wakeup, loop, err);
    if (result != OK) {
        loop_free(loop);
        return result;
    }
    *out = loop;
    return OK;
}

/* Runs what was posted; false where there was nothing. */
static bool run_tasks(struct loop *loop)
{
    struct task *newest = atomic_load_explicit(&loop->tasks, memory_order_relaxed);
    if (newest == NULL || newest == &tasks_closed) {
        return false;
    }
    newest = atomic_exchange_explicit(&loop->tasks, NULL, memory_order_acquire);
    struct task *oldest = NULL;
    unsigned count = 0;
    while (newest != NULL) {
        struct task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
        count++;
    }
    atomic_fetch_sub_explicit(&loop->task_count, count, memory_order_relaxed);
    while (oldest != NULL) {
        struct task *task = oldest;
        oldest = task->next;
        task->run(task->context);
        memory_free(task);
    }
    return true;
}

static void close_tasks(struct loop *loop)
{
    struct task *expected;
    do {
        while (run_tasks(loop)) {
        }
        expected = NULL;
    } while (!atomic_compare_exchange_strong(&loop->tasks, &expected, &tasks_closed) &&
             expected != &tasks_closed);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    close_tasks(loop);
    heap_deinit(&loop->timers);
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    if (loop->event_fd >= 0) {
        close(loop->event_fd);
    }
    memory_free(loop);
}

bool loop_post(struct loop *loop, void (*run)(void *context), void *context)
{
    if (atomic_fetch_add_explicit(&loop->task_count, 1, memory_order_relaxed) >= LOOP_TASKS_MAX) {
        atomic_fetch_sub_explicit(&loop->task_count, 1, memory_order_relaxed);
        return false;
    }
    struct task *task = memory_new(sizeof(*task));
    *task = (struct task){.run = run, .context = context};
    struct task *newest = atomic_load_explicit(&loop->tasks, memory_order_relaxed);
    do {
        if (newest == &tasks_closed) {
            atomic_fetch_sub_explicit(&loop->task_count, 1, memory_order_relaxed);
            memory_free(task);
            return false;
        }
        task->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&loop->tasks, &newest, task,
                                                    memory_order_release, memory_order_relaxed));
    if (newest == NULL) {
        wake(loop);
    }
    return true;
}

static int wait_ms(const struct loop *loop)
{
    if (atomic_load_explicit(&loop->stopping, memory_order_relaxed) ||
        atomic_load_explicit(&loop->tasks, memory_order_relaxed) != NULL) {
        return 0;
    }
    const struct heap_node *first = heap_first(&loop->timers);
    if (first == NULL) {
        return -1;
    }
    int64_t ms = instant_ms_until(clock_now(), first->at);
    return ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)ms;
}

static void call_hook(const struct loop *loop, void (*hook)(void *context))
{
    if (hook != NULL) {
        hook(loop->hooks.context);
    }
}

/* Looks for events without sleeping; those that come within the time save a sleep and a wake-up. */
static int spin_for_events(struct loop *loop)
{
    int count = 0;
    struct instant end = clock_now();
    end.ns += (int64_t)loop->spin_us * 1000;
    do {
        count = epoll_wait(loop->epoll_fd, loop->batch, BATCH, 0);
    } while (count == 0 && wait_ms(loop) != 0 && instant_before(clock_now(), end));
    return count;
}

static void wait_for_events(struct loop *loop)
{
    int timeout = wait_ms(loop);
    if (timeout != 0 && loop->spin_us != 0) {
        int count = spin_for_events(loop);
        if (count > 0) {
            loop->batch_count = count;
            loop->now = clock_now();
            return;
        }
        timeout = wait_ms(loop);
    }
    if (timeout != 0) {
        call_hook(loop, loop->hooks.before_wait);
    }
    int count = epoll_wait(loop->epoll_fd, loop->batch, BATCH, timeout);
    if (timeout != 0) {
        call_hook(loop, loop->hooks.after_wait);
    }
    REQUIRE(count >= 0 || errno == EINTR);
    loop->batch_count = count < 0 ? 0 : count;
    loop->now = clock_now();
}

static void run_ready(struct loop *loop)
{
    for (int i = 0; i < loop->batch_count; i++) {
        struct loop_watch *watch = loop->batch[i].data.ptr;
        if (watch == NULL) {
            continue;
        }
        uint32_t got = loop->batch[i].events;
        unsigned events = ((got & EPOLLIN) != 0 ? LOOP_READ : 0u) |
                          ((got & EPOLLOUT) != 0 ? LOOP_WRITE : 0u) |
                          ((got & (EPOLLERR | EPOLLHUP)) != 0 ? LOOP_ERROR : 0u);
        watch->ready(watch->context, events);
    }
    loop->batch_count = 0;
}

static void run_timers(struct loop *loop)
{
    /* A timer that starts itself anew for a moment already past waits for the next turn. */
    for (size_t left = loop->timers.count; left > 0; left--) {
        struct heap_node *first = heap_first(&loop->timers);
        if (first == NULL || instant_before(loop->now, first->at)) {
            break;
        }
        heap_remove(&loop->timers, first);
        struct loop_timer *timer =
            (struct loop_timer *)(void *)((char *)first - offsetof(struct loop_timer, node));
        timer->due(timer->context);
    }
}

void loop_run(struct loop *loop)
{
    struct task *closed = &tasks_closed;
    atomic_compare_exchange_strong(&loop->tasks, &closed, NULL);
    loop->now = clock_now();
    loop->running = true;
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire)) {
        wait_for_events(loop);
        run_ready(loop);
        run_timers(loop);
        run_tasks(loop);
        call_hook(loop, loop->hooks.turn_done);
    }
    close_tasks(loop);
    call_hook(loop, loop->hooks.turn_done);
    loop->running = false;
    atomic_store(&loop->stopping, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    int saved = errno;
    wake(loop);
    errno = saved;
}

struct instant loop_now(const struct loop *loop)
{
    return loop->running ? loop->now : clock_now();
}

static uint32_t epoll_events(unsigned events)
{
    return ((events & LOOP_READ) != 0 ? (uint32_t)EPOLLIN : 0u) |
           ((events & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0u);
}

enum result loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, unsigned events,
                           void (*ready)(void *context, unsigned events), void *context,
                           struct error *err)
{
    REQUIRE(!watch->active);
    *watch = (struct loop_watch){
        .fd = fd,
        .events = events,
        .active = true,
        .ready = ready,
        .context = context,
    };
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        watch->active = false;
        return error_set_os(err, ERR_IO, "cannot watch a descriptor");
    }
    return OK;
}

void loop_watch_set(struct loop *loop, struct loop_watch *watch, unsigned events)
{
    REQUIRE(watch->active);
    if (watch->events == events) {
        return;
    }
    watch->events = events;
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    REQUIRE(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!watch->active) {
        return;
    }
    watch->active = false;
    REQUIRE(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    for (int i = 0; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == watch) {
            loop->batch[i].data.ptr = NULL;
        }
    }
}

void loop_timer_init(struct loop_timer *timer, void (*due)(void *context), void *context)
{
    *timer = (struct loop_timer){.due = due, .context = context};
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, struct instant at)
{
    if (at.ns == INSTANT_NEVER.ns) {
        heap_remove(&loop->timers, &timer->node);
    } else {
        heap_update(&loop->timers, &timer->node, at);
    }
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    heap_remove(&loop->timers, &timer->node);
}

void loop_set_hooks(struct loop *loop, const struct loop_hooks *hooks)
{
    loop->hooks = *hooks;
}

void loop_set_spin(struct loop *loop, unsigned us)
{
    loop->spin_us = us;
}
