/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has used which TSIG key, for what, since when: what a rollover needs to know before the old
 * key is taken away. Since the start of the server. Any thread, no locks.
 */
#ifndef ACCOUNTS_KEY_USAGE_H
#define ACCOUNTS_KEY_USAGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/address.h"
#include "wire/name.h"

struct key_usage;

enum key_purpose {
    KEY_FOR_QUERY,        /* peers of ours asked with it ... */
    KEY_FOR_TRANSFER_OUT, /* ... AXFR, IXFR */
    KEY_FOR_NOTIFY_IN,
    KEY_FOR_UPDATE,
    KEY_FOR_REFRESH, /* we asked with it, and were answered with it ... */
    KEY_FOR_TRANSFER_IN,
    KEY_FOR_NOTIFY_OUT,
    KEY_PURPOSES
};
const char *key_purpose_word(enum key_purpose purpose); /* "transfer-out" … */

/* Room for `count` triples of key, address and purpose; what comes then is only counted. */
struct key_usage *key_usage_new(unsigned count);
void key_usage_free(struct key_usage *usage); /* NULL is fine */

/* name: of the key, in wire form. A NULL usage or name is fine: nothing is noted. */
void key_usage_note(struct key_usage *usage, const uint8_t *name, const struct address *peer,
                    enum key_purpose purpose, int64_t now_s);

struct key_use {
    struct name key;     /* lower case */
    struct address peer; /* without port */
    enum key_purpose purpose;
    int64_t first_s, last_s;
    uint64_t count;
};
/* Calls back for each, in no order. */
void key_usage_each(struct key_usage *usage,
                    void (*visit)(void *context, const struct key_use *use), void *context);
/* Uses that found no room. */
uint64_t key_usage_overflow(const struct key_usage *usage);

#endif
