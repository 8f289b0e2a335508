/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of TLS: two streams in one loop, of which the server's end echoes. */
#ifndef TEST_NET_TLS_FIXTURE_H
#define TEST_NET_TLS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "net/listener.h"
#include "net/stream.h"

enum { BIG = 65535, MANY = 40 };

struct side {
    struct fixture *fixture;
    struct stream *stream;
    unsigned messages;
    size_t bytes;
    bool connected;
    bool damaged;
    struct error end; /* code OK: not ended */
    struct tls_context *context;
};

struct fixture {
    char folder[64];
    struct authority ca, other_ca;
    uint8_t server_pin[TLS_PIN_SIZE], client_pin[TLS_PIN_SIZE];
    struct loop *loop;
    struct loop_timer guard;
    struct listener listener;
    struct side server, client;
    struct tls_memory memory;
    struct stream_options options;
    uint8_t *big;
    unsigned wanted_echoes;
    bool server_is_raw; /* the client's end decides */
    char (*paths)[160];
    unsigned path_count;
};

static const char *path_of(struct fixture *f, const char *name)
{
    char *path = f->paths[f->path_count++ % 16];
    snprintf(path, sizeof(f->paths[0]), "%s/%s", f->folder, name);
    return path;
}

static inline void make(struct fixture *f, const struct authority *ca, const char *what,
                        const char *name, int from, int to, uint8_t *pin)
{
    struct certificate_wish wish = {name, "127.0.0.1", from, to};
    certificate_make(ca, &wish, f->folder, what, pin);
}

static inline int setup_group(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->paths = calloc(16, sizeof(*f->paths));
    strcpy(f->folder, "/tmp/lockstep-tls-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    authority_init(&f->ca, "Test CA");
    authority_init(&f->other_ca, "Other CA");
    certificate_export(f->ca.crt, path_of(f, "ca.crt"));
    certificate_export(f->other_ca.crt, path_of(f, "other-ca.crt"));
    make(f, &f->ca, "server", "ns1.example", -1, 90, f->server_pin);
    make(f, &f->ca, "client", "ns2.example", -1, 90, f->client_pin);
    make(f, &f->ca, "expired", "ns1.example", -20, -2, NULL);
    make(f, &f->ca, "early", "ns1.example", 2, 90, NULL);
    make(f, &f->other_ca, "stranger", "ns2.example", -1, 90, NULL);
    f->big = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        f->big[i] = (uint8_t)(i * 7 + i / 256);
    }
    *state = f;
    return 0;
}

static inline int teardown_group(void **state)
{
    struct fixture *f = *state;
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    authority_deinit(&f->ca);
    authority_deinit(&f->other_ca);
    free(f->big);
    free(f->paths);
    free(f);
    return 0;
}

/* ---- two streams in one loop: the server's end echoes ---- */

static inline void stop(void *context)
{
    struct fixture *f = context;
    loop_stop(f->loop);
}

static inline void message_at_server(void *context, struct slice message)
{
    struct side *side = context;
    side->messages++;
    assert_int_equal(stream_send(side->stream, message), OK);
}

static inline void message_at_client(void *context, struct slice message)
{
    struct side *side = context;
    struct fixture *f = side->fixture;
    side->messages++;
    side->bytes += message.size;
    side->damaged = side->damaged || memcmp(message.data, f->big, message.size) != 0;
    if (side->messages == f->wanted_echoes) {
        loop_stop(f->loop);
    }
}

static inline void connected(void *context)
{
    struct side *side = context;
    side->connected = true;
}

static inline void closed(void *context, const struct error *err)
{
    struct side *side = context;
    struct fixture *f = side->fixture;
    side->end = *err;
    side->stream = NULL;
    if (f->client.end.code != OK && (f->server.end.code != OK || f->server_is_raw)) {
        loop_stop(f->loop);
    }
}

static const struct stream_callbacks at_server = {.message = message_at_server, .closed = closed};
static const struct stream_callbacks at_client = {
    .message = message_at_client, .connected = connected, .closed = closed};

