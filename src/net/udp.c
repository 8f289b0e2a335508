/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP sockets and batches of datagrams.
 *
 * A batch keeps its message headers ready for the kernel. Receiving fills the peer's address and,
 * on a wildcard bind, a control message with the local address; sending takes the same address and
 * turns the control message around, so that an answer leaves from the address the query came to
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

struct udp_batch {
    struct udp_slot slots[UDP_BATCH];
    struct mmsghdr in[UDP_BATCH];
    struct mmsghdr out[UDP_BATCH];
    struct iovec in_bytes[UDP_BATCH];
    struct iovec out_bytes[UDP_BATCH];
    struct sockaddr_storage peers[UDP_BATCH];
    struct control control[UDP_BATCH];
    uint8_t *buffer;
    size_t in_size;
    unsigned used;    /* headers that the kernel has written to */
    bool packet_info; /* the headers ask for it */
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
    if (options->receive_buffer_bytes > 0) {
        socket_wish(socket.fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer_bytes);
        socket_wish(socket.fd, SOL_SOCKET, SO_RCVBUFFORCE, options->receive_buffer_bytes);
    }
    if (options->send_buffer_bytes > 0) {
        socket_wish(socket.fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer_bytes);
        socket_wish(socket.fd, SOL_SOCKET, SO_SNDBUFFORCE, options->send_buffer_bytes);
    }
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
    batch->in_size = in_size;
    batch->used = UDP_BATCH;
    for (size_t i = 0; i < UDP_BATCH; i++) {
        uint8_t *bytes = batch->buffer + i * stride;
        batch->slots[i].out = bytes + aligned(in_size);
        batch->slots[i].out_capacity = out_size;
        batch->in_bytes[i] = (struct iovec){bytes, in_size};
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

/* Fills in a slot from what the kernel left in its header; false: not to be answered. */
static bool read_slot(const struct udp_socket *socket, struct udp_batch *batch, unsigned i)
{
    struct udp_slot *slot = &batch->slots[i];
    struct msghdr *header = &batch->in[i].msg_hdr;
    slot->in = slice_of(batch->in_bytes[i].iov_base, batch->in[i].msg_len);
    slot->truncated = (header->msg_flags & MSG_TRUNC) != 0;
    slot->out_size = 0;
    slot->local = socket->local;
    if (socket->packet_info) {
        read_packet_info(header, &slot->local);
    }
    return address_from_sockaddr(header->msg_name, &slot->peer) && slot->peer.port != 0;
}

HOT enum result udp_receive(struct udp_socket *socket, struct udp_batch *batch, unsigned *out_count,
                            struct error *err)
{
    /* Only what the last receive changed; all where the socket is of the other kind. */
    unsigned stale = batch->packet_info == socket->packet_info ? batch->used : UDP_BATCH;
    batch->packet_info = socket->packet_info;
    batch->used = 0;
    for (unsigned i = 0; i < stale; i++) {
        struct msghdr *header = &batch->in[i].msg_hdr;
        header->msg_namelen = sizeof(batch->peers[i]);
        header->msg_control = socket->packet_info ? &batch->control[i] : NULL;
        header->msg_controllen = socket->packet_info ? sizeof(batch->control[i]) : 0;
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
    batch->used = (unsigned)got;
    for (unsigned i = 0; i < (unsigned)got; i++) {
        if (!read_slot(socket, batch, i)) {
            batch->slots[i].in.size = 0;
        }
    }
    *out_count = (unsigned)got;
    return OK;
}

HOT unsigned udp_send(struct udp_socket *socket, struct udp_batch *batch, unsigned count)
{
    REQUIRE(count <= UDP_BATCH);
    unsigned ready = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct udp_slot *slot = &batch->slots[i];
        if (slot->out_size == 0) {
            continue;
        }
        REQUIRE(slot->out_size <= slot->out_capacity);
        const struct msghdr *in = &batch->in[i].msg_hdr;
        batch->out_bytes[ready] = (struct iovec){slot->out, slot->out_size};
        struct msghdr *out = &batch->out[ready].msg_hdr;
        out->msg_name = socket->connected ? NULL : in->msg_name;
        out->msg_namelen = socket->connected ? 0 : in->msg_namelen;
        out->msg_control = in->msg_controllen == 0 ? NULL : in->msg_control;
        out->msg_controllen = in->msg_controllen;
        ready++;
    }
    unsigned done = 0;
    unsigned dropped = 0;
    while (done < ready) {
        int sent =
            sendmmsg(socket->fd, batch->out + done, ready - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            done += (unsigned)sent;
            continue;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return dropped + (ready - done);
        }
        /* This peer cannot be reached; the others can. */
        done++;
        dropped++;
    }
    return dropped;
}
