/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration in BIND's named.conf grammar, as plain structs.
 *
 * A statement that has one value is a setting: an id, a value, and where it was written. Settings
 * are asked for through the accessors below, which go from the zone to `options` to the defaults;
 * blocks (keys, tls, logging …) are structs of their own. All of it is read-only after the load, is
 * shared freely between threads, and ends with conf_free().
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>

#include "base/address.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/acl.h"
#include "conf/report.h"

/* The settings. To add one: an id here, a row in statement_table.c. The comment says which accessor
 * to use where the group does not. */
enum conf_id {
    CONF_NONE,
    /* conf_acl */
    CONF_ALLOW_NOTIFY,
    CONF_ALLOW_PROXY,
    CONF_ALLOW_PROXY_ON,
    CONF_ALLOW_QUERY,
    CONF_ALLOW_QUERY_ON,
    CONF_ALLOW_TRANSFER,
    CONF_ALLOW_UPDATE,
    CONF_ALLOW_UPDATE_FORWARDING,
    CONF_BLACKHOLE,
    /* conf_remotes; never NULL */
    CONF_ALSO_NOTIFY,
    CONF_PRIMARIES,
    /* conf_address; family 0: any */
    CONF_NOTIFY_SOURCE,
    CONF_NOTIFY_SOURCE_V6,
    CONF_QUERY_SOURCE,
    CONF_QUERY_SOURCE_V6,
    CONF_TRANSFER_SOURCE,
    CONF_TRANSFER_SOURCE_V6,
    /* conf_text: paths, made absolute by `directory` where that is; NULL: none */
    CONF_DIRECTORY, /* as written */
    CONF_PID_FILE,
    CONF_LOCK_FILE,
    CONF_SESSION_KEYFILE,
    CONF_STORE_DIRECTORY,
    CONF_NEW_ZONES_DIRECTORY,
    CONF_DUMP_FILE,
    CONF_STATISTICS_FILE,
    CONF_MEMSTATISTICS_FILE,
    CONF_JOURNAL,
    /* conf_text: strings; NULL: "none", or not set and without a default (conf_find is NULL then)
     */
    CONF_VERSION,
    CONF_HOSTNAME,
    CONF_SERVER_ID, /* special CONF_SPECIAL_HOSTNAME: the host's name */
    CONF_SESSION_KEYNAME,
    CONF_SESSION_KEYALG,
    /* conf_bool */
    CONF_ANSWER_COOKIE,
    CONF_AUTH_NXDOMAIN,
    CONF_AUTO_RELOAD,
    CONF_ALLOW_NEW_ZONES,
    CONF_ALLOW_WEAK_TSIG,
    CONF_CHECK_INTEGRITY,
    CONF_CHECK_SIBLING,
    CONF_CHECK_WILDCARD,
    CONF_FLUSH_ZONES_ON_SHUTDOWN,
    CONF_HIDDEN_PRIMARY,
    CONF_MATCH_MAPPED_ADDRESSES,
    CONF_MESSAGE_COMPRESSION,
    CONF_MINIMAL_ANY,
    CONF_MULTI_PRIMARY,
    CONF_NOTIFY_TO_SOA,
    CONF_PROVIDE_IXFR,
    CONF_QUERYLOG, /* without a default: as conf_logging.names_queries */
    CONF_REQUEST_EXPIRE,
    CONF_REQUEST_IXFR,
    CONF_REQUEST_NSID,
    CONF_REQUIRE_SERVER_COOKIE,
    CONF_REUSEPORT,
    CONF_SEND_COOKIE,
    CONF_TRY_TCP_REFRESH,
    CONF_WRITE_BACK,
    CONF_ZERO_NO_SOA_TTL,
    CONF_BOGUS,         /* server */
    CONF_EDNS,          /* server */
    CONF_TCP_KEEPALIVE, /* server */
    CONF_TCP_ONLY,      /* server */
    /* conf_number, an enum below */
    CONF_CHECK_DUP_RECORDS, /* enum conf_check, and the seven that follow */
    CONF_CHECK_MX,
    CONF_CHECK_MX_CNAME,
    CONF_CHECK_NAMES_PRIMARY,
    CONF_CHECK_NAMES_SECONDARY,
    CONF_CHECK_NAMES_RESPONSE,
    CONF_CHECK_SPF,
    CONF_CHECK_SRV_CNAME,
    CONF_MASTERFILE_FORMAT,    /* enum conf_file_format */
    CONF_MASTERFILE_STYLE,     /* enum conf_file_style */
    CONF_MINIMAL_RESPONSES,    /* enum conf_minimal */
    CONF_NOTIFY,               /* enum conf_notify */
    CONF_SERIAL_CHECK,         /* enum conf_serial_check */
    CONF_SERIAL_UPDATE_METHOD, /* enum conf_serial_method */
    CONF_TRANSFER_FORMAT,      /* enum conf_transfer_format */
    CONF_ZONE_STATISTICS,      /* enum conf_statistics */
    CONF_ZONEMD_CHECK,         /* enum conf_zonemd_check */
    /* conf_number: seconds; 0 for a limit of a transfer: none */
    CONF_MAX_REFRESH_TIME,
    CONF_MAX_RETRY_TIME,
    CONF_MIN_REFRESH_TIME,
    CONF_MIN_RETRY_TIME,
    CONF_MAX_TRANSFER_IDLE_IN,
    CONF_MAX_TRANSFER_IDLE_OUT,
    CONF_MAX_TRANSFER_TIME_IN,
    CONF_MAX_TRANSFER_TIME_OUT,
    CONF_MAX_ZONE_TTL, /* CONF_UNLIMITED: none */
    CONF_INTERFACE_INTERVAL,
    CONF_FORGET_ZONES_AFTER, /* CONF_UNLIMITED: never */
    CONF_NOTIFY_DELAY,
    CONF_CHECKER_TIMEOUT,
    /* conf_number: milliseconds */
    CONF_TCP_ADVERTISED_TIMEOUT,
    CONF_TCP_IDLE_TIMEOUT,
    CONF_TCP_INITIAL_TIMEOUT,
    CONF_TCP_KEEPALIVE_TIMEOUT,
    /* conf_number: octets; CONF_UNLIMITED, CONF_DEFAULT_SIZE */
    CONF_TCP_CLIENT_MEMORY,
    CONF_MAX_JOURNAL_SIZE,
    CONF_MAX_ZONE_SIZE,
    CONF_UDP_RECEIVE_BUFFER,
    CONF_UDP_SPIN,
    CONF_UDP_SEND_BUFFER,
    CONF_TCP_RECEIVE_BUFFER,
    CONF_TCP_SEND_BUFFER,
    /* conf_number: counts and the like; 0: no limit */
    CONF_EDNS_UDP_SIZE,
    CONF_EDNS_VERSION,   /* server */
    CONF_MAX_IXFR_RATIO, /* percent; CONF_UNLIMITED; and the two that follow */
    CONF_MAX_GROWTH,
    CONF_MAX_SHRINK,
    CONF_MAX_NAMES,
    CONF_MAX_RECORDS,
    CONF_MAX_RECORDS_PER_TYPE,
    CONF_MAX_TYPES_PER_NAME,
    CONF_MAX_UDP_SIZE,
    CONF_NOCOOKIE_UDP_SIZE,
    CONF_NOTIFY_QUOTA,
    CONF_NOTIFY_RATE,
    CONF_PADDING, /* server; octets, 0: none */
    CONF_PORT,
    CONF_TLS_PORT,
    CONF_SERIAL_QUERY_RATE,
    CONF_STARTUP_NOTIFY_RATE,
    CONF_TCP_CLIENTS,
    CONF_TCP_CLIENTS_IPV4_PREFIX,
    CONF_TCP_CLIENTS_IPV6_PREFIX,
    CONF_TCP_CLIENTS_PER_PREFIX, /* 0: an eighth of tcp-clients */
    CONF_TCP_LISTEN_QUEUE,
    CONF_TCP_QUERIES_PER_CLIENT,
    CONF_TRANSFER_MESSAGE_SIZE,
    CONF_TRANSFERS, /* server */
    CONF_TRANSFERS_IN,
    CONF_TRANSFERS_OUT,
    CONF_TRANSFERS_OUT_PER_CLIENT,
    CONF_TRANSFERS_OUT_PER_ZONE,
    CONF_TRANSFERS_PER_NS,
    CONF_UPDATE_QUOTA,
    /* conf_response_padding */
    CONF_RESPONSE_PADDING,
    /* conf_update_policy, conf_rate_limit, conf_checker */
    CONF_CHECKER,
    CONF_UPDATE_POLICY,
    CONF_RATE_LIMIT,
    /* inside the blocks; assembled into the structs below */
    CONF_ZONE_TYPE,
    CONF_ZONE_FILE,
    CONF_SECRET,
    CONF_SECRET_FILE,
    CONF_ALGORITHM,
    CONF_KEYS,
    CONF_CA_FILE,
    CONF_CERT_FILE,
    CONF_KEY_FILE,
    CONF_DHPARAM_FILE,
    CONF_REMOTE_HOSTNAME,
    CONF_CIPHERS,
    CONF_PROTOCOLS,
    CONF_PREFER_SERVER_CIPHERS,
    CONF_SESSION_TICKETS,
    CONF_PIN,
    CONF_CHANNEL_FILE,
    CONF_CHANNEL_SYSLOG,
    CONF_CHANNEL_STDERR,
    CONF_CHANNEL_NULL,
    CONF_CHANNEL_SEVERITY,
    CONF_CHANNEL_FORMAT,
    CONF_PRINT_TIME,
    CONF_PRINT_SEVERITY,
    CONF_PRINT_CATEGORY,
    CONF_BUFFERED,
    CONF_RATE_ALL,
    CONF_RATE_ERRORS,
    CONF_RATE_EXEMPT,
    CONF_RATE_IPV4_PREFIX,
    CONF_RATE_IPV6_PREFIX,
    CONF_RATE_LOG_ONLY,
    CONF_RATE_MAX_TABLE,
    CONF_RATE_MIN_TABLE,
    CONF_RATE_NODATA,
    CONF_RATE_NXDOMAINS,
    CONF_RATE_QPS_SCALE,
    CONF_RATE_REFERRALS,
    CONF_RATE_RESPONSES,
    CONF_RATE_SLIP,
    CONF_RATE_WINDOW,
    CONF_IDS
};

