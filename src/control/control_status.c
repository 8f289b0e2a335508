/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status, as JSON: the server, one zone, all zones. Names and meanings of the members are in
 * docs/control.md and stay; later versions add members.
 *
 * Times are seconds since 1970 and left out where there is none. What a zone's state is, the sync
 * thread decides for a copy (sync_report.c); for a primary it is decided here.
 *
 * The list of zones is a snapshot of references; it goes out in batches, each of which asks the
 * sync thread once, and the next is begun when the client has taken the last.
 */
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "control/control_impl.h"
#include "hub/server.h"
#include "server/query_log.h"
#include "store/store.h"
#include "wire/message.h"
#include "zones/zone_guard.h"
#include "zones/zones.h"

enum { WALK_BATCH = 128 };

static void put_time(json_t *object, const char *key, int64_t at_s)
{
    if (at_s != 0) {
        json_object_set_new(object, key, json_integer(at_s));
    }
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL) {
        json_object_set_new(object, key, control_text(text));
    }
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void put_address(json_t *object, const char *key, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];
    json_object_set_new(object, key, json_string(address_format(address, true, text)));
}

/* ---- a zone ---- */

static const char *state_word(const struct sync_report *report, bool loaded, bool file_failed,
                              bool is_held)
{
    static const char *const words[] = {
        [SYNC_STARTING] = "starting",       [SYNC_NO_COPY] = "no-copy",
        [SYNC_UNCONFIRMED] = "unconfirmed", [SYNC_IN_SYNC] = "in-sync",
        [SYNC_BEHIND] = "behind",           [SYNC_AHEAD] = "ahead",
        [SYNC_FAILING] = "failing",         [SYNC_EXPIRED] = "expired",
        [SYNC_DIVERGED] = "diverged",
    };
    if (is_held && loaded && report->state != SYNC_EXPIRED) {
        return "held";
    }
    if (report->state != SYNC_PRIMARY) {
        return words[report->state];
    }
    return !loaded ? "not-loaded" : file_failed ? "file-refused" : "serving";
}

static void put_held(json_t *object, const struct held_report *held)
{
    json_t *member = json_object();
    put_number(member, "serial", held->serial.value);
    put_text(member, "cause", held_cause_word(held->cause));
    put_text(member, "text", held->text);
    put_number(member, "records", held->record_count);
    put_text(member, "source", store_source_name(held->source));
    put_time(member, "since_s", held->since_s);
    json_object_set_new(object, "held", member);
}

/* What one line says of a zone: the list has no more than this. */
static json_t *zone_head(const struct sync_report *report, const struct zone_version *version)
{
    struct server_zone *zone = report->zone;
    char name[NAME_TEXT_SIZE], class[16];
    json_t *object = json_object();
    put_text(object, "name", name_format_log(zone->zone->name, name));
    put_text(object, "class", rrclass_format(zone->zone->class, class));
    put_text(object, "role", (zone->zone->flags & ZONE_SECONDARY) != 0 ? "secondary" : "primary");
    rcu_read_begin();
    const char *load_error = atomic_load_explicit(&zone->load_error, memory_order_acquire);
    struct held_report held;
    bool is_held = zone_guard_report(zone, &held);
    put_text(object, "state", state_word(report, version != NULL, load_error != NULL, is_held));
    bool serving = version != NULL && atomic_load(&zone->zone->state) == ZONE_SERVING;
    json_object_set_new(object, "serving", json_boolean(serving));
    if (version != NULL) {
        put_number(object, "serial", zone_version_serial(version).value);
    }
    if (load_error != NULL) {
        json_t *error = json_object();
        put_text(error, "text", load_error);
        json_object_set_new(object, "last_error", error);
    } else if (report->error != NULL) {
        json_t *error = json_object();
        put_text(error, "text", report->error);
        if (report->error_primary.family != 0) {
            put_address(error, "primary", &report->error_primary);
        }
        put_time(error, "at_s", report->error_at_s);
        json_object_set_new(object, "last_error", error);
    }
    rcu_read_end();
    if (report->state == SYNC_BEHIND && version != NULL) {
        put_number(object, "behind_serials",
                   (uint32_t)(report->wanted.value - zone_version_serial(version).value));
        put_time(object, "behind_since_s", report->wanted_since_s);
    }
    if (is_held) {
        put_held(object, &held);
    }
    put_time(object, "expires_at_s", report->expires_at_s);
    return object;
}

