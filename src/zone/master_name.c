/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short way for names: text of ordinary length without escapes, which nearly all names of zone
 * files are. Name text and wire form differ only in the dots, so sixteen octets are copied at once,
 * one place further on, and length octets are put where the dots were. Whatever is not ordinary
 * (escapes, empty or long labels, long names) is left to name_parse, which also finds the words for
 * what is wrong. Both ways give the same names (tests/unit/zone/test_master_name.c compares them).
 */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "zone/master_impl.h"

#ifdef __SSE2__
enum { PLAIN_MAX = 200 }; /* leaves room for sixteen octets too many in a struct name */

HOT bool master_plain_name(const char *text, size_t size, const struct name *origin,
                           struct name *out)
{
    if (size == 0 || size > PLAIN_MAX) {
        return false;
    }
    const __m128i dot = _mm_set1_epi8('.');
    const __m128i escape = _mm_set1_epi8('\\');
    size_t label = 0; /* where it starts in the text, and its length octet in the wire form */
    for (size_t i = 0; i < size; i += 16) {
        __m128i octets;
        memcpy(&octets, text + i, sizeof(octets));
        memcpy(out->wire + 1 + i, &octets, sizeof(octets));
        unsigned dots = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, dot));
        unsigned escapes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, escape));
        if (size - i < 16) {
            unsigned mine = (1u << (size - i)) - 1;
            dots &= mine;
            escapes &= mine;
        }
        if (escapes != 0) {
            return false;
        }
        for (; dots != 0; dots &= dots - 1) {
            size_t at = i + (size_t)__builtin_ctz(dots);
            if (at == label || at - label > LABEL_MAX_SIZE) {
                return false;
            }
            out->wire[label] = (uint8_t)(at - label);
            label = at + 1;
        }
    }
    if (label == size) {
        out->wire[size] = 0;
        out->size = (uint8_t)(size + 1);
        return true;
    }
    if (size - label > LABEL_MAX_SIZE || size + 1 + origin->size > NAME_MAX_SIZE) {
        return false;
    }
    out->wire[label] = (uint8_t)(size - label);
    memcpy(out->wire + size + 1, origin->wire, origin->size);
    out->size = (uint8_t)(size + 1 + origin->size);
    return true;
}
#else
bool master_plain_name(const char *text, size_t size, const struct name *origin, struct name *out)
{
    (void)text;
    (void)size;
    (void)origin;
    (void)out;
    return false;
}
#endif
