/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A node drives its machines: whatever the network brings goes into one of them, and what they
 * want goes out. The zone, its history and the expire time outlive a crash; the machines do not.
 */
#include "sim/node.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "sim/node_impl.h"
#include "xfr/packer_impl.h"
#include "xfr/soa_query.h"
#include "xfr/xfr_request.h"

static const struct refresh_options refresh_options = {
    .min_refresh_s = 10,
    .min_retry_s = 5,
    .soa_udp_ms = 500,
    .soa_tcp_ms = 3000,
};

static const struct xfr_in_limits limits = {
    .max_records = 100000,
    .idle_ms = 8000,
    .total_ms = 60000,
};

static void trace(const struct node *node, const char *what, uint32_t number, const char *text)
{
    if (node->network->trace) {
        printf("%10.4f  node %u  %s %u %s\n", (double)node->network->now.ns / 1e9, node->index,
               what, number, text);
    }
}

void node_init(struct node *node, unsigned index, struct network *network, const uint8_t *zone,
               bool is_primary, uint64_t seed, node_published *published, void *context)
{
    *node = (struct node){
        .index = index,
        .network = network,
        .zone = zone,
        .is_primary = is_primary,
        .seed = seed,
        .published = published,
        .context = context,
        .expires_at = INSTANT_NEVER,
    };
}

static void drop_transfer(struct node *node)
{
    axfr_in_free(node->transfer.axfr);
    ixfr_in_free(node->transfer.ixfr);
    node->transfer.axfr = NULL;
    node->transfer.ixfr = NULL;
    node->transfer.token = 0;
}

static void drop_history(struct node *node)
{
    for (size_t i = 0; i < node->history_count; i++) {
        chunk_unref(node->history[i]);
    }
    node->history_count = 0;
}

void node_crash(struct node *node)
{
    trace(node, "crash", 0, "");
    node->up = false;
    node->serving = false;
    drop_transfer(node);
    node->query.waiting = false;
    refresh_free(node->refresh);
    node->refresh = NULL;
    for (size_t i = 0; i < node->target_count; i++) {
        node->targets[i].token = 0;
    }
}

void node_deinit(struct node *node)
{
    node_crash(node);
    drop_history(node);
    zone_version_unref(node->version);
}

void node_start(struct node *node)
{
    struct instant now = node->network->now;
    trace(node, "start", 0, "");
    node->up = true;
    node->seed++;
    node->serving = node->version != NULL;
    for (size_t i = 0; i < node->target_count; i++) {
        notify_out_init(&node->targets[i].notify, node->seed + i);
        if (node->version != NULL) {
            notify_out_publish(&node->targets[i].notify, zone_version_serial(node->version), now);
        }
    }
    if (node->is_primary) {
        return;
    }
    node->refresh = refresh_new(&refresh_options, node->primary_count, node->seed);
    if (node->version == NULL) {
        refresh_start(node->refresh, NULL, INSTANT_NEVER, INSTANT_NEVER, now);
        return;
    }
    struct soa soa = zone_version_soa(node->version);
    struct refresh_soa known = {soa.serial, soa.refresh_s, soa.retry_s, soa.expire_s};
    refresh_start(node->refresh, &known, node->expires_at, now, now);
}

void node_publish(struct node *node, struct zone_version *version, struct delta *delta)
{
    if (delta == NULL) {
        drop_history(node);
    } else {
        if (node->history_count == NODE_HISTORY) {
            chunk_unref(node->history[0]);
            memmove(node->history, node->history + 1,
                    (NODE_HISTORY - 1) * sizeof(node->history[0]));
            node->history_count--;
        }
        node->history[node->history_count++] = chunk_of_delta(delta);
        delta_free(delta);
    }
    zone_version_unref(node->version);
    node->version = version;
    node->serving = node->up;
    struct serial serial = zone_version_serial(version);
    trace(node, "publish", serial.value, "");
    node->published(node->context, node->index, version);
    for (size_t i = 0; node->up && i < node->target_count; i++) {
        notify_out_publish(&node->targets[i].notify, serial, node->network->now);
    }
}

/* ---- what comes back ---- */

