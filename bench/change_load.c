/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a change takes, and how many a server takes.
 *
 *   change_load latency PRIMARY PORT SECONDARY PORT ZONE COUNT
 *       One UPDATE after the other: sent, acknowledged by the primary, and seen in the secondary's
 *       answers. Milliseconds from sending until both are the case.
 *   change_load rate PRIMARY PORT ZONE CLIENTS SECONDS
 *       CLIENTS sockets with one UPDATE under way each.
 *   change_load follow PRIMARY PORT SECONDARY PORT ZONE SERIAL
 *       Waits until the primary answers SERIAL, then until the secondary does: milliseconds between.
 *
 * Prints one JSON object. A question to the secondary is sent POLL_GAP_US after the answer to the
 * one before, so a figure is at most that and a round trip too large.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 256, SAMPLES = 1 << 20, POLL_GAP_US = 100, LOST_MS = 1000, GIVE_UP_MS = 60000 };

static uint8_t zone[256];
static size_t zone_size;
static double samples[SAMPLES];
static size_t sample_count;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void parse_zone(const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ".");
        if (size == 0 || size > 63 || zone_size + size + 2 > sizeof(zone)) {
            fprintf(stderr, "change_load: not a zone's name\n");
            exit(2);
        }
        zone[zone_size++] = (uint8_t)size;
        memcpy(zone + zone_size, text, size);
        zone_size += size;
        text += size + (text[size] == '.');
    }
    zone[zone_size++] = 0;
}

static int open_socket(const char *address, const char *port)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0) {
        fprintf(stderr, "change_load: %s port %s: %s\n", address, port, strerror(errno));
        exit(2);
    }
    return fd;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t size)
{
    memcpy(p, bytes, size);
    return p + size;
}

/* The name of client `c`, in front of the zone, which stands at byte 12. */
static uint8_t *put_name(uint8_t *p, unsigned c)
{
    char label[16];
    int size = snprintf(label, sizeof(label), "bench-%u", c);
    *p++ = (uint8_t)size;
    p = put(p, label, (size_t)size);
    return put(p, "\300\14", 2);
}

/* The client's only A record becomes `value`. */
static size_t write_update(uint8_t *m, unsigned c, uint16_t id, uint32_t value)
{
    uint8_t head[12] = {(uint8_t)(id >> 8), (uint8_t)id, 0x28, 0, 0, 1, 0, 0, 0, 2, 0, 0};
    uint8_t *p = put(m, head, 12);
    p = put(p, zone, zone_size);
    p = put(p, "\0\6\0\1", 4);
    p = put(put_name(p, c), "\0\1\0\377\0\0\0\0\0\0", 10);
    p = put(put_name(p, c), "\0\1\0\1\0\0\0\74\0\4", 10);
    uint32_t wire = htonl(value);
    return (size_t)(put(p, &wire, 4) - m);
}

