/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time moves from event to event. Everything random is drawn from one generator in the order of
 * events, so a seed replays exactly.
 */
#include "sim/network.h"

#include <stdlib.h>

#include "base/memory.h"

void network_init(struct network *network, uint64_t seed, bool trace)
{
    *network = (struct network){.random = seed, .faulty = true, .trace = trace, .next_token = 1};
}

void network_deinit(struct network *network)
{
    for (size_t i = 0; i < network->count; i++) {
        memory_free(network->queue[i].bytes);
    }
    memory_free(network->queue);
}

uint64_t network_draw(struct network *network)
{
    uint64_t z = network->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned network_below(struct network *network, unsigned below)
{
    return (unsigned)(network_draw(network) % below);
}

bool network_fails(struct network *network, unsigned percent)
{
    return network->faulty && network_below(network, 100) < percent;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->order < b->order;
}

static void push(struct network *network, struct event event)
{
    event.order = network->next_order++;
    if (network->count == network->capacity) {
        network->capacity = network->capacity == 0 ? 64 : network->capacity * 2;
        network->queue =
            memory_resize(network->queue, network->capacity * sizeof(network->queue[0]));
    }
    size_t at = network->count++;
    while (at > 0 && is_before(&event, &network->queue[(at - 1) / 2])) {
        network->queue[at] = network->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    network->queue[at] = event;
}

struct instant network_next(const struct network *network)
{
    return network->count == 0 ? INSTANT_NEVER : network->queue[0].at;
}

struct event network_take(struct network *network)
{
    REQUIRE(network->count > 0);
    struct event first = network->queue[0];
    struct event last = network->queue[--network->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= network->count) {
            break;
        }
        if (child + 1 < network->count &&
            is_before(&network->queue[child + 1], &network->queue[child])) {
            child++;
        }
        if (!is_before(&network->queue[child], &last)) {
            break;
        }
        network->queue[at] = network->queue[child];
        at = child;
    }
    if (network->count > 0) {
        network->queue[at] = last;
    }
    network->now = first.at;
    return first;
}

static uint8_t *copy_bytes(struct slice bytes)
{
    return memcpy(memory_new(bytes.size), bytes.data, bytes.size);
}

/* Mostly a few milliseconds, sometimes seconds, so that datagrams overtake each other. */
static int64_t delay_us(struct network *network)
{
    if (network_fails(network, 5)) {
        return 1000000 + network_below(network, 4000000);
    }
    return 200 + network_below(network, network->faulty ? 30000 : 1000);
}

static struct instant later_us(struct instant t, int64_t us)
{
    return (struct instant){t.ns + us * 1000};
}

void network_datagram(struct network *network, unsigned from, unsigned to, struct slice bytes)
{
    unsigned copies = 1;
    if (network_fails(network, 30)) {
        network->lost++;
        copies = 0;
    } else if (network_fails(network, 10)) {
        network->doubled++;
        copies = 2;
    }
    while (copies-- > 0) {
        push(network, (struct event){
                          .at = later_us(network->now, delay_us(network)),
                          .kind = EVENT_DATAGRAM,
                          .from = from,
                          .to = to,
                          .bytes = copy_bytes(bytes),
                          .size = bytes.size,
                      });
    }
}

uint64_t network_connect(struct network *network, unsigned from, unsigned to, struct slice bytes)
{
    uint64_t token = network->next_token++;
    if (network_fails(network, 10)) {
        network_refuse(network, from, token);
    } else if (!network_fails(network, 5)) { /* else silence */
        push(network, (struct event){
                          .at = later_us(network->now, 2 * delay_us(network)),
                          .kind = EVENT_TCP_REQUEST,
                          .from = from,
                          .to = to,
                          .token = token,
                          .bytes = copy_bytes(bytes),
                          .size = bytes.size,
                      });
    }
    return token;
}

void network_refuse(struct network *network, unsigned to, uint64_t token)
{
    push(network, (struct event){
                      .at = later_us(network->now, delay_us(network)),
                      .kind = EVENT_TCP_CLOSED,
                      .to = to,
                      .token = token,
                  });
}

void network_reply(struct network *network, unsigned to, uint64_t token,
                   const struct slice *messages, size_t count)
{
    bool cut = network_fails(network, 20);
    bool stall = cut && network_fails(network, 50);
    size_t sent = cut ? network_below(network, (unsigned)count + 1) : count;
    network->cut += cut;
    struct instant at = network->now;
    for (size_t i = 0; i < sent; i++) {
        at = later_us(at, delay_us(network));
        push(network, (struct event){
                          .at = at,
                          .kind = EVENT_TCP_REPLY,
                          .to = to,
                          .token = token,
                          .bytes = copy_bytes(messages[i]),
                          .size = messages[i].size,
                      });
    }
    if (cut && !stall) {
        push(network, (struct event){
                          .at = later_us(at, delay_us(network)),
                          .kind = EVENT_TCP_CLOSED,
                          .to = to,
                          .token = token,
                      });
    }
}

void network_schedule(struct network *network, int64_t delay_ms, enum event_kind kind, unsigned to)
{
    push(network, (struct event){
                      .at = instant_add_ms(network->now, delay_ms),
                      .kind = kind,
                      .to = to,
                  });
}