static void transfer_failed(struct node *node, enum refresh_failure failure, const char *text)
{
    uint32_t ticket = node->transfer.ticket;
    trace(node, "transfer failed", ticket, text);
    drop_transfer(node);
    refresh_transfer_failed(node->refresh, ticket, failure, text, node->network->now);
}

static void transfer_succeeded(struct node *node, const struct refresh_contact *contact)
{
    struct soa soa = zone_version_soa(node->version);
    struct refresh_soa known = {soa.serial, soa.refresh_s, soa.retry_s, soa.expire_s};
    uint32_t ticket = node->transfer.ticket;
    drop_transfer(node);
    refresh_transferred(node->refresh, ticket, &known, contact, node->network->now);
}

static void take_axfr(struct node *node)
{
    struct axfr_in *in = node->transfer.axfr;
    struct zone_version *version = NULL;
    struct delta *delta = NULL;
    axfr_in_take(in, &version, &delta);
    struct refresh_contact contact = {.serial = zone_version_serial(version)};
    contact.has_expire = axfr_in_expire(in, &contact.expire_s);
    node->axfr_count++;
    node_publish(node, version, delta);
    transfer_succeeded(node, &contact);
}

static void take_ixfr(struct node *node)
{
    struct ixfr_in *in = node->transfer.ixfr;
    struct refresh_contact contact = {.serial = ixfr_in_serial(in)};
    contact.has_expire = ixfr_in_expire(in, &contact.expire_s);
    uint32_t ticket = node->transfer.ticket;
    switch (ixfr_in_outcome(in)) {
    case IXFR_UP_TO_DATE:
    case IXFR_BEHIND:
        trace(node, "not newer", contact.serial.value, "");
        drop_transfer(node);
        refresh_transfer_not_newer(node->refresh, ticket, &contact, node->network->now);
        return;
    case IXFR_WHOLE: {
        struct zone_version *version = NULL;
        struct delta *delta = NULL;
        ixfr_in_take_version(in, &version, &delta);
        node->axfr_count++;
        node_publish(node, version, delta);
        transfer_succeeded(node, &contact);
        return;
    }
    case IXFR_DELTAS: {
        size_t count = 0;
        struct delta **chain = ixfr_in_take_deltas(in, &count);
        struct error err = {0};
        enum result result = OK;
        for (size_t i = 0; i < count; i++) {
            struct zone_version *next = NULL;
            result =
                result == OK ? delta_apply(node->version, chain[i], NULL, &next, &err) : result;
            if (result == OK) {
                node_publish(node, next, chain[i]);
            } else {
                delta_free(chain[i]);
            }
        }
        memory_free(chain);
        REQUIRE(result == OK); /* nobody here sends differences that do not fit */
        node->ixfr_count++;
        transfer_succeeded(node, &contact);
        return;
    }
    case IXFR_NOT_OVER_UDP:
        break;
    }
    REQUIRE(!"an outcome that TCP cannot have");
}

static void receive_transfer(struct node *node, struct slice message)
{
    struct error err = {0};
    bool incremental = node->transfer.ixfr != NULL;
    enum step step = incremental
                         ? ixfr_in_receive(node->transfer.ixfr, message, node->network->now, &err)
                         : axfr_in_receive(node->transfer.axfr, message, node->network->now, &err);
    switch (step) {
    case STEP_MORE:
        break;
    case STEP_DONE:
        if (incremental) {
            take_ixfr(node);
        } else {
            take_axfr(node);
        }
        break;
    case STEP_FAILED:
        if (err.code == ERR_STALE) {
            struct refresh_contact contact = {0};
            bool known = axfr_in_serial(node->transfer.axfr, &contact.serial);
            REQUIRE(known);
            uint32_t ticket = node->transfer.ticket;
            drop_transfer(node);
            refresh_transfer_not_newer(node->refresh, ticket, &contact, node->network->now);
            return;
        }
        transfer_failed(node, REFRESH_FAILED, err.text);
        break;
    }
}

