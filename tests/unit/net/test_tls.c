/* SPDX-License-Identifier: BSD-3-Clause */
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

static void make(struct fixture *f, const struct authority *ca, const char *what, const char *name,
                 int from, int to, uint8_t *pin)
{
    struct certificate_wish wish = {name, "127.0.0.1", from, to};
    certificate_make(ca, &wish, f->folder, what, pin);
}

static int setup_group(void **state)
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

static int teardown_group(void **state)
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

static void stop(void *context)
{
    struct fixture *f = context;
    loop_stop(f->loop);
}

static void message_at_server(void *context, struct slice message)
{
    struct side *side = context;
    side->messages++;
    assert_int_equal(stream_send(side->stream, message), OK);
}

static void message_at_client(void *context, struct slice message)
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

static void connected(void *context)
{
    struct side *side = context;
    side->connected = true;
}

static void closed(void *context, const struct error *err)
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

static void accepted(void *context, int fd, const struct address *peer, const struct address *local)
{
    struct fixture *f = context;
    struct stream_options options = f->options;
    options.tls = f->server.context;
    assert_int_equal(stream_accept(f->loop, fd, peer, local, &options, &at_server, &f->server,
                                   &f->server.stream, NULL),
                     OK);
}

static int setup(void **state)
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

static void close_both(struct fixture *f)
{
    stream_close(f->client.stream);
    stream_close(f->server.stream);
    f->client.stream = NULL;
    f->server.stream = NULL;
}

static int teardown(void **state)
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

static struct tls_options server_options(struct fixture *f)
{
    return (struct tls_options){.name = "listener",
                                .cert_file = path_of(f, "server.crt"),
                                .key_file = path_of(f, "server.key"),
                                .tls13 = true,
                                .session_tickets = true};
}

static struct tls_options client_options(struct fixture *f)
{
    return (struct tls_options){.name = "primary",
                                .is_client = true,
                                .ca_file = path_of(f, "ca.crt"),
                                .remote_hostname = "ns1.example",
                                .tls13 = true,
                                .session_tickets = true};
}

static void make_contexts(struct fixture *f, const struct tls_options *server,
                          const struct tls_options *client)
{
    struct error err = {0};
    if (tls_context_new(server, NULL, &f->server.context, &err) != OK ||
        tls_context_new(client, NULL, &f->client.context, &err) != OK) {
        fail_msg("%s", err.text);
    }
}

static void run_for_ms(struct fixture *f, int64_t ms)
{
    loop_timer_set(f->loop, &f->guard, instant_add_ms(clock_now(), ms));
    loop_run(f->loop);
    loop_timer_stop(f->loop, &f->guard);
}

/* Connects, sends `count` messages of `size`, and runs until all are back or both ends ended. */
static void talk(struct fixture *f, unsigned count, size_t size)
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

static void expect_refusal(struct fixture *f, const struct side *side, enum result code,
                           const char *part)
{
    assert_int_equal(f->client.messages, 0);
    if (side->end.code != code || strstr(side->end.text, part) == NULL) {
        fail_msg("expected %s with `%s`, got %s: %s", result_name(code), part,
                 result_name(side->end.code), side->end.text);
    }
    assert_non_null(strstr(side->end.peer, "127.0.0.1#"));
}

/* ---- what goes through ---- */

static void strict_connection_carries_messages_both_ways(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    f->options.queue_max_bytes = 8u << 20;
    talk(f, MANY, BIG);
    assert_int_equal(f->client.messages, MANY);
    assert_int_equal(f->client.bytes, (size_t)MANY * BIG);
    assert_false(f->client.damaged);
    assert_true(f->client.connected);
    assert_false(f->server.connected);
    const struct tls_info *info = stream_tls(f->client.stream);
    assert_non_null(info);
    assert_string_equal(info->protocol, "TLS1.3");
    assert_true(info->verified && info->is_dot && !info->resumed);
    assert_memory_equal(info->names.data, "ns1.example", 12);
    assert_false(stream_tls(f->server.stream)->verified);
    assert_int_equal(stream_stats(f->client.stream)->bytes_in, (size_t)MANY * (BIG + 2));
}

static void small_messages_go_together(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    talk(f, 3000, 40);
    assert_int_equal(f->client.messages, 3000);
    assert_false(f->client.damaged);
    run_for_ms(f, 30);
    assert_true(stream_is_idle(f->client.stream) && stream_is_idle(f->server.stream));
}

