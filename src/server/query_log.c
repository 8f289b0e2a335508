/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of questions (`querylog`, `lockstep querylog`, `rndc querylog`).
 *
 * A line of text takes longer to make than an answer, and its way goes through a lock and to a disk.
 * So the answering thread writes a record of the question into a ring that only it fills and only
 * the log's thread empties: some hundred octets copied, one store to publish them, no system call,
 * not even to wake anybody. The log's thread looks at the rings every REST_MS while the log is on,
 * makes the lines, in the order of their times, and hands them to logging. It leaves half of logging's queue to everybody else,
 * so that a flood of questions drives out no other line; then rings fill, and what finds no room is
 * counted and told as a number.
 *
 * A ring is RING_BYTES of memory and two counters of octets that only grow; their difference is
 * what is used. A record is a struct and, behind it, the name asked for, the name of the key and
 * the client subnet option; sizes are multiples of RECORD_ALIGN, and a record that would pass the
 * end of the memory begins at its start, behind a gap.
 *
 * The line is BIND's:
 *   client @0xC A#P[/key K] (QNAME): query: QNAME CLASS TYPE FLAGS (LOCAL)[ [ECS N/S/S]]
 * where @0xC tells which thread's record it was and which place of its batch, and FLAGS are + or -
 * for RD, S signed, E(n) EDNS, T over TCP or TLS, D DO, C CD, V a valid or K another cookie.
 */
#include "server/query_log.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "hub/server.h"
#include "wire/message.h"
#include "wire/name.h"
#include "wire/rrtype.h"

enum {
    RING_BYTES = 1 << 20,
    RECORD_ALIGN = 8,
    REST_MS = 10,
    TELL_LOST_MS = 1000,
    END_MS = 1000,
    OPTION_CLIENT_SUBNET = 8, /* RFC 7871 6 */
    SUBNET_MAX = 4 + 16,
    NO_CLIENT = -1, /* of a gap */
};

struct noted {
    uint32_t size; /* whole */
    int32_t client;
    int64_t at_ns; /* monotonic; lines of all threads come in this order */
    struct address peer, local;
    uint16_t qtype, qclass;
    uint16_t flags; /* of the header */
    bool has_edns, dnssec_ok, is_stream;
    uint8_t edns_version;
    uint8_t cookie; /* enum cookie_state */
    uint8_t qname_size, key_size, subnet_size;
    uint8_t octets[]; /* those three */
};

struct ring {
    ALIGNED(64) _Atomic uint64_t written; /* the writer's */
    _Atomic uint64_t lost;
    ALIGNED(64) _Atomic uint64_t read; /* the log's thread's, and what follows */
    uint64_t seen;
    uint8_t *memory;
};

struct query_log {
    struct logging *logging;
    _Atomic bool on;
    pthread_mutex_t lock; /* switching and sleeping; docs/decisions/locks.md */
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stopping; /* under the lock */
    uint64_t told_lost;     /* of the thread */
    struct instant told_at;
    unsigned ring_count;
    struct ring rings[];
};

/* ---- the answering thread ---- */

static size_t name_octets(const uint8_t *name)
{
    size_t size = 1;
    while (*name != 0) {
        size += *name + 1u;
        name += *name + 1u;
    }
    return size;
}

/* Room for `size` octets in one piece, or NULL. *at is where the ring has been written to then. */
static struct noted *claim(struct ring *ring, size_t size, uint64_t *at)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    size_t place = written % RING_BYTES;
    size_t gap = place + size > RING_BYTES ? RING_BYTES - place : 0;
    if (RING_BYTES - (written - read) < gap + size) {
        return NULL;
    }
    if (gap != 0) {
        struct noted *skipped = (void *)(ring->memory + place);
        skipped->size = (uint32_t)gap;
        skipped->client = NO_CLIENT;
        place = 0;
    }
    *at = written + gap + size;
    return (void *)(ring->memory + place);
}

