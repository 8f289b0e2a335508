/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rounds of the refresh machine: which primary is asked next and how, what its answer means,
 * and how long to wait when all were asked in vain. refresh.c tells the whole.
 *
 * A primary that failed comes last for a while (30 seconds, doubled up to an hour), so that a dead
 * one costs its timeouts once and not in every round; when that time is over it gets its place
 * back.
 */
#include <stdio.h>

#include "base/memory.h"
#include "xfr/refresh_impl.h"

enum {
    AVOID_FIRST_S = 30,  /* a primary that failed comes last for this long, doubled each time ... */
    AVOID_LAST_S = 3600, /* ... up to this */
    MAX_EXPIRE_S = 14515200, /* 24 weeks, as in BIND */
    BURST = 4,
    ERROR_TEXT_SIZE = 400,
};
/* splitmix64 */
uint64_t refresh_draw(struct refresh *r)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Between three quarters of `ms` and all of it. */
static int64_t jittered_ms(struct refresh *r, uint64_t ms)
{
    return (int64_t)(ms - refresh_draw(r) % (ms / 4 + 1));
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value > high ? high : value < low ? low : value;
}

uint32_t refresh_interval_s(const struct refresh *r)
{
    return clamp(r->soa.refresh_s, r->options.min_refresh_s, r->options.max_refresh_s);
}

static uint32_t retry_interval_s(const struct refresh *r)
{
    return clamp(r->soa.retry_s, r->options.min_retry_s, r->options.max_retry_s);
}

/* At least one refresh and one retry, or a zone would expire between two looks at its primary. */
uint32_t refresh_expire_interval_s(const struct refresh *r)
{
    uint64_t least = (uint64_t)refresh_interval_s(r) + retry_interval_s(r);
    uint64_t value = r->soa.expire_s < least ? least : r->soa.expire_s;
    return value > MAX_EXPIRE_S ? MAX_EXPIRE_S : (uint32_t)value;
}

struct instant refresh_add_s(struct instant t, uint32_t seconds)
{
    return instant_add_ms(t, (int64_t)seconds * 1000);
}

bool refresh_is_busy(const struct refresh *r)
{
    return r->state == REFRESH_QUERYING || r->state == REFRESH_TRANSFERRING;
}

bool refresh_wants_newer(const struct refresh *r)
{
    return r->has_wanted && r->has_copy && serial_before(r->soa.serial, r->wanted);
}

void refresh_want(struct refresh *r, struct serial serial, uint32_t from, struct instant now)
{
    if (!refresh_wants_newer(r)) {
        r->wanted_since = now;
    }
    if (!refresh_wants_newer(r) || serial_before(r->wanted, serial)) {
        r->has_wanted = true;
        r->wanted = serial;
        r->wanted_from = from;
    }
}

static void clear_error(struct primary *primary)
{
    memory_free(primary->error);
    primary->error = NULL;
}

/* The present primary answered, with `serial`. Where its error is the zone's last one, that stays
 * until the round succeeds: the answer to an SOA query mends no transfer. */
void refresh_primary_showed(struct refresh *r, struct serial serial, struct instant now)
{
    struct primary *primary = &r->primaries[r->current];
    primary->has_serial = true;
    primary->serial = serial;
    primary->answered_at = now;
    peer_health_answered(primary->health);
    if (!r->has_error || r->last_error_primary != r->current) {
        clear_error(primary);
    }
}

void refresh_set_error(struct refresh *r, const char *step, const char *text, struct instant now)
{
    struct primary *primary = &r->primaries[r->current];
    char line[ERROR_TEXT_SIZE];
    snprintf(line, sizeof(line), "%s%s: %s",
             r->state == REFRESH_TRANSFERRING && r->soa_answered
                 ? "the SOA query was answered, but then "
                 : "",
             step, text);
    memory_free(primary->error);
    primary->error = memory_strdup(line);
    primary->failed_at = now;
    r->has_error = true;
    r->last_error_primary = r->current;
}

/* ---- rounds and attempts ---- */

void refresh_give(struct refresh *r, enum refresh_state state)
{
    r->state = state;
    r->ticket++;
    r->due = true;
    r->next_at = INSTANT_NEVER;
}

