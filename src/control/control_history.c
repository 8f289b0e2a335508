/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * History for people: which versions there were, what lies between two of them, back to one of
 * them, and another serial.
 *
 * Older versions are rebuilt by a loader thread; the control thread only puts into words what was
 * found, a batch at a time while the client takes it. A rollback and another serial are changes
 * like any other: they pass through the ledger's door, are answered when they are on disk, and
 * reach the secondaries as IXFR. Both always move ahead (RFC 1982), since a secondary follows
 * nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/memory.h"
#include "control/control_impl.h"
#include "edit/serial.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zone/master.h"
#include "zones/zones.h"

enum {
    ENTRIES_MAX = 10000, /* the newest of them */
    ENTRIES_AT_ONCE = 64,
    LINES_AT_ONCE = 256,
    LINES_BYTES = 32768,
    REBUILD_TRIES = 10,
    SOA_RDATA_MAX = 2 * NAME_MAX_SIZE + 20,
    SOA_SERIAL_FROM_END = 20,
};

struct control_past {
    size_t at;   /* the next to be told */
    bool posted; /* the next batch is on its way to the control thread */

    struct store_entry *entries;
    size_t entry_count;
    uint64_t history_count;

    struct delta *delta;
    struct serial from, to;

    /* Of a change. */
    struct zone_version *content; /* borrowed while the edit runs */
    uint64_t removed, added;
    unsigned steps_left;
    bool changes;
};

void control_past_free(struct control_past *past)
{
    if (past != NULL) {
        delta_free(past->delta);
        memory_free(past->entries);
        memory_free(past);
    }
}

static const char *zone_text(const struct control_job *job, char *out)
{
    return name_format_log(job->zone->zone->name, out);
}

