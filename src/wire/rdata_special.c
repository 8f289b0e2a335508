/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields whose form depends on an octet before them, and the odd ones of early types: IPSECKEY (RFC
 * 4025), AMTRELAY (RFC 8777), HIP (RFC 8005), NSAP (RFC 1706), ATMA (ATM Forum AF-SAA-0069), WKS
 * (RFC 1035 3.4.2) and A6 (RFC 2874).
 *
 * IPSECKEY and AMTRELAY of a kind that is not assigned yet are taken from the wire as opaque octets
 * and have no text form but that of RFC 3597.
 */
#include "wire/rdata_impl.h"

#include "base/encode.h"

enum {
    GATEWAY_NONE = 0,
    GATEWAY_IPV4 = 1,
    GATEWAY_IPV6 = 2,
    GATEWAY_NAME = 3,
    AMT_DISCOVERY = 0x80,
    HIP_HEADER = 4,
    WKS_MAP_SIZE = 8192,
    ATMA_AESA = 0,
    ATMA_E164 = 1,
};

/* A gateway or relay of one of the four kinds, the same in both types. */
static enum result gateway_parse(struct rdata_parser *p, uint64_t kind)
{
    const char *expected = kind == GATEWAY_NONE   ? "\".\", since there is no gateway"
                           : kind == GATEWAY_IPV4 ? "an IPv4 address"
                           : kind == GATEWAY_IPV6 ? "an IPv6 address"
                                                  : "a domain name";
    const struct token *word = parser_word(p, expected);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (kind == GATEWAY_NAME) {
        return parse_name(p);
    }
    uint8_t *out = parser_reserve(p, kind == GATEWAY_NONE ? 0 : kind == GATEWAY_IPV4 ? 4 : 16);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    bool is_good = kind == GATEWAY_NONE   ? word->size == 1 && word->data[0] == '.'
                   : kind == GATEWAY_IPV4 ? ipv4_parse(word->data, word->size, out)
                                          : ipv6_parse(word->data, word->size, out);
    if (!is_good) {
        return parser_expected(p, expected);
    }
    p->next++;
    return OK;
}

static enum result gateway_check(struct rdata_cursor *c, unsigned kind)
{
    switch (kind) {
    case GATEWAY_NONE:
        return OK;
    case GATEWAY_IPV4:
        return cursor_skip(c, 4, "an IPv4 address");
    case GATEWAY_IPV6:
        return cursor_skip(c, 16, "an IPv6 address");
    case GATEWAY_NAME:
        return cursor_name(c);
    default:
        c->at = c->rdata.size;
        return OK;
    }
}

static bool gateway_format(struct rdata_cursor *c, unsigned kind, struct text *out)
{
    char address[IPV6_TEXT_SIZE];
    switch (kind) {
    case GATEWAY_NONE:
        text_add_char(out, '.');
        return true;
    case GATEWAY_IPV4:
        text_add(out, address, ipv4_format(c->rdata.data + c->at, address));
        c->at += 4;
        return true;
    case GATEWAY_IPV6:
        text_add(out, address, ipv6_format(c->rdata.data + c->at, address));
        c->at += 16;
        return true;
    case GATEWAY_NAME:
        format_name(c, out);
        return true;
    default:
        return false;
    }
}

/* The gateway's type is the octet before the algorithm, which stands right before the gateway. */
enum result ipsec_gateway_parse(struct rdata_parser *p)
{
    uint8_t kind = p->out[p->size - 2];
    if (kind > GATEWAY_NAME) {
        p->next -= 2;
        return parser_expected(p, "a gateway type from 0 to 3");
    }
    return gateway_parse(p, kind);
}

enum result ipsec_gateway_check(struct rdata_cursor *c)
{
    return gateway_check(c, c->rdata.data[c->at - 2]);
}

bool ipsec_gateway_format(struct rdata_cursor *c, struct text *out)
{
    return gateway_format(c, c->rdata.data[c->at - 2], out);
}

