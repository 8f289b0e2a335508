/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text to wire, field by field (RFC 1035 5.1). Tokens come with their escapes as written; only
 * character-strings and names have escapes, so everything else is read where it stands.
 *
 * An error says what was expected and quotes what was found, cut short and with octets that do not
 * print replaced, since it goes to a log and the text may be a stranger's.
 */
#include "wire/rdata_impl.h"

enum { SHOWN_MAX = 64, STRING_MAX = 255 };

static const char *token_show(const struct token *token, char out[SHOWN_MAX + 4])
{
    size_t size = token->size < SHOWN_MAX ? token->size : SHOWN_MAX;
    for (size_t i = 0; i < size; i++) {
        char c = token->data[i];
        out[i] = c >= ' ' && c < 0x7f ? c : '?';
    }
    memcpy(out + size, "...", 4);
    if (size == token->size) {
        out[size] = '\0';
    }
    return out;
}

enum result parser_expected(struct rdata_parser *p, const char *expected)
{
    if (p->next >= p->count) {
        return error_set(p->err, ERR_FORMAT, "expected %s, found the end of the record", expected);
    }
    char shown[SHOWN_MAX + 4];
    const struct token *token = &p->tokens[p->next];
    return error_set(p->err, ERR_FORMAT, "expected %s, found %s\"%s\"", expected,
                     token->quoted ? "the quoted string " : "", token_show(token, shown));
}

uint8_t *parser_reserve(struct rdata_parser *p, size_t size)
{
    if (UNLIKELY(RDATA_MAX_SIZE - p->size < size)) {
        error_set(p->err, ERR_FORMAT, "rdata would be longer than 65535 octets");
        return NULL;
    }
    uint8_t *out = p->out + p->size;
    p->size += size;
    return out;
}

const struct token *parser_word(struct rdata_parser *p, const char *expected)
{
    if (UNLIKELY(p->next >= p->count || p->tokens[p->next].quoted)) {
        parser_expected(p, expected);
        return NULL;
    }
    return &p->tokens[p->next];
}

bool number_parse(const char *text, size_t size, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (size == 0) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)(uint8_t)text[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return value <= max;
}