static void add(struct ring *ring, int32_t client, int64_t at_ns, const struct answer_query *query)
{
    struct slice subnet = slice_of(NULL, 0);
    size_t key_size = query->key == NULL ? 0 : name_octets(query->key);
    if (query->query.edns.present &&
        (!edns_find_option(&query->query.edns, OPTION_CLIENT_SUBNET, &subnet) ||
         subnet.size > SUBNET_MAX)) {
        subnet.size = 0;
    }
    size_t size = sizeof(struct noted) + query->query.qname_size + key_size + subnet.size;
    size = (size + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    uint64_t at;
    struct noted *noted = claim(ring, size, &at);
    if (noted == NULL) {
        atomic_store_explicit(&ring->lost,
                              atomic_load_explicit(&ring->lost, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return;
    }
    *noted = (struct noted){
        .size = (uint32_t)size,
        .client = client,
        .at_ns = at_ns,
        .peer = *query->peer,
        .local = *query->local,
        .qtype = query->query.qtype,
        .qclass = query->query.qclass,
        .flags = query->query.flags,
        .has_edns = query->query.edns.present,
        .edns_version = query->query.edns.version,
        .dnssec_ok = query->query.edns.dnssec_ok,
        .is_stream = query->transport != ANSWER_UDP,
        .cookie = query->cookie,
        .qname_size = query->query.qname_size,
        .key_size = (uint8_t)key_size,
        .subnet_size = (uint8_t)subnet.size,
    };
    memcpy(noted->octets, query->query.qname, noted->qname_size);
    if (key_size != 0) {
        memcpy(noted->octets + noted->qname_size, query->key, key_size);
    }
    if (subnet.size != 0) {
        memcpy(noted->octets + noted->qname_size + key_size, subnet.data, subnet.size);
    }
    atomic_store_explicit(&ring->written, at, memory_order_release);
}

void query_log_add(struct query_log *log, unsigned writer, const struct answer_query *queries,
                   size_t count)
{
    if (!atomic_load_explicit(&log->on, memory_order_acquire)) {
        return;
    }
    int64_t at_ns = clock_now().ns;
    for (size_t i = 0; i < count; i++) {
        const struct answer_query *query = &queries[i];
        bool is_refused = query->query.tsig_offset != 0 && query->key == NULL;
        if (query->query.kind == QUERY_ASK && !is_refused) {
            add(&log->rings[writer], (int32_t)(writer << 8 | i), at_ns, query);
        }
    }
}

/* ---- lines ---- */

static void add_subnet(struct text *out, const uint8_t *option, size_t size)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address network = {0};
    if (size < 4 || option[0] != 0 || (option[1] != 1 && option[1] != 2) ||
        size - 4 > (option[1] == 1 ? 4u : 16u)) {
        return; /* ill-formed: FORMERR was the answer */
    }
    network.family = option[1] == 1 ? 4 : 6;
    memcpy(network.bytes, option + 4, size - 4);
    text_printf(out, " [ECS %s/%u/%u]", address_format(&network, false, text), option[2],
                option[3]);
}

static void emit(struct logging *logging, const struct noted *noted)
{
    char peer[ADDRESS_TEXT_SIZE], local[ADDRESS_TEXT_SIZE], qname[NAME_TEXT_SIZE];
    char key[NAME_TEXT_SIZE], type[16], class[16], flags[32], edns[8] = "";
    struct text phrase;
    name_format_log(noted->octets, qname);
    rrtype_format(noted->qtype, type);
    rrclass_format(noted->qclass, class);
    if (noted->has_edns) {
        snprintf(edns, sizeof(edns), "E(%u)", noted->edns_version);
    }
    snprintf(flags, sizeof(flags), "%s%s%s%s%s%s%s", (noted->flags & FLAG_RD) != 0 ? "+" : "-",
             noted->key_size != 0 ? "S" : "", edns, noted->is_stream ? "T" : "",
             noted->dnssec_ok ? "D" : "", (noted->flags & FLAG_CD) != 0 ? "C" : "",
             noted->cookie == COOKIE_NONE     ? ""
             : noted->cookie == COOKIE_CLIENT ? "K"
                                              : "V");
    text_init(&phrase, 0);
    text_printf(&phrase, "client @0x%x %s", (unsigned)noted->client,
                address_format(&noted->peer, true, peer));
    if (noted->key_size != 0) {
        text_printf(&phrase, "/key %s", name_format_log(noted->octets + noted->qname_size, key));
    }
    text_printf(&phrase, " (%s): query: %s %s %s %s (%s)", qname, qname, class, type, flags,
                address_format(&noted->local, false, local));
    add_subnet(&phrase, noted->octets + noted->qname_size + noted->key_size, noted->subnet_size);
    const struct log_key keys[] = {LOG_KEY("client", peer), LOG_KEY("qname", qname),
                                   LOG_KEY("class", class), LOG_KEY("type", type),
                                   LOG_KEY("flags", flags), LOG_KEY("local", local),
                                   LOG_KEY("key", key)};
    logging_emit(logging, &(struct log_event){
                              .level = LOG_INFO,
                              .category = LOG_QUERIES,
                              .name = "query",
                              .phrase = text_str(&phrase),
                              .keys = keys,
                              .key_count = ARRAY_SIZE(keys) - (noted->key_size == 0 ? 1 : 0),
                              .phrase_says_all = true,
                          });
    text_deinit(&phrase);
}

/* ---- the log's thread ---- */

/* The oldest record of a ring, up to where it was `written` to; NULL: none is left. */
static const struct noted *oldest(struct ring *ring, uint64_t written)
{
    for (;;) {
        uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
        if (read == written) {
            return NULL;
        }
        const struct noted *noted = (const void *)(ring->memory + read % RING_BYTES);
        if (noted->client != NO_CLIENT) {
            return noted;
        }
        atomic_store_explicit(&ring->read, read + noted->size, memory_order_release);
    }
}

/* What the rings hold now, oldest first, as long as logging has room. False: there is more. */
static bool drain_all(struct query_log *log)
{
    for (unsigned i = 0; i < log->ring_count; i++) {
        struct ring *ring = &log->rings[i];
        ring->seen = atomic_load_explicit(&ring->written, memory_order_acquire);
    }
    for (;;) {
        const struct noted *first = NULL;
        struct ring *of = NULL;
        for (unsigned i = 0; i < log->ring_count; i++) {
            const struct noted *noted = oldest(&log->rings[i], log->rings[i].seen);
            if (noted != NULL && (first == NULL || noted->at_ns < first->at_ns)) {
                first = noted;
                of = &log->rings[i];
            }
        }
        if (first == NULL) {
            return true;
        }
        if (!logging_has_room(log->logging)) {
            return false;
        }
        emit(log->logging, first);
        atomic_store_explicit(&of->read,
                              atomic_load_explicit(&of->read, memory_order_relaxed) + first->size,
                              memory_order_release);
    }
}

uint64_t query_log_lost(struct query_log *log)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < log->ring_count; i++) {
        lost += atomic_load_explicit(&log->rings[i].lost, memory_order_relaxed);
    }
    return lost;
}

