/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whoever can connect can stop the server, so the socket must not be open to strangers for an
 * instant. bind() makes the file with the mode that the socket has (unix(7) on Linux), so the mode
 * is set with fchmod() before it; the owner follows, and only then the mode that was asked for.
 */
#include "control/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"

enum { BACKLOG = 128, DEFAULT_MODE = 0660, GROUPS_FIRST = 64 };

/* ---- where ---- */

static enum result put_path(const char *path, struct control_socket_options *out, struct error *err)
{
    size_t size = strlen(path);
    if (size >= sizeof(out->path)) {
        return error_set(err, ERR_LIMIT,
                         "the path of a UNIX socket has at most %zu octets, this one %zu: %s",
                         sizeof(out->path) - 1, size, path);
    }
    memcpy(out->path, path, size + 1);
    return OK;
}

static enum result default_path(const char *pid_file, struct control_socket_options *out,
                                struct error *err)
{
    static const char name[] = "lockstepd.ctl";
    const char *slash = pid_file == NULL ? NULL : strrchr(pid_file, '/');
    if (pid_file == NULL) {
        return put_path(CONTROL_DEFAULT_PATH, out, err);
    }
    char path[4096];
    snprintf(path, sizeof(path), "%.*s%s", slash == NULL ? 0 : (int)(slash - pid_file + 1),
             pid_file, name);
    return put_path(path, out, err);
}

enum result control_socket_find(const struct conf *conf, uint32_t index, uid_t user, gid_t group,
                                struct control_socket_options *out, struct error *err)
{
    uint32_t found = 0;
    *out = (struct control_socket_options){0};
    for (uint32_t i = 0; i < conf->control_count; i++) {
        const struct conf_control *control = &conf->controls[i];
        if (!control->is_unix || found++ != index) {
            continue;
        }
        out->mode = control->mode & 0777;
        out->owner = control->owner;
        out->group = control->group;
        out->read_only = control->read_only;
        enum result result = put_path(control->path, out, err);
        error_at(err, control->where.file, control->where.line, control->where.column);
        return result;
    }
    bool none_wanted = conf->controls_given && conf->control_count == 0;
    if (found != 0 || index != 0 || none_wanted) {
        return error_set(err, ERR_NOT_FOUND, "no control socket is configured");
    }
    out->mode = DEFAULT_MODE;
    out->owner = user;
    out->group = group;
    out->is_default = true;
    return default_path(conf_text(conf, NULL, CONF_PID_FILE), out, err);
}

/* ---- opening ---- */

/* A dead server's socket goes; anything else at the path stays and is an error. */
static enum result clear_path(const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0) {
        return OK; /* bind says what else is wrong */
    }
    if (!S_ISSOCK(st.st_mode)) {
        return error_set(err, ERR_BUSY, "%s is there and is not a socket", address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot make a socket");
    }
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        return error_set(err, ERR_BUSY, "another server listens on %s", address->sun_path);
    }
    (void)unlink(address->sun_path);
    return OK;
}

static enum result bind_at(int fd, const struct control_socket_options *options,
                           const struct sockaddr_un *address, struct error *err)
{
    if (fchmod(fd, 0600) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return error_set_os(err, ERR_IO, "cannot make the control socket %s", options->path);
    }
    bool given = lchown(options->path, options->owner, options->group) == 0;
    if (!given && !options->is_default) {
        return error_set_os(err, ERR_IO, "cannot give the control socket %s to owner %u group %u",
                            options->path, (unsigned)options->owner, (unsigned)options->group);
    }
    if (chmod(options->path, options->mode) != 0 || listen(fd, BACKLOG) != 0) {
        return error_set_os(err, ERR_IO, "cannot open the control socket %s", options->path);
    }
    return OK;
}

enum result control_socket_open(const struct control_socket_options *options, int *out_fd,
                                struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, options->path, sizeof(address.sun_path));
    enum result result = clear_path(&address, err);
    if (result != OK) {
        return result;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot make a socket");
    }
    result = bind_at(fd, options, &address, err);
    if (result != OK) {
        close(fd);
        return result;
    }
    *out_fd = fd;
    return OK;
}

/* ---- who came ---- */

bool control_socket_peer(int fd, struct control_peer *out)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return false;
    }
    *out = (struct control_peer){
        .pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    return true;
}

static bool in_group(int fd, gid_t group)
{
    socklen_t size = GROUPS_FIRST * sizeof(gid_t);
    gid_t *groups = memory_new(size);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        if (errno != ERANGE) {
            memory_free(groups);
            return false;
        }
        groups = memory_resize(groups, size);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
            size = 0;
        }
    }
    bool found = false;
    for (size_t i = 0; i < size / sizeof(gid_t) && !found; i++) {
        found = groups[i] == group;
    }
    memory_free(groups);
    return found;
}

bool control_socket_allows(const struct control_socket_options *options, int fd,
                           const struct control_peer *peer)
{
    if (peer->uid == 0 || peer->uid == geteuid() || peer->uid == options->owner ||
        (options->mode & S_IWOTH) != 0) {
        return true;
    }
    return (options->mode & S_IWGRP) != 0 &&
           (peer->gid == options->group || in_group(fd, options->group));
}
