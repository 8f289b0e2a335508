/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Floods for one server on loopback:
 *
 *   flood KIND ADDRESS PORT ZONE SECONDS NUMBER
 *
 *   slowloris  NUMBER connections that send an octet a second each of a message that never ends;
 *              what the server closes is opened again
 *   connect    NUMBER connections a second, reset when they are open
 *   axfr       NUMBER transfers asked for a second, each over its own connection
 *   notify     NUMBER NOTIFY messages a second over UDP
 *   update     NUMBER UPDATE messages a second over UDP
 *   silent     NUMBER connections that ask for the zone 16 times and never read
 *
 * Clients come from 127.200.0.0/16, each from an address of its own. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PENDING = 2048, TRANSFERS = 16 };

static struct sockaddr_in server;
static uint8_t message[600];
static size_t message_size;
static unsigned next_client;
static uint64_t sent, opened, refused;

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t put_name(uint8_t *at, const char *text)
{
    size_t size = 0;
    while (*text != '\0') {
        size_t label = strcspn(text, ".");
        if (label == 0) {
            break;
        }
        at[size++] = (uint8_t)label;
        memcpy(at + size, text, label);
        size += label;
        text += label + (text[label] == '.');
    }
    at[size++] = 0;
    return size;
}

/* Behind two octets of length. */
static void make_message(const char *zone, unsigned opcode, unsigned type)
{
    uint8_t *p = message + 2;
    put16(p, 0x4242);
    put16(p + 2, opcode << 11);
    put16(p + 4, 1);
    size_t size = 12 + put_name(p + 12, zone);
    put16(p + size, type);
    put16(p + size + 2, 1);
    size += 4;
    if (opcode == 5) {
        /* one record to add: new A 192.0.2.1 */
        static const uint8_t rest[] = {0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
        put16(p + 8, 1);
        memcpy(p + size, "\3new\xc0\x0c", 6);
        memcpy(p + size + 6, rest, sizeof(rest));
        size += 6 + sizeof(rest);
    }
    put16(message, (unsigned)size);
    message_size = size;
}

static int open_socket(int kind)
{
    int fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    unsigned client = next_client++;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(127u << 24 | 200u << 16 | (client & 0xffff))};
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0 && errno != EINPROGRESS)) {
        close(fd);
        return -1;
    }
    opened++;
    return fd;
}

/* So many are due by now. */
static bool is_due(double begin, double rate, uint64_t done)
{
    return (double)done < (now_s() - begin) * rate;
}

static void flood_datagrams(double seconds, double rate)
{
    enum { SOCKETS = 64 };
    int fds[SOCKETS];
    for (unsigned i = 0; i < SOCKETS; i++) {
        fds[i] = open_socket(SOCK_DGRAM);
    }
    double begin = now_s();
    while (now_s() - begin < seconds) {
        for (unsigned n = 0; n < 64 && is_due(begin, rate, sent); n++) {
            uint8_t thrown_away[512];
            int fd = fds[sent % SOCKETS];
            put16(message + 2, (unsigned)sent);
            (void)!send(fd, message + 2, message_size, MSG_DONTWAIT);
            while (recv(fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT) > 0) {
            }
            sent++;
        }
        usleep(200);
    }
}

static void reset(int fd)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
}

/* Over loopback the kernel has shaken hands when connect() returns, so nothing is waited for. */
static void flood_attempts(double seconds, double rate)
{
    uint64_t begun = 0;
    double begin = now_s();
    while (now_s() - begin < seconds) {
        for (unsigned n = 0; n < 64 && is_due(begin, rate, begun); n++) {
            int fd = open_socket(SOCK_STREAM);
            int problem = 0;
            socklen_t size = sizeof(problem);
            begun++;
            if (fd >= 0) {
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
                refused += problem != 0;
                reset(fd);
            }
        }
        if (!is_due(begin, rate, begun)) {
            usleep(200);
        }
    }
}

