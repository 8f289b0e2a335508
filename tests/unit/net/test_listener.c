/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/listener.h"

enum { CLIENTS = 5 };

struct fixture {
    struct loop *loop;
    struct listener listener;
    struct loop_timer guard;
    int clients[CLIENTS];
    struct address locals[CLIENTS];
    struct address peers[CLIENTS];
    unsigned accepted;
    unsigned failed;
    unsigned stop_after;
    struct rlimit limit;
    int buffers[2];
};

static void guard_due(void *context)
{
    struct fixture *f = context;
    loop_stop(f->loop);
}

static struct address address_of(const char *text, uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse(text, &address, NULL), OK);
    address.port = port;
    return address;
}

static void open_on(struct fixture *f, const char *text)
{
    struct listener_options options = {.local = address_of(text, 0), .reuse_port = true};
    struct error err = {0};
    if (listener_open(&options, &f->listener, &err) != OK) {
        fail_msg("%s", err.text);
    }
    assert_int_not_equal(f->listener.local.port, 0);
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.listener = {.fd = -1}};
    assert_int_equal(loop_new(&fixture.loop, NULL), OK);
    loop_timer_init(&fixture.guard, guard_due, &fixture);
    loop_timer_set(fixture.loop, &fixture.guard, instant_add_ms(clock_now(), 3000));
    memset(fixture.clients, -1, sizeof(fixture.clients));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    listener_close(&f->listener);
    listener_close(&f->listener);
    loop_free(f->loop);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (f->clients[i] >= 0) {
            close(f->clients[i]);
        }
    }
    return 0;
}

static void accepted(void *context, int fd, const struct address *peer, const struct address *local)
{
    struct fixture *f = context;
    f->peers[f->accepted] = *peer;
    f->locals[f->accepted] = *local;
    close(fd);
    if (++f->accepted == f->stop_after) {
        listener_stop(&f->listener);
        loop_stop(f->loop);
    }
}

static void failed(void *context, const struct error *err)
{
    struct fixture *f = context;
    assert_int_equal(err->code, ERR_IO);
    f->failed++;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &f->limit), 0);
}

static void connect_clients(struct fixture *f, const char *text, unsigned count)
{
    struct address target = address_of(text, f->listener.local.port);
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(&target, &storage);
    for (unsigned i = 0; i < count; i++) {
        f->clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(f->clients[i] >= 0);
        assert_int_equal(connect(f->clients[i], (struct sockaddr *)&storage, size), 0);
    }
}

static void every_connection_is_given_away(void **state)
{
    struct fixture *f = *state;
    open_on(f, "127.0.0.1");
    f->stop_after = CLIENTS;
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, failed, f, NULL), OK);
    connect_clients(f, "127.0.0.1", CLIENTS);
    loop_run(f->loop);
    assert_int_equal(f->accepted, CLIENTS);
    assert_true(address_equal(&f->locals[0], &f->listener.local));
}

static void wildcard_tells_the_address_reached(void **state)
{
    struct fixture *f = *state;
    open_on(f, "0.0.0.0");
    f->stop_after = 1;
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, failed, f, NULL), OK);
    connect_clients(f, "127.0.0.5", 1);
    loop_run(f->loop);
    struct address expected = address_of("127.0.0.5", f->listener.local.port);
    assert_true(address_equal(&f->locals[0], &expected));
}

static void stop_within_the_callback_leaves_the_rest(void **state)
{
    struct fixture *f = *state;
    open_on(f, "127.0.0.1");
    connect_clients(f, "127.0.0.1", 3);
    f->stop_after = 1;
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, failed, f, NULL), OK);
    loop_run(f->loop);
    assert_int_equal(f->accepted, 1);
    f->stop_after = 3;
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, failed, f, NULL), OK);
    loop_run(f->loop);
    assert_int_equal(f->accepted, 3);
}

static void out_of_descriptors_is_reported_and_passes(void **state)
{
    struct fixture *f = *state;
    open_on(f, "127.0.0.1");
    f->stop_after = 1;
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, failed, f, NULL), OK);
    connect_clients(f, "127.0.0.1", 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &f->limit), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = f->limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_run(f->loop);
    assert_int_equal(f->failed, 1);
    assert_int_equal(f->accepted, 1);
}

static void take_buffers(void *context, int fd, const struct address *peer,
                         const struct address *local)
{
    struct fixture *f = context;
    (void)peer, (void)local;
    socklen_t size = sizeof(f->buffers[0]);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &f->buffers[0], &size), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &f->buffers[1], &size), 0);
    close(fd);
    listener_stop(&f->listener);
    loop_stop(f->loop);
}

static void connections_have_the_buffers_that_are_asked_for(void **state)
{
    struct fixture *f = *state;
    struct listener_options options = {.local = address_of("127.0.0.1", 0),
                                       .receive_buffer_bytes = 20000,
                                       .send_buffer_bytes = 30000};
    assert_int_equal(listener_open(&options, &f->listener, NULL), OK);
    assert_int_equal(listener_start(&f->listener, f->loop, take_buffers, NULL, f, NULL), OK);
    connect_clients(f, "127.0.0.1", 1);
    loop_run(f->loop);
    assert_int_equal(f->buffers[0], 2 * 20000); /* Linux counts its own needs as much again */
    assert_int_equal(f->buffers[1], 2 * 30000);
}

static void open_names_the_address_it_cannot_have(void **state)
{
    struct fixture *f = *state;
    open_on(f, "127.0.0.1");
    struct listener_options options = {.local = f->listener.local};
    struct listener second = {.fd = -1};
    struct error err = {0};
    assert_int_equal(listener_open(&options, &second, &err), ERR_IO);
    assert_non_null(strstr(err.text, "127.0.0.1#"));
    assert_int_equal(second.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_connection_is_given_away, setup, teardown),
        cmocka_unit_test_setup_teardown(wildcard_tells_the_address_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_within_the_callback_leaves_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_descriptors_is_reported_and_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_have_the_buffers_that_are_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(open_names_the_address_it_cannot_have, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
