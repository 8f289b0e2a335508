/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of messages, each in up to three parts: what its node holds (the length octets and the
 * front of the message), what is shared and written from where it lies, and what its node holds of
 * the end. Three vectors a message at most, many messages a system call.
 */
#include "net/stream_queue_impl.h"

#include "base/memory.h"

enum { LENGTH_SIZE = 2, PARTS = 3 };

struct queued_message {
    struct queued_message *next;
    struct slice shared;
    void (*release)(void *release_context); /* NULL: nothing is shared */
    void *release_context;
    size_t front_size; /* length and head */
    size_t tail_size;
    uint8_t bytes[]; /* front, then tail */
};

static size_t message_size(const struct queued_message *node)
{
    return node->front_size + node->shared.size + node->tail_size; /* the length included */
}

static uint8_t *put(uint8_t *to, struct slice bytes)
{
    if (bytes.size != 0) {
        memcpy(to, bytes.data, bytes.size);
    }
    return to + bytes.size;
}

void stream_queue_add(struct stream_queue *queue, const struct stream_parts *parts,
                      void (*release)(void *release_context), void *release_context)
{
    size_t size = parts->head.size + parts->shared.size + parts->tail.size;
    REQUIRE(size <= UINT16_MAX);
    struct queued_message *node =
        memory_new(sizeof(*node) + LENGTH_SIZE + parts->head.size + parts->tail.size);
    node->next = NULL;
    node->shared = parts->shared;
    node->release = release;
    node->release_context = release_context;
    node->front_size = LENGTH_SIZE + parts->head.size;
    node->tail_size = parts->tail.size;
    node->bytes[0] = (uint8_t)(size >> 8);
    node->bytes[1] = (uint8_t)size;
    put(put(node->bytes + LENGTH_SIZE, parts->head), parts->tail);
    if (queue->last == NULL) {
        queue->first = node;
    } else {
        queue->last->next = node;
    }
    queue->last = node;
    queue->bytes += LENGTH_SIZE + size;
    queue->count++;
}

static struct iovec vector(const uint8_t *data, size_t size)
{
    /* iovec has no const; writev only reads. */
    return (struct iovec){(void *)(uintptr_t)data, size};
}

int stream_queue_vectors(const struct stream_queue *queue, struct iovec *out, int capacity)
{
    int count = 0;
    size_t sent = queue->first_sent;
    for (const struct queued_message *node = queue->first; node != NULL; node = node->next) {
        if (count + PARTS > capacity) {
            break;
        }
        const struct slice parts[PARTS] = {
            {node->bytes, node->front_size},
            node->shared,
            {node->bytes + node->front_size, node->tail_size},
        };
        for (unsigned i = 0; i < PARTS; i++) {
            if (sent < parts[i].size) {
                out[count++] = vector(parts[i].data + sent, parts[i].size - sent);
                sent = 0;
            } else {
                sent -= parts[i].size;
            }
        }
    }
    return count;
}

static void drop_first(struct stream_queue *queue)
{
    struct queued_message *node = queue->first;
    queue->first = node->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    queue->count--;
    if (node->release != NULL) {
        node->release(node->release_context);
    }
    memory_free(node);
}

unsigned stream_queue_advance(struct stream_queue *queue, size_t size)
{
    REQUIRE(size <= queue->bytes);
    unsigned through = 0;
    queue->bytes -= size;
    size += queue->first_sent;
    while (queue->first != NULL && size >= message_size(queue->first)) {
        size -= message_size(queue->first);
        drop_first(queue);
        through++;
    }
    queue->first_sent = size;
    return through;
}

void stream_queue_clear(struct stream_queue *queue)
{
    while (queue->first != NULL) {
        drop_first(queue);
    }
    queue->first_sent = 0;
    queue->bytes = 0;
}
