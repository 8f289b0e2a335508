/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of rndc.
 *
 * Before an octet is read the address must be one of `allow`. Then each message must be signed with
 * one of `keys`, be no answer, and not be older or newer than SKEW_S. The first, `null`, fetches a
 * number that was made for this connection; every command must carry it, so that nothing that was
 * overheard can be sent again on another connection. (libisccc keeps a table of serial numbers
 * besides, which the number makes unnecessary.) Who fails at any of this is hung up on, without a
 * word, and the log has the reason: that is how named does it, and what rndc explains to its user.
 *
 * A connection has one request at a time; what comes meanwhile waits unread. It costs at most
 * RNDC_REQUEST_MAX and the longest answer, there are at most CLIENTS_MAX, and each has IDLE_MS for
 * its next request and WRITE_MS for taking something of its answer.
 */
#include "control/rndc_client.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/rndc_message.h"
#include "control/rndc_words.h"
#include "hub/server.h"
#include "net/listener.h"

enum {
    CLIENTS_MAX = 32,
    LENGTH_OCTETS = 4,
    READ_BYTES = 4096,
    SKEW_S = 300,
    IDLE_MS = 60000,
    WRITE_MS = 30000,
};

struct rndc_door {
    struct control *control;
    struct listener listener;
    struct address address; /* as configured: its `controls` statement is found by it */
};

struct rndc_client {
    struct control_asker asker;
    struct control *control;
    struct rndc_door *door;
    struct rndc_client *next, **link;
    int fd;
    struct address peer;
    struct loop_watch watch;
    struct loop_timer timer;
    struct text in, out;
    size_t sent; /* of out */
    uint32_t nonce;
    bool has_nonce; /* it was told */
    bool closing;   /* after what is queued */
    bool broken;
    bool busy; /* in settle() */

    /* Of the request under way. */
    struct hmac_key key;
    bool has_key;
    struct rndc_message request; /* borrows from `in` */
    struct rndc_line line;
};

static void settle(struct rndc_client *client);

/* ---- the log ---- */

static void tell_refusal(const struct rndc_client *client, const char *why)
{
    char phrase[600], from[ADDRESS_TEXT_SIZE];
    snprintf(phrase, sizeof(phrase), "invalid command from %s: %s",
             address_format(&client->peer, true, from), why);
    LOG_EVENT_LIMITED(client->control->server->logging, LOG_WARNING, LOG_SECURITY,
                      "control_refused", phrase, LOG_KEY("peer", from));
}

/* ---- out ---- */

static void write_out(struct rndc_client *client)
{
    while (client->sent < client->out.size && !client->broken) {
        ssize_t size = send(client->fd, client->out.bytes + client->sent,
                            client->out.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) {
            client->sent += (size_t)size;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            client->broken = true;
        }
    }
    if (client->sent == client->out.size) {
        text_reset(&client->out);
        client->sent = 0;
    }
}

static void drop_request(struct rndc_client *client)
{
    if (client->has_key) {
        hmac_key_deinit(&client->key);
        client->has_key = false;
        const struct slice *end = &client->request.signed_part;
        size_t whole = (size_t)(end->data + end->size - (const uint8_t *)client->in.bytes);
        memmove(client->in.bytes, client->in.bytes + whole, client->in.size - whole);
        client->in.size -= whole;
    }
}

static void reply(struct rndc_client *client, enum rndc_result result, const struct text *text)
{
    struct rndc_reply answer = {
        .nonce = client->nonce,
        .now_s = clock_wall_s(),
        .result = result,
        .failure = rndc_result_sentence(result),
        .text = text->size == 0 ? NULL : text_str(text),
    };
    rndc_reply_write(&answer, &client->request, &client->key, &client->out);
    drop_request(client);
    write_out(client);
}

/* ---- as jobs see it ---- */

static struct rndc_client *client_of(struct control_asker *asker)
{
    return (struct rndc_client *)((char *)asker - offsetof(struct rndc_client, asker));
}

static void asker_send(struct control_asker *asker, json_t *object)
{
    struct rndc_client *client = client_of(asker);
    if (json_is_true(json_object_get(object, "done"))) {
        struct text text;
        text_init(&text, RNDC_REPLY_TEXT_MAX);
        enum rndc_result result = rndc_answer_text(&client->line, object, &text);
        reply(client, result, &text);
        text_deinit(&text);
    }
    json_decref(object);
}

