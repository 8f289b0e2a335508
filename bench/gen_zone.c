/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes zone files for benchmarks, the same ones for the same arguments.
 *
 *   gen_zone tld N      N delegations below tld.test: 2-4 name servers of 3,000 providers or, for one in
 *                       five, within the zone with glue; DS for three in ten
 *   gen_zone host N     N names below host.test: A, AAAA, MX, TXT, CNAME as hosting zones have them
 *   gen_zone many N DIR N small zones zK.test of 10 records each, a file each, into DIR
 *   gen_zone questions-tld|questions-host|questions-many N M   M questions ("name type") for such zones
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * bound >> 32);
}

/* The k-th of the zone's labels: letters first, so that names look like a registry's. */
static const char *label(uint32_t k, char out[24])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    uint64_t x = (k + 1) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    unsigned size = 4 + (unsigned)(x % 6);
    for (unsigned i = 0; i < size; i++) {
        out[i] = letters[(x >> (8 + 5 * i)) % 26];
    }
    snprintf(out + size, 24 - size, "%x", k); /* the number makes it the only one */
    return out;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All labels in the order of the zone: files of registries come sorted. Free both. */
static char **sorted_labels(uint32_t n, char **out_room)
{
    char **labels = calloc(n, sizeof(*labels));
    char *room = malloc((size_t)n * 24);
    *out_room = room;
    for (uint32_t k = 0; labels != NULL && room != NULL && k < n; k++) {
        labels[k] = room + (size_t)k * 24;
        label(k, labels[k]);
    }
    if (labels == NULL || room == NULL) {
        fprintf(stderr, "gen_zone: out of memory\n");
        exit(1);
    }
    qsort(labels, n, sizeof(*labels), compare_text);
    return labels;
}

static void head(FILE *out, const char *zone)
{
    fprintf(out,
            "$ORIGIN %s.\n$TTL 86400\n@ IN SOA ns1.%s. hostmaster.%s. 1 3600 900 1209600 300\n"
            "@ IN NS ns1.%s.\n@ IN NS ns2.%s.\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2\n",
            zone, zone, zone, zone, zone);
}

static void tld(uint32_t n)
{
    char *room;
    char **labels = sorted_labels(n, &room);
    head(stdout, "tld.test");
    for (uint32_t k = 0; k < n; k++) {
        const char *name = labels[k];
        unsigned servers = 2 + draw(3);
        unsigned glue = draw(5) == 0;
        uint32_t provider = draw(3000);
        for (unsigned i = 0; i < servers; i++) {
            if (glue) {
                printf("%s\tIN\tNS\tns%u.%s.tld.test.\n", name, i + 1, name);
            } else {
                printf("%s\tIN\tNS\tns%u.provider%u.example.\n", name, i + 1, provider);
            }
        }
        if (draw(10) < 3) {
            printf("%s\tIN\tDS\t%u 13 2 ", name, draw(65536));
            for (int i = 0; i < 8; i++) {
                printf("%08X", draw(UINT32_MAX));
            }
            putchar('\n');
        }
        for (unsigned i = 0; glue && i < servers; i++) {
            printf("ns%u.%s\tIN\tA\t198.51.%u.%u\n", i + 1, name, draw(256), draw(256));
        }
    }
    free(labels);
    free(room);
}

static void host(uint32_t n)
{
    head(stdout, "host.test");
    char name[24];
    for (uint32_t k = 0; k < n; k++) {
        label(k, name);
        switch (draw(10)) {
        case 0:
        case 1:
            printf("%s IN CNAME ns1\n", name);
            break;
        case 2:
            printf(
                "%s IN MX 10 mail.example.net.\n%s IN TXT \"v=spf1 include:%s.example.net -all\"\n",
                name, name, name);
            break;
        case 3:
        case 4:
        case 5:
            printf("%s IN AAAA 2001:db8::%x:%x\n", name, draw(65536),
                   draw(65536)); /* fall through */
            __attribute__((fallthrough));
        default:
            printf("%s IN A 203.0.%u.%u\n", name, draw(256), draw(256));
        }
    }
}

static void many(uint32_t n, const char *folder)
{
    for (uint32_t k = 0; k < n; k++) {
        char path[4096], zone[32];
        snprintf(zone, sizeof(zone), "z%u.test", k);
        snprintf(path, sizeof(path), "%s/%s.zone", folder, zone);
        FILE *out = fopen(path, "w");
        if (out == NULL) {
            perror(path);
            exit(1);
        }
        head(out, zone);
        fprintf(
            out,
            "@ IN MX 10 mail\n@ IN A 203.0.113.%u\nwww IN A 203.0.113.%u\nmail IN A 203.0.113.%u\n"
            "ftp IN CNAME www\n",
            k % 256, k % 256, (k + 1) % 256);
        fclose(out);
    }
}

static void questions(const char *kind, uint32_t n, uint32_t m)
{
    char name[24];
    for (uint32_t i = 0; i < m; i++) {
        label(draw(n), name);
        unsigned dice = draw(10);
        if (strcmp(kind, "questions-tld") == 0) {
            if (dice < 7) {
                printf("www.%s.tld.test A\n", name);
            } else if (dice < 8) {
                printf("%s.tld.test DS\n", name);
            } else {
                printf("no%u-%s.tld.test A\n", draw(1000000), name);
            }
        } else if (strcmp(kind, "questions-host") == 0) {
            if (dice < 8) {
                printf("%s.host.test %s\n", name, dice < 6 ? "A" : "AAAA");
            } else {
                printf("no%u-%s.host.test A\n", draw(1000000), name);
            }
        } else {
            static const char *const names[] = {"www.", "", "mail.", "ftp.", "nothing."};
            printf("%sz%u.test A\n", names[draw(5)], draw(n));
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    if (argc == 3 && strcmp(argv[1], "tld") == 0) {
        tld(n);
    } else if (argc == 3 && strcmp(argv[1], "host") == 0) {
        host(n);
    } else if (argc == 4 && strcmp(argv[1], "many") == 0) {
        many(n, argv[3]);
    } else if (argc == 4 && strncmp(argv[1], "questions-", 10) == 0) {
        questions(argv[1], n, (uint32_t)strtoul(argv[3], NULL, 10));
    } else {
        fprintf(stderr, "usage: gen_zone tld|host N | many N DIR | "
                        "questions-tld|questions-host|questions-many N M\n");
        return 2;
    }
    return 0;
}
