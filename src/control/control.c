/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control: a thread of its own, so that neither answering nor synchronization waits for an
 * operator, nor one operator for the other's long list. It owns nothing but its connections and
 * jobs. What a command wants from another thread goes there as a posted message and comes home the
 * same way; the job is the message, and stays in the list until it is done, so that whatever is
 * lost on the way when the server ends is freed by control_free.
 *
 * Who may: the socket's permissions decide, and at each connection the kernel is asked who it is
 * (control_socket.h). Every command that changes something is logged with uid, gid and pid.
 */
#include "control/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/control_impl.h"
#include "control/rndc_client.h"
#include "hub/server.h"
#include "zones/zones.h"

enum { ACCEPT_BATCH = 16, PAUSE_MS = 200 };

/* ---- jobs ---- */

json_t *control_text(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    char *copy = memory_strdup(text);
    for (char *p = copy; *p != '\0'; p++) {
        if ((*p & 0x80) != 0) {
            *p = '?';
        }
    }
    value = json_string(copy);
    memory_free(copy);
    return value;
}

json_t *control_failure(const char *error, const char *text)
{
    json_t *object = json_pack("{s:i, s:b, s:b, s:s}", "version", CONTROL_VERSION, "done", 1, "ok",
                               0, "error", error);
    json_object_set_new(object, "text", control_text(text));
    return object;
}

void control_job_start(struct control *control, const struct control_command *command,
                       const struct control_request *request, struct server_zone *zone,
                       struct control_asker *asker)
{
    struct control_job *job = memory_new_zeroed(1, sizeof(*job));
    job->control = control;
    job->command = command;
    job->zone = zone;
    if (request->has_zone) {
        job->absent = request->zone;
    }
    job->asker = asker;
    job->asked[0] = request->serial;
    job->asked[1] = request->to_serial;
    job->has_on = request->has_on;
    job->on = request->on;
    job->statements = request->statements == NULL ? NULL : memory_strdup(request->statements);
    job->asked_count = request->has_to_serial ? 2 : request->has_serial ? 1 : 0;
    job->next = control->jobs;
    job->link = &control->jobs;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    control->jobs = job;
    asker->job = job;
    command->run(job);
}

void control_job_free(struct control_job *job)
{
    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    }
    control_walk_free(job->walk);
    control_past_free(job->past);
    sync_report_deinit(&job->report);
    json_decref(job->answer);
    memory_free(job->statements);
    server_zone_unref(job->zone);
    memory_free(job);
}

bool control_job_has_room(const struct control_job *job)
{
    return job->asker != NULL && job->asker->has_room(job->asker);
}

static void come_home(void *context)
{
    struct control_job *job = context;
    job->step(job);
}

void control_job_home(struct control_job *job, void (*step)(struct control_job *job))
{
    job->step = step;
    if (!loop_post(job->control->loop, come_home, job)) {
        /* the thread has ended; the job is in its list */
    }
}

void control_job_part(struct control_job *job, json_t *members)
{
    json_object_set_new(members, "done", json_false());
    if (job->asker == NULL) {
        json_decref(members);
    } else {
        job->asker->send(job->asker, members);
    }
}

static void finish_job(struct control_job *job, json_t *last)
{
    struct control_asker *asker = job->asker;
    control_job_free(job);
    if (asker == NULL) {
        json_decref(last);
    } else {
        asker->send(asker, last);
        asker->job = NULL;
        asker->done(asker);
    }
}

static json_t *last_line(const struct control_job *job, bool ok)
{
    return json_pack("{s:i, s:s, s:b, s:b}", "version", CONTROL_VERSION, "command",
                     job->command->name, "done", 1, "ok", (int)ok);
}

void control_job_done(struct control_job *job, json_t *members)
{
    json_t *last = last_line(job, true);
    if (members != NULL) {
        json_object_update(last, members);
        json_decref(members);
    }
    finish_job(job, last);
}

