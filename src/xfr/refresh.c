/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a secondary zone, as a machine.
 *
 *              due, NOTIFY                    newer serial
 *   IDLE ────────────────────> QUERYING ──────────────────────> TRANSFERRING
 *     ^  ^                      │   │  ^                          │      │
 *     │  └──── same serial ─────┘   │  └──── next primary ────────┘      │
 *     │                             │ none left                          │
 *     │                             v                                    │
 *     │                       BACKING_OFF <────── none left ─────────────┤
 *     └─────────────────────── published ────────────────────────────────┘
 *
 * A round visits each primary at most once: the one that sent a NOTIFY first, then in the
 * configured order, those that failed lately last. It begins with a transfer where there is nothing
 * to compare (no copy) or the NOTIFY's serial settled the question, else with an SOA query: a few
 * times over UDP, then over TCP. An IXFR that fails for whatever reason other than that the
 * primary cannot be reached is followed by AXFR from the same primary at once (RFC 1995 4).
 *
 * What counts as contact, so that the expire timer starts again: an authoritative answer with our
 * serial, or a transfer. A primary whose serial is before ours is no contact (as in BIND): its data
 * is not ours, and a secondary that took it for a success would serve its old copy for ever without
 * a word. It is a state of its own (behind); the other primaries are asked, and retry goes on. Once
 * the copy has expired, whatever a primary has is better than SERVFAIL, so an older serial is taken
 * then. EXPIRE follows RFC 7314 4: on equal serial it can only prolong, never beyond SOA EXPIRE.
 *
 * Back-off: a zone in step waits retry between rounds. A zone without a copy it may answer from, or
 * one that knows of a newer serial, starts at a second and doubles; the first up to last_retry_s,
 * the second up to retry. Beyond a burst, rounds that bring nothing new are spacing_ms apart,
 * whatever NOTIFYs come in; one NOTIFY is remembered while a round is under way.
 *
 * Tickets: each action has a new one. A late answer to an earlier try at the same primary still
 * counts; anything older is ignored, so the caller need not cancel what it sent.
 */
#include "xfr/refresh.h"

#include <stdio.h>

#include "base/memory.h"

enum {
    AVOID_FIRST_S = 30,  /* a primary that failed comes last for this long, doubled each time ... */
    AVOID_LAST_S = 3600, /* ... up to this */
    MAX_EXPIRE_S = 14515200, /* 24 weeks, as in BIND */
    BURST = 4,
    ERROR_TEXT_SIZE = 400,
};

struct primary {
    uint32_t visited_in; /* the round in which it was asked last */
    uint32_t failures;   /* in a row */
    struct instant avoid_until;
    bool plain; /* no EDNS */
};

struct refresh {
    struct refresh_options options;
    uint64_t random;
    enum refresh_state state;
    bool has_copy;
    bool expired;
    struct refresh_soa soa;
    struct instant expires_at;
    struct instant next_at;    /* IDLE, BACKING_OFF: the next round */
    struct instant paid_until; /* spacing_ms for each round that brought nothing, see soonest() */
    uint32_t round;
    uint32_t failed_rounds;

    uint32_t current;      /* primary of this attempt */
    uint32_t first_ticket; /* of this attempt */
    uint32_t ticket;
    bool due; /* an action waits to be given out */
    bool tcp;
    uint32_t udp_tries;
    struct instant query_until;
    bool soa_answered; /* in this attempt, over UDP or TCP (asked_tcp) */
    bool incremental;
    bool any_serial;
    bool same_session;

    bool has_wanted; /* a serial newer than ours is known to exist */
    struct serial wanted;
    uint32_t first_choice; /* index or REFRESH_ANY_PRIMARY */
    bool force;            /* retransfer */

    bool queued; /* a NOTIFY or the operator's word came while busy */
    bool queued_has_serial;
    struct serial queued_serial;
    uint32_t queued_from;

