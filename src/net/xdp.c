/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames live in memory that is shared with the kernel, in two halves: the lower for what comes in,
 * the upper for answers. A frame for an answer is taken from a list and comes back to it by the
 * completion ring. The datagram stands at a fixed place in it, with room for any headers before;
 * where the frame begins depends on them.
 *
 * One system call sends a batch, and none is made where the driver says that it looks by itself
 * (XDP_USE_NEED_WAKEUP). What an interface has no room for waits in the ring for the next call.
 */
#include "net/xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "base/memory.h"
#include "net/frame.h"

enum {
    FRAMES = 2048, /* each way */
    FRAME_SIZE = 2048,
    MEMORY_SIZE = 2 * FRAMES * FRAME_SIZE,
    DATAGRAM_AT = 64, /* of an answer; FRAME_HEADERS_MAX before it are ours */
    ANSWER_MAX = 1500 - 40 - 8,
};

_Static_assert((int)DATAGRAM_AT >= (int)FRAME_HEADERS_MAX, "the headers fit before the datagram");

struct taken {
    struct frame frame;
    uint64_t incoming, answer; /* places in the memory */
};

struct xdp_port {
    struct xsk_umem *umem;
    struct xsk_socket *socket;
    struct xsk_ring_prod fill, send;
    struct xsk_ring_cons completion, receive;
    uint8_t *memory;
    uint64_t spare[FRAMES]; /* for answers */
    unsigned spare_count;
    unsigned taken_count;
    struct taken taken[UDP_BATCH];
    struct udp_slot slots[UDP_BATCH];
};

static void fill(struct xdp_port *port, const uint64_t *places, unsigned count)
{
    uint32_t at;
    if (xsk_ring_prod__reserve(&port->fill, count, &at) != count) {
        return; /* cannot be: the ring has room for all frames there are */
    }
    for (unsigned i = 0; i < count; i++) {
        *xsk_ring_prod__fill_addr(&port->fill, at + i) = places[i];
    }
    xsk_ring_prod__submit(&port->fill, count);
}

static enum result set_up(struct xdp_port *port, struct xdp_program *program, unsigned interface,
                          unsigned queue, struct error *err)
{
    char name[IF_NAMESIZE];
    if (if_indextoname(interface, name) == NULL) {
        return error_set_os(err, ERR_IO, "the interface is gone");
    }
    port->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (port->memory == MAP_FAILED) {
        port->memory = NULL;
        return error_set_os(err, ERR_IO, "no memory for the frames of %s", name);
    }
    struct xsk_umem_config memory = {
        .fill_size = FRAMES, .comp_size = FRAMES, .frame_size = FRAME_SIZE};
    int code = xsk_umem__create(&port->umem, port->memory, MEMORY_SIZE, &port->fill,
                                &port->completion, &memory);
    struct xsk_socket_config config = {.rx_size = FRAMES,
                                       .tx_size = FRAMES,
                                       .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                       .bind_flags = XDP_USE_NEED_WAKEUP};
    if (code == 0) {
        code = xsk_socket__create(&port->socket, name, queue, port->umem, &port->receive,
                                  &port->send, &config);
    }
    if (code != 0) {
        errno = -code;
        return error_set_os(err, ERR_IO, "cannot open an AF_XDP socket on queue %u of %s", queue,
                            name);
    }
    uint64_t incoming[FRAMES];
    for (unsigned i = 0; i < FRAMES; i++) {
        incoming[i] = (uint64_t)i * FRAME_SIZE;
        port->spare[i] = (uint64_t)(FRAMES + i) * FRAME_SIZE;
    }
    port->spare_count = FRAMES;
    fill(port, incoming, FRAMES);
    return xdp_program_add(program, queue, xsk_socket__fd(port->socket), err);
}

enum result xdp_open(struct xdp_program *program, unsigned interface, unsigned queue,
                     struct xdp_port **out, struct error *err)
{
    struct xdp_port *port = memory_new_zeroed(1, sizeof(*port));
    enum result result = set_up(port, program, interface, queue, err);
    if (result != OK) {
        xdp_close(port);
        return result;
    }
    *out = port;
    return OK;
}

void xdp_close(struct xdp_port *port)
{
    if (port == NULL) {
        return;
    }
    xsk_socket__delete(port->socket);
    if (port->umem != NULL) {
        (void)xsk_umem__delete(port->umem);
    }
    if (port->memory != NULL) {
        munmap(port->memory, MEMORY_SIZE);
    }
    memory_free(port);
}

int xdp_fd(const struct xdp_port *port)
{
    return xsk_socket__fd(port->socket);
}

