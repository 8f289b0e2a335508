/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE, from the worker to the reply.
 *
 *     worker   access; the message is copied and queued, at most update-quota of them
 *     lane     reads it, scans it, and goes through the ledger's door: prerequisites, permission
 *              and the delta are made under the zone's edit lock, on the version they will change
 *     ledger   the delta is on disk, with others that came meanwhile: the reply leaves
 *
 * A lane is a thread with a queue. All updates of a zone go through the same lane, so they are done
 * in the order they came (a client that sends several over one connection counts on that); a
 * large one delays those of its lane only. No answer worker waits for any of it.
 *
 * Refusals are decided before anything is allocated, and named with the rule, at a bounded rate.
 */
#include "update/update.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "accounts/replay.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "edit/update.h"
#include "hub/server.h"
#include "request/later_reply.h"
#include "request/signature.h"
#include "settings/update_access.h"
#include "update/update_forward.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "xfr/xfr_request.h"
#include "zones/zones.h"

enum {
    MAX_LANES = 4,
    ARENA_BYTES = 16 << 20, /* names expanded, a message of 64 KiB needs less */
    CHANGES_TOLD = 50,
    REPLY_SIZE = 2048, /* header, question, OPT, TSIG */
};

struct job {
    struct job *next;
    struct updates *updates;
    struct server_zone *zone;       /* a reference */
    struct zone_settings *settings; /* a reference on the whole */
    struct xfr_request request;     /* what the reply echoes */
    struct tsig tsig;               /* with a reference on its key, or without one */
    struct address peer;
    enum answer_transport transport;
    struct later_reply reply; /* what it is sent by lives until updates_stop has returned */
    struct update update;     /* in the lane's arena, while the lane works on it */
    unsigned rcode;
    uint8_t mac[HMAC_MAX_SIZE]; /* of the request, where it was signed */
    uint8_t mac_size;
    bool is_told; /* why it failed is in the log */
    size_t size;
    uint8_t message[];
};

struct lane {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, **last;
    bool stopping, running;
};

struct updates {
    struct server *server;
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    uint32_t pending; /* under lock */
    bool stopping;    /* under lock */
    unsigned lane_count;
    struct lane lanes[MAX_LANES];
};

/* ---- what is said ---- */

/* "client 192.0.2.1#5353/key k: updating zone 'example.com/IN': " */
static void begin_phrase(const struct job *job, struct text *phrase)
{
    char from[ADDRESS_TEXT_SIZE], signer[SIGNER_TEXT_SIZE];
    const uint8_t *key = job->tsig.key == NULL ? NULL : tsig_key_name(job->tsig.key);
    text_init(phrase, 4000);
    text_printf(phrase, "client %s%s: updating zone '%s': ", address_format(&job->peer, true, from),
                signer_format(key, signer), job->zone->label);
}

static void log_failure(struct job *job, enum log_level level, const char *what, const char *why)
{
    struct text phrase;
    job->is_told = true;
    begin_phrase(job, &phrase);
    text_printf(&phrase, "%s: %s (%s)", what, why, rcode_name(job->rcode));
    LOG_EVENT_LIMITED(job->zone->server->logging, level, LOG_UPDATE, "update_failed",
                      text_str(&phrase), LOG_NUM("rcode", job->rcode));
    text_deinit(&phrase);
}

static void log_change(const struct job *job, const struct record *record)
{
    struct text phrase;
    char name[NAME_TEXT_SIZE], type[16];
    name_format_log(record->owner, name);
    rrtype_format(record->type, type);
    begin_phrase(job, &phrase);
    if (record->class == CLASS_ANY && record->type == TYPE_ANY) {
        text_printf(&phrase, "delete all rrsets from name '%s'", name);
    } else if (record->class == CLASS_ANY) {
        text_printf(&phrase, "deleting rrset at '%s' %s", name, type);
    } else {
        bool adds = record->class != CLASS_NONE;
        text_printf(&phrase, "%s an RR at '%s' %s ", adds ? "adding" : "deleting", name, type);
        rdata_format(record->type, record->rdata, &phrase);
    }
    LOG_EVENT(job->zone->server->logging, LOG_INFO, LOG_UPDATE, "update_change", text_str(&phrase),
              LOG_NUM("ttl", record->ttl));
    text_deinit(&phrase);
}

