/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions (SOA of a refresh, NOTIFY) that go over the connections which transfers use. What is sent
 * over TLS must not cost a handshake a question: a server with ten thousand zones asks its primary
 * over one connection, many questions at a time, told apart by their IDs (RFC 7766 6.2.1.1,
 * RFC 9103 6.3).
 *
 * A question belongs to the thread of its connection from the moment it is posted until it is posted
 * home with its end. Who asked may cancel it meanwhile: that only sets a mark, its memory goes when
 * it comes home.
 */
#include "base/hash.h"
#include "base/memory.h"
#include "hub/server.h"
#include "sync/transfer_in.h"
#include "sync/transfer_in_impl.h"

enum { MESSAGE_SIZE = 2048 };

struct transfer_question {
    struct transfer_question *next; /* in its connection's list, or in its primary's queue */
    struct transfer_thread *thread;
    struct primary *primary;
    struct connection *connection; /* NULL while it waits */
    struct address peer, source;
    struct tls_context *tls; /* a reference */
    struct tsig_key *key;    /* a reference, or NULL */
    struct tsig tsig;
    uint16_t padding;
    struct loop_timer deadline;
    struct instant due_at, asked_at;
    uint16_t id;       /* on the connection */
    uint16_t asked_id; /* its own */
    bool retried;
    _Atomic bool cancelled;
    struct loop *home;
    transfer_answered *done;
    void *context;
    uint8_t *reply; /* the end: this, or `err` */
    size_t reply_size;
    struct error err;
    size_t size;
    uint8_t message[];
};

static void question_free(struct transfer_question *question)
{
    tls_context_unref(question->tls);
    tsig_key_unref(question->key);
    memory_free(question->reply);
    memory_free(question);
}

/* At home. */
static void come_home(void *context)
{
    struct transfer_question *question = context;
    if (!atomic_load_explicit(&question->cancelled, memory_order_relaxed)) {
        bool failed = question->err.code != OK;
        question->done(question->context, slice_of(question->reply, question->reply_size),
                       failed ? &question->err : NULL);
    }
    question_free(question);
}

static void leave_connection(struct transfer_question *question)
{
    struct connection *connection = question->connection;
    if (connection == NULL) {
        return;
    }
    struct transfer_question **at = &connection->questions;
    while (*at != question) {
        at = &(*at)->next;
    }
    *at = question->next;
    question->connection = NULL;
    connection->question_count--;
    if (connection->stream != NULL) {
        stream_unhold(connection->stream);
    }
}

/* In no list any more; `err` NULL where there is a reply. */
static void end_question(struct transfer_question *question, const struct error *err)
{
    loop_timer_stop(question->thread->loop, &question->deadline);
    if (err != NULL) {
        question->err = *err;
    }
    if (!loop_post(question->home, come_home, question)) {
        question_free(question); /* who asked is ending, and has cancelled it */
    }
}

/* ---- waiting ---- */

static void put_waiting(struct transfer_question *question)
{
    struct primary *primary = question->primary;
    question->next = NULL;
    *primary->questions_last = question;
    primary->questions_last = &question->next;
}

static struct transfer_question *take_waiting(struct primary *primary)
{
    struct transfer_question *question = primary->questions;
    primary->questions = question->next;
    if (primary->questions == NULL) {
        primary->questions_last = &primary->questions;
    }
    return question;
}

static bool id_is_taken(const struct connection *connection, uint16_t id)
{
    for (const struct transfer_question *one = connection->questions; one != NULL;
         one = one->next) {
        if (one->id == id) {
            return true;
        }
    }
    return false;
}

bool transfer_id_is_taken(const struct connection *connection, uint16_t id)
{
    for (const struct transfer *one = connection->transfers; one != NULL; one = one->next) {
        if (one->id == id) {
            return true;
        }
    }
    return id_is_taken(connection, id);
}

static enum result send_question(struct transfer_question *question, struct connection *connection,
                                 struct error *err)
{
    uint8_t buffer[MESSAGE_SIZE];
    do {
        question->id = (uint16_t)random_u64();
    } while (transfer_id_is_taken(connection, question->id));
    memcpy(buffer, question->message, question->size);
    put_u16(buffer, question->id);
    size_t size = transfer_dress_request(connection, buffer, question->size, sizeof(buffer),
                                         question->key, false, question->padding);
    if (question->key != NULL) {
        size = tsig_sign_request(&question->tsig, question->key, buffer, size, sizeof(buffer),
                                 clock_wall_s());
    }
    enum result result = stream_send(connection->stream, slice_of(buffer, size));
    if (result != OK) {
        return error_set(err, result, "the connection does not take another question");
    }
    question->asked_at = clock_now();
    question->connection = connection;
    question->next = connection->questions;
    connection->questions = question;
    connection->question_count++;
    stream_hold(connection->stream);
    return OK;
}

