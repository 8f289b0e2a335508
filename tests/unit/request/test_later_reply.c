/* SPDX-License-Identifier: BSD-3-Clause */
/* The way back of a reply that is given later: by datagram, and by a stream that is a double. */
#include "request/later_reply.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/server.h"

/* A client of the double, and what it is owed. */
struct client {
    unsigned owed;
};

struct stream_answer {
    unsigned given;
    char text[16];
};

static struct stream_answer only;

static struct stream_answer *owe(struct client *client)
{
    client->owed++;
    return &only;
}

static void give(struct stream_answer *answer, struct slice message)
{
    assert_true(message.size < sizeof(answer->text));
    answer->given++;
    memcpy(answer->text, message.data, message.size);
    answer->text[message.size] = '\0';
}

static const struct request_stream stream = {.owe = owe, .give = give};

static struct slice bytes(const char *text)
{
    return slice_of((const uint8_t *)text, strlen(text));
}

static struct udp_socket on_loopback(void)
{
    struct udp_options options = {0};
    struct udp_socket socket;
    assert_int_equal(address_parse("127.0.0.1", &options.local, NULL), OK);
    assert_int_equal(udp_open(&options, &socket, &(struct error){0}), OK);
    return socket;
}

/* What arrives within `wait_ms`, or "". */
static void receive(struct udp_socket *socket, int wait_ms, char out[16])
{
    struct udp_batch *batch = udp_batch_new(512, 512);
    struct pollfd wait = {.fd = socket->fd, .events = POLLIN};
    unsigned count = 0;
    out[0] = '\0';
    if (poll(&wait, 1, wait_ms) == 1) {
        assert_int_equal(udp_receive(socket, batch, &count, NULL), OK);
    }
    if (count != 0) {
        struct slice in = udp_batch_slots(batch)[0].in;
        assert_true(in.size < 16);
        memcpy(out, in.data, in.size);
        out[in.size] = '\0';
    }
    udp_batch_free(batch);
}

static void datagram_goes_where_replies_go_and_not_to_the_client_behind_a_proxy(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    struct udp_socket ours = on_loopback(), proxy = on_loopback(), client = on_loopback();
    struct request_origin origin = {.peer = client.local, .reply_to = proxy.local, .udp = &ours};
    char got[16];
    struct later_reply reply = later_reply_begin(&origin);
    memset(&origin, 0, sizeof(origin)); /* the request is gone by then */
    later_reply_send(&reply, server, bytes("late"));
    receive(&proxy, 2000, got);
    assert_string_equal(got, "late");
    receive(&client, 0, got);
    assert_string_equal(got, "");
    assert_int_equal(atomic_load(&server->counters.udp_send_dropped), 0);
    udp_close(&ours);
    udp_close(&proxy);
    udp_close(&client);
    free(server);
}

static void empty_datagram_is_not_sent(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    struct udp_socket ours = on_loopback(), client = on_loopback();
    struct request_origin origin = {.peer = client.local, .reply_to = client.local, .udp = &ours};
    char got[16];
    struct later_reply nothing = later_reply_begin(&origin), after = later_reply_begin(&origin);
    later_reply_send(&nothing, server, slice_of(NULL, 0));
    later_reply_send(&after, server, bytes("after"));
    receive(&client, 2000, got);
    assert_string_equal(got, "after");
    assert_int_equal(atomic_load(&server->counters.udp_send_dropped), 0);
    udp_close(&ours);
    udp_close(&client);
    free(server);
}

static void datagram_that_cannot_leave_is_counted(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    struct udp_socket closed = {.fd = -1};
    struct request_origin origin = {.udp = &closed};
    assert_int_equal(address_parse("127.0.0.1", &origin.reply_to, NULL), OK);
    struct later_reply reply = later_reply_begin(&origin);
    later_reply_send(&reply, server, bytes("late"));
    assert_int_equal(atomic_load(&server->counters.udp_send_dropped), 1);
    free(server);
}

static void stream_is_owed_one_answer_and_given_it(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    struct client client = {0};
    struct request_origin origin = {.client = &client, .stream = &stream};
    memset(&only, 0, sizeof(only));
    struct later_reply reply = later_reply_begin(&origin);
    assert_int_equal(client.owed, 1);
    assert_int_equal(only.given, 0);
    later_reply_send(&reply, server, bytes("late"));
    assert_int_equal(only.given, 1);
    assert_string_equal(only.text, "late");
    free(server);
}

static void stream_is_told_even_where_there_is_nothing_to_send(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    struct client client = {0};
    struct request_origin origin = {.client = &client, .stream = &stream};
    memset(&only, 0, sizeof(only));
    struct later_reply reply = later_reply_begin(&origin);
    later_reply_send(&reply, server, bytes(""));
    assert_int_equal(only.given, 1); /* or its connection would never be idle again */
    assert_string_equal(only.text, "");
    free(server);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagram_goes_where_replies_go_and_not_to_the_client_behind_a_proxy),
        cmocka_unit_test(empty_datagram_is_not_sent),
        cmocka_unit_test(datagram_that_cannot_leave_is_counted),
        cmocka_unit_test(stream_is_owed_one_answer_and_given_it),
        cmocka_unit_test(stream_is_told_even_where_there_is_nothing_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
