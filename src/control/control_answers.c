/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What status tells of the answers given: all of the server's, and those of a zone that is counted
 * apart. Numbers that are nought are left out of the tables by type, rcode and size.
 */
#include <stdio.h>

#include "control/control_impl.h"
#include "hub/server.h"
#include "server/answer_counts.h"
#include "wire/message.h"
#include "wire/rrtype.h"
#include "zones/zones.h"

static void put(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void put_some(json_t *object, const char *key, uint64_t number)
{
    if (number != 0) {
        put(object, key, number);
    }
}

static const char *type_word(unsigned slot, char text[16])
{
    return slot == COUNTED_TYPE_NONE    ? "none"
           : slot == COUNTED_TYPE_OTHER ? "other"
                                        : rrtype_format((uint16_t)slot, text);
}

json_t *control_answers_object(const struct server *server)
{
    static const char *const transports[] = {
        [ANSWER_UDP] = "udp", [ANSWER_TCP] = "tcp", [ANSWER_TLS] = "tls"};
    struct answer_sums sum;
    char text[24];
    answer_counts_sum(server, &sum);
    json_t *object = json_object();
    json_t *table = json_object();
    for (unsigned i = 0; i < COUNTED_TRANSPORTS; i++) {
        put(table, transports[i], sum.transports[i]);
    }
    json_object_set_new(object, "messages", table);
    put(object, "unanswered", sum.unanswered);
    put(object, "truncated", sum.truncated);
    put(object, "edns", sum.edns);
    put(object, "dnssec_ok", sum.dnssec_ok);
    put(object, "octets_in", sum.octets_in);
    put(object, "octets_out", sum.octets_out);
    table = json_object();
    for (unsigned i = 0; i < COUNTED_RCODES; i++) {
        put_some(table, i == COUNTED_RCODES - 1 ? "other" : rcode_name(i), sum.rcodes[i]);
    }
    json_object_set_new(object, "rcodes", table);
    table = json_object();
    for (unsigned i = 0; i < COUNTED_TYPES; i++) {
        put_some(table, type_word(i, text), sum.types[i]);
    }
    json_object_set_new(object, "types", table);
    table = json_object();
    for (unsigned i = 0; i < COUNTED_SIZES; i++) {
        snprintf(text, sizeof(text), "%u", 32u << i);
        put_some(table, i == COUNTED_SIZES - 1 ? "more" : text, sum.sizes[i]);
    }
    json_object_set_new(object, "sizes", table);
    return object;
}

json_t *control_zone_answers_object(const struct server_zone *zone)
{
    const struct zone_query_counts *counts =
        atomic_load_explicit(&zone->zone->query_counts, memory_order_acquire);
    struct zone_counts_line sum;
    if (counts == NULL) {
        return NULL;
    }
    zone_query_counts_sum(counts, &sum);
    json_t *object = json_object();
    put(object, "messages", sum.queries);
    put(object, "streams", sum.streams);
    put(object, "nxdomain", sum.nxdomain);
    put(object, "failed", sum.failed);
    put(object, "truncated", sum.truncated);
    put(object, "octets_out", sum.octets_out);
    return object;
}
