/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's end: framing, times, answers that wait, what a peer may cost. */
#include "stream_fixture.h"

static void several_messages_in_one_write_come_one_by_one(void **state)
{
    struct fixture *f = *state;
    begin(f, &echo);
    f->stop_at_messages = 4;
    peer_write(f, "\0\3one\0\3two\0\0\0\5three", 19);
    loop_run(f->loop);
    assert_string_equal(f->text, "one two  three ");
    uint8_t answers[19];
    assert_true(peer_read(f, answers, sizeof(answers)));
    assert_memory_equal(answers, "\0\3one\0\3two\0\0\0\5three", 19);
    const struct stream_stats *stats = stream_stats(f->stream);
    assert_int_equal(stats->bytes_in, 19);
    assert_int_equal(stats->messages_in, 4);
    assert_int_equal(stats->messages_out, 4);
    assert_int_equal(stats->bytes_out, 19);
    assert_true(stream_is_idle(f->stream));
}

static void *write_octet_by_octet(void *context)
{
    struct fixture *f = context;
    static const char bytes[] = "\0\5hello\0\1x";
    for (size_t i = 0; i < 10; i++) {
        if (send(f->peer, bytes + i, 1, MSG_NOSIGNAL) != 1) {
            return "send failed";
        }
        usleep(2000);
    }
    return NULL;
}

static void a_message_may_come_octet_by_octet(void **state)
{
    struct fixture *f = *state;
    begin(f, &plain);
    f->stop_at_messages = 2;
    int on = 1;
    assert_int_equal(setsockopt(f->peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    start_thread(f, write_octet_by_octet);
    loop_run(f->loop);
    join_thread(f);
    assert_string_equal(f->text, "hello x ");
}

static void *exchange_the_largest(void *context)
{
    struct fixture *f = context;
    static uint8_t back[STREAM_MESSAGE_MAX];
    uint8_t length[2] = {0xff, 0xff};
    for (int i = 0; i < 3; i++) {
        if (send(f->peer, length, 2, MSG_NOSIGNAL) != 2 ||
            send(f->peer, f->big, STREAM_MESSAGE_MAX, MSG_NOSIGNAL) != STREAM_MESSAGE_MAX) {
            return "send failed";
        }
        if (!peer_read(f, length, 2) || length[0] != 0xff || length[1] != 0xff ||
            !peer_read(f, back, STREAM_MESSAGE_MAX) ||
            memcmp(back, f->big, STREAM_MESSAGE_MAX) != 0) {
            return "the echo differs";
        }
    }
    shutdown(f->peer, SHUT_WR);
    return NULL;
}

static void the_largest_message_passes_both_ways(void **state)
{
    struct fixture *f = *state;
    begin(f, &echo);
    start_thread(f, exchange_the_largest);
    loop_run(f->loop);
    join_thread(f);
    assert_int_equal(f->messages, 3);
    assert_int_equal(f->message_bytes, 3 * STREAM_MESSAGE_MAX);
    assert_int_equal(f->end, ERR_CLOSED);
}

static void cut_message_is_reported(void **state)
{
    struct fixture *f = *state;
    begin(f, &plain);
    peer_write(f, "\0\4ab", 4);
    shutdown(f->peer, SHUT_WR);
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_CLOSED);
    assert_non_null(strstr(f->end_text, "middle of a message"));
    assert_int_equal(f->messages, 0);
}

static void reset_is_reported(void **state)
{
    struct fixture *f = *state;
    begin(f, &plain);
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(f->peer);
    f->peer = -1;
    loop_run(f->loop);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->end, ERR_CLOSED);
}

static void reset_is_noticed_while_paused(void **state)
{
    struct fixture *f = *state;
    begin(f, &plain);
    stream_pause(f->stream);
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(f->peer);
    f->peer = -1;
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_CLOSED);
}

