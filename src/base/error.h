/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What went wrong, for the caller (the code) and for the operator (the sentence, and where).
 *
 * The deepest function that knows a fact fills it in; callers add theirs (error_zone, error_peer,
 * error_at) and never overwrite. A struct error lives on the caller's stack, starts zeroed
 * (`struct error err = {0};`) and needs no release.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/attr.h"

enum result {
    OK = 0,
    ERR_FORMAT,    /* bytes or text that do not follow the rules */
    ERR_LIMIT,     /* a configured bound would be passed */
    ERR_NOT_FOUND, /* it is not there */
    ERR_STALE,     /* it starts from another state than ours */
    ERR_DENIED,    /* not allowed */
    ERR_BAD_AUTH,  /* a signature or key that does not fit */
    ERR_BUSY,      /* try again later */
    ERR_TIMEOUT,   /* the other side did not answer in time */
    ERR_CLOSED,    /* the other side closed */
    ERR_IO,        /* the system refused; errno is in the error */
    ERR_CORRUPT,   /* what we stored ourselves is damaged */
};

struct error {
    enum result code;
    int os_errno;    /* 0 where the system had no part in it */
    unsigned line;   /* 0: none; first line is 1 */
    unsigned column; /* 0: none; first column is 1 */
    char file[256];  /* "" where there is none */
    char zone[256];  /* "" where there is none */
    char peer[64];   /* "" where there is none */
    char text[512];  /* one sentence without a final stop */
};

/* Fills in code and sentence and returns `code`. A NULL err is allowed; an err that already has a
 * code is left as it is (the deepest function knew best). */
enum result error_set(struct error *err, enum result code, const char *format, ...)
    PRINTF_LIKE(3, 4) COLD;

/* As error_set, with errno as it is now and its text behind the sentence. */
enum result error_set_os(struct error *err, enum result code, const char *format, ...)
    PRINTF_LIKE(3, 4) COLD;

/* Add a fact where none is known yet. `text` is copied, and cut where it is too long. */
void error_zone(struct error *err, const char *zone);
void error_peer(struct error *err, const char *peer);
void error_at(struct error *err, const char *file, unsigned line, unsigned column);

/* "file:line:column: sentence" with the facts that are known; NUL-terminated, cut to `size`.
 * Returns `out`. */
const char *error_format(const struct error *err, char *out, size_t size);

/* "ERR_FORMAT" and so on, for tests and logs. */
const char *result_name(enum result code);

#endif
