/* SPDX-License-Identifier: BSD-3-Clause */
/* Who signed a request (TSIG, RFC 8945), and the signature on what answers it. */
#ifndef REQUEST_SIGNATURE_H
#define REQUEST_SIGNATURE_H

#include "request/request.h"
#include "wire/tsig.h"

/* "/key NAME" behind a client's address in a log line, as BIND has it. */
enum { SIGNER_TEXT_SIZE = 5 + NAME_TEXT_SIZE };

/*
 * Before anything else is done with a request that the answer room handed up. True: it is not
 * signed (out->key is NULL), or signed well: then query->key and query->reserve are set, and what
 * is sent goes through signature_add first. False: refused and logged; the reply, signed where it
 * may be, is in query->out.
 * out  borrows a key of the scope's settings; who keeps it longer takes a reference of the key.
 */
bool signature_verify(const struct request_scope *scope, struct answer_query *query,
                      const struct request_origin *origin, struct tsig *out);

/* Fills the response in query->out up to query->padding and signs it; neither where there is none of
 * it. */
void signature_add(const struct request_scope *scope, struct answer_query *query,
                   struct tsig *tsig);

/* "/key NAME", or "" for NULL. Returns out. */
const char *signer_format(const uint8_t *key, char out[SIGNER_TEXT_SIZE]);

#endif