static void tell_lost(struct query_log *log, struct instant now)
{
    uint64_t lost = query_log_lost(log);
    if (lost == log->told_lost || instant_before(now, instant_add_ms(log->told_at, TELL_LOST_MS))) {
        return;
    }
    char phrase[120];
    snprintf(phrase, sizeof(phrase),
             "%llu queries were not logged: they came faster than lines can be written",
             (unsigned long long)(lost - log->told_lost));
    LOG_EVENT(log->logging, LOG_WARNING, LOG_QUERIES, "queries_not_logged", phrase,
              LOG_NUM("since_start", lost));
    log->told_lost = lost;
    log->told_at = now;
}

static void rest(struct query_log *log)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += REST_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&log->wake, &log->lock, &until);
}

static void *log_main(void *context)
{
    struct query_log *log = context;
    struct instant end = INSTANT_NEVER;
    server_thread_begin("query-log");
    pthread_mutex_lock(&log->lock);
    for (;;) {
        bool was_on = atomic_load_explicit(&log->on, memory_order_acquire);
        bool was_stopping = log->stopping;
        pthread_mutex_unlock(&log->lock);
        struct instant now = clock_now();
        bool is_empty = drain_all(log);
        tell_lost(log, now);
        if (was_stopping) {
            end = instant_min(end, instant_add_ms(now, END_MS));
        }
        pthread_mutex_lock(&log->lock);
        if (was_stopping && (is_empty || instant_before(end, now))) {
            break;
        }
        if (is_empty && !was_on) {
            while (!log->stopping && !atomic_load_explicit(&log->on, memory_order_relaxed)) {
                pthread_cond_wait(&log->wake, &log->lock);
            }
        } else {
            rest(log);
        }
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- life ---- */

struct query_log *query_log_new(struct logging *logging, unsigned writers)
{
    size_t size = sizeof(struct query_log) + writers * sizeof(struct ring);
    struct query_log *log = memory_new_aligned(_Alignof(struct query_log), size);
    memset(log, 0, size);
    log->logging = logging;
    log->ring_count = writers;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    return log;
}

bool query_log_is_on(const struct query_log *log)
{
    return atomic_load_explicit(&log->on, memory_order_relaxed);
}

/* With the lock held. */
static enum result begin(struct query_log *log, struct error *err)
{
    for (unsigned i = 0; i < log->ring_count; i++) {
        if (log->rings[i].memory == NULL) {
            log->rings[i].memory = memory_new(RING_BYTES);
        }
    }
    if (pthread_create(&log->thread, NULL, log_main, log) != 0) {
        return error_set_os(err, ERR_IO, "cannot start the thread that logs queries");
    }
    log->running = true;
    return OK;
}

enum result query_log_switch(struct query_log *log, bool on, struct error *err)
{
    pthread_mutex_lock(&log->lock);
    enum result result = on && !log->running ? begin(log, err) : OK;
    if (result == OK) {
        atomic_store_explicit(&log->on, on, memory_order_release);
        pthread_cond_signal(&log->wake);
    }
    pthread_mutex_unlock(&log->lock);
    return result;
}

void query_log_free(struct query_log *log)
{
    if (log == NULL) {
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->wake);
    bool running = log->running;
    pthread_mutex_unlock(&log->lock);
    if (running) {
        pthread_join(log->thread, NULL);
    }
    for (unsigned i = 0; i < log->ring_count; i++) {
        memory_free(log->rings[i].memory);
    }
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->wake);
    memory_free(log);
}

void query_log_turn(struct server *server, bool on, const char *asked_by)
{
    struct error err = {0};
    if (query_log_switch(server->query_log, on, &err) != OK) {
        LOG_EVENT(server->logging, LOG_ERROR, LOG_GENERAL, "query_log_failed", err.text,
                  LOG_KEY("action", "queries are not logged"));
        return;
    }
    LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "query_log",
              on ? "query logging is now on" : "query logging is now off",
              LOG_KEY("asked_by", asked_by));
}
