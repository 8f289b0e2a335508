/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A length-framed connection as a machine with seven states:
 *
 *     connecting -> securing -> introducing -> open -> finishing -> lingering -> broken
 *
 * connecting  the client's end, until the socket tells how it went
 * securing    where there is TLS, its handshake; messages may be queued, none leaves
 * introducing (server's end, where a proxy is before it) its PROXY header is read, not an octet more;
 *             before securing where the header is not within TLS
 * open        messages go both ways
 * finishing   (stream_finish) the queue is written, nothing is read
 * lingering   our direction is closed; what the peer still sends is read and thrown away for a
 *             moment, since closing with unread octets would reset the connection and could take the
 *             end of our own data with it
 * broken      the end is certain and its reason noted; `closed` is called from the loop
 *
 * Any state goes to broken by an error or a timeout. Callbacks are made only from stream_ready and
 * stream_due, which the loop calls; both end in settle(), the one place where a stream is freed by
 * itself, where the wanted events follow from the state, and where the timer is set. So no function
 * below has to fear that the stream is gone when a callback returns: stream_close within a callback
 * only marks it.
 *
 * Bounds. The input buffer doubles as octets come in, up to one whole message: a peer that
 * announces 64 KB and sends ten octets costs 2 KB. While more than pause_bytes or pause_messages
 * wait to leave, no message is handed up and none is read, so a peer that asks without reading
 * answers stops itself; if it takes nothing for write_ms, it is cut off.
 *
 * The timer is set lazily: a deadline that moves later, as it does with every octet, leaves the
 * timer alone; when the timer comes too early it is set anew.
 *
 * Octets leave and enter through socket_read and socket_write alone, which is where TLS goes
 * between. TLS may hold octets of its own in both directions: those that it has read already make
 * the loop come back without a word from the kernel, those that it wants to write make the stream
 * wait for the kernel though the queue is empty.
 */
#include "net/stream_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/proxy_header.h"
#include "net/socket_impl.h"

enum { VECTORS = 64, ROUNDS = 4, LINGER_MS = 1000 };

static ssize_t socket_read(struct stream *s, void *out, size_t size)
{
    ssize_t got;
    if (s->tls != NULL) {
        return tls_session_read(s->tls, out, size);
    }
    do {
        got = read(s->fd, out, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t socket_write(struct stream *s, struct iovec *vectors, int count)
{
    struct msghdr header = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    ssize_t sent;
    if (s->tls != NULL) {
        return tls_session_write(s->tls, vectors, count);
    }
    do {
        sent = sendmsg(s->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

void stream_enter(struct stream *s, enum stream_state state)
{
    s->state = state;
    s->state_since = loop_now(s->loop);
}

void stream_break_off(struct stream *s, enum result end, int os_errno, const char *reason)
{
    if (s->state != STREAM_BROKEN) {
        stream_enter(s, STREAM_BROKEN);
        s->end = end;
        s->end_errno = os_errno;
        s->end_reason = reason;
    }
}

static void break_off_tls(struct stream *s)
{
    stream_break_off(s, s->tls->failure.code, 0, s->tls->failure.text);
}

static void break_off_os(struct stream *s, int os_errno, const char *reason)
{
    if (s->tls != NULL && s->tls->failure.code != OK) {
        break_off_tls(s);
        return;
    }
    bool closed = os_errno == ECONNRESET || os_errno == EPIPE || os_errno == 0;
    stream_break_off(s, closed ? ERR_CLOSED : ERR_IO, os_errno, reason);
}

/* Messages may be read and handed up. */
static bool may_take(const struct stream *s)
{
    return s->state == STREAM_OPEN && !s->is_closed && !s->paused &&
           s->queue.bytes <= s->options.pause_bytes && s->queue.count <= s->options.pause_messages;
}

static bool has_tls_input(const struct stream *s)
{
    return s->tls != NULL && may_take(s) && !s->peer_finished && tls_session_has_input(s->tls);
}

static bool has_tls_output(const struct stream *s)
{
    return s->tls != NULL && tls_session_has_output(s->tls);
}

static bool may_produce(const struct stream *s)
{
    return s->state == STREAM_OPEN && !s->is_closed && s->producing &&
           s->queue.bytes <= s->options.queue_low_bytes;
}

/* Size of the message at `in` with its length octets; STREAM_LENGTH_SIZE while that is not known.
 */
static size_t frame_size(const uint8_t *in, size_t size)
{
    return size < STREAM_LENGTH_SIZE ? STREAM_LENGTH_SIZE
                                     : STREAM_LENGTH_SIZE + ((size_t)in[0] << 8 | (size_t)in[1]);
}

static bool has_frame(const struct stream *s)
{
    return s->in_size >= STREAM_LENGTH_SIZE && s->in_size >= frame_size(s->in, s->in_size);
}

static void hand_up(struct stream *s)
{
    size_t at = 0;
    while (may_take(s)) {
        size_t left = s->in_size - at;
        size_t size = frame_size(s->in + at, left);
        if (left < STREAM_LENGTH_SIZE || left < size) {
            break;
        }
        s->stats.messages_in++;
        s->callbacks->message(s->context,
                              slice_of(s->in + at + STREAM_LENGTH_SIZE, size - STREAM_LENGTH_SIZE));
        at += size;
    }
    if (at > 0) {
        s->in_size -= at;
        memmove(s->in, s->in + at, s->in_size);
        s->message_started = INSTANT_NEVER;
    }
}

static void grow_input(struct stream *s)
{
    /* Only a message not yet whole leads here, so more is needed than there is. */
    size_t needed = frame_size(s->in, s->in_size);
    size_t capacity = s->in_capacity * 2;
    if (s->in_capacity == 0) {
        capacity = s->options.in_first_bytes;
    } else if (capacity > STREAM_LENGTH_SIZE + STREAM_MESSAGE_MAX) {
        capacity = STREAM_LENGTH_SIZE + STREAM_MESSAGE_MAX;
    }
    REQUIRE(capacity > s->in_size && needed > s->in_size);
    s->in = memory_resize(s->in, capacity);
    s->in_capacity = capacity;
}

/* True where there may be more to read at once. */
static bool read_some(struct stream *s)
{
    if (s->in_size == s->in_capacity) {
        grow_input(s);
    }
    size_t space = s->in_capacity - s->in_size;
    ssize_t got = socket_read(s, s->in + s->in_size, space);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            break_off_os(s, errno, "connection broken while reading");
        }
        return false;
    }
    if (got == 0) {
        s->peer_finished = true;
        return false;
    }
    s->in_size += (size_t)got;
    s->stats.bytes_in += (uint64_t)got;
    s->stats.last_activity = loop_now(s->loop);
    return s->tls != NULL ? tls_session_has_input(s->tls) : (size_t)got == space;
}

void stream_flush(struct stream *s)
{
    while ((s->queue.first != NULL || has_tls_output(s)) && !s->blocked &&
           (s->state == STREAM_OPEN || s->state == STREAM_FINISHING)) {
        struct iovec vectors[VECTORS];
        int count = stream_queue_vectors(&s->queue, vectors, VECTORS);
        ssize_t sent = socket_write(s, vectors, count);
        if (sent < 0) {
            s->blocked = errno == EAGAIN || errno == EWOULDBLOCK;
            if (!s->blocked) {
                break_off_os(s, errno, "connection broken while writing");
            }
            return;
        }
        s->stats.bytes_out += (uint64_t)sent;
        s->stats.messages_out += stream_queue_advance(&s->queue, (size_t)sent);
        s->write_progress = loop_now(s->loop);
        s->stats.last_activity = s->write_progress;
    }
}

static void ask_producer(struct stream *s)
{
    size_t before = s->queue.bytes;
    if (s->callbacks->want_more != NULL) {
        s->callbacks->want_more(s->context);
    }
    if (s->queue.bytes == before) {
        s->producing = false;
        s->stats.last_activity = loop_now(s->loop);
    }
}

/* The due work of an open stream, a bounded number of rounds of it. */
static void work(struct stream *s, bool readable)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool more = false;
        if (readable && may_take(s) && !has_frame(s) && !s->peer_finished) {
            readable = read_some(s);
            more = readable;
        }
        if (may_take(s) && has_frame(s)) {
            hand_up(s);
            more = true;
        }
        stream_flush(s);
        if (may_produce(s)) {
            ask_producer(s);
            stream_flush(s);
            more = true;
        }
        if (!more) {
            break;
        }
    }
}

static void discard_input(struct stream *s)
{
    uint8_t thrown_away[4096];
    for (unsigned round = 0; round < ROUNDS; round++) {
        ssize_t got = read(s->fd, thrown_away, sizeof(thrown_away)); /* TLS or not */
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (got <= 0) {
            s->peer_finished = true;
            return;
        }
    }
}

void stream_secure(struct stream *s)
{
    s->tls = tls_session_new(s->options.tls, s->fd, &s->peer,
                             s->is_client ? s->options.tls_memory : NULL);
}

static int socket_error(int fd)
{
    int os_errno = 0;
    socklen_t size = sizeof(os_errno);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_errno, &size) == 0 ? os_errno : errno;
}

static void opened(struct stream *s)
{
    stream_enter(s, STREAM_OPEN);
    s->stats.last_activity = loop_now(s->loop);
    s->write_progress = loop_now(s->loop);
    if (s->is_client && s->callbacks->connected != NULL) {
        s->callbacks->connected(s->context);
    }
}

/* One step of the TLS handshake. */
static void shake_hands(struct stream *s, bool failed)
{
    switch (tls_session_handshake(s->tls)) {
    case TLS_READY:
        if (!s->is_client) {
            /* The client's last word of the handshake wants no reply: without this its first
             * question would wait (Nagle) for an acknowledgement that we delay by 40 ms. */
            socket_wish(s->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
        }
        if (s->options.proxy == STREAM_PROXY_ENCRYPTED) {
            stream_enter(s, STREAM_INTRODUCING);
        } else {
            opened(s);
        }
        return;
    case TLS_WAITING:
        s->blocked = has_tls_output(s);
        if (failed) {
            stream_break_off(s, ERR_CLOSED, 0,
                             "the peer closed the connection during the TLS handshake");
        }
        return;
    case TLS_FAILED:
        break_off_tls(s);
        return;
    }
}

static void introduced(struct stream *s, const struct proxy_header *header)
{
    s->in_size = 0;
    if (!header->is_local) {
        s->peer = header->source;
        s->local = header->destination;
    }
    if (s->callbacks->introduced != NULL) {
        s->callbacks->introduced(s->context);
    }
    if (s->is_closed) {
        return;
    }
    if (s->options.tls != NULL && s->tls == NULL) {
        stream_enter(s, STREAM_SECURING);
        stream_secure(s);
    } else {
        opened(s);
    }
}

/* The octets behind the header are TLS's or the first message's, and are left where they are. */
static void read_introduction(struct stream *s, bool failed)
{
    if (s->in_capacity < PROXY_HEADER_MAX) {
        s->in = memory_resize(s->in, PROXY_HEADER_MAX);
        s->in_capacity = PROXY_HEADER_MAX;
    }
    for (;;) {
        struct proxy_header header;
        size_t needed = 0;
        const char *why;
        switch (proxy_header_parse(slice_of(s->in, s->in_size), &header, &needed, &why)) {
        case PROXY_WHOLE:
            introduced(s, &header);
            return;
        case PROXY_BAD:
            stream_break_off(s, ERR_FORMAT, 0, why);
            return;
        case PROXY_INCOMPLETE:
            break;
        }
        ssize_t got = socket_read(s, s->in + s->in_size, needed - s->in_size);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !failed) {
            return;
        }
        if (got < 0) {
            break_off_os(s, errno, "connection broken before its PROXY header was whole");
            return;
        }
        if (got == 0) {
            stream_break_off(s, ERR_CLOSED, 0,
                             "the peer closed the connection before its PROXY header was whole");
            return;
        }
        s->in_size += (size_t)got;
        s->stats.bytes_in += (uint64_t)got;
    }
}

static void connect_done(struct stream *s)
{
    int os_errno = socket_error(s->fd);
    if (os_errno != 0) {
        stream_break_off(s, ERR_IO, os_errno, "cannot connect");
        return;
    }
    s->local = socket_local(s->fd);
    if (s->options.tls != NULL) {
        stream_enter(s, STREAM_SECURING);
        stream_secure(s);
        shake_hands(s, false);
    } else {
        opened(s);
    }
}

/* After the peer's last octet: what is left to do for it, or the end. */
static void check_peer_finished(struct stream *s)
{
    if (!s->peer_finished || s->state != STREAM_OPEN || has_frame(s)) {
        return;
    }
    if (s->in_size > 0) {
        stream_break_off(s, ERR_CLOSED, 0,
                         "the peer closed the connection in the middle of a message");
    } else if (s->is_client ||
               (s->queue.first == NULL && s->holds == 0 && !s->producing && !s->paused)) {
        stream_break_off(s, ERR_CLOSED, 0, "the peer closed the connection");
    }
}

static void check_finishing(struct stream *s)
{
    if (s->state == STREAM_FINISHING && s->queue.first == NULL && !has_tls_output(s)) {
        if (s->tls != NULL) {
            tls_session_finish(s->tls);
        }
        shutdown(s->fd, SHUT_WR);
        stream_enter(s, STREAM_LINGERING);
    }
    if (s->state == STREAM_LINGERING && s->peer_finished) {
        stream_break_off(s, ERR_CLOSED, 0, "finished");
    }
}

bool stream_owes_nothing(const struct stream *s)
{
    return s->queue.first == NULL && s->holds == 0 && !s->producing && !s->paused;
}

bool stream_is_idle(const struct stream *s)
{
    return s->state == STREAM_OPEN && stream_owes_nothing(s) && s->in_size == 0;
}

static struct instant after_ms(struct instant start, uint32_t ms)
{
    return ms == 0 ? INSTANT_NEVER : instant_add_ms(start, ms);
}

/* When this stream's patience ends, and the sentence for it. */
static struct instant deadline(const struct stream *s, const char **out_reason)
{
    struct instant write_end = INSTANT_NEVER;
    struct instant message_end = INSTANT_NEVER;
    switch (s->state) {
    case STREAM_CONNECTING:
        *out_reason = "no connection in time";
        return after_ms(s->state_since, s->options.connect_ms);
    case STREAM_INTRODUCING:
        *out_reason = "no whole PROXY header in time";
        return after_ms(s->state_since, s->options.handshake_ms);
    case STREAM_SECURING:
        *out_reason = "TLS: the handshake did not end in time";
        return after_ms(s->state_since, s->options.handshake_ms);
    case STREAM_LINGERING:
        *out_reason = "finished";
        return instant_add_ms(s->state_since, LINGER_MS);
    case STREAM_BROKEN:
        *out_reason = "";
        return INSTANT_NEVER;
    case STREAM_OPEN:
    case STREAM_FINISHING:
        break;
    }
    if (stream_is_idle(s)) {
        *out_reason = "idle for too long";
        return after_ms(s->stats.last_activity, s->options.idle_ms);
    }
    if (s->queue.first != NULL || s->producing) {
        write_end = after_ms(s->write_progress, s->options.write_ms);
    }
    if (s->message_started.ns != INSTANT_NEVER.ns) {
        message_end = after_ms(s->message_started, s->options.message_ms);
    }
    bool write_first = instant_before(write_end, message_end);
    *out_reason = write_first ? "the peer takes none of what waits for it"
                              : "a message did not become whole in time";
    return write_first ? write_end : message_end;
}

static unsigned wanted_events(const struct stream *s)
{
    switch (s->state) {
    case STREAM_CONNECTING:
        return LOOP_WRITE;
    case STREAM_INTRODUCING:
        return LOOP_READ;
    case STREAM_SECURING:
        return LOOP_READ | (has_tls_output(s) ? LOOP_WRITE : 0u);
    case STREAM_OPEN:
    case STREAM_FINISHING:
        return (may_take(s) && !s->peer_finished ? LOOP_READ : 0u) |
               (s->queue.first != NULL || has_tls_output(s) || may_produce(s) ? LOOP_WRITE : 0u);
    case STREAM_LINGERING:
        return LOOP_READ;
    case STREAM_BROKEN:
        break;
    }
    return 0;
}

void stream_call_soon(struct stream *s)
{
    loop_timer_set(s->loop, &s->timer, loop_now(s->loop));
}

void stream_arm(struct stream *s)
{
    if (s->in_size == 0 || !may_take(s)) {
        s->message_started = INSTANT_NEVER;
    } else if (s->message_started.ns == INSTANT_NEVER.ns) {
        s->message_started = loop_now(s->loop);
    }
    loop_watch_set(s->loop, &s->watch, wanted_events(s));
    if (s->state == STREAM_BROKEN || (may_take(s) && has_frame(s)) || has_tls_input(s)) {
        stream_call_soon(s);
        return;
    }
    const char *reason;
    struct instant at = deadline(s, &reason);
    if (!heap_node_is_in(&s->timer.node) || instant_before(at, s->timer.node.at)) {
        loop_timer_set(s->loop, &s->timer, at);
    }
}

void stream_destroy(struct stream *s)
{
    loop_watch_remove(s->loop, &s->watch);
    loop_timer_stop(s->loop, &s->timer);
    tls_session_free(s->tls);
    tls_context_unref(s->options.tls);
    socket_close(&s->fd);
    stream_queue_clear(&s->queue);
    memory_free(s->in);
    memory_free(s);
}

static void report_end(struct stream *s)
{
    struct error err = {0};
    char peer[ADDRESS_TEXT_SIZE];
    if (s->end_errno != 0) {
        errno = s->end_errno;
        error_set_os(&err, s->end, "%s", s->end_reason);
    } else {
        error_set(&err, s->end, "%s", s->end_reason); /* may be the TLS session's own */
    }
    error_peer(&err, address_format(&s->peer, true, peer));
    s->callbacks->closed(s->context, &err);
}

/* The end of every call from the loop; the stream may be gone after it. */
static void settle(struct stream *s)
{
    if (!s->is_closed) {
        check_peer_finished(s);
        check_finishing(s);
        if (s->state == STREAM_BROKEN) {
            report_end(s);
            s->is_closed = true;
        }
    }
    s->busy = false;
    if (s->is_closed) {
        stream_destroy(s);
        return;
    }
    if (s->in_size == 0 && s->in_capacity > s->options.in_first_bytes) {
        memory_free(s->in);
        s->in = NULL;
        s->in_capacity = 0;
    }
    stream_arm(s);
}

void stream_ready(void *context, unsigned events)
{
    struct stream *s = context;
    s->busy = true;
    bool failed = (events & LOOP_ERROR) != 0;
    bool could_read = may_take(s) && !s->peer_finished;
    s->blocked = s->blocked && (events & LOOP_WRITE) == 0;
    if (s->state == STREAM_INTRODUCING) {
        read_introduction(s, failed);
    }
    if (s->state == STREAM_CONNECTING) {
        connect_done(s);
    } else if (s->state == STREAM_SECURING && !s->is_closed) {
        shake_hands(s, failed);
        if (s->state == STREAM_INTRODUCING) {
            read_introduction(s, failed);
        }
    }
    if (s->state == STREAM_LINGERING) {
        discard_input(s);
    } else if (!s->is_closed && s->state >= STREAM_OPEN) {
        work(s, failed || (events & LOOP_READ) != 0 || has_tls_input(s));
        /* Otherwise reading has told what is wrong. */
        if (failed && !could_read && !s->is_closed) {
            break_off_os(s, socket_error(s->fd), "connection broken");
        }
    }
    settle(s);
}

void stream_due(void *context)
{
    struct stream *s = context;
    s->busy = true;
    const char *reason;
    struct instant at = deadline(s, &reason);
    if (!instant_before(loop_now(s->loop), at)) {
        /* What was to be sent has been; a peer that keeps its half open does not change that. */
        stream_break_off(s, s->state == STREAM_LINGERING ? ERR_CLOSED : ERR_TIMEOUT, 0, reason);
    }
    if (s->state == STREAM_OPEN) {
        work(s, has_tls_input(s));
    }
    settle(s);
}
