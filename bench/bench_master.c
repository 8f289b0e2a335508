/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast zone files are read: text to records, a callback that does nothing, no storage.
 *
 *   bench_master [FILE ORIGIN]
 *
 * Without a file it writes a TLD-like one of 1,000,000 delegations to a temporary file (2-4 name
 * servers each, a DS for three in ten, glue for one in five). Prints each repeat and the median, in
 * CPU seconds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "wire/name.h"
#include "zone/master.h"

enum { REPEATS = 7, DELEGATIONS = 1000000 };

static uint64_t state = 88172645463325252u;

static unsigned draw(unsigned bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 32) * bound >> 32);
}

static void write_delegation(FILE *file, unsigned k)
{
    char label[32];
    int size = 4 + (int)draw(6);
    for (int i = 0; i < size; i++) {
        label[i] = (char)('a' + draw(26));
    }
    snprintf(label + size, sizeof(label) - (size_t)size, "%x", k);
    unsigned servers = 2 + draw(3);
    bool has_glue = draw(5) == 0;
    unsigned provider = draw(3000);
    for (unsigned i = 1; i <= servers; i++) {
        if (has_glue) {
            fprintf(file, "%s\tIN\tNS\tns%u.%s\n", label, i, label);
        } else {
            fprintf(file, "%s\tIN\tNS\tns%u.provider%u.example.\n", label, i, provider);
        }
    }
    if (draw(10) < 3) {
        fprintf(file, "%s\tIN\tDS\t%u 13 2 ", label, draw(65536));
        for (int i = 0; i < 8; i++) {
            fprintf(file, "%08X", draw(UINT32_MAX));
        }
        fputc('\n', file);
    }
    for (unsigned i = 1; has_glue && i <= servers; i++) {
        fprintf(file, "ns%u.%s\tIN\tA\t198.51.%u.%u\n", i, label, draw(256), draw(256));
    }
}

static void write_zone(const char *path, int fd)
{
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fputs("$ORIGIN tld.test.\n$TTL 86400\n@ IN SOA ns1 hostmaster 1 3600 900 1209600 300\n"
          "@ IN NS ns1\n@ IN NS ns2\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2\n",
          file);
    for (unsigned k = 0; k < DELEGATIONS; k++) {
        write_delegation(file, k);
    }
    if (fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static enum result count_record(void *context, const struct record *record, const char *file,
                                uint32_t line, struct error *err)
{
    (void)record;
    (void)file;
    (void)line;
    (void)err;
    ++*(uint64_t *)context;
    return OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of this process: other work on the machine counts less than it does in time that passes. */
static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double run(const char *path, const struct master_options *options, double megabytes)
{
    uint64_t records = 0;
    struct error err = {0};
    double start = cpu_seconds();
    if (master_parse_file(path, NULL, options, count_record, &records, NULL, NULL, &err) != OK) {
        char text[1024];
        fprintf(stderr, "%s\n", error_format(&err, text, sizeof(text)));
        exit(1);
    }
    double seconds = cpu_seconds() - start;
    printf("%" PRIu64 " records, %.1f MB, %.3f s, %.0f MB/s, %.1f M records/s\n", records,
           megabytes, seconds, megabytes / seconds, (double)records / seconds / 1e6);
    return megabytes / seconds;
}

int main(int argc, char **argv)
{
    char path[512] = "/tmp/bench_master_XXXXXX";
    bool is_ours = argc < 3;
    if (is_ours) {
        int fd = mkstemp(path);
        if (fd < 0) {
            perror(path);
            return 1;
        }
        write_zone(path, fd);
    } else {
        snprintf(path, sizeof(path), "%s", argv[1]);
    }
    struct name origin;
    struct error err = {0};
    struct stat stat_now;
    struct utsname machine;
    if (name_parse_str(is_ours ? "tld.test" : argv[2], &origin, &err) != OK ||
        stat(path, &stat_now) != 0 || uname(&machine) != 0) {
        fprintf(stderr, "bench_master: cannot use '%s': %s\n", path, err.text);
        return 1;
    }
    printf("%s %s, lockstep %s, %s\n", machine.nodename, machine.machine, LOCKSTEP_VERSION,
           __VERSION__);
    struct master_options options = {.origin = origin.wire, .class = CLASS_IN};
    double rates[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        rates[i] = run(path, &options, (double)stat_now.st_size / 1e6);
    }
    qsort(rates, REPEATS, sizeof(rates[0]), compare);
    printf("median %.0f MB/s (%.0f - %.0f)\n", rates[REPEATS / 2], rates[0], rates[REPEATS - 1]);
    if (is_ours) {
        unlink(path);
    }
    return 0;
}
