/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as text and back. Every decoder looks its characters up in a table that gives -1 for those
 * outside the alphabet, so that a group of characters is checked by the sign of their or; the
 * careful way, a character at a time, is only for the ends of pieces, for padding and for errors.
 */
#include "base/encode.h"

#include <endian.h>
#include <string.h>

#include "base/attr.h"

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32hex_alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/* clang-format off */
/* Value of a hex digit, or -1. */
static const int8_t hex_values[256] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -1, -1, -1, -1, -1,
    -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

/* Value of a character of base64, or -1. */
static const int8_t base64_values[256] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
    -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

/* Value of a character of base32hex, or -1. */
static const int8_t base32hex_values[256] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -1, -1, -1, -1, -1,
    -1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26, 27, 28, 29, 30, 31, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26, 27, 28, 29, 30, 31, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};
/* clang-format on */

static size_t hex_encode(struct slice bytes, const char *digits, char *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = digits[bytes.data[i] >> 4];
        out[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    return bytes.size * 2;
}

size_t hex_encode_lower(struct slice bytes, char *out)
{
    return hex_encode(bytes, hex_lower, out);
}

size_t hex_encode_upper(struct slice bytes, char *out)
{
    return hex_encode(bytes, hex_upper, out);
}

size_t base64_encode(struct slice bytes, char *out)
{
    char *p = out;
    size_t at = 0;
    for (; at + 3 <= bytes.size; at += 3) {
        uint32_t bits =
            (uint32_t)bytes.data[at] << 16 | (uint32_t)bytes.data[at + 1] << 8 | bytes.data[at + 2];
        *p++ = base64_alphabet[bits >> 18];
        *p++ = base64_alphabet[bits >> 12 & 63];
        *p++ = base64_alphabet[bits >> 6 & 63];
        *p++ = base64_alphabet[bits & 63];
    }
    size_t left = bytes.size - at;
    if (left > 0) {
        uint32_t bits = (uint32_t)bytes.data[at] << 16;
        if (left == 2) {
            bits |= (uint32_t)bytes.data[at + 1] << 8;
        }
        *p++ = base64_alphabet[bits >> 18];
        *p++ = base64_alphabet[bits >> 12 & 63];
        *p++ = left == 2 ? base64_alphabet[bits >> 6 & 63] : '=';
        *p++ = '=';
    }
    return (size_t)(p - out);
}

/* Forty bits as eight characters, the first one in the top octet: halves are moved apart until each
 * octet has five bits, and then becomes a digit, or a letter where adding carries into its top bit. */
static ALWAYS_INLINE uint64_t base32hex_group(uint64_t bits)
{
    const uint64_t each = 0x0101010101010101u;
    bits = (bits & 0xfffff00000u) << 12 | (bits & 0xfffffu);
    bits = (bits & 0x000ffc00000ffc00u) << 6 | (bits & 0x000003ff000003ffu);
    bits = (bits & 0x03e003e003e003e0u) << 3 | (bits & 0x001f001f001f001fu);
    uint64_t letters = (bits + (0x80 - 10) * each) >> 7 & each;
    return bits + '0' * each + letters * ('A' - '0' - 10);
}

size_t base32hex_encode(struct slice bytes, char *out)
{
    char *p = out;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t whole = bytes.size - bytes.size % 5;
    for (size_t i = 0; i < whole; i += 5) { /* forty bits are eight characters */
        const uint8_t *in = bytes.data + i;
        uint32_t head;
        memcpy(&head, in, sizeof(head));
        uint64_t group = (uint64_t)be32toh(head) << 8 | in[4];
        uint64_t text = htobe64(base32hex_group(group));
        memcpy(p, &text, sizeof(text));
        p += 8;
    }
    for (size_t i = whole; i < bytes.size; i++) {
        bits = bits << 8 | bytes.data[i];
        bit_count += 8;
        while (bit_count >= 5) {
            bit_count -= 5;
            *p++ = base32hex_alphabet[bits >> bit_count & 31];
        }
    }
    if (bit_count > 0) {
        *p++ = base32hex_alphabet[bits << (5 - bit_count) & 31];
    }
    return (size_t)(p - out);
}

static inline int value_of(const int8_t *values, char c)
{
    return values[(uint8_t)c];
}

enum decode_status hex_feed(struct hex_decoder *decoder, const char *text, size_t size,
                            uint8_t *out, size_t room, size_t *written)
{
    size_t at = 0;
    size_t octets = 0;
    enum decode_status status = DECODE_OK;
    while (at < size) {
        if (octets == room) {
            status = DECODE_NO_ROOM;
            break;
        }
        int value = value_of(hex_values, text[at]);
        if (value < 0) {
            status = DECODE_BAD_TEXT;
            break;
        }
        if (!decoder->has_high && at + 1 < size) {
            int low = value_of(hex_values, text[at + 1]);
            if (low < 0) {
                status = DECODE_BAD_TEXT;
                break;
            }
            out[octets++] = (uint8_t)(value << 4 | low);
            at += 2;
            continue;
        }
        if (decoder->has_high) {
            out[octets++] = (uint8_t)(decoder->high << 4 | value);
        } else {
            decoder->high = (uint8_t)value;
        }
        decoder->has_high = !decoder->has_high;
        at++;
    }
    *written += octets;
    return status;
}

/* The octets of a full group to `out`; their number, 0 where the padded bits are not zero. */
static size_t base64_group(const struct base64_decoder *decoder, uint8_t *out)
{
    uint32_t bits = decoder->bits;
    size_t count = 3u - decoder->padding;
    if (decoder->padding != 0 && (bits & (0xffffffu >> (8 * count))) != 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return count;
}

enum decode_status base64_feed(struct base64_decoder *decoder, const char *text, size_t size,
                               uint8_t *out, size_t room, size_t *written)
{
    size_t at = 0;
    size_t octets = 0;
    enum decode_status status = DECODE_OK;
    while (at < size) {
        while (decoder->count == 0 && decoder->padding == 0 && size - at >= 4 &&
               room - octets >= 3) {
            int a = value_of(base64_values, text[at]);
            int b = value_of(base64_values, text[at + 1]);
            int c = value_of(base64_values, text[at + 2]);
            int d = value_of(base64_values, text[at + 3]);
            if ((a | b | c | d) < 0) {
                break;
            }
            out[octets] = (uint8_t)(a << 2 | b >> 4);
            out[octets + 1] = (uint8_t)(b << 4 | c >> 2);
            out[octets + 2] = (uint8_t)(c << 6 | d);
            octets += 3;
            at += 4;
        }
        if (at == size) {
            break;
        }
        int value = value_of(base64_values, text[at]);
        if (text[at] == '=') {
            if (decoder->count < 2) {
                status = DECODE_BAD_TEXT;
                break;
            }
            decoder->padding++;
            value = 0;
        } else if (value < 0 || decoder->padding != 0) {
            status = DECODE_BAD_TEXT;
            break;
        }
        decoder->bits = decoder->bits << 6 | (uint32_t)value;
        decoder->count++;
        at++;
        if (decoder->count == 4) {
            uint8_t group[3];
            decoder->bits &= 0xffffffu;
            size_t count = base64_group(decoder, group);
            if (count == 0 || count > room - octets) {
                status = count == 0 ? DECODE_BAD_TEXT : DECODE_NO_ROOM;
                break;
            }
            memcpy(out + octets, group, count);
            octets += count;
            decoder->count = 0;
            decoder->bits = 0;
        }
    }
    *written += octets;
    return status;
}

bool hex_decode(const char *text, size_t size, uint8_t *out, size_t room, size_t *out_size)
{
    struct hex_decoder decoder = {0};
    size_t written = 0;
    if (hex_feed(&decoder, text, size, out, room, &written) != DECODE_OK ||
        !hex_is_complete(&decoder)) {
        return false;
    }
    *out_size = written;
    return true;
}

bool base64_decode(const char *text, size_t size, uint8_t *out, size_t room, size_t *out_size)
{
    struct base64_decoder decoder = {0};
    size_t written = 0;
    if (base64_feed(&decoder, text, size, out, room, &written) != DECODE_OK ||
        !base64_is_complete(&decoder)) {
        return false;
    }
    *out_size = written;
    return true;
}

bool base32hex_decode(const char *text, size_t size, uint8_t *out, size_t room, size_t *out_size)
{
    size_t octets = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t begin = 0;
    for (; begin + 8 <= size && octets + 5 <= room; begin += 8) {
        uint64_t group = 0;
        int any = 0;
        for (unsigned n = 0; n < 8; n++) {
            int value = value_of(base32hex_values, text[begin + n]);
            any |= value;
            group = group << 5 | (uint64_t)(value & 31);
        }
        if (any < 0) {
            return false;
        }
        for (unsigned n = 0; n < 5; n++) {
            out[octets + n] = (uint8_t)(group >> (32 - 8 * n));
        }
        octets += 5;
    }
    for (size_t i = begin; i < size; i++) {
        int value = value_of(base32hex_values, text[i]);
        if (value < 0) {
            return false;
        }
        bits = (bits << 5 | (uint32_t)value) & 0xfffu;
        bit_count += 5;
        if (bit_count >= 8) {
            if (octets == room) {
                return false;
            }
            bit_count -= 8;
            out[octets++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* A whole character that gives no octet, or a bit that belongs to none. */
    if (bit_count >= 5 || (bits & ((1u << bit_count) - 1)) != 0) {
        return false;
    }
    *out_size = octets;
    return true;
}