static void finishing_sends_what_waits_first(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    talk(f, 1, 10);
    f->wanted_echoes = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(stream_send(f->server.stream, slice_of(f->big, 20000)), OK);
    }
    stream_finish(f->server.stream);
    run_for_ms(f, 3000);
    assert_int_equal(f->client.messages, 21);
    assert_int_equal(f->client.end.code, ERR_CLOSED);
    assert_int_equal(f->server.end.code, ERR_CLOSED);
    assert_string_equal(f->server.end.text, "finished");
}

static void second_connection_is_resumed(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
    assert_false(stream_tls(f->client.stream)->resumed);
    close_both(f);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
    assert_true(stream_tls(f->client.stream)->resumed);
    assert_true(stream_tls(f->client.stream)->is_dot);
}

static void ticket_is_not_used_under_another_context(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    close_both(f);
    tls_context_unref(f->client.context);
    client.ca_file = path_of(f, "other-ca.crt");
    assert_int_equal(tls_context_new(&client, NULL, &f->client.context, NULL), OK);
    talk(f, 1, 100);
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "which is no CA of");
}

static void no_tickets_where_clients_show_certificates(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    server.ca_file = path_of(f, "ca.crt");
    client.cert_file = path_of(f, "client.crt");
    client.key_file = path_of(f, "client.key");
    make_contexts(f, &server, &client);
    for (int i = 0; i < 2; i++) {
        talk(f, 1, 100);
        assert_int_equal(f->client.messages, 1);
        assert_false(stream_tls(f->client.stream)->resumed);
        const struct tls_info *info = stream_tls(f->server.stream);
        assert_true(info->verified);
        assert_int_equal(info->names.size, sizeof("ns2.example"));
        assert_memory_equal(info->names.data, "ns2.example", sizeof("ns2.example"));
        close_both(f);
    }
}

static void address_is_the_name_where_none_is_given(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    client.remote_hostname = NULL;
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
}

static void any_certificate_will_do_where_nothing_is_asked(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = {.name = "ephemeral", .ephemeral = true, .tls13 = true};
    struct tls_options client = {.name = "ephemeral", .is_client = true, .tls13 = true};
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
    assert_false(stream_tls(f->client.stream)->verified);
}

static void pin_alone_is_enough(void **state)
{
    struct fixture *f = *state;
    uint8_t pins[2][TLS_PIN_SIZE] = {{0}};
    memcpy(pins[1], f->server_pin, TLS_PIN_SIZE);
    struct tls_options server = server_options(f), client = client_options(f);
    client.ca_file = NULL;
    client.remote_hostname = NULL;
    client.pins = (const uint8_t(*)[TLS_PIN_SIZE])pins;
    client.pin_count = 2;
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
    assert_true(stream_tls(f->client.stream)->verified);
}

static void clients_may_be_pinned(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    server.pins = (const uint8_t(*)[TLS_PIN_SIZE]) & f->client_pin;
    server.pin_count = 1;
    client.cert_file = path_of(f, "client.crt");
    client.key_file = path_of(f, "client.key");
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 1);
}

static void tls12_is_spoken_where_both_allow_it(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    server.tls12 = client.tls12 = true;
    client.tls13 = false;
    client.ciphers = "HIGH:!aNULL:ECDHE-ECDSA-AES128-GCM-SHA256";
    make_contexts(f, &server, &client);
    talk(f, 5, BIG);
    assert_int_equal(f->client.messages, 5);
    assert_string_equal(stream_tls(f->client.stream)->protocol, "TLS1.2");
    assert_string_equal(stream_tls(f->client.stream)->cipher, "AES-128-GCM");
    close_both(f);
    talk(f, 1, 100);
    assert_true(stream_tls(f->client.stream)->resumed);
}

/* ---- what is refused, and the cause that is named ---- */

static void refused(void **state, const char *cert, const char *name, const char *ca,
                    enum result code, const char *part)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    char file[32];
    snprintf(file, sizeof(file), "%s.crt", cert);
    server.cert_file = path_of(f, file);
    snprintf(file, sizeof(file), "%s.key", cert);
    server.key_file = path_of(f, file);
    client.remote_hostname = name;
    client.ca_file = path_of(f, ca);
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    expect_refusal(f, &f->client, code, part);
    assert_int_equal(f->server.messages, 0);
    assert_true(f->server.end.code != OK);
}

static void expired_certificate_is_named(void **state)
{
    refused(state, "expired", "ns1.example", "ca.crt", ERR_BAD_AUTH, "`ns1.example` expired on 20");
}

