/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as the server uses it: one immutable struct per generation, made from the conf
 * room's result at start and at each reload, shared by counted references, replaced whole.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <stdatomic.h>

#include "accounts/rate_limit.h"
#include "answer/answer.h"
#include "base/address.h"
#include "base/error.h"
#include "conf/conf.h"
#include "edit/policy.h"
#include "edit/serial.h"
#include "logging/logging.h"
#include "settings/key_table.h"
#include "settings/limits.h"
#include "settings/own_addresses.h"
#include "settings/tls_table.h"
#include "xfr/axfr_in.h"
#include "xfr/refresh.h"
#include "zone/check.h"
#include "zone/master.h"

/* A server to talk to: a primary, or one to notify. */
struct remote {
    struct address address; /* with port */
    struct address source;  /* family 0: any */
    const char *key;        /* TSIG key name, or NULL */
    struct tsig_key *tsig;  /* that key; borrowed from the settings' table */
    /* Where `server` gives several: all of them, `tsig` first, in the order they are tried. */
    struct tsig_key *keys[CONF_KEYS_PER_SERVER];
    unsigned key_count;
    struct tls_context *tls; /* NULL: not over TLS; borrowed from the settings' table */
    uint16_t udp_size;       /* that we offer it by EDNS */
    bool no_edns;            /* `edns no` */
    bool no_cookie;          /* what is asked over UDP has no cookie (RFC 7873) */
    bool tcp_only;           /* asked over TCP alone */
    bool tcp_keepalive;      /* asked how long it keeps connections (RFC 7828); over TLS always */
    bool no_expire;          /* not asked for EXPIRE (RFC 7314) */
    uint32_t transfers;      /* at a time; 0: transfers-per-ns */
    uint16_t padding;        /* of messages over TLS, to a multiple of so many octets; 0: none */
};

enum zone_role { ROLE_PRIMARY, ROLE_SECONDARY };
enum notify_mode { NOTIFY_OFF, NOTIFY_EXPLICIT, NOTIFY_ON, NOTIFY_PRIMARY_ONLY };

enum guard_zonemd { GUARD_ZONEMD_IGNORED, GUARD_ZONEMD_CHECKED, GUARD_ZONEMD_REQUIRED };

/* What a new version must pass before it is served (zone_guard.h). */
struct guard_options {
    uint64_t max_names;          /* 0: no limit */
    uint64_t max_bytes;          /* of memory, as status tells it; 0: no limit */
    uint32_t max_shrink_percent; /* of the records served; UINT32_MAX: no limit */
    uint32_t max_growth_percent;
    bool spares_small; /* the share that may go is the default: zones of few records are not held */
    enum guard_zonemd zonemd;
    const struct conf_checker *checker; /* borrowed from `conf`; NULL: none */
    uint32_t checker_timeout_s;
};

/* One zone's share, or that of many zones that are set alike. Lives as long as the settings it
 * belongs to. Name and file are the zone's own: settings_zone_file(). */
struct zone_settings {
    struct settings *settings; /* borrowed */
    struct zone_settings *next;
    enum zone_role role;
    enum serial_method serial_method;
    enum master_style style; /* of files written */
    bool write_back;         /* the file is kept up to date with what changes otherwise */
    bool auto_reload;        /* the file is read when it changes, unasked */
    bool serial_strict;      /* a changed file must bring a serial that is ahead */
    struct update_policy *update_policy; /* NULL: allow-update decides */
    const struct conf_zone *conf;        /* the first of them */
    const struct acl *allow_query;       /* NULL: anybody */
    const struct acl *allow_query_on;    /* addresses of ours; NULL: all */
    bool counts_questions;               /* of each zone, for status and metrics */
    struct remote *primaries;
    size_t primary_count;
    struct remote *notify; /* also-notify */
    size_t notify_count;
    enum notify_mode notify_mode;
    bool notify_to_soa;                            /* the MNAME is told as well */
    uint32_t notify_delay_s;                       /* from a new version to its NOTIFY */
    struct address notify_source4, notify_source6; /* family 0: any */
    struct refresh_options refresh;
    struct xfr_in_limits transfer_limits;
    uint32_t idle_out_ms, total_out_ms; /* of transfers to others; 0: no limit */
    struct check_options check;
    uint64_t max_records;
    uint32_t max_records_per_type;
    uint32_t max_types_per_name;
    struct guard_options guard;
    bool is_hidden; /* hidden-primary: only peers are answered, and only what they need */
    bool provide_ixfr;
    uint32_t max_ixfr_percent;  /* of the zone; UINT32_MAX: no limit */
    uint64_t max_journal_bytes; /* 0: the store's own bound */
};

