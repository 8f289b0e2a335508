/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TSIG (RFC 8945): messages signed with a shared secret, in both directions. A struct tsig is one
 * exchange: a request and the message or messages that answer it. It knows no clock and no table of
 * keys: both are handed in.
 *
 *   client: tsig_sign_request, then tsig_verify_response for each message, tsig_verify_end
 *   server: tsig_verify_request, then tsig_sign_response for each message, or tsig_sign_refusal
 */
#ifndef WIRE_TSIG_H
#define WIRE_TSIG_H

#include "base/error.h"
#include "wire/hmac.h"
#include "wire/name.h"

enum {
    TSIG_FUDGE_S = 300,
    TSIG_UNSIGNED_MAX = 99, /* messages of a response between two signed ones */
};

/* A name, an algorithm and a secret. Shared by counted references; read-only, any thread. */
struct tsig_key;

/*
 * name         copied, in lower case; the case of key names does not count.
 * secret       copied into a form that is wiped with the last reference.
 * digest_bits  MACs are cut to so many bits, and shorter ones not taken; 0: whole MACs only. A
 *              multiple of 8 that RFC 8945 5.2.2.1 allows (REQUIREd).
 */
struct tsig_key *tsig_key_new(const uint8_t *name, enum hmac_algorithm algorithm,
                              struct slice secret, unsigned digest_bits);
/* NULL is fine for both. */
struct tsig_key *tsig_key_ref(struct tsig_key *key);
void tsig_key_unref(struct tsig_key *key);
const uint8_t *tsig_key_name(const struct tsig_key *key); /* as long as the key */
enum hmac_algorithm tsig_key_algorithm(const struct tsig_key *key);
unsigned tsig_key_digest_bits(const struct tsig_key *key); /* 0: whole MACs only */
/* Octets to keep free for a TSIG record of this key, whatever it says. 0 for NULL. */
size_t tsig_key_room(const struct tsig_key *key);
/* Octets of the TSIG record that signs a message well with it. 0 for NULL. */
size_t tsig_key_record_size(const struct tsig_key *key);

/* "hmac-sha256" */
const char *hmac_algorithm_name(enum hmac_algorithm algorithm);

/* One exchange. Borrows its key; holds nothing else. */
struct tsig {
    struct tsig_key *key; /* NULL: not signed */
    struct hmac running;  /* client: over what came since the last signature */
    uint64_t time_s;      /* of the request */
    uint64_t messages;    /* client: of the response, so far */
    uint16_t fudge_s;
    uint16_t unsigned_count; /* client: messages since the last signature */
    bool continued;          /* a message of the response was signed already */
    uint8_t mac_size;
    uint8_t mac[HMAC_MAX_SIZE]; /* of the last signature, as it went over the wire */
};

/* ---- client ---- */

/*
 * Appends the record to a request of `size` octets; `message` has room for `limit`. The header's ID
 * must be the one that is sent. Returns the new size, 0 where it does not fit (tsig_key_room is
 * enough).
 */
MUST_CHECK size_t tsig_sign_request(struct tsig *tsig, struct tsig_key *key, uint8_t *message,
                                    size_t size, size_t limit, int64_t now_s);

/*
 * Each message of the response, in the order they came. Messages without a signature are only
 * accepted between signed ones; what such messages say is proved by the next signature, so nothing
 * may be made final before tsig_verify_end.
 * ERR_FORMAT    the message or its TSIG record is malformed
 * ERR_BAD_AUTH  not signed, or wrongly; says which of name, algorithm, secret and clock differs
 */
MUST_CHECK enum result tsig_verify_response(struct tsig *tsig, struct slice message, int64_t now_s,
                                            struct error *err);
/* The response is complete. ERR_BAD_AUTH: its last message was not signed. */
MUST_CHECK enum result tsig_verify_end(const struct tsig *tsig, struct error *err);

/* ---- server ---- */

enum tsig_status {
    TSIG_GOOD,
    TSIG_MALFORMED,       /* FORMERR, not signed */
    TSIG_UNKNOWN_KEY,     /* NOTAUTH with BADKEY, not signed */
    TSIG_OTHER_ALGORITHM, /* the same */
    TSIG_BAD_SIGNATURE,   /* NOTAUTH with BADSIG, not signed */
    TSIG_BAD_TIME,        /* NOTAUTH with BADTIME, signed, with our time in it */
    TSIG_SHORT_MAC,       /* NOTAUTH with BADTRUNC, signed */
};

unsigned tsig_status_rcode(enum tsig_status status); /* of the header: NOERROR, FORMERR, NOTAUTH */
unsigned tsig_status_error(enum tsig_status status); /* of the TSIG record: 0, RCODE_BADKEY … */

/* What came of verifying a request. */
struct tsig_request {
    enum tsig_status status;
    struct name key_name;  /* as the request says, lower case; unless TSIG_MALFORMED */
    struct name algorithm; /* likewise */
    int64_t clock_off_s;   /* the client's clock less ours; from TSIG_BAD_TIME on, and if good */
    struct tsig tsig;      /* if good: sign the response with it; its key from TSIG_BAD_TIME on */
};

/* The key of this name, borrowed as long as the tsig_request is used, or NULL. */
typedef struct tsig_key *tsig_find_key(void *context, const uint8_t *name);

/*
 * message  a whole request.
 * offset   of its last record, which is a TSIG record (answer/query.h has checked that much).
 * out      filled in, on error as well.
 * ERR_FORMAT    TSIG_MALFORMED
 * ERR_BAD_AUTH  any other failure; `err` says which of name, algorithm, secret and clock differs
 * Costs no HMAC where the key is not known. Any thread.
 */
MUST_CHECK enum result tsig_verify_request(struct slice message, size_t offset, tsig_find_key *find,
                                           void *find_context, int64_t now_s,
                                           struct tsig_request *out, struct error *err);

/*
 * Appends the record to a message of the response to a good request: the first, then each further
 * one in order. Parameters and result as tsig_sign_request.
 */
MUST_CHECK size_t tsig_sign_response(struct tsig *tsig, uint8_t *message, size_t size, size_t limit,
                                     int64_t now_s);
/*
 * Appends to the refusal of a request that was not good what its status asks for: an unsigned
 * record, a signed one, or nothing. Octets needed are never more than tsig_refusal_room.
 */
MUST_CHECK size_t tsig_sign_refusal(struct tsig_request *request, uint8_t *message, size_t size,
                                    size_t limit, int64_t now_s);
size_t tsig_refusal_room(const struct tsig_request *request);

#endif
