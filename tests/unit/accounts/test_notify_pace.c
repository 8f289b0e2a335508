/* SPDX-License-Identifier: BSD-3-Clause */
#include "accounts/notify_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 1000 };

static struct notify_slot slots[MANY];
static unsigned woken;

static void wake(void *owner)
{
    struct notify_slot *slot = owner;
    assert_true(slot->is_held);
    assert_false(slot->is_queued);
    woken++;
}

static struct notify_pace *pace_with(unsigned count)
{
    struct notify_pace *pace = notify_pace_new(wake);
    struct address peer = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 53};
    woken = 0;
    for (unsigned i = 0; i < count; i++) {
        notify_slot_attach(pace, &slots[i], &peer, &slots[i]);
    }
    return pace;
}

static void end(struct notify_pace *pace, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        notify_slot_detach(pace, &slots[i]);
    }
    notify_pace_free(pace);
}

static unsigned take_all(unsigned count)
{
    unsigned held = 0;
    for (unsigned i = 0; i < count; i++) {
        held += notify_slot_take(&slots[i]);
    }
    return held;
}

static void pace_lets_a_bounded_number_go(void **state)
{
    (void)state;
    struct notify_pace *pace = pace_with(MANY);
    unsigned held = take_all(MANY);
    assert_in_range(held, 16, 256);
    assert_int_equal(take_all(MANY), held); /* asking again takes nothing more */
    end(pace, MANY);
}

static void pace_hands_slots_on_in_order(void **state)
{
    (void)state;
    struct notify_pace *pace = pace_with(MANY);
    unsigned held = take_all(MANY);
    notify_slot_release(pace, &slots[5]);
    assert_int_equal(woken, 1);
    assert_true(slots[held].is_held);
    notify_slot_detach(pace, &slots[held + 1]); /* the next in line leaves it */
    notify_slot_release(pace, &slots[6]);
    assert_true(slots[held + 2].is_held);
    slots[held + 1] = (struct notify_slot){0};
    notify_slot_attach(pace, &slots[held + 1], &(struct address){.family = 4, .port = 53},
                       &slots[held + 1]);
    end(pace, MANY);
}

static void pace_trusts_who_answers_and_not_who_is_silent(void **state)
{
    (void)state;
    struct notify_pace *pace = pace_with(MANY);
    unsigned held = take_all(MANY);
    for (unsigned i = 0; i < 100; i++) {
        notify_slot_lost(&slots[0]);
    }
    for (unsigned i = 0; i < held; i++) {
        notify_slot_release(pace, &slots[i]);
    }
    assert_in_range(woken, 1, 8);
    unsigned before = woken;
    for (unsigned i = 0; i < 10; i++) {
        notify_slot_answered(pace, &slots[0]);
    }
    assert_in_range(woken - before, held, MANY);
    end(pace, MANY);
}

static void pace_counts_each_peer_for_itself(void **state)
{
    (void)state;
    struct notify_pace *pace = pace_with(MANY);
    struct notify_slot other;
    (void)take_all(MANY);
    notify_slot_attach(pace, &other, &(struct address){.family = 4, .bytes = {192, 0, 2, 2}},
                       &other);
    assert_true(notify_slot_take(&other));
    notify_slot_detach(pace, &other);
    end(pace, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_lets_a_bounded_number_go),
        cmocka_unit_test(pace_hands_slots_on_in_order),
        cmocka_unit_test(pace_trusts_who_answers_and_not_who_is_silent),
        cmocka_unit_test(pace_counts_each_peer_for_itself),
    };
    return cmocka_run_group_tests_name("notify_pace", tests, NULL, NULL);
}
