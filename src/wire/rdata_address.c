/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses in rdata: IPv4 and IPv6 as text (RFC 1035 3.4.1, RFC 4291 2.2, RFC 5952) and the
 * address prefix lists of RFC 3123.
 *
 * Glue is a good part of every zone of delegations, so the text is read here, from a token that has
 * no NUL, in one pass. IPv4 takes exactly four decimal numbers without leading zeros, as BIND does;
 * what inet_aton also takes (octal, hex, fewer numbers) has other meanings to other readers. IPv6
 * is written as RFC 5952 asks, with the mixed notation for IPv4-mapped and IPv4-compatible
 * addresses, as the resolver library and BIND write it.
 */
#include "wire/rdata_impl.h"

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, APL_NEGATED = 0x80 };

HOT bool ipv4_parse(const char *text, size_t size, uint8_t out[4])
{
    const char *p = text;
    const char *end = text + size;
    for (unsigned i = 0; i < 4; i++) {
        const char *start = p;
        unsigned value = 0;
        while (p < end && (unsigned)(*p - '0') < 10 && p - start < 3) {
            value = value * 10 + (unsigned)(*p++ - '0');
        }
        if (p == start || value > 255 || (*start == '0' && p - start > 1)) {
            return false;
        }
        out[i] = (uint8_t)value;
        if (i < 3 && (p == end || *p++ != '.')) {
            return false;
        }
    }
    return p == end;
}

static inline int hex_value(char c)
{
    if ((unsigned)(c - '0') < 10) {
        return c - '0';
    }
    unsigned letter = (unsigned)(c | 0x20) - 'a';
    return letter < 6 ? (int)letter + 10 : -1;
}

HOT bool ipv6_parse(const char *text, size_t size, uint8_t out[16])
{
    const char *p = text;
    const char *end = text + size;
    size_t at = 0;
    size_t gap = SIZE_MAX; /* where "::" stands */
    uint8_t address[16];
    if (size >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }
    while (p < end) {
        const char *start = p;
        unsigned value = 0;
        int digit;
        while (p < end && p - start < 4 && (digit = hex_value(*p)) >= 0) {
            value = value << 4 | (unsigned)digit;
            p++;
        }
        if (p < end && *p == '.') {
            if (at > 12 || !ipv4_parse(start, (size_t)(end - start), address + at)) {
                return false;
            }
            at += 4;
            break;
        }
        if (p == start || at > 14) {
            return false;
        }
        put_u16(address + at, (uint16_t)value);
        at += 2;
        if (p == end) {
            break;
        }
        if (*p++ != ':' || p == end) {
            return false;
        }
        if (*p == ':') {
            if (gap != SIZE_MAX) {
                return false;
            }
            gap = at;
            p++;
        }
    }
    if (gap == SIZE_MAX) {
        if (at != 16) {
            return false;
        }
        memcpy(out, address, 16);
        return true;
    }
    if (at > 14) {
        return false;
    }
    memcpy(out, address, gap);
    memset(out + gap, 0, 16 - at);
    memcpy(out + gap + (16 - at), address + gap, at - gap);
    return true;
}

static char *octet_format(uint8_t value, char *p)
{
    if (value >= 100) {
        *p++ = (char)('0' + value / 100);
    }
    if (value >= 10) {
        *p++ = (char)('0' + value / 10 % 10);
    }
    *p++ = (char)('0' + value % 10);
    return p;
}

size_t ipv4_format(const uint8_t *address, char *out)
{
    char *p = out;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            *p++ = '.';
        }
        p = octet_format(address[i], p);
    }
    *p = '\0';
    return (size_t)(p - out);
}

static char *group_format(unsigned value, char *p)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned shift = 12; shift > 0; shift -= 4) {
        if (value >> shift != 0) {
            *p++ = digits[value >> shift & 15];
        }
    }
    *p++ = digits[value & 15];
    return p;
}

size_t ipv6_format(const uint8_t *address, char *out)
{
    unsigned groups[8];
    for (unsigned i = 0; i < 8; i++) {
        groups[i] = get_u16(address + 2 * i);
    }
    /* The longest run of zero groups, the first of equals, if longer than one. */
    unsigned best = 8;
    unsigned best_size = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned size = 0;
        while (i + size < 8 && groups[i + size] == 0) {
            size++;
        }
        if (size > best_size) {
            best = i;
            best_size = size;
        }
        i += size;
    }
    bool is_mixed = best == 0 && (best_size == 6 || (best_size == 5 && groups[5] == 0xffff));
    char *p = out;
    for (unsigned i = 0; i < 8; i++) {
        if (i == best) {
            *p++ = ':';
            i += best_size - 1;
            if (i == 7) {
                *p++ = ':';
            }
            continue;
        }
        if (i > 0) {
            *p++ = ':';
        }
        if (is_mixed && i == 6) {
            return (size_t)(p - out) + ipv4_format(address + 12, p);
        }
        p = group_format(groups[i], p);
    }
    *p = '\0';
    return (size_t)(p - out);
}

