/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wire to text, field by field, in the form BIND prints and every reader of zone files takes: one
 * line, names absolute, character-strings always quoted, hex in upper case and base64 unbroken.
 *
 * rdata_format runs the check first, so nothing here meets a length that lies.
 */
#include "wire/rdata_impl.h"

void format_name(struct rdata_cursor *c, struct text *out)
{
    char name[NAME_TEXT_SIZE];
    const uint8_t *wire = c->rdata.data + c->at;
    text_add_str(out, name_format(wire, name));
    c->at += name_size(wire);
}

void format_number(struct rdata_cursor *c, unsigned octets, struct text *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < octets; i++) {
        value = value << 8 | c->rdata.data[c->at + i];
    }
    char digits[20];
    char *p = digits + sizeof(digits);
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_add(out, p, (size_t)(digits + sizeof(digits) - p));
    c->at += octets;
}

void format_quoted_octet(uint8_t octet, struct text *out)
{
    if (octet < ' ' || octet >= 0x7f) {
        char escape[4] = {'\\', (char)('0' + octet / 100), (char)('0' + octet / 10 % 10),
                          (char)('0' + octet % 10)};
        text_add(out, escape, sizeof(escape));
        return;
    }
    if (octet == '"' || octet == '\\') {
        text_add_char(out, '\\');
    }
    text_add_char(out, (char)octet);
}

static bool is_plain(uint8_t octet)
{
    return octet >= ' ' && octet < 0x7f && octet != '"' && octet != '\\';
}

/* Between double quotes; runs that need no escape go in one piece. */
static void format_quoted(struct slice bytes, struct text *out)
{
    text_add_char(out, '"');
    for (size_t at = 0; at < bytes.size;) {
        size_t run = at;
        while (run < bytes.size && is_plain(bytes.data[run])) {
            run++;
        }
        text_add(out, bytes.data + at, run - at);
        if (run < bytes.size) {
            format_quoted_octet(bytes.data[run++], out);
        }
        at = run;
    }
    text_add_char(out, '"');
}

static void format_string(struct rdata_cursor *c, struct text *out)
{
    size_t size = c->rdata.data[c->at];
    format_quoted(slice_of(c->rdata.data + c->at + 1, size), out);
    c->at += 1 + size;
}

static void format_strings(struct rdata_cursor *c, struct text *out)
{
    format_string(c, out);
    while (c->at < c->rdata.size) {
        text_add_char(out, ' ');
        format_string(c, out);
    }
}

static void format_tag(struct rdata_cursor *c, struct text *out)
{
    size_t size = c->rdata.data[c->at];
    text_add(out, c->rdata.data + c->at + 1, size);
    c->at += 1 + size;
}

static void format_type(struct rdata_cursor *c, struct text *out)
{
    char name[16];
    text_add_str(out, rrtype_format(get_u16(c->rdata.data + c->at), name));
    c->at += 2;
}

static void format_mnemonic(struct rdata_cursor *c, unsigned octets, enum mnemonic_set set,
                            struct text *out)
{
    const uint8_t *wire = c->rdata.data + c->at;
    const char *name = mnemonic_name(set, octets == 1 ? wire[0] : get_u16(wire));
    if (name == NULL) {
        format_number(c, octets, out);
        return;
    }
    text_add_str(out, name);
    c->at += octets;
}

static void format_ipv4(struct rdata_cursor *c, struct text *out)
{
    char address[IPV6_TEXT_SIZE];
    text_add(out, address, ipv4_format(c->rdata.data + c->at, address));
    c->at += 4;
}

static void format_ipv6(struct rdata_cursor *c, struct text *out)
{
    char address[IPV6_TEXT_SIZE];
    text_add(out, address, ipv6_format(c->rdata.data + c->at, address));
    c->at += 16;
}

static void format_rest(struct rdata_cursor *c, void (*format)(struct slice, struct text *),
                        struct text *out)
{
    format(cursor_rest(c), out);
    c->at = c->rdata.size;
}

