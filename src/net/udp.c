/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP sockets and batches of datagrams.
 *
 * A batch keeps its message headers ready for the kernel, those of slot n for receiving and for
 * sending beside each other: both have the peer's address in one place, and only the size of the
 * answer changes. They are made for a kind of socket (its family, whether it is connected, whether
 * local addresses come along) and stay as long as that does: the kernel puts back what it found, as
 * all addresses of a family have one size. On a wildcard bind a control message has the local
 * address; sending turns it around, so that an answer leaves from the address the query came to
 * (RFC 1122 4.1.3.5). A socket bound to one address needs none of this and pays nothing for it.
 *
 * IP_PMTUDISC_OMIT: without it, anyone who can forge an ICMP message lowers the path MTU and makes
 * us send small fragments, the raw material of fragmentation attacks.
 *
 * There is no use of segmentation offload: every answer goes to another peer.
 */
#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "net/socket_impl.h"

enum { RANDOM_PORT_FIRST = 1024, RANDOM_PORT_TRIES = 16, SLOT_ALIGNMENT = 64 };

struct control {
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))] ALIGNED(8); /* the larger of the two */
};

/* All that a socket of ours can receive from. */
union peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct udp_batch {
    struct udp_slot slots[UDP_BATCH];
    struct mmsghdr in[UDP_BATCH];
    struct mmsghdr out[UDP_BATCH];
    struct iovec in_bytes[UDP_BATCH];
    struct iovec out_bytes[UDP_BATCH];
    union peer peers[UDP_BATCH];
    struct control control[UDP_BATCH];
    uint8_t *buffer;
    /* The sockets that the headers are made for. */
    uint8_t family; /* 0: none yet */
    bool connected;
    bool packet_info;
};

