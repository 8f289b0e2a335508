/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The batch. Queries go through in groups of 32, each stage for all of them before the next:
 *
 *   parse      what is no answerable question is decided here: dropped, an error, or handed up
 *   find       the zone of each question in class IN, memory fetched ahead (zone_set_find_batch)
 *              The hashes of a name and its ancestors are computed once, for both stages
 *   look up    what each question meets in its version, likewise (zone_version_lookup_batch)
 *   assemble   one response after the other
 *
 * A server answers in 2 us when data is in the cache and in 7 when it is not; the stages exist so
 * that the misses of 32 questions overlap.
 *
 * DS is the one type that belongs to the zone above (RFC 4035 3.1.4.1): the zone is looked for from
 * the name's parent. Where that leads to nothing, or to a delegation above the name, while the name
 * is the apex of a zone of ours, the child answers that it has none.
 *
 * Everything lives on the stack: about 50 KiB for the group and 4 for the response being written,
 * of which a usual answer touches a few lines.
 */
#include "answer/answer_impl.h"

enum { GROUP = 32, UDP_SIZE_CLASSIC = 512, TCP_SIZE = 65535, TYPE_META_FIRST = 128 };

/* What to do with a question, once parsed. */
enum plan {
    PLAN_DONE,  /* nothing more */
    PLAN_RCODE, /* answer with the rcode in asked->rcode, not from a zone */
    PLAN_CHAOS,
    PLAN_ZONE,
};

struct group {
    const struct answer_options *options;
    const struct zone_set *zones;
    int64_t now_s;
    struct denial_memo memo;
    enum plan plans[GROUP];
    struct extended_error errors[GROUP];
    struct zone_lookup_item items[GROUP];
    struct name_hashes hashes[GROUP];
};

void answering_truncate(struct answering *a)
{
    a->truncated = true;
}

static void explain(struct extended_error *error, uint16_t code, const char *text)
{
    if (!error->set) {
        *error = (struct extended_error){true, code, text};
    }
}

void answering_explain(struct answering *a, uint16_t code, const char *text)
{
    explain(&a->error, code, text);
}

/* The rcode for types that no zone holds (RFC 6895 3.1), or NOERROR. */
static uint16_t rcode_of_qtype(uint16_t qtype)
{
    switch (qtype) {
    case TYPE_ANY:
        return RCODE_NOERROR;
    case TYPE_MAILA:
    case TYPE_MAILB:
    case TYPE_TKEY:
        return RCODE_NOTIMP;
    case 0:
    case TYPE_OPT:
        return RCODE_FORMERR;
    }
    return qtype >= TYPE_META_FIRST && qtype < TYPE_ANY ? RCODE_FORMERR : RCODE_NOERROR;
}

static enum plan fail(struct answer_query *asked, uint16_t rcode)
{
    asked->rcode = rcode;
    return PLAN_RCODE;
}

static enum plan hand_up(struct answer_query *asked, enum answer_disposition disposition,
                         const struct zone_set *zones)
{
    asked->disposition = disposition;
    if (asked->query.has_question) {
        asked->zone = zone_set_get(zones, asked->query.qname, asked->query.qclass);
    }
    return PLAN_DONE;
}

static enum plan plan_question(struct answer_query *asked, const struct zone_set *zones)
{
    const struct query *query = &asked->query;
    if (query->qtype == TYPE_IXFR || query->qtype == TYPE_AXFR) {
        if (query->qtype == TYPE_AXFR && asked->transport == ANSWER_UDP) {
            return fail(asked, RCODE_FORMERR); /* RFC 5936 4.2 leaves it open; as BIND */
        }
        return hand_up(asked, ANSWER_XFR, zones);
    }
    if (query->tsig_offset != 0 && asked->key == NULL) {
        asked->disposition = ANSWER_TSIG;
        return PLAN_DONE;
    }
    uint16_t rcode = rcode_of_qtype(query->qtype);
    if (rcode != RCODE_NOERROR) {
        return fail(asked, rcode);
    }
    switch (query->qclass) {
    case CLASS_IN:
        return PLAN_ZONE;
    case CLASS_CH:
    case CLASS_HS:
        asked->zone = zone_set_find(zones, query->qname, query->qclass);
        return asked->zone != NULL         ? PLAN_ZONE
               : query->qclass == CLASS_CH ? PLAN_CHAOS
                                           : fail(asked, RCODE_REFUSED);
    }
    return fail(asked, RCODE_REFUSED);
}

/* True: goes on. Only who sends cookies can be told to send a good one (RFC 7873 5.2.3). */
static bool check_cookie(const struct group *group, struct answer_query *asked)
{
    const struct cookie_policy *policy = group->options->cookies;
    if (policy == NULL || asked->peer == NULL) {
        return true;
    }
    asked->cookie = (uint8_t)cookie_check(policy, asked->query.cookie, asked->peer, group->now_s);
    return asked->cookie != COOKIE_CLIENT || !policy->is_required || asked->transport != ANSWER_UDP;
}

