/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parameters of SVCB and HTTPS (RFC 9460): key=value words in any order, on the wire sorted by
 * key, each key once.
 *
 * Text is read in two passes: first the keys are found, sorted and held against each other, then
 * the values are written in the order of the wire. The check runs over the wire form, whether it
 * came from text or from a message, so both are held to the same rules; those that span parameters
 * (mandatory ones are there, no-default-alpn stands beside alpn) are the ones BIND asks for.
 *
 * A value is unescaped twice where it is a list: as a character-string (RFC 9460 A.1), then "\,"
 * and
 * "\\" of the list. Keys written as keyNNNNN take raw octets. dohpath and later keys are printed in
 * that form, since it is the one every reader knows. More than PARAMS_MAX parameters have no text
 * form but that of RFC 3597.
 */
#include "wire/rdata_impl.h"

#include <stdio.h>

#include "base/encode.h"

enum {
    KEY_MANDATORY = 0,
    KEY_ALPN = 1,
    KEY_NO_DEFAULT_ALPN = 2,
    KEY_PORT = 3,
    KEY_IPV4HINT = 4,
    KEY_ECH = 5,
    KEY_IPV6HINT = 6,
    KEY_DOHPATH = 7,
    KEY_OHTTP = 8,
    KEY_GROUPS = 9,
    PARAMS_MAX = 256,
    PARAM_HEADER = 4,
    KEYS_PRINTED = 7,
};

static const char *const key_names[] = {
    "mandatory", "alpn",     "no-default-alpn", "port",  "ipv4hint",
    "ech",       "ipv6hint", "dohpath",         "ohttp", "tls-supported-groups"};

struct param {
    const char *value; /* without its quotes */
    size_t value_size;
    size_t token;
    uint16_t key;
    bool has_value;
    bool is_raw; /* written as keyNNNNN */
};

static bool key_parse(const char *text, size_t size, uint16_t *out, bool *is_raw)
{
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++) {
        if (strlen(key_names[i]) == size && memcmp(key_names[i], text, size) == 0) {
            *out = (uint16_t)i;
            *is_raw = false;
            return true;
        }
    }
    uint64_t number = 0;
    if (size < 4 || memcmp(text, "key", 3) != 0 || (text[3] == '0' && size > 4) ||
        !number_parse(text + 3, size - 3, UINT16_MAX, &number)) {
        return false;
    }
    *out = (uint16_t)number;
    *is_raw = true;
    return true;
}

static const char *key_format(uint16_t key, char out[16])
{
    if (key < KEYS_PRINTED) {
        return key_names[key];
    }
    snprintf(out, 16, "key%u", (unsigned)key);
    return out;
}

