/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guards before publishing.
 *
 * Every version that would become a zone's head is judged here, at the ledger's door, so no way in
 * goes round it. In this order:
 *
 *   max-names, max-zone-size       refused (the limits of records are the builder's and apply's)
 *   zonemd-check                   refused; of files and transfers
 *   max-shrink, max-growth         held; an UPDATE is refused, since its client waits for an answer
 *   checker                        held while it looks, and when it says no; of files and transfers
 *
 * The operator's own commands (rollback, adopt-serial) pass what would only hold them: whoever gives
 * them has decided. ZONEMD is not looked at where Lockstep itself makes the version (updates,
 * operator), since the record cannot fit then.
 *
 *                 suspicious                    release, checker content
 *   judge ─────────────────────────> held ─────────────────────────────────> approved ──> let in
 *     ^                                │  discard, a newer one is let in
 *     └── a newer version replaces it ─┴──> forgotten
 *
 * One version a zone is held, in memory only: after a restart the file is read again, or the zone
 * transferred again, and held again. What is approved is a content, not a serial: the same version,
 * or for a file, which is read and merged again, one that differs from the held one by no more than
 * the zone itself has changed meanwhile. A version of a transfer is committed as it was held.
 *
 * The lock is held for pointer moves only; no zone's edit lock is ever taken inside of it.
 */
#include "zones/zone_guard.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zone/zonemd.h"
#include "zones/checker.h"
#include "zones/zone_follower.h"

enum { SMALL_ZONE_RECORDS = 1000 };

struct zone_guards {
    struct server *server;
    pthread_mutex_t lock;
    uint64_t last_number;
    _Atomic bool stopping;
};

struct zone_held {
    struct zone_version *version; /* a reference */
    struct zone_version *served;  /* what it would have replaced; a reference, or NULL */
    uint64_t number;              /* tells one hold from the next */
    enum held_cause cause;
    enum store_source source;
    bool is_approved;
    int64_t since_s;
    char text[400];
};

struct zone_guards *zone_guards_new(struct server *server)
{
    struct zone_guards *guards = memory_new_zeroed(1, sizeof(*guards));
    guards->server = server;
    pthread_mutex_init(&guards->lock, NULL);
    return guards;
}

void zone_guards_stop(struct zone_guards *guards)
{
    if (guards != NULL) {
        atomic_store(&guards->stopping, true);
    }
}

void zone_guards_free(struct zone_guards *guards)
{
    if (guards != NULL) {
        pthread_mutex_destroy(&guards->lock);
        memory_free(guards);
    }
}

const char *held_cause_word(enum held_cause cause)
{
    static const char *const words[] = {[HELD_SHRINK] = "shrink",
                                        [HELD_GROWTH] = "growth",
                                        [HELD_CHECKING] = "being-checked",
                                        [HELD_VETO] = "checker"};
    return words[cause];
}

/* ---- the rules ---- */

static enum result check_limits(const struct guard_options *options,
                                const struct zone_version *version, struct error *err)
{
    uint64_t names = zone_version_owner_count(version);
    uint64_t bytes = zone_version_bytes(version);
    if (options->max_names != 0 && names > options->max_names) {
        return error_set(err, ERR_LIMIT, "it has %llu names, more than max-names (%llu) allows",
                         (unsigned long long)names, (unsigned long long)options->max_names);
    }
    if (options->max_bytes != 0 && bytes > options->max_bytes) {
        return error_set(err, ERR_LIMIT,
                         "it takes %llu octets, more than max-zone-size (%llu) allows",
                         (unsigned long long)bytes, (unsigned long long)options->max_bytes);
    }
    return OK;
}

static enum result check_zonemd(const struct guard_options *options,
                                const struct zone_version *version, struct error *err)
{
    struct error why = {0};
    if (options->zonemd == GUARD_ZONEMD_IGNORED) {
        return OK;
    }
    switch (zonemd_verify(version, &why)) {
    case ZONEMD_VERIFIED:
        return OK;
    case ZONEMD_WRONG:
        return error_set(err, ERR_FORMAT, "%s (zonemd-check)", why.text);
    case ZONEMD_UNSUPPORTED:
        if (options->zonemd == GUARD_ZONEMD_REQUIRED) {
            return error_set(err, ERR_FORMAT, "%s (zonemd-check required)", why.text);
        }
        return OK;
    case ZONEMD_ABSENT:
        if (options->zonemd == GUARD_ZONEMD_REQUIRED) {
            return error_set(err, ERR_FORMAT,
                             "it has no ZONEMD record, and zonemd-check says `required`");
        }
        return OK;
    }
    return OK;
}