static void set_options(const struct udp_socket *socket)
{
    if (socket->local.family == 6) {
        socket_wish(socket->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
    } else {
        socket_wish(socket->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    }
}

static enum result want_packet_info(struct udp_socket *socket, struct error *err)
{
    bool v6 = socket->local.family == 6;
    int on = 1;
    if (setsockopt(socket->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO,
                   &on, sizeof(on)) != 0) {
        return error_set_os(err, ERR_IO, "cannot learn the local address of datagrams");
    }
    socket->packet_info = true;
    return OK;
}

enum result udp_open(const struct udp_options *options, struct udp_socket *out, struct error *err)
{
    struct udp_socket socket = {.fd = -1, .local = options->local};
    enum result result = socket_new(&options->local, SOCK_DGRAM, &socket.fd, err);
    if (result != OK) {
        return result;
    }
    set_options(&socket);
    socket_wish_buffers(socket.fd, options->receive_buffer_bytes, options->send_buffer_bytes);
    int on = 1;
    if (options->reuse_port &&
        setsockopt(socket.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
        result = error_set_os(err, ERR_IO, "cannot share a UDP port between threads");
    }
    if (result == OK && address_is_wildcard(&options->local)) {
        result = want_packet_info(&socket, err);
    }
    if (result == OK) {
        result = socket_bind(socket.fd, &options->local, err);
    }
    if (result != OK) {
        udp_close(&socket);
        return result;
    }
    socket.local = socket_local(socket.fd);
    *out = socket;
    return OK;
}

/* Binds to a port drawn at random; the kernel's own choice covers less than half of the range. */
static enum result bind_random(int fd, struct address local, struct error *err)
{
    for (unsigned left = RANDOM_PORT_TRIES; left > 0; left--) {
        uint64_t draw = random_u64() % (65536 - RANDOM_PORT_FIRST);
        local.port = (uint16_t)(RANDOM_PORT_FIRST + draw);
        struct error attempt = {0};
        enum result result = socket_bind(fd, &local, &attempt);
        if (result == OK) {
            return OK;
        }
        if (attempt.os_errno != EADDRINUSE && attempt.os_errno != EACCES) {
            return error_set(err, result, "%s", attempt.text);
        }
    }
    local.port = 0;
    return socket_bind(fd, &local, err);
}

static enum result connect_to(int fd, const struct address *peer, struct error *err)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_sockaddr(peer, &storage);
    if (connect(fd, (struct sockaddr *)&storage, size) != 0) {
        char text[ADDRESS_TEXT_SIZE];
        return error_set_os(err, ERR_IO, "cannot reach %s", address_format(peer, true, text));
    }
    return OK;
}

enum result udp_open_client(const struct address *source, const struct address *peer,
                            struct udp_socket *out, struct error *err)
{
    REQUIRE(peer != NULL || (source != NULL && source->family != 0));
    struct address local = {0};
    if (source != NULL && source->family != 0) {
        local = *source;
    } else {
        local.family = peer->family;
    }
    struct udp_socket socket = {.fd = -1, .local = local};
    enum result result = socket_new(&local, SOCK_DGRAM, &socket.fd, err);
    if (result != OK) {
        return result;
    }
    set_options(&socket);
    if (local.port != 0) {
        /* A configured port is shared by all sockets that ask from it. */
        socket_wish(socket.fd, SOL_SOCKET, SO_REUSEPORT, 1);
        result = socket_bind(socket.fd, &local, err);
    } else {
        result = bind_random(socket.fd, local, err);
    }
    if (result == OK && peer != NULL) {
        result = connect_to(socket.fd, peer, err);
        socket.connected = true;
    }
    if (result != OK) {
        udp_close(&socket);
        return result;
    }
    socket.local = socket_local(socket.fd);
    *out = socket;
    return OK;
}

void udp_close(struct udp_socket *socket)
{
    socket_close(&socket->fd);
}

enum result udp_send_one(const struct udp_socket *socket, const struct address *peer,
                         struct slice bytes, struct error *err)
{
    REQUIRE((peer == NULL) == socket->connected);
    struct sockaddr_storage storage;
    socklen_t size = peer == NULL ? 0 : address_to_sockaddr(peer, &storage);
    ssize_t sent;
    do {
        sent = sendto(socket->fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL,
                      peer == NULL ? NULL : (struct sockaddr *)&storage, size);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return OK;
    }
    enum result result = errno == EAGAIN || errno == ENOBUFS ? ERR_BUSY : ERR_IO;
    return error_set_os(err, result, "cannot send a datagram");
}

static size_t aligned(size_t size)
{
    return (size + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
}

struct udp_batch *udp_batch_new(size_t in_size, size_t out_size)
{
    struct udp_batch *batch = memory_new_zeroed(1, sizeof(*batch));
    size_t stride = aligned(in_size) + aligned(out_size);
    batch->buffer = memory_new(stride * UDP_BATCH);
    for (size_t i = 0; i < UDP_BATCH; i++) {
        uint8_t *bytes = batch->buffer + i * stride;
        uint8_t *out = bytes + aligned(in_size);
        batch->slots[i].out = out;
        batch->slots[i].out_capacity = out_size;
        batch->in_bytes[i] = (struct iovec){bytes, in_size};
        batch->out_bytes[i] = (struct iovec){out, 0};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i],
            .msg_iov = &batch->in_bytes[i],
            .msg_iovlen = 1,
        };
        batch->out[i].msg_hdr = (struct msghdr){.msg_iov = &batch->out_bytes[i], .msg_iovlen = 1};
    }
    return batch;
}

void udp_batch_free(struct udp_batch *batch)
{
    if (batch != NULL) {
        memory_free(batch->buffer);
        memory_free(batch);
    }
}

struct udp_slot *udp_batch_slots(struct udp_batch *batch)
{
    return batch->slots;
}

/* The local address in the control message; it is made ready for sending on the way: no interface
 * is prescribed for the answer except where the address means nothing without one. */
static void read_packet_info(struct msghdr *header, struct address *local)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(local->bytes, &info.ipi_spec_dst, 4);
            info.ipi_ifindex = 0;
            memcpy(CMSG_DATA(c), &info, sizeof(info));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(local->bytes, &info.ipi6_addr, 16);
            if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
                local->scope = info.ipi6_ifindex;
            } else {
                info.ipi6_ifindex = 0;
                memcpy(CMSG_DATA(c), &info, sizeof(info));
            }
        }
    }
}

static COLD void make_headers(struct udp_batch *batch, const struct udp_socket *socket)
{
    socklen_t name_size =
        socket->local.family == 6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        struct msghdr *in = &batch->in[i].msg_hdr;
        struct msghdr *out = &batch->out[i].msg_hdr;
        in->msg_namelen = name_size;
        in->msg_control = socket->packet_info ? &batch->control[i] : NULL;
        in->msg_controllen = socket->packet_info ? sizeof(batch->control[i]) : 0;
        out->msg_name = socket->connected ? NULL : &batch->peers[i];
        out->msg_namelen = socket->connected ? 0 : name_size;
        out->msg_control = in->msg_control;
        out->msg_controllen = 0;
    }
    batch->family = socket->local.family;
    batch->connected = socket->connected;
    batch->packet_info = socket->packet_info;
}

