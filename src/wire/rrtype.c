/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record types of the IANA registry "Resource Record (RR) TYPEs" (RFC 6895 3.1), with the rdata
 * of each as a row of fields.
 *
 * By number a type is found at its place: the assigned numbers are nearly dense up to 264, and the
 * two above 32767 follow behind. By name it is found with one multiplication: the name's length and
 * its first and last four characters go into a 64-bit word, and name_multiplier sends every known
 * name to a slot of its own in type_by_hash; one comparison confirms it. The multiplier and the
 * slots are made by tools/rrtype_hash.py from the table here; a unit test looks every name up.
 *
 * Sources beyond the RFCs that the registry names: EID, NIMLOC, ATMA, SINK, NINFO, RKEY, TALINK,
 * AVC, DOA, TA and DLV are read and written as BIND does.
 */
#include "wire/rrtype.h"

#include <stdio.h>

enum { NAME_SLOTS = 512, NAME_SIZE_MAX = 10, TYPE_FIRST_HIGH = 32768 };

/* clang-format off */
static const struct rrtype low_types[] = {
    [1] = {1, 0, "A", {FIELD_IPV4}},
    [2] = {2, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "NS", {FIELD_NAME_COMPRESS}},
    [3] = {3, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "MD", {FIELD_NAME_COMPRESS}},
    [4] = {4, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "MF", {FIELD_NAME_COMPRESS}},
    [5] = {5, RRTYPE_SINGLETON | RRTYPE_CANONICAL_NAMES, "CNAME", {FIELD_NAME_COMPRESS}},
    [6] = {6, RRTYPE_SINGLETON | RRTYPE_CANONICAL_NAMES, "SOA", {FIELD_NAME_COMPRESS, FIELD_NAME_COMPRESS, FIELD_U32, FIELD_TTL, FIELD_TTL, FIELD_TTL, FIELD_TTL}},
    [7] = {7, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "MB", {FIELD_NAME_COMPRESS}},
    [8] = {8, RRTYPE_CANONICAL_NAMES, "MG", {FIELD_NAME_COMPRESS}},
    [9] = {9, RRTYPE_CANONICAL_NAMES, "MR", {FIELD_NAME_COMPRESS}},
    [10] = {10, 0, "NULL", {FIELD_UNKNOWN}},
    [11] = {11, 0, "WKS", {FIELD_IPV4, FIELD_WKS}},
    [12] = {12, RRTYPE_CANONICAL_NAMES, "PTR", {FIELD_NAME_COMPRESS}},
    [13] = {13, 0, "HINFO", {FIELD_STRING, FIELD_STRING}},
    [14] = {14, RRTYPE_CANONICAL_NAMES, "MINFO", {FIELD_NAME_COMPRESS, FIELD_NAME_COMPRESS}},
    [15] = {15, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "MX", {FIELD_U16, FIELD_NAME_COMPRESS}},
    [16] = {16, 0, "TXT", {FIELD_STRINGS}},
    [17] = {17, RRTYPE_CANONICAL_NAMES | RRTYPE_DECOMPRESS, "RP", {FIELD_NAME, FIELD_NAME}},
    [18] = {18, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL | RRTYPE_DECOMPRESS, "AFSDB", {FIELD_U16, FIELD_NAME}},
    [19] = {19, 0, "X25", {FIELD_DIGITS}},
    [20] = {20, 0, "ISDN", {FIELD_STRING, FIELD_STRING_OPTIONAL}},
    [21] = {21, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL | RRTYPE_DECOMPRESS, "RT", {FIELD_U16, FIELD_NAME}},
    [22] = {22, 0, "NSAP", {FIELD_NSAP}},
    [23] = {23, 0, "NSAP-PTR", {FIELD_NAME}},
    [24] = {24, RRTYPE_CANONICAL_NAMES | RRTYPE_DECOMPRESS, "SIG", {FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_U32, FIELD_TIME, FIELD_TIME, FIELD_U16, FIELD_NAME, FIELD_BASE64}},
    [25] = {25, 0, "KEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64_OPTIONAL}},
    [26] = {26, RRTYPE_CANONICAL_NAMES | RRTYPE_DECOMPRESS, "PX", {FIELD_U16, FIELD_NAME, FIELD_NAME}},
    [27] = {27, 0, "GPOS", {FIELD_STRING, FIELD_STRING, FIELD_STRING}},
    [28] = {28, 0, "AAAA", {FIELD_IPV6}},
    [29] = {29, 0, "LOC", {FIELD_LOC}},
    [30] = {30, RRTYPE_CANONICAL_NAMES | RRTYPE_DECOMPRESS, "NXT", {FIELD_NAME, FIELD_NXT_BITMAP}},
    [31] = {31, 0, "EID", {FIELD_HEX}},
    [32] = {32, 0, "NIMLOC", {FIELD_HEX}},
    [33] = {33, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL | RRTYPE_DECOMPRESS, "SRV", {FIELD_U16, FIELD_U16, FIELD_U16, FIELD_NAME}},
    [34] = {34, 0, "ATMA", {FIELD_ATMA}},
    [35] = {35, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL | RRTYPE_DECOMPRESS, "NAPTR", {FIELD_U16, FIELD_U16, FIELD_STRING, FIELD_STRING, FIELD_STRING, FIELD_NAME}},
    [36] = {36, RRTYPE_CANONICAL_NAMES | RRTYPE_ADDITIONAL, "KX", {FIELD_U16, FIELD_NAME}},
    [37] = {37, 0, "CERT", {FIELD_CERT_TYPE, FIELD_U16, FIELD_CERT_ALGORITHM, FIELD_BASE64}},
    [38] = {38, RRTYPE_CANONICAL_NAMES, "A6", {FIELD_A6}},
    [39] = {39, RRTYPE_SINGLETON | RRTYPE_CANONICAL_NAMES, "DNAME", {FIELD_NAME}},
    [40] = {40, 0, "SINK", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_BASE64_OPTIONAL}},
    [41] = {41, RRTYPE_META, "OPT", {FIELD_UNKNOWN}},
    [42] = {42, 0, "APL", {FIELD_APL}},
    [43] = {43, 0, "DS", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST_TYPE, FIELD_HEX}},
    [44] = {44, 0, "SSHFP", {FIELD_U8, FIELD_U8, FIELD_HEX}},
    [45] = {45, 0, "IPSECKEY", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_IPSECKEY_GATEWAY, FIELD_BASE64_OPTIONAL}},
    [46] = {46, RRTYPE_CANONICAL_NAMES, "RRSIG", {FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_U32, FIELD_TIME, FIELD_TIME, FIELD_U16, FIELD_NAME, FIELD_BASE64}},
    [47] = {47, 0, "NSEC", {FIELD_NAME, FIELD_TYPE_BITMAP}},
    [48] = {48, 0, "DNSKEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64}},
    [49] = {49, 0, "DHCID", {FIELD_BASE64}},
    [50] = {50, 0, "NSEC3", {FIELD_HASH_TYPE, FIELD_U8, FIELD_U16, FIELD_HEX_LEN8, FIELD_BASE32_LEN8, FIELD_TYPE_BITMAP}},
    [51] = {51, 0, "NSEC3PARAM", {FIELD_HASH_TYPE, FIELD_U8, FIELD_U16, FIELD_HEX_LEN8}},
    [52] = {52, 0, "TLSA", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX}},
    [53] = {53, 0, "SMIMEA", {FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX}},
    [55] = {55, 0, "HIP", {FIELD_HIP}},
    [56] = {56, 0, "NINFO", {FIELD_STRINGS}},
    [57] = {57, 0, "RKEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64}},
    [58] = {58, 0, "TALINK", {FIELD_NAME, FIELD_NAME}},
    [59] = {59, 0, "CDS", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST_TYPE, FIELD_HEX}},
    [60] = {60, 0, "CDNSKEY", {FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64}},
    [61] = {61, 0, "OPENPGPKEY", {FIELD_BASE64}},
    [62] = {62, 0, "CSYNC", {FIELD_U32, FIELD_U16, FIELD_TYPE_BITMAP}},
    [63] = {63, 0, "ZONEMD", {FIELD_U32, FIELD_U8, FIELD_U8, FIELD_HEX}},
    [64] = {64, RRTYPE_ADDITIONAL, "SVCB", {FIELD_U16, FIELD_NAME, FIELD_SVC_PARAMS}},
    [65] = {65, RRTYPE_ADDITIONAL, "HTTPS", {FIELD_U16, FIELD_NAME, FIELD_SVC_PARAMS}},
    [66] = {66, 0, "DSYNC", {FIELD_TYPE, FIELD_SCHEME, FIELD_U16, FIELD_NAME}},
    [67] = {67, 0, "HHIT", {FIELD_BASE64}},
    [68] = {68, 0, "BRID", {FIELD_BASE64}},
    [99] = {99, 0, "SPF", {FIELD_STRINGS}},
    [100] = {100, 0, "UINFO", {FIELD_UNKNOWN}},
    [101] = {101, 0, "UID", {FIELD_UNKNOWN}},
    [102] = {102, 0, "GID", {FIELD_UNKNOWN}},
    [103] = {103, 0, "UNSPEC", {FIELD_UNKNOWN}},
    [104] = {104, 0, "NID", {FIELD_U16, FIELD_NODE64}},
    [105] = {105, 0, "L32", {FIELD_U16, FIELD_IPV4}},
    [106] = {106, 0, "L64", {FIELD_U16, FIELD_NODE64}},
    [107] = {107, 0, "LP", {FIELD_U16, FIELD_NAME}},
    [108] = {108, 0, "EUI48", {FIELD_EUI48}},
    [109] = {109, 0, "EUI64", {FIELD_EUI64}},
    [249] = {249, RRTYPE_META, "TKEY", {FIELD_NAME, FIELD_TIME, FIELD_TIME, FIELD_U16, FIELD_RCODE, FIELD_BASE64_LEN16, FIELD_BASE64_LEN16}},
    [250] = {250, RRTYPE_META, "TSIG", {FIELD_NAME, FIELD_U48, FIELD_U16, FIELD_BASE64_LEN16, FIELD_U16, FIELD_RCODE, FIELD_BASE64_LEN16}},
    [251] = {251, RRTYPE_META, "IXFR", {FIELD_UNKNOWN}},
    [252] = {252, RRTYPE_META, "AXFR", {FIELD_UNKNOWN}},
    [253] = {253, RRTYPE_META, "MAILB", {FIELD_UNKNOWN}},
    [254] = {254, RRTYPE_META, "MAILA", {FIELD_UNKNOWN}},
    [255] = {255, RRTYPE_META, "ANY", {FIELD_UNKNOWN}},
    [256] = {256, 0, "URI", {FIELD_U16, FIELD_U16, FIELD_LONG_TEXT}},
    [257] = {257, 0, "CAA", {FIELD_U8, FIELD_TAG, FIELD_LONG_TEXT}},
    [258] = {258, 0, "AVC", {FIELD_STRINGS}},
    [259] = {259, 0, "DOA", {FIELD_U32, FIELD_U32, FIELD_U8, FIELD_STRING, FIELD_BASE64_DASH}},
    [260] = {260, 0, "AMTRELAY", {FIELD_U8, FIELD_AMT_RELAY}},
    [261] = {261, 0, "RESINFO", {FIELD_STRINGS}},
    [262] = {262, 0, "WALLET", {FIELD_STRINGS}},
    [263] = {263, 0, "CLA", {FIELD_STRINGS}},
    [264] = {264, 0, "IPN", {FIELD_U64}},
};

