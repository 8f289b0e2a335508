/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program is made here, instruction by instruction, for the addresses at hand: there is no
 * object file to install, no compiler to have, and no map to look addresses up in. What it takes:
 *
 *   Ethernet, then IPv4 of 20 octets that is no fragment, or IPv6; UDP; to one of the addresses
 *   and its port; and in the DNS header QR 0 and opcode QUERY
 *
 * NOTIFY and UPDATE, options, extension headers, VLANs, and queues without a socket of ours pass
 * on to the kernel and its sockets. A link attaches it: it is gone with the last descriptor of the
 * link, however the process ends, and letting go of it takes no privilege.
 */
#include "net/xdp_program.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { QUEUES_MAX = 256, ADDRESSES_MAX = 256, CODE_MAX = 128 + 8 * ADDRESSES_MAX };

/* Places in a frame. */
enum {
    ETHER = 14,
    IP4_UDP = ETHER + 20,
    IP6_UDP = ETHER + 40,
    UDP = 8,
    DNS = 12,
};

/* Registers: 2 the frame, 3 its end, 4 and 5 what is looked at, 6 the destination port. */
enum label { LABEL_NONE, LABEL_V6, LABEL_PASS, LABEL_TAKE, LABEL_COUNT };

struct assembly {
    struct bpf_insn code[CODE_MAX];
    uint8_t target[CODE_MAX]; /* enum label that a jump goes to */
    int place[LABEL_COUNT];
    int size;
};

struct xdp_program {
    unsigned interface;
    uint32_t flags;
    int map, fd, link;
};

static void emit(struct assembly *a, struct bpf_insn instruction, enum label target)
{
    REQUIRE(a->size < CODE_MAX);
    a->target[a->size] = (uint8_t)target;
    a->code[a->size++] = instruction;
}

static void load(struct assembly *a, uint8_t size, uint8_t into, uint8_t from, int offset)
{
    emit(a,
         (struct bpf_insn){.code = (uint8_t)(BPF_LDX | BPF_MEM | size),
                           .dst_reg = into,
                           .src_reg = from,
                           .off = (int16_t)offset},
         LABEL_NONE);
}

/* Compares 32 bits of a register with a constant. */
static void jump_if(struct assembly *a, uint8_t test, uint8_t reg, uint32_t value,
                    enum label target, int skip)
{
    emit(a,
         (struct bpf_insn){.code = (uint8_t)(BPF_JMP32 | test | BPF_K),
                           .dst_reg = reg,
                           .off = (int16_t)skip,
                           .imm = (int32_t)value},
         target);
}

static void set(struct assembly *a, uint8_t operation, uint8_t reg, uint32_t value)
{
    emit(a,
         (struct bpf_insn){.code = (uint8_t)(BPF_ALU64 | operation | BPF_K),
                           .dst_reg = reg,
                           .imm = (int32_t)value},
         LABEL_NONE);
}

/* To LABEL_PASS unless the frame has `size` octets. */
static void want_octets(struct assembly *a, int size)
{
    emit(a, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 4, .src_reg = 2},
         LABEL_NONE);
    set(a, BPF_ADD, 4, (uint32_t)size);
    emit(a, (struct bpf_insn){.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3},
         LABEL_PASS);
}

/* The datagram at `udp`: a question, to one of the addresses of this family at `to`? */
static void take_questions(struct assembly *a, uint8_t family, int udp, int to,
                           const struct address *addresses, size_t count)
{
    load(a, BPF_B, 4, 2, udp + UDP + 2);
    set(a, BPF_AND, 4, 0xf8);
    jump_if(a, BPF_JNE, 4, 0, LABEL_PASS, 0);
    load(a, BPF_H, 6, 2, udp + 2);
    int words = family == 4 ? 1 : 4;
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].family != family) {
            continue;
        }
        /* Each address is 2 instructions a word and one for the port: a mismatch skips the rest. */
        for (int w = 0; w < words; w++) {
            uint32_t part;
            memcpy(&part, addresses[i].bytes + 4 * w, 4);
            load(a, BPF_W, 5, 2, to + 4 * w);
            jump_if(a, BPF_JNE, 5, part, LABEL_NONE, 2 * (words - w - 1) + 1);
        }
        jump_if(a, BPF_JEQ, 6, htons(addresses[i].port), LABEL_TAKE, 0);
    }
    emit(a, (struct bpf_insn){.code = BPF_JMP | BPF_JA}, LABEL_PASS);
}

