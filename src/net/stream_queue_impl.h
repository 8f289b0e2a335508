/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of a stream that wait to leave, oldest first, each behind its length. */
#ifndef NET_STREAM_QUEUE_IMPL_H
#define NET_STREAM_QUEUE_IMPL_H

#include <stdbool.h>
#include <sys/uio.h>

#include "net/stream.h"

struct stream_queue {
    struct queued_message *first;
    struct queued_message *last;
    size_t first_sent; /* octets of the first that have left, its length's included */
    size_t bytes;      /* that wait, lengths included */
    unsigned count;
};

/* Copies head and tail; shares the middle until `release(release_context)`, which may be NULL where
 * nothing is shared. */
void stream_queue_add(struct stream_queue *queue, const struct stream_parts *parts,
                      void (*release)(void *release_context), void *release_context);
/* What to write next; returns how many of `out` are filled. */
int stream_queue_vectors(const struct stream_queue *queue, struct iovec *out, int capacity);
/* `size` octets have left; returns how many messages are through with that. */
unsigned stream_queue_advance(struct stream_queue *queue, size_t size);
/* Drops everything. */
void stream_queue_clear(struct stream_queue *queue);

#endif
