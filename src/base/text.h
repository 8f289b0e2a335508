/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing run of bytes with a ceiling: text that is being written, a message being gathered. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

struct text {
    char *bytes; /* NUL-terminated at `size`, NULL while empty */
    size_t size;
    size_t capacity;
    size_t limit_bytes; /* 0: none */
    bool overflowed;    /* something did not fit under the limit; what was there stays */
};

void text_init(struct text *text, size_t limit_bytes);
void text_deinit(struct text *text);
/* Empties it, keeps the memory. */
void text_reset(struct text *text);
void text_add(struct text *text, const void *bytes, size_t size);
void text_add_str(struct text *text, const char *string);
void text_add_char(struct text *text, char c);
void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_vprintf(struct text *text, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Never NULL: "" while empty. Valid until the next change. */
const char *text_str(const struct text *text);
struct slice text_slice(const struct text *text);

#endif