void refresh_give_transfer(struct refresh *r, bool incremental, bool any_serial)
{
    r->incremental = incremental && r->has_copy && !r->options.no_ixfr && !any_serial;
    r->any_serial = any_serial;
    r->same_session = false;
    refresh_give(r, REFRESH_TRANSFERRING);
}

void refresh_give_query(struct refresh *r, bool tcp)
{
    r->tcp = tcp;
    refresh_give(r, REFRESH_QUERYING);
}

static void begin_attempt(struct refresh *r, uint32_t primary, struct instant now)
{
    r->current = primary;
    peer_health_asked(r->primaries[primary].health, now);
    r->primaries[primary].visited_in = r->round;
    r->first_ticket = r->ticket + 1;
    r->udp_tries = 0;
    r->soa_answered = false;
    if (!r->has_copy || r->force) {
        refresh_give_transfer(r, false, true);
    } else if (refresh_wants_newer(r) && !r->expired &&
               (r->wanted_from == primary || r->wanted_from == REFRESH_ANY_PRIMARY)) {
        refresh_give_transfer(r, true, false);
    } else {
        refresh_give_query(r, r->primaries[primary].tls);
    }
}

static bool is_avoided(const struct primary *primary, struct instant now)
{
    return (primary->failures != 0 && instant_before(now, primary->avoid_until)) ||
           peer_health_is_avoided(primary->health, now);
}

bool refresh_should_turn(const struct refresh *r, struct instant now)
{
    for (uint32_t i = 0; i < r->primary_count; i++) {
        if (r->primaries[i].visited_in != r->round && !is_avoided(&r->primaries[i], now)) {
            return peer_health_is_avoided(r->primaries[r->current].health, now);
        }
    }
    return false;
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

void refresh_begin_round(struct refresh *r, struct instant now)
{
    r->round++;
    r->paid_until = instant_add_ms(instant_before(r->paid_until, now) ? now : r->paid_until,
                                   r->options.spacing_ms);
    begin_attempt(r, choose_primary(r, now), now);
}

/* When a round that nobody planned may begin: a few at once, then one each spacing_ms. */
struct instant refresh_soonest(const struct refresh *r, struct instant now)
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
    if (!refresh_wants_newer(r)) {
        r->has_wanted = false;
    }
    if (r->queued) {
        r->queued = false;
        if (!r->queued_has_serial || !r->has_copy || r->expired ||
            serial_before(r->soa.serial, r->queued_serial)) {
            if (r->queued_has_serial && r->has_copy) {
                refresh_want(r, r->queued_serial, r->queued_from, now);
            }
            r->first_choice = r->queued_from;
            r->next_at = refresh_soonest(r, now);
        }
    }
}

uint64_t refresh_doubled(uint64_t first, uint32_t times, uint64_t last)
{
    uint64_t value = times >= 32 ? last : first << times;
    return value > last ? last : value;
}

static void round_failed(struct refresh *r, struct instant now)
{
    uint64_t wait_ms = (uint64_t)retry_interval_s(r) * 1000;
    if (!r->has_copy || r->expired) {
        wait_ms = refresh_doubled(r->options.first_retry_ms, r->failed_rounds,
                                  (uint64_t)r->options.last_retry_s * 1000);
    } else if (refresh_wants_newer(r) || r->force || !r->confirmed) {
        wait_ms = refresh_doubled(r->options.first_retry_ms, r->failed_rounds, wait_ms);
    }
    r->failed_rounds++;
    end_round(r, REFRESH_BACKING_OFF, instant_add_ms(now, jittered_ms(r, wait_ms)), now);
}

/*
 * The next look comes after refresh, but not later than half the time that is left: an EXPIRE
 * option of a primary that is out of contact itself may leave less than one refresh.
 */
void refresh_round_succeeded(struct refresh *r, struct instant now)
{
    uint64_t wait_ms = (uint64_t)refresh_interval_s(r) * 1000;
    uint64_t half_ms = (uint64_t)instant_ms_until(now, r->expires_at) / 2;
    if (half_ms < wait_ms) {
        wait_ms = half_ms < r->options.first_retry_ms ? r->options.first_retry_ms : half_ms;
    }
    r->failed_rounds = 0;
    r->has_error = false;
    clear_error(&r->primaries[r->current]);
    end_round(r, REFRESH_IDLE, instant_add_ms(now, jittered_ms(r, wait_ms)), now);
}

