/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The batch. Queries go through in groups of 32, each stage for all of them before the next:
 *
 *   take       parse. Whatever is no ordinary question in class IN is dealt with at once and gone
 *              from the group: dropped, handed up, an error, CHAOS
 *   find       the zone of each question, memory fetched ahead (zone_set_find_batch)
 *              The hashes of a name and its ancestors are computed once, for both stages
 *   choose     the version that it is answered from, or the refusal
 *   look up    what each question meets in its version (zone_version_lookup_batch)
 *   foresee    where DO is set, the records that deny names, memory fetched ahead (foresee.c)
 *   assemble   one response after the other
 *
 * The stages pass over those that are left, which stand close together: `places` says whose they are.
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
#include "answer/query_plain.h"

enum { GROUP = 32, UDP_SIZE_CLASSIC = 512, TCP_SIZE = 65535, TYPE_META_FIRST = 128 };

/* What to do with a question, once parsed. */
enum plan {
    PLAN_DONE,  /* nothing more */
    PLAN_RCODE, /* answer with the rcode in asked->rcode, not from a zone */
    PLAN_CHAOS,
    PLAN_ZONE, /* from the zone in class IN that the name is in */
    PLAN_FOUND_ZONE,
};

struct group {
    const struct answer_options *options;
    const struct zone_set *zones;
    int64_t now_s;
    uint64_t hash_key;
    size_t handed_up; /* dropped, or for the caller */
    struct denial_memo memo;
    /* Those that are under way. */
    struct answer_query *places[GROUP];
    struct zone_find_item finds[GROUP];
    struct zone_lookup_item items[GROUP];
    struct name_hashes hashes[GROUP];
    bool is_dnssec; /* DO is set in one of them */
    struct foreseen foreseen[GROUP];
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
        return asked->zone != NULL         ? PLAN_FOUND_ZONE
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

static enum plan plan(const struct group *group, struct answer_query *asked,
                      struct name_hashes *name)
{
    const struct zone_set *zones = group->zones;
    query_parse(asked->message, group->hash_key, name, &asked->query);
    switch (asked->query.kind) {
    case QUERY_DROP:
        asked->disposition = ANSWER_DROP;
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
    if ((asked->query.wants & QUERY_WANTS_COOKIE) != 0 && !check_cookie(group, asked)) {
        return fail(asked, RCODE_BADCOOKIE);
    }
    return plan_question(asked, zones);
}

static bool is_ds_below_root(const struct query *query)
{
    return query->qtype == TYPE_DS && query->qname_size != 1;
}

static NOINLINE struct zone_version *refuse(struct answer_query *asked,
                                            struct extended_error *error, uint16_t rcode,
                                            uint16_t code, const char *text)
{
    fail(asked, rcode);
    explain(error, code, text);
    return NULL;
}

/* The version to answer from, or NULL with rcode and reason set. */
static ALWAYS_INLINE struct zone_version *choose_version(const struct answer_options *options,
                                                         struct answer_query *asked,
                                                         struct extended_error *error)
{
    struct zone *zone = asked->zone;
    if (UNLIKELY(zone == NULL)) {
        return refuse(asked, error, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE,
                      "not authoritative for this name");
    }
    if (UNLIKELY(options->allow_query != NULL) &&
        !options->allow_query(options->allow_context, zone, asked)) {
        return refuse(asked, error, RCODE_REFUSED, EDE_PROHIBITED,
                      "queries for this zone are not allowed from here");
    }
    uint8_t state = atomic_load_explicit(&zone->state, memory_order_acquire);
    struct zone_version *version = atomic_load_explicit(&zone->current, memory_order_acquire);
    if (LIKELY(state == ZONE_SERVING && version != NULL)) {
        return version;
    }
    return state == ZONE_EXPIRED
               ? refuse(asked, error, RCODE_SERVFAIL, EDE_INVALID_DATA,
                        "the zone has expired on this secondary")
               : refuse(asked, error, RCODE_SERVFAIL, EDE_NOT_READY, "the zone is not loaded yet");
}

/* For a client that says what it takes. */
static ALWAYS_INLINE size_t edns_limit(const struct answer_options *options,
                                       const struct answer_query *asked)
{
    uint16_t ours = edns_udp_size(options);
    size_t limit = asked->query.edns.udp_size < ours ? asked->query.edns.udp_size : ours;
    if (options->cookies != NULL && asked->cookie < COOKIE_GOOD &&
        options->cookies->nocookie_udp_size != 0 && options->cookies->nocookie_udp_size < limit) {
        limit = options->cookies->nocookie_udp_size;
    }
    return limit < UDP_SIZE_CLASSIC ? UDP_SIZE_CLASSIC : limit;
}

static ALWAYS_INLINE size_t size_limit(const struct answer_options *options,
                                       const struct answer_query *asked)
{
    REQUIRE(asked->out_size >= UDP_SIZE_CLASSIC + asked->reserve);
    size_t limit = TCP_SIZE;
    if (LIKELY(asked->transport == ANSWER_UDP)) {
        if (!asked->query.edns.present) {
            return UDP_SIZE_CLASSIC - asked->reserve;
        }
        limit = edns_limit(options, asked);
    }
    return (limit < asked->out_size ? limit : asked->out_size) - asked->reserve;
}

/* item  what the question met; NULL unless decided is PLAN_ZONE
 * error  or NULL */
static NOINLINE void assemble_at_length(struct group *group, struct answer_query *asked,
                                        enum plan decided, const struct zone_lookup_item *item,
                                        const struct extended_error *error)
{
    size_t limit = size_limit(group->options, asked);
    struct answering a;
    const struct query *query = &asked->query;
    a.options = group->options;
    a.zones = group->zones;
    a.now_s = group->now_s;
    a.asked = asked;
    a.query = query;
    a.zone = asked->zone;
    a.version = item == NULL ? NULL : item->version;
    a.apex = NULL;
    a.rcode = asked->rcode;
    a.authoritative = false;
    a.truncated = false;
    a.dnssec = query->edns.dnssec_ok;
    a.memo = &group->memo;
    a.denial = DENIAL_UNKNOWN;
    a.error = error == NULL ? (struct extended_error){.set = false} : *error;
    a.answered = NULL;
    a.proof_count = 0;
    a.target_count = 0;

    response_begin(&a.response, asked->out, limit - opt_size(&a), query);
    response_know_question(&a.response);
    if (decided == PLAN_CHAOS) {
        chaos_answer(&a);
    } else if (item != NULL) {
        a.apex = zone_version_apex(a.version);
        zone_answer(&a, &item->result);
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

static ALWAYS_INLINE void assemble(struct group *group, struct answer_query *asked,
                                   const struct zone_lookup_item *item)
{
    size_t limit = size_limit(group->options, asked);
    asked->by_wildcard = item->result.wildcard != NULL;
    if (UNLIKELY(!direct_answer(group->options, item->version, &item->result, asked, limit)) &&
        !quick_answer(group->options, item->version, &item->result, &group->memo, asked, limit)) {
        assemble_at_length(group, asked, PLAN_ZONE, item, NULL);
    }
}

/*
 * DS at the apex of a zone of ours, below a delegation of the zone above that is not its own: that
 * zone knows nothing about it, the child at least that it has none. False: refused, and answered so.
 */
static NOINLINE bool prefer_child_for_ds(struct group *group, struct answer_query *asked,
                                         struct zone_lookup_item *item)
{
    struct extended_error error = {.set = false};
    if (item->result.cut == NULL || item->result.cut == item->result.match) {
        return true;
    }
    struct zone *child = zone_set_get(group->zones, asked->query.qname, asked->query.qclass);
    if (child == NULL) {
        return true;
    }
    asked->zone = child;
    asked->by_wildcard = false;
    item->version = choose_version(group->options, asked, &error);
    if (item->version == NULL) {
        assemble_at_length(group, asked, PLAN_RCODE, NULL, &error);
        return false;
    }
    zone_version_lookup(item->version, asked->query.qname, &item->result);
    return true;
}

static ALWAYS_INLINE void answer_from_zone(struct group *group, struct answer_query *asked,
                                           struct zone_lookup_item *item)
{
    if (LIKELY(asked->query.qtype != TYPE_DS) || prefer_child_for_ds(group, asked, item)) {
        assemble(group, asked, item);
    }
}

/* From a zone of another class, which is found already. */
static void answer_alone(struct group *group, struct answer_query *asked)
{
    struct zone_lookup_item item;
    struct extended_error error = {.set = false};
    item.version = choose_version(group->options, asked, &error);
    if (item.version == NULL) {
        assemble_at_length(group, asked, PLAN_RCODE, NULL, &error);
        return;
    }
    zone_version_lookup(item.version, asked->query.qname, &item.result);
    answer_from_zone(group, asked, &item);
}

/* As they are for an answer, with those that an answer leaves alone. */
static ALWAYS_INLINE void set_outputs(struct answer_query *asked)
{
    asked->disposition = ANSWER_SEND;
    asked->rcode = RCODE_NOERROR;
    asked->truncated = false;
    asked->cookie = COOKIE_NONE;
}

/* What is not plain. True: it goes with the others all the same. */
static NOINLINE bool take_other(struct group *group, struct answer_query *asked,
                                struct name_hashes *name)
{
    set_outputs(asked);
    asked->by_wildcard = false;
    asked->response_size = 0;
    asked->zone = NULL;
    enum plan decided = plan(group, asked, name);
    switch (decided) {
    case PLAN_DONE:
        group->handed_up++;
        break;
    case PLAN_RCODE:
    case PLAN_CHAOS:
        assemble_at_length(group, asked, decided, NULL, NULL);
        break;
    case PLAN_FOUND_ZONE:
        answer_alone(group, asked);
        break;
    case PLAN_ZONE:
        return true;
    }
    return false;
}

/* Types that a zone may hold, the usual ones. */
static ALWAYS_INLINE bool is_ordinary(uint16_t qtype)
{
    return LIKELY(qtype - 1u < TYPE_OPT - 1u) ||
           qtype - (TYPE_OPT + 1u) < TYPE_META_FIRST - TYPE_OPT - 1u;
}

/* True: as the n-th of those under way, with its name at `name`. */
static ALWAYS_INLINE bool take(struct group *group, struct answer_query *asked, size_t n,
                               struct name_hashes *name)
{
    if (LIKELY(query_parse_plain(asked->message, group->hash_key, name, &asked->query) &&
               asked->query.qclass == CLASS_IN && is_ordinary(asked->query.qtype))) {
        set_outputs(asked);
    } else if (!take_other(group, asked, name)) {
        return false;
    }
    group->places[n] = asked;
    group->finds[n].hashes = name;
    group->finds[n].labels = (uint8_t)(name->labels - is_ds_below_root(&asked->query));
    return true;
}

/* Returns how many are left. */
static ALWAYS_INLINE size_t choose(struct group *group, size_t count)
{
    struct answer_query **place = group->places;
    struct zone_lookup_item *item = group->items;
    for (size_t n = 0; n < count; n++) {
        struct answer_query *asked = group->places[n];
        struct extended_error error;
        error.set = false;
        asked->zone = group->finds[n].result;
        if (UNLIKELY(asked->zone == NULL) && is_ds_below_root(&asked->query)) {
            asked->zone = zone_set_get(group->zones, asked->query.qname, CLASS_IN);
        }
        struct zone_version *version = choose_version(group->options, asked, &error);
        if (UNLIKELY(version == NULL)) {
            asked->by_wildcard = false;
            assemble_at_length(group, asked, PLAN_RCODE, NULL, &error);
            continue;
        }
        __builtin_prefetch(version);
        group->is_dnssec |= asked->query.edns.dnssec_ok;
        *place++ = asked;
        item->version = version;
        item->hashes = group->finds[n].hashes;
        item++;
    }
    return (size_t)(place - group->places);
}

static ALWAYS_INLINE void answer_group(struct group *group, struct answer_query *queries,
                                       size_t count)
{
    size_t left = 0;
    struct name_hashes *name = group->hashes;
    group->memo.foreseen = NULL;
    group->is_dnssec = false;
    for (size_t i = 0; i < count; i++) {
        if (LIKELY(take(group, &queries[i], left, name))) {
            left++;
            name++;
        }
    }
    zone_set_find_batch(group->zones, CLASS_IN, group->finds, left);
    left = choose(group, left);
    zone_version_lookup_batch(group->items, left);
    if (group->is_dnssec) {
        denial_foresee(&group->memo, group->items, group->places, left, group->foreseen);
    }
    for (size_t n = 0; n < left; n++) {
        if (group->is_dnssec) {
            group->memo.foreseen = &group->foreseen[n];
        }
        answer_from_zone(group, group->places[n], &group->items[n]);
    }
}

static ALWAYS_INLINE void group_begin(struct group *group, const struct answer_options *options,
                                      const struct zone_set *zones, int64_t now_s)
{
    group->options = options;
    group->zones = zones;
    group->now_s = now_s;
    group->hash_key = zone_hash_key();
    group->handed_up = 0;
    group->memo.version = NULL;
    group->memo.foreseen = NULL;
}

size_t answer_batch(const struct answer_options *options, const struct zone_set *zones,
                    int64_t now_s, struct answer_query *queries, size_t count)
{
    struct group group;
    group_begin(&group, options, zones, now_s);
    for (size_t done = 0; done < count; done += GROUP) {
        size_t left = count - done;
        answer_group(&group, queries + done, left < GROUP ? left : GROUP);
    }
    return count - group.handed_up;
}

void answer_cut(const struct answer_options *options, int64_t now_s, struct answer_query *query)
{
    struct group group;
    group_begin(&group, options, NULL, now_s);
    query->disposition = ANSWER_SEND;
    query->by_wildcard = false;
    assemble_at_length(&group, query, PLAN_RCODE, NULL, NULL);
    put_u16(query->out + 2, (uint16_t)(get_u16(query->out + 2) | FLAG_TC));
    query->truncated = true;
}