uint64_t xdp_lost(const struct xdp_port *port)
{
    struct xdp_statistics statistics = {0};
    socklen_t size = sizeof(statistics);
    (void)getsockopt(xsk_socket__fd(port->socket), SOL_XDP, XDP_STATISTICS, &statistics, &size);
    return statistics.rx_dropped + statistics.rx_ring_full;
}

/* Frames whose answer has left. */
static void take_back(struct xdp_port *port)
{
    uint32_t at;
    unsigned count = xsk_ring_cons__peek(&port->completion, FRAMES - port->spare_count, &at);
    for (unsigned i = 0; i < count; i++) {
        uint64_t place = *xsk_ring_cons__comp_addr(&port->completion, at + i);
        port->spare[port->spare_count++] = place - place % FRAME_SIZE;
    }
    xsk_ring_cons__release(&port->completion, count);
}

unsigned xdp_receive(struct xdp_port *port, struct udp_slot **slots)
{
    take_back(port);
    uint32_t at;
    unsigned want = port->spare_count < UDP_BATCH ? port->spare_count : UDP_BATCH;
    unsigned count = xsk_ring_cons__peek(&port->receive, want, &at);
    uint64_t unread[UDP_BATCH];
    unsigned unread_count = 0;
    port->taken_count = 0;
    /* Another core wrote them; all are fetched while the first is read. */
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *frame = port->memory + xsk_ring_cons__rx_desc(&port->receive, at + i)->addr;
        __builtin_prefetch(frame);
        __builtin_prefetch(frame + 64);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&port->receive, at + i);
        struct taken *taken = &port->taken[port->taken_count];
        if (!frame_read(slice_of(port->memory + desc->addr, desc->len), &taken->frame)) {
            unread[unread_count++] = desc->addr - desc->addr % FRAME_SIZE;
            continue;
        }
        taken->incoming = desc->addr - desc->addr % FRAME_SIZE;
        taken->answer = port->spare[--port->spare_count];
        port->slots[port->taken_count++] = (struct udp_slot){
            .peer = taken->frame.from,
            .local = taken->frame.to,
            .in = taken->frame.datagram,
            .out = port->memory + taken->answer + DATAGRAM_AT,
            .out_capacity = ANSWER_MAX,
        };
    }
    xsk_ring_cons__release(&port->receive, count);
    fill(port, unread, unread_count);
    *slots = port->slots;
    return port->taken_count;
}

static unsigned unsent(struct xdp_port *port)
{
    return FRAMES - xsk_prod_nb_free(&port->send, FRAMES);
}

bool xdp_is_behind(struct xdp_port *port)
{
    return unsent(port) != 0 && xsk_ring_prod__needs_wakeup(&port->send);
}

/* One call sends a batch, unless a frame is dropped on the way (the kernel stops behind it) or the
 * interface has no room (it goes no further, and neither do we). */
static void push(struct xdp_port *port)
{
    unsigned before = FRAMES + 1;
    for (unsigned left = unsent(port); left != 0 && left < before; left = unsent(port)) {
        if (!xsk_ring_prod__needs_wakeup(&port->send)) {
            return;
        }
        (void)sendto(xsk_socket__fd(port->socket), NULL, 0, MSG_DONTWAIT, NULL, 0);
        before = left;
    }
}

unsigned xdp_send(struct xdp_port *port)
{
    uint64_t incoming[UDP_BATCH];
    unsigned dropped = 0, sent = 0;
    for (unsigned i = 0; i < port->taken_count; i++) {
        struct taken *taken = &port->taken[i];
        uint32_t at;
        size_t size = port->slots[i].out_size;
        incoming[i] = taken->incoming;
        if (size == 0 || xsk_ring_prod__reserve(&port->send, 1, &at) != 1) {
            dropped += size != 0;
            port->spare[port->spare_count++] = taken->answer;
            continue;
        }
        uint8_t *datagram = port->memory + taken->answer + DATAGRAM_AT;
        uint8_t *frame = frame_write_answer(&taken->frame, datagram, size);
        struct xdp_desc *desc = xsk_ring_prod__tx_desc(&port->send, at);
        desc->addr = (uint64_t)(frame - port->memory);
        desc->len = (uint32_t)(datagram + size - frame);
        desc->options = 0;
        sent++;
    }
    xsk_ring_prod__submit(&port->send, sent);
    push(port);
    if (port->taken_count != 0) {
        fill(port, incoming, port->taken_count);
    }
    if (xsk_ring_prod__needs_wakeup(&port->fill)) {
        (void)recvfrom(xsk_socket__fd(port->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
    }
    port->taken_count = 0;
    return dropped;
}
