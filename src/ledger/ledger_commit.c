/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Letting changes in: the checks at the door, the next head, the place in the queue.
 *
 * The edit lock makes one thread at a time responsible for the head of a zone; the zone's own lock
 * is held only to look at it and to move it. A commit remembers the epoch of the head it stands on:
 * where a failure rolled the head back meanwhile, it is out of date and fails too.
 */
#include "ledger/ledger.h"

#include "base/memory.h"
#include "ledger/ledger_impl.h"

void commit_queue_add(struct commit_queue *queue, struct commit *commit)
{
    commit->next = NULL;
    if (queue->last == NULL) {
        queue->first = commit;
    } else {
        queue->last->next = commit;
    }
    queue->last = commit;
}

struct commit *commit_new(struct ledger_zone *zone, enum commit_kind kind, size_t meta_size)
{
    struct commit *commit = memory_new_zeroed(1, sizeof(*commit) + meta_size);
    commit->meta_size = (uint32_t)meta_size;
    commit->zone = ledger_zone_ref(zone);
    commit->kind = kind;
    return commit;
}

void commit_free(struct commit *commit)
{
    for (size_t i = 0; i < commit->chunk_count; i++) {
        chunk_unref(commit->chunks[i]);
    }
    memory_free(commit->chunks);
    zone_version_unref(commit->version);
    ledger_zone_unref(commit->zone);
    memory_free(commit);
}

void commit_end(struct commit *commit, enum result result, const struct error *err)
{
    static const struct error none;
    bool leaves = false;
    if (commit->kind != COMMIT_META) {
        ledger_zone_lock(commit->zone);
        leaves = --commit->zone->pending_count == 0 && commit->zone->is_leaving;
        ledger_zone_unlock(commit->zone);
    }
    if (commit->done != NULL) {
        commit->done(commit->done_context, result, err != NULL ? err : &none);
    }
    if (leaves) { /* who takes the name over finds that everything was said */
        ledger_leave(commit->zone);
    }
    commit_free(commit);
}

/* --- The checks. --- */

static enum result check_advance(const struct ledger_zone *zone, struct serial from, bool has_from,
                                 struct serial to, bool adopts, struct error *err)
{
    if (adopts) {
        return OK;
    }
    if (has_from && !serial_before(from, to)) {
        return error_set(err, ERR_STALE, "serial %u does not come after %u (RFC 1982)", to.value,
                         from.value);
    }
    if (zone->has_floor && !has_from && !serial_before(zone->floor, to)) {
        return error_set(err, ERR_STALE,
                         "serial %u does not come after %u, which was already acknowledged",
                         to.value, zone->floor.value);
    }
    return OK;
}

/* Under the zone's lock. */
static enum result check_change(const struct ledger_zone *zone, const struct ledger_change *change,
                                struct error *err)
{
    struct serial to = zone_version_serial(change->version);
    if (zone->is_removed) {
        return error_set(err, ERR_CLOSED, "the zone was removed");
    }
    if (change->delta_count != 0) {
        if (zone->head == NULL) {
            return error_set(err, ERR_STALE,
                             "the zone has no version that a delta could start from");
        }
        struct serial at = zone_version_serial(zone->head);
        for (size_t i = 0; i < change->delta_count; i++) {
            if (!serial_equal(delta_from(change->deltas[i]), at)) {
                return error_set(err, ERR_STALE,
                                 "the change starts at serial %u, the zone is at %u",
                                 delta_from(change->deltas[i]).value, at.value);
            }
            at = delta_to(change->deltas[i]);
        }
        if (!serial_equal(at, to)) {
            return error_set(err, ERR_STALE, "the change leads to serial %u, the version has %u",
                             at.value, to.value);
        }
    }
    bool has_head = zone->head != NULL;
    struct serial from = has_head ? zone_version_serial(zone->head) : (struct serial){0};
    return check_advance(zone, from, has_head, to, change->adopts, err);
}

/* Under the edit lock alone, since it may take long: nobody else moves the head forward. */
static enum result ask_guard(struct ledger_zone *zone, struct zone_version *version,
                             enum store_source source, struct error *err)
{
    const struct ledger *ledger = zone->ledger;
    if (ledger->guard == NULL) {
        return OK;
    }
    struct zone_version *head = ledger_zone_head(zone);
    struct ledger_candidate candidate = {
        .zone = zone, .head = head, .version = version, .source = source};
    enum result result = ledger->guard(ledger->guard_context, &candidate, err);
    zone_version_unref(head);
    return result;
}

