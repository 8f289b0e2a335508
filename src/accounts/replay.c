/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table of the first 10 octets of MACs, in rows of eight: as many as any key asks for (RFC 8945
 * 5.2.2.1), so that a copy whose MAC was cut on the way is known as well. A MAC is as random as a
 * hash, so its own octets choose the row. What has run out is overwritten first, then what would run
 * out next: who floods the row of a message needs the key for it. The memory is taken with the first
 * signed message; a server without keys has none.
 *
 * It does not outlive the process: for the length of a fudge after a restart an UPDATE from before it
 * can be sent once more by who recorded it. TLS, or a prerequisite on the SOA, keeps that out.
 */
#include "accounts/replay.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "wire/record.h"

enum { ROW = 8, KEPT = 10, PENDING = 0xffff };

struct seen {
    uint8_t mac[KEPT];
    int64_t valid_s; /* 0: free */
    uint16_t rcode;
};

struct replay {
    pthread_mutex_t lock;
    unsigned row_count;
    struct seen *seen; /* NULL: nothing came yet */
};

struct replay *replay_new(unsigned count)
{
    struct replay *replay = memory_new_zeroed(1, sizeof(*replay));
    pthread_mutex_init(&replay->lock, NULL);
    replay->row_count = count < ROW ? 1 : count / ROW;
    return replay;
}

void replay_free(struct replay *replay)
{
    if (replay != NULL) {
        pthread_mutex_destroy(&replay->lock);
        memory_free(replay->seen);
        memory_free(replay);
    }
}

/* Its first octets, filled up with zeros. */
static void cut(struct slice mac, uint8_t out[KEPT])
{
    memset(out, 0, KEPT);
    memcpy(out, mac.data, mac.size < KEPT ? mac.size : KEPT);
}

/* Under the lock. NULL: not there; then *out_victim is where it may go. */
static struct seen *find(struct replay *replay, const uint8_t mac[KEPT], int64_t now_s,
                         struct seen **out_victim)
{
    struct seen *row = replay->seen + (size_t)(get_u32(mac) % replay->row_count) * ROW;
    struct seen *victim = row;
    for (unsigned i = 0; i < ROW; i++) {
        if (row[i].valid_s >= now_s && row[i].valid_s != 0 && memcmp(row[i].mac, mac, KEPT) == 0) {
            return &row[i];
        }
        victim = row[i].valid_s < victim->valid_s ? &row[i] : victim;
    }
    *out_victim = victim;
    return NULL;
}

enum replay_verdict replay_begin(struct replay *replay, struct slice mac, int64_t valid_s,
                                 int64_t now_s, unsigned *out_rcode)
{
    uint8_t key[KEPT];
    struct seen *victim;
    enum replay_verdict verdict = REPLAY_NEW;
    cut(mac, key);
    pthread_mutex_lock(&replay->lock);
    if (replay->seen == NULL) {
        replay->seen = memory_new_zeroed((size_t)replay->row_count * ROW, sizeof(struct seen));
    }
    struct seen *seen = find(replay, key, now_s, &victim);
    if (seen == NULL) {
        memcpy(victim->mac, key, KEPT);
        victim->valid_s = valid_s;
        victim->rcode = PENDING;
    } else if (seen->rcode == PENDING) {
        verdict = REPLAY_PENDING;
    } else {
        verdict = REPLAY_DONE;
        *out_rcode = seen->rcode;
    }
    pthread_mutex_unlock(&replay->lock);
    return verdict;
}

void replay_end(struct replay *replay, struct slice mac, unsigned rcode, bool acted)
{
    uint8_t key[KEPT];
    struct seen *victim;
    cut(mac, key);
    pthread_mutex_lock(&replay->lock);
    struct seen *seen = replay->seen == NULL ? NULL : find(replay, key, 0, &victim);
    if (seen != NULL && acted) {
        seen->rcode = (uint16_t)rcode;
    } else if (seen != NULL) {
        seen->valid_s = 0;
    }
    pthread_mutex_unlock(&replay->lock);
}