static void receive_soa(struct node *node, struct slice message)
{
    struct soa_query query = {node->zone, CLASS_IN, node->query.id, node->query.edns};
    struct soa_answer answer;
    struct error err = {0};
    if (get_u16(message.data) != node->query.id) {
        return;
    }
    enum result result = soa_answer_read(&query, message, &answer, &err);
    node->query.waiting = false;
    if (result != OK) {
        refresh_soa_failed(node->refresh, node->query.ticket, REFRESH_FAILED, err.text,
                           node->network->now);
        return;
    }
    struct refresh_contact contact = {answer.serial, answer.has_expire_option,
                                      answer.expire_option_s};
    trace(node, "soa answer", answer.serial.value, "");
    refresh_soa_answered(node->refresh, node->query.ticket, &contact, node->network->now);
}

static void receive_ack(struct node *node, unsigned from, struct slice message)
{
    for (size_t i = 0; i < node->target_count; i++) {
        struct node_target *target = &node->targets[i];
        unsigned rcode = 0;
        struct error err = {0};
        if (target->node == from &&
            notify_ack_read(message, node->zone, CLASS_IN, target->id, &rcode, &err) == OK) {
            target->token = 0;
            notify_out_answer(&target->notify, rcode, node->network->now);
        }
    }
}

static void receive_reply(struct node *node, const struct event *event)
{
    struct slice message = slice_of(event->bytes, event->size);
    if (header_opcode(get_u16(message.data + 2)) == OPCODE_NOTIFY) {
        receive_ack(node, event->from, message);
    } else if (node->query.waiting) {
        receive_soa(node, message);
    }
}

static struct node_target *target_of_token(struct node *node, uint64_t token)
{
    for (size_t i = 0; i < node->target_count; i++) {
        if (node->targets[i].token == token) {
            return &node->targets[i];
        }
    }
    return NULL;
}

static void connection_event(struct node *node, const struct event *event)
{
    bool closed = event->kind == EVENT_TCP_CLOSED;
    struct slice message = slice_of(event->bytes, event->size);
    struct node_target *target = target_of_token(node, event->token);
    if (event->token == node->transfer.token) {
        if (closed) {
            transfer_failed(node, REFRESH_UNREACHABLE, "the connection was closed");
        } else {
            receive_transfer(node, message);
        }
    } else if (node->query.waiting && event->token == node->query.token) {
        if (closed) {
            node->query.waiting = false;
            refresh_soa_failed(node->refresh, node->query.ticket, REFRESH_UNREACHABLE,
                               "the connection was closed", node->network->now);
        } else {
            receive_soa(node, message);
        }
    } else if (target != NULL) {
        if (closed) {
            notify_out_failed(&target->notify, node->network->now);
        } else {
            receive_ack(node, target->node, message);
        }
    }
}

void node_event(struct node *node, const struct event *event)
{
    if (!node->up) {
        if (event->kind == EVENT_TCP_REQUEST) {
            network_refuse(node->network, event->from, event->token);
        }
        return;
    }
    if (event->kind == EVENT_TCP_REPLY || event->kind == EVENT_TCP_CLOSED) {
        connection_event(node, event);
    } else if ((event->bytes[2] & 0x80) != 0) {
        receive_reply(node, event);
    } else {
        node_serve(node, event);
    }
}

/* ---- what is due ---- */

static void send_query(struct node *node, const struct refresh_action *action)
{
    node->query.waiting = true;
    node->query.ticket = action->ticket;
    node->query.id = (uint16_t)network_draw(node->network);
    node->query.edns = action->edns;
    node->query.token = 0;
    struct soa_query query = {node->zone, CLASS_IN, node->query.id, action->edns};
    uint8_t buffer[512];
    struct slice message = slice_of(buffer, soa_query_write(&query, buffer, sizeof(buffer)));
    unsigned primary = node->primaries[action->primary];
    trace(node, action->tcp ? "soa query over tcp to" : "soa query to", primary, "");
    if (action->tcp) {
        node->query.token = network_connect(node->network, node->index, primary, message);
    } else {
        network_datagram(node->network, node->index, primary, message);
    }
}