static inline void accepted(void *context, int fd, const struct address *peer,
                            const struct address *local)
{
    struct fixture *f = context;
    struct stream_options options = f->options;
    options.tls = f->server.context;
    assert_int_equal(stream_accept(f->loop, fd, peer, local, &options, &at_server, &f->server,
                                   &f->server.stream, NULL),
                     OK);
}

static inline int setup(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_new(&f->loop, NULL), OK);
    loop_timer_init(&f->guard, stop, f);
    struct listener_options options = {0};
    assert_int_equal(address_parse("127.0.0.1", &options.local, NULL), OK);
    assert_int_equal(listener_open(&options, &f->listener, NULL), OK);
    assert_int_equal(listener_start(&f->listener, f->loop, accepted, NULL, f, NULL), OK);
    f->options = stream_defaults;
    f->server_is_raw = false;
    f->server = (struct side){.fixture = f};
    f->client = (struct side){.fixture = f};
    return 0;
}

static inline void close_both(struct fixture *f)
{
    stream_close(f->client.stream);
    stream_close(f->server.stream);
    f->client.stream = NULL;
    f->server.stream = NULL;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    close_both(f);
    tls_memory_clear(&f->memory);
    tls_context_unref(f->client.context);
    tls_context_unref(f->server.context);
    listener_close(&f->listener);
    loop_free(f->loop);
    return 0;
}

static inline struct tls_options server_options(struct fixture *f)
{
    return (struct tls_options){.name = "listener",
                                .cert_file = path_of(f, "server.crt"),
                                .key_file = path_of(f, "server.key"),
                                .tls13 = true,
                                .session_tickets = true};
}

static inline struct tls_options client_options(struct fixture *f)
{
    return (struct tls_options){.name = "primary",
                                .is_client = true,
                                .ca_file = path_of(f, "ca.crt"),
                                .remote_hostname = "ns1.example",
                                .tls13 = true,
                                .session_tickets = true};
}

static inline void make_contexts(struct fixture *f, const struct tls_options *server,
                                 const struct tls_options *client)
{
    struct error err = {0};
    if (tls_context_new(server, NULL, &f->server.context, &err) != OK ||
        tls_context_new(client, NULL, &f->client.context, &err) != OK) {
        fail_msg("%s", err.text);
    }
}

static inline void run_for_ms(struct fixture *f, int64_t ms)
{
    loop_timer_set(f->loop, &f->guard, instant_add_ms(clock_now(), ms));
    loop_run(f->loop);
    loop_timer_stop(f->loop, &f->guard);
}

/* Connects, sends `count` messages of `size`, and runs until all are back or both ends ended. */
static inline void talk(struct fixture *f, unsigned count, size_t size)
{
    struct stream_options options = f->options;
    options.tls = f->client.context;
    options.tls_memory = &f->memory;
    options.queue_max_bytes = 8u << 20;
    options.pause_bytes = 8u << 20; /* it reads the echoes while it sends */
    options.pause_messages = 10000;
    f->wanted_echoes = count;
    f->client.messages = 0;
    f->client.end = f->server.end = (struct error){0};
    assert_int_equal(stream_connect(f->loop, &f->listener.local, NULL, &options, &at_client,
                                    &f->client, &f->client.stream, NULL),
                     OK);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(stream_send(f->client.stream, slice_of(f->big, size)), OK);
    }
    run_for_ms(f, 6000);
}

static inline void expect_refusal(struct fixture *f, const struct side *side, enum result code,
                                  const char *part)
{
    assert_int_equal(f->client.messages, 0);
    if (side->end.code != code || strstr(side->end.text, part) == NULL) {
        fail_msg("expected %s with `%s`, got %s: %s", result_name(code), part,
                 result_name(side->end.code), side->end.text);
    }
    assert_non_null(strstr(side->end.peer, "127.0.0.1#"));
}

#endif