static void log_changes(const struct job *job)
{
    const struct update *update = &job->update;
    for (size_t i = 0; i < update->change_count && i < CHANGES_TOLD; i++) {
        log_change(job, &update->changes[i]);
    }
    if (update->change_count > CHANGES_TOLD) {
        struct text phrase;
        begin_phrase(job, &phrase);
        text_printf(&phrase, "and %zu changes more", update->change_count - CHANGES_TOLD);
        LOG_EVENT(job->zone->server->logging, LOG_INFO, LOG_UPDATE, "update_change",
                  text_str(&phrase), LOG_NUM("changes", update->change_count));
        text_deinit(&phrase);
    }
}

/* ---- the end of one ---- */

static void send_reply(struct job *job)
{
    uint8_t buffer[REPLY_SIZE];
    size_t size = xfr_refusal_write(&job->request, job->rcode, EDE_NONE, "", buffer, sizeof(buffer),
                                    tsig_key_room(job->tsig.key));
    if (size != 0 && job->tsig.key != NULL) {
        size = tsig_sign_response(&job->tsig, buffer, size, sizeof(buffer), clock_wall_s());
    }
    later_reply_send(&job->reply, job->updates->server, slice_of(buffer, size));
}

/* Replies, and forgets the job. */
static void end_job(struct job *job)
{
    struct updates *updates = job->updates;
    struct server_counters *counters = &updates->server->counters;
    if (job->mac_size != 0) {
        replay_end(updates->server->replay, slice_of(job->mac, job->mac_size), job->rcode,
                   job->rcode == RCODE_NOERROR);
    }
    send_reply(job);
    atomic_fetch_add_explicit(job->rcode == RCODE_NOERROR ? &counters->updates_done
                                                          : &counters->updates_failed,
                              1, memory_order_relaxed);
    tsig_key_unref(job->tsig.key);
    settings_unref(job->settings->settings);
    server_zone_unref(job->zone);
    memory_free(job);
    pthread_mutex_lock(&updates->lock);
    if (--updates->pending == 0) {
        pthread_cond_broadcast(&updates->all_done);
    }
    pthread_mutex_unlock(&updates->lock);
}

/* The ledger's writer: it is durable, or it never will be. */
static void committed(void *context, enum result result, const struct error *err)
{
    struct job *job = context;
    if (result != OK) {
        job->rcode = RCODE_SERVFAIL;
        log_failure(job, LOG_ERROR, "update failed", err->text);
    }
    end_job(job);
}

/* ---- a lane's work ---- */

static bool is_permitted(const struct job *job, const struct zone_version *head, struct error *err)
{
    const struct update_policy *policy = job->settings->update_policy;
    if (policy == NULL) {
        return true; /* allow-update has said so */
    }
    struct access_subject subject = {
        .peer = &job->peer,
        .key = job->tsig.key == NULL ? NULL : tsig_key_name(job->tsig.key),
        .transport = job->transport,
    };
    struct update_client client;
    update_client_init(&client, &subject);
    return update_is_permitted(&job->update, head, policy, &client.client, err);
}

static void log_bounds(struct job *job)
{
    for (size_t i = 0; i < job->update.change_count; i++) {
        const struct update_bound *bound = &job->update.bounds[i];
        if (bound->reached) {
            struct text phrase;
            begin_phrase(job, &phrase);
            text_printf(&phrase, "attempt to add more records than permitted by policy max=%u",
                        bound->max);
            LOG_EVENT_LIMITED(job->zone->server->logging, LOG_WARNING, LOG_UPDATE, "update_bound",
                              text_str(&phrase), LOG_NUM("max", bound->max));
            text_deinit(&phrase);
        }
    }
}