static void start_transfer(struct node *node, const struct refresh_action *action)
{
    uint8_t buffer[1024];
    uint16_t id = (uint16_t)network_draw(node->network);
    struct instant now = node->network->now;
    size_t size;
    node->query.waiting = false;
    node->transfer.ticket = action->ticket;
    if (action->incremental) {
        node->transfer.ixfr = ixfr_in_new(node->version, id, false, &limits, now, NULL, NULL);
        size = ixfr_in_request(node->transfer.ixfr, action->edns, buffer, sizeof(buffer));
    } else {
        struct xfr_in_limits axfr_limits = limits;
        axfr_limits.only_newer = !action->any_serial;
        node->transfer.axfr =
            axfr_in_new(node->zone, CLASS_IN, id, node->version, &axfr_limits, now, NULL, NULL);
        size = axfr_in_request(node->transfer.axfr, action->edns, buffer, sizeof(buffer));
    }
    unsigned primary = node->primaries[action->primary];
    trace(node, action->incremental ? "ixfr from" : "axfr from", primary, "");
    node->transfer.token =
        network_connect(node->network, node->index, primary, slice_of(buffer, size));
}

static void step_refresh(struct node *node)
{
    for (;;) {
        struct refresh_action action = refresh_step(node->refresh, node->network->now);
        node->expires_at = refresh_status(node->refresh).expires_at;
        node->serving = node->version != NULL && !refresh_status(node->refresh).expired;
        switch (action.kind) {
        case REFRESH_WAIT:
            return;
        case REFRESH_QUERY_SOA:
            send_query(node, &action);
            break;
        case REFRESH_TRANSFER:
            start_transfer(node, &action);
            break;
        case REFRESH_EXPIRE:
            trace(node, "expired", 0, "");
            node->expired_count++;
            break;
        }
    }
}

static bool has_transfer(const struct node *node)
{
    return node->transfer.axfr != NULL || node->transfer.ixfr != NULL;
}

static struct instant transfer_deadline(const struct node *node)
{
    return node->transfer.ixfr != NULL ? ixfr_in_deadline(node->transfer.ixfr)
                                       : axfr_in_deadline(node->transfer.axfr);
}

static void step_target(struct node *node, struct node_target *target)
{
    struct notify_send send;
    while (notify_out_step(&target->notify, node->network->now, &send)) {
        uint8_t buffer[512];
        target->id = (uint16_t)network_draw(node->network);
        struct record soa = version_soa_record(node->version);
        size_t size = notify_write(node->zone, CLASS_IN, target->id, send.with_soa ? &soa : NULL,
                                   NULL, buffer, sizeof(buffer), 0);
        struct slice message = slice_of(buffer, size);
        trace(node, send.tcp ? "notify over tcp to" : "notify to", target->node, "");
        target->token = 0;
        if (send.tcp) {
            target->token = network_connect(node->network, node->index, target->node, message);
        } else {
            network_datagram(node->network, node->index, target->node, message);
        }
    }
}

void node_step(struct node *node)
{
    if (!node->up) {
        return;
    }
    if (has_transfer(node) && !instant_before(node->network->now, transfer_deadline(node))) {
        struct error err = {0};
        enum result result = node->transfer.ixfr != NULL
                                 ? ixfr_in_timed_out(node->transfer.ixfr, node->network->now, &err)
                                 : axfr_in_timed_out(node->transfer.axfr, node->network->now, &err);
        REQUIRE(result == ERR_TIMEOUT);
        transfer_failed(node, REFRESH_UNREACHABLE, err.text);
    }
    if (node->refresh != NULL) {
        step_refresh(node);
    }
    for (size_t i = 0; node->version != NULL && i < node->target_count; i++) {
        step_target(node, &node->targets[i]);
    }
}

struct instant node_deadline(const struct node *node)
{
    struct instant at = INSTANT_NEVER;
    if (!node->up) {
        return at;
    }
    if (node->refresh != NULL) {
        at = instant_min(at, refresh_deadline(node->refresh));
    }
    if (has_transfer(node)) {
        at = instant_min(at, transfer_deadline(node));
    }
    for (size_t i = 0; i < node->target_count; i++) {
        at = instant_min(at, notify_out_deadline(&node->targets[i].notify));
    }
    return at;
}