    bool behind;
    struct serial behind_serial;
    char *last_error; /* NULL: none; on the heap since most zones have none */
    uint32_t last_error_primary;
    uint32_t primary_count;
    struct primary primaries[];
};

static void set_default(uint32_t *value, uint32_t standard)
{
    if (*value == 0) {
        *value = standard;
    }
}

struct refresh *refresh_new(const struct refresh_options *options, uint32_t primary_count,
                            uint64_t seed)
{
    REQUIRE(primary_count >= 1 && primary_count < REFRESH_ANY_PRIMARY);
    struct refresh *r = memory_new_zeroed(1, sizeof(*r) + primary_count * sizeof(struct primary));
    if (options != NULL) {
        r->options = *options;
    }
    set_default(&r->options.min_refresh_s, 300);
    set_default(&r->options.max_refresh_s, 2419200);
    set_default(&r->options.min_retry_s, 300);
    set_default(&r->options.max_retry_s, 1209600);
    set_default(&r->options.soa_udp_ms, 1000);
    set_default(&r->options.soa_udp_tries, 3);
    set_default(&r->options.soa_tcp_ms, 10000);
    set_default(&r->options.spacing_ms, 500);
    set_default(&r->options.first_retry_ms, 1000);
    set_default(&r->options.last_retry_s, 300);
    r->random = seed;
    r->paid_until = (struct instant){INT64_MIN / 2};
    r->primary_count = primary_count;
    r->expires_at = INSTANT_NEVER;
    r->next_at = INSTANT_NEVER;
    r->first_choice = REFRESH_ANY_PRIMARY;
    return r;
}

void refresh_free(struct refresh *r)
{
    if (r != NULL) {
        memory_free(r->last_error);
        memory_free(r);
    }
}

/* splitmix64 */
static uint64_t draw(struct refresh *r)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Between three quarters of `ms` and all of it. */
static int64_t jittered_ms(struct refresh *r, uint64_t ms)
{
    return (int64_t)(ms - draw(r) % (ms / 4 + 1));
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value > high ? high : value < low ? low : value;
}

static uint32_t refresh_interval_s(const struct refresh *r)
{
    return clamp(r->soa.refresh_s, r->options.min_refresh_s, r->options.max_refresh_s);
}

static uint32_t retry_interval_s(const struct refresh *r)
{
    return clamp(r->soa.retry_s, r->options.min_retry_s, r->options.max_retry_s);
}

/* At least one refresh and one retry, or a zone would expire between two looks at its primary. */
static uint32_t expire_interval_s(const struct refresh *r)
{
    uint64_t least = (uint64_t)refresh_interval_s(r) + retry_interval_s(r);
    uint64_t value = r->soa.expire_s < least ? least : r->soa.expire_s;
    return value > MAX_EXPIRE_S ? MAX_EXPIRE_S : (uint32_t)value;
}

static struct instant add_s(struct instant t, uint32_t seconds)
{
    return instant_add_ms(t, (int64_t)seconds * 1000);
}

static bool is_busy(const struct refresh *r)
{
    return r->state == REFRESH_QUERYING || r->state == REFRESH_TRANSFERRING;
}

static bool wants_newer(const struct refresh *r)
{
    return r->has_wanted && r->has_copy && serial_before(r->soa.serial, r->wanted);
}

static void want(struct refresh *r, struct serial serial)
{
    if (!wants_newer(r) || serial_before(r->wanted, serial)) {
        r->has_wanted = true;
        r->wanted = serial;
    }
}

static void clear_error(struct refresh *r)
{
    memory_free(r->last_error);
    r->last_error = NULL;
}

static void set_error(struct refresh *r, const char *step, const char *text)
{
    char line[ERROR_TEXT_SIZE];
    snprintf(line, sizeof(line), "%s%s: %s",
             r->state == REFRESH_TRANSFERRING && r->soa_answered
                 ? "the SOA query was answered, but then "
                 : "",
             step, text);
    clear_error(r);
    r->last_error = memory_strdup(line);
    r->last_error_primary = r->current;
}

