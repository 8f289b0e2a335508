/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocking, with a time limit of the socket's own: the tool has nothing else to do. Failing to
 * connect is the error an operator meets most often, so it is told in words: no such socket, a
 * server that has ended, or not for this user.
 */
#include "cmd/control_connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control_request.h"

enum { LINE_MAX_BYTES = 64 << 20, READ_BYTES = 65536 };

static enum result explain(const char *path, struct error *err)
{
    struct stat st;
    switch (errno) {
    case ENOENT:
        return error_set(err, ERR_IO,
                         "no server listens on %s: there is no such socket (name another with -s, "
                         "or the configuration with -c)",
                         path);
    case ECONNREFUSED:
        return error_set(err, ERR_IO, "no server listens on %s: the one that made it has ended",
                         path);
    case EACCES:
        if (stat(path, &st) == 0) {
            return error_set(err, ERR_DENIED,
                             "not allowed to use %s: it is for user %u and group %u with mode %04o",
                             path, (unsigned)st.st_uid, (unsigned)st.st_gid,
                             (unsigned)st.st_mode & 0777);
        }
        return error_set(err, ERR_DENIED, "not allowed to use %s", path);
    default:
        return error_set_os(err, ERR_IO, "cannot connect to %s", path);
    }
}

enum result control_connect(const char *path, unsigned timeout_s, struct control_connection *out,
                            struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(err, ERR_LIMIT, "the path of a UNIX socket has at most %zu octets: %s",
                         sizeof(address.sun_path) - 1, path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot make a socket");
    }
    struct timeval limit = {.tv_sec = (time_t)timeout_s};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        enum result result = explain(path, err);
        close(fd);
        return result;
    }
    *out = (struct control_connection){.fd = fd};
    text_init(&out->in, LINE_MAX_BYTES);
    return OK;
}

enum result control_send(struct control_connection *connection, const char *command,
                         const char *zone, const uint32_t *serials, unsigned serial_count,
                         const bool *on, struct error *err)
{
    json_t *request =
        json_pack("{s:i, s:s, s:s*}", "version", CONTROL_VERSION, "command", command, "zone", zone);
    static const char *const keys[] = {"serial", "to_serial"};
    for (unsigned i = 0; request != NULL && i < serial_count; i++) {
        json_object_set_new(request, keys[i], json_integer(serials[i]));
    }
    if (request != NULL && on != NULL) {
        json_object_set_new(request, "on", json_boolean(*on));
    }
    char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (line == NULL) {
        return error_set(err, ERR_FORMAT, "a zone's name is text in UTF-8");
    }
    struct text out;
    text_init(&out, 0);
    text_printf(&out, "%s\n", line);
    free(line);
    size_t sent = 0;
    enum result result = OK;
    while (sent < out.size && result == OK) {
        ssize_t size = send(connection->fd, out.bytes + sent, out.size - sent, MSG_NOSIGNAL);
        if (size > 0) {
            sent += (size_t)size;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            break; /* the server refused us before it heard us: its reason is there to be read */
        } else if (errno != EINTR) {
            result = error_set_os(err, ERR_IO, "cannot send the request");
        }
    }
    text_deinit(&out);
    return result;
}

/* More octets. */
static enum result fill(struct control_connection *connection, struct error *err)
{
    char bytes[READ_BYTES];
    ssize_t size;
    do {
        size = recv(connection->fd, bytes, sizeof(bytes), 0);
    } while (size < 0 && errno == EINTR);
    if (size == 0) {
        return error_set(err, ERR_CLOSED, "the server closed the connection before its answer");
    }
    if (size < 0) {
        return errno == EAGAIN ? error_set(err, ERR_TIMEOUT, "the server does not answer in time")
                               : error_set_os(err, ERR_IO, "cannot read the answer");
    }
    text_add(&connection->in, bytes, (size_t)size);
    return connection->in.overflowed
               ? error_set(err, ERR_LIMIT, "the answer has a line that is too long")
               : OK;
}

enum result control_receive(struct control_connection *connection, const char **out_line,
                            json_t **out, struct error *err)
{
    struct text *in = &connection->in;
    size_t looked_at = connection->taken;
    for (;;) {
        char *end =
            looked_at < in->size ? memchr(in->bytes + looked_at, '\n', in->size - looked_at) : NULL;
        if (end != NULL) {
            *end = '\0';
            *out_line = in->bytes + connection->taken;
            connection->taken = (size_t)(end - in->bytes) + 1;
            break;
        }
        /* What was taken goes only now: the last line was borrowed until this call. */
        size_t left = in->size - connection->taken;
        if (connection->taken != 0) {
            memmove(in->bytes, in->bytes + connection->taken, left);
            in->size = left;
            connection->taken = 0;
        }
        looked_at = left;
        enum result result = fill(connection, err);
        if (result != OK) {
            return result;
        }
    }
    *out = json_loads(*out_line, 0, NULL);
    if (!json_is_object(*out)) {
        json_decref(*out);
        return error_set(err, ERR_FORMAT, "the answer is not of the control protocol");
    }
    return OK;
}

void control_wait_closed(struct control_connection *connection)
{
    struct error err = {0};
    do {
        text_reset(&connection->in);
        connection->taken = 0;
    } while (fill(connection, &err) == OK);
}

void control_disconnect(struct control_connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
        text_deinit(&connection->in);
        connection->fd = -1;
    }
}
