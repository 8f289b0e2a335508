/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "unit/xfr/zone_text.h"
#include "xfr/axfr_cache.h"
#include "xfr/axfr_in.h"
#include "xfr/axfr_out.h"
#include "zone/version_pool.h"

#define SOA "@ 3600 SOA ns hostmaster 7 3600 900 1209600 300\n"

enum { HOSTS = 6000 };

static struct zone_version *zone_of(unsigned hosts, const char *more)
{
    struct text lines;
    text_init(&lines, 0);
    text_add_str(&lines, SOA "@ 3600 NS ns\n");
    for (unsigned i = 0; i < hosts; i++) {
        text_printf(&lines, "h%u 300 A 10.0.%u.%u\nh%u 300 MX 10 h%u\n", i, i / 250, i % 250, i,
                    i * 7 % hosts);
    }
    text_add_str(&lines, more);
    struct zone_version *version = version_of("example.com", text_str(&lines));
    text_deinit(&lines);
    return version;
}

/* What a reader was given, as one number. */
struct digest {
    uint64_t value;
    unsigned pieces;
    uint64_t records;
};

static enum step take(struct axfr_reader *reader, struct digest *digest)
{
    struct error err = {0};
    struct axfr_piece *piece;
    enum step step = axfr_cache_next(reader, &piece, &err);
    assert_int_not_equal(step, STEP_FAILED);
    struct slice records = axfr_piece_records(piece);
    digest->value = hash_bytes(digest->value, records.data, records.size);
    digest->pieces++;
    digest->records += piece->record_count;
    axfr_piece_unref(piece);
    return step;
}

static struct digest take_all(struct axfr_reader *reader)
{
    struct digest digest = {0};
    while (take(reader, &digest) == STEP_MORE) {
    }
    return digest;
}

static struct digest read_all(struct axfr_cache *cache, struct zone_version *version)
{
    struct axfr_reader *reader = axfr_cache_open(cache, version);
    struct digest digest = take_all(reader);
    axfr_cache_close(reader);
    return digest;
}

static void sweep(struct axfr_cache *cache, unsigned times)
{
    static _Atomic int64_t now_ns;
    for (; times > 0; times--) {
        int64_t ns = atomic_fetch_add(&now_ns, 5000000000) + 5000000000;
        axfr_cache_sweep(cache, (struct instant){ns});
    }
}

static void readers_of_a_version_share_its_pieces(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache *cache = axfr_cache_new(NULL);
    struct axfr_reader *a = axfr_cache_open(cache, version);
    struct axfr_reader *b = axfr_cache_open(cache, version);
    struct axfr_piece *of_a;
    struct axfr_piece *of_b;
    unsigned count = 0;
    enum step step;
    do {
        struct error err = {0};
        step = axfr_cache_next(count % 2 == 0 ? a : b, count % 2 == 0 ? &of_a : &of_b, &err);
        assert_int_equal(
            axfr_cache_next(count % 2 == 0 ? b : a, count % 2 == 0 ? &of_b : &of_a, &err), step);
        assert_ptr_equal(of_a, of_b);
        axfr_piece_unref(of_a);
        axfr_piece_unref(of_b);
        count++;
    } while (step == STEP_MORE);
    assert_true(count > 10);
    struct axfr_cache_stats stats = axfr_cache_stats(cache);
    assert_int_equal(stats.rendered, count);
    assert_int_equal(stats.shared, count);
    assert_int_equal(stats.renderings, 1);
    axfr_cache_close(a);
    axfr_cache_close(b);
    /* Who comes a little later finds them still. */
    struct digest later = read_all(cache, version);
    assert_int_equal(later.records, zone_version_record_count(version) + 1);
    assert_int_equal(axfr_cache_stats(cache).rendered, count);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static struct zone_version *receive(struct axfr_out *out, uint16_t id, bool in_parts,
                                    size_t reserved)
{
    struct name zone = name_of("example.com");
    struct axfr_in *in =
        axfr_in_new(zone.wire, CLASS_IN, id, NULL, NULL, (struct instant){0}, NULL, NULL);
    enum step sent;
    enum step received;
    do {
        struct error err = {0};
        uint8_t *message = malloc(MESSAGE_MAX_SIZE);
        size_t size = 0;
        if (in_parts) {
            struct axfr_out_parts parts;
            sent = axfr_out_next_parts(out, &parts, &err);
            const struct slice all[] = {parts.head, parts.body, parts.tail};
            for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
                if (all[i].size != 0) {
                    memcpy(message + size, all[i].data, all[i].size);
                }
                size += all[i].size;
            }
            axfr_piece_unref(parts.piece);
        } else {
            sent = axfr_out_next(out, message, MESSAGE_MAX_SIZE, reserved, &size, &err);
            assert_true(size + reserved <= MESSAGE_MAX_SIZE);
        }
        assert_int_not_equal(sent, STEP_FAILED);
        message = realloc(message, size);
        received = axfr_in_receive(in, slice_of(message, size), (struct instant){0}, &err);
        if (received == STEP_FAILED) {
            fail_msg("%s", err.text);
        }
        free(message);
    } while (sent == STEP_MORE);
    assert_int_equal(received, STEP_DONE);
    uint32_t expire_s = 0;
    if (axfr_in_expire(in, &expire_s)) {
        assert_int_equal(expire_s, 777);
    }
    struct zone_version *version = NULL;
    axfr_in_take(in, &version, NULL);
    axfr_in_free(in);
    return version;
}

