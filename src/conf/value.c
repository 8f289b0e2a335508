/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of one word: booleans, numbers, times, sizes, texts, paths, source addresses. Times may be
 * written as a number, as in zone files (1h30m) or as ISO 8601 (PT1H30M) wherever a time is meant;
 * BIND takes the longer forms only in some of those places.
 */
#include <string.h>
#include <strings.h>

#include "conf/statement_impl.h"

static const struct keyword bool_words[] = {
    {"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"1", 1}, {"0", 0}, {NULL, 0},
};

/* Up to the end of the statement; but a known statement on a line of its own means that a ";" was
 * forgotten, and must not be swallowed. */
bool parse_anything(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    (void)out;
    for (; cursor->at < cursor->statement->count; cursor->at++) {
        const struct item *item = &cursor->statement->items[cursor->at];
        if (cursor->at > 1 && item->kind == ITEM_WORD && item->where.line > item[-1].end_line &&
            statement_find(item->text, cursor->context) != NULL) {
            break;
        }
    }
    return true;
}

bool parse_flag(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)cursor;
    (void)row;
    out->number = 1;
    return true;
}

static bool parse_words(struct cursor *cursor, const struct keyword *words,
                        struct conf_setting *out)
{
    int number;
    if (!keyword_parse(cursor, words, &number)) {
        return false;
    }
    out->number = number;
    return true;
}

bool parse_bool(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    return parse_words(cursor, bool_words, out);
}

bool parse_word(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    return parse_words(cursor, row->words, out);
}

bool parse_bool_or_word(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct item *item = cursor_peek(cursor);
    for (const struct keyword *k = bool_words; item != NULL && item->text != NULL && k->word; k++) {
        if (strcasecmp(k->word, item->text) == 0) {
            return parse_words(cursor, bool_words, out);
        }
    }
    return parse_words(cursor, row->words, out);
}

bool parse_print_time(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const struct keyword words[] = {
        {"yes", CONF_TIME_LOCAL},
        {"no", CONF_TIME_NO},
        {"true", CONF_TIME_LOCAL},
        {"false", CONF_TIME_NO},
        {"1", CONF_TIME_LOCAL},
        {"0", CONF_TIME_NO},
        {"local", CONF_TIME_LOCAL},
        {"iso8601", CONF_TIME_ISO8601},
        {"iso8601-utc", CONF_TIME_ISO8601_UTC},
        {NULL, 0},
    };
    (void)row;
    return parse_words(cursor, words, out);
}

bool conf_parse_number(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    int64_t max = row->max == 0 ? UINT32_MAX : row->max;
    if (!row->clamp) {
        return cursor_number(cursor, "a number", row->min, max, &out->number);
    }
    struct conf_where where = cursor_where(cursor);
    if (!cursor_number(cursor, "a number", 0, UINT32_MAX, &out->number)) {
        return false;
    }
    if (out->number < row->min || out->number > max) {
        out->number = out->number < row->min ? row->min : max;
        loader_warning(cursor->loader, where, "out of range; %lld is taken",
                       (long long)out->number);
    }
    return true;
}

/* ---- times ------------------------------------------------------------------------------- */

static int64_t unit_seconds(char unit, bool is_iso, bool after_t)
{
    switch (unit | 0x20) {
    case 's':
        return is_iso && !after_t ? 0 : 1;
    case 'm':
        return is_iso && !after_t ? 30 * 86400 : 60;
    case 'h':
        return is_iso && !after_t ? 0 : 3600;
    case 'd':
        return after_t ? 0 : 86400;
    case 'w':
        return after_t ? 0 : 7 * 86400;
    case 'y':
        return is_iso && !after_t ? 365 * 86400 : 0;
    default:
        return 0;
    }
}