bool rdata_field_format(struct rdata_cursor *c, enum rdata_field field, struct text *out)
{
    switch (field) {
    case FIELD_END:
    case FIELD_UNKNOWN:
        return false;
    case FIELD_NAME:
    case FIELD_NAME_COMPRESS:
        format_name(c, out);
        return true;
    case FIELD_U8:
    case FIELD_ALGORITHM:
    case FIELD_DIGEST_TYPE:
    case FIELD_HASH_TYPE:
        format_number(c, 1, out);
        return true;
    case FIELD_U16:
        format_number(c, 2, out);
        return true;
    case FIELD_U32:
    case FIELD_TTL:
        format_number(c, 4, out);
        return true;
    case FIELD_U48:
        format_number(c, 6, out);
        return true;
    case FIELD_U64:
        format_number(c, 8, out);
        return true;
    case FIELD_TIME:
        format_time(c, out);
        return true;
    case FIELD_TYPE:
        format_type(c, out);
        return true;
    case FIELD_CERT_ALGORITHM:
        format_mnemonic(c, 1, MNEMONIC_ALGORITHM, out);
        return true;
    case FIELD_CERT_TYPE:
        format_mnemonic(c, 2, MNEMONIC_CERT_TYPE, out);
        return true;
    case FIELD_SCHEME:
        format_mnemonic(c, 1, MNEMONIC_SCHEME, out);
        return true;
    case FIELD_RCODE:
        format_mnemonic(c, 2, MNEMONIC_RCODE, out);
        return true;
    case FIELD_IPV4:
        format_ipv4(c, out);
        return true;
    case FIELD_IPV6:
        format_ipv6(c, out);
        return true;
    case FIELD_STRING:
    case FIELD_DIGITS:
        format_string(c, out);
        return true;
    case FIELD_STRING_OPTIONAL:
        if (c->at < c->rdata.size) {
            format_string(c, out);
        }
        return true;
    case FIELD_STRINGS:
        format_strings(c, out);
        return true;
    case FIELD_LONG_TEXT:
        format_rest(c, format_quoted, out);
        return true;
    case FIELD_TAG:
        format_tag(c, out);
        return true;
    case FIELD_HEX:
        format_rest(c, format_hex, out);
        return true;
    case FIELD_HEX_LEN8:
        format_salt(c, out);
        return true;
    case FIELD_BASE64_DASH:
        if (c->at == c->rdata.size) {
            text_add_char(out, '-');
        }
        format_rest(c, format_base64, out);
        return true;
    case FIELD_BASE64:
    case FIELD_BASE64_OPTIONAL:
        format_rest(c, format_base64, out);
        return true;
    case FIELD_BASE64_LEN16:
        format_sized_base64(c, out);
        return true;
    case FIELD_BASE32_LEN8:
        format_base32(c, out);
        return true;
    case FIELD_TYPE_BITMAP:
        return type_bitmap_format(c, out);
    case FIELD_NXT_BITMAP:
        return nxt_bitmap_format(c, out);
    case FIELD_EUI48:
        format_eui(c, 6, out);
        return true;
    case FIELD_EUI64:
        format_eui(c, 8, out);
        return true;
    case FIELD_NODE64:
        format_node(c, out);
        return true;
    case FIELD_LOC:
        return loc_format(c, out);
    case FIELD_APL:
        return apl_format(c, out);
    case FIELD_SVC_PARAMS:
        return svc_params_format(c, out);
    case FIELD_IPSECKEY_GATEWAY:
        return ipsec_gateway_format(c, out);
    case FIELD_AMT_RELAY:
        return amt_relay_format(c, out);
    case FIELD_HIP:
        return hip_format(c, out);
    case FIELD_NSAP:
        return nsap_format(c, out);
    case FIELD_ATMA:
        return atma_format(c, out);
    case FIELD_WKS:
        return wks_format(c, out);
    case FIELD_A6:
        return a6_format(c, out);
    }
    return false;
}
