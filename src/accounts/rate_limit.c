/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each (network, kind, what is said) has an account. It gains its rate every second, never more
 * than one second's worth in advance, and pays one for each response; below zero the response is
 * limited, and the debt is bounded by `window` seconds' worth, so that a flood is remembered that
 * long after it ends.
 *
 * An account is one atomic word, changed by compare and exchange, so that the workers share one
 * truth about a network whose datagrams the kernel spreads over them:
 *
 *     tag of the hash (24 bits) | second of the last change (16) | balance (20, signed) | slips (4)
 *
 * Eight accounts share a cache line; a hash chooses the line, the tag the account. A full line gives
 * up the account that has been left alone longest, of those of the same age one that is not limited
 * now: a flood of other names does not wash away what is known of a flood. Two names that share a line and a tag share an
 * account: one chance in sixteen million for a pair, and the harm is an answer sent cut short.
 *
 * What "the same" is (BIND's rules): a positive answer by name and type, a negative one by name, a
 * name that does not exist by its zone and an answer made from a wildcard likewise (or random names
 * would each have an account of their own), a referral by the delegation, an error by nothing but
 * the network. all-per-second counts everything of a network, and never slips.
 */
#include "accounts/rate_limit.h"

#include <stdatomic.h>

#include "accounts/prefix_count.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    LINE = 8,
    TAG_SHIFT = 40,
    SECOND_SHIFT = 24,
    BALANCE_SHIFT = 4,
    BALANCE_BIAS = 1 << 19,
    SLIP_MASK = 15,
    TRIES = 16,
};

struct line {
    _Alignas(64) _Atomic(uint64_t) accounts[LINE];
};

struct rate_limit {
    const struct conf_rate_limit *limits;
    int32_t rates[RATE_KINDS];
    uint64_t key;
    size_t line_mask;
    _Atomic(uint32_t) second, counted, per_second; /* of all responses, for qps-scale */
    struct line *lines;
    void *block; /* in which the lines stand at their alignment */
};

struct rate_limit *rate_limit_new(const struct conf_rate_limit *limits)
{
    struct rate_limit *rates = memory_new_zeroed(1, sizeof(*rates));
    size_t lines = 16;
    while (lines * LINE < limits->max_table) {
        lines *= 2;
    }
    rates->limits = limits;
    rates->key = random_u64();
    rates->line_mask = lines - 1;
    rates->block = memory_new_zeroed(lines + 1, sizeof(struct line));
    rates->lines = (struct line *)(((uintptr_t)rates->block + sizeof(struct line) - 1) &
                                   ~(uintptr_t)(sizeof(struct line) - 1));
    for (size_t i = 0; i < lines; i++) {
        for (unsigned n = 0; n < LINE; n++) {
            atomic_init(&rates->lines[i].accounts[n], 0);
        }
    }
    const uint32_t wanted[RATE_KINDS] = {limits->responses, limits->referrals, limits->nodata,
                                         limits->nxdomains, limits->errors,    limits->all};
    for (unsigned i = 0; i < RATE_KINDS; i++) {
        rates->rates[i] = wanted[i] < BALANCE_BIAS ? (int32_t)wanted[i] : BALANCE_BIAS - 1;
    }
    return rates;
}

void rate_limit_free(struct rate_limit *rates)
{
    if (rates != NULL) {
        memory_free(rates->block);
        memory_free(rates);
    }
}

const char *rate_kind_name(enum rate_kind kind)
{
    static const char *const names[RATE_KINDS] = {"responses",        "referrals",
                                                  "nodata responses", "nxdomain responses",
                                                  "error responses",  "all responses"};
    return names[kind];
}

/* ---- what is the same ---- */

/* The name of the first record behind the question, where that is a part of the question's. */
static const uint8_t *first_owner(const struct answer_query *answered)
{
    const uint8_t *out = answered->out;
    size_t at = answered->query.question_end;
    if (at + 2 <= answered->response_size && (out[at] & 0xc0) == 0xc0) {
        size_t target = (size_t)(out[at] & 0x3f) << 8 | out[at + 1];
        size_t begin = MESSAGE_HEADER_SIZE, end = begin + answered->query.qname_size;
        while (begin < end && begin < target) {
            begin += 1 + (size_t)out[begin];
        }
        if (begin == target && begin < end) {
            return out + begin;
        }
    }
    return NULL;
}

enum rate_kind rate_limit_kind(const struct answer_query *answered, uint64_t *out_hash)
{
    const struct query *query = &answered->query;
    uint64_t zone = (uint64_t)(uintptr_t)answered->zone;
    *out_hash = 0;
    if (answered->rcode == RCODE_NXDOMAIN) {
        *out_hash = zone;
        return RATE_NXDOMAIN;
    }
    if (answered->rcode != RCODE_NOERROR || !query->has_question) {
        return RATE_ERROR;
    }
    const uint8_t *out = answered->out;
    bool is_authoritative = (get_u16(out + 2) & FLAG_AA) != 0;
    bool is_empty = get_u16(out + 6) == 0;
    if (is_empty && !is_authoritative && !answered->truncated && answered->zone != NULL) {
        const uint8_t *cut = first_owner(answered);
        *out_hash = cut == NULL ? zone : name_hash(zone, cut);
        return RATE_REFERRAL;
    }
    *out_hash = answered->by_wildcard
                    ? zone + query->qtype
                    : name_hash(zone + (is_empty ? 0 : query->qtype), query->qname);
    return is_empty && !answered->truncated ? RATE_NODATA : RATE_RESPONSE;
}

