/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's end: connecting, and what comes in its way. */
#include "stream_fixture.h"

#include "net/stream_impl.h"

struct client {
    struct fixture *f;
    struct stream *stream;
    char text[64];
    bool connected;
    enum result end;
    int end_errno;
};

static void client_connected(void *context)
{
    struct client *c = context;
    c->connected = true;
}

static void client_message(void *context, struct slice message)
{
    struct client *c = context;
    memcpy(c->text, message.data, message.size);
    c->text[message.size] = '\0';
    stream_finish(c->stream);
}

static void client_closed(void *context, const struct error *err)
{
    struct client *c = context;
    c->end = err->code;
    c->end_errno = err->os_errno;
    c->stream = NULL;
    assert_non_null(strstr(err->peer, "127.0.0.1#"));
    loop_stop(c->f->loop);
}

static const struct stream_callbacks client_callbacks = {
    .connected = client_connected, .message = client_message, .closed = client_closed};

static void server_accepted(void *context, int fd, const struct address *peer,
                            const struct address *local)
{
    struct fixture *f = context;
    assert_int_equal(
        stream_accept(f->loop, fd, peer, local, &f->options, &echo, f, &f->stream, NULL), OK);
}

static int buffer_of(const struct stream *stream, int option)
{
    int bytes = 0;
    socklen_t size = sizeof(bytes);
    assert_int_equal(getsockopt(stream->fd, SOL_SOCKET, option, &bytes, &size), 0);
    return bytes;
}

static void client_asks_server_in_one_loop(void **state)
{
    struct fixture *f = *state;
    struct client c = {.f = f};
    struct listener_options options = {.local = loopback(0)};
    struct listener listener;
    assert_int_equal(listener_open(&options, &listener, NULL), OK);
    assert_int_equal(listener_start(&listener, f->loop, server_accepted, NULL, f, NULL), OK);
    struct address source;
    assert_int_equal(address_parse("127.0.0.3", &source, NULL), OK);
    struct stream_options client_options = stream_defaults;
    client_options.receive_buffer_bytes = 20000;
    client_options.send_buffer_bytes = 30000;
    assert_int_equal(stream_connect(f->loop, &listener.local, &source, &client_options,
                                    &client_callbacks, &c, &c.stream, NULL),
                     OK);
    assert_int_equal(buffer_of(c.stream, SO_RCVBUF), 2 * 20000);
    assert_int_equal(buffer_of(c.stream, SO_SNDBUF), 2 * 30000);
    assert_int_equal(stream_send(c.stream, slice_str("question")), OK);
    loop_run(f->loop);
    /* Either end may hear of the end first; the other follows. */
    if (c.stream != NULL || f->stream != NULL) {
        loop_run(f->loop);
    }
    assert_true(c.connected);
    assert_string_equal(c.text, "question");
    assert_string_equal(f->text, "question ");
    assert_int_equal(c.end, ERR_CLOSED);
    assert_int_equal(f->end, ERR_CLOSED);
    listener_close(&listener);
}

static void refused_connection_is_reported(void **state)
{
    struct fixture *f = *state;
    struct client c = {.f = f};
    struct listener_options options = {.local = loopback(0)};
    struct listener listener;
    assert_int_equal(listener_open(&options, &listener, NULL), OK);
    struct address gone = listener.local;
    listener_close(&listener);
    struct error err = {0};
    enum result result = stream_connect(f->loop, &gone, NULL, &stream_defaults, &client_callbacks,
                                        &c, &c.stream, &err);
    if (result == OK) {
        loop_run(f->loop);
        assert_int_equal(c.end, ERR_IO);
        assert_int_equal(c.end_errno, ECONNREFUSED);
    } else {
        assert_int_equal(err.os_errno, ECONNREFUSED);
    }
    assert_false(c.connected);
}

static void connecting_has_its_time(void **state)
{
    struct fixture *f = *state;
    /* A listener whose queue is full answers no further SYN. */
    struct listener_options options = {.local = loopback(0), .backlog = 1};
    struct listener listener;
    assert_int_equal(listener_open(&options, &listener, NULL), OK);
    struct stream_options patience = stream_defaults;
    patience.connect_ms = 60;
    struct client clients[4];
    for (size_t i = 0; i < 4; i++) {
        clients[i] = (struct client){.f = f};
        assert_int_equal(stream_connect(f->loop, &listener.local, NULL, &patience,
                                        &client_callbacks, &clients[i], &clients[i].stream, NULL),
                         OK);
    }
    loop_run(f->loop);
    unsigned timed_out = 0;
    for (size_t i = 0; i < 4; i++) {
        timed_out += clients[i].end == ERR_TIMEOUT;
        stream_close(clients[i].stream);
    }
    assert_in_range(timed_out, 1, 4);
    listener_close(&listener);
}

static void source_that_is_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client c = {.f = f};
    struct address peer = loopback(9);
    struct address source;
    struct error err = {0};
    assert_int_equal(address_parse("192.0.2.1", &source, NULL), OK);
    assert_int_equal(stream_connect(f->loop, &peer, &source, &stream_defaults, &client_callbacks,
                                    &c, &c.stream, &err),
                     ERR_IO);
    assert_non_null(strstr(err.text, "192.0.2.1"));
    assert_non_null(strstr(err.peer, "127.0.0.1#9"));
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(client_asks_server_in_one_loop),
        STREAM_TEST(refused_connection_is_reported),
        STREAM_TEST(connecting_has_its_time),
        STREAM_TEST(source_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
