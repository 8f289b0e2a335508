/* SPDX-License-Identifier: BSD-3-Clause */
/* A NOTIFY that comes in (RFC 1996 3): what it says, and the reply. Who may send one, and what is
 * done about it, is decided elsewhere (refresh.h). */
#ifndef XFR_NOTIFY_IN_H
#define XFR_NOTIFY_IN_H

#include "wire/message.h"
#include "zone/zone_set.h"

struct notify_in {
    uint16_t id;
    uint16_t flags;
    struct question question; /* the zone as sent; size 0 where it is unreadable */
    bool has_serial;          /* an SOA of the zone was in the answer section (3.7) */
    struct serial serial;
    bool has_edns;
    bool has_fingerprint; /* a primary of our kind says what its records come to */
    struct zone_fingerprint fingerprint;
};

/*
 * out    filled in as far as it was understood, also on error.
 * rcode  on error, what to reply with: FORMERR, NOTIMP, BADVERS.
 * ERR_FORMAT  not a NOTIFY for SOA, or malformed
 */
MUST_CHECK enum result notify_in_read(struct slice message, struct notify_in *out, unsigned *rcode,
                                      struct error *err);
/* The reply. `reserved` as in axfr_out_next. Returns the size; 0: nothing can be replied. */
size_t notify_in_reply(const struct notify_in *notify, unsigned rcode, uint8_t *buffer,
                       size_t limit, size_t reserved);

#endif
