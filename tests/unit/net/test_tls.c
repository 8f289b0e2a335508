/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes through TLS between two of ours; the files of a `tls` block. */
#include "tls_fixture.h"

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
        TEST(bad_files_are_named),
        TEST(same_files_give_the_same_context),
        TEST(dangerous_files_are_warned_of),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
