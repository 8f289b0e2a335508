/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of a stream, shared by stream.c (what callers do) and stream_machine.c (what the loop
 * brings). */
#ifndef NET_STREAM_IMPL_H
#define NET_STREAM_IMPL_H

#include "net/stream.h"
#include "net/stream_queue_impl.h"
#include "net/tls_impl.h"

enum { STREAM_LENGTH_SIZE = 2 };

enum stream_state {
    STREAM_CONNECTING,
    STREAM_INTRODUCING,
    STREAM_SECURING,
    STREAM_OPEN,
    STREAM_FINISHING,
    STREAM_LINGERING,
    STREAM_BROKEN,
};

struct stream {
    struct loop *loop;
    struct loop_watch watch;
    struct loop_timer timer;
    const struct stream_callbacks *callbacks;
    void *context;
    struct stream_options options;
    struct address peer;
    struct address local;
    int fd;
    struct tls_session *tls; /* NULL: plain, or not connected yet */
    enum stream_state state;
    bool is_client;
    bool busy;      /* within stream_ready or stream_due: settle() follows */
    bool is_closed; /* stream_close was called while busy */
    bool paused;
    bool producing;
    bool peer_finished; /* no octets will come any more */
    bool blocked;       /* the kernel took no more; LOOP_WRITE will tell */
    unsigned holds;
    uint8_t *in;
    size_t in_size;
    size_t in_capacity;
    struct stream_queue queue;
    struct instant message_started; /* INSTANT_NEVER: none half read */
    struct instant write_progress;
    struct instant state_since;
    struct stream_stats stats;
    enum result end; /* of a broken one */
    int end_errno;
    const char *end_reason;
};

void stream_enter(struct stream *s, enum stream_state state);
/* The end is certain, `closed` follows from the loop. Only the first reason counts. `reason` is
 * static; os_errno is 0 where the system had no part. */
void stream_break_off(struct stream *s, enum result end, int os_errno, const char *reason);
/* Writes what waits, until the kernel takes no more. */
void stream_flush(struct stream *s);
/* Events and timer follow from the state. */
void stream_arm(struct stream *s);
/* Makes its TLS session, the handshake to follow. */
void stream_secure(struct stream *s);
/* Has stream_due called as soon as the loop comes around. */
void stream_call_soon(struct stream *s);
void stream_destroy(struct stream *s);

/* What the loop calls: for the descriptor, and for the timer. */
void stream_ready(void *context, unsigned events);
void stream_due(void *context);

#endif
