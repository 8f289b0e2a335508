/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the rdata files share: a parser over tokens, a cursor over wire octets, and three functions
 * for each kind of field that is more than a number or a string.
 */
#ifndef WIRE_RDATA_IMPL_H
#define WIRE_RDATA_IMPL_H

#include "wire/rdata.h"

/* Text to wire. `next` is the token in hand: on failure it stays at the one that is wrong. */
struct rdata_parser {
    const struct token *tokens;
    size_t count;
    size_t next;
    const uint8_t *origin;
    uint8_t *out; /* RDATA_MAX_SIZE octets */
    size_t size;  /* written */
    struct error *err;
};

/* Wire octets read in order. */
struct rdata_cursor {
    struct slice rdata;
    size_t at;
    struct error *err;
    bool is_from_text; /* positions in it would say nothing to the author of the text */
};

static inline struct slice cursor_rest(const struct rdata_cursor *c)
{
    return slice_of(c->rdata.data + c->at, c->rdata.size - c->at);
}

/* `size` octets to write to, or NULL with the error that rdata gets too long. */
uint8_t *parser_reserve(struct rdata_parser *p, size_t size);
/* The token in hand, which must be there and not be quoted; NULL with the error otherwise. */
const struct token *parser_word(struct rdata_parser *p, const char *expected);
/* ERR_FORMAT: expected `expected`, found the token in hand or the end. */
enum result parser_expected(struct rdata_parser *p, const char *expected);
static inline bool parser_at_end(const struct rdata_parser *p)
{
    return p->next == p->count;
}

/* ERR_FORMAT: `what` is cut short or not as it should be. */
enum result cursor_bad(struct rdata_cursor *c, const char *what);
/* Moves past `size` octets that must be there. */
static inline enum result cursor_skip(struct rdata_cursor *c, size_t size, const char *what)
{
    if (UNLIKELY(c->rdata.size - c->at < size)) {
        return cursor_bad(c, what);
    }
    c->at += size;
    return OK;
}
/* Moves past an uncompressed name. */
enum result cursor_name(struct rdata_cursor *c);

/* One field, by kind. rdata_field_format returns false where the value has no text form of its
 * own (then the whole rdata is printed as RFC 3597 has it); its cursor stands on checked rdata. */
enum result rdata_field_parse(struct rdata_parser *p, enum rdata_field field);
enum result rdata_field_check(struct rdata_cursor *c, enum rdata_field field);
bool rdata_field_format(struct rdata_cursor *c, enum rdata_field field, struct text *out);
/* What a type asks for beyond the form of its fields: digest lengths, keys that may be missing. */
enum result rdata_check_rules(uint16_t type, struct slice rdata, struct error *err);

/* Digits only, at most `max`. */
bool number_parse(const char *text, size_t size, uint64_t max, uint64_t *out);
/* A token's escapes resolved to `out`; false (error set) where they are wrong or do not fit. */
enum result token_unescape(struct rdata_parser *p, const struct token *token, uint8_t *out,
                           size_t room, size_t *out_size);
enum result parse_name(struct rdata_parser *p);
/* A number of `octets` octets up to `max`; `expected` is for the error. */
enum result parse_number(struct rdata_parser *p, unsigned octets, uint64_t max,
                         const char *expected);
void format_name(struct rdata_cursor *c, struct text *out);
/* A decimal number of `octets` octets. */
void format_number(struct rdata_cursor *c, unsigned octets, struct text *out);
/* An octet as it may stand between double quotes. */
void format_quoted_octet(uint8_t octet, struct text *out);

/* Octets as text (rdata_encoded.c). Hex and base64 come in up to `count` tokens, and are at least
 * one octet. */
enum result parse_hex(struct rdata_parser *p, size_t count);
enum result parse_base64(struct rdata_parser *p, size_t count);
enum result parse_base64_dash(struct rdata_parser *p);
enum result parse_salt(struct rdata_parser *p);
enum result parse_sized_base64(struct rdata_parser *p);
enum result parse_base32(struct rdata_parser *p);
enum result parse_groups(struct rdata_parser *p, unsigned groups, unsigned digits, char separator,
                         bool is_short_allowed, const char *expected);
