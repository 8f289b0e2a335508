/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of commands, and those that set something going. Whoever speaks another protocol (rndc)
 * looks up the same table.
 *
 * A command's answer says what was really done: a reload is answered when the files have been read,
 * with what was wrong with them; refresh, retransfer and notify only after the sync thread has said
 * that there is somebody to ask or tell.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "control/control_impl.h"
#include "hub/server.h"
#include "server/query_log.h"
#include "zones/zone_load.h"
#include "zones/zones.h"

enum { FAILED_NAMED = 20 };

static const char *zone_text(const struct control_job *job, char *out)
{
    return name_format_log(job->zone->zone->name, out);
}

/* ---- reload of everything ---- */

struct tally {
    size_t failed;
    json_t *named;
};

static json_t *failed_zone(struct server_zone *zone)
{
    const char *why = atomic_load_explicit(&zone->load_error, memory_order_acquire);
    if (why == NULL) {
        return NULL;
    }
    char name[NAME_TEXT_SIZE];
    json_t *object = json_object();
    json_object_set_new(object, "name", control_text(name_format_log(zone->zone->name, name)));
    json_object_set_new(object, "text", control_text(why));
    return object;
}

static bool tally_zone(void *context, struct zone *zone)
{
    struct tally *tally = context;
    json_t *failed = failed_zone(zone->context);
    if (failed != NULL && tally->failed++ < FAILED_NAMED) {
        json_array_append_new(tally->named, failed);
    } else {
        json_decref(failed);
    }
    return true;
}

static void all_reloaded(struct control_job *job)
{
    struct server *server = job->control->server;
    job->control->orders->tell_reloaded(server);
    struct tally tally = {.named = json_array()};
    rcu_read_begin();
    struct zone_set *zones = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    size_t count = zone_set_count(zones);
    zone_set_each(zones, tally_zone, &tally);
    rcu_read_end();
    control_job_done(job, json_pack("{s:I, s:I, s:o}", "zones", (json_int_t)count, "failed",
                                    (json_int_t)tally.failed, "failures", tally.named));
}

static void reload_refused(struct control_job *job)
{
    char text[1024];
    control_job_fail(job, "failed", "the configuration is kept as it was: %s",
                     error_format(&job->failure, text, sizeof(text)));
}

/* In the main thread, both. */
static void zones_looked_at(void *context)
{
    control_job_home(context, all_reloaded);
}

static void reload_in_main(void *context)
{
    struct control_job *job = context;
    struct control *control = job->control;
    if (control->orders->reload(control->server, RELOAD_ALL,
                                "received control channel command to reload zones", zones_looked_at,
                                job, &job->failure) != OK) {
        control_job_home(job, reload_refused);
    }
}

static void reconfigure_in_main(void *context)
{
    struct control_job *job = context;
    struct control *control = job->control;
    if (control->orders->reload(control->server, RELOAD_CONFIGURATION,
                                "loading the configuration and new zones only", zones_looked_at,
                                job, &job->failure) != OK) {
        control_job_home(job, reload_refused);
    }
}