/* The token in hand as key and value. */
static enum result param_split(struct rdata_parser *p, struct param *out)
{
    static const char form[] = "a service parameter as alpn=h2, port=853 or key65280=text";
    const struct token *word = parser_word(p, form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    const char *equals = memchr(word->data, '=', word->size);
    size_t key_size = equals != NULL ? (size_t)(equals - word->data) : word->size;
    *out = (struct param){.token = p->next, .has_value = equals != NULL};
    if (!key_parse(word->data, key_size, &out->key, &out->is_raw)) {
        return parser_expected(p, form);
    }
    if (equals != NULL) {
        out->value = equals + 1;
        out->value_size = word->size - key_size - 1;
    }
    if (out->value_size > 0 && out->value[0] == '"') {
        if (out->value_size < 2 || out->value[out->value_size - 1] != '"') {
            return parser_expected(p, "a closing quote at the end of the parameter");
        }
        out->value++;
        out->value_size -= 2;
    }
    return OK;
}

static enum result value_expected(struct rdata_parser *p, const struct param *param,
                                  const char *expected)
{
    p->next = param->token;
    return parser_expected(p, expected);
}

/* The value's character-string escapes resolved, behind what is written. */
static enum result raw_parse(struct rdata_parser *p, const struct param *param)
{
    const struct token value = {param->value, (uint32_t)param->value_size, false};
    size_t size = 0;
    if (token_unescape(p, &value, p->out + p->size, RDATA_MAX_SIZE - p->size, &size) != OK) {
        return ERR_FORMAT;
    }
    p->size += size;
    return OK;
}

/*
 * A list of protocol names, each behind its length. Unescaped in place: a name's length octet takes
 * the place of the comma (or, for the first, an octet kept free) before it, so writing never
 * overtakes reading.
 */
static enum result alpn_parse(struct rdata_parser *p, const struct param *param)
{
    static const char form[] = "protocol names of 1 to 255 octets, with commas between them";
    uint8_t *out = parser_reserve(p, 1);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    size_t start = p->size;
    if (raw_parse(p, param) != OK) {
        return ERR_FORMAT;
    }
    const uint8_t *in = p->out + start;
    const uint8_t *end = p->out + p->size;
    for (;;) {
        uint8_t *length = out++;
        while (in < end && *in != ',') {
            if (*in == '\\' && ++in == end) {
                return value_expected(p, param, form);
            }
            *out++ = *in++;
        }
        ptrdiff_t size = out - length - 1;
        if (size < 1 || size > 255) {
            return value_expected(p, param, form);
        }
        *length = (uint8_t)size;
        if (in == end) {
            break;
        }
        in++;
    }
    p->size = (size_t)(out - p->out);
    return OK;
}

/* The items between commas; false behind the last. An empty list has one empty item. */
static bool next_item(const char **at, const char *end, const char **item, size_t *size)
{
    if (*at == NULL) {
        return false;
    }
    const char *comma = *at < end ? memchr(*at, ',', (size_t)(end - *at)) : NULL;
    *item = *at;
    *size = (size_t)((comma != NULL ? comma : end) - *at);
    *at = comma != NULL ? comma + 1 : NULL;
    return true;
}

/* Keys in ascending order, each once. */
static enum result mandatory_parse(struct rdata_parser *p, const struct param *param)
{
    static const char form[] = "names of other keys, each once, with commas between them";
    uint16_t keys[PARAMS_MAX];
    size_t count = 0;
    const char *at = param->value != NULL ? param->value : "";
    const char *end = at + param->value_size;
    const char *item;
    size_t size;
    while (next_item(&at, end, &item, &size)) {
        uint16_t key;
        bool is_raw;
        if (!key_parse(item, size, &key, &is_raw) || count == PARAMS_MAX) {
            return value_expected(p, param, form);
        }
        size_t place = count;
        while (place > 0 && keys[place - 1] > key) {
            keys[place] = keys[place - 1];
            place--;
        }
        if (place > 0 && keys[place - 1] == key) {
            return value_expected(p, param, form);
        }
        keys[place] = key;
        count++;
    }
    uint8_t *out = parser_reserve(p, count * 2);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < count; i++) {
        put_u16(out + 2 * i, keys[i]);
    }
    return OK;
}

/* A list of things of one size: addresses, or numbers of 16 bits. */
static enum result items_parse(struct rdata_parser *p, const struct param *param)
{
    const char *at = param->value != NULL ? param->value : "";
    const char *end = at + param->value_size;
    const char *item;
    size_t size;
    size_t item_size = param->key == KEY_IPV4HINT ? 4 : param->key == KEY_IPV6HINT ? 16 : 2;
    while (next_item(&at, end, &item, &size)) {
        uint8_t *out = parser_reserve(p, item_size);
        if (out == NULL) {
            return ERR_FORMAT;
        }
        uint64_t number = 0;
        if (param->key == KEY_IPV4HINT && !ipv4_parse(item, size, out)) {
            return value_expected(p, param, "IPv4 addresses with commas between them");
        }
        if (param->key == KEY_IPV6HINT && !ipv6_parse(item, size, out)) {
            return value_expected(p, param, "IPv6 addresses with commas between them");
        }
        if (param->key == KEY_GROUPS) {
            if (!number_parse(item, size, UINT16_MAX, &number)) {
                return value_expected(p, param, "numbers of groups with commas between them");
            }
            put_u16(out, (uint16_t)number);
        }
    }
    return OK;
}

static enum result port_parse(struct rdata_parser *p, const struct param *param)
{
    uint64_t port = 0;
    if (!number_parse(param->value, param->value_size, UINT16_MAX, &port)) {
        return value_expected(p, param, "a port from 0 to 65535");
    }
    uint8_t *out = parser_reserve(p, 2);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    put_u16(out, (uint16_t)port);
    return OK;
}

static enum result ech_parse(struct rdata_parser *p, const struct param *param)
{
    struct base64_decoder decoder = {0};
    enum decode_status status = base64_feed(&decoder, param->value, param->value_size,
                                            p->out + p->size, RDATA_MAX_SIZE - p->size, &p->size);
    if (status != DECODE_OK || !base64_is_complete(&decoder)) {
        return value_expected(p, param, "a configuration list in base64");
    }
    return OK;
}

static enum result value_parse(struct rdata_parser *p, const struct param *param)
{
    if (param->is_raw) {
        return raw_parse(p, param);
    }
    switch (param->key) {
    case KEY_MANDATORY:
        return mandatory_parse(p, param);
    case KEY_ALPN:
        return alpn_parse(p, param);
    case KEY_NO_DEFAULT_ALPN:
    case KEY_OHTTP:
        return param->value_size == 0 ? OK : value_expected(p, param, "no value behind this key");
    case KEY_PORT:
        return port_parse(p, param);
    case KEY_ECH:
        return ech_parse(p, param);
    case KEY_IPV4HINT:
    case KEY_IPV6HINT:
    case KEY_GROUPS:
        return items_parse(p, param);
    default:
        return raw_parse(p, param);
    }
}

