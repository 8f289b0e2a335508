/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void pool_rounds_by_8_bytes_then_by_an_eighth(void **state)
{
    (void)state;
    for (size_t size = 1; size <= POOL_LARGEST_BYTES; size++) {
        size_t rounded = pool_rounded_size(size);
        assert_true(rounded >= size);
        assert_true(rounded - size < 8 || size < 16 ||
                    (size > 256 && (rounded - size) * 8 <= size));
        assert_true(rounded >= 16);
        assert_int_equal(rounded % 8, 0);
        assert_int_equal(pool_rounded_size(rounded), rounded);
        if (size % 64 == 0) {
            assert_int_equal(rounded % 64, 0);
        }
    }
}

static void pool_aligns(void **state)
{
    (void)state;
    struct pool *pool = pool_new();
    struct pool_cache cache;
    pool_cache_init(&cache, pool);
    static const size_t sizes[] = {1,   16,  24,   64,   100,   104,   192,
                                   320, 512, 2048, 4096, 20480, 32768, 40000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *blocks[40];
        for (size_t j = 0; j < 40; j++) {
            blocks[j] = pool_alloc(&cache, sizes[i]);
            assert_int_equal((uintptr_t)blocks[j] % (sizes[i] % 64 == 0 ? 64 : 8), 0);
            memset(blocks[j], 0xaa, sizes[i]);
        }
        for (size_t j = 0; j < 40; j++) {
            pool_release(&cache, blocks[j], sizes[i]);
        }
    }
    pool_cache_deinit(&cache);
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_free(pool);
}

struct held {
    uint8_t *block;
    size_t size;
    uint8_t mark;
};

/* Random giving and taking; each block keeps what was written into it. */
static void exercise(struct pool *pool, uint64_t seed, size_t rounds)
{
    enum { HELD = 500 };
    struct pool_cache caches[2];
    struct held held[HELD] = {{0}};
    pool_cache_init(&caches[0], pool);
    pool_cache_init(&caches[1], pool);
    for (size_t i = 0; i < rounds; i++) {
        struct held *it = &held[next_random(&seed) % HELD];
        if (it->block != NULL) {
            assert_int_equal(it->block[0], it->mark);
            assert_int_equal(it->block[it->size - 1], it->mark);
            pool_release(&caches[next_random(&seed) % 2], it->block, it->size);
            it->block = NULL;
        } else {
            unsigned shift = next_random(&seed) % 16;
            it->size = 1 + next_random(&seed) % (1u << shift);
            it->mark = (uint8_t)next_random(&seed);
            it->block = pool_alloc(&caches[next_random(&seed) % 2], it->size);
            memset(it->block, it->mark, it->size);
        }
    }
    for (size_t i = 0; i < HELD; i++) {
        pool_release(&caches[0], held[i].block, held[i].size);
    }
    pool_cache_deinit(&caches[0]);
    pool_cache_deinit(&caches[1]);
}

static void pool_blocks_do_not_overlap(void **state)
{
    (void)state;
    struct pool *pool = pool_new();
    exercise(pool, 1, 50000);
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_free(pool);
}

static void *exercise_thread(void *pool)
{
    exercise(pool, (uint64_t)(uintptr_t)pthread_self(), 20000);
    return NULL;
}

static void pool_serves_several_threads(void **state)
{
    (void)state;
    struct pool *pool = pool_new();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, exercise_thread, pool), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_free(pool);
}

static void pool_memory_of_one_size_serves_another(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20 };
    struct pool *pool = pool_new();
    struct pool_cache cache;
    void **blocks = memory_new(BYTES / 64 * sizeof(*blocks));
    uint64_t mapped = 0;
    static const size_t sizes[] = {64, 176, 1000, 4096, 64};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t count = BYTES / pool_rounded_size(sizes[i]);
        pool_cache_init(&cache, pool);
        for (size_t j = 0; j < count; j++) {
            blocks[j] = pool_alloc(&cache, sizes[i]);
        }
        for (size_t j = 0; j < count; j++) {
            pool_release(&cache, blocks[j], sizes[i]);
        }
        pool_cache_deinit(&cache);
        if (i == 0) {
            mapped = pool_mapped_bytes(pool);
        }
    }
    assert_true(pool_mapped_bytes(pool) <= mapped + (4 << 20));
    pool_trim(pool, 2 << 20);
    assert_int_equal(pool_mapped_bytes(pool), 2 << 20);
    pool_trim(pool, 0);
    assert_int_equal(pool_mapped_bytes(pool), 0);
    exercise(pool, 5, 1000);
    memory_free(blocks);
    pool_free(pool);
}

static void pool_counts_what_is_given_out(void **state)
{
    (void)state;
    struct pool *pool = pool_new();
    struct pool_cache cache;
    pool_cache_init(&cache, pool);
    void *small = pool_alloc(&cache, 100);
    void *large = pool_alloc(&cache, 100000);
    pool_cache_deinit(&cache);
    assert_int_equal(pool_used_bytes(pool), pool_rounded_size(100) + pool_rounded_size(100000));
    pool_cache_init(&cache, pool);
    pool_release(&cache, small, 100);
    pool_release(&cache, large, 100000);
    pool_release(&cache, NULL, 100000);
    pool_cache_deinit(&cache);
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_free(pool);
}

static void pool_tells_zeroed_objects_from_used_ones(void **state)
{
    (void)state;
    struct pool_cache zeroed = {0};
    pool_cache_deinit(&zeroed);
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_rounds_by_8_bytes_then_by_an_eighth),
        cmocka_unit_test(pool_aligns),
        cmocka_unit_test(pool_blocks_do_not_overlap),
        cmocka_unit_test(pool_serves_several_threads),
        cmocka_unit_test(pool_memory_of_one_size_serves_another),
        cmocka_unit_test(pool_counts_what_is_given_out),
        cmocka_unit_test(pool_tells_zeroed_objects_from_used_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
