/* SPDX-License-Identifier: BSD-3-Clause */
/* One server of the simulation with one zone: what `server` does with the machines of xfr, without
 * sockets, threads and disks. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "store/chunk.h"
#include "sim/network.h"
#include "xfr/axfr_in.h"
#include "xfr/ixfr_in.h"
#include "xfr/notify_out.h"
#include "xfr/refresh.h"
#include "zone/delta.h"

enum { NODE_PEERS = 4, NODE_HISTORY = 6 };

/* Called with each version that a node publishes. */
typedef void node_published(void *context, unsigned node, struct zone_version *version);

struct node_target {
    unsigned node;
    struct notify_out notify;
    uint16_t id;    /* of the NOTIFY in flight */
    uint64_t token; /* of its connection, 0: over UDP */
};

struct node {
    unsigned index;
    struct network *network;
    const uint8_t *zone;
    bool is_primary;
    bool up;
    uint64_t seed;
    node_published *published;
    void *context;

    /* durable: outlives a crash */
    struct zone_version *version;        /* NULL: none */
    struct chunk *history[NODE_HISTORY]; /* oldest first, ends at version */
    size_t history_count;
    struct instant expires_at;

    unsigned primaries[NODE_PEERS];
    uint32_t primary_count;
    struct node_target targets[NODE_PEERS];
    size_t target_count;

    struct refresh *refresh; /* NULL on the primary and while down */
    bool serving;
    struct {
        bool waiting;
        uint32_t ticket;
        uint16_t id;
        uint64_t token;
        bool edns;
    } query;
    struct {
        struct axfr_in *axfr;
        struct ixfr_in *ixfr;
        uint32_t ticket;
        uint64_t token;
    } transfer;

    uint64_t axfr_count;
    uint64_t ixfr_count;
    uint64_t expired_count;
};

void node_init(struct node *node, unsigned index, struct network *network, const uint8_t *zone,
               bool is_primary, uint64_t seed, node_published *published, void *context);
void node_deinit(struct node *node);
void node_start(struct node *node);
void node_crash(struct node *node);
/* Publishes a version (one reference is taken) and the delta that led to it (taken; NULL: none). */
void node_publish(struct node *node, struct zone_version *version, struct delta *delta);
void node_event(struct node *node, const struct event *event);
/* What is due now. */
void node_step(struct node *node);
struct instant node_deadline(const struct node *node);

#endif