static void put_number(uint8_t *out, unsigned octets, uint64_t value)
{
    for (unsigned i = octets; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

enum result parse_number(struct rdata_parser *p, unsigned octets, uint64_t max,
                         const char *expected)
{
    const struct token *word = parser_word(p, expected);
    uint8_t *out = word != NULL ? parser_reserve(p, octets) : NULL;
    uint64_t value = 0;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    if (UNLIKELY(!number_parse(word->data, word->size, max, &value))) {
        return parser_expected(p, expected);
    }
    put_number(out, octets, value);
    p->next++;
    return OK;
}

/* A number or one of the names that `set` has for it. */
static enum result parse_mnemonic(struct rdata_parser *p, unsigned octets, enum mnemonic_set set,
                                  const char *expected)
{
    uint16_t number;
    const struct token *word = parser_word(p, expected);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if ((word->size > 0 && word->data[0] >= '0' && word->data[0] <= '9') ||
        !mnemonic_find(set, word->data, word->size, &number)) {
        return parse_number(p, octets, octets == 1 ? UINT8_MAX : UINT16_MAX, expected);
    }
    uint8_t *out = parser_reserve(p, octets);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    put_number(out, octets, number);
    p->next++;
    return OK;
}

static enum result parse_type(struct rdata_parser *p)
{
    static const char form[] = "a record type";
    uint16_t type = 0;
    uint64_t number = 0;
    const struct token *word = parser_word(p, form);
    uint8_t *out = word != NULL ? parser_reserve(p, 2) : NULL;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    if (!rrtype_parse(word->data, word->size, &type)) {
        if (!number_parse(word->data, word->size, UINT16_MAX, &number)) {
            return parser_expected(p, form);
        }
        type = (uint16_t)number;
    }
    put_u16(out, type);
    p->next++;
    return OK;
}

enum result parse_name(struct rdata_parser *p)
{
    const struct token *word = parser_word(p, "a domain name");
    if (UNLIKELY(word == NULL)) {
        return ERR_FORMAT;
    }
    struct name name;
    const uint8_t *wire = name.wire;
    size_t size;
    if (word->size == 1 && word->data[0] == '@') {
        if (p->origin == NULL) {
            return parser_expected(p, "an absolute domain name, since there is no origin");
        }
        wire = p->origin;
        size = name_size(wire);
    } else if (LIKELY(name_parse(word->data, word->size, p->origin, &name, p->err) == OK)) {
        size = name.size;
    } else {
        return ERR_FORMAT;
    }
    uint8_t *out = parser_reserve(p, size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    memcpy(out, wire, size);
    p->next++;
    return OK;
}

/* The octet of the escape whose backslash stands at text[*at]; false where it is wrong. */
static bool escape_read(const char *text, size_t size, size_t *at, uint8_t *out)
{
    size_t i = *at + 1;
    if (i >= size) {
        return false;
    }
    if (text[i] < '0' || text[i] > '9') {
        *out = (uint8_t)text[i];
        *at = i + 1;
        return true;
    }
    uint64_t value = 0;
    if (size - i < 3 || !number_parse(text + i, 3, UINT8_MAX, &value)) {
        return false;
    }
    *out = (uint8_t)value;
    *at = i + 3;
    return true;
}

enum result token_unescape(struct rdata_parser *p, const struct token *token, uint8_t *out,
                           size_t room, size_t *out_size)
{
    const char *text = token->data;
    size_t size = token->size;
    if (LIKELY(size <= room && (size == 0 || memchr(text, '\\', size) == NULL))) {
        if (size != 0) {
            memcpy(out, text, size);
        }
        *out_size = size;
        return OK;
    }
    size_t octets = 0;
    for (size_t at = 0; at < size;) {
        uint8_t octet = (uint8_t)text[at];
        if (octet != '\\') {
            at++;
        } else if (!escape_read(text, size, &at, &octet)) {
            return parser_expected(p, "\\X or \\DDD with a number up to 255 as escape");
        }
        if (octets == room) {
            return room == STRING_MAX
                       ? parser_expected(p, "a string of at most 255 octets")
                       : error_set(p->err, ERR_FORMAT, "rdata would be longer than 65535 octets");
        }
        out[octets++] = octet;
    }
    *out_size = octets;
    return OK;
}

/* One character-string, quoted or not. */
static enum result parse_string(struct rdata_parser *p)
{
    if (parser_at_end(p)) {
        return parser_expected(p, "a string");
    }
    uint8_t text[STRING_MAX];
    size_t size = 0;
    if (token_unescape(p, &p->tokens[p->next], text, sizeof(text), &size) != OK) {
        return ERR_FORMAT;
    }
    uint8_t *out = parser_reserve(p, 1 + size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    out[0] = (uint8_t)size;
    memcpy(out + 1, text, size);
    p->next++;
    return OK;
}

static enum result parse_strings(struct rdata_parser *p)
{
    do {
        if (parse_string(p) != OK) {
            return ERR_FORMAT;
        }
    } while (!parser_at_end(p));
    return OK;
}

static enum result parse_digits(struct rdata_parser *p)
{
    size_t start = p->size;
    if (parse_string(p) != OK) {
        return ERR_FORMAT;
    }
    bool is_good = p->out[start] >= 4;
    for (size_t i = start + 1; i < p->size; i++) {
        is_good &= p->out[i] >= '0' && p->out[i] <= '9';
    }
    if (!is_good) {
        p->next--;
        return parser_expected(p, "a string of at least four digits");
    }
    return OK;
}

static enum result parse_long_text(struct rdata_parser *p)
{
    if (parser_at_end(p)) {
        return parser_expected(p, "a string");
    }
    size_t size = 0;
    if (token_unescape(p, &p->tokens[p->next], p->out + p->size, RDATA_MAX_SIZE - p->size, &size) !=
        OK) {
        return ERR_FORMAT;
    }
    p->size += size;
    p->next++;
    return OK;
}

static inline bool is_tag_octet(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static enum result parse_tag(struct rdata_parser *p)
{
    static const char form[] = "a tag of 1 to 255 letters and digits";
    const struct token *word = parser_word(p, form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    bool is_good = word->size >= 1 && word->size <= 255;
    for (size_t i = 0; is_good && i < word->size; i++) {
        is_good = is_tag_octet((uint8_t)word->data[i]);
    }
    if (!is_good) {
        return parser_expected(p, form);
    }
    uint8_t *out = parser_reserve(p, 1 + word->size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    out[0] = (uint8_t)word->size;
    memcpy(out + 1, word->data, word->size);
    p->next++;
    return OK;
}

static enum result parse_address(struct rdata_parser *p, bool is_ipv6)
{
    const char *expected = is_ipv6 ? "an IPv6 address" : "an IPv4 address";
    const struct token *word = parser_word(p, expected);
    uint8_t *out = word != NULL ? parser_reserve(p, is_ipv6 ? 16 : 4) : NULL;
    if (out == NULL) {
        return ERR_FORMAT;
    }
    if (UNLIKELY(is_ipv6 ? !ipv6_parse(word->data, word->size, out)
                         : !ipv4_parse(word->data, word->size, out))) {
        return parser_expected(p, expected);
    }
    p->next++;
    return OK;
}

enum result rdata_field_parse(struct rdata_parser *p, enum rdata_field field)
{
    switch (field) {
    case FIELD_END:
    case FIELD_UNKNOWN:
        break;
    case FIELD_NAME:
    case FIELD_NAME_COMPRESS:
        return parse_name(p);
    case FIELD_U8:
        return parse_number(p, 1, UINT8_MAX, "a number from 0 to 255");
    case FIELD_U16:
        return parse_number(p, 2, UINT16_MAX, "a number from 0 to 65535");
    case FIELD_U32:
        return parse_number(p, 4, UINT32_MAX, "a number from 0 to 4294967295");
    case FIELD_U48:
        return parse_number(p, 6, 0xffffffffffffu, "a number from 0 to 281474976710655");
    case FIELD_U64:
        return parse_number(p, 8, UINT64_MAX, "a number from 0 to 18446744073709551615");
    case FIELD_TTL:
        return parse_ttl(p);
    case FIELD_TIME:
        return parse_time(p);
    case FIELD_TYPE:
        return parse_type(p);
    case FIELD_ALGORITHM:
    case FIELD_CERT_ALGORITHM:
        return parse_mnemonic(p, 1, MNEMONIC_ALGORITHM, "a DNSSEC algorithm");
    case FIELD_CERT_TYPE:
        return parse_mnemonic(p, 2, MNEMONIC_CERT_TYPE, "a certificate type");
    case FIELD_DIGEST_TYPE:
        return parse_mnemonic(p, 1, MNEMONIC_DIGEST_TYPE, "a digest type");
    case FIELD_HASH_TYPE:
        return parse_mnemonic(p, 1, MNEMONIC_HASH_TYPE, "a hash algorithm");
    case FIELD_SCHEME:
        return parse_mnemonic(p, 1, MNEMONIC_SCHEME, "NOTIFY or a number from 0 to 255");
    case FIELD_RCODE:
        return parse_mnemonic(p, 2, MNEMONIC_RCODE, "a response code");
    case FIELD_IPV4:
        return parse_address(p, false);
    case FIELD_IPV6:
        return parse_address(p, true);
    case FIELD_STRING:
        return parse_string(p);
    case FIELD_STRING_OPTIONAL:
        return parser_at_end(p) ? OK : parse_string(p);
    case FIELD_STRINGS:
        return parse_strings(p);
    case FIELD_DIGITS:
        return parse_digits(p);
    case FIELD_LONG_TEXT:
        return parse_long_text(p);
    case FIELD_TAG:
        return parse_tag(p);
    case FIELD_HEX:
        return parse_hex(p, SIZE_MAX);
    case FIELD_HEX_LEN8:
        return parse_salt(p);
    case FIELD_BASE64:
        return parse_base64(p, SIZE_MAX);
    case FIELD_BASE64_OPTIONAL:
        return parser_at_end(p) ? OK : parse_base64(p, SIZE_MAX);
    case FIELD_BASE64_DASH:
        return parse_base64_dash(p);
    case FIELD_BASE64_LEN16:
        return parse_sized_base64(p);
    case FIELD_BASE32_LEN8:
        return parse_base32(p);
    case FIELD_TYPE_BITMAP:
        return type_bitmap_parse(p);
    case FIELD_NXT_BITMAP:
        return nxt_bitmap_parse(p);
    case FIELD_EUI48:
        return parse_groups(p, 6, 2, '-', false, "an address as 00-00-5e-00-53-2a");
    case FIELD_EUI64:
        return parse_groups(p, 8, 2, '-', false, "an address as 00-00-5e-ef-10-00-00-2a");
    case FIELD_NODE64:
        return parse_groups(p, 4, 4, ':', true, "four groups of hex digits as 14:4fff:ff20:ee64");
    case FIELD_LOC:
        return loc_parse(p);
    case FIELD_APL:
        return apl_parse(p);
    case FIELD_SVC_PARAMS:
        return svc_params_parse(p);
    case FIELD_IPSECKEY_GATEWAY:
        return ipsec_gateway_parse(p);
    case FIELD_AMT_RELAY:
        return amt_relay_parse(p);
    case FIELD_HIP:
        return hip_parse(p);
    case FIELD_NSAP:
        return nsap_parse(p);
    case FIELD_ATMA:
        return atma_parse(p);
    case FIELD_WKS:
        return wks_parse(p);
    case FIELD_A6:
        return a6_parse(p);
    }
    return parser_expected(p, "\\# and the rdata in hex");
}