/* True: the share is passed; `text` says which. */
static bool is_suspicious(const struct guard_options *options, const struct zone_version *head,
                          const struct zone_version *version, enum held_cause *cause, char *text,
                          size_t size)
{
    if (head == NULL) {
        return false;
    }
    uint64_t before = zone_version_record_count(head), after = zone_version_record_count(version);
    if (after < before && options->max_shrink_percent != UINT32_MAX &&
        (!options->spares_small || before >= SMALL_ZONE_RECORDS) &&
        (before - after) * 100 > before * options->max_shrink_percent) {
        *cause = HELD_SHRINK;
        snprintf(text, size, "it has %llu records, %llu served: %llu%% fewer, max-shrink is %u%%",
                 (unsigned long long)after, (unsigned long long)before,
                 (unsigned long long)((before - after) * 100 / before),
                 options->max_shrink_percent);
        return true;
    }
    if (after > before && options->max_growth_percent != UINT32_MAX &&
        (after - before) * 100 > before * options->max_growth_percent) {
        *cause = HELD_GROWTH;
        snprintf(text, size, "it has %llu records, %llu served: %llu%% more, max-growth is %u%%",
                 (unsigned long long)after, (unsigned long long)before,
                 (unsigned long long)((after - before) * 100 / before),
                 options->max_growth_percent);
        return true;
    }
    return false;
}

/* ---- what is held ---- */

static void held_free(struct zone_held *held)
{
    if (held != NULL) {
        zone_version_unref(held->version);
        zone_version_unref(held->served);
        memory_free(held);
    }
}

void zone_guard_forget(struct server_zone *zone)
{
    held_free(zone->held);
    zone->held = NULL;
}

/* Both SOAs are always part of a difference. */
static size_t changes_between(const struct zone_version *a, const struct zone_version *b)
{
    struct delta *delta = delta_diff(a, b);
    size_t count = delta_count(delta) - 2;
    delta_free(delta);
    return count;
}

/* The held version's content, but for what the zone itself has changed meanwhile. */
static bool is_same_content(const struct zone_held *held, const struct ledger_candidate *candidate)
{
    if (held->version == candidate->version) {
        return true;
    }
    size_t moved = held->served == NULL || candidate->head == NULL
                       ? 0
                       : changes_between(held->served, candidate->head);
    return changes_between(held->version, candidate->version) <= moved;
}

/* A copy with references of its own; NULL: nothing is held. */
static struct zone_held *held_copy(struct zone_guards *guards, struct server_zone *zone)
{
    struct zone_held *copy = NULL;
    pthread_mutex_lock(&guards->lock);
    if (zone->held != NULL) {
        copy = memory_new(sizeof(*copy));
        *copy = *zone->held;
        zone_version_ref(copy->version);
        copy->served = copy->served == NULL ? NULL : zone_version_ref(copy->served);
    }
    pthread_mutex_unlock(&guards->lock);
    return copy;
}

/* `held` may be NULL. What was held before is forgotten, where it has this number (0: any). */
static bool replace_held(struct zone_guards *guards, struct server_zone *zone, uint64_t number,
                         struct zone_held *held)
{
    pthread_mutex_lock(&guards->lock);
    struct zone_held *before = zone->held;
    bool is_it = number == 0 || (before != NULL && before->number == number);
    if (is_it) {
        zone->held = held;
        if (held != NULL) {
            held->number = ++guards->last_number;
        }
    }
    pthread_mutex_unlock(&guards->lock);
    held_free(is_it ? before : held);
    return is_it && before != NULL;
}

static void fill_report(const struct zone_held *held, struct held_report *out)
{
    *out = (struct held_report){
        .cause = held->cause,
        .source = held->source,
        .serial = zone_version_serial(held->version),
        .record_count = zone_version_record_count(held->version),
        .since_s = held->since_s,
    };
    snprintf(out->text, sizeof(out->text), "%s", held->text);
}

bool zone_guard_report(struct server_zone *zone, struct held_report *out)
{
    struct zone_guards *guards = zone->server->guards;
    pthread_mutex_lock(&guards->lock);
    bool is_held = zone->held != NULL;
    if (is_held) {
        fill_report(zone->held, out);
    }
    pthread_mutex_unlock(&guards->lock);
    return is_held;
}

