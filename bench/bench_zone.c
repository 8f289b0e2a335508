/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one zone costs inside the program, without sockets: load from its file, AXFR out
 * (to one client, and shared by many), AXFR in (cold, and as refresh of the same zone),
 * fingerprint. With "load" it ends after the load, for profiles of that alone.
 * usage: bench_zone ZONE FILE [load]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "xfr/axfr_cache.h"
#include "xfr/axfr_in.h"
#include "xfr/axfr_out.h"
#include "zone/check.h"
#include "zone/delta.h"
#include "zone/fingerprint.h"

enum { READERS = 20 };

struct cost {
    double wall, cpu;
};

static struct cost now(void)
{
    struct timespec ts;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    getrusage(RUSAGE_SELF, &usage);
    return (struct cost){
        (double)ts.tv_sec + (double)ts.tv_nsec / 1e9,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
}

static double resident_mb(void)
{
    long pages = 0, total;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &total, &pages) != 2) {
        pages = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void say(const char *what, struct cost begin, uint64_t records)
{
    struct cost end = now();
    printf("%-28s %8.3f s wall %8.3f s CPU %8.1f ns a record, resident %.0f MB\n", what,
           end.wall - begin.wall, end.cpu - begin.cpu,
           1e9 * (end.cpu - begin.cpu) / (double)records, resident_mb());
}

struct message {
    uint8_t *bytes;
    size_t size;
};

struct stream {
    struct message *messages;
    size_t count;
};

static struct stream render(struct zone_version *version, uint64_t *bytes)
{
    struct xfr_request request = {.id = 7, .question = {.type = TYPE_AXFR, .class = CLASS_IN}};
    name_copy(&request.question.name, zone_version_name(version));
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 0);
    struct stream stream = {0};
    static uint8_t buffer[MESSAGE_MAX_SIZE];
    enum step step;
    size_t room = 0;
    *bytes = 0;
    do {
        struct error err = {0};
        size_t size;
        step = axfr_out_next(out, buffer, sizeof(buffer), 0, &size, &err);
        if (step == STEP_FAILED) {
            fprintf(stderr, "bench_zone: %s\n", err.text);
            exit(1);
        }
        if (stream.count == room) {
            room = room == 0 ? 1024 : room * 2;
            stream.messages = memory_resize(stream.messages, room * sizeof(stream.messages[0]));
        }
        stream.messages[stream.count].bytes = memory_new(size);
        memcpy(stream.messages[stream.count].bytes, buffer, size);
        stream.messages[stream.count++].size = size;
        *bytes += size;
    } while (step == STEP_MORE);
    axfr_out_free(out);
    return stream;
}

/* What the clients of one version cost the server before the kernel sees an octet. */
static void share(struct zone_version *version)
{
    struct axfr_cache *cache = axfr_cache_new(NULL);
    struct axfr_reader *readers[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = axfr_cache_open(cache, version);
    }
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        for (unsigned i = 0; i < READERS; i++) {
            struct error err = {0};
            struct axfr_piece *piece;
            step = axfr_cache_next(readers[i], &piece, &err);
            if (step == STEP_FAILED) {
                fprintf(stderr, "bench_zone: %s\n", err.text);
                exit(1);
            }
            axfr_piece_unref(piece);
        }
    }
    for (unsigned i = 0; i < READERS; i++) {
        axfr_cache_close(readers[i]);
    }
    axfr_cache_free(cache);
}

static struct zone_version *receive(const struct stream *stream, const uint8_t *name,
                                    struct zone_version *base, struct delta **delta)
{
    struct axfr_in *in =
        axfr_in_new(name, CLASS_IN, 7, base, NULL, (struct instant){0}, NULL, NULL);
    struct error err = {0};
    enum step step = STEP_MORE;
    for (size_t i = 0; i < stream->count && step == STEP_MORE; i++) {
        step = axfr_in_receive(in, slice_of(stream->messages[i].bytes, stream->messages[i].size),
                               (struct instant){0}, &err);
    }
    struct zone_version *version = NULL;
    if (step == STEP_DONE) {
        axfr_in_take(in, &version, delta);
    } else {
        fprintf(stderr, "bench_zone: %s\n", err.text);
        exit(1);
    }
    axfr_in_free(in);
    return version;
}

int main(int argc, char **argv)
{
    if (argc != 3 && (argc != 4 || strcmp(argv[3], "load") != 0)) {
        fprintf(stderr, "usage: bench_zone ZONE FILE [load]\n");
        return 2;
    }
    struct name name;
    struct error err = {0};
    if (name_parse_str(argv[1], &name, &err) != OK) {
        fprintf(stderr, "bench_zone: %s\n", err.text);
        return 1;
    }
    struct zone_load_options options = {.path = argv[2],
                                        .name = name.wire,
                                        .class = CLASS_IN,
                                        .check = check_options_default(true)};
    struct zone_version *version;
    struct cost begin = now();
    double empty = resident_mb();
    if (zone_load_file(&options, NULL, &version, NULL, NULL, NULL, &err) != OK) {
        char text[1024];
        fprintf(stderr, "bench_zone: %s\n", error_format(&err, text, sizeof(text)));
        return 1;
    }
    uint64_t records = zone_version_record_count(version);
    say("load from file", begin, records);
    printf("%llu records, %llu owners, %.1f bytes a record resident, %.1f counted\n",
           (unsigned long long)records, (unsigned long long)zone_version_owner_count(version),
           1e6 * (resident_mb() - empty) / (double)records,
           (double)zone_version_bytes(version) / (double)records);
    if (argc == 4) {
        zone_version_unref(version);
        return 0;
    }
    uint64_t bytes;
    begin = now();
    struct stream stream = render(version, &bytes);
    say("AXFR out", begin, records);
    printf("%llu bytes in %zu messages\n", (unsigned long long)bytes, stream.count);
    begin = now();
    share(version);
    say("AXFR out, shared by 20", begin, records);
    begin = now();
    struct zone_version *copy = receive(&stream, name.wire, NULL, NULL);
    say("AXFR in, cold", begin, records);
    struct delta *delta = NULL;
    begin = now();
    struct zone_version *again = receive(&stream, name.wire, copy, &delta);
    say("AXFR in, refresh", begin, records);
    printf("refresh found %zu differences\n", delta == NULL ? 0 : delta_count(delta));
    struct fingerprint *fingerprint = memory_new_zeroed(1, sizeof(*fingerprint) + 64);
    begin = now();
    struct zone_cursor cursor;
    fingerprint_init(fingerprint);
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            fingerprint_add(fingerprint, &record);
        }
    }
    say("fingerprint", begin, records);
    begin = now();
    zone_version_unref(again);
    zone_version_unref(copy);
    say("free", begin, records);
    delta_free(delta);
    zone_version_unref(version);
    memory_free(fingerprint);
    for (size_t i = 0; i < stream.count; i++) {
        memory_free(stream.messages[i].bytes);
    }
    memory_free(stream.messages);
    return 0;
}