/* Opened, told the question, read to the end, closed. */
static void flood_connections(double seconds, double rate)
{
    struct pollfd waiting[PENDING];
    bool said[PENDING];
    nfds_t count = 0;
    uint64_t begun = 0;
    double begin = now_s();
    while (now_s() - begin < seconds) {
        while (count < PENDING && is_due(begin, rate, begun)) {
            int fd = open_socket(SOCK_STREAM);
            begun++;
            if (fd >= 0) {
                said[count] = false;
                waiting[count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
            }
        }
        (void)poll(waiting, count, 1);
        for (nfds_t i = 0; i < count;) {
            bool over = (waiting[i].revents & (POLLERR | POLLHUP)) != 0;
            if (over) {
                refused++;
            } else if (waiting[i].revents != 0 && !said[i]) {
                (void)!send(waiting[i].fd, message, message_size + 2, MSG_NOSIGNAL);
                said[i] = true;
                waiting[i].events = POLLIN;
                sent++;
            } else if (waiting[i].revents != 0) {
                over = true;
            }
            if (over) {
                reset(waiting[i].fd);
                waiting[i] = waiting[--count];
                said[i] = said[count];
            } else {
                i++;
            }
        }
    }
}

/* Kept open: an octet a second, or all questions at once and not a read. */
static void hold_connections(double seconds, unsigned count, bool asks)
{
    int *fds = malloc(count * sizeof(fds[0]));
    if (fds == NULL) {
        exit(1);
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = -1;
    }
    double begin = now_s();
    while (now_s() - begin < seconds) {
        for (unsigned i = 0; i < count; i++) {
            if (fds[i] < 0) {
                fds[i] = open_socket(SOCK_STREAM);
                if (fds[i] >= 0 && asks) {
                    int small = 4096;
                    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
                    struct pollfd poll_one = {.fd = fds[i], .events = POLLOUT};
                    (void)poll(&poll_one, 1, 100);
                    for (unsigned n = 0; n < TRANSFERS; n++) {
                        (void)!send(fds[i], message, message_size + 2, MSG_NOSIGNAL);
                    }
                }
                continue;
            }
            struct pollfd one = {.fd = fds[i], .events = POLLRDHUP};
            bool is_over = poll(&one, 1, 0) > 0;
            if (!asks && !is_over) {
                is_over =
                    send(fds[i], asks ? message : (const uint8_t[]){0}, 1, MSG_NOSIGNAL) < 0 &&
                    errno != EAGAIN && errno != ENOTCONN;
                sent++;
            }
            if (is_over) {
                refused++;
                close(fds[i]);
                fds[i] = -1;
            }
        }
        usleep(asks ? 200000 : 1000000);
    }
    free(fds);
}

int main(int argc, char **argv)
{
    if (argc != 7 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: flood KIND ADDRESS PORT ZONE SECONDS NUMBER\n");
        return 2;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[3]));
    const char *kind = argv[1], *zone = argv[4];
    double seconds = atof(argv[5]), number = atof(argv[6]);
    if (strcmp(kind, "slowloris") == 0) {
        hold_connections(seconds, (unsigned)number, false);
    } else if (strcmp(kind, "silent") == 0) {
        make_message(zone, 0, 252);
        hold_connections(seconds, (unsigned)number, true);
    } else if (strcmp(kind, "connect") == 0) {
        flood_attempts(seconds, number);
    } else if (strcmp(kind, "axfr") == 0) {
        make_message(zone, 0, 252);
        flood_connections(seconds, number);
    } else if (strcmp(kind, "notify") == 0) {
        make_message(zone, 4, 6);
        flood_datagrams(seconds, number);
    } else if (strcmp(kind, "update") == 0) {
        make_message(zone, 5, 6);
        flood_datagrams(seconds, number);
    } else {
        fprintf(stderr, "flood: what is \"%s\"?\n", kind);
        return 2;
    }
    printf("{\"sent\": %llu, \"opened\": %llu, \"refused\": %llu, \"seconds\": %.1f}\n",
           (unsigned long long)sent, (unsigned long long)opened, (unsigned long long)refused,
           seconds);
    return 0;
}