/* ---- rounds and attempts ---- */

static void give(struct refresh *r, enum refresh_state state)
{
    r->state = state;
    r->ticket++;
    r->due = true;
    r->next_at = INSTANT_NEVER;
}

static void give_transfer(struct refresh *r, bool incremental, bool any_serial)
{
    r->incremental = incremental && r->has_copy && !r->options.no_ixfr && !any_serial;
    r->any_serial = any_serial;
    r->same_session = false;
    give(r, REFRESH_TRANSFERRING);
}

static void give_query(struct refresh *r, bool tcp)
{
    r->tcp = tcp;
    give(r, REFRESH_QUERYING);
}

static void begin_attempt(struct refresh *r, uint32_t primary)
{
    r->current = primary;
    r->primaries[primary].visited_in = r->round;
    r->first_ticket = r->ticket + 1;
    r->udp_tries = 0;
    r->soa_answered = false;
    if (!r->has_copy || r->force) {
        give_transfer(r, false, true);
    } else if (wants_newer(r) && !r->expired &&
               (r->first_choice == primary || r->first_choice == REFRESH_ANY_PRIMARY)) {
        give_transfer(r, true, false);
    } else {
        give_query(r, false);
    }
}

static bool is_avoided(const struct primary *primary, struct instant now)
{
    return primary->failures != 0 && instant_before(now, primary->avoid_until);
}

/* The next primary of this round, or REFRESH_ANY_PRIMARY where all were asked. */
static uint32_t choose_primary(const struct refresh *r, struct instant now)
{
    if (r->first_choice != REFRESH_ANY_PRIMARY &&
        r->primaries[r->first_choice].visited_in != r->round) {
        return r->first_choice;
    }
    uint32_t avoided = REFRESH_ANY_PRIMARY;
    for (uint32_t i = 0; i < r->primary_count; i++) {
        const struct primary *primary = &r->primaries[i];
        if (primary->visited_in == r->round) {
            continue;
        }
        if (!is_avoided(primary, now)) {
            return i;
        }
        if (avoided == REFRESH_ANY_PRIMARY || primary->failures < r->primaries[avoided].failures) {
            avoided = i;
        }
    }
    return avoided;
}

static void begin_round(struct refresh *r, struct instant now)
{
    r->round++;
    r->paid_until = instant_add_ms(instant_before(r->paid_until, now) ? now : r->paid_until,
                                   r->options.spacing_ms);
    begin_attempt(r, choose_primary(r, now));
}

/* When a round that nobody planned may begin: a few at once, then one each spacing_ms. */
static struct instant soonest(const struct refresh *r, struct instant now)
{
    struct instant at = instant_add_ms(r->paid_until, -BURST * (int64_t)r->options.spacing_ms);
    return instant_before(now, at) ? at : now;
}

static void end_round(struct refresh *r, enum refresh_state state, struct instant next_at,
                      struct instant now)
{
    r->state = state;
    r->due = false;
    r->next_at = next_at;
    r->first_choice = REFRESH_ANY_PRIMARY;
    if (!wants_newer(r)) {
        r->has_wanted = false;
    }
    if (r->queued) {
        r->queued = false;
        if (!r->queued_has_serial || !r->has_copy || r->expired ||
            serial_before(r->soa.serial, r->queued_serial)) {
            if (r->queued_has_serial && r->has_copy) {
                want(r, r->queued_serial);
            }
            r->first_choice = r->queued_from;
            r->next_at = soonest(r, now);
        }
    }
}

static uint64_t doubled(uint64_t first, uint32_t times, uint64_t last)
{
    uint64_t value = times >= 32 ? last : first << times;
    return value > last ? last : value;
}

