/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOTIFY out (RFC 1996): one struct per zone and target. A target is pending from the moment a
 * version is published until it acknowledged that serial, or showed otherwise that it has it. Tries
 * back off and never end. A value of fixed size; no memory behind it.
 * One thread at a time.
 */
#ifndef XFR_NOTIFY_OUT_H
#define XFR_NOTIFY_OUT_H

#include "base/clock.h"
#include "wire/message.h"
#include "zone/zone_set.h"

struct notify_out {
    struct instant due;         /* of the next try, or of giving up the one in flight */
    struct instant alive_again; /* before this, notify_out_alive changes nothing */
    struct serial serial;       /* the newest published */
    struct serial in_flight;    /* of the NOTIFY that waits for its reply */
    uint32_t jitter;            /* state of the jitter's generator */
    uint16_t tries;             /* since the last success or new serial */
    uint8_t last_rcode;         /* of the last reply that was not NOERROR; for status */
    bool is_tls;                /* the target is told over TLS alone; set behind notify_out_init */
    bool pending;
    bool waiting;  /* one is in flight */
    bool plain;    /* the target answered FORMERR to a NOTIFY with an SOA */
    bool answered; /* the last try got a reply, though not NOERROR */
};

struct notify_send {
    bool tcp;      /* also where it is over TLS */
    bool with_soa; /* put the current SOA in the answer section */
    struct serial serial;
};

/* `seed` differs per zone and target, so that retries do not march in step. */
void notify_out_init(struct notify_out *notify, uint64_t seed);
/* A version was published. Sent at `at` (now, unless a delay is wanted; versions that come within
 * it do not prolong it), or where one is in flight right after its end. */
void notify_out_publish(struct notify_out *notify, struct serial serial, struct instant at);
/* True: send what `out` says now. False: nothing before notify_out_deadline. */
bool notify_out_step(struct notify_out *notify, struct instant now, struct notify_send *out);
struct instant notify_out_deadline(const struct notify_out *notify);
/* A checked reply (notify_ack_read) came. */
void notify_out_answer(struct notify_out *notify, unsigned rcode, struct instant now);
/* The message could not be sent, or the connection not be made. */
void notify_out_failed(struct notify_out *notify, struct instant now);
/* The target showed a serial: it asked for IXFR from it, took a transfer, answered an SOA query. */
void notify_out_seen(struct notify_out *notify, struct serial serial);
/* Any message came from the target's address: if it is pending and in a long pause, try now (but
 * not more often than every 15 seconds, and not one that answered and refused). */
void notify_out_alive(struct notify_out *notify, struct instant now);
bool notify_out_is_pending(const struct notify_out *notify);

/*
 * The message. soa NULL: without; fingerprint NULL: without EDNS. Borrowed: zone, soa. Returns the size, 0 where `limit` is too
 * small; `reserved` as in axfr_out_next.
 */
size_t notify_write(const uint8_t *zone, uint16_t class, uint16_t id, const struct record *soa,
                    const struct zone_fingerprint *fingerprint, uint8_t *buffer, size_t limit,
                    size_t reserved);
/*
 * Checks a reply; whether it came from the target's address is the caller's to check. *out_rcode
 * may be any. ERR_FORMAT: not the reply to that NOTIFY; go on waiting.
 */
MUST_CHECK enum result notify_ack_read(struct slice message, const uint8_t *zone, uint16_t class,
                                       uint16_t id, unsigned *out_rcode, struct error *err);

#endif