static void each_client_gets_its_own_header_question_and_opt(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache *cache = axfr_cache_new(NULL);
    uint8_t option[EXPIRE_OPTION_SIZE];
    struct slice options = expire_option_write(option, 777);
    for (unsigned i = 0; i < 4; i++) {
        struct xfr_request request = {.id = (uint16_t)(1000 + i), .has_edns = i % 2 == 1};
        request.question.name = name_of(i == 0 ? "eXample.COM" : "example.com");
        request.question.type = TYPE_AXFR;
        request.question.class = CLASS_IN;
        struct axfr_out *out = axfr_out_new(version, &request, options, 0);
        assert_true(axfr_out_share(out, cache));
        struct zone_version *got = receive(out, request.id, i >= 2, i * 100);
        assert_true(versions_equal(version, got));
        struct xfr_stats stats = axfr_out_stats(out);
        assert_int_equal(stats.records, zone_version_record_count(version) + 1);
        assert_int_equal(stats.messages, axfr_cache_stats(cache).rendered);
        zone_version_unref(got);
        axfr_out_free(out);
    }
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void question_stands_as_it_was_asked(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache *cache = axfr_cache_new(NULL);
    struct xfr_request request = {.id = 5, .flags = FLAG_RD};
    request.question.name = name_of("eXample.COM");
    request.question.type = TYPE_IXFR;
    request.question.class = CLASS_IN;
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 0);
    assert_true(axfr_out_share(out, cache));
    struct axfr_out_parts parts;
    struct error err = {0};
    assert_int_equal(axfr_out_next_parts(out, &parts, &err), STEP_MORE);
    assert_int_equal(parts.head.size, 12 + 13 + 4);
    assert_memory_equal(parts.head.data, "\0\5\205\0\0\1", 6);
    assert_memory_equal(parts.head.data + 12, "\7eXample\3COM\0\0\373\0\1", 17);
    assert_int_equal(parts.tail.size, 0);
    axfr_piece_unref(parts.piece);
    assert_int_equal(axfr_out_next_parts(out, &parts, &err), STEP_MORE);
    assert_int_equal(parts.head.size, 12);
    axfr_piece_unref(parts.piece);
    axfr_out_free(out);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void small_versions_are_not_shared(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(10, "");
    struct axfr_cache *cache = axfr_cache_new(NULL);
    struct xfr_request request = {.id = 5};
    request.question.name = name_of("example.com");
    request.question.type = TYPE_AXFR;
    request.question.class = CLASS_IN;
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 0);
    assert_false(axfr_out_share(out, cache));
    struct zone_version *got = receive(out, 5, false, 0);
    assert_true(versions_equal(version, got));
    zone_version_unref(got);
    assert_int_equal(axfr_cache_stats(cache).rendered, 0);
    axfr_out_free(out);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void lone_reader_leaves_no_more_than_its_trail(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache_options options = {.soft_size = 2048, .trail_bytes = 20000};
    struct axfr_cache *cache = axfr_cache_new(&options);
    struct axfr_reader *first = axfr_cache_open(cache, version);
    struct digest digest = {0};
    struct axfr_reader *second = NULL;
    enum step step;
    do {
        step = take(first, &digest);
        assert_in_range(axfr_cache_stats(cache).bytes, 1, 20000 + 2400);
        if (digest.pieces == 5) {
            /* Soon enough to find it all. */
            second = axfr_cache_open(cache, version);
            struct digest found = {0};
            for (unsigned i = 0; i < 5; i++) {
                take(second, &found);
            }
            assert_int_equal(found.value, digest.value);
            assert_int_equal(axfr_cache_stats(cache).rendered, 5);
            axfr_cache_close(second);
        }
    } while (step == STEP_MORE);
    assert_true(digest.pieces > 50);
    axfr_cache_close(first);
    /* What is left is the end of the zone, which is of no use to whoever begins. */
    assert_int_equal(axfr_cache_stats(cache).renderings, 0);
    assert_int_equal(axfr_cache_stats(cache).bytes, 0);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void slow_reader_pins_nothing_and_misses_nothing(void **state)
{
    (void)state;
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache_options options = {.soft_size = 1024, .max_bytes = 30000};
    struct axfr_cache *cache = axfr_cache_new(&options);
    struct axfr_reader *slow = axfr_cache_open(cache, version);
    struct digest of_slow = {0};
    take(slow, &of_slow);
    struct axfr_reader *fast = axfr_cache_open(cache, version);
    struct digest of_fast = {0};
    while (take(fast, &of_fast) == STEP_MORE) {
        assert_in_range(axfr_cache_stats(cache).bytes, 1, 30000);
    }
    axfr_cache_close(fast);
    sweep(cache, 3);
    assert_int_equal(axfr_cache_stats(cache).bytes, 0);
    assert_int_equal(axfr_cache_stats(cache).renderings, 1);
    while (take(slow, &of_slow) == STEP_MORE) {
        if (of_slow.pieces % 7 == 0) {
            sweep(cache, 2);
        }
    }
    axfr_cache_close(slow);
    assert_int_equal(of_slow.value, of_fast.value);
    assert_int_equal(of_slow.records, zone_version_record_count(version) + 1);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void budget_evicts_versions_that_nobody_reads(void **state)
{
    (void)state;
    struct axfr_cache_options options = {.soft_size = 4096, .max_bytes = 1000000};
    struct axfr_cache *cache = axfr_cache_new(&options);
    for (unsigned i = 0; i < 20; i++) {
        struct zone_version *version = zone_of(HOSTS, "");
        read_all(cache, version);
        zone_version_unref(version);
        assert_in_range(axfr_cache_stats(cache).bytes, 1, 1000000);
        assert_in_range(axfr_cache_stats(cache).renderings, 1, 8);
    }
    sweep(cache, 2);
    assert_int_equal(axfr_cache_stats(cache).renderings, 0);
    axfr_cache_free(cache);
}

static void version_lives_until_its_readers_and_pieces_are_gone(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    struct zone_version *version = zone_of(HOSTS, "");
    struct axfr_cache *cache = axfr_cache_new(NULL);
    struct digest whole = read_all(cache, version);
    sweep(cache, 2);
    struct axfr_reader *reader = axfr_cache_open(cache, version);
    struct digest digest = {0};
    take(reader, &digest);
    struct axfr_piece *queued;
    struct error err = {0};
    assert_int_equal(axfr_cache_next(reader, &queued, &err), STEP_MORE);
    zone_version_unref(version); /* superseded */
    struct slice records = axfr_piece_records(queued);
    digest.value = hash_bytes(digest.value, records.data, records.size);
    while (take(reader, &digest) == STEP_MORE) {
    }
    assert_int_equal(digest.value, whole.value);
    axfr_cache_close(reader);
    assert_true(pool_used_bytes(version_pool()) > before);
    sweep(cache, 2);
    assert_int_equal(pool_used_bytes(version_pool()), before);
    /* A connection still sends it. */
    assert_int_equal(queued->size, records.size);
    axfr_piece_unref(queued);
    axfr_cache_free(cache);
}

static void large_records_get_messages_of_their_own(void **state)
{
    (void)state;
    struct text more;
    text_init(&more, 0);
    for (unsigned i = 0; i < 3; i++) {
        text_printf(&more, "big%u 60 TXT", i);
        for (unsigned n = 0; n < 60; n++) {
            text_printf(&more, " \"%0*u\"", 250 + (int)i, n);
        }
        text_add_str(&more, "\n");
    }
    struct zone_version *version = zone_of(300, text_str(&more));
    text_deinit(&more);
    struct axfr_cache_options options = {.soft_size = 1000};
    struct axfr_cache *cache = axfr_cache_new(&options);
    struct digest once = read_all(cache, version);
    assert_int_equal(once.records, zone_version_record_count(version) + 1);
    sweep(cache, 2);
    assert_int_equal(read_all(cache, version).value, once.value);
    axfr_cache_free(cache);
    zone_version_unref(version);
}

static void record_that_fits_no_message_fails_every_reader(void **state)
{
    (void)state;
    struct name zone = name_of("example.com");
    struct builder *builder = builder_new(zone.wire, CLASS_IN, NULL, NULL, NULL);
    struct error err = {0};
    struct line_record *line = malloc(sizeof(*line));
    const char *p = SOA "@ 3600 NS ns\n";
    while (*p != '\0') {
        p = line_read(p, zone.wire, CLASS_IN, line);
        assert_int_equal(builder_add(builder, &line->record, NULL, 0, &err), OK);
    }
    struct name owner = name_of("huge.example.com");
    memset(line->rdata, 0, sizeof(line->rdata));
    struct record huge = {owner.wire, 65280, CLASS_IN, 60, {line->rdata, 65530}};
    assert_int_equal(builder_add(builder, &huge, NULL, 0, &err), OK);
    struct zone_version *version = NULL;
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, &err), OK);
    builder_free(builder);
    free(line);
    struct axfr_cache *cache = axfr_cache_new(NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct axfr_reader *reader = axfr_cache_open(cache, version);
        struct digest digest = {0};
        assert_int_equal(take(reader, &digest), STEP_MORE);
        struct axfr_piece *piece;
        for (unsigned n = 0; n < 2; n++) {
            struct error why = {0};
            assert_int_equal(axfr_cache_next(reader, &piece, &why), STEP_FAILED);
            assert_int_equal(why.code, ERR_LIMIT);
            assert_non_null(strstr(why.text, "huge.example.com. TYPE65280"));
        }
        axfr_cache_close(reader);
    }
    axfr_cache_free(cache);
    zone_version_unref(version);
}

/* ---- many threads ---- */

enum { THREADS = 4, VERSIONS = 3, ROUNDS = 6 };

struct crowd {
    struct axfr_cache *cache;
    struct zone_version *versions[VERSIONS];
    uint64_t values[VERSIONS];
    _Atomic unsigned wrong;
};

struct crowd_thread {
    struct crowd *crowd;
    unsigned number;
};

/* Two readers side by side, one of which stops half-way, as clients do. */
static void *crowd_main(void *context)
{
    struct crowd_thread *self = context;
    struct crowd *crowd = self->crowd;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned which = (self->number + round) % VERSIONS;
        struct axfr_reader *whole = axfr_cache_open(crowd->cache, crowd->versions[which]);
        struct axfr_reader *half = axfr_cache_open(crowd->cache, crowd->versions[which]);
        struct digest digest = {0};
        struct digest other = {0};
        struct axfr_piece *held = NULL;
        struct error err = {0};
        while (take(whole, &digest) == STEP_MORE) {
            if (other.pieces < 20) {
                take(half, &other);
            } else if (held == NULL && axfr_cache_next(half, &held, &err) == STEP_FAILED) {
                crowd->wrong++;
            }
            if (digest.pieces % 50 == self->number) {
                sweep(crowd->cache, 1);
            }
        }
        if (digest.value != crowd->values[which]) {
            crowd->wrong++;
        }
        axfr_cache_close(half);
        axfr_cache_close(whole);
        if (held != NULL) {
            axfr_piece_unref(held);
        }
    }
    return NULL;
}

