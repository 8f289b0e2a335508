/* SPDX-License-Identifier: BSD-3-Clause */
/* The refresh machine's inside: what refresh.c (events) and refresh_round.c (rounds) share. */
#ifndef XFR_REFRESH_IMPL_H
#define XFR_REFRESH_IMPL_H

#include "xfr/refresh.h"

struct primary {
    uint32_t visited_in; /* the round in which it was asked last */
    uint32_t failures;   /* in a row */
    struct instant avoid_until;
    struct peer_health *health; /* or NULL */
    bool plain;                 /* no EDNS */
    bool tls;
    bool has_serial;
    struct serial serial; /* that it showed last */
    struct instant answered_at;
    struct instant failed_at;
    char *error; /* NULL: none since its last answer; on the heap since most have none */
};

struct refresh {
    struct refresh_options options;
    uint64_t random;
    enum refresh_state state;
    bool has_copy;
    bool expired;
    bool confirmed; /* in contact since the start, so that the copy is known to be current */
    struct refresh_soa soa;
    struct instant expires_at;
    struct instant contacted_at; /* where confirmed */
    struct instant next_at;      /* IDLE, BACKING_OFF: the next round */
    struct instant
        paid_until; /* spacing_ms for each round that brought nothing, see refresh_soonest() */
    uint32_t round;
    uint32_t failed_rounds;

    uint32_t current;      /* primary of this attempt */
    uint32_t first_ticket; /* of this attempt */
    uint32_t ticket;
    bool due; /* an action waits to be given out */
    bool tcp;
    uint32_t udp_tries;
    struct instant query_until;
    bool soa_answered; /* in this attempt, over UDP or TCP */
    bool incremental;
    bool any_serial;
    bool same_session;

    bool has_wanted; /* a serial newer than ours is known to exist */
    struct serial wanted;
    struct instant wanted_since;
    uint32_t wanted_from;  /* who showed it; REFRESH_ANY_PRIMARY: somebody else (allow-notify) */
    uint32_t first_choice; /* of the next round; index or REFRESH_ANY_PRIMARY */
    bool force;            /* retransfer */

    bool queued; /* a NOTIFY or the operator's word came while busy */
    bool queued_has_serial;
    struct serial queued_serial;
    uint32_t queued_from;

    bool has_held; /* fetched, and held back here: not fetched again */
    struct serial held;

    bool behind;
    struct serial behind_serial;
    bool has_error; /* since the last success: that of this primary */
    uint32_t last_error_primary;
    uint32_t primary_count;
    struct primary primaries[];
};

uint64_t refresh_draw(struct refresh *r);
struct instant refresh_add_s(struct instant t, uint32_t seconds);
bool refresh_is_busy(const struct refresh *r);
bool refresh_wants_newer(const struct refresh *r);
void refresh_want(struct refresh *r, struct serial serial, uint32_t from, struct instant now);
uint32_t refresh_interval_s(const struct refresh *r);
uint32_t refresh_expire_interval_s(const struct refresh *r);
void refresh_give(struct refresh *r, enum refresh_state state);
void refresh_give_query(struct refresh *r, bool tcp);
void refresh_give_transfer(struct refresh *r, bool incremental, bool any_serial);
void refresh_begin_round(struct refresh *r, struct instant now);
struct instant refresh_soonest(const struct refresh *r, struct instant now);
uint64_t refresh_doubled(uint64_t first, uint32_t times, uint64_t last);
void refresh_round_succeeded(struct refresh *r, struct instant now);
void refresh_next_primary(struct refresh *r, struct instant now);
/* The primary asked now is known to be dead, and there is another one to ask. */
bool refresh_should_turn(const struct refresh *r, struct instant now);
void refresh_primary_failed(struct refresh *r, const char *step, const char *text,
                            struct instant now);
void refresh_primary_has_ours(struct refresh *r, const struct refresh_contact *contact,
                              struct instant now);
void refresh_primary_has_held(struct refresh *r, const struct refresh_contact *contact,
                              struct instant now);
void refresh_primary_is_behind(struct refresh *r, struct serial serial, struct instant now);
void refresh_compare_serial(struct refresh *r, const struct refresh_contact *contact,
                            struct instant now);
bool refresh_is_held(const struct refresh *r, struct serial serial);
void refresh_set_error(struct refresh *r, const char *step, const char *text, struct instant now);
void refresh_primary_showed(struct refresh *r, struct serial serial, struct instant now);

#endif