void questions_start_waiting(struct primary *primary)
{
    while (primary->questions != NULL) {
        struct error err = {0};
        if (atomic_load_explicit(&primary->questions->cancelled, memory_order_relaxed)) {
            end_question(take_waiting(primary), NULL);
            continue;
        }
        struct connection *connection = transfer_find_connection(primary, true, &err);
        if (connection == NULL && err.code == OK) {
            return;
        }
        struct transfer_question *question = take_waiting(primary);
        if (connection == NULL || send_question(question, connection, &err) != OK) {
            end_question(question, &err);
        }
    }
}

void questions_fail_waiting(struct primary *primary, const struct error *err)
{
    while (primary->questions != NULL) {
        end_question(take_waiting(primary), err);
    }
}

/* ---- what comes of a question ---- */

static void question_overdue(void *context)
{
    struct transfer_question *question = context;
    struct primary *primary = question->primary;
    struct connection *connection = question->connection;
    struct error err = {0};
    if (connection == NULL) {
        struct transfer_question **at = &primary->questions;
        while (*at != question) {
            at = &(*at)->next;
        }
        *at = question->next;
        if (question->next == NULL) {
            primary->questions_last = at;
        }
        error_set(&err, ERR_TIMEOUT, "timed out before there was a connection");
        end_question(question, &err);
        return;
    }
    /* A connection on which nothing at all came since is a dead one. */
    bool silent = instant_before(connection->heard_at, question->asked_at);
    leave_connection(question);
    error_set(&err, ERR_TIMEOUT, "timed out");
    end_question(question, &err);
    if (silent) {
        transfer_abandon(connection, "closed after a question had no answer in time");
    } else {
        transfer_start_waiting(primary);
    }
}

void question_answered(struct connection *connection, struct slice message)
{
    struct transfer_question *question = connection->questions;
    while (question != NULL && question->id != get_u16(message.data)) {
        question = question->next;
    }
    if (question == NULL) {
        return;
    }
    struct primary *primary = connection->primary;
    connection->proved = true;
    leave_connection(question);
    struct error err = {0};
    if (question->key != NULL &&
        tsig_verify_response(&question->tsig, message, clock_wall_s(), &err) != OK) {
        end_question(question, &err);
    } else {
        question->reply = memory_new(message.size);
        memcpy(question->reply, message.data, message.size);
        put_u16(question->reply, question->asked_id);
        question->reply_size = message.size;
        end_question(question, NULL);
    }
    transfer_start_waiting(primary);
}

void questions_lost(struct transfer_question *questions, bool ask_again, const struct error *err)
{
    while (questions != NULL) {
        struct transfer_question *question = questions;
        questions = question->next;
        question->connection = NULL;
        if (ask_again && !question->retried) {
            question->retried = true;
            put_waiting(question);
        } else {
            end_question(question, err);
        }
    }
}

/* ---- from who asks ---- */

static void run_ask(void *context)
{
    struct transfer_question *question = context;
    loop_timer_set(question->thread->loop, &question->deadline, question->due_at);
    question->primary =
        transfer_find_primary(question->thread, &question->peer, &question->source, question->tls);
    put_waiting(question);
    transfer_start_waiting(question->primary);
}

struct transfer_question *transfer_in_ask(struct transfers *transfers,
                                          const struct transfer_ask *ask)
{
    REQUIRE(ask->message.size >= 12 && ask->message.size + 256 <= MESSAGE_SIZE);
    struct transfer_question *question =
        memory_new_zeroed(1, sizeof(*question) + ask->message.size);
    question->thread = transfer_thread_for(transfers, ask->peer);
    question->peer = *ask->peer;
    question->source = *ask->source;
    question->tls = tls_context_ref(ask->tls);
    question->key = tsig_key_ref(ask->key);
    question->padding = ask->padding;
    question->home = ask->home;
    question->done = ask->done;
    question->context = ask->context;
    question->due_at = instant_add_ms(clock_now(), ask->wait_ms);
    question->asked_id = get_u16(ask->message.data);
    question->size = ask->message.size;
    memcpy(question->message, ask->message.data, ask->message.size);
    loop_timer_init(&question->deadline, question_overdue, question);
    if (!loop_post(question->thread->loop, run_ask, question)) {
        question_free(question);
        return NULL;
    }
    return question;
}

void transfer_question_cancel(struct transfer_question *question)
{
    if (question != NULL) {
        atomic_store_explicit(&question->cancelled, true, memory_order_relaxed);
    }
}
