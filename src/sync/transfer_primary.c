/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The servers that are asked, and which of their connections takes the next request.
 *
 * Plain TCP: a connection carries one request until its first reply has shown that the primary
 * answers on it, then many; two connections at most, so that a large transfer is not in the way of
 * all others.
 *
 * TLS: one connection to a primary, for transfers and questions alike: who speaks XoT takes several
 * requests at once (RFC 9103 6.3), and a handshake costs more than all of them. When a reload brings
 * other certificates to trust, requests go over a new connection from then on; the old one ends with
 * its last transfer, or when it has been idle for its time.
 */
#include "base/hash.h"
#include "base/memory.h"
#include "sync/transfer_in_impl.h"
#include "wire/message.h"

enum {
    CONNECTIONS_PER_PRIMARY = 2, /* BIND's transfers-per-ns */
    IN_FLIGHT = 64,              /* on a connection that has proved itself */
    QUESTIONS_IN_FLIGHT = 512,   /* on one over TLS */
};

static bool is_same_tls(const struct tls_context *a, const struct tls_context *b)
{
    return a == b ||
           (a != NULL && b != NULL && strcmp(tls_context_name(a), tls_context_name(b)) == 0);
}

/* Connections that no request may use any more and none uses. */
static void close_retired(struct primary *primary)
{
    struct connection *next;
    for (struct connection *one = primary->connections; one != NULL; one = next) {
        next = one->next;
        if (one->tls != primary->tls && one->in_flight == 0 && one->question_count == 0) {
            stream_close(one->stream);
            transfer_connection_free(one);
        }
    }
}

struct primary *transfer_find_primary(struct transfer_thread *thread, const struct address *peer,
                                      const struct address *source, struct tls_context *tls)
{
    char text[ADDRESS_TEXT_SIZE];
    address_format(peer, true, text);
    uint64_t hash = hash_bytes(11, text, strlen(text));
    struct primary **bucket = &thread->primaries[hash % PRIMARY_BUCKETS];
    for (struct primary *one = *bucket; one != NULL; one = one->next) {
        if (address_equal(&one->peer, peer) && address_equal(&one->source, source) &&
            is_same_tls(one->tls, tls)) {
            if (one->tls != tls) {
                tls_context_ref(tls);
                tls_context_unref(one->tls);
                one->tls = tls;
                close_retired(one);
            }
            return one;
        }
    }
    struct primary *primary = memory_new_zeroed(1, sizeof(*primary));
    primary->thread = thread;
    primary->peer = *peer;
    primary->source = *source;
    primary->tls = tls_context_ref(tls);
    primary->waiting_last = &primary->waiting;
    primary->questions_last = &primary->questions;
    primary->next = *bucket;
    *bucket = primary;
    return primary;
}

static bool has_room(const struct connection *connection, bool for_question)
{
    if (connection->tls == NULL) {
        return connection->in_flight < (connection->proved ? IN_FLIGHT : 1);
    }
    /* One that was made under what a reload has replaced takes no more. */
    return connection->tls == connection->primary->tls &&
           (for_question ? connection->question_count < QUESTIONS_IN_FLIGHT
                         : connection->in_flight < IN_FLIGHT);
}

struct connection *transfer_find_connection(struct primary *primary, bool for_question,
                                            struct error *err)
{
    unsigned found = 0;
    struct connection *best = NULL;
    for (struct connection *one = primary->connections; one != NULL; one = one->next) {
        found += one->tls == primary->tls;
        if (has_room(one, for_question) && (best == NULL || one->in_flight < best->in_flight)) {
            best = one;
        }
    }
    if (best != NULL || found >= (primary->tls != NULL ? 1 : CONNECTIONS_PER_PRIMARY)) {
        return best;
    }
    return transfer_connect(primary, err);
}

size_t transfer_dress_request(const struct connection *connection, uint8_t *buffer, size_t size,
                              size_t limit, const struct tsig_key *key, bool tcp_keepalive,
                              uint16_t padding)
{
    size_t behind = tsig_key_record_size(key);
    if (connection->tls != NULL || tcp_keepalive) {
        size =
            message_add_option(buffer, size, limit - behind, EDNS_TCP_KEEPALIVE, slice_of(NULL, 0));
    }
    return connection->tls == NULL ? size : message_pad(buffer, size, limit, behind, padding);
}
