/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer: takes all that is waiting, makes it durable with one sync, publishes, tells, and says
 * done. While it waits for the disk the next group gathers; so a busy server syncs seldom and a
 * quiet one at once. Where nobody waits for a group (a secondary's transfers, first loads, times of
 * contact), it also rests for GROUP_REST_MS after the one before: a hundred thousand zones that are
 * loaded or transferred one after the other would each meet an idle disk and have a sync of their
 * own.
 *
 * An update that finds the disk idle and nobody behind it takes the writer's place (is_writing) and
 * does the same in its own thread: a wake-up costs as much as all else in it but the sync. What
 * comes meanwhile is the writer's, in the order of the queue.
 *
 * The row of a zone's commits may hold a new beginning of its history that is too large for the
 * journal: the keeper writes that one, and the zone's later commits are parked until it is there.
 *
 * A group that fails fails whole. For each of its zones the head goes back to what is durable; the
 * zone's commits that were let in since then carry an old epoch and fail when their turn comes.
 * What a secondary has already published stays, is marked unsaved, and the keeper tries again.
 */
#include "ledger/ledger.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "ledger/ledger_impl.h"
#include "wire/name.h"

struct gathered {
    struct store_txn *txn; /* NULL: no store */
    struct commit_queue commits;
    struct commit_queue stale;
    struct text image; /* of one zone after the other */
};

static enum result add_record(void *context, const struct record *record, struct error *err)
{
    struct text *image = context;
    uint8_t head[NAME_MAX_SIZE + 10];
    struct record without_data = *record;
    if (image->size + wire_record_size(record) > STORE_SMALL_IMAGE) {
        return error_set(err, ERR_LIMIT, "the image is large");
    }
    without_data.rdata.size = 0;
    size_t size = wire_record_write(&without_data, head);
    put_u16(head + size - 2, (uint16_t)record->rdata.size);
    text_add(image, head, size);
    text_add(image, record->rdata.data, record->rdata.size);
    return OK;
}

enum result ledger_each_record(const struct zone_version *version, record_visit *visit,
                               void *context, struct error *err)
{
    struct zone_cursor cursor;
    enum result result = OK;
    /* The SOA is not the first in the order of types; AXFR wants it first. */
    for (unsigned pass = 0; pass < 2 && result == OK; pass++) {
        for (zone_cursor_first(&cursor, version); cursor.owner != NULL && result == OK;
             zone_cursor_next(&cursor)) {
            struct owner_walk walk = {0};
            struct record record;
            while (result == OK && owner_next_record(cursor.owner, &walk, &record)) {
                record.class = zone_version_class(version);
                if ((record.type == TYPE_SOA) == (pass == 0)) {
                    result = visit(context, &record, err);
                }
            }
            if (pass == 0) {
                break;
            }
        }
    }
    return result;
}

/* Entries, digests, and the place in the transaction. */
static void gather_deltas(struct gathered *gathered, struct commit *commit)
{
    struct ledger_zone *zone = commit->zone;
    struct store_entry *entries = memory_new_zeroed(commit->chunk_count, sizeof(*entries));
    int64_t now_s = ledger_wall_s(zone->ledger);
    for (size_t i = 0; i < commit->chunk_count; i++) {
        entries[i] = (struct store_entry){
            .from = commit->chunks[i]->from,
            .to = commit->chunks[i]->to,
            .source = commit->source,
            .time_s = now_s,
            .size_bytes = commit->chunks[i]->size,
            .record_count = zone_version_record_count(commit->version),
        };
    }
    ledger_follow_fingerprint(zone, commit, entries);
    for (size_t i = 0; i < commit->chunk_count; i++) {
        if (gathered->txn != NULL) {
            store_txn_delta(gathered->txn, zone->stored, &entries[i], commit->chunks[i]);
            commit->step = entries[i].step;
        }
        ledger_zone_lock(zone);
        ledger_keep(zone, &entries[i], commit->chunks[i]);
        ledger_zone_unlock(zone);
    }
    memory_free(entries);
}

/* False: the keeper has the commit now. */
static bool gather_restart(struct gathered *gathered, struct commit *commit)
{
    struct ledger_zone *zone = commit->zone;
    struct error err = {0};
    struct store_entry entry = {
        .from = commit->to,
        .to = commit->to,
        .source = commit->source,
        .time_s = ledger_wall_s(zone->ledger),
        .record_count = zone_version_record_count(commit->version),
    };
    ledger_zone_lock(zone);
    ledger_drop_kept(zone);
    ledger_zone_unlock(zone);
    ledger_follow_fingerprint(zone, commit, &entry);
    if (gathered->txn == NULL) {
        return true;
    }
    text_reset(&gathered->image);
    enum result result = ledger_each_record(commit->version, add_record, &gathered->image, &err);
    if (result == OK) {
        store_txn_image(gathered->txn, zone->stored, &entry, text_slice(&gathered->image));
        commit->step = entry.step;
    }
    if (result != OK) {
        ledger_zone_lock(zone);
        zone->image_running = true;
        ledger_zone_unlock(zone);
        ledger_ask_keeper(zone->ledger, KEEPER_RESTART, zone, commit);
        return false;
    }
    return true;
}