static const struct rrtype high_types[] = {
    {32768, 0, "TA", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST_TYPE, FIELD_HEX}},
    {32769, 0, "DLV", {FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST_TYPE, FIELD_HEX}},
};
/* clang-format on */

static const struct rrtype unknown_type = {0, 0, "", {FIELD_UNKNOWN}};
static const struct rrtype unknown_meta_type = {0, RRTYPE_META, "", {FIELD_UNKNOWN}};

/* Begin of what tools/rrtype_hash.py writes. */
static const uint64_t name_multiplier = 0x397c6a75a1374adbu;

/* clang-format off */
static const uint16_t type_by_hash[NAME_SLOTS] = {
    0, 0, 0, 0, 0, 17, 0, 0, 35, 0, 60, 0, 0, 0, 0, 0,
    22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0,
    0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 46, 0, 51, 15, 0, 0, 37, 67, 0, 0, 0, 0, 49, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 108, 0, 0, 0,
    100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0,
    255, 5, 0, 0, 0, 66, 0, 0, 0, 0, 0, 249, 0, 0, 0, 0,
    0, 0, 0, 41, 0, 0, 109, 0, 16, 0, 13, 0, 65, 0, 0, 0,
    0, 0, 0, 20, 0, 0, 7, 0, 0, 52, 0, 0, 0, 0, 0, 0,
    59, 48, 0, 0, 0, 61, 0, 0, 0, 0, 99, 0, 0, 0, 0, 262,
    0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 257, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 259, 0, 0, 102,
    0, 0, 0, 0, 264, 0, 0, 0, 0, 0, 0, 0, 0, 0, 34, 0,
    0, 0, 0, 39, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 260, 0,
    0, 1, 251, 0, 0, 261, 0, 0, 0, 0, 0, 105, 0, 0, 0, 0,
    0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    57, 0, 0, 0, 0, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 53,
    0, 0, 0, 0, 0, 0, 58, 0, 0, 0, 0, 0, 0, 0, 0, 12,
    0, 0, 28, 0, 0, 43, 0, 0, 0, 0, 0, 0, 56, 55, 0, 0,
    0, 0, 0, 0, 0, 32, 0, 252, 0, 0, 0, 23, 21, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 32769, 0, 0, 0, 0, 36, 0,
    0, 103, 0, 107, 0, 253, 0, 0, 0, 0, 0, 0, 0, 0, 263, 0,
    0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 106,
    0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 47, 8, 0, 26, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 27, 0, 254,
    0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0,
    0, 0, 0, 0, 0, 38, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 19, 40, 0, 0, 0, 31, 33, 258, 44, 32768, 0, 0,
    0, 0, 0, 104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 68, 10,
    256, 0, 62, 0, 0, 0, 0, 0, 0, 0, 250, 0, 0, 45, 29, 0,
};
/* clang-format on */
/* End of what tools/rrtype_hash.py writes. */