static unsigned family_octets(unsigned family)
{
    return family == FAMILY_IPV4 ? 4 : family == FAMILY_IPV6 ? 16 : 0;
}

/* [!]family:address/prefix */
static enum result apl_item_parse(struct rdata_parser *p)
{
    static const char form[] =
        "an address prefix as 1:192.0.2.0/24, !1:192.0.2.1/32 or 2:2001:db8::/32";
    const struct token *word = parser_word(p, form);
    if (word == NULL) {
        return ERR_FORMAT;
    }
    const char *at = word->data;
    const char *end = at + word->size;
    bool is_negated = at < end && *at == '!';
    at += is_negated;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    const char *slash = memchr(at, '/', (size_t)(end - at));
    uint64_t family = 0;
    uint64_t prefix = 0;
    if (colon == NULL || slash == NULL || slash < colon ||
        !number_parse(at, (size_t)(colon - at), FAMILY_IPV6, &family) || family == 0 ||
        !number_parse(slash + 1, (size_t)(end - slash - 1), family == FAMILY_IPV4 ? 32 : 128,
                      &prefix)) {
        return parser_expected(p, form);
    }
    uint8_t address[16];
    const char *text = colon + 1;
    size_t text_size = (size_t)(slash - text);
    if (family == FAMILY_IPV4 ? !ipv4_parse(text, text_size, address)
                              : !ipv6_parse(text, text_size, address)) {
        return parser_expected(p, form);
    }
    size_t size = family_octets((unsigned)family);
    while (size > 0 && address[size - 1] == 0) {
        size--;
    }
    uint8_t *out = parser_reserve(p, 4 + size);
    if (out == NULL) {
        return ERR_FORMAT;
    }
    put_u16(out, (uint16_t)family);
    out[2] = (uint8_t)prefix;
    out[3] = (uint8_t)(size | (is_negated ? APL_NEGATED : 0u));
    memcpy(out + 4, address, size);
    p->next++;
    return OK;
}

enum result apl_parse(struct rdata_parser *p)
{
    while (!parser_at_end(p)) {
        enum result result = apl_item_parse(p);
        if (result != OK) {
            return result;
        }
    }
    return OK;
}

/* Families that RFC 3123 does not describe pass with any contents. */
enum result apl_check(struct rdata_cursor *c)
{
    while (c->at < c->rdata.size) {
        struct slice rest = cursor_rest(c);
        if (rest.size < 4) {
            return cursor_bad(c, "an address prefix");
        }
        size_t size = rest.data[3] & ~(unsigned)APL_NEGATED;
        if (rest.size - 4 < size) {
            return cursor_bad(c, "an address prefix");
        }
        unsigned octets = family_octets(get_u16(rest.data));
        if (octets != 0 && (size > octets || rest.data[2] > octets * 8)) {
            return cursor_bad(c, "an address prefix no longer than its family's addresses");
        }
        if (octets != 0 && size > 0 && rest.data[3 + size] == 0) {
            return cursor_bad(c, "an address prefix without zero octets at its end");
        }
        c->at += 4 + size;
    }
    return OK;
}

bool apl_format(struct rdata_cursor *c, struct text *out)
{
    for (bool is_first = true; c->at < c->rdata.size; is_first = false) {
        const uint8_t *item = c->rdata.data + c->at;
        unsigned family = get_u16(item);
        size_t size = item[3] & ~(unsigned)APL_NEGATED;
        unsigned octets = family_octets(family);
        if (octets == 0) {
            return false;
        }
        REQUIRE(size <= octets);
        uint8_t address[16] = {0};
        memcpy(address, item + 4, size);
        char text[IPV6_TEXT_SIZE];
        if (family == FAMILY_IPV4) {
            ipv4_format(address, text);
        } else {
            ipv6_format(address, text);
        }
        text_printf(out, "%s%s%u:%s/%u", is_first ? "" : " ",
                    (item[3] & APL_NEGATED) != 0 ? "!" : "", family, text, (unsigned)item[2]);
        c->at += 4 + size;
    }
    return true;
}
