/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks a server for the SOA of z0.test to z<count - 1>.test until each of them has been answered
 * with authority, and prints after how many seconds that was. Sixty-four questions are on the way at
 * a time, so that the asking costs a fraction of the answering.
 *
 * While the last zone does not answer, three are asked in turn and nothing else: what is measured is
 * the server's work and not its saying "not yet".
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 64, PACKET = 512, WAIT_MS = 50, PAUSE_US = 5000 };

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t write_question(uint8_t *out, uint32_t zone)
{
    static const uint8_t rest[] = "\4test\0\0\6\0\1";
    char label[16];
    int size = snprintf(label, sizeof(label), "z%u", zone);
    memset(out, 0, 12);
    out[0] = (uint8_t)(zone >> 8);
    out[1] = (uint8_t)zone;
    out[5] = 1;
    out[12] = (uint8_t)size;
    memcpy(out + 13, label, (size_t)size);
    memcpy(out + 13 + size, rest, sizeof(rest) - 1);
    return 13 + (size_t)size + sizeof(rest) - 1;
}

/* The zone that was answered with authority, or -1. */
static long answered(const uint8_t *reply, ssize_t size, uint32_t count)
{
    if (size < 20 || (reply[2] & 4) == 0 || (reply[3] & 15) != 0 || reply[7] == 0 ||
        reply[12] < 2 || reply[12] > 12 || reply[13] != 'z') {
        return -1;
    }
    long zone = 0;
    for (unsigned i = 1; i < reply[12]; i++) {
        zone = zone * 10 + (reply[13 + i] - '0');
    }
    return zone < (long)count ? zone : -1;
}

/* Asks for `size` zones of the list; those that answered are marked. Returns how many did. */
static unsigned ask(int fd, const uint32_t *zones, unsigned size, bool *done, uint32_t count)
{
    unsigned got = 0;
    uint8_t packet[PACKET];
    for (unsigned i = 0; i < size; i++) {
        size_t bytes = write_question(packet, zones[i]);
        (void)send(fd, packet, bytes, 0); /* one that is lost is asked again */
    }
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (unsigned replies = 0; replies < size && poll(&wait, 1, WAIT_MS) > 0; replies++) {
        ssize_t bytes = recv(fd, packet, sizeof(packet), 0);
        if (bytes < 0) {
            break; /* nobody listens yet */
        }
        long zone = answered(packet, bytes, count);
        if (zone >= 0 && !done[zone]) {
            done[zone] = true;
            got++;
        }
    }
    return got;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: ask_all ADDRESS PORT ZONES SECONDS\n");
        return 2;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("ask_all");
        return 2;
    }
    uint32_t count = (uint32_t)strtoul(argv[3], NULL, 10);
    uint32_t *left = calloc(count + 1, sizeof(*left));
    bool *done = calloc(count + 1, sizeof(*done));
    double begin = now_s(), end = begin + atof(argv[4]);
    uint32_t sparse[] = {count - 1, count / 2, 0};
    unsigned missing = 3;
    while (missing > 0 && now_s() < end) {
        (void)ask(fd, sparse, 3, done, count);
        missing = !done[sparse[0]] + !done[sparse[1]] + !done[sparse[2]];
        if (missing > 0) {
            usleep(PAUSE_US);
        }
    }
    uint32_t left_count = 0;
    do {
        left_count = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (!done[i]) {
                left[left_count++] = i;
            }
        }
        unsigned got = 0;
        for (uint32_t at = 0; at < left_count; at += WINDOW) {
            unsigned size = left_count - at < WINDOW ? left_count - at : WINDOW;
            got += ask(fd, left + at, size, done, count);
        }
        if (got < left_count) {
            usleep(PAUSE_US);
        }
        left_count -= got;
    } while (left_count > 0 && now_s() < end);
    printf("{\"seconds\": %.3f, \"missing\": %u}\n", now_s() - begin, left_count);
    free(left);
    free(done);
    close(fd);
    return left_count == 0 ? 0 : 1;
}