/* --- Letting in. --- */

/* Under the edit lock: moves the head, and publishes where that comes first. Frees the commit where
 * it cannot be let in. */
static enum result enter(struct commit *commit, uint32_t epoch, struct error *err)
{
    struct ledger_zone *zone = commit->zone;
    struct zone_version *before = NULL;
    enum result result = OK;
    ledger_zone_lock(zone);
    if (zone->is_removed) {
        result = error_set(err, ERR_CLOSED, "the zone was removed");
    } else if (zone->epoch != epoch) {
        result = error_set(err, ERR_STALE, "the change stood on one that could not be saved");
    }
    if (result != OK) {
        ledger_zone_unlock(zone);
        commit_free(commit);
        return result;
    }
    commit->epoch = epoch;
    zone->pending_count++;
    if (commit->version != NULL) {
        commit->is_first = zone->head == NULL;
        before = zone->head;
        zone->head = zone_version_ref(commit->version);
    }
    ledger_zone_unlock(zone);
    zone_version_unref(before);
    if (commit->order == LEDGER_PUBLISH_FIRST && commit->version != NULL) {
        zone_publish(zone->zone, zone_version_ref(commit->version));
        commit->is_published = true;
    }
    return OK;
}

/* Whoever hears of a version asks for what led to it: that is at hand before. */
static void tell_early(const struct commit *commit)
{
    struct ledger_zone *zone = commit->zone;
    ledger_zone_lock(zone);
    ledger_put_early(zone, commit);
    ledger_zone_unlock(zone);
    ledger_tell(zone->ledger, &(struct ledger_event){.kind = LEDGER_PUBLISHED,
                                                     .zone = zone,
                                                     .version = commit->version,
                                                     .from = commit->from,
                                                     .to = commit->to,
                                                     .source = commit->source,
                                                     .is_first = commit->is_first,
                                                     .commit_count = 1});
}

/* Takes the commit; or, where the caller may write and the disk is idle, leaves it to the caller, who
 * has the writer's place now: true. */
static bool hand_over(struct commit *commit, bool may_write)
{
    struct ledger *ledger = commit->zone->ledger;
    if (ledger->store == NULL) {
        struct commit_queue queue = {0};
        commit_queue_add(&queue, commit);
        ledger_process(ledger, &queue);
        return false;
    }
    bool is_awaited = commit->done != NULL ||
                      (commit->kind != COMMIT_META && commit->order == LEDGER_PERSIST_FIRST);
    pthread_mutex_lock(&ledger->lock);
    if (may_write && ledger->queue.first == NULL && !ledger->is_writing) {
        ledger->is_writing = true;
        pthread_mutex_unlock(&ledger->lock);
        return true;
    }
    bool wakes = ledger->queue.first == NULL || (is_awaited && !ledger->is_awaited) ||
                 ledger->queued_count == GROUP_FULL;
    commit_queue_add(&ledger->queue, commit);
    ledger->queued_count++;
    ledger->is_awaited = ledger->is_awaited || is_awaited;
    if (wakes) {
        pthread_cond_signal(&ledger->writer_wakes);
    }
    pthread_mutex_unlock(&ledger->lock);
    return false;
}

/* In the writer's place, with no lock held. Takes the commit. */
static void write_alone(struct ledger *ledger, struct commit *commit)
{
    struct commit_queue queue = {0};
    commit_queue_add(&queue, commit);
    ledger_process(ledger, &queue);
    pthread_mutex_lock(&ledger->lock);
    ledger->is_writing = false;
    if (ledger->queue.first != NULL || ledger->stops) {
        pthread_cond_signal(&ledger->writer_wakes);
    }
    pthread_mutex_unlock(&ledger->lock);
}