const struct rrtype *rrtype_get(uint16_t number)
{
    if (LIKELY(number < ARRAY_SIZE(low_types))) {
        if (LIKELY(low_types[number].name != NULL)) {
            return &low_types[number];
        }
    } else if (number >= TYPE_FIRST_HIGH &&
               number - TYPE_FIRST_HIGH < (int)ARRAY_SIZE(high_types)) {
        return &high_types[number - TYPE_FIRST_HIGH];
    }
    return number == 0 || (number >= 128 && number <= 255) ? &unknown_meta_type : &unknown_type;
}

static inline uint32_t load_le32(const char *p)
{
    const uint8_t *octets = (const uint8_t *)p;
    return (uint32_t)octets[0] | (uint32_t)octets[1] << 8 | (uint32_t)octets[2] << 16 |
           (uint32_t)octets[3] << 24;
}

/* `size` is at least 1. Setting a letter's case bit to zero changes other characters too, but no
 * two names of the table into the same. */
static inline unsigned name_slot(const char *text, size_t size)
{
    uint64_t word;
    if (size >= 4) {
        word = (uint64_t)load_le32(text) | (uint64_t)load_le32(text + size - 4) << 32;
    } else {
        word = (uint64_t)(uint8_t)text[0] | (uint64_t)(uint8_t)text[size >> 1] << 8 |
               (uint64_t)(uint8_t)text[size - 1] << 16;
    }
    word &= 0xdfdfdfdfdfdfdfdfu;
    return (unsigned)((word + size) * name_multiplier >> (64 - 9));
}