static void certificate_of_the_future_is_named(void **state)
{
    refused(state, "early", "ns1.example", "ca.crt", ERR_BAD_AUTH, "is valid from 20");
}

static void wrong_name_is_named(void **state)
{
    refused(state, "server", "ns9.example", "ca.crt", ERR_BAD_AUTH,
            "it is for `ns1.example`, not for `ns9.example` (remote-hostname)");
}

static void unknown_ca_is_named(void **state)
{
    refused(state, "server", "ns1.example", "other-ca.crt", ERR_BAD_AUTH,
            "is signed by `CN=Test CA`, which is no CA of /tmp/");
}

static void wrong_pin_is_named(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    client.pins = (const uint8_t(*)[TLS_PIN_SIZE]) & f->client_pin;
    client.pin_count = 1;
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "its key has the pin \"");
    assert_non_null(strstr(f->client.end.text, "`tls` block `primary`"));
}

static void client_without_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    server.ca_file = path_of(f, "ca.crt");
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    expect_refusal(f, &f->server, ERR_BAD_AUTH, "certificate of the client: it showed none");
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "it asks for a client certificate");
}

static void client_of_another_ca_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    server.ca_file = path_of(f, "ca.crt");
    client.cert_file = path_of(f, "stranger.crt");
    client.key_file = path_of(f, "stranger.key");
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    expect_refusal(f, &f->server, ERR_BAD_AUTH, "`CN=Other CA`, which is no CA of");
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "it does not");
    assert_int_equal(f->server.messages, 0);
}

static void protocols_without_common_version_are_named(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    client.tls12 = true;
    client.tls13 = false;
    make_contexts(f, &server, &client);
    talk(f, 1, 100);
    expect_refusal(f, &f->server, ERR_BAD_AUTH, "TLS: protocol: the peer speaks no version that");
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "protocol: it speaks none of the versions");
}

/* A peer that is GnuTLS itself, without the house's rules. Returns the session, connected. */
static gnutls_session_t raw_peer(int fd, unsigned flags, const char *token,
                                 gnutls_certificate_credentials_t credentials)
{
    gnutls_session_t raw;
    assert_int_equal(gnutls_init(&raw, flags), 0);
    assert_int_equal(gnutls_set_default_priority(raw), 0);
    assert_int_equal(gnutls_credentials_set(raw, GNUTLS_CRD_CERTIFICATE, credentials), 0);
    if (token != NULL) {
        gnutls_datum_t offer = {(unsigned char *)(uintptr_t)token, (unsigned)strlen(token)};
        assert_int_equal(gnutls_alpn_set_protocols(raw, &offer, 1, 0), 0);
    }
    gnutls_transport_set_int(raw, fd);
    return raw;
}

struct raw_client {
    struct fixture *fixture;
    const char *token;
    int code;
    uint8_t echo[4];
};

static void *raw_client_main(void *context)
{
    struct raw_client *client = context;
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(&client->fixture->listener.local, &storage);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    gnutls_certificate_credentials_t credentials;
    gnutls_certificate_allocate_credentials(&credentials);
    client->code = connect(fd, (struct sockaddr *)&storage, size);
    if (client->code == 0) {
        gnutls_session_t raw = raw_peer(fd, GNUTLS_CLIENT, client->token, credentials);
        client->code = gnutls_handshake(raw);
        if (client->code == 0) {
            /* The message split over records at every place. */
            for (int i = 0; i < 4; i++) {
                gnutls_record_send(raw, &"\0\2hi"[i], 1);
            }
            for (size_t got = 0; got < 4;) {
                ssize_t more = gnutls_record_recv(raw, client->echo + got, 4 - got);
                if (more <= 0 && more != GNUTLS_E_AGAIN) {
                    client->code = (int)more;
                    break;
                }
                got += more > 0 ? (size_t)more : 0;
            }
        }
        gnutls_deinit(raw);
    }
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return NULL;
}

static void run_raw_client(struct fixture *f, struct raw_client *client)
{
    struct tls_options server = server_options(f), unused = client_options(f);
    make_contexts(f, &server, &unused);
    pthread_t thread;
    f->client.end.code = ERR_CLOSED; /* the server's end decides */
    assert_int_equal(pthread_create(&thread, NULL, raw_client_main, client), 0);
    run_for_ms(f, 5000);
    pthread_join(thread, NULL);
}