void refresh_next_primary(struct refresh *r, struct instant now)
{
    uint32_t next = choose_primary(r, now);
    if (next == REFRESH_ANY_PRIMARY) {
        round_failed(r, now);
    } else {
        begin_attempt(r, next, now);
    }
}

void refresh_primary_failed(struct refresh *r, const char *step, const char *text,
                            struct instant now)
{
    struct primary *primary = &r->primaries[r->current];
    refresh_set_error(r, step, text, now);
    uint64_t avoid_s = refresh_doubled(AVOID_FIRST_S, primary->failures, AVOID_LAST_S);
    primary->failures++;
    primary->avoid_until = refresh_add_s(now, (uint32_t)avoid_s);
    refresh_next_primary(r, now);
}

/* ---- what a primary showed ---- */

void refresh_primary_has_ours(struct refresh *r, const struct refresh_contact *contact,
                              struct instant now)
{
    uint32_t full_s = refresh_expire_interval_s(r);
    if (!contact->has_expire) {
        r->expires_at = refresh_add_s(now, full_s);
    } else {
        uint32_t value = contact->expire_s < full_s ? contact->expire_s : full_s;
        struct instant offered = refresh_add_s(now, value);
        if (r->expired || instant_before(r->expires_at, offered)) {
            r->expires_at = offered;
        }
    }
    r->expired = !instant_before(now, r->expires_at);
    r->primaries[r->current].failures = 0;
    r->confirmed = true;
    r->contacted_at = now;
    r->behind = false;
    if (r->expired) {
        refresh_set_error(r, "SOA query", "the primary's own copy is expired (EXPIRE is 0)", now);
        refresh_next_primary(r, now);
        return;
    }
    if (refresh_wants_newer(r) && r->wanted_from != r->current) {
        /* Another primary is said to have a newer one: this one merely lags. */
        if (choose_primary(r, now) != REFRESH_ANY_PRIMARY) {
            refresh_next_primary(r, now);
            return;
        }
        if (r->wanted_from != REFRESH_ANY_PRIMARY) {
            round_failed(r, now); /* the one that has it was asked and could not give it */
            return;
        }
    }
    r->has_wanted = false;
    refresh_round_succeeded(r, now);
}

bool refresh_is_held(const struct refresh *r, struct serial serial)
{
    return r->has_held && serial_equal(r->held, serial);
}

/* It has what is held back here: as good a contact as one with our own serial. */
void refresh_primary_has_held(struct refresh *r, const struct refresh_contact *contact,
                              struct instant now)
{
    if (r->has_wanted && !serial_before(r->held, r->wanted)) {
        r->has_wanted = false;
    }
    refresh_primary_has_ours(r, contact, now);
}

void refresh_primary_is_behind(struct refresh *r, struct serial serial, struct instant now)
{
    char text[96];
    snprintf(text, sizeof(text), "its serial %u is before ours, %u; keeping ours", serial.value,
             r->soa.serial.value);
    if (!r->options.bears_behind) {
        refresh_set_error(r, "primary is behind", text, now);
    }
    r->primaries[r->current].failures = 0;
    r->behind = true;
    r->behind_serial = serial;
    refresh_next_primary(r, now);
}

void refresh_compare_serial(struct refresh *r, const struct refresh_contact *contact,
                            struct instant now)
{
    refresh_primary_showed(r, contact->serial, now);
    if (serial_equal(r->soa.serial, contact->serial)) {
        refresh_primary_has_ours(r, contact, now);
    } else if (!r->expired && refresh_is_held(r, contact->serial)) {
        refresh_primary_has_held(r, contact, now);
    } else if (serial_before(r->soa.serial, contact->serial)) {
        refresh_want(r, contact->serial, r->current, now);
        refresh_give_transfer(r, true, false);
    } else if (r->expired) {
        refresh_give_transfer(r, false, true);
    } else {
        refresh_primary_is_behind(r, contact->serial, now);
    }
}