static ALWAYS_INLINE enum plan plan(const struct group *group, struct answer_query *asked,
                                    uint64_t hash_key, struct name_hashes *name)
{
    const struct zone_set *zones = group->zones;
    asked->disposition = ANSWER_DROP;
    asked->rcode = RCODE_NOERROR;
    asked->truncated = false;
    asked->cookie = COOKIE_NONE;
    asked->by_wildcard = false;
    asked->response_size = 0;
    asked->zone = NULL;
    REQUIRE(asked->out_size >= UDP_SIZE_CLASSIC + asked->reserve);
    query_parse(asked->message, hash_key, name, &asked->query);
    switch (asked->query.kind) {
    case QUERY_DROP:
        return PLAN_DONE;
    case QUERY_ERROR:
        return fail(asked, asked->query.rcode);
    case QUERY_COOKIE:
        (void)check_cookie(group, asked);
        return fail(asked, asked->cookie == COOKIE_NONE ? RCODE_FORMERR : RCODE_NOERROR);
    case QUERY_NOTIFY:
        return hand_up(asked, ANSWER_NOTIFY, zones);
    case QUERY_UPDATE:
        return hand_up(asked, ANSWER_UPDATE, zones);
    case QUERY_ASK:
        break;
    }
    if (UNLIKELY((asked->query.wants & QUERY_WANTS_COOKIE) != 0) && !check_cookie(group, asked)) {
        return fail(asked, RCODE_BADCOOKIE);
    }
    return plan_question(asked, zones);
}

static bool is_ds_below_root(const struct query *query)
{
    return query->qtype == TYPE_DS && query->qname_size != 1;
}

static void find_zones(struct group *group, struct answer_query *queries, size_t count)
{
    struct zone_find_item items[GROUP];
    uint8_t which[GROUP];
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct query *query = &queries[i].query;
        struct name_hashes *hashes = &group->hashes[i];
        if (group->plans[i] == PLAN_ZONE && queries[i].zone == NULL) {
            items[asked_count] = (struct zone_find_item){
                .hashes = hashes,
                .labels = (uint8_t)(hashes->labels - is_ds_below_root(query)),
            };
            which[asked_count++] = (uint8_t)i;
        }
    }
    zone_set_find_batch(group->zones, CLASS_IN, items, asked_count);
    for (size_t n = 0; n < asked_count; n++) {
        struct answer_query *asked = &queries[which[n]];
        asked->zone = items[n].result;
        if (asked->zone == NULL && is_ds_below_root(&asked->query)) {
            asked->zone = zone_set_get(group->zones, asked->query.qname, CLASS_IN);
        }
    }
}

/* The version to answer from, or NULL with rcode and reason set. */
static struct zone_version *choose_version(const struct answer_options *options,
                                           struct answer_query *asked, struct extended_error *error)
{
    struct zone *zone = asked->zone;
    if (zone == NULL) {
        fail(asked, RCODE_REFUSED);
        explain(error, EDE_NOT_AUTHORITATIVE, "not authoritative for this name");
        return NULL;
    }
    if (options->allow_query != NULL &&
        !options->allow_query(options->allow_context, zone, asked)) {
        fail(asked, RCODE_REFUSED);
        explain(error, EDE_PROHIBITED, "queries for this zone are not allowed from here");
        return NULL;
    }
    uint8_t state = atomic_load_explicit(&zone->state, memory_order_acquire);
    struct zone_version *version = atomic_load_explicit(&zone->current, memory_order_acquire);
    if (state == ZONE_SERVING && version != NULL) {
        return version;
    }
    fail(asked, RCODE_SERVFAIL);
    if (state == ZONE_EXPIRED) {
        explain(error, EDE_INVALID_DATA, "the zone has expired on this secondary");
    } else {
        explain(error, EDE_NOT_READY, "the zone is not loaded yet");
    }
    return NULL;
}

static void choose_versions(struct group *group, struct answer_query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        group->errors[i].set = false;
        group->items[i].version = NULL;
        if (group->plans[i] == PLAN_ZONE) {
            group->items[i].version =
                choose_version(group->options, &queries[i], &group->errors[i]);
            group->items[i].hashes = &group->hashes[i];
            if (group->items[i].version == NULL) {
                group->plans[i] = PLAN_RCODE;
            }
        }
    }
}

/*
 * DS at the apex of a zone of ours, below a delegation of the zone above that is not its own: that
 * zone knows nothing about it, the child at least that it has none.
 */
static void prefer_child_for_ds(struct group *group, struct answer_query *asked, size_t i)
{
    struct zone_lookup_item *item = &group->items[i];
    if (item->result.cut == NULL || item->result.cut == item->result.match) {
        return;
    }
    struct zone *child = zone_set_get(group->zones, asked->query.qname, asked->query.qclass);
    if (child == NULL) {
        return;
    }
    asked->zone = child;
    item->version = choose_version(group->options, asked, &group->errors[i]);
    if (item->version == NULL) {
        group->plans[i] = PLAN_RCODE;
    } else {
        zone_version_lookup(item->version, asked->query.qname, &item->result);
    }
}

