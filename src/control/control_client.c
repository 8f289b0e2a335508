/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to a control socket: lines in, lines out.
 *
 * Requests of a connection are answered in their order, one at a time; what comes meanwhile waits
 * in the buffer, and a full buffer is not read from. An answer in parts is asked for more parts
 * only while little waits to leave. So a connection costs a bounded amount of memory whatever it
 * does: a request and a half, LOW_BYTES and the longest single line of an answer.
 *
 * Every event ends in settle(), the only place that looks whether the connection is over.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "control/control_impl.h"
#include "hub/server.h"
#include "zones/zones.h"

enum {
    READ_BYTES = 4096,
    LOW_BYTES = 65536,
    REQUEST_MS = 10000, /* from the first octet of a request to its newline */
    IDLE_MS = 60000,
    WRITE_MS = 30000, /* without the client taking anything */
};

struct control_client {
    struct control_asker asker;
    struct control *control;
    struct control_door *door;
    struct control_client *next, **link;
    int fd;
    struct control_peer peer;
    struct loop_watch watch;
    struct loop_timer timer;
    struct text in, out;
    size_t sent;          /* of out */
    struct instant since; /* of the state that the timer watches over */
    bool in_request;      /* the timer watches a request that is not complete */
    bool ended;           /* it sends no more */
    bool closing;         /* after what is queued */
    bool broken;
    bool busy; /* in settle() */
};

static void settle(struct control_client *client);
static void watch_state(struct control_client *client);

/* ---- out ---- */