static enum result make_delta(struct job *job, struct zone_version *head, struct delta **out,
                              struct error *err)
{
    job->rcode = update_check_prerequisites(&job->update, head, err);
    if (job->rcode != RCODE_NOERROR) {
        log_failure(job, LOG_INFO, "update unsuccessful", err->text);
        return ERR_DENIED;
    }
    if (!is_permitted(job, head, err)) {
        job->rcode = RCODE_REFUSED;
        log_failure(job, LOG_ERROR, "update failed: rejected by secure update", err->text);
        atomic_fetch_add_explicit(&job->updates->server->counters.updates_refused, 1,
                                  memory_order_relaxed);
        return ERR_DENIED;
    }
    job->rcode = update_make_delta(&job->update, head, job->settings->serial_method, clock_wall_s(),
                                   out, err);
    if (job->rcode != RCODE_NOERROR) {
        return ERR_FORMAT;
    }
    log_changes(job);
    if (job->update.bounds != NULL) {
        log_bounds(job);
    }
    return OK;
}

/* Under the zone's edit lock. */
static enum result make(void *context, struct zone_version *head, struct delta **out,
                        struct error *err)
{
    struct job *job = context;
    *out = NULL;
    if (job->settings->update_policy != NULL) {
        job->update.bounds =
            memory_new_zeroed(job->update.change_count, sizeof(job->update.bounds[0]));
    }
    enum result result = make_delta(job, head, out, err);
    memory_free(job->update.bounds);
    job->update.bounds = NULL;
    return result;
}

/* is_last: nothing waits behind it in its lane. */
static void run_job(struct job *job, bool is_last)
{
    struct arena arena;
    struct error err = {0};
    arena_init(&arena, ARENA_BYTES);
    job->rcode = update_parse(slice_of(job->message, job->size), &arena, &job->update, &err);
    if (job->rcode == RCODE_NOERROR) {
        job->rcode = update_prescan(&job->update, &err);
    }
    if (job->rcode != RCODE_NOERROR) {
        log_failure(job, LOG_INFO, "update failed", err.text);
        end_job(job);
        arena_deinit(&arena);
        return;
    }
    struct delta_limits limits = {.max_records = job->settings->max_records,
                                  .max_records_per_type = job->settings->max_records_per_type,
                                  .max_types_per_name = job->settings->max_types_per_name};
    struct ledger_edit_options options = {
        .limits = &limits, .source = STORE_FROM_UPDATE, .may_write = is_last};
    enum result result = ledger_edit(job->zone->history, make, job, &options, committed, job, &err);
    if (result != OK) {
        if (job->rcode == RCODE_NOERROR) { /* make was content; the ledger or the zone was not */
            job->rcode =
                result == ERR_FORMAT || result == ERR_LIMIT ? RCODE_REFUSED : RCODE_SERVFAIL;
        }
        if (!job->is_told) {
            log_failure(job, LOG_ERROR, "update failed", err.text);
        }
        end_job(job);
    }
    arena_deinit(&arena);
}

