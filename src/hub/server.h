/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server that all machines belong to, and the small things every thread needs. The pointers to
 * machines are how those above find one another; this room follows none of them.
 */
#ifndef HUB_SERVER_H
#define HUB_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "answer/answer.h"
#include "base/address.h"
#include "base/error.h"
#include "logging/logging.h"
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
struct zone_follower;
struct key_usage;

/* Counted with relaxed atomics, summed on reading. */
struct server_counters {
    _Atomic uint64_t xdp_questions;
    _Atomic uint64_t xdp_lost; /* no frame was free, or no room in the ring */
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

/* As the command line has it. */
struct server_options {
    const char *config_path;
    const char *user;     /* -u: run as; NULL: stay who we are */
    uint16_t port;        /* -p: instead of 53 where the configuration names none; 0: not given */
    unsigned threads;     /* -n: answer workers; 0: one a core */
    bool ipv4_only;       /* -4 */
    bool ipv6_only;       /* -6 */
    bool foreground;      /* -f, -g: do not detach */
    bool log_to_stderr;   /* -g: everything to standard error, whatever `logging` says */
    unsigned debug_level; /* -d */
};

struct server {
    struct server_options options;
    struct logging *logging;
    _Atomic(struct settings *) settings; /* RCU; replaced whole by a reload */
    _Atomic(struct zone_set *) zone_set; /* RCU; replaced by zones.c */
    struct server_counters counters;
    struct answer_counts *answer_counts; /* of the UDP workers, then of the stream workers */
    struct query_log *query_log;         /* of the same threads */
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
    const struct zone_follower *follower; /* of `zones`, with `sync` as the context */
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
    const char *new_zones_trial; /* of the main thread: read instead of the file it may become */
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

#endif