enum conf_check { CONF_CHECK_IGNORE, CONF_CHECK_WARN, CONF_CHECK_FAIL };
enum conf_file_format { CONF_FILE_TEXT, CONF_FILE_RAW, CONF_FILE_MAP };
enum conf_file_style { CONF_STYLE_RELATIVE, CONF_STYLE_FULL };
enum conf_minimal {
    CONF_MINIMAL_NO,
    CONF_MINIMAL_YES,
    CONF_MINIMAL_NO_AUTH,
    CONF_MINIMAL_NO_AUTH_RECURSIVE
};
enum conf_notify {
    CONF_NOTIFY_NO,
    CONF_NOTIFY_YES,
    CONF_NOTIFY_EXPLICIT,
    CONF_NOTIFY_PRIMARY_ONLY
};
enum conf_serial_check { CONF_SERIAL_ADVANCE, CONF_SERIAL_STRICT };
enum conf_serial_method { CONF_SERIAL_INCREMENT, CONF_SERIAL_UNIXTIME, CONF_SERIAL_DATE };
enum conf_zonemd_check { CONF_ZONEMD_NO, CONF_ZONEMD_YES, CONF_ZONEMD_REQUIRED };
enum conf_transfer_format { CONF_ONE_ANSWER, CONF_MANY_ANSWERS };
enum conf_statistics { CONF_STATISTICS_NONE, CONF_STATISTICS_FULL, CONF_STATISTICS_TERSE };

