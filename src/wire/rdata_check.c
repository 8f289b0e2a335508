/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What foreign rdata must look like, field by field, and what single types ask for beyond that. The
 * same rules hold for text, for the \# form and for messages; they are those of BIND, so that what
 * this server takes, its peers take from it.
 */
#include "wire/rdata_impl.h"

enum { ALGORITHM_NONE = 0, KEY_FLAGS_NOKEY = 0xc000 };

enum result cursor_bad(struct rdata_cursor *c, const char *what)
{
    if (c->is_from_text) {
        return error_set(c->err, ERR_FORMAT, "expected %s", what);
    }
    return error_set(c->err, ERR_FORMAT, "expected %s at octet %zu of rdata of %zu octets", what,
                     c->at, c->rdata.size);
}

enum result cursor_name(struct rdata_cursor *c)
{
    size_t size = name_check(cursor_rest(c));
    if (UNLIKELY(size == 0)) {
        return cursor_bad(c, "an uncompressed domain name");
    }
    c->at += size;
    return OK;
}

static enum result check_string(struct rdata_cursor *c)
{
    if (c->at == c->rdata.size) {
        return cursor_bad(c, "a string");
    }
    return cursor_skip(c, 1u + c->rdata.data[c->at], "a string");
}

static enum result check_strings(struct rdata_cursor *c)
{
    do {
        if (check_string(c) != OK) {
            return ERR_FORMAT;
        }
    } while (c->at < c->rdata.size);
    return OK;
}

static enum result check_digits(struct rdata_cursor *c)
{
    size_t start = c->at;
    if (check_string(c) != OK) {
        return ERR_FORMAT;
    }
    bool is_good = c->rdata.data[start] >= 4;
    for (size_t i = start + 1; i < c->at; i++) {
        is_good &= c->rdata.data[i] >= '0' && c->rdata.data[i] <= '9';
    }
    return is_good ? OK : cursor_bad(c, "a string of at least four digits");
}

static enum result check_tag(struct rdata_cursor *c)
{
    size_t start = c->at;
    if (check_string(c) != OK) {
        return ERR_FORMAT;
    }
    bool is_good = c->rdata.data[start] != 0;
    for (size_t i = start + 1; i < c->at; i++) {
        uint8_t octet = c->rdata.data[i];
        uint8_t letter = octet | 0x20;
        is_good &= (octet >= '0' && octet <= '9') || (letter >= 'a' && letter <= 'z');
    }
    return is_good ? OK : cursor_bad(c, "a tag of letters and digits");
}

static enum result check_rest(struct rdata_cursor *c, size_t at_least, const char *what)
{
    return cursor_skip(c, c->rdata.size - c->at < at_least ? at_least : c->rdata.size - c->at,
                       what);
}

/* Octets behind a length of `length_size` octets. */
static enum result check_sized(struct rdata_cursor *c, size_t length_size, size_t at_least,
                               const char *what)
{
    struct slice rest = cursor_rest(c);
    if (rest.size < length_size) {
        return cursor_bad(c, what);
    }
    size_t size = length_size == 1 ? rest.data[0] : get_u16(rest.data);
    return size < at_least ? cursor_bad(c, what) : cursor_skip(c, length_size + size, what);
}

enum result rdata_field_check(struct rdata_cursor *c, enum rdata_field field)
{
    switch (field) {
    case FIELD_END:
        return OK;
    case FIELD_UNKNOWN:
    case FIELD_LONG_TEXT:
    case FIELD_BASE64_OPTIONAL:
    case FIELD_BASE64_DASH:
        return check_rest(c, 0, "data");
    case FIELD_NAME:
    case FIELD_NAME_COMPRESS:
        return cursor_name(c);
    case FIELD_U8:
    case FIELD_ALGORITHM:
    case FIELD_CERT_ALGORITHM:
    case FIELD_DIGEST_TYPE:
    case FIELD_HASH_TYPE:
    case FIELD_SCHEME:
        return cursor_skip(c, 1, "a number of 8 bits");
    case FIELD_U16:
    case FIELD_CERT_TYPE:
    case FIELD_RCODE:
    case FIELD_TYPE:
        return cursor_skip(c, 2, "a number of 16 bits");
    case FIELD_U32:
    case FIELD_TTL:
    case FIELD_TIME:
        return cursor_skip(c, 4, "a number of 32 bits");
    case FIELD_U48:
        return cursor_skip(c, 6, "a number of 48 bits");
    case FIELD_U64:
        return cursor_skip(c, 8, "a number of 64 bits");
    case FIELD_IPV4:
        return cursor_skip(c, 4, "an IPv4 address");
    case FIELD_IPV6:
        return cursor_skip(c, 16, "an IPv6 address");
    case FIELD_STRING:
        return check_string(c);
    case FIELD_STRING_OPTIONAL:
        return c->at == c->rdata.size ? OK : check_string(c);
    case FIELD_STRINGS:
        return check_strings(c);
    case FIELD_DIGITS:
        return check_digits(c);
    case FIELD_TAG:
        return check_tag(c);
    case FIELD_HEX:
    case FIELD_BASE64:
    case FIELD_NSAP:
        return check_rest(c, 1, "at least one octet of data");
    case FIELD_HEX_LEN8:
        return check_sized(c, 1, 0, "octets behind their length");
    case FIELD_BASE64_LEN16:
        return check_sized(c, 2, 0, "octets behind their length");
    case FIELD_BASE32_LEN8:
        return check_sized(c, 1, 1, "at least one octet behind its length");
    case FIELD_TYPE_BITMAP:
        return type_bitmap_check(c);
    case FIELD_NXT_BITMAP:
        return nxt_bitmap_check(c);
    case FIELD_EUI48:
        return cursor_skip(c, 6, "an address of 48 bits");
    case FIELD_EUI64:
    case FIELD_NODE64:
        return cursor_skip(c, 8, "an address of 64 bits");
    case FIELD_LOC:
        return loc_check(c);
    case FIELD_APL:
        return apl_check(c);
    case FIELD_SVC_PARAMS:
        return svc_params_check(c);
    case FIELD_IPSECKEY_GATEWAY:
        return ipsec_gateway_check(c);
    case FIELD_AMT_RELAY:
        return amt_relay_check(c);
    case FIELD_HIP:
        return hip_check(c);
    case FIELD_ATMA:
        return atma_check(c);
    case FIELD_WKS:
        return wks_check(c);
    case FIELD_A6:
        return a6_check(c);
    }
    return cursor_bad(c, "a known field");
}

