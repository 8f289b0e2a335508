/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Versions, measured from the inside: a TLD-like zone of N delegations (2 to 4 NS out of 3000 name
 * servers, 20 % with glue, 30 % with DS) is built from a record stream in memory, looked up in,
 * changed and compared. CPU time of this process; each figure is the best and the median of its
 * repeats.
 *
 *     bench_version [delegations] [repeats]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/memory.h"
#include "wire/name.h"
#include "zone/builder.h"
#include "zone/delta.h"
#include "zone/version.h"
#include "zone/version_pool.h"
#include "zone/zone_set.h"

enum { PROVIDERS = 3000, MAX_REPEATS = 64, BATCH = 32 };

struct stream {
    uint8_t *bytes; /* owner, type u16, ttl u32, rdlength u16, rdata; and so on */
    size_t size;
    size_t capacity;
    size_t records;
    uint32_t *names; /* offsets of the delegations' owners */
    size_t name_count;
};

struct figures {
    double values[MAX_REPEATS];
    unsigned count;
};

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) * below >> 31);
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void figure(struct figures *figures, double value)
{
    if (figures->count < MAX_REPEATS) {
        figures->values[figures->count++] = value;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_figure(const char *what, const char *unit, struct figures *figures)
{
    qsort(figures->values, figures->count, sizeof(figures->values[0]), compare_doubles);
    printf("%-44s %10.2f %10.2f  %s\n", what, figures->values[0],
           figures->values[figures->count / 2], unit);
    figures->count = 0;
}

static void stream_put(struct stream *stream, const uint8_t *owner, uint16_t type, uint32_t ttl,
                       const uint8_t *rdata, size_t size)
{
    size_t owner_size = name_size(owner);
    if (stream->size + owner_size + 8 + size > stream->capacity) {
        stream->capacity = stream->capacity * 2 + (1 << 20);
        stream->bytes = memory_resize(stream->bytes, stream->capacity);
    }
    uint8_t *p = stream->bytes + stream->size;
    memcpy(p, owner, owner_size);
    p += owner_size;
    memcpy(p, &type, 2);
    memcpy(p + 2, &ttl, 4);
    uint16_t size16 = (uint16_t)size;
    memcpy(p + 6, &size16, 2);
    memcpy(p + 8, rdata, size);
    stream->size += owner_size + 8 + size;
    stream->records++;
}

static size_t stream_get(const struct stream *stream, size_t at, struct record *out)
{
    const uint8_t *p = stream->bytes + at;
    uint16_t size;
    out->owner = p;
    p += name_size(p);
    memcpy(&out->type, p, 2);
    memcpy(&out->ttl, p + 2, 4);
    memcpy(&size, p + 6, 2);
    out->class = CLASS_IN;
    out->rdata = slice_of(p + 8, size);
    return (size_t)(p + 8 + size - stream->bytes);
}

static struct name name_of(const char *text)
{
    struct name name;
    if (name_parse_str(text, &name, NULL) != OK) {
        exit(1);
    }
    return name;
}

struct delegation {
    uint64_t head;
    char label[24];
};

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct delegation *)a)->label, ((const struct delegation *)b)->label);
}

/* Labels of 6 to 20 letters, digits and hyphens, ascending. */
static struct delegation *make_labels(size_t count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char *const words[] = {"shop", "my",  "the",  "online",
                                        "best", "web", "news", "home"};
    struct delegation *labels = memory_new_zeroed(count, sizeof(*labels));
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        if (random_below(2) == 0) {
            size = (size_t)snprintf(labels[i].label, 10, "%s", words[random_below(8)]);
        }
        size_t end = size + 4 + random_below(9);
        while (size < end) {
            labels[i].label[size++] = letters[random_below(36)];
        }
        /* No two are the same. */
        size_t number = i;
        for (unsigned j = 0; j < 3; j++) {
            labels[i].label[size++] = letters[number % 36];
            number /= 36;
        }
    }
    qsort(labels, count, sizeof(*labels), compare_labels);
    return labels;
}

static void soa_rdata(uint8_t out[64], uint32_t serial, size_t *size)
{
    struct name mname = name_of("a.nic.tld.");
    memcpy(out, mname.wire, mname.size);
    memcpy(out + mname.size, "\4host\3nic\3tld", 14);
    *size = mname.size + 14u;
    put_u32(out + *size, serial);
    for (unsigned i = 1; i < 5; i++) {
        put_u32(out + *size + (size_t)4 * i, 3600);
    }
    *size += 20;
}