/* ---- accounts ---- */

static uint64_t word_of(uint64_t tag, uint32_t second, int32_t balance, unsigned slips)
{
    return tag << TAG_SHIFT | (uint64_t)(second & 0xffff) << SECOND_SHIFT |
           (uint64_t)(uint32_t)(balance + BALANCE_BIAS) << BALANCE_SHIFT | slips;
}

static uint32_t age_of(uint64_t word, uint32_t now_s)
{
    uint16_t age = (uint16_t)(now_s - (uint32_t)(word >> SECOND_SHIFT));
    return age >= 0x8000 ? 0 : age; /* another worker's clock is a moment ahead */
}

static int64_t balance_of(uint64_t word)
{
    return (int64_t)(word >> BALANCE_SHIFT & (2 * BALANCE_BIAS - 1)) - BALANCE_BIAS;
}

/* The account's place in its line: its own, an empty one, or the one that is least worth keeping. */
static _Atomic(uint64_t) *place_of(struct line *line, uint64_t tag, uint32_t now_s)
{
    _Atomic(uint64_t) *best = &line->accounts[0];
    uint32_t most = 0;
    for (unsigned i = 0; i < LINE; i++) {
        uint64_t word = atomic_load_explicit(&line->accounts[i], memory_order_relaxed);
        if (word >> TAG_SHIFT == tag) {
            return &line->accounts[i];
        }
        uint32_t staleness =
            word == 0 ? UINT32_MAX : 2 * age_of(word, now_s) + (balance_of(word) >= 0);
        if (staleness > most) {
            most = staleness;
            best = &line->accounts[i];
        }
    }
    return best;
}

/* The rate that counts now: less where the server as a whole is busier than qps-scale. */
static int32_t rate_now(const struct rate_limit *rates, enum rate_kind kind)
{
    int32_t rate = rates->rates[kind];
    uint32_t scale = rates->limits->qps_scale;
    uint32_t busy = atomic_load_explicit(&rates->per_second, memory_order_relaxed);
    if (scale != 0 && busy > scale && rate != 0) {
        rate = (int32_t)((uint64_t)(uint32_t)rate * scale / busy);
        rate = rate < 1 ? 1 : rate;
    }
    return rate;
}

enum rate_verdict rate_limit_take(struct rate_limit *rates, const struct address *peer,
                                  enum rate_kind kind, uint64_t hash, uint32_t now_s,
                                  bool *out_begun)
{
    const struct conf_rate_limit *limits = rates->limits;
    int32_t rate = rate_now(rates, kind);
    *out_begun = false;
    if (rate == 0) {
        return RATE_SEND;
    }
    int64_t worst = -(int64_t)rate * limits->window_s;
    worst = worst < 1 - BALANCE_BIAS ? 1 - BALANCE_BIAS : worst;
    struct prefix network = prefix_of(peer, limits->ipv4_prefix, limits->ipv6_prefix);
    hash = hash_mix(
        hash_bytes(rates->key + kind, network.address.bytes, sizeof(network.address.bytes)) ^ hash,
        rates->key | 1);
    uint64_t tag = hash >> TAG_SHIFT;
    tag = tag == 0 ? 1 : tag;
    struct line *line = &rates->lines[hash & rates->line_mask];
    for (unsigned n = 0; n < TRIES; n++) {
        _Atomic(uint64_t) *account = place_of(line, tag, now_s);
        uint64_t word = atomic_load_explicit(account, memory_order_relaxed);
        int64_t balance = rate;
        unsigned slips = 0;
        if (word >> TAG_SHIFT == tag) {
            uint32_t age = age_of(word, now_s);
            balance = balance_of(word);
            slips = (unsigned)(word & SLIP_MASK);
            if (age > limits->window_s || balance + (int64_t)age * rate > rate) {
                balance = rate;
            } else {
                balance += (int64_t)age * rate;
            }
        }
        bool was_free = balance >= 0;
        balance = balance - 1 < worst ? worst : balance - 1;
        enum rate_verdict verdict = RATE_SEND;
        if (balance < 0) {
            verdict = RATE_DROP;
            if (kind != RATE_ALL && limits->slip != 0) {
                verdict = slips == 0 ? RATE_SLIP : RATE_DROP;
                slips = (slips + 1) % limits->slip;
            }
        } else {
            slips = 0;
        }
        if (atomic_compare_exchange_weak_explicit(account, &word,
                                                  word_of(tag, now_s, (int32_t)balance, slips),
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *out_begun = was_free && balance < 0;
            return verdict;
        }
    }
    return RATE_DROP; /* that much contention for one account is a flood */
}

void rate_limit_count(struct rate_limit *rates, unsigned responses, uint32_t now_s)
{
    uint32_t second = atomic_load_explicit(&rates->second, memory_order_relaxed);
    if (second != now_s && atomic_compare_exchange_strong(&rates->second, &second, now_s)) {
        uint32_t counted = atomic_exchange(&rates->counted, 0);
        atomic_store_explicit(&rates->per_second, now_s - second == 1 ? counted : 0,
                              memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&rates->counted, responses, memory_order_relaxed);
}