/* Digest types of DS, SSHFP fingerprints and ZONEMD hashes whose size is known; 0: any. */
static size_t ds_digest_size(uint8_t digest_type)
{
    static const uint8_t sizes[] = {0, 20, 32, 0, 48};
    return digest_type < ARRAY_SIZE(sizes) ? sizes[digest_type] : 0;
}

static size_t fingerprint_size(uint8_t type)
{
    return type == 1 ? 20 : type == 2 ? 32 : 0;
}

static size_t zone_digest_size(uint8_t algorithm)
{
    return algorithm == 1 ? 48 : algorithm == 2 ? 64 : 0;
}

static enum result digest_rule(struct slice rdata, size_t header, size_t size, struct error *err)
{
    if (size == 0 || rdata.size - header == size) {
        return OK;
    }
    return error_set(err, ERR_FORMAT, "expected a digest of %zu octets for its type, found %zu",
                     size, rdata.size - header);
}

static enum result broken_rule(struct error *err, const char *rule)
{
    return error_set(err, ERR_FORMAT, "%s", rule);
}

enum result rdata_check_rules(uint16_t type, struct slice rdata, struct error *err)
{
    enum {
        TYPE_SSHFP = 44,
        TYPE_RKEY = 57,
        TYPE_TA = 32768,
        TYPE_DLV = 32769,
        DS_HEADER = 4,
        SSHFP_HEADER = 2,
        ZONEMD_HEADER = 6,
        ZONEMD_DIGEST_MIN = 12,
        KEY_HEADER = 4,
        NSEC3_SHA1_SIZE = 20,
    };
    const uint8_t *data = rdata.data;
    switch (type) {
    case TYPE_DS:
    case TYPE_CDS:
    case TYPE_TA:
    case TYPE_DLV:
        return digest_rule(rdata, DS_HEADER, ds_digest_size(data[3]), err);
    case TYPE_SSHFP:
        return digest_rule(rdata, SSHFP_HEADER, fingerprint_size(data[1]), err);
    case TYPE_ZONEMD:
        if (rdata.size - ZONEMD_HEADER < ZONEMD_DIGEST_MIN) {
            return broken_rule(err, "expected a digest of at least 12 octets");
        }
        return digest_rule(rdata, ZONEMD_HEADER, zone_digest_size(data[5]), err);
    case TYPE_KEY:
        if (rdata.size == KEY_HEADER && (get_u16(data) & KEY_FLAGS_NOKEY) != KEY_FLAGS_NOKEY) {
            return broken_rule(err, "expected a key, since the flags do not say there is none");
        }
        return OK;
    case TYPE_RKEY:
        return get_u16(data) == 0 ? OK : broken_rule(err, "expected the flags to be 0");
    case TYPE_NSEC:
        if (name_size(data) == rdata.size) {
            return broken_rule(err, "expected at least one record type behind the name");
        }
        return OK;
    case TYPE_NSEC3:
        if (data[0] == 1 && data[5 + data[4]] != NSEC3_SHA1_SIZE) {
            return broken_rule(err, "expected a hash of 20 octets for SHA-1");
        }
        return OK;
    case TYPE_IPSECKEY: {
        static const uint8_t gateway_sizes[] = {0, 4, 16};
        uint8_t kind = data[1];
        size_t gateway = kind < ARRAY_SIZE(gateway_sizes) ? gateway_sizes[kind] : 0;
        if (kind == 3) {
            gateway = name_size(data + 3);
        }
        if (kind <= 3 && data[2] != ALGORITHM_NONE && rdata.size == 3 + gateway) {
            return broken_rule(err, "expected a key, since the algorithm is not 0");
        }
        return OK;
    }
    default:
        return OK;
    }
}
