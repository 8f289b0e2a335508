/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of messages with the length octets of each in its node, so that a shared message is
 * written from where it lies: two vectors a message, many messages a system call.
 */
#include "net/stream_queue_impl.h"

#include "base/memory.h"

enum { LENGTH_SIZE = 2 };

struct queued_message {
    struct queued_message *next;
    struct slice message;
    void (*release)(void *release_context); /* NULL: `copy` is the message */
    void *release_context;
    uint8_t length[LENGTH_SIZE];
    uint8_t copy[];
};

static void append(struct stream_queue *queue, struct queued_message *node, size_t size)
{
    REQUIRE(size <= UINT16_MAX);
    node->next = NULL;
    node->length[0] = (uint8_t)(size >> 8);
    node->length[1] = (uint8_t)size;
    if (queue->last == NULL) {
        queue->first = node;
    } else {
        queue->last->next = node;
    }
    queue->last = node;
    queue->bytes += LENGTH_SIZE + size;
    queue->count++;
}

void stream_queue_add(struct stream_queue *queue, struct slice message)
{
    struct queued_message *node = memory_new(sizeof(*node) + message.size);
    if (message.size != 0) {
        memcpy(node->copy, message.data, message.size);
    }
    node->message = slice_of(node->copy, message.size);
    node->release = NULL;
    node->release_context = NULL;
    append(queue, node, message.size);
}

void stream_queue_add_shared(struct stream_queue *queue, struct slice message,
                             void (*release)(void *release_context), void *release_context)
{
    struct queued_message *node = memory_new(sizeof(*node));
    node->message = message;
    node->release = release;
    node->release_context = release_context;
    append(queue, node, message.size);
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
        if (count + 2 > capacity) {
            break;
        }
        if (sent < LENGTH_SIZE) {
            out[count++] = vector(node->length + sent, LENGTH_SIZE - sent);
            sent = LENGTH_SIZE;
        }
        size_t done = sent - LENGTH_SIZE;
        if (done < node->message.size) {
            out[count++] = vector(node->message.data + done, node->message.size - done);
        }
        sent = 0;
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
    while (queue->first != NULL && size >= LENGTH_SIZE + queue->first->message.size) {
        size -= LENGTH_SIZE + queue->first->message.size;
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
