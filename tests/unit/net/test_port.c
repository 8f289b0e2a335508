/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "net/listener.h"
#include "net/port.h"
#include "net/udp.h"

static struct address loopback(uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse("127.0.0.1", &address, NULL), OK);
    address.port = port;
    return address;
}

static void port_is_taken_by_a_udp_socket_that_would_share_it(void **state)
{
    (void)state;
    struct udp_options options = {.local = loopback(0), .reuse_port = true};
    struct udp_socket first;
    struct udp_socket second;
    struct error err = {0};
    assert_int_equal(udp_open(&options, &first, &err), OK);
    options.local = first.local;
    assert_int_equal(udp_open(&options, &second, &err), OK);
    udp_close(&second);
    assert_int_equal(port_check_free(&first.local, &err), ERR_IO);
    assert_non_null(strstr(err.text, "127.0.0.1#"));
    udp_close(&first);
    assert_int_equal(port_check_free(&options.local, NULL), OK);
}

static void port_is_taken_by_a_listener_that_would_share_it(void **state)
{
    (void)state;
    struct listener_options options = {.local = loopback(0), .reuse_port = true};
    struct listener listener;
    struct error err = {0};
    assert_int_equal(listener_open(&options, &listener, &err), OK);
    struct address taken = listener.local;
    assert_int_equal(port_check_free(&taken, &err), ERR_IO);
    listener_close(&listener);
    assert_int_equal(port_check_free(&taken, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_is_taken_by_a_udp_socket_that_would_share_it),
        cmocka_unit_test(port_is_taken_by_a_listener_that_would_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
