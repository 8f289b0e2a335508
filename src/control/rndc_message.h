/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message of the protocol that BIND's rndc speaks, as octets: taken apart, its signature
 * checked, made. No sockets, no clock.
 */
#ifndef CONTROL_RNDC_MESSAGE_H
#define CONTROL_RNDC_MESSAGE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "wire/hmac.h"

enum {
    RNDC_REQUEST_MAX = 32768,         /* octets behind the length, as named bounds them */
    RNDC_REPLY_TEXT_MAX = 900 * 1024, /* rndc takes a mebibyte in all */
};

/* Borrowed from the octets; data NULL where it is not there. Numbers are decimal text. */
struct rndc_message {
    enum hmac_algorithm algorithm;
    uint8_t mac[HMAC_MAX_SIZE];
    struct slice signed_part;
    struct slice serial, time, expiry, nonce, is_reply, from, to; /* _ctrl */
    struct slice command;                                         /* _data: type */
};

/* `octets` without the length before them. ERR_FORMAT says what does not fit. */
MUST_CHECK enum result rndc_message_read(struct slice octets, struct rndc_message *out,
                                         struct error *err);
/* Was it signed with this key? */
bool rndc_message_is_signed(const struct rndc_message *message, const struct hmac_key *key);
/* A number of the message. False: it is not there or none. */
bool rndc_number(struct slice text, uint64_t *out);

struct rndc_reply {
    uint32_t nonce;
    int64_t now_s;
    unsigned result;            /* 0: done */
    const char *text, *failure; /* or NULL */
};

/* The whole answer to `request`, its length before it, signed; added to `out`. */
void rndc_reply_write(const struct rndc_reply *reply, const struct rndc_message *request,
                      const struct hmac_key *key, struct text *out);

#endif
