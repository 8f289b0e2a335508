/* SPDX-License-Identifier: BSD-3-Clause */
/* Ready-made questions for the load generators, from a file of lines "name type", "name type edns"
 * (with an empty OPT record) or "name type do". */
#ifndef BENCH_QUESTIONS_H
#define BENCH_QUESTIONS_H

#include <stddef.h>
#include <stdint.h>

struct question {
    uint16_t size;
    uint8_t bytes[300]; /* ID 0 */
};

/* All of them, for free(); ends the program where the file cannot be read. */
struct question *questions_read(const char *path, size_t *count);

#endif