/* Seconds; *is_bare where it is a number without unit. */
static bool duration_parse(const char *text, int64_t *out, bool *is_bare)
{
    bool is_iso = *text == 'P' || *text == 'p';
    bool after_t = false;
    int64_t total = 0;
    unsigned parts = 0;
    *is_bare = false;
    if (conf_number_parse(text, UINT32_MAX, out)) {
        *is_bare = true;
        return true;
    }
    for (text += is_iso; *text != '\0'; parts++) {
        int64_t number = 0;
        if (is_iso && !after_t && (*text == 'T' || *text == 't')) {
            after_t = true;
            text++;
        }
        if (*text < '0' || *text > '9') {
            return false;
        }
        while (*text >= '0' && *text <= '9' && number <= UINT32_MAX) {
            number = number * 10 + (*text++ - '0');
        }
        int64_t unit = unit_seconds(*text, is_iso, after_t);
        if (unit == 0 || number > UINT32_MAX) {
            return false;
        }
        text++;
        total += number * unit;
        if (total > UINT32_MAX) {
            return false;
        }
    }
    *out = total;
    return parts != 0;
}

/* A bare number counts units of bare_ms; the value is in units of unit_ms. */
static bool parse_time(struct cursor *cursor, const struct row *row, int64_t bare_ms,
                       int64_t unit_ms, struct conf_setting *out)
{
    const struct item *item = cursor_peek(cursor);
    int64_t number;
    bool is_bare;
    if (row->max == CONF_UNLIMITED && cursor_skip_word(cursor, "unlimited")) {
        out->number = CONF_UNLIMITED;
        return true;
    }
    if (item == NULL || item->kind != ITEM_WORD || !duration_parse(item->text, &number, &is_bare)) {
        cursor_expected(cursor, "a time such as 300, 5m or PT5M");
        return false;
    }
    number = number * (is_bare ? bare_ms : 1000) / unit_ms;
    int64_t max = row->max == 0 ? UINT32_MAX : row->max;
    if (number < row->min || number > max) {
        loader_error(cursor->loader, item->where,
                     "`%s` is out of range: between %lld and %lld %s are allowed", item->text,
                     (long long)row->min, (long long)max,
                     unit_ms == 1 ? "milliseconds" : "seconds");
        return false;
    }
    cursor->at++;
    out->number = number;
    return true;
}

bool parse_seconds(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    return parse_time(cursor, row, 1000, 1000, out);
}

bool parse_minutes(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    return parse_time(cursor, row, 60000, 1000, out);
}

bool parse_tenths(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    return parse_time(cursor, row, 100, 1, out);
}

/* ---- sizes ------------------------------------------------------------------------------- */

static bool size_parse(const char *text, int64_t *out)
{
    char digits[24];
    size_t length = strlen(text);
    int shift = 0;
    if (length == 0 || length >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, length + 1);
    switch (text[length - 1] | 0x20) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    default:
        break;
    }
    if (shift != 0) {
        digits[length - 1] = '\0';
    }
    int64_t number;
    if (!conf_number_parse(digits, (INT64_MAX - 1) >> shift, &number)) {
        return false;
    }
    *out = number << shift;
    return true;
}

bool parse_size(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct item *item = cursor_peek(cursor);
    (void)row;
    if (cursor_skip_word(cursor, "unlimited")) {
        out->number = CONF_UNLIMITED;
    } else if (cursor_skip_word(cursor, "default")) {
        out->number = CONF_DEFAULT_SIZE;
    } else if (item != NULL && item->kind == ITEM_WORD && size_parse(item->text, &out->number)) {
        cursor->at++;
    } else {
        cursor_expected(cursor, "a size such as 10M, `unlimited` or `default`");
        return false;
    }
    return true;
}

bool parse_percent(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct item *item = cursor_peek(cursor);
    char digits[16];
    (void)row;
    if (cursor_skip_word(cursor, "unlimited")) {
        out->number = CONF_UNLIMITED;
        return true;
    }
    size_t length = item != NULL && item->kind == ITEM_WORD ? strlen(item->text) : 0;
    if (length >= 2 && length < sizeof(digits) && item->text[length - 1] == '%') {
        memcpy(digits, item->text, length - 1);
        digits[length - 1] = '\0';
        if (conf_number_parse(digits, UINT32_MAX, &out->number)) {
            cursor->at++;
            return true;
        }
    }
    cursor_expected(cursor, "a percentage such as 50%, or `unlimited`");
    return false;
}

/* ---- texts ------------------------------------------------------------------------------- */

bool parse_text(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct item *item = cursor_text(cursor, "a text");
    (void)row;
    if (item == NULL) {
        return false;
    }
    if (item->secret) {
        /* Its reader takes it from the statement: no copy of a secret among other texts. */
        out->object = item;
        return true;
    }
    out->text = loader_keep(cursor->loader, item->text);
    return true;
}

