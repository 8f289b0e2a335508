/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times in rdata: seconds with units (RFC 2308 leaves them to BIND's usage: w, d, h, m, s) and the
 * dates of signatures (RFC 4034 3.2).
 *
 * A date is 32 bits of serial arithmetic; which of the years that share it is meant depends on the
 * present (RFC 4034 3.1.5). There is no clock here, so the years from 1970 to 2106 are printed,
 * which reads back to the same bits at any time; on reading, every year counts modulo 2^32.
 */
#include "wire/rdata_impl.h"

enum { SECONDS_PER_DAY = 86400 };

/* Seconds, or numbers each with a unit: 1w2d3h4m5s. */
static bool ttl_parse(const char *text, size_t size, uint32_t *out)
{
    uint64_t total = 0;
    size_t at = 0;
    while (at < size) {
        size_t start = at;
        uint64_t value = 0;
        while (at < size && text[at] >= '0' && text[at] <= '9' && at - start < 10) {
            value = value * 10 + (uint64_t)(text[at++] - '0');
        }
        if (at == start) {
            return false;
        }
        if (at == size) {
            if (start != 0) {
                return false;
            }
        } else {
            switch (text[at++] | 0x20) {
            case 'w':
                value *= 604800;
                break;
            case 'd':
                value *= 86400;
                break;
            case 'h':
                value *= 3600;
                break;
            case 'm':
                value *= 60;
                break;
            case 's':
                break;
            default:
                return false;
            }
        }
        total += value;
        if (total > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)total;
    return size > 0;
}

enum result parse_ttl(struct rdata_parser *p)
{
    static const char form[] = "a number of seconds, or a time as 1w2d3h4m5s";
    uint32_t value = 0;
    const struct token *word = parser_word(p, form);
    uint8_t *out = word != NULL ? parser_reserve(p, 4) : NULL;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    if (!ttl_parse(word->data, word->size, &value)) {
        return parser_expected(p, form);
    }
    put_u32(out, value);
    p->next++;
    return OK;
}

/* Days from 1970-01-01 in the Gregorian calendar, by counting years from 1 March. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t leaps = year / 4 - year / 100 + year / 400;
    unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    return year * 365 + leaps + (int64_t)day_of_year - 719468;
}

/* YYYYMMDDHHMMSS; taken modulo 2^32, which serial arithmetic (RFC 4034 3.1.5) makes sense of. */
static bool date_parse(const char *text, uint32_t *out)
{
    static const unsigned month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint8_t places[] = {0, 4, 6, 8, 10, 12, 14};
    uint64_t parts[6];
    for (size_t i = 0; i < 6; i++) {
        if (!number_parse(text + places[i], (size_t)(places[i + 1] - places[i]), 9999, &parts[i])) {
            return false;
        }
    }
    uint64_t year = parts[0];
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    /* A second 60 is a leap second and counts as the next one. */
    if (year < 1900 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 ||
        parts[2] > month_days[parts[1] - 1] || (parts[1] == 2 && parts[2] == 29 && !is_leap) ||
        parts[3] > 23 || parts[4] > 59 || parts[5] > 60) {
        return false;
    }
    int64_t days = days_from_civil((int64_t)year, (unsigned)parts[1], (unsigned)parts[2]);
    *out = (uint32_t)(days * 86400 + (int64_t)(parts[3] * 3600 + parts[4] * 60 + parts[5]));
    return true;
}

enum result parse_time(struct rdata_parser *p)
{
    static const char form[] = "a time as YYYYMMDDHHMMSS or in seconds";
    uint32_t value = 0;
    uint64_t seconds = 0;
    const struct token *word = parser_word(p, form);
    uint8_t *out = word != NULL ? parser_reserve(p, 4) : NULL;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    if (word->size != 14 || !date_parse(word->data, &value)) {
        if (word->size > 10 || !number_parse(word->data, word->size, UINT32_MAX, &seconds)) {
            return parser_expected(p, form);
        }
        value = (uint32_t)seconds;
    }
    put_u32(out, value);
    p->next++;
    return OK;
}

void format_time(struct rdata_cursor *c, struct text *out)
{
    uint32_t time = get_u32(c->rdata.data + c->at);
    unsigned second = time % SECONDS_PER_DAY;
    /* The other way round, from years that begin on 1 March. */
    unsigned days = time / SECONDS_PER_DAY + 719468;
    unsigned era_day = days % 146097;
    unsigned era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    unsigned year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    unsigned shifted_month = (5 * year_day + 2) / 153;
    unsigned day = year_day - (153 * shifted_month + 2) / 5 + 1;
    unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    unsigned year = days / 146097 * 400 + era_year + (month <= 2);
    text_printf(out, "%04u%02u%02u%02u%02u%02u", year, month, day, second / 3600, second / 60 % 60,
                second % 60);
    c->at += 4;
}
