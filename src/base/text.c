/* SPDX-License-Identifier: BSD-3-Clause */
/* A buffer born with a ceiling; passing it is a flag, not a crash, so writers need no checks. */
#include "base/text.h"

#include <stdio.h>

#include "base/memory.h"

void text_init(struct text *text, size_t limit_bytes)
{
    *text = (struct text){.limit_bytes = limit_bytes};
}

void text_deinit(struct text *text)
{
    memory_free(text->bytes);
    *text = (struct text){.limit_bytes = text->limit_bytes};
}

void text_reset(struct text *text)
{
    text->size = 0;
    text->overflowed = false;
    if (text->bytes != NULL) {
        text->bytes[0] = '\0';
    }
}

static bool make_room(struct text *text, size_t more)
{
    size_t wanted = text->size + more + 1;
    if (text->limit_bytes != 0 && wanted - 1 > text->limit_bytes) {
        text->overflowed = true;
        return false;
    }
    if (wanted > text->capacity) {
        size_t capacity = text->capacity < 64 ? 64 : text->capacity * 2;
        if (capacity < wanted) {
            capacity = wanted;
        }
        text->bytes = memory_resize(text->bytes, capacity);
        text->capacity = capacity;
    }
    return true;
}

void text_add(struct text *text, const void *bytes, size_t size)
{
    if (!make_room(text, size)) {
        return;
    }
    if (size != 0) {
        memcpy(text->bytes + text->size, bytes, size);
    }
    text->size += size;
    text->bytes[text->size] = '\0';
}

void text_add_str(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_add_char(struct text *text, char c)
{
    text_add(text, &c, 1);
}

void text_vprintf(struct text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    /* Written once where it fits, which it mostly does. */
    size_t room = text->capacity - text->size;
    int size = vsnprintf(room == 0 ? NULL : text->bytes + text->size, room, format, args);
    if (size >= 0 && make_room(text, (size_t)size)) {
        if ((size_t)size >= room) {
            vsnprintf(text->bytes + text->size, (size_t)size + 1, format, again);
        }
        text->size += (size_t)size;
    } else if (room != 0) {
        text->bytes[text->size] = '\0';
    }
    va_end(again);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprintf(text, format, args);
    va_end(args);
}

const char *text_str(const struct text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

struct slice text_slice(const struct text *text)
{
    return slice_of(text_str(text), text->size);
}