static void round_failed(struct refresh *r, struct instant now)
{
    uint64_t wait_ms = (uint64_t)retry_interval_s(r) * 1000;
    if (!r->has_copy || r->expired) {
        wait_ms = doubled(r->options.first_retry_ms, r->failed_rounds,
                          (uint64_t)r->options.last_retry_s * 1000);
    } else if (wants_newer(r) || r->force) {
        wait_ms = doubled(r->options.first_retry_ms, r->failed_rounds, wait_ms);
    }
    r->failed_rounds++;
    end_round(r, REFRESH_BACKING_OFF, instant_add_ms(now, jittered_ms(r, wait_ms)), now);
}

static void round_succeeded(struct refresh *r, struct instant now)
{
    r->failed_rounds = 0;
    clear_error(r);
    end_round(r, REFRESH_IDLE,
              instant_add_ms(now, jittered_ms(r, (uint64_t)refresh_interval_s(r) * 1000)), now);
}

static void next_primary(struct refresh *r, struct instant now)
{
    uint32_t next = choose_primary(r, now);
    if (next == REFRESH_ANY_PRIMARY) {
        round_failed(r, now);
    } else {
        begin_attempt(r, next);
    }
}

static void primary_failed(struct refresh *r, const char *step, const char *text,
                           struct instant now)
{
    struct primary *primary = &r->primaries[r->current];
    set_error(r, step, text);
    uint64_t avoid_s = doubled(AVOID_FIRST_S, primary->failures, AVOID_LAST_S);
    primary->failures++;
    primary->avoid_until = add_s(now, (uint32_t)avoid_s);
    next_primary(r, now);
}

/* ---- what a primary showed ---- */

static void primary_has_ours(struct refresh *r, const struct refresh_contact *contact,
                             struct instant now)
{
    uint32_t full_s = expire_interval_s(r);
    if (!contact->has_expire) {
        r->expires_at = add_s(now, full_s);
    } else {
        uint32_t value = contact->expire_s < full_s ? contact->expire_s : full_s;
        struct instant offered = add_s(now, value);
        if (r->expired || instant_before(r->expires_at, offered)) {
            r->expires_at = offered;
        }
    }
    r->expired = !instant_before(now, r->expires_at);
    r->primaries[r->current].failures = 0;
    r->behind = false;
    if (wants_newer(r) && r->first_choice != r->current &&
        choose_primary(r, now) != REFRESH_ANY_PRIMARY) {
        /* Another primary is said to have a newer one: this one merely lags. */
        next_primary(r, now);
        return;
    }
    r->has_wanted = false;
    round_succeeded(r, now);
}

static void primary_is_behind(struct refresh *r, struct serial serial, struct instant now)
{
    char text[96];
    snprintf(text, sizeof(text), "its serial %u is before ours, %u; keeping ours", serial.value,
             r->soa.serial.value);
    set_error(r, "primary is behind", text);
    r->primaries[r->current].failures = 0;
    r->behind = true;
    r->behind_serial = serial;
    next_primary(r, now);
}

static void compare_serial(struct refresh *r, const struct refresh_contact *contact,
                           struct instant now)
{
    if (serial_equal(r->soa.serial, contact->serial)) {
        primary_has_ours(r, contact, now);
    } else if (serial_before(r->soa.serial, contact->serial)) {
        want(r, contact->serial);
        give_transfer(r, true, false);
    } else if (r->expired) {
        give_transfer(r, false, true);
    } else {
        primary_is_behind(r, contact->serial, now);
    }
}

/* ---- the public face ---- */

void refresh_start(struct refresh *r, const struct refresh_soa *soa, struct instant expires_at,
                   struct instant refresh_at, struct instant now)
{
    r->state = REFRESH_IDLE;
    r->has_copy = soa != NULL;
    r->expires_at = soa != NULL ? expires_at : INSTANT_NEVER;
    if (soa != NULL) {
        r->soa = *soa;
    }
    if (soa == NULL) {
        r->next_at = now;
    } else if (instant_before(now, refresh_at)) {
        struct instant latest = add_s(now, refresh_interval_s(r));
        r->next_at = instant_min(refresh_at, latest);
    } else {
        r->next_at = instant_add_ms(now, (int64_t)(draw(r) % 1000));
    }
}