static void idle_stream_ends(void **state)
{
    struct fixture *f = *state;
    f->options.idle_ms = 30;
    begin(f, &plain);
    struct instant start = clock_now();
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_TIMEOUT);
    assert_non_null(strstr(f->end_text, "idle"));
    assert_false(instant_before(clock_now(), instant_add_ms(start, 29)));
    assert_true(peer_at_end(f));
}

static void an_owed_answer_keeps_it_from_being_idle(void **state)
{
    struct fixture *f = *state;
    f->options.idle_ms = 30;
    begin(f, &plain);
    stream_hold(f->stream);
    run_for_ms(f, 100);
    assert_int_equal(f->ended, 0);
    assert_false(stream_is_idle(f->stream));
    stream_unhold(f->stream);
    struct instant start = clock_now();
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_TIMEOUT);
    assert_false(instant_before(clock_now(), instant_add_ms(start, 29)));
}

static void idle_time_may_change(void **state)
{
    struct fixture *f = *state;
    begin(f, &plain);
    stream_set_idle_ms(f->stream, 20);
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_TIMEOUT);
}

static void drip_due(void *context)
{
    struct fixture *f = context;
    if (f->stream != NULL) {
        peer_write(f, "x", 1);
        loop_timer_set(f->loop, &f->timer, instant_add_ms(loop_now(f->loop), 10));
    }
}

static void a_message_that_drips_is_cut_off(void **state)
{
    struct fixture *f = *state;
    f->options.message_ms = 80;
    f->options.idle_ms = 40;
    begin(f, &plain);
    peer_write(f, "\1\0", 2);
    loop_timer_init(&f->timer, drip_due, f);
    loop_timer_set(f->loop, &f->timer, clock_now());
    struct instant start = clock_now();
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_TIMEOUT);
    assert_non_null(strstr(f->end_text, "whole"));
    assert_true(instant_before(clock_now(), instant_add_ms(start, 4000)));
}

static void *ask_half_close_and_read(void *context)
{
    struct fixture *f = context;
    if (send(f->peer, "\0\1a\0\1b", 6, MSG_NOSIGNAL) != 6) {
        return "send failed";
    }
    shutdown(f->peer, SHUT_WR);
    uint8_t answers[10];
    if (!peer_read(f, answers, sizeof(answers)) || memcmp(answers, "\0\3one\0\3two", 10) != 0) {
        return "not the answers";
    }
    return peer_at_end(f) ? NULL : "no end";
}

static void answer_late(void *context)
{
    struct fixture *f = context;
    assert_int_equal(stream_send(f->stream, slice_str("one")), OK);
    stream_unhold(f->stream);
    assert_int_equal(stream_send(f->stream, slice_str("two")), OK);
    stream_unhold(f->stream);
}

static void on_message_hold(void *context, struct slice message)
{
    struct fixture *f = context;
    on_message(context, message);
    stream_hold(f->stream);
    loop_timer_set(f->loop, &f->timer, instant_add_ms(loop_now(f->loop), 50));
}

static void peer_that_closed_its_half_still_gets_answers(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {.message = on_message_hold,
                                                      .closed = on_closed};
    begin(f, &callbacks);
    loop_timer_init(&f->timer, answer_late, f);
    start_thread(f, ask_half_close_and_read);
    loop_run(f->loop);
    join_thread(f);
    assert_string_equal(f->text, "a b ");
    assert_int_equal(f->end, ERR_CLOSED);
}

static void released(void *context)
{
    struct fixture *f = context;
    f->released++;
}

static void produce_shared(void *context)
{
    struct fixture *f = context;
    if (f->produced < MANY) {
        f->produced++;
        assert_int_equal(stream_send_shared(f->stream, slice_of(f->big, BIG), released, f), OK);
        if (stream_queued_bytes(f->stream) > f->most_queued) {
            f->most_queued = stream_queued_bytes(f->stream);
        }
    } else {
        stream_finish(f->stream);
        assert_int_equal(stream_send(f->stream, slice_str("x")), ERR_CLOSED);
    }
}

