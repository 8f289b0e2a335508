/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * LOC (RFC 1876): a place on earth as
 *
 *   d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt[m] [size[m] [horizontal[m] [vertical[m]]]]
 *
 * On the wire: version 0, three octets of mantissa and power of ten (centimetres), latitude and
 * longitude in thousandths of a second from 2^31, altitude in centimetres from 100000 m below. What
 * has another version, or a precision of zero with a power, has no text of its own and is printed
 * as RFC 3597 has it, so that reading gives the same octets back.
 */
#include "wire/rdata_impl.h"

enum {
    LOC_SIZE = 16,
    ALTITUDE_BASE_CM = 10000000,
    SIZE_DEFAULT = 0x12,
    HORIZONTAL_DEFAULT = 0x16,
    VERTICAL_DEFAULT = 0x13
};
static const uint32_t equator = 0x80000000u;
static const uint32_t degree_ms = 3600000;
static const uint64_t precision_max_cm = 9000000000u;

/* Decimal with up to `places` digits behind a point; scaled by 10^places. */
static bool decimal_parse(const char *text, size_t size, unsigned places, uint64_t max,
                          uint64_t *out)
{
    const char *point = memchr(text, '.', size);
    size_t whole_size = point != NULL ? (size_t)(point - text) : size;
    size_t fraction_size = point != NULL ? size - whole_size - 1 : 0;
    if (fraction_size > places || whole_size > 10 || whole_size + fraction_size == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text + i == point) {
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t i = fraction_size; i < places; i++) {
        value *= 10;
    }
    *out = value;
    return value <= max;
}

/* Metres, "m" behind them or not, as centimetres. */
static bool metres_parse(const struct token *word, uint64_t max, uint64_t *out)
{
    size_t size = word->size;
    if (size > 0 && (word->data[size - 1] == 'm' || word->data[size - 1] == 'M')) {
        size--;
    }
    return decimal_parse(word->data, size, 2, max, out);
}

/* +1 for `positive`, -1 for `negative`, 0 for anything else; either case. */
static int direction(const struct token *word, char positive, char negative)
{
    char letter = word->size == 1 ? (char)(word->data[0] & ~0x20) : '\0';
    return letter == positive ? 1 : letter == negative ? -1 : 0;
}

struct axis {
    const char *degrees; /* what is expected */
    const char *letters;
    char positive;
    char negative;
    unsigned max;
};

static const struct axis latitude = {"degrees of latitude from 0 to 90", "N or S", 'N', 'S', 90};
static const struct axis longitude = {"degrees of longitude from 0 to 180", "E or W", 'E', 'W',
                                      180};

static enum result angle_parse(struct rdata_parser *p, const struct axis *axis, uint32_t *out)
{
    const struct token *word = parser_word(p, axis->degrees);
    uint64_t degrees = 0;
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (!number_parse(word->data, word->size, axis->max, &degrees)) {
        return parser_expected(p, axis->degrees);
    }
    uint64_t angle = degrees * degree_ms;
    p->next++;
    for (unsigned part = 0;; part++) {
        word = parser_word(p, axis->letters);
        if (word == NULL) {
            return ERR_FORMAT;
        }
        int sign = direction(word, axis->positive, axis->negative);
        if (sign != 0) {
            *out = sign > 0 ? equator + (uint32_t)angle : equator - (uint32_t)angle;
            p->next++;
            return OK;
        }
        uint64_t value = 0;
        if (part == 0 && !number_parse(word->data, word->size, 59, &value)) {
            return parser_expected(p, "minutes from 0 to 59 or a direction");
        }
        if (part == 1 && !decimal_parse(word->data, word->size, 3, 59999, &value)) {
            return parser_expected(p, "seconds from 0 to 59.999 or a direction");
        }
        if (part == 2) {
            return parser_expected(p, axis->letters);
        }
        angle += part == 0 ? value * 60000 : value;
        if (angle > (uint64_t)axis->max * degree_ms) {
            return parser_expected(p, axis->degrees);
        }
        p->next++;
    }
}

/* Mantissa and power of ten of centimetres, cut to one digit (RFC 1876 2). */
static uint8_t precision_encode(uint64_t centimetres)
{
    unsigned power = 0;
    while (centimetres >= 10) {
        centimetres /= 10;
        power++;
    }
    return (uint8_t)(centimetres << 4 | power);
}