static void run_reconfig(struct control_job *job)
{
    if (!loop_post(job->control->server->main_loop, reconfigure_in_main, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

/* ---- reload of one zone ---- */

static void zone_reloaded(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    rcu_read_begin();
    json_t *failed = failed_zone(job->zone);
    rcu_read_end();
    if (failed != NULL) {
        char text[1200];
        snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(failed, "text")));
        json_decref(failed);
        control_job_fail(job, "failed", "%s", text);
        return;
    }
    if (job->failure.code != OK) {
        control_job_fail(job, "failed", "the change could not be kept: %s", job->failure.text);
        return;
    }
    struct zone_version *version = zone_acquire(job->zone->zone);
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    if (version != NULL) {
        uint32_t serial = zone_version_serial(version).value;
        json_object_set_new(answer, "serial", json_integer(serial));
        json_object_set_new(answer, "changed",
                            json_boolean(!job->had_serial || job->serial.value != serial));
    }
    zone_version_unref(version);
    control_job_done(job, answer);
}

static enum result change_nothing(void *context, struct zone_version *head, struct delta **out,
                                  struct error *err)
{
    (void)context, (void)head, (void)err;
    *out = NULL;
    return OK;
}

/* In the ledger's thread. */
static void zone_settled(void *context, enum result result, const struct error *err)
{
    struct control_job *job = context;
    if (result != OK && err != NULL) {
        job->failure = *err;
    }
    control_job_home(job, zone_reloaded);
}

/* In the main thread. What was read has been let in; it is served when it is on disk. */
static void zone_looked_at(void *context)
{
    struct control_job *job = context;
    struct ledger_edit_options options = {.source = STORE_FROM_FILE};
    if (ledger_edit(job->zone->history, change_nothing, NULL, &options, zone_settled, job, NULL) !=
        OK) {
        control_job_home(job, zone_reloaded); /* there is no version */
    }
}

static void refresh_asked(struct control_job *job);

void control_reload_zone(struct control_job *job)
{
    if ((job->zone->zone->flags & ZONE_SECONDARY) != 0) {
        control_job_ask_report(job, refresh_asked); /* what its file is to a primary zone */
        return;
    }
    struct zone_version *version = zone_acquire(job->zone->zone);
    if (version != NULL) {
        job->had_serial = true;
        job->serial = zone_version_serial(version);
    }
    zone_version_unref(version);
    struct load_round *round = load_round_new(job->control->server->main_loop, zone_looked_at, job);
    zone_load_start(job->zone, round);
    load_round_release(round);
}

static void run_reload(struct control_job *job)
{
    if (job->zone != NULL) {
        control_reload_zone(job);
    } else if (!loop_post(job->control->server->main_loop, reload_in_main, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

/* ---- refresh, retransfer ---- */

static bool fail_unless_secondary(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if ((job->zone->zone->flags & ZONE_SECONDARY) == 0) {
        control_job_fail(job, "not-secondary",
                         "%s is a primary zone here: there is nobody to ask; reload reads its file",
                         zone_text(job, name));
        return true;
    }
    if (job->report.state == SYNC_STARTING) {
        control_job_fail(job, "busy", "%s is still being loaded", zone_text(job, name));
        return true;
    }
    return false;
}

static void answer_begun(struct control_job *job, const char *what)
{
    char name[NAME_TEXT_SIZE];
    json_t *primaries = json_array();
    for (size_t i = 0; i < job->report.primary_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        json_array_append_new(primaries, json_string(address_format(
                                             &job->report.primaries[i].address, true, address)));
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    json_object_set_new(answer, "begun", json_string(what));
    json_object_set_new(answer, "primaries", primaries);
    control_job_done(job, answer);
}

static void refresh_asked(struct control_job *job)
{
    if (!fail_unless_secondary(job)) {
        sync_refresh(job->control->server->sync, job->zone);
        answer_begun(job, "refresh");
    }
}

static void run_refresh(struct control_job *job)
{
    control_job_ask_report(job, refresh_asked);
}

static void retransfer_asked(struct control_job *job)
{
    if (!fail_unless_secondary(job)) {
        sync_retransfer(job->control->server->sync, job->zone);
        answer_begun(job, "retransfer");
    }
}

static void run_retransfer(struct control_job *job)
{
    control_job_ask_report(job, retransfer_asked);
}

/* ---- notify ---- */

static void notify_asked(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    struct zone_version *version = zone_acquire(job->zone->zone);
    if (version == NULL) {
        control_job_fail(job, "not-loaded", "%s is not loaded: there is no serial to tell of",
                         zone_text(job, name));
        return;
    }
    struct serial serial = zone_version_serial(version);
    zone_version_unref(version);
    if (job->report.target_count == 0) {
        control_job_fail(job, "no-targets",
                         "nobody is notified of %s: see notify and also-notify in the "
                         "configuration, and the NS records of the zone",
                         zone_text(job, name));
        return;
    }
    sync_renotify(job->control->server->sync, job->zone);
    json_t *targets = json_array();
    for (size_t i = 0; i < job->report.target_count; i++) {
        char address[ADDRESS_TEXT_SIZE];
        json_array_append_new(
            targets, json_string(address_format(&job->report.targets[i].address, true, address)));
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(zone_text(job, name)));
    json_object_set_new(answer, "serial", json_integer(serial.value));
    json_object_set_new(answer, "targets", targets);
    control_job_done(job, answer);
}

static void run_notify(struct control_job *job)
{
    control_job_ask_report(job, notify_asked);
}

/* ---- the server ---- */

static void run_stop(struct control_job *job)
{
    struct control *control = job->control;
    control_job_done(job, json_pack("{s:I}", "pid", (json_int_t)getpid()));
    control->orders->stop(control->server);
}

static void run_querylog(struct control_job *job)
{
    struct server *server = job->control->server;
    bool on = job->has_on ? job->on : !query_log_is_on(server->query_log);
    query_log_turn(server, on, "control channel");
    if (query_log_is_on(server->query_log) != on) {
        control_job_fail(job, "failed", "queries cannot be logged: see the server's log");
        return;
    }
    control_job_done(job, json_pack("{s:b}", "on", (int)on));
}

static void run_commands(struct control_job *job);

static const struct control_command commands[] = {
    {"absent", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, false, control_absent_run},
    {"addzone", CONTROL_ZONE_ABSENT, CONTROL_SERIAL_NONE, false, true, control_change_zone_run,
     true},
    {"adopt-serial", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_ONE, false, true,
     control_adopt_serial_run},
    {"commands", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, false, run_commands},
    {"delzone", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, control_change_zone_run},
    {"diff", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_ONE_OR_TWO, false, false, control_diff_run},
    {"discard", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, control_discard_run},
    {"dumpdb", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, true, control_dumpdb_run},
    {"forget", CONTROL_ZONE_ABSENT, CONTROL_SERIAL_NONE, false, true, control_forget_run},
    {"history", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, false, control_history_run},
    {"keys", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, false, control_keys_run},
    {"modzone", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, control_change_zone_run,
     true},
    {"notify", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, run_notify},
    {"querylog", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, true, true, run_querylog},
    {"reconfig", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, true, run_reconfig},
    {"refresh", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, run_refresh},
    {"release", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, control_release_run},
    {"reload", CONTROL_ZONE_OPTIONAL, CONTROL_SERIAL_NONE, false, true, run_reload},
    {"retransfer", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, true, run_retransfer},
    {"rollback", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_ONE, false, true, control_rollback_run},
    {"showzone", CONTROL_ZONE_NEEDED, CONTROL_SERIAL_NONE, false, false, control_showzone_run},
    {"stats", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, true, control_stats_run},
    {"status", CONTROL_ZONE_OPTIONAL, CONTROL_SERIAL_NONE, false, false, control_status_run},
    {"stop", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, true, run_stop},
    {"zones", CONTROL_ZONE_NONE, CONTROL_SERIAL_NONE, false, false, control_zones_run},
};

static void run_commands(struct control_job *job)
{
    static const char *const uses[] = {"none", "optional", "needed", "absent"};
    static const char *const serials[] = {"none", "one", "one-or-two"};
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", commands[i].name,
                                              "zone", uses[commands[i].zone], "serial",
                                              serials[commands[i].serial], "switches",
                                              (int)commands[i].switches, "changes",
                                              (int)commands[i].changes));
    }
    control_job_done(job, json_pack("{s:o}", "commands", list));
}

const struct control_command *control_command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* ---- from request to command ---- */

static void note_command(struct control_asker *asker, const struct control_command *command,
                         const struct control_request *request, const struct server_zone *zone)
{
    char phrase[1200], serials[40] = "";
    if (request->has_to_serial) {
        snprintf(serials, sizeof(serials), " %u %u", request->serial.value,
                 request->to_serial.value);
    } else if (request->has_serial) {
        snprintf(serials, sizeof(serials), " %u", request->serial.value);
    }
    snprintf(phrase, sizeof(phrase), "received control channel command '%s%s%s%s'", command->name,
             zone != NULL ? " " : "", zone != NULL ? zone->label : "", serials);
    asker->note(asker, command, phrase);
}

static struct server_zone *find_zone(struct server *server, const uint8_t *name)
{
    rcu_read_begin();
    struct zone *zone =
        zone_set_get(atomic_load_explicit(&server->zone_set, memory_order_acquire), name, CLASS_IN);
    struct server_zone *found = zone == NULL ? NULL : server_zone_ref(zone->context);
    rcu_read_end();
    return found;
}

/* What the request has and the command does not take, or the other way round: a sentence, or
 * NULL. */
static const char *misfit(const struct control_command *command,
                          const struct control_request *request)
{
    if (command->zone != CONTROL_ZONE_OPTIONAL &&
        request->has_zone != (command->zone != CONTROL_ZONE_NONE)) {
        return request->has_zone ? "takes no zone" : "needs a zone";
    }
    if (request->has_serial != (command->serial != CONTROL_SERIAL_NONE) ||
        (request->has_to_serial && command->serial != CONTROL_SERIAL_ONE_OR_TWO)) {
        return command->serial == CONTROL_SERIAL_NONE  ? "takes no serial"
               : command->serial == CONTROL_SERIAL_ONE ? "takes one serial"
                                                       : "takes one serial or two";
    }
    if ((request->statements != NULL) != command->with_statements) {
        return command->with_statements ? "needs \"statements\"" : "takes no \"statements\"";
    }
    return request->has_on && !command->switches ? "is not switched on or off" : NULL;
}

void control_request_start(struct control *control, struct control_asker *asker,
                           const struct control_request *request, bool read_only)
{
    char text[NAME_TEXT_SIZE + 80], name[NAME_TEXT_SIZE];
    const struct control_command *command = control_command_find(request->command);
    struct server_zone *zone = NULL;
    const char *wrong = command == NULL ? NULL : misfit(command, request);
    if (command == NULL) {
        snprintf(text, sizeof(text), "there is no command %s", request->command);
        asker->send(asker, control_failure("unknown-command", text));
    } else if (wrong != NULL) {
        snprintf(text, sizeof(text), "%s %s", command->name, wrong);
        asker->send(asker, control_failure("bad-request", text));
    } else if (command->changes && read_only) {
        snprintf(text, sizeof(text), "%s is denied on this socket, which is read-only",
                 command->name);
        asker->send(asker, control_failure("denied", text));
    } else if (command->zone == CONTROL_ZONE_ABSENT &&
               (zone = find_zone(control->server, request->zone.wire)) != NULL) {
        snprintf(text, sizeof(text),
                 "%s is a zone of this server: take it out of the configuration",
                 name_format_log(request->zone.wire, name));
        server_zone_unref(zone);
        asker->send(asker, control_failure("configured", text));
    } else if (request->has_zone && command->zone != CONTROL_ZONE_ABSENT &&
               (zone = find_zone(control->server, request->zone.wire)) == NULL) {
        snprintf(text, sizeof(text), "%s is not a zone of this server",
                 name_format_log(request->zone.wire, name));
        asker->send(asker, control_failure("not-found", text));
    } else {
        note_command(asker, command, request, zone);
        control_job_start(control, command, request, zone, asker);
    }
}
