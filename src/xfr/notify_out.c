/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NOTIFY to one target (RFC 1996 3).
 *
 * pending: the target has not shown the newest serial. waiting: one NOTIFY is in flight. While one
 * is, a newer serial only replaces the old; it leaves when the reply comes or the wait ends. So a
 * burst of versions costs one message per round trip and target, and no fixed delay is needed.
 *
 * Tries: three over UDP (waits of 0.5, 1 and 2 seconds), one over TCP, then pauses from 30 seconds
 * doubling to 15 minutes, each with a try over UDP and one over TCP behind it. They never end: the
 * target is pending until it has the serial. A reply with an rcode other than NOERROR is a target
 * that does not want or know the zone; it goes straight to the long pauses. FORMERR to a message
 * with an SOA is a target that reads RFC 1996 3.7 narrowly: the same without SOA follows at once.
 *
 * A target that is told over TLS alone has pauses from one second doubling to 15 minutes: nothing
 * gets lost on the way there, so a failure is one that lasts, or a restart.
 */
#include "xfr/notify_out.h"

#include "xfr/fingerprint_option.h"
#include "xfr/peer_reply.h"

enum {
    UDP_TRIES = 3,
    FIRST_WAIT_MS = 500,
    TCP_WAIT_MS = 10000,
    FIRST_PAUSE_MS = 30000,
    FIRST_TLS_PAUSE_MS = 1000,
    LAST_PAUSE_MS = 15 * 60 * 1000,
    ALIVE_SPACING_MS = 15000,
    OUR_UDP_SIZE = 1232,
};

void notify_out_init(struct notify_out *n, uint64_t seed)
{
    *n = (struct notify_out){.due = INSTANT_NEVER, .jitter = (uint32_t)(seed ^ seed >> 32) | 1};
}

/* Between three quarters of `ms` and all of it; xorshift32. */
static int64_t jittered_ms(struct notify_out *n, uint32_t ms)
{
    n->jitter ^= n->jitter << 13;
    n->jitter ^= n->jitter >> 17;
    n->jitter ^= n->jitter << 5;
    return (int64_t)(ms - n->jitter % (ms / 4 + 1));
}

/* After the quick tries, odd ones are UDP and end a pause, even ones are the TCP behind them. */
static bool next_is_tcp(const struct notify_out *n)
{
    return n->is_tls || (n->tries >= UDP_TRIES && (n->tries - UDP_TRIES) % 2 == 0);
}

static uint32_t pause_ms(const struct notify_out *n)
{
    unsigned pauses = n->tries <= UDP_TRIES ? 0 : (unsigned)(n->tries - UDP_TRIES - 1) / 2;
    if (n->is_tls) {
        pauses = n->tries < 1 ? 0 : n->tries - 1u;
        uint32_t short_ms = FIRST_TLS_PAUSE_MS << (pauses > 10 ? 10 : pauses);
        return short_ms > LAST_PAUSE_MS ? LAST_PAUSE_MS : short_ms;
    }
    uint32_t ms = FIRST_PAUSE_MS << (pauses > 5 ? 5 : pauses);
    return ms > LAST_PAUSE_MS ? LAST_PAUSE_MS : ms;
}

void notify_out_publish(struct notify_out *n, struct serial serial, struct instant at)
{
    bool is_delayed = n->pending && n->tries == 0 && instant_before(n->due, at);
    n->serial = serial;
    n->pending = true;
    n->answered = false;
    n->tries = 0;
    if (!n->waiting && !is_delayed) {
        n->due = at;
    }
}

static void try_failed(struct notify_out *n, struct instant now)
{
    n->waiting = false;
    if (n->tries == 0 || !serial_equal(n->in_flight, n->serial)) {
        n->due = now;
        return;
    }
    bool quick = !n->is_tls && (n->tries <= UDP_TRIES || next_is_tcp(n));
    n->due = quick ? now : instant_add_ms(now, jittered_ms(n, pause_ms(n)));
}