static void write_out(struct control_client *client)
{
    while (client->sent < client->out.size && !client->broken) {
        ssize_t size = send(client->fd, client->out.bytes + client->sent,
                            client->out.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0) {
            client->sent += (size_t)size;
            client->since = clock_now();
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

static void send_line(struct control_client *client, json_t *object)
{
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (line == NULL) {
        memory_exhausted(0); /* all strings in it were checked */
    }
    if (client->sent > LOW_BYTES) {
        size_t left = client->out.size - client->sent;
        memmove(client->out.bytes, client->out.bytes + client->sent, left + 1);
        client->out.size = left;
        client->sent = 0;
    }
    text_add_str(&client->out, line);
    text_add_char(&client->out, '\n');
    free(line);
    write_out(client);
    watch_state(client);
}

static bool has_room(const struct control_client *client)
{
    return client->out.size - client->sent < LOW_BYTES;
}

static void send_failure(struct control_client *client, const char *error, const char *text)
{
    send_line(client, control_failure(error, text));
}

/* ---- requests ---- */

static void take_line(struct control_client *client, struct slice line)
{
    struct control_request request;
    struct error err = {0};
    enum result result = control_request_parse(line, &request, &err);
    if (result == OK) {
        control_request_start(client->control, &client->asker, &request,
                              client->door->options.read_only);
        control_request_deinit(&request);
    } else {
        send_failure(client,
                     result == ERR_STALE   ? "unsupported-version"
                     : result == ERR_LIMIT ? "too-large"
                                           : "bad-request",
                     err.text);
    }
}

/* Takes one line out of the buffer, if there is one. Empty lines mean nothing. */
static bool next_line(struct control_client *client)
{
    struct text *in = &client->in;
    char *end = in->size == 0 ? NULL : memchr(in->bytes, '\n', in->size);
    if (end == NULL && in->size > CONTROL_REQUEST_MAX) {
        send_failure(client, "too-large", "the request is too long");
        client->closing = true;
        return false;
    }
    if (end == NULL) {
        return false;
    }
    size_t size = (size_t)(end - in->bytes);
    if (size != 0 && in->bytes[size - 1] != '\r') {
        take_line(client, slice_of(in->bytes, size));
    } else if (size > 1) {
        take_line(client, slice_of(in->bytes, size - 1));
    }
    size_t left = in->size - size - 1;
    memmove(in->bytes, in->bytes + size + 1, left);
    in->size = left;
    return true;
}

/* ---- events ---- */

static bool is_over(const struct control_client *client)
{
    bool drained = client->out.size == 0;
    return client->broken || (client->closing && drained) ||
           (client->ended && client->asker.job == NULL && drained);
}

static void watch_time(struct control_client *client)
{
    struct instant due = INSTANT_NEVER;
    bool in_request = client->asker.job == NULL && client->in.size != 0;
    if (in_request && !client->in_request) {
        client->since = clock_now();
    }
    client->in_request = in_request;
    if (client->out.size != 0) {
        due = instant_add_ms(client->since, WRITE_MS);
    } else if (client->asker.job == NULL) {
        due = instant_add_ms(client->since, in_request ? REQUEST_MS : IDLE_MS);
    }
    loop_timer_set(client->control->loop, &client->timer, due);
}

/* What it waits for in its present state, and how long. */
static void watch_state(struct control_client *client)
{
    bool reads = !client->ended && !client->closing && client->in.size <= CONTROL_REQUEST_MAX;
    loop_watch_set(client->control->loop, &client->watch,
                   (reads ? LOOP_READ : 0u) | (client->out.size != 0 ? LOOP_WRITE : 0u));
    watch_time(client);
}

static void settle(struct control_client *client)
{
    if (client->busy) {
        return;
    }
    client->busy = true;
    while (client->asker.job == NULL && !client->broken && !client->closing && has_room(client) &&
           next_line(client)) {
    }
    client->busy = false;
    if (is_over(client)) {
        control_client_free(client);
        return;
    }
    watch_state(client);
}

static void read_in(struct control_client *client)
{
    char bytes[READ_BYTES];
    ssize_t size = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size > 0) {
        text_add(&client->in, bytes, (size_t)size);
        if (!client->in_request) {
            client->since = clock_now();
        }
    } else if (size == 0) {
        client->ended = true;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        client->broken = true;
    }
}

static void client_ready(void *context, unsigned events)
{
    struct control_client *client = context;
    if ((events & LOOP_READ) != 0 && !client->ended) {
        read_in(client);
    } else if ((events & LOOP_ERROR) != 0) {
        client->broken = true; /* both directions are closed */
    }
    if ((events & LOOP_WRITE) != 0) {
        write_out(client);
    }
    if (client->asker.job != NULL && !client->broken && has_room(client)) {
        client->busy = true; /* it may end in there; the connection must not, yet */
        control_job_want_more(client->asker.job);
        client->busy = false;
    }
    settle(client);
}

static void client_late(void *context)
{
    struct control_client *client = context;
    if (client->out.size == 0 && client->in_request) {
        send_failure(client, "timeout", "the request did not come to its end in time");
        client->closing = true;
        client->since = clock_now();
    } else {
        client->broken = true;
    }
    settle(client);
}

/* ---- as jobs see it ---- */

static struct control_client *client_of(struct control_asker *asker)
{
    return (struct control_client *)((char *)asker - offsetof(struct control_client, asker));
}

static void asker_send(struct control_asker *asker, json_t *object)
{
    send_line(client_of(asker), object);
}

static void asker_note(struct control_asker *asker, const struct control_command *command,
                       const char *phrase)
{
    struct control_client *client = client_of(asker);
    LOG_EVENT(client->control->server->logging, command->changes ? LOG_INFO : LOG_DEBUG,
              LOG_GENERAL, "control_command", phrase, LOG_NUM("uid", client->peer.uid),
              LOG_NUM("gid", client->peer.gid), LOG_NUM("pid", client->peer.pid),
              LOG_KEY("socket", client->door->options.path));
}

static bool asker_has_room(struct control_asker *asker)
{
    return has_room(client_of(asker));
}

static void asker_done(struct control_asker *asker)
{
    struct control_client *client = client_of(asker);
    client->since = clock_now();
    settle(client);
}

/* ---- life ---- */

static void refuse(struct control_client *client, const char *error, const char *text)
{
    char phrase[200];
    snprintf(phrase, sizeof(phrase), "rejected control channel connection of uid %u: %s",
             (unsigned)client->peer.uid, text);
    LOG_EVENT_LIMITED(client->control->server->logging, LOG_WARNING, LOG_SECURITY,
                      "control_refused", phrase, LOG_NUM("uid", client->peer.uid),
                      LOG_NUM("gid", client->peer.gid), LOG_NUM("pid", client->peer.pid),
                      LOG_KEY("socket", client->door->options.path));
    send_failure(client, error, text);
    client->closing = true;
}

void control_client_new(struct control_door *door, int fd)
{
    struct control *control = door->control;
    struct control_client *client = memory_new_zeroed(1, sizeof(*client));
    client->control = control;
    client->asker = (struct control_asker){
        .send = asker_send, .note = asker_note, .has_room = asker_has_room, .done = asker_done};
    client->door = door;
    client->fd = fd;
    client->since = clock_now();
    text_init(&client->in, 0);
    text_init(&client->out, 0);
    loop_timer_init(&client->timer, client_late, client);
    client->next = control->clients;
    client->link = &control->clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    control->clients = client;
    control->client_count++;
    if (!control_socket_peer(fd, &client->peer) ||
        loop_watch_add(control->loop, &client->watch, fd, LOOP_READ, client_ready, client, NULL) !=
            OK) {
        control_client_free(client);
        return;
    }
    if (!control_socket_allows(&door->options, fd, &client->peer)) {
        refuse(client, "denied", "only the socket's owner and group may use it");
    } else if (control->client_count > CONTROL_CLIENTS_MAX) {
        refuse(client, "busy", "too many connections");
    }
    settle(client);
}

void control_client_free(struct control_client *client)
{
    if (client->asker.job != NULL) {
        client->asker.job->asker = NULL;
        control_job_want_more(client->asker.job);
    }
    loop_watch_remove(client->control->loop, &client->watch);
    loop_timer_stop(client->control->loop, &client->timer);
    close(client->fd);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    client->control->client_count--;
    text_deinit(&client->in);
    text_deinit(&client->out);
    memory_free(client);
}
