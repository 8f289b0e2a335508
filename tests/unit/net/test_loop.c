/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"

struct fixture {
    struct loop *loop;
    int pipe[2];
    struct loop_watch watch;
    struct loop_watch other;
    struct loop_timer timer;
    struct loop_timer guard; /* ends a test that hangs */
    char log[256];
    unsigned count;
};

static void note(struct fixture *f, const char *text)
{
    strncat(f->log, text, sizeof(f->log) - strlen(f->log) - 1);
}

static void guard_due(void *context)
{
    struct fixture *f = context;
    note(f, "TIMEOUT ");
    loop_stop(f->loop);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    assert_int_equal(loop_new(&fixture.loop, NULL), OK);
    assert_int_equal(pipe(fixture.pipe), 0);
    loop_timer_init(&fixture.guard, guard_due, &fixture);
    loop_timer_set(fixture.loop, &fixture.guard, instant_add_ms(clock_now(), 5000));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    close(f->pipe[0]);
    close(f->pipe[1]);
    return 0;
}

static void read_one(void *context, unsigned events)
{
    struct fixture *f = context;
    assert_true((events & LOOP_READ) != 0);
    char c;
    assert_int_equal(read(f->pipe[0], &c, 1), 1);
    note(f, (char[]){c, '\0'});
    if (c == '.') {
        loop_stop(f->loop);
    }
}

static void watch_is_called_while_data_is_left(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_watch_add(f->loop, &f->watch, f->pipe[0], LOOP_READ, read_one, f, NULL),
                     OK);
    assert_int_equal(write(f->pipe[1], "abc.", 4), 4);
    loop_run(f->loop);
    assert_string_equal(f->log, "abc.");
    loop_watch_remove(f->loop, &f->watch);
    loop_watch_remove(f->loop, &f->watch);
}

static void watch_add_reports_what_the_kernel_refuses(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    assert_int_equal(loop_watch_add(f->loop, &f->watch, -1, LOOP_READ, read_one, f, &err), ERR_IO);
    assert_false(f->watch.active);
    assert_int_not_equal(err.os_errno, 0);
}

static void remove_the_other(void *context, unsigned events)
{
    struct fixture *f = context;
    (void)events;
    f->count++;
    loop_watch_remove(f->loop, &f->watch);
    loop_watch_remove(f->loop, &f->other);
    loop_stop(f->loop);
}

static void removed_watch_is_not_called_in_the_same_turn(void **state)
{
    struct fixture *f = *state;
    int second = dup(f->pipe[0]);
    assert_int_equal(
        loop_watch_add(f->loop, &f->watch, f->pipe[0], LOOP_READ, remove_the_other, f, NULL), OK);
    assert_int_equal(
        loop_watch_add(f->loop, &f->other, second, LOOP_READ, remove_the_other, f, NULL), OK);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    loop_run(f->loop);
    assert_int_equal(f->count, 1);
    close(second);
}

static void hangup_is_reported_unasked(void *context, unsigned events)
{
    struct fixture *f = context;
    assert_int_equal(events, LOOP_ERROR);
    note(f, "hup");
    loop_stop(f->loop);
}

static void error_is_reported_with_no_events_wanted(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_watch_add(f->loop, &f->watch, f->pipe[0], LOOP_READ,
                                    hangup_is_reported_unasked, f, NULL),
                     OK);
    loop_watch_set(f->loop, &f->watch, 0);
    close(f->pipe[1]);
    f->pipe[1] = -1;
    loop_run(f->loop);
    assert_string_equal(f->log, "hup");
}

static void timer_due(void *context)
{
    struct fixture *f = context;
    note(f, "t");
    if (++f->count == 3) {
        loop_stop(f->loop);
    } else {
        loop_timer_set(f->loop, &f->timer, instant_add_ms(loop_now(f->loop), 5));
    }
}

static void timers_are_never_early(void **state)
{
    struct fixture *f = *state;
    struct instant start = clock_now();
    loop_timer_init(&f->timer, timer_due, f);
    loop_timer_set(f->loop, &f->timer, instant_add_ms(start, 5));
    loop_run(f->loop);
    assert_string_equal(f->log, "ttt");
    assert_false(instant_before(clock_now(), instant_add_ms(start, 15)));
}

static void never_due(void *context)
{
    note(context, "NEVER");
}

static void stopped_timers_do_not_run(void **state)
{
    struct fixture *f = *state;
    struct loop_timer stopped;
    loop_timer_init(&stopped, never_due, f);
    loop_timer_set(f->loop, &stopped, clock_now());
    loop_timer_stop(f->loop, &stopped);
    struct loop_timer put_off;
    loop_timer_init(&put_off, never_due, f);
    loop_timer_set(f->loop, &put_off, clock_now());
    loop_timer_set(f->loop, &put_off, INSTANT_NEVER);
    f->count = 2;
    loop_timer_init(&f->timer, timer_due, f);
    loop_timer_set(f->loop, &f->timer, instant_add_ms(clock_now(), 10));
    loop_run(f->loop);
    assert_string_equal(f->log, "t");
}

