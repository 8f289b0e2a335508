/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies to NOTIFY and UPDATE that were taken are not counted: who may send them is known.
 *
 * Who is exempt: a client with a good cookie or a verified key, since its address is its own, and
 * exempt-clients. Of the limited, some are cut short (slip) so that a real client asks again over
 * TCP; errors cannot be cut short in a way that helps anybody, so as many leave as they are. With
 * log-only everything leaves.
 *
 * The log has one line for the first limited response of a row, at a bounded rate.
 */
#include "server/rate_limiter.h"

#include <stdio.h>

#include "accounts/prefix_count.h"
#include "base/clock.h"
#include "hub/server.h"

static void tell(const struct request_scope *scope, const struct answer_query *query,
                 enum rate_kind kind)
{
    const struct conf_rate_limit *limits = conf_rate_limit(scope->settings->conf);
    struct prefix network = prefix_of(query->peer, limits->ipv4_prefix, limits->ipv6_prefix);
    char from[ADDRESS_TEXT_SIZE], name[NAME_TEXT_SIZE] = "", phrase[1400];
    address_format(&network.address, false, from);
    if (query->query.has_question) {
        name_format_log(query->query.qname, name);
    }
    snprintf(phrase, sizeof(phrase), "%slimit %s to %s/%u for %s", limits->log_only ? "would " : "",
             rate_kind_name(kind), from, network.bits, name);
    LOG_EVENT_LIMITED(scope->server->logging, LOG_INFO, LOG_RATE_LIMIT, "rate_limited", phrase,
                      LOG_NUM("window_s", limits->window_s));
}

static bool is_exempt(const struct request_scope *scope, const struct answer_query *query)
{
    const struct settings *settings = scope->settings;
    struct acl_subject subject = {.peer = query->peer, .transport = ACL_UDP};
    own_addresses_describe(settings_own(settings), &subject);
    return acl_match(conf_rate_limit(settings->conf)->exempt, &subject).allowed;
}

static void limit(const struct request_scope *scope, struct answer_query *query, uint32_t now_s)
{
    struct rate_limit *rates = scope->settings->rates;
    struct server_counters *counters = &scope->server->counters;
    uint64_t hash;
    bool begun, all_begun;
    enum rate_kind kind = rate_limit_kind(query, &hash);
    enum rate_verdict verdict = rate_limit_take(rates, query->peer, kind, hash, now_s, &begun);
    enum rate_verdict all = rate_limit_take(rates, query->peer, RATE_ALL, 0, now_s, &all_begun);
    if (LIKELY(verdict == RATE_SEND && all == RATE_SEND) || is_exempt(scope, query)) {
        return;
    }
    if (begun || all_begun) {
        tell(scope, query, begun ? kind : RATE_ALL);
    }
    if (conf_rate_limit(scope->settings->conf)->log_only) {
        return;
    }
    if (all != RATE_SEND || verdict == RATE_DROP) {
        query->response_size = 0;
        atomic_fetch_add_explicit(&counters->rate_dropped, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&counters->rate_slipped, 1, memory_order_relaxed);
    if (kind != RATE_ERROR && query->query.kind == QUERY_ASK) {
        answer_cut(scope->answer, scope->wall_s, query);
    }
}

void rate_limiter_apply(const struct request_scope *scope, struct answer_query *queries,
                        size_t count)
{
    uint32_t now_s = (uint32_t)((uint64_t)clock_now().ns / 1000000000u);
    rate_limit_count(scope->settings->rates, (unsigned)count, now_s);
    for (size_t i = 0; i < count; i++) {
        struct answer_query *query = &queries[i];
        bool counts = query->query.kind == QUERY_ASK || query->rcode != RCODE_NOERROR;
        if (query->response_size != 0 && counts && query->cookie < COOKIE_GOOD &&
            query->key == NULL) {
            limit(scope, query, now_s);
        }
    }
}
