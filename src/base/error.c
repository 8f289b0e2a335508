/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors as values: a code for the program, a sentence for the operator (HOUSE section 7). */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void require_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "lockstep: %s:%d: REQUIRE(%s) failed; this is a defect, please report it\n",
            file, line, condition);
    abort();
}

enum result error_set(struct error *err, enum result code, const char *format, ...)
{
    if (err == NULL || err->code != OK) {
        return code;
    }
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return code;
}

enum result error_set_os(struct error *err, enum result code, const char *format, ...)
{
    int saved = errno;
    if (err == NULL || err->code != OK) {
        return code;
    }
    err->code = code;
    err->os_errno = saved;
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->text)) {
        char reason[128];
        snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %s",
                 strerror_r(saved, reason, sizeof(reason)));
    }
    return code;
}

static void set_once(char *field, size_t size, const char *text)
{
    if (field[0] == '\0' && text != NULL) {
        snprintf(field, size, "%s", text);
    }
}

void error_zone(struct error *err, const char *zone)
{
    if (err != NULL) {
        set_once(err->zone, sizeof(err->zone), zone);
    }
}

void error_peer(struct error *err, const char *peer)
{
    if (err != NULL) {
        set_once(err->peer, sizeof(err->peer), peer);
    }
}

void error_at(struct error *err, const char *file, unsigned line, unsigned column)
{
    if (err != NULL && err->file[0] == '\0') {
        set_once(err->file, sizeof(err->file), file);
        err->line = line;
        err->column = column;
    }
}

const char *error_format(const struct error *err, char *out, size_t size)
{
    char where[320] = "";
    if (err->file[0] != '\0' && err->column != 0) {
        snprintf(where, sizeof(where), "%s:%u:%u: ", err->file, err->line, err->column);
    } else if (err->file[0] != '\0' && err->line != 0) {
        snprintf(where, sizeof(where), "%s:%u: ", err->file, err->line);
    } else if (err->file[0] != '\0') {
        snprintf(where, sizeof(where), "%s: ", err->file);
    }
    snprintf(out, size, "%s%s", where, err->text[0] != '\0' ? err->text : result_name(err->code));
    return out;
}

const char *result_name(enum result code)
{
    switch (code) {
    case OK:
        return "OK";
    case ERR_FORMAT:
        return "ERR_FORMAT";
    case ERR_LIMIT:
        return "ERR_LIMIT";
    case ERR_NOT_FOUND:
        return "ERR_NOT_FOUND";
    case ERR_STALE:
        return "ERR_STALE";
    case ERR_DENIED:
        return "ERR_DENIED";
    case ERR_BAD_AUTH:
        return "ERR_BAD_AUTH";
    case ERR_BUSY:
        return "ERR_BUSY";
    case ERR_TIMEOUT:
        return "ERR_TIMEOUT";
    case ERR_CLOSED:
        return "ERR_CLOSED";
    case ERR_IO:
        return "ERR_IO";
    case ERR_CORRUPT:
        return "ERR_CORRUPT";
    }
    return "ERR_?";
}
