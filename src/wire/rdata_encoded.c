/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets in hex, base64 and base32hex inside rdata, over one word or all that are left, and the
 * groups of hex digits of EUI48, EUI64 (RFC 7043) and NID, L64 (RFC 6742). They are printed in one
 * word, hex and base32hex in upper case as BIND does. NID and L64 keep their leading zeros,
 * without which Knot does not read them.
 */
#include "wire/rdata_impl.h"

#include "base/encode.h"

enum { CHUNK_SIZE = 192 }; /* octets encoded at a time; a multiple of 3 */

static enum result decode_failed(struct rdata_parser *p, enum decode_status status,
                                 const char *expected)
{
    if (status == DECODE_NO_ROOM) {
        return error_set(p->err, ERR_FORMAT, "rdata would be longer than 65535 octets");
    }
    return parser_expected(p, expected);
}

/* Hex in the next `count` tokens or all that are left; at least one octet. */
enum result parse_hex(struct rdata_parser *p, size_t count)
{
    static const char form[] = "pairs of hex digits";
    struct hex_decoder decoder = {0};
    size_t written = 0;
    size_t start = p->size;
    for (size_t i = 0; i < count && (i == 0 || !parser_at_end(p)); i++, p->next++) {
        const struct token *word = parser_word(p, form);
        if (word == NULL) {
            return ERR_FORMAT;
        }
        enum decode_status status =
            hex_feed(&decoder, word->data, word->size, p->out + start + written,
                     RDATA_MAX_SIZE - start - written, &written);
        if (status != DECODE_OK) {
            return decode_failed(p, status, form);
        }
    }
    if (!hex_is_complete(&decoder) || written == 0) {
        p->next--;
        return parser_expected(p, form);
    }
    p->size = start + written;
    return OK;
}

enum result parse_base64(struct rdata_parser *p, size_t count)
{
    static const char form[] = "base64 with its padding";
    struct base64_decoder decoder = {0};
    size_t written = 0;
    size_t start = p->size;
    for (size_t i = 0; i < count && (i == 0 || !parser_at_end(p)); i++, p->next++) {
        const struct token *word = parser_word(p, form);
        if (word == NULL) {
            return ERR_FORMAT;
        }
        enum decode_status status =
            base64_feed(&decoder, word->data, word->size, p->out + start + written,
                        RDATA_MAX_SIZE - start - written, &written);
        if (status != DECODE_OK) {
            return decode_failed(p, status, form);
        }
    }
    if (!base64_is_complete(&decoder) || written == 0) {
        p->next--;
        return parser_expected(p, form);
    }
    p->size = start + written;
    return OK;
}

static bool next_is_dash(const struct rdata_parser *p)
{
    return !parser_at_end(p) && !p->tokens[p->next].quoted && p->tokens[p->next].size == 1 &&
           p->tokens[p->next].data[0] == '-';
}

enum result parse_base64_dash(struct rdata_parser *p)
{
    if (next_is_dash(p)) {
        p->next++;
        return OK;
    }
    return parse_base64(p, SIZE_MAX);
}

/* A length octet and hex; "-" is empty (RFC 5155 3.3). */
enum result parse_salt(struct rdata_parser *p)
{
    uint8_t *length = parser_reserve(p, 1);
    if (length == NULL) {
        return ERR_FORMAT;
    }
    *length = 0;
    if (next_is_dash(p)) {
        p->next++;
        return OK;
    }
    size_t start = p->size;
    if (parse_hex(p, 1) != OK) {
        return ERR_FORMAT;
    }
    if (p->size - start > UINT8_MAX) {
        p->next--;
        return parser_expected(p, "at most 255 octets in hex");
    }
    *length = (uint8_t)(p->size - start);
    return OK;
}

/* A 16-bit length as a number, and base64 in one word unless it is 0. */
enum result parse_sized_base64(struct rdata_parser *p)
{
    if (parse_number(p, 2, UINT16_MAX, "a number of octets") != OK) {
        return ERR_FORMAT;
    }
    size_t start = p->size;
    size_t size = get_u16(p->out + start - 2);
    if (size == 0) {
        return OK;
    }
    if (parse_base64(p, 1) != OK) {
        return ERR_FORMAT;
    }
    if (p->size - start != size) {
        p->next--;
        return parser_expected(p, "base64 of as many octets as the number before says");
    }
    return OK;
}

