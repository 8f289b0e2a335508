/* SPDX-License-Identifier: BSD-3-Clause */
/* The refresh query of a secondary (RFC 1034 4.3.5): "which serial do you have?", and its answer.
 */
#ifndef XFR_SOA_QUERY_H
#define XFR_SOA_QUERY_H

#include "wire/message.h"
#include "zone/zone_set.h"

struct soa_query {
    const uint8_t *zone; /* borrowed */
    uint16_t class;
    uint16_t id;
    bool with_edns;    /* asks for EXPIRE (RFC 7314) and FINGERPRINT (docs/formats.md) too */
    bool no_expire;    /* does not ask for EXPIRE all the same, and passes over it */
    uint16_t udp_size; /* offered by EDNS; 0: 1232 */
    /* EDNS COOKIE option (RFC 7873): ours, of 8 octets, and what the server gave with it before;
     * empty: none. Borrowed. */
    struct slice cookie;
};

/* Returns the size, 0 where `limit` is too small; 512 is always enough. */
size_t soa_query_write(const struct soa_query *query, uint8_t *buffer, size_t limit);

struct soa_answer {
    struct serial serial;
    uint32_t refresh_s;
    uint32_t retry_s;
    uint32_t expire_s;
    uint32_t minimum_s;
    bool has_expire_option;
    uint32_t expire_option_s;
    bool has_fingerprint; /* of all records of the version with `serial` */
    struct zone_fingerprint fingerprint;
    bool truncated; /* TC: nothing else is known, ask over TCP */
    bool no_edns;   /* on error: the peer may dislike EDNS; ask again without */
    /* The server's cookie, to be shown next time; borrowed from the message; data NULL: none. */
    struct slice server_cookie;
    bool bad_cookie;     /* on error: BADCOOKIE; ask again with the one above, or over TCP */
    bool foreign_cookie; /* on error: the answer is not to our question, who knows whose it is */
};

/*
 * Reads the answer to `query`, strictly.
 * out  truncated, no_edns and what concerns cookies are set on error as well.
 * ERR_FORMAT     malformed, or not an authoritative answer with one SOA of the zone
 * ERR_DENIED, ERR_NOT_FOUND, ERR_BUSY   as peer_reply_refused
 */
MUST_CHECK enum result soa_answer_read(const struct soa_query *query, struct slice message,
                                       struct soa_answer *out, struct error *err);

#endif
