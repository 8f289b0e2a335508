/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "net/udp.h"

static struct address address_of(const char *text, uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse(text, &address, NULL), OK);
    address.port = port;
    return address;
}

static struct udp_socket server_on(const char *text)
{
    struct udp_options options = {
        .local = address_of(text, 0),
        .reuse_port = true,
        .receive_buffer_bytes = 1 << 20,
        .send_buffer_bytes = 1 << 20,
    };
    struct udp_socket socket;
    struct error err = {0};
    if (udp_open(&options, &socket, &err) != OK) {
        fail_msg("%s", err.text);
    }
    assert_int_not_equal(socket.local.port, 0);
    return socket;
}

/* Receives with patience, up to a second. */
static unsigned receive(struct udp_socket *socket, struct udp_batch *batch)
{
    struct pollfd wait = {.fd = socket->fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 1000), 1);
    unsigned count = 0;
    assert_int_equal(udp_receive(socket, batch, &count, NULL), OK);
    return count;
}

static void echo(struct udp_batch *batch, unsigned count)
{
    struct udp_slot *slots = udp_batch_slots(batch);
    for (unsigned i = 0; i < count; i++) {
        memcpy(slots[i].out, slots[i].in.data, slots[i].in.size);
        slots[i].out_size = slots[i].in.size;
    }
}

static void batch_is_answered_where_it_came_from(void **state)
{
    (void)state;
    struct udp_socket server = server_on("127.0.0.1");
    struct udp_batch *batch = udp_batch_new(512, 512);
    struct udp_batch *answers = udp_batch_new(512, 0);
    unsigned count = 99;
    assert_int_equal(udp_receive(&server, batch, &count, NULL), OK);
    assert_int_equal(count, 0);
    struct udp_socket clients[8];
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(udp_open_client(NULL, &server.local, &clients[i], NULL), OK);
        char text[2] = {'q', (char)('0' + i)};
        assert_int_equal(udp_send_one(&clients[i], NULL, slice_of(text, 2), NULL), OK);
    }
    unsigned got = 0;
    while (got < 8) {
        count = receive(&server, batch);
        struct udp_slot *slots = udp_batch_slots(batch);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(slots[i].in.size, 2);
            assert_false(slots[i].truncated);
            assert_true(address_equal(&slots[i].local, &server.local));
            unsigned from = (unsigned)slots[i].in.data[1] - '0';
            assert_true(address_equal(&slots[i].peer, &clients[from].local));
        }
        echo(batch, count);
        /* One stays without an answer. */
        for (unsigned i = 0; i < count; i++) {
            if (slots[i].in.data[1] == '3') {
                slots[i].out_size = 0;
            }
        }
        assert_int_equal(udp_send(&server, batch, count), 0);
        got += count;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == 3) {
            assert_int_equal(udp_receive(&clients[i], answers, &count, NULL), OK);
            assert_int_equal(count, 0);
        } else {
            assert_int_equal(receive(&clients[i], answers), 1);
            struct slice in = udp_batch_slots(answers)[0].in;
            assert_int_equal(in.size, 2);
            assert_int_equal(in.data[1], '0' + i);
        }
        udp_close(&clients[i]);
    }
    udp_close(&server);
    udp_close(&server);
    udp_batch_free(batch);
    udp_batch_free(answers);
}

static void answers_leave_from_the_address_asked(const char *wildcard, const char *asked)
{
    struct udp_socket server = server_on(wildcard);
    struct udp_batch *batch = udp_batch_new(512, 512);
    struct address target = address_of(asked, server.local.port);
    struct udp_socket client;
    struct address source = address_of(wildcard, 0);
    assert_int_equal(udp_open_client(&source, NULL, &client, NULL), OK);
    assert_int_equal(udp_send_one(&client, &target, slice_str("hello"), NULL), OK);
    unsigned count = receive(&server, batch);
    assert_int_equal(count, 1);
    struct udp_slot *slot = udp_batch_slots(batch);
    assert_true(address_equal(&slot->local, &target));
    echo(batch, count);
    assert_int_equal(udp_send(&server, batch, count), 0);
    assert_int_equal(receive(&client, batch), 1);
    assert_true(address_equal(&slot->peer, &target));
    udp_close(&client);
    udp_close(&server);
    udp_batch_free(batch);
}