enum result parse_base32(struct rdata_parser *p)
{
    static const char form[] = "1 to 255 octets in base32hex without padding";
    const struct token *word = parser_word(p, form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    uint8_t octets[UINT8_MAX];
    size_t size = 0;
    if (!base32hex_decode(word->data, word->size, octets, sizeof(octets), &size) || size == 0) {
        return parser_expected(p, form);
    }
    uint8_t *out = parser_reserve(p, 1 + size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    out[0] = (uint8_t)size;
    memcpy(out + 1, octets, size);
    p->next++;
    return OK;
}

/* Hex groups of `digits` digits (1 up to it where `is_short_allowed`) with `separator` between. */
enum result parse_groups(struct rdata_parser *p, unsigned groups, unsigned digits, char separator,
                         bool is_short_allowed, const char *expected)
{
    const struct token *word = parser_word(p, expected);
    uint8_t *out = word != NULL ? parser_reserve(p, (size_t)groups * digits / 2) : NULL;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    const char *at = word->data;
    const char *end = at + word->size;
    for (unsigned i = 0; i < groups; i++) {
        const char *stop =
            i + 1 < groups && at < end ? memchr(at, separator, (size_t)(end - at)) : end;
        size_t size = stop != NULL ? (size_t)(stop - at) : 0;
        if (size == 0 || size > digits || (size < digits && !is_short_allowed)) {
            return parser_expected(p, expected);
        }
        char padded[4] = {'0', '0', '0', '0'};
        size_t written = 0;
        memcpy(padded + (digits - size), at, size);
        if (!hex_decode(padded, digits, out, digits / 2, &written)) {
            return parser_expected(p, expected);
        }
        out += written;
        at = stop + (i + 1 < groups);
    }
    p->next++;
    return OK;
}

void format_hex(struct slice bytes, struct text *out)
{
    char text[CHUNK_SIZE * 2];
    for (size_t at = 0; at < bytes.size; at += CHUNK_SIZE) {
        size_t size = bytes.size - at < CHUNK_SIZE ? bytes.size - at : CHUNK_SIZE;
        text_add(out, text, hex_encode_upper(slice_of(bytes.data + at, size), text));
    }
}

void format_base64(struct slice bytes, struct text *out)
{
    char text[CHUNK_SIZE / 3 * 4];
    for (size_t at = 0; at < bytes.size; at += CHUNK_SIZE) {
        size_t size = bytes.size - at < CHUNK_SIZE ? bytes.size - at : CHUNK_SIZE;
        text_add(out, text, base64_encode(slice_of(bytes.data + at, size), text));
    }
}

void format_salt(struct rdata_cursor *c, struct text *out)
{
    size_t size = c->rdata.data[c->at];
    if (size == 0) {
        text_add_char(out, '-');
    }
    format_hex(slice_of(c->rdata.data + c->at + 1, size), out);
    c->at += 1 + size;
}

void format_sized_base64(struct rdata_cursor *c, struct text *out)
{
    size_t size = get_u16(c->rdata.data + c->at);
    text_printf(out, size == 0 ? "%zu" : "%zu ", size);
    format_base64(slice_of(c->rdata.data + c->at + 2, size), out);
    c->at += 2 + size;
}

void format_base32(struct rdata_cursor *c, struct text *out)
{
    char text[(UINT8_MAX * 8 + 4) / 5];
    size_t size = c->rdata.data[c->at];
    text_add(out, text, base32hex_encode(slice_of(c->rdata.data + c->at + 1, size), text));
    c->at += 1 + size;
}

void format_eui(struct rdata_cursor *c, size_t size, struct text *out)
{
    for (size_t i = 0; i < size; i++) {
        text_printf(out, "%s%02x", i == 0 ? "" : "-", (unsigned)c->rdata.data[c->at + i]);
    }
    c->at += size;
}

void format_node(struct rdata_cursor *c, struct text *out)
{
    for (size_t i = 0; i < 8; i += 2) {
        text_printf(out, "%s%04x", i == 0 ? "" : ":", (unsigned)get_u16(c->rdata.data + c->at + i));
    }
    c->at += 8;
}
