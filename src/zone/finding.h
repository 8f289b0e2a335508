/* SPDX-License-Identifier: BSD-3-Clause */
/* What loading and checking have to say about a zone: a code, where, how bad, and a sentence. */
#ifndef ZONE_FINDING_H
#define ZONE_FINDING_H

#include <stdint.h>

enum finding_code {
    FINDING_SYNTAX,      /* the text does not follow the grammar */
    FINDING_OUT_OF_ZONE, /* record dropped */
    FINDING_WRONG_CLASS,
    FINDING_DUPLICATE,    /* merged */
    FINDING_ALIKE,        /* the same but for the case of a name (check-dup-records) */
    FINDING_TTL_MISMATCH, /* within an RRset; made equal */
    FINDING_NO_SOA,
    FINDING_SEVERAL_SOA,
    FINDING_SOA_NOT_AT_APEX,
    FINDING_NO_NS,
    FINDING_CNAME_AND_OTHER,
    FINDING_SEVERAL_CNAME,
    FINDING_SEVERAL_DNAME,
    FINDING_MISSING_GLUE,
    FINDING_NS_NO_ADDRESS, /* NS of the apex in the zone has no address */
    FINDING_NS_IS_CNAME,
    FINDING_MX_IS_CNAME,
    FINDING_MX_NO_ADDRESS,
    FINDING_MX_IS_ADDRESS,   /* "MX 10 192.0.2.1" (check-mx) */
    FINDING_SPF_WITHOUT_TXT, /* a policy where nobody looks for it (check-spf) */
    FINDING_SRV_IS_CNAME,
    FINDING_SRV_NO_ADDRESS,
    FINDING_OCCLUDED,           /* below a cut or a DNAME */
    FINDING_FEW_NS,             /* fewer than two name servers (R9) */
    FINDING_BAD_HOST_NAME,      /* check-names */
    FINDING_WILDCARD_IN_MIDDLE, /* a "*" that is not the leftmost label (check-wildcard) */
    FINDING_SOA_TIMERS,         /* expire too short, retry >= refresh … (S8) */
    FINDING_TTL_TOO_LARGE,
    FINDING_RRSET_TOO_LARGE, /* no message has room for it */
    FINDING_LIMIT,
    FINDING_SERIAL, /* content changed, serial did not; serial went back */
    FINDING_CODES
};

enum finding_severity { FINDING_INFO, FINDING_WARNING, FINDING_ERROR };

struct finding {
    enum finding_code code;
    enum finding_severity severity; /* an error refuses the zone */
    const char *file;               /* NULL: none */
    uint32_t line;                  /* 0: none */
    uint32_t column;                /* 0: none */
    const uint8_t *owner;           /* wire name it is about; NULL: none, or it is in the text */
    const char *text;               /* one sentence without final stop; the owner is in it */
};

/* Called in the order found; everything is borrowed for the call. */
typedef void finding_report(void *context, const struct finding *finding);

/* "missing-glue" and so on: stable words for logs, tests and --json. */
const char *finding_code_name(enum finding_code code);

#endif
