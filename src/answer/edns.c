/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OPT record of a response (RFC 6891), there where the query had one: our UDP size, version 0,
 * DO as it came (RFC 3225 3), and the options that were asked for.
 *
 * NSID (RFC 5001), EXPIRE (RFC 7314: in answers to SOA questions, from a primary the SOA's field,
 * from a secondary what is left), COOKIE (RFC 7873), TCP keepalive (RFC 7828, over TCP and TLS
 * only), ZONEVERSION
 * (RFC 9660, the serial), and our own FINGERPRINT (docs/formats.md: in answers to SOA questions,
 * for those who may transfer the zone) have room kept for them before anything else is written. An
 * extended error (RFC 8914) goes in where room is left, first without its text; errors of the
 * message format get none of them, so that no error is longer than what it answers.
 */
#include "answer/answer_impl.h"

enum {
    OPT_FIXED_SIZE = 11,
    OPTION_HEAD = 4,
    EXPIRE_SIZE = 4,
    KEEPALIVE_SIZE = 2,
    ZONEVERSION_SIZE = 6,
    ZONEVERSION_SOA_SERIAL = 0,
    FINGERPRINT_FORMAT = 1,
    FINGERPRINT_OPTION_SIZE = 5 + FINGERPRINT_DIGEST_SIZE,
};

static bool is_bare(const struct answering *a)
{
    return a->query->kind == QUERY_ERROR || a->rcode == RCODE_FORMERR || a->rcode == RCODE_NOTIMP;
}

static bool says_nsid(const struct answering *a)
{
    return (a->query->wants & QUERY_WANTS_NSID) != 0 && a->options->nsid.size != 0;
}

static bool says_expire(const struct answering *a)
{
    return (a->query->wants & QUERY_WANTS_EXPIRE) != 0 && a->query->qtype == TYPE_SOA &&
           a->version != NULL;
}

static bool says_keepalive(const struct answering *a)
{
    return (a->query->wants & QUERY_WANTS_KEEPALIVE) != 0 && a->asked->transport != ANSWER_UDP &&
           a->options->tcp_keepalive != 0;
}

static bool says_zoneversion(const struct answering *a)
{
    return (a->query->wants & QUERY_WANTS_ZONEVERSION) != 0 && a->options->says_zoneversion &&
           a->version != NULL;
}

static bool says_cookie(const struct answering *a)
{
    return a->asked->cookie != COOKIE_NONE;
}

/* Room is kept for it also while it is not known: it may be by the time it is written. */
static bool wants_fingerprint(const struct answering *a)
{
    return (a->query->wants & QUERY_WANTS_FINGERPRINT) != 0 && a->query->qtype == TYPE_SOA &&
           a->version != NULL;
}

size_t opt_size(const struct answering *a)
{
    size_t size = OPT_FIXED_SIZE;
    if (!a->query->edns.present) {
        return 0;
    }
    if (a->query->wants == 0 || is_bare(a)) {
        return size;
    }
    size += says_nsid(a) ? OPTION_HEAD + a->options->nsid.size : 0;
    size += says_expire(a) ? OPTION_HEAD + EXPIRE_SIZE : 0;
    size += says_cookie(a) ? OPTION_HEAD + COOKIE_SIZE : 0;
    size += says_keepalive(a) ? OPTION_HEAD + KEEPALIVE_SIZE : 0;
    size += says_zoneversion(a) ? OPTION_HEAD + ZONEVERSION_SIZE : 0;
    size += wants_fingerprint(a) ? OPTION_HEAD + FINGERPRINT_OPTION_SIZE : 0;
    return size;
}

/* Where the option's value goes. */
static uint8_t *add_option(struct response *r, uint16_t code, size_t size)
{
    uint8_t *out = r->data + r->size;
    put_u16(out, code);
    put_u16(out + 2, (uint16_t)size);
    r->size += OPTION_HEAD + size;
    return out + OPTION_HEAD;
}