static void client_without_alpn_is_served_and_known_as_such(void **state)
{
    struct fixture *f = *state;
    struct raw_client client = {.fixture = f};
    run_raw_client(f, &client);
    assert_int_equal(client.code, 0);
    assert_memory_equal(client.echo, "\0\2hi", 4);
    assert_int_equal(f->server.messages, 1);
    assert_int_equal(f->server.end.code, ERR_CLOSED);
}

static void client_with_another_alpn_is_refused(void **state)
{
    struct fixture *f = *state;
    struct raw_client client = {.fixture = f, .token = "h2"};
    run_raw_client(f, &client);
    assert_int_equal(client.code, GNUTLS_E_FATAL_ALERT_RECEIVED);
    expect_refusal(f, &f->server, ERR_BAD_AUTH, "ALPN: the peer does not offer `dot`");
}

static void *raw_server_main(void *context)
{
    struct fixture *f = context;
    int fd = accept(f->listener.fd, NULL, NULL);
    gnutls_certificate_credentials_t credentials;
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_certificate_set_x509_key_file(credentials, path_of(f, "server.crt"),
                                         path_of(f, "server.key"), GNUTLS_X509_FMT_PEM);
    gnutls_session_t raw = raw_peer(fd, GNUTLS_SERVER, NULL, credentials);
    (void)gnutls_handshake(raw);
    char byte;
    (void)gnutls_record_recv(raw, &byte, 1);
    gnutls_deinit(raw);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return NULL;
}

static void server_without_alpn_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    listener_stop(&f->listener);
    assert_int_equal(fcntl(f->listener.fd, F_SETFL, 0), 0);
    f->server_is_raw = true;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, raw_server_main, f), 0);
    talk(f, 1, 100);
    expect_refusal(f, &f->client, ERR_BAD_AUTH, "ALPN: the server did not agree on `dot`");
    close_both(f);
    pthread_join(thread, NULL);
}

static void plain_client_is_told_apart(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    tls_context_unref(f->client.context);
    f->client.context = NULL;
    talk(f, 1, 300);
    expect_refusal(f, &f->server, ERR_FORMAT, "what the peer sends is not TLS");
}

static void plain_server_is_told_apart(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    tls_context_unref(f->server.context);
    f->server.context = NULL;
    f->options.message_ms = 200;
    talk(f, 1, 100);
    assert_int_equal(f->client.messages, 0);
    assert_true(f->client.end.code == ERR_FORMAT || f->client.end.code == ERR_CLOSED);
    assert_non_null(strstr(f->client.end.text, "TLS"));
}

static void silent_client_meets_the_handshake_time(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    tls_context_unref(f->client.context);
    f->client.context = NULL;
    f->options.handshake_ms = 80;
    talk(f, 0, 0);
    expect_refusal(f, &f->server, ERR_TIMEOUT, "TLS: the handshake did not end in time");
}

static void silent_server_meets_the_handshake_time(void **state)
{
    struct fixture *f = *state;
    struct tls_options server = server_options(f), client = client_options(f);
    make_contexts(f, &server, &client);
    listener_stop(&f->listener); /* the kernel takes the connection, nobody answers */
    f->server_is_raw = true;
    f->options.handshake_ms = 80;
    talk(f, 1, 100);
    expect_refusal(f, &f->client, ERR_TIMEOUT, "TLS: the handshake did not end in time");
}

/* ---- contexts ---- */

static void expect_bad(struct fixture *f, const struct tls_options *options, enum result code,
                       const char *part)
{
    struct error err = {0};
    struct tls_context *context = NULL;
    assert_int_equal(tls_context_new(options, NULL, &context, &err), code);
    assert_null(context);
    assert_int_equal(err.code, code);
    if (strstr(err.text, part) == NULL) {
        fail_msg("no `%s` in: %s", part, err.text);
    }
    (void)f;
}

