/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *               silent x 4, failed                     time is over, one asks
 *   answering ───────────────────────────> avoided ───────────────────────────> on trial
 *       ^                                     ^                                    │   │
 *       │                                     └──────────── failed, doubled ───────┘   │
 *       └────────────────────────────── answered ──────────────────────────────────────┘
 *
 * "Avoided" puts a server last, it does not forbid to ask it: where it is the only one, or the
 * others fail too, it is asked all the same. A zone that waits for an answer of a server which has
 * become avoided meanwhile need not wait for it to the end (refresh.c).
 *
 * Four unanswered questions in a row, of whatever zones, are enough: at a restart of ten thousand
 * zones all ask within the first second, and each would find out for itself after 17 seconds.
 *
 * Apart from this, whoever could not be connected to is left alone for some seconds by all zones. That
 * does forbid: the question would be the same, and so would the answer.
 *
 * The book forgets nobody: there are as many servers in it as the configurations since the start
 * have named.
 */
#include "xfr/peer_health.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum {
    BUCKETS = 256,
    SILENT_MAX = 4,
    AVOID_FIRST_S = 30,
    AVOID_LAST_S = 900,
    UNREACHABLE_FIRST_MS = 500,
    UNREACHABLE_LAST_MS = 8000,
    CAUSE_SIZE = 160,
    COOKIE_MAX = 32,
    TRIAL_S = 20, /* all tries over UDP, and one over TCP */
};

struct peer_health {
    struct peer_health *next;
    struct address peer;
    uint32_t silent;   /* questions without an answer, in a row */
    uint32_t failures; /* in a row */
    struct instant avoid_until;
    bool on_trial; /* somebody asks it although it failed */
    unsigned key;
    uint32_t unreachable_times; /* in a row */
    struct instant unreachable_until;
    char cause[CAUSE_SIZE];
    uint8_t cookie_size;
    uint8_t cookie[COOKIE_MAX];
};

struct peer_book {
    struct peer_health *buckets[BUCKETS];
};

struct peer_book *peer_book_new(void)
{
    return memory_new_zeroed(1, sizeof(struct peer_book));
}

void peer_book_free(struct peer_book *book)
{
    for (unsigned i = 0; book != NULL && i < BUCKETS; i++) {
        while (book->buckets[i] != NULL) {
            struct peer_health *health = book->buckets[i];
            book->buckets[i] = health->next;
            memory_free(health);
        }
    }
    memory_free(book);
}

struct peer_health *peer_book_get(struct peer_book *book, const struct address *peer)
{
    char text[ADDRESS_TEXT_SIZE];
    address_format(peer, true, text);
    struct peer_health **bucket = &book->buckets[hash_bytes(13, text, strlen(text)) % BUCKETS];
    for (struct peer_health *one = *bucket; one != NULL; one = one->next) {
        if (address_equal(&one->peer, peer)) {
            return one;
        }
    }
    struct peer_health *health = memory_new_zeroed(1, sizeof(*health));
    health->peer = *peer;
    health->avoid_until = (struct instant){INT64_MIN};
    health->unreachable_until = (struct instant){INT64_MIN};
    health->next = *bucket;
    *bucket = health;
    return health;
}

bool peer_health_is_avoided(const struct peer_health *health, struct instant now)
{
    return health != NULL && instant_before(now, health->avoid_until);
}

struct instant peer_health_avoid_until(const struct peer_health *health)
{
    return health == NULL ? (struct instant){INT64_MIN} : health->avoid_until;
}

void peer_health_asked(struct peer_health *health, struct instant now)
{
    if (health != NULL && health->failures != 0 && !peer_health_is_avoided(health, now)) {
        health->avoid_until = instant_add_ms(now, (int64_t)TRIAL_S * 1000);
        health->on_trial = true;
    }
}

void peer_health_answered(struct peer_health *health)
{
    if (health != NULL) {
        health->silent = 0;
        health->failures = 0;
        health->on_trial = false;
        health->avoid_until = (struct instant){INT64_MIN};
        health->unreachable_times = 0;
        health->unreachable_until = (struct instant){INT64_MIN};
    }
}

void peer_health_silent(struct peer_health *health, struct instant now)
{
    if (health != NULL && ++health->silent >= SILENT_MAX && health->failures == 0) {
        peer_health_failed(health, now);
    }
}

/* Many zones find out the same at the same time: while it is avoided nothing is doubled. */
void peer_health_failed(struct peer_health *health, struct instant now)
{
    if (health == NULL || (peer_health_is_avoided(health, now) && !health->on_trial)) {
        return;
    }
    uint32_t shift = health->failures < 16 ? health->failures : 16;
    int64_t avoid_s = (int64_t)AVOID_FIRST_S << shift;
    health->failures++;
    health->on_trial = false;
    health->avoid_until =
        instant_add_ms(now, (avoid_s < AVOID_LAST_S ? avoid_s : AVOID_LAST_S) * 1000);
}

/* All that waited for the same connection tell the same: the first counts. */
void peer_health_no_connection(struct peer_health *health, const char *text, struct instant now)
{
    if (health == NULL || peer_health_unreachable(health, now) != NULL) {
        return;
    }
    uint32_t shift = health->unreachable_times < 16 ? health->unreachable_times : 16;
    int64_t wait_ms = (int64_t)UNREACHABLE_FIRST_MS << shift;
    health->unreachable_times++;
    health->unreachable_until =
        instant_add_ms(now, wait_ms < UNREACHABLE_LAST_MS ? wait_ms : UNREACHABLE_LAST_MS);
    snprintf(health->cause, sizeof(health->cause), "%s", text);
}

const char *peer_health_unreachable(const struct peer_health *health, struct instant now)
{
    return health != NULL && instant_before(now, health->unreachable_until) ? health->cause : NULL;
}

void peer_health_try_again(struct peer_health *health)
{
    if (health != NULL) {
        health->unreachable_until = (struct instant){INT64_MIN};
    }
}

unsigned peer_health_key(const struct peer_health *health, unsigned count)
{
    return health == NULL || count == 0 ? 0 : health->key % count;
}

void peer_health_key_refused(struct peer_health *health, unsigned which, unsigned count)
{
    if (health != NULL && count > 1 && peer_health_key(health, count) == which) {
        health->key = (which + 1) % count;
    }
}

struct slice peer_health_cookie(const struct peer_health *health)
{
    return health == NULL ? slice_of(NULL, 0) : slice_of(health->cookie, health->cookie_size);
}

void peer_health_note_cookie(struct peer_health *health, struct slice cookie)
{
    if (health != NULL && cookie.size <= COOKIE_MAX) {
        memcpy(health->cookie, cookie.data, cookie.size);
        health->cookie_size = (uint8_t)cookie.size;
    }
}
