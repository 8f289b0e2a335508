/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Versions share one pool for the whole process: a hundred thousand small zones would otherwise
 * have a hundred thousand half-filled chunks, and memory that one zone's refresh left behind could
 * not serve the next zone. Like the hash key (hash_key.c) it is process-wide because every
 * zone would have to be handed the same one; it holds no state that one zone could see of another.
 */
#include "zone/version_pool.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct pool *pool;

static void pool_make(void)
{
    pool = pool_new();
}

struct pool *version_pool(void)
{
    pthread_once(&once, pool_make);
    return pool;
}
