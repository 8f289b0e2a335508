/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of record types: the windowed bit maps of NSEC, NSEC3 and CSYNC (RFC 4034 4.1.2) and the
 * plain one of NXT (RFC 2535 5.2). Text gives the types in any order and perhaps twice; the wire
 * form has one way only to say a set, and the check holds foreign maps to it.
 */
#include "wire/rdata_impl.h"

enum { WINDOW_COUNT = 256, WINDOW_SIZE = 32, NXT_SIZE = 16 };

static bool type_word(struct rdata_parser *p, uint16_t *out)
{
    const struct token *word = parser_word(p, "a record type");
    if (word == NULL) {
        return false;
    }
    if (!rrtype_parse(word->data, word->size, out)) {
        parser_expected(p, "a record type");
        return false;
    }
    return true;
}

enum result type_bitmap_parse(struct rdata_parser *p)
{
    uint8_t windows[WINDOW_COUNT][WINDOW_SIZE]; /* only those that are in `used` are set */
    uint64_t used[WINDOW_COUNT / 64] = {0};
    for (; !parser_at_end(p); p->next++) {
        uint16_t type;
        if (!type_word(p, &type)) {
            return ERR_FORMAT;
        }
        unsigned window = type >> 8;
        if ((used[window / 64] >> window % 64 & 1) == 0) {
            used[window / 64] |= (uint64_t)1 << window % 64;
            memset(windows[window], 0, WINDOW_SIZE);
        }
        windows[window][(type & 255) / 8] |= (uint8_t)(0x80u >> type % 8);
    }
    for (unsigned group = 0; group < ARRAY_SIZE(used); group++) {
        for (uint64_t left = used[group]; left != 0; left &= left - 1) {
            unsigned window = group * 64 + (unsigned)__builtin_ctzll(left);
            size_t size = WINDOW_SIZE;
            while (windows[window][size - 1] == 0) {
                size--;
            }
            uint8_t *out = parser_reserve(p, 2 + size);
            if (out == NULL) {
                return ERR_FORMAT;
            }
            out[0] = (uint8_t)window;
            out[1] = (uint8_t)size;
            memcpy(out + 2, windows[window], size);
        }
    }
    return OK;
}

enum result type_bitmap_check(struct rdata_cursor *c)
{
    int last = -1;
    while (c->at < c->rdata.size) {
        struct slice rest = cursor_rest(c);
        if (rest.size < 2 || rest.size - 2 < rest.data[1]) {
            return cursor_bad(c, "a type bit map");
        }
        size_t size = rest.data[1];
        if (rest.data[0] <= last) {
            return cursor_bad(c, "type bit maps in ascending order");
        }
        if (size == 0 || size > WINDOW_SIZE || rest.data[1 + size] == 0) {
            return cursor_bad(c, "a type bit map of 1 to 32 octets that does not end in zero");
        }
        last = rest.data[0];
        c->at += 2 + size;
    }
    return OK;
}

static void types_format(unsigned window, struct slice map, bool *is_first, struct text *out)
{
    for (unsigned i = 0; i < map.size * 8; i++) {
        if ((map.data[i / 8] >> (7 - i % 8) & 1) != 0) {
            char name[16];
            text_add(out, " ", *is_first ? 0 : 1);
            text_add_str(out, rrtype_format((uint16_t)(window << 8 | i), name));
            *is_first = false;
        }
    }
}

bool type_bitmap_format(struct rdata_cursor *c, struct text *out)
{
    bool is_first = true;
    while (c->at < c->rdata.size) {
        const uint8_t *map = c->rdata.data + c->at;
        types_format(map[0], slice_of(map + 2, map[1]), &is_first, out);
        c->at += 2u + map[1];
    }
    return true;
}

enum result nxt_bitmap_parse(struct rdata_parser *p)
{
    uint8_t map[NXT_SIZE] = {0};
    size_t size = 0;
    for (; !parser_at_end(p); p->next++) {
        uint16_t type;
        if (!type_word(p, &type)) {
            return ERR_FORMAT;
        }
        if (type == 0 || type >= NXT_SIZE * 8) {
            return parser_expected(p, "a record type from 1 to 127");
        }
        map[type / 8] |= (uint8_t)(0x80u >> type % 8);
        if (size < type / 8u + 1) {
            size = type / 8u + 1;
        }
    }
    uint8_t *out = parser_reserve(p, size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    memcpy(out, map, size);
    return OK;
}

/* A map whose first bit is set would have another format (RFC 2535 5.2). */
enum result nxt_bitmap_check(struct rdata_cursor *c)
{
    struct slice map = cursor_rest(c);
    if (map.size > NXT_SIZE ||
        (map.size > 0 && (map.data[0] >= 0x80 || map.data[map.size - 1] == 0))) {
        return cursor_bad(c, "an NXT bit map of at most 16 octets that does not end in zero");
    }
    c->at = c->rdata.size;
    return OK;
}

bool nxt_bitmap_format(struct rdata_cursor *c, struct text *out)
{
    bool is_first = true;
    types_format(0, cursor_rest(c), &is_first, out);
    c->at = c->rdata.size;
    return true;
}