struct settings {
    _Atomic uint32_t references;
    struct conf *conf; /* owned */
    struct key_table keys;
    struct tsig_key *session_key; /* for `update-policy local`; in the table; or NULL */
    struct answer_options answer;
    _Atomic(struct own_addresses *) own; /* the newest; all of them go with the settings */
    uint32_t interface_interval_s;       /* 0: looked at only when the kernel says so */
    uint16_t default_port;
    bool ipv4, ipv6; /* wanted */
    struct tls_table tls;
    const char *pid_file;  /* absolute, or NULL */
    const char *directory; /* as written, or NULL: where the process stands */
    const char *store_directory;
    uint64_t forget_after_s;      /* zones that left; UINT64_MAX: never */
    struct log_channel *channels; /* made by settings_logging */
    char hostname[256];
    struct zone_settings *shared; /* all that are different, owned */
    struct zone_settings **zones; /* by the order in conf->zones */
    size_t zone_count;
    bool anybody_may_query; /* every zone */
    struct limits limits;
    struct cookie_policy cookies;
    const struct acl *blackhole;                    /* NULL: nobody */
    const struct acl *allow_proxy, *allow_proxy_on; /* NULL: no proxy; any address of ours */
    struct rate_limit *rates;                       /* owned; NULL: responses are not limited */
    uint32_t notify_rate, startup_notify_rate, serial_query_rate; /* a second, to all peers */
    bool logs_queries;                                            /* unless an operator switched */
    uint64_t generation;                                          /* 1 for the first */
};

struct settings_input {
    struct conf *conf;            /* taken, also on error */
    struct tsig_key *session_key; /* shared; may be NULL */
    uint16_t default_port;        /* 53, or what -p says */
    bool ipv4, ipv6;              /* wanted */
    const struct settings *old;   /* of the generation before, or NULL */
    conf_report *report;          /* of what only the files show that the configuration names */
    void *report_context;
};

/*
 * From a configuration that was loaded without error.
 * ERR_FORMAT, ERR_LIMIT, ERR_IO with file and line where something asked for cannot be had.
 */
MUST_CHECK enum result settings_new(const struct settings_input *input, struct settings **out,
                                    struct error *err);
/* What this machine's addresses are and which of them are listened on. Any thread that holds the
 * settings; good for as long as it does. */
static inline const struct own_addresses *settings_own(const struct settings *settings)
{
    return atomic_load_explicit(&settings->own, memory_order_acquire);
}
/* Looks at the interfaces again. True: what settings_own gives has changed. Main thread. err: set
 * where it could not look. */
bool settings_look_again(struct settings *settings, struct error *err);
struct settings *settings_ref(struct settings *settings);
void settings_unref(struct settings *settings);
/* The zone's file, absolute, borrowed from the settings; NULL: a secondary without one, or no such
 * zone. `place`: its index in conf->zones, if that is still so. O(1), else O(log n). */
const char *settings_zone_file(const struct settings *settings, const uint8_t *name,
                               uint32_t place);
/* The key that a `server` statement sets for this address, borrowed, or NULL. */
struct tsig_key *settings_peer_key(const struct settings *settings, const struct address *peer);

/* Does `blackhole` name this address? Then it is not answered, not even refused. */
bool settings_blackholes(const struct settings *settings, const struct address *peer,
                         enum answer_transport transport);

/* May `peer` say, in a PROXY header that came to `local`, who its client is? */
bool settings_trusts_proxy(const struct settings *settings, const struct address *peer,
                           const struct address *local, enum answer_transport transport);

/* The block that responses to a client over TLS are filled up to (response-padding); 0: none. */
uint16_t settings_response_padding(const struct settings *settings, const struct address *peer,
                                   struct slice tls_names);

/* What the `logging` statements say, in the form logging.h takes; `to_stderr` is -g. The arrays
 * belong to the settings, until the next call. */
void settings_logging(struct settings *settings, bool to_stderr, unsigned debug_level,
                      struct logging_options *out);

#endif
