/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer room alone: one zone in memory, batches of 32 queries from bytes to bytes, no socket.
 * Prints nanoseconds an answer for each kind of answer that the questions lead to.
 *
 *     bench_answer ORIGIN ZONEFILE QUESTIONS [KIND] [ANSWERS]
 *
 * Zone and questions as bench/gen_zone writes them; a line of questions may end in "edns" or "do".
 * KIND is referral, positive, nodata or nxdomain (all of them where none is named), ANSWERS how
 * many to make of each (2,000,000). Instructions, which no other load disturbs:
 *
 *     valgrind --tool=callgrind --toggle-collect=measure bench_answer … referral 320000
 *
 * and the total divided by ANSWERS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer/answer.h"
#include "base/memory.h"
#include "wire/rrtype.h"
#include "zone/builder.h"
#include "zone/master.h"

enum { BATCH = 32, POOL = 8192, OUT_SIZE = 4096, QUERY_SIZE = 300 };
enum kind { REFERRAL, POSITIVE, NODATA, NXDOMAIN, KINDS };

static const char *const kind_names[KINDS] = {"referral", "positive", "nodata", "nxdomain"};

struct asked {
    uint16_t size;
    uint8_t bytes[QUERY_SIZE];
};

struct pool {
    size_t count;
    struct asked asked[POOL];
};

static NORETURN void die(const char *what, const struct error *err)
{
    char text[1024];
    fprintf(stderr, "bench_answer: %s %s\n", what,
            err == NULL ? "" : error_format(err, text, sizeof(text)));
    exit(1);
}

static enum result add(void *context, const struct record *record, const char *file, uint32_t line,
                       struct error *err)
{
    return builder_add(context, record, file, line, err);
}

static struct zone_set *load(const char *origin, const char *path)
{
    struct name name;
    struct error err = {0};
    struct zone_version *version = NULL;
    if (name_parse_str(origin, &name, &err) != OK) {
        die("origin", &err);
    }
    struct master_options options = {.origin = name.wire, .class = CLASS_IN};
    struct builder *builder = builder_new(name.wire, CLASS_IN, NULL, NULL, NULL);
    if (master_parse_file(path, NULL, &options, add, builder, NULL, NULL, &err) != OK ||
        builder_finish(builder, NULL, &version, NULL, &err) != OK) {
        die("zone", &err);
    }
    builder_free(builder);
    struct zone_set *set = zone_set_new();
    struct zone *zone = zone_new(name.wire, CLASS_IN, 0);
    zone_publish(zone, version);
    zone_set_insert(set, zone);
    zone_unref(zone);
    return set;
}

static bool read_question(FILE *in, struct asked *out)
{
    static const uint8_t header[12] = {0x12, 0x34, 1, 0, 0, 1};
    static const uint8_t opt[11] = {0, 0, 41, 0x04, 0xd0};
    char line[600], text[300], type[16], edns[16];
    struct name name;
    struct error err = {0};
    for (;;) {
        if (fgets(line, sizeof(line), in) == NULL) {
            return false;
        }
        edns[0] = '\0';
        if (sscanf(line, "%299s %15s %15s", text, type, edns) < 2) {
            continue;
        }
        uint16_t number;
        if (name_parse_str(text, &name, &err) != OK || !rrtype_parse(type, strlen(type), &number)) {
            die("question", NULL);
        }
        uint8_t *p = out->bytes;
        memcpy(p, header, sizeof(header));
        memcpy(p + 12, name.wire, name.size);
        p += 12 + name.size;
        put_u16(p, number);
        put_u16(p + 2, CLASS_IN);
        p += 4;
        if (edns[0] != '\0') {
            memcpy(p, opt, sizeof(opt));
            p[7] = strcmp(edns, "do") == 0 ? 0x80 : 0;
            p += sizeof(opt);
            out->bytes[11] = 1;
        }
        out->size = (uint16_t)(p - out->bytes);
        return true;
    }
}

static enum kind kind_of(const struct answer_query *query)
{
    if (query->rcode == RCODE_NXDOMAIN) {
        return NXDOMAIN;
    }
    return (query->out[2] & 4) == 0 ? REFERRAL : get_u16(query->out + 6) != 0 ? POSITIVE : NODATA;
}

static void set_query(struct answer_query *query, const struct asked *asked, uint8_t *out)
{
    query->message = slice_of(asked->bytes, asked->size);
    query->peer = NULL;
    query->key = NULL;
    query->transport = ANSWER_UDP;
    query->reserve = 0;
    query->out = out;
    query->out_size = OUT_SIZE;
}

static struct pool *classify(const struct zone_set *zones, const char *path)
{
    static const struct answer_options options = {0};
    static uint8_t out[OUT_SIZE];
    struct pool *pools = memory_new_zeroed(KINDS, sizeof(*pools));
    struct asked asked;
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        die(path, NULL);
    }
    while (read_question(in, &asked)) {
        struct answer_query query;
        set_query(&query, &asked, out);
        answer_batch(&options, zones, 0, &query, 1);
        struct pool *pool = &pools[kind_of(&query)];
        if (pool->count < POOL) {
            pool->asked[pool->count++] = asked;
        }
    }
    fclose(in);
    return pools;
}

/* Kept whole so that a profiler can tell it from loading. */
__attribute__((noinline)) static uint64_t measure(const struct zone_set *zones,
                                                  const struct pool *pool, size_t batches)
{
    static const struct answer_options options = {0};
    static struct answer_query queries[BATCH];
    static uint8_t out[BATCH][OUT_SIZE] ALIGNED(64);
    uint64_t bytes = 0;
    size_t next = 0;
    for (; batches > 0; batches--) {
        for (unsigned i = 0; i < BATCH; i++) {
            set_query(&queries[i], &pool->asked[next], out[i]);
            next = next + 1 == pool->count ? 0 : next + 1;
        }
        answer_batch(&options, zones, 0, queries, BATCH);
        for (unsigned i = 0; i < BATCH; i++) {
            bytes += queries[i].response_size;
        }
    }
    return bytes;
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_answer ORIGIN ZONEFILE QUESTIONS [KIND] [ANSWERS]\n");
        return 2;
    }
    struct zone_set *zones = load(argv[1], argv[2]);
    struct pool *pools = classify(zones, argv[3]);
    size_t batches = (argc > 5 ? strtoul(argv[5], NULL, 10) : 2000000) / BATCH;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (pools[kind].count == 0 ||
            (argc > 4 && strcmp(argv[4], "all") != 0 && strcmp(argv[4], kind_names[kind]) != 0)) {
            continue;
        }
        double begin = cpu_s();
        uint64_t bytes = measure(zones, &pools[kind], batches);
        double answers = (double)batches * BATCH;
        printf("%-9s %8.1f ns  %6.1f octets\n", kind_names[kind], (cpu_s() - begin) * 1e9 / answers,
               (double)bytes / answers);
    }
    memory_free(pools);
    zone_set_unref(zones);
    return 0;
}
