/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The physical limit of answering by AF_XDP: every question goes back in the frame it came in, with
 * QR set and the addresses swapped, and nothing else is done.
 *
 *   frame_echo INTERFACE ADDRESS PORT
 */
#include <arpa/inet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "net/xdp_program.h"

enum { FRAMES = 4096, FRAME_SIZE = 2048, BATCH = 32, IP_AT = 14, UDP_AT = 34, DNS_AT = 42 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t saved[6];
    memcpy(saved, a, size);
    memcpy(a, b, size);
    memcpy(b, saved, size);
}

static void turn_round(uint8_t *frame)
{
    swap(frame, frame + 6, 6);
    swap(frame + IP_AT + 12, frame + IP_AT + 16, 4);
    swap(frame + UDP_AT, frame + UDP_AT + 2, 2);
    frame[DNS_AT + 2] |= 0x80;
    /* None: over IPv4 that may be, and of what a wire in memory brings it is not always made. */
    memset(frame + UDP_AT + 6, 0, 2);
}

int main(int argc, char **argv)
{
    struct address here = {.family = 4};
    struct error err = {0};
    if (argc != 4 || inet_pton(AF_INET, argv[2], here.bytes) != 1) {
        fprintf(stderr, "usage: frame_echo INTERFACE ADDRESS PORT\n");
        return 2;
    }
    here.port = (uint16_t)atoi(argv[3]);
    uint8_t *memory = mmap(NULL, (size_t)FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    struct xsk_ring_prod fill = {0}, send = {0};
    struct xsk_ring_cons completion = {0}, receive = {0};
    struct xsk_umem *umem;
    struct xsk_socket *socket;
    struct xsk_umem_config sizes = {
        .fill_size = FRAMES, .comp_size = FRAMES, .frame_size = FRAME_SIZE};
    struct xsk_socket_config config = {.rx_size = FRAMES,
                                       .tx_size = FRAMES,
                                       .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                       .bind_flags = XDP_USE_NEED_WAKEUP};
    struct xdp_program *program;
    if (memory == MAP_FAILED ||
        xsk_umem__create(&umem, memory, (uint64_t)FRAMES * FRAME_SIZE, &fill, &completion,
                         &sizes) != 0 ||
        xsk_socket__create(&socket, argv[1], 0, umem, &receive, &send, &config) != 0) {
        die("cannot open an AF_XDP socket");
    }
    int fd = xsk_socket__fd(socket);
    uint32_t to = 0, from = 0;
    xsk_ring_prod__reserve(&fill, FRAMES, &to);
    for (uint32_t i = 0; i < FRAMES; i++) {
        *xsk_ring_prod__fill_addr(&fill, to + i) = (uint64_t)i * FRAME_SIZE;
    }
    xsk_ring_prod__submit(&fill, FRAMES);
    if (xdp_program_new(if_nametoindex(argv[1]), &here, 1, &program, &err) != OK ||
        xdp_program_add(program, 0, fd, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (;;) {
        uint32_t count = xsk_ring_cons__peek(&completion, FRAMES, &from);
        if (count != 0 && xsk_ring_prod__reserve(&fill, count, &to) == count) {
            for (uint32_t i = 0; i < count; i++) {
                uint64_t place = *xsk_ring_cons__comp_addr(&completion, from + i);
                *xsk_ring_prod__fill_addr(&fill, to + i) = place - place % FRAME_SIZE;
            }
            xsk_ring_prod__submit(&fill, count);
        }
        xsk_ring_cons__release(&completion, count);
        count = xsk_ring_cons__peek(&receive, BATCH, &from);
        if (count == 0) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            (void)poll(&wait, 1, -1);
            continue;
        }
        if (xsk_ring_prod__reserve(&send, count, &to) == count) {
            for (uint32_t i = 0; i < count; i++) {
                *xsk_ring_prod__tx_desc(&send, to + i) =
                    *xsk_ring_cons__rx_desc(&receive, from + i);
                turn_round(memory + xsk_ring_cons__rx_desc(&receive, from + i)->addr);
            }
            xsk_ring_prod__submit(&send, count);
        }
        xsk_ring_cons__release(&receive, count);
        if (xsk_ring_prod__needs_wakeup(&send)) {
            (void)sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        }
    }
}
