/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS over a socket that never blocks. GnuTLS sees two buffers instead of the socket:
 *
 * in   what one read of the socket brought. GnuTLS would ask the kernel twice a record, for the head
 *      and for the rest; a zone that comes in costs a quarter of the system calls this way.
 * out  records that were made and not taken by the kernel. Writing makes records of up to BATCH
 *      octets, then hands them over in one call. The owner's octets count as written when the last of
 *      their records has left, so a peer that takes nothing is seen by the owner's time-out as on
 *      plain TCP, and no more than a batch is ever held here.
 *
 * Both exist only while they have something in them: an idle connection keeps what GnuTLS needs and
 * no more.
 *
 * Early data (0-RTT) is neither sent nor accepted: it can be replayed (RFC 8446 8). No
 * renegotiation in TLS 1.2.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/tls_impl.h"

enum {
    READ_SIZE = 32 * 1024,
    RECORD = 16384,
    BATCH = 4 * RECORD,
    OUT_FIRST = 4096,
    STEPS = 64, /* of one call, so that a peer that sends empty records holds nobody up */
};

static ssize_t pull(gnutls_transport_ptr_t pointer, void *out, size_t size)
{
    struct tls_session *s = pointer;
    if (s->in_at == s->in_size && !s->ended) {
        if (s->in == NULL) {
            s->in = memory_new(READ_SIZE);
        }
        ssize_t got;
        do {
            got = recv(s->fd, s->in, READ_SIZE, MSG_DONTWAIT);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            bool waits = errno == EAGAIN || errno == EWOULDBLOCK;
            s->starved = true;
            s->pull_errno = waits ? 0 : errno;
            gnutls_transport_set_errno(s->gnutls, waits ? EAGAIN : errno);
            return -1;
        }
        s->ended = got == 0;
        s->in_at = 0;
        s->in_size = (size_t)got;
    }
    size_t left = s->in_size - s->in_at;
    size = size < left ? size : left;
    if (size != 0) {
        memcpy(out, s->in + s->in_at, size);
        s->in_at += size;
    }
    return (ssize_t)size;
}

static ssize_t push(gnutls_transport_ptr_t pointer, const giovec_t *vectors, int count)
{
    struct tls_session *s = pointer;
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += vectors[i].iov_len;
    }
    if (s->out_size + size > s->out_capacity) {
        size_t capacity = s->out_capacity == 0 ? OUT_FIRST : s->out_capacity;
        while (capacity < s->out_size + size) {
            capacity *= 2;
        }
        s->out = memory_resize(s->out, capacity);
        s->out_capacity = capacity;
    }
    for (int i = 0; i < count; i++) {
        memcpy(s->out + s->out_size, vectors[i].iov_base, vectors[i].iov_len);
        s->out_size += vectors[i].iov_len;
    }
    return (ssize_t)size;
}

/* Hands over what is in `out`. 1: all of it has left; 0: some; -1 with errno. */
static int flush(struct tls_session *s)
{
    bool moved = false;
    while (s->out_at < s->out_size) {
        ssize_t sent =
            send(s->fd, s->out + s->out_at, s->out_size - s->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return moved ? 0 : -1;
        }
        s->out_at += (size_t)sent;
        moved = true;
    }
    memory_free(s->out);
    s->out = NULL;
    s->out_at = s->out_size = s->out_capacity = 0;
    return 1;
}

static void release_input(struct tls_session *s)
{
    if (s->in_at == s->in_size && s->in != NULL) {
        memory_free(s->in);
        s->in = NULL;
        s->in_at = s->in_size = 0;
    }
}

/* ---- tickets ---- */

static void remember(struct tls_session *s)
{
    gnutls_datum_t data;
    if (s->memory == NULL || !s->context->session_tickets ||
        gnutls_session_get_data2(s->gnutls, &data) != 0) {
        return;
    }
    tls_memory_clear(s->memory);
    s->memory->ticket = memory_new(data.size + 1);
    memcpy(s->memory->ticket, data.data, data.size);
    s->memory->ticket_size = data.size;
    s->memory->context = tls_context_ref(s->context);
    gnutls_free(data.data);
}

/* TLS 1.3: the ticket comes some time behind the handshake. */
static int ticket_came(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message)
{
    (void)type;
    (void)when;
    (void)message;
    if (incoming != 0) {
        remember(gnutls_session_get_ptr(gnutls));
    }
    return 0;
}

/* ---- life ---- */

static void setup_client(struct tls_session *s)
{
    const char *name = s->context->remote_hostname;
    if (name != NULL) {
        (void)gnutls_server_name_set(s->gnutls, GNUTLS_NAME_DNS, name, strlen(name));
    }
    if (s->memory != NULL && s->memory->context == s->context && s->memory->ticket != NULL) {
        (void)gnutls_session_set_data(s->gnutls, s->memory->ticket, s->memory->ticket_size);
        /* Used once: two connections with one ticket could be told to be of one client. */
        tls_memory_clear(s->memory);
    }
    if (s->memory != NULL && s->context->session_tickets) {
        gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                           GNUTLS_HOOK_POST, ticket_came);
    }
}

