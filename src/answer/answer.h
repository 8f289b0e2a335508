/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer machine: a batch of queries and a zone set go in, responses come out. It allocates
 * nothing, never waits, keeps nothing between calls, and reads no clock.
 *
 * What it does not answer itself it hands up: transfers, NOTIFY, UPDATE, and signed queries whose
 * TSIG has not been checked yet (check it, set `key` and `reserve`, and ask again).
 */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include "answer/cookie.h"
#include "answer/query.h"
#include "base/address.h"
#include "zone/zone_set.h"

enum answer_transport { ANSWER_UDP, ANSWER_TCP, ANSWER_TLS };

enum answer_disposition {
    ANSWER_SEND,   /* `response_size` octets in `out` */
    ANSWER_DROP,   /* say nothing */
    ANSWER_XFR,    /* AXFR or IXFR in class IN, CH or HS (IXFR over UDP too, RFC 1995 2); `zone` is
                    * the one of exactly this name, or NULL */
    ANSWER_NOTIFY, /* `zone` likewise; records not read yet */
    ANSWER_UPDATE,
    ANSWER_TSIG, /* a query with a TSIG record at query.tsig_offset and `key` NULL */
};

struct answer_query {
    /* In. Everything borrowed until the caller is done with the outputs. */
    struct slice message;
    const struct address *peer;  /* for allow_query and cookies; may be NULL */
    const struct address *local; /* where it arrived, for allow_query; may be NULL */
    const uint8_t *key;          /* name of the TSIG key that was verified, or NULL */
    enum answer_transport transport;
    struct slice tls_names; /* for allow_query: of the client's certificate */
    uint16_t padding;       /* the caller's: block to fill the response up to, or 0 (RFC 7830) */
    size_t reserve;         /* octets to leave free at the end, for a TSIG record */
    uint8_t *out;           /* not overlapping `message` */
    size_t out_size;        /* at least 512 + reserve; 65535 + reserve is never passed */
    void *context;          /* the caller's own */

    /* Out. */
    enum answer_disposition disposition;
    uint16_t rcode;       /* with its extended bits */
    bool truncated;       /* TC was set */
    uint8_t cookie;       /* enum cookie_state */
    bool by_wildcard;     /* the name asked for was met by a wildcard */
    size_t response_size; /* 0 unless ANSWER_SEND */
    struct zone *zone;    /* that the question fell into, or NULL; borrowed, as long as the read
                           * section lasts */
    struct query query;   /* borrows from `message` */
};

/* How much more than the answer itself is said. */
enum answer_extras {
    ANSWER_ADDITIONAL, /* addresses of NS, MX, SRV, SVCB and HTTPS targets */
    ANSWER_FULL,       /* those, and the zone's NS in the authority section */
    ANSWER_MINIMAL,    /* only what is required */
};

struct answer_options {
    uint16_t udp_size; /* largest UDP response, and the size offered in OPT; 0: 1232 */
    enum answer_extras extras;
    bool minimal_any;      /* ANY over UDP gets one RRset (RFC 8482 4.1) */
    const char *version;   /* version.bind and version.server CH TXT; NULL: REFUSED */
    const char *hostname;  /* hostname.bind CH TXT; NULL: REFUSED */
    const char *server_id; /* id.server CH TXT; NULL: REFUSED */
    struct slice nsid; /* answer to the NSID option (RFC 5001), at most 128 octets; empty: none */
    uint16_t tcp_keepalive;              /* in 100 ms (RFC 7828); 0: not said */
    const struct cookie_policy *cookies; /* NULL: cookies are not answered */
    bool says_why;                       /* extended errors (RFC 8914) */
    bool says_zoneversion;               /* ZONEVERSION option (RFC 9660) */
    bool long_way; /* neither direct.c nor quick.c: for tests, which compare */
    /* May this query be answered from this zone? NULL: any may. Called from answer_batch, in its
     * thread, once a query; `query` has its inputs and `query->query` set. */
    bool (*allow_query)(void *context, const struct zone *zone, const struct answer_query *query);
    /* May this client know the zone's fingerprint? Likewise; only where the query asks for it. */
    bool (*allow_fingerprint)(void *context, const struct zone *zone,
                              const struct answer_query *query);
    void *allow_context;
};

/*
 * Answers `count` queries, any number; memory is fetched ahead for 32 at a time. Returns how many
 * of them have ANSWER_SEND.
 * options  borrowed; zones borrowed.
 * now_s    wall clock, for the EXPIRE option and for cookies.
 * The caller is inside a read section (base/rcu.h) until it is done with the outputs.
 */
size_t answer_batch(const struct answer_options *options, const struct zone_set *zones,
                    int64_t now_s, struct answer_query *queries, size_t count);

/*
 * Instead of the answer that `query` holds (ANSWER_SEND): its header, rcode and question with TC set
 * and nothing else but OPT, so that the client asks again over TCP.
 */
void answer_cut(const struct answer_options *options, int64_t now_s, struct answer_query *query);

#endif