static void asker_note(struct control_asker *asker, const struct control_command *command,
                       const char *phrase)
{
    struct rndc_client *client = client_of(asker);
    char from[ADDRESS_TEXT_SIZE];
    LOG_EVENT(client->control->server->logging, command->changes ? LOG_INFO : LOG_DEBUG,
              LOG_GENERAL, "control_command", phrase,
              LOG_KEY("peer", address_format(&client->peer, true, from)));
}

static bool asker_has_room(struct control_asker *asker)
{
    (void)asker;
    return true; /* parts are left out */
}

static void asker_done(struct control_asker *asker)
{
    settle(client_of(asker));
}

/* ---- requests ---- */

static const struct conf_control *find_control(const struct settings *settings,
                                               const struct address *address)
{
    for (uint32_t i = 0; i < settings->conf->control_count; i++) {
        const struct conf_control *control = &settings->conf->controls[i];
        if (!control->is_unix && address_equal(&control->address, address)) {
            return control;
        }
    }
    return NULL;
}

/* The key that it is signed with, made ready; or false. */
static bool find_key(struct rndc_client *client, const struct conf_control *control,
                     const struct rndc_message *message)
{
    static const enum hmac_algorithm algorithms[] = {
        [CONF_HMAC_MD5] = HMAC_MD5,       [CONF_HMAC_SHA1] = HMAC_SHA1,
        [CONF_HMAC_SHA224] = HMAC_SHA224, [CONF_HMAC_SHA256] = HMAC_SHA256,
        [CONF_HMAC_SHA384] = HMAC_SHA384, [CONF_HMAC_SHA512] = HMAC_SHA512};
    for (uint32_t i = 0; i < control->key_count; i++) {
        const struct conf_key *key = control->keys[i];
        if (key == NULL || algorithms[key->algorithm] != message->algorithm) {
            continue;
        }
        hmac_key_init(&client->key, algorithms[key->algorithm],
                      slice_of(key->secret, key->secret_size));
        if (rndc_message_is_signed(message, &client->key)) {
            client->has_key = true;
            return true;
        }
        hmac_key_deinit(&client->key);
    }
    return false;
}

/* Why it is not taken, or NULL. With the key found `client` has it. */
static const char *refusal(struct rndc_client *client, const struct conf_control *control,
                           const struct rndc_message *message)
{
    uint64_t time, expiry, nonce;
    uint64_t now = (uint64_t)clock_wall_s();
    if (control == NULL || !find_key(client, control, message)) {
        return "bad auth: no key of this channel signed it";
    }
    if (message->is_reply.data != NULL) {
        return "it is an answer";
    }
    if (!rndc_number(message->time, &time) || !rndc_number(message->expiry, &expiry) ||
        time > now + SKEW_S || time + SKEW_S < now) {
        return "clock skew: its clock and ours differ by more than 300 s";
    }
    if (expiry < now) {
        return "expired";
    }
    bool is_null = message->command.size == 4 && memcmp(message->command.data, "null", 4) == 0;
    if (message->nonce.data == NULL ? !is_null
                                    : !client->has_nonce || !rndc_number(message->nonce, &nonce) ||
                                          nonce != client->nonce) {
        return "bad auth: not made for this connection";
    }
    return NULL;
}

static void run_line(struct rndc_client *client, bool read_only)
{
    enum rndc_result result;
    struct text text;
    text_init(&text, RNDC_REPLY_TEXT_MAX);
    rndc_line_deinit(&client->line);
    enum rndc_outcome outcome =
        rndc_line_read(client->request.command, &client->line, &result, &text);
    if (outcome == RNDC_REFUSED) {
        reply(client, result, &text);
    } else if (read_only && !rndc_line_only_reads(&client->line)) {
        reply(client, RNDC_NO_PERMISSION, &text);
    } else if (outcome == RNDC_IS_DONE) {
        reply(client, RNDC_DONE, &text);
    } else {
        control_request_start(client->control, &client->asker, &client->line.request, false);
    }
    text_deinit(&text);
}

