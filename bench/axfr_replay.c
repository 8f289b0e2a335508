/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The physical limit of a transfer: a server that answers every request on TCP with a stream recorded by
 * axfr_drain, from memory, as it is.
 * usage: axfr_replay ADDRESS PORT STREAM
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 64 };

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: axfr_replay ADDRESS PORT STREAM\n");
        return 2;
    }
    FILE *in = fopen(argv[3], "r");
    if (in == NULL) {
        perror(argv[3]);
        return 1;
    }
    fseek(in, 0, SEEK_END);
    size_t size = (size_t)ftell(in);
    rewind(in);
    uint8_t *stream = malloc(size);
    if (stream == NULL || fread(stream, 1, size, in) != size) {
        perror(argv[3]);
        return 1;
    }
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &here.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 ||
        listen(listener, CLIENTS) != 0) {
        perror("bind");
        return 1;
    }
    struct {
        int fd;
        size_t at; /* SIZE_MAX: waits for the request */
    } clients[CLIENTS];
    struct pollfd polls[CLIENTS + 1];
    unsigned count = 0;
    for (;;) {
        polls[0] = (struct pollfd){.fd = count < CLIENTS ? listener : -1, .events = POLLIN};
        for (unsigned i = 0; i < count; i++) {
            polls[i + 1] = (struct pollfd){.fd = clients[i].fd,
                                           .events = clients[i].at == SIZE_MAX ? POLLIN : POLLOUT};
        }
        unsigned polled = count;
        if (poll(polls, polled + 1, -1) < 0) {
            continue;
        }
        if (polls[0].revents != 0) {
            clients[count].fd = accept(listener, NULL, NULL);
            clients[count++].at = SIZE_MAX;
        }
        for (unsigned i = polled; i-- > 0;) {
            if (polls[i + 1].revents == 0) {
                continue;
            }
            int over = 0;
            if (clients[i].at == SIZE_MAX) {
                uint8_t request[600];
                over = recv(clients[i].fd, request, sizeof(request), 0) < 14;
                clients[i].at = 0;
            } else {
                size_t left = size - clients[i].at;
                ssize_t sent = send(clients[i].fd, stream + clients[i].at,
                                    left < 1 << 20 ? left : 1 << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
                clients[i].at += sent > 0 ? (size_t)sent : 0;
                over = sent < 0 || clients[i].at == size;
            }
            if (over) {
                close(clients[i].fd);
                clients[i] = clients[--count];
            }
        }
    }
}
