/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a secondary asks whom for what: the SOA timers (RFC 1034 4.3.5, RFC 1035 3.3.13), the row of
 * primaries, NOTIFY (RFC 1996), EXPIRE (RFC 7314), back-off. Events and the time go in, actions
 * come out; the caller sends, receives and keeps the zone.
 * One thread at a time.
 */
#ifndef XFR_REFRESH_H
#define XFR_REFRESH_H

#include "base/clock.h"
#include "wire/record.h"
#include "xfr/peer_health.h"

/* Zeros mean the defaults given here, which are BIND's where BIND has them. */
struct refresh_options {
    uint32_t min_refresh_s;  /* 300 */
    uint32_t max_refresh_s;  /* 4 weeks */
    uint32_t min_retry_s;    /* 300 */
    uint32_t max_retry_s;    /* 2 weeks */
    uint32_t soa_udp_ms;     /* wait for the first try over UDP, doubled for each further; 1000 */
    uint32_t soa_udp_tries;  /* 3 */
    uint32_t soa_tcp_ms;     /* wait over TCP, the connection included; 10000 */
    uint32_t spacing_ms;     /* between rounds that find nothing new, after a burst of 4; 500 */
    uint32_t first_retry_ms; /* back-off of a zone without copy, or known to be old; 1000 */
    uint32_t last_retry_s;   /* where the back-off of a zone without copy, or expired, ends; 300 */
    bool bears_behind;       /* multi-primary: a primary with an older serial is no mistake */
    bool no_ixfr;            /* request-ixfr no */
    bool no_tcp;             /* try-tcp-refresh no: UDP that is not answered is a failure */
};

#define REFRESH_ANY_PRIMARY UINT32_MAX

/* What the machine needs to know of an SOA. */
struct refresh_soa {
    struct serial serial;
    uint32_t refresh_s;
    uint32_t retry_s;
    uint32_t expire_s;
};

enum refresh_action_kind {
    REFRESH_WAIT,      /* nothing before refresh_deadline() */
    REFRESH_QUERY_SOA, /* send one; the machine has the timeout */
    REFRESH_TRANSFER,  /* the caller has the timeouts (max-transfer-*-in) */
    REFRESH_EXPIRE,    /* stop answering from the copy: SERVFAIL */
};

struct refresh_action {
    enum refresh_action_kind kind;
    uint32_t ticket;   /* hand it back with the outcome; outcomes of older actions are ignored */
    uint32_t primary;  /* index */
    bool tcp;          /* REFRESH_QUERY_SOA; also where it is over TLS */
    bool edns;         /* false: this primary answered FORMERR to EDNS */
    bool incremental;  /* REFRESH_TRANSFER: IXFR, else AXFR */
    bool any_serial;   /* REFRESH_TRANSFER: take it though its serial is not newer */
    bool same_session; /* REFRESH_TRANSFER: AXFR after a failed IXFR; the connection will do */
};

struct refresh;

/* primary_count >= 1. `seed` differs per zone: jitter follows from it alone. */
struct refresh *refresh_new(const struct refresh_options *options, uint32_t primary_count,
                            uint64_t seed);
void refresh_free(struct refresh *refresh);
/* This primary is asked over TLS alone: as over TCP, and never over UDP first. Before refresh_start. */
void refresh_set_tls(struct refresh *refresh, uint32_t primary);
/* What all zones know of this primary (peer_health.h): borrowed, outlives the machine. It is told
 * what comes of each question, and a primary that it says is dead comes last. Before refresh_start.
 */
void refresh_set_health(struct refresh *refresh, uint32_t primary, struct peer_health *health);

/*
 * Begins. soa NULL: there is no copy. Else a copy was loaded that is good until expires_at (which
 * may be past) and wants a refresh at refresh_at (past or now: soon, within a second's jitter).
 */
void refresh_start(struct refresh *refresh, const struct refresh_soa *soa,
                   struct instant expires_at, struct instant refresh_at, struct instant now);

/* What to do now. Call after every event and at the deadline, until it says REFRESH_WAIT. */
struct refresh_action refresh_step(struct refresh *refresh, struct instant now);
struct instant refresh_deadline(const struct refresh *refresh);
/* The query of this ticket may not leave yet, for reasons of the caller's: the next step gives it
 * out again, and its wait begins then. */
void refresh_put_off(struct refresh *refresh, uint32_t ticket);

/* --- events --- */

