/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of streams: ours at one end, a plain socket at the other. */
#ifndef TEST_NET_STREAM_FIXTURE_H
#define TEST_NET_STREAM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/stream.h"

enum { BIG = 60000, MANY = 150 };

struct fixture {
    struct loop *loop;
    struct stream *stream; /* ours; NULL when it has ended */
    int peer;              /* the other end, a plain blocking socket */
    struct loop_timer guard;
    struct loop_timer timer;
    struct stream_options options;
    pthread_t thread;
    void *(*thread_main)(void *context);
    unsigned messages;
    size_t message_bytes;
    char text[512];
    enum result end;
    char end_text[512];
    unsigned ended;
    unsigned released;
    unsigned produced;
    size_t most_queued;
    unsigned stop_at_messages;
    uint8_t *big;
};

static inline void note(struct fixture *f, const void *bytes, size_t size)
{
    size_t used = strlen(f->text);
    if (size > sizeof(f->text) - used - 1) {
        size = sizeof(f->text) - used - 1;
    }
    memcpy(f->text + used, bytes, size);
    f->text[used + size] = '\0';
}

static inline void guard_due(void *context)
{
    struct fixture *f = context;
    note(f, "TIMEOUT", 7);
    loop_stop(f->loop);
}

static inline void on_closed(void *context, const struct error *err)
{
    struct fixture *f = context;
    f->end = err->code;
    memcpy(f->end_text, err->text, sizeof(f->end_text));
    f->ended++;
    f->stream = NULL;
    loop_stop(f->loop);
}

static inline void on_message(void *context, struct slice message)
{
    struct fixture *f = context;
    f->messages++;
    f->message_bytes += message.size;
    if (message.size < 64) {
        note(f, message.data, message.size);
        note(f, " ", 1);
    }
    if (f->messages == f->stop_at_messages) {
        loop_stop(f->loop);
    }
}

static inline void on_message_echo(void *context, struct slice message)
{
    struct fixture *f = context;
    on_message(context, message);
    assert_int_equal(stream_send(f->stream, message), OK);
}

static const struct stream_callbacks plain = {.message = on_message, .closed = on_closed};
static const struct stream_callbacks echo = {.message = on_message_echo, .closed = on_closed};

static inline struct address loopback(uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse("127.0.0.1", &address, NULL), OK);
    address.port = port;
    return address;
}

/* A connected TCP pair: ours non-blocking, the peer's blocking but never for long. */
static inline int connected_pair(int *out_peer)
{
    struct listener_options options = {.local = loopback(0)};
    struct listener listener;
    assert_int_equal(listener_open(&options, &listener, NULL), OK);
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(&listener.local, &storage);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 5};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&storage, size), 0);
    int ours = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ours >= 0);
    listener_close(&listener);
    *out_peer = peer;
    return ours;
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_int_equal(loop_new(&f->loop, NULL), OK);
    loop_timer_init(&f->guard, guard_due, f);
    loop_timer_set(f->loop, &f->guard, instant_add_ms(clock_now(), 8000));
    f->options = stream_defaults;
    f->peer = -1;
    f->big = malloc(STREAM_MESSAGE_MAX);
    for (size_t i = 0; i < STREAM_MESSAGE_MAX; i++) {
        f->big[i] = (uint8_t)(i * 7);
    }
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    stream_close(f->stream);
    if (f->peer >= 0) {
        close(f->peer);
    }
    loop_free(f->loop);
    free(f->big);
    free(f);
    return 0;
}

static inline void begin(struct fixture *f, const struct stream_callbacks *callbacks)
{
    int fd = connected_pair(&f->peer);
    struct address address = loopback(1);
    assert_int_equal(
        stream_accept(f->loop, fd, &address, &address, &f->options, callbacks, f, &f->stream, NULL),
        OK);
}

static inline void peer_write(struct fixture *f, const void *bytes, size_t size)
{
    assert_int_equal(send(f->peer, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline bool peer_read(struct fixture *f, void *out, size_t size)
{
    return recv(f->peer, out, size, MSG_WAITALL) == (ssize_t)size;
}

static inline bool peer_at_end(struct fixture *f)
{
    char c;
    return recv(f->peer, &c, 1, 0) == 0;
}

static inline void *run_thread(void *context)
{
    struct fixture *f = context;
    return f->thread_main(context);
}

static inline void start_thread(struct fixture *f, void *(*thread_main)(void *context))
{
    f->thread_main = thread_main;
    assert_int_equal(pthread_create(&f->thread, NULL, run_thread, f), 0);
}

/* The thread's own verdict: NULL is good. */
static inline void join_thread(struct fixture *f)
{
    void *bad;
    pthread_join(f->thread, &bad);
    if (bad != NULL) {
        fail_msg("%s", (const char *)bad);
    }
}

static inline void stop_due(void *context)
{
    struct fixture *f = context;
    loop_stop(f->loop);
}

static inline void run_for_ms(struct fixture *f, int64_t ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, stop_due, f);
    loop_timer_set(f->loop, &timer, instant_add_ms(clock_now(), ms));
    loop_run(f->loop);
    loop_timer_stop(f->loop, &timer);
}

#endif