static const char *query_step(const struct refresh *r)
{
    return r->tcp ? "SOA query over TCP" : "SOA query over UDP";
}

static void query_failed(struct refresh *r, const char *text, struct instant now)
{
    if (r->tcp) {
        primary_failed(r,
                       r->udp_tries >= r->options.soa_udp_tries
                           ? "SOA query, unanswered over UDP, over TCP"
                           : query_step(r),
                       text, now);
    } else {
        give_query(r, r->udp_tries >= r->options.soa_udp_tries);
    }
}

static struct refresh_action give_out(struct refresh *r, struct instant now)
{
    r->due = false;
    struct refresh_action action = {
        .ticket = r->ticket,
        .primary = r->current,
        .edns = !r->primaries[r->current].plain,
    };
    if (r->state == REFRESH_TRANSFERRING) {
        action.kind = REFRESH_TRANSFER;
        action.incremental = r->incremental;
        action.any_serial = r->any_serial;
        action.same_session = r->same_session;
        return action;
    }
    action.kind = REFRESH_QUERY_SOA;
    action.tcp = r->tcp;
    uint64_t wait_ms = r->options.soa_tcp_ms;
    if (!r->tcp) {
        wait_ms = doubled(r->options.soa_udp_ms, r->udp_tries, r->options.soa_tcp_ms);
        r->udp_tries++;
    }
    r->query_until = instant_add_ms(now, (int64_t)wait_ms);
    return action;
}

struct refresh_action refresh_step(struct refresh *r, struct instant now)
{
    if (r->has_copy && !r->expired && !instant_before(now, r->expires_at)) {
        r->expired = true;
        if (!is_busy(r)) {
            r->next_at = instant_min(r->next_at, now);
        }
        return (struct refresh_action){.kind = REFRESH_EXPIRE};
    }
    if (!is_busy(r) && !instant_before(now, r->next_at)) {
        begin_round(r, now);
    }
    if (r->state == REFRESH_QUERYING && !r->due && !instant_before(now, r->query_until)) {
        query_failed(r, "no answer, timed out", now);
    }
    return r->due ? give_out(r, now) : (struct refresh_action){.kind = REFRESH_WAIT};
}

struct instant refresh_deadline(const struct refresh *r)
{
    struct instant at = r->next_at;
    if (r->due) {
        at = (struct instant){INT64_MIN};
    } else if (r->state == REFRESH_QUERYING) {
        at = r->query_until;
    }
    return r->has_copy && !r->expired ? instant_min(at, r->expires_at) : at;
}

enum refresh_notify refresh_notified(struct refresh *r, uint32_t primary, bool has_serial,
                                     struct serial serial, struct instant now)
{
    REQUIRE(primary == REFRESH_ANY_PRIMARY || primary < r->primary_count);
    if (has_serial && r->has_copy && !r->expired && !serial_before(r->soa.serial, serial)) {
        return REFRESH_NOTIFY_KNOWN;
    }
    if (is_busy(r)) {
        bool newer = !r->queued || (r->queued_has_serial && has_serial &&
                                    serial_before(r->queued_serial, serial));
        if (newer || !has_serial) {
            r->queued = true;
            r->queued_has_serial = has_serial;
            r->queued_serial = serial;
            r->queued_from = primary;
        }
        return REFRESH_NOTIFY_QUEUED;
    }
    if (has_serial && r->has_copy) {
        want(r, serial);
    }
    r->first_choice = primary;
    r->next_at = instant_min(r->next_at, soonest(r, now));
    return REFRESH_NOTIFY_STARTED;
}

void refresh_now(struct refresh *r, struct instant now)
{
    if (!is_busy(r)) {
        r->next_at = now;
    } else if (!r->queued) {
        r->queued = true;
        r->queued_has_serial = false;
        r->queued_from = REFRESH_ANY_PRIMARY;
    }
}

void refresh_retransfer(struct refresh *r, struct instant now)
{
    r->force = true;
    refresh_now(r, now);
}