/* Takes the commit. */
static void gather(struct gathered *gathered, struct commit *commit)
{
    struct ledger_zone *zone = commit->zone;
    ledger_zone_lock(zone);
    bool is_stale = commit->epoch != zone->epoch && commit->kind != COMMIT_META;
    bool is_parked = zone->image_running && !is_stale;
    bool restarts = zone->restarts_next && commit->kind == COMMIT_DELTAS;
    if (is_parked) {
        commit_queue_add(&ledger_zone_own(zone)->parked, commit);
    } else if (commit->kind == COMMIT_RESTART || restarts) {
        commit->mends = zone->restarts_next;
        zone->restarts_next = false;
    }
    ledger_zone_unlock(zone);
    if (is_parked) {
        return;
    }
    if (is_stale) {
        commit_queue_add(&gathered->stale, commit);
        return;
    }
    bool stays = true;
    switch (commit->kind) {
    case COMMIT_DELTAS:
        if (restarts) {
            stays = gather_restart(gathered, commit);
        } else {
            gather_deltas(gathered, commit);
        }
        break;
    case COMMIT_RESTART:
        stays = gather_restart(gathered, commit);
        break;
    case COMMIT_META:
        if (gathered->txn != NULL) {
            store_txn_meta(gathered->txn, zone->stored, commit->meta_number,
                           slice_of(commit->meta, commit->meta_size));
        }
        break;
    case COMMIT_BARRIER:
        break;
    }
    if (stays) {
        commit_queue_add(&gathered->commits, commit);
    }
}

/* A large image is due when the deltas behind it weigh half of it, or alone pass the zone's bound:
 * what is behind the image is never trimmed. */
static void look_after_image(struct ledger *ledger, struct ledger_zone *zone)
{
    struct store_status status;
    if (zone->stored == NULL ||
        store_zone_status(ledger->store, zone->stored, &status, NULL) != OK) {
        return;
    }
    bool outgrows = status.since_image_bytes >= IMAGE_RENEWAL_BYTES &&
                    status.since_image_bytes >= status.image.size_bytes / 2;
    ledger_zone_lock(zone);
    bool is_due =
        outgrows || (zone->stored_limit != 0 && status.since_image_bytes > zone->stored_limit);
    bool asks = is_due && !zone->image_wanted;
    zone->image_wanted = zone->image_wanted || is_due;
    ledger_zone_unlock(zone);
    if (asks) {
        ledger_ask_keeper(ledger, KEEPER_RENEW, zone, NULL);
    }
}

static void publish(struct ledger *ledger, struct ledger_zone *zone)
{
    struct commit *commit = zone->group_last;
    ledger_zone_settle(zone, commit->version, commit->step);
    ledger_zone_lock(zone);
    bool was_unsaved = zone->is_unsaved && commit->is_published;
    zone->is_unsaved = false;
    bool is_removed = zone->is_removed;
    ledger_zone_unlock(zone);
    if (was_unsaved) {
        ledger_tell(ledger,
                    &(struct ledger_event){.kind = LEDGER_SAVED, .zone = zone, .to = commit->to});
    }
    if (!commit->is_published && !is_removed) {
        zone_publish(zone->zone, zone_version_ref(commit->version));
    }
    ledger_show_fingerprint(zone);
    if (commit->is_published || is_removed) {
        return;
    }
    ledger_tell(ledger, &(struct ledger_event){.kind = LEDGER_PUBLISHED,
                                               .zone = zone,
                                               .version = commit->version,
                                               .from = commit->group.from,
                                               .to = commit->to,
                                               .source = commit->source,
                                               .is_first = commit->group.is_first,
                                               .commit_count = commit->group.count});
}

/* The versions of a durable group become what is answered with: one step a zone. */
static void publish_group(struct ledger *ledger, struct commit_queue *commits)
{
    for (struct commit *commit = commits->first; commit != NULL; commit = commit->next) {
        struct ledger_zone *zone = commit->zone;
        if (commit->version == NULL) {
            continue;
        }
        const struct commit *before = zone->group_last;
        commit->group.from = before == NULL ? commit->from : before->group.from;
        commit->group.is_first = before == NULL ? commit->is_first : before->group.is_first;
        commit->group.count = before == NULL ? 1 : before->group.count + 1;
        zone->group_last = commit;
    }
    for (struct commit *commit = commits->first; commit != NULL; commit = commit->next) {
        struct ledger_zone *zone = commit->zone;
        if (commit->version != NULL && zone->group_last == commit) {
            publish(ledger, zone);
            zone->group_last = NULL;
            look_after_image(ledger, zone);
        }
    }
}

