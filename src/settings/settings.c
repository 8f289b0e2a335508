/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the configuration's words to what the machines take: addresses to listen on, per zone the
 * peers, limits and checks. The conf room's structs stay alive beside (address match lists are used
 * as they are), so one reference to the settings keeps everything that a reader may look at.
 */
#include "settings/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "settings/update_access.h"

enum {
    ALIKE_TRIES = 4,
    QUERY_PADDING = 128, /* RFC 8467 4.1 */
};

struct settings *settings_ref(struct settings *settings)
{
    atomic_fetch_add_explicit(&settings->references, 1, memory_order_relaxed);
    return settings;
}

void settings_unref(struct settings *settings)
{
    if (settings == NULL ||
        atomic_fetch_sub_explicit(&settings->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    while (settings->shared != NULL) {
        struct zone_settings *zone = settings->shared;
        settings->shared = zone->next;
        memory_free(zone->primaries);
        memory_free(zone->notify);
        update_policy_free(zone->update_policy);
        memory_free(zone);
    }
    memory_free(settings->zones);
    own_addresses_free(atomic_load_explicit(&settings->own, memory_order_relaxed));
    tls_table_deinit(&settings->tls);
    memory_free(settings->channels);
    rate_limit_free(settings->rates);
    explicit_bzero(&settings->cookies, sizeof(settings->cookies));
    key_table_deinit(&settings->keys);
    conf_free(settings->conf);
    memory_free(settings);
}

/* ---- where to listen ---- */

/* Reads the certificates that are shown. */
static void want_certificates(struct settings *settings)
{
    const struct conf *conf = settings->conf;
    for (uint32_t i = 0; i < conf->listen_count; i++) {
        if (conf->listens[i].tls != NULL) {
            (void)tls_table_want(&settings->tls, conf->listens[i].tls, false);
        }
    }
}

/* ---- zones ---- */

static uint32_t clamp_u32(int64_t number)
{
    return number < 0 ? 0 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* Milliseconds from seconds; no limit is 0 for the machines. */
static uint32_t ms_of(int64_t seconds)
{
    return seconds >= UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)(seconds * 1000);
}

struct tsig_key *settings_peer_key(const struct settings *settings, const struct address *peer)
{
    const struct conf_server *server = conf_server_find(settings->conf, peer);
    return server == NULL || server->key == NULL
               ? NULL
               : key_table_find(&settings->keys, server->key->wire);
}

uint16_t settings_response_padding(const struct settings *settings, const struct address *peer,
                                   struct slice tls_names)
{
    const struct conf_padding *padding = conf_response_padding(settings->conf);
    struct acl_subject subject = {.peer = peer, .transport = ACL_TLS, .tls_names = tls_names};
    own_addresses_describe(settings_own(settings), &subject);
    return acl_match(padding->clients, &subject).allowed ? (uint16_t)padding->block : 0;
}

bool settings_blackholes(const struct settings *settings, const struct address *peer,
                         enum answer_transport transport)
{
    static const enum acl_transport transports[] = {ACL_UDP, ACL_TCP, ACL_TLS};
    struct acl_subject subject = {.peer = peer, .transport = transports[transport]};
    own_addresses_describe(settings_own(settings), &subject);
    return settings->blackhole != NULL && acl_match(settings->blackhole, &subject).allowed;
}

bool settings_trusts_proxy(const struct settings *settings, const struct address *peer,
                           const struct address *local, enum answer_transport transport)
{
    static const enum acl_transport transports[] = {ACL_UDP, ACL_TCP, ACL_TLS};
    struct acl_subject subject = {.peer = peer, .transport = transports[transport]};
    own_addresses_describe(settings_own(settings), &subject);
    if (settings->allow_proxy == NULL || !acl_match(settings->allow_proxy, &subject).allowed) {
        return false;
    }
    subject.peer = local;
    return settings->allow_proxy_on == NULL ||
           acl_match(settings->allow_proxy_on, &subject).allowed;
}

/* What the `server` statement for a peer sets, or `otherwise`. */
static int64_t server_says(const struct conf_server *server, enum conf_id id, int64_t otherwise)
{
    const struct conf_setting *setting = server == NULL ? NULL : conf_server_setting(server, id);
    return setting == NULL ? otherwise : setting->number;
}

/* `several` is what the list or a `server` statement names; NULL: there is the one in remote->tsig,
 * or none. */
static void fill_keys(const struct settings *settings, struct remote *remote,
                      const struct conf_key *const *several)
{
    if (several == NULL) {
        remote->keys[0] = remote->tsig;
        remote->key_count = remote->tsig != NULL;
        return;
    }
    for (unsigned i = 0; i < CONF_KEYS_PER_SERVER && several[i] != NULL; i++) {
        remote->keys[remote->key_count++] = key_table_find(&settings->keys, several[i]->wire);
    }
}

static struct remote *copy_remotes(struct settings *settings, const struct conf_zone *zone,
                                   const struct conf_remotes *remotes, enum conf_id source4,
                                   enum conf_id source6, uint16_t default_port, size_t *out_count)
{
    const struct conf *conf = settings->conf;
    if (remotes->count == 0) {
        *out_count = 0;
        return NULL;
    }
    struct remote *copies = memory_new_zeroed(remotes->count, sizeof(copies[0]));
    size_t count = 0;
    for (uint32_t i = 0; i < remotes->count; i++) {
        const struct conf_remote *remote = &remotes->servers[i];
        const struct conf_server *server = conf_server_find(conf, &remote->address);
        struct remote *copy = &copies[count];
        if (server_says(server, CONF_BOGUS, 0) != 0) {
            continue;
        }
        count++;
        copy->address = remote->address;
        if (copy->address.port == 0) {
            copy->address.port = remote->tls != NULL
                                     ? (uint16_t)conf_number(conf, NULL, CONF_TLS_PORT)
                                     : default_port;
        }
        bool v6 = remote->address.family == 6;
        struct address own = v6 ? remotes->source_v6 : remotes->source;
        copy->source = own.family != 0 ? own : conf_address(conf, zone, v6 ? source6 : source4);
        const struct conf_key *key = remote->key != NULL ? remote->key
                                     : server != NULL    ? server->key
                                                         : NULL;
        copy->key = key == NULL ? NULL : key->name;
        copy->tsig = key == NULL ? NULL : key_table_find(&settings->keys, key->wire);
        fill_keys(settings, copy,
                  remote->key != NULL ? remote->keys
                  : server != NULL    ? server->keys
                                      : NULL);
        copy->tls = remote->tls == NULL ? NULL : tls_table_want(&settings->tls, remote->tls, true);
        copy->transfers = clamp_u32(server_says(server, CONF_TRANSFERS, 0));
        copy->no_edns = server_says(server, CONF_EDNS, 1) == 0;
        copy->tcp_keepalive = server_says(server, CONF_TCP_KEEPALIVE, 0) != 0;
        copy->no_expire = server_says(server, CONF_REQUEST_EXPIRE,
                                      conf_bool(conf, zone, CONF_REQUEST_EXPIRE)) == 0;
        copy->no_cookie =
            server_says(server, CONF_SEND_COOKIE, conf_bool(conf, NULL, CONF_SEND_COOKIE)) == 0;
        copy->tcp_only = server_says(server, CONF_TCP_ONLY, 0) != 0;
        copy->udp_size = (uint16_t)server_says(server, CONF_EDNS_UDP_SIZE,
                                               conf_number(conf, NULL, CONF_EDNS_UDP_SIZE));
        copy->padding = (uint16_t)server_says(server, CONF_PADDING, QUERY_PADDING);
    }
    *out_count = count;
    return copies;
}

static enum check_mode check_mode_of(int64_t value)
{
    return value == CONF_CHECK_FAIL   ? CHECK_FAIL
           : value == CONF_CHECK_WARN ? CHECK_WARN
                                      : CHECK_IGNORE;
}

static enum notify_mode notify_mode_of(int64_t value)
{
    return value == CONF_NOTIFY_NO         ? NOTIFY_OFF
           : value == CONF_NOTIFY_EXPLICIT ? NOTIFY_EXPLICIT
           : value == CONF_NOTIFY_YES      ? NOTIFY_ON
                                           : NOTIFY_PRIMARY_ONLY;
}

static struct check_options checks_of(const struct conf *conf, const struct conf_zone *from)
{
    bool primary = from->type == CONF_ZONE_PRIMARY;
    struct check_options check = check_options_default(primary);
    check.integrity = primary && conf_bool(conf, from, CONF_CHECK_INTEGRITY);
    check.names = check_mode_of(conf_check_names(conf, from));
    check.mx = primary ? check_mode_of(conf_number(conf, from, CONF_CHECK_MX)) : CHECK_IGNORE;
    check.spf = primary ? check_mode_of(conf_number(conf, from, CONF_CHECK_SPF)) : CHECK_IGNORE;
    check.alike =
        primary ? check_mode_of(conf_number(conf, from, CONF_CHECK_DUP_RECORDS)) : CHECK_IGNORE;
    check.mx_cname = check_mode_of(conf_number(conf, from, CONF_CHECK_MX_CNAME));
    check.srv_cname = check_mode_of(conf_number(conf, from, CONF_CHECK_SRV_CNAME));
    check.wildcard = conf_bool(conf, from, CONF_CHECK_WILDCARD) ? CHECK_WARN : CHECK_IGNORE;
    check.sibling = conf_bool(conf, from, CONF_CHECK_SIBLING) ? CHECK_WARN : CHECK_IGNORE;
    int64_t max_ttl = conf_number(conf, from, CONF_MAX_ZONE_TTL);
    check.max_ttl = max_ttl == CONF_UNLIMITED ? 0 : clamp_u32(max_ttl);
    return check;
}

static enum serial_method serial_method_of(int64_t value)
{
    return value == CONF_SERIAL_UNIXTIME ? SERIAL_UNIXTIME
           : value == CONF_SERIAL_DATE   ? SERIAL_DATE
                                         : SERIAL_INCREMENT;
}

static uint32_t percent_of(int64_t percent)
{
    return percent == CONF_UNLIMITED ? UINT32_MAX : clamp_u32(percent);
}

static struct guard_options guard_options_of(const struct conf *conf, const struct conf_zone *from)
{
    static const enum guard_zonemd zonemd[] = {[CONF_ZONEMD_NO] = GUARD_ZONEMD_IGNORED,
                                               [CONF_ZONEMD_YES] = GUARD_ZONEMD_CHECKED,
                                               [CONF_ZONEMD_REQUIRED] = GUARD_ZONEMD_REQUIRED};
    int64_t size = conf_number(conf, from, CONF_MAX_ZONE_SIZE);
    return (struct guard_options){
        .max_names = (uint64_t)conf_number(conf, from, CONF_MAX_NAMES),
        .max_bytes = size == CONF_UNLIMITED || size == CONF_DEFAULT_SIZE ? 0 : (uint64_t)size,
        .max_shrink_percent = percent_of(conf_number(conf, from, CONF_MAX_SHRINK)),
        .max_growth_percent = percent_of(conf_number(conf, from, CONF_MAX_GROWTH)),
        .spares_small = !conf_is_set(conf, from, CONF_MAX_SHRINK),
        .zonemd = zonemd[conf_number(conf, from, CONF_ZONEMD_CHECK)],
        .checker = conf_checker(conf, from),
        .checker_timeout_s = clamp_u32(conf_number(conf, from, CONF_CHECKER_TIMEOUT)),
    };
}

static void fill_zone(struct settings *settings, const struct conf_zone *from,
                      struct zone_settings *zone, uint16_t default_port)
{
    const struct conf *conf = settings->conf;
    zone->settings = settings;
    zone->conf = from;
    zone->role = from->type == CONF_ZONE_PRIMARY ? ROLE_PRIMARY : ROLE_SECONDARY;
    zone->serial_method = serial_method_of(conf_number(conf, from, CONF_SERIAL_UPDATE_METHOD));
    zone->write_back = zone->role == ROLE_PRIMARY && conf_bool(conf, from, CONF_WRITE_BACK);
    zone->auto_reload = zone->role == ROLE_PRIMARY && conf_bool(conf, from, CONF_AUTO_RELOAD);
    zone->counts_questions = conf_number(conf, from, CONF_ZONE_STATISTICS) == CONF_STATISTICS_FULL;
    zone->serial_strict = conf_number(conf, from, CONF_SERIAL_CHECK) == CONF_SERIAL_STRICT;
    zone->allow_query = conf_acl(conf, from, CONF_ALLOW_QUERY);
    if (zone->allow_query != NULL && acl_is_any(zone->allow_query)) {
        zone->allow_query = NULL;
    }
    zone->is_hidden = zone->role == ROLE_PRIMARY && conf_bool(conf, from, CONF_HIDDEN_PRIMARY);
    zone->allow_query_on = conf_acl(conf, from, CONF_ALLOW_QUERY_ON);
    if (zone->allow_query_on != NULL && acl_is_any(zone->allow_query_on)) {
        zone->allow_query_on = NULL;
    }
    settings->anybody_may_query = settings->anybody_may_query && zone->allow_query == NULL &&
                                  zone->allow_query_on == NULL && !zone->is_hidden;
    zone->primaries =
        copy_remotes(settings, from, conf_remotes(conf, from, CONF_PRIMARIES), CONF_TRANSFER_SOURCE,
                     CONF_TRANSFER_SOURCE_V6, default_port, &zone->primary_count);
    zone->notify =
        copy_remotes(settings, from, conf_remotes(conf, from, CONF_ALSO_NOTIFY), CONF_NOTIFY_SOURCE,
                     CONF_NOTIFY_SOURCE_V6, default_port, &zone->notify_count);
    zone->notify_to_soa = conf_bool(conf, from, CONF_NOTIFY_TO_SOA);
    zone->notify_delay_s = clamp_u32(conf_number(conf, from, CONF_NOTIFY_DELAY));
    zone->notify_mode = notify_mode_of(conf_number(conf, from, CONF_NOTIFY));
    zone->notify_source4 = conf_address(conf, from, CONF_NOTIFY_SOURCE);
    zone->notify_source6 = conf_address(conf, from, CONF_NOTIFY_SOURCE_V6);
    zone->style = conf_number(conf, from, CONF_MASTERFILE_STYLE) == CONF_STYLE_FULL
                      ? MASTER_FULL
                      : MASTER_RELATIVE;
    zone->provide_ixfr = conf_bool(conf, from, CONF_PROVIDE_IXFR);
    int64_t percent = conf_number(conf, from, CONF_MAX_IXFR_RATIO);
    zone->max_ixfr_percent = percent == CONF_UNLIMITED ? UINT32_MAX : clamp_u32(percent);
    int64_t journal = conf_number(conf, from, CONF_MAX_JOURNAL_SIZE);
    zone->max_journal_bytes =
        journal == CONF_UNLIMITED || journal == CONF_DEFAULT_SIZE ? 0 : (uint64_t)journal;
    zone->max_records = (uint64_t)conf_number(conf, from, CONF_MAX_RECORDS);
    zone->guard = guard_options_of(conf, from);
    zone->max_records_per_type = clamp_u32(conf_number(conf, from, CONF_MAX_RECORDS_PER_TYPE));
    zone->max_types_per_name = clamp_u32(conf_number(conf, from, CONF_MAX_TYPES_PER_NAME));
    zone->refresh = (struct refresh_options){
        .min_refresh_s = clamp_u32(conf_number(conf, from, CONF_MIN_REFRESH_TIME)),
        .max_refresh_s = clamp_u32(conf_number(conf, from, CONF_MAX_REFRESH_TIME)),
        .min_retry_s = clamp_u32(conf_number(conf, from, CONF_MIN_RETRY_TIME)),
        .max_retry_s = clamp_u32(conf_number(conf, from, CONF_MAX_RETRY_TIME)),
        .no_ixfr = !conf_bool(conf, from, CONF_REQUEST_IXFR),
        .no_tcp = !conf_bool(conf, from, CONF_TRY_TCP_REFRESH),
        .bears_behind = conf_bool(conf, from, CONF_MULTI_PRIMARY),
    };
    zone->transfer_limits = (struct xfr_in_limits){
        .max_records = zone->max_records,
        .max_bytes = zone->guard.max_bytes,
        .max_records_per_type = zone->max_records_per_type,
        .max_types_per_name = zone->max_types_per_name,
        .idle_ms = ms_of(conf_number(conf, from, CONF_MAX_TRANSFER_IDLE_IN)),
        .total_ms = ms_of(conf_number(conf, from, CONF_MAX_TRANSFER_TIME_IN)),
    };
    zone->idle_out_ms = ms_of(conf_number(conf, from, CONF_MAX_TRANSFER_IDLE_OUT));
    zone->total_out_ms = ms_of(conf_number(conf, from, CONF_MAX_TRANSFER_TIME_OUT));
    zone->check = checks_of(conf, from);
}

/* Those of a zone: the same as those of a zone before it, where they are set alike. A configuration
 * with many zones has few kinds of them, often one behind the other or in turn. */
static struct zone_settings *share_or_fill(struct settings *settings, const struct conf_zone *from,
                                           uint16_t default_port)
{
    struct zone_settings *zone = settings->shared;
    for (unsigned i = 0; i < ALIKE_TRIES && zone != NULL; i++, zone = zone->next) {
        if (conf_zones_alike(zone->conf, from)) {
            return zone;
        }
    }
    zone = memory_new_zeroed(1, sizeof(*zone));
    fill_zone(settings, from, zone, default_port);
    zone->update_policy = update_policy_new(
        settings->conf, from,
        settings->session_key == NULL ? NULL : tsig_key_name(settings->session_key));
    zone->next = settings->shared;
    settings->shared = zone;
    return zone;
}

const char *settings_zone_file(const struct settings *settings, const uint8_t *name, uint32_t place)
{
    const struct conf *conf = settings->conf;
    if (place < conf->zone_count && name_equal(conf->zones[place].wire, name)) {
        return conf->zones[place].file;
    }
    const struct conf_zone *found = conf_zone_find(conf, name);
    return found == NULL ? NULL : found->file;
}

static enum answer_extras extras_of(int64_t minimal)
{
    return minimal == CONF_MINIMAL_NO        ? ANSWER_FULL
           : minimal == CONF_MINIMAL_NO_AUTH ? ANSWER_ADDITIONAL
                                             : ANSWER_MINIMAL;
}

static void fill_answer(struct settings *settings)
{
    const struct conf *conf = settings->conf;
    const struct conf_setting *version = conf_find(conf, NULL, CONF_VERSION);
    const struct conf_setting *server_id = conf_find(conf, NULL, CONF_SERVER_ID);
    const struct conf_setting *hostname = conf_find(conf, NULL, CONF_HOSTNAME);
    if (gethostname(settings->hostname, sizeof(settings->hostname) - 1) != 0) {
        settings->hostname[0] = '\0';
    }
    settings->answer = (struct answer_options){
        .udp_size = (uint16_t)conf_number(conf, NULL, CONF_MAX_UDP_SIZE),
        .extras = extras_of(conf_number(conf, NULL, CONF_MINIMAL_RESPONSES)),
        .minimal_any = conf_bool(conf, NULL, CONF_MINIMAL_ANY),
        .version =
            version == NULL ? "Lockstep " LOCKSTEP_VERSION : conf_text(conf, NULL, CONF_VERSION),
        .hostname = hostname == NULL ? settings->hostname : conf_text(conf, NULL, CONF_HOSTNAME),
        .server_id = server_id == NULL ? NULL
                     : server_id->special == CONF_SPECIAL_HOSTNAME
                         ? settings->hostname
                         : conf_text(conf, NULL, CONF_SERVER_ID),
        .tcp_keepalive = (uint16_t)(settings->limits.tcp_advertised_ms / 100),
        .says_why = true,
        .says_zoneversion = true,
    };
    if (limits_read_cookies(conf, &settings->cookies)) {
        settings->answer.cookies = &settings->cookies;
    }
    if (settings->answer.server_id != NULL) {
        settings->answer.nsid = slice_str(settings->answer.server_id);
        if (settings->answer.nsid.size > 128) {
            settings->answer.nsid.size = 128;
        }
    }
}

enum result settings_new(const struct settings_input *input, struct settings **out,
                         struct error *err)
{
    struct conf *conf = input->conf;
    struct tsig_key *session_key = input->session_key;
    struct settings *settings = memory_new_zeroed(1, sizeof(*settings));
    atomic_init(&settings->references, 1);
    settings->conf = conf;
    settings->session_key = session_key;
    key_table_init(&settings->keys, conf, session_key);
    tls_table_init(&settings->tls, conf, input->old == NULL ? NULL : &input->old->tls,
                   input->report, input->report_context);
    uint16_t port = conf_is_set(conf, NULL, CONF_PORT)
                        ? (uint16_t)conf_number(conf, NULL, CONF_PORT)
                        : input->default_port;
    settings->default_port = port;
    settings->interface_interval_s = clamp_u32(conf_number(conf, NULL, CONF_INTERFACE_INTERVAL));
    const struct conf_setting *querylog = conf_find(conf, NULL, CONF_QUERYLOG);
    settings->logs_queries = querylog != NULL ? querylog->number != 0 : conf->logging.names_queries;
    settings->ipv4 = input->ipv4;
    settings->ipv6 = input->ipv6;
    want_certificates(settings);
    struct own_addresses *own = NULL;
    enum result result = own_addresses_new(conf, port, input->ipv4, input->ipv6, &own, err);
    atomic_init(&settings->own, own);
    if (result != OK) {
        settings_unref(settings);
        return result;
    }
    settings->directory = conf_text(conf, NULL, CONF_DIRECTORY);
    settings->pid_file = conf_text(conf, NULL, CONF_PID_FILE);
    settings->store_directory = conf_text(conf, NULL, CONF_STORE_DIRECTORY);
    int64_t forget_after_s = conf_number(conf, NULL, CONF_FORGET_ZONES_AFTER);
    settings->forget_after_s =
        forget_after_s == CONF_UNLIMITED ? UINT64_MAX : (uint64_t)forget_after_s;
    limits_read(conf, &settings->limits);
    settings->blackhole = conf_acl(conf, NULL, CONF_BLACKHOLE);
    if (settings->blackhole != NULL && acl_is_none(settings->blackhole)) {
        settings->blackhole = NULL;
    }
    settings->allow_proxy = conf_acl(conf, NULL, CONF_ALLOW_PROXY);
    settings->allow_proxy_on = conf_acl(conf, NULL, CONF_ALLOW_PROXY_ON);
    if (conf_rate_limit(conf) != NULL) {
        settings->rates = rate_limit_new(conf_rate_limit(conf));
    }
    settings->notify_rate = clamp_u32(conf_number(conf, NULL, CONF_NOTIFY_RATE));
    settings->startup_notify_rate = clamp_u32(conf_number(conf, NULL, CONF_STARTUP_NOTIFY_RATE));
    settings->serial_query_rate = clamp_u32(conf_number(conf, NULL, CONF_SERIAL_QUERY_RATE));
    fill_answer(settings);
    settings->zones = memory_new_zeroed(conf->zone_count, sizeof(settings->zones[0]));
    settings->zone_count = conf->zone_count;
    settings->anybody_may_query = true;
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        settings->zones[i] = share_or_fill(settings, &conf->zones[i], port);
    }
    tls_table_seal(&settings->tls);
    if (settings->tls.failure.code != OK) {
        *err = settings->tls.failure;
        settings_unref(settings);
        return err->code;
    }
    *out = settings;
    return OK;
}

/* ---- logging ---- */

void settings_logging(struct settings *settings, bool to_stderr, unsigned debug_level,
                      struct logging_options *out)
{
    static const struct log_channel on_stderr = {
        .sink = LOG_SINK_STDERR, .level = LOG_INFO, .print_time = true};
    *out = (struct logging_options){0};
    if (to_stderr) {
        settings->channels = memory_resize(settings->channels, sizeof(settings->channels[0]));
        settings->channels[0] = on_stderr;
        settings->channels[0].level = debug_level > 0 ? LOG_DEBUG : LOG_INFO;
        out->channels = settings->channels;
        out->channel_count = 1;
        for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
            out->category_channels[i] = 1;
        }
        return;
    }
    const struct conf_logging *logging = &settings->conf->logging;
    settings->channels = memory_resize(settings->channels, (logging->channel_count + 1) *
                                                               sizeof(settings->channels[0]));
    for (uint32_t i = 0; i < logging->channel_count; i++) {
        static const enum log_sink sinks[] = {LOG_SINK_STDERR, LOG_SINK_FILE, LOG_SINK_SYSLOG,
                                              LOG_SINK_NULL};
        static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_KEYVALUE,
                                                  LOG_FORMAT_JSON};
        const struct conf_channel *from = &logging->channels[i];
        settings->channels[i] = (struct log_channel){
            .sink = sinks[from->sink],
            .format = formats[from->format],
            .level = from->dynamic ? (debug_level > 0 ? LOG_DEBUG : LOG_INFO) : from->level,
            .print_time = from->print_time != CONF_TIME_NO,
            .print_severity = from->print_severity,
            .print_category = from->print_category,
            .path = from->path,
            .versions = from->versions == UINT32_MAX ? 99 : from->versions,
            .max_size_bytes = from->max_size_bytes,
            .facility = from->facility,
        };
    }
    out->channels = settings->channels;
    out->channel_count = logging->channel_count;
    for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
        out->category_channels[i] = logging->categories[i];
    }
}

bool settings_look_again(struct settings *settings, struct error *err)
{
    struct own_addresses *old = atomic_load_explicit(&settings->own, memory_order_relaxed);
    struct own_addresses *fresh;
    if (own_addresses_new(settings->conf, settings->default_port, settings->ipv4, settings->ipv6,
                          &fresh, err) != OK) {
        return false;
    }
    if (own_addresses_equal(old, fresh)) {
        own_addresses_free(fresh);
        return false;
    }
    fresh->older = old;
    atomic_store_explicit(&settings->own, fresh, memory_order_release);
    return true;
}
