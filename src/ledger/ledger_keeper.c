/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper: what the disk needs but nobody waits for.
 *
 *     checkpoint   the journal's commits go into the database when they weigh enough, or after a
 *                  while of quiet
 *     restart      a large new beginning of a zone's history; the one job somebody waits for
 *     renew        a new image of a zone whose deltas outgrew the old one or the bound of its history; that stays
 *     fingerprint  of a zone too large to walk on the way of a commit
 *     forget       the history of a zone that is not in the ledger goes (ledger_absent.c)
 *
 * One job at a time, in order. A restart that fails because of the disk is tried again for a zone
 * that is served already (a secondary's); on a primary it fails the commit.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ledger/ledger_impl.h"

void ledger_ask_keeper(struct ledger *ledger, enum keeper_job_kind kind, struct ledger_zone *zone,
                       struct commit *commit)
{
    struct keeper_job *job = memory_new_zeroed(1, sizeof(*job));
    job->kind = kind;
    job->zone = ledger_zone_ref(zone);
    job->commit = commit;
    ledger_give_keeper(ledger, job);
}

void ledger_give_keeper(struct ledger *ledger, struct keeper_job *job)
{
    pthread_mutex_lock(&ledger->lock);
    if (ledger->last_job == NULL) {
        ledger->first_job = job;
    } else {
        ledger->last_job->next = job;
    }
    ledger->last_job = job;
    ledger->restarts_running += job->commit != NULL;
    pthread_cond_signal(&ledger->keeper_wakes);
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_requeue(struct ledger *ledger, struct commit_queue *commits)
{
    if (commits->first == NULL) {
        return;
    }
    pthread_mutex_lock(&ledger->lock);
    commits->last->next = ledger->queue.first;
    ledger->queue.first = commits->first;
    if (ledger->queue.last == NULL) {
        ledger->queue.last = commits->last;
    }
    ledger->is_awaited = true;
    pthread_cond_signal(&ledger->writer_wakes);
    pthread_mutex_unlock(&ledger->lock);
}

static enum result add_record(void *context, const struct record *record, struct error *err)
{
    return store_image_add(context, record, err);
}

static enum result write_image(struct ledger *ledger, struct ledger_zone *zone,
                               struct zone_version *version, struct store_entry *entry,
                               bool restarts, struct error *err)
{
    struct store_image *image;
    struct fingerprint *lanes = NULL;
    enum result result =
        store_image_begin(ledger->store, zone->stored, entry, restarts, &image, err);
    if (result != OK) {
        return result;
    }
    result = ledger_each_record(version, add_record, image, err);
    if (result != OK) {
        store_image_abort(image);
        return result;
    }
    ledger_zone_lock(zone);
    if (zone->fingerprint_state == FINGERPRINT_READY &&
        serial_equal(ledger_rare(zone)->fingerprint_serial, entry->to) &&
        zone_version_record_count(version) >= LANES_WORTH_STORING) {
        lanes = memory_new(sizeof(*lanes));
        *lanes = *ledger_rare(zone)->lanes;
        entry->has_digest = true;
    }
    ledger_zone_unlock(zone);
    if (lanes != NULL) {
        fingerprint_digest(lanes, entry->digest);
    }
    result = store_image_commit(image, lanes, err);
    memory_free(lanes);
    return result;
}

static struct store_entry entry_of(const struct ledger *ledger, const struct zone_version *version,
                                   enum store_source source)
{
    return (struct store_entry){
        .from = zone_version_serial(version),
        .to = zone_version_serial(version),
        .source = source,
        .time_s = ledger_wall_s(ledger),
        .record_count = zone_version_record_count(version),
    };
}

/* The parked commits go back to the writer. */
static void end_restart(struct ledger *ledger, struct ledger_zone *zone)
{
    ledger_zone_lock(zone);
    struct commit_queue parked = ledger_rare(zone)->parked;
    if (parked.first != NULL) {
        ledger_zone_own(zone)->parked = (struct commit_queue){0};
    }
    zone->image_running = false;
    ledger_zone_unlock(zone);
    ledger_requeue(ledger, &parked);
}

static void restart(struct ledger *ledger, struct keeper_job *job)
{
    struct ledger_zone *zone = job->zone;
    struct commit *commit = job->commit;
    struct error err = {0};
    struct store_entry entry = entry_of(ledger, commit->version, commit->source);
    enum result result = write_image(ledger, zone, commit->version, &entry, true, &err);
    ledger_note_store(ledger, DISK_DATABASE, result, &err);
    struct serial to = commit->to;
    if (result == OK) {
        ledger_zone_settle(zone, commit->version, entry.step);
        ledger_zone_lock(zone);
        bool publishes = !commit->is_published && !zone->is_removed;
        bool was_unsaved = zone->is_unsaved;
        zone->is_unsaved = false;
        ledger_zone_unlock(zone);
        if (was_unsaved) {
            ledger_tell(ledger,
                        &(struct ledger_event){.kind = LEDGER_SAVED, .zone = zone, .to = to});
        }
        if (publishes) {
            zone_publish(zone->zone, zone_version_ref(commit->version));
        }
        ledger_show_fingerprint(zone);
        if (publishes) {
            ledger_tell(ledger, &(struct ledger_event){.kind = LEDGER_PUBLISHED,
                                                       .zone = zone,
                                                       .version = commit->version,
                                                       .from = commit->from,
                                                       .to = to,
                                                       .source = commit->source,
                                                       .is_first = commit->is_first,
                                                       .commit_count = 1});
        }
    } else if (commit->is_published) {
        ledger_zone_lock(zone);
        zone->is_unsaved = true;
        zone->restarts_next = true;
        ledger_zone_unlock(zone);
        ledger_tell(ledger, &(struct ledger_event){
                                .kind = LEDGER_NOT_SAVED, .zone = zone, .to = to, .err = &err});
        ledger_ask_keeper(ledger, KEEPER_RESTART, zone, NULL);
    } else {
        ledger_zone_lock(zone);
        zone->restarts_next = zone->restarts_next || commit->mends;
        ledger_zone_unlock(zone);
        ledger_zone_roll_back(zone);
    }
    job->commit = NULL;
    commit_end(commit, result, &err);
    end_restart(ledger, zone);
    pthread_mutex_lock(&ledger->lock);
    ledger->restarts_running--;
    pthread_cond_signal(&ledger->writer_wakes);
    pthread_mutex_unlock(&ledger->lock);
}

/* What is served but not on disk, again. False: not yet. */
static bool retry(struct ledger *ledger, struct keeper_job *job)
{
    struct ledger_zone *zone = job->zone;
    struct error err = {0};
    pthread_mutex_lock(&ledger->lock);
    bool stops = ledger->stops;
    pthread_mutex_unlock(&ledger->lock);
    ledger_zone_lock(zone);
    bool is_due = zone->is_unsaved && !zone->is_removed && !zone->image_running &&
                  zone->pending_count == 0 && zone->head != NULL && !stops;
    bool is_over = !zone->is_unsaved || zone->is_removed;
    struct zone_version *version = is_due ? zone_version_ref(zone->head) : NULL;
    zone->image_running = zone->image_running || is_due;
    ledger_zone_unlock(zone);
    if (!is_due) {
        return is_over;
    }
    /* The writer stays until what is parked meanwhile has come back to it. */
    pthread_mutex_lock(&ledger->lock);
    ledger->restarts_running++;
    pthread_mutex_unlock(&ledger->lock);
    struct store_entry entry = entry_of(ledger, version, STORE_FROM_TRANSFER);
    enum result result = write_image(ledger, zone, version, &entry, true, &err);
    ledger_note_store(ledger, DISK_DATABASE, result, &err);
    if (result == OK) {
        ledger_zone_settle(zone, version, entry.step);
        ledger_zone_lock(zone);
        zone->is_unsaved = false;
        zone->restarts_next = false;
        ledger_zone_unlock(zone);
        ledger_tell(ledger,
                    &(struct ledger_event){.kind = LEDGER_SAVED, .zone = zone, .to = entry.to});
        ledger_show_fingerprint(zone);
    }
    zone_version_unref(version);
    end_restart(ledger, zone);
    pthread_mutex_lock(&ledger->lock);
    ledger->restarts_running--;
    pthread_cond_signal(&ledger->writer_wakes);
    pthread_mutex_unlock(&ledger->lock);
    return result == OK;
}

static void renew(struct ledger *ledger, struct ledger_zone *zone)
{
    struct error err = {0};
    ledger_zone_lock(zone);
    zone->image_wanted = false;
    bool is_sound = zone->durable != NULL && !zone->is_removed && !zone->restarts_next &&
                    !zone->image_running && zone->durable_step != 0;
    struct zone_version *version = is_sound ? zone_version_ref(zone->durable) : NULL;
    uint64_t step = zone->durable_step;
    ledger_zone_unlock(zone);
    if (version == NULL) {
        return;
    }
    struct store_entry entry = entry_of(ledger, version, STORE_FROM_UPDATE);
    struct store_status status;
    if (store_zone_status(ledger->store, zone->stored, &status, NULL) == OK) {
        entry.source = status.image.source;
    }
    entry.step = step;
    enum result result = write_image(ledger, zone, version, &entry, false, &err);
    ledger_note_store(ledger, DISK_DATABASE, result, &err);
    zone_version_unref(version);
}

/* False: to be tried again later. */
static bool run(struct ledger *ledger, struct keeper_job *job)
{
    switch (job->kind) {
    case KEEPER_RESTART:
        if (job->commit == NULL) {
            return retry(ledger, job);
        }
        restart(ledger, job);
        return true;
    case KEEPER_RENEW:
        renew(ledger, job->zone);
        return true;
    case KEEPER_FINGERPRINT:
        ledger_compute_fingerprint(job->zone);
        return true;
    case KEEPER_FORGET:
        ledger_run_forget(ledger, job->wish);
        return true;
    }
    return true;
}

/* Under the ledger's lock. */
static struct keeper_job *take_job(struct ledger *ledger)
{
    struct keeper_job *job = ledger->first_job;
    if (job != NULL) {
        ledger->first_job = job->next;
        if (job->next == NULL) {
            ledger->last_job = NULL;
        }
        job->next = NULL;
    }
    return job;
}

static void job_free(struct keeper_job *job)
{
    ledger_zone_unref(job->zone);
    memory_free(job->wish);
    memory_free(job);
}

/* Returns when the journal is next due. */
static struct instant look_after_journal(struct ledger *ledger, struct instant last,
                                         uint64_t *moved_bytes, uint64_t *last_bytes)
{
    struct error err = {0};
    struct instant now = clock_now();
    uint64_t bytes = store_journal_bytes(ledger->store);
    bool is_over = bytes == 0 || bytes == *last_bytes; /* for a turn of the keeper */
    *last_bytes = bytes;
    if (is_over && *moved_bytes >= RUSH_BYTES) {
        memory_trim(); /* what waited for the disk stands free between what stays */
        *moved_bytes = 0;
    }
    bool is_idle = instant_ms_until(instant_add_ms(last, CHECKPOINT_IDLE_MS), now) > 0;
    if (bytes == 0 || (bytes < ledger->checkpoint_bytes && !is_idle)) {
        return bytes == 0 ? now : last;
    }
    enum result result = store_checkpoint(ledger->store, &err);
    *moved_bytes += result == OK ? bytes : 0;
    *last_bytes = store_journal_bytes(ledger->store);
    ledger_note_store(ledger, DISK_DATABASE, result, &err);
    return now;
}

static void wait_a_turn(struct ledger *ledger)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += KEEPER_TURN_MS / 1000;
    pthread_cond_timedwait(&ledger->keeper_wakes, &ledger->lock, &until);
}

void *ledger_keeper_run(void *context)
{
    struct ledger *ledger = context;
    struct keeper_job *later = NULL; /* to be tried again */
    struct instant last_checkpoint = clock_now();
    struct instant last_retry = clock_now();
    struct instant last_absent = {0};
    uint64_t moved_bytes = 0; /* since memory was given back */
    uint64_t last_bytes = 0;  /* in the journal, a turn before */
    pthread_mutex_lock(&ledger->lock);
    for (;;) {
        struct keeper_job *job = take_job(ledger);
        if (job == NULL && ledger->writer_stopped) {
            break;
        }
        if (job == NULL && later != NULL &&
            instant_ms_until(instant_add_ms(last_retry, RETRY_MS), clock_now()) > 0) {
            job = later;
            later = job->next;
            job->next = NULL;
            last_retry = later == NULL ? clock_now() : last_retry;
        }
        if (job == NULL) {
            wait_a_turn(ledger);
        }
        pthread_mutex_unlock(&ledger->lock);
        if (job != NULL && run(ledger, job)) {
            job_free(job);
        } else if (job != NULL) {
            job->next = later;
            later = job;
            last_retry = clock_now();
        }
        last_checkpoint = look_after_journal(ledger, last_checkpoint, &moved_bytes, &last_bytes);
        last_absent = ledger_look_for_absent(ledger, last_absent);
        pthread_mutex_lock(&ledger->lock);
    }
    pthread_mutex_unlock(&ledger->lock);
    while (later != NULL) {
        struct keeper_job *job = later;
        later = job->next;
        job_free(job);
    }
    return NULL;
}