bool zone_guard_holds(struct server_zone *zone)
{
    struct zone_guards *guards = zone->server->guards;
    pthread_mutex_lock(&guards->lock);
    bool holds = zone->held != NULL;
    pthread_mutex_unlock(&guards->lock);
    return holds;
}

static void log_held(struct server_zone *zone, const struct zone_held *held)
{
    char phrase[1800], action[120] = "not serving the zone";
    if (held->served != NULL) {
        snprintf(action, sizeof(action), "keeping serial %u",
                 zone_version_serial(held->served).value);
    }
    snprintf(phrase, sizeof(phrase),
             "zone %s: serial %u is held: %s; `lockstep release` lets it in, `lockstep discard` "
             "forgets it",
             zone->label, zone_version_serial(held->version).value, held->text);
    LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_GENERAL, "version_held", phrase,
              LOG_KEY("cause", held_cause_word(held->cause)), LOG_KEY("action", action));
}

/* ---- the checker ---- */

static void run_check(void *context)
{
    struct server_zone *zone = context;
    struct error err = {0};
    if (zone_guard_check(zone, &err) == OK && zone_guard_commit(zone, &err) != OK) {
        char phrase[1800];
        snprintf(phrase, sizeof(phrase), "zone %s: what the checker passed is not served: %s",
                 zone->label, err.text);
        LOG_EVENT(zone->server->logging, LOG_WARNING, LOG_GENERAL, "release_failed", phrase,
                  LOG_KEY("action", "asking the primary again at the next refresh"));
    }
    server_zone_unref(zone);
}

static void drop_check(void *context)
{
    server_zone_unref(context);
}

enum result zone_guard_check(struct server_zone *zone, struct error *err)
{
    struct zone_guards *guards = zone->server->guards;
    struct zone_held *held = held_copy(guards, zone);
    if (held == NULL || held->cause != HELD_CHECKING || held->is_approved) {
        held_free(held);
        return error_set(err, ERR_DENIED, "nothing waits for the checker");
    }
    struct zone_settings *settings = server_zone_settings(zone);
    enum result result = OK;
    if (settings->guard.checker != NULL) {
        result = checker_run(settings->guard.checker, settings->guard.checker_timeout_s,
                             held->version, held->served, &guards->stopping, err);
    }
    settings_unref(settings->settings);
    pthread_mutex_lock(&guards->lock);
    bool is_it = zone->held != NULL && zone->held->number == held->number;
    if (is_it) {
        zone->held->is_approved = result == OK;
        zone->held->cause = result == OK ? HELD_CHECKING : HELD_VETO;
        snprintf(zone->held->text, sizeof(zone->held->text), "%.390s",
                 result == OK ? "passed by the checker" : err->text);
        snprintf(held->text, sizeof(held->text), "%s", zone->held->text);
    }
    pthread_mutex_unlock(&guards->lock);
    held->cause = HELD_VETO;
    if (is_it && result != OK && result != ERR_CLOSED) {
        log_held(zone, held);
    }
    held_free(held);
    return !is_it         ? error_set(err, ERR_DENIED, "another version came meanwhile")
           : result == OK ? OK
                          : ERR_DENIED;
}

/* ---- the verdict ---- */

static bool is_foreign(enum store_source source)
{
    return source == STORE_FROM_FILE || source == STORE_FROM_TRANSFER;
}

static enum result hold(struct zone_guards *guards, struct server_zone *zone,
                        const struct ledger_candidate *candidate, enum held_cause cause,
                        const char *text, struct error *err)
{
    struct zone_held *before = held_copy(guards, zone);
    bool is_new = before == NULL || before->cause != cause || !is_same_content(before, candidate);
    held_free(before);
    error_set(err, ERR_DENIED, "held: %s", text);
    if (!is_new) {
        return ERR_DENIED; /* still the same, said before */
    }
    struct zone_held *held = memory_new_zeroed(1, sizeof(*held));
    held->version = zone_version_ref(candidate->version);
    held->served = ledger_zone_head(candidate->zone);
    held->cause = cause;
    held->source = candidate->source;
    held->since_s = clock_wall_s();
    snprintf(held->text, sizeof(held->text), "%s", text);
    if (cause != HELD_CHECKING) {
        log_held(zone, held);
    }
    (void)replace_held(guards, zone, 0, held);
    if (cause == HELD_CHECKING && candidate->source == STORE_FROM_TRANSFER) {
        loader_submit(zone->server->loader, run_check, drop_check, server_zone_ref(zone));
    }
    return ERR_DENIED;
}