static inline char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
}

/* `name` is in upper case. */
static bool text_is(const char *text, size_t size, const char *name)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '\0' || upper(text[i]) != name[i]) {
            return false;
        }
    }
    return name[size] == '\0';
}

/* A prefix and a decimal number of 16 bits, as RFC 3597 5 writes unknown types and classes. */
static bool numbered_parse(const char *text, size_t size, const char *prefix, size_t prefix_size,
                           uint16_t *out)
{
    if (size <= prefix_size || size > prefix_size + 5) {
        return false;
    }
    for (size_t i = 0; i < prefix_size; i++) {
        if (upper(text[i]) != prefix[i]) {
            return false;
        }
    }
    uint32_t value = 0;
    for (size_t i = prefix_size; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value > 65535) {
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

bool rrtype_parse(const char *text, size_t size, uint16_t *out)
{
    if (size == 0) {
        return false;
    }
    if (size <= NAME_SIZE_MAX) {
        uint16_t number = type_by_hash[name_slot(text, size)];
        if (number != 0 && text_is(text, size, rrtype_get(number)->name)) {
            *out = number;
            return true;
        }
    }
    return numbered_parse(text, size, "TYPE", 4, out);
}

const char *rrtype_format(uint16_t number, char *out)
{
    const struct rrtype *type = rrtype_get(number);
    if (type->name[0] != '\0') {
        snprintf(out, 16, "%s", type->name);
    } else {
        snprintf(out, 16, "TYPE%u", (unsigned)number);
    }
    return out;
}

static const struct {
    const char *name;
    uint16_t number;
} classes[] = {{"IN", 1},    {"CH", 3},    {"HS", 4},    {"NONE", 254},
               {"ANY", 255}, {"CHAOS", 3}, {"HESIOD", 4}};

bool rrclass_parse(const char *text, size_t size, uint16_t *out)
{
    for (size_t i = 0; size != 0 && i < ARRAY_SIZE(classes); i++) {
        if (text_is(text, size, classes[i].name)) {
            *out = classes[i].number;
            return true;
        }
    }
    return numbered_parse(text, size, "CLASS", 5, out);
}

const char *rrclass_format(uint16_t number, char *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        if (classes[i].number == number) {
            snprintf(out, 16, "%s", classes[i].name);
            return out;
        }
    }
    snprintf(out, 16, "CLASS%u", (unsigned)number);
    return out;
}