static void setup_server(struct tls_session *s)
{
    gnutls_certificate_server_set_request(
        s->gnutls, s->context->asks_certificate ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (s->context->session_tickets) {
        (void)gnutls_session_ticket_enable_server(s->gnutls, &s->context->ticket_key);
    }
}

struct tls_session *tls_session_new(struct tls_context *context, int fd, const struct address *peer,
                                    struct tls_memory *memory)
{
    struct tls_session *s = memory_new_zeroed(1, sizeof(*s));
    s->context = tls_context_ref(context);
    s->memory = memory;
    s->fd = fd;
    s->peer = *peer;
    /* A certificate that the server may not like is shown all the same: its refusal says more. */
    unsigned flags = GNUTLS_NONBLOCK | GNUTLS_FORCE_CLIENT_CERT |
                     (context->is_client ? GNUTLS_CLIENT : GNUTLS_SERVER) |
                     (context->session_tickets ? 0u : (unsigned)GNUTLS_NO_TICKETS);
    REQUIRE(gnutls_init(&s->gnutls, flags) == 0); /* it fails for want of memory only */
    gnutls_session_set_ptr(s->gnutls, s);
    (void)gnutls_priority_set(s->gnutls, context->priority);
    (void)gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, context->credentials);
    gnutls_session_set_verify_function(s->gnutls, tls_verify_peer);
    static const unsigned char dot[] = "dot";
    const gnutls_datum_t token = {(unsigned char *)(uintptr_t)dot, 3};
    (void)gnutls_alpn_set_protocols(s->gnutls, &token, 1, GNUTLS_ALPN_MANDATORY);
    gnutls_transport_set_ptr(s->gnutls, s);
    gnutls_transport_set_pull_function(s->gnutls, pull);
    gnutls_transport_set_vec_push_function(s->gnutls, push);
    gnutls_handshake_set_timeout(s->gnutls, 0); /* the stream has the time-out */
    if (context->is_client) {
        setup_client(s);
    } else {
        setup_server(s);
    }
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (s == NULL) {
        return;
    }
    if (s->established && s->failure.code == OK && s->out_size == 0) {
        tls_session_finish(s);
    }
    /* Also after a failure: an alert that tells the peer why is worth a try. */
    (void)flush(s);
    gnutls_deinit(s->gnutls);
    tls_context_unref(s->context);
    memory_free(s->in);
    memory_free(s->out);
    memory_free(s->names);
    memory_free(s);
}

/* ---- handshake ---- */

static bool agreed_on_dot(struct tls_session *s)
{
    gnutls_datum_t token = {0};
    return gnutls_alpn_get_selected_protocol(s->gnutls, &token) == 0 && token.size == 3 &&
           memcmp(token.data, "dot", 3) == 0;
}

static enum tls_progress secured(struct tls_session *s)
{
    struct tls_context *context = s->context;
    s->established = true;
    s->info = (struct tls_info){
        .protocol = gnutls_protocol_get_name(gnutls_protocol_get_version(s->gnutls)),
        .cipher = gnutls_cipher_get_name(gnutls_cipher_get(s->gnutls)),
        .resumed = gnutls_session_is_resumed(s->gnutls) != 0,
        .verified = context->checks_chain || context->pin_count != 0,
        .is_dot = agreed_on_dot(s),
    };
    if (context->is_client && !s->info.is_dot) {
        error_set(&s->failure, ERR_BAD_AUTH,
                  "TLS: ALPN: the server did not agree on `dot` (RFC 9103 7.1)");
        (void)gnutls_alert_send(s->gnutls, GNUTLS_AL_FATAL, GNUTLS_A_NO_APPLICATION_PROTOCOL);
        return TLS_FAILED;
    }
    if (s->info.verified) {
        tls_collect_names(s);
    }
    if (context->is_client && gnutls_protocol_get_version(s->gnutls) == GNUTLS_TLS1_2) {
        remember(s);
    }
    return TLS_READY;
}

/* The system's word where the connection broke, GnuTLS's otherwise. */
static void fail(struct tls_session *s, int code)
{
    if (s->pull_errno != 0 && s->failure.code == OK) {
        errno = s->pull_errno;
        bool closed = errno == ECONNRESET || errno == EPIPE;
        error_set_os(&s->failure, closed ? ERR_CLOSED : ERR_IO, "connection broken%s",
                     s->established ? " while reading" : " during the TLS handshake");
        return;
    }
    tls_explain(s, code);
}