enum result ledger_commit(struct ledger_zone *zone, const struct ledger_change *change,
                          ledger_done *done, void *done_context, struct error *err)
{
    ledger_zone_edit_begin(zone);
    ledger_zone_lock(zone);
    enum result result = check_change(zone, change, err);
    uint32_t epoch = zone->epoch;
    struct serial to = zone_version_serial(change->version);
    struct serial from = zone->head == NULL ? to : zone_version_serial(zone->head);
    ledger_zone_unlock(zone);
    if (result == OK) {
        result = ask_guard(zone, change->version, change->source, err);
    }
    if (result != OK) {
        ledger_zone_edit_end(zone);
        zone_version_unref(change->version);
        return result;
    }
    struct commit *commit =
        commit_new(zone, change->delta_count == 0 ? COMMIT_RESTART : COMMIT_DELTAS, 0);
    commit->order = change->order;
    commit->source = change->source;
    commit->version = change->version;
    commit->from = from;
    commit->to = to;
    commit->done = done;
    commit->done_context = done_context;
    result = enter(commit, epoch, err);
    if (result == OK) {
        /* After publishing: the larger the change, the more a secondary's clients gain. */
        if (change->delta_count != 0) {
            commit->chunks = memory_new(change->delta_count * sizeof(struct chunk *));
        }
        for (size_t i = 0; i < change->delta_count; i++) {
            commit->chunks[commit->chunk_count++] = chunk_of_delta(change->deltas[i]);
        }
        if (commit->is_published) {
            tell_early(commit);
        }
        (void)hand_over(commit, false);
    }
    ledger_zone_edit_end(zone);
    return result;
}

/* --- Edits. --- */

/* `to_write` becomes what is left to the caller. */
static enum result edit_under_lock(struct ledger_zone *zone, ledger_make *make, void *context,
                                   const struct ledger_edit_options *options, ledger_done *done,
                                   void *done_context, struct commit **to_write, struct error *err)
{
    struct delta *delta = NULL;
    struct zone_version *version = NULL;
    ledger_zone_lock(zone);
    uint32_t epoch = zone->epoch;
    ledger_zone_unlock(zone);
    struct zone_version *head = ledger_zone_head(zone);
    if (head == NULL) {
        return error_set(err, ERR_NOT_FOUND, "the zone has no version yet");
    }
    enum result result = make(context, head, &delta, err);
    if (result == OK && delta != NULL) {
        result =
            check_advance(zone, delta_from(delta), true, delta_to(delta), options->adopts, err);
    }
    if (result == OK && delta != NULL) {
        result = delta_apply(head, delta, options->limits, &version, err);
        if (result == OK && (result = ask_guard(zone, version, options->source, err)) != OK) {
            zone_version_unref(version);
        }
    }
    if (result == OK) {
        struct commit *commit = commit_new(zone, delta == NULL ? COMMIT_BARRIER : COMMIT_DELTAS, 0);
        commit->order = LEDGER_PERSIST_FIRST;
        commit->source = options->source;
        commit->version = version;
        commit->from = commit->to = zone_version_serial(head);
        commit->done = done;
        commit->done_context = done_context;
        if (delta != NULL) {
            commit->to = delta_to(delta);
            commit->chunks = memory_new(sizeof(struct chunk *));
            commit->chunks[commit->chunk_count++] = chunk_of_delta(delta);
        }
        result = enter(commit, epoch, err);
        if (result == OK && hand_over(commit, options->may_write)) {
            *to_write = commit;
        }
    }
    delta_free(delta);
    zone_version_unref(head);
    return result;
}

enum result ledger_edit(struct ledger_zone *zone, ledger_make *make, void *context,
                        const struct ledger_edit_options *options, ledger_done *done,
                        void *done_context, struct error *err)
{
    struct commit *to_write = NULL;
    struct ledger *ledger = zone->ledger;
    ledger_zone_edit_begin(zone);
    enum result result =
        edit_under_lock(zone, make, context, options, done, done_context, &to_write, err);
    ledger_zone_edit_end(zone);
    if (to_write != NULL) {
        write_alone(ledger, to_write);
    }
    return result;
}

void ledger_put_meta(struct ledger_zone *zone, uint32_t number, struct slice value,
                     ledger_done *done, void *done_context)
{
    REQUIRE(value.size <= STORE_META_MAX);
    struct commit *commit = commit_new(zone, COMMIT_META, value.size);
    commit->meta_number = number;
    if (value.size != 0) {
        memcpy(commit->meta, value.data, value.size);
    }
    commit->done = done;
    commit->done_context = done_context;
    (void)hand_over(commit, false);
}

enum result ledger_get_meta(struct ledger_zone *zone, uint32_t number, uint8_t *out, size_t room,
                            size_t *out_size, struct error *err)
{
    return zone->stored == NULL ? ERR_NOT_FOUND
                                : store_read_meta(zone->ledger->store, zone->stored, number, out,
                                                  room, out_size, err);
}