static void *read_everything(void *context)
{
    struct fixture *f = context;
    static uint8_t message[BIG + 2];
    for (int i = 0; i < MANY; i++) {
        if (!peer_read(f, message, sizeof(message)) || message[0] != BIG >> 8 ||
            message[1] != (BIG & 0xff) || memcmp(message + 2, f->big, BIG) != 0) {
            return "not the message";
        }
        if (i == 3) {
            usleep(20000);
        }
    }
    return peer_at_end(f) ? NULL : "no end";
}

static void producer_is_asked_as_the_peer_takes(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {
        .message = on_message, .want_more = produce_shared, .closed = on_closed};
    begin(f, &callbacks);
    start_thread(f, read_everything);
    stream_set_producing(f->stream, true);
    loop_run(f->loop);
    join_thread(f);
    assert_int_equal(f->produced, MANY);
    assert_int_equal(f->released, MANY);
    assert_int_equal(f->end, ERR_CLOSED);
    assert_in_range(f->most_queued, BIG, f->options.queue_low_bytes + BIG + 2);
}

/* The same messages in parts of many sizes, none among them. */
static void produce_parts(void *context)
{
    struct fixture *f = context;
    if (f->produced == MANY) {
        stream_finish(f->stream);
        return;
    }
    size_t head = f->produced * 331u % 900u;
    size_t tail = f->produced * 57u % 400u;
    f->produced++;
    struct stream_parts parts = {
        .head = slice_of(f->big, head),
        .shared = slice_of(f->big + head, BIG - head - tail),
        .tail = slice_of(f->big + BIG - tail, tail),
    };
    assert_int_equal(stream_send_parts(f->stream, &parts, released, f), OK);
}

static void parts_arrive_as_one_message(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {
        .message = on_message, .want_more = produce_parts, .closed = on_closed};
    begin(f, &callbacks);
    start_thread(f, read_everything);
    stream_set_producing(f->stream, true);
    loop_run(f->loop);
    join_thread(f);
    assert_int_equal(f->released, MANY);
    assert_int_equal(f->end, ERR_CLOSED);
}

static void produce_nothing(void *context)
{
    struct fixture *f = context;
    f->produced++;
}

static void producer_with_nothing_is_asked_once(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {
        .message = on_message, .want_more = produce_nothing, .closed = on_closed};
    begin(f, &callbacks);
    stream_set_producing(f->stream, true);
    run_for_ms(f, 30);
    assert_int_equal(f->produced, 1);
    stream_set_producing(f->stream, true);
    run_for_ms(f, 30);
    assert_int_equal(f->produced, 2);
}

static void on_message_answer_big(void *context, struct slice message)
{
    struct fixture *f = context;
    on_message(context, message);
    assert_int_equal(stream_send(f->stream, slice_of(f->big, BIG)), OK);
    size_t queued = stream_queued_bytes(f->stream);
    f->most_queued = queued > f->most_queued ? queued : f->most_queued;
}

static void asking_without_reading_is_bounded_and_cut_off(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {.message = on_message_answer_big,
                                                      .closed = on_closed};
    f->options.write_ms = 100;
    begin(f, &callbacks);
    for (int i = 0; i < 1000; i++) {
        peer_write(f, "\0\1q", 3);
    }
    loop_run(f->loop);
    assert_int_equal(f->end, ERR_TIMEOUT);
    assert_non_null(strstr(f->end_text, "takes none"));
    assert_true(f->messages < 300);
    assert_in_range(f->most_queued, BIG, f->options.pause_bytes + BIG + 2);
}

static void *ask_much_then_read(void *context)
{
    struct fixture *f = context;
    for (int i = 0; i < MANY; i++) {
        if (send(f->peer, "\0\1q", 3, MSG_NOSIGNAL) != 3) {
            return "send failed";
        }
    }
    usleep(50000);
    return read_everything(context);
}

