/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages behind their length on a connection, cut anywhere, plain and in TLS records. The first
 * octet of the input says how:
 *
 *   bits 0-1  0 plain; 1 TLS, the octets being what a client sends that has agreed on it, a record a
 *             piece; 2 TLS, the octets being the client's own, from the first on; 3 as 2, and the
 *             server asks for a certificate
 *   bit 2     the owner pauses at each third message, until the next piece
 *   bit 3     the owner answers with the message itself
 *   bits 4-5  which size the input buffer starts with
 *   bit 6     a PROXY header comes first: within TLS in mode 1, else before everything
 *
 * The rest are pieces: a length octet and as many octets. What is handed up must be the messages that
 * a plain look at the whole finds, in order, none missing, none twice; behind a PROXY header that
 * is good, and whose addresses are then the stream's.
 */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/memory.h"
#include "net/proxy_header.h"
#include "net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODE_PLAIN, MODE_RECORDS, MODE_RAW, MODE_RAW_MUTUAL, INPUT_MAX = 16384, TURNS = 12 };

struct peer {
    struct loop *loop;
    struct stream *stream; /* NULL: ended */
    const uint8_t *whole;  /* all octets of the pieces, one behind the other */
    size_t size, at;       /* what was handed up so far */
    unsigned messages;
    bool pauses, echoes, paused;
    bool is_proxied, is_introduced;
    size_t header_size; /* of the PROXY header at the front; 0: none, or no good one */
    struct proxy_header header;
};

static struct loop *the_loop;
static struct tls_context *contexts[2];
static gnutls_certificate_credentials_t client_credentials;

static void begin_once(void)
{
    if (the_loop != NULL) {
        return;
    }
    static const uint8_t pin[1][TLS_PIN_SIZE] = {{1}};
    struct tls_options options = {
        .name = "fuzz", .ephemeral = true, .tls12 = true, .tls13 = true, .session_tickets = true};
    REQUIRE(loop_new(&the_loop, NULL) == OK);
    REQUIRE(tls_context_new(&options, NULL, &contexts[0], NULL) == OK);
    options.pins = pin;
    options.pin_count = 1;
    REQUIRE(tls_context_new(&options, NULL, &contexts[1], NULL) == OK);
    REQUIRE(gnutls_certificate_allocate_credentials(&client_credentials) == 0);
}

static void message_came(void *context, struct slice message)
{
    struct peer *peer = context;
    REQUIRE(peer->is_introduced == peer->is_proxied);
    /* The next message of the whole, which must be there. */
    REQUIRE(peer->size - peer->at >= 2);
    size_t wanted = (size_t)peer->whole[peer->at] << 8 | peer->whole[peer->at + 1];
    REQUIRE(message.size == wanted && peer->size - peer->at - 2 >= wanted);
    REQUIRE(wanted == 0 || memcmp(message.data, peer->whole + peer->at + 2, wanted) == 0);
    peer->at += 2 + wanted;
    peer->messages++;
    if (peer->echoes && stream_send(peer->stream, message) != OK) {
        stream_close(peer->stream);
        peer->stream = NULL;
        return;
    }
    if (peer->pauses && peer->messages % 3 == 0) {
        peer->paused = true;
        stream_pause(peer->stream);
    }
}

static void introduced(void *context)
{
    struct peer *peer = context;
    REQUIRE(peer->is_proxied && !peer->is_introduced && peer->header_size != 0);
    REQUIRE(peer->header.is_local ||
            (address_equal(stream_peer(peer->stream), &peer->header.source) &&
             address_equal(stream_local(peer->stream), &peer->header.destination)));
    peer->is_introduced = true;
}

static void closed(void *context, const struct error *err)
{
    struct peer *peer = context;
    REQUIRE(err->code != OK && err->text[0] != '\0');
    peer->stream = NULL;
}

static const struct stream_callbacks callbacks = {
    .message = message_came, .introduced = introduced, .closed = closed};

static void stop(void *context)
{
    loop_stop(context);
}

static void turn(struct loop *loop, unsigned count)
{
    while (count-- != 0) {
        struct loop_timer timer;
        loop_timer_init(&timer, stop, loop);
        loop_timer_set(loop, &timer, clock_now());
        loop_run(loop);
        loop_timer_stop(loop, &timer);
    }
}

static void resume(struct peer *peer)
{
    if (peer->stream != NULL && peer->paused) {
        peer->paused = false;
        stream_resume(peer->stream);
    }
}

/* Answers are of no interest, but must not stop the other end. */
static void drain(int fd)
{
    uint8_t thrown_away[65536];
    while (recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT) > 0) {
    }
}

