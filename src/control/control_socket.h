/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UNIX sockets of `controls`: where they are, who may use them, who came. The tool asks the
 * same functions, so that both look in the same place.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "conf/conf.h"

enum { CONTROL_PATH_SIZE = 108 }; /* sun_path */

#define CONTROL_DEFAULT_PATH "/run/lockstep/lockstepd.ctl"

struct control_socket_options {
    char path[CONTROL_PATH_SIZE];
    uint32_t mode; /* permission bits */
    uid_t owner;
    gid_t group;
    bool read_only;  /* commands that change something are denied */
    bool is_default; /* not named in the configuration */
};

/*
 * The `index`-th socket that the configuration asks for: its `unix` statements; else, unless it has
 * an empty `controls { }`, lockstepd.ctl beside the pid-file (CONTROL_DEFAULT_PATH where there is
 * no pid-file), mode 0660, of `user` and `group`. ERR_NOT_FOUND  there are no more ERR_LIMIT the
 * path is too long for a socket
 */
MUST_CHECK enum result control_socket_find(const struct conf *conf, uint32_t index, uid_t user,
                                           gid_t group, struct control_socket_options *out,
                                           struct error *err);

/*
 * Bound and listening, never reachable by more than the options say, not even while it is made. A
 * socket that a dead server left there is replaced. Without the right to give it away it stays
 * ours. ERR_BUSY  a server listens there, or the path is something else than a socket
 */
MUST_CHECK enum result control_socket_open(const struct control_socket_options *options,
                                           int *out_fd, struct error *err);

/* Who connected (SO_PEERCRED: as the kernel saw it at connect). */
struct control_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
MUST_CHECK bool control_socket_peer(int fd, struct control_peer *out);
/* root, ourselves, the socket's owner, a member of its group; anybody where the configured mode
 * lets others write. What the file's permissions say already, asked a second time. */
bool control_socket_allows(const struct control_socket_options *options, int fd,
                           const struct control_peer *peer);

#endif
