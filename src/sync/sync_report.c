/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status, taken where it lives. The machines belong to the sync thread, so whoever wants to know
 * posts a question and gets copies; a question about many zones comes in small batches, so that no
 * NOTIFY waits for a list.
 *
 * The order in which a copy's state is decided is the order of what an operator must hear first:
 * that nothing is served, then that the copy is known to be old, then that nobody can be asked.
 */
#include "sync/sync_report.h"

#include "base/memory.h"
#include "sync/sync_impl.h"
#include "sync/sync_proof.h"

struct inquiry {
    struct sync_report *reports;
    size_t count;
    bool detail;
    void (*done)(void *context);
    void *context;
    struct instant now;
    int64_t wall_s;
};

static int64_t wall_of(const struct inquiry *inquiry, struct instant at)
{
    if (at.ns == INSTANT_NEVER.ns) {
        return 0;
    }
    int64_t ns = at.ns - inquiry->now.ns;
    return inquiry->wall_s +
           (ns < 0 ? -((-ns + 500000000) / 1000000000) : (ns + 500000000) / 1000000000);
}

static char *copy_text(const char *text)
{
    return text[0] == '\0' ? NULL : memory_strdup(text);
}

/* ---- the copy ---- */

static enum sync_state state_of(const struct refresh_status *status, enum proof_state proof)
{
    return !status->has_copy         ? SYNC_NO_COPY
           : status->expired         ? SYNC_EXPIRED
           : status->wants_newer     ? SYNC_BEHIND
           : status->behind          ? SYNC_AHEAD
           : proof == PROOF_DIVERGED ? SYNC_DIVERGED
           : status->failed_rounds   ? SYNC_FAILING
           : !status->confirmed      ? SYNC_UNCONFIRMED
                                     : SYNC_IN_SYNC;
}

static enum sync_activity activity_of(enum refresh_state state)
{
    static const enum sync_activity activities[] = {
        [REFRESH_IDLE] = SYNC_IDLE,
        [REFRESH_BACKING_OFF] = SYNC_WAITING_TO_RETRY,
        [REFRESH_QUERYING] = SYNC_QUERYING,
        [REFRESH_TRANSFERRING] = SYNC_TRANSFERRING,
    };
    return activities[state];
}

/* When a primary was last in contact. Before the first time since the start the copy's own expiry
 * tells: it counts from there. */
static int64_t contact_of(const struct inquiry *inquiry, struct server_zone *zone,
                          const struct refresh_status *status)
{
    if (status->confirmed) {
        return wall_of(inquiry, status->contacted_at);
    }
    struct zone_version *version = zone_acquire(zone->zone);
    int64_t at_s = 0;
    if (version != NULL && status->expires_at.ns != INSTANT_NEVER.ns) {
        at_s = wall_of(inquiry, status->expires_at) - (int64_t)zone_version_soa(version).expire_s;
    }
    zone_version_unref(version);
    return at_s;
}

static const char *tls_name(const struct remote *remote)
{
    return remote->tls == NULL ? NULL : tls_context_name(remote->tls);
}

static void fill_primaries(const struct inquiry *inquiry, const struct zone_settings *settings,
                           const struct refresh *refresh, struct sync_report *report)
{
    report->primaries = memory_new_zeroed(settings->primary_count, sizeof(report->primaries[0]));
    report->primary_count = settings->primary_count;
    for (uint32_t i = 0; i < settings->primary_count; i++) {
        struct refresh_primary_status status = refresh_primary_status(refresh, i);
        report->primaries[i] = (struct sync_primary_report){
            .address = settings->primaries[i].address,
            .key = settings->primaries[i].key,
            .tls = tls_name(&settings->primaries[i]),
            .has_serial = status.has_serial,
            .serial = status.serial,
            .answered_at_s = status.has_serial ? wall_of(inquiry, status.answered_at) : 0,
            .failed_at_s = status.last_error[0] != '\0' ? wall_of(inquiry, status.failed_at) : 0,
            .failures = status.failures,
            .avoided_until_s = instant_before(inquiry->now, status.avoid_until)
                                   ? wall_of(inquiry, status.avoid_until)
                                   : 0,
            .error = copy_text(status.last_error),
        };
    }
}

static void fill_copy(const struct inquiry *inquiry, const struct zone_settings *settings,
                      struct sync_report *report)
{
    struct server_zone *zone = report->zone;
    const struct refresh *refresh = zone->sync->refresh;
    struct refresh_status status = refresh_status(refresh);
    report->proof = sync_proof_state(zone);
    if (report->proof == PROOF_IDENTICAL || report->proof == PROOF_DIVERGED) {
        report->proof_primary = settings->primaries[zone->sync->proof->primary].address;
        report->proof_at_s = zone->sync->proof->compared_at_s;
    }
    report->state = state_of(&status, report->proof);
    report->activity = activity_of(status.state);
    report->wants_newer = status.wants_newer;
    report->wanted = status.wants_newer ? status.wanted_serial : status.behind_serial;
    report->wanted_since_s = status.wants_newer ? wall_of(inquiry, status.wanted_since) : 0;
    report->contacted_at_s = contact_of(inquiry, zone, &status);
    report->expires_at_s = status.has_copy ? wall_of(inquiry, status.expires_at) : 0;
    report->next_refresh_at_s = wall_of(inquiry, status.next_at);
    report->failed_rounds = status.failed_rounds;
    report->error = copy_text(status.last_error);
    /* A reload may have changed the list a moment ago; the machine gets its message next. */
    bool same_list = sync_primaries_mark(settings) == zone->sync->primaries_mark;
    if (report->error != NULL && same_list) {
        report->error_primary = settings->primaries[status.last_error_primary].address;
        report->error_at_s =
            wall_of(inquiry, refresh_primary_status(refresh, status.last_error_primary).failed_at);
    }
    if (inquiry->detail && same_list) {
        fill_primaries(inquiry, settings, refresh, report);
    }
}