static ALWAYS_INLINE void read_slot(struct udp_batch *batch, unsigned i, struct address local)
{
    struct udp_slot *slot = &batch->slots[i];
    slot->in = slice_of(batch->in_bytes[i].iov_base, batch->in[i].msg_len);
    slot->truncated = (batch->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    slot->out_size = 0;
    slot->local = local;
}

/* Nearly every datagram; the address is converted in place, which is a few moves. */
static ALWAYS_INLINE void read_slots_v4(struct udp_batch *batch, struct address local,
                                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct sockaddr_in *from = &batch->peers[i].v4;
        struct address *peer = &batch->slots[i].peer;
        read_slot(batch, i, local);
        *peer = (struct address){.family = 4, .port = ntohs(from->sin_port)};
        memcpy(peer->bytes, &from->sin_addr, 4);
        if (UNLIKELY(peer->port == 0)) {
            batch->slots[i].in.size = 0;
        }
    }
}

static NOINLINE void read_slots_any(struct udp_batch *batch, const struct udp_socket *socket,
                                    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct udp_slot *slot = &batch->slots[i];
        struct msghdr *header = &batch->in[i].msg_hdr;
        read_slot(batch, i, socket->local);
        if (socket->packet_info) {
            read_packet_info(header, &slot->local);
            batch->out[i].msg_hdr.msg_controllen = header->msg_controllen;
            header->msg_controllen = sizeof(batch->control[i]);
        }
        if (!address_from_sockaddr(&batch->peers[i].any, &slot->peer) || slot->peer.port == 0) {
            slot->in.size = 0;
        }
    }
}

HOT enum result udp_receive(struct udp_socket *socket, struct udp_batch *batch, unsigned *out_count,
                            struct error *err)
{
    if (UNLIKELY(batch->family != socket->local.family || batch->connected != socket->connected ||
                 batch->packet_info != socket->packet_info)) {
        make_headers(batch, socket);
    }
    int got;
    do {
        got = recvmmsg(socket->fd, batch->in, UDP_BATCH, MSG_DONTWAIT, NULL);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        *out_count = 0;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return OK;
        }
        return error_set_os(err, ERR_IO, "cannot receive datagrams");
    }
    if (LIKELY(socket->local.family == 4 && !socket->packet_info)) {
        read_slots_v4(batch, socket->local, (unsigned)got);
    } else {
        read_slots_any(batch, socket, (unsigned)got);
    }
    *out_count = (unsigned)got;
    return OK;
}

/* Returns how many were dropped. */
static unsigned send_all(const struct udp_socket *socket, struct mmsghdr *messages, unsigned count)
{
    unsigned done = 0;
    unsigned dropped = 0;
    while (done < count) {
        int sent = sendmmsg(socket->fd, messages + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            done += (unsigned)sent;
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return dropped + (count - done);
        }
        /* This peer cannot be reached; the others can. */
        done++;
        dropped++;
    }
    return dropped;
}

/* Where some have no answer: the headers of the others, close together. */
static NOINLINE unsigned send_some(const struct udp_socket *socket, const struct udp_batch *batch,
                                   unsigned count)
{
    struct mmsghdr messages[UDP_BATCH];
    unsigned ready = 0;
    for (unsigned i = 0; i < count; i++) {
        if (batch->slots[i].out_size != 0) {
            messages[ready++] = batch->out[i];
        }
    }
    return send_all(socket, messages, ready);
}

HOT unsigned udp_send(struct udp_socket *socket, struct udp_batch *batch, unsigned count)
{
    REQUIRE(count <= UDP_BATCH);
    bool all = true;
    bool fit = true;
    for (unsigned i = 0; i < count; i++) {
        const struct udp_slot *slot = &batch->slots[i];
        fit &= slot->out_size <= slot->out_capacity;
        all &= slot->out_size != 0;
        batch->out_bytes[i].iov_len = slot->out_size;
    }
    REQUIRE(fit);
    return LIKELY(all) ? send_all(socket, batch->out, count) : send_some(socket, batch, count);
}