enum result loc_parse(struct rdata_parser *p)
{
    static const char altitude_form[] = "an altitude from -100000.00m to 42849672.95m";
    static const char precision_form[] = "a size from 0.00m to 90000000.00m";
    uint8_t *out = parser_reserve(p, LOC_SIZE);
    uint32_t angles[2];
    if (out == NULL || angle_parse(p, &latitude, &angles[0]) != OK ||
        angle_parse(p, &longitude, &angles[1]) != OK) {
        return ERR_FORMAT;
    }
    const struct token *word = parser_word(p, altitude_form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    struct token magnitude = *word;
    bool is_below = word->size > 0 && word->data[0] == '-';
    magnitude.data += is_below;
    magnitude.size -= is_below;
    uint64_t altitude = 0;
    if (!metres_parse(&magnitude,
                      is_below ? ALTITUDE_BASE_CM : (uint64_t)UINT32_MAX - ALTITUDE_BASE_CM,
                      &altitude)) {
        return parser_expected(p, altitude_form);
    }
    p->next++;
    altitude = is_below ? ALTITUDE_BASE_CM - altitude : ALTITUDE_BASE_CM + altitude;
    uint8_t precisions[3] = {SIZE_DEFAULT, HORIZONTAL_DEFAULT, VERTICAL_DEFAULT};
    for (size_t i = 0; i < 3 && !parser_at_end(p); i++, p->next++) {
        word = parser_word(p, precision_form);
        uint64_t value = 0;
        if (word == NULL) {
            return ERR_FORMAT;
        }
        if (!metres_parse(word, precision_max_cm, &value)) {
            return parser_expected(p, precision_form);
        }
        precisions[i] = precision_encode(value);
    }
    out[0] = 0;
    memcpy(out + 1, precisions, 3);
    put_u32(out + 4, angles[0]);
    put_u32(out + 8, angles[1]);
    put_u32(out + 12, (uint32_t)altitude);
    return OK;
}

static bool angle_is_valid(uint32_t angle, unsigned max_degrees)
{
    uint32_t distance = angle > equator ? angle - equator : equator - angle;
    return distance <= max_degrees * degree_ms;
}

enum result loc_check(struct rdata_cursor *c)
{
    struct slice loc = cursor_rest(c);
    if (loc.size == 0 || (loc.data[0] == 0 && loc.size != LOC_SIZE)) {
        return cursor_bad(c, "a location of 16 octets");
    }
    if (loc.data[0] == 0) {
        for (size_t i = 1; i < 4; i++) {
            if (loc.data[i] >> 4 > 9 || (loc.data[i] & 15) > 9) {
                return cursor_bad(c, "a size of one decimal digit and a power up to 9");
            }
        }
        if (!angle_is_valid(get_u32(loc.data + 4), latitude.max) ||
            !angle_is_valid(get_u32(loc.data + 8), longitude.max)) {
            return cursor_bad(c, "a place on earth");
        }
    }
    c->at = c->rdata.size;
    return OK;
}

static void angle_format(uint32_t angle, const struct axis *axis, struct text *out)
{
    uint32_t distance = angle >= equator ? angle - equator : equator - angle;
    text_printf(out, "%u %u %u.%03u %c ", distance / degree_ms, distance / 60000 % 60,
                distance / 1000 % 60, distance % 1000,
                angle >= equator ? axis->positive : axis->negative);
}

static void precision_format(uint8_t precision, struct text *out)
{
    uint64_t value = precision >> 4;
    for (unsigned i = precision & 15; i > 0; i--) {
        value *= 10;
    }
    if (value < 100) {
        text_printf(out, " 0.%02um", (unsigned)value);
    } else {
        text_printf(out, " %um", (unsigned)(value / 100));
    }
}

bool loc_format(struct rdata_cursor *c, struct text *out)
{
    struct slice loc = cursor_rest(c);
    if (loc.data[0] != 0) {
        return false;
    }
    for (size_t i = 1; i < 4; i++) {
        if (loc.data[i] >> 4 == 0 && (loc.data[i] & 15) != 0) {
            return false;
        }
    }
    angle_format(get_u32(loc.data + 4), &latitude, out);
    angle_format(get_u32(loc.data + 8), &longitude, out);
    int64_t altitude = (int64_t)get_u32(loc.data + 12) - ALTITUDE_BASE_CM;
    uint64_t magnitude = (uint64_t)(altitude < 0 ? -altitude : altitude);
    text_printf(out, "%s%u.%02um", altitude < 0 ? "-" : "", (unsigned)(magnitude / 100),
                (unsigned)(magnitude % 100));
    for (size_t i = 1; i < 4; i++) {
        precision_format(loc.data[i], out);
    }
    c->at = c->rdata.size;
    return true;
}
