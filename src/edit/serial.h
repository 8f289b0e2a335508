/* SPDX-License-Identifier: BSD-3-Clause */
/* The next serial of a zone, by its policy. Never backwards (RFC 1982), never 0 where another will
 * do. */
#ifndef EDIT_SERIAL_H
#define EDIT_SERIAL_H

#include "wire/record.h"

enum serial_method {
    SERIAL_INCREMENT, /* one more */
    SERIAL_UNIXTIME,  /* seconds since 1970, or one more where that is not ahead */
    SERIAL_DATE,      /* YYYYMMDDNN, or one more where that is not ahead */
};

/* now_s: wall clock; the date is that of UTC. Always serial_before(current, result). */
struct serial serial_next(struct serial current, enum serial_method method, int64_t now_s);

/*
 * How to get from one serial to another that is not ahead of it, in steps that every secondary
 * follows (RFC 1982 3: at most 2^31 - 1 each; RFC 1912 3.1 tells the same to people). Returns how
 * many of `out` are to be published, one after the other; the last is `to`. 0: they are equal.
 */
enum { SERIAL_MAX_STEPS = 3 };
unsigned serial_path(struct serial from, struct serial to, struct serial out[SERIAL_MAX_STEPS]);

#endif
