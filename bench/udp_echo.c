/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The physical limit of answering on sockets: sends every datagram back with QR set, in batches of
 * 32, and does nothing else. usage: udp_echo ADDRESS PORT
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 32, SIZE = 1500 };

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: udp_echo ADDRESS PORT\n");
        return 2;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &here.sin_addr);
    int room = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0) {
        perror("bind");
        return 1;
    }
    static uint8_t bytes[BATCH][SIZE];
    static struct sockaddr_in peers[BATCH];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    for (;;) {
        memset(messages, 0, sizeof(messages));
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){bytes[i], SIZE};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                                  .msg_namelen = sizeof(peers[i]),
                                                  .msg_iov = &vectors[i],
                                                  .msg_iovlen = 1};
        }
        int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            bytes[i][2] |= 0x80;
            vectors[i].iov_len = messages[i].msg_len;
        }
        for (int sent = 0; sent < got;) {
            int n = sendmmsg(fd, messages + sent, (unsigned)(got - sent), 0);
            sent += n > 0 ? n : 1;
        }
    }
}
