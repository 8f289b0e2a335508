/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of the DNS registries, resource records as borrowed values, and serial arithmetic. */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_SIG = 24,
    TYPE_KEY = 25,
    TYPE_AAAA = 28,
    TYPE_NXT = 30,
    TYPE_SRV = 33,
    TYPE_NAPTR = 35,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_IPSECKEY = 45,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    TYPE_NSEC3 = 50,
    TYPE_NSEC3PARAM = 51,
    TYPE_HIP = 55,
    TYPE_TALINK = 58,
    TYPE_CDS = 59,
    TYPE_CDNSKEY = 60,
    TYPE_ZONEMD = 63,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
    TYPE_SPF = 99,
    TYPE_LP = 107,
    TYPE_TKEY = 249,
    TYPE_TSIG = 250,
    TYPE_IXFR = 251,
    TYPE_AXFR = 252,
    TYPE_MAILB = 253,
    TYPE_MAILA = 254,
    TYPE_ANY = 255,
    TYPE_AMTRELAY = 260,
};

enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum {
    OPCODE_QUERY = 0,
    OPCODE_IQUERY = 1,
    OPCODE_STATUS = 2,
    OPCODE_NOTIFY = 4,
    OPCODE_UPDATE = 5
};

enum {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6,
    RCODE_YXRRSET = 7,
    RCODE_NXRRSET = 8,
    RCODE_NOTAUTH = 9,
    RCODE_NOTZONE = 10,
    RCODE_BADVERS = 16,
    RCODE_BADSIG = 16,
    RCODE_BADKEY = 17,
    RCODE_BADTIME = 18,
    RCODE_BADTRUNC = 22,
    RCODE_BADCOOKIE = 23,
};

/* "NOERROR" …; "RCODE77" for one without a name. Static or in a per-thread buffer. */
const char *rcode_name(unsigned rcode);

/* A record, everything borrowed. rdata is uncompressed wire form and valid for its type. */
struct record {
    const uint8_t *owner; /* wire name, case as written */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    struct slice rdata;
};

/* A serial number: compare only with serial_before (RFC 1982). */
struct serial {
    uint32_t value;
};

/* a comes before b. False for equal ones and for the undefined distance of 2^31. */
static inline bool serial_before(struct serial a, struct serial b)
{
    uint32_t distance = b.value - a.value;
    return distance != 0 && distance < 0x80000000u;
}

static inline bool serial_equal(struct serial a, struct serial b)
{
    return a.value == b.value;
}

struct soa {
    const uint8_t *mname; /* borrowed from the rdata */
    const uint8_t *rname;
    struct serial serial;
    uint32_t refresh_s;
    uint32_t retry_s;
    uint32_t expire_s;
    uint32_t minimum_s;
};

/* `rdata` is valid, uncompressed SOA rdata (REQUIREd). */
struct soa soa_read(struct slice rdata);

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

#endif