static ALWAYS_INLINE size_t size_limit(const struct answer_options *options,
                                       const struct answer_query *asked)
{
    size_t limit = TCP_SIZE;
    if (LIKELY(asked->transport == ANSWER_UDP)) {
        uint16_t ours = edns_udp_size(options);
        limit = UDP_SIZE_CLASSIC;
        if (asked->query.edns.present) {
            limit = asked->query.edns.udp_size < ours ? asked->query.edns.udp_size : ours;
            if (options->cookies != NULL && asked->cookie < COOKIE_GOOD &&
                options->cookies->nocookie_udp_size != 0 &&
                options->cookies->nocookie_udp_size < limit) {
                limit = options->cookies->nocookie_udp_size;
            }
        }
        if (limit < UDP_SIZE_CLASSIC) {
            limit = UDP_SIZE_CLASSIC;
        }
    }
    return (limit < asked->out_size ? limit : asked->out_size) - asked->reserve;
}

static NOINLINE void assemble_at_length(struct group *group, struct answer_query *asked, size_t i,
                                        size_t limit)
{
    struct answering a;
    const struct query *query = &asked->query;
    a.options = group->options;
    a.zones = group->zones;
    a.now_s = group->now_s;
    a.asked = asked;
    a.query = query;
    a.zone = asked->zone;
    a.version = group->items[i].version;
    a.apex = NULL;
    a.rcode = asked->rcode;
    a.authoritative = false;
    a.truncated = false;
    a.dnssec = query->edns.dnssec_ok;
    a.memo = &group->memo;
    a.denial = DENIAL_UNKNOWN;
    a.error = group->errors[i];
    a.answered = NULL;
    a.proof_count = 0;
    a.target_count = 0;

    response_begin(&a.response, asked->out, limit - opt_size(&a), query);
    response_know_question(&a.response);
    switch (group->plans[i]) {
    case PLAN_DONE:
    case PLAN_RCODE:
        break;
    case PLAN_CHAOS:
        chaos_answer(&a);
        break;
    case PLAN_ZONE:
        a.apex = zone_version_apex(a.version);
        zone_answer(&a, &group->items[i].result);
        break;
    }
    write_opt(&a, limit);
    asked->rcode = a.rcode;
    asked->truncated = a.truncated;
    /* Opcode, RD and CD as they came (RFC 4035 3.1.6); RA and AD are never set here. */
    uint16_t flags =
        (uint16_t)((query->flags & (0x7800 | FLAG_RD | FLAG_CD)) | FLAG_QR |
                   (a.authoritative ? FLAG_AA : 0) | (a.truncated ? FLAG_TC : 0) | (a.rcode & 15));
    asked->response_size = response_finish(&a.response, query->id, flags);
}

static ALWAYS_INLINE void assemble(struct group *group, struct answer_query *asked, size_t i)
{
    size_t limit = size_limit(group->options, asked);
    asked->disposition = ANSWER_SEND;
    asked->by_wildcard = group->plans[i] == PLAN_ZONE && group->items[i].result.wildcard != NULL;
    const struct zone_lookup_item *item = &group->items[i];
    if (LIKELY(group->plans[i] == PLAN_ZONE) &&
        (LIKELY(direct_answer(group->options, item->version, &item->result, asked, limit)) ||
         quick_answer(group->options, item->version, &item->result, &group->memo, asked, limit))) {
        return;
    }
    assemble_at_length(group, asked, i, limit);
}

static void answer_group(struct group *group, struct answer_query *queries, size_t count)
{
    uint64_t key = zone_hash_key();
    for (size_t i = 0; i < count; i++) {
        group->plans[i] = plan(group, &queries[i], key, &group->hashes[i]);
    }
    find_zones(group, queries, count);
    choose_versions(group, queries, count);
    zone_version_lookup_batch(group->items, count);
    for (size_t i = 0; i < count; i++) {
        if (group->plans[i] == PLAN_ZONE && queries[i].query.qtype == TYPE_DS) {
            prefer_child_for_ds(group, &queries[i], i);
        }
        if (group->plans[i] != PLAN_DONE) {
            assemble(group, &queries[i], i);
        }
    }
}

void answer_batch(const struct answer_options *options, const struct zone_set *zones, int64_t now_s,
                  struct answer_query *queries, size_t count)
{
    struct group group;
    group.options = options;
    group.zones = zones;
    group.now_s = now_s;
    group.memo.version = NULL;
    while (count != 0) {
        size_t here = count < GROUP ? count : GROUP;
        answer_group(&group, queries, here);
        queries += here;
        count -= here;
    }
}

void answer_cut(const struct answer_options *options, int64_t now_s, struct answer_query *query)
{
    struct group group;
    group.options = options;
    group.zones = NULL;
    group.now_s = now_s;
    group.memo.version = NULL;
    group.plans[0] = PLAN_RCODE;
    group.errors[0].set = false;
    group.items[0].version = NULL;
    query->disposition = ANSWER_SEND;
    query->by_wildcard = false;
    assemble_at_length(&group, query, 0, size_limit(options, query));
    put_u16(query->out + 2, (uint16_t)(get_u16(query->out + 2) | FLAG_TC));
    query->truncated = true;
}
