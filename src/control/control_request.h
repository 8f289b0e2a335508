/* SPDX-License-Identifier: BSD-3-Clause */
/* One request of the control protocol (docs/control.md): a JSON object on a line of its own. */
#ifndef CONTROL_CONTROL_REQUEST_H
#define CONTROL_CONTROL_REQUEST_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "wire/name.h"
#include "wire/record.h"

enum {
    CONTROL_VERSION = 1,
    CONTROL_REQUEST_MAX = 16384, /* octets of a line */
    CONTROL_COMMAND_SIZE = 32,
};

struct control_request {
    char command[CONTROL_COMMAND_SIZE];
    bool has_zone;
    struct name zone;
    bool has_serial, has_to_serial; /* the second only beside the first */
    struct serial serial, to_serial;
    bool has_on, on;
    char *statements; /* of a zone, between braces; owned; or NULL */
};

/*
 * `line` without its newline.
 * ERR_FORMAT  not a JSON object, or a member is missing, unknown or of the wrong kind
 * ERR_STALE   another version of the protocol
 * ERR_LIMIT   longer than a request may be
 */
MUST_CHECK enum result control_request_parse(struct slice line, struct control_request *out,
                                             struct error *err);

/* Frees what it owns; on a failure of the above there is nothing. */
void control_request_deinit(struct control_request *request);

#endif