/* The question for the client's record, or for the SOA where `c` is CLIENTS. */
static size_t write_question(uint8_t *m, unsigned c, uint16_t id)
{
    uint8_t head[12] = {(uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 1};
    uint8_t *p = put(m, head, 12);
    if (c == CLIENTS) {
        p = put(p, zone, zone_size);
        return (size_t)(put(p, "\0\6\0\1", 4) - m);
    }
    char label[16];
    int size = snprintf(label, sizeof(label), "bench-%u", c);
    *p++ = (uint8_t)size;
    p = put(p, label, (size_t)size);
    p = put(p, zone, zone_size);
    return (size_t)(put(p, "\0\1\0\1", 4) - m);
}

static size_t skip_name(const uint8_t *m, size_t at, size_t size)
{
    while (at < size && m[at] != 0 && m[at] < 0xC0) {
        at += 1u + m[at];
    }
    return at + (at < size && m[at] >= 0xC0 ? 2 : 1);
}

/* The last four octets of the first answer's data from `back` octets before its end. */
static bool read_answer(const uint8_t *m, size_t size, unsigned back, uint32_t *out)
{
    if (size < 12 || (m[3] & 15) != 0 || m[7] == 0) {
        return false;
    }
    size_t at = skip_name(m, skip_name(m, 12, size) + 4, size);
    if (at + 10 > size) {
        return false;
    }
    size_t end = at + 10 + ((size_t)m[at + 8] << 8 | m[at + 9]);
    if (end > size || end < back) {
        return false;
    }
    const uint8_t *p = m + end - back;
    *out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return true;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double q)
{
    return sample_count == 0 ? -1 : samples[(size_t)(q * (double)(sample_count - 1))];
}

static void print_quantiles(void)
{
    qsort(samples, sample_count, sizeof(samples[0]), compare);
    printf("\"samples\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"least_ms\": %.4f, "
           "\"largest_ms\": %.4f",
           sample_count, quantile(0.5), quantile(0.99), quantile(0), quantile(1));
}

/* One question under way; true when its answer came and has `wanted`. */
struct watch {
    int fd;
    unsigned client; /* CLIENTS: the SOA */
    uint16_t id;
    bool waits;
    double due; /* of the next question, or of its loss */
};

static void watch_ask(struct watch *watch)
{
    uint8_t m[512];
    size_t size = write_question(m, watch->client, ++watch->id);
    watch->waits = send(watch->fd, m, size, 0) == (ssize_t)size;
    watch->due = now_ms() + (watch->waits ? LOST_MS : 1);
}

static bool watch_step(struct watch *watch, uint32_t wanted)
{
    uint8_t m[4096];
    ssize_t size;
    bool seen = false;
    while ((size = recv(watch->fd, m, sizeof(m), MSG_DONTWAIT)) > 0) {
        uint32_t value = 0;
        if (size < 12 || ((unsigned)m[0] << 8 | m[1]) != watch->id) {
            continue;
        }
        watch->waits = false;
        watch->due = now_ms() + POLL_GAP_US / 1e3;
        seen = seen || (read_answer(m, (size_t)size, watch->client == CLIENTS ? 20 : 4, &value) &&
                        value == wanted);
    }
    if (!seen && now_ms() >= watch->due) {
        watch_ask(watch);
    }
    return seen;
}

static void sleep_until(struct pollfd *polls, nfds_t count, double due)
{
    double left = due - now_ms();
    if (left > 0) {
        struct timespec t = {.tv_sec = (time_t)(left / 1e3),
                             .tv_nsec = (long)((left - 1e3 * (long)(left / 1e3)) * 1e6)};
        (void)ppoll(polls, count, &t, NULL);
    }
}

static int latency(char **argv)
{
    struct watch watch = {.fd = open_socket(argv[2], argv[3])};
    int fd = open_socket(argv[0], argv[1]);
    parse_zone(argv[4]);
    unsigned count = (unsigned)atoi(argv[5]);
    unsigned failed = 0;
    uint8_t m[4096];
    double acknowledged = 0;
    uint32_t base = (uint32_t)getpid() << 16;
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = base + i;
        uint16_t id = (uint16_t)(i + 1);
        size_t size = write_update(m, i % 16, id, value);
        watch.client = i % 16;
        double begun = now_ms();
        bool is_acked = false;
        bool is_seen = false;
        if (send(fd, m, size, 0) != (ssize_t)size) {
            failed++;
            continue;
        }
        watch.due = begun;
        while ((!is_acked || !is_seen) && now_ms() - begun < GIVE_UP_MS) {
            struct pollfd polls[2] = {{.fd = is_acked ? -1 : fd, .events = POLLIN},
                                      {.fd = watch.fd, .events = POLLIN}};
            sleep_until(polls, 2, watch.due);
            ssize_t got = is_acked ? 0 : recv(fd, m, sizeof(m), MSG_DONTWAIT);
            if (got >= 12 && ((unsigned)m[0] << 8 | m[1]) == id) {
                if ((m[3] & 15) != 0) {
                    fprintf(stderr, "change_load: UPDATE answered with rcode %d\n", m[3] & 15);
                    return 1;
                }
                is_acked = true;
                acknowledged += now_ms() - begun;
            }
            is_seen = is_seen || watch_step(&watch, value);
        }
        if (is_acked && is_seen && sample_count < SAMPLES) {
            samples[sample_count++] = now_ms() - begun;
        } else {
            failed++;
        }
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL); /* one at a time: what one left to do is no delay of the next */
    }
    printf("{\"failed\": %u, \"acknowledged_ms\": %.4f, ", failed, acknowledged / count);
    print_quantiles();
    printf("}\n");
    return failed != 0;
}

