/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zones whose history is on disk and that are not in the ledger: they left the configuration. Their
 * history stays for a while, so that a zone that was taken out by mistake, or comes back from another
 * server, goes on where it was (its serial does not go back, secondaries get IXFR); and it does not stay
 * for ever. How long they have been absent, the store counts (store_absent.c).
 */
#include "base/clock.h"
#include "base/memory.h"
#include "ledger/ledger_impl.h"

void ledger_keep_absent(struct ledger *ledger, uint64_t keep_s)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->absent_keep_s = keep_s;
    ledger->absent_is_set = true;
    ledger->absent_asked_at = clock_now();
    pthread_cond_signal(&ledger->keeper_wakes);
    pthread_mutex_unlock(&ledger->lock);
}

static void forgotten(void *context, const uint8_t *name, uint16_t class)
{
    ledger_tell(context,
                &(struct ledger_event){.kind = LEDGER_FORGOTTEN, .name = name, .class = class});
}

struct instant ledger_look_for_absent(struct ledger *ledger, struct instant last)
{
    struct error err = {0};
    struct instant now = clock_now();
    bool is_first = last.ns == 0;
    pthread_mutex_lock(&ledger->lock);
    struct instant due = ledger->absent_asked_at.ns != 0
                             ? instant_add_ms(ledger->absent_asked_at, ABSENT_SETTLE_MS)
                             : instant_add_ms(last, ABSENT_TURN_MS);
    bool is_due = ledger->absent_is_set && !ledger->stops && !instant_before(now, due);
    uint64_t keep_s = ledger->absent_keep_s;
    if (is_due) {
        ledger->absent_asked_at = (struct instant){0};
    }
    pthread_mutex_unlock(&ledger->lock);
    if (!is_due) {
        return last;
    }
    uint64_t elapsed_s = is_first ? 0 : (uint64_t)(now.ns - last.ns) / 1000000000;
    enum result result =
        store_tend_absent(ledger->store, elapsed_s, keep_s, forgotten, ledger, &err);
    ledger_note_store(ledger, DISK_DATABASE, result, &err);
    /* What is left of a second counts the next time. */
    return is_first ? now : (struct instant){last.ns + (int64_t)(elapsed_s * 1000000000)};
}

void ledger_run_forget(struct ledger *ledger, struct forget_wish *wish)
{
    struct error err = {0};
    enum result result = store_zone_forget(ledger->store, wish->name.wire, wish->class, &err);
    if (result == OK) {
        forgotten(ledger, wish->name.wire, wish->class);
    }
    if (wish->done != NULL) {
        wish->done(wish->done_context, result, &err);
    }
}

void ledger_forget(struct ledger *ledger, const uint8_t *name, uint16_t class, ledger_done *done,
                   void *done_context)
{
    if (ledger->store == NULL) {
        struct error err = {0};
        (void)error_set(&err, ERR_NOT_FOUND, "there is no store");
        if (done != NULL) {
            done(done_context, ERR_NOT_FOUND, &err);
        }
        return;
    }
    struct keeper_job *job = memory_new_zeroed(1, sizeof(*job));
    job->kind = KEEPER_FORGET;
    job->wish = memory_new_zeroed(1, sizeof(*job->wish));
    name_copy(&job->wish->name, name);
    job->wish->class = class;
    job->wish->done = done;
    job->wish->done_context = done_context;
    ledger_give_keeper(ledger, job);
}