/* What the operator or the checker has approved. */
static bool is_approved(struct zone_guards *guards, struct server_zone *zone,
                        const struct ledger_candidate *candidate)
{
    struct zone_held *held = held_copy(guards, zone);
    bool approved = held != NULL && held->is_approved && held->source == candidate->source &&
                    is_same_content(held, candidate);
    held_free(held);
    return approved;
}

static enum result judge(struct zone_guards *guards, struct server_zone *zone,
                         const struct guard_options *options,
                         const struct ledger_candidate *candidate, struct error *err)
{
    char text[300] = "the checker looks at it";
    enum held_cause cause = HELD_CHECKING;
    enum result result = check_limits(options, candidate->version, err);
    if (result == OK && is_foreign(candidate->source)) {
        result = check_zonemd(options, candidate->version, err);
    }
    if (result != OK || candidate->source == STORE_FROM_OPERATOR) {
        return result;
    }
    bool holds =
        is_suspicious(options, candidate->head, candidate->version, &cause, text, sizeof(text));
    if (!is_foreign(candidate->source)) {
        return holds ? error_set(err, ERR_LIMIT, "%s", text) : OK;
    }
    if ((holds || options->checker != NULL) && !is_approved(guards, zone, candidate)) {
        return hold(guards, zone, candidate, cause, text, err);
    }
    return OK;
}

enum result zone_guard_judge(void *context, const struct ledger_candidate *candidate,
                             struct error *err)
{
    struct zone_guards *guards = context;
    struct server_zone *zone = ledger_zone_context(candidate->zone);
    struct zone_settings *settings = server_zone_settings(zone);
    enum result result = judge(guards, zone, &settings->guard, candidate, err);
    settings_unref(settings->settings);
    if (result == OK && is_foreign(candidate->source)) {
        (void)replace_held(guards, zone, 0, NULL); /* it is this one, or older than this one */
    }
    return result;
}

/* ---- the operator's word ---- */

bool zone_guard_approve(struct server_zone *zone, struct held_report *out)
{
    struct zone_guards *guards = zone->server->guards;
    pthread_mutex_lock(&guards->lock);
    bool is_held = zone->held != NULL;
    if (is_held) {
        zone->held->is_approved = true;
        fill_report(zone->held, out);
    }
    pthread_mutex_unlock(&guards->lock);
    return is_held;
}

bool zone_guard_discard(struct server_zone *zone, struct held_report *out)
{
    struct zone_held *held = held_copy(zone->server->guards, zone);
    if (held == NULL) {
        return false;
    }
    fill_report(held, out);
    bool discarded = replace_held(zone->server->guards, zone, held->number, NULL);
    held_free(held);
    return discarded;
}

void zone_guard_drop(struct server_zone *zone, enum store_source source)
{
    struct zone_held *held = held_copy(zone->server->guards, zone);
    if (held != NULL && held->source == source) {
        (void)replace_held(zone->server->guards, zone, held->number, NULL);
    }
    held_free(held);
}

enum result zone_guard_commit(struct server_zone *zone, struct error *err)
{
    struct zone_held *held = held_copy(zone->server->guards, zone);
    struct zone_version *head = ledger_zone_head(zone->history);
    enum result result = OK;
    if (held == NULL || !held->is_approved || held->source != STORE_FROM_TRANSFER) {
        result = error_set(err, ERR_NOT_FOUND, "no transferred version was approved");
    } else {
        struct delta **deltas = NULL;
        struct serial serial = zone_version_serial(held->version);
        if (head != NULL && serial_before(zone_version_serial(head), serial)) {
            deltas = memory_new(sizeof(*deltas));
            deltas[0] = delta_diff(head, held->version);
        }
        result = zones_commit(zone, zone_version_ref(held->version), deltas, deltas != NULL,
                              SOURCE_TRANSFER, err);
        if (result == OK) {
            zone->server->follower->replaced(zone->server->sync, zone);
        }
    }
    zone_version_unref(head);
    held_free(held);
    return result;
}
