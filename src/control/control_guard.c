/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `release` and `discard`: the operator's word about a version that a guard holds.
 *
 * What came by a transfer is committed as it was held. What came from a file is read again, and let
 * in where it is what was held: the file's state is then known as after any reload, and what was
 * edited in it meanwhile is judged anew.
 */
#include "base/memory.h"
#include "control/control_impl.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zones/zone_guard.h"
#include "zones/zones.h"

static const char *zone_text(const struct control_job *job, char *out)
{
    return name_format_log(job->zone->zone->name, out);
}

static void fail_not_held(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    control_job_fail(job, "not-held", "nothing is held of %s", zone_text(job, name));
}

static void log_word(struct control_job *job, const char *event, const char *done,
                     const struct held_report *held)
{
    char phrase[1800];
    snprintf(phrase, sizeof(phrase), "zone %s: serial %u is %s by the operator; it was held: %s",
             job->zone->label, held->serial.value, done, held->text);
    LOG_EVENT(job->control->server->logging, LOG_NOTICE, LOG_GENERAL, event, phrase,
              LOG_KEY("cause", held_cause_word(held->cause)));
}

static void released(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if (job->failure.code != OK) {
        control_job_fail(job, "failed", "it stays held: %s", job->failure.text);
        return;
    }
    struct zone_version *version = zone_acquire(job->zone->zone);
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    if (version != NULL) {
        json_object_set_new(answer, "serial", json_integer(zone_version_serial(version).value));
        json_object_set_new(answer, "changed", json_true());
    }
    zone_version_unref(version);
    control_job_done(job, answer);
}

/* In a loader's thread. */
static void commit(void *context)
{
    struct control_job *job = context;
    (void)!zone_guard_commit(job->zone, &job->failure); /* the failure is told */
    control_job_home(job, released);
}

static void cannot_commit(void *context)
{
    struct control_job *job = context;
    error_set(&job->failure, ERR_CLOSED, "the server is ending");
    control_job_home(job, released);
}

void control_release_run(struct control_job *job)
{
    struct held_report held;
    if (!zone_guard_approve(job->zone, &held)) {
        fail_not_held(job);
        return;
    }
    log_word(job, "version_released", "released", &held);
    if (held.source == STORE_FROM_FILE) {
        control_reload_zone(job);
    } else {
        loader_submit(job->control->server->loader, commit, cannot_commit, job);
    }
}

void control_discard_run(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    struct held_report held;
    if (!zone_guard_discard(job->zone, &held)) {
        fail_not_held(job);
        return;
    }
    log_word(job, "version_discarded", "discarded", &held);
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    json_object_set_new(answer, "discarded", json_integer(held.serial.value));
    control_job_done(job, answer);
}
