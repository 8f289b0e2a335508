/* SPDX-License-Identifier: BSD-3-Clause */
#include "accounts/key_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t old_key[] = "\3old";
static const uint8_t new_key[] = "\3new";

static struct address host(unsigned number, uint16_t port)
{
    struct address address = {.family = 4, .port = port};
    address.bytes[0] = 192;
    address.bytes[2] = (uint8_t)(number >> 8);
    address.bytes[3] = (uint8_t)number;
    return address;
}

struct sums {
    unsigned entries;
    uint64_t uses;
    struct key_use last;
};

static void add_up(void *context, const struct key_use *use)
{
    struct sums *sums = context;
    sums->entries++;
    sums->uses += use->count;
    sums->last = *use;
}

static struct sums sums_of(struct key_usage *usage)
{
    struct sums sums = {0};
    key_usage_each(usage, add_up, &sums);
    return sums;
}

static void key_usage_keeps_first_last_and_count(void **state)
{
    (void)state;
    struct key_usage *usage = key_usage_new(64);
    struct address one = host(1, 1000), again = host(1, 2000);
    key_usage_note(usage, old_key, &one, KEY_FOR_TRANSFER_OUT, 100);
    key_usage_note(usage, (const uint8_t *)"\3OLD", &again, KEY_FOR_TRANSFER_OUT, 200);
    struct sums sums = sums_of(usage);
    assert_int_equal(sums.entries, 1);
    assert_int_equal(sums.last.count, 2);
    assert_int_equal(sums.last.first_s, 100);
    assert_int_equal(sums.last.last_s, 200);
    assert_int_equal(sums.last.peer.port, 0);
    assert_string_equal(key_purpose_word(sums.last.purpose), "transfer-out");
    key_usage_free(usage);
}

static void key_usage_tells_keys_peers_and_purposes_apart(void **state)
{
    (void)state;
    struct key_usage *usage = key_usage_new(64);
    struct address one = host(1, 53), two = host(2, 53);
    key_usage_note(usage, old_key, &one, KEY_FOR_QUERY, 100);
    key_usage_note(usage, new_key, &one, KEY_FOR_QUERY, 100);
    key_usage_note(usage, old_key, &two, KEY_FOR_QUERY, 100);
    key_usage_note(usage, old_key, &one, KEY_FOR_UPDATE, 100);
    key_usage_note(usage, NULL, &one, KEY_FOR_UPDATE, 100);
    key_usage_note(NULL, old_key, &one, KEY_FOR_UPDATE, 100);
    assert_int_equal(sums_of(usage).entries, 4);
    assert_int_equal(sums_of(usage).uses, 4);
    key_usage_free(usage);
}

static void key_usage_is_bounded_and_counts_what_it_could_not_keep(void **state)
{
    (void)state;
    struct key_usage *usage = key_usage_new(16);
    for (unsigned i = 0; i < 1000; i++) {
        struct address peer = host(i, 53);
        key_usage_note(usage, old_key, &peer, KEY_FOR_QUERY, 100);
    }
    assert_int_equal(sums_of(usage).entries, 16);
    assert_int_equal(key_usage_overflow(usage), 1000 - 16);
    key_usage_free(usage);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *note_many(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct address peer = host(i % 20, 53);
        key_usage_note(context, old_key, &peer, KEY_FOR_QUERY, 100 + i);
    }
    return NULL;
}

static void key_usage_counts_each_use_of_many_threads(void **state)
{
    (void)state;
    struct key_usage *usage = key_usage_new(256);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, usage), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(sums_of(usage).entries, 20);
    assert_int_equal(sums_of(usage).uses, THREADS * ROUNDS);
    key_usage_free(usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_usage_keeps_first_last_and_count),
        cmocka_unit_test(key_usage_tells_keys_peers_and_purposes_apart),
        cmocka_unit_test(key_usage_is_bounded_and_counts_what_it_could_not_keep),
        cmocka_unit_test(key_usage_counts_each_use_of_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
