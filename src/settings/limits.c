/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits from the configuration's statements. Every one has a bound: there is no "unlimited" among
 * them, since what an outsider can grow is bounded (docs/decisions/limits.md says what each default
 * is good for).
 *
 * tcp-client-memory is what one connection may take in all: its input buffer, which grows to one
 * message, and the queue of its answers. Below three messages it could not serve a transfer.
 */
#include "settings/limits.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "net/stream.h"

enum {
    MAX_UPDATE_QUOTA = 100000,
    MAX_NOTIFY_QUOTA = 1000000,
    PREFIX_SHARE = 8,
    MAX_CLIENT_MEMORY = 64 << 20,
    UDP_RECEIVE_BYTES = 4 << 20,
    UDP_SEND_BYTES = 1 << 20,
    MAX_SOCKET_BUFFER = 1 << 30,
};

static uint32_t number(const struct conf *conf, enum conf_id id)
{
    int64_t value = conf_number(conf, NULL, id);
    return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static uint32_t at_most(uint32_t value, uint32_t bound)
{
    return value < bound ? value : bound;
}

static size_t queue_bytes(const struct conf *conf)
{
    int64_t memory = conf_number(conf, NULL, CONF_TCP_CLIENT_MEMORY);
    int64_t message = STREAM_MESSAGE_MAX + 2;
    if (memory == CONF_DEFAULT_SIZE) {
        return stream_defaults.queue_max_bytes;
    }
    memory = memory == CONF_UNLIMITED || memory > MAX_CLIENT_MEMORY ? MAX_CLIENT_MEMORY : memory;
    return (size_t)(memory < 3 * message ? 2 * message : memory - message);
}

/* 0 is the default: for UDP our own, a burst of 20 ms at 200,000 questions a second should fit. */
static int buffer_bytes(const struct conf *conf, enum conf_id id, int fallback)
{
    int64_t bytes = conf_number(conf, NULL, id);
    return bytes <= 0 ? fallback : bytes < MAX_SOCKET_BUFFER ? (int)bytes : MAX_SOCKET_BUFFER;
}

void limits_read(const struct conf *conf, struct limits *out)
{
    uint32_t clients = number(conf, CONF_TCP_CLIENTS);
    uint32_t share = number(conf, CONF_TCP_CLIENTS_PER_PREFIX);
    *out = (struct limits){
        .tcp_clients = clients,
        .tcp_clients_per_prefix = share != 0 ? share : (clients + PREFIX_SHARE - 1) / PREFIX_SHARE,
        .tcp_ipv4_bits = (uint8_t)number(conf, CONF_TCP_CLIENTS_IPV4_PREFIX),
        .tcp_ipv6_bits = (uint8_t)number(conf, CONF_TCP_CLIENTS_IPV6_PREFIX),
        .tcp_queries_per_client = number(conf, CONF_TCP_QUERIES_PER_CLIENT),
        .tcp_queue_bytes = queue_bytes(conf),
        .tcp_initial_ms = number(conf, CONF_TCP_INITIAL_TIMEOUT),
        .tcp_idle_ms = number(conf, CONF_TCP_IDLE_TIMEOUT),
        .tcp_keepalive_ms = number(conf, CONF_TCP_KEEPALIVE_TIMEOUT),
        .tcp_advertised_ms = number(conf, CONF_TCP_ADVERTISED_TIMEOUT),
        .transfers_in = number(conf, CONF_TRANSFERS_IN),
        .tcp_listen_queue = number(conf, CONF_TCP_LISTEN_QUEUE),
        .transfers_per_ns = number(conf, CONF_TRANSFERS_PER_NS),
        .transfer_message_bytes = number(conf, CONF_TRANSFER_MESSAGE_SIZE),
        .transfers_out = number(conf, CONF_TRANSFERS_OUT),
        .transfers_out_per_client = number(conf, CONF_TRANSFERS_OUT_PER_CLIENT),
        .transfers_out_per_zone = number(conf, CONF_TRANSFERS_OUT_PER_ZONE),
        .update_quota = at_most(number(conf, CONF_UPDATE_QUOTA), MAX_UPDATE_QUOTA),
        .notify_quota = at_most(number(conf, CONF_NOTIFY_QUOTA), MAX_NOTIFY_QUOTA),
        .udp_receive_bytes = buffer_bytes(conf, CONF_UDP_RECEIVE_BUFFER, UDP_RECEIVE_BYTES),
        .udp_send_bytes = buffer_bytes(conf, CONF_UDP_SEND_BUFFER, UDP_SEND_BYTES),
        .tcp_receive_bytes = buffer_bytes(conf, CONF_TCP_RECEIVE_BUFFER, 0),
        .tcp_send_bytes = buffer_bytes(conf, CONF_TCP_SEND_BUFFER, 0),
        .udp_spin_us = number(conf, CONF_UDP_SPIN),
    };
}

/* Drawn once, so that a reload leaves the cookies good that clients have. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t own_secret[SIPHASH_KEY_SIZE];

static void draw_secret(void)
{
    random_bytes(own_secret, sizeof(own_secret));
}

bool limits_read_cookies(const struct conf *conf, struct cookie_policy *out)
{
    *out = (struct cookie_policy){
        .is_required = conf_bool(conf, NULL, CONF_REQUIRE_SERVER_COOKIE),
        .nocookie_udp_size = (uint16_t)number(conf, CONF_NOCOOKIE_UDP_SIZE),
    };
    for (uint32_t i = 0; i < conf->cookie_secret_count; i++) {
        memcpy(out->secrets[i], conf->cookie_secrets[i], SIPHASH_KEY_SIZE);
        out->secret_count++;
    }
    if (out->secret_count == 0) {
        pthread_once(&once, draw_secret);
        memcpy(out->secrets[0], own_secret, SIPHASH_KEY_SIZE);
        out->secret_count = 1;
    }
    return conf_bool(conf, NULL, CONF_ANSWER_COOKIE);
}