struct client {
    int fd;
    uint16_t id;
    uint32_t value;
    double sent;
};

static void client_send(struct client *all, unsigned c)
{
    uint8_t m[512];
    all[c].sent = now_ms();
    size_t size = write_update(m, c, ++all[c].id, ++all[c].value);
    (void)send(all[c].fd, m, size, 0); /* a loss shows as such */
}

static int rate(char **argv)
{
    static struct client all[CLIENTS];
    static struct pollfd polls[CLIENTS];
    parse_zone(argv[2]);
    unsigned clients = (unsigned)atoi(argv[3]);
    double seconds = atof(argv[4]);
    unsigned long long done = 0, refused = 0, lost = 0;
    if (clients == 0 || clients > CLIENTS) {
        fprintf(stderr, "change_load: CLIENTS is 1..%d\n", CLIENTS);
        return 2;
    }
    double begun = now_ms();
    for (unsigned c = 0; c < clients; c++) {
        all[c] = (struct client){.fd = open_socket(argv[0], argv[1]),
                                 .value = ((uint32_t)getpid() << 20) + (c << 12)};
        polls[c] = (struct pollfd){.fd = all[c].fd, .events = POLLIN};
        client_send(all, c);
    }
    double looked = begun;
    while (now_ms() - begun < seconds * 1e3) {
        (void)poll(polls, clients, 100);
        double now = now_ms();
        for (unsigned c = 0; c < clients; c++) {
            uint8_t m[4096];
            while (polls[c].revents != 0) {
                ssize_t got = recv(all[c].fd, m, sizeof(m), MSG_DONTWAIT);
                if (got < 0) {
                    break;
                }
                if (got < 12 || ((unsigned)m[0] << 8 | m[1]) != all[c].id) {
                    continue;
                }
                if ((m[3] & 15) == 0) {
                    done++;
                    if (sample_count < SAMPLES) {
                        samples[sample_count++] = now - all[c].sent;
                    }
                } else {
                    refused++;
                }
                client_send(all, c);
                break;
            }
        }
        for (unsigned c = 0; now - looked > 100 && c < clients; c++) {
            if (now - all[c].sent > LOST_MS) {
                lost++;
                client_send(all, c);
            }
        }
        looked = now - looked > 100 ? now : looked;
    }
    printf("{\"rate\": %.1f, \"done\": %llu, \"refused\": %llu, \"lost\": %llu, ",
           (double)done / seconds, done, refused, lost);
    print_quantiles();
    printf("}\n");
    return done == 0;
}

static bool wait_serial(struct watch *watch, uint32_t serial)
{
    double begun = now_ms();
    watch->due = begun;
    while (!watch_step(watch, serial)) {
        struct pollfd one = {.fd = watch->fd, .events = POLLIN};
        sleep_until(&one, 1, watch->due);
        if (now_ms() - begun > GIVE_UP_MS) {
            return false;
        }
    }
    return true;
}

static int follow(char **argv)
{
    struct watch primary = {.fd = open_socket(argv[0], argv[1]), .client = CLIENTS};
    struct watch secondary = {.fd = open_socket(argv[2], argv[3]), .client = CLIENTS};
    parse_zone(argv[4]);
    uint32_t serial = (uint32_t)strtoul(argv[5], NULL, 10);
    bool is_there = wait_serial(&primary, serial);
    double begun = now_ms();
    bool is_everywhere = is_there && wait_serial(&secondary, serial);
    printf("{\"failed\": %d, \"ms\": %.4f}\n", !is_everywhere, now_ms() - begun);
    return !is_everywhere;
}

int main(int argc, char **argv)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* POLL_GAP_US, and not half of it more */
    if (argc == 8 && strcmp(argv[1], "latency") == 0) {
        return latency(argv + 2);
    }
    if (argc == 7 && strcmp(argv[1], "rate") == 0) {
        return rate(argv + 2);
    }
    if (argc == 8 && strcmp(argv[1], "follow") == 0) {
        return follow(argv + 2);
    }
    fprintf(stderr, "usage: change_load latency PRIMARY PORT SECONDARY PORT ZONE COUNT\n"
                    "       change_load rate PRIMARY PORT ZONE CLIENTS SECONDS\n"
                    "       change_load follow PRIMARY PORT SECONDARY PORT ZONE SERIAL\n");
    return 2;
}
