/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key of all name hashes. One for the process, so that a question's hash is computed once for
 * the zone table and every version, and drawn at random, so that nobody can prepare names that
 * collide. Drawn once, at first use: the one piece of process-wide state the zone room needs
 * besides its heap.
 */
#include "zone/zone_set.h"

#include <pthread.h>

#include "base/hash.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t key;

static void key_draw(void)
{
    key = random_u64();
}

uint64_t zone_hash_key(void)
{
    pthread_once(&once, key_draw);
    return key;
}
