/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes a zone by AXFR over N connections at once and walks every record of it; or by IXFR what
 * changed since SERIAL.
 *
 *   axfr_drain ADDRESS PORT ZONE [CLIENTS [SAVE [SERIAL]]]
 *
 * AXFR_KEY=NAME:SECRET in the environment (hmac-sha256, base64) signs the requests; the signatures
 * of the answers are not verified, which is the client's cost.
 *
 * Prints one JSON object: seconds until the last one is done, octets, messages, records, and
 * whether differences came. With SAVE (not empty) the framed stream of the first client is written
 * there (for axfr_replay).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "wire/record.h"
#include "wire/tsig.h"

enum { CLIENTS = 64, ROOM = 1 << 18 };

struct client {
    int fd;
    uint8_t *bytes;
    size_t used;
    uint64_t octets, messages, records;
    uint32_t newest;  /* serial of the first SOA */
    unsigned ends;    /* SOAs that are still to come with that serial */
    bool incremental; /* differences came */
    bool done;
    const char *problem;
};

static size_t skip_name(const uint8_t *m, size_t at, size_t size)
{
    while (at < size && m[at] != 0 && m[at] < 0xC0) {
        at += 1u + m[at];
    }
    return at + (at < size && m[at] >= 0xC0 ? 2 : 1);
}

