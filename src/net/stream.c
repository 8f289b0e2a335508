/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the owner of a stream does with it: make one at either end, queue messages, pause, hold,
 * end. The states, and all that the loop brings, are in stream_machine.c.
 *
 * A message that is sent from a callback of the stream leaves when the callback has returned,
 * together with others; one that is sent from elsewhere is offered to the kernel at once.
 */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/memory.h"
#include "net/socket_impl.h"
#include "net/stream_impl.h"

/*
 * The kernel would take megabytes for a peer that reads nothing. So much that was not sent yet is
 * enough to keep it busy, and what is in flight is not counted in it.
 */
enum { UNSENT_BYTES = 256 * 1024 };

const struct stream_options stream_defaults = {
    .in_first_bytes = 2048,
    .queue_max_bytes = 512 * 1024,
    .queue_low_bytes = 64 * 1024,
    .pause_bytes = 64 * 1024,
    .pause_messages = 64,
    .connect_ms = 5000,
    .handshake_ms = 5000,
    .idle_ms = 10000,
    .message_ms = 5000,
    .write_ms = 10000,
};

static enum result stream_start(struct stream *s, struct stream **out, struct error *err)
{
    loop_timer_init(&s->timer, stream_due, s);
    socket_wish(s->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    socket_wish(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES);
    unsigned events = s->state == STREAM_CONNECTING ? LOOP_WRITE : LOOP_READ;
    if (s->state == STREAM_SECURING) {
        stream_secure(s);
    }
    struct instant now = loop_now(s->loop);
    s->state_since = now;
    s->write_progress = now;
    s->message_started = INSTANT_NEVER;
    s->stats.last_activity = now;
    enum result result = loop_watch_add(s->loop, &s->watch, s->fd, events, stream_ready, s, err);
    if (result != OK) {
        stream_destroy(s);
        return result;
    }
    stream_arm(s);
    *out = s;
    return OK;
}

enum result stream_accept(struct loop *loop, int fd, const struct address *peer,
                          const struct address *local, const struct stream_options *options,
                          const struct stream_callbacks *callbacks, void *context,
                          struct stream **out, struct error *err)
{
    REQUIRE(options->proxy != STREAM_PROXY_ENCRYPTED || options->tls != NULL);
    struct stream *s = memory_new_zeroed(1, sizeof(*s));
    *s = (struct stream){
        .loop = loop,
        .fd = fd,
        .callbacks = callbacks,
        .context = context,
        .options = *options,
        .peer = *peer,
        .local = *local,
        .state = options->proxy == STREAM_PROXY_PLAIN ? STREAM_INTRODUCING
                 : options->tls != NULL               ? STREAM_SECURING
                                                      : STREAM_OPEN,
    };
    tls_context_ref(options->tls);
    return stream_start(s, out, err);
}

static enum result connect_begin(struct stream *s, const struct address *source, struct error *err)
{
    enum result result = socket_new(&s->peer, SOCK_STREAM, &s->fd, err);
    if (result != OK) {
        return result;
    }
    socket_wish_buffers(s->fd, s->options.receive_buffer_bytes, s->options.send_buffer_bytes);
    if (source != NULL && source->family != 0) {
        /* Without a port to keep, the kernel chooses one when it knows the peer. */
        socket_wish(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, source->port == 0);
        socket_wish(s->fd, SOL_SOCKET, SO_REUSEADDR, source->port != 0);
        result = socket_bind(s->fd, source, err);
        if (result != OK) {
            return result;
        }
    }
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(&s->peer, &storage);
    if (connect(s->fd, (struct sockaddr *)&storage, size) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        return error_set_os(err, ERR_IO, "cannot connect");
    }
    return OK;
}

enum result stream_connect(struct loop *loop, const struct address *peer,
                           const struct address *source, const struct stream_options *options,
                           const struct stream_callbacks *callbacks, void *context,
                           struct stream **out, struct error *err)
{
    struct stream *s = memory_new_zeroed(1, sizeof(*s));
    *s = (struct stream){
        .loop = loop,
        .fd = -1,
        .callbacks = callbacks,
        .context = context,
        .options = *options,
        .peer = *peer,
        .state = STREAM_CONNECTING,
        .is_client = true,
    };
    tls_context_ref(options->tls);
    enum result result = connect_begin(s, source, err);
    if (result != OK) {
        char text[ADDRESS_TEXT_SIZE];
        error_peer(err, address_format(peer, true, text));
        stream_destroy(s);
        return result;
    }
    return stream_start(s, out, err);
}

void stream_close(struct stream *s)
{
    if (s == NULL) {
        return;
    }
    s->is_closed = true;
    if (!s->busy) {
        stream_destroy(s);
    }
}

/* After a change from outside of the loop's calls. */
static void changed(struct stream *s)
{
    if (!s->busy) {
        stream_arm(s);
    }
}

void stream_finish(struct stream *s)
{
    if (s->state < STREAM_OPEN) {
        stream_break_off(s, ERR_CLOSED, 0, "finished before it was connected");
    } else if (s->state == STREAM_OPEN) {
        s->producing = false;
        stream_enter(s, STREAM_FINISHING);
    }
    if (!s->busy && !s->is_closed) {
        stream_call_soon(s);
    }
}

static enum result check_room(const struct stream *s, size_t size)
{
    if (s->is_closed || s->state > STREAM_OPEN) {
        return ERR_CLOSED;
    }
    bool full = s->queue.bytes > 0 &&
                s->queue.bytes + STREAM_LENGTH_SIZE + size > s->options.queue_max_bytes;
    return full ? ERR_LIMIT : OK;
}

static void queue_begin(struct stream *s)
{
    REQUIRE(s->state <= STREAM_OPEN);
    if (s->queue.first == NULL) {
        s->write_progress = loop_now(s->loop);
    }
}

static void queue_end(struct stream *s)
{
    if (!s->busy) {
        stream_flush(s);
        stream_arm(s);
    }
}

enum result stream_send_parts(struct stream *s, const struct stream_parts *parts,
                              void (*release)(void *release_context), void *release_context)
{
    size_t size = parts->head.size + parts->shared.size + parts->tail.size;
    REQUIRE(size <= STREAM_MESSAGE_MAX);
    enum result result = check_room(s, size);
    if (result == OK) {
        queue_begin(s);
        stream_queue_add(&s->queue, parts, release, release_context);
        queue_end(s);
    }
    return result;
}

enum result stream_send(struct stream *s, struct slice message)
{
    struct stream_parts parts = {.head = message};
    return stream_send_parts(s, &parts, NULL, NULL);
}

enum result stream_send_shared(struct stream *s, struct slice message,
                               void (*release)(void *release_context), void *release_context)
{
    struct stream_parts parts = {.shared = message};
    return stream_send_parts(s, &parts, release, release_context);
}

void stream_set_producing(struct stream *s, bool producing)
{
    s->producing = producing;
    s->stats.last_activity = loop_now(s->loop);
    changed(s);
}

void stream_pause(struct stream *s)
{
    s->paused = true;
    changed(s);
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    s->stats.last_activity = loop_now(s->loop);
    changed(s);
}

void stream_hold(struct stream *s)
{
    s->holds++;
}

void stream_unhold(struct stream *s)
{
    REQUIRE(s->holds > 0);
    s->holds--;
    s->stats.last_activity = loop_now(s->loop);
    if (!s->busy) {
        stream_call_soon(s);
    }
}

void stream_set_idle_ms(struct stream *s, uint32_t idle_ms)
{
    s->options.idle_ms = idle_ms;
    changed(s);
}

void stream_set_write_ms(struct stream *s, uint32_t write_ms)
{
    s->options.write_ms = write_ms;
    changed(s);
}

const struct stream_stats *stream_stats(const struct stream *s)
{
    return &s->stats;
}

const struct address *stream_peer(const struct stream *s)
{
    return &s->peer;
}

const struct address *stream_local(const struct stream *s)
{
    return &s->local;
}

size_t stream_queued_bytes(const struct stream *s)
{
    return s->queue.bytes;
}

const struct tls_info *stream_tls(const struct stream *s)
{
    return s->tls != NULL && s->tls->established ? &s->tls->info : NULL;
}