static json_t *zone_answer(const struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    return answer;
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void at_loader(struct control_job *job, void (*work)(void *context))
{
    job->past = memory_new_zeroed(1, sizeof(*job->past));
    /* One that is dropped is in the control's list of jobs. */
    loader_submit(job->control->server->loader, work, NULL, job);
}

static bool failed(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if (job->failure.code == OK) {
        return false;
    }
    if (job->failure.code == ERR_NOT_FOUND) {
        control_job_fail(job, "no-history", "%s: %s; lockstep history lists the versions kept",
                         zone_text(job, name), job->failure.text);
    } else {
        control_job_fail(job, "failed", "%s: %s", zone_text(job, name), job->failure.text);
    }
    return true;
}

/* Loader. The zone may move on while it is looked at. */
static struct zone_version *version_at(struct control_job *job, struct serial serial)
{
    struct zone_version *version = NULL;
    enum result result = ERR_BUSY;
    for (unsigned i = 0; result == ERR_BUSY && i < REBUILD_TRIES; i++) {
        job->failure = (struct error){0};
        result = ledger_version_at(job->zone->history, serial, &version, &job->failure);
    }
    return version;
}

/* ---- in batches ---- */

static void posted_more(struct control_job *job)
{
    job->past->posted = false;
    job->more(job);
}

/* After a batch: the next one behind what others ask for meanwhile. */
static void tell_on(struct control_job *job)
{
    if (control_job_has_room(job)) {
        job->past->posted = true;
        control_job_home(job, posted_more);
    }
}

/* ---- history ---- */

static json_t *entry_object(const struct store_entry *entry)
{
    json_t *object = json_object();
    put_number(object, "from", entry->from.value);
    put_number(object, "serial", entry->to.value);
    put_number(object, "at_s", (uint64_t)entry->time_s);
    json_object_set_new(object, "source", json_string(store_source_name(entry->source)));
    put_number(object, "size_bytes", entry->size_bytes);
    put_number(object, "records", entry->record_count);
    if (entry->has_digest) {
        char hex[2 * FINGERPRINT_DIGEST_SIZE];
        size_t size = hex_encode_lower(slice_of(entry->digest, sizeof(entry->digest)), hex);
        json_object_set_new(object, "fingerprint", json_stringn(hex, size));
    }
    return object;
}

static void more_entries(struct control_job *job)
{
    struct control_past *past = job->past;
    if (past->posted) {
        return;
    }
    if (job->asker == NULL || past->at == past->entry_count) {
        json_t *answer = zone_answer(job);
        put_number(answer, "versions", past->entry_count);
        put_number(answer, "not_listed",
                   past->history_count > past->entry_count ? past->history_count - past->entry_count
                                                           : 0);
        control_job_done(job, answer);
        return;
    }
    for (unsigned i = 0; i < ENTRIES_AT_ONCE && past->at < past->entry_count; i++) {
        json_t *object = entry_object(&past->entries[past->at++]);
        control_job_part(job, json_pack("{s:o}", "entry", object));
    }
    tell_on(job);
}

static void tell_entries(struct control_job *job)
{
    job->more = more_entries;
    more_entries(job);
}

static void read_entries(void *context)
{
    struct control_job *job = context;
    struct control_past *past = job->past;
    struct ledger_zone_status status;
    ledger_zone_status(job->zone->history, &status);
    past->history_count = status.history_count;
    size_t room = status.history_count < ENTRIES_MAX ? (size_t)status.history_count : ENTRIES_MAX;
    if (room != 0) {
        past->entries = memory_new(room * sizeof(past->entries[0]));
        past->entry_count = ledger_entries(job->zone->history, past->entries, room);
    }
    control_job_home(job, tell_entries);
}

void control_history_run(struct control_job *job)
{
    at_loader(job, read_entries);
}

/* ---- diff ---- */

static void more_lines(struct control_job *job)
{
    struct control_past *past = job->past;
    if (past->posted) {
        return;
    }
    size_t count = delta_count(past->delta);
    if (job->asker == NULL || past->at == count) {
        json_t *answer = zone_answer(job);
        put_number(answer, "from", past->from.value);
        put_number(answer, "to", past->to.value);
        put_number(answer, "removed", delta_removed_count(past->delta));
        put_number(answer, "added", count - delta_removed_count(past->delta));
        control_job_done(job, answer);
        return;
    }
    json_t *lines = json_array();
    struct text text;
    text_init(&text, 0);
    size_t bytes = 0;
    for (unsigned i = 0; i < LINES_AT_ONCE && bytes < LINES_BYTES && past->at < count; i++) {
        struct record record;
        bool removes;
        delta_get(past->delta, past->at++, &removes, &record);
        text_reset(&text);
        text_add_char(&text, removes ? '-' : '+');
        master_print_record(&record, &text);
        bytes += text.size;
        text.bytes[text.size - 1] = '\0'; /* its newline */
        json_array_append_new(lines, control_text(text.bytes));
    }
    text_deinit(&text);
    control_job_part(job, json_pack("{s:o}", "lines", lines));
    tell_on(job);
}

static void tell_lines(struct control_job *job)
{
    if (!failed(job)) {
        job->more = more_lines;
        more_lines(job);
    }
}

static void read_diff(void *context)
{
    struct control_job *job = context;
    struct control_past *past = job->past;
    struct zone_version *to = NULL;
    struct zone_version *from = version_at(job, job->asked[0]);
    if (from != NULL) {
        to = job->asked_count == 2 ? version_at(job, job->asked[1])
                                   : ledger_zone_head(job->zone->history);
    }
    if (to != NULL) {
        past->from = zone_version_serial(from);
        past->to = zone_version_serial(to);
        past->delta = delta_diff(from, to);
    }
    zone_version_unref(from);
    zone_version_unref(to);
    control_job_home(job, tell_lines);
}

void control_diff_run(struct control_job *job)
{
    at_loader(job, read_diff);
}

/* ---- changes ---- */

static bool fail_unless_primary(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if ((job->zone->zone->flags & ZONE_SECONDARY) == 0) {
        return false;
    }
    control_job_fail(job, "not-primary",
                     "%s is a secondary zone here: its versions come from its primary",
                     zone_text(job, name));
    return true;
}

/* What makes the head into the content of another version, with the serial `to`. */
static enum result make_content(struct control_past *past, const struct zone_version *head,
                                const struct zone_version *content, struct delta **out,
                                struct error *err)
{
    struct delta *diff = delta_diff(head, content);
    struct delta *delta = delta_new(zone_version_name(head), zone_version_class(head));
    struct record record;
    enum result result = OK;
    size_t count = delta_count(diff);
    for (size_t i = 0; result == OK && i < count; i++) {
        bool removes;
        uint8_t soa[SOA_RDATA_MAX];
        delta_get(diff, i, &removes, &record);
        if (!removes && record.type == TYPE_SOA) {
            REQUIRE(record.rdata.size <= sizeof(soa));
            memcpy(soa, record.rdata.data, record.rdata.size);
            put_u32(soa + record.rdata.size - SOA_SERIAL_FROM_END, past->to.value);
            record.rdata.data = soa;
        }
        result = removes ? delta_remove(delta, &record, err) : delta_add(delta, &record, err);
    }
    past->removed = delta_removed_count(diff) - 1;
    past->added = count - delta_removed_count(diff) - 1;
    delta_free(diff);
    if (result == OK) {
        result = delta_seal(delta, err);
    }
    if (result != OK) {
        delta_free(delta);
        return result;
    }
    past->changes = true;
    *out = delta;
    return OK;
}

/* In the ledger's thread, or the loader's. */
static void settled(void *context, enum result result, const struct error *err)
{
    struct control_job *job = context;
    if (result != OK) {
        (void)error_set(&job->failure, result, "the change could not be kept: %.400s",
                        err == NULL ? "the server is ending" : err->text);
    }
    control_job_home(job, job->step);
}

static void edit_zone(struct control_job *job, ledger_make *make,
                      void (*answer)(struct control_job *job))
{
    struct ledger_edit_options options = {.source = STORE_FROM_OPERATOR};
    job->step = answer;
    /* Once it was let in the job may be done with before the call returns. */
    struct error err = {0};
    if (ledger_edit(job->zone->history, make, job, &options, settled, job, &err) != OK) {
        job->failure = err;
        control_job_home(job, answer);
    }
}

/* The step from one serial to the next, which any edit has. */
static json_t *step_answer(struct control_job *job)
{
    const struct control_past *past = job->past;
    json_t *answer = zone_answer(job);
    put_number(answer, "from", past->from.value);
    put_number(answer, "serial", past->to.value);
    json_object_set_new(answer, "changed", json_boolean(past->changes));
    return answer;
}

/* ---- rollback ---- */

static void rolled_back(struct control_job *job)
{
    if (failed(job)) {
        return;
    }
    struct control_past *past = job->past;
    json_t *answer = step_answer(job);
    put_number(answer, "content_of", job->asked[0].value);
    put_number(answer, "removed", past->removed);
    put_number(answer, "added", past->added);
    control_job_done(job, answer);
}

static enum result make_rollback(void *context, struct zone_version *head, struct delta **out,
                                 struct error *err)
{
    struct control_job *job = context;
    struct control_past *past = job->past;
    past->from = past->to = zone_version_serial(head);
    *out = NULL;
    if (serial_equal(past->from, job->asked[0])) {
        return OK;
    }
    struct zone_settings *settings = server_zone_settings(job->zone);
    past->to = serial_next(past->from, settings->serial_method, clock_wall_s());
    settings_unref(settings->settings);
    return make_content(past, head, past->content, out, err);
}

static void roll_back(void *context)
{
    struct control_job *job = context;
    struct zone_version *content = version_at(job, job->asked[0]);
    if (content == NULL) {
        control_job_home(job, rolled_back);
        return;
    }
    job->past->content = content;
    edit_zone(job, make_rollback, rolled_back);
    zone_version_unref(content);
}

void control_rollback_run(struct control_job *job)
{
    if (!fail_unless_primary(job)) {
        at_loader(job, roll_back);
    }
}

/* ---- another serial ---- */

static void adopted(struct control_job *job)
{
    if (failed(job)) {
        return;
    }
    struct control_past *past = job->past;
    json_t *answer = step_answer(job);
    put_number(answer, "wanted", job->asked[0].value);
    put_number(answer, "steps_left", past->steps_left);
    if (past->steps_left != 0) {
        char text[500];
        snprintf(text, sizeof(text),
                 "serial %u does not come after %u (RFC 1982), so no secondary would follow; %u "
                 "lies between them. When every secondary has it (see status), give the same "
                 "command again",
                 job->asked[0].value, past->from.value, past->to.value);
        json_object_set_new(answer, "text", control_text(text));
    }
    control_job_done(job, answer);
}

static enum result make_step(void *context, struct zone_version *head, struct delta **out,
                             struct error *err)
{
    struct control_job *job = context;
    struct control_past *past = job->past;
    struct serial steps[SERIAL_MAX_STEPS];
    past->from = past->to = zone_version_serial(head);
    *out = NULL;
    unsigned count = serial_path(past->from, job->asked[0], steps);
    if (count == 0) {
        return OK;
    }
    past->to = steps[0];
    past->steps_left = count - 1;
    return make_content(past, head, head, out, err);
}

static void take_step(void *context)
{
    edit_zone(context, make_step, adopted);
}

void control_adopt_serial_run(struct control_job *job)
{
    if (!fail_unless_primary(job)) {
        at_loader(job, take_step);
    }
}