void refresh_soa_answered(struct refresh *r, uint32_t ticket, const struct refresh_contact *contact,
                          struct instant now)
{
    if (r->state != REFRESH_QUERYING || ticket - r->first_ticket > r->ticket - r->first_ticket) {
        return;
    }
    r->soa_answered = true;
    compare_serial(r, contact, now);
}

void refresh_soa_failed(struct refresh *r, uint32_t ticket, enum refresh_failure failure,
                        const char *text, struct instant now)
{
    if (r->state != REFRESH_QUERYING || ticket != r->ticket || r->due) {
        return;
    }
    struct primary *primary = &r->primaries[r->current];
    switch (failure) {
    case REFRESH_NO_EDNS:
        if (!primary->plain) {
            primary->plain = true;
            give_query(r, r->tcp);
            return;
        }
        break;
    case REFRESH_TRUNCATED:
        if (!r->tcp) {
            give_query(r, true);
            return;
        }
        break;
    case REFRESH_UNREACHABLE:
        if (!r->tcp) {
            /* A closed UDP port does not get better by asking it again. */
            give_query(r, true);
            return;
        }
        break;
    case REFRESH_FAILED:
        break;
    }
    primary_failed(r, query_step(r), text, now);
}

void refresh_transferred(struct refresh *r, uint32_t ticket, const struct refresh_soa *soa,
                         const struct refresh_contact *contact, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket) {
        return;
    }
    r->has_copy = true;
    r->expired = false;
    r->soa = *soa;
    uint32_t expire_s = expire_interval_s(r);
    if (contact != NULL && contact->has_expire && contact->expire_s < expire_s) {
        expire_s = contact->expire_s;
    }
    r->expires_at = add_s(now, expire_s);
    r->primaries[r->current].failures = 0;
    r->behind = false;
    r->force = false;
    r->paid_until = instant_add_ms(r->paid_until, -(int64_t)r->options.spacing_ms);
    if (wants_newer(r) && !r->queued) {
        /* It had less than was announced: another primary, or this one a little later. */
        set_error(r, "transfer", "the zone that came is older than the serial announced");
        next_primary(r, now);
        return;
    }
    round_succeeded(r, now);
}

void refresh_transfer_not_newer(struct refresh *r, uint32_t ticket,
                                const struct refresh_contact *contact, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket || !r->has_copy) {
        return;
    }
    if (serial_equal(r->soa.serial, contact->serial)) {
        primary_has_ours(r, contact, now);
    } else if (r->expired) {
        give_transfer(r, false, true);
    } else {
        primary_is_behind(r, contact->serial, now);
    }
}

void refresh_transfer_failed(struct refresh *r, uint32_t ticket, enum refresh_failure failure,
                             const char *text, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket || r->due) {
        return;
    }
    struct primary *primary = &r->primaries[r->current];
    if (failure == REFRESH_NO_EDNS && !primary->plain) {
        primary->plain = true;
        give(r, REFRESH_TRANSFERRING);
        return;
    }
    if (r->incremental && failure != REFRESH_UNREACHABLE) {
        set_error(r, "IXFR", text);
        r->incremental = false;
        r->same_session = true;
        give(r, REFRESH_TRANSFERRING);
        return;
    }
    primary_failed(r, r->incremental ? "IXFR" : "AXFR", text, now);
}

struct refresh_status refresh_status(const struct refresh *r)
{
    return (struct refresh_status){
        .state = r->state,
        .has_copy = r->has_copy,
        .expired = r->expired,
        .behind = r->behind,
        .serial = r->soa.serial,
        .behind_serial = r->behind_serial,
        .wants_newer = wants_newer(r),
        .wanted_serial = r->wanted,
        .primary = r->current,
        .failed_rounds = r->failed_rounds,
        .next_at = r->next_at,
        .expires_at = r->expires_at,
        .last_error = r->last_error == NULL ? "" : r->last_error,
        .last_error_primary = r->last_error_primary,
    };
}