bool notify_out_step(struct notify_out *n, struct instant now, struct notify_send *out)
{
    if (n->waiting && !instant_before(now, n->due)) {
        try_failed(n, now);
    }
    if (!n->pending || n->waiting || instant_before(now, n->due)) {
        return false;
    }
    out->tcp = next_is_tcp(n);
    out->with_soa = !n->plain;
    out->serial = n->serial;
    uint32_t wait_ms = TCP_WAIT_MS;
    if (!out->tcp) {
        wait_ms = FIRST_WAIT_MS << (n->tries < UDP_TRIES ? n->tries : UDP_TRIES - 1);
    }
    n->in_flight = n->serial;
    n->waiting = true;
    n->due = instant_add_ms(now, wait_ms);
    if (n->tries < UINT16_MAX - 1) {
        n->tries++;
    } else {
        n->tries--; /* keeps the alternation of UDP and TCP going */
    }
    return true;
}

struct instant notify_out_deadline(const struct notify_out *n)
{
    return n->pending || n->waiting ? n->due : INSTANT_NEVER;
}

static void settle(struct notify_out *n, struct serial serial)
{
    if (n->pending && !serial_before(serial, n->serial)) {
        n->pending = false;
        n->tries = 0;
        n->answered = false;
    }
}

void notify_out_answer(struct notify_out *n, unsigned rcode, struct instant now)
{
    if (!n->waiting) {
        return;
    }
    n->waiting = false;
    if (rcode == RCODE_NOERROR) {
        settle(n, n->in_flight);
        n->due = now; /* for a serial that came meanwhile */
        return;
    }
    n->last_rcode = (uint8_t)rcode;
    n->answered = true;
    if (rcode == RCODE_FORMERR && !n->plain) {
        n->plain = true;
        n->tries = 0;
        n->due = now;
    } else if (!serial_equal(n->in_flight, n->serial)) {
        n->due = now;
    } else {
        if (n->tries <= UDP_TRIES || next_is_tcp(n)) {
            /* It answers over UDP: no use in asking again over TCP. */
            n->tries = (uint16_t)(n->tries < UDP_TRIES ? UDP_TRIES + 1 : n->tries + 1);
        }
        n->due = instant_add_ms(now, jittered_ms(n, pause_ms(n)));
    }
}

void notify_out_failed(struct notify_out *n, struct instant now)
{
    if (!n->waiting) {
        return;
    }
    bool tcp = n->is_tls || (!next_is_tcp(n) && n->tries > UDP_TRIES);
    if (tcp || !serial_equal(n->in_flight, n->serial)) {
        try_failed(n, now);
    }
    /* A port that is closed now may be a server that restarts: the wait of this try goes on. */
}

void notify_out_seen(struct notify_out *n, struct serial serial)
{
    settle(n, serial);
    if (!n->pending) {
        n->waiting = false;
    }
}

void notify_out_alive(struct notify_out *n, struct instant now)
{
    if (n->pending && !n->waiting && !n->answered && instant_before(now, n->due) &&
        !instant_before(now, n->alive_again)) {
        n->tries = 0;
        n->due = now;
        n->alive_again = instant_add_ms(now, ALIVE_SPACING_MS);
    }
}

bool notify_out_is_pending(const struct notify_out *n)
{
    return n->pending;
}

size_t notify_write(const uint8_t *zone, uint16_t class, uint16_t id, const struct record *soa,
                    const struct zone_fingerprint *fingerprint, uint8_t *buffer, size_t limit,
                    size_t reserved)
{
    struct message_writer w;
    if (limit < MESSAGE_HEADER_SIZE + reserved) {
        return 0;
    }
    message_writer_init(&w, buffer, limit, id, (uint16_t)(OPCODE_NOTIFY << 11 | FLAG_AA));
    w.reserved = reserved;
    if (!message_write_question(&w, zone, TYPE_SOA, class) ||
        (soa != NULL && !message_write_record(&w, SECTION_ANSWER, soa))) {
        return 0;
    }
    uint8_t option[FINGERPRINT_OPTION_WIRE_SIZE];
    if (fingerprint != NULL && !message_write_opt(&w, OUR_UDP_SIZE, 0, 0, false,
                                                  fingerprint_option_write(option, fingerprint))) {
        return 0;
    }
    return message_writer_finish(&w).size;
}

enum result notify_ack_read(struct slice message, const uint8_t *zone, uint16_t class, uint16_t id,
                            unsigned *out_rcode, struct error *err)
{
    struct peer_reply_expect expect = {
        .id = id,
        .opcode = OPCODE_NOTIFY,
        .name = zone,
        .type = TYPE_SOA,
        .class = class,
    };
    struct peer_reply reply;
    enum result result = peer_reply_open(message, &expect, &reply, err);
    if (result == OK) {
        *out_rcode = reply.rcode;
    }
    return result;
}