static void wildcard_answers_from_the_address_asked_ipv4(void **state)
{
    (void)state;
    /* All of 127/8 is local; the kernel by itself would answer from 127.0.0.1. */
    answers_leave_from_the_address_asked("0.0.0.0", "127.0.0.77");
}

static void wildcard_answers_from_the_address_asked_ipv6(void **state)
{
    (void)state;
    struct udp_options options = {.local = address_of("::1", 0)};
    struct udp_socket probe = {.fd = -1};
    if (udp_open(&options, &probe, NULL) != OK) {
        skip();
    }
    udp_close(&probe);
    answers_leave_from_the_address_asked("::", "::1");
}

/* A question by `client`, to `server` at `target`, answered with the batch, which is the one that
 * the answer comes into as well. */
static void ask_through(struct udp_batch *batch, struct udp_socket *server,
                        const struct address *target, const char *text)
{
    struct udp_socket client;
    struct slice sent = slice_str(text);
    assert_int_equal(udp_open_client(NULL, target, &client, NULL), OK);
    assert_int_equal(udp_send_one(&client, NULL, sent, NULL), OK);
    assert_int_equal(receive(server, batch), 1);
    struct udp_slot *slot = udp_batch_slots(batch);
    assert_true(address_equal(&slot->peer, &client.local));
    assert_true(address_equal(&slot->local, target));
    echo(batch, 1);
    assert_int_equal(udp_send(server, batch, 1), 0);
    assert_int_equal(receive(&client, batch), 1);
    assert_true(address_equal(&slot->peer, target));
    assert_int_equal(slot->in.size, sent.size);
    assert_memory_equal(slot->in.data, sent.data, sent.size);
    udp_close(&client);
}

static void one_batch_serves_sockets_of_every_kind(void **state)
{
    (void)state;
    struct udp_options options = {.local = address_of("::1", 0)};
    struct udp_socket v6 = {.fd = -1};
    bool has_v6 = udp_open(&options, &v6, NULL) == OK;
    struct udp_socket bound = server_on("127.0.0.1");
    struct udp_socket wildcard = server_on("0.0.0.0");
    struct address target = address_of("127.0.0.33", wildcard.local.port);
    struct udp_batch *batch = udp_batch_new(512, 512);
    for (unsigned n = 0; n < 3; n++) {
        ask_through(batch, &wildcard, &target, "to a wildcard");
        ask_through(batch, &bound, &bound.local, "to one address");
        if (has_v6) {
            ask_through(batch, &v6, &v6.local, "to an address of the other family");
        }
    }
    udp_close(&v6);
    udp_close(&bound);
    udp_close(&wildcard);
    udp_batch_free(batch);
}

static void long_datagram_is_marked_truncated(void **state)
{
    (void)state;
    struct udp_socket server = server_on("127.0.0.1");
    struct udp_batch *batch = udp_batch_new(16, 16);
    struct udp_socket client;
    assert_int_equal(udp_open_client(NULL, &server.local, &client, NULL), OK);
    assert_int_equal(udp_send_one(&client, NULL, slice_str("seventeen octets!"), NULL), OK);
    assert_int_equal(receive(&server, batch), 1);
    assert_true(udp_batch_slots(batch)[0].truncated);
    assert_int_equal(udp_batch_slots(batch)[0].in.size, 16);
    udp_close(&client);
    udp_close(&server);
    udp_batch_free(batch);
}

static void more_than_a_batch_comes_in_pieces(void **state)
{
    (void)state;
    struct udp_socket server = server_on("127.0.0.1");
    struct udp_batch *batch = udp_batch_new(64, 64);
    struct udp_socket client;
    assert_int_equal(udp_open_client(NULL, &server.local, &client, NULL), OK);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(udp_send_one(&client, NULL, slice_str("x"), NULL), OK);
    }
    unsigned got = 0;
    while (got < 50) {
        unsigned count = receive(&server, batch);
        assert_in_range(count, 1, UDP_BATCH);
        got += count;
    }
    assert_int_equal(got, 50);
    udp_close(&client);
    udp_close(&server);
    udp_batch_free(batch);
}