static void *lane_main(void *context)
{
    struct lane *lane = context;
    server_thread_begin("update");
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        while (lane->first == NULL && !lane->stopping) {
            pthread_cond_wait(&lane->wake, &lane->lock);
        }
        struct job *job = lane->first;
        if (job == NULL) {
            break;
        }
        lane->first = job->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        bool is_last = lane->first == NULL;
        pthread_mutex_unlock(&lane->lock);
        run_job(job, is_last);
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* ---- taking one ---- */

static void submit(struct updates *updates, struct job *job)
{
    /* By the zone's place in memory, which is its identity while somebody holds it. */
    uint64_t mixed = (uint64_t)(uintptr_t)job->zone * 0x9e3779b97f4a7c15u;
    struct lane *lane = &updates->lanes[(mixed >> 32) % updates->lane_count];
    pthread_mutex_lock(&lane->lock);
    *lane->last = job;
    lane->last = &job->next;
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}

uint32_t updates_waiting(struct updates *updates)
{
    pthread_mutex_lock(&updates->lock);
    uint32_t waiting = updates->pending;
    pthread_mutex_unlock(&updates->lock);
    return waiting;
}

static bool reserve_place(struct updates *updates, uint32_t quota)
{
    pthread_mutex_lock(&updates->lock);
    bool has_room = !updates->stopping && updates->pending < quota;
    updates->pending += has_room;
    pthread_mutex_unlock(&updates->lock);
    return has_room;
}

static int refuse(const struct request_scope *scope, const struct answer_query *query,
                  const struct request_origin *origin, const char *label, const char *what,
                  const char *rule, int rcode)
{
    char from[ADDRESS_TEXT_SIZE], signer[SIGNER_TEXT_SIZE], phrase[2000];
    atomic_fetch_add_explicit(&scope->server->counters.updates_refused, 1, memory_order_relaxed);
    snprintf(phrase, sizeof(phrase), "client %s%s: %s '%s' denied",
             address_format(&origin->peer, true, from), signer_format(query->key, signer), what,
             label);
    LOG_EVENT_LIMITED(scope->server->logging, LOG_ERROR, LOG_UPDATE_SECURITY, "update_refused",
                      phrase, LOG_KEY("rule", rule));
    return rcode;
}

/* A secondary's zone is its primary's to change: passed on where that is allowed. */
static int handle_secondary(const struct request_scope *scope, const struct answer_query *query,
                            const struct request_origin *origin, const struct tsig *tsig,
                            const struct access_subject *subject,
                            const struct zone_settings *settings, const char *label)
{
    char address[ADDRESS_TEXT_SIZE] = "unknown", why[300], rule[600];
    if (access_allowed(settings, ACCESS_FORWARD, subject, why, sizeof(why))) {
        return update_forward_handle(scope, query, origin, tsig);
    }
    if (settings->primary_count != 0) {
        address_format(&settings->primaries[0].address, true, address);
    }
    snprintf(rule, sizeof(rule), "%s; this server is a secondary: send updates to the primary %s",
             why, address);
    return refuse(scope, query, origin, label, "update forwarding", rule, RCODE_REFUSED);
}

static struct job *job_new(const struct request_scope *scope, struct server_zone *zone,
                           const struct answer_query *query, const struct request_origin *origin,
                           const struct tsig *tsig)
{
    struct job *job = memory_new(sizeof(*job) + query->message.size);
    *job = (struct job){
        .updates = scope->server->updates,
        .zone = server_zone_ref(zone),
        .settings = server_zone_settings(zone),
        .request = request_echo(query),
        .tsig = *tsig,
        .peer = origin->peer,
        .transport = query->transport,
        .reply = later_reply_begin(origin),
        .size = query->message.size,
    };
    if (tsig->key != NULL) {
        tsig_key_ref(tsig->key);
        memcpy(job->mac, tsig->mac, tsig->mac_size);
        job->mac_size = tsig->mac_size;
    }
    memcpy(job->message, query->message.data, query->message.size);
    return job;
}

/* A copy of a signed message gets the answer of the first one; while that is not known, none. */
static bool is_replay(const struct request_scope *scope, const struct answer_query *query,
                      const struct request_origin *origin, const struct tsig *tsig,
                      const char *label, int *out_rcode)
{
    unsigned rcode = 0;
    if (tsig->key == NULL) {
        return false;
    }
    enum replay_verdict verdict =
        replay_begin(scope->server->replay, slice_of(tsig->mac, tsig->mac_size),
                     (int64_t)tsig->time_s + tsig->fudge_s, scope->wall_s, &rcode);
    if (verdict == REPLAY_NEW) {
        return false;
    }
    char from[ADDRESS_TEXT_SIZE], signer[SIGNER_TEXT_SIZE], phrase[2000];
    snprintf(
        phrase, sizeof(phrase),
        "client %s%s: updating zone '%s': a copy of a message that came before: not done again",
        address_format(&origin->peer, true, from), signer_format(query->key, signer), label);
    LOG_EVENT_LIMITED(
        scope->server->logging, LOG_INFO, LOG_UPDATE, "message_replayed", phrase,
        LOG_KEY("first", verdict == REPLAY_PENDING ? "not answered yet" : "answered"));
    *out_rcode = verdict == REPLAY_DONE ? (int)rcode : UPDATE_TAKEN;
    return true;
}

int update_handle(const struct request_scope *scope, const struct answer_query *query,
                  const struct request_origin *origin, const struct tsig *tsig)
{
    struct server *server = scope->server;
    struct server_zone *zone = query->zone == NULL ? NULL : query->zone->context;
    char rule[300];
    if (zone == NULL) {
        char name[NAME_TEXT_SIZE];
        return refuse(scope, query, origin, name_format_log(query->query.qname, name), "update",
                      "not authoritative for this zone", RCODE_NOTAUTH);
    }
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    struct access_subject subject = {.peer = &origin->peer,
                                     .key = query->key,
                                     .transport = query->transport,
                                     .tls_names = query->tls_names,
                                     .local_port = origin->local.port};
    if (settings->role != ROLE_PRIMARY) {
        return handle_secondary(scope, query, origin, tsig, &subject, settings, zone->label);
    }
    if (!update_access_allowed(settings, &subject, rule, sizeof(rule))) {
        return refuse(scope, query, origin, zone->label, "update", rule, RCODE_REFUSED);
    }
    int rcode;
    if (is_replay(scope, query, origin, tsig, zone->label, &rcode)) {
        return rcode;
    }
    if (!reserve_place(server->updates, settings->settings->limits.update_quota)) {
        if (tsig->key != NULL) {
            replay_end(server->replay, slice_of(tsig->mac, tsig->mac_size), 0, false);
        }
        char from[ADDRESS_TEXT_SIZE], phrase[1400];
        snprintf(phrase, sizeof(phrase),
                 "client %s: updating zone '%s': update failed: too many DNS UPDATEs queued "
                 "(SERVFAIL)",
                 address_format(&origin->peer, true, from), zone->label);
        atomic_fetch_add_explicit(&server->counters.updates_failed, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&server->counters.updates_limited, 1, memory_order_relaxed);
        LOG_EVENT_LIMITED(server->logging, LOG_WARNING, LOG_UPDATE, "update_quota", phrase,
                          LOG_NUM("update-quota", settings->settings->limits.update_quota));
        return RCODE_SERVFAIL;
    }
    submit(server->updates, job_new(scope, zone, query, origin, tsig));
    return UPDATE_TAKEN;
}

/* ---- start and end ---- */

enum result updates_new(struct server *server, struct updates **out, struct error *err)
{
    struct updates *updates = memory_new_zeroed(1, sizeof(*updates));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = cores < 1 ? 1 : cores > MAX_LANES ? MAX_LANES : (unsigned)cores;
    updates->server = server;
    pthread_mutex_init(&updates->lock, NULL);
    pthread_cond_init(&updates->all_done, NULL);
    *out = updates;
    for (unsigned i = 0; i < wanted; i++) {
        struct lane *lane = &updates->lanes[i];
        pthread_mutex_init(&lane->lock, NULL);
        pthread_cond_init(&lane->wake, NULL);
        lane->last = &lane->first;
        updates->lane_count++;
        if (pthread_create(&lane->thread, NULL, lane_main, lane) != 0) {
            return error_set_os(err, ERR_IO, "cannot start a thread for updates");
        }
        lane->running = true;
    }
    return OK;
}

void updates_stop(struct updates *updates)
{
    if (updates == NULL) {
        return;
    }
    pthread_mutex_lock(&updates->lock);
    updates->stopping = true;
    while (updates->pending != 0) {
        pthread_cond_wait(&updates->all_done, &updates->lock);
    }
    pthread_mutex_unlock(&updates->lock);
}

void updates_free(struct updates *updates)
{
    if (updates == NULL) {
        return;
    }
    for (unsigned i = 0; i < updates->lane_count; i++) {
        struct lane *lane = &updates->lanes[i];
        pthread_mutex_lock(&lane->lock);
        lane->stopping = true;
        pthread_cond_signal(&lane->wake);
        pthread_mutex_unlock(&lane->lock);
        if (lane->running) {
            pthread_join(lane->thread, NULL);
        }
        pthread_mutex_destroy(&lane->lock);
        pthread_cond_destroy(&lane->wake);
    }
    pthread_mutex_destroy(&updates->lock);
    pthread_cond_destroy(&updates->all_done);
    memory_free(updates);
}
