/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool's end of the control protocol (docs/control.md): one request, lines until the last. */
#ifndef CMD_CONTROL_CONNECTION_H
#define CMD_CONTROL_CONNECTION_H

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"

struct control_connection {
    int fd; /* -1: closed */
    struct text in;
    size_t taken; /* of in */
};

/* timeout_s: how long nothing may come; 0: for ever. ERR_IO says what to do about it. */
MUST_CHECK enum result control_connect(const char *path, unsigned timeout_s,
                                       struct control_connection *out, struct error *err);
/* zone: NULL for none. serials: none, one or two. on: NULL where it is not said. */
MUST_CHECK enum result control_send(struct control_connection *connection, const char *command,
                                    const char *zone, const uint32_t *serials,
                                    unsigned serial_count, const bool *on, struct error *err);
/* The next line, borrowed until the next call, and its object (given). ERR_CLOSED: it ended,
 * ERR_TIMEOUT, ERR_FORMAT: what came is not of this protocol. */
MUST_CHECK enum result control_receive(struct control_connection *connection, const char **out_line,
                                       json_t **out, struct error *err);
/* Until the server closes; what it sends is ignored. */
void control_wait_closed(struct control_connection *connection);
/* Safe on one that never was opened ({.fd = -1}). */
void control_disconnect(struct control_connection *connection);

#endif