enum tls_progress tls_session_handshake(struct tls_session *s)
{
    int code;
    unsigned steps = 0;
    do {
        s->starved = false;
        code = gnutls_handshake(s->gnutls);
    } while (code != 0 && gnutls_error_is_fatal(code) == 0 && !s->starved && ++steps < STEPS);
    release_input(s);
    if (code != 0 && gnutls_error_is_fatal(code) != 0) {
        fail(s, code);
        (void)gnutls_alert_send_appropriate(
            s->gnutls, tls_lacks_version(s, code) ? GNUTLS_E_UNSUPPORTED_VERSION_PACKET : code);
        return TLS_FAILED;
    }
    if (flush(s) < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        error_set_os(&s->failure, ERR_CLOSED, "connection broken during the TLS handshake");
        return TLS_FAILED;
    }
    return code == 0 ? secured(s) : TLS_WAITING;
}

/* ---- octets ---- */

ssize_t tls_session_read(struct tls_session *s, void *out, size_t size)
{
    size_t total = 0;
    if (s->failure.code != OK) {
        errno = EPROTO;
        return -1;
    }
    for (unsigned steps = 0; total < size && steps < STEPS; steps++) {
        s->starved = false;
        ssize_t got = gnutls_record_recv(s->gnutls, (uint8_t *)out + total, size - total);
        if (got > 0) {
            total += (size_t)got;
            if (!tls_session_has_input(s)) {
                break;
            }
            continue;
        }
        if (got == 0 || got == GNUTLS_E_PREMATURE_TERMINATION) {
            /* Messages have lengths: one that is cut off shows without close_notify as well. */
            s->ended = true;
            s->in_at = s->in_size;
            release_input(s);
            return (ssize_t)total;
        }
        if (gnutls_error_is_fatal((int)got) == 0 && got != GNUTLS_E_REHANDSHAKE) {
            if (!s->starved) {
                continue; /* it was a ticket, or a key update */
            }
            break;
        }
        fail(s, (int)got);
        if (total == 0) {
            errno = EPROTO;
            return -1;
        }
        break; /* what came before it counts */
    }
    release_input(s);
    if (total == 0) {
        errno = EAGAIN;
        return -1;
    }
    return (ssize_t)total;
}

/* Fills `piece` from the vectors, from *at and *offset on; returns how many octets. */
static size_t gather(const struct iovec *vectors, int count, int *at, size_t *offset,
                     uint8_t piece[RECORD])
{
    size_t fill = 0;
    while (*at < count && fill < RECORD) {
        size_t left = vectors[*at].iov_len - *offset;
        size_t size = left < RECORD - fill ? left : RECORD - fill;
        if (size != 0) {
            memcpy(piece + fill, (const uint8_t *)vectors[*at].iov_base + *offset, size);
        }
        fill += size;
        *offset += size;
        if (*offset == vectors[*at].iov_len) {
            (*at)++;
            *offset = 0;
        }
    }
    return fill;
}

/* Records of the first BATCH octets, some more where the last of them does not end there. */
static bool make_records(struct tls_session *s, const struct iovec *vectors, int count)
{
    uint8_t piece[RECORD];
    int at = 0;
    size_t offset = 0;
    while (at < count && s->unsent < BATCH) {
        const uint8_t *data = (const uint8_t *)vectors[at].iov_base + offset;
        size_t size = RECORD;
        if (vectors[at].iov_len - offset > RECORD) {
            offset += RECORD; /* as it lies */
        } else {
            size = gather(vectors, count, &at, &offset, piece);
            data = piece;
        }
        ssize_t sent = size == 0 ? 0 : gnutls_record_send(s->gnutls, data, size);
        if (sent != (ssize_t)size) {
            fail(s, (int)sent);
            return false;
        }
        s->unsent += size;
    }
    return true;
}

ssize_t tls_session_write(struct tls_session *s, const struct iovec *vectors, int count)
{
    if (s->out_size != 0) {
        int through = flush(s);
        if (through <= 0) {
            return through;
        }
    }
    if (s->unsent == 0 && !make_records(s, vectors, count)) {
        errno = EPROTO;
        return -1;
    }
    int through = flush(s);
    if (through <= 0) {
        return through;
    }
    size_t size = s->unsent;
    s->unsent = 0;
    return (ssize_t)size;
}

bool tls_session_has_input(const struct tls_session *s)
{
    return s->failure.code != OK || s->ended || s->in_at < s->in_size ||
           gnutls_record_check_pending(s->gnutls) != 0;
}

bool tls_session_has_output(const struct tls_session *s)
{
    return s->out_at < s->out_size;
}

void tls_session_finish(struct tls_session *s)
{
    (void)gnutls_bye(s->gnutls, GNUTLS_SHUT_WR);
    (void)flush(s);
}