static void client_ports_are_not_in_a_row(void **state)
{
    (void)state;
    struct address peer = address_of("127.0.0.1", 9);
    unsigned low = 65535;
    unsigned high = 0;
    for (int i = 0; i < 40; i++) {
        struct udp_socket client;
        assert_int_equal(udp_open_client(NULL, &peer, &client, NULL), OK);
        unsigned port = client.local.port;
        low = port < low ? port : low;
        high = port > high ? port : high;
        udp_close(&client);
    }
    assert_true(high - low > 20000);
}

static void client_keeps_its_source_address_and_port(void **state)
{
    (void)state;
    struct udp_socket server = server_on("127.0.0.1");
    struct address source = address_of("127.0.0.9", 0);
    struct udp_socket client;
    assert_int_equal(udp_open_client(&source, &server.local, &client, NULL), OK);
    assert_true(address_same_host(&client.local, &source));
    source = client.local;
    struct udp_socket second;
    struct address elsewhere = address_of("127.0.0.1", 9);
    udp_close(&client);
    assert_int_equal(udp_open_client(&source, &server.local, &client, NULL), OK);
    assert_int_equal(udp_open_client(&source, &elsewhere, &second, NULL), OK);
    assert_int_equal(second.local.port, source.port);
    udp_close(&second);
    udp_close(&client);
    udp_close(&server);
}

static void refusal_is_reported_on_a_connected_socket(void **state)
{
    (void)state;
    struct udp_socket gone = server_on("127.0.0.1");
    struct address peer = gone.local;
    udp_close(&gone);
    struct udp_socket client;
    struct udp_batch *batch = udp_batch_new(64, 0);
    assert_int_equal(udp_open_client(NULL, &peer, &client, NULL), OK);
    assert_int_equal(udp_send_one(&client, NULL, slice_str("x"), NULL), OK);
    struct pollfd wait = {.fd = client.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 1000), 1);
    unsigned count;
    struct error err = {0};
    assert_int_equal(udp_receive(&client, batch, &count, &err), ERR_IO);
    assert_int_equal(count, 0);
    assert_int_equal(udp_receive(&client, batch, &count, NULL), OK);
    udp_close(&client);
    udp_batch_free(batch);
}

static void open_names_the_address_it_cannot_have(void **state)
{
    (void)state;
    struct udp_options options = {.local = address_of("192.0.2.1", 53)};
    struct udp_socket socket = {.fd = -1};
    struct error err = {0};
    assert_int_equal(udp_open(&options, &socket, &err), ERR_IO);
    assert_non_null(strstr(err.text, "192.0.2.1#53"));
    assert_int_equal(socket.fd, -1);
    struct address peer = address_of("127.0.0.1", 9);
    err = (struct error){0};
    assert_int_equal(udp_open_client(&options.local, &peer, &socket, &err), ERR_IO);
    options.local.port = 0;
    err = (struct error){0};
    assert_int_equal(udp_open_client(&options.local, &peer, &socket, &err), ERR_IO);
    assert_non_null(strstr(err.text, "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_is_answered_where_it_came_from),
        cmocka_unit_test(wildcard_answers_from_the_address_asked_ipv4),
        cmocka_unit_test(wildcard_answers_from_the_address_asked_ipv6),
        cmocka_unit_test(one_batch_serves_sockets_of_every_kind),
        cmocka_unit_test(long_datagram_is_marked_truncated),
        cmocka_unit_test(more_than_a_batch_comes_in_pieces),
        cmocka_unit_test(client_ports_are_not_in_a_row),
        cmocka_unit_test(client_keeps_its_source_address_and_port),
        cmocka_unit_test(refusal_is_reported_on_a_connected_socket),
        cmocka_unit_test(open_names_the_address_it_cannot_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