/* ---- who is notified ---- */

static enum sync_target_state target_state(const struct notify_target *target,
                                           const struct serial *current)
{
    const struct notify_out *machine = &target->machine;
    bool shows_current =
        target->known_at_s != 0 && current != NULL && !serial_before(target->known, *current);
    if (shows_current) {
        return SYNC_TARGET_IN_SYNC;
    }
    if (notify_out_is_pending(machine)) {
        return machine->answered ? SYNC_TARGET_REFUSED : SYNC_TARGET_PENDING;
    }
    if (target->known_at_s != 0) {
        return SYNC_TARGET_BEHIND;
    }
    return target->acked_at_s != 0 ? SYNC_TARGET_TOLD : SYNC_TARGET_UNTOLD;
}

static const struct remote *target_remote(const struct zone_settings *settings,
                                          const struct notify_target *target)
{
    for (size_t i = 0; i < settings->notify_count && !target->from_ns_set; i++) {
        if (address_equal(&settings->notify[i].address, &target->address)) {
            return &settings->notify[i];
        }
    }
    return NULL;
}

static void fill_targets(const struct inquiry *inquiry, const struct zone_settings *settings,
                         struct sync_report *report)
{
    const struct sync_zone *state = report->zone->sync;
    struct zone_version *version = zone_acquire(report->zone->zone);
    struct serial current = {0};
    if (version != NULL) {
        current = zone_version_serial(version);
    }
    report->target_count = state == NULL ? 0 : state->target_count;
    report->targets = memory_new_zeroed(report->target_count, sizeof(report->targets[0]));
    for (size_t i = 0; i < report->target_count; i++) {
        const struct notify_target *target = state->targets[i];
        bool pending = notify_out_is_pending(&target->machine);
        const struct remote *remote = target_remote(settings, target);
        report->targets[i] = (struct sync_target_report){
            .address = target->address,
            .key = remote == NULL ? NULL : remote->key,
            .tls = remote == NULL ? NULL : tls_name(remote),
            .from_ns_set = target->from_ns_set,
            .state = target_state(target, version == NULL ? NULL : &current),
            .has_announced = pending || target->acked_at_s != 0,
            .announced = target->machine.serial,
            .acked = target->acked,
            .known = target->known,
            .acked_at_s = target->acked_at_s,
            .known_at_s = target->known_at_s,
            .behind_since_s = target->behind_since_s,
            .next_try_at_s = pending ? wall_of(inquiry, notify_out_deadline(&target->machine)) : 0,
            .tries = pending ? target->machine.tries : 0,
            .rcode = target->machine.last_rcode,
        };
    }
    zone_version_unref(version);
}

/* ---- the question ---- */

static void fill(const struct inquiry *inquiry, struct sync_report *report)
{
    struct zone_settings *settings = server_zone_settings(report->zone);
    report->state = settings->role == ROLE_PRIMARY ? SYNC_PRIMARY : SYNC_STARTING;
    if (sync_zone_refresh(report->zone) != NULL && settings->role == ROLE_SECONDARY) {
        fill_copy(inquiry, settings, report);
    }
    if (inquiry->detail) {
        fill_targets(inquiry, settings, report);
        report->settings = settings->settings;
    } else {
        settings_unref(settings->settings);
    }
}

static void run_inquiry(void *context)
{
    struct inquiry *inquiry = context;
    inquiry->now = clock_now();
    inquiry->wall_s = clock_wall_s();
    for (size_t i = 0; i < inquiry->count; i++) {
        fill(inquiry, &inquiry->reports[i]);
    }
    inquiry->done(inquiry->context);
    memory_free(inquiry);
}

bool sync_report_ask(struct sync *sync, struct sync_report *reports, size_t count, bool detail,
                     void (*done)(void *context), void *context)
{
    struct inquiry *inquiry = memory_new(sizeof(*inquiry));
    *inquiry = (struct inquiry){
        .reports = reports, .count = count, .detail = detail, .done = done, .context = context};
    if (!loop_post(sync->loop, run_inquiry, inquiry)) {
        memory_free(inquiry);
        return false;
    }
    return true;
}

void sync_report_deinit(struct sync_report *report)
{
    for (size_t i = 0; i < report->primary_count; i++) {
        memory_free(report->primaries[i].error);
    }
    memory_free(report->primaries);
    memory_free(report->targets);
    memory_free(report->error);
    settings_unref(report->settings);
    *report = (struct sync_report){.zone = report->zone};
}