static uint32_t seconds_to_expiry(const struct answering *a)
{
    struct soa soa = zone_version_soa(a->version);
    int64_t at_s = (int64_t)atomic_load_explicit(&a->zone->expires_at_s, memory_order_relaxed);
    if ((a->zone->flags & ZONE_SECONDARY) == 0 || at_s == 0) {
        return soa.expire_s;
    }
    return at_s <= a->now_s               ? 0
           : at_s - a->now_s < UINT32_MAX ? (uint32_t)(at_s - a->now_s)
                                          : UINT32_MAX;
}

static void add_fingerprint(struct answering *a)
{
    const struct answer_options *options = a->options;
    struct zone_fingerprint known;
    if ((options->allow_fingerprint == NULL ||
         options->allow_fingerprint(options->allow_context, a->zone, a->asked)) &&
        zone_fingerprint_of(a->zone, a->version, &known)) {
        uint8_t *out = add_option(&a->response, EDNS_FINGERPRINT, FINGERPRINT_OPTION_SIZE);
        out[0] = FINGERPRINT_FORMAT;
        put_u32(out + 1, known.serial.value);
        memcpy(out + 5, known.digest, FINGERPRINT_DIGEST_SIZE);
    }
}

/* A good cookie of ours comes back as it is: what could be new in it is only the time. */
static void add_cookie(struct answering *a)
{
    uint8_t *out = add_option(&a->response, EDNS_COOKIE, COOKIE_SIZE);
    if (a->asked->cookie == COOKIE_GOOD) {
        memcpy(out, a->query->cookie.data, COOKIE_SIZE);
    } else {
        cookie_make(a->options->cookies, a->query->cookie.data, a->asked->peer, a->now_s, out);
    }
}

static void add_options(struct answering *a)
{
    struct response *r = &a->response;
    if (says_nsid(a)) {
        memcpy(add_option(r, EDNS_NSID, a->options->nsid.size), a->options->nsid.data,
               a->options->nsid.size);
    }
    if (says_expire(a)) {
        put_u32(add_option(r, EDNS_EXPIRE, EXPIRE_SIZE), seconds_to_expiry(a));
    }
    if (says_cookie(a)) {
        add_cookie(a);
    }
    if (says_keepalive(a)) {
        put_u16(add_option(r, EDNS_TCP_KEEPALIVE, KEEPALIVE_SIZE), a->options->tcp_keepalive);
    }
    if (says_zoneversion(a)) {
        uint8_t *out = add_option(r, EDNS_ZONEVERSION, ZONEVERSION_SIZE);
        out[0] = (uint8_t)name_label_count(zone_version_name(a->version));
        out[1] = ZONEVERSION_SOA_SERIAL;
        put_u32(out + 2, zone_version_serial(a->version).value);
    }
    if (wants_fingerprint(a)) {
        add_fingerprint(a);
    }
}

static void add_extended_error(struct answering *a, size_t limit)
{
    struct response *r = &a->response;
    size_t text_size = strlen(a->error.text);
    if (limit - r->size < OPTION_HEAD + 2) {
        return;
    }
    if (limit - r->size < OPTION_HEAD + 2 + text_size) {
        text_size = 0;
    }
    uint8_t *out = add_option(r, EDNS_EDE, 2 + text_size);
    put_u16(out, a->error.code);
    memcpy(out + 2, a->error.text, text_size);
}

void write_opt(struct answering *a, size_t limit)
{
    struct response *r = &a->response;
    if (!a->query->edns.present) {
        return;
    }
    uint8_t *out = r->data + r->size;
    out[0] = 0;
    put_u16(out + 1, TYPE_OPT);
    put_u16(out + 3, edns_udp_size(a->options));
    out[5] = (uint8_t)(a->rcode >> 4);
    out[6] = 0;
    put_u16(out + 7, a->query->edns.dnssec_ok ? 0x8000 : 0);
    r->size += OPT_FIXED_SIZE;
    if (!is_bare(a)) {
        if (a->query->wants != 0) {
            add_options(a);
        }
        if (a->error.set && a->options->says_why) {
            add_extended_error(a, limit);
        }
    }
    put_u16(out + 9, (uint16_t)(r->data + r->size - out - OPT_FIXED_SIZE));
    r->counts[SECTION_ADDITIONAL]++;
}
