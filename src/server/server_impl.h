/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: the server, and small things every thread needs. */
#ifndef SERVER_SERVER_IMPL_H
#define SERVER_SERVER_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "answer/answer.h"
#include "base/address.h"
#include "base/error.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/settings.h"
#include "zone/zone_set.h"

struct loop;
struct loader;
struct sync;
struct transfers;
struct zones;
struct ledger;

/* Counted with relaxed atomics, summed on reading. */
struct server_counters {
    _Atomic uint64_t udp_send_dropped;
    _Atomic uint64_t transfers_refused;
    _Atomic uint64_t notifies_refused;
    _Atomic uint64_t updates_refused;
    _Atomic uint32_t transfers_out_running;
    _Atomic uint32_t streams_open;
};

struct server {
    struct server_options options;
    struct logging *logging;
    _Atomic(struct settings *) settings; /* RCU; replaced whole by a reload */
    _Atomic(struct zone_set *) zone_set; /* RCU; replaced by zones.c */
    struct server_counters counters;
    struct loop *main_loop;
    struct loader *loader;
    struct ledger *ledger;
    struct zones *zones;
    struct sync *sync;
    struct transfers *transfers;
};

/* Names the thread and blocks the signals that main handles. First call of every thread. */
void server_thread_begin(const char *name);
/* RCU hooks for the loop of a thread that will call rcu_thread_start(). */
void server_set_rcu_hooks(struct loop *loop);
/* The settings with a reference, from any thread; settings_unref. */
struct settings *server_settings(struct server *server);

#endif