static gnutls_session_t shake_hands(struct peer *peer, int fd)
{
    gnutls_session_t client;
    REQUIRE(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) == 0);
    REQUIRE(gnutls_set_default_priority(client) == 0);
    REQUIRE(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, client_credentials) == 0);
    gnutls_transport_set_int(client, fd);
    int code = GNUTLS_E_AGAIN;
    for (unsigned n = 0; n < 100 && code != 0; n++) {
        code = gnutls_handshake(client);
        turn(peer->loop, 1);
    }
    REQUIRE(code == 0 && peer->stream != NULL && stream_tls(peer->stream) != NULL);
    return client;
}

static void feed(struct peer *peer, int fd, gnutls_session_t client, const uint8_t *data,
                 size_t size)
{
    while (size != 0) {
        size_t piece = data[0] + 1u < size ? data[0] : size - 1;
        data++;
        size--;
        if (piece != 0 && client != NULL) {
            (void)gnutls_record_send(client, data, piece);
        } else if (piece != 0) {
            (void)send(fd, data, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        data += piece;
        size -= piece;
        turn(peer->loop, 1);
        resume(peer);
        if (client == NULL) {
            drain(fd);
        }
    }
    /* Until nothing more comes for a while: who pauses takes three messages a turn. */
    for (unsigned idle = 0; idle < TURNS;) {
        size_t before = peer->at;
        turn(peer->loop, 1);
        resume(peer);
        idle = peer->at == before ? idle + 1 : 0;
    }
}

/* The pieces without their lengths. */
static size_t join(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t used = 0;
    while (size != 0) {
        size_t piece = data[0] + 1u < size ? data[0] : size - 1;
        memcpy(out + used, data + 1, piece);
        used += piece;
        data += piece + 1;
        size -= piece + 1;
    }
    return used;
}

/* Octets of whole messages at the front. */
static size_t whole_messages(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (size - at >= 2 && size - at - 2 >= ((size_t)data[at] << 8 | data[at + 1])) {
        at += 2 + ((size_t)data[at] << 8 | data[at + 1]);
    }
    return at;
}

/* What the server should make of the front of the whole, where a proxy is before it. */
static void expect_header(struct peer *peer)
{
    const char *why;
    size_t header_size = 0;
    peer->is_proxied = true;
    if (proxy_header_parse(slice_of(peer->whole, peer->size), &peer->header, &header_size, &why) ==
        PROXY_WHOLE) {
        peer->header_size = header_size;
        peer->at = header_size;
    }
}

/* Where messages of the client are behind its own TLS records nobody can tell. */
static void check_all_came(const struct peer *peer)
{
    if (peer->is_proxied && peer->header_size == 0) {
        REQUIRE(peer->messages == 0 && !peer->is_introduced);
    } else if (peer->stream != NULL && !peer->echoes) {
        const uint8_t *begin = peer->whole + peer->header_size;
        REQUIRE(peer->at - peer->header_size ==
                whole_messages(begin, peer->size - peer->header_size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    begin_once();
    uint8_t flags = data[0];
    unsigned mode = flags & 3;
    data++;
    size--;
    uint8_t *whole = malloc(size);
    struct peer peer = {.loop = the_loop,
                        .whole = whole,
                        .size = join(data, size, whole),
                        .pauses = (flags & 4) != 0,
                        .echoes = (flags & 8) != 0};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct address address = {.family = 4, .port = 1, .bytes = {127, 0, 0, 1}};
    struct stream_options options = stream_defaults;
    options.in_first_bytes = (size_t)16 << (flags >> 4 & 3) * 4;
    options.tls = mode == MODE_PLAIN ? NULL : contexts[mode == MODE_RAW_MUTUAL];
    if ((flags & 64) != 0) {
        options.proxy = mode == MODE_RECORDS ? STREAM_PROXY_ENCRYPTED : STREAM_PROXY_PLAIN;
        expect_header(&peer);
    }
    REQUIRE(stream_accept(the_loop, fds[0], &address, &address, &options, &callbacks, &peer,
                          &peer.stream, NULL) == OK);
    gnutls_session_t client = mode == MODE_RECORDS ? shake_hands(&peer, fds[1]) : NULL;
    feed(&peer, fds[1], client, data, size);
    if (mode <= MODE_RECORDS) {
        check_all_came(&peer);
    }
    if (client != NULL) {
        gnutls_deinit(client);
    }
    close(fds[1]);
    turn(the_loop, 3);
    stream_close(peer.stream);
    free(whole);
    return 0;
}