void control_job_fail(struct control_job *job, const char *error, const char *format, ...)
{
    char text[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_t *last = last_line(job, false);
    json_object_set_new(last, "error", json_string(error));
    json_object_set_new(last, "text", control_text(text));
    finish_job(job, last);
}

void control_job_want_more(struct control_job *job)
{
    if (job->more != NULL) {
        job->more(job);
    }
}

/* In the sync thread. */
static void report_filled(void *context)
{
    struct control_job *job = context;
    control_job_home(job, job->step);
}

void control_job_ask_report(struct control_job *job, void (*step)(struct control_job *job))
{
    job->report.zone = job->zone;
    job->step = step;
    if (!sync_report_ask(job->control->server->sync, &job->report, 1, true, report_filled, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

/* ---- connections ---- */

static void pause_over(void *context)
{
    struct control *control = context;
    for (unsigned i = 0; i < control->door_count; i++) {
        loop_watch_set(control->loop, &control->doors[i].watch, LOOP_READ);
    }
}

static void pause_accepting(struct control *control)
{
    for (unsigned i = 0; i < control->door_count; i++) {
        loop_watch_set(control->loop, &control->doors[i].watch, 0);
    }
    loop_timer_set(control->loop, &control->pause,
                   instant_add_ms(loop_now(control->loop), PAUSE_MS));
}

static void door_ready(void *context, unsigned events)
{
    struct control_door *door = context;
    (void)events;
    for (unsigned left = ACCEPT_BATCH; left > 0; left--) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            control_client_new(door, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(door->control);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* ---- life ---- */

static void *control_main(void *context)
{
    struct control *control = context;
    server_thread_begin("control");
    loop_run(control->loop);
    return NULL;
}

static enum result open_door(struct control *control, const struct control_socket_options *options,
                             struct error *err)
{
    struct control_door *door = &control->doors[control->door_count];
    door->control = control;
    door->options = *options;
    enum result result = control_socket_open(options, &door->fd, err);
    if (result != OK) {
        return result;
    }
    control->door_count++;
    return loop_watch_add(control->loop, &door->watch, door->fd, LOOP_READ, door_ready, door, err);
}

static enum result open_doors(struct control *control, uid_t uid, gid_t gid, struct error *err)
{
    struct settings *settings = server_settings(control->server);
    enum result result = OK;
    for (uint32_t i = 0; result == OK; i++) {
        struct control_socket_options options;
        struct error why = {0};
        result = control_socket_find(settings->conf, i, uid, gid, &options, &why);
        if (result == ERR_NOT_FOUND) {
            result = OK;
            break;
        }
        if (result == OK && control->door_count == CONTROL_SOCKETS_MAX) {
            result = error_set(&why, ERR_LIMIT, "at most %d control sockets", CONTROL_SOCKETS_MAX);
        } else if (result == OK) {
            result = open_door(control, &options, &why);
        }
        if (result != OK && options.is_default) {
            char phrase[800];
            snprintf(phrase, sizeof(phrase), "no control socket: %s", why.text);
            LOG_EVENT(control->server->logging, LOG_WARNING, LOG_GENERAL, "control_failed", phrase,
                      LOG_KEY("action", "going on; lockstep(1) cannot reach this server"));
            result = OK;
            break;
        }
        if (result != OK && err != NULL) {
            *err = why;
        }
    }
    settings_unref(settings);
    return result;
}

enum result control_open(struct server *server, const char *user,
                         const struct control_orders *orders, struct control **out,
                         struct error *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (user != NULL && uid == 0) {
        const struct passwd *entry = getpwnam(user);
        if (entry != NULL) {
            uid = entry->pw_uid;
            gid = entry->pw_gid;
        }
    }
    struct control *control = memory_new_zeroed(1, sizeof(*control));
    control->server = server;
    control->orders = orders;
    for (unsigned i = 0; i < CONTROL_SOCKETS_MAX; i++) {
        control->doors[i].fd = -1;
    }
    loop_timer_init(&control->pause, pause_over, control);
    enum result result = loop_new(&control->loop, err);
    if (result == OK) {
        result = open_doors(control, uid, gid, err);
    }
    if (result == OK) {
        struct settings *settings = server_settings(server);
        rndc_doors_open(control, settings);
        settings_unref(settings);
    }
    if (result != OK) {
        control_free(control);
        return result;
    }
    *out = control;
    return OK;
}

enum result control_start(struct control *control, struct error *err)
{
    rndc_doors_start(control);
    if (pthread_create(&control->thread, NULL, control_main, control) != 0) {
        return error_set_os(err, ERR_IO, "cannot start the control thread");
    }
    control->running = true;
    for (unsigned i = 0; i < control->door_count; i++) {
        const struct control_socket_options *options = &control->doors[i].options;
        char phrase[200];
        snprintf(phrase, sizeof(phrase), "command channel listening on %s", options->path);
        LOG_EVENT(control->server->logging, LOG_INFO, LOG_NETWORK, "control_listening", phrase,
                  LOG_NUM("uid", options->owner), LOG_NUM("gid", options->group));
    }
    return OK;
}

void control_stop(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (unsigned i = 0; i < control->door_count; i++) {
        (void)unlink(control->doors[i].options.path);
    }
    if (control->running) {
        loop_stop(control->loop);
        pthread_join(control->thread, NULL);
        control->running = false;
    }
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    control_stop(control);
    while (control->jobs != NULL) {
        struct control_job *job = control->jobs;
        if (job->asker != NULL) {
            job->asker->job = NULL;
        }
        control_job_free(job);
    }
    while (control->clients != NULL) {
        control_client_free(control->clients);
    }
    for (unsigned i = 0; i < control->door_count; i++) {
        loop_watch_remove(control->loop, &control->doors[i].watch);
        close(control->doors[i].fd);
    }
    rndc_doors_free(control);
    loop_free(control->loop);
    memory_free(control);
}
