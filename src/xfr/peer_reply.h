/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reply from a peer, opened: the checks that every reply must pass before one looks at its
 * records, and the words for those that fail.
 */
#ifndef XFR_PEER_REPLY_H
#define XFR_PEER_REPLY_H

#include "wire/message.h"
#include "wire/rrtype.h"

struct peer_reply_expect {
    uint16_t id;
    unsigned opcode;
    const uint8_t *name; /* of the question; borrowed */
    uint16_t type;
    uint16_t class;
    bool question_optional; /* RFC 5936 2.2.2: messages of a transfer after the first */
};

struct peer_reply {
    struct message_header header;
    unsigned rcode;        /* with the extended bits of the OPT */
    struct edns edns;      /* present only where an OPT was */
    size_t answers_offset; /* first record of the answer section */
    struct slice message;
};

/*
 * Opens `message`: header, question echo, every record's bounds, the OPT. An rcode other than
 * NOERROR is OK here; peer_reply_refused puts it into words.
 * ERR_FORMAT  malformed, QR not set, other ID, opcode, or question
 * Any thread. O(records).
 */
MUST_CHECK enum result peer_reply_open(struct slice message, const struct peer_reply_expect *expect,
                                       struct peer_reply *out, struct error *err);

/*
 * The same without walking the records: for the big messages of a transfer, whose answer section
 * the caller reads anyway. out->edns is absent; peer_reply_read_rest completes it.
 */
MUST_CHECK enum result peer_reply_open_head(struct slice message,
                                            const struct peer_reply_expect *expect,
                                            struct peer_reply *out, struct error *err);
/* What stands behind the answer section, which ends at `offset`: fills in edns and rcode. */
MUST_CHECK enum result peer_reply_read_rest(struct peer_reply *reply, size_t offset,
                                            struct error *err);

/*
 * Sets `err` to "primary answered REFUSED to AXFR (EDE 18 Prohibited: 'text')" and returns its
 * code: ERR_DENIED for REFUSED, ERR_NOT_FOUND for NOTAUTH and NXDOMAIN, ERR_BUSY for SERVFAIL,
 * ERR_FORMAT for the rest. REQUIREs an rcode other than NOERROR.
 * who, what   "primary", "AXFR".
 */
enum result peer_reply_refused(const struct peer_reply *reply, const char *who, const char *what,
                               struct error *err);

#endif