static void end_all(struct commit_queue *queue, enum result result, const struct error *err)
{
    for (struct commit *commit = queue->first; commit != NULL;) {
        struct commit *next = commit->next;
        commit_end(commit, result, err);
        commit = next;
    }
}

static void group_failed(struct ledger *ledger, struct commit_queue *commits, enum result result,
                         const struct error *err)
{
    for (struct commit *commit = commits->first; commit != NULL; commit = commit->next) {
        struct ledger_zone *zone = commit->zone;
        if (commit->version == NULL && commit->kind != COMMIT_BARRIER) {
            continue;
        }
        ledger_zone_lock(zone);
        bool is_current = commit->epoch == zone->epoch;
        /* What was kept of it in memory is no history. */
        ledger_drop_kept(zone);
        ledger_drop_early(zone);
        zone->restarts_next = zone->restarts_next || commit->mends;
        if (commit->is_published) {
            zone->is_unsaved = true;
            zone->restarts_next = true;
            zone->fingerprint_state = FINGERPRINT_NONE;
        }
        ledger_zone_unlock(zone);
        if (commit->is_published) {
            ledger_tell(ledger, &(struct ledger_event){.kind = LEDGER_NOT_SAVED,
                                                       .zone = zone,
                                                       .to = commit->to,
                                                       .source = commit->source,
                                                       .err = err});
            ledger_ask_keeper(ledger, KEEPER_RESTART, zone, NULL);
        } else if (is_current && commit->version != NULL) {
            ledger_zone_roll_back(zone);
        }
    }
    end_all(commits, result, err);
}

void ledger_process(struct ledger *ledger, struct commit_queue *queue)
{
    struct gathered gathered = {0};
    text_init(&gathered.image, 0);
    struct error err = {0};
    enum result result = OK;
    uint64_t count = 0;
    if (ledger->store != NULL) {
        gathered.txn = store_txn_begin(ledger->store);
    }
    for (struct commit *commit = queue->first; commit != NULL;) {
        struct commit *next = commit->next;
        count += commit->kind != COMMIT_META;
        gather(&gathered, commit);
        commit = next;
    }
    if (gathered.txn != NULL) {
        bool is_empty = store_txn_is_empty(gathered.txn);
        result = store_txn_commit(gathered.txn, &err);
        if (!is_empty) {
            ledger_note_store(ledger, DISK_JOURNAL, result, &err);
        }
    }
    if (result == OK) {
        pthread_mutex_lock(&ledger->lock);
        ledger->statistics.groups++;
        ledger->statistics.commits += count;
        pthread_mutex_unlock(&ledger->lock);
        publish_group(ledger, &gathered.commits);
        for (struct commit *commit = gathered.commits.first; commit != NULL;) {
            struct commit *next = commit->next;
            commit_end(commit, OK, NULL);
            commit = next;
        }
    } else {
        group_failed(ledger, &gathered.commits, result, &err);
    }
    if (gathered.stale.first != NULL) {
        (void)error_set(&err, ERR_IO, "a change that this one stood on could not be saved");
        end_all(&gathered.stale, err.code, &err);
    }
    text_deinit(&gathered.image);
}

/* Under the lock, with something in the queue: whether it may wait for more. Waits a part of it. */
static bool rest(struct ledger *ledger, struct instant last_group)
{
    struct instant until = instant_add_ms(last_group, GROUP_REST_MS);
    if (ledger->is_awaited || ledger->stops || ledger->queued_count > GROUP_FULL ||
        !instant_before(clock_now(), until)) {
        return false;
    }
    struct timespec at = {.tv_sec = until.ns / 1000000000, .tv_nsec = until.ns % 1000000000};
    pthread_cond_timedwait(&ledger->writer_wakes, &ledger->lock, &at);
    return true;
}

void *ledger_writer_run(void *context)
{
    struct ledger *ledger = context;
    struct instant last_group = {0};
    pthread_mutex_lock(&ledger->lock);
    for (;;) {
        struct commit_queue queue = ledger->queue;
        if (queue.first == NULL || ledger->is_writing) {
            if (ledger->stops && ledger->restarts_running == 0 && !ledger->is_writing) {
                break;
            }
            pthread_cond_wait(&ledger->writer_wakes, &ledger->lock);
            continue;
        }
        if (rest(ledger, last_group)) {
            continue;
        }
        ledger->queue = (struct commit_queue){0};
        ledger->queued_count = 0;
        ledger->is_awaited = false;
        ledger->is_writing = true;
        pthread_mutex_unlock(&ledger->lock);
        ledger_process(ledger, &queue);
        last_group = clock_now();
        pthread_mutex_lock(&ledger->lock);
        ledger->is_writing = false;
    }
    ledger->writer_stopped = true;
    pthread_cond_broadcast(&ledger->keeper_wakes);
    pthread_mutex_unlock(&ledger->lock);
    return NULL;
}