#define CONF_UNLIMITED    INT64_MAX
#define CONF_DEFAULT_SIZE ((int64_t)-1)

enum conf_special { CONF_SPECIAL_NOT, CONF_SPECIAL_NONE, CONF_SPECIAL_HOSTNAME };

struct conf_setting {
    uint16_t id;     /* enum conf_id */
    uint8_t special; /* enum conf_special: the value is a word instead of a text */
    struct conf_where where;
    union {
        int64_t number;
        const char *text;
        const struct acl *acl;
        const struct conf_remotes *remotes;
        const struct address *address;
        const struct conf_update_policy *update_policy;
        const struct conf_rate_limit *rate_limit;
        const void *object;
    };
};

enum conf_algorithm {
    CONF_HMAC_MD5,
    CONF_HMAC_SHA1,
    CONF_HMAC_SHA224,
    CONF_HMAC_SHA256,
    CONF_HMAC_SHA384,
    CONF_HMAC_SHA512
};

struct conf_key {
    const char *name;    /* as written */
    const uint8_t *wire; /* the name as TSIG carries it */
    enum conf_algorithm algorithm;
    uint16_t digest_bits;  /* of "hmac-sha256-128"; 0: all */
    const uint8_t *secret; /* wiped by conf_free */
    uint32_t secret_size;
    const char *secret_file; /* made absolute; NULL: the secret stood in the statement */
    bool is_used;            /* some other statement names it */
    struct conf_where where;
};

const char *conf_algorithm_name(enum conf_algorithm algorithm); /* "hmac-sha256" */

