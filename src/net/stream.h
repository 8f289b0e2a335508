/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection over TCP, or TLS over TCP (tls.h), that carries messages, each behind its length in two
 * octets (RFC 1035 4.2.2, RFC 7766): server's end or client's end. Everything is bounded: what is read, what is queued, how
 * long anything may take.
 *
 * A stream belongs to the thread of its loop. No function here calls a callback before it returns:
 * callbacks come from the loop only. A callback may call any function, stream_close included.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/address.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"

enum { STREAM_MESSAGE_MAX = 65535 };

struct stream;

/* Server's end: a PROXY header (proxy_header.h) is awaited, before TLS or within it. */
enum stream_proxy { STREAM_PROXY_NO, STREAM_PROXY_PLAIN, STREAM_PROXY_ENCRYPTED };

struct stream_options {
    size_t in_first_bytes;   /* first size of the input buffer, which grows to one message */
    size_t queue_max_bytes;  /* a message that would make more than this wait is refused */
    size_t queue_low_bytes;  /* at or below this the producer is asked for more … */
    size_t pause_bytes;      /* … and above this no further messages are read */
    unsigned pause_messages; /* the same for messages that wait to leave */
    uint32_t connect_ms;     /* client's end: until connected; 0 in these: no bound */
    uint32_t handshake_ms;   /* until TLS is agreed on, and until a PROXY header is whole */
    uint32_t idle_ms;        /* nothing going on in either direction */
    uint32_t message_ms;     /* from the first octet of a message to its last */
    uint32_t write_ms;       /* without the peer taking anything of what waits */
    struct tls_context *tls; /* NULL: plain TCP. Shared: the stream takes a reference of its own */
    enum stream_proxy proxy; /* ENCRYPTED: with `tls` */
    /* Client's end: the kernel's buffers; 0: as the system has them. */
    int receive_buffer_bytes, send_buffer_bytes;
    struct tls_memory *tls_memory; /* client's end: of this server; stays while the stream does */
};

/* 2 KB, 512 KB, 64 KB, 64 KB, 64 messages; 5 s, 5 s, 10 s, 5 s, 10 s. */
extern const struct stream_options stream_defaults;

/* Any but `message` and `closed` may be NULL. */
struct stream_callbacks {
    /* A whole message, borrowed for the call. */
    void (*message)(void *context, struct slice message);
    /* The client's end is connected, and TLS agreed on. What was sent before leaves now. */
    void (*connected)(void *context);
    /* The PROXY header is read: stream_peer and stream_local are the client's from now on, the
     * connection's own where the proxy speaks for itself. */
    void (*introduced)(void *context);
    /* The producer is on and the queue is low: send one or more messages. A call that sends nothing
     * turns the producer off. */
    void (*want_more)(void *context);
    /*
     * It ended by itself; the last callback, the stream is gone when it returns.
     * ERR_CLOSED   the peer closed, or stream_finish is through
     * ERR_TIMEOUT  one of the times above; the sentence says which
     * ERR_IO       reset, unreachable …
     * ERR_FORMAT   what is wrong with the PROXY header
     * ERR_BAD_AUTH, ERR_FORMAT  TLS: what the certificate, protocol or handshake lacks
     */
    void (*closed)(void *context, const struct error *err);
};

/* Server's end, from a descriptor that listener gave; the stream takes it, also on error. */
MUST_CHECK enum result stream_accept(struct loop *loop, int fd, const struct address *peer,
                                     const struct address *local,
                                     const struct stream_options *options,
                                     const struct stream_callbacks *callbacks, void *context,
                                     struct stream **out, struct error *err);
/* Client's end; starts to connect. `source` may be NULL; its port is used if it has one. */
MUST_CHECK enum result stream_connect(struct loop *loop, const struct address *peer,
                                      const struct address *source,
                                      const struct stream_options *options,
                                      const struct stream_callbacks *callbacks, void *context,
                                      struct stream **out, struct error *err);

/* Ends it at once, what is queued is dropped; no callback follows. NULL is allowed. */
void stream_close(struct stream *stream);
/* Sends what is queued, takes no more messages, closes in order, then calls `closed`. */
void stream_finish(struct stream *stream);

/*
 * Queues a copy of `message`.
 * ERR_LIMIT   the queue is full: wait for want_more, or close
 * ERR_CLOSED  the stream is ending, its `closed` is on the way
 */
MUST_CHECK enum result stream_send(struct stream *stream, struct slice message);
/* As stream_send without the copy: `message` is shared until release(release_context) is called,
 * once, in the loop's thread; not called where the result is not OK. */
MUST_CHECK enum result stream_send_shared(struct stream *stream, struct slice message,
                                          void (*release)(void *release_context),
                                          void *release_context);
/* A message in parts, one behind the other, STREAM_MESSAGE_MAX octets together; any may be empty. */
struct stream_parts {
    struct slice head; /* copied */
    struct slice shared;
    struct slice tail; /* copied */
};
/* As stream_send_shared, where what stands before and behind the shared octets is the stream's own.
 */
MUST_CHECK enum result stream_send_parts(struct stream *stream, const struct stream_parts *parts,
                                         void (*release)(void *release_context),
                                         void *release_context);
/* Turns the producer on (want_more is called while the queue is low) or off. */
void stream_set_producing(struct stream *stream, bool producing);

/* Stops and restarts taking messages. May be called in the `message` callback: what was read
 * already waits in the buffer. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* An answer is owed: until the matching stream_unhold the stream is not idle, and it stays when the
 * peer has finished sending. */
void stream_hold(struct stream *stream);
void stream_unhold(struct stream *stream);

/* Another idle time (RFC 7828) from now on; 0: none. */
void stream_set_idle_ms(struct stream *stream, uint32_t idle_ms);
/* Another time for which the peer may take nothing of what waits for it; 0: none. */
void stream_set_write_ms(struct stream *stream, uint32_t write_ms);

struct stream_stats {
    uint64_t bytes_in; /* with the length octets */
    uint64_t bytes_out;
    uint64_t messages_in;
    uint64_t messages_out;
    struct instant last_activity; /* for dropping the one that idles longest */
};

const struct stream_stats *stream_stats(const struct stream *stream);
const struct address *stream_peer(const struct stream *stream);
/* The client's end has one only when it is connected (family 0 before). */
const struct address *stream_local(const struct stream *stream);
size_t stream_queued_bytes(const struct stream *stream);
/* How it is secured; NULL on plain TCP, and before the handshake is through. */
const struct tls_info *stream_tls(const struct stream *stream);
/* Nothing is owed to the peer and nothing waits to leave; a message may be half read. */
bool stream_owes_nothing(const struct stream *stream);
/* Connected, nothing owed, nothing waiting, no message half read. */
bool stream_is_idle(const struct stream *stream);

#endif