static void bad_files_are_named(void **state)
{
    struct fixture *f = *state;
    certificate_write(path_of(f, "rubbish"), "no pem\n", 7);
    certificate_write(path_of(f, "empty"), "", 0);
    struct tls_options options = server_options(f);
    options.cert_file = path_of(f, "missing.crt");
    expect_bad(f, &options, ERR_IO, "missing.crt: No such file");
    options = server_options(f);
    options.key_file = path_of(f, "client.key");
    expect_bad(f, &options, ERR_FORMAT, "is not the key of the certificate in");
    options = server_options(f);
    options.key_file = path_of(f, "rubbish");
    expect_bad(f, &options, ERR_FORMAT, "key-file /tmp/");
    options = server_options(f);
    options.cert_file = path_of(f, "rubbish");
    expect_bad(f, &options, ERR_FORMAT, "cert-file /tmp/");
    options = server_options(f);
    options.ca_file = path_of(f, "rubbish");
    expect_bad(f, &options, ERR_FORMAT, "ca-file /tmp/");
    options.ca_file = path_of(f, "empty");
    expect_bad(f, &options, ERR_FORMAT, "empty is empty");
    options.ca_file = f->folder;
    expect_bad(f, &options, ERR_FORMAT, "is no regular file");
    options = server_options(f);
    options.dhparam_file = path_of(f, "rubbish");
    expect_bad(f, &options, ERR_FORMAT, "dhparam-file /tmp/");
    options = server_options(f);
    options.cert_file = options.key_file = NULL;
    expect_bad(f, &options, ERR_FORMAT, "needs cert-file and key-file");
    options = client_options(f);
    options.ciphers = "HIGH:RC4-MD5";
    expect_bad(f, &options, ERR_FORMAT, "`ciphers` names `RC4-MD5`");
}

static void same_files_give_the_same_context(void **state)
{
    struct fixture *f = *state;
    make(f, &f->ca, "renewed", "ns1.example", -1, 90, NULL);
    struct tls_options options = server_options(f);
    options.cert_file = path_of(f, "renewed.crt");
    options.key_file = path_of(f, "renewed.key");
    struct tls_context *first, *second, *third;
    assert_int_equal(tls_context_new(&options, NULL, &first, NULL), OK);
    assert_int_equal(tls_context_new(&options, first, &second, NULL), OK);
    assert_ptr_equal(first, second);
    make(f, &f->ca, "renewed", "ns1.example", -1, 90, NULL);
    assert_int_equal(tls_context_new(&options, first, &third, NULL), OK);
    assert_ptr_not_equal(first, third);
    assert_null(tls_context_warning(first));
    tls_context_unref(first);
    tls_context_unref(second);
    tls_context_unref(third);
}

static void dangerous_files_are_warned_of(void **state)
{
    struct fixture *f = *state;
    make(f, &f->ca, "open", "ns1.example", -1, 90, NULL);
    make(f, &f->ca, "soon", "ns1.example", -1, 3, NULL);
    struct tls_options options = server_options(f);
    options.cert_file = path_of(f, "open.crt");
    options.key_file = path_of(f, "open.key");
    assert_int_equal(chmod(options.key_file, 0644), 0);
    struct tls_context *context;
    assert_int_equal(tls_context_new(&options, NULL, &context, NULL), OK);
    assert_non_null(strstr(tls_context_warning(context), "everybody can read key-file"));
    tls_context_unref(context);
    options.cert_file = path_of(f, "soon.crt");
    options.key_file = path_of(f, "soon.key");
    assert_int_equal(chmod(options.key_file, 0600), 0);
    assert_int_equal(tls_context_new(&options, NULL, &context, NULL), OK);
    assert_non_null(strstr(tls_context_warning(context), "expires on 20"));
    tls_context_unref(context);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strict_connection_carries_messages_both_ways),
        TEST(small_messages_go_together),
        TEST(finishing_sends_what_waits_first),
        TEST(second_connection_is_resumed),
        TEST(ticket_is_not_used_under_another_context),
        TEST(no_tickets_where_clients_show_certificates),
        TEST(address_is_the_name_where_none_is_given),
        TEST(any_certificate_will_do_where_nothing_is_asked),
        TEST(pin_alone_is_enough),
        TEST(clients_may_be_pinned),
        TEST(tls12_is_spoken_where_both_allow_it),
        TEST(expired_certificate_is_named),
        TEST(certificate_of_the_future_is_named),
        TEST(wrong_name_is_named),
        TEST(unknown_ca_is_named),
        TEST(wrong_pin_is_named),
        TEST(client_without_certificate_is_refused),
        TEST(client_of_another_ca_is_refused),
        TEST(protocols_without_common_version_are_named),
        TEST(client_without_alpn_is_served_and_known_as_such),
        TEST(client_with_another_alpn_is_refused),
        TEST(server_without_alpn_is_refused),
        TEST(plain_client_is_told_apart),
        TEST(plain_server_is_told_apart),
        TEST(silent_client_meets_the_handshake_time),
        TEST(silent_server_meets_the_handshake_time),
        TEST(bad_files_are_named),
        TEST(same_files_give_the_same_context),
        TEST(dangerous_files_are_warned_of),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