void format_hex(struct slice bytes, struct text *out);
void format_base64(struct slice bytes, struct text *out);
void format_salt(struct rdata_cursor *c, struct text *out);
void format_sized_base64(struct rdata_cursor *c, struct text *out);
void format_base32(struct rdata_cursor *c, struct text *out);
void format_eui(struct rdata_cursor *c, size_t size, struct text *out);
void format_node(struct rdata_cursor *c, struct text *out);

/* Times (rdata_time.c). */
enum result parse_ttl(struct rdata_parser *p);
enum result parse_time(struct rdata_parser *p);
void format_time(struct rdata_cursor *c, struct text *out);

/* Addresses (rdata_address.c). */
enum { IPV6_TEXT_SIZE = 40 };
bool ipv4_parse(const char *text, size_t size, uint8_t out[4]);
bool ipv6_parse(const char *text, size_t size, uint8_t out[16]);
/* NUL-terminated; returns the size. `out` has IPV6_TEXT_SIZE. */
size_t ipv4_format(const uint8_t *address, char *out);
size_t ipv6_format(const uint8_t *address, char *out);
enum result apl_parse(struct rdata_parser *p);
enum result apl_check(struct rdata_cursor *c);
bool apl_format(struct rdata_cursor *c, struct text *out);

/* RFC 1876 (rdata_loc.c). */
enum result loc_parse(struct rdata_parser *p);
enum result loc_check(struct rdata_cursor *c);
bool loc_format(struct rdata_cursor *c, struct text *out);

/* RFC 9460 (rdata_svcb.c). */
enum result svc_params_parse(struct rdata_parser *p);
enum result svc_params_check(struct rdata_cursor *c);
bool svc_params_format(struct rdata_cursor *c, struct text *out);

/* rdata_special.c */
enum result ipsec_gateway_parse(struct rdata_parser *p);
enum result ipsec_gateway_check(struct rdata_cursor *c);
bool ipsec_gateway_format(struct rdata_cursor *c, struct text *out);
enum result amt_relay_parse(struct rdata_parser *p);
enum result amt_relay_check(struct rdata_cursor *c);
bool amt_relay_format(struct rdata_cursor *c, struct text *out);
enum result hip_parse(struct rdata_parser *p);
enum result hip_check(struct rdata_cursor *c);
bool hip_format(struct rdata_cursor *c, struct text *out);
enum result nsap_parse(struct rdata_parser *p);
bool nsap_format(struct rdata_cursor *c, struct text *out);
enum result atma_parse(struct rdata_parser *p);
enum result atma_check(struct rdata_cursor *c);
bool atma_format(struct rdata_cursor *c, struct text *out);
enum result wks_parse(struct rdata_parser *p);
enum result wks_check(struct rdata_cursor *c);
bool wks_format(struct rdata_cursor *c, struct text *out);
enum result a6_parse(struct rdata_parser *p);
enum result a6_check(struct rdata_cursor *c);
bool a6_format(struct rdata_cursor *c, struct text *out);

/* Type bit maps (rdata_bitmap.c). */
enum result type_bitmap_parse(struct rdata_parser *p);
enum result type_bitmap_check(struct rdata_cursor *c);
bool type_bitmap_format(struct rdata_cursor *c, struct text *out);
enum result nxt_bitmap_parse(struct rdata_parser *p);
enum result nxt_bitmap_check(struct rdata_cursor *c);
bool nxt_bitmap_format(struct rdata_cursor *c, struct text *out);

/* Names for numbers in rdata (rdata_mnemonic.c). */
enum mnemonic_set {
    MNEMONIC_ALGORITHM,
    MNEMONIC_CERT_TYPE,
    MNEMONIC_DIGEST_TYPE,
    MNEMONIC_HASH_TYPE,
    MNEMONIC_SCHEME,
    MNEMONIC_RCODE,
    MNEMONIC_PROTOCOL,
    MNEMONIC_SERVICE,
};
/* Without case. */
bool mnemonic_find(enum mnemonic_set set, const char *text, size_t size, uint16_t *out);
/* The name that every reader of zone files knows, or NULL. */
const char *mnemonic_name(enum mnemonic_set set, uint16_t number);

#endif
