/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the parts of control: connections (control_client.c) carry lines, commands
 * (control_command.c, control_status.c) see only a job: what is asked, and where the answer goes.
 * Everything belongs to the control thread unless it says otherwise.
 */
#ifndef CONTROL_CONTROL_IMPL_H
#define CONTROL_CONTROL_IMPL_H

#include <jansson.h>
#include <pthread.h>

#include "base/text.h"
#include "control/control.h"
#include "control/control_request.h"
#include "control/control_socket.h"
#include "net/loop.h"
#include "sync/sync_report.h"

struct control_client;
struct control_command;
struct control_job;

/* Who asked and waits for the answer: a connection of one kind or another. */
struct control_asker {
    struct control_job *job; /* that runs for it; or NULL */
    /* One line of the answer; takes `object`. */
    void (*send)(struct control_asker *asker, json_t *object);
    /* A command is about to run: tells the log who wants it. */
    void (*note)(struct control_asker *asker, const struct control_command *command,
                 const char *phrase);
    /* Is there room for further parts? */
    bool (*has_room)(struct control_asker *asker);
    /* The job is done. The asker may be gone when this returns. */
    void (*done)(struct control_asker *asker);
};

enum { CONTROL_SOCKETS_MAX = 8, CONTROL_CLIENTS_MAX = 32 };

/* A socket that listens. */
struct control_door {
    struct control *control;
    struct control_socket_options options;
    int fd; /* -1: closed */
    struct loop_watch watch;
};

struct rndc_door;
struct rndc_client;

struct control {
    struct server *server;
    const struct control_orders *orders;
    struct loop *loop;
    pthread_t thread;
    bool running;
    struct control_door doors[CONTROL_SOCKETS_MAX];
    unsigned door_count;
    struct loop_timer pause; /* no descriptors left: looks away for a moment */
    struct control_client *clients;
    unsigned client_count;
    struct control_job *jobs;
    struct rndc_door *rndc_doors; /* rndc_client.c, these four */
    unsigned rndc_door_count;
    struct rndc_client *rndc_clients;
    unsigned rndc_client_count;
};

/* ---- commands ---- */

/* CONTROL_ZONE_ABSENT: the name of one that is not this server's. */
enum control_zone_use {
    CONTROL_ZONE_NONE,
    CONTROL_ZONE_OPTIONAL,
    CONTROL_ZONE_NEEDED,
    CONTROL_ZONE_ABSENT
};
enum control_serial_use { CONTROL_SERIAL_NONE, CONTROL_SERIAL_ONE, CONTROL_SERIAL_ONE_OR_TWO };

struct control_command {
    const char *name;
    enum control_zone_use zone;
    enum control_serial_use serial;
    bool switches; /* may have `on` */
    bool changes;  /* denied on a read-only socket, logged */
    /* Ends, now or later, with one control_job_done or control_job_fail. */
    void (*run)(struct control_job *job);
    bool with_statements; /* needs `statements` */
};

/* NULL: no such command. */
const struct control_command *control_command_find(const char *name);
void control_status_run(struct control_job *job);
void control_zones_run(struct control_job *job);
void control_history_run(struct control_job *job);
void control_diff_run(struct control_job *job);
void control_rollback_run(struct control_job *job);
void control_adopt_serial_run(struct control_job *job);
void control_keys_run(struct control_job *job);
void control_absent_run(struct control_job *job);
void control_forget_run(struct control_job *job);
void control_release_run(struct control_job *job);
void control_discard_run(struct control_job *job);
void control_change_zone_run(struct control_job *job);
void control_showzone_run(struct control_job *job);
void control_stats_run(struct control_job *job);
void control_dumpdb_run(struct control_job *job);
/* Reads the file of the job's zone again, and answers as `reload ZONE` does. */
void control_reload_zone(struct control_job *job);

/* ---- jobs ---- */

struct control_job {
    struct control *control;
    const struct control_command *command;
    struct server_zone *zone;    /* a reference, or NULL */
    struct name absent;          /* of CONTROL_ZONE_ABSENT */
    struct control_asker *asker; /* NULL: it has gone, nobody wants the answer */
    struct control_job *next, **link;
    struct serial asked[2]; /* serials that the request names */
    unsigned asked_count;
    bool has_on, on;
    char *statements; /* of a zone; or NULL */

    /* Of the command that runs. */
    void (*more)(struct control_job *job); /* called when the asker has taken what waits */
    void (*step)(struct control_job *job); /* where control_job_home leads */
    struct control_walk *walk;
    struct control_past *past;
    struct sync_report report;
    struct error failure;
    json_t *answer;       /* members that another thread put together; or NULL */
    struct serial serial; /* before the reload, where had_serial */
    bool had_serial;
};

/* What the request asks for: runs it, or sends why not as the only line of the answer, without a
 * job. Where `read_only`, nothing that changes something. */
void control_request_start(struct control *control, struct control_asker *asker,
                           const struct control_request *request, bool read_only);
/* That line. */
json_t *control_failure(const char *error, const char *text);
/* Runs the request for the asker; it may be done with when this returns. `zone` is taken. */
void control_job_start(struct control *control, const struct control_command *command,
                       const struct control_request *request, struct server_zone *zone,
                       struct control_asker *asker);
/* Where somebody waits for more parts of the answer. */
bool control_job_has_room(const struct control_job *job);
/* Any thread: `step` runs in the control thread. Where that has ended, the job waits for
 * control_free. */
void control_job_home(struct control_job *job, void (*step)(struct control_job *job));
/* A line that is not the last; takes `members`. */
void control_job_part(struct control_job *job, json_t *members);
/* The last line, with these members (taken, may be NULL); the job is gone. */
void control_job_done(struct control_job *job, json_t *members);
/* error  a word for programs (docs/control.md) */
void control_job_fail(struct control_job *job, const char *error, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The asker has room again, or has gone (then the job ends soon). */
void control_job_want_more(struct control_job *job);
void control_job_free(struct control_job *job);

/* Asks the sync thread for job->report about job->zone, with details; then `step`. */
void control_job_ask_report(struct control_job *job, void (*step)(struct control_job *job));

/* The rest of a list of zones that is being told. NULL is fine. */
struct control_walk;
void control_walk_free(struct control_walk *walk);
/* What was found in a zone's history. NULL is fine. */
struct control_past;
void control_past_free(struct control_past *past);

/* Of `status`: what is used of each limit. */
struct settings;
json_t *control_limits_object(struct server *server, const struct settings *settings);

/* Of `status`: what was answered; of a zone NULL where it is not counted apart. */
struct server_zone;
json_t *control_answers_object(const struct server *server);
json_t *control_zone_answers_object(const struct server_zone *zone);

/* Never NULL: octets that are not UTF-8 are replaced. */
json_t *control_text(const char *text);

/* ---- connections ---- */

/* Takes the descriptor. */
void control_client_new(struct control_door *door, int fd);
void control_client_free(struct control_client *client);

#endif
