/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/rcu.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <cmocka.h>

#include "base/memory.h"

enum { READERS = 2, UPDATES = 2000 };

struct value {
    int a;
    int b;
};

static _Atomic(struct value *) shared;
static atomic_int freed;
static atomic_bool stop;

static void free_value(void *context)
{
    struct value *value = context;
    value->a = -1;
    memory_free(value);
    atomic_fetch_add(&freed, 1);
}

static struct value *value_new(int n)
{
    struct value *value = memory_new(sizeof(*value));
    value->a = n;
    value->b = n;
    return value;
}

static void *worker(void *context)
{
    int *wrong = context;
    rcu_thread_start();
    while (!atomic_load(&stop)) {
        struct value *value = atomic_load(&shared);
        *wrong += value->a != value->b || value->a < 0;
        rcu_quiescent();
        rcu_offline();
        rcu_online();
    }
    rcu_thread_stop();
    return NULL;
}

static void *visitor(void *context)
{
    int *wrong = context;
    while (!atomic_load(&stop)) {
        rcu_read_begin();
        struct value *value = atomic_load(&shared);
        rcu_read_begin();
        *wrong += value->a != value->b || value->a < 0;
        rcu_read_end();
        *wrong += value->a < 0;
        rcu_read_end();
        sched_yield();
    }
    return NULL;
}

static void rcu_keeps_what_readers_hold(void **state)
{
    (void)state;
    pthread_t threads[2 * READERS];
    int wrong[2 * READERS] = {0};
    atomic_store(&shared, value_new(0));
    for (int i = 0; i < 2 * READERS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < READERS ? worker : visitor, &wrong[i]), 0);
    }
    for (int i = 1; i <= UPDATES; i++) {
        rcu_defer(free_value, atomic_exchange(&shared, value_new(i)));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2 * READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
    rcu_drain();
    assert_int_equal(atomic_load(&freed), UPDATES);
    memory_free(atomic_load(&shared));
}

/* Plain on purpose: what callbacks wrote is ordered before the end of rcu_drain. */
static int order[3];
static int order_count;

static void note(void *context)
{
    order[order_count++] = (int)(intptr_t)context;
}

static void defer_again(void *context)
{
    note(context);
    rcu_defer(note, (void *)3);
}

static void rcu_defer_keeps_order_and_may_defer_again(void **state)
{
    (void)state;
    rcu_defer(note, (void *)1);
    rcu_defer(defer_again, (void *)2);
    rcu_drain();
    rcu_drain();
    assert_int_equal(order_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(order[i], i + 1);
    }
}

static void rcu_synchronize_returns_in_a_registered_thread(void **state)
{
    (void)state;
    rcu_thread_start();
    rcu_synchronize();
    rcu_offline();
    rcu_read_begin();
    rcu_read_end();
    rcu_synchronize();
    rcu_online();
    rcu_thread_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rcu_keeps_what_readers_hold),
        cmocka_unit_test(rcu_defer_keeps_order_and_may_defer_again),
        cmocka_unit_test(rcu_synchronize_returns_in_a_registered_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
