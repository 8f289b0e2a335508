/* SPDX-License-Identifier: BSD-3-Clause */
/* The server as a whole: start, run until told to stop, end. Once per process (signals). */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct server_options {
    const char *config_path;
    const char *user;     /* -u: run as; NULL: stay who we are */
    uint16_t port;        /* -p: instead of 53 where the configuration names none; 0: not given */
    unsigned threads;     /* -n: answer workers; 0: one a core */
    bool ipv4_only;       /* -4 */
    bool ipv6_only;       /* -6 */
    bool foreground;      /* -f, -g: do not detach */
    bool log_to_stderr;   /* -g: everything to standard error, whatever `logging` says */
    unsigned debug_level; /* -d */
};

/* Runs until SIGTERM or SIGINT. The exit status of the process: 0 after a clean end, 1 where it
 * could not start (the reason has been logged or written to standard error). */
int server_run(const struct server_options *options);

#endif
