/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A UDP load generator that spends little itself: closed loop, questions ready-made.
 *
 *   udp_load ADDRESS PORT QUESTIONS SECONDS [OUTSTANDING] [RATE]
 *
 * QUESTIONS: questions.h. OUTSTANDING (192) questions are in flight over 8 sockets; one
 * that is not answered within 100 ms counts as lost and its place is used again. With RATE it is an
 * open loop of RATE questions a second instead. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "questions.h"

enum { SOCKETS = 8, SLOTS = 4096, BATCH = 32, HISTOGRAM = 100000, LOST_NS = 100000000 };

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: udp_load ADDRESS PORT QUESTIONS SECONDS [OUTSTANDING] [RATE]\n");
        return 2;
    }
    size_t count;
    struct question *questions = questions_read(argv[3], &count);
    double seconds = atof(argv[4]);
    unsigned outstanding = argc > 5 ? (unsigned)atoi(argv[5]) : 192;
    double rate = argc > 6 ? atof(argv[6]) : 0;
    if (count == 0 || outstanding == 0 || outstanding > SLOTS) {
        fprintf(stderr, "udp_load: no questions, or OUTSTANDING not in 1..%d\n", SLOTS);
        return 2;
    }
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &there.sin_addr);
    int fds[SOCKETS];
    for (int s = 0; s < SOCKETS; s++) {
        fds[s] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        int room = 4 << 20;
        setsockopt(fds[s], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
        if (connect(fds[s], (struct sockaddr *)&there, sizeof(there)) != 0) {
            perror("connect");
            return 1;
        }
    }
    /* A slot is one question in flight; its number is the message ID, its socket the slot modulo 8. */
    static int64_t sent_at[SLOTS];            /* 0: free */
    static uint32_t histogram[HISTOGRAM + 1]; /* of microseconds */
    static uint8_t out[BATCH][300], in[BATCH][4096];
    unsigned slots = rate > 0 ? SLOTS : outstanding;
    uint64_t sent = 0, answered = 0, lost = 0, next = 0, bytes = 0, rcodes[16] = {0};
    int64_t begin = now_ns(), end = begin + (int64_t)(seconds * 1e9), now = begin;
    while (now < end) {
        now = now_ns();
        uint64_t due = rate > 0 ? (uint64_t)((double)(now - begin) * rate / 1e9) : UINT64_MAX;
        for (unsigned s = 0; s < SOCKETS; s++) {
            struct iovec vectors[BATCH];
            struct mmsghdr messages[BATCH];
            unsigned fill = 0;
            for (unsigned slot = s; slot < slots && fill < BATCH && sent + fill < due;
                 slot += SOCKETS) {
                if (sent_at[slot] != 0 && now - sent_at[slot] < LOST_NS) {
                    continue;
                }
                lost += sent_at[slot] != 0;
                const struct question *q = &questions[next++ % count];
                memcpy(out[fill], q->bytes, q->size);
                out[fill][0] = (uint8_t)(slot >> 8);
                out[fill][1] = (uint8_t)slot;
                vectors[fill] = (struct iovec){out[fill], q->size};
                messages[fill] =
                    (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[fill], .msg_iovlen = 1}};
                sent_at[slot] = now;
                fill++;
            }
            if (fill != 0) {
                int done = sendmmsg(fds[s], messages, fill, 0);
                (void)done; /* what the kernel did not take is lost, and counted so */
                sent += fill;
            }
            for (;;) {
                for (unsigned i = 0; i < BATCH; i++) {
                    vectors[i] = (struct iovec){in[i], sizeof(in[i])};
                    messages[i] =
                        (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
                }
                int got = recvmmsg(fds[s], messages, BATCH, MSG_DONTWAIT, NULL);
                if (got <= 0) {
                    break;
                }
                int64_t at = now_ns();
                for (int i = 0; i < got; i++) {
                    unsigned slot = (unsigned)in[i][0] << 8 | in[i][1];
                    if (messages[i].msg_len < 12 || slot >= slots || sent_at[slot] == 0) {
                        continue;
                    }
                    int64_t us = (at - sent_at[slot]) / 1000;
                    histogram[us < HISTOGRAM ? us : HISTOGRAM]++;
                    sent_at[slot] = 0;
                    rcodes[in[i][3] & 15]++;
                    bytes += messages[i].msg_len;
                    answered++;
                }
                if (got < BATCH) {
                    break;
                }
            }
        }
    }
    double took = (double)(now_ns() - begin) / 1e9;
    uint64_t seen = 0;
    int p50 = -1, p99 = -1, worst = 0;
    for (int i = 0; i <= HISTOGRAM; i++) {
        seen += histogram[i];
        if (p50 < 0 && seen * 2 >= answered) {
            p50 = i;
        }
        if (p99 < 0 && seen * 100 >= answered * 99) {
            p99 = i;
        }
        if (histogram[i] != 0) {
            worst = i;
        }
    }
    printf("{\"seconds\": %.3f, \"sent\": %llu, \"answered\": %llu, \"lost\": %llu, \"qps\": %.0f, "
           "\"p50_us\": %d, "
           "\"p99_us\": %d, \"max_us\": %d, \"mean_size\": %.1f, \"noerror\": %llu, \"nxdomain\": "
           "%llu, \"other\": %llu}\n",
           took, (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)lost,
           (double)answered / took, p50, p99, worst,
           answered ? (double)bytes / (double)answered : 0, (unsigned long long)rcodes[0],
           (unsigned long long)rcodes[3], (unsigned long long)(answered - rcodes[0] - rcodes[3]));
    return 0;
}