bool parse_text_or_none(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    if (cursor_skip_word(cursor, "none")) {
        out->special = CONF_SPECIAL_NONE;
        return true;
    }
    if (row->id == CONF_SERVER_ID && cursor_skip_word(cursor, "hostname")) {
        out->special = CONF_SPECIAL_HOSTNAME;
        return true;
    }
    return parse_text(cursor, row, out);
}

bool parse_path(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct item *item = cursor_text(cursor, "a path in quotes");
    (void)row;
    if (item == NULL) {
        return false;
    }
    if (item->text[0] == '\0') {
        loader_error(cursor->loader, item->where, "an empty path");
        return false;
    }
    out->text = loader_keep(cursor->loader, item->text);
    return true;
}

bool parse_path_or_none(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    if (cursor_skip_word(cursor, "none")) {
        out->special = CONF_SPECIAL_NONE;
        return true;
    }
    return parse_path(cursor, row, out);
}

/* ---- addresses --------------------------------------------------------------------------- */

/* [ address ] ( ADDR | * ) [ port ( N | * ) ] */
static bool parse_source(struct cursor *cursor, uint8_t family, struct conf_setting *out)
{
    struct address address = {0};
    bool is_query = out->id == CONF_QUERY_SOURCE || out->id == CONF_QUERY_SOURCE_V6;
    bool given = cursor_skip_word(cursor, "address");
    bool port_first = is_query && !given && cursor_at_word(cursor, "port");
    if (!port_first && !cursor_skip_word(cursor, "*")) {
        const struct item *item = cursor_peek(cursor);
        if (!cursor_address(cursor,
                            family == 4 ? "an IPv4 address or `*`" : "an IPv6 address or `*`",
                            &address)) {
            return false;
        }
        if (address.family != family) {
            loader_error(cursor->loader, item->where, "`%s` is not an IPv%u address", item->text,
                         family);
            return false;
        }
    }
    if (!cursor_port(cursor, &address.port)) {
        return false;
    }
    if (port_first && cursor_skip_word(cursor, "address") && !cursor_skip_word(cursor, "*")) {
        uint16_t port = address.port;
        if (!cursor_address(cursor, "an address or `*`", &address)) {
            return false;
        }
        address.port = port;
    }
    struct address *kept = loader_alloc(cursor->loader, sizeof(*kept));
    *kept = address;
    out->address = kept;
    return true;
}

bool parse_source4(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    return parse_source(cursor, 4, out);
}

bool parse_source6(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    return parse_source(cursor, 6, out);
}

/* ---- others ------------------------------------------------------------------------------ */

/* `check-names warn` in a zone, `check-names primary warn` in options. */
bool parse_check_names(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const struct keyword roles[] = {
        {"primary", CONF_CHECK_NAMES_PRIMARY},   {"secondary", CONF_CHECK_NAMES_SECONDARY},
        {"response", CONF_CHECK_NAMES_RESPONSE}, {"master", CONF_CHECK_NAMES_PRIMARY},
        {"slave", CONF_CHECK_NAMES_SECONDARY},   {NULL, 0},
    };
    int id = cursor->zone_type == CONF_ZONE_PRIMARY ? CONF_CHECK_NAMES_PRIMARY
                                                    : CONF_CHECK_NAMES_SECONDARY;
    if ((cursor->context & IN_OPTIONS) != 0 && !keyword_parse(cursor, roles, &id)) {
        return false;
    }
    out->id = (uint16_t)id;
    return parse_words(cursor, row->words, out);
}

bool parse_empty_block(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    uint16_t port;
    if (!cursor_port(cursor, &port)) {
        return false;
    }
    const struct block *block = cursor_block(cursor, "a list between braces");
    if (block == NULL) {
        return false;
    }
    out->number = block->first != NULL;
    cursor->at = cursor->statement->count;
    return true;
}

bool parse_unless_none(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    const struct item *item = cursor_text(cursor, "a name or `none`");
    if (item == NULL) {
        return false;
    }
    out->number = strcasecmp(item->text, "none") != 0 && strcasecmp(item->text, "off") != 0 &&
                  strcasecmp(item->text, "insecure") != 0;
    return true;
}
