/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one table of record types. An entry names the type and spells its rdata as a row of fields;
 * parsing, printing, checking, compression, canonical form and embedded names all follow from it.
 */
#ifndef WIRE_RRTYPE_H
#define WIRE_RRTYPE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

enum rdata_field {
    FIELD_END = 0,
    FIELD_NAME,          /* domain name, never compressed on the way out (RFC 3597 4) */
    FIELD_NAME_COMPRESS, /* domain name of an RFC 1035 type: may be compressed */
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_U48,
    FIELD_U64,
    FIELD_TTL,            /* 32 bits, time units allowed in text */
    FIELD_TIME,           /* 32 bits, YYYYMMDDHHMMSS or seconds (RRSIG) */
    FIELD_TYPE,           /* 16 bits, written as a type mnemonic */
    FIELD_ALGORITHM,      /* 8 bits, DNSSEC algorithm number or mnemonic; printed as number */
    FIELD_CERT_ALGORITHM, /* the same, printed as mnemonic (CERT) */
    FIELD_CERT_TYPE,
    FIELD_DIGEST_TYPE, /* 8 bits, number or mnemonic (DS) */
    FIELD_HASH_TYPE,   /* 8 bits, number or mnemonic (NSEC3) */
    FIELD_SCHEME,      /* 8 bits, number or mnemonic (DSYNC) */
    FIELD_RCODE,       /* 16 bits, number or mnemonic (TSIG, TKEY) */
    FIELD_IPV4,
    FIELD_IPV6,
    FIELD_STRING,          /* one character-string */
    FIELD_STRING_OPTIONAL, /* one, or the rdata ends */
    FIELD_STRINGS,         /* one or more character-strings to the end */
    FIELD_DIGITS,          /* character-string of four or more digits (X25) */
    FIELD_LONG_TEXT,       /* text without length octet to the end (CAA value, URI target) */
    FIELD_TAG,             /* length octet and letters, digits (CAA tag) */
    FIELD_HEX,             /* hex to the end, at least one octet */
    FIELD_HEX_LEN8,        /* length octet and hex; "-" is empty (NSEC3 salt) */
    FIELD_BASE64,          /* base64 to the end, at least one octet */
    FIELD_BASE64_OPTIONAL, /* base64 to the end, or nothing */
    FIELD_BASE64_DASH,     /* base64 to the end; "-" is nothing (DOA) */
    FIELD_BASE64_LEN16,    /* 16-bit length, written as a number, and base64 (TSIG, TKEY) */
    FIELD_BASE32_LEN8,     /* length octet and base32hex (NSEC3 next owner) */
    FIELD_TYPE_BITMAP,     /* RFC 4034 4.1.2 */
    FIELD_NXT_BITMAP,      /* RFC 2535 5.2 */
    FIELD_EUI48,
    FIELD_EUI64,
    FIELD_NODE64, /* four groups of 16 bits in hex (NID, L64) */
    FIELD_LOC,
    FIELD_APL,
    FIELD_SVC_PARAMS,
    FIELD_IPSECKEY_GATEWAY, /* by the gateway type, the octet before the last */
    FIELD_AMT_RELAY,        /* discovery bit, type and relay (RFC 8777) */
    FIELD_HIP,
    FIELD_NSAP,
    FIELD_ATMA,
    FIELD_WKS, /* protocol and bit map of ports */
    FIELD_A6,
    FIELD_UNKNOWN, /* RFC 3597 \# form only */
};

enum {
    RRTYPE_SINGLETON = 1,       /* at most one record at an owner (SOA, CNAME, DNAME) */
    RRTYPE_META = 2,            /* never in a zone: OPT, TSIG, AXFR, ANY … */
    RRTYPE_CANONICAL_NAMES = 4, /* embedded names are lower case in canonical form (RFC 4034 6.2) */
    RRTYPE_ADDITIONAL = 8,      /* its names want address records in the additional section */
    RRTYPE_DECOMPRESS = 16, /* its names may come compressed, though none is sent so (RFC 3597 4) */
};

struct rrtype {
    uint16_t number;
    uint8_t flags;
    const char *name;   /* "AAAA" */
    uint8_t fields[12]; /* enum rdata_field, FIELD_END-terminated */
};

/*
 * Never NULL: an unknown number gets a shared entry with FIELD_UNKNOWN, an empty name and number 0;
 * in the range of meta types (RFC 6895 3.1: 128 to 255, and 0) it has RRTYPE_META. O(1).
 */
const struct rrtype *rrtype_get(uint16_t number);
/* "AAAA", "TYPE65280" … without case. O(1), some nanoseconds. */
bool rrtype_parse(const char *text, size_t size, uint16_t *out);
/* "AAAA" or "TYPE65280"; `out` has room for 16, the NUL included. Returns out. */
const char *rrtype_format(uint16_t number, char *out);
/* "IN", "CH", "HS", "ANY", "NONE", "CLASS255" without case. Room as above. */
bool rrclass_parse(const char *text, size_t size, uint16_t *out);
const char *rrclass_format(uint16_t number, char *out);

#endif