static void threads_share_a_cache(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    struct axfr_cache_options options = {
        .soft_size = 1024, .max_bytes = 100000, .trail_bytes = 10000};
    struct crowd crowd = {.cache = axfr_cache_new(&options)};
    for (unsigned i = 0; i < VERSIONS; i++) {
        crowd.versions[i] = zone_of(1500 + i, "");
        crowd.values[i] = read_all(crowd.cache, crowd.versions[i]).value;
    }
    struct crowd_thread threads[THREADS];
    pthread_t ids[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct crowd_thread){&crowd, i};
        assert_int_equal(pthread_create(&ids[i], NULL, crowd_main, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(ids[i], NULL);
    }
    assert_int_equal(crowd.wrong, 0);
    for (unsigned i = 0; i < VERSIONS; i++) {
        zone_version_unref(crowd.versions[i]);
    }
    axfr_cache_free(crowd.cache);
    assert_int_equal(pool_used_bytes(version_pool()), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_of_a_version_share_its_pieces),
        cmocka_unit_test(each_client_gets_its_own_header_question_and_opt),
        cmocka_unit_test(question_stands_as_it_was_asked),
        cmocka_unit_test(small_versions_are_not_shared),
        cmocka_unit_test(lone_reader_leaves_no_more_than_its_trail),
        cmocka_unit_test(slow_reader_pins_nothing_and_misses_nothing),
        cmocka_unit_test(budget_evicts_versions_that_nobody_reads),
        cmocka_unit_test(version_lives_until_its_readers_and_pieces_are_gone),
        cmocka_unit_test(large_records_get_messages_of_their_own),
        cmocka_unit_test(record_that_fits_no_message_fails_every_reader),
        cmocka_unit_test(threads_share_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
