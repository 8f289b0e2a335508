/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thin wrap of liburcu's QSBR flavour, the one whose readers cost nothing: a reader is taken to
 * hold references at all times except at the moments it says it does not (rcu_quiescent) and while
 * it is offline. One thread of the library's, started at the first rcu_defer, waits for the grace
 * periods and runs the callbacks, so nobody who publishes has to wait.
 *
 * The library wants who calls call_rcu() to be registered and online; `thread` keeps what each
 * thread is, and `enter`/`leave` make it so for the length of one call.
 *
 * ThreadSanitizer does not see the library's barriers, so the edges that matter are told to it: all
 * a reader did before its quiescent state happens before the callbacks that follow it, all a
 * callback did before the end of a drain; and what the library does inside is not looked at.
 */
#include "base/rcu.h"

#include <stdbool.h>

#include <urcu/urcu-qsbr.h>

#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

#if defined(UNDER_TSAN)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:liburcu-qsbr.so\n"; /* what it does to its own memory */
}
static char grace, callbacks;
#define TELL_READER_DONE()   __tsan_release(&grace)
#define TELL_GRACE_PASSED()  __tsan_acquire(&grace)
#define TELL_CALLBACK_DONE() __tsan_release(&callbacks)
#define TELL_DRAINED()       __tsan_acquire(&callbacks)
#define TELL_HANDED_OVER(p)  __tsan_release(p)
#define TELL_TAKEN_OVER(p)   __tsan_acquire(p)
#else
#define TELL_READER_DONE()   ((void)0)
#define TELL_GRACE_PASSED()  ((void)0)
#define TELL_CALLBACK_DONE() ((void)0)
#define TELL_DRAINED()       ((void)0)
#define TELL_HANDED_OVER(p)  ((void)(p))
#define TELL_TAKEN_OVER(p)   ((void)(p))
#endif

struct deferred {
    struct rcu_head head;
    void (*callback)(void *context);
    void *context;
};

static _Thread_local struct {
    bool registered;
    bool online;
    unsigned depth; /* of sections that began while not online */
    bool registered_for_section;
} thread;

void rcu_thread_start(void)
{
    REQUIRE(!thread.registered);
    urcu_qsbr_register_thread();
    thread.registered = true;
    thread.online = true;
}

void rcu_thread_stop(void)
{
    REQUIRE(thread.registered && thread.depth == 0);
    TELL_READER_DONE();
    urcu_qsbr_unregister_thread();
    thread.registered = false;
    thread.online = false;
}

void rcu_quiescent(void)
{
    REQUIRE(thread.online && thread.depth == 0);
    TELL_READER_DONE();
    urcu_qsbr_quiescent_state();
}

void rcu_offline(void)
{
    REQUIRE(thread.online && thread.depth == 0);
    TELL_READER_DONE();
    urcu_qsbr_thread_offline();
    thread.online = false;
}

void rcu_online(void)
{
    REQUIRE(thread.registered && !thread.online);
    urcu_qsbr_thread_online();
    thread.online = true;
}

void rcu_read_begin(void)
{
    if (thread.depth != 0) {
        thread.depth++;
    } else if (!thread.online) {
        thread.depth = 1;
        thread.registered_for_section = !thread.registered;
        if (thread.registered_for_section) {
            urcu_qsbr_register_thread();
        } else {
            urcu_qsbr_thread_online();
        }
    }
}

void rcu_read_end(void)
{
    if (thread.depth == 0 || --thread.depth != 0) {
        return;
    }
    TELL_READER_DONE();
    if (thread.registered_for_section) {
        urcu_qsbr_unregister_thread();
    } else {
        urcu_qsbr_thread_offline();
    }
}

static void run(struct rcu_head *head)
{
    struct deferred *deferred = (struct deferred *)head;
    TELL_TAKEN_OVER(deferred);
    TELL_GRACE_PASSED();
    thread.registered = true; /* by the library; a callback may defer again */
    thread.online = true;
    deferred->callback(deferred->context);
    memory_free(deferred);
    TELL_CALLBACK_DONE();
}

void rcu_defer(void (*callback)(void *context), void *context)
{
    struct deferred *deferred = memory_new(sizeof(*deferred));
    deferred->callback = callback;
    deferred->context = context;
    TELL_HANDED_OVER(deferred);
    rcu_read_begin();
    urcu_qsbr_call_rcu(&deferred->head, run);
    rcu_read_end();
}

void rcu_synchronize(void)
{
    REQUIRE(thread.depth == 0);
    TELL_READER_DONE();
    urcu_qsbr_synchronize_rcu();
    TELL_GRACE_PASSED();
}

void rcu_drain(void)
{
    REQUIRE(thread.depth == 0);
    TELL_READER_DONE();
    urcu_qsbr_barrier();
    TELL_GRACE_PASSED();
    TELL_DRAINED();
}
