/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: the server, and small things every thread needs. */
#ifndef SERVER_SERVER_IMPL_H
#define SERVER_SERVER_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "answer/answer.h"
#include "base/address.h"
#include "base/error.h"
#include "logging/logging.h"
#include "server/server.h"
#include "settings/settings.h"
#include "zone/zone_set.h"

struct axfr_cache;
struct control;
struct session_key;
struct answer_counts;
struct loop;
struct file_watch;
struct forwards;
struct loader;
struct prefix_count;
struct query_log;
struct sync;
struct transfers;
struct updates;
struct zones;
struct ledger;
struct store;
struct zone_guards;
struct replay;
struct key_usage;

/* Counted with relaxed atomics, summed on reading. */
struct server_counters {
    _Atomic uint64_t xdp_questions;
    _Atomic uint64_t udp_send_dropped;
    _Atomic uint64_t proxy_refused; /* datagrams and connections, for their PROXY header */
    _Atomic uint64_t transfers_refused;
    _Atomic uint64_t notifies_refused;
    _Atomic uint64_t updates_refused;
    _Atomic uint64_t updates_done;   /* answered with NOERROR */
    _Atomic uint64_t updates_failed; /* with anything else, once taken */
    _Atomic uint64_t signatures_refused;
    _Atomic uint64_t copies_diverged;   /* found to differ from the primary's at the same serial */
    _Atomic uint64_t tcp_refused;       /* connections that a limit turned away */
    _Atomic uint64_t tcp_evicted;       /* ... or ended, for another that came */
    _Atomic uint64_t transfers_limited; /* out, refused by a limit */
    _Atomic uint64_t notifies_limited;
    _Atomic uint64_t updates_limited;
    _Atomic uint64_t rate_dropped, rate_slipped; /* responses, by rate-limit */
    _Atomic uint32_t transfers_in_running;
    _Atomic uint32_t transfers_out_running;
    _Atomic uint32_t streams_open;
    _Atomic uint32_t notifies_waiting; /* for the sync thread */
};

struct server {
    struct server_options options;
    struct logging *logging;
    _Atomic(struct settings *) settings; /* RCU; replaced whole by a reload */
    _Atomic(struct zone_set *) zone_set; /* RCU; replaced by zones.c */
    struct server_counters counters;
    struct query_log *query_log;         /* of the same threads */
    struct answer_counts *answer_counts; /* of the UDP workers, then of the stream workers */
    struct loop *main_loop;
    struct loader *loader;
    _Atomic(int64_t) copy_turn_ns, copies_end_ns; /* zone_copy.c */
    _Atomic uint64_t copies_left;
    struct file_watch *file_watch; /* of the main thread; NULL: this system has none */
    struct store *store;           /* NULL: history in memory only */
    char *store_directory;
    struct session_key *session_key; /* of the main thread; NULL: nothing needs one */
    struct zone_guards *guards;
    struct ledger *ledger;
    struct zones *zones;
    struct sync *sync;
    struct listening *listening;
    struct transfers *transfers;
    struct updates *updates;
    struct forwards *forwards;
    struct replay *replay;                 /* signed messages that came */
    struct key_usage *key_usage;           /* who used which key */
    struct prefix_count *tcp_networks;     /* TCP connections by network */
    struct prefix_count *transfer_clients; /* transfers out by address */
    struct axfr_cache *axfr_cache;         /* of transfers out; the stream workers' */
    struct control *control;
    unsigned worker_count;
    int64_t started_at_s;
    _Atomic(int64_t) configured_at_s; /* wall clock, of the last configuration that was taken */
};

/* Names the thread and blocks the signals that main handles. First call of every thread. */
void server_thread_begin(const char *name);
/* RCU hooks for the loop of a thread that will call rcu_thread_start(). */
void server_set_rcu_hooks(struct loop *loop);
/* The settings with a reference, from any thread; settings_unref. */
struct settings *server_settings(struct server *server);

/*
 * Main thread: reads configuration and changed zone files again; `why` is the log's phrase. OK: the
 * configuration is taken, and `loaded` is called in the main thread when all zones have been looked
 * at, server_log_reloaded says so. Otherwise nothing changed, and the log has the reason.
 */
MUST_CHECK enum result server_reload(struct server *server, const char *why,
                                     void (*loaded)(void *context), void *context,
                                     struct error *err);
void server_log_reloaded(struct server *server);
/* Any thread: questions are logged or not, until the configuration says otherwise anew. The log
 * tells. */
void server_switch_query_log(struct server *server, bool on, const char *asked_by);
/* Any thread: the server ends in order. */
void server_stop(struct server *server);

#endif
