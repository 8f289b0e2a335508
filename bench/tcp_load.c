/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions over TCP connections that are kept: closed loop, some in flight on each.
 *
 *   tcp_load ADDRESS PORT QUESTIONS SECONDS [CONNECTIONS] [OUTSTANDING]
 *
 * CONNECTIONS (100) are opened and kept, OUTSTANDING (4) questions are in flight on each; an answer is
 * followed by the next question at once. A connection that the server closes is counted and not
 * opened again. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "questions.h"

enum { CONNECTIONS_MAX = 4096, OUTSTANDING_MAX = 64, ROOM = 1 << 16, EVENTS = 64 };

struct connection {
    int fd;
    size_t fill;
    uint8_t in[ROOM];
};

struct load {
    const struct question *questions;
    size_t count;
    size_t next;
    uint64_t sent, answered, bytes, closed;
};

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void end(struct load *load, struct connection *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
        load->closed++;
    }
}

/* So many questions in one write; what is in flight is little, so it fits into the socket. */
static void ask(struct load *load, struct connection *c, unsigned many)
{
    static uint8_t out[OUTSTANDING_MAX * (sizeof(struct question) + 2)];
    size_t size = 0;
    for (unsigned i = 0; i < many; i++) {
        const struct question *q = &load->questions[load->next++ % load->count];
        out[size] = (uint8_t)(q->size >> 8);
        out[size + 1] = (uint8_t)q->size;
        memcpy(out + size + 2, q->bytes, q->size);
        size += 2u + q->size;
    }
    if (many != 0 && send(c->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size) {
        end(load, c);
        return;
    }
    load->sent += many;
}

static void read_answers(struct load *load, struct connection *c)
{
    ssize_t got = recv(c->fd, c->in + c->fill, ROOM - c->fill, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            end(load, c);
        }
        return;
    }
    c->fill += (size_t)got;
    size_t at = 0;
    unsigned answers = 0;
    while (c->fill - at >= 2) {
        size_t size = 2 + ((size_t)c->in[at] << 8 | c->in[at + 1]);
        if (c->fill - at < size) {
            break;
        }
        at += size;
        load->bytes += size - 2;
        answers++;
    }
    memmove(c->in, c->in + at, c->fill - at);
    c->fill -= at;
    load->answered += answers;
    while (answers != 0 && c->fd >= 0) {
        unsigned now = answers < OUTSTANDING_MAX ? answers : OUTSTANDING_MAX;
        ask(load, c, now);
        answers -= now;
    }
}

static int connect_to(const char *address, const char *port)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0) {
        perror("tcp_load: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr,
                "usage: tcp_load ADDRESS PORT QUESTIONS SECONDS [CONNECTIONS] [OUTSTANDING]\n");
        return 2;
    }
    struct load load = {0};
    load.questions = questions_read(argv[3], &load.count);
    double seconds = atof(argv[4]);
    unsigned connections = argc > 5 ? (unsigned)atoi(argv[5]) : 100;
    unsigned outstanding = argc > 6 ? (unsigned)atoi(argv[6]) : 4;
    if (load.count == 0 || connections == 0 || connections > CONNECTIONS_MAX || outstanding == 0 ||
        outstanding > OUTSTANDING_MAX) {
        fprintf(stderr, "tcp_load: no questions, or too many connections or in flight\n");
        return 2;
    }
    struct connection *all = calloc(connections, sizeof(*all));
    int epoll = epoll_create1(0);
    if (all == NULL || epoll < 0) {
        perror("tcp_load");
        return 1;
    }
    for (unsigned i = 0; i < connections; i++) {
        all[i].fd = connect_to(argv[1], argv[2]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    double begin = now_s();
    for (unsigned i = 0; i < connections; i++) {
        ask(&load, &all[i], outstanding);
    }
    while (now_s() - begin < seconds && load.closed < connections) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->fd >= 0) {
                read_answers(&load, c);
            }
        }
    }
    double took = now_s() - begin;
    printf("{\"seconds\": %.3f, \"sent\": %llu, \"answered\": %llu, \"lost\": %llu, \"qps\": %.0f, "
           "\"closed\": %llu, \"mean_size\": %.1f}\n",
           took, (unsigned long long)load.sent, (unsigned long long)load.answered,
           (unsigned long long)(load.closed * outstanding), (double)load.answered / took,
           (unsigned long long)load.closed,
           load.answered != 0 ? (double)load.bytes / (double)load.answered : 0);
    return 0;
}
