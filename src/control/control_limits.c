/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits in `status`: for each how much of it is used now, what it allows, and how often it said no
 * since the start. The members carry the names of the statements that set them.
 */
#include <stdio.h>

#include "accounts/prefix_count.h"
#include "control/control_impl.h"
#include "hub/server.h"
#include "update/update.h"

static json_t *use(uint64_t now, uint64_t max, uint64_t refused)
{
    return json_pack("{s:I, s:I, s:I}", "now", (json_int_t)now, "max", (json_int_t)max, "refused",
                     (json_int_t)refused);
}

/* Of the network that uses most of it. */
static json_t *use_by_network(struct prefix_count *counts, uint64_t max)
{
    struct prefix network = {0};
    uint32_t most = prefix_count_most(counts, &network);
    json_t *object = json_pack("{s:I, s:I}", "now", (json_int_t)most, "max", (json_int_t)max);
    if (most != 0) {
        char address[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE + 8];
        snprintf(text, sizeof(text), "%s/%u", address_format(&network.address, false, address),
                 network.bits);
        json_object_set_new(object, "network", json_string(text));
    }
    return object;
}

json_t *control_limits_object(struct server *server, const struct settings *settings)
{
    const struct limits *limits = &settings->limits;
    struct server_counters *counters = &server->counters;
    json_t *object = json_object();
    json_object_set_new(object, "tcp-clients",
                        use(atomic_load(&counters->streams_open), limits->tcp_clients,
                            atomic_load(&counters->tcp_refused)));
    json_object_set_new(object, "tcp-clients-per-prefix",
                        use_by_network(server->tcp_networks, limits->tcp_clients_per_prefix));
    json_object_set_new(object, "transfers-in",
                        use(atomic_load(&counters->transfers_in_running), limits->transfers_in, 0));
    json_object_set_new(object, "transfers-out",
                        use(atomic_load(&counters->transfers_out_running), limits->transfers_out,
                            atomic_load(&counters->transfers_limited)));
    json_object_set_new(object, "transfers-out-per-client",
                        use_by_network(server->transfer_clients, limits->transfers_out_per_client));
    json_object_set_new(object, "notify-quota",
                        use(atomic_load(&counters->notifies_waiting), limits->notify_quota,
                            atomic_load(&counters->notifies_limited)));
    json_object_set_new(object, "update-quota",
                        use(updates_waiting(server->updates), limits->update_quota,
                            atomic_load(&counters->updates_limited)));
    json_object_set_new(object, "tcp_evicted",
                        json_integer((json_int_t)atomic_load(&counters->tcp_evicted)));
    if (settings->rates != NULL) {
        json_object_set_new(object, "rate-limit",
                            json_pack("{s:I, s:I}", "dropped",
                                      (json_int_t)atomic_load(&counters->rate_dropped), "slipped",
                                      (json_int_t)atomic_load(&counters->rate_slipped)));
    }
    return object;
}
