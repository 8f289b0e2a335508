/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers that are refused, with the cause that is named, and peers of other make. */
#include "tls_fixture.h"

#include <netinet/tcp.h>

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
    bool says_goodbye; /* together with its message */
    ssize_t end;       /* what it read after its echo then; 0: the server's goodbye */
    int code;
    uint8_t echo[4];
};

static void cork(int fd, bool wanted)
{
    int on = wanted;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

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
            cork(fd, true);
            /* The message split over records at every place. */
            for (int i = 0; i < 4; i++) {
                gnutls_record_send(raw, &"\0\2hi"[i], 1);
            }
            if (client->says_goodbye) {
                gnutls_bye(raw, GNUTLS_SHUT_WR);
            }
            cork(fd, false);
            for (size_t got = 0; got < 4;) {
                ssize_t more = gnutls_record_recv(raw, client->echo + got, 4 - got);
                if (more <= 0 && more != GNUTLS_E_AGAIN) {
                    client->code = (int)more;
                    break;
                }
                got += more > 0 ? (size_t)more : 0;
            }
            if (client->says_goodbye && client->code == 0) {
                uint8_t more;
                client->end = gnutls_record_recv(raw, &more, 1);
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

static void client_that_says_goodbye_gets_its_answer_and_ours(void **state)
{
    struct fixture *f = *state;
    struct raw_client client = {.fixture = f, .token = "dot", .says_goodbye = true, .end = -1};
    run_raw_client(f, &client);
    assert_int_equal(client.code, 0);
    assert_memory_equal(client.echo, "\0\2hi", 4);
    assert_int_equal(client.end, 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(expired_certificate_is_named),
        TEST(certificate_of_the_future_is_named),
        TEST(wrong_name_is_named),
        TEST(unknown_ca_is_named),
        TEST(wrong_pin_is_named),
        TEST(client_without_certificate_is_refused),
        TEST(client_of_another_ca_is_refused),
        TEST(protocols_without_common_version_are_named),
        TEST(client_without_alpn_is_served_and_known_as_such),
        TEST(client_that_says_goodbye_gets_its_answer_and_ours),
        TEST(client_with_another_alpn_is_refused),
        TEST(server_without_alpn_is_refused),
        TEST(plain_client_is_told_apart),
        TEST(plain_server_is_told_apart),
        TEST(silent_client_meets_the_handshake_time),
        TEST(silent_server_meets_the_handshake_time),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
