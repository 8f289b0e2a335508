/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signed requests. A failure is logged with BIND's phrase and, as `reason`, which of the four
 * things differs: the name of the key, its algorithm, its secret, the clock. To the client only the
 * codes of RFC 8945 are said. Anybody can send such requests, so the lines are limited, and one
 * whose key is not known costs no HMAC.
 */
#include "request/signature.h"

#include <stdio.h>

#include "accounts/key_usage.h"
#include "hub/server.h"
#include "xfr/xfr_request.h"
#include "zones/zones.h"

static struct tsig_key *find_key(void *context, const uint8_t *name)
{
    const struct settings *settings = context;
    return key_table_find(&settings->keys, name);
}

const char *signer_format(const uint8_t *key, char out[SIGNER_TEXT_SIZE])
{
    out[0] = '\0';
    if (key != NULL) {
        memcpy(out, "/key ", 5);
        name_format_log(key, out + 5);
    }
    return out;
}

static void log_failure(const struct request_scope *scope, const struct request_origin *origin,
                        const struct tsig_request *request, const struct error *err)
{
    static const char *const codes[] = {
        [TSIG_GOOD] = "NOERROR",         [TSIG_MALFORMED] = "FORMERR",
        [TSIG_UNKNOWN_KEY] = "BADKEY",   [TSIG_OTHER_ALGORITHM] = "BADKEY",
        [TSIG_BAD_SIGNATURE] = "BADSIG", [TSIG_BAD_TIME] = "BADTIME",
        [TSIG_SHORT_MAC] = "BADTRUNC",
    };
    char from[ADDRESS_TEXT_SIZE], name[NAME_TEXT_SIZE] = "", phrase[1400];
    if (request->status != TSIG_MALFORMED) {
        name_format_log(request->key_name.wire, name);
    }
    snprintf(phrase, sizeof(phrase),
             "client %s: request has invalid signature: TSIG %s: tsig verify failure (%s)",
             address_format(&origin->peer, true, from), name, codes[request->status]);
    atomic_fetch_add_explicit(&scope->server->counters.signatures_refused, 1, memory_order_relaxed);
    LOG_EVENT_LIMITED(scope->server->logging, LOG_ERROR, LOG_SECURITY, "tsig_failed", phrase,
                      LOG_KEY("reason", err->text));
}

/* The reply with the status's rcode and the record that goes with it. */
static void refuse(const struct request_scope *scope, struct answer_query *query,
                   struct tsig_request *request)
{
    unsigned rcode = tsig_status_rcode(request->status);
    struct xfr_request echo = request_echo(query);
    query->response_size = 0;
    query->rcode = (uint16_t)rcode;
    if (query->query.has_question) {
        size_t size = xfr_refusal_write(&echo, rcode, EDE_NONE, "", query->out, query->out_size,
                                        tsig_refusal_room(request));
        if (size != 0) {
            query->response_size =
                tsig_sign_refusal(request, query->out, size, query->out_size, scope->wall_s);
        }
    }
}

static enum key_purpose purpose_of(enum answer_disposition disposition)
{
    return disposition == ANSWER_NOTIFY   ? KEY_FOR_NOTIFY_IN
           : disposition == ANSWER_UPDATE ? KEY_FOR_UPDATE
           : disposition == ANSWER_XFR    ? KEY_FOR_TRANSFER_OUT
                                          : KEY_FOR_QUERY;
}

/* An UPDATE for a secondary's zone may be signed with a key that is not known here: it is forwarded,
 * and its signature is the primary's to judge. */
static bool is_for_primary(const struct answer_query *query)
{
    const struct server_zone *zone = query->zone == NULL ? NULL : query->zone->context;
    return query->disposition == ANSWER_UPDATE && zone != NULL &&
           atomic_load_explicit(&zone->settings, memory_order_acquire)->role == ROLE_SECONDARY;
}

bool signature_verify(const struct request_scope *scope, struct answer_query *query,
                      const struct request_origin *origin, struct tsig *out)
{
    out->key = NULL;
    if (query->query.tsig_offset == 0) {
        return true;
    }
    struct tsig_request request;
    struct error err = {0};
    /* The find function gets its own context back; nothing is changed through it. */
    void *settings = (void *)(uintptr_t)scope->settings;
    if (tsig_verify_request(query->message, query->query.tsig_offset, find_key, settings,
                            scope->wall_s, &request, &err) != OK) {
        if (request.status == TSIG_UNKNOWN_KEY && is_for_primary(query)) {
            return true; /* unsigned for all that is decided here */
        }
        log_failure(scope, origin, &request, &err);
        refuse(scope, query, &request);
        return false;
    }
    *out = request.tsig;
    query->key = tsig_key_name(out->key);
    query->reserve = tsig_key_room(out->key);
    key_usage_note(scope->server->key_usage, query->key, &origin->peer,
                   purpose_of(query->disposition), scope->wall_s);
    return true;
}

void signature_add(const struct request_scope *scope, struct answer_query *query, struct tsig *tsig)
{
    if (query->padding != 0 && query->response_size != 0) {
        query->response_size = message_pad(query->out, query->response_size, query->out_size,
                                           tsig_key_record_size(tsig->key), query->padding);
    }
    if (tsig->key != NULL && query->response_size != 0) {
        query->response_size = tsig_sign_response(tsig, query->out, query->response_size,
                                                  query->out_size, scope->wall_s);
    }
}
