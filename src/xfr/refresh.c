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
 * Back-off: a zone in step waits retry between rounds. A zone without a copy it may answer from
 * starts at a second and doubles up to last_retry_s; one that knows of a newer serial, or has had
 * no contact since the start, doubles up to retry. Beyond a burst, rounds that bring nothing new
 * are spacing_ms apart, whatever NOTIFYs come in; one NOTIFY is remembered while a round is under
 * way.
 *
 * Tickets: each action has a new one. A late answer to an earlier try at the same primary still
 * counts; anything older is ignored, so the caller need not cancel what it sent.
 */
#include "xfr/refresh.h"

#include "base/memory.h"
#include "xfr/refresh_impl.h"

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
    if (r == NULL) {
        return;
    }
    for (uint32_t i = 0; i < r->primary_count; i++) {
        memory_free(r->primaries[i].error);
    }
    memory_free(r);
}

void refresh_set_tls(struct refresh *r, uint32_t primary)
{
    r->primaries[primary].tls = true;
}

void refresh_set_health(struct refresh *r, uint32_t primary, struct peer_health *health)
{
    REQUIRE(primary < r->primary_count);
    r->primaries[primary].health = health;
}

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
        struct instant latest = refresh_add_s(now, refresh_interval_s(r));
        r->next_at = instant_min(refresh_at, latest);
    } else {
        r->next_at = instant_add_ms(now, (int64_t)(refresh_draw(r) % 1000));
    }
}

static const char *query_step(const struct refresh *r)
{
    return r->primaries[r->current].tls ? "SOA query over TLS"
           : r->tcp                     ? "SOA query over TCP"
                                        : "SOA query over UDP";
}

static void query_failed(struct refresh *r, const char *text, struct instant now)
{
    struct peer_health *health = r->primaries[r->current].health;
    if (!r->tcp) {
        peer_health_silent(health, now);
    }
    if (r->tcp || refresh_should_turn(r, now) ||
        (r->options.no_tcp && r->udp_tries >= r->options.soa_udp_tries)) {
        peer_health_failed(health, now);
    }
    if (!r->tcp && refresh_should_turn(r, now)) {
        refresh_primary_failed(r, query_step(r), text, now);
    } else if (r->tcp) {
        refresh_primary_failed(r,
                               r->udp_tries >= r->options.soa_udp_tries
                                   ? "SOA query, unanswered over UDP, over TCP"
                                   : query_step(r),
                               text, now);
    } else {
        bool gives_up = r->udp_tries >= r->options.soa_udp_tries;
        if (gives_up && r->options.no_tcp) {
            refresh_primary_failed(r, query_step(r), text, now);
        } else {
            refresh_give_query(r, gives_up);
        }
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
        wait_ms = refresh_doubled(r->options.soa_udp_ms, r->udp_tries, r->options.soa_tcp_ms);
        r->udp_tries++;
    }
    r->query_until = instant_add_ms(now, (int64_t)wait_ms);
    return action;
}

/* What needs a connection is not asked of who was found just now to take none. */
static void skip_unreachable(struct refresh *r, struct instant now)
{
    while (r->due && (r->state == REFRESH_TRANSFERRING || r->tcp)) {
        const char *cause = peer_health_unreachable(r->primaries[r->current].health, now);
        if (cause == NULL) {
            return;
        }
        refresh_primary_failed(r,
                               r->state != REFRESH_TRANSFERRING ? query_step(r)
                               : r->incremental                 ? "IXFR"
                                                                : "AXFR",
                               cause, now);
    }
}

struct refresh_action refresh_step(struct refresh *r, struct instant now)
{
    if (r->has_copy && !r->expired && !instant_before(now, r->expires_at)) {
        r->expired = true;
        if (!refresh_is_busy(r)) {
            r->next_at = instant_min(r->next_at, now);
        }
        return (struct refresh_action){.kind = REFRESH_EXPIRE};
    }
    if (!refresh_is_busy(r) && !instant_before(now, r->next_at)) {
        refresh_begin_round(r, now);
    }
    if (r->state == REFRESH_QUERYING && !r->due && !instant_before(now, r->query_until)) {
        query_failed(r, "no answer, timed out", now);
    }
    skip_unreachable(r, now);
    return r->due ? give_out(r, now) : (struct refresh_action){.kind = REFRESH_WAIT};
}