static void take_message(struct rndc_client *client, struct slice octets)
{
    struct error err = {0};
    struct settings *settings = server_settings(client->control->server);
    const struct conf_control *control = find_control(settings, &client->door->address);
    const char *why = NULL;
    if (rndc_message_read(octets, &client->request, &err) != OK) {
        why = err.text;
    } else {
        why = refusal(client, control, &client->request);
    }
    bool read_only = control != NULL && control->read_only;
    settings_unref(settings);
    if (why != NULL) {
        tell_refusal(client, why);
        client->broken = true;
    } else if (client->request.nonce.data == NULL) {
        client->has_nonce = true;
        reply(client, RNDC_DONE, &(struct text){0});
    } else if (client->request.command.size == 4 &&
               memcmp(client->request.command.data, "null", 4) == 0) {
        reply(client, RNDC_DONE, &(struct text){0});
    } else {
        run_line(client, read_only);
    }
}

/* Takes one message out of the buffer, if there is a whole one. */
static bool next_message(struct rndc_client *client)
{
    const uint8_t *in = (const uint8_t *)client->in.bytes;
    if (client->in.size < LENGTH_OCTETS) {
        return false;
    }
    uint32_t size = (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
    if (size > RNDC_REQUEST_MAX) {
        tell_refusal(client, "the message is too long");
        client->broken = true;
        return false;
    }
    if (client->in.size - LENGTH_OCTETS < size) {
        return false;
    }
    take_message(client, slice_of(in + LENGTH_OCTETS, size));
    return !client->broken;
}

/* ---- events ---- */

static void client_free(struct rndc_client *client)
{
    struct control_job *job = client->asker.job;
    if (job != NULL) {
        job->asker = NULL;
        control_job_want_more(job);
    }
    loop_watch_remove(client->control->loop, &client->watch);
    loop_timer_stop(client->control->loop, &client->timer);
    close(client->fd);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    client->control->rndc_client_count--;
    if (client->has_key) {
        hmac_key_deinit(&client->key);
    }
    rndc_line_deinit(&client->line);
    text_deinit(&client->in);
    text_deinit(&client->out);
    memory_free(client);
}

/* The time it has begins anew with whatever happens. */
static void watch_state(struct rndc_client *client)
{
    struct instant due = INSTANT_NEVER;
    bool reads = client->asker.job == NULL && !client->closing &&
                 client->in.size < LENGTH_OCTETS + RNDC_REQUEST_MAX;
    loop_watch_set(client->control->loop, &client->watch,
                   (reads ? LOOP_READ : 0u) | (client->out.size != 0 ? LOOP_WRITE : 0u));
    if (client->out.size != 0) {
        due = instant_add_ms(clock_now(), WRITE_MS);
    } else if (client->asker.job == NULL) {
        due = instant_add_ms(clock_now(), IDLE_MS);
    }
    loop_timer_set(client->control->loop, &client->timer, due);
}

static void settle(struct rndc_client *client)
{
    if (client->busy) {
        return;
    }
    client->busy = true;
    while (client->asker.job == NULL && !client->broken && client->out.size == 0 &&
           next_message(client)) {
    }
    client->busy = false;
    if (client->broken || (client->closing && client->asker.job == NULL && client->out.size == 0)) {
        client_free(client);
        return;
    }
    watch_state(client);
}

static void client_ready(void *context, unsigned events)
{
    struct rndc_client *client = context;
    if ((events & LOOP_READ) != 0) {
        char bytes[READ_BYTES];
        ssize_t size = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size > 0) {
            text_add(&client->in, bytes, (size_t)size);
        } else if (size == 0) {
            client->closing = true;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            client->broken = true;
        }
    } else if ((events & LOOP_ERROR) != 0) {
        client->broken = true;
    }
    if ((events & LOOP_WRITE) != 0) {
        write_out(client);
    }
    settle(client);
}

static void client_late(void *context)
{
    struct rndc_client *client = context;
    client->broken = true;
    settle(client);
}

static bool is_allowed(const struct rndc_door *door, const struct address *peer)
{
    struct settings *settings = server_settings(door->control->server);
    const struct conf_control *control = find_control(settings, &door->address);
    struct acl_subject subject = {.peer = peer, .transport = ACL_TCP};
    own_addresses_describe(settings_own(settings), &subject);
    bool allowed = control != NULL && acl_match(control->allow, &subject).allowed;
    settings_unref(settings);
    return allowed;
}