static struct stream make_stream(size_t count)
{
    struct stream stream = {0};
    struct name apex = name_of("tld.");
    uint8_t rdata[300];
    size_t size;
    char text[300];
    stream.names = memory_new(count * sizeof(*stream.names));
    soa_rdata(rdata, 1, &size);
    stream_put(&stream, apex.wire, TYPE_SOA, 3600, rdata, size);
    struct name ns = name_of("a.nic.tld.");
    stream_put(&stream, apex.wire, TYPE_NS, 86400, ns.wire, ns.size);
    struct delegation *labels = make_labels(count);
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(labels[i].label, before) == 0) {
            continue;
        }
        before = labels[i].label;
        snprintf(text, sizeof(text), "%s.tld.", labels[i].label);
        struct name owner = name_of(text);
        stream.names[stream.name_count++] = (uint32_t)stream.size;
        unsigned servers = 2 + random_below(3);
        bool in_bailiwick = random_below(5) == 0;
        unsigned provider = random_below(PROVIDERS);
        for (unsigned j = 0; j < servers; j++) {
            if (in_bailiwick) {
                snprintf(text, sizeof(text), "ns%u.%s.tld.", j + 1, labels[i].label);
            } else {
                snprintf(text, sizeof(text), "ns%u.provider%u.net.", j + 1, provider);
            }
            ns = name_of(text);
            stream_put(&stream, owner.wire, TYPE_NS, 86400, ns.wire, ns.size);
        }
        if (random_below(10) < 3) {
            for (unsigned j = 0; j < 36; j++) {
                rdata[j] = (uint8_t)random_below(256);
            }
            stream_put(&stream, owner.wire, TYPE_DS, 86400, rdata, 36);
        }
        for (unsigned j = 0; in_bailiwick && j < servers; j++) {
            snprintf(text, sizeof(text), "ns%u.%s.tld.", j + 1, labels[i].label);
            ns = name_of(text);
            put_u32(rdata, random_below(1u << 31));
            stream_put(&stream, ns.wire, TYPE_A, 86400, rdata, 4);
        }
    }
    memory_free(labels);
    return stream;
}