enum result amt_relay_parse(struct rdata_parser *p)
{
    static const char bit_form[] = "a discovery bit, 0 or 1";
    static const char kind_form[] = "a relay type from 0 to 3";
    uint64_t discovery = 0;
    uint64_t kind = 0;
    const struct token *word = parser_word(p, bit_form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (!number_parse(word->data, word->size, 1, &discovery)) {
        return parser_expected(p, bit_form);
    }
    p->next++;
    word = parser_word(p, kind_form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (!number_parse(word->data, word->size, GATEWAY_NAME, &kind)) {
        return parser_expected(p, kind_form);
    }
    p->next++;
    uint8_t *out = parser_reserve(p, 1);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    *out = (uint8_t)(kind | (discovery != 0 ? AMT_DISCOVERY : 0u));
    return gateway_parse(p, kind);
}

enum result amt_relay_check(struct rdata_cursor *c)
{
    if (cursor_skip(c, 1, "a relay type") != OK) {
        return ERR_FORMAT;
    }
    return gateway_check(c, c->rdata.data[c->at - 1] & ~(unsigned)AMT_DISCOVERY);
}

bool amt_relay_format(struct rdata_cursor *c, struct text *out)
{
    unsigned octet = c->rdata.data[c->at++];
    unsigned kind = octet & ~(unsigned)AMT_DISCOVERY;
    text_printf(out, "%u %u ", (octet & AMT_DISCOVERY) != 0 ? 1u : 0u, kind);
    return gateway_format(c, kind, out);
}

/* On the wire: size of the tag, algorithm, size of the key, tag, key, rendezvous servers. */
enum result hip_parse(struct rdata_parser *p)
{
    static const char algorithm_form[] = "an algorithm from 0 to 255";
    const struct token *word = parser_word(p, algorithm_form);
    uint8_t *header = word != NULL ? parser_reserve(p, HIP_HEADER) : NULL;
    uint64_t algorithm = 0;
    if (header == NULL) {
        return ERR_FORMAT;
    }
    if (!number_parse(word->data, word->size, UINT8_MAX, &algorithm)) {
        return parser_expected(p, algorithm_form);
    }
    p->next++;
    size_t start = p->size;
    if (parse_hex(p, 1) != OK) {
        return ERR_FORMAT;
    }
    size_t tag_size = p->size - start;
    if (tag_size > UINT8_MAX) {
        p->next--;
        return parser_expected(p, "a host identity tag of at most 255 octets");
    }
    if (parse_base64(p, 1) != OK) {
        return ERR_FORMAT;
    }
    header[0] = (uint8_t)tag_size;
    header[1] = (uint8_t)algorithm;
    put_u16(header + 2, (uint16_t)(p->size - start - tag_size));
    while (!parser_at_end(p)) {
        if (parse_name(p) != OK) {
            return ERR_FORMAT;
        }
    }
    return OK;
}

enum result hip_check(struct rdata_cursor *c)
{
    struct slice hip = cursor_rest(c);
    if (hip.size < HIP_HEADER || hip.data[0] == 0 || get_u16(hip.data + 2) == 0) {
        return cursor_bad(c, "a host identity tag and key");
    }
    c->at += HIP_HEADER;
    if (cursor_skip(c, (size_t)hip.data[0] + get_u16(hip.data + 2),
                    "a host identity tag and key") != OK) {
        return ERR_FORMAT;
    }
    while (c->at < c->rdata.size) {
        if (cursor_name(c) != OK) {
            return ERR_FORMAT;
        }
    }
    return OK;
}

bool hip_format(struct rdata_cursor *c, struct text *out)
{
    const uint8_t *hip = c->rdata.data + c->at;
    size_t tag_size = hip[0];
    size_t key_size = get_u16(hip + 2);
    text_printf(out, "%u ", (unsigned)hip[1]);
    format_hex(slice_of(hip + HIP_HEADER, tag_size), out);
    text_add_char(out, ' ');
    format_base64(slice_of(hip + HIP_HEADER + tag_size, key_size), out);
    c->at += HIP_HEADER + tag_size + key_size;
    while (c->at < c->rdata.size) {
        text_add_char(out, ' ');
        format_name(c, out);
    }
    return true;
}

/* Hex digits in pairs with dots anywhere between the digits. */
static enum result dotted_hex_parse(struct rdata_parser *p, const char *text, size_t size,
                                    const char *expected)
{
    struct hex_decoder decoder = {0};
    size_t start = p->size;
    for (size_t at = 0; at < size;) {
        const char *dot = memchr(text + at, '.', size - at);
        size_t run = dot != NULL ? (size_t)(dot - text) - at : size - at;
        size_t written = 0;
        if (hex_feed(&decoder, text + at, run, p->out + p->size, RDATA_MAX_SIZE - p->size,
                     &written) != DECODE_OK) {
            return parser_expected(p, expected);
        }
        p->size += written;
        at += run + 1;
    }
    if (!hex_is_complete(&decoder) || p->size == start) {
        return parser_expected(p, expected);
    }
    p->next++;
    return OK;
}

static void hex_lower_format(struct slice bytes, struct text *out)
{
    for (size_t at = 0; at < bytes.size;) {
        char text[128];
        size_t size = bytes.size - at < sizeof(text) / 2 ? bytes.size - at : sizeof(text) / 2;
        text_add(out, text, hex_encode_lower(slice_of(bytes.data + at, size), text));
        at += size;
    }
}

enum result nsap_parse(struct rdata_parser *p)
{
    static const char form[] = "0x and pairs of hex digits";
    const struct token *word = parser_word(p, form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (word->size < 2 || word->data[0] != '0' || (word->data[1] | 0x20) != 'x') {
        return parser_expected(p, form);
    }
    return dotted_hex_parse(p, word->data + 2, word->size - 2, form);
}

bool nsap_format(struct rdata_cursor *c, struct text *out)
{
    text_add_str(out, "0x");
    hex_lower_format(cursor_rest(c), out);
    c->at = c->rdata.size;
    return true;
}

/* "+" and the digits of an E.164 number, or the hex digits of an ATM end system address. */
enum result atma_parse(struct rdata_parser *p)
{
    static const char form[] = "an ATM address: hex digits, or + and a number";
    const struct token *word = parser_word(p, form);
    uint8_t *format = word != NULL ? parser_reserve(p, 1) : NULL;
    if (format == NULL) {
        return ERR_FORMAT;
    }
    if (word->size == 0 || word->data[0] != '+') {
        *format = ATMA_AESA;
        return dotted_hex_parse(p, word->data, word->size, form);
    }
    *format = ATMA_E164;
    size_t digits = 0;
    for (size_t i = 1; i < word->size; i++) {
        char c = word->data[i];
        if (c == '.') {
            continue;
        }
        uint8_t *out = parser_reserve(p, 1);
        if (out == NULL) {
            return ERR_FORMAT;
        }
        if (c < '0' || c > '9') {
            return parser_expected(p, form);
        }
        *out = (uint8_t)c;
        digits++;
    }
    if (digits == 0) {
        return parser_expected(p, form);
    }
    p->next++;
    return OK;
}

enum result atma_check(struct rdata_cursor *c)
{
    struct slice atma = cursor_rest(c);
    if (atma.size < 2) {
        return cursor_bad(c, "an ATM address");
    }
    for (size_t i = 1; atma.data[0] == ATMA_E164 && i < atma.size; i++) {
        if (atma.data[i] < '0' || atma.data[i] > '9') {
            return cursor_bad(c, "digits in an ATM address of format 1");
        }
    }
    c->at = c->rdata.size;
    return OK;
}

bool atma_format(struct rdata_cursor *c, struct text *out)
{
    struct slice atma = cursor_rest(c);
    struct slice address = slice_of(atma.data + 1, atma.size - 1);
    if (atma.data[0] > ATMA_E164) {
        return false;
    }
    if (atma.data[0] == ATMA_E164) {
        text_add_char(out, '+');
        text_add(out, address.data, address.size);
    } else {
        hex_lower_format(address, out);
    }
    c->at = c->rdata.size;
    return true;
}

enum result wks_parse(struct rdata_parser *p)
{
    static const char protocol_form[] = "a protocol: tcp, udp or a number from 0 to 255";
    static const char port_form[] = "a service or a port from 0 to 65535";
    const struct token *word = parser_word(p, protocol_form);
    uint16_t found;
    uint64_t number = 0;
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (mnemonic_find(MNEMONIC_PROTOCOL, word->data, word->size, &found)) {
        number = found;
    } else if (!number_parse(word->data, word->size, UINT8_MAX, &number)) {
        return parser_expected(p, protocol_form);
    }
    uint8_t map[WKS_MAP_SIZE] = {0};
    size_t size = 0;
    uint8_t protocol = (uint8_t)number;
    for (p->next++; !parser_at_end(p); p->next++) {
        word = parser_word(p, port_form);
        if (word == NULL) {
            return ERR_FORMAT;
        }
        if (mnemonic_find(MNEMONIC_SERVICE, word->data, word->size, &found)) {
            number = found;
        } else if (!number_parse(word->data, word->size, UINT16_MAX, &number)) {
            return parser_expected(p, port_form);
        }
        map[number / 8] |= (uint8_t)(0x80u >> number % 8);
        size = size > number / 8 + 1 ? size : (size_t)(number / 8 + 1);
    }
    uint8_t *out = parser_reserve(p, 1 + size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    out[0] = protocol;
    memcpy(out + 1, map, size);
    return OK;
}

enum result wks_check(struct rdata_cursor *c)
{
    struct slice wks = cursor_rest(c);
    if (wks.size < 1 || wks.size > 1 + WKS_MAP_SIZE ||
        (wks.size > 1 && wks.data[wks.size - 1] == 0)) {
        return cursor_bad(c, "a protocol and a bit map that does not end in zero");
    }
    c->at = c->rdata.size;
    return OK;
}

bool wks_format(struct rdata_cursor *c, struct text *out)
{
    struct slice wks = cursor_rest(c);
    text_printf(out, "%u", (unsigned)wks.data[0]);
    for (size_t port = 0; port < (wks.size - 1) * 8; port++) {
        if ((wks.data[1 + port / 8] >> (7 - port % 8) & 1) != 0) {
            text_printf(out, " %u", (unsigned)port);
        }
    }
    c->at = c->rdata.size;
    return true;
}

static size_t a6_suffix_size(unsigned prefix)
{
    return 16 - prefix / 8;
}

/* Bits of the first octet of the suffix that the prefix covers; they are zero. */
static unsigned a6_pad_mask(unsigned prefix)
{
    return prefix % 8 == 0 ? 0 : 0xffu << (8 - prefix % 8) & 0xffu;
}

/* Prefix length, suffix unless that is 128, name unless that is 0. */
enum result a6_parse(struct rdata_parser *p)
{
    static const char suffix_form[] = "an IPv6 address suffix";
    if (parse_number(p, 1, 128, "a prefix length from 0 to 128") != OK) {
        return ERR_FORMAT;
    }
    unsigned prefix = p->out[p->size - 1];
    if (prefix < 128) {
        uint8_t address[16];
        size_t size = a6_suffix_size(prefix);
        const struct token *word = parser_word(p, suffix_form);
        uint8_t *out = word != NULL ? parser_reserve(p, size) : NULL;
        if (out == NULL) {
            return ERR_FORMAT;
        }
        if (!ipv6_parse(word->data, word->size, address)) {
            return parser_expected(p, suffix_form);
        }
        p->next++;
        memcpy(out, address + 16 - size, size);
        out[0] &= (uint8_t)~a6_pad_mask(prefix);
    }
    return prefix == 0 ? OK : parse_name(p);
}

enum result a6_check(struct rdata_cursor *c)
{
    struct slice a6 = cursor_rest(c);
    if (a6.size == 0 || a6.data[0] > 128) {
        return cursor_bad(c, "a prefix length from 0 to 128");
    }
    unsigned prefix = a6.data[0];
    unsigned pad = a6_pad_mask(prefix);
    if (a6.size - 1 < a6_suffix_size(prefix) || (pad != 0 && (a6.data[1] & pad) != 0)) {
        return cursor_bad(c, "an IPv6 address suffix");
    }
    c->at += 1 + a6_suffix_size(prefix);
    return prefix == 0 ? OK : cursor_name(c);
}

bool a6_format(struct rdata_cursor *c, struct text *out)
{
    const uint8_t *a6 = c->rdata.data + c->at;
    unsigned prefix = a6[0];
    size_t size = a6_suffix_size(prefix);
    text_printf(out, "%u", prefix);
    if (prefix < 128) {
        uint8_t address[16] = {0};
        char text[IPV6_TEXT_SIZE];
        memcpy(address + 16 - size, a6 + 1, size);
        ipv6_format(address, text);
        text_printf(out, " %s", text);
    }
    c->at += 1 + size;
    if (prefix != 0) {
        text_add_char(out, ' ');
        format_name(c, out);
    }
    return true;
}