static uint32_t get_serial(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool asks_ixfr;

/* The first SOA ends an AXFR when it comes again. Differences (RFC 1995 4) have it once more, in
 * front of what their last step adds; an SOA as the second record tells them. */
static void take_record(struct client *c, unsigned type, uint32_t serial)
{
    c->records++;
    if (c->records == 1) {
        c->newest = serial;
        c->ends = 1;
    } else if (c->records == 2 && asks_ixfr && type == 6) {
        c->incremental = true;
        c->ends = 2;
    } else if (type == 6 && serial == c->newest && --c->ends == 0) {
        c->done = true;
    }
}

static void take_message(struct client *c, const uint8_t *m, size_t size)
{
    c->messages++;
    if (size < 12 || (m[3] & 15) != 0) {
        c->problem = size < 12 ? "short message" : "the server refused";
        return;
    }
    size_t at = 12;
    for (unsigned n = (unsigned)m[4] << 8 | m[5]; n != 0; n--) {
        at = skip_name(m, at, size) + 4;
    }
    for (unsigned n = (unsigned)m[6] << 8 | m[7]; n != 0; n--) {
        at = skip_name(m, at, size);
        if (at + 10 > size) {
            c->problem = "malformed message";
            return;
        }
        unsigned type = (unsigned)m[at] << 8 | m[at + 1];
        unsigned data = (unsigned)m[at + 8] << 8 | m[at + 9];
        at += 10u + data;
        if (at > size || (type == 6 && data < 20)) {
            c->problem = "malformed record";
            return;
        }
        take_record(c, type, type == 6 ? get_serial(m + at - 20) : 0);
    }
}

static void take_bytes(struct client *c, FILE *save)
{
    ssize_t got = recv(c->fd, c->bytes + c->used, ROOM - c->used, 0);
    if (got <= 0) {
        c->problem = got == 0 ? "closed before the end" : strerror(errno);
        return;
    }
    if (save != NULL) {
        fwrite(c->bytes + c->used, 1, (size_t)got, save);
    }
    c->used += (size_t)got;
    c->octets += (size_t)got;
    size_t at = 0;
    while (!c->done && c->problem == NULL && c->used - at >= 2) {
        size_t size = (size_t)c->bytes[at] << 8 | c->bytes[at + 1];
        if (c->used - at < 2 + size) {
            break;
        }
        take_message(c, c->bytes + at + 2, size);
        at += 2 + size;
    }
    memmove(c->bytes, c->bytes + at, c->used - at);
    c->used -= at;
}

/* The request's new end. */
static uint8_t *sign(uint8_t *query, uint8_t *end, size_t room)
{
    char text[200];
    const char *given = getenv("AXFR_KEY");
    if (given == NULL || strlen(given) >= sizeof(text)) {
        return end;
    }
    strcpy(text, given);
    char *secret = strchr(text, ':');
    uint8_t bytes[100];
    size_t size;
    struct name name;
    struct error err = {0};
    if (secret == NULL) {
        return end;
    }
    *secret++ = '\0';
    if (!base64_decode(secret, strlen(secret), bytes, sizeof(bytes), &size) ||
        name_parse(text, strlen(text), (const uint8_t *)"", &name, &err) != OK) {
        fprintf(stderr, "axfr_drain: AXFR_KEY is NAME:BASE64\n");
        exit(2);
    }
    struct tsig tsig;
    struct tsig_key *key = tsig_key_new(name.wire, HMAC_SHA256, slice_of(bytes, size), 0);
    size_t signed_size = tsig_sign_request(&tsig, key, query + 2, (size_t)(end - query - 2),
                                           room - 2, (int64_t)time(NULL));
    tsig_key_unref(key);
    return query + 2 + signed_size;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: axfr_drain ADDRESS PORT ZONE [CLIENTS [SAVE [SERIAL]]]\n");
        return 2;
    }
    unsigned clients = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    FILE *save = argc > 5 && argv[5][0] != '\0' ? fopen(argv[5], "w") : NULL;
    asks_ixfr = argc > 6;
    if (clients == 0 || clients > CLIENTS) {
        fprintf(stderr, "axfr_drain: CLIENTS is 1..%d\n", CLIENTS);
        return 2;
    }
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &there.sin_addr);
    uint8_t query[1000] = {0, 0, 0x12, 0x34, 0, 0, 0, 1};
    uint8_t *p = query + 14;
    for (const char *name = argv[3]; *name != '\0';) {
        size_t size = strcspn(name, ".");
        if (size != 0 && size < 64) {
            *p++ = (uint8_t)size;
            memcpy(p, name, size);
            p += size;
        }
        name += size + (name[size] == '.');
    }
    memcpy(p, "\0\0\374\0\1", 5);
    p += 5;
    if (asks_ixfr) {
        uint32_t serial = htonl((uint32_t)strtoul(argv[6], NULL, 10));
        p[-3] = 251;
        query[11] = 1; /* the SOA that the client has; only its serial is looked at */
        memcpy(p, "\300\14\0\6\0\1\0\0\0\0\0\26\0\0", 14);
        memcpy(p + 14, &serial, 4);
        memset(p + 18, 0, 16);
        p += 34;
    }
    p = sign(query, p, sizeof(query));
    put_u16(query, (uint16_t)(p - query - 2));

    struct timespec t0, t1;
    static struct client all[CLIENTS];
    clock_gettime(CLOCK_MONOTONIC, &t0);
    struct pollfd polls[CLIENTS];
    for (unsigned i = 0; i < clients; i++) {
        all[i] = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0), .bytes = malloc(ROOM)};
        if (connect(all[i].fd, (struct sockaddr *)&there, sizeof(there)) != 0 ||
            send(all[i].fd, query, (size_t)(p - query), 0) != p - query) {
            all[i].problem = strerror(errno);
        }
    }
    for (;;) {
        unsigned open = 0;
        for (unsigned i = 0; i < clients; i++) {
            bool over = all[i].done || all[i].problem != NULL;
            polls[i] = (struct pollfd){.fd = over ? -1 : all[i].fd, .events = POLLIN};
            open += !over;
        }
        if (open == 0 || poll(polls, clients, 120000) <= 0) {
            break;
        }
        for (unsigned i = 0; i < clients; i++) {
            if (polls[i].revents != 0) {
                take_bytes(&all[i], i == 0 ? save : NULL);
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    uint64_t octets = 0, messages = 0, records = 0;
    unsigned failed = 0;
    for (unsigned i = 0; i < clients; i++) {
        octets += all[i].octets;
        messages += all[i].messages;
        records += all[i].records;
        failed += !all[i].done;
        if (all[i].problem != NULL) {
            fprintf(stderr, "axfr_drain: client %u: %s\n", i, all[i].problem);
        }
    }
    if (save != NULL) {
        fclose(save);
    }
    printf("{\"seconds\": %.4f, \"octets\": %llu, \"messages\": %llu, \"records\": %llu, "
           "\"failed\": %u, \"incremental\": %s}\n",
           (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9,
           (unsigned long long)octets, (unsigned long long)messages, (unsigned long long)records,
           failed, all[0].incremental ? "true" : "false");
    return failed != 0;
}