static void who_asks_much_and_reads_late_gets_all(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {.message = on_message_answer_big,
                                                      .closed = on_closed};
    begin(f, &callbacks);
    start_thread(f, ask_much_then_read);
    f->stop_at_messages = MANY;
    loop_run(f->loop);
    run_for_ms(f, 500);
    stream_finish(f->stream);
    loop_run(f->loop);
    join_thread(f);
    assert_int_equal(f->messages, MANY);
    assert_int_equal(f->end, ERR_CLOSED);
}

static void on_message_pause(void *context, struct slice message)
{
    struct fixture *f = context;
    on_message(context, message);
    stream_pause(f->stream);
}

static void paused_stream_hands_up_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {.message = on_message_pause,
                                                      .closed = on_closed};
    f->options.message_ms = 20;
    begin(f, &callbacks);
    peer_write(f, "\0\1a\0\1b\0\1", 8);
    run_for_ms(f, 60);
    assert_string_equal(f->text, "a ");
    stream_resume(f->stream);
    run_for_ms(f, 10);
    assert_string_equal(f->text, "a b ");
    assert_int_equal(f->ended, 0);
}

static void on_message_close(void *context, struct slice message)
{
    struct fixture *f = context;
    on_message(context, message);
    assert_int_equal(stream_send_shared(f->stream, slice_of(f->big, BIG), released, f), OK);
    stream_close(f->stream);
    assert_int_equal(stream_send(f->stream, slice_str("x")), ERR_CLOSED);
    f->stream = NULL;
}

static void close_in_a_callback_is_the_last_of_it(void **state)
{
    struct fixture *f = *state;
    static const struct stream_callbacks callbacks = {.message = on_message_close,
                                                      .closed = on_closed};
    begin(f, &callbacks);
    peer_write(f, "\0\1a\0\1b", 6);
    run_for_ms(f, 30);
    assert_string_equal(f->text, "a ");
    assert_int_equal(f->ended, 0);
    assert_int_equal(f->released, 1);
    stream_close(NULL);
}

static void full_queue_refuses_and_close_releases(void **state)
{
    struct fixture *f = *state;
    f->options.queue_max_bytes = 3 * (BIG + 2);
    begin(f, &plain);
    enum result result = OK;
    unsigned taken = 0;
    for (int i = 0; i < 1000 && result == OK; i++) {
        result = stream_send_shared(f->stream, slice_of(f->big, BIG), released, f);
        taken += result == OK;
    }
    assert_int_equal(result, ERR_LIMIT);
    assert_in_range(stream_queued_bytes(f->stream), 1, f->options.queue_max_bytes);
    stream_close(f->stream);
    f->stream = NULL;
    assert_int_equal(f->released, taken);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(several_messages_in_one_write_come_one_by_one),
        STREAM_TEST(a_message_may_come_octet_by_octet),
        STREAM_TEST(the_largest_message_passes_both_ways),
        STREAM_TEST(cut_message_is_reported),
        STREAM_TEST(reset_is_reported),
        STREAM_TEST(reset_is_noticed_while_paused),
        STREAM_TEST(idle_stream_ends),
        STREAM_TEST(an_owed_answer_keeps_it_from_being_idle),
        STREAM_TEST(idle_time_may_change),
        STREAM_TEST(a_message_that_drips_is_cut_off),
        STREAM_TEST(peer_that_closed_its_half_still_gets_answers),
        STREAM_TEST(producer_is_asked_as_the_peer_takes),
        STREAM_TEST(parts_arrive_as_one_message),
        STREAM_TEST(producer_with_nothing_is_asked_once),
        STREAM_TEST(asking_without_reading_is_bounded_and_cut_off),
        STREAM_TEST(who_asks_much_and_reads_late_gets_all),
        STREAM_TEST(paused_stream_hands_up_nothing),
        STREAM_TEST(close_in_a_callback_is_the_last_of_it),
        STREAM_TEST(full_queue_refuses_and_close_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