static void assemble(struct assembly *a, int map, const struct address *addresses, size_t count)
{
    load(a, BPF_W, 2, 1, offsetof(struct xdp_md, data));
    load(a, BPF_W, 3, 1, offsetof(struct xdp_md, data_end));
    want_octets(a, IP4_UDP + UDP + DNS);
    load(a, BPF_H, 4, 2, 12);
    jump_if(a, BPF_JNE, 4, htons(0x0800), LABEL_V6, 0);
    load(a, BPF_B, 4, 2, ETHER);
    jump_if(a, BPF_JNE, 4, 0x45, LABEL_PASS, 0);
    load(a, BPF_B, 4, 2, ETHER + 9);
    jump_if(a, BPF_JNE, 4, 17, LABEL_PASS, 0);
    load(a, BPF_H, 4, 2, ETHER + 6);
    set(a, BPF_AND, 4, htons(0x3fff));
    jump_if(a, BPF_JNE, 4, 0, LABEL_PASS, 0);
    take_questions(a, 4, IP4_UDP, ETHER + 16, addresses, count);
    a->place[LABEL_V6] = a->size;
    jump_if(a, BPF_JNE, 4, htons(0x86dd), LABEL_PASS, 0);
    want_octets(a, IP6_UDP + UDP + DNS);
    load(a, BPF_B, 4, 2, ETHER + 6);
    jump_if(a, BPF_JNE, 4, 17, LABEL_PASS, 0);
    take_questions(a, 6, IP6_UDP, ETHER + 24, addresses, count);
    a->place[LABEL_TAKE] = a->size;
    load(a, BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index));
    emit(a,
         (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
                           .dst_reg = 1,
                           .src_reg = BPF_PSEUDO_MAP_FD,
                           .imm = map},
         LABEL_NONE);
    emit(a, (struct bpf_insn){0}, LABEL_NONE);
    set(a, BPF_MOV, 3, XDP_PASS); /* where the queue has no socket */
    emit(a, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
         LABEL_NONE);
    emit(a, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT}, LABEL_NONE);
    a->place[LABEL_PASS] = a->size;
    set(a, BPF_MOV, 0, XDP_PASS);
    emit(a, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT}, LABEL_NONE);
    for (int i = 0; i < a->size; i++) {
        if (a->target[i] != LABEL_NONE) {
            a->code[i].off = (int16_t)(a->place[a->target[i]] - i - 1);
        }
    }
}

static enum result attach(struct xdp_program *program, struct error *err)
{
    static const uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
    for (unsigned i = 0; i < 2; i++) {
        struct bpf_link_create_opts options = {.sz = sizeof(options), .flags = modes[i]};
        program->flags = modes[i];
        program->link = bpf_link_create(program->fd, (int)program->interface, BPF_XDP, &options);
        if (program->link >= 0) {
            return OK;
        }
        if (errno == EBUSY || errno == EEXIST) {
            return error_set(err, ERR_IO, "the interface has an XDP program of somebody else");
        }
    }
    return error_set_os(err, ERR_IO, "cannot attach the XDP program to the interface");
}

enum result xdp_program_new(unsigned interface, const struct address *addresses, size_t count,
                            struct xdp_program **out, struct error *err)
{
    if (count > ADDRESSES_MAX) {
        return error_set(err, ERR_LIMIT, "XDP takes %d addresses of an interface, not %zu",
                         ADDRESSES_MAX, count);
    }
    struct xdp_program *program = memory_new_zeroed(1, sizeof(*program));
    *program = (struct xdp_program){.interface = interface, .map = -1, .fd = -1, .link = -1};
    struct assembly *a = memory_new_zeroed(1, sizeof(*a));
    enum result result = OK;
    program->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "lockstep", 4, 4, QUEUES_MAX, NULL);
    if (program->map < 0) {
        result = error_set_os(err, ERR_IO, "cannot make a map for XDP");
    } else {
        assemble(a, program->map, addresses, count);
        program->fd =
            bpf_prog_load(BPF_PROG_TYPE_XDP, "lockstep", "BSD", a->code, (size_t)a->size, NULL);
        result = program->fd < 0 ? error_set_os(err, ERR_IO, "the kernel refuses the XDP program")
                                 : attach(program, err);
    }
    memory_free(a);
    if (result != OK) {
        xdp_program_free(program);
        return result;
    }
    *out = program;
    return OK;
}

void xdp_program_free(struct xdp_program *program)
{
    if (program == NULL) {
        return;
    }
    int descriptors[] = {program->link, program->fd, program->map};
    for (unsigned i = 0; i < 3; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    memory_free(program);
}

enum result xdp_program_add(struct xdp_program *program, unsigned queue, int fd, struct error *err)
{
    uint32_t key = queue, value = (uint32_t)fd;
    if (queue >= QUEUES_MAX || bpf_map_update_elem(program->map, &key, &value, BPF_ANY) != 0) {
        return error_set_os(err, ERR_IO, "cannot give queue %u to XDP", queue);
    }
    return OK;
}

bool xdp_program_in_driver(const struct xdp_program *program)
{
    return (program->flags & XDP_FLAGS_DRV_MODE) != 0;
}