enum { CONF_PIN_SIZE = 32 };

struct conf_tls {
    /* "ephemeral" is always there: a key and certificate made at start. `tls pin "P"` and `tls
     * hostname "N"` at a server are blocks of that name. */
    const char *name;
    const char *ca_file, *cert_file, *key_file, *dhparam_file; /* paths made absolute, or NULL */
    const char *remote_hostname, *ciphers;                     /* or NULL */
    const uint8_t (*pins)[CONF_PIN_SIZE]; /* SHA-256 of the peer's SubjectPublicKeyInfo */
    uint32_t pin_count;
    bool tls12, tls13; /* protocols; TLSv1.3 where none are named */
    bool prefer_server_ciphers;
    bool session_tickets;
    struct conf_where where;
};

enum { CONF_KEYS_PER_SERVER = 4 };

struct conf_remote {
    struct address address;     /* port 0: `port`, or 853 with tls */
    const struct conf_key *key; /* the first, or NULL */
    /* `key a key b`: all of them, in the order they are tried, NULL behind the last; NULL: there is
     * but one. At most CONF_KEYS_PER_SERVER. */
    const struct conf_key *const *keys;
    const struct conf_tls *tls; /* or NULL */
    struct conf_where where;
};

/* `primaries`, `also-notify` and the like, named lists already put in place of their names. */
struct conf_remotes {
    const char *name; /* or NULL */
    struct conf_where where;
    const struct conf_remote *servers;
    uint32_t count;
    struct address source, source_v6; /* `source`, `source-v6` of the list; family 0: not given */
};

/* PROXYv2 headers: none, before all else on a connection, or within its TLS. */
enum conf_proxy { CONF_PROXY_NO, CONF_PROXY_PLAIN, CONF_PROXY_ENCRYPTED };

struct conf_listen {
    bool v6;
    uint16_t port;               /* 0: `port`, or 853 with tls */
    const struct conf_tls *tls;  /* or NULL */
    enum conf_proxy proxy;       /* ENCRYPTED has `tls`; never with `xdp` */
    bool xdp;                    /* UDP by AF_XDP where the kernel lets us, too */
    const struct acl *addresses; /* matched against the host's own */
    struct conf_where where;
};

enum conf_zone_type { CONF_ZONE_PRIMARY, CONF_ZONE_SECONDARY };

struct conf_zone {
    const char *name;    /* as written */
    const uint8_t *wire; /* as written, absolute */
    uint16_t class;
    enum conf_zone_type type;
    bool is_added;    /* stands in conf.new_zones_file */
    const char *file; /* made absolute by `directory`; NULL: a secondary without one */
    struct conf_where where;
    const struct conf_setting *settings;
    uint32_t setting_count;
};

enum conf_update_match {
    CONF_UPDATE_NAME,
    CONF_UPDATE_SUBDOMAIN,
    CONF_UPDATE_ZONESUB,
    CONF_UPDATE_WILDCARD,
    CONF_UPDATE_SELF,
    CONF_UPDATE_SELFSUB,
    CONF_UPDATE_SELFWILD,
    CONF_UPDATE_TCP_SELF,
    CONF_UPDATE_6TO4_SELF,
};

struct conf_update_type {
    uint16_t type; /* 255: ANY */
    uint32_t max;  /* records in the set; 0: no limit */
};

struct conf_update_rule {
    bool grant;
    const char *identity;         /* as written */
    const uint8_t *identity_name; /* wire; may start with "*" */
    enum conf_update_match match;
    const uint8_t *name;                  /* wire, or NULL where the match has none */
    const struct conf_update_type *types; /* none: all but NS, SOA, RRSIG, NSEC, NSEC3 */
    uint32_t type_count;
    struct conf_where where;
};

struct conf_update_policy {
    bool local; /* `update-policy local`: the session key may do everything */
    const struct conf_update_rule *rules; /* the first that matches decides */
    uint32_t rule_count;
};

enum { CONF_COOKIE_SECRETS = 4, CONF_COOKIE_SECRET_SIZE = 16 };

/* A program that looks at a version of a zone before it is served. */
struct conf_checker {
    const char *program;          /* made absolute */
    const char *const *arguments; /* with the program's name as the first, NULL as the last */
};

struct conf_rate_limit {
    uint32_t responses, referrals, nodata, nxdomains, errors, all; /* a second; 0: no limit */
    uint32_t window_s, slip, qps_scale, ipv4_prefix, ipv6_prefix;
    uint32_t min_table, max_table;
    bool log_only;
    const struct acl *exempt; /* never NULL */
};