void refresh_put_off(struct refresh *r, uint32_t ticket)
{
    if (r->state == REFRESH_QUERYING && ticket == r->ticket && !r->due) {
        r->due = true;
        r->udp_tries -= !r->tcp;
    }
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
    if (primary != REFRESH_ANY_PRIMARY) {
        peer_health_answered(r->primaries[primary].health);
    }
    if (has_serial && r->has_copy && !r->expired &&
        (!serial_before(r->soa.serial, serial) || refresh_is_held(r, serial))) {
        return REFRESH_NOTIFY_KNOWN;
    }
    if (refresh_is_busy(r)) {
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
        refresh_want(r, serial, primary, now);
    }
    r->first_choice = primary;
    r->next_at = instant_min(r->next_at, refresh_soonest(r, now));
    return REFRESH_NOTIFY_STARTED;
}

void refresh_now(struct refresh *r, struct instant now)
{
    for (uint32_t i = 0; i < r->primary_count; i++) {
        peer_health_try_again(r->primaries[i].health);
    }
    if (!refresh_is_busy(r)) {
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

bool refresh_is_retransfer_due(const struct refresh *r)
{
    return r->force;
}

void refresh_retransfer_from(struct refresh *r, uint32_t primary, struct instant now)
{
    REQUIRE(primary < r->primary_count);
    refresh_retransfer(r, now);
    if (!refresh_is_busy(r)) {
        r->first_choice = primary;
    } else if (!r->queued_has_serial) {
        r->queued_from = primary;
    }
}

void refresh_soa_answered(struct refresh *r, uint32_t ticket, const struct refresh_contact *contact,
                          struct instant now)
{
    if (r->state != REFRESH_QUERYING || ticket - r->first_ticket > r->ticket - r->first_ticket) {
        return;
    }
    r->soa_answered = true;
    refresh_compare_serial(r, contact, now);
}

static bool is_silence(enum refresh_failure failure)
{
    return failure == REFRESH_UNREACHABLE || failure == REFRESH_NO_CONNECTION;
}

void refresh_soa_failed(struct refresh *r, uint32_t ticket, enum refresh_failure failure,
                        const char *text, struct instant now)
{
    if (r->state != REFRESH_QUERYING || ticket != r->ticket || r->due) {
        return;
    }
    struct primary *primary = &r->primaries[r->current];
    if (!is_silence(failure)) {
        peer_health_answered(primary->health);
    } else if (r->tcp) {
        peer_health_failed(primary->health, now);
    }
    switch (failure) {
    case REFRESH_NO_EDNS:
        if (!primary->plain) {
            primary->plain = true;
            refresh_give_query(r, r->tcp);
            return;
        }
        break;
    case REFRESH_TRUNCATED:
        if (!r->tcp) {
            refresh_give_query(r, true);
            return;
        }
        break;
    case REFRESH_UNREACHABLE:
    case REFRESH_NO_CONNECTION:
        if (!r->tcp && !r->options.no_tcp) {
            /* A closed UDP port does not get better by asking it again. */
            refresh_give_query(r, true);
            return;
        }
        break;
    case REFRESH_FAILED:
        break;
    }
    refresh_primary_failed(r, query_step(r), text, now);
}

void refresh_transferred(struct refresh *r, uint32_t ticket, const struct refresh_soa *soa,
                         const struct refresh_contact *contact, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket) {
        return;
    }
    refresh_primary_showed(r, contact != NULL ? contact->serial : soa->serial, now);
    r->has_copy = true;
    r->confirmed = true;
    r->contacted_at = now;
    r->expired = false;
    r->soa = *soa;
    uint32_t expire_s = refresh_expire_interval_s(r);
    if (contact != NULL && contact->has_expire && contact->expire_s < expire_s) {
        expire_s = contact->expire_s;
    }
    r->expires_at = refresh_add_s(now, expire_s);
    r->primaries[r->current].failures = 0;
    r->behind = false;
    r->force = r->force && !r->any_serial; /* asked for while another transfer was under way */
    r->has_held = false;
    r->paid_until = instant_add_ms(r->paid_until, -(int64_t)r->options.spacing_ms);
    if (refresh_wants_newer(r) && !r->queued) {
        /* It had less than was announced: another primary, or this one a little later. */
        refresh_set_error(r, "transfer", "the zone that came is older than the serial announced",
                          now);
        refresh_next_primary(r, now);
        return;
    }
    refresh_round_succeeded(r, now);
}

void refresh_transfer_held(struct refresh *r, uint32_t ticket,
                           const struct refresh_contact *contact, const char *text,
                           struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket) {
        return;
    }
    refresh_primary_showed(r, contact->serial, now);
    r->force = false;
    if (!r->has_copy || r->expired) {
        refresh_primary_failed(r, "transfer", text, now);
        return;
    }
    r->has_held = true;
    r->held = contact->serial;
    refresh_primary_has_held(r, contact, now);
}