static struct zone_version *build(const struct stream *stream, struct zone_version *base,
                                  struct delta **out_delta)
{
    struct name apex = name_of("tld.");
    struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
    struct error err = {0};
    struct zone_version *version = NULL;
    if (base != NULL) {
        builder_set_base(builder, base);
    }
    for (size_t at = 0; at < stream->size;) {
        struct record record;
        at = stream_get(stream, at, &record);
        if (builder_add(builder, &record, NULL, 0, &err) != OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
    }
    if (builder_finish(builder, base, &version, out_delta, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    builder_free(builder);
    return version;
}

/* A change of `count` delegations: an NS record is replaced at each. */
static struct delta *make_delta(const struct stream *stream, size_t count, uint32_t from)
{
    struct name apex = name_of("tld.");
    struct delta *delta = delta_new(apex.wire, CLASS_IN);
    struct error err = {0};
    uint8_t rdata[64];
    size_t size;
    soa_rdata(rdata, from, &size);
    struct record soa = {apex.wire, TYPE_SOA, CLASS_IN, 3600, slice_of(rdata, size)};
    bool failed = delta_remove(delta, &soa, &err) != OK;
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++) {
            struct record record;
            stream_get(stream, stream->names[stream->name_count / count * i], &record);
            if (side == 0) {
                failed |= delta_remove(delta, &record, &err) != OK;
            } else {
                struct name ns = name_of("ns1.replaced.example.");
                record.rdata = slice_of(ns.wire, ns.size);
                failed |= delta_add(delta, &record, &err) != OK;
            }
        }
        if (side == 0) {
            soa_rdata(rdata, from + 1, &size);
            failed |= delta_add(delta, &soa, &err) != OK;
        }
    }
    if (failed || delta_seal(delta, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return delta;
}

static void bench_lookup(const struct stream *stream, const struct zone_version *version,
                         unsigned repeats)
{
    enum { QUESTIONS = 1 << 18 };
    uint8_t(*names)[64] = memory_new_zeroed(QUESTIONS, sizeof(*names));
    static const char *const what[] = {"the delegation itself", "a name below one", "no such name"};
    for (unsigned kind = 0; kind < 3; kind++) {
        struct figures batch = {.count = 0};
        struct figures single = {.count = 0};
        struct figures seek = {.count = 0};
        uint64_t found = 0;
        for (size_t i = 0; i < QUESTIONS; i++) {
            const uint8_t *owner =
                stream->bytes + stream->names[random_below((uint32_t)stream->name_count)];
            uint8_t *to = names[i];
            if (kind == 1) {
                memcpy(to, "\3www", 4);
                to += 4;
            }
            memcpy(to, owner, name_size(owner));
            if (kind == 2) {
                to[1] = '_';
            }
        }
        for (unsigned repeat = 0; repeat < repeats; repeat++) {
            double start = cpu_s();
            for (size_t i = 0; i < QUESTIONS; i += BATCH) {
                struct zone_lookup_item items[BATCH];
                static struct name_hashes hashes[BATCH];
                for (size_t j = 0; j < BATCH; j++) {
                    items[j].version = version;
                    items[j].hashes = &hashes[j];
                    name_hashes_begin(zone_hash_key(), names[i + j], &hashes[j]);
                }
                zone_version_lookup_batch(items, BATCH);
                for (size_t j = 0; j < BATCH; j++) {
                    found += items[j].result.cut != NULL ? items[j].result.cut->name_size : 0;
                }
            }
            figure(&batch, (cpu_s() - start) * 1e9 / QUESTIONS);
            start = cpu_s();
            for (size_t i = 0; i < QUESTIONS; i++) {
                struct zone_lookup lookup;
                zone_version_lookup(version, names[i], &lookup);
                found += lookup.cut != NULL ? lookup.cut->name_size : 0;
            }
            figure(&single, (cpu_s() - start) * 1e9 / QUESTIONS);
            start = cpu_s();
            for (size_t i = 0; i < QUESTIONS; i++) {
                struct zone_cursor cursor;
                zone_cursor_seek(&cursor, version, names[i]);
                found += cursor.owner != NULL ? cursor.owner->name_size : 0;
            }
            figure(&seek, (cpu_s() - start) * 1e9 / QUESTIONS);
        }
        char text[80];
        snprintf(text, sizeof(text), "lookup, 32 at a time: %s", what[kind]);
        print_figure(text, "ns", &batch);
        snprintf(text, sizeof(text), "lookup, one at a time: %s", what[kind]);
        print_figure(text, found == 1 ? "ns " : "ns", &single);
        print_figure("    by the ordered index instead", "ns", &seek);
    }
    memory_free(names);
}

static struct zone_version *apply(struct zone_version *version, const struct delta *delta)
{
    struct zone_version *next = NULL;
    struct error err = {0};
    if (delta_apply(version, delta, NULL, &next, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return next;
}

static double us_since(double start)
{
    return (cpu_s() - start) * 1e6;
}

/* Forth and back, each time letting the older version go. Gives the version it ends with. */
static struct zone_version *bench_apply(const struct stream *stream, struct zone_version *version,
                                        unsigned repeats)
{
    static const size_t counts[] = {1, 1000, 100000};
    for (size_t i = 0; i < 3 && counts[i] <= stream->name_count; i++) {
        struct figures applied = {.count = 0};
        struct figures freed = {.count = 0};
        struct figures diffed = {.count = 0};
        struct figures sealed = {.count = 0};
        char text[80];
        for (unsigned repeat = 0; repeat < repeats * (i == 0 ? 8 : 1); repeat++) {
            double start = cpu_s();
            struct delta *delta = make_delta(stream, counts[i], 1);
            figure(&sealed, us_since(start));
            for (unsigned side = 0; side < 2; side++) {
                start = cpu_s();
                struct zone_version *next = apply(version, delta);
                figure(&applied, us_since(start));
                start = cpu_s();
                struct delta *back = delta_diff(next, version);
                figure(&diffed, us_since(start));
                if (delta_count(back) != delta_count(delta)) {
                    fprintf(stderr, "the difference has %zu changes, not %zu\n", delta_count(back),
                            delta_count(delta));
                    exit(1);
                }
                delta_free(delta);
                delta = back;
                start = cpu_s();
                zone_version_unref(version);
                figure(&freed, us_since(start));
                version = next;
            }
            delta_free(delta);
        }
        snprintf(text, sizeof(text), "%zu replaced records: gather and seal", counts[i]);
        print_figure(text, "us", &sealed);
        print_figure("    apply", "us", &applied);
        print_figure("    diff", "us", &diffed);
        print_figure("    free the version before", "us", &freed);
    }
    struct delta *delta = make_delta(stream, 10, 1);
    struct zone_version *next = apply(version, delta);
    struct figures diffed = {.count = 0};
    for (unsigned repeat = 0; repeat < repeats; repeat++) {
        double start = cpu_s();
        struct delta *diff = delta_diff(version, next);
        figure(&diffed, us_since(start));
        delta_free(diff);
    }
    print_figure("diff of versions that differ in 10 records", "us", &diffed);
    delta_free(delta);
    zone_version_unref(next);
    return version;
}

static size_t peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* Many zones of ten records: apex with SOA and 2 NS, seven names with an address each. */
static void bench_small_zones(size_t count)
{
    static const char *const hosts[] = {"www", "mail", "ftp", "ns1", "ns2", "api", "shop"};
    struct zone_version **versions = memory_new(count * sizeof(struct zone_version *));
    uint8_t rdata[64];
    size_t size;
    soa_rdata(rdata, 1, &size);
    uint64_t used = pool_used_bytes(version_pool());
    uint64_t bytes = 0;
    double spent = 0;
    for (size_t i = 0; i < count; i++) {
        char text[80];
        snprintf(text, sizeof(text), "zone%zu.example.", i);
        struct name apex = name_of(text);
        struct name owners[7];
        for (unsigned j = 0; j < 7; j++) {
            snprintf(text, sizeof(text), "%s.zone%zu.example.", hosts[j], i);
            owners[j] = name_of(text);
        }
        struct error err = {0};
        struct record record = {apex.wire, TYPE_SOA, CLASS_IN, 60, slice_of(rdata, size)};
        double start = cpu_s();
        struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
        bool failed = builder_add(builder, &record, NULL, 0, &err) != OK;
        for (unsigned j = 3; j < 5; j++) {
            record.type = TYPE_NS;
            record.rdata = slice_of(owners[j].wire, owners[j].size);
            failed |= builder_add(builder, &record, NULL, 0, &err) != OK;
        }
        for (unsigned j = 0; j < 7; j++) {
            record.owner = owners[j].wire;
            record.type = TYPE_A;
            record.rdata = slice_of("\300\0\2\1", 4);
            failed |= builder_add(builder, &record, NULL, 0, &err) != OK;
        }
        if (failed || builder_finish(builder, NULL, &versions[i], NULL, &err) != OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        builder_free(builder);
        spent += cpu_s() - start;
        bytes += zone_version_bytes(versions[i]);
    }
    used = pool_used_bytes(version_pool()) - used;
    printf("%-44s %10.2f us a zone\n", "zones of 10 records: build", spent * 1e6 / (double)count);
    printf("%-44s %10.2f octets a zone (%.2f counted)\n", "    memory",
           (double)used / (double)count, (double)bytes / (double)count);
    double start = cpu_s();
    for (size_t i = 0; i < count; i++) {
        zone_version_unref(versions[i]);
    }
    printf("%-44s %10.2f us a zone\n", "    free", us_since(start) / (double)count);
    memory_free(versions);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    unsigned repeats = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    struct figures figures = {.count = 0};
    struct figures ms = {.count = 0};
    if (count < 10 || repeats < 1) {
        fprintf(stderr, "usage: bench_version [delegations] [repeats]\n");
        return 2;
    }
    struct stream stream = make_stream(count);
    printf("%zu delegations, %zu records, %.1f octets a record in the stream\n", stream.name_count,
           stream.records, (double)stream.size / (double)stream.records);
    printf("%-44s %10s %10s\n", "", "best", "median");
    struct zone_version *version = NULL;
    size_t rss = peak_rss();
    for (unsigned i = 0; i < repeats; i++) {
        zone_version_unref(version);
        double start = cpu_s();
        version = build(&stream, NULL, NULL);
        figure(&figures, (cpu_s() - start) * 1e9 / (double)stream.records);
        figure(&ms, (cpu_s() - start) * 1e3);
        if (i == 0) {
            printf("%-44s %10.2f ms, peak memory %.1f MB more\n", "first build, fresh memory",
                   ms.values[0], (double)(peak_rss() - rss) / 1e6);
        }
    }
    print_figure("build, a record", "ns", &figures);
    print_figure("build", "ms", &ms);
    printf("%-44s %10.2f\n", "octets a record",
           (double)zone_version_bytes(version) / (double)stream.records);
    printf("%-44s %10.2f\n", "octets a record, as mapped",
           (double)pool_mapped_bytes(version_pool()) / (double)stream.records);
    bench_lookup(&stream, version, repeats);
    version = bench_apply(&stream, version, repeats);
    uint64_t mapped = pool_mapped_bytes(version_pool());
    for (unsigned i = 0; i < repeats; i++) {
        struct delta *delta = NULL;
        double start = cpu_s();
        struct zone_version *again = build(&stream, version, &delta);
        figure(&ms, (cpu_s() - start) * 1e3);
        delta_free(delta);
        zone_version_unref(again);
    }
    print_figure("build with the same zone as base", "ms", &ms);
    printf("%-44s %10.2f MB\n", "pool memory that took more",
           (double)(pool_mapped_bytes(version_pool()) - mapped) / 1e6);
    double start = cpu_s();
    zone_version_unref(version);
    printf("%-44s %10.2f ms\n", "free the last version", (cpu_s() - start) * 1e3);
    bench_small_zones(count / 10);
    memory_free(stream.bytes);
    memory_free(stream.names);
    return 0;
}
