/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `absent` and `forget`: zones that are not configured and of which the store still has history.
 */
#include "base/memory.h"
#include "hub/server.h"
#include "ledger/ledger.h"
#include "control/control_impl.h"

enum { ABSENT_LISTED = 1000 };

void control_absent_run(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    struct store *store = job->control->server->store;
    struct store_absent_zone *zones = memory_new(ABSENT_LISTED * sizeof(*zones));
    size_t count = store == NULL ? 0 : store_absent(store, zones, ABSENT_LISTED);
    size_t listed = count < ABSENT_LISTED ? count : ABSENT_LISTED;
    json_t *list = json_array();
    for (size_t i = 0; i < listed; i++) {
        json_array_append_new(list, control_text(name_format_log(zones[i].name.wire, name)));
    }
    memory_free(zones);
    control_job_done(
        job, json_pack("{s:o, s:I}", "zones", list, "not_listed", (json_int_t)(count - listed)));
}

static void forgotten(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if (job->failure.code != OK) {
        const char *code = job->failure.code == ERR_NOT_FOUND ? "not-found"
                           : job->failure.code == ERR_BUSY    ? "busy"
                                                              : "failed";
        control_job_fail(job, code, "%s", job->failure.text);
        return;
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "zone", control_text(name_format_log(job->absent.wire, name)));
    control_job_done(job, answer);
}

/* In the ledger's thread. */
static void forget_ended(void *context, enum result result, const struct error *err)
{
    struct control_job *job = context;
    if (result != OK) {
        job->failure = *err;
    }
    control_job_home(job, forgotten);
}

void control_forget_run(struct control_job *job)
{
    ledger_forget(job->control->server->ledger, job->absent.wire, CLASS_IN, forget_ended, job);
}