enum { THREADS = 4, POSTS = 5000 };

struct poster {
    struct fixture *f;
    unsigned last[THREADS];
    unsigned total;
};

struct posted {
    struct poster *poster;
    unsigned thread;
    unsigned number;
};

static struct posted posts[THREADS][POSTS];

static void run_posted(void *context)
{
    struct posted *p = context;
    assert_int_equal(p->poster->last[p->thread] + 1, p->number);
    p->poster->last[p->thread] = p->number;
    if (++p->poster->total == THREADS * POSTS) {
        loop_stop(p->poster->f->loop);
    }
}

static void *post_many(void *context)
{
    struct posted *mine = context;
    for (unsigned i = 0; i < POSTS; i++) {
        if (!loop_post(mine[i].poster->f->loop, run_posted, &mine[i])) {
            return mine;
        }
    }
    return NULL;
}

static void posted_tasks_run_once_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct poster poster = {.f = f};
    pthread_t threads[THREADS];
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < POSTS; i++) {
            posts[t][i] = (struct posted){&poster, t, i + 1};
        }
        assert_int_equal(pthread_create(&threads[t], NULL, post_many, posts[t]), 0);
    }
    loop_run(f->loop);
    assert_string_equal(f->log, "");
    assert_int_equal(poster.total, THREADS * POSTS);
    for (unsigned t = 0; t < THREADS; t++) {
        void *failed;
        pthread_join(threads[t], &failed);
        assert_null(failed);
    }
}

static void note_task(void *context)
{
    note(context, "task ");
}

static void post_again_and_stop(void *context)
{
    struct fixture *f = context;
    note(f, "first ");
    loop_stop(f->loop);
    assert_true(loop_post(f->loop, note_task, f));
}

static void a_task_that_was_taken_is_run(void **state)
{
    struct fixture *f = *state;
    assert_true(loop_post(f->loop, post_again_and_stop, f));
    loop_run(f->loop);
    assert_string_equal(f->log, "first task ");
    /* The loop stands still: nobody would run it. */
    assert_false(loop_post(f->loop, note_task, f));
    struct loop *unused;
    assert_int_equal(loop_new(&unused, NULL), OK);
    assert_true(loop_post(unused, note_task, f));
    loop_free(unused);
    assert_string_equal(f->log, "first task task ");
}

static void note_turn(void *context)
{
    note(context, "turn ");
}

static void note_before(void *context)
{
    note(context, "before ");
}

static void note_after(void *context)
{
    note(context, "after ");
}

static void hooks_stand_around_waits_that_may_sleep(void **state)
{
    struct fixture *f = *state;
    struct loop_hooks hooks = {note_turn, note_before, note_after, f};
    loop_set_hooks(f->loop, &hooks);
    assert_true(loop_post(f->loop, note_task, f));
    f->count = 2;
    loop_timer_init(&f->timer, timer_due, f);
    loop_timer_set(f->loop, &f->timer, instant_add_ms(clock_now(), 20));
    loop_run(f->loop);
    /* The post has woken the loop's descriptor, but its first wait may not sleep. */
    assert_string_equal(f->log, "task turn before after tturn turn ");
}

static void spinning_loop_runs_tasks_and_timers_and_ends(void **state)
{
    struct fixture *f = *state;
    struct loop_hooks hooks = {note_turn, note_before, note_after, f};
    loop_set_hooks(f->loop, &hooks);
    loop_set_spin(f->loop, 1000 * 1000); /* longer than the timer: nothing has to sleep */
    assert_true(loop_post(f->loop, note_task, f));
    f->count = 2;
    loop_timer_init(&f->timer, timer_due, f);
    loop_timer_set(f->loop, &f->timer, instant_add_ms(clock_now(), 20));
    loop_run(f->loop);
    assert_string_equal(f->log, "task turn tturn turn ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(watch_is_called_while_data_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_add_reports_what_the_kernel_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_watch_is_not_called_in_the_same_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(error_is_reported_with_no_events_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(timers_are_never_early, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_timers_do_not_run, setup, teardown),
        cmocka_unit_test_setup_teardown(posted_tasks_run_once_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_that_was_taken_is_run, setup, teardown),
        cmocka_unit_test_setup_teardown(hooks_stand_around_waits_that_may_sleep, setup, teardown),
        cmocka_unit_test_setup_teardown(spinning_loop_runs_tasks_and_timers_and_ends, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