/* All parameters of the tokens, by ascending key. */
static enum result params_collect(struct rdata_parser *p, struct param *params, size_t *out_count)
{
    size_t count = 0;
    for (; !parser_at_end(p); p->next++) {
        struct param param;
        if (param_split(p, &param) != OK) {
            return ERR_FORMAT;
        }
        if (count == PARAMS_MAX) {
            return parser_expected(p, "at most 256 service parameters");
        }
        size_t place = count;
        while (place > 0 && params[place - 1].key > param.key) {
            params[place] = params[place - 1];
            place--;
        }
        if (place > 0 && params[place - 1].key == param.key) {
            return parser_expected(p, "each service parameter once");
        }
        params[place] = param;
        count++;
    }
    *out_count = count;
    return OK;
}

enum result svc_params_parse(struct rdata_parser *p)
{
    struct param params[PARAMS_MAX];
    size_t count = 0;
    if (params_collect(p, params, &count) != OK) {
        return ERR_FORMAT;
    }
    size_t start = p->size;
    for (size_t i = 0; i < count; i++) {
        p->next = params[i].token;
        uint8_t *header = parser_reserve(p, PARAM_HEADER);
        if (header == NULL || value_parse(p, &params[i]) != OK) {
            return ERR_FORMAT;
        }
        size_t param_start = (size_t)(header - p->out);
        put_u16(header, params[i].key);
        put_u16(header + 2, (uint16_t)(p->size - param_start - PARAM_HEADER));
    }
    struct rdata_cursor c = {slice_of(p->out + start, p->size - start), 0, p->err, true};
    if (svc_params_check(&c) != OK) {
        p->next = p->count - 1;
        return ERR_FORMAT;
    }
    p->next = p->count;
    return OK;
}

/* Parameters of the wire in order; false at the end and where one is cut short (*at tells). */
static bool param_next(struct slice params, size_t *at, uint16_t *key, struct slice *value)
{
    if (params.size - *at < PARAM_HEADER) {
        return false;
    }
    size_t size = get_u16(params.data + *at + 2);
    if (params.size - *at - PARAM_HEADER < size) {
        return false;
    }
    *key = get_u16(params.data + *at);
    *value = slice_of(params.data + *at + PARAM_HEADER, size);
    *at += PARAM_HEADER + size;
    return true;
}

/* A path with a variable "dns" in it (RFC 9461 5). */
static bool dohpath_is_valid(struct slice path)
{
    if (path.size == 0 || path.data[0] != '/') {
        return false;
    }
    const uint8_t *end = path.data + path.size;
    const uint8_t *open = memchr(path.data, '{', path.size);
    while (open != NULL) {
        const uint8_t *close = memchr(open, '}', (size_t)(end - open));
        if (close == NULL) {
            return false;
        }
        if (memmem(open, (size_t)(close - open), "dns", 3) != NULL) {
            return true;
        }
        open = memchr(close, '{', (size_t)(end - close));
    }
    return false;
}

static bool alpn_is_valid(struct slice list)
{
    size_t at = 0;
    while (at < list.size) {
        size_t size = list.data[at];
        if (size == 0 || list.size - at - 1 < size) {
            return false;
        }
        at += 1 + size;
    }
    return list.size != 0;
}

static bool mandatory_is_valid(struct slice list)
{
    if (list.size == 0 || list.size % 2 != 0) {
        return false;
    }
    uint16_t last = KEY_MANDATORY;
    for (size_t at = 0; at < list.size; at += 2) {
        uint16_t key = get_u16(list.data + at);
        if (key <= last) {
            return false;
        }
        last = key;
    }
    return true;
}

/* What the value of a known key must be, or NULL where it is. */
static const char *value_fault(uint16_t key, struct slice value)
{
    switch (key) {
    case KEY_MANDATORY:
        return mandatory_is_valid(value) ? NULL : "a list of mandatory keys in ascending order";
    case KEY_ALPN:
        return alpn_is_valid(value) ? NULL : "a list of protocol names in alpn";
    case KEY_NO_DEFAULT_ALPN:
        return value.size == 0 ? NULL : "no value in no-default-alpn";
    case KEY_PORT:
        return value.size == 2 ? NULL : "two octets in port";
    case KEY_IPV4HINT:
        return value.size != 0 && value.size % 4 == 0 ? NULL : "IPv4 addresses in ipv4hint";
    case KEY_IPV6HINT:
        return value.size != 0 && value.size % 16 == 0 ? NULL : "IPv6 addresses in ipv6hint";
    case KEY_DOHPATH:
        return dohpath_is_valid(value) ? NULL : "a path with a variable {?dns} in dohpath";
    default:
        return NULL;
    }
}

