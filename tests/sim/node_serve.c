/* SPDX-License-Identifier: BSD-3-Clause */
/* The serving half of a node: SOA queries, AXFR, IXFR and NOTIFY that come in. */
#include "sim/node_impl.h"

#include <stdlib.h>

#include "base/memory.h"
#include "xfr/axfr_out.h"
#include "xfr/ixfr_out.h"
#include "xfr/notify_in.h"
#include "xfr/packer_impl.h"
#include "xfr/xfr_request.h"

enum { MAX_MESSAGES = 4096 };

/* The replies to one request, in order. */
struct replies {
    struct slice messages[MAX_MESSAGES];
    size_t count;
};

static void add_reply(struct replies *replies, const uint8_t *bytes, size_t size)
{
    REQUIRE(replies->count < MAX_MESSAGES && size > 0);
    replies->messages[replies->count++] = slice_of(memcpy(memory_new(size), bytes, size), size);
}

static uint32_t expire_left_s(const struct node *node)
{
    if (node->is_primary) {
        return zone_version_soa(node->version).expire_s;
    }
    return (uint32_t)(instant_ms_until(node->network->now, node->expires_at) / 1000);
}

static void answer_soa(struct node *node, const struct xfr_request *request,
                       struct replies *replies)
{
    uint8_t buffer[1232];
    uint8_t option[EXPIRE_OPTION_SIZE];
    struct slice options = slice_of(option, 0);
    if (request->wants_expire) {
        options = expire_option_write(option, expire_left_s(node));
    }
    struct message_writer w;
    message_writer_init(&w, buffer, sizeof(buffer), request->id, FLAG_QR | FLAG_AA);
    struct record soa = version_soa_record(node->version);
    bool wrote = message_write_question(&w, request->question.name.wire, TYPE_SOA, CLASS_IN) &&
                 message_write_record(&w, SECTION_ANSWER, &soa) &&
                 xfr_request_write_opt(request, &w, RCODE_NOERROR, options);
    REQUIRE(wrote);
    add_reply(replies, buffer, message_writer_finish(&w).size);
}

static void answer_refused(const struct xfr_request *request, unsigned rcode,
                           struct replies *replies)
{
    uint8_t buffer[512];
    size_t size = xfr_refusal_write(request, rcode, EDE_NOT_READY, "no copy to serve", buffer,
                                    sizeof(buffer), 0);
    add_reply(replies, buffer, size);
}

/* The deltas that lead from `serial` to now; false: history does not reach back. */
static bool find_chain(const struct node *node, struct serial serial, size_t *out_first)
{
    for (size_t i = 0; i < node->history_count; i++) {
        if (serial_equal(node->history[i]->from, serial)) {
            *out_first = i;
            return true;
        }
    }
    return false;
}

static void answer_ixfr(struct node *node, const struct xfr_request *request, size_t first,
                        size_t count, size_t soft, struct slice options, struct replies *replies)
{
    struct ixfr_out *out =
        ixfr_out_new(node->version, node->history + first, count, request, options, soft);
    uint8_t *buffer = memory_new(MESSAGE_MAX_SIZE);
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        size_t size = 0;
        struct error err = {0};
        step = ixfr_out_next(out, buffer, MESSAGE_MAX_SIZE, 0, &size, &err);
        REQUIRE(step != STEP_FAILED);
        add_reply(replies, buffer, size);
    }
    memory_free(buffer);
    ixfr_out_free(out);
}

static void answer_axfr(struct node *node, const struct xfr_request *request, size_t soft,
                        struct slice options, struct replies *replies)
{
    struct axfr_out *out = axfr_out_new(node->version, request, options, soft);
    uint8_t *buffer = memory_new(MESSAGE_MAX_SIZE);
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        size_t size = 0;
        struct error err = {0};
        step = axfr_out_next(out, buffer, MESSAGE_MAX_SIZE, 0, &size, &err);
        REQUIRE(step != STEP_FAILED);
        add_reply(replies, buffer, size);
    }
    memory_free(buffer);
    axfr_out_free(out);
}

static void answer_transfer(struct node *node, const struct xfr_request *request,
                            struct replies *replies)
{
    uint8_t option[EXPIRE_OPTION_SIZE];
    struct slice options = slice_of(option, 0);
    if (request->wants_expire) {
        options = expire_option_write(option, expire_left_s(node));
    }
    size_t soft = 150 + network_below(node->network, 1500);
    size_t first = 0;
    if (request->question.type == TYPE_IXFR) {
        if (network_fails(node->network, 15)) {
            answer_refused(request, RCODE_NOTIMP, replies);
            return;
        }
        if (!serial_before(request->serial, zone_version_serial(node->version))) {
            answer_ixfr(node, request, 0, 0, soft, options, replies);
            return;
        }
        if (find_chain(node, request->serial, &first)) {
            answer_ixfr(node, request, first, node->history_count - first, soft, options, replies);
            return;
        }
    }
    answer_axfr(node, request, soft, options, replies);
}

static void serve_query(struct node *node, unsigned from, struct slice message,
                        struct replies *replies)
{
    struct xfr_request request;
    unsigned rcode = RCODE_NOERROR;
    struct error err = {0};
    enum result result = xfr_request_read(message, &request, &rcode, &err);
    REQUIRE(result == OK);
    if (!node->serving) {
        answer_refused(&request, RCODE_SERVFAIL, replies);
        return;
    }
    for (size_t i = 0; i < node->target_count; i++) {
        if (node->targets[i].node == from) {
            notify_out_alive(&node->targets[i].notify, node->network->now);
            if (request.has_serial) {
                notify_out_seen(&node->targets[i].notify, request.serial);
            }
        }
    }
    if (request.question.type == TYPE_SOA) {
        answer_soa(node, &request, replies);
    } else {
        answer_transfer(node, &request, replies);
    }
}

static void serve_notify(struct node *node, unsigned from, struct slice message,
                         struct replies *replies)
{
    struct notify_in notify;
    unsigned rcode = RCODE_NOERROR;
    struct error err = {0};
    enum result result = notify_in_read(message, &notify, &rcode, &err);
    REQUIRE(result == OK);
    for (uint32_t i = 0; i < node->primary_count; i++) {
        if (node->primaries[i] == from && node->refresh != NULL) {
            refresh_notified(node->refresh, i, notify.has_serial, notify.serial,
                             node->network->now);
        }
    }
    uint8_t buffer[512];
    size_t size = notify_in_reply(&notify, RCODE_NOERROR, buffer, sizeof(buffer), 0);
    add_reply(replies, buffer, size);
}

void node_serve(struct node *node, const struct event *event)
{
    struct slice message = slice_of(event->bytes, event->size);
    struct replies *replies = memory_new_zeroed(1, sizeof(*replies));
    if (header_opcode(get_u16(message.data + 2)) == OPCODE_NOTIFY) {
        serve_notify(node, event->from, message, replies);
    } else {
        serve_query(node, event->from, message, replies);
    }
    if (event->kind == EVENT_TCP_REQUEST) {
        network_reply(node->network, event->from, event->token, replies->messages, replies->count);
    } else {
        REQUIRE(replies->count == 1);
        network_datagram(node->network, node->index, event->from, replies->messages[0]);
    }
    for (size_t i = 0; i < replies->count; i++) {
        memory_free((void *)(uintptr_t)replies->messages[i].data);
    }
    memory_free(replies);
}