enum refresh_notify {
    REFRESH_NOTIFY_STARTED, /* acted upon, now or as soon as spacing_ms allows */
    REFRESH_NOTIFY_QUEUED,  /* busy; looked at when that is done */
    REFRESH_NOTIFY_KNOWN,   /* we have that serial or a newer one */
};
/* An allowed NOTIFY. primary: index of the sender, or REFRESH_ANY_PRIMARY (allow-notify). */
enum refresh_notify refresh_notified(struct refresh *refresh, uint32_t primary, bool has_serial,
                                     struct serial serial, struct instant now);
/* The operator's word: look now; or fetch the whole zone now whatever its serial. */
void refresh_now(struct refresh *refresh, struct instant now);
void refresh_retransfer(struct refresh *refresh, struct instant now);
/* One was asked for, and has not come through yet. */
bool refresh_is_retransfer_due(const struct refresh *refresh);
/* The copy is not that of `primary`: as refresh_retransfer, and this one is asked first. */
void refresh_retransfer_from(struct refresh *refresh, uint32_t primary, struct instant now);

struct refresh_contact {
    struct serial serial; /* that the primary has */
    bool has_expire;      /* EXPIRE option in the reply (RFC 7314) */
    uint32_t expire_s;
};
void refresh_soa_answered(struct refresh *refresh, uint32_t ticket,
                          const struct refresh_contact *contact, struct instant now);

enum refresh_failure {
    REFRESH_FAILED,        /* answered, but not what was asked for */
    REFRESH_UNREACHABLE,   /* nothing came back */
    REFRESH_NO_CONNECTION, /* as before, and the primary said nothing to anybody else either */
    REFRESH_TRUNCATED,     /* SOA over UDP with TC: over TCP, please */
    REFRESH_NO_EDNS,       /* FORMERR or the like to a request with EDNS */
};
/* text  borrowed: the cause in words ("timed out", "primary answered REFUSED …"). */
void refresh_soa_failed(struct refresh *refresh, uint32_t ticket, enum refresh_failure failure,
                        const char *text, struct instant now);

/* The transfer arrived and is published. */
void refresh_transferred(struct refresh *refresh, uint32_t ticket, const struct refresh_soa *soa,
                         const struct refresh_contact *contact, struct instant now);
/*
 * The transfer arrived, and something on our side holds it back. The primary was in contact, so the
 * copy is good for longer; this serial is not fetched again, a later one or refresh_retransfer is.
 * A zone without a copy it may answer from goes on as after a failure.
 */
void refresh_transfer_held(struct refresh *refresh, uint32_t ticket,
                           const struct refresh_contact *contact, const char *text,
                           struct instant now);
/* Outside of any transfer the copy became another one of the primary's: what was held is let in. */
void refresh_replaced(struct refresh *refresh, const struct refresh_soa *soa, struct instant now);
/* The reply to IXFR said which serial the primary has, ours or an older one. */
void refresh_transfer_not_newer(struct refresh *refresh, uint32_t ticket,
                                const struct refresh_contact *contact, struct instant now);
void refresh_transfer_failed(struct refresh *refresh, uint32_t ticket, enum refresh_failure failure,
                             const char *text, struct instant now);

/* --- for status --- */

enum refresh_state {
    REFRESH_IDLE,        /* in step with a primary; next look at next_at */
    REFRESH_BACKING_OFF, /* the last round failed; next one at next_at */
    REFRESH_QUERYING,
    REFRESH_TRANSFERRING,
};

struct refresh_status {
    enum refresh_state state;
    bool has_copy;
    bool expired;
    bool behind;          /* a primary's serial is before ours (U11): behind_serial */
    struct serial serial; /* ours */
    struct serial behind_serial;
    bool wants_newer; /* a newer serial is known than ours: wanted_serial, since wanted_since */
    struct serial wanted_serial;
    struct instant wanted_since;
    bool confirmed; /* compared with a primary since the start, last at contacted_at */
    struct instant contacted_at;
    uint32_t primary;          /* asked now, or the last one that was */
    uint32_t failed_rounds;    /* in a row */
    struct instant next_at;    /* INSTANT_NEVER while busy */
    struct instant expires_at; /* make it durable when it moved; INSTANT_NEVER without a copy */
    const char *last_error;    /* "" since the last success; borrowed until the next event */
    uint32_t last_error_primary;
};
struct refresh_status refresh_status(const struct refresh *refresh);

struct refresh_primary_status {
    bool has_serial; /* it answered since the start: with this serial, at that time */
    struct serial serial;
    struct instant answered_at;
    uint32_t failures;      /* in a row */
    const char *last_error; /* "" since its last answer; borrowed until the next event */
    struct instant failed_at;
    struct instant avoid_until; /* it comes last until then; the past: it does not */
};
struct refresh_primary_status refresh_primary_status(const struct refresh *refresh,
                                                     uint32_t primary);

#endif