static void accepted(void *context, int fd, const struct address *peer, const struct address *local)
{
    struct rndc_door *door = context;
    struct control *control = door->control;
    (void)local;
    bool is_crowded = control->rndc_client_count >= CLIENTS_MAX;
    struct rndc_client *client = memory_new_zeroed(1, sizeof(*client));
    client->control = control;
    client->door = door;
    client->fd = fd;
    client->peer = *peer;
    client->asker = (struct control_asker){
        .send = asker_send, .note = asker_note, .has_room = asker_has_room, .done = asker_done};
    text_init(&client->in, 0);
    text_init(&client->out, 0);
    loop_timer_init(&client->timer, client_late, client);
    client->next = control->rndc_clients;
    client->link = &control->rndc_clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    control->rndc_clients = client;
    control->rndc_client_count++;
    if (!is_allowed(door, peer)) {
        tell_refusal(client, "its address is not one of `allow`");
        client->broken = true;
    } else if (is_crowded) {
        tell_refusal(client, "too many connections");
        client->broken = true;
    } else if (getrandom(&client->nonce, sizeof(client->nonce), 0) != sizeof(client->nonce) ||
               loop_watch_add(control->loop, &client->watch, fd, LOOP_READ, client_ready, client,
                              NULL) != OK) {
        client->broken = true;
    }
    client->nonce |= 1; /* nought is none */
    settle(client);
}

/* ---- life ---- */

static void open_door(struct control *control, const struct conf_control *statement)
{
    struct rndc_door *door = &control->rndc_doors[control->rndc_door_count];
    struct listener_options options = {.local = statement->address, .backlog = CLIENTS_MAX};
    struct error err = {0};
    char phrase[800], text[ADDRESS_TEXT_SIZE];
    if (options.local.family == 0) {
        options.local.family = 4; /* `*`, as in named */
    }
    address_format(&options.local, true, text);
    enum result result =
        statement->key_count == 0
            ? error_set(&err, ERR_DENIED, "it has no keys: write `keys { NAME; }` behind it")
            : listener_open(&options, &door->listener, &err);
    if (result != OK) {
        snprintf(phrase, sizeof(phrase), "couldn't add command channel %s: %s", text, err.text);
        LOG_EVENT(control->server->logging, LOG_WARNING, LOG_GENERAL, "control_failed", phrase,
                  LOG_KEY("action", "going on; rndc(8) cannot reach this server there"));
        return;
    }
    door->control = control;
    door->address = statement->address;
    control->rndc_door_count++;
}

void rndc_doors_open(struct control *control, const struct settings *settings)
{
    const struct conf *conf = settings->conf;
    control->rndc_doors = memory_new_zeroed(conf->control_count, sizeof(control->rndc_doors[0]));
    for (uint32_t i = 0; i < conf->control_count; i++) {
        if (!conf->controls[i].is_unix) {
            open_door(control, &conf->controls[i]);
        }
    }
}

void rndc_doors_start(struct control *control)
{
    for (unsigned i = 0; i < control->rndc_door_count; i++) {
        struct rndc_door *door = &control->rndc_doors[i];
        struct error err = {0};
        char phrase[200], text[ADDRESS_TEXT_SIZE];
        address_format(&door->listener.local, true, text);
        if (listener_start(&door->listener, control->loop, accepted, NULL, door, &err) != OK) {
            LOG_EVENT(control->server->logging, LOG_WARNING, LOG_GENERAL, "control_failed",
                      err.text, LOG_KEY("action", "going on; rndc(8) cannot reach this server"));
            continue;
        }
        snprintf(phrase, sizeof(phrase), "command channel listening on %s", text);
        LOG_EVENT(control->server->logging, LOG_INFO, LOG_NETWORK, "control_listening", phrase,
                  LOG_KEY("protocol", "rndc"));
    }
}

void rndc_doors_free(struct control *control)
{
    while (control->rndc_clients != NULL) {
        client_free(control->rndc_clients);
    }
    for (unsigned i = 0; i < control->rndc_door_count; i++) {
        listener_close(&control->rndc_doors[i].listener);
    }
    memory_free(control->rndc_doors);
    control->rndc_doors = NULL;
    control->rndc_door_count = 0;
}