/* `response-padding` (RFC 7830): what answers over TLS are filled up to a multiple of. */
struct conf_padding {
    const struct acl *clients; /* never NULL */
    uint32_t block;            /* octets; 0: none */
};

enum conf_sink { CONF_SINK_STDERR, CONF_SINK_FILE, CONF_SINK_SYSLOG, CONF_SINK_NULL };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_KEYVALUE, CONF_LOG_JSON };
enum conf_time_format { CONF_TIME_NO, CONF_TIME_LOCAL, CONF_TIME_ISO8601, CONF_TIME_ISO8601_UTC };

struct conf_channel {
    const char *name;
    enum conf_sink sink;
    enum conf_log_format format; /* our addition: `format text|keyvalue|json` */
    enum log_level level;
    uint32_t debug_level; /* of `severity debug N`; level is LOG_DEBUG then */
    bool dynamic;         /* `severity dynamic`: as -d says */
    enum conf_time_format print_time;
    bool print_severity, print_category, buffered;
    const char *path;        /* CONF_SINK_FILE; made absolute */
    uint32_t versions;       /* UINT32_MAX: unlimited; 0: none kept */
    uint64_t max_size_bytes; /* 0: no limit */
    bool timestamp_suffix;   /* old files are named by time instead of by number */
    int facility;            /* CONF_SINK_SYSLOG: LOG_DAEMON of <syslog.h> and so on */
    struct conf_where where;
};

struct conf_logging {
    const struct conf_channel
        *channels; /* default_syslog, default_debug, default_stderr, null first */
    uint32_t channel_count;
    /* Channels of each category as bits (by index), `default` filled in; channels beyond 32 are
     * refused at load. */
    uint32_t categories[LOG_CATEGORIES];
    bool names_queries; /* there is a `category queries` */
};

struct conf_control {
    bool is_unix;
    struct address address;  /* inet; port 953 where none is given, family 0 for "*" */
    const struct acl *allow; /* inet; never NULL */
    const struct conf_key *const *keys;
    uint32_t key_count;
    const char *path; /* unix */
    uint32_t mode, owner, group;
    bool read_only;
    struct conf_where where;
};

struct conf_statistics_channel {
    struct address address;  /* port 80 where none is given, family 0 for "*" */
    const struct acl *allow; /* never NULL */
    struct conf_where where;
};

struct conf_server {
    struct prefix prefix;
    /* `keys`, in the order they are tried, NULL behind the last; NULL: none. At most
     * CONF_KEYS_PER_SERVER. */
    const struct conf_key *const *keys;
    const struct conf_key *key;          /* the first of them, or NULL */
    const struct conf_setting *settings; /* conf_server_find */
    uint32_t setting_count;
    struct conf_where where;
};

/* A statement that is accepted and does nothing yet, or nothing at all. */
struct conf_unused {
    const char *name; /* "rate-limit" */
    struct conf_where where;
    bool later; /* a later version of Lockstep makes it work; else it has no meaning here */
};

struct conf {
    const struct conf_zone *zones; /* in the order written; without hint zones */
    uint32_t zone_count;
    const struct acl *const *acls; /* named ones, by name */
    uint32_t acl_count;
    const struct conf_key *const *keys; /* by name */
    uint32_t key_count;
    const struct conf_remotes *const *remotes; /* named lists, by name */
    uint32_t remotes_count;
    const struct conf_tls *const *tls; /* by name; with "ephemeral" */
    uint32_t tls_count;
    const struct conf_server *servers; /* in the order written */
    uint32_t server_count;
    const struct conf_listen *listens; /* never empty: any and any of v6 where none are given */
    uint32_t listen_count;
    const struct conf_control *controls;
    uint32_t control_count;
    bool controls_given; /* `controls { };` means none; absent: BIND's default */
    const struct conf_statistics_channel *statistics_channels;
    uint32_t statistics_channel_count;
    struct conf_logging logging;
    /* `cookie-secret`, in the order written; wiped by conf_free */
    const uint8_t *cookie_secrets[CONF_COOKIE_SECRETS];
    uint32_t cookie_secret_count;
    const struct conf_unused *unused; /* each name once, the first place */
    uint32_t unused_count;
    const char *path;           /* the file this came from */
    const char *new_zones_file; /* of zones added while the server runs; NULL: none may be */
    const char *const *files;   /* all that were read, with those included */
    uint32_t file_count;

