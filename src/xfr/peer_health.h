/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all zones together know of a server they ask: whether it answers, which of its keys it
 * takes, which cookie it wants to see. A primary of ten thousand zones that has died is found dead once, not ten thousand times.
 * One thread.
 */
#ifndef XFR_PEER_HEALTH_H
#define XFR_PEER_HEALTH_H

#include "base/address.h"
#include "base/clock.h"
#include "base/slice.h"

struct peer_health;
struct peer_book;

struct peer_book *peer_book_new(void);
void peer_book_free(struct peer_book *book); /* NULL is fine; with all that it gave */
/* That of an address and port, made where it is not known; lives as long as the book. O(1). */
struct peer_health *peer_book_get(struct peer_book *book, const struct address *peer);

/* All accept NULL: nothing is known, nothing noted. */

/* It does not answer; others come first until this is over. */
bool peer_health_is_avoided(const struct peer_health *health, struct instant now);
/* Until when; the past: it is not. */
struct instant peer_health_avoid_until(const struct peer_health *health);
/* It is asked now. Where its time is just over, it is this one asker's risk: the others go on
 * avoiding it until he knows. */
void peer_health_asked(struct peer_health *health, struct instant now);
void peer_health_answered(struct peer_health *health);
/* One question brought no answer. Several in a row, whoever asked, and it counts as failed. */
void peer_health_silent(struct peer_health *health, struct instant now);
/* Everything that can be tried was tried: 30 seconds, doubled up to a quarter of an hour. */
void peer_health_failed(struct peer_health *health, struct instant now);

/* No connection to it came about, or it ended without a word. Nobody tries another one for half a
 * second, doubled up to eight: a zone without a copy waits longer anyhow, a hundred thousand of them
 * would try all the time. text  borrowed: the cause. */
void peer_health_no_connection(struct peer_health *health, const char *text, struct instant now);
/* Why no connection is tried now, until the next call that changes `health`; NULL: one may be. */
const char *peer_health_unreachable(const struct peer_health *health, struct instant now);
/* The operator's word: a connection may be tried now. */
void peer_health_try_again(struct peer_health *health);

/* The half of a DNS cookie (RFC 7873) that it gave us, 8 to 32 octets; size 0: none. Borrowed until
 * the next call that notes one. */
struct slice peer_health_cookie(const struct peer_health *health);
void peer_health_note_cookie(struct peer_health *health, struct slice cookie);

/* Of `count` keys for it: the one to sign with. */
unsigned peer_health_key(const struct peer_health *health, unsigned count);
/* It did not take key `which`, as peer_health_key said: the next is tried. */
void peer_health_key_refused(struct peer_health *health, unsigned which, unsigned count);

#endif
