/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as text: hex, base64 (RFC 4648 4) and base32hex without padding (RFC 4648 7, RFC
 * 5155 3.3).
 *
 * Nothing here allocates and nothing writes past what it was given. The decoders of hex and base64
 * take their text in pieces, because zone files break long values into words. They are strict, so
 * that a text has one meaning: base64 must be padded, and bits that no octet uses must be zero.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

/* Characters that encoding `size` octets takes; no NUL is written. */
static inline size_t hex_text_size(size_t size)
{
    return size * 2;
}

static inline size_t base64_text_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

static inline size_t base32hex_text_size(size_t size)
{
    return (size * 8 + 4) / 5;
}

/* `out` has room for the size above; returns it. base32hex is written in upper case, as BIND does.
 */
size_t hex_encode_lower(struct slice bytes, char *out);
size_t hex_encode_upper(struct slice bytes, char *out);
size_t base64_encode(struct slice bytes, char *out);
size_t base32hex_encode(struct slice bytes, char *out);

enum decode_status {
    DECODE_OK,
    DECODE_BAD_TEXT, /* a character that does not belong there */
    DECODE_NO_ROOM,  /* more octets than `room` */
};

/* Text that comes in pieces. Start zeroed; feed each piece; then ask whether it was complete. */
struct hex_decoder {
    uint8_t high; /* the first digit of an octet under way */
    bool has_high;
};

/* Decodes `size` characters to `out`, which has room for `room` octets, and adds the octets
 * written to *written (which on failure counts those before it). */
MUST_CHECK enum decode_status hex_feed(struct hex_decoder *decoder, const char *text, size_t size,
                                       uint8_t *out, size_t room, size_t *written);
static inline bool hex_is_complete(const struct hex_decoder *decoder)
{
    return !decoder->has_high;
}

struct base64_decoder {
    uint32_t bits;   /* of the group of four under way */
    uint8_t count;   /* characters in it, padding included */
    uint8_t padding; /* "=" seen; behind a padded group nothing may follow */
};

MUST_CHECK enum decode_status base64_feed(struct base64_decoder *decoder, const char *text,
                                          size_t size, uint8_t *out, size_t room, size_t *written);
static inline bool base64_is_complete(const struct base64_decoder *decoder)
{
    return decoder->count == 0;
}

/* Whole texts. False where it is not well-formed or does not fit; *out_size only on success. */
MUST_CHECK bool hex_decode(const char *text, size_t size, uint8_t *out, size_t room,
                           size_t *out_size);
MUST_CHECK bool base64_decode(const char *text, size_t size, uint8_t *out, size_t room,
                              size_t *out_size);
/* Letters of either case. */
MUST_CHECK bool base32hex_decode(const char *text, size_t size, uint8_t *out, size_t room,
                                 size_t *out_size);

#endif