static json_t *refresh_object(const struct sync_report *report)
{
    static const char *const activities[] = {
        [SYNC_IDLE] = "idle",
        [SYNC_WAITING_TO_RETRY] = "waiting-to-retry",
        [SYNC_QUERYING] = "querying",
        [SYNC_TRANSFERRING] = "transferring",
    };
    json_t *object = json_object();
    put_text(object, "activity", activities[report->activity]);
    put_time(object, "last_contact_at_s", report->contacted_at_s);
    put_time(object, "next_at_s", report->next_refresh_at_s);
    put_number(object, "failed_rounds", report->failed_rounds);
    if (report->state == SYNC_BEHIND || report->state == SYNC_AHEAD) {
        put_number(object, "primary_serial", report->wanted.value);
    }
    return object;
}

static json_t *primaries_array(const struct sync_report *report)
{
    json_t *array = json_array();
    for (size_t i = 0; i < report->primary_count; i++) {
        const struct sync_primary_report *primary = &report->primaries[i];
        json_t *object = json_object();
        put_address(object, "address", &primary->address);
        put_text(object, "key", primary->key);
        put_text(object, "tls", primary->tls);
        if (primary->has_serial) {
            put_number(object, "serial", primary->serial.value);
        }
        put_time(object, "last_contact_at_s", primary->answered_at_s);
        put_number(object, "failures", primary->failures);
        put_time(object, "avoided_until_s", primary->avoided_until_s);
        if (primary->error != NULL) {
            json_t *error = json_object();
            put_text(error, "text", primary->error);
            put_time(error, "at_s", primary->failed_at_s);
            json_object_set_new(object, "last_error", error);
        }
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *target_object(const struct sync_target_report *target, const struct serial *current)
{
    static const char *const states[] = {
        [SYNC_TARGET_UNTOLD] = "not-told", [SYNC_TARGET_PENDING] = "pending",
        [SYNC_TARGET_REFUSED] = "refused", [SYNC_TARGET_TOLD] = "told",
        [SYNC_TARGET_BEHIND] = "behind",   [SYNC_TARGET_IN_SYNC] = "in-sync",
    };
    bool pending = target->state == SYNC_TARGET_PENDING || target->state == SYNC_TARGET_REFUSED;
    json_t *object = json_object();
    put_address(object, "address", &target->address);
    put_text(object, "key", target->key);
    put_text(object, "tls", target->tls);
    put_text(object, "from", target->from_ns_set ? "ns" : "also-notify");
    put_text(object, "state", states[target->state]);
    if (target->known_at_s != 0) {
        put_number(object, "serial", target->known.value);
        put_time(object, "serial_at_s", target->known_at_s);
        if (current != NULL && serial_before(target->known, *current)) {
            put_number(object, "behind_serials", (uint32_t)(current->value - target->known.value));
        }
    }
    if (target->acked_at_s != 0) {
        put_number(object, "acknowledged_serial", target->acked.value);
        put_time(object, "acknowledged_at_s", target->acked_at_s);
    }
    if (target->state != SYNC_TARGET_IN_SYNC) {
        put_time(object, "behind_since_s", target->behind_since_s);
    }
    if (pending) {
        put_number(object, "pending_serial", target->announced.value);
        put_number(object, "tries", target->tries);
        put_time(object, "next_try_at_s", target->next_try_at_s);
    }
    if (target->state == SYNC_TARGET_REFUSED) {
        put_text(object, "rcode", rcode_name(target->rcode));
    }
    return object;
}

static json_t *targets_array(const struct sync_report *report, const struct zone_version *version)
{
    json_t *array = json_array();
    struct serial current = {0};
    if (version != NULL) {
        current = zone_version_serial(version);
    }
    for (size_t i = 0; i < report->target_count; i++) {
        json_array_append_new(
            array, target_object(&report->targets[i], version == NULL ? NULL : &current));
    }
    return array;
}

static void put_fingerprint(json_t *object, struct zone *zone)
{
    struct zone_fingerprint known;
    char text[2 * FINGERPRINT_DIGEST_SIZE + 1];
    if (zone_get_fingerprint(zone, &known)) {
        for (size_t i = 0; i < FINGERPRINT_DIGEST_SIZE; i++) {
            snprintf(text + 2 * i, 3, "%02x", known.digest[i]);
        }
        put_text(object, "fingerprint", text);
    }
}

static void put_proof(json_t *object, const struct sync_report *report)
{
    if (report->proof == PROOF_IDENTICAL || report->proof == PROOF_DIVERGED) {
        json_t *proof = json_object();
        put_text(proof, "verdict", report->proof == PROOF_IDENTICAL ? "identical" : "diverged");
        put_address(proof, "primary", &report->proof_primary);
        put_time(proof, "at_s", report->proof_at_s);
        json_object_set_new(object, "proof", proof);
    }
}

static bool is_dynamic(const struct zone_settings *settings)
{
    return settings->update_policy != NULL ||
           (settings->role == ROLE_PRIMARY &&
            !acl_is_none(conf_acl(settings->settings->conf, settings->conf, CONF_ALLOW_UPDATE)));
}

static void zone_reported(struct control_job *job)
{
    struct sync_report *report = &job->report;
    struct server_zone *zone = job->zone;
    struct zone_version *version = zone_acquire(zone->zone);
    json_t *object = zone_head(report, version);
    if (version != NULL) {
        put_text(object, "source", store_source_name(atomic_load(&zone->source)));
        put_time(object, "changed_at_s", atomic_load(&zone->committed_at_s));
        put_number(object, "records", zone_version_record_count(version));
        put_number(object, "names", zone_version_owner_count(version));
        put_number(object, "memory_bytes", zone_version_bytes(version));
        json_object_set_new(object, "signed", json_boolean(zone_version_is_signed(version)));
        put_fingerprint(object, zone->zone);
    }
    struct ledger_zone_status history;
    ledger_zone_status(zone->history, &history);
    put_number(object, "history_count", history.history_count);
    put_number(object, "history_bytes", history.history_bytes);
    json_object_set_new(object, "saved", json_boolean(history.has_version && history.is_saved));
    struct zone_settings *settings = server_zone_settings(zone);
    put_text(object, "file", server_zone_file(zone, settings));
    json_object_set_new(object, "dynamic", json_boolean(is_dynamic(settings)));
    const struct conf_zone *named = conf_zone_find(settings->settings->conf, zone->zone->name);
    json_object_set_new(object, "added", json_boolean(named != NULL && named->is_added));
    settings_unref(settings->settings);
    if (report->state != SYNC_PRIMARY) {
        put_proof(object, report);
        json_object_set_new(object, "refresh", refresh_object(report));
        json_object_set_new(object, "primaries", primaries_array(report));
    }
    json_object_set_new(object, "notify", targets_array(report, version));
    json_t *answers = control_zone_answers_object(zone);
    if (answers != NULL) {
        json_object_set_new(object, "answers", answers);
    }
    zone_version_unref(version);
    control_job_done(job,
                     json_pack("{s:I, s:o}", "now_s", (json_int_t)clock_wall_s(), "zone", object));
}

/* ---- the server ---- */

struct zone_counts {
    uint64_t all, primary, secondary, not_loaded, expired, file_refused, held;
};

static bool count_zone(void *context, struct zone *zone)
{
    struct zone_counts *counts = context;
    struct server_zone *own = zone->context;
    uint8_t state = atomic_load_explicit(&zone->state, memory_order_relaxed);
    counts->all++;
    *((zone->flags & ZONE_SECONDARY) != 0 ? &counts->secondary : &counts->primary) += 1;
    counts->not_loaded += state == ZONE_EMPTY;
    counts->expired += state == ZONE_EXPIRED;
    counts->file_refused += atomic_load_explicit(&own->load_error, memory_order_relaxed) != NULL;
    counts->held += zone_guard_holds(own);
    return true;
}

static json_t *zone_counts_object(struct server *server)
{
    struct zone_counts counts = {0};
    rcu_read_begin();
    zone_set_each(atomic_load_explicit(&server->zone_set, memory_order_acquire), count_zone,
                  &counts);
    rcu_read_end();
    json_t *object = json_object();
    put_number(object, "all", counts.all);
    put_number(object, "primary", counts.primary);
    put_number(object, "secondary", counts.secondary);
    put_number(object, "not_loaded", counts.not_loaded);
    put_number(object, "expired", counts.expired);
    put_number(object, "file_refused", counts.file_refused);
    put_number(object, "held", counts.held);
    return object;
}

static json_t *counters_object(const struct server_counters *counters)
{
    json_t *object = json_object();
    put_number(object, "xdp_questions", atomic_load(&counters->xdp_questions));
    put_number(object, "xdp_lost", atomic_load(&counters->xdp_lost));
    put_number(object, "udp_send_dropped", atomic_load(&counters->udp_send_dropped));
    put_number(object, "proxy_refused", atomic_load(&counters->proxy_refused));
    put_number(object, "transfers_refused", atomic_load(&counters->transfers_refused));
    put_number(object, "notifies_refused", atomic_load(&counters->notifies_refused));
    put_number(object, "updates_refused", atomic_load(&counters->updates_refused));
    put_number(object, "updates_done", atomic_load(&counters->updates_done));
    put_number(object, "updates_failed", atomic_load(&counters->updates_failed));
    put_number(object, "copies_diverged", atomic_load(&counters->copies_diverged));
    return object;
}

static void run_server_status(struct control_job *job)
{
    struct server *server = job->control->server;
    struct settings *settings = server_settings(server);
    int64_t now_s = clock_wall_s();
    json_t *object = json_object();
    put_text(object, "version", LOCKSTEP_VERSION);
    put_number(object, "pid", (uint64_t)getpid());
    put_text(object, "hostname", settings->hostname);
    put_time(object, "started_at_s", server->started_at_s);
    put_text(object, "configuration", server->options.config_path);
    put_time(object, "configured_at_s", atomic_load(&server->configured_at_s));
    put_number(object, "reloads", settings->generation - 1);
    put_number(object, "answer_threads", server->worker_count);
    json_object_set_new(object, "zones", zone_counts_object(server));
    put_number(object, "tcp_clients", atomic_load(&server->counters.streams_open));
    put_number(object, "tcp_clients_max", settings->limits.tcp_clients);
    json_object_set_new(object, "query_log", json_boolean(query_log_is_on(server->query_log)));
    put_number(object, "queries_not_logged", query_log_lost(server->query_log));
    put_number(object, "transfers_in", atomic_load(&server->counters.transfers_in_running));
    put_number(object, "transfers_out", atomic_load(&server->counters.transfers_out_running));
    put_number(object, "transfers_out_max", settings->limits.transfers_out);
    json_object_set_new(object, "limits", control_limits_object(server, settings));
    json_object_set_new(object, "answers", control_answers_object(server));
    json_object_set_new(object, "counters", counters_object(&server->counters));
    const struct own_addresses *own = settings_own(settings);
    json_t *listens = json_array();
    for (size_t i = 0; i < own->listen_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        json_array_append_new(listens, json_string(address_format(&own->listen[i], true, text)));
    }
    for (size_t i = 0; i < own->special_count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        json_array_append_new(listens,
                              json_string(address_format(&own->special[i].address, true, text)));
    }
    json_object_set_new(object, "listening", listens);
    settings_unref(settings);
    control_job_done(job, json_pack("{s:I, s:o}", "now_s", (json_int_t)now_s, "server", object));
}

void control_status_run(struct control_job *job)
{
    if (job->zone != NULL) {
        control_job_ask_report(job, zone_reported);
    } else {
        run_server_status(job);
    }
}

/* ---- all zones ---- */

struct control_walk {
    struct server_zone **zones; /* references, from `at` on */
    size_t count, at;
    bool waiting; /* for the sync thread */
    size_t batch;
    struct sync_report reports[WALK_BATCH];
};

static bool take_zone(void *context, struct zone *zone)
{
    struct control_walk *walk = context;
    walk->zones[walk->count++] = server_zone_ref(zone->context);
    return true;
}

void control_walk_free(struct control_walk *walk)
{
    if (walk == NULL) {
        return;
    }
    for (size_t i = 0; i < walk->batch; i++) {
        sync_report_deinit(&walk->reports[i]);
    }
    while (walk->at < walk->count) {
        server_zone_unref(walk->zones[walk->at++]);
    }
    memory_free(walk->zones);
    memory_free(walk);
}

static void batch_reported(struct control_job *job);

/* In the sync thread. */
static void batch_filled(void *context)
{
    control_job_home(context, batch_reported);
}

static void want_batch(struct control_job *job)
{
    struct control_walk *walk = job->walk;
    if (walk->waiting || (job->asker != NULL && !control_job_has_room(job))) {
        return;
    }
    if (job->asker == NULL || walk->at == walk->count) {
        control_job_done(job, json_pack("{s:I, s:I}", "now_s", (json_int_t)clock_wall_s(), "zones",
                                        (json_int_t)walk->count));
        return;
    }
    size_t left = walk->count - walk->at;
    walk->batch = left < WALK_BATCH ? left : WALK_BATCH;
    for (size_t i = 0; i < walk->batch; i++) {
        walk->reports[i] = (struct sync_report){.zone = walk->zones[walk->at + i]};
    }
    walk->waiting = true;
    if (!sync_report_ask(job->control->server->sync, walk->reports, walk->batch, false,
                         batch_filled, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

static void batch_reported(struct control_job *job)
{
    struct control_walk *walk = job->walk;
    walk->waiting = false;
    for (size_t i = 0; i < walk->batch; i++) {
        struct zone_version *version = zone_acquire(walk->reports[i].zone->zone);
        control_job_part(job, json_pack("{s:o}", "zone", zone_head(&walk->reports[i], version)));
        zone_version_unref(version);
        sync_report_deinit(&walk->reports[i]);
        server_zone_unref(walk->zones[walk->at++]);
    }
    walk->batch = 0;
    want_batch(job);
}

void control_zones_run(struct control_job *job)
{
    struct server *server = job->control->server;
    struct control_walk *walk = memory_new_zeroed(1, sizeof(*walk));
    rcu_read_begin();
    struct zone_set *zones = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    walk->zones = memory_new_zeroed(zone_set_count(zones), sizeof(walk->zones[0]));
    zone_set_each(zones, take_zone, walk);
    rcu_read_end();
    job->walk = walk;
    job->more = want_batch;
    want_batch(job);
}