/* Both lists ascend, so one walk over the parameters finds all of them. */
static bool mandatory_are_there(struct slice mandatory, struct slice params)
{
    size_t at = 0;
    size_t wanted = 0;
    uint16_t key;
    struct slice value;
    while (wanted < mandatory.size && param_next(params, &at, &key, &value)) {
        if (key == get_u16(mandatory.data + wanted)) {
            wanted += 2;
        }
    }
    return wanted == mandatory.size;
}

enum result svc_params_check(struct rdata_cursor *c)
{
    struct slice params = cursor_rest(c);
    struct slice mandatory = {NULL, 0};
    struct slice value;
    bool has_alpn = false;
    bool no_default_alpn = false;
    long last = -1;
    size_t at = 0;
    uint16_t key;
    while (param_next(params, &at, &key, &value)) {
        if (key <= last) {
            return cursor_bad(c, "service parameters in ascending order of their keys");
        }
        last = key;
        const char *fault = value_fault(key, value);
        if (fault != NULL) {
            return cursor_bad(c, fault);
        }
        if (key == KEY_MANDATORY) {
            mandatory = value;
        }
        has_alpn |= key == KEY_ALPN;
        no_default_alpn |= key == KEY_NO_DEFAULT_ALPN;
    }
    if (at != params.size) {
        return cursor_bad(c, "a service parameter");
    }
    if (no_default_alpn && !has_alpn) {
        return cursor_bad(c, "alpn beside no-default-alpn");
    }
    if (!mandatory_are_there(mandatory, params)) {
        return cursor_bad(c, "every key that mandatory names");
    }
    c->at = c->rdata.size;
    return OK;
}

/* An octet of a protocol name in a quoted list. */
static void alpn_octet_format(uint8_t octet, struct text *out)
{
    if (octet == ',') {
        text_add_str(out, "\\\\,");
    } else if (octet == '\\') {
        text_add_str(out, "\\\\\\\\");
    } else if (octet == ' ') {
        text_add_str(out, "\\032");
    } else {
        format_quoted_octet(octet, out);
    }
}

static void alpn_format(struct slice list, struct text *out)
{
    text_add_char(out, '"');
    for (size_t at = 0; at < list.size; at += 1u + list.data[at]) {
        if (at > 0) {
            text_add_char(out, ',');
        }
        for (size_t i = 0; i < list.data[at]; i++) {
            alpn_octet_format(list.data[at + 1 + i], out);
        }
    }
    text_add_char(out, '"');
}

static void addresses_format(uint16_t key, struct slice list, struct text *out)
{
    size_t size = key == KEY_IPV4HINT ? 4 : 16;
    for (size_t at = 0; at < list.size; at += size) {
        char address[IPV6_TEXT_SIZE];
        if (key == KEY_IPV4HINT) {
            ipv4_format(list.data + at, address);
        } else {
            ipv6_format(list.data + at, address);
        }
        text_add(out, ",", at > 0 ? 1 : 0);
        text_add_str(out, address);
    }
}

static void value_format(uint16_t key, struct slice value, struct text *out)
{
    char name[16];
    switch (key) {
    case KEY_MANDATORY:
        for (size_t at = 0; at < value.size; at += 2) {
            text_add(out, ",", at > 0 ? 1 : 0);
            text_add_str(out, key_format(get_u16(value.data + at), name));
        }
        break;
    case KEY_ALPN:
        alpn_format(value, out);
        break;
    case KEY_PORT:
        text_printf(out, "%u", (unsigned)get_u16(value.data));
        break;
    case KEY_IPV4HINT:
    case KEY_IPV6HINT:
        addresses_format(key, value, out);
        break;
    case KEY_ECH:
        format_base64(value, out);
        break;
    default:
        text_add_char(out, '"');
        for (size_t i = 0; i < value.size; i++) {
            format_quoted_octet(value.data[i], out);
        }
        text_add_char(out, '"');
    }
}

bool svc_params_format(struct rdata_cursor *c, struct text *out)
{
    struct slice params = cursor_rest(c);
    struct slice value;
    size_t at = 0;
    uint16_t key;
    char name[16];
    for (size_t count = 0; param_next(params, &at, &key, &value); count++) {
        if (count == PARAMS_MAX) {
            return false;
        }
        text_add(out, " ", count > 0 ? 1 : 0);
        text_add_str(out, key_format(key, name));
        if (value.size > 0) {
            text_add_char(out, '=');
            value_format(key, value, out);
        }
    }
    c->at = c->rdata.size;
    return true;
}
