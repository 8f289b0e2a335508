/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients and peers may use up, as the configuration says; plain numbers. */
#ifndef SETTINGS_LIMITS_H
#define SETTINGS_LIMITS_H

#include "answer/cookie.h"
#include "conf/conf.h"

struct limits {
    uint32_t tcp_clients;
    uint32_t tcp_clients_per_prefix;
    uint8_t tcp_ipv4_bits, tcp_ipv6_bits;
    uint32_t tcp_queries_per_client; /* asked for and not yet taken by the client */
    size_t tcp_queue_bytes;          /* of answers that wait for the client to read */
    uint32_t tcp_initial_ms;         /* until the first message */
    uint32_t tcp_idle_ms;
    uint32_t tcp_keepalive_ms;  /* idle time of who asked for keepalive (RFC 7828) */
    uint32_t tcp_advertised_ms; /* what it is told */
    uint32_t transfers_in, transfers_per_ns;
    uint32_t tcp_listen_queue; /* connections that wait to be accepted, of each address */
    uint32_t transfers_out, transfers_out_per_client, transfers_out_per_zone;
    uint32_t transfer_message_bytes; /* at which the messages of transfers out end */
    uint32_t update_quota, notify_quota;
    int udp_receive_bytes, udp_send_bytes; /* of a socket's buffers */
    int tcp_receive_bytes, tcp_send_bytes; /* likewise; 0: as the system has them */
    uint32_t udp_spin_us;                  /* looked for questions before sleeping */
};

void limits_read(const struct conf *conf, struct limits *out);

/* The server's answers to cookies, with a secret of this process where none is configured. False:
 * cookies are not answered. */
bool limits_read_cookies(const struct conf *conf, struct cookie_policy *out);

#endif