void refresh_replaced(struct refresh *r, const struct refresh_soa *soa, struct instant now)
{
    r->has_copy = true;
    r->expired = false;
    r->has_held = false;
    r->confirmed = true;
    r->contacted_at = now;
    r->soa = *soa;
    r->behind = false;
    r->expires_at = refresh_add_s(now, refresh_expire_interval_s(r));
    if (!refresh_is_busy(r)) {
        refresh_round_succeeded(r, now);
    }
}

void refresh_transfer_not_newer(struct refresh *r, uint32_t ticket,
                                const struct refresh_contact *contact, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket || !r->has_copy) {
        return;
    }
    refresh_primary_showed(r, contact->serial, now);
    if (serial_equal(r->soa.serial, contact->serial)) {
        refresh_primary_has_ours(r, contact, now);
    } else if (r->expired) {
        refresh_give_transfer(r, false, true);
    } else {
        refresh_primary_is_behind(r, contact->serial, now);
    }
}

void refresh_transfer_failed(struct refresh *r, uint32_t ticket, enum refresh_failure failure,
                             const char *text, struct instant now)
{
    if (r->state != REFRESH_TRANSFERRING || ticket != r->ticket || r->due) {
        return;
    }
    struct primary *primary = &r->primaries[r->current];
    if (failure == REFRESH_NO_CONNECTION) {
        peer_health_no_connection(primary->health, text, now);
    }
    if (is_silence(failure)) {
        peer_health_silent(primary->health, now);
    } else {
        peer_health_answered(primary->health);
    }
    if (failure == REFRESH_NO_EDNS && !primary->plain) {
        primary->plain = true;
        refresh_give(r, REFRESH_TRANSFERRING);
        return;
    }
    if (r->incremental && !is_silence(failure)) {
        refresh_set_error(r, "IXFR", text, now);
        r->incremental = false;
        r->same_session = true;
        refresh_give(r, REFRESH_TRANSFERRING);
        return;
    }
    refresh_primary_failed(r, r->incremental ? "IXFR" : "AXFR", text, now);
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
        .wants_newer = refresh_wants_newer(r),
        .wanted_serial = r->wanted,
        .wanted_since = r->wanted_since,
        .confirmed = r->confirmed,
        .contacted_at = r->contacted_at,
        .primary = r->current,
        .failed_rounds = r->failed_rounds,
        .next_at = r->next_at,
        .expires_at = r->expires_at,
        .last_error = r->has_error ? r->primaries[r->last_error_primary].error : "",
        .last_error_primary = r->last_error_primary,
    };
}

struct refresh_primary_status refresh_primary_status(const struct refresh *r, uint32_t primary)
{
    REQUIRE(primary < r->primary_count);
    const struct primary *p = &r->primaries[primary];
    return (struct refresh_primary_status){
        .has_serial = p->has_serial,
        .serial = p->serial,
        .answered_at = p->answered_at,
        .failures = p->failures,
        .last_error = p->error == NULL ? "" : p->error,
        .failed_at = p->failed_at,
        .avoid_until = instant_before(p->avoid_until, peer_health_avoid_until(p->health))
                           ? peer_health_avoid_until(p->health)
                           : p->avoid_until,
    };
}