    /* For the functions below. */
    const struct conf_setting *options[CONF_IDS]; /* set in `options`, or the default, or NULL */
    uint64_t *by_hash; /* ascending: the hash of a zone's name above, its place in `zones` below */
    struct arena arena;
    struct conf_secret *secrets;
};

enum { CONF_ERRORS_MAX = 50 }; /* errors of one load that are reported; the rest are counted */

/*
 * Reads a configuration and all it includes, checks it, and reports every mistake, not the first
 * only. Without errors *out is given (free it with conf_free); warnings and notices do not hinder.
 * ERR_FORMAT  there were errors; `err` has the first
 * ERR_IO      the file cannot be read
 * Any thread; touches no file but those it reads: the configuration with what it includes, and the
 * secrets of keys (secret-file).
 */
MUST_CHECK enum result conf_load(const char *path, conf_report *report, void *context,
                                 struct conf **out, struct error *err);
/* As conf_load, but where zones may be added those are read from the file `new_zones`. */
MUST_CHECK enum result conf_load_trial(const char *path, const char *new_zones, conf_report *report,
                                       void *context, struct conf **out, struct error *err);
/* As conf_load, from memory; `name` stands for the file. */
MUST_CHECK enum result conf_load_text(const char *name, struct slice text, bool allow_include,
                                      conf_report *report, void *context, struct conf **out,
                                      struct error *err);
/* Wipes the secrets. NULL is fine. */
void conf_free(struct conf *conf);

/* The configuration in one layout, includes in place, secrets replaced, nothing added: what
 * named-checkconf -p prints. ERR_FORMAT where its grammar is broken (meaning is not checked). */
MUST_CHECK enum result conf_print(const char *path, struct text *out, conf_report *report,
                                  void *context, struct error *err);

/*
 * The value that counts for `zone` (NULL: for the server): set in the zone, else in `options`, else
 * the default. The setting's `where` has file NULL where it is a default. NULL: not set anywhere.
 * O(settings of the zone).
 */
const struct conf_setting *conf_find(const struct conf *conf, const struct conf_zone *zone,
                                     enum conf_id id);
/* The zone itself, or `options`, says so: it is not the default. */
bool conf_is_set(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
/* For ids of their group that have a default (else the one named): */
int64_t conf_number(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
bool conf_bool(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
const char *conf_text(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
const struct acl *conf_acl(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
const struct conf_remotes *conf_remotes(const struct conf *conf, const struct conf_zone *zone,
                                        enum conf_id id);
struct address conf_address(const struct conf *conf, const struct conf_zone *zone, enum conf_id id);
/* NULL: none. */
const struct conf_update_policy *conf_update_policy(const struct conf *conf,
                                                    const struct conf_zone *zone);
/* NULL: none. */
const struct conf_checker *conf_checker(const struct conf *conf, const struct conf_zone *zone);
const struct conf_rate_limit *conf_rate_limit(const struct conf *conf);
const struct conf_padding *conf_response_padding(const struct conf *conf); /* never NULL */
/* check-names for this zone, by its type. */
enum conf_check conf_check_names(const struct conf *conf, const struct conf_zone *zone);

/* `name` is a wire name; NULL where there is no such zone. O(log zones). */
const struct conf_zone *conf_zone_find(const struct conf *conf, const uint8_t *name);
/* Two zones of one configuration are set alike in all but name and file, as far as is easily seen:
 * false may be said of values that only read the same. */
bool conf_zones_alike(const struct conf_zone *a, const struct conf_zone *b);
const struct conf_key *conf_key_find(const struct conf *conf, const uint8_t *name);
/* The most specific `server` statement for an address, or NULL. */
const struct conf_server *conf_server_find(const struct conf *conf, const struct address *address);
/* What a `server` statement sets, or NULL. */
const struct conf_setting *conf_server_setting(const struct conf_server *server, enum conf_id id);

/* What is accepted without effect, as notices. */
void conf_report_unused(const struct conf *conf, conf_report *report, void *context);

/*
 * What is legal and probably a mistake of the operator's, as notices: each with its place, a name in
 * brackets, and what to write instead. At most CONF_LINT_MAX, one for each place and name; the last
 * says where there are more. Looks at the permissions of the files that were read. What only the
 * zones' contents show is not seen here (settings/zone_lint.h).
 */
enum { CONF_LINT_MAX = 200 };
void conf_lint(const struct conf *conf, conf_report *report, void *context);

/* The word of the statement with this id: "allow-transfer". */
const char *conf_id_name(enum conf_id id);

#endif
